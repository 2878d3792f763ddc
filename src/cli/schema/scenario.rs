//! Schema of scenario files.

use serde_json::{Value, json};

use super::key::{SchemaKey, Shape, map, of_kind, optional, required};
use crate::rules::scenario::entry;

pub(crate) const KEYS: &[SchemaKey] = &[
    required(
        "rules",
        Shape::Texts,
        "The rule files under test, relative to this file.",
    ),
    optional(
        "scenarios",
        Shape::List(SCENARIO),
        "[]",
        "Scenarios to run.",
    ),
];

pub(crate) const SCENARIO: &[SchemaKey] = &[
    required("name", Shape::Text, "Name of the scenario."),
    optional(
        "starts",
        Shape::String,
        "null",
        "Beginning of the scenario as an instant, such as 2026-11-23T08:50+01:00; by default Monday 2026-01-05T09:00Z.",
    ),
    required("events", Shape::Custom(events), "Events, in order of time."),
    required("expect", Shape::List(EXPECT), "Expected results."),
];

pub(crate) const EXPECT: &[SchemaKey] = &[
    required(
        "at",
        Shape::Duration,
        "Time since the start of the scenario.",
    ),
    optional(
        "service",
        Shape::Text,
        "null",
        "Service to check; by default all.",
    ),
    optional(
        "decision",
        Shape::Word(&["none", "suggest", "hold"]),
        "null",
        "Strongest decision; by default not checked.",
    ),
    optional(
        "form",
        Shape::Word(&["note", "standing", "meeting"]),
        "null",
        "Heaviest form of postmortem; by default not checked.",
    ),
    optional(
        "criteria",
        Shape::NamedWords(&["met", "not_met", "unknown"]),
        "{}",
        "Expected outcomes, by criterion name.",
    ),
    optional(
        "incidents",
        Shape::Whole(0),
        "null",
        "Number of incidents so far; by default not checked.",
    ),
    optional(
        "postmortems",
        Shape::Whole(0),
        "null",
        "Number of postmortems held or suggested, counting a bundle as one; by default not checked.",
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

/// Keys of events by kind; an empty kind applies to all kinds that have the key.
pub(crate) const EVENT: &[(&str, SchemaKey)] = &[
    (
        "",
        required(
            "at",
            Shape::Duration,
            "Time since the start of the scenario.",
        ),
    ),
    (
        "",
        optional("service", Shape::Text, "null", "Affected service."),
    ),
    (
        "",
        optional("environment", Shape::Text, "null", "Affected environment."),
    ),
    (
        "",
        optional(
            "incident",
            Shape::Text,
            "null",
            "Id of the related incident.",
        ),
    ),
    (
        "",
        optional(
            "actor",
            Shape::Text,
            "null",
            "Person or program that acted.",
        ),
    ),
    (
        "",
        optional(
            "actor_kind",
            Shape::Word(&["human", "robot", "unknown"]),
            "\"human\"",
            "Kind of actor.",
        ),
    ),
    ("", required("alert", Shape::Text, "Name of an alert.")),
    (
        "",
        required("condition", Shape::Text, "Name of a metric condition."),
    ),
    (
        "",
        required(
            "declaration",
            Shape::Text,
            "Declared outage: description of the user impact.",
        ),
    ),
    (
        "",
        required(
            "intervention",
            Shape::Text,
            "Manual step: restart, failover, scale.",
        ),
    ),
    (
        "",
        required(
            "request",
            Shape::Text,
            "Request for a postmortem: the reason.",
        ),
    ),
    (
        "",
        required("near_miss", Shape::Text, "Description of the near miss."),
    ),
    (
        "",
        required(
            "change",
            Shape::Text,
            "Kind of change: deploy, rollback, flag, config.",
        ),
    ),
    (
        "",
        required(
            "acknowledgement",
            Shape::Text,
            "Name of the acknowledged subject, or `incident`.",
        ),
    ),
    ("", required("note", Shape::Text, "Text of the note.")),
    (
        "",
        required(
            "samples",
            Shape::Text,
            "Name of a condition in the rules; its query returns these values.",
        ),
    ),
    (
        "",
        required(
            "values",
            Shape::Text,
            "One value per evaluation, in promtool notation: `0x3 0.03x40 _x2 stale 0`. `_` is a gap, through which the value before counts for five minutes; `stale` ends the series.",
        ),
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
        "condition",
        optional(
            "severity",
            Shape::String,
            "\"critical\"",
            "Severity: critical, warning, info, none or unknown, or one of `severities:` in the settings.",
        ),
    ),
    (
        "declaration",
        optional(
            "severity",
            Shape::String,
            "\"critical\"",
            "Severity: critical, warning, info, none or unknown, or one of `severities:` in the settings.",
        ),
    ),
    (
        "",
        optional(
            "severity",
            Shape::String,
            "\"unknown\"",
            "Severity: critical, warning, info, none or unknown, or one of `severities:` in the settings.",
        ),
    ),
    (
        "",
        optional("labels", Shape::NamedTexts, "{}", "Labels of the alert."),
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
    (
        "",
        optional(
            "value",
            Shape::Number(f64::NEG_INFINITY, f64::INFINITY),
            "null",
            "Measured value.",
        ),
    ),
    (
        "",
        optional(
            "key",
            Shape::Text,
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
    ("", optional("why", Shape::Text, "\"\"", "Reason for it.")),
    (
        "",
        optional("stated", Shape::Flag, "true", "Entered by a person."),
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
        optional("requester", Shape::Text, "null", "Person who requests it."),
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
        optional("title", Shape::Text, "\"\"", "Title of the change."),
    ),
    (
        "",
        optional(
            "revision",
            Shape::Text,
            "null",
            "Revision that was deployed.",
        ),
    ),
];

fn events() -> Value {
    json!({"type": "array", "items": event()})
}

/// An event: one of the kinds that the parser knows, each with its keys.
pub(crate) fn event() -> Value {
    let kinds = entry::KINDS.iter().map(|(kind, own)| {
        let names = entry::COMMON.iter().chain([kind]).chain(own.iter());
        map(names.filter_map(|name| of_kind(EVENT, kind, name)))
    });
    json!({"oneOf": kinds.collect::<Vec<_>>()})
}
