//! Keys of scenario files.

use serde_json::{Value, json};

use super::{Key, Shape, map, may, need, of_kind};
use crate::rules::scenario::entry;

pub(crate) const KEYS: &[Key] = &[
    need(
        "rules",
        Shape::Texts,
        "The rule files under test, relative to this file.",
    ),
    may(
        "scenarios",
        Shape::List(SCENARIO),
        "[]",
        "What should happen.",
    ),
];

pub(crate) const SCENARIO: &[Key] = &[
    need("name", Shape::Text, "What it shows."),
    need(
        "events",
        Shape::ScenarioEvents,
        "What happens, in the order of time.",
    ),
    need("expect", Shape::List(EXPECT), "What must be so then."),
];

pub(crate) const EXPECT: &[Key] = &[
    need(
        "at",
        Shape::Duration,
        "When, from the beginning of the scenario.",
    ),
    may(
        "service",
        Shape::Text,
        "null",
        "The service that is meant; left out, all of them.",
    ),
    may(
        "decision",
        Shape::Word(&["none", "suggest", "hold"]),
        "null",
        "The strongest decision; left out, any.",
    ),
    may(
        "criteria",
        Shape::NamedWords(&["met", "not_met", "unknown"]),
        "{}",
        "Outcomes by name of the criterion.",
    ),
    may(
        "incidents",
        Shape::Whole(0),
        "null",
        "How many incidents there have been; left out, any number.",
    ),
    may(
        "postmortems",
        Shape::Whole(0),
        "null",
        "How many postmortems are held or suggested, a bundle being one; left out, any number.",
    ),
];

const STATUS: &[&str] = &["firing", "resolved"];
const SEVERITIES: &[&str] = &["none", "info", "unknown", "warning", "critical"];
const END_REASONS: &[&str] = &[
    "recovered",
    "source_lost",
    "no_data",
    "muted",
    "deleted",
    "superseded",
    "unknown",
];

/// Keys of events by kind; `""`: of any kind that has them.
pub(crate) const EVENT: &[(&str, Key)] = &[
    (
        "",
        need(
            "at",
            Shape::Duration,
            "When, from the beginning of the scenario.",
        ),
    ),
    (
        "",
        may("service", Shape::Text, "null", "The service it is about."),
    ),
    (
        "",
        may(
            "environment",
            Shape::Text,
            "null",
            "The environment it is about.",
        ),
    ),
    (
        "",
        may(
            "incident",
            Shape::Text,
            "null",
            "The id of the incident it is about.",
        ),
    ),
    ("", may("actor", Shape::Text, "null", "Who acted.")),
    (
        "",
        may(
            "actor_kind",
            Shape::Word(&["human", "robot", "unknown"]),
            "\"human\"",
            "What acted.",
        ),
    ),
    ("", need("alert", Shape::Text, "The name of an alert.")),
    (
        "",
        need("condition", Shape::Text, "The name of a metric condition."),
    ),
    (
        "",
        need(
            "declaration",
            Shape::Text,
            "What somebody declares: what users cannot do.",
        ),
    ),
    (
        "",
        need(
            "intervention",
            Shape::Text,
            "What somebody did by hand: restart, failover, scale.",
        ),
    ),
    (
        "",
        need(
            "request",
            Shape::Text,
            "Why somebody asks for a postmortem.",
        ),
    ),
    ("", need("near_miss", Shape::Text, "What nearly happened.")),
    (
        "",
        need(
            "change",
            Shape::Text,
            "What kind of change it was: deploy, rollback, flag, config.",
        ),
    ),
    (
        "",
        need(
            "acknowledgement",
            Shape::Text,
            "The name of what is taken on, or `incident`.",
        ),
    ),
    ("", need("note", Shape::Text, "What was noted.")),
    (
        "",
        need(
            "samples",
            Shape::Text,
            "The name of a condition of the rules, whose query has these values.",
        ),
    ),
    (
        "",
        need(
            "values",
            Shape::Text,
            "One value each time it is evaluated, as in promtool: `0x3 0.03x40 _x2 stale 0`.",
        ),
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
        "condition",
        may(
            "severity",
            Shape::Word(SEVERITIES),
            "\"critical\"",
            "How bad it is.",
        ),
    ),
    (
        "declaration",
        may(
            "severity",
            Shape::Word(SEVERITIES),
            "\"critical\"",
            "How bad it is.",
        ),
    ),
    (
        "",
        may(
            "severity",
            Shape::Word(SEVERITIES),
            "\"unknown\"",
            "How bad it is.",
        ),
    ),
    ("", may("labels", Shape::NamedTexts, "{}", "Its labels.")),
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
    (
        "",
        may(
            "value",
            Shape::Number(f64::NEG_INFINITY, f64::INFINITY),
            "null",
            "The value measured.",
        ),
    ),
    (
        "",
        may(
            "key",
            Shape::Text,
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
    ("", may("why", Shape::Text, "\"\"", "Why it was done.")),
    ("", may("stated", Shape::Flag, "true", "A person said so.")),
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
    ("", may("requester", Shape::Text, "null", "Who asks.")),
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
    ("", may("title", Shape::Text, "\"\"", "Its title.")),
    (
        "",
        may("revision", Shape::Text, "null", "The revision it brought."),
    ),
];

/// An event: one of the kinds that the parser knows, each with its keys.
pub(crate) fn event() -> Value {
    let kinds = entry::KINDS.iter().map(|(kind, own)| {
        let names = entry::COMMON.iter().chain([kind]).chain(own.iter());
        map(names.filter_map(|name| of_kind(EVENT, kind, name)))
    });
    json!({"oneOf": kinds.collect::<Vec<_>>()})
}
