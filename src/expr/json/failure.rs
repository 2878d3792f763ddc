//! Failures of evaluation.

/// Reasons an expression has no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// An absent value, with its path.
    Absent(String),
    /// An operation its operands do not support, with a description.
    Wrong(String),
    /// The step limit was exceeded.
    Spent,
}
