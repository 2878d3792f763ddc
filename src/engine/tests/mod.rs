//! The promises of the engine, on small cases and on random ones.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod bundles;
mod clock;
mod declared;
mod intervals;
mod milestones;
mod order;
mod people;
pub(crate) mod properties;
mod rollbacks;
mod shadows;
mod shown;
mod unassigned;

use chrono::TimeDelta;

use super::policy::Policy;
use super::state::State;
use crate::model::correction::{Answer, Correction, DismissReason, Review};
use crate::model::event::{
    Actor, ActorKind, Alert, AlertStatus, Declaration, EndReason, Event, Fact, Intervention,
    LeaseExpiry, PostmortemRequest, Severity,
};
use crate::model::id::IncidentId;
use crate::model::incident::Incident;
use crate::model::labels::Labels;
use crate::model::lifecycle::{Phase, ReviewState};
use crate::model::member::JoinReason;
use crate::model::settings::Service;
use crate::model::spans::SpanState;
use crate::model::time::Time;
use crate::model::verdict::{Decision, Outcome};
use crate::rules::parse;

const RULES: &str = "
criteria:
  - {name: outage, on: outage, decision: hold}
  - {name: long, on: degradation, longest: 30m, decision: suggest}
  - {name: very-long, on: degradation, longest: 60m, decision: hold}
  - {name: asked, on: request, decision: hold}
";

fn policy() -> Policy {
    policy_of(RULES)
}

pub(crate) fn policy_of(rules: &str) -> Policy {
    let rules = parse::load(&[("rules.yaml".to_owned(), rules.to_owned())]).unwrap();
    let service = |name: &str, needs: &[&str]| Service {
        name: name.to_owned(),
        depends_on: needs.iter().map(|&need| need.to_owned()).collect(),
        ..Service::default()
    };
    Policy::new(
        rules,
        &[
            service("checkout", &["payments"]),
            service("payments", &[]),
            service("search", &[]),
        ],
        &[],
    )
}

/// The events that belong to no incident.
fn loose(state: &State) -> impl Iterator<Item = &Event> {
    let correlation = &state.correlation;
    let partitions = correlation.partition_names();
    partitions
        .filter_map(|name| correlation.partition(name))
        .flat_map(|partition| partition.loose.values())
        .map(|event| &**event)
}

pub(crate) fn at(minutes: i64) -> Time {
    Time::from_timestamp(1_767_603_600, 0).unwrap() + TimeDelta::minutes(minutes)
}

pub(crate) fn alert(name: &str, service: &str, start: i64, end: Option<i64>) -> Event {
    let labels: Labels = [("alertname", name), ("service", service)]
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .into();
    let status = if end.is_some() {
        AlertStatus::Resolved
    } else {
        AlertStatus::Firing
    };
    let fact = Fact::Alert(Alert {
        seen_again: None,
        borrowed_end: false,
        recalled: false,
        name: name.to_owned().into(),
        status,
        labels: labels.into(),
        annotations: Labels::new().into(),
        severity: Severity::Critical,
        starts_at: at(start),
        ends_at: end.map(at),
        pending_for: None,
        keep_firing_for: None,
        end_reason: EndReason::Recovered,
    });
    let mut event = Event::new("test", at(end.unwrap_or(start)), fact);
    event.service = Some(service.to_owned().into());
    event.identify();
    event
}

fn request(incident: &Incident, minutes: i64) -> Event {
    let mut event = Event::new(
        "test",
        at(minutes),
        Fact::Request(PostmortemRequest {
            reason: "calls".to_owned(),
            requester: None,
        }),
    );
    event.incident = Some(incident.id.0.clone().into());
    event.identify();
    event
}

fn answer(incident: &Incident, minutes: i64, answer: Answer) -> Event {
    let review = Review {
        of: incident.id.clone(),
        revision: incident.revision,
        answer,
        comment: String::new(),
    };
    let mut event = Event::new("review", at(minutes), Fact::Review(review));
    event.incident = Some(incident.id.0.clone().into());
    event.identify();
    event
}

