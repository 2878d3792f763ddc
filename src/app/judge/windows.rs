//! Grouping of log records into windows that are judged together.

use chrono::TimeDelta;

use super::term::JudgeTerm;
use crate::app::core::Core;
use crate::engine::replay::{WindowTimes, window_end};
use crate::model::time::Time;
use crate::store::log::LogRecord;

/// Records judged in one transaction at most.
const BATCH: usize = 1000;

/// Longest wait for the end of a window: a clock that was set back a little is waited for.
const LONGEST_WAIT: TimeDelta = TimeDelta::seconds(3);

/// The next records of the log, grouped by window.
pub(super) struct Windows {
    /// Windows to be judged now, with their times.
    pub(super) complete: Vec<(WindowTimes, Vec<LogRecord>)>,
    /// End of the newest window, while more records may join it.
    pub(super) open_until: Option<Time>,
    /// Further records are waiting in the log.
    pub(super) more: bool,
    /// The newest record read a clock that was ahead of ours by more than a moment.
    pub(super) is_ahead: bool,
}

/// Reads the records after the term's position.
pub(super) fn next(core: &Core, term: &JudgeTerm, now: Time) -> anyhow::Result<Windows> {
    let mut limit = BATCH;
    loop {
        let records = core.store.log_after(term.applied, limit)?;
        let more = records.len() == limit;
        let mut complete: Vec<(WindowTimes, Vec<LogRecord>)> = Vec::new();
        for record in records {
            let times = WindowTimes::new(record.clock_at, &record.events);
            let open = complete.last_mut().filter(|_| !term.one_by_one);
            match open.and_then(|(open, window)| open.join(times).then_some(window)) {
                Some(window) => window.push(record),
                None => complete.push((times, vec![record])),
            }
        }
        if more && complete.len() == 1 && !term.one_by_one {
            limit *= 2;
            continue;
        }
        // The last window may continue in records that are not read or not logged yet.
        let timed = !core.clock.is_set() && !term.one_by_one;
        let newest = complete.last().and_then(|(_, window)| window.last());
        let end = newest.map(|record| window_end(record.clock_at));
        let open = end.filter(|end| timed && now < *end && *end - now <= LONGEST_WAIT);
        if let Some((newest, end)) = newest.zip(end)
            && timed
            && !more
            && end <= now
            && continues(core, newest.position, end)?
        {
            continue;
        }
        if more || open.is_some() {
            complete.pop();
        }
        return Ok(Windows {
            complete,
            open_until: open.filter(|_| !more),
            more,
            is_ahead: timed && open.is_none() && end.is_some_and(|end| now < end),
        });
    }
}

/// Makes all records from now on be decided at `until` or later. True if some after `position` are
/// logged already.
pub(super) fn continues(core: &Core, position: u64, until: Time) -> anyhow::Result<bool> {
    Ok(!core.clock.is_set() && core.store.end_window(until)? > position)
}
