//! Any JSON, mapped by expressions.

use super::{IngestFault, Message, Reading};

/// Expressions that say what a body means.
#[derive(Debug, Clone, Default)]
pub struct Mapping;

/// Reads a message.
///
/// # Errors
/// Always: the settings do not let this kind in yet.
pub fn webhook(_mapping: &Mapping, _message: &Message<'_>) -> Result<Reading, IngestFault> {
    Err(IngestFault::Missing { field: "kind", advice: "This version does not read it." })
}
