//! Backtests: replays a log under one rule set.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::engine::as_of::{as_of, as_of_log_end};
use crate::engine::changes::IncidentChanges;
use crate::engine::policy::Policy;
use crate::engine::replay::Replay;
use crate::model::event::Event;
use crate::model::id::IncidentId;
use crate::model::incident::Incident;
use crate::model::lifecycle::Phase;
use crate::model::time::Time;
use crate::model::verdict::{Decision, Outcome};

/// A replay of a log under one rule set.
#[derive(Debug)]
pub struct Backtester {
    replay: Replay,
    from: Time,
    seen: BTreeMap<IncidentId, TrackedIncident>,
}

/// The latest state of an incident, at closing or at the end.
#[derive(Debug)]
struct TrackedIncident {
    case: IncidentOutcome,
    /// The criteria that are met or unknown.
    met: Vec<(Arc<str>, Outcome)>,
}

/// Result for one incident.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IncidentOutcome {
    /// The incident.
    pub incident: IncidentId,
    /// Its title.
    pub title: String,
    /// The services concerned.
    pub services: Vec<String>,
    /// Its beginning, if known, otherwise its opening.
    pub began: Time,
    /// The announced decision.
    pub decision: Decision,
    /// Time of the announcement.
    pub decided_at: Option<Time>,
    /// The incident whose postmortem covers it; `None` when it is on its own.
    pub bundle: Option<IncidentId>,
    /// The criteria the decision is based on.
    pub criteria: Vec<String>,
    /// The reason: the sentence of the deciding verdict, or of the one that came closest.
    pub sentence: String,
}

/// Totals for one criterion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CriterionCounts {
    /// Its name.
    pub criterion: String,
    /// True for a shadow criterion.
    pub shadow: bool,
    /// Number of incidents on which it was met.
    pub met: usize,
    /// Number of incidents on which it was unknown.
    pub unknown: usize,
    /// Number of incidents whose decision it contributed to.
    pub decided: usize,
}

/// Result for a whole log under one rule set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BacktestResult {
    /// One result per incident.
    pub cases: BTreeMap<IncidentId, IncidentOutcome>,
    /// In the order of the rules.
    pub criteria: Vec<CriterionCounts>,
}

impl Backtester {
    /// Starts a backtest. Incidents that began before `from` are not reported; the log before it is
    /// only context.
    #[must_use]
    pub fn under(policy: Arc<Policy>, from: Time) -> Self {
        Self {
            replay: Replay::new(policy),
            from,
            seen: BTreeMap::new(),
        }
    }

    /// Replays the next record of the log, at the clock's reading when it was logged.
    pub fn take(&mut self, clock_at: Time, events: impl IntoIterator<Item = Event>) {
        let changes = self.replay.push(clock_at, events);
        self.note(&changes);
    }

    /// Switches to other rules, as stated by the latest record.
    pub fn adopt(&mut self, policy: Arc<Policy>) {
        self.replay.set_policy(policy);
    }

    /// Advances the time to `now`; no earlier records follow.
    pub fn pass(&mut self, now: Time) {
        let changes = self.replay.advance_to(now);
        self.note(&changes);
    }

    /// The result as of `now`.
    #[must_use]
    pub fn end(self, now: Time) -> BacktestResult {
        self.result(now, as_of)
    }

    /// The result of a log that ended at `end`, in the past tense: nothing is known after it.
    #[must_use]
    pub fn end_of_log(self, end: Time) -> BacktestResult {
        self.result(end, as_of_log_end)
    }

    fn result(
        mut self,
        now: Time,
        shown: fn(Incident, &Policy, Time) -> Incident,
    ) -> BacktestResult {
        self.pass(now);
        let open = self
            .replay
            .state()
            .incidents()
            .filter(|incident| incident.phase != Phase::Closed);
        let open: Vec<(IncidentId, TrackedIncident)> = open
            .map(|incident| shown(incident.clone(), self.replay.policy(), now))
            .map(|incident| (incident.id.clone(), TrackedIncident::of(&incident)))
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
        // An incident that is not closed changes again, at the latest by closing.
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
            sentence: incident.reason.clone(),
        }
    }
}
