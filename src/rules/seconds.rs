//! The unit of durations in rules.

/// A duration in whole seconds.
pub(crate) type Seconds = i64;
