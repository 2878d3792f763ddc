//! Keys of the body of `POST /api/v1/events`.

use serde_json::{Value, json};

use super::{Key, Shape, map, may, need, of_kind};
use crate::ingest::events;

const ACTOR: &[Key] = &[
    need(
        "id",
        Shape::String,
        "Who acted, as their source names them.",
    ),
    may(
        "kind",
        Shape::Word(&["human", "robot", "unknown"]),
        "\"unknown\"",
        "What acted.",
    ),
];
const LINK: &[Key] = &[
    need(
        "url",
        Shape::String,
        "Its address, beginning with https:// or http://.",
    ),
    may(
        "title",
        Shape::String,
        "null",
        "Its text; by default the address.",
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

/// Keys of events by kind; `""`: of any kind that has them.
pub(crate) const EVENT: &[(&str, Key)] = &[
    (
        "",
        may(
            "occurred_at",
            Shape::String,
            "null",
            "When it was so (RFC 3339); left out, now.",
        ),
    ),
    ("", may("source", Shape::String, "\"api\"", "Who tells it.")),
    (
        "",
        may(
            "service",
            Shape::String,
            "null",
            "The service it is about; left out, a label names it.",
        ),
    ),
    (
        "",
        may(
            "environment",
            Shape::String,
            "null",
            "The environment it is about; left out, a label names it.",
        ),
    ),
    (
        "",
        may(
            "incident",
            Shape::String,
            "null",
            "The id of the incident it is about.",
        ),
    ),
    (
        "",
        may("actor", Shape::StringOr(ACTOR), "null", "Who acted."),
    ),
    (
        "",
        may(
            "links",
            Shape::List(LINK),
            "[]",
            "Where there is more to see.",
        ),
    ),
    (
        "alert",
        may(
            "name",
            Shape::String,
            "null",
            "Which alert it is; left out, the label `alertname` says it.",
        ),
    ),
    (
        "condition",
        need("name", Shape::String, "The condition as in the rules."),
    ),
    (
        "alert",
        need(
            "status",
            Shape::Word(STATUS),
            "Whether it fires or is resolved.",
        ),
    ),
    (
        "declaration",
        may(
            "status",
            Shape::Word(STATUS),
            "\"firing\"",
            "Whether it begins or is over.",
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
            "When it ended; `occurred_at`.",
        ),
    ),
    ("", may("labels", Shape::Strings, "{}", "Its labels.")),
    (
        "",
        may("annotations", Shape::Strings, "{}", "Its annotations."),
    ),
    (
        "declaration",
        may(
            "severity",
            Shape::String,
            "\"critical\"",
            "How bad it is: critical, warning, info, none, unknown or a word of yours.",
        ),
    ),
    (
        "",
        may(
            "severity",
            Shape::String,
            "\"unknown\"",
            "How bad it is: critical, warning, info, none, unknown or a word of yours; left out, a label says it.",
        ),
    ),
    (
        "",
        may(
            "pending_for",
            Shape::Whole(0),
            "null",
            "How long its rule held before it fired, in seconds.",
        ),
    ),
    (
        "",
        may(
            "keep_firing_for",
            Shape::Whole(0),
            "null",
            "How long it fires on after its rule no longer holds, in seconds.",
        ),
    ),
    (
        "",
        may(
            "end_reason",
            Shape::Word(END_REASONS),
            "\"recovered\"",
            "Why it ended.",
        ),
    ),
    (
        "",
        need(
            "state",
            Shape::Word(&["healthy", "degraded", "near_miss", "unknown"]),
            "The state it entered.",
        ),
    ),
    ("", may("value", NUMBER, "null", "The value measured.")),
    (
        "",
        may(
            "since",
            Shape::String,
            "null",
            "When it came to be so, if that was before `occurred_at`.",
        ),
    ),
    (
        "declaration",
        may(
            "title",
            Shape::String,
            "\"\"",
            "What users cannot do; needed unless resolved.",
        ),
    ),
    ("change", may("title", Shape::String, "\"\"", "Its title.")),
    (
        "maintenance",
        may(
            "key",
            Shape::String,
            "\"\"",
            "What is told again under it replaces what was told before; left out, `from` says it.",
        ),
    ),
    (
        "",
        may(
            "key",
            Shape::String,
            "\"\"",
            "Tells declarations of one service apart.",
        ),
    ),
    ("", may("planned", Shape::Flag, "false", "It was planned.")),
    (
        "",
        may(
            "data_loss",
            Shape::Flag,
            "null",
            "Data was lost; left out, nobody says.",
        ),
    ),
    (
        "",
        may(
            "detected_by",
            Shape::Word(&["monitor", "human", "customer", "unknown"]),
            "null",
            "Who noticed first.",
        ),
    ),
    (
        "",
        need(
            "action",
            Shape::String,
            "What was done: restart, failover, scale, rollback.",
        ),
    ),
    ("maintenance", need("why", Shape::String, "What is done.")),
    ("", may("why", Shape::String, "\"\"", "Why it was done.")),
    (
        "",
        need(
            "from",
            Shape::String,
            "When planned work begins (RFC 3339).",
        ),
    ),
    (
        "",
        need(
            "to",
            Shape::String,
            "When it is over; as early as `from`, it is called off.",
        ),
    ),
    ("", may("stated", Shape::Flag, "false", "A person said so.")),
    (
        "",
        may(
            "should_be_automatic",
            Shape::Flag,
            "null",
            "It should need no human; left out, the settings say.",
        ),
    ),
    (
        "",
        may("dry_run", Shape::Flag, "false", "Nothing was really done."),
    ),
    ("", may("refused", Shape::Flag, "false", "It was refused.")),
    ("", need("reason", Shape::String, "What happened and when.")),
    ("", may("requester", Shape::String, "null", "Who asks.")),
    (
        "near_miss",
        need("what", Shape::String, "What nearly happened."),
    ),
    (
        "change",
        need(
            "what",
            Shape::String,
            "What kind of change it was: deploy, rollback, flag or config.",
        ),
    ),
    (
        "",
        may(
            "closeness",
            Shape::Number(0.0, 1.0),
            "null",
            "How close it was, from 0 (far off) to 1 (it all but happened).",
        ),
    ),
    (
        "",
        may("by_luck", Shape::Flag, "false", "Only luck was in between."),
    ),
    (
        "",
        may(
            "barriers_left",
            Shape::Whole(0),
            "null",
            "How many barriers still held.",
        ),
    ),
    (
        "",
        may(
            "revision",
            Shape::String,
            "null",
            "The revision it brought.",
        ),
    ),
    (
        "",
        may(
            "line",
            Shape::String,
            "null",
            "The repository or application that has this revision, where a service has several.",
        ),
    ),
    (
        "",
        may(
            "of",
            Shape::String,
            "null",
            "The subject that is taken on; left out, the incident.",
        ),
    ),
    ("", need("text", Shape::String, "What was noted.")),
];

/// One event or a list of them: the kinds that the parser knows, each with its keys.
pub(crate) fn schema() -> Value {
    let kinds = events::KINDS.iter().map(|(kind, own)| {
        let names = events::COMMON.iter().chain(own.iter());
        let mut event = map(names.filter_map(|name| of_kind(EVENT, kind, name)));
        event["properties"]["kind"] = json!({"const": kind, "description": "What it states."});
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
