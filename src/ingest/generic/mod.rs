//! Any JSON, mapped by expressions. Each expression gives a key of our own event format, which
//! [`super::events`] then checks.
//!
//! ```yaml
//! map:
//!   each: body.alerts                        # a list whose members are `item`; without it, the body is the only `item`
//!   when: 'item.kind == "alert"'             # other members are skipped silently
//!   name: item.title
//!   status: 'item.state == "open" ? "firing" : "resolved"'
//!   starts_at: seconds(item.opened)
//!   labels: {host: item.host}
//!   links: {Dashboard: item.url}
//! ```
//!
//! A key whose expression reads something absent is left out. A failing expression is a fault that
//! costs its key, and the member only if the key is required. Of a list of maps, the first that
//! yields anything applies.

pub(crate) mod compile;
pub(crate) mod mapping;
mod normalize;
pub(crate) mod run;
pub(crate) mod shipped;

use serde_json::{Map, Value};

use super::error::{IngestFault, json_fault};
use super::message::Message;
use super::reading::Reading;
use mapping::Mapping;
use run::{MappingInput, MappingRun};

/// Parses a message.
///
/// # Errors
/// When the body is not JSON.
pub(crate) fn webhook(mapping: &Mapping, message: &Message<'_>) -> Result<Reading, IngestFault> {
    let body: Value = serde_json::from_slice(message.body)
        .map_err(|error| json_fault(&error, "one JSON document"))?;
    let mut run = MappingRun::new(message);
    run.apply(
        mapping,
        MappingInput {
            body: &body,
            event: None,
            defaults: &Map::new(),
            index: None,
        },
    );
    Ok(run.reading)
}

#[cfg(test)]
mod tests;
