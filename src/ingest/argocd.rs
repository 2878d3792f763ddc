//! What Argo CD sends.

use super::{IngestFault, Message, Reading};
use crate::model::source::Naming;

/// Reads a message.
///
/// # Errors
/// Always: the settings do not let this kind in yet.
pub fn webhook(_message: &Message<'_>, _naming: &Naming) -> Result<Reading, IngestFault> {
    Err(IngestFault::Missing { field: "kind", advice: "This version does not read it." })
}
