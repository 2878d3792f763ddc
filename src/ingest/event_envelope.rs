//! Events in an envelope, CloudEvents or Standard Webhooks, to reports.
//!
//! A type that begins with `afterword.` or `com.afterword.` marks our own event format (see
//! [`super::events`]): the rest of the type is the default of `kind`, and time and subject are the
//! defaults of `occurred_at` and `service`. Any other event goes through the source's `map`, with
//! its data as `body` and its attributes as `event`.

use serde_json::{Map, Value};

use super::error::MemberPosition;
use super::events;
use super::generic::mapping::Mapping;
use super::generic::run::{MappingInput, MappingRun};
use super::message::Message;
use super::reading::Start;
use super::strict_fields::LINE;

/// An event with its data.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct EnvelopedEvent {
    /// Attributes: `type`, `id`, `source`, `subject`, `time`, and extensions.
    pub(crate) attributes: Map<String, Value>,
    /// Data; null if there is none.
    pub(crate) data: Value,
}

impl EnvelopedEvent {
    fn text(&self, key: &str) -> Option<&str> {
        self.attributes
            .get(key)
            .and_then(Value::as_str)
            .map(str::trim)
            .filter(|text| !text.is_empty())
    }
}

/// Adds the reports of an event to the reading.
pub(crate) fn add_reports(
    run: &mut MappingRun<'_>,
    mapping: &Mapping,
    carried: EnvelopedEvent,
    index: Option<usize>,
    message: &Message<'_>,
) {
    let mut defaults = Map::new();
    if let Some(time) = carried.text("time") {
        defaults.insert("occurred_at".to_owned(), time.into());
    }
    // A path in a store or broker is not a service name.
    let plain = |subject: &&str| {
        subject.len() <= LINE
            && !subject.contains(|letter: char| letter == '/' || letter.is_whitespace())
    };
    if let Some(subject) = carried.text("subject").filter(plain) {
        defaults.insert("service".to_owned(), subject.into());
    }
    let kind = carried.text("type").and_then(|kind| {
        kind.strip_prefix("com.")
            .unwrap_or(kind)
            .strip_prefix("afterword.")
    });
    if let Some(kind) = kind {
        let kind = kind.replace('-', "_");
        add_own_event(run, &kind, carried.data, defaults, index, message);
        return;
    }
    let attributes = Value::Object(carried.attributes);
    run.apply(
        mapping,
        MappingInput {
            body: &carried.data,
            event: Some(&attributes),
            defaults: &defaults,
            index,
        },
    );
}

fn add_own_event(
    run: &mut MappingRun<'_>,
    kind: &str,
    data: Value,
    defaults: Map<String, Value>,
    index: Option<usize>,
    message: &Message<'_>,
) {
    let Value::Object(mut object) = data else {
        run.fault(MemberPosition::in_body(index).fault(
            "data",
            "expected an event object, as for POST /api/v1/events",
        ));
        return;
    };
    object.entry("kind").or_insert_with(|| kind.into());
    for (key, value) in defaults {
        object.entry(key).or_insert(value);
    }
    if message.source != "api" {
        object.insert("source".to_owned(), message.source.into());
    }
    match events::event(&Value::Object(object), index, message.names, message.now) {
        Ok(event) => run.event(event, Start::Stated),
        Err(fault) => run.fault(fault),
    }
}
