//! Failures of evaluation.

/// The reason that an expression has no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// What it reads is not there; what, in words.
    Absent(String),
    /// It cannot be done with what is there; why, in words.
    Wrong(String),
    /// It took more steps than it may.
    Spent,
}
