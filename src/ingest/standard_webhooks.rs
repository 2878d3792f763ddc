//! Standard Webhooks. Bodies look like this by convention:
//!
//! ```json
//! {"type": "deployment.finished", "timestamp": "2026-11-23T07:01:03Z", "data": {"service": "checkout", "sha": "4f2c1d9"}}
//! ```
//!
//! The convention is not binding: a body without `data` is the data as a whole, and `type` may be
//! missing. `webhook-id` is the event's id. Events are handled as for CloudEvents, see
//! [`super::event_envelope`]. See
//! <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>.

use serde_json::{Map, Value};

use super::error::{IngestFault, json_fault};
use super::event_envelope;
use super::event_envelope::EnvelopedEvent;
use super::generic::mapping::Mapping;
use super::generic::run::MappingRun;
use super::message::Message;
use super::reading::Reading;

/// Parses a message.
///
/// # Errors
/// When the body is not JSON.
pub(crate) fn webhook(mapping: &Mapping, message: &Message<'_>) -> Result<Reading, IngestFault> {
    let body: Value = serde_json::from_slice(message.body)
        .map_err(|error| json_fault(&error, "one JSON document"))?;
    let mut attributes = Map::new();
    // Svix, the origin of the convention, sends its own names beside or instead.
    let id = message
        .headers
        .text("webhook-id")
        .or_else(|| message.headers.text("svix-id"));
    attributes.extend(id.map(|id| ("id".to_owned(), id.into())));
    for (key, name) in [("type", "type"), ("timestamp", "time")] {
        attributes.extend(
            body.get(key)
                .filter(|value| value.is_string())
                .map(|value| (name.to_owned(), value.clone())),
        );
    }
    let data = match body {
        Value::Object(mut object) if object.get("data").is_some_and(|data| !data.is_null()) => {
            object.remove("data").unwrap_or_default()
        }
        other => other,
    };
    let mut run = MappingRun::new(message);
    event_envelope::add_reports(
        &mut run,
        mapping,
        EnvelopedEvent { attributes, data },
        None,
        message,
    );
    Ok(run.reading)
}
