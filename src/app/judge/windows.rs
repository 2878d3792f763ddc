//! Grouping of log records into windows that are judged together.

use super::term::JudgeTerm;
use crate::app::core::Core;
use crate::engine::replay::{WINDOW, window_end, window_of};
use crate::model::time::Time;
use crate::store::log::LogRecord;

/// Records judged in one transaction at most.
const BATCH: usize = 1000;

/// The next records of the log, grouped by window.
pub(super) struct Windows {
    /// Windows to be judged now.
    pub(super) complete: Vec<Vec<LogRecord>>,
    /// End of the newest window, while more records may join it.
    pub(super) open_until: Option<Time>,
    /// Further records are waiting in the log.
    pub(super) more: bool,
}

/// Reads the records after the term's position.
pub(super) fn next(core: &Core, term: &JudgeTerm, now: Time) -> anyhow::Result<Windows> {
    let mut limit = BATCH;
    loop {
        let records = core.store.log_after(term.applied, limit)?;
        let more = records.len() == limit;
        let mut complete: Vec<Vec<LogRecord>> = Vec::new();
        for record in records {
            match complete.last_mut().filter(|window| {
                !term.one_by_one && window_of(window[0].logged_at) == window_of(record.logged_at)
            }) {
                Some(window) => window.push(record),
                None => complete.push(vec![record]),
            }
        }
        if more && complete.len() == 1 && !term.one_by_one {
            limit *= 2;
            continue;
        }
        // The last window may continue in records that are not read or not logged yet.
        let timed = !core.clock.is_set() && !term.one_by_one;
        let newest = complete.last().and_then(|window| window.last());
        let end = newest.map(|record| window_end(record.logged_at));
        let open = end.filter(|end| timed && now < *end && *end - now <= WINDOW);
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
        });
    }
}

/// Makes all records from now on be logged at `until` or later. True if some after `position` are
/// logged already.
pub(super) fn continues(core: &Core, position: u64, until: Time) -> anyhow::Result<bool> {
    Ok(!core.clock.is_set() && core.store.end_window(until)? > position)
}
