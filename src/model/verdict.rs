//! Verdicts: a criterion's outcome on an incident, with the numbers and evidence behind it.

use serde::{Deserialize, Serialize};

use super::id::EventId;
use super::lifecycle::Phase;

/// What becomes of an incident, weakest first.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// No postmortem.
    #[default]
    None,
    /// Ask the on-call engineer.
    Suggest,
    /// Open it.
    Hold,
}

/// Whether a criterion is met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Yes, whatever the unknown was.
    Met,
    /// No, whatever the unknown was.
    NotMet,
    /// It depends on what nobody can say.
    Unknown,
}

/// The kinds of criteria.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CriterionKind {
    /// A declared outage.
    Outage,
    /// Degradation long enough.
    Degradation,
    /// A human had to step in.
    Intervention,
    /// A stakeholder asked.
    Request,
    /// It nearly happened.
    NearMiss,
    /// The same thing came back.
    Recurrence,
}

/// A criterion's outcome on an incident, able to defend itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// The criterion's name in the rules.
    pub criterion: String,
    /// Its kind.
    pub on: CriterionKind,
    /// Whether it is met.
    pub outcome: Outcome,
    /// What it leads to when met.
    pub decision: Decision,
    /// True when it only records what it would have done.
    #[serde(default)]
    pub shadow: bool,
    /// What was observed against what is required; `None` where nothing is counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measure: Option<Measure>,
    /// What a score is made of, in the order in which it is multiplied.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub factors: Vec<Factor>,
    /// The events it rests on.
    pub evidence: Vec<EventId>,
    /// One sentence with numbers.
    pub sentence: String,
    /// What would have changed it.
    pub would_change: String,
}

impl Verdict {
    /// What it leads to in that phase, or would lead to if it were no shadow: at resolution an unknown one becomes a suggestion.
    #[must_use]
    pub fn leads_to(&self, phase: Phase) -> Decision {
        match self.outcome {
            Outcome::Met => self.decision,
            Outcome::Unknown if phase >= Phase::Resolved => self.decision.min(Decision::Suggest),
            Outcome::Unknown | Outcome::NotMet => Decision::None,
        }
    }
}

/// Observed against required.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Measure {
    /// With everything unknown taken as healthy.
    pub lower: f64,
    /// With everything unknown taken as degraded.
    pub upper: f64,
    /// What it takes.
    pub required: f64,
    /// How far it is from changing: what was observed beyond what it takes; negative while that lacks.
    pub margin: f64,
    /// What is counted.
    pub unit: Unit,
}

impl Measure {
    /// Sets what was observed, between `lower` and `upper`, against `required`.
    #[must_use]
    pub fn new(lower: f64, upper: f64, required: f64, unit: Unit) -> Self {
        // Nothing suffices until the lower bound does; what even the upper bound lacks is the distance to a change.
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

/// One factor of a score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Factor {
    /// What it stands for.
    pub name: String,
    /// The number.
    pub value: f64,
    /// Where the number is from.
    pub why: String,
}

/// What a measure counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Seconds.
    Seconds,
    /// Times.
    Times,
    /// A score.
    Score,
}
