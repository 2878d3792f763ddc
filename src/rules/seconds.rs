//! The unit of durations in rules.

/// A duration in whole seconds.
pub type Seconds = i64;
