//! Three-valued results of expressions.

/// The result of a `where` expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Truth {
    /// True.
    True,
    /// False.
    False,
    /// Unknown, with the reason.
    Unknown(String),
}
