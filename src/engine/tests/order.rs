//! Late, lapsed and early facts: the order of the news of them changes nothing.

use super::{alert, at, loose, only, outage, pass, policy, request};
use crate::engine::incident::id::natural_name;
use crate::engine::policy::Policy;
use crate::engine::state::State;
use crate::model::event::{
    Acknowledgement, Actor, ActorKind, Event, Fact, Intervention, LeaseExpiry,
};
use crate::model::incident::Incident;
use crate::model::lifecycle::Phase;
use crate::model::member::JoinReason;
use crate::model::signal::Signal;
use crate::model::spans::SpanState;
use crate::model::time::Time;

fn lapse(of: &Event, minutes: i64) -> Event {
    let last_seen = at(minutes);
    let expiry = LeaseExpiry {
        of: of.subject,
        last_seen,
    };
    Event::new("afterword", last_seen, Fact::Lapsed(expiry))
}

fn seen_again(alert: &Event, minutes: i64) -> Event {
    let mut again = alert.clone();
    if let Fact::Alert(alert) = &mut again.fact {
        alert.seen_again = Some(at(minutes));
    }
    again.occurred_at = at(minutes);
    again.identify();
    again
}

/// A step that a person reported of that incident.
fn step(incident: &str, service: Option<&str>, minutes: i64) -> Event {
    let step = Intervention {
        action: "restart".to_owned(),
        why: String::new(),
        stated: true,
        should_be_automatic: None,
        dry_run: false,
        refused: false,
        planned: false,
    };
    let mut event = Event::new("people", at(minutes), Fact::Intervention(step));
    event.incident = Some(incident.into());
    event.service = service.map(Into::into);
    event.identify();
    event
}

fn acknowledgement(incident: &str, minutes: i64) -> Event {
    let fact = Fact::Acknowledgement(Acknowledgement { of: None });
    let mut event = Event::new("people", at(minutes), fact);
    event.incident = Some(incident.into());
    event.actor = Some(Box::new(Actor {
        id: "ada".to_owned(),
        kind: ActorKind::Human,
    }));
    event.identify();
    event
}

fn orders(events: &[Event]) -> Vec<Vec<Event>> {
    let Some((first, rest)) = events.split_first() else {
        return vec![Vec::new()];
    };
    let insert = |order: Vec<Event>| {
        (0..=order.len()).map(move |place| {
            let mut order = order.clone();
            order.insert(place, first.clone());
            order
        })
    };
    orders(rest).into_iter().flat_map(insert).collect()
}

/// The incidents that each order ends in, told one by one long after, with a restart in between.
fn in_every_order(events: &[Event], until: i64, check: impl Fn(&State, &Policy)) {
    let policy = policy();
    for order in orders(events) {
        let mut state = State::default();
        for (number, event) in order.iter().enumerate() {
            state.apply(vec![event.clone()], &policy, at(until));
            if number == order.len() / 2 {
                let incidents = state.incidents().cloned().collect();
                let kept = loose(&state).cloned().collect();
                state = State::restore(incidents, kept, &policy, at(until));
            }
        }
        pass(&mut state, &policy, until);
        check(&state, &policy);
    }
}

type Spans = Vec<(SpanState, Time, Option<Time>)>;

fn spans(incident: &Incident) -> Vec<Spans> {
    let signals = incident.signals.iter();
    signals
        .map(|signal| {
            let spans = signal.spans.iter();
            spans
                .map(|span| (span.state, span.start, span.end))
                .collect()
        })
        .collect()
}

#[test]
fn reused_labels_seven_hours_apart_are_two_incidents_in_any_order() {
    let first = alert("A", "checkout", 0, None);
    let events = [
        first.clone(),
        alert("A", "checkout", 0, Some(9)),
        alert("A", "checkout", 420, None),
        alert("A", "checkout", 420, Some(433)),
        // The first was taken to have been seen until the second began.
        lapse(&first, 420),
    ];
    in_every_order(&events, 840, |state, _| {
        let all: Vec<Vec<Spans>> = state.incidents().map(spans).collect();
        let degraded = |from, to| vec![vec![(SpanState::Degraded, at(from), Some(at(to)))]];
        assert_eq!(all.len(), 2);
        assert!(all.contains(&degraded(0, 9)) && all.contains(&degraded(420, 433)));
    });
}

