//! What metrics say: the values of series at instants.

use crate::model::labels::Labels;
use crate::model::time::Time;

/// The not-a-number by which Prometheus marks that a series ended (`model/value/value.go`, `StaleNaN`). Any other not-a-number is a value.
pub const STALE: u64 = 0x7ff0_0000_0000_0002;

/// One value of one series.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The metric's name, `__name__`.
    pub name: String,
    /// All other labels.
    pub labels: Labels,
    /// When it was so.
    pub at: Time,
    /// The value; see [`is_stale`].
    pub value: f64,
}

/// Whether a value only says that its series ended.
#[must_use]
pub fn is_stale(value: f64) -> bool {
    value.to_bits() == STALE
}
