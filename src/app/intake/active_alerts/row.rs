//! One episode of an alert as a row of 56 bytes.

use chrono::TimeDelta;

use crate::model::event::{Event, Fact, LeaseExpiry};
use crate::model::id::Subject;
use crate::model::time::Time;

/// Lease of an alert whose sender gives none. Senders of webhooks repeat firing alerts at least
/// daily by any usual `repeat_interval`.
pub(crate) const DEFAULT_LEASE: TimeDelta = TimeDelta::hours(25);
/// Lease of an alert whose message came late: its own was over by then. The end may be on its way.
const LATE_LEASE: TimeDelta = TimeDelta::minutes(5);
/// Difference between clocks that does not make a report a late one.
const CLOCK_SKEW: TimeDelta = TimeDelta::minutes(2);
/// Time an ended or lapsed episode is remembered, within which it may be reported firing again.
pub(crate) const RETENTION: TimeDelta = TimeDelta::hours(24);
/// Starts of one alert no further apart are of replicas that evaluate it at their own instants.
pub(crate) const REPLICA_SKEW: TimeDelta = TimeDelta::minutes(2);
/// Time senders get after a start of the service to renew the alerts they could not while it was
/// down.
pub(crate) const RESTART_GRACE: TimeDelta = TimeDelta::minutes(5);
/// Lease of an alert that never lapses.
pub(crate) const NEVER: Time = Time::MAX_UTC;

/// A firing message received so soon after the end was sent before it.
pub(crate) const STRAGGLER_WINDOW: TimeDelta = TimeDelta::minutes(1);

/// Rows saved or removed in one transaction.
const MAX_SAVED: usize = 20_000;

/// Keyed 128-bit hash of an alert's labels. No sender knows the key, so equal hashes mean equal
/// labels.
pub(crate) type LabelsKey = [u64; 2];

/// One episode. Times are microseconds since 1970.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AlertRow {
    pub(crate) labels: LabelsKey,
    pub(crate) started: i64,
    /// The 16 hex digits of the subject.
    pub(crate) subject: u64,
    pub(crate) last_seen: i64,
    /// End of the lease while it fires; of an ended episode, the first 16 hex digits of the id of
    /// the event that ended it.
    pub(crate) end: u64,
    /// Second, since 1970, of the bucket that holds this row; 0: none.
    pub(crate) bucket: u32,
    pub(crate) state: EpisodeState,
    /// Number of the source that reported it first.
    pub(crate) source: u8,
    /// Set for the episode of its labels that was opened last. If it is not, another one with the
    /// same labels is firing too.
    pub(crate) open: bool,
    storage: StorageState,
}

/// The row of an episode in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StorageState {
    Absent,
    AbsentChanged,
    Saved,
    SavedChanged,
}

/// State of an episode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EpisodeState {
    Firing,
    /// Its lease ran out.
    Lapsed,
    /// An event ended it.
    Ended,
    /// Its end was received before any firing message.
    EndedUnseen,
    /// The row is unused.
    Free,
}

impl AlertRow {
    pub(crate) fn new(labels: LabelsKey, started: i64, subject: u64, source: u8) -> Self {
        Self {
            labels,
            started,
            subject,
            last_seen: 0,
            end: 0,
            bucket: 0,
            state: EpisodeState::Free,
            source,
            open: false,
            storage: StorageState::Absent,
        }
    }

    /// Set while the database has a row for it.
    pub(crate) fn is_saved(&self) -> bool {
        matches!(
            self.storage,
            StorageState::Saved | StorageState::SavedChanged
        )
    }

    /// Set when it changed since it was saved.
    pub(crate) fn is_changed(&self) -> bool {
        matches!(
            self.storage,
            StorageState::AbsentChanged | StorageState::SavedChanged
        )
    }

    pub(crate) fn set_saved(&mut self, saved: bool) {
        self.set_storage(saved, self.is_changed());
    }

    pub(crate) fn set_changed(&mut self, changed: bool) {
        self.set_storage(self.is_saved(), changed);
    }

