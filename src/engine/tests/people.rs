//! Actors by alias, and services by the names of other systems.

use super::{alert, at, only, policy_of};
use crate::engine::policy::Policy;
use crate::engine::service_aliases::ServiceAliases;
use crate::engine::state::State;
use crate::model::correction::Correction;
use crate::model::directory::Directory;
use crate::model::event::{Actor, ActorKind, Event, Fact, Intervention};
use crate::model::incident::Incident;
use crate::model::settings::{Hours, Person, Service};
use crate::model::verdict::Outcome;

const RULES: &str = "criteria: [{name: by-hand, on: intervention, at_least: 1, decision: hold}]";

fn policy() -> Policy {
    let person = |id: &str, alias: &str| Person {
        id: id.to_owned(),
        name: id.to_uppercase(),
        email: None,
        time_zone: chrono_tz::UTC,
        hours: Hours {
            days: [true; 7],
            from: 540,
            to: 1020,
        },
        aliases: vec![alias.to_owned()],
    };
    policy_of(RULES).with_people(Directory::new(
        &[person("ada", "github:ada"), person("bo", "slack:U1")],
        &["deploy:*".to_owned()],
    ))
}

fn step(id: &str, kind: ActorKind, minutes: i64) -> Event {
    let fact = Fact::Intervention(Intervention {
        action: "restart".to_owned(),
        why: String::new(),
        stated: false,
        should_be_automatic: None,
        dry_run: false,
        refused: false,
        planned: false,
    });
    let mut event = Event::new("test", at(minutes), fact);
    event.service = Some("checkout".into());
    event.actor = Some(Box::new(Actor {
        id: id.to_owned(),
        kind,
    }));
    event.identify();
    event
}

fn identity(alias: &str, person: Option<&str>, minutes: i64) -> Event {
    Event::new(
        "people",
        at(minutes),
        Fact::Edit(Correction::Identity {
            alias: alias.to_owned(),
            person: person.map(str::to_owned),
        }),
    )
}

fn outcome(incident: &Incident) -> Outcome {
    incident.verdicts[0].outcome
}

/// The verdict on one step, with what else is said.
fn judged(step: Event, said: Vec<Event>) -> Outcome {
    let (mut state, policy) = (State::default(), policy());
    state.apply(vec![alert("A", "checkout", 0, None), step], &policy, at(5));
    state.apply(said, &policy, at(60));
    outcome(&only(&state))
}

#[test]
fn a_person_steps_in_and_a_program_does_not() {
    for (id, kind, expected) in [
        ("github:ada", ActorKind::Unknown, Outcome::Met),
        ("github:ada", ActorKind::Robot, Outcome::Met),
        ("github:zoe", ActorKind::Unknown, Outcome::Unknown),
        ("github:zoe", ActorKind::Human, Outcome::Met),
        ("deploy:ci", ActorKind::Human, Outcome::NotMet),
        (
            "github:dependabot[bot]",
            ActorKind::Unknown,
            Outcome::NotMet,
        ),
    ] {
        assert_eq!(judged(step(id, kind, 3), vec![]), expected, "{id} {kind:?}");
    }
}

#[test]
fn latest_identity_wins_in_any_order() {
    let zoe = || step("github:zoe", ActorKind::Unknown, 3);
    let (bo, nobody, again) = (
        identity("GitHub:Zoe", Some("bo"), 20),
        identity("github:zoe", None, 30),
        identity("github:zoe", Some("ada"), 40),
    );
    for (said, expected) in [
        (vec![&bo], Outcome::Met),
        (vec![&bo, &nobody], Outcome::Unknown),
        (vec![&nobody, &bo], Outcome::Unknown),
        (vec![&again, &nobody, &bo], Outcome::Met),
    ] {
        assert_eq!(
            judged(zoe(), said.iter().map(|&event| event.clone()).collect()),
            expected,
            "{said:?}"
        );
    }
}

