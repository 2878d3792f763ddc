//! The schema of expressions: fields with their types and, for closed sets, their values.

use crate::expr::root::Root;

/// Types of fields and expressions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Type {
    /// Text.
    Text,
    /// A number; CEL's `double`.
    Number,
    /// `true` or `false`.
    Bool,
    /// A list of text.
    Texts,
    /// A list of numbers, only as a literal.
    Numbers,
    /// A map of text to text.
    Labels,
}

impl Type {
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Number => "a number",
            Self::Bool => "true or false",
            Self::Texts => "a list of text",
            Self::Numbers => "a list of numbers",
            Self::Labels => "a map of labels",
        }
    }
}

/// A field of a root.
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) kind: Type,
    /// All values it can have; empty for any.
    pub(crate) words: &'static [&'static str],
    /// Meaning, in one line.
    pub(crate) doc: &'static str,
    /// An expression that uses it.
    pub(crate) example: &'static str,
}

pub(crate) const SEVERITIES: &[&str] = &["critical", "warning", "info", "none", "unknown"];
const ANY: &[&str] = &[];

const fn field(
    name: &'static str,
    kind: Type,
    words: &'static [&'static str],
    (doc, example): (&'static str, &'static str),
) -> Field {
    Field {
        name,
        kind,
        words,
        doc,
        example,
    }
}

const INCIDENT: &[Field] = &[
    field(
        "id",
        Type::Text,
        ANY,
        ("Id of the incident.", "incident.id != \"inc-1\""),
    ),
    field(
        "title",
        Type::Text,
        ANY,
        ("Title.", "incident.title.contains(\"Checkout\")"),
    ),
    field(
        "service",
        Type::Text,
        ANY,
        (
            "Service of the opening event; empty when unassigned.",
            "incident.service == \"checkout\"",
        ),
    ),
    field(
        "services",
        Type::Texts,
        ANY,
        (
            "All services concerned, the opening one first.",
            "size(incident.services) >= 2",
        ),
    ),
    field(
        "scope",
        Type::Texts,
        ANY,
        ("Owners of the services.", "\"ada\" in incident.scope"),
    ),
    field(
        "severity",
        Type::Text,
        SEVERITIES,
        (
            "Highest severity of its signals; the words of `severities:` in the settings, where given.",
            "incident.severity == \"critical\"",
        ),
    ),
    field(
        "environment",
        Type::Text,
        ANY,
        (
            "Environment; `production` where none is stated.",
            "incident.environment == \"production\"",
        ),
    ),
    field(
        "duration",
        Type::Number,
        ANY,
        (
            "Seconds of degraded time so far.",
            "incident.duration > 600",
        ),
    ),
    field(
        "detected_by",
        Type::Text,
        &["monitor", "human", "customer", "unknown"],
        (
            "First detector: monitor, human, customer or unknown.",
            "incident.detected_by == \"customer\"",
        ),
    ),
    field(
        "data_loss",
        Type::Bool,
        ANY,
        (
            "True if data was lost; unknown until a person states it.",
            "incident.data_loss",
        ),
    ),
    field(
        "budget_spent",
        Type::Number,
        ANY,
        (
            "Degraded time as a share of what `services[].objective` allows in four weeks; unknown without an objective.",
            "incident.budget_spent > 0.2",
        ),
    ),
    field(
        "signals",
        Type::Number,
        ANY,
        ("Number of signals.", "incident.signals >= 3"),
    ),
];

const SIGNAL: &[Field] = &[
    field(
        "kind",
        Type::Text,
        &["alert", "condition", "declaration"],
        ("Kind of signal.", "signal.kind == \"condition\""),
    ),
    field(
        "name",
        Type::Text,
        ANY,
        (
            "Name of the alert, condition or declaration.",
            "signal.name.startsWith(\"Checkout\")",
        ),
    ),
    field(
        "severity",
        Type::Text,
        SEVERITIES,
        (
            "Severity; the words of `severities:` in the settings, where given.",
            "signal.severity in [\"critical\", \"warning\"]",
        ),
    ),
    field(
        "service",
        Type::Text,
        ANY,
        (
            "Service; empty when unassigned.",
            "signal.service == \"checkout\"",
        ),
    ),
    field(
        "environment",
        Type::Text,
        ANY,
        (
            "Environment; `production` where none is stated.",
            "signal.environment != \"staging\"",
        ),
    ),
    field(
        "role",
        Type::Text,
        ANY,
        (
            "Label `afterword` of the alert: `cause`, `outage`, or empty.",
            "signal.role != \"cause\"",
        ),
    ),
    field(
        "labels",
        Type::Labels,
        ANY,
        (
            "Labels; `\"name\" in signal.labels` tests for one.",
            "\"team\" in signal.labels && signal.labels.team == \"pay\"",
        ),
    ),
];

