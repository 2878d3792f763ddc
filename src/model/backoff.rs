//! How long to wait before trying again.

use chrono::TimeDelta;

use crate::model::id::hex;

/// How long to wait after `attempts` attempts (from 1): a second, doubled each time, at most `longest`. Up to a quarter less, by the key,
/// so that what was held up together does not all come back at once.
#[must_use]
pub(crate) fn backoff(attempts: u32, key: &str, longest: TimeDelta) -> TimeDelta {
    let doublings = attempts.saturating_sub(1).min(20);
    let whole = (1000_i64 << doublings).min(longest.num_milliseconds());
    let spread = i64::from_str_radix(&hex(&format!("{key} {attempts}"), 2), 16).unwrap_or(0);
    TimeDelta::milliseconds(whole - whole * spread / (4 * 0xffff))
}
