//! Signs that the log is judged, by this process or another.

use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

use super::sync::lock;

/// Time without a sign of the judge after which it counts as stalled. It gives one every five seconds,
/// and a lease is taken over within seven.
const STALLED: Duration = Duration::from_secs(20);

/// Signs of a judge, this process or another.
#[derive(Debug)]
pub(crate) struct JudgeSigns(Mutex<Signs>);

#[derive(Debug, Clone, Copy)]
struct Signs {
    /// Time of the last step without a fault, or the last sight of another holder of the lease.
    alive: Instant,
    /// Last position applied, and the time since when that has been so while records wait.
    applied: (u64, Instant),
}

impl JudgeSigns {
    pub(crate) fn new(now: Instant) -> Self {
        Self(Mutex::new(Signs {
            alive: now,
            applied: (0, now),
        }))
    }

    /// Takes note of a step without a fault, or of another process that holds the lease.
    pub(crate) fn note(&self, now: Instant) {
        lock(&self.0).alive = now;
    }

    /// The reason why nothing is judged, if so. `head` and `applied` are positions of the log.
    pub(crate) fn look(&self, head: u64, applied: u64, now: Instant) -> Option<String> {
        let mut signs = lock(&self.0);
        if head <= applied || signs.applied.0 != applied {
            signs.applied = (applied, now);
        }
        let waiting = head.saturating_sub(applied);
        if now - signs.applied.1 >= STALLED {
            let records = if waiting == 1 {
                "record waits"
            } else {
                "records wait"
            };
            Some(format!("{waiting} {records}, and no progress is made"))
        } else if now - signs.alive >= STALLED {
            Some("no process does the work of the judge".to_owned())
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Duration, Instant, JudgeSigns, STALLED};

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn records_that_wait_without_progress_are_not_judged() {
        let begun = Instant::now();
        let signs = JudgeSigns::new(begun);
        let look = |applied, after: Duration| {
            signs.note(begun + after);
            signs.look(7, applied, begun + after)
        };
        assert_eq!(look(3, Duration::ZERO), None);
        assert_eq!(look(3, STALLED - SECOND), None);
        assert_eq!(look(4, STALLED), None, "one of them was judged");
        assert_eq!(look(4, STALLED * 2 - SECOND), None);
        assert_eq!(
            look(4, STALLED * 2).as_deref(),
            Some("3 records wait, and no progress is made")
        );
        assert_eq!(look(7, STALLED * 2 + SECOND), None);
        assert_eq!(look(7, STALLED * 9), None, "nothing waits");
    }

    #[test]
    fn judge_without_a_sign_is_not_at_work() {
        let begun = Instant::now();
        let signs = JudgeSigns::new(begun);
        assert_eq!(signs.look(0, 0, begun + STALLED - SECOND), None);
        assert_eq!(
            signs.look(0, 0, begun + STALLED).as_deref(),
            Some("no process does the work of the judge")
        );
        signs.note(begun + STALLED);
        assert_eq!(signs.look(0, 0, begun + STALLED), None);
    }
}
