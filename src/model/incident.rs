//! Incidents: events that belong together, with the intervals, verdicts and decisions derived from them.

use serde::{Deserialize, Serialize};

use super::correction::Answer;
use super::directory::Identities;
use super::event::Severity;
use super::id::{EventId, IncidentId};
use super::lifecycle::{Phase, ReviewState};
use super::member::Members;
use super::milestone::Milestones;
use super::signal::Signal;
use super::time::Time;
use super::verdict::{Decision, Verdict};

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
