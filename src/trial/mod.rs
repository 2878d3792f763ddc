//! Rule trials: scenarios run through the engine that also decides live.

pub mod backtest;
pub mod comparison;
pub(crate) mod csv;
pub(crate) mod difference;
pub(crate) mod precision;
mod samples;

use std::collections::VecDeque;

use chrono::TimeDelta;

use crate::engine::as_of::as_of;
use crate::engine::changes::IncidentChanges;
use crate::engine::policy::Policy;
use crate::engine::state::State;
use crate::model::event::Event;
use crate::model::incident::Incident;
use crate::model::lifecycle::ReviewState;
use crate::model::time::Time;
use crate::model::verdict::{Decision, PostmortemForm};
use crate::rules::scenario::{Expectation, Scenario};
use difference::{Difference, duration};

/// A failed scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScenarioFailure {
    /// The scenario.
    pub scenario: String,
    /// Its line.
    pub line: u64,
    /// Its differences; at least one.
    pub differences: Vec<Difference>,
}

/// Beginning of a scenario that states none: an ordinary Monday morning.
const ORIGIN: Time = match Time::from_timestamp(1_767_603_600, 0) {
    Some(origin) => origin,
    None => Time::UNIX_EPOCH,
};

/// Runs a scenario under the policy; `None` when it passes.
#[must_use]
pub fn run(scenario: &Scenario, policy: &Policy) -> Option<ScenarioFailure> {
    let origin = scenario.starts.unwrap_or(ORIGIN);
    let mut made: Vec<Event> = scenario
        .events
        .iter()
        .map(|event| event.event(origin))
        .collect();
    let failure = |differences| ScenarioFailure {
        scenario: scenario.name.clone(),
        line: scenario.line,
        differences,
    };
    match samples::events(&scenario.samples, &policy.rules.conditions, origin) {
        Ok(turns) => made.extend(turns),
        Err(differences) => return Some(failure(differences)),
    }
    made.sort_by_key(|event| event.occurred_at);
    let mut events = VecDeque::from(made);
    let mut expected: Vec<&Expectation> = scenario.expect.iter().collect();
    expected.sort_by_key(|expect| expect.at);
    let mut state = State::default();
    let mut differences = Vec::new();
    for expect in expected {
        let at = origin + TimeDelta::seconds(expect.at);
        while let Some(event) = events.pop_front_if(|event| event.occurred_at <= at) {
            state.tick_until(policy, event.occurred_at, &mut IncidentChanges::default());
            let now = event.occurred_at;
            state.apply(vec![event], policy, now);
        }
        state.tick_until(policy, at, &mut IncidentChanges::default());
        state.tick(policy, at);
        compare(expect, &state, policy, &mut differences);
    }
    (!differences.is_empty()).then(|| failure(differences))
}

fn compare(
    expect: &Expectation,
    state: &State,
    policy: &Policy,
    differences: &mut Vec<Difference>,
) {
    let of_service = |incident: &&Incident| {
        expect
            .service
            .as_ref()
            .is_none_or(|service| incident.services.contains(service))
    };
    let found: Vec<Incident> = state
        .incidents()
        .filter(of_service)
        .map(|incident| as_of(incident.clone(), policy, state.now()))
        .collect();
    let at = duration(expect.at);
    let mut differ = |what: &str, expected: String, got: String, why: &str| {
        let (at, what, why) = (at.clone(), what.to_owned(), why.to_owned());
        differences.push(Difference {
            at,
            line: expect.line,
            what,
            expected,
            got,
            why,
        });
    };
    if let Some(count) = expect.incidents.filter(|&count| count != found.len()) {
        differ("incidents", count.to_string(), found.len().to_string(), "");
    }
    let wanted = |incident: &&Incident| {
        incident.bundle.is_none()
            && matches!(
                incident.standing,
                ReviewState::Held | ReviewState::Suggested | ReviewState::Snoozed
            )
    };
    let postmortems = found.iter().filter(wanted).count();
    if let Some(count) = expect.postmortems.filter(|&count| count != postmortems) {
        differ(
            "postmortems",
            count.to_string(),
            postmortems.to_string(),
            "",
        );
    }
    let announced = |incident: &Incident| {
        incident
            .announced
            .as_ref()
            .map_or(Decision::None, |announced| announced.decision)
    };
    let strongest = found.iter().max_by_key(|incident| announced(incident));
    if let Some(wanted) = expect.decision {
        let got = strongest.map_or(Decision::None, announced);
        if got != wanted {
            differ(
                "decision",
                shown(&wanted),
                shown(&got),
                strongest.map_or("no incident", |incident| &incident.reason),
            );
        }
    }
    if let Some(wanted) = expect.form {
        let got = found.iter().filter_map(|incident| incident.form).max();
        if got != Some(wanted) {
            let got = got.map_or("none", PostmortemForm::label).to_owned();
            differ("form", wanted.label().to_owned(), got, "");
        }
    }
    for (criterion, wanted) in &expect.criteria {
        let verdicts = found
            .iter()
            .flat_map(|incident| &incident.verdicts)
            .filter(|verdict| verdict.criterion == *criterion);
        let all: Vec<_> = verdicts.collect();
        if all.iter().any(|verdict| verdict.outcome == *wanted) {
            continue;
        }
        match all.first() {
            Some(verdict) => differ(
                criterion,
                shown(wanted),
                shown(&verdict.outcome),
                &verdict.sentence,
            ),
            None => differ(
                criterion,
                shown(wanted),
                "no verdict".to_owned(),
                "there is no incident, or no criterion with this name",
            ),
        }
    }
}

fn shown(word: &impl serde::Serialize) -> String {
    serde_json::to_string(word)
        .unwrap_or_default()
        .trim_matches('"')
        .to_owned()
}

#[cfg(test)]
mod tests;
