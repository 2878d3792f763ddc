//! The ledger: one entry per closed incident, with its decision, reasons, review and outcome.

use serde::{Deserialize, Serialize};

use super::event::{ActorKind, Fact, Severity};
use super::incident::{Announced, Incident, Reviewed};
use super::postmortem::PostmortemStatus;
use crate::model::correction::{Answer, SnoozeUntil};
use crate::model::id::{IncidentId, PostmortemId};
use crate::model::lifecycle::{Phase, ReviewState};
use crate::model::milestone::Milestones;
use crate::model::time::Time;
use crate::model::verdict::{Decision, Outcome, Verdict};

/// A closed incident in short, with everything its decision is based on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LedgerEntry {
    /// The incident.
    pub incident: IncidentId,
    /// Time of closing.
    pub closed_at: Time,
    /// Its title.
    pub title: String,
    /// The services concerned.
    pub services: Vec<String>,
    /// Their owners.
    pub scope: Vec<String>,
    /// The worst severity of its signals.
    #[serde(default)]
    pub severity: Severity,
    /// The environment of its opening event, where stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// Its milestones.
    pub milestones: Milestones,
    /// The strongest decision among its verdicts.
    pub decision: Decision,
    /// Reasons: the sentence of each verdict that is met and counts.
    pub reasons: Vec<String>,
    /// All verdicts, including those of shadow criteria.
    pub verdicts: Vec<Verdict>,
    /// The announced decision.
    pub announced: Option<Announced>,
    /// The review by a person.
    pub review: Option<Reviewed>,
    /// Review state after both.
    pub standing: ReviewState,
    /// Reason for that state, in one sentence.
    pub reason: String,
    /// Time of the first request for a postmortem by a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested_at: Option<Time>,
    /// The incident in whose bundle this one is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle: Option<IncidentId>,
}

impl LedgerEntry {
    /// The entry for an incident in its current state. `closed_at` is its last phase change.
    #[must_use]
    pub fn of(incident: &Incident) -> Self {
        let met = incident
            .verdicts
            .iter()
            .filter(|verdict| verdict.outcome == Outcome::Met && !verdict.shadow);
        let requests = incident
            .members
            .non_alerts()
            .map(|member| &member.event)
            .filter(|event| {
                let robot = event
                    .actor
                    .as_ref()
                    .is_some_and(|actor| actor.kind == ActorKind::Robot);
                matches!(event.fact, Fact::Request(_)) && !robot
            });
        Self {
            incident: incident.id.clone(),
            closed_at: incident.phase_since,
            title: incident.title.clone(),
            services: incident.services.clone(),
            scope: incident.scope.clone(),
            severity: incident.severity,
            environment: incident.environment.clone(),
            milestones: incident.milestones.clone(),
            decision: incident.decision,
            reasons: met.map(|verdict| verdict.sentence.clone()).collect(),
            verdicts: incident.verdicts.clone(),
            announced: incident.announced.clone(),
            review: incident.review.clone(),
            standing: incident.standing,
            reason: incident.reason.clone(),
            requested_at: requests.map(|event| event.occurred_at).min(),
            bundle: incident.bundle.clone(),
        }
    }

    /// The announced decision; none when nothing was announced.
    #[must_use]
    pub fn decided(&self) -> Decision {
        self.announced
            .as_ref()
            .map_or(Decision::None, |announced| announced.decision)
    }

    /// True when the criterion was met, also as a shadow, or contributed to the announced decision.
    #[must_use]
    pub fn rests_on(&self, criterion: &str) -> bool {
        let met =
            |verdict: &Verdict| verdict.criterion == criterion && verdict.outcome == Outcome::Met;
        self.announced
            .iter()
            .flat_map(|announced| &announced.criteria)
            .any(|name| name == criterion)
            || self.verdicts.iter().any(met)
    }

    /// The verdicts of shadow criteria, each with the decision it would have led to.
    pub fn shadows(&self) -> impl Iterator<Item = (&Verdict, Decision)> {
        self.verdicts
            .iter()
            .filter(|verdict| verdict.shadow)
            .map(|verdict| (verdict, verdict.leads_to(Phase::Closed)))
    }
}

