//! The ledger: every closed incident, what was decided and why, what people answered, and what came of it.

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

/// A closed incident in short, with all that its decision rests on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LedgerEntry {
    /// The incident.
    pub incident: IncidentId,
    /// When it was closed.
    pub closed_at: Time,
    /// What it was about.
    pub title: String,
    /// The services concerned.
    pub services: Vec<String>,
    /// Their owners.
    pub scope: Vec<String>,
    /// The worst severity of its signals.
    #[serde(default)]
    pub severity: Severity,
    /// The environment of its opening event, where that was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// When each turn of it was.
    pub milestones: Milestones,
    /// What its verdicts came to.
    pub decision: Decision,
    /// Why: the sentence of each verdict that is met and counts.
    pub reasons: Vec<String>,
    /// All verdicts, those of shadows among them.
    pub verdicts: Vec<Verdict>,
    /// What was made known.
    pub announced: Option<Announced>,
    /// What a person answered.
    pub review: Option<Reviewed>,
    /// What stands after both.
    pub standing: ReviewState,
    /// Why it stands so, in one sentence.
    pub reason: String,
    /// When a person first asked for a postmortem, where one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested_at: Option<Time>,
    /// The incident in whose bundle this one waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle: Option<IncidentId>,
}

impl LedgerEntry {
    /// The entry of an incident as it stands. `closed_at` is when its phase last changed.
    #[must_use]
    pub fn of(incident: &Incident) -> Self {
        let met = incident
            .verdicts
            .iter()
            .filter(|verdict| verdict.outcome == Outcome::Met && !verdict.shadow);
        let requests = incident
            .members
            .told()
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

    /// What was made known of it.
    #[must_use]
    pub fn decided(&self) -> Decision {
        self.announced
            .as_ref()
            .map_or(Decision::None, |announced| announced.decision)
    }

    /// Whether that criterion was met on it, as a shadow too, or had a part in what was made known.
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

    /// The verdicts of shadows, each with what it would have led to.
    pub fn shadows(&self) -> impl Iterator<Item = (&Verdict, Decision)> {
        self.verdicts
            .iter()
            .filter(|verdict| verdict.shadow)
            .map(|verdict| (verdict, verdict.leads_to(Phase::Closed)))
    }
}

/// An entry with what became of it later.
#[derive(Debug, Clone, PartialEq)]
pub struct LedgerRecord {
    /// As it stood at closing.
    pub entry: LedgerEntry,
    /// As it stands since late facts or a late answer, and when that was; `None` while nothing differs.
    pub amended: Option<(Time, LedgerEntry)>,
    /// Its postmortem.
    pub postmortem: Option<PostmortemRef>,
    /// The meeting on that.
    pub meeting: Option<MeetingRef>,
    /// The incident that has its events since it was closed.
    pub merged_into: Option<IncidentId>,
    /// Late facts have joined it, and it has not closed again yet.
    pub reopened: bool,
}

/// A postmortem in short.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct PostmortemRef {
    /// Its name.
    pub id: PostmortemId,
    /// Where it is in its life.
    pub status: PostmortemStatus,
    /// File name within the directory of postmortems.
    pub file: String,
}

/// A meeting in short.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct MeetingRef {
    /// When it starts.
    pub starts_at: Time,
    /// True once called off.
    pub cancelled: bool,
}

/// What came of a closed incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Disposition {
    /// Nothing was decided, and nothing followed.
    Nothing,
    /// Suggested; nobody has answered yet.
    Waiting,
    /// Suggested; somebody wants to be asked again later.
    Snoozed,
    /// Suggested; nobody answered in time.
    Lapsed,
    /// A person decided against it.
    Dismissed,
    /// It waits in the bundle of another incident.
    Bundled,
    /// It is part of another incident by now.
    Merged,
    /// Late facts have joined it, and it has not closed again yet.
    Reopened,
    /// A postmortem is due, and not opened yet.
    Due,
    /// Its postmortem is being written.
    Draft,
    /// Its postmortem is being talked through.
    InDiscussion,
    /// Its postmortem is done.
    Completed,
    /// Its postmortem is not held after all.
    Declined,
}

impl LedgerRecord {
    /// As it stands by now.
    #[must_use]
    pub fn latest(&self) -> &LedgerEntry {
        self.amended
            .as_ref()
            .map_or(&self.entry, |(_, entry)| entry)
    }

    /// Since when a suggestion of it waits for an answer, where one does.
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

    /// What came of it. `lapsed`: whether the time to answer is over.
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
