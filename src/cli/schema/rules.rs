//! Keys of rule files.

use super::{Key, Shape, may, need};

pub(crate) const KEYS: &[Key] = &[
    may(
        "shadow",
        Shape::Flag,
        "false",
        "All criteria of this file only record what they would have done; it holds no conditions then.",
    ),
    may(
        "criteria",
        Shape::List(CRITERION),
        "[]",
        "Which incidents deserve a postmortem.",
    ),
    may(
        "conditions",
        Shape::List(CONDITION),
        "[]",
        "Metrics that are watched.",
    ),
    may(
        "correlation",
        Shape::Map(CORRELATION),
        "{}",
        "Which events belong to one incident; given once in all rule files.",
    ),
];

const KINDS: &[&str] = &[
    "outage",
    "degradation",
    "intervention",
    "request",
    "near_miss",
    "recurrence",
];
const SEVERITIES: &[&str] = &["none", "info", "unknown", "warning", "critical"];

pub(crate) const CRITERION: &[Key] = &[
    need(
        "name",
        Shape::Text,
        "Its name in verdicts, pages and scenarios: one word, used once.",
    ),
    need("on", Shape::Word(KINDS), "What it is about."),
    need(
        "decision",
        Shape::Word(&["suggest", "hold"]),
        "What follows when it is met: `hold` opens the postmortem, `suggest` asks.",
    ),
    may(
        "shadow",
        Shape::Flag,
        "false",
        "Only record what it would have done.",
    ),
    may(
        "where",
        Shape::Text,
        "null",
        "CEL over the incident and what it is about; left out, all of them count.",
    ),
    may(
        "longest",
        Shape::Duration,
        "null",
        "Of `degradation`: one unbroken stretch of at least so long.",
    ),
    may(
        "total",
        Shape::Duration,
        "null",
        "Of `degradation`: so much degraded time, summed over `within`.",
    ),
    may(
        "within",
        Shape::Duration,
        "null",
        "Of `degradation` and `recurrence`: the window that is looked at.",
    ),
    may(
        "at_least",
        Shape::Whole(1),
        "1",
        "Of `intervention`: how many manual steps it takes.",
    ),
    may(
        "score_at_least",
        Shape::Number(0.0, f64::INFINITY),
        "0",
        "Of `near_miss`: the lowest score that counts.",
    ),
    may(
        "quiet_for",
        Shape::Duration,
        "\"30d\"",
        "Of `near_miss`: for so long no postmortem was held.",
    ),
    may(
        "at_most",
        Shape::Text,
        "\"1 per 7d\"",
        "Of `near_miss`: no more than so many in so long.",
    ),
    may(
        "times",
        Shape::Whole(2),
        "null",
        "Of `recurrence`, and needed there: how often the same thing came, this time included.",
    ),
];

pub(crate) const CONDITION: &[Key] = &[
    need(
        "name",
        Shape::Text,
        "Its name as a signal: one word, used once.",
    ),
    need("service", Shape::Text, "The service it watches."),
    may(
        "severity",
        Shape::Word(SEVERITIES),
        "\"critical\"",
        "The severity of its signal.",
    ),
    need(
        "metrics",
        Shape::Text,
        "The name of an entry of `metrics:` in the settings.",
    ),
    need("query", Shape::Text, "What is measured, in PromQL."),
    need(
        "degraded",
        Shape::Text,
        "Degraded when the value is so: a comparison and a number, as in `> 0.02`.",
    ),
    may(
        "near_miss",
        Shape::Text,
        "null",
        "A near miss when the value is so; left out, it states none.",
    ),
    may(
        "recovered",
        Shape::Text,
        "null",
        "No longer degraded only when the value is so; left out, when `degraded` no longer holds.",
    ),
    may(
        "for",
        Shape::Duration,
        "\"0\"",
        "How long `degraded` must hold first, as in Prometheus.",
    ),
    may(
        "every",
        Shape::Duration,
        "\"15s\"",
        "How often it is evaluated.",
    ),
    may(
        "keep_firing_for",
        Shape::Duration,
        "\"0\"",
        "How long it goes on once `degraded` no longer holds, as in Prometheus.",
    ),
    may(
        "max_series",
        Shape::Whole(1),
        "100",
        "How many series are watched; further ones are left out, visibly.",
    ),
    may(
        "no_data",
        Shape::Word(&["unknown", "degraded", "healthy"]),
        "\"unknown\"",
        "What holds where there is no data.",
    ),
];

pub(crate) const CORRELATION: &[Key] = &[
    may(
        "correlate_by",
        Shape::Texts,
        "[\"service\"]",
        "Labels whose equality joins events; `service` is the service as read.",
    ),
    may(
        "join_within",
        Shape::Duration,
        "\"15m\"",
        "How far apart events of dependent services may begin.",
    ),
    may(
        "settle",
        Shape::Duration,
        "\"5m\"",
        "How long it must be quiet to be resolved.",
    ),
    may(
        "reopen_within",
        Shape::Duration,
        "\"30m\"",
        "How long after the last activity events still join.",
    ),
    may(
        "bridge",
        Shape::Duration,
        "\"2m\"",
        "A shorter gap does not break a stretch of degradation.",
    ),
    may(
        "lifetime",
        Shape::Duration,
        "\"1d\"",
        "Events stop joining so long after the beginning.",
    ),
    may(
        "ignore",
        Shape::Text,
        "null",
        "CEL over `signal`; events for which it holds are no part of anything.",
    ),
];