/// Lets time pass to `minutes`, each timer at its own instant.
fn pass(state: &mut State, policy: &Policy, minutes: i64) {
    while let Some(due) = state.next_due().filter(|due| *due <= at(minutes)) {
        state.tick(policy, due);
    }
    state.tick(policy, at(minutes));
}

fn only(state: &State) -> Incident {
    let all: Vec<&Incident> = state.incidents().collect();
    assert_eq!(all.len(), 1, "{all:#?}");
    all[0].clone()
}

fn fired_for(minutes: i64) -> (State, Policy) {
    let (mut state, policy) = (State::default(), policy());
    state.apply(vec![alert("A", "checkout", 0, None)], &policy, at(0));
    pass(&mut state, &policy, minutes);
    (state, policy)
}

#[test]
fn the_decision_falls_at_the_minute_by_a_timer() {
    let (mut state, policy) = fired_for(29);
    assert_eq!(only(&state).announced, None);
    assert_eq!(state.next_due(), Some(at(30)));
    pass(&mut state, &policy, 45);
    let announced = only(&state).announced.unwrap();
    assert_eq!(
        (announced.decision, announced.at),
        (Decision::Suggest, at(30))
    );
    assert_eq!(
        announced.sentence,
        "Checkout has been degraded for 30m without a break (threshold 30m)."
    );
    pass(&mut state, &policy, 61);
    assert_eq!(only(&state).announced.unwrap().decision, Decision::Hold);
}

#[test]
fn announced_decision_is_not_lowered_by_rules() {
    let (mut state, policy) = fired_for(31);
    // It turns out that it ended at minute 10.
    state.apply(vec![alert("A", "checkout", 0, Some(10))], &policy, at(31));
    pass(&mut state, &policy, 60);
    let incident = only(&state);
    assert_eq!(
        (incident.decision, incident.standing),
        (Decision::None, ReviewState::Suggested)
    );
    let verdict = incident
        .verdicts
        .iter()
        .find(|verdict| verdict.criterion == "long")
        .unwrap();
    assert_eq!(
        verdict.sentence,
        "Checkout was degraded for 10m without a break (threshold 30m)."
    );
}

#[test]
fn dismissal_holds_until_a_higher_decision() {
    let (mut state, policy) = fired_for(31);
    let dismiss = answer(
        &only(&state),
        32,
        Answer::Dismiss {
            reason: DismissReason::Noise,
        },
    );
    state.apply(vec![dismiss], &policy, at(32));
    pass(&mut state, &policy, 59);
    assert_eq!(only(&state).standing, ReviewState::Dismissed);
    pass(&mut state, &policy, 60);
    let incident = only(&state);
    assert_eq!(incident.standing, ReviewState::Held);
    assert!(
        incident.reason.contains("dismissed (noise)"),
        "{}",
        incident.reason
    );
    // A dismissed hold returns only by a later request.
    state.apply(
        vec![answer(
            &incident,
            61,
            Answer::Dismiss {
                reason: DismissReason::Planned,
            },
        )],
        &policy,
        at(61),
    );
    pass(&mut state, &policy, 120);
    assert_eq!(only(&state).standing, ReviewState::Dismissed);
    state.apply(vec![request(&incident, 121)], &policy, at(121));
    assert_eq!(only(&state).standing, ReviewState::Held);
}

#[test]
fn an_accepted_suggestion_is_held() {
    let (mut state, policy) = fired_for(31);
    state.apply(
        vec![answer(&only(&state), 32, Answer::Accept)],
        &policy,
        at(32),
    );
    assert_eq!(only(&state).standing, ReviewState::Held);
}

