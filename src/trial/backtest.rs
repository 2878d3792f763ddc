//! What rules would have decided over a log.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::engine::changes::IncidentChanges;
use crate::engine::policy::Policy;
use crate::engine::replay::Replay;
use crate::model::event::Event;
use crate::model::id::IncidentId;
use crate::model::incident::Incident;
use crate::model::lifecycle::Phase;
use crate::model::time::Time;
use crate::model::verdict::{Decision, Outcome};

/// A log under one rule set, as far as it has been read.
#[derive(Debug)]
pub struct Backtester {
    replay: Replay,
    from: Time,
    seen: BTreeMap<IncidentId, TrackedIncident>,
}

/// An incident as it was seen last, at its closing or at the end.
#[derive(Debug)]
struct TrackedIncident {
    case: IncidentOutcome,
    /// Of each criterion that is met, or of which nobody can say: its name.
    met: Vec<(Arc<str>, Outcome)>,
}

/// What came of an incident.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IncidentOutcome {
    /// The incident.
    pub incident: IncidentId,
    /// What it was about.
    pub title: String,
    /// The services concerned.
    pub services: Vec<String>,
    /// When it began, as far as known, else when it opened.
    pub began: Time,
    /// What the rules made known of it.
    pub decision: Decision,
    /// When.
    pub decided_at: Option<Time>,
    /// The incident in whose postmortem it waits, if it is none for itself.
    pub bundle: Option<IncidentId>,
    /// The criteria that it rests on.
    pub criteria: Vec<String>,
    /// Why, or why not: the sentence of the verdict that tipped it, or of the one that came closest.
    pub sentence: String,
}

/// How often a criterion was met.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CriterionCounts {
    /// Its name.
    pub criterion: String,
    /// Whether it only watches.
    pub shadow: bool,
    /// Incidents on which it was met.
    pub met: usize,
    /// Incidents on which nobody can say.
    pub unknown: usize,
    /// Incidents of whose decision it was a reason.
    pub decided: usize,
}

/// What came of a whole log under one rule set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BacktestResult {
    /// One case an incident, by incident.
    pub cases: BTreeMap<IncidentId, IncidentOutcome>,
    /// In the order of the rules.
    pub criteria: Vec<CriterionCounts>,
}

impl Backtester {
    /// Begins one. Incidents that began before `from` are not told of; the log before it is what they and the rules look back at.
    #[must_use]
    pub fn under(policy: Arc<Policy>, from: Time) -> Self {
        Self {
            replay: Replay::new(policy),
            from,
            seen: BTreeMap::new(),
        }
    }

    /// Takes the next record of the log.
    pub fn take(&mut self, logged_at: Time, events: impl IntoIterator<Item = Event>) {
        let changes = self.replay.push(logged_at, events);
        self.note(&changes);
    }

    /// Puts other rules in force, as the record taken last says.
    pub fn adopt(&mut self, policy: Arc<Policy>) {
        self.replay.set_policy(policy);
    }

    /// Lets time pass until `now`; no more records of before then come.
    pub fn pass(&mut self, now: Time) {
        let changes = self.replay.advance_to(now);
        self.note(&changes);
    }

    /// What came of it by `now`.
    #[must_use]
    pub fn end(mut self, now: Time) -> BacktestResult {
        self.pass(now);
        let open = self
            .replay
            .state()
            .incidents()
            .filter(|incident| incident.phase != Phase::Closed);
        let open: Vec<(IncidentId, TrackedIncident)> = open
            .map(|incident| (incident.id.clone(), TrackedIncident::of(incident)))
            .collect();
        self.seen.extend(open);
        self.seen.retain(|_, seen| seen.case.began >= self.from);
        let criteria = self.replay.policy().rules.criteria.iter().map(|criterion| {
            let found = |wanted: Outcome| {
                let has = |seen: &&TrackedIncident| {
                    seen.met
                        .iter()
                        .any(|(name, outcome)| **name == *criterion.name && *outcome == wanted)
                };
                self.seen.values().filter(has).count()
            };
            let decided = self
                .seen
                .values()
                .filter(|seen| seen.case.criteria.contains(&criterion.name))
                .count();
            let (met, unknown) = (found(Outcome::Met), found(Outcome::Unknown));
            CriterionCounts {
                criterion: criterion.name.clone(),
                shadow: criterion.shadow,
                met,
                unknown,
                decided,
            }
        });
        BacktestResult {
            criteria: criteria.collect(),
            cases: self
                .seen
                .into_iter()
                .map(|(id, seen)| (id, seen.case))
                .collect(),
        }
    }

    fn note(&mut self, changes: &IncidentChanges) {
        for id in changes.removed.keys() {
            self.seen.remove(id);
        }
        // One that is not closed yet changes again, at the latest by closing.
        let state = self.replay.state();
        for incident in changes
            .changed
            .iter()
            .filter_map(|id| state.incident(id))
            .filter(|incident| incident.phase == Phase::Closed)
        {
            self.seen
                .insert(incident.id.clone(), TrackedIncident::of(incident));
        }
    }
}

impl TrackedIncident {
    fn of(incident: &Incident) -> Self {
        let told = incident
            .verdicts
            .iter()
            .filter(|verdict| verdict.outcome != Outcome::NotMet);
        Self {
            case: IncidentOutcome::of(incident),
            met: told
                .map(|verdict| (verdict.criterion.as_str().into(), verdict.outcome))
                .collect(),
        }
    }
}

impl IncidentOutcome {
    fn of(incident: &Incident) -> Self {
        let opened = incident
            .members
            .iter()
            .next()
            .map_or(incident.phase_since, |member| member.event.occurred_at);
        let announced = incident.announced.as_ref();
        Self {
            incident: incident.id.clone(),
            title: incident.title.clone(),
            services: incident.services.clone(),
            began: incident
                .milestones
                .began
                .as_ref()
                .map_or(opened, |began| began.at),
            decision: announced.map_or(Decision::None, |announced| announced.decision),
            decided_at: announced.map(|announced| announced.at),
            bundle: incident.bundle.clone(),
            criteria: announced
                .map(|announced| announced.criteria.clone())
                .unwrap_or_default(),
            sentence: announced.map_or_else(
                || incident.reason.clone(),
                |announced| announced.sentence.clone(),
            ),
        }
    }
}