    fn set_storage(&mut self, saved: bool, changed: bool) {
        self.storage = match (saved, changed) {
            (false, false) => StorageState::Absent,
            (false, true) => StorageState::AbsentChanged,
            (true, false) => StorageState::Saved,
            (true, true) => StorageState::SavedChanged,
        };
    }

    pub(crate) fn is_firing(&self) -> bool {
        self.state == EpisodeState::Firing
    }

    pub(crate) fn has_ended(&self) -> bool {
        matches!(self.state, EpisodeState::Ended | EpisodeState::EndedUnseen)
    }

    /// A firing row without an end of its lease.
    pub(crate) fn never_lapses(&self) -> bool {
        self.is_firing() && self.end.cast_signed() == NEVER.timestamp_micros()
    }

    /// Time at which the lease runs out or the row is dropped.
    pub(crate) fn due_at(&self) -> i64 {
        let after = |delay: TimeDelta| {
            self.last_seen
                .saturating_add(delay.num_seconds() * 1_000_000)
        };
        match self.state {
            // Its sender is gone, and the end is not missed.
            EpisodeState::Firing if self.never_lapses() => after(DEFAULT_LEASE),
            EpisodeState::Firing => self.end.cast_signed(),
            _ => after(RETENTION),
        }
    }

    /// The lapse of an episode that a later one with the same labels overtook at `next`: it ended at
    /// an unknown time after it was last reported. `None` where that report came after `next`: it
    /// was late, and does not tell how long the episode went on.
    pub(crate) fn lapse_before(&self, next: Time) -> Option<Event> {
        let last_seen = time(self.last_seen);
        (last_seen <= next + CLOCK_SKEW).then(|| self.lapse(last_seen.min(next)))
    }

    /// The event that records the end of the lease.
    pub(crate) fn lapse(&self, last_seen: Time) -> Event {
        Event::new(
            "afterword",
            last_seen,
            Fact::Lapsed(LeaseExpiry {
                of: Subject::from(self.subject),
                last_seen,
            }),
        )
    }
}

pub(crate) fn micros(time: Time) -> i64 {
    time.timestamp_micros()
}

pub(crate) fn time(micros: i64) -> Time {
    Time::from_timestamp_micros(micros).unwrap_or(NEVER)
}

/// True if the lease that a firing message gives was over when it came: it is late.
pub(crate) fn is_late(lease: Option<Time>, now: Time) -> bool {
    lease.is_some_and(|lease| lease <= now)
}

/// The end of the lease of a message received at `now`.
pub(crate) fn lease_until(lease: Option<Time>, now: Time) -> Time {
    match lease {
        _ if is_late(lease, now) => now + LATE_LEASE,
        Some(lease) => lease,
        None => now + DEFAULT_LEASE,
    }
}

/// The end of a lease as [`AlertRow::end`] holds it.
pub(crate) fn lease_end(lease: Time) -> u64 {
    micros(lease).max(0).cast_unsigned()
}

/// The key by which [`AlertRow::end`] tells the ends of one episode apart.
pub(crate) fn end_key(event: &Event) -> u64 {
    let bytes = event.id.bytes();
    u64::from_be_bytes(std::array::from_fn(|index| bytes[index]))
}

/// The lease of an alert that this replica has not received itself.
pub(crate) fn assumed_lease(event: &Event, now: Time) -> Time {
    if *event.source == *"prometheus" {
        now + RESTART_GRACE
    } else {
        now + DEFAULT_LEASE
    }
}

/// True if a firing message was sent before the end of its episode, and overtaken by it.
pub(crate) fn is_straggler(row: &AlertRow, now: Time) -> bool {
    now - time(row.last_seen) < STRAGGLER_WINDOW
}

/// Takes the last items of a list, as many as are saved at once.
pub(crate) fn split_last<T>(list: &mut Vec<T>) -> Vec<T> {
    if list.len() <= MAX_SAVED {
        return std::mem::take(list);
    }
    list.split_off(list.len() - MAX_SAVED)
}
