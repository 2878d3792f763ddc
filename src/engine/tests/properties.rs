//! Random histories: what must hold whatever happens, and in whatever order the news of it comes.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use proptest::prelude::{Just, Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};
use proptest::sample::Index;
use serde_json::{Value, json};

use super::{alert, at, loose, pass, policy_of};
use crate::engine::incident::attributes::opener;
use crate::engine::incident::id::natural_name;
use crate::engine::incident::signals::onset;
use crate::engine::policy::Policy;
use crate::engine::state::State;
use crate::model::correction::Correction;
use crate::model::event::{
    Acknowledgement, Actor, ActorKind, AlertStatus, Change, Condition, ConditionState, Declaration,
    EndReason, Event, Fact, Intervention, LeaseExpiry, MaintenanceWindow, NearMissReport, Note,
    PostmortemRequest, Severity,
};
use crate::model::id::{EventId, IncidentId};
use crate::model::incident::Incident;
use crate::model::labels::Labels;
use crate::model::lifecycle::ReviewState;
use crate::model::member::JoinReason;
use crate::model::verdict::Outcome;

/// Criteria that look at other incidents.
const LOOKING_BACK: &str = "
criteria:
  - {name: long, on: degradation, longest: 20m, decision: none}
  - {name: steps, on: intervention, at_least: 2, within: 2h, decision: suggest}
  - {name: actions, on: intervention, at_least: 2, within: 1h, per: action, decision: suggest, form: note}
  - {name: service, on: recurrence, times: 2, within: 2h, same: service, decision: suggest}
  - {name: alert, on: recurrence, times: 2, within: 2h, same: alert, decision: suggest}
  - {name: criterion, on: recurrence, times: 2, within: 3h, same: criterion, decision: suggest}
  - {name: office, on: degradation, longest: 20m, during: {hours: '09:10-09:40,10:00-11:00'}, decision: suggest}
";

/// Every kind of criterion but near misses, which ask when others were made known.
pub(crate) const RULES: &str = "
criteria:
  - {name: outage, on: outage, decision: hold}
  - {name: long, on: degradation, longest: 30m, decision: suggest}
  - {name: much, on: degradation, total: 40m, within: 2h, where: 'signal.kind != \"declaration\"', decision: hold}
  - {name: by-hand, on: intervention, decision: suggest}
  - {name: asked, on: request, decision: hold}
  - {name: again, on: recurrence, times: 2, within: 3h, decision: suggest}
  - {name: costly, on: outage, where: incident.duration > 600.0, decision: hold}
";

pub(crate) const NEAR_MISSES: &str =
    "criteria: [{name: near, on: near_miss, quiet_for: 2h, at_most: 1 per 1h, decision: suggest}]";

