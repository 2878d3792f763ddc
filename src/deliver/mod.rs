//! Deliveries of drafts and invites, and the decision whether a failure is worth a retry. Delivery
//! is at least once, so each must be idempotent.

pub(crate) mod files;

use chrono::Duration;

use crate::model;

/// Maximum back-off between two attempts.
const LONGEST: Duration = Duration::minutes(10);

/// Exponential back-off after `attempts` attempts (from 1): one second, doubled each time, at most
/// ten minutes. Jitter by `key` takes off up to a quarter, so that deliveries delayed together
/// spread.
#[must_use]
pub(crate) fn backoff(attempts: u32, key: &str) -> Duration {
    model::backoff::backoff(attempts, key, LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_ten_minutes() {
        let mut last = Duration::zero();
        for (attempts, seconds) in [(1, 1), (2, 2), (3, 4), (6, 32), (10, 512)] {
            let wait = backoff(attempts, "a");
            let whole = Duration::seconds(seconds);
            assert!(wait <= whole && wait >= whole * 3 / 4, "{attempts}: {wait}");
            assert!(wait > last);
            last = wait;
        }
        for attempts in [11, 30, u32::MAX] {
            let wait = backoff(attempts, "a");
            assert!(
                wait <= Duration::minutes(10) && wait >= Duration::seconds(450),
                "{attempts}: {wait}"
            );
        }
        assert!(backoff(0, "a") > Duration::zero());
    }

    #[test]
    fn the_wait_depends_on_the_key_and_on_nothing_else() {
        assert_eq!(backoff(9, "a"), backoff(9, "a"));
        let waits: std::collections::BTreeSet<_> = (0..50)
            .map(|n| backoff(9, &format!("delivery {n}")))
            .collect();
        assert!(waits.len() > 40, "{} different waits", waits.len());
    }
}
