//! Events that carry something, CloudEvents' and Standard Webhooks': what they mean.
//!
//! A type that begins with `afterword.` or `com.afterword.` says that our own event is carried (see [`super::events`]): the rest of the type is its
//! kind unless it states one, its time and subject stand in for `occurred_at` and `service`. Anything else goes through the source's `map`,
//! with `body` for what is carried and `event` for what stands around it.

use serde_json::{Map, Value};

use super::error::Position;
use super::events;
use super::generic::mapping::Mapping;
use super::generic::run::{MappingInput, MappingRun};
use super::message::Message;
use super::reading::Start;
use super::strict_fields::LINE;

/// An event with what it carries.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct EnvelopedEvent {
    /// What stands around it: `type`, `id`, `source`, `subject`, `time`, and whatever else its sender adds.
    pub(crate) around: Map<String, Value>,
    /// What it carries; null: nothing.
    pub(crate) data: Value,
}

impl EnvelopedEvent {
    fn text(&self, key: &str) -> Option<&str> {
        self.around
            .get(key)
            .and_then(Value::as_str)
            .map(str::trim)
            .filter(|text| !text.is_empty())
    }
}

/// Adds to the reading what this means.
pub(crate) fn tell(
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
    // A path of some store's or broker's is no service.
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
        own(run, &kind, carried.data, defaults, index, message);
        return;
    }
    let around = Value::Object(carried.around);
    run.apply(
        mapping,
        MappingInput {
            body: &carried.data,
            event: Some(&around),
            defaults: &defaults,
            index,
        },
    );
}

fn own(
    run: &mut MappingRun<'_>,
    kind: &str,
    data: Value,
    defaults: Map<String, Value>,
    index: Option<usize>,
    message: &Message<'_>,
) {
    let Value::Object(mut object) = data else {
        run.fault(Position::in_body(index).fault(
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