/// Facts that belong together: an alert with its end, a condition's turns, one thing that a person said.
fn story() -> impl Strategy<Value = Vec<Event>> {
    let service = prop_oneof![Just("checkout"), Just("payments"), Just("search")];
    (
        0..13_u8,
        service,
        0i64..300,
        1i64..90,
        "[AB]",
        any::<[bool; 3]>(),
    )
        .prop_map(|(kind, service, start, length, name, [one, two, three])| {
            let said = |minutes: i64, fact: Fact| {
                let mut event = Event::new("test", at(minutes), fact);
                event.service = Some(service.to_owned().into());
                event.identify();
                event
            };
            match kind {
                0..=2 => {
                    let mut firing = alert(&name, service, start, None);
                    if let Fact::Alert(alert) = &mut firing.fact {
                        alert.pending_for = two.then_some(120);
                    }
                    firing.identify();
                    // Some are received long after, when the same alert may have fired anew.
                    let late = length % 5 == 0;
                    let last_seen = if late {
                        at(395)
                    } else {
                        at(start + length / 2)
                    };
                    let lapsed = Event::new(
                        "test",
                        last_seen,
                        Fact::Lapsed(LeaseExpiry {
                            of: firing.subject,
                            last_seen,
                        }),
                    );
                    let end = one.then(|| alert(&name, service, start, Some(start + length)));
                    let again = (length % 7 == 0).then(|| {
                        let mut again = firing.clone();
                        again.occurred_at = at(start + length + 3);
                        if let Fact::Alert(alert) = &mut again.fact {
                            alert.seen_again = Some(again.occurred_at);
                        }
                        again.identify();
                        again
                    });
                    std::iter::once(firing)
                        .chain(end)
                        .chain(again)
                        .chain(three.then_some(lapsed))
                        .collect()
                }
                3..=4 => {
                    let turn = |minutes, state| {
                        let since = two.then(|| at(minutes - 1));
                        let fact = Condition {
                            name: name.clone(),
                            state,
                            severity: Severity::Critical,
                            labels: Labels::new().into(),
                            value: None,
                            since,
                        };
                        said(minutes, Fact::Condition(fact))
                    };
                    let first = if three {
                        ConditionState::NearMiss
                    } else {
                        ConditionState::Degraded
                    };
                    let last = if one {
                        ConditionState::Healthy
                    } else {
                        ConditionState::Unknown
                    };
                    vec![
                        turn(start - 3, ConditionState::Unknown),
                        turn(start, first),
                        turn(start + length, last),
                    ]
                }
                5 => {
                    let declared = |minutes, status| {
                        let fact = Declaration {
                            key: String::new(),
                            title: name.clone(),
                            severity: Severity::Critical,
                            status,
                            planned: three,
                            data_loss: None,
                            detected_by: None,
                        };
                        said(minutes, Fact::Declaration(fact))
                    };
                    let end = one.then(|| declared(start + length, AlertStatus::Resolved));
                    std::iter::once(declared(start, AlertStatus::Firing))
                        .chain(end)
                        .collect()
                }
                6 => {
                    let step = Intervention {
                        action: "restart".to_owned(),
                        why: String::new(),
                        stated: one,
                        should_be_automatic: None,
                        dry_run: two && three,
                        refused: false,
                        planned: false,
                    };
                    let mut event = said(start, Fact::Intervention(step));
                    event.actor = two
                        .then(|| Actor {
                            id: "ada".to_owned(),
                            kind: ActorKind::Human,
                        })
                        .map(Box::new);
                    event.identify();
                    vec![event]
                }
                7 => vec![said(
                    start,
                    Fact::Request(PostmortemRequest {
                        reason: name,
                        requester: None,
                    }),
                )],
                8 => {
                    let closeness = three.then_some(0.5);
                    let near = NearMissReport {
                        what: name,
                        severity: Severity::Warning,
                        closeness,
                        by_luck: one,
                        barriers_left: two.then_some(1),
                    };
                    vec![said(start, Fact::NearMiss(near))]
                }
                9 => {
                    let (from, to) = (at(start + 60), at(start + 60 + length));
                    let window = MaintenanceWindow {
                        key: if two { name } else { String::new() },
                        from,
                        to: if three { to } else { from },
                        why: String::new(),
                    };
                    let mut event = said(start, Fact::Maintenance(window));
                    if one && two {
                        event.service = None;
                        event.identify();
                    }
                    vec![event]
                }
                10..=11 => foreign(service, start, length, &name, [one, two, three]),
                _ if one => {
                    // Few revisions, so that they recur; reported within the time of the incidents
                    // or long before.
                    let revision = Some(format!("{name}{}", length % 3));
                    let fact = Change {
                        what: "deploy".to_owned(),
                        title: name,
                        revision,
                        line: three.then(|| "web".to_owned()),
                    };
                    let mut event = said(
                        if length > 60 { start - 3000 } else { start },
                        Fact::Change(fact),
                    );
                    let kind = if two {
                        ActorKind::Human
                    } else {
                        ActorKind::Robot
                    };
                    event.actor = Some(Box::new(Actor {
                        id: "ada".to_owned(),
                        kind,
                    }));
                    event.identify();
                    vec![event]
                }
                _ => vec![said(start, Fact::Note(Note { text: name }))],
            }
        })
}

