//! Progress of a start: the events read from the database, then those judged of the log.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Events done, of those known to be there.
#[derive(Debug, Default)]
pub(crate) struct StartProgress {
    read: AtomicU64,
    judged: AtomicU64,
    /// Events of the log that were not judged at the start, once counted.
    waiting: AtomicU64,
    over: AtomicBool,
}

impl StartProgress {
    /// Takes note of events that were read from the database.
    pub(crate) fn note_read(&self, events: usize) {
        self.read.fetch_add(events as u64, Ordering::Relaxed);
    }

    /// Takes note of events that were judged.
    pub(crate) fn note_judged(&self, events: usize) {
        self.judged.fetch_add(events as u64, Ordering::Relaxed);
    }

    /// Sets the number of events that wait in the log.
    pub(crate) fn set_waiting(&self, events: u64) {
        self.waiting.store(events, Ordering::Relaxed);
    }

    /// Ends it: the judge has caught up with the log.
    pub(crate) fn end(&self) {
        self.over.store(true, Ordering::Relaxed);
    }

    /// True once the judge has caught up.
    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// The state of the database's reading, for people.
    #[must_use]
    pub(crate) fn reading(&self) -> String {
        match self.read.load(Ordering::Relaxed) {
            0 => "the database is being opened".to_owned(),
            read => format!("{read} events of open incidents are read from the database"),
        }
    }

    /// The state of the replay, for people; `records` wait.
    #[must_use]
    pub(crate) fn replaying(&self, records: u64) -> String {
        let judged = self.judged.load(Ordering::Relaxed);
        match self.waiting.load(Ordering::Relaxed) {
            0 => format!("{judged} events of the log are judged, {records} records wait"),
            all => format!(
                "{} of {} events of the log are judged",
                judged.min(all),
                all
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::StartProgress;

    #[test]
    fn progress_is_counted_in_events() {
        let progress = StartProgress::default();
        assert_eq!(progress.reading(), "the database is being opened");
        progress.note_read(7);
        assert_eq!(
            progress.reading(),
            "7 events of open incidents are read from the database"
        );
        progress.note_judged(3);
        assert_eq!(
            progress.replaying(2),
            "3 events of the log are judged, 2 records wait"
        );
        progress.set_waiting(10);
        assert_eq!(
            progress.replaying(2),
            "3 of 10 events of the log are judged"
        );
        progress.note_judged(30);
        assert_eq!(
            progress.replaying(0),
            "10 of 10 events of the log are judged",
            "those that came since are not counted"
        );
    }
}
