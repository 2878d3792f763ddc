//! Faults found when an expression is compiled.

/// A fault in the text of an expression, with its position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExprFault {
    /// Offset into the source, in characters.
    pub offset: usize,
    /// The problem and its remedy.
    pub message: String,
}
