//! What rules would have decided over a log, and how two rule sets differ.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::engine::replay::Replay;
use crate::engine::{Changes, InForce};
use crate::model::Time;
use crate::model::event::Event;
use crate::model::incident::{Decision, Incident, IncidentId, Outcome, Phase};

/// A log under one rule set, as far as it has been read.
#[derive(Debug)]
pub struct Backtest<'a> {
    force: &'a InForce,
    replay: Replay,
    cases: BTreeMap<IncidentId, Case>,
    met: BTreeMap<IncidentId, Box<[Outcome]>>,
}

/// What came of an incident.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Case {
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
    /// The criteria that it rests on.
    pub criteria: Vec<String>,
    /// Why, or why not: the sentence of the verdict that tipped it, or of the one that came closest.
    pub sentence: String,
}

/// How often a criterion was met.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Counted {
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
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Result {
    /// One case an incident, by incident.
    pub cases: BTreeMap<IncidentId, Case>,
    /// In the order of the rules.
    pub criteria: Vec<Counted>,
}

impl<'a> Backtest<'a> {
    /// Begins one.
    #[must_use]
    pub fn under(force: &'a InForce) -> Self {
        Self { force, replay: Replay::default(), cases: BTreeMap::new(), met: BTreeMap::new() }
    }

    /// Takes the next record of the log.
    pub fn take(&mut self, logged_at: Time, events: impl IntoIterator<Item = Event>) {
        let changes = self.replay.take(logged_at, events, self.force);
        self.note(&changes);
    }

    /// What came of it by `now`.
    #[must_use]
    pub fn end(mut self, now: Time) -> Result {
        let changes = self.replay.until(now, self.force);
        self.note(&changes);
        let open: Vec<Case> = self.replay.state().incidents().filter(|incident| incident.phase != Phase::Closed).map(Case::of).collect();
        for incident in self.replay.state().incidents().filter(|incident| incident.phase != Phase::Closed) {
            self.met.insert(incident.id.clone(), outcomes(incident));
        }
        self.cases.extend(open.into_iter().map(|case| (case.incident.clone(), case)));
        let criteria = self.force.rules.criteria.iter().enumerate().map(|(index, criterion)| {
            let count = |wanted: Outcome| self.met.values().filter(|outcomes| outcomes.get(index) == Some(&wanted)).count();
            let decided = self.cases.values().filter(|case| case.criteria.contains(&criterion.name)).count();
            let (met, unknown) = (count(Outcome::Met), count(Outcome::Unknown));
            Counted { criterion: criterion.name.clone(), shadow: criterion.shadow, met, unknown, decided }
        });
        Result { criteria: criteria.collect(), cases: self.cases }
    }

    fn note(&mut self, changes: &Changes) {
        for id in changes.removed.keys() {
            self.cases.remove(id);
            self.met.remove(id);
        }
        // One that is not closed yet changes again, at the latest by closing.
        let state = self.replay.state();
        for incident in changes.changed.iter().filter_map(|id| state.incident(id)).filter(|incident| incident.phase == Phase::Closed) {
            self.met.insert(incident.id.clone(), outcomes(incident));
            self.cases.insert(incident.id.clone(), Case::of(incident));
        }
    }
}

fn outcomes(incident: &Incident) -> Box<[Outcome]> {
    incident.verdicts.iter().map(|verdict| verdict.outcome).collect()
}

impl Case {
    fn of(incident: &Incident) -> Self {
        let opened = incident.members.iter().next().map_or(incident.phase_since, |member| member.event.occurred_at);
        let announced = incident.announced.as_ref();
        Self {
            incident: incident.id.clone(),
            title: incident.title.clone(),
            services: incident.services.clone(),
            began: incident.milestones.began.as_ref().map_or(opened, |began| began.at),
            decision: announced.map_or(Decision::None, |announced| announced.decision),
            decided_at: announced.map(|announced| announced.at),
            criteria: announced.map(|announced| announced.criteria.clone()).unwrap_or_default(),
            sentence: announced.map_or_else(|| incident.reason.clone(), |announced| announced.sentence.clone()),
        }
    }
}

/// How an incident fares under other rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Shift {
    /// Held now, and was not.
    NewlyHeld,
    /// Was held, and is not now.
    NoLongerHeld,
    /// Suggested now, and was neither suggested nor held.
    NewlySuggested,
    /// Was suggested, and is neither now.
    NoLongerSuggested,
    /// As before: held or suggested.
    Unchanged,
}

/// An incident under two rule sets.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Compared {
    /// How it fares.
    pub shift: Shift,
    /// The decision under the rules it is compared with.
    pub before: Decision,
    /// What came of it; the sentence is of the verdict that tipped it.
    #[serde(flatten)]
    pub case: Case,
}

/// How many were held and suggested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Tally {
    /// All incidents.
    pub incidents: usize,
    /// Held.
    pub held: usize,
    /// Suggested.
    pub suggested: usize,
}

impl Tally {
    /// Of one result.
    #[must_use]
    pub fn of(result: &Result) -> Self {
        let count = |decision| result.cases.values().filter(|case| case.decision == decision).count();
        Self { incidents: result.cases.len(), held: count(Decision::Hold), suggested: count(Decision::Suggest) }
    }
}

/// Every incident that is held or suggested under either rule set: what has changed first, then by its beginning.
#[must_use]
pub fn compare(before: &Result, after: &Result) -> Vec<Compared> {
    let mut all = Vec::new();
    for (id, case) in &after.cases {
        let was = before.cases.get(id).map_or(Decision::None, |case| case.decision);
        all.extend(shift(was, case.decision).map(|shift| Compared { shift, before: was, case: case.clone() }));
    }
    // Under other correlation it may be no incident of its own.
    for case in before.cases.values().filter(|case| !after.cases.contains_key(&case.incident)) {
        let other = Case {
            decision: Decision::None,
            decided_at: None,
            criteria: Vec::new(),
            sentence: "Under these rules it is no incident of its own.".to_owned(),
            ..case.clone()
        };
        all.extend(shift(case.decision, Decision::None).map(|shift| Compared { shift, before: case.decision, case: other }));
    }
    all.sort_by(|one, other| (one.shift, one.case.began, &one.case.incident).cmp(&(other.shift, other.case.began, &other.case.incident)));
    all
}

fn shift(before: Decision, after: Decision) -> Option<Shift> {
    match (before, after) {
        (Decision::None, Decision::None) => None,
        (Decision::Hold, Decision::Hold) | (Decision::Suggest, Decision::Suggest) => Some(Shift::Unchanged),
        (_, Decision::Hold) => Some(Shift::NewlyHeld),
        (Decision::Hold, _) => Some(Shift::NoLongerHeld),
        (Decision::None, Decision::Suggest) => Some(Shift::NewlySuggested),
        (Decision::Suggest, Decision::None) => Some(Shift::NoLongerSuggested),
    }
}
