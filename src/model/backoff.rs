//! Exponential backoff for retries.

use chrono::TimeDelta;

use crate::model::id::hex;

/// Delay before the next attempt after `attempts` attempts (from 1): one second, doubled each time,
/// at most `longest`, minus up to a quarter of jitter derived from `key`, so that deliveries held
/// up together do not all retry at once.
#[must_use]
pub(crate) fn backoff(attempts: u32, key: &str, longest: TimeDelta) -> TimeDelta {
    let doublings = attempts.saturating_sub(1).min(20);
    let whole = (1000_i64 << doublings).min(longest.num_milliseconds());
    let spread = i64::from_str_radix(&hex(&format!("{key} {attempts}"), 2), 16).unwrap_or(0);
    TimeDelta::milliseconds(whole - whole * spread / (4 * 0xffff))
}
