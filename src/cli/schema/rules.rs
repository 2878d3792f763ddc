//! Schema of rule files.

use super::key::{SchemaKey, Shape, may, need};

pub(crate) const KEYS: &[SchemaKey] = &[
    may(
        "shadow",
        Shape::Flag,
        "false",
        "Shadow mode: the criteria of this file only record what they would have decided. Such a file must not have conditions.",
    ),
    may(
        "criteria",
        Shape::List(CRITERION),
        "[]",
        "Criteria for incidents that deserve a postmortem.",
    ),
    may(
        "conditions",
        Shape::List(CONDITION),
        "[]",
        "Metric conditions to evaluate.",
    ),
    may(
        "correlation",
        Shape::Map(CORRELATION),
        "{}",
        "Correlation of events into incidents; only one rule file may have it.",
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
pub(crate) const CRITERION: &[SchemaKey] = &[
    need(
        "name",
        Shape::Text,
        "Unique name in verdicts, pages and scenarios: one word.",
    ),
    need("on", Shape::Word(KINDS), "Subject of the criterion."),
    need(
        "decision",
        Shape::Word(&["none", "suggest", "hold"]),
        "Decision when it is met: `hold` opens the postmortem, `suggest` asks a person, `none` only explains.",
    ),
    may(
        "form",
        Shape::Word(&["note", "standing", "meeting"]),
        "null",
        "Form of the postmortem: a meeting of its own (`meeting`, the default), an entry in the next standing review (`standing`), or one page (`note`, the default of near_miss). Of several the heaviest wins.",
    ),
    may(
        "shadow",
        Shape::Flag,
        "false",
        "Shadow mode: only record what it would have decided.",
    ),
    may(
        "where",
        Shape::Text,
        "null",
        "CEL filter over the incident and the subject; by default all count.",
    ),
    may(
        "during",
        Shape::Map(HOURS),
        "null",
        "Hours that count: only degraded time within them, only what happens within them; by default always.",
    ),
    may(
        "outside",
        Shape::Map(HOURS),
        "null",
        "The opposite of `during`: these hours do not count.",
    ),
    may(
        "longest",
        Shape::Duration,
        "null",
        "degradation: minimum duration of one unbroken stretch.",
    ),
    may(
        "total",
        Shape::Duration,
        "null",
        "degradation: minimum total degraded time within `within`.",
    ),
    may(
        "within",
        Shape::Duration,
        "null",
        "degradation, intervention, recurrence: time window. For intervention, the steps of all incidents in it are counted.",
    ),
    may(
        "at_least",
        Shape::Whole(1),
        "1",
        "intervention: minimum number of manual steps.",
    ),
    may(
        "score_at_least",
        Shape::Number(0.0, f64::INFINITY),
        "0",
        "near_miss: minimum score.",
    ),
    may(
        "quiet_for",
        Shape::Duration,
        "\"30d\"",
        "near_miss: minimum time since the last postmortem.",
    ),
    may(
        "at_most",
        Shape::Text,
        "\"1 per 7d\"",
        "near_miss: maximum rate of postmortems.",
    ),
    may(
        "times",
        Shape::Whole(2),
        "null",
        "recurrence: number of occurrences, including this one; required there.",
    ),
    may(
        "per",
        Shape::TextOrTexts,
        "null",
        "intervention with `within`: what the steps must have in common: `service` (the default), `scope` (an owner), `action`, or a list of them.",
    ),
    may(
        "same",
        Shape::TextOrTexts,
        "null",
        "recurrence: what must be the same, by default the service and the alert or condition: any of `service`, `alert` and `condition` (that opened it), `criterion` (that is met), `label:NAME` (of the opening alert or condition).",
    ),
];

pub(crate) const HOURS: &[SchemaKey] = &[
    need(
        "hours",
        Shape::TextOrTexts,
        "Hours of the week, such as `Mon-Fri 09:00-18:00`; `22:00-06:00` ends on the next day, `Sat-Sun` are whole days. Several are separated by commas, or a list.",
    ),
    may(
        "time_zone",
        Shape::Text,
        "\"UTC\"",
        "Time zone of the hours, such as `Europe/Berlin`.",
    ),
    may(
        "holidays",
        Shape::Texts,
        "[]",
        "iCalendar files beside this file; the time of their entries is not within the hours.",
    ),
];

pub(crate) const CONDITION: &[SchemaKey] = &[
    need("name", Shape::Text, "Unique name of its signal: one word."),
    need("service", Shape::Text, "Service it belongs to."),
    may(
        "severity",
        Shape::String,
        "\"critical\"",
        "Severity of its signal: critical, warning, info, none or unknown, or one of `severities:` in the settings.",
    ),
    need(
        "metrics",
        Shape::Text,
        "Name of an entry of `metrics:` in the settings.",
    ),
    need("query", Shape::Text, "PromQL query to evaluate."),
    need(
        "degraded",
        Shape::Text,
        "Threshold of degradation: a comparison and a number, such as `> 0.02`.",
    ),
    may(
        "near_miss",
        Shape::Text,
        "null",
        "Threshold of a near miss; by default none.",
    ),
    may(
        "recovered",
        Shape::Text,
        "null",
        "Threshold of recovery; by default recovered once `degraded` no longer holds.",
    ),
    may(
        "for",
        Shape::Duration,
        "\"0\"",
        "Duration for which `degraded` must hold first, as in Prometheus.",
    ),
    may("every", Shape::Duration, "\"15s\"", "Evaluation interval."),
    may(
        "keep_firing_for",
        Shape::Duration,
        "\"0\"",
        "Duration for which it stays degraded after `degraded` no longer holds, as in Prometheus.",
    ),
    may(
        "max_series",
        Shape::Whole(1),
        "100",
        "Maximum number of series; further series are left out and reported.",
    ),
    may(
        "no_data",
        Shape::Word(&["unknown", "degraded", "healthy"]),
        "\"unknown\"",
        "State when there is no data: no value, or not-a-number, as 0/0 without traffic.",
    ),
];

pub(crate) const CORRELATION: &[SchemaKey] = &[
    may(
        "correlate_by",
        Shape::Texts,
        "[\"service\"]",
        "Labels that must be equal for events to be correlated; `service` is the service read from the event.",
    ),
    may(
        "join_within",
        Shape::Duration,
        "\"15m\"",
        "Maximum time between the starts of events of dependent services.",
    ),
    may(
        "settle",
        Shape::Duration,
        "\"5m\"",
        "Quiet time after which an incident is resolved.",
    ),
    may(
        "reopen_within",
        Shape::Duration,
        "\"30m\"",
        "Time after the last activity during which events still join.",
    ),
    may(
        "bridge",
        Shape::Duration,
        "\"2m\"",
        "Gaps shorter than this do not interrupt a stretch of degradation.",
    ),
    may(
        "lifetime",
        Shape::Duration,
        "\"1d\"",
        "Time after its start from which events no longer join an incident.",
    ),
    may(
        "ignore",
        Shape::Text,
        "null",
        "CEL filter over `signal`; matching events are ignored.",
    ),
];
