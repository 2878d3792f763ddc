//! Faults found when an expression is compiled.

/// A fault in the text of an expression, with its position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExprFault {
    /// Offset into the source, in characters.
    pub offset: usize,
    /// What is wrong and what to do.
    pub message: String,
}
