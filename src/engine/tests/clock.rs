//! Steps of the reference clock, forward and back.

use chrono::TimeDelta;
use proptest::prelude::{Strategy, prop_assert, proptest};

use super::{alert, at, only, pass, policy};
use crate::engine::policy::Policy;
use crate::engine::state::State;
use crate::model::event::{AlertStatus, ClockStep, Declaration, Event, Fact, Severity};
use crate::model::lifecycle::Phase;
use crate::model::spans::{Span, SpanState};
use crate::model::time::Time;
use crate::model::verdict::Outcome;

fn set_clock(state: &mut State, policy: &Policy, from: i64, to: i64) {
    step(state, policy, at(from), at(to));
}

fn step(state: &mut State, policy: &Policy, from: Time, to: Time) {
    let known = super::loose(state).filter(|event| matches!(event.fact, Fact::ClockStep(_)));
    let position = known.count() as u64;
    let step = ClockStep { from, to, position };
    let event = Event::new("afterword", to, Fact::ClockStep(step));
    state.tick_until(policy, from, &mut Default::default());
    state.apply(vec![event], policy, to);
}

fn outcome(state: &State, criterion: &str) -> Outcome {
    let incident = only(state);
    let mut verdicts = incident.verdicts.into_iter();
    verdicts
        .find(|verdict| verdict.criterion == criterion)
        .unwrap()
        .outcome
}

fn spans(state: &State) -> Vec<(i64, Option<i64>, SpanState)> {
    let minutes = |at: Time| (at - super::at(0)).num_minutes();
    let incident = only(state);
    let spans = incident.signals[0].spans.iter();
    spans
        .map(|Span { start, end, state }| (minutes(*start), end.map(minutes), *state))
        .collect()
}

fn declared(status: AlertStatus, minutes: i64) -> Event {
    let mut event = Event::new(
        "people",
        at(minutes),
        Fact::Declaration(Declaration {
            key: String::new(),
            title: "down".to_owned(),
            severity: Severity::Critical,
            status,
            planned: false,
            data_loss: None,
            detected_by: None,
        }),
    );
    event.service = Some("checkout".into());
    event.identify();
    event
}

#[test]
fn time_skipped_by_a_step_forward_is_unknown() {
    let (mut state, policy) = (State::default(), policy());
    state.apply(vec![alert("A", "checkout", 0, None)], &policy, at(1));
    set_clock(&mut state, &policy, 5, 45);
    assert_eq!(
        spans(&state),
        [
            (0, Some(5), SpanState::Degraded),
            (5, Some(45), SpanState::Unknown),
            (45, None, SpanState::Degraded)
        ]
    );
    assert_eq!(outcome(&state, "long"), Outcome::Unknown);
    pass(&mut state, &policy, 74);
    assert_eq!(outcome(&state, "long"), Outcome::Unknown);
    pass(&mut state, &policy, 75);
    assert_eq!(outcome(&state, "long"), Outcome::Met);
}

#[test]
fn alert_after_a_step_forward_is_not_old_by_the_step() {
    let (mut state, policy) = (State::default(), policy());
    set_clock(&mut state, &policy, 0, 120);
    // Its sender has the time that we had.
    state.apply(vec![alert("A", "checkout", 1, None)], &policy, at(121));
    assert_eq!(outcome(&state, "long"), Outcome::Unknown);
    // Its end is by the same clock as its start.
    state.apply(vec![alert("A", "checkout", 1, Some(9))], &policy, at(130));
    assert_ne!(outcome(&state, "long"), Outcome::Met);
}

#[test]
fn alert_after_a_clock_was_set_back_is_new() {
    let (mut state, policy) = (State::default(), policy());
    state.apply(vec![alert("A", "search", 120, Some(121))], &policy, at(121));
    set_clock(&mut state, &policy, 121, 1);
    state.apply(vec![alert("B", "checkout", 1, None)], &policy, at(1));
    let mut incidents = state.incidents();
    let new = incidents.find(|incident| incident.services == ["checkout"]);
    let verdict = &new.unwrap().verdicts[1];
    assert_eq!(verdict.outcome, Outcome::NotMet, "{}", verdict.sentence);
    assert_eq!(state.now(), at(1));
}

#[test]
fn outage_declared_by_a_clock_that_was_ahead_can_be_ended() {
    let (mut state, policy) = (State::default(), policy());
    state.apply(vec![declared(AlertStatus::Firing, 120)], &policy, at(120));
    set_clock(&mut state, &policy, 125, 5);
    assert_eq!(spans(&state), [(0, None, SpanState::Degraded)]);
    state.apply(vec![declared(AlertStatus::Resolved, 7)], &policy, at(7));
    assert_eq!(spans(&state), [(0, Some(7), SpanState::Degraded)]);
    pass(&mut state, &policy, 300);
    assert_eq!(only(&state).phase, Phase::Closed);
}