#[test]
fn dependent_services_join_and_others_do_not() {
    let (mut state, policy) = (State::default(), policy());
    let events = vec![
        alert("A", "checkout", 0, None),
        alert("B", "payments", 5, None),
        alert("C", "search", 6, None),
    ];
    state.apply(events, &policy, at(6));
    let joined: Vec<usize> = state
        .incidents()
        .map(|incident| incident.members.len())
        .collect();
    assert_eq!(joined.iter().sum::<usize>(), 3);
    let main = state
        .incidents()
        .find(|incident| incident.members.len() == 2)
        .unwrap();
    assert_eq!(
        main.members[1].reason,
        JoinReason::Dependency {
            service: "checkout".to_owned().into()
        }
    );
}

#[test]
fn expired_lease_is_unknown_and_the_incident_resolves() {
    let (mut state, policy) = fired_for(20);
    let of = only(&state).signals[0].subject;
    let lapsed = Event::new(
        "afterword",
        at(20),
        Fact::Lapsed(LeaseExpiry {
            of,
            last_seen: at(20),
        }),
    );
    state.apply(vec![lapsed], &policy, at(24));
    pass(&mut state, &policy, 24);
    let spans = only(&state).signals[0].spans.clone();
    assert_eq!(
        spans
            .iter()
            .map(|span| (span.state, span.end))
            .collect::<Vec<_>>(),
        [
            (SpanState::Degraded, Some(at(20))),
            (SpanState::Unknown, None)
        ]
    );
    // Twenty minutes are sure; by minute thirty it may have been enough, so a person is asked.
    pass(&mut state, &policy, 29);
    assert_eq!(
        (only(&state).phase, only(&state).announced),
        (Phase::Resolved, None)
    );
    pass(&mut state, &policy, 60);
    let incident = only(&state);
    let announced = incident.announced.unwrap();
    assert_eq!(
        (incident.phase, announced.decision, announced.at),
        (Phase::Closed, Decision::Suggest, at(30))
    );
    assert!(
        announced
            .sentence
            .contains("between 20m and 30m without a break (threshold 30m)"),
        "{}",
        announced.sentence
    );
}

#[test]
fn seen_again_after_an_end_the_time_between_is_unknown() {
    let (mut state, policy) = (State::default(), policy());
    state.apply(
        vec![
            alert("A", "checkout", 0, None),
            alert("A", "checkout", 0, Some(10)),
        ],
        &policy,
        at(10),
    );
    let mut again = alert("A", "checkout", 0, None);
    if let Fact::Alert(alert) = &mut again.fact {
        alert.seen_again = Some(at(13));
    }
    again.occurred_at = at(13);
    again.identify();
    state.apply(vec![again], &policy, at(13));
    pass(&mut state, &policy, 20);
    let incident = only(&state);
    let spans: Vec<_> = incident.signals[0]
        .spans
        .iter()
        .map(|span| (span.state, span.start))
        .collect();
    assert_eq!(
        spans,
        [
            (SpanState::Degraded, at(0)),
            (SpanState::Unknown, at(10)),
            (SpanState::Degraded, at(13))
        ]
    );
    assert_eq!(incident.phase, Phase::Active);
}

#[test]
fn a_second_outage_of_a_service_is_another_incident() {
    let declared = |minutes: i64, status: AlertStatus| {
        let fact = Fact::Declaration(Declaration {
            key: String::new(),
            title: "Nobody can pay".to_owned(),
            severity: Severity::Critical,
            status,
            planned: false,
            data_loss: None,
            detected_by: None,
        });
        let mut event = Event::new("people", at(minutes), fact);
        event.service = Some("payments".to_owned().into());
        event.identify();
        event
    };
    let (mut state, policy) = (State::default(), policy());
    let events = vec![
        declared(0, AlertStatus::Firing),
        declared(5, AlertStatus::Resolved),
        declared(300, AlertStatus::Firing),
    ];
    state.apply(events, &policy, at(300));
    assert_eq!(state.incidents().count(), 2);
}

