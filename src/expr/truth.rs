//! Three-valued results of expressions.

/// The result of a `where` expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Truth {
    /// It holds.
    True,
    /// It does not.
    False,
    /// It could not be evaluated, and why.
    Unknown(String),
}
