//! Catching up with the log after a start.

use chrono::TimeDelta;

use super::core::Core;

/// Age of the oldest record that waits from which the judge counts as catching up.
const BEHIND: TimeDelta = TimeDelta::seconds(5);

impl Core {
    /// The progress of the judge through what was logged before the start, until it is within seconds
    /// of the log. Later it may fall behind in a storm: then it is at work. Blocks.
    pub(crate) fn catching_up(&self) -> Option<String> {
        if self.start.is_over() {
            return None;
        }
        let (head, applied) = self.progress.positions();
        let oldest = if head > applied {
            // A database that cannot be read is said elsewhere.
            self.store.record(applied + 1).ok().flatten()
        } else {
            None
        };
        if oldest.is_some_and(|oldest| self.now() - oldest.logged_at > BEHIND) {
            return Some(self.start.replaying(head - applied));
        }
        self.start.end();
        None
    }

    /// Counts the events that wait in the log. Blocks.
    pub(crate) fn count_waiting(&self) {
        let (_, applied) = self.progress.positions();
        match self.store.events_after(applied) {
            Ok(events) => self.start.set_waiting(events),
            Err(fault) => tracing::warn!("the events that wait could not be counted: {fault}"),
        }
    }
}
