//! Verdicts: a criterion's outcome for an incident, with the numbers and evidence behind it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::id::EventId;
use super::lifecycle::Phase;

/// Decisions about an incident, weakest first.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// No postmortem.
    #[default]
    None,
    /// Suggest a postmortem to the on-call engineer.
    Suggest,
    /// Open a postmortem.
    Hold,
}

/// Forms of a postmortem, lightest first.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum PostmortemForm {
    /// One page, signed off by another person.
    Note,
    /// An entry on the agenda of the next standing review.
    Standing,
    /// A document with a meeting of its own.
    #[default]
    Meeting,
}

impl PostmortemForm {
    /// Its word in rules and in the API.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Standing => "standing",
            Self::Meeting => "meeting",
        }
    }
}

/// Outcomes of a criterion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Met, whatever the unknown facts are.
    Met,
    /// Not met, whatever the unknown facts are.
    NotMet,
    /// Depends on facts that are not known.
    Unknown,
}

/// The kinds of criteria.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CriterionKind {
    /// A declared outage.
    Outage,
    /// Sufficiently long degradation.
    Degradation,
    /// A manual intervention.
    Intervention,
    /// A stakeholder's request.
    Request,
    /// A near miss.
    NearMiss,
    /// A recurring incident.
    Recurrence,
}

/// A criterion's outcome for an incident, with its justification.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// The criterion's name in the rules.
    pub criterion: String,
    /// Its kind.
    pub on: CriterionKind,
    /// Its outcome.
    pub outcome: Outcome,
    /// The decision it leads to when met.
    pub decision: Decision,
    /// The form of the postmortem it leads to.
    #[serde(default)]
    pub form: PostmortemForm,
    /// True for a shadow criterion, which only records its verdict.
    #[serde(default)]
    pub shadow: bool,
    /// The observed quantity against the required one; `None` where the criterion counts nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measure: Option<Measure>,
    /// The factors of a score, in the order of multiplication.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub factors: Vec<Factor>,
    /// Degraded time that does not count, the longest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub excluded: Vec<Exclusion>,
    /// The events it is based on.
    pub evidence: Vec<EventId>,
    /// One sentence with the numbers.
    pub sentence: String,
    /// The change that would have altered the outcome.
    pub would_change: String,
}

impl Verdict {
    /// The decision it leads to in that phase, shadow or not. At resolution an unknown outcome
    /// becomes a suggestion.
    #[must_use]
    pub fn leads_to(&self, phase: Phase) -> Decision {
        match self.outcome {
            Outcome::Met => self.decision,
            Outcome::Unknown if phase >= Phase::Resolved => self.decision.min(Decision::Suggest),
            Outcome::Unknown | Outcome::NotMet => Decision::None,
        }
    }
}

/// An observed quantity against a required one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Measure {
    /// Observed, with everything unknown taken as healthy.
    pub lower: f64,
    /// Observed, with everything unknown taken as degraded.
    pub upper: f64,
    /// Required.
    pub required: f64,
    /// Distance to a change of outcome: observed minus required, negative while it is short.
    pub margin: f64,
    /// The unit.
    pub unit: Unit,
}

impl Measure {
    /// Measures an observed quantity between `lower` and `upper` against `required`.
    #[must_use]
    pub fn new(lower: f64, upper: f64, required: f64, unit: Unit) -> Self {
        // The lower bound decides that it is met, the upper bound that it is not; the distance is
        // taken from the deciding one.
        let decisive = if upper < required { upper } else { lower };
        Self {
            lower,
            upper,
            required,
            margin: decisive - required,
            unit,
        }
    }
}

/// Degraded time that a criterion does not count.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Exclusion {
    /// The reason, as it follows a length of time: `of planned work`, `in staging`.
    pub why: String,
    /// Its length in seconds.
    pub seconds: f64,
}

/// One factor of a score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Factor {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: f64,
    /// The origin of the value.
    pub why: String,
}

/// Units of a measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Seconds.
    Seconds,
    /// A count.
    Times,
    /// A score.
    Score,
}