/// An incident that a source names itself: reported as an alert or as an outage, at its end as
/// both, with a note of no service, and maybe merged.
fn foreign(
    service: &str,
    start: i64,
    length: i64,
    name: &str,
    [one, two, three]: [bool; 3],
) -> Vec<Event> {
    let incident = format!("pagerduty:{name}");
    let told = |mut event: Event| {
        event.incident = Some(incident.as_str().into());
        event.identify();
        event
    };
    let plain = |minutes, fact| told(Event::new("test", at(minutes), fact));
    let declared = |minutes, status| {
        let fact = Declaration {
            key: incident.clone(),
            title: name.to_owned(),
            severity: if three {
                Severity::Warning
            } else {
                Severity::Critical
            },
            status,
            planned: false,
            data_loss: None,
            detected_by: None,
        };
        let mut event = plain(minutes, Fact::Declaration(fact));
        event.service = Some(service.into());
        told(event)
    };
    // What it is called is its own: the same alert of another source would be the same event.
    let firing = |end| told(alert(&incident, service, start, end));
    let mut events = vec![if one {
        declared(start, AlertStatus::Firing)
    } else {
        firing(None)
    }];
    events.push(plain(
        start + 1,
        Fact::Note(Note {
            text: "looking".to_owned(),
        }),
    ));
    let end = start + length;
    if two {
        let mut over = firing(Some(end));
        if let (Fact::Alert(alert), true) = (&mut over.fact, three) {
            alert.end_reason = EndReason::Superseded;
            over.identify();
            let (into, from) = (
                IncidentId("pagerduty:B".to_owned()),
                IncidentId("pagerduty:A".to_owned()),
            );
            events.push(plain(end, Fact::Edit(Correction::Merge { into, from })));
        }
        events.extend([declared(end, AlertStatus::Resolved), over]);
    }
    events
}

pub(crate) fn history() -> impl Strategy<Value = Vec<Event>> {
    proptest::collection::vec(story(), 1..12)
        .prop_map(|stories| stories.into_iter().flatten().collect())
}

/// Corrections by people, of any two events of a history: merges and reassignments.
pub(crate) fn corrections() -> impl Strategy<Value = Vec<(Index, Index, u8)>> {
    proptest::collection::vec((any::<Index>(), any::<Index>(), 0..3_u8), 0..4)
}

pub(crate) fn corrected(events: &[Event], corrections: &[(Index, Index, u8)]) -> Vec<Event> {
    let openers: Vec<&Event> = events
        .iter()
        .filter(|event| crate::engine::correlation::activity::opens(event))
        .collect();
    let mut all = events.to_vec();
    if openers.is_empty() {
        return all;
    }
    for (number, (one, other, kind)) in (310..).zip(corrections) {
        let (one, other) = (*one.get(&openers), *other.get(&openers));
        let name = |event: &Event| IncidentId(natural_name(event));
        let edit = match kind {
            0 => Correction::Merge {
                into: name(one),
                from: name(other),
            },
            1 => Correction::Move {
                from: name(one),
                events: vec![other.id],
                to: None,
            },
            _ => Correction::Move {
                from: name(one),
                events: vec![one.id],
                to: Some(name(other)),
            },
        };
        all.push(said_of(&name(one), number, edit));
    }
    all
}

/// Facts that name one of a history's incidents or subjects, by clocks that are minutes off.
pub(crate) fn references() -> impl Strategy<Value = Vec<(Index, u8, i64)>> {
    proptest::collection::vec((any::<Index>(), 0..8_u8, -4i64..7), 0..5)
}

