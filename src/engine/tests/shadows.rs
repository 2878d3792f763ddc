//! Shadow criteria: decisions are recorded and have no effect.

use proptest::prelude::{prop_assert_eq, proptest};

use super::properties::{difference, history};
use super::{alert, answer, at, only, pass, policy_of, request};
use crate::engine::policy::Policy;
use crate::engine::state::State;
use crate::model::correction::{Answer, DismissReason};
use crate::model::event::{Event, Fact, NearMissReport, Severity};
use crate::model::incident::Incident;
use crate::model::lifecycle::{Phase, ReviewState};
use crate::model::verdict::{Decision, Outcome};

const LIVE: &str = "
  - {name: outage, on: outage, decision: hold}
  - {name: long, on: degradation, longest: 30m, decision: suggest}
  - {name: near, on: near_miss, quiet_for: 2h, at_most: 1 per 1h, decision: suggest}
  - {name: asked, on: request, where: request.requester == 'lin', decision: hold}
";

/// One of every kind, each laxer than what decides.
const TRIED: &str = "
  - {name: t-outage, on: outage, decision: hold, shadow: true}
  - {name: t-long, on: degradation, longest: 1m, decision: hold, shadow: true}
  - {name: t-by-hand, on: intervention, decision: hold, shadow: true}
  - {name: t-asked, on: request, decision: hold, shadow: true}
  - {name: t-near, on: near_miss, quiet_for: 1m, at_most: 9 per 1h, decision: hold, shadow: true}
  - {name: t-again, on: recurrence, times: 2, within: 3h, decision: hold, shadow: true}
";

fn beside(shadows: &str) -> Policy {
    // First in the rules, where of equals they would speak.
    policy_of(&format!("criteria:{shadows}{LIVE}"))
}

/// The incidents without what shadows say of them.
fn without_shadows(state: &State) -> Vec<Incident> {
    let mut all: Vec<Incident> = state.incidents().cloned().collect();
    for incident in &mut all {
        incident.verdicts.retain(|verdict| !verdict.shadow);
    }
    all
}

proptest! {
    /// Revisions, announcements with their times, bundles, quotas of near misses, reasons: all of it is as without them.
    #[test]
    fn shadows_change_nothing(events in history(), late in history()) {
        let run = |policy: &Policy| {
            let mut state = State::default();
            for event in &events {
                state.apply(vec![event.clone()], policy, at(320));
            }
            pass(&mut state, policy, 340);
            state.apply(late.clone(), policy, at(400));
            pass(&mut state, policy, 700);
            state
        };
        let (alone, tried) = (run(&beside("")), run(&beside(TRIED)));
        prop_assert_eq!(difference(&without_shadows(&alone), &without_shadows(&tried)), "");
    }
}

#[test]
fn a_met_shadow_announces_nothing_and_sends_no_answer_back() {
    let policy = policy_of(
        "criteria: [{name: tried, on: degradation, longest: 40m, decision: hold, shadow: true}, {name: long, on: degradation, longest: 30m, decision: suggest}]",
    );
    let mut state = State::default();
    state.apply(vec![alert("A", "checkout", 0, None)], &policy, at(0));
    pass(&mut state, &policy, 35);
    let before = only(&state);
    assert_eq!(
        (before.standing, before.verdicts[0].outcome),
        (ReviewState::Suggested, Outcome::NotMet)
    );
    pass(&mut state, &policy, 41);
    let incident = only(&state);
    let tried = &incident.verdicts[0];
    assert_eq!(
        (tried.outcome, tried.shadow, tried.leads_to(incident.phase)),
        (Outcome::Met, true, Decision::Hold)
    );
    assert_eq!(
        (incident.decision, incident.standing, incident.revision),
        (Decision::Suggest, ReviewState::Suggested, before.revision)
    );
    assert_eq!(incident.announced.unwrap().criteria, ["long"]);
}

#[test]
fn an_unknown_shadow_suggests_nothing_at_resolution() {
    let policy = policy_of(
        "criteria: [{name: tried, on: degradation, where: incident.budget_spent > 0.5, longest: 10m, decision: hold, shadow: true}]",
    );
    let mut state = State::default();
    state.apply(
        vec![
            alert("A", "checkout", 0, None),
            alert("A", "checkout", 0, Some(20)),
        ],
        &policy,
        at(20),
    );
    pass(&mut state, &policy, 100);
    let incident = only(&state);
    assert_eq!(
        (incident.phase, incident.verdicts[0].outcome),
        (Phase::Closed, Outcome::Unknown)
    );
    assert_eq!(
        incident.verdicts[0].leads_to(incident.phase),
        Decision::Suggest,
        "it would have"
    );
    assert_eq!(
        (incident.decision, incident.standing, incident.announced),
        (Decision::None, ReviewState::None, None)
    );
    assert_eq!(incident.reason, "No postmortem: no criterion leads to one.");
}

#[test]
fn a_shadow_brings_no_dismissed_decision_back() {
    let policy = policy_of(
        "criteria: [{name: tried, on: request, decision: hold, shadow: true}, {name: long, on: degradation, longest: 30m, decision: hold}]",
    );
    let mut state = State::default();
    state.apply(vec![alert("A", "checkout", 0, None)], &policy, at(0));
    pass(&mut state, &policy, 31);
    state.apply(
        vec![answer(
            &only(&state),
            32,
            Answer::Dismiss {
                reason: DismissReason::Noise,
            },
        )],
        &policy,
        at(32),
    );
    state.apply(vec![request(&only(&state), 33)], &policy, at(33));
    let incident = only(&state);
    assert_eq!(
        (incident.verdicts[0].outcome, incident.standing),
        (Outcome::Met, ReviewState::Dismissed)
    );
}

#[test]
fn a_shadow_takes_no_place_of_a_near_miss() {
    let near = |minutes: i64| {
        let what = format!("the disk was full to {} %", 90 + minutes / 10);
        let fact = NearMissReport {
            what,
            severity: Severity::Critical,
            closeness: Some(0.9),
            by_luck: false,
            barriers_left: None,
        };
        let mut event = Event::new("test", at(minutes), Fact::NearMiss(fact));
        event.service = Some("checkout".into());
        event.identify();
        event
    };
    let shadow = "{name: tried, on: near_miss, quiet_for: 1m, at_most: 1 per 10m, decision: suggest, shadow: true}";
    let live = "{name: near, on: near_miss, quiet_for: 1m, at_most: 1 per 2h, decision: suggest}";
    let run = |rules: String| {
        let (mut state, policy) = (State::default(), policy_of(&rules));
        for minutes in [0, 40] {
            state.apply(vec![near(minutes)], &policy, at(minutes));
            pass(&mut state, &policy, minutes + 39);
        }
        pass(&mut state, &policy, 400);
        assert_eq!(state.incidents().count(), 2);
        let announced = state
            .incidents()
            .filter_map(|incident| Some((incident.title.clone(), incident.announced.clone()?)));
        announced.collect::<Vec<_>>()
    };
    let alone = run(format!("criteria: [{live}]"));
    assert_eq!(alone.len(), 1, "{alone:?}");
    assert_eq!(run(format!("criteria: [{shadow}, {live}]")), alone);
    assert_eq!(run(format!("criteria: [{shadow}]")), []);
}
