//! Bundles and limits: what waits for the answer to another, and what never does.

use super::{RULES, alert, answer, at, outage, pass, request, told};
use crate::engine::policy::Policy;
use crate::engine::state::State;
use crate::model::correction::{Answer, DismissReason};
use crate::model::event::{AlertStatus, Event, Fact};
use crate::model::id::IncidentId;
use crate::model::lifecycle::ReviewState;
use crate::model::settings::{Limits, Service};
use crate::model::verdict::Decision;
use crate::rules::parse;

/// A policy of services, each with an owner and what it depends on.
fn owned(services: &[(&str, &str, &[&str])]) -> Policy {
    let rules = parse::load(&[("rules.yaml".to_owned(), RULES.to_owned())]).unwrap();
    let service = |&(name, owner, needs): &(&str, &str, &[&str])| Service {
        name: name.to_owned(),
        owners: vec![owner.to_owned()],
        depends_on: needs.iter().map(|&need| need.to_owned()).collect(),
        ..Service::default()
    };
    let services: Vec<Service> = services.iter().map(service).collect();
    Policy::new(rules, &services, &[])
}

fn one_team() -> Policy {
    owned(&["a", "b", "c", "d"].map(|name| (name, "ada", &[][..])))
}

fn bundles(state: &State, ids: &[IncidentId]) -> Vec<Option<usize>> {
    let place = |id: &IncidentId| ids.iter().position(|other| other == id);
    ids.iter()
        .map(|id| state.incident(id).unwrap().bundle.as_ref().and_then(place))
        .collect()
}

fn standings(state: &State, ids: &[IncidentId]) -> Vec<ReviewState> {
    let standing = |id: &IncidentId| state.incident(id).unwrap().standing;
    ids.iter().map(standing).collect()
}

fn over(service: &str, minutes: i64) -> Event {
    let mut end = outage(service, minutes);
    if let Fact::Declaration(declaration) = &mut end.fact {
        declaration.status = AlertStatus::Resolved;
    }
    end.identify();
    end
}

/// Declares outages of a service that last five minutes each.
fn outages(state: &mut State, policy: &Policy, service: &str, starts: &[i64]) -> Vec<IncidentId> {
    let mut ids = Vec::new();
    for &start in starts {
        let events = vec![outage(service, start), over(service, start + 5)];
        ids.extend(told(state, policy, events).into_iter().take(1));
    }
    ids
}

#[test]
fn what_begins_together_waits_for_one_answer() {
    let (mut state, policy) = (State::default(), one_team());
    let events = vec![
        outage("a", 0),
        outage("b", 10),
        outage("c", 15),
        outage("d", 16),
    ];
    let ids = told(&mut state, &policy, events);
    assert_eq!(bundles(&state, &ids), [None, Some(0), Some(0), None]);
    // Accepting one of them takes it out of the bundle.
    let accepted = answer(state.incident(&ids[1]).unwrap(), 20, Answer::Accept);
    state.apply(vec![accepted], &policy, at(20));
    assert_eq!(bundles(&state, &ids), [None, None, Some(0), None]);
    // With the first one dismissed the next one speaks.
    let dismissed = answer(
        state.incident(&ids[0]).unwrap(),
        21,
        Answer::Dismiss {
            reason: DismissReason::Noise,
        },
    );
    state.apply(vec![dismissed], &policy, at(21));
    assert_eq!(bundles(&state, &ids), [None, None, Some(1), None]);
}

#[test]
fn hold_is_not_bundled_with_an_incident_of_another_scope() {
    let policy = owned(&[("a", "ada", &[]), ("b", "lin", &[])]);
    let mut state = State::default();
    let ids = told(&mut state, &policy, vec![outage("a", 0), outage("b", 1)]);
    assert_eq!(bundles(&state, &ids), [None, None]);
    assert_eq!(standings(&state, &ids), [ReviewState::Held; 2]);
}

#[test]
fn dependency_is_bundled_across_scopes() {
    // Beyond `join_within` it is an incident of its own.
    let mut policy = owned(&[("a", "ada", &["b"]), ("b", "lin", &[])]);
    policy.limits.bundle_within = 30 * 60;
    let mut state = State::default();
    let ids = told(&mut state, &policy, vec![outage("a", 0), outage("b", 20)]);
    assert_eq!(bundles(&state, &ids), [None, Some(0)]);
}