const INTERVENTION: &[Field] = &[
    field(
        "action",
        Type::Text,
        ANY,
        (
            "Action taken: restart, failover, scale, rollback or another word.",
            "intervention.action == \"restart\"",
        ),
    ),
    field(
        "why",
        Type::Text,
        ANY,
        ("Reason, as stated.", "intervention.why.contains(\"hung\")"),
    ),
    field(
        "actor",
        Type::Text,
        ANY,
        (
            "Person, by id where known, else as the source names them.",
            "intervention.actor == \"ada\"",
        ),
    ),
    field(
        "actor_kind",
        Type::Text,
        &["human", "robot", "unknown"],
        ("Kind of actor.", "intervention.actor_kind == \"human\""),
    ),
    field(
        "service",
        Type::Text,
        ANY,
        (
            "Service; empty when unassigned.",
            "intervention.service == \"checkout\"",
        ),
    ),
    field(
        "should_be_automatic",
        Type::Bool,
        ANY,
        (
            "True if the person said so, else if `services[].automatic` lists the action.",
            "intervention.should_be_automatic",
        ),
    ),
    field(
        "stated",
        Type::Bool,
        ANY,
        (
            "True if a person reported it, false if a system observed it.",
            "intervention.stated",
        ),
    ),
];

const REQUEST: &[Field] = &[
    field(
        "reason",
        Type::Text,
        ANY,
        ("Reason, as stated.", "request.reason.contains(\"refund\")"),
    ),
    field(
        "requester",
        Type::Text,
        ANY,
        (
            "Requester; empty where not stated.",
            "request.requester == \"lin\"",
        ),
    ),
    field(
        "service",
        Type::Text,
        ANY,
        (
            "Service; empty when unassigned.",
            "request.service == \"checkout\"",
        ),
    ),
];

const NEAR_MISS: &[Field] = &[
    field(
        "what",
        Type::Text,
        ANY,
        (
            "Description, or the name of the condition.",
            "near_miss.what.contains(\"disk\")",
        ),
    ),
    field(
        "severity",
        Type::Text,
        SEVERITIES,
        (
            "Severity it would have had; the words of `severities:` in the settings, where given.",
            "near_miss.severity == \"critical\"",
        ),
    ),
    field(
        "service",
        Type::Text,
        ANY,
        (
            "Service; empty when unassigned.",
            "near_miss.service == \"checkout\"",
        ),
    ),
    field(
        "score",
        Type::Number,
        ANY,
        ("Score: how much there is to learn.", "near_miss.score > 10"),
    ),
    field(
        "closeness",
        Type::Number,
        ANY,
        (
            "Closeness to an outage, from 0 to 1; unknown where neither reported nor measured.",
            "near_miss.closeness > 0.9",
        ),
    ),
    field(
        "by_luck",
        Type::Bool,
        ANY,
        ("True if it was noticed only by luck.", "near_miss.by_luck"),
    ),
    field(
        "reported",
        Type::Bool,
        ANY,
        (
            "True if a person reported it, false if a condition measured it.",
            "near_miss.reported",
        ),
    ),
];

/// The functions and macros of expressions, each with an expression that uses it.
pub(crate) const FUNCTIONS: [(&str, &str); 8] = [
    ("size", "size(incident.services) >= 2"),
    ("contains", "signal.name.contains(\"Latency\")"),
    ("startsWith", "signal.name.startsWith(\"Checkout\")"),
    ("endsWith", "signal.name.endsWith(\"Down\")"),
    ("has", "has(signal.labels.team)"),
    (
        "exists",
        "incident.services.exists(name, name.startsWith(\"pay\"))",
    ),
    ("all", "incident.services.all(name, name != \"wiki\")"),
    ("in", "incident.environment in [\"dev\", \"test\"]"),
];

/// The largest number of fields of any root.
pub(crate) const MOST_FIELDS: usize = {
    let (mut most, mut at) = (0, 0);
    while at < Root::ALL.len() {
        let count = Root::ALL[at].fields().len();
        if count > most {
            most = count;
        }
        at += 1;
    }
    most
};

impl Root {
    pub(crate) const ALL: [Self; 5] = [
        Self::Incident,
        Self::Signal,
        Self::Intervention,
        Self::Request,
        Self::NearMiss,
    ];

    /// Its name in expressions.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Incident => "incident",
            Self::Signal => "signal",
            Self::Intervention => "intervention",
            Self::Request => "request",
            Self::NearMiss => "near_miss",
        }
    }

    pub(crate) fn words(self) -> &'static str {
        if self == Self::NearMiss {
            "near miss"
        } else {
            self.name()
        }
    }

    pub(crate) const fn fields(self) -> &'static [Field] {
        match self {
            Self::Incident => INCIDENT,
            Self::Signal => SIGNAL,
            Self::Intervention => INTERVENTION,
            Self::Request => REQUEST,
            Self::NearMiss => NEAR_MISS,
        }
    }
}
