//! The instant type used throughout the crate.

/// An instant in UTC, stored with microseconds and shown with seconds.
pub type Time = chrono::DateTime<chrono::Utc>;