pub(crate) fn referring(events: &[Event], references: &[(Index, u8, i64)]) -> Vec<Event> {
    let opens = crate::engine::correlation::activity::opens;
    let mut all = events.to_vec();
    for (index, kind, minutes) in references {
        let openers: Vec<&Event> = all.iter().filter(|event| opens(event)).collect();
        if openers.is_empty() {
            return all;
        }
        let named = *index.get(&openers);
        let step = || {
            Fact::Intervention(Intervention {
                action: "restart".to_owned(),
                why: String::new(),
                stated: true,
                should_be_automatic: None,
                dry_run: false,
                refused: false,
                planned: false,
            })
        };
        let asked = || {
            Fact::Request(PostmortemRequest {
                reason: "calls".to_owned(),
                requester: None,
            })
        };
        let fact = match kind {
            0 => Fact::Acknowledgement(Acknowledgement { of: None }),
            1 if matches!(named.fact, Fact::Alert(_)) => Fact::Acknowledgement(Acknowledgement {
                of: Some(named.subject),
            }),
            1 | 2 => Fact::Note(Note {
                text: "looking".to_owned(),
            }),
            3 | 4 => asked(),
            _ => step(),
        };
        let about_subject = matches!(fact, Fact::Acknowledgement(Acknowledgement { of: Some(_) }));
        let mut event = Event::new(
            "people",
            named.occurred_at + TimeDelta::minutes(*minutes),
            fact,
        );
        event.incident = (!about_subject).then(|| natural_name(named).into());
        event.service = match kind {
            4 | 6 => Some("search".into()),
            7 => named.service.clone(),
            _ => None,
        };
        event.identify();
        all.push(event);
    }
    all
}

fn said_of(incident: &IncidentId, minutes: i64, edit: Correction) -> Event {
    let mut event = Event::new("people", at(minutes), Fact::Edit(edit));
    event.incident = Some(incident.0.clone().into());
    event.identify();
    event
}

/// Part that two runs must agree on: all but revisions and announcements, which depend on the time
/// of arrival.
fn essence(state: &State) -> Vec<Incident> {
    settled_parts(state.incidents())
}

pub(crate) fn settled_parts<'a>(incidents: impl Iterator<Item = &'a Incident>) -> Vec<Incident> {
    let strip = |incident: &Incident| Incident {
        revision: 0,
        announced: None,
        form: None,
        standing: ReviewState::None,
        reason: String::new(),
        bundle: None,
        identities: Default::default(),
        // Of two announced incidents that fell together the first keeps its name: that does depend on the order of the news.
        id: IncidentId(natural_name(opener(incident).unwrap())),
        ..incident.clone()
    };
    let mut all: Vec<Incident> = incidents.map(strip).collect();
    all.sort_by(|a, b| a.id.cmp(&b.id));
    all
}

/// Summary of the differences between two runs.
pub(crate) fn difference(one: &[Incident], other: &[Incident]) -> String {
    fn walk(path: &str, one: &Value, other: &Value, found: &mut Vec<String>) {
        match (one, other) {
            (Value::Object(a), Value::Object(b)) => {
                let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
                for key in keys {
                    walk(
                        &format!("{path}.{key}"),
                        a.get(key).unwrap_or(&Value::Null),
                        b.get(key).unwrap_or(&Value::Null),
                        found,
                    );
                }
            }
            (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
                for (index, (a, b)) in a.iter().zip(b).enumerate() {
                    walk(&format!("{path}[{index}]"), a, b, found);
                }
            }
            (a, b) if a != b => found.push(format!("{path}: {a} or {b}")),
            _ => {}
        }
    }
    let mut found = Vec::new();
    walk("", &json!(one), &json!(other), &mut found);
    found.truncate(12);
    found.join("\n")
}

pub(crate) fn shuffled(events: &[Event], repeats: usize, seed: u64) -> Vec<Event> {
    let mut shuffled = events.to_vec();
    shuffled.extend(events.iter().take(repeats).cloned());
    let mut random = seed;
    for index in (1..shuffled.len()).rev() {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        shuffled.swap(index, (random >> 33) as usize % (index + 1));
    }
    shuffled
}

/// State after a restart, restored from the stored part alone.
fn restarted(state: &State, policy: &Policy, minutes: i64) -> State {
    let incidents: Vec<Incident> = state.incidents().cloned().collect();
    let loose = loose(state).cloned().collect();
    State::restore(incidents, loose, policy, at(minutes))
}

/// Incidents evaluated at one common instant, since an open duration is measured up to the last
/// evaluation.
fn settled(mut state: State, policy: &Policy) -> Vec<Incident> {
    pass(&mut state, policy, 500);
    state.reevaluate(policy, at(500));
    essence(&state)
}