#[test]
fn hold_does_not_wait_for_a_suggestion() {
    let (mut state, policy) = (State::default(), one_team());
    state.apply(vec![alert("A", "a", 0, None)], &policy, at(0));
    state.apply(vec![alert("B", "b", 10, None)], &policy, at(10));
    pass(&mut state, &policy, 41);
    let ids: Vec<IncidentId> = state
        .incidents()
        .map(|incident| incident.id.clone())
        .collect();
    assert_eq!(standings(&state, &ids), [ReviewState::Suggested; 2]);
    let waiting = |state: &State| bundles(state, &ids).iter().flatten().count();
    assert_eq!(waiting(&state), 1);
    // The second waits for the first, and an outage of it is declared.
    state.apply(vec![outage("b", 42)], &policy, at(42));
    assert_eq!(waiting(&state), 0);
    assert!(standings(&state, &ids).contains(&ReviewState::Held));
}

#[test]
fn request_is_never_bundled_away() {
    let (mut state, policy) = (State::default(), one_team());
    let ids = told(&mut state, &policy, vec![outage("a", 0), outage("b", 1)]);
    assert_eq!(bundles(&state, &ids), [None, Some(0)]);
    let asked = request(state.incident(&ids[1]).unwrap(), 2);
    state.apply(vec![asked], &policy, at(2));
    assert_eq!(bundles(&state, &ids), [None, None]);
}

#[test]
fn hold_beyond_the_limit_is_suggested_and_says_so() {
    let (mut state, policy) = (State::default(), one_team());
    let ids = outages(&mut state, &policy, "a", &[0, 120, 240, 360, 1450]);
    assert_eq!(bundles(&state, &ids), [None; 5]);
    let (held, suggested) = (ReviewState::Held, ReviewState::Suggested);
    assert_eq!(
        standings(&state, &ids),
        [held, held, held, suggested, held],
        "the first is a day ago by then"
    );
    let says = "An outage of A was declared: a is down. Suggested, not opened: \
                the limit of 3 postmortems per 1 day for ada is reached.";
    let incident = state.incident(&ids[3]).unwrap();
    assert_eq!(incident.reason, says);
    let announced = incident.announced.clone().unwrap();
    assert_eq!(
        (announced.decision, announced.sentence.as_str()),
        (Decision::Suggest, says)
    );
    // Neither a restart nor time opens it, and its answer does.
    let incidents = state.incidents().cloned().collect();
    let mut state = State::restore(incidents, Vec::new(), &policy, state.now());
    state.reevaluate(&policy, at(3000));
    assert_eq!(standings(&state, &ids)[3], suggested);
    let accepted = answer(state.incident(&ids[3]).unwrap(), 3001, Answer::Accept);
    state.apply(vec![accepted], &policy, at(3001));
    assert_eq!(standings(&state, &ids)[3], held);
}

#[test]
fn hold_beyond_the_limit_is_opened_on_request() {
    let (mut state, policy) = (State::default(), one_team());
    let ids = outages(&mut state, &policy, "a", &[0, 120, 240, 360]);
    let asked = request(state.incident(&ids[3]).unwrap(), 370);
    state.apply(vec![asked], &policy, at(370));
    assert_eq!(standings(&state, &ids)[3], ReviewState::Held);
}

#[test]
fn limit_of_one_scope_leaves_another_alone() {
    let policy = owned(&[("a", "ada", &[]), ("b", "lin", &[])]);
    let mut state = State::default();
    outages(&mut state, &policy, "a", &[0, 120, 240]);
    let ids = outages(&mut state, &policy, "b", &[360]);
    assert_eq!(standings(&state, &ids), [ReviewState::Held]);
}

#[test]
fn bundled_holds_count_once_towards_the_limit() {
    let policy = one_team().with_limits(Limits {
        holds: (1, 3600),
        ..Limits::default()
    });
    let mut state = State::default();
    let events = vec![outage("a", 0), outage("b", 1), outage("c", 2)];
    let ids = told(&mut state, &policy, events);
    assert_eq!(bundles(&state, &ids), [None, Some(0), Some(0)]);
    assert_eq!(standings(&state, &ids), [ReviewState::Held; 3]);
    let later = outages(&mut state, &policy, "d", &[30]);
    assert_eq!(standings(&state, &later), [ReviewState::Suggested]);
}

#[test]
fn suggestions_beyond_the_limit_wait_for_the_last_one() {
    let policy = one_team().with_limits(Limits {
        suggestions: (1, 24 * 3600),
        ..Limits::default()
    });
    let mut state = State::default();
    let mut ids = Vec::new();
    for start in [0, 200] {
        let firing = alert("A", "a", start, None);
        let id = firing.id;
        state.apply(vec![firing], &policy, at(start));
        pass(&mut state, &policy, start + 31);
        state.apply(
            vec![alert("A", "a", start, Some(start + 32))],
            &policy,
            at(start + 32),
        );
        ids.extend(state.incident_of(&id));
    }
    assert_eq!(bundles(&state, &ids), [None, Some(0)]);
}