#[test]
fn identity_applies_to_past_and_future_events_and_after_a_restart() {
    let (mut state, policy) = (State::default(), policy());
    let said = identity("github:zoe", Some("bo"), 10);
    state.apply(
        vec![
            alert("A", "checkout", 0, None),
            step("github:zoe", ActorKind::Unknown, 3),
        ],
        &policy,
        at(5),
    );
    assert_eq!(outcome(&only(&state)), Outcome::Unknown);
    let changes = state.apply(vec![said.clone()], &policy, at(10));
    assert_eq!(changes.changed.len(), 1, "what came before is judged again");
    assert_eq!(outcome(&only(&state)), Outcome::Met);
    assert_eq!(
        only(&state)
            .identities
            .get("github:zoe")
            .map(String::as_str),
        Some("bo")
    );

    let incidents: Vec<Incident> = state.incidents().cloned().collect();
    let mut restored = State::restore(incidents, vec![said], &policy, at(10));
    restored.apply(
        vec![step("github:zoe", ActorKind::Unknown, 12)],
        &policy,
        at(12),
    );
    let verdict = only(&restored).verdicts[0].clone();
    assert_eq!(
        verdict.measure.map(|measure| measure.lower),
        Some(2.0),
        "{verdict:?}"
    );
}

#[test]
fn settings_that_name_somebody_judge_what_is_open_again() {
    let (mut state, before) = (State::default(), policy_of(RULES));
    state.apply(
        vec![
            alert("A", "checkout", 0, None),
            step("github:ada", ActorKind::Unknown, 3),
        ],
        &before,
        at(5),
    );
    assert_eq!(outcome(&only(&state)), Outcome::Unknown);
    state.reevaluate(&policy(), at(6));
    assert_eq!(outcome(&only(&state)), Outcome::Met);
}

fn called(aliases: &[&str]) -> Policy {
    let service = Service {
        name: "checkout".to_owned(),
        aliases: aliases.iter().map(|&alias| alias.to_owned()).collect(),
        ..Service::default()
    };
    let called = ServiceAliases::new(std::slice::from_ref(&service), &[("test", "github")]);
    let rules = crate::rules::parse::load(&[("rules.yaml".to_owned(), RULES.to_owned())]).unwrap();
    Policy::new(rules, &[service], &[]).with_aliases(called)
}

#[test]
fn a_service_is_found_by_what_its_source_calls_it() {
    for (alias, word, expected) in [
        ("checkout-svc", "checkout-svc", "checkout"),
        ("github:acme/checkout", "acme/checkout", "checkout"),
        ("test:acme/checkout", "acme/checkout", "checkout"),
        ("pagerduty:acme/checkout", "acme/checkout", "acme/checkout"),
        // A name of a source with a colon of its own.
        ("urn:x", "urn:x", "checkout"),
        ("github:checkout", "Checkout", "Checkout"),
    ] {
        let (mut state, policy) = (State::default(), called(&[alias]));
        state.apply(
            vec![alert("A", word, 0, None), alert("B", "checkout", 1, None)],
            &policy,
            at(1),
        );
        let services: Vec<String> = state
            .incidents()
            .flat_map(|incident| incident.services.clone())
            .collect();
        assert!(
            services.contains(&expected.to_owned()),
            "{alias} {word}: {services:?}"
        );
        assert_eq!(
            state.incidents().count(),
            if expected == "checkout" { 1 } else { 2 },
            "{alias} {word}"
        );
    }
}

#[test]
fn another_name_that_comes_with_new_settings_brings_together_what_is_remembered() {
    let mut state = State::default();
    let before = called(&[]);
    state.apply(
        vec![
            alert("A", "checkout-svc", 0, None),
            alert("B", "checkout", 1, None),
        ],
        &before,
        at(1),
    );
    assert_eq!(state.incidents().count(), 2);
    state.reevaluate(&called(&["checkout-svc"]), at(2));
    assert!(
        state
            .incidents()
            .all(|incident| incident.services == ["checkout"]),
        "{:?}",
        state.incidents().collect::<Vec<_>>()
    );
    state.apply(
        vec![alert("A", "checkout-svc", 0, Some(3))],
        &called(&["checkout-svc"]),
        at(3),
    );
    assert!(
        state
            .incidents()
            .all(|incident| incident.services == ["checkout"])
    );
}
