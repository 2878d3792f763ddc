//! Schema of the body of `POST /api/v1/events`.

use serde_json::{Value, json};

use super::key::{SchemaKey, Shape, map, of_kind, optional, required};
use crate::ingest::events;

const ACTOR: &[SchemaKey] = &[
    required(
        "id",
        Shape::String,
        "Account name of the actor in the source.",
    ),
    optional(
        "kind",
        Shape::Word(&["human", "robot", "unknown"]),
        "\"unknown\"",
        "Kind of actor.",
    ),
];
const LINK: &[SchemaKey] = &[
    required(
        "url",
        Shape::String,
        "URL, beginning with https:// or http://.",
    ),
    optional(
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
        optional(
            "occurred_at",
            Shape::String,
            "null",
            "Time of the event (RFC 3339); by default now.",
        ),
    ),
    (
        "",
        optional("source", Shape::String, "\"api\"", "Name of the sender."),
    ),
    (
        "",
        optional(
            "service",
            Shape::String,
            "null",
            "Affected service; by default read from the labels.",
        ),
    ),
    (
        "",
        optional(
            "environment",
            Shape::String,
            "null",
            "Affected environment; by default read from the labels.",
        ),
    ),
    (
        "",
        optional(
            "incident",
            Shape::String,
            "null",
            "Id of the related incident.",
        ),
    ),
    (
        "",
        optional(
            "actor",
            Shape::StringOr(ACTOR),
            "null",
            "Person or program that acted.",
        ),
    ),
    (
        "",
        optional(
            "links",
            Shape::List(LINK),
            "[]",
            "Links to further information.",
        ),
    ),
    (
        "alert",
        optional(
            "name",
            Shape::String,
            "null",
            "Name of the alert; by default the label `alertname`.",
        ),
    ),
    (
        "condition",
        required("name", Shape::String, "Name of the condition in the rules."),
    ),
    (
        "alert",
        required("status", Shape::Word(STATUS), "Status of the alert."),
    ),
    (
        "declaration",
        optional(
            "status",
            Shape::Word(STATUS),
            "\"firing\"",
            "Start or end of the outage.",
        ),
    ),
    (
        "",
        optional(
            "starts_at",
            Shape::String,
            "null",
            "When it began to fire; needed when it is resolved, else `occurred_at`.",
        ),
    ),
    (
        "",
        optional(
            "ends_at",
            Shape::String,
            "null",
            "End time; by default `occurred_at`.",
        ),
    ),
    (
        "",
        optional("labels", Shape::Strings, "{}", "Labels of the alert."),
    ),
    (
        "",
        optional(
            "annotations",
            Shape::Strings,
            "{}",
            "Annotations of the alert.",
        ),
    ),
    (
        "declaration",
        optional(
            "severity",
            Shape::String,
            "\"critical\"",
            "Severity: critical, warning, info, none, unknown or a custom word.",
        ),
    ),
    (
        "",
        optional(
            "severity",
            Shape::String,
            "\"unknown\"",
            "Severity: critical, warning, info, none, unknown or a custom word; by default read from the labels.",
        ),
    ),
    (
        "",
        optional(
            "pending_for",
            Shape::Whole(0),
            "null",
            "Time its rule was pending before it fired, in seconds.",
        ),
    ),
    (
        "",
        optional(
            "keep_firing_for",
            Shape::Whole(0),
            "null",
            "Time it keeps firing after its rule no longer holds, in seconds.",
        ),
    ),
    (
        "",
        optional(
            "end_reason",
            Shape::Word(END_REASONS),
            "\"recovered\"",
            "Reason for the end.",
        ),
    ),
    (
        "",
        required(
            "state",
            Shape::Word(&["healthy", "degraded", "near_miss", "unknown"]),
            "New state.",
        ),
    ),
    ("", optional("value", NUMBER, "null", "Measured value.")),
    (
        "",
        optional(
            "since",
            Shape::String,
            "null",
            "Start of the state, if before `occurred_at`.",
        ),
    ),
    (
        "declaration",
        optional(
            "title",
            Shape::String,
            "\"\"",
            "User impact; required unless resolved.",
        ),
    ),
    (
        "change",
        optional("title", Shape::String, "\"\"", "Title of the change."),
    ),
    (
        "maintenance",
        optional(
            "key",
            Shape::String,
            "\"\"",
            "Key of the maintenance; an event with the same key replaces the earlier one. By default derived from `from`.",
        ),
    ),
    (
        "",
        optional(
            "key",
            Shape::String,
            "\"\"",
            "Distinguishes declarations of one service.",
        ),
    ),
    (
        "",
        optional("planned", Shape::Flag, "false", "Planned work."),
    ),
    (
        "",
        optional(
            "data_loss",
            Shape::Flag,
            "null",
            "Data was lost; null if unknown.",
        ),
    ),
    (
        "",
        optional(
            "detected_by",
            Shape::Word(&["monitor", "human", "customer", "unknown"]),
            "null",
            "Detected first by.",
        ),
    ),
    (
        "",
        required(
            "action",
            Shape::String,
            "Action taken: restart, failover, scale, rollback.",
        ),
    ),
    (
        "maintenance",
        required("why", Shape::String, "Description of the work."),
    ),
    ("", optional("why", Shape::String, "\"\"", "Reason for it.")),
    (
        "",
        required(
            "from",
            Shape::String,
            "Start of the planned work (RFC 3339).",
        ),
    ),
    (
        "",
        required(
            "to",
            Shape::String,
            "End of the planned work (RFC 3339); an end equal to `from` cancels it.",
        ),
    ),
    (
        "",
        optional("stated", Shape::Flag, "false", "Entered by a person."),
    ),
    (
        "",
        optional(
            "should_be_automatic",
            Shape::Flag,
            "null",
            "The step should be automated; by default as in the settings.",
        ),
    ),
    (
        "",
        optional(
            "dry_run",
            Shape::Flag,
            "false",
            "Dry run: nothing was changed.",
        ),
    ),
    (
        "",
        optional("refused", Shape::Flag, "false", "The step was rejected."),
    ),
    (
        "",
        required(
            "reason",
            Shape::String,
            "Reason for the request: the event and its time.",
        ),
    ),
    (
        "",
        optional(
            "requester",
            Shape::String,
            "null",
            "Person who requests it.",
        ),
    ),
    (
        "near_miss",
        required("what", Shape::String, "Description of the near miss."),
    ),
    (
        "change",
        required(
            "what",
            Shape::String,
            "Kind of change: deploy, rollback, flag or config.",
        ),
    ),
    (
        "",
        optional(
            "closeness",
            Shape::Number(0.0, 1.0),
            "null",
            "Closeness to an incident, from 0 (remote) to 1 (almost happened).",
        ),
    ),
    (
        "",
        optional("by_luck", Shape::Flag, "false", "Avoided only by luck."),
    ),
    (
        "",
        optional(
            "barriers_left",
            Shape::Whole(0),
            "null",
            "Number of remaining barriers.",
        ),
    ),
    (
        "",
        optional(
            "revision",
            Shape::String,
            "null",
            "Revision that was deployed.",
        ),
    ),
    (
        "",
        optional(
            "line",
            Shape::String,
            "null",
            "Repository or application of the revision, if a service has several.",
        ),
    ),
    (
        "",
        optional(
            "of",
            Shape::String,
            "null",
            "Subject that is acknowledged; by default the incident.",
        ),
    ),
    ("", required("text", Shape::String, "Text of the note.")),
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