#[test]
fn message_without_for_keeps_the_known_onset() {
    let (mut state, policy) = (State::default(), policy());
    let mut firing = alert("A", "checkout", 10, None);
    if let Fact::Alert(alert) = &mut firing.fact {
        alert.pending_for = Some(600);
    }
    firing.identify();
    state.apply(
        vec![
            alert("A", "checkout", 10, None),
            firing,
            alert("A", "checkout", 10, Some(20)),
        ],
        &policy,
        at(20),
    );
    let spans: Vec<_> = only(&state).signals[0]
        .spans
        .iter()
        .map(|span| (span.start, span.end))
        .collect();
    assert_eq!(spans, [(at(0), Some(at(20)))]);
    assert_eq!(only(&state).milestones.began.unwrap().at, at(0));
}

#[test]
fn a_resolved_alert_alone_opens_nothing() {
    let (mut state, policy) = (State::default(), policy());
    state.apply(vec![alert("A", "checkout", 0, Some(5))], &policy, at(5));
    assert_eq!(state.incidents().count(), 0);
    // Its firing, late, opens the incident, and both are there.
    state.apply(vec![alert("A", "checkout", 0, None)], &policy, at(6));
    assert_eq!(only(&state).members.len(), 2);
}

#[test]
fn it_is_resolved_after_settle_and_closed_after_reopen_within() {
    let (mut state, policy) = fired_for(1);
    state.apply(vec![alert("A", "checkout", 0, Some(2))], &policy, at(2));
    for (minutes, phase) in [
        (6, Phase::Active),
        (7, Phase::Resolved),
        (31, Phase::Resolved),
        (32, Phase::Closed),
    ] {
        pass(&mut state, &policy, minutes);
        assert_eq!(only(&state).phase, phase, "at minute {minutes}");
    }
    assert_eq!(state.next_due(), None);
}

#[test]
fn an_unknown_onset_stays_unknown() {
    let (state, _) = fired_for(1);
    let milestones = only(&state).milestones;
    assert_eq!(milestones.began, None);
    assert_eq!(milestones.detected.unwrap().at, at(0));
}

#[test]
fn a_declared_outage_is_held_at_once_and_says_so() {
    let (mut state, policy) = (State::default(), policy());
    let fact = Fact::Declaration(Declaration {
        key: String::new(),
        title: "Nobody can pay".to_owned(),
        severity: Severity::Critical,
        status: AlertStatus::Firing,
        planned: false,
        data_loss: None,
        detected_by: None,
    });
    let mut event = Event::new("people", at(0), fact);
    event.service = Some("payments".to_owned().into());
    event.identify();
    state.apply(vec![event], &policy, at(0));
    assert_eq!(
        only(&state).reason,
        "An outage of Payments was declared: Nobody can pay."
    );
    assert_eq!(only(&state).standing, ReviewState::Held);
}

fn outage(service: &str, minutes: i64) -> Event {
    let fact = Fact::Declaration(Declaration {
        key: String::new(),
        title: format!("{service} is down"),
        severity: Severity::Critical,
        status: AlertStatus::Firing,
        planned: false,
        data_loss: None,
        detected_by: None,
    });
    let mut event = Event::new("people", at(minutes), fact);
    event.service = Some(service.to_owned().into());
    event.identify();
    event
}

/// Applies each event at its own time; gives the incidents in that order.
fn told(state: &mut State, policy: &Policy, events: Vec<Event>) -> Vec<IncidentId> {
    let tell = |event: Event| {
        let (id, now) = (event.id, event.occurred_at);
        state.apply(vec![event], policy, now);
        state.incident_of(&id).unwrap()
    };
    events.into_iter().map(tell).collect()
}

