//! Schema of the body of `POST /api/v1/events`.

use serde_json::{Value, json};

use super::key::{SchemaKey, Shape, map, may, need, of_kind};
use crate::ingest::events;

const ACTOR: &[SchemaKey] = &[
    need(
        "id",
        Shape::String,
        "Account name of the actor in the source.",
    ),
    may(
        "kind",
        Shape::Word(&["human", "robot", "unknown"]),
        "\"unknown\"",
        "Kind of actor.",
    ),
];
const LINK: &[SchemaKey] = &[
    need(
        "url",
        Shape::String,
        "URL, beginning with https:// or http://.",
    ),
    may(
        "title",
        Shape::String,
        "null",
        "Link text; by default the URL.",
    ),
];
const STATUS: &[&str] = &["firing", "resolved"];
const END_REASONS: &[&str] = &[
    "recovered",
    "source_lost",
    "no_data",
    "muted",
    "deleted",
    "superseded",
    "unknown",
];
const NUMBER: Shape = Shape::Number(f64::NEG_INFINITY, f64::INFINITY);

/// Keys of events by kind; an empty kind applies to all kinds that have the key.
pub(crate) const EVENT: &[(&str, SchemaKey)] = &[
    (
        "",
        may(
            "occurred_at",
            Shape::String,
            "null",
            "Time of the event (RFC 3339); by default now.",
        ),
    ),
    (
        "",
        may("source", Shape::String, "\"api\"", "Name of the sender."),
    ),
    (
        "",
        may(
            "service",
            Shape::String,
            "null",
            "Affected service; by default read from the labels.",
        ),
    ),
    (
        "",
        may(
            "environment",
            Shape::String,
            "null",
            "Affected environment; by default read from the labels.",
        ),
    ),
    (
        "",
        may(
            "incident",
            Shape::String,
            "null",
            "Id of the related incident.",
        ),
    ),
    (
        "",
        may(
            "actor",
            Shape::StringOr(ACTOR),
            "null",
            "Person or program that acted.",
        ),
    ),
    (
        "",
        may(
            "links",
            Shape::List(LINK),
            "[]",
            "Links to further information.",
        ),
    ),
    (
        "alert",
        may(
            "name",
            Shape::String,
            "null",
            "Name of the alert; by default the label `alertname`.",
        ),
    ),
    (
        "condition",
        need("name", Shape::String, "Name of the condition in the rules."),
    ),
    (
        "alert",
        need("status", Shape::Word(STATUS), "Status of the alert."),
    ),
    (
        "declaration",
        may(
            "status",
            Shape::Word(STATUS),
            "\"firing\"",
            "Start or end of the outage.",
        ),
    ),
    (
        "",
        may(
            "starts_at",
            Shape::String,
            "null",
            "When it began to fire; needed when it is resolved, else `occurred_at`.",
        ),
    ),
    (
        "",
        may(
            "ends_at",
            Shape::String,
            "null",
            "End time; by default `occurred_at`.",
        ),
    ),
    (
        "",
        may("labels", Shape::Strings, "{}", "Labels of the alert."),
    ),
    (
        "",
        may(
            "annotations",
            Shape::Strings,
            "{}",
            "Annotations of the alert.",
        ),
    ),
    (
        "declaration",
        may(
            "severity",
            Shape::String,
            "\"critical\"",
            "Severity: critical, warning, info, none, unknown or a custom word.",
        ),
    ),
    (
        "",
        may(
            "severity",
            Shape::String,
            "\"unknown\"",
            "Severity: critical, warning, info, none, unknown or a custom word; by default read from the labels.",
        ),
    ),
    (
        "",
        may(
            "pending_for",
            Shape::Whole(0),
            "null",
            "Time its rule was pending before it fired, in seconds.",
        ),
    ),
    (
        "",
        may(
            "keep_firing_for",
            Shape::Whole(0),
            "null",
            "Time it keeps firing after its rule no longer holds, in seconds.",
        ),
    ),
    (
        "",
        may(
            "end_reason",
            Shape::Word(END_REASONS),
            "\"recovered\"",
            "Reason for the end.",
        ),
    ),
    (
        "",
        need(
            "state",
            Shape::Word(&["healthy", "degraded", "near_miss", "unknown"]),
            "New state.",
        ),
    ),
    ("", may("value", NUMBER, "null", "Measured value.")),
    (
        "",
        may(
            "since",
            Shape::String,
            "null",
            "Start of the state, if before `occurred_at`.",
        ),
    ),
    (
        "declaration",
        may(
            "title",
            Shape::String,
            "\"\"",
            "User impact; required unless resolved.",
        ),
    ),
    (
        "change",
        may("title", Shape::String, "\"\"", "Title of the change."),
    ),
    (
        "maintenance",
        may(
            "key",
            Shape::String,
            "\"\"",
            "Key of the maintenance; an event with the same key replaces the earlier one. By default derived from `from`.",
        ),
    ),
    (
        "",
        may(
            "key",
            Shape::String,
            "\"\"",
            "Distinguishes declarations of one service.",
        ),
    ),
    ("", may("planned", Shape::Flag, "false", "Planned work.")),
    (
        "",
        may(
            "data_loss",
            Shape::Flag,
            "null",
            "Data was lost; null if unknown.",
        ),
    ),
    (
        "",
        may(
            "detected_by",
            Shape::Word(&["monitor", "human", "customer", "unknown"]),
            "null",
            "Detected first by.",
        ),
    ),
    (
        "",
        need(
            "action",
            Shape::String,
            "Action taken: restart, failover, scale, rollback.",
        ),
    ),
    (
        "maintenance",
        need("why", Shape::String, "Description of the work."),
    ),
    ("", may("why", Shape::String, "\"\"", "Reason for it.")),
    (
        "",
        need(
            "from",
            Shape::String,
            "Start of the planned work (RFC 3339).",
        ),
    ),
    (
        "",
        need(
            "to",
            Shape::String,
            "End of the planned work (RFC 3339); an end equal to `from` cancels it.",
        ),
    ),
    (
        "",
        may("stated", Shape::Flag, "false", "Entered by a person."),
    ),
    (
        "",
        may(
            "should_be_automatic",
            Shape::Flag,
            "null",
            "The step should be automated; by default as in the settings.",
        ),
    ),
    (
        "",
        may(
            "dry_run",
            Shape::Flag,
            "false",
            "Dry run: nothing was changed.",
        ),
    ),
    (
        "",
        may("refused", Shape::Flag, "false", "The step was rejected."),
    ),
    (
        "",
        need(
            "reason",
            Shape::String,
            "Reason for the request: the event and its time.",
        ),
    ),
    (
        "",
        may(
            "requester",
            Shape::String,
            "null",
            "Person who requests it.",
        ),
    ),
    (
        "near_miss",
        need("what", Shape::String, "Description of the near miss."),
    ),
    (
        "change",
        need(
            "what",
            Shape::String,
            "Kind of change: deploy, rollback, flag or config.",
        ),
    ),
    (
        "",
        may(
            "closeness",
            Shape::Number(0.0, 1.0),
            "null",
            "Closeness to an incident, from 0 (remote) to 1 (almost happened).",
        ),
    ),
    (
        "",
        may("by_luck", Shape::Flag, "false", "Avoided only by luck."),
    ),
    (
        "",
        may(
            "barriers_left",
            Shape::Whole(0),
            "null",
            "Number of remaining barriers.",
        ),
    ),
    (
        "",
        may(
            "revision",
            Shape::String,
            "null",
            "Revision that was deployed.",
        ),
    ),
    (
        "",
        may(
            "line",
            Shape::String,
            "null",
            "Repository or application of the revision, if a service has several.",
        ),
    ),
    (
        "",
        may(
            "of",
            Shape::String,
            "null",
            "Subject that is acknowledged; by default the incident.",
        ),
    ),
    ("", need("text", Shape::String, "Text of the note.")),
];

/// One event or a list of them: the kinds that the parser knows, each with its keys.
pub(crate) fn schema() -> Value {
    let kinds = events::KINDS.iter().map(|(kind, own)| {
        let names = events::COMMON.iter().chain(own.iter());
        let mut event = map(names.filter_map(|name| of_kind(EVENT, kind, name)));
        event["properties"]["kind"] = json!({"const": kind, "description": "Event kind."});
        if let Some(required) = event["required"].as_array_mut() {
            required.push(json!("kind"));
        }
        event
    });
    let kinds: Vec<Value> = kinds.collect();
    json!({
        "$defs": {"event": {"oneOf": kinds}},
        "oneOf": [{"$ref": "#/$defs/event"}, {"type": "array", "items": {"$ref": "#/$defs/event"}}],
    })
}
