//! Incidents: events that belong together, with the intervals, verdicts and decisions derived from
//! them.

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
use super::verdict::{Decision, PostmortemForm, Verdict};

/// The events that belong together, and everything derived from them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// Its id.
    pub id: IncidentId,
    /// Increases with every change of what a person is asked.
    pub revision: u64,
    /// Title, from the opening event.
    pub title: String,
    /// The services concerned, opening service first. Empty is *unassigned*.
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
    /// The milestones, as far as known.
    pub milestones: Milestones,
    /// Phase of its life cycle.
    pub phase: Phase,
    /// Time of the last phase change.
    pub phase_since: Time,
    /// Its signals with their intervals, by start.
    pub signals: Vec<Signal>,
    /// Its events in order, each with the reason it belongs here.
    pub members: Members,
    /// Changes that went back to an earlier revision, whatever their sources call them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rollbacks: Vec<EventId>,
    /// One verdict per criterion, in the order of the rules.
    pub verdicts: Vec<Verdict>,
    /// The strongest decision among the current verdicts.
    pub decision: Decision,
    /// The heaviest form among the verdicts that lead to a postmortem; `None` without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub form: Option<PostmortemForm>,
    /// The announced decision. Rules only raise it; only a person lowers it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub announced: Option<Announced>,
    /// The latest review by a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review: Option<Reviewed>,
    /// Review state after announcement and review.
    pub standing: ReviewState,
    /// Reason for that state: one sentence for a stakeholder.
    pub reason: String,
    /// The incident in whose bundle this one is: both began together, in one scope or one dependency
    /// apart, or it is a suggestion beyond the limit. `None` when it
    /// is on its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle: Option<IncidentId>,
    /// Aliases assigned by people that its events use.
    #[serde(default, skip_serializing_if = "Identities::is_empty")]
    pub identities: Identities,
}

/// An announced decision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Announced {
    /// The decision.
    pub decision: Decision,
    /// Time of the announcement.
    pub at: Time,
    /// Time of the first announcement for this incident.
    pub first_at: Time,
    /// The criteria met.
    pub criteria: Vec<String>,
    /// The reason, in one sentence.
    pub sentence: String,
    /// The sentence that explains why it is suggested and not opened, once the limit of postmortems
    /// is reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<String>,
}

/// A person's review.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reviewed {
    /// The answer.
    #[serde(flatten)]
    pub answer: Answer,
    /// Time of the answer.
    pub at: Time,
    /// The person, when known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Their comment.
    #[serde(default)]
    pub comment: String,
    /// The decision announced at that time.
    pub decision: Decision,
}