/// The signals of each incident, and when it was over.
fn outcome(state: &State) -> Vec<(Vec<Signal>, Time)> {
    let all = state.incidents().cloned();
    let mut all: Vec<(Vec<Signal>, Time)> = all
        .map(|incident| (incident.signals, incident.phase_since))
        .collect();
    all.sort_by_key(|(_, over)| *over);
    all
}

#[test]
fn lapse_contradicted_by_an_end_changes_nothing() {
    let firing = alert("A", "checkout", 0, None);
    for end in [3, 60] {
        let events = [
            firing.clone(),
            alert("A", "checkout", 0, Some(end)),
            alert("B", "checkout", 50, None),
            alert("B", "checkout", 50, Some(52)),
        ];
        let expected = |policy: &Policy| {
            let mut state = State::default();
            state.apply(events.to_vec(), policy, at(400));
            pass(&mut state, policy, 400);
            outcome(&state)
        };
        let lapses = [lapse(&firing, 5), lapse(&firing, 0)];
        in_every_order(&[&events[..], &lapses].concat(), 400, |state, policy| {
            assert_eq!(outcome(state), expected(policy), "ended at minute {end}");
        });
    }
}

#[test]
fn end_taken_for_that_of_an_earlier_episode_changes_nothing() {
    let mut borrowed = alert("A", "checkout", 0, Some(433));
    if let Fact::Alert(alert) = &mut borrowed.fact {
        alert.borrowed_end = true;
    }
    borrowed.identify();
    let events = [
        alert("A", "checkout", 0, None),
        alert("A", "checkout", 0, Some(9)),
        // Received before the second was known to have begun.
        borrowed,
        alert("A", "checkout", 420, None),
        alert("A", "checkout", 420, Some(433)),
    ];
    in_every_order(&events, 840, |state, _| {
        let all: Vec<Vec<Spans>> = state.incidents().map(spans).collect();
        let degraded = |from, to| vec![vec![(SpanState::Degraded, at(from), Some(at(to)))]];
        assert_eq!(all.len(), 2);
        assert!(all.contains(&degraded(0, 9)) && all.contains(&degraded(420, 433)));
    });
}

#[test]
fn lapse_holds_where_the_alert_fired_again_before_its_end() {
    let firing = alert("A", "checkout", 0, None);
    let events = [
        firing.clone(),
        lapse(&firing, 10),
        seen_again(&firing, 60),
        lapse(&firing, 70),
    ];
    in_every_order(&events, 400, |state, _| {
        let spans = spans(&only(state)).remove(0);
        let states: Vec<(SpanState, Time)> = spans.iter().map(|span| (span.0, span.1)).collect();
        let expected = [
            (SpanState::Degraded, at(0)),
            (SpanState::Unknown, at(10)),
            (SpanState::Degraded, at(60)),
            (SpanState::Unknown, at(70)),
        ];
        assert_eq!(states, expected);
    });
}

#[test]
fn lapse_seen_after_the_next_episode_began_changes_nothing() {
    let first = alert("A", "checkout", 0, None);
    let events = [
        first.clone(),
        alert("A", "checkout", 20, None),
        alert("A", "checkout", 20, Some(25)),
        // A late message, received when the alert had long begun anew.
        lapse(&first, 300),
    ];
    in_every_order(&events, 400, |state, _| {
        let incident = only(state);
        let expected = [
            vec![(SpanState::Unknown, at(0), Some(at(20)))],
            vec![(SpanState::Degraded, at(20), Some(at(25)))],
        ];
        assert_eq!(spans(&incident), expected);
        assert_eq!(incident.phase, Phase::Closed);
        assert_eq!(incident.phase_since, at(55));
    });
}