#[test]
fn a_decision_stays_with_the_part_that_holds_its_evidence() {
    let (mut state, policy) = (State::default(), policy());
    let events = vec![alert("A", "checkout", 0, None), outage("checkout", 5)];
    let ids = told(&mut state, &policy, events);
    assert_eq!(
        (ids[0] == ids[1], only(&state).standing),
        (true, ReviewState::Held)
    );
    let declared = only(&state).members[1].event.id;
    let mut split = Event::new(
        "people",
        at(6),
        Fact::Edit(Correction::Move {
            from: ids[0].clone(),
            events: vec![declared],
            to: None,
        }),
    );
    split.incident = Some(ids[0].0.clone().into());
    split.identify();
    state.apply(vec![split], &policy, at(6));
    let other = state.incident_of(&declared).unwrap();
    assert_eq!(state.incident(&ids[0]).unwrap().standing, ReviewState::None);
    assert_eq!(state.incident(&other).unwrap().standing, ReviewState::Held);
}

#[test]
fn verdict_that_depends_on_unknown_time_is_unknown() {
    let costly = "criteria: [{name: costly, on: outage, where: incident.budget_spent > 0.5, decision: hold}]";
    let rules = parse::load(&[("rules.yaml".to_owned(), costly.to_owned())]).unwrap();
    // Four weeks of 99.9 % allow 40 minutes.
    let service = Service {
        name: "checkout".to_owned(),
        objective: Some(99.9),
        ..Service::default()
    };
    let policy = Policy::new(rules, &[service], &[]);
    let outcome = |state: &State| only(state).verdicts[0].outcome;
    let mut state = State::default();
    state.apply(vec![outage("checkout", 0)], &policy, at(0));
    pass(&mut state, &policy, 20);
    assert_eq!(outcome(&state), Outcome::NotMet);
    state.apply(vec![alert("A", "checkout", 19, None)], &policy, at(20));
    let of = only(&state).signals[1].subject;
    let mut over = outage("checkout", 20);
    if let Fact::Declaration(declaration) = &mut over.fact {
        declaration.status = AlertStatus::Resolved;
    }
    over.identify();
    let lapsed = Event::new(
        "afterword",
        at(20),
        Fact::Lapsed(LeaseExpiry {
            of,
            last_seen: at(20),
        }),
    );
    state.apply(vec![over, lapsed], &policy, at(26));
    assert_eq!(outcome(&state), Outcome::Unknown);
}

#[test]
fn a_step_counts_from_five_minutes_before_to_a_quarter_of_an_hour_after() {
    let rules = "criteria: [{name: by-hand, on: intervention, at_least: 9, decision: suggest}]";
    let policy = policy_of(rules);
    let step = |minutes: i64| {
        let step = Intervention {
            action: "restart".to_owned(),
            why: String::new(),
            stated: false,
            should_be_automatic: None,
            dry_run: false,
            refused: false,
            planned: false,
        };
        let mut event = Event::new("test", at(minutes), Fact::Intervention(step));
        event.service = Some("search".to_owned().into());
        event.actor = Some(Box::new(Actor {
            id: "ada".to_owned(),
            kind: ActorKind::Human,
        }));
        event.identify();
        event
    };
    let (mut state, ends) = (
        State::default(),
        [
            alert("A", "search", 10, None),
            alert("A", "search", 10, Some(20)),
        ],
    );
    state.apply(
        ends.into_iter()
            .chain([4, 5, 12, 35, 36].map(step))
            .collect(),
        &policy,
        at(40),
    );
    let verdict = &only(&state).verdicts[0];
    let words = "3 manual steps counted (not counted: 1 outside the incident); 9 are needed.";
    assert_eq!(verdict.sentence, words);
    assert_eq!(verdict.evidence.len(), 3);
}

#[test]
fn a_sender_whose_clock_is_ahead_does_not_delay_a_decision() {
    let policy = policy();
    let mut state = State::default();
    // It is reported ten seconds before its own time.
    let told = at(0) - TimeDelta::seconds(10);
    state.apply(vec![alert("A", "checkout", 0, None)], &policy, told);
    pass(&mut state, &policy, 31);
    let announced = state.incidents().next().unwrap().announced.clone().unwrap();
    assert_eq!(
        (announced.decision, announced.at),
        (Decision::Suggest, at(30))
    );
}
