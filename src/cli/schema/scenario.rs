//! Schema of scenario files.

use serde_json::{Value, json};

use super::key::{SchemaKey, Shape, map, may, need, of_kind};
use crate::rules::scenario::entry;

pub(crate) const KEYS: &[SchemaKey] = &[
    need(
        "rules",
        Shape::Texts,
        "The rule files under test, relative to this file.",
    ),
    may(
        "scenarios",
        Shape::List(SCENARIO),
        "[]",
        "Scenarios to run.",
    ),
];

pub(crate) const SCENARIO: &[SchemaKey] = &[
    need("name", Shape::Text, "Name of the scenario."),
    may(
        "starts",
        Shape::String,
        "null",
        "Beginning of the scenario as an instant, such as 2026-11-23T08:50+01:00; by default Monday 2026-01-05T09:00Z.",
    ),
    need("events", Shape::Custom(events), "Events, in order of time."),
    need("expect", Shape::List(EXPECT), "Expected results."),
];

pub(crate) const EXPECT: &[SchemaKey] = &[
    need(
        "at",
        Shape::Duration,
        "Time since the start of the scenario.",
    ),
    may(
        "service",
        Shape::Text,
        "null",
        "Service to check; by default all.",
    ),
    may(
        "decision",
        Shape::Word(&["none", "suggest", "hold"]),
        "null",
        "Strongest decision; by default not checked.",
    ),
    may(
        "form",
        Shape::Word(&["note", "standing", "meeting"]),
        "null",
        "Heaviest form of postmortem; by default not checked.",
    ),
    may(
        "criteria",
        Shape::NamedWords(&["met", "not_met", "unknown"]),
        "{}",
        "Expected outcomes, by criterion name.",
    ),
    may(
        "incidents",
        Shape::Whole(0),
        "null",
        "Number of incidents so far; by default not checked.",
    ),
    may(
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
        need(
            "at",
            Shape::Duration,
            "Time since the start of the scenario.",
        ),
    ),
    ("", may("service", Shape::Text, "null", "Affected service.")),
    (
        "",
        may("environment", Shape::Text, "null", "Affected environment."),
    ),
    (
        "",
        may(
            "incident",
            Shape::Text,
            "null",
            "Id of the related incident.",
        ),
    ),
    (
        "",
        may(
            "actor",
            Shape::Text,
            "null",
            "Person or program that acted.",
        ),
    ),
    (
        "",
        may(
            "actor_kind",
            Shape::Word(&["human", "robot", "unknown"]),
            "\"human\"",
            "Kind of actor.",
        ),
    ),
    ("", need("alert", Shape::Text, "Name of an alert.")),
    (
        "",
        need("condition", Shape::Text, "Name of a metric condition."),
    ),
    (
        "",
        need(
            "declaration",
            Shape::Text,
            "Declared outage: description of the user impact.",
        ),
    ),
    (
        "",
        need(
            "intervention",
            Shape::Text,
            "Manual step: restart, failover, scale.",
        ),
    ),
    (
        "",
        need(
            "request",
            Shape::Text,
            "Request for a postmortem: the reason.",
        ),
    ),
    (
        "",
        need("near_miss", Shape::Text, "Description of the near miss."),
    ),
    (
        "",
        need(
            "change",
            Shape::Text,
            "Kind of change: deploy, rollback, flag, config.",
        ),
    ),
    (
        "",
        need(
            "acknowledgement",
            Shape::Text,
            "Name of the acknowledged subject, or `incident`.",
        ),
    ),
    ("", need("note", Shape::Text, "Text of the note.")),
    (
        "",
        need(
            "samples",
            Shape::Text,
            "Name of a condition in the rules; its query returns these values.",
        ),
    ),
    (
        "",
        need(
            "values",
            Shape::Text,
            "One value per evaluation, in promtool notation: `0x3 0.03x40 _x2 stale 0`. `_` is a gap, through which the value before counts for five minutes; `stale` ends the series.",
        ),
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
        "condition",
        may(
            "severity",
            Shape::String,
            "\"critical\"",
            "Severity: critical, warning, info, none or unknown, or one of `severities:` in the settings.",
        ),
    ),
    (
        "declaration",
        may(
            "severity",
            Shape::String,
            "\"critical\"",
            "Severity: critical, warning, info, none or unknown, or one of `severities:` in the settings.",
        ),
    ),
    (
        "",
        may(
            "severity",
            Shape::String,
            "\"unknown\"",
            "Severity: critical, warning, info, none or unknown, or one of `severities:` in the settings.",
        ),
    ),
    (
        "",
        may("labels", Shape::NamedTexts, "{}", "Labels of the alert."),
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
    (
        "",
        may(
            "value",
            Shape::Number(f64::NEG_INFINITY, f64::INFINITY),
            "null",
            "Measured value.",
        ),
    ),
    (
        "",
        may(
            "key",
            Shape::Text,
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
    ("", may("why", Shape::Text, "\"\"", "Reason for it.")),
    (
        "",
        may("stated", Shape::Flag, "true", "Entered by a person."),
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
        may("requester", Shape::Text, "null", "Person who requests it."),
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
        may("title", Shape::Text, "\"\"", "Title of the change."),
    ),
    (
        "",
        may(
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
