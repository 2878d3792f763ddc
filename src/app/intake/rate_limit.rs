//! Rate limits: a token bucket for each source.

use std::collections::BTreeMap;
use std::sync::Mutex;

use chrono::TimeDelta;

use crate::app::sync::lock;
use crate::config::source_auth::RateLimit;
use crate::model::time::Time;

/// The buckets of all sources.
#[derive(Debug, Default)]
pub(crate) struct RateLimiter {
    /// Time at which the bucket of each source will be full.
    full_at: Mutex<BTreeMap<String, Time>>,
}

impl RateLimiter {
    /// Takes a token from the bucket of a source, or only checks that there is one.
    ///
    /// # Errors
    /// When it is empty: the seconds, at least one, until there is a token.
    pub(crate) fn check(
        &self,
        source: &str,
        rate: Option<RateLimit>,
        take: bool,
        now: Time,
    ) -> Result<(), u64> {
        let Some(rate) = rate else { return Ok(()) };
        let mut buckets = lock(&self.full_at);
        let full_at = buckets.entry(source.to_owned()).or_insert(now);
        let before = *full_at;
        let taken = take_token(full_at, rate, now);
        if !take {
            *full_at = before.min(*full_at);
        }
        taken.map_err(|wait| u64::try_from(wait.num_seconds()).unwrap_or_default() + 1)
    }
}

/// Takes a token from a bucket of `rate.count` that fills evenly over `rate.seconds`. The bucket is
/// represented by the time at which it will be full; a token moves that on by the time it takes to
/// come back.
///
/// # Errors
/// When it is empty: the time until there is a token.
fn take_token(full_at: &mut Time, rate: RateLimit, now: Time) -> Result<(), TimeDelta> {
    let whole = TimeDelta::seconds(rate.seconds);
    let one = whole / i32::try_from(rate.count).unwrap_or(i32::MAX);
    // Kept even when none is taken: a clock set back costs one filling of the bucket at most.
    *full_at = (*full_at).clamp(now, now + whole);
    let then = *full_at + one;
    if then - now > whole {
        return Err(then - now - whole);
    }
    *full_at = then;
    Ok(())
}

#[cfg(test)]
mod tests {
    use chrono::{TimeDelta, TimeZone};

    use super::take_token;
    use crate::config::source_auth::RateLimit;
    use crate::model::time::Time;

    fn at(millis: i64) -> Time {
        chrono::Utc
            .timestamp_millis_opt(1_800_000_000_000 + millis)
            .single()
            .unwrap_or_default()
    }

    /// Asserts which of the messages sent at these milliseconds are accepted.
    fn check(count: u32, seconds: i64, sent: &[i64], expected: &[bool]) {
        let mut full_at = at(sent[0]);
        let got: Vec<bool> = sent
            .iter()
            .map(|millis| {
                take_token(&mut full_at, RateLimit { count, seconds }, at(*millis)).is_ok()
            })
            .collect();
        assert_eq!(got, expected, "{count} per {seconds}s at {sent:?}");
    }

    #[test]
    fn bucket_empties_at_once_and_fills_evenly() {
        check(
            3,
            3,
            &[0, 0, 0, 0, 999, 1000, 1001, 2000],
            &[true, true, true, false, false, true, false, true],
        );
        check(1, 60, &[0, 59_999, 60_000], &[true, false, true]);
        check(
            2,
            1,
            &[0, 0, 0, 10_000, 10_000, 10_000],
            &[true, true, false, true, true, false],
        );
        check(u32::MAX, 1, &[0, 0, 0], &[true, true, true]);
    }

    #[test]
    fn clock_set_back_does_not_block_a_source() {
        check(1, 10, &[3_600_000, 0, 10_000], &[true, false, true]);
    }

    #[test]
    fn empty_bucket_returns_the_wait() {
        let (mut full_at, rate) = (
            at(0),
            RateLimit {
                count: 1,
                seconds: 10,
            },
        );
        assert_eq!(take_token(&mut full_at, rate, at(0)), Ok(()));
        assert_eq!(
            take_token(&mut full_at, rate, at(4000)),
            Err(TimeDelta::seconds(6))
        );
    }
}
