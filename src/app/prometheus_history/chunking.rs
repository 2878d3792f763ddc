//! Adaptive range of history queries: halved after each fault, doubled after each success.

use std::time::Duration;

use chrono::TimeDelta;

use crate::clients::error::ClientError;
use crate::model::time::Time;

/// Maximum range of a query, and the range read at a time.
pub(crate) const LONGEST_CHUNK: TimeDelta = TimeDelta::days(1);
/// Minimum range of a query.
pub(crate) const SMALLEST: TimeDelta = TimeDelta::minutes(15);
/// Maximum number of attempts at the minimum range.
const ATTEMPTS: u32 = 5;

/// Range of the next query.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ChunkSize {
    length: TimeDelta,
    attempts: u32,
}

impl Default for ChunkSize {
    fn default() -> Self {
        Self {
            length: LONGEST_CHUNK,
            attempts: 0,
        }
    }
}

impl ChunkSize {
    /// End of the next range.
    pub(crate) fn end(&self, from: Time, until: Time) -> Time {
        until.min(from + self.length)
    }

    /// Records a success: doubles the range, up to [`LONGEST_CHUNK`].
    pub(crate) fn answered(&mut self) {
        *self = Self {
            length: LONGEST_CHUNK.min(self.length * 2),
            attempts: 0,
        };
    }

    /// Records a fault of a query of range `asked`. Waits before a retry if that helps; returns the
    /// fault if there is none.
    pub(crate) async fn failed(
        &mut self,
        asked: TimeDelta,
        fault: ClientError,
        whom: &str,
    ) -> Result<(), ClientError> {
        match self.retry_delay(asked, &fault, whom) {
            Some(wait) => {
                tokio::time::sleep(wait).await;
                Ok(())
            }
            None => Err(fault),
        }
    }

    /// Returns whether this range can be made smaller.
    pub(crate) fn can_shrink(asked: TimeDelta) -> bool {
        asked > SMALLEST
    }

    /// Delay before the next attempt, whose range is smaller where possible; `None`: no retry.
    fn retry_delay(
        &mut self,
        asked: TimeDelta,
        fault: &ClientError,
        whom: &str,
    ) -> Option<Duration> {
        if matches!(fault, ClientError::Unauthorized(_)) {
            return None;
        }
        if Self::can_shrink(asked) {
            self.length = SMALLEST.max(asked / 2);
            let asks_to_wait = matches!(
                fault,
                ClientError::Busy {
                    retry_after: Some(_),
                    ..
                }
            );
            return Some(if asks_to_wait {
                wait(fault, 1, whom)
            } else {
                Duration::ZERO
            });
        }
        self.attempts += 1;
        let may_pass = matches!(
            fault,
            ClientError::Unreachable(_) | ClientError::Busy { .. } | ClientError::Partial { .. }
        );
        (may_pass && self.attempts < ATTEMPTS).then(|| wait(fault, self.attempts, whom))
    }
}

fn wait(fault: &ClientError, attempts: u32, whom: &str) -> Duration {
    fault
        .retry_delay(attempts, whom)
        .to_std()
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use std::time::Duration;

    use super::{ATTEMPTS, ChunkSize, LONGEST_CHUNK, SMALLEST, Time};
    use crate::clients::error::ClientError;

    #[test]
    fn range_halves_on_faults_and_doubles_on_success() {
        let (from, until) = (Time::UNIX_EPOCH, Time::UNIX_EPOCH + LONGEST_CHUNK * 3);
        let mut piece = ChunkSize::default();
        let large = ClientError::Unreadable("the answer is larger than 67 MB".to_owned());
        let mut halves = 0;
        while piece.end(from, until) - from > SMALLEST {
            let asked = piece.end(from, until) - from;
            assert_eq!(
                piece.retry_delay(asked, &large, "prom"),
                Some(Duration::ZERO)
            );
            halves += 1;
        }
        assert_eq!(halves, 7);
        assert_eq!(
            piece.retry_delay(SMALLEST, &large, "prom"),
            None,
            "it would be as large again"
        );
        (0..7).for_each(|_| piece.answered());
        assert_eq!(piece.end(from, until) - from, LONGEST_CHUNK);
        assert_eq!(piece.end(from, from + SMALLEST), from + SMALLEST);
    }

    #[test]
    fn smallest_range_is_retried_and_unauthorized_is_not() {
        let mut piece = ChunkSize::default();
        let busy = ClientError::Busy {
            retry_after: Some(Duration::from_secs(7)),
            why: String::new(),
        };
        assert!(piece.retry_delay(LONGEST_CHUNK, &busy, "prom").unwrap() >= Duration::from_secs(7));
        let attempts = (0..20)
            .take_while(|_| piece.retry_delay(SMALLEST, &busy, "prom").is_some())
            .count();
        assert_eq!(attempts + 1, ATTEMPTS as usize);
        assert_eq!(
            ChunkSize::default().retry_delay(
                LONGEST_CHUNK,
                &ClientError::Unauthorized(String::new()),
                "prom"
            ),
            None
        );
    }
}