/// An entry with later developments.
#[derive(Debug, Clone, PartialEq)]
pub struct LedgerRecord {
    /// State at closing.
    pub entry: LedgerEntry,
    /// Current state and the time it changed, after late facts or a late answer; `None` when
    /// nothing differs.
    pub amended: Option<(Time, LedgerEntry)>,
    /// Its postmortem.
    pub postmortem: Option<PostmortemRef>,
    /// The postmortem's meeting.
    pub meeting: Option<MeetingRef>,
    /// The incident it was merged into after closing.
    pub merged_into: Option<IncidentId>,
    /// True when late facts reopened it and it has not closed again yet.
    pub reopened: bool,
}

/// A postmortem in short.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct PostmortemRef {
    /// Its name.
    pub id: PostmortemId,
    /// Status of the document.
    pub status: PostmortemStatus,
    /// File name within the directory of postmortems.
    pub file: String,
}

/// A meeting in short.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct MeetingRef {
    /// Start.
    pub starts_at: Time,
    /// True when cancelled.
    pub cancelled: bool,
}

/// Outcomes of a closed incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Disposition {
    /// No decision and no postmortem.
    Nothing,
    /// Suggested, not answered yet.
    Waiting,
    /// Suggested, snoozed by a person.
    Snoozed,
    /// Suggested, not answered in time.
    Lapsed,
    /// A person decided against it.
    Dismissed,
    /// Part of another incident's bundle.
    Bundled,
    /// Merged into another incident.
    Merged,
    /// Reopened by late facts, not closed again yet.
    Reopened,
    /// A postmortem is due and not opened yet.
    Due,
    /// Its postmortem is being written.
    Draft,
    /// Its postmortem is in discussion.
    InDiscussion,
    /// Its postmortem is completed.
    Completed,
    /// Its postmortem was declined.
    Declined,
}

impl LedgerRecord {
    /// The entry in its latest state.
    #[must_use]
    pub fn latest(&self) -> &LedgerEntry {
        self.amended
            .as_ref()
            .map_or(&self.entry, |(_, entry)| entry)
    }

    /// Time since which a suggestion waits for an answer, if one does.
    #[must_use]
    pub fn asked_at(&self) -> Option<Time> {
        let latest = self.latest();
        let asked_at = match (latest.standing, &latest.review) {
            (
                ReviewState::Snoozed,
                Some(Reviewed {
                    answer:
                        Answer::Snooze {
                            until: SnoozeUntil::WhenResolved,
                        },
                    at,
                    ..
                }),
            ) => (*at).max(latest.closed_at),
            (ReviewState::Snoozed, Some(review)) => review.at,
            (ReviewState::Suggested | ReviewState::Snoozed, _) => latest.announced.as_ref()?.at,
            (ReviewState::None | ReviewState::Held | ReviewState::Dismissed, _) => return None,
        };
        (latest.bundle.is_none() && self.merged_into.is_none() && !self.reopened)
            .then_some(asked_at)
    }

    /// The outcome. `lapsed` is true when the time to answer is over.
    #[must_use]
    pub fn became(&self, lapsed: bool) -> Disposition {
        let latest = self.latest();
        match (&self.postmortem, latest.standing) {
            _ if self.merged_into.is_some() => Disposition::Merged,
            _ if self.reopened => Disposition::Reopened,
            (Some(postmortem), _) => match postmortem.status {
                PostmortemStatus::Draft => Disposition::Draft,
                PostmortemStatus::InDiscussion => Disposition::InDiscussion,
                PostmortemStatus::Completed => Disposition::Completed,
                PostmortemStatus::Declined => Disposition::Declined,
            },
            (None, ReviewState::None) => Disposition::Nothing,
            (None, ReviewState::Dismissed) => Disposition::Dismissed,
            (None, _) if latest.bundle.is_some() => Disposition::Bundled,
            (None, ReviewState::Held) => Disposition::Due,
            (None, _) if lapsed => Disposition::Lapsed,
            (None, ReviewState::Suggested) => Disposition::Waiting,
            (None, ReviewState::Snoozed) => Disposition::Snoozed,
        }
    }
}