#[test]
fn degradation_goes_on_through_a_step_back() {
    let (mut state, policy) = (State::default(), policy());
    state.apply(vec![alert("A", "checkout", 100, None)], &policy, at(100));
    pass(&mut state, &policy, 120);
    set_clock(&mut state, &policy, 120, 40);
    assert_eq!(spans(&state), [(20, None, SpanState::Degraded)]);
    pass(&mut state, &policy, 49);
    assert_eq!(outcome(&state, "long"), Outcome::NotMet);
    pass(&mut state, &policy, 50);
    assert_eq!(outcome(&state, "long"), Outcome::Met);
}

#[test]
fn step_that_is_taken_back_leaves_no_gap() {
    let (mut state, policy) = (State::default(), policy());
    state.apply(vec![alert("A", "checkout", 0, None)], &policy, at(0));
    set_clock(&mut state, &policy, 5, 45);
    pass(&mut state, &policy, 50);
    set_clock(&mut state, &policy, 50, 10);
    assert_eq!(spans(&state).last(), Some(&(0, None, SpanState::Degraded)));
}

/// Minutes until the next thing that happens, and what that is.
#[derive(Debug, Clone, Copy)]
enum Happening {
    /// The clock is set by so many minutes.
    Step(i64),
    /// An alert begins and lasts so many minutes.
    Alert(i64),
}

fn happenings() -> impl Strategy<Value = Vec<(i64, Happening)>> {
    use proptest::prelude::prop_oneof;
    let step = prop_oneof![-200_i64..-2, 3_i64..200].prop_map(Happening::Step);
    let alert = (1_i64..90).prop_map(Happening::Alert);
    proptest::collection::vec((1_i64..50, prop_oneof![step, alert]), 1..9)
}

/// The event as intake gives it: a time ahead of the clock is taken as now.
fn received(mut event: Event, clock: Time) -> Event {
    if event.occurred_at > clock + TimeDelta::minutes(2) {
        event.occurred_at = clock;
        event.clamped = true;
    }
    event
}

proptest! {
    /// Senders have the true time, and each alert is of an incident of its own. The clock is right at
    /// first and set to and fro, each time noticed at once.
    #[test]
    fn steps_of_the_clock_neither_meet_nor_miss_a_criterion(happenings in happenings()) {
        let (mut state, policy) = (State::default(), super::policy_of("
criteria: [{name: long, on: degradation, longest: 30m, decision: hold}]
correlation: {correlate_by: [alertname]}
"));
        let mut ahead = 0;
        let (mut begins, mut happens) = (Vec::new(), 0);
        let mut steps = std::collections::BTreeMap::new();
        for (wait, what) in happenings {
            happens += wait;
            match what {
                Happening::Step(by) => *steps.entry(happens).or_insert(0) += by,
                Happening::Alert(lasts) => begins.push((happens, lasts)),
            }
        }
        for now in 0..happens + 100 {
            let clock = at(now + ahead);
            pass(&mut state, &policy, now + ahead);
            if let Some(by) = steps.get(&now).filter(|by| **by != 0) {
                ahead += by;
                step(&mut state, &policy, clock, at(now + ahead));
            }
            let clock = at(now + ahead);
            for (index, (begin, lasts)) in begins.iter().enumerate() {
                let name = format!("A{index}");
                if *begin == now {
                    let event = received(alert(&name, "checkout", now, None), clock);
                    state.apply(vec![event], &policy, clock);
                } else if begin + lasts == now {
                    let event = received(alert(&name, "checkout", *begin, Some(now)), clock);
                    state.apply(vec![event], &policy, clock);
                }
            }
            for incident in state.incidents() {
                let Fact::Alert(first) = &incident.members[0].event.fact else { continue };
                let index: usize = first.name[1..].parse().unwrap();
                let (begin, lasts) = begins[index];
                let degraded = (now - begin).min(lasts);
                let outcome = incident.verdicts[0].outcome;
                prop_assert!(
                    outcome != Outcome::Met || degraded >= 30,
                    "{name} at {now}: {degraded}m are not enough: {incident:#?}",
                    name = first.name
                );
                // A start up to two minutes ahead of our clock is taken as it is.
                prop_assert!(
                    outcome != Outcome::NotMet || degraded < 32 || now >= begin + lasts,
                    "{name} at {now}: {degraded}m are enough: {incident:#?}",
                    name = first.name
                );
            }
        }
    }
}
