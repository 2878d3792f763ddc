//! Schema of rule files.

use super::key::{SchemaKey, Shape, optional, required};

pub(crate) const KEYS: &[SchemaKey] = &[
    optional(
        "shadow",
        Shape::Flag,
        "false",
        "Shadow mode: the criteria of this file only record what they would have decided. Such a file must not have conditions.",
    ),
    optional(
        "criteria",
        Shape::List(CRITERION),
        "[]",
        "Criteria for incidents that deserve a postmortem.",
    ),
    optional(
        "conditions",
        Shape::List(CONDITION),
        "[]",
        "Metric conditions to evaluate.",
    ),
    optional(
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
    required(
        "name",
        Shape::Text,
        "Unique name in verdicts, pages and scenarios: one word.",
    ),
    required("on", Shape::Word(KINDS), "Subject of the criterion."),
    required(
        "decision",
        Shape::Word(&["none", "suggest", "hold"]),
        "Decision when it is met: `hold` opens the postmortem, `suggest` asks a person, `none` only explains.",
    ),
    optional(
        "form",
        Shape::Word(&["note", "standing", "meeting"]),
        "null",
        "Form of the postmortem: a meeting of its own (`meeting`, the default), an entry in the next standing review (`standing`), or one page (`note`, the default of near_miss). Of several the heaviest wins.",
    ),
    optional(
        "shadow",
        Shape::Flag,
        "false",
        "Shadow mode: only record what it would have decided.",
    ),
    optional(
        "where",
        Shape::Text,
        "null",
        "CEL filter over the incident and the subject; by default all count.",
    ),
    optional(
        "during",
        Shape::Map(HOURS),
        "null",
        "Hours that count: only degraded time within them, only what happens within them; by default always.",
    ),
    optional(
        "outside",
        Shape::Map(HOURS),
        "null",
        "The opposite of `during`: these hours do not count.",
    ),
    optional(
        "longest",
        Shape::Duration,
        "null",
        "degradation: minimum duration of one unbroken stretch.",
    ),
    optional(
        "total",
        Shape::Duration,
        "null",
        "degradation: minimum total degraded time within `within`.",
    ),
    optional(
        "within",
        Shape::Duration,
        "null",
        "degradation, intervention, recurrence: time window. For intervention, the steps of all incidents in it are counted.",
    ),
    optional(
        "at_least",
        Shape::Whole(1),
        "1",
        "intervention: minimum number of manual steps.",
    ),
    optional(
        "score_at_least",
        Shape::Number(0.0, f64::INFINITY),
        "0",
        "near_miss: minimum score.",
    ),
    optional(
        "quiet_for",
        Shape::Duration,
        "\"30d\"",
        "near_miss: minimum time since the last postmortem.",
    ),
    optional(
        "at_most",
        Shape::Text,
        "\"1 per 7d\"",
        "near_miss: maximum rate of postmortems.",
    ),
    optional(
        "times",
        Shape::Whole(2),
        "null",
        "recurrence: number of occurrences, including this one; required there.",
    ),
    optional(
        "per",
        Shape::TextOrTexts,
        "null",
        "intervention with `within`: what the steps must have in common: `service` (the default), `scope` (an owner), `action`, or a list of them.",
    ),
    optional(
        "same",
        Shape::TextOrTexts,
        "null",
        "recurrence: what must be the same, by default the service and the alert or condition: any of `service`, `alert` and `condition` (that opened it), `criterion` (that is met), `label:NAME` (of the opening alert or condition).",
    ),
];

pub(crate) const HOURS: &[SchemaKey] = &[
    required(
        "hours",
        Shape::TextOrTexts,
        "Hours of the week, such as `Mon-Fri 09:00-18:00`; `22:00-06:00` ends on the next day, `Sat-Sun` are whole days. Several are separated by commas, or a list.",
    ),
    optional(
        "time_zone",
        Shape::Text,
        "\"UTC\"",
        "Time zone of the hours, such as `Europe/Berlin`.",
    ),
    optional(
        "holidays",
        Shape::Texts,
        "[]",
        "iCalendar files beside this file; the time of their entries is not within the hours.",
    ),
];

pub(crate) const CONDITION: &[SchemaKey] = &[
    required("name", Shape::Text, "Unique name of its signal: one word."),
    required("service", Shape::Text, "Service it belongs to."),
    optional(
        "severity",
        Shape::String,
        "\"critical\"",
        "Severity of its signal: critical, warning, info, none or unknown, or one of `severities:` in the settings.",
    ),
    required(
        "metrics",
        Shape::Text,
        "Name of an entry of `metrics:` in the settings.",
    ),
    required("query", Shape::Text, "PromQL query to evaluate."),
    required(
        "degraded",
        Shape::Text,
        "Threshold of degradation: a comparison and a number, such as `> 0.02`.",
    ),
    optional(
        "near_miss",
        Shape::Text,
        "null",
        "Threshold of a near miss; by default none.",
    ),
    optional(
        "recovered",
        Shape::Text,
        "null",
        "Threshold of recovery; by default recovered once `degraded` no longer holds.",
    ),
    optional(
        "for",
        Shape::Duration,
        "\"0\"",
        "Duration for which `degraded` must hold first, as in Prometheus.",
    ),
    optional("every", Shape::Duration, "\"15s\"", "Evaluation interval."),
    optional(
        "keep_firing_for",
        Shape::Duration,
        "\"0\"",
        "Duration for which it stays degraded after `degraded` no longer holds, as in Prometheus.",
    ),
    optional(
        "max_series",
        Shape::Whole(1),
        "100",
        "Maximum number of series; further series are left out and reported.",
    ),
    optional(
        "no_data",
        Shape::Word(&["unknown", "degraded", "healthy"]),
        "\"unknown\"",
        "State when there is no data: no value, or not-a-number, as 0/0 without traffic.",
    ),
];

pub(crate) const CORRELATION: &[SchemaKey] = &[
    optional(
        "correlate_by",
        Shape::Texts,
        "[\"service\"]",
        "Labels that must be equal for events to be correlated; `service` is the service read from the event.",
    ),
    optional(
        "join_within",
        Shape::Duration,
        "\"15m\"",
        "Maximum time between the starts of events of dependent services.",
    ),
    optional(
        "settle",
        Shape::Duration,
        "\"5m\"",
        "Quiet time after which an incident is resolved.",
    ),
    optional(
        "reopen_within",
        Shape::Duration,
        "\"30m\"",
        "Time after the last activity during which events still join.",
    ),
    optional(
        "bridge",
        Shape::Duration,
        "\"2m\"",
        "Gaps shorter than this do not interrupt a stretch of degradation.",
    ),
    optional(
        "lifetime",
        Shape::Duration,
        "\"1d\"",
        "Time after its start from which events no longer join an incident.",
    ),
    optional(
        "ignore",
        Shape::Text,
        "null",
        "CEL filter over `signal`; matching events are ignored.",
    ),
];