fn every_order_ends_the_same(
    events: &[Event],
    policy: &Policy,
    seed: u64,
    repeats: usize,
    split: usize,
) -> (Vec<Incident>, Vec<Incident>) {
    let mut one = State::default();
    one.apply(events.to_vec(), policy, at(400));
    let mut other = State::default();
    for (index, batch) in shuffled(events, repeats, seed).chunks(split).enumerate() {
        other.apply(batch.to_vec(), policy, at(400));
        // A clock that goes back changes nothing.
        other.tick(policy, at(390));
        if index % 3 == 2 {
            other = restarted(&other, policy, 400);
        }
    }
    (settled(one, policy), settled(other, policy))
}

fn ids(state: &State) -> Vec<EventId> {
    let own = state
        .incidents()
        .flat_map(|incident| &incident.members)
        .filter(|member| member.reason != JoinReason::Context);
    let mut ids: Vec<EventId> = own.map(|member| member.event.id).collect();
    ids.extend(loose(state).map(|event| event.id));
    ids.sort();
    ids
}

proptest! {
    #[test]
    fn a_storm_ends_the_same_however_it_comes(
        told in proptest::collection::vec((0i64..30, 0i64..3, 0i64..8), 1..90), seed: u64, split in 1usize..20
    ) {
        // Many at the same instant, so that those that come later belong before others; here and there an end, or another episode.
        let events: Vec<Event> = told
            .iter()
            .map(|&(name, start, rest)| {
                let end = (rest == 0).then_some(start + 1);
                alert(&format!("A{name}"), if rest == 1 { "payments" } else { "checkout" }, start, end)
            })
            .collect();
        let (one, other) = every_order_ends_the_same(&events, &super::policy(), seed, 5, split);
        prop_assert_eq!(difference(&one, &other), "");
    }

    #[test]
    fn order_repetition_batches_and_restarts_change_nothing(
        events in history(), named in references(), edits in corrections(), seed in any::<u64>(), repeats in 0usize..5, split in 1usize..4,
    ) {
        let events = corrected(&referring(&events, &named), &edits);
        let (one, other) = every_order_ends_the_same(&events, &policy_of(RULES), seed, repeats, split);
        prop_assert_eq!(difference(&one, &other), "");
    }

    #[test]
    fn steps_and_likeness_count_in_whatever_order_they_are_told(events in history(), seed in any::<u64>(), split in 1usize..4) {
        let (one, other) = every_order_ends_the_same(&events, &policy_of(LOOKING_BACK), seed, 0, split);
        prop_assert_eq!(difference(&one, &other), "");
    }

    #[test]
    fn near_misses_compete_in_whatever_order_they_are_told(events in history(), seed in any::<u64>(), split in 1usize..4) {
        let (one, other) = every_order_ends_the_same(&events, &policy_of(NEAR_MISSES), seed, 0, split);
        prop_assert_eq!(difference(&one, &other), "");
    }

    #[test]
    fn lapses_of_what_is_known_to_have_ended_change_nothing(
        events in history(), seen in proptest::collection::vec(0i64..400, 12),
    ) {
        let policy = policy_of(RULES);
        let ends = |event: &&Event| matches!(&event.fact, Fact::Alert(alert) if alert.status == AlertStatus::Resolved);
        let again = |subject| events.iter().any(|event| {
            event.subject == subject && matches!(&event.fact, Fact::Alert(alert) if alert.seen_again.is_some())
        });
        let ended = events.iter().filter(ends).filter(|event| !again(event.subject));
        let lapses = ended.zip(&seen).map(|(end, minutes)| {
            let last_seen = at(*minutes).max(onset(end));
            Event::new("afterword", last_seen, Fact::Lapsed(LeaseExpiry { of: end.subject, last_seen }))
        });
        let (mut one, mut other) = (State::default(), State::default());
        other.apply(events.iter().cloned().chain(lapses).collect(), &policy, at(400));
        one.apply(events.clone(), &policy, at(400));
        prop_assert_eq!(difference(&settled(one, &policy), &settled(other, &policy)), "");
    }

    #[test]
    fn no_event_is_lost_or_doubled(events in history(), named in references(), edits in corrections()) {
        let policy = policy_of(RULES);
        let events = corrected(&referring(&events, &named), &edits);
        let mut state = State::default();
        state.apply(events.clone(), &policy, at(400));
        let mut known: Vec<EventId> = events.into_iter().map(|event| event.id).collect();
        known.sort();
        known.dedup();
        prop_assert_eq!(ids(&state), known);
    }

    #[test]
    fn to_merge_and_then_to_split_is_to_do_nothing(events in history(), one in any::<Index>(), other in any::<Index>()) {
        let policy = policy_of(RULES);
        let mut state = State::default();
        state.apply(events, &policy, at(400));
        pass(&mut state, &policy, 410);
        let all: Vec<Incident> = state.incidents().cloned().collect();
        if all.is_empty() {
            return Ok(());
        }
        let (one, other) = (one.get(&all), other.get(&all));
        if one.id == other.id {
            return Ok(());
        }
        // What a source merged is there before and after.
        let unedited = |mut incidents: Vec<Incident>| {
            for incident in &mut incidents {
                incident.members = incident.members.iter().filter(|member| !matches!(member.event.fact, Fact::Edit(_))).cloned().collect();
            }
            incidents
        };
        let untouched = unedited(settled(state.clone(), &policy));
        state.apply(vec![said_of(&one.id, 410, Correction::Merge { into: one.id.clone(), from: other.id.clone() })], &policy, at(410));
        prop_assert_eq!(state.incidents().count(), all.len() - 1);
        let merged = state.incident_of(&opener(one).unwrap().id).unwrap();
        let members = other.members.iter().filter(|member| member.reason != JoinReason::Context);
        let events: Vec<EventId> = members.map(|member| member.event.id).collect();
        state.apply(vec![said_of(&merged, 411, Correction::Move { from: merged.clone(), events, to: None })], &policy, at(411));
        let split = unedited(settled(state, &policy));
        prop_assert_eq!(difference(&split, &untouched), "");
    }

    #[test]
    fn a_verdict_is_met_exactly_when_the_lower_bound_suffices(events in history()) {
        let policy = policy_of(RULES);
        let mut state = State::default();
        state.apply(events, &policy, at(400));
        for verdict in state.incidents().flat_map(|incident| &incident.verdicts) {
            if let Some(measure) = verdict.measure {
                prop_assert!(measure.lower <= measure.upper);
                prop_assert_eq!(verdict.outcome == Outcome::Met, measure.lower >= measure.required);
                prop_assert_eq!(measure.margin >= 0.0, verdict.outcome == Outcome::Met);
            }
        }
    }

    #[test]
    fn a_signal_is_in_one_state_at_a_time_and_never_for_less_than_nothing(events in history()) {
        let mut state = State::default();
        state.apply(events, &policy_of(RULES), at(400));
        for signal in state.incidents().flat_map(|incident| &incident.signals) {
            let ends = signal.spans.iter().map(|span| span.end.unwrap_or(crate::model::time::Time::MAX_UTC));
            prop_assert!(signal.spans.iter().zip(ends.clone()).all(|(span, end)| span.start <= end), "{:?}", signal.spans);
            prop_assert!(signal.spans.iter().skip(1).zip(ends).all(|(next, end)| end <= next.start), "{:?}", signal.spans);
        }
    }

    #[test]
    fn looking_more_often_changes_nothing(events in history(), looks in proptest::collection::vec(400i64..480, 0..6)) {
        let policy = policy_of(RULES);
        let mut state = State::default();
        state.apply(events, &policy, at(400));
        let mut other = state.clone();
        for minutes in looks {
            let now = at(minutes).max(at(400));
            while let Some(due) = other.next_due().filter(|due| *due <= now) {
                other.tick(&policy, due);
            }
            other.tick(&policy, now + TimeDelta::seconds(1));
        }
        prop_assert_eq!(difference(&settled(state, &policy), &settled(other, &policy)), "");
    }
}