#[test]
fn lapse_at_the_instant_of_the_beginning_ends_what_is_known() {
    let firing = alert("A", "checkout", 0, None);
    in_every_order(&[firing.clone(), lapse(&firing, 0)], 10, |state, _| {
        let spans = spans(&only(state)).remove(0);
        assert_eq!(spans, [(SpanState::Unknown, at(0), None)]);
    });
}

#[test]
fn acknowledgement_by_a_clock_that_is_behind_joins_its_incident() {
    let firing = alert("A", "checkout", 10, None);
    let acknowledged = acknowledgement(&natural_name(&firing), 9);
    let events = [
        firing.clone(),
        acknowledged.clone(),
        alert("A", "checkout", 10, Some(20)),
    ];
    in_every_order(&events, 30, |state, _| {
        let incident = only(state);
        assert_eq!(incident.members.len(), 3);
        assert_eq!(incident.members[0].reason, JoinReason::Key);
        assert_eq!(incident.id.0, natural_name(&firing));
        let milestone = incident.milestones.acknowledged.unwrap();
        assert_eq!(
            (milestone.at, milestone.source),
            (at(9), Some(acknowledged.id))
        );
    });
}

#[test]
fn acknowledgement_of_a_subject_by_a_clock_that_is_behind_joins_its_incident() {
    let firing = alert("A", "checkout", 10, None);
    let mut of = Event::new(
        "test",
        at(8),
        Fact::Acknowledgement(Acknowledgement {
            of: Some(firing.subject),
        }),
    );
    // It names another service of its own.
    of.service = Some("search".into());
    of.identify();
    in_every_order(&[firing, of], 11, |state, _| {
        assert_eq!(only(state).members[0].reason, JoinReason::Subject);
    });
}

#[test]
fn step_from_before_the_incident_that_it_names_opens_no_other() {
    let firing = alert("A", "checkout", 10, None);
    for service in [None, Some("checkout"), Some("search")] {
        let before = step(&natural_name(&firing), service, 9);
        let after = step(&natural_name(&firing), service, 300);
        let events = [
            firing.clone(),
            before,
            after,
            alert("A", "checkout", 10, Some(20)),
        ];
        in_every_order(&events, 400, |state, _| {
            let incident = only(state);
            assert_eq!(incident.id.0, natural_name(&firing), "{service:?}");
            assert_eq!(incident.members.len(), 4);
        });
    }
}

#[test]
fn chain_of_early_facts_joins_the_incident_it_leads_to() {
    let firing = outage("checkout", 10);
    let step = step(&natural_name(&firing), Some("search"), 8);
    let acknowledged = acknowledgement(&natural_name(&step), 6);
    let late = alert("A", "checkout", 7, None);
    let events = [acknowledged, step, firing, late];
    in_every_order(&events, 12, |state, _| {
        assert_eq!(only(state).members.len(), 4);
    });
}

#[test]
fn early_fact_leaves_when_its_incident_turns_out_to_be_another() {
    // The alert that it names belongs to the incident of an earlier one, which is told last.
    let named = alert("B", "checkout", 10, None);
    let earlier = alert("A", "checkout", 5, None);
    let acknowledged = acknowledgement(&natural_name(&named), 4);
    in_every_order(&[named, acknowledged, earlier.clone()], 12, |state, _| {
        let incident = only(state);
        assert_eq!(incident.id.0, natural_name(&earlier));
        assert_eq!(incident.members.len(), 3);
    });
}

#[test]
fn request_from_before_the_incident_that_it_names_joins_it() {
    let policy = policy();
    let mut state = State::default();
    state.apply(vec![alert("A", "checkout", 10, None)], &policy, at(10));
    let asked = request(&only(&state), 9);
    state.apply(vec![asked], &policy, at(11));
    assert_eq!(only(&state).members.len(), 2);
}
