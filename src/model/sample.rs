//! Samples: values of series at instants.

use crate::model::labels::Labels;
use crate::model::time::Time;

/// The NaN with which Prometheus marks the end of a series (`model/value/value.go`, `StaleNaN`).
/// Any other NaN is a value.
pub const STALE: u64 = 0x7ff0_0000_0000_0002;

/// One sample of one series.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The metric's name, `__name__`.
    pub name: String,
    /// All other labels.
    pub labels: Labels,
    /// Its timestamp.
    pub at: Time,
    /// Its value; see [`is_stale`].
    pub value: f64,
}

/// True for the marker that ends a series.
#[must_use]
pub fn is_stale(value: f64) -> bool {
    value.to_bits() == STALE
}
