//! Positions that the log and the judge have reached, with wake-ups for waiting tasks.

use std::time::Duration;

use tokio::sync::watch;

/// Longest wait for the judge to apply an event that a person stated.
const PATIENCE: Duration = Duration::from_secs(2);

/// Head of the log and position of the judge.
#[derive(Debug)]
pub(crate) struct LogProgress {
    head: watch::Sender<u64>,
    applied: watch::Sender<u64>,
}

impl LogProgress {
    pub(crate) fn new(head: u64, applied: u64) -> Self {
        Self {
            head: watch::Sender::new(head),
            applied: watch::Sender::new(applied),
        }
    }

    /// Last position committed to the log, and last position applied by the judge.
    pub(crate) fn positions(&self) -> (u64, u64) {
        (*self.head.borrow(), *self.applied.borrow())
    }

    /// Moves the head forward to `position`, if one is given, and wakes the judge.
    pub(crate) fn advance_head(&self, position: Option<u64>) {
        self.head
            .send_modify(|head| *head = position.map_or(*head, |position| position.max(*head)));
    }

    /// Takes over the head of a shared database, and wakes the judge if it lies further ahead.
    pub(crate) fn follow_head(&self, head: u64) {
        self.head
            .send_if_modified(|known| head > std::mem::replace(known, head));
    }

    /// Sets the position of the judge, and wakes those who wait for it if it moved.
    pub(crate) fn set_applied(&self, position: u64) {
        self.applied
            .send_if_modified(|applied| std::mem::replace(applied, position) != position);
    }

    /// Takes over the position of another process's judge, which only moves forward.
    pub(crate) fn follow_applied(&self, position: u64) {
        self.applied.send_if_modified(|applied| {
            position > std::mem::replace(applied, position.max(*applied))
        });
    }

    /// Wakes the judge after a change of the leader lease.
    pub(crate) fn wake_judge(&self) {
        self.head.send_modify(|_| {});
    }

    /// Wakes the delivery loop.
    pub(crate) fn wake_delivery(&self) {
        self.applied.send_modify(|_| {});
    }

    /// Changes of the head, and calls of [`Self::wake_judge`].
    pub(crate) fn head_changes(&self) -> watch::Receiver<u64> {
        self.head.subscribe()
    }

    /// Changes of the judge's position, and calls of [`Self::wake_delivery`].
    pub(crate) fn applied_changes(&self) -> watch::Receiver<u64> {
        self.applied.subscribe()
    }

    /// Waits until the judge has applied `position`, two seconds at most; `false` on time-out.
    pub(crate) async fn wait_until_applied(&self, position: u64) -> bool {
        let mut applied = self.applied.subscribe();
        tokio::time::timeout(PATIENCE, applied.wait_for(|applied| *applied >= position))
            .await
            .is_ok_and(|seen| seen.is_ok())
    }
}
