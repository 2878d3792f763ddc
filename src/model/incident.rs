//! Incidents as everybody but the engine sees them: what belongs together, how long it was what, and what was decided.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Time;
use super::directory::Identities;
use super::event::{Answer, Event, EventId, Severity, Subject};
use super::member::Members;
use super::spans::Spans;

/// Names an incident; follows its opening event. `i-` and ten hex digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct IncidentId(pub String);

impl fmt::Display for IncidentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The events that belong together, and everything derived from them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// Its name.
    pub id: IncidentId,
    /// Rises whenever anything a person could see has changed.
    pub revision: u64,
    /// What it is about, in a few words: the opening event's.
    pub title: String,
    /// The services concerned, opening service first. Empty: *unassigned*.
    pub services: Vec<String>,
    /// The correlation key of the opening event when it has no service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unassigned: Option<String>,
    /// The owners of the services, sorted; quotas and quiet times count per scope.
    pub scope: Vec<String>,
    /// The worst severity of its signals.
    pub severity: Severity,
    /// The environment of the opening event; `None` counts as production.
    pub environment: Option<String>,
    /// When each turn of it was, as far as known.
    pub milestones: Milestones,
    /// Where it is in its life.
    pub phase: Phase,
    /// When its phase last changed.
    pub phase_since: Time,
    /// Its signals with their intervals, by start.
    pub signals: Vec<Signal>,
    /// Its events in order, each with the reason it belongs.
    pub members: Members,
    /// Those of its changes that went back to an earlier revision, whatever their sources call them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rollbacks: Vec<EventId>,
    /// One verdict a criterion, in the order of the rules.
    pub verdicts: Vec<Verdict>,
    /// The strongest decision of the verdicts as they stand.
    pub decision: Decision,
    /// What was made known, which rises by rule and falls only by a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub announced: Option<Announced>,
    /// The last answer a person gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review: Option<Reviewed>,
    /// What stands after announcement and answer.
    pub standing: ReviewState,
    /// Why it stands so: one sentence for a stakeholder.
    pub reason: String,
    /// The incident in whose bundle this one waits: both began together and look like one. `None`: it stands for itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle: Option<IncidentId>,
    /// Whose the names are by which its events name people, as far as people have stated that.
    #[serde(default, skip_serializing_if = "Identities::is_empty")]
    pub identities: Identities,
}

/// What stands between rules and people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReviewState {
    /// No postmortem is due.
    #[default]
    None,
    /// Suggested, not answered.
    Suggested,
    /// Suggested, to be asked again later.
    Snoozed,
    /// A postmortem is held: by rule, or accepted.
    Held,
    /// A person decided against it.
    Dismissed,
}

/// The life of an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Some signal is on, or not yet quiet for `settle`.
    Active,
    /// Quiet for `settle`.
    Resolved,
    /// Quiet for `reopen_within`; nothing joins any more.
    Closed,
}

/// One event of an incident.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Member {
    /// The event; whoever holds the incident shares it.
    pub event: Arc<Event>,
    /// Why it belongs here.
    pub reason: Joined,
}

impl PartialEq for Member {
    fn eq(&self, other: &Self) -> bool {
        // Large incidents are compared often, and nearly all of their events are shared.
        (Arc::ptr_eq(&self.event, &other.event) || self.event == other.event)
            && self.reason == other.reason
    }
}

/// Why an event belongs to an incident, by order of precedence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "joined", rename_all = "snake_case")]
pub enum Joined {
    /// Shortly before the incident opened: a change, a step that was taken, or a measurement that had fallen silent.
    Context,
    /// It opened the incident.
    Opened,
    /// It names the incident.
    Key,
    /// It is about a subject that is already here.
    Subject,
    /// It has the same correlation key.
    Labels {
        /// The key they share.
        key: Arc<str>,
    },
    /// Its service is one hop from the opening service.
    Dependency {
        /// The service it came from.
        service: Arc<str>,
    },
    /// A person said that it belongs here.
    Person,
}

impl Joined {
    /// A number for each reason, and by what it is, where that is part of the reason.
    pub(crate) fn parts(&self) -> (u128, &str) {
        match self {
            Self::Context => (1, ""),
            Self::Opened => (2, ""),
            Self::Key => (3, ""),
            Self::Subject => (4, ""),
            Self::Labels { key } => (5, key),
            Self::Dependency { service } => (6, service),
            Self::Person => (7, ""),
        }
    }
}

/// An alert, condition or declaration as an interval.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Signal {
    /// What it is about.
    pub subject: Subject,
    /// What it says of itself; a storm has many that say the same.
    #[serde(flatten)]
    pub sort: Arc<Sort>,
    /// What it was when, in order, without overlap. An open stretch has no end.
    pub spans: Spans,
    /// The event it began with.
    pub event: EventId,
}

impl Deref for Signal {
    type Target = Sort;

    fn deref(&self) -> &Sort {
        &self.sort
    }
}

/// What a signal says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Sort {
    /// `alert`, `condition`, `declaration`.
    pub kind: SignalKind,
    /// The alert's, condition's or declaration's name.
    pub name: Arc<str>,
    /// Its severity.
    pub severity: Severity,
    /// Its service.
    pub service: Option<Arc<str>>,
    /// Its environment.
    pub environment: Option<Arc<str>>,
    /// The label `afterword`, which people put on rules: `cause` marks a signal that explains but is not felt, `outage` one that declares an
    /// outage as long as it lasts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Arc<str>>,
}

/// The kinds of signals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignalKind {
    /// An alert.
    Alert,
    /// A metric condition.
    Condition,
    /// A declared outage.
    Declaration,
}

/// A half-open stretch `[start, end)` in one state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Span {
    /// Its first instant.
    pub start: Time,
    /// The first instant after it; `None` while it lasts.
    pub end: Option<Time>,
    /// What it was.
    pub state: SpanState,
}

/// What a signal says of a stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SpanState {
    /// Users felt it.
    Degraded,
    /// They nearly did.
    NearMiss,
    /// Nobody can say.
    Unknown,
    /// It was planned.
    Planned,
}

/// The turns of an incident; what is not known is absent.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Milestones {
    /// When it began to be felt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began: Option<Milestone>,
    /// When somebody or something noticed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detected: Option<Milestone>,
    /// When a person took it on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged: Option<Milestone>,
    /// When it was no longer felt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mitigated: Option<Milestone>,
    /// When it was over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved: Option<Milestone>,
}

/// One turn of an incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Milestone {
    /// When.
    pub at: Time,
    /// How we know.
    pub certainty: Certainty,
    /// The event that says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<EventId>,
}

/// How a time is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Certainty {
    /// A machine measured it.
    Measured,
    /// A person said so.
    Stated,
    /// It follows from something else.
    Inferred,
}

/// The names of the milestones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MilestoneKind {
    /// Began to be felt.
    Began,
    /// Was noticed.
    Detected,
    /// Was taken on.
    Acknowledged,
    /// Was no longer felt.
    Mitigated,
    /// Was over.
    Resolved,
}

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

/// A decision that was made known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Announced {
    /// The decision.
    pub decision: Decision,
    /// When.
    pub at: Time,
    /// When anything was made known of it for the first time.
    pub first_at: Time,
    /// The criteria that were met.
    pub criteria: Vec<String>,
    /// Why, in one sentence.
    pub sentence: String,
}

/// What a person answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reviewed {
    /// The answer.
    #[serde(flatten)]
    pub answer: Answer,
    /// When.
    pub at: Time,
    /// Who, when known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// A word of theirs.
    #[serde(default)]
    pub comment: String,
    /// What was announced when they answered.
    pub decision: Decision,
}
