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
}

pub(crate) const SEVERITIES: &[&str] = &["critical", "warning", "info", "none", "unknown"];
const ANY: &[&str] = &[];

const fn field(name: &'static str, kind: Type, words: &'static [&'static str]) -> Field {
    Field { name, kind, words }
}

const INCIDENT: &[Field] = &[
    field("id", Type::Text, ANY),
    field("title", Type::Text, ANY),
    // The opening service; empty when unassigned.
    field("service", Type::Text, ANY),
    field("services", Type::Texts, ANY),
    field("scope", Type::Texts, ANY),
    field("severity", Type::Text, SEVERITIES),
    // `production` by default.
    field("environment", Type::Text, ANY),
    // Seconds degraded so far.
    field("duration", Type::Number, ANY),
    field(
        "detected_by",
        Type::Text,
        &["monitor", "human", "customer", "unknown"],
    ),
    field("data_loss", Type::Bool, ANY),
    field("budget_spent", Type::Number, ANY),
    field("signals", Type::Number, ANY),
];

const SIGNAL: &[Field] = &[
    field("kind", Type::Text, &["alert", "condition", "declaration"]),
    field("name", Type::Text, ANY),
    field("severity", Type::Text, SEVERITIES),
    field("service", Type::Text, ANY),
    field("environment", Type::Text, ANY),
    // The label `afterword`; empty when it has none.
    field("role", Type::Text, ANY),
    field("labels", Type::Labels, ANY),
];

const INTERVENTION: &[Field] = &[
    field("action", Type::Text, ANY),
    field("why", Type::Text, ANY),
    field("actor", Type::Text, ANY),
    field("actor_kind", Type::Text, &["human", "robot", "unknown"]),
    field("service", Type::Text, ANY),
    field("should_be_automatic", Type::Bool, ANY),
    field("stated", Type::Bool, ANY),
];

const REQUEST: &[Field] = &[
    field("reason", Type::Text, ANY),
    field("requester", Type::Text, ANY),
    field("service", Type::Text, ANY),
];

const NEAR_MISS: &[Field] = &[
    field("what", Type::Text, ANY),
    field("severity", Type::Text, SEVERITIES),
    field("service", Type::Text, ANY),
    field("score", Type::Number, ANY),
    // From 0 to 1.
    field("closeness", Type::Number, ANY),
    field("by_luck", Type::Bool, ANY),
    field("reported", Type::Bool, ANY),
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
