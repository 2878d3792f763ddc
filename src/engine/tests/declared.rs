//! Incidents that sources name themselves, and planned work.

use chrono::TimeDelta;

use super::{alert, at, only, pass, policy, policy_of};
use crate::engine::state::State;
use crate::model::correction::Correction;
use crate::model::event::{
    AlertStatus, Declaration, EndReason, Event, Fact, Intervention, LeaseExpiry, MaintenanceWindow,
    Note, Severity,
};
use crate::model::event_identity::declared_subject;
use crate::model::id::IncidentId;
use crate::model::incident::Announced;
use crate::model::lifecycle::ReviewState;
use crate::model::member::JoinReason;
use crate::model::milestone::Certainty;
use crate::model::spans::SpanState;
use crate::model::verdict::Outcome;

const NAME: &str = "pagerduty:P1";

fn of(name: &str, service: Option<&str>, mut event: Event) -> Event {
    event.incident = Some(name.into());
    event.service = service.map(Into::into);
    event.identify();
    event
}

fn note(name: &str, minutes: i64) -> Event {
    of(
        name,
        None,
        Event::new(
            "test",
            at(minutes),
            Fact::Note(Note {
                text: "looking".to_owned(),
            }),
        ),
    )
}

fn declared(
    name: &str,
    service: &str,
    minutes: i64,
    status: AlertStatus,
    severity: Severity,
) -> Event {
    let fact = Declaration {
        key: name.to_owned(),
        title: "Nobody can pay".to_owned(),
        severity,
        status,
        planned: false,
        data_loss: None,
        detected_by: None,
    };
    of(
        name,
        Some(service),
        Event::new("test", at(minutes), Fact::Declaration(fact)),
    )
}

fn begun(minutes: i64) -> Event {
    declared(
        NAME,
        "checkout",
        minutes,
        AlertStatus::Firing,
        Severity::Warning,
    )
}

fn ended(minutes: i64) -> Event {
    declared(
        NAME,
        "checkout",
        minutes,
        AlertStatus::Resolved,
        Severity::Warning,
    )
}

fn told_as_alert(name: &str, start: i64, end: Option<i64>) -> Event {
    of(name, Some("checkout"), alert(name, "checkout", start, end))
}

fn planned(service: Option<&str>, told: i64, from: i64, to: i64) -> Event {
    let window = MaintenanceWindow {
        key: String::new(),
        from: at(from),
        to: at(to),
        why: "new disks".to_owned(),
    };
    let mut event = Event::new("people", at(told), Fact::Maintenance(window));
    event.service = service.map(Into::into);
    event.identify();
    event
}

#[test]
fn events_of_a_source_incident_join_in_any_order() {
    let policy = policy();
    let all = [
        begun(0),
        note(NAME, 3),
        declared(NAME, "search", 5, AlertStatus::Firing, Severity::Critical),
        note(NAME, 90),
        ended(100),
    ];
    for turn in 0..all.len() {
        let mut state = State::default();
        for event in all.iter().cycle().skip(turn).take(all.len()) {
            state.apply(vec![event.clone()], &policy, at(100));
        }
        let incident = only(&state);
        assert_eq!(incident.members.len(), all.len());
        assert!(
            incident
                .members
                .iter()
                .skip(1)
                .all(|member| member.reason == JoinReason::Key),
            "{turn}"
        );
        assert_eq!(incident.services, ["checkout", "search"]);
        // One outage, wherever it moved, as bad as it was at its worst.
        assert_eq!(incident.signals.len(), 1);
        assert_eq!(
            (incident.signals[0].subject, incident.signals[0].severity),
            (declared_subject(NAME), Severity::Critical)
        );
        assert_eq!(incident.signals[0].spans.last().unwrap().end, Some(at(100)));
    }
}

#[test]
fn end_of_a_subject_that_never_began_adds_no_signal() {
    let policy = policy();
    for (first, signals) in [
        (begun(0), "declaration"),
        (told_as_alert(NAME, 0, None), "alert"),
    ] {
        let mut state = State::default();
        state.apply(
            vec![first, ended(20), told_as_alert(NAME, 0, Some(20))],
            &policy,
            at(20),
        );
        let incident = only(&state);
        let kinds: Vec<_> = incident
            .signals
            .iter()
            .map(|signal| format!("{:?}", signal.kind).to_lowercase())
            .collect();
        assert_eq!(kinds, [signals]);
        assert_eq!(incident.signals[0].spans.last().unwrap().end, Some(at(20)));
        assert_eq!(incident.members.len(), 2);
    }
}

#[test]
fn alert_that_became_an_outage_ends_as_both() {
    let (policy, mut state) = (policy(), State::default());
    let all = vec![
        told_as_alert(NAME, 0, None),
        begun(0),
        ended(20),
        told_as_alert(NAME, 0, Some(20)),
    ];
    state.apply(all, &policy, at(20));
    let incident = only(&state);
    assert_eq!(incident.signals.len(), 2);
    assert!(
        incident
            .signals
            .iter()
            .all(|signal| signal.spans.last().unwrap().end == Some(at(20)))
    );
    assert_eq!(incident.standing, ReviewState::Held);
}

#[test]
fn zero_length_declaration_is_an_outage_of_unknown_length() {
    let (policy, mut state) = (policy(), State::default());
    let proof = |at, status| {
        let fact = Declaration {
            key: format!("{NAME} status update"),
            title: "Nobody can pay".to_owned(),
            severity: Severity::Unknown,
            status,
            planned: false,
            data_loss: None,
            detected_by: None,
        };
        of(NAME, None, Event::new("test", at, Fact::Declaration(fact)))
    };
    let said = at(30);
    let instant = [
        proof(said, AlertStatus::Firing),
        proof(said + TimeDelta::milliseconds(1), AlertStatus::Resolved),
    ];
    let all = [
        told_as_alert(NAME, 0, None),
        told_as_alert(NAME, 0, Some(20)),
    ]
    .into_iter()
    .chain(instant);
    state.apply(all.collect(), &policy, at(31));
    pass(&mut state, &policy, 90);
    let incident = only(&state);
    assert_eq!(incident.standing, ReviewState::Held);
    assert_eq!(incident.milestones.mitigated.unwrap().at, at(20));
    assert_eq!(
        incident.milestones.resolved.unwrap().certainty,
        Certainty::Inferred
    );
    assert_eq!(
        incident.verdicts[1].outcome,
        Outcome::NotMet,
        "twenty minutes are not thirty"
    );
}

fn merged(minutes: i64) -> Vec<Event> {
    let mut end = told_as_alert("pagerduty:P2", 0, Some(minutes));
    if let Fact::Alert(alert) = &mut end.fact {
        alert.end_reason = EndReason::Superseded;
    }
    end.identify();
    let (into, from) = (
        IncidentId(NAME.to_owned()),
        IncidentId("pagerduty:P2".to_owned()),
    );
    let merge = Event::new(
        "test",
        at(minutes),
        Fact::Edit(Correction::Merge { into, from }),
    );
    vec![of("pagerduty:P2", None, merge), end]
}

#[test]
fn a_merge_by_the_source_makes_one_incident_that_goes_on() {
    let (policy, mut state) = (policy(), State::default());
    let mut other = told_as_alert(NAME, 1, None);
    other.service = Some("search".into());
    state.apply(
        vec![told_as_alert("pagerduty:P2", 0, None), other],
        &policy,
        at(2),
    );
    assert_eq!(state.incidents().count(), 2);
    state.apply(merged(5), &policy, at(5));
    let incident = only(&state);
    // Neither a recovery nor unknown time: the other signal supplies the rest.
    assert_eq!(incident.signals.len(), 2);
    assert!(
        incident
            .signals
            .iter()
            .flat_map(|signal| &signal.spans)
            .all(|span| span.state == SpanState::Degraded)
    );
    pass(&mut state, &policy, 40);
    assert_eq!(only(&state).verdicts[1].outcome, Outcome::Met);
}

#[test]
fn merge_into_an_unknown_incident_leaves_the_state_unknown() {
    let (policy, mut state) = (policy(), State::default());
    state.apply(vec![told_as_alert("pagerduty:P2", 0, None)], &policy, at(2));
    state.apply(merged(5), &policy, at(5));
    assert_eq!(
        only(&state).signals[0].spans.last().unwrap().state,
        SpanState::Unknown
    );
}

#[test]
fn planned_work_announced_before_or_after_is_not_degraded() {
    for (told, service) in [
        (-3000, Some("checkout")),
        (40, Some("checkout")),
        (-10, None),
        (50, None),
    ] {
        let (policy, mut state) = (policy(), State::default());
        let work = planned(service, told, -5, 45);
        let mut all = [
            work,
            alert("A", "checkout", 0, None),
            alert("A", "checkout", 0, Some(60)),
        ];
        all.sort_by_key(|event| event.occurred_at);
        for event in all {
            pass(
                &mut state,
                &policy,
                (event.occurred_at - at(0)).num_minutes(),
            );
            let now = event.occurred_at;
            state.apply(vec![event], &policy, now);
        }
        pass(&mut state, &policy, 100);
        let incident = only(&state);
        let spans: Vec<_> = incident.signals[0]
            .spans
            .iter()
            .map(|span| (span.state, span.end))
            .collect();
        assert_eq!(
            spans,
            [
                (SpanState::Planned, Some(at(45))),
                (SpanState::Degraded, Some(at(60)))
            ],
            "{told} {service:?}"
        );
        assert!(
            incident
                .members
                .iter()
                .any(|member| member.reason == JoinReason::Context),
            "it is shown beside the incident"
        );
        assert_eq!(incident.services, ["checkout"]);
    }
}

#[test]
fn latest_statement_of_planned_work_wins() {
    let (policy, mut state) = (policy(), State::default());
    let work = [
        planned(Some("checkout"), -50, -5, 45),
        planned(Some("checkout"), -20, -5, -5),
    ];
    // The later word may be heard first.
    for event in work.into_iter().rev() {
        state.apply(vec![event], &policy, at(-10));
    }
    state.apply(vec![alert("A", "checkout", 0, None)], &policy, at(0));
    assert_eq!(
        only(&state).signals[0].spans.last().unwrap().state,
        SpanState::Degraded
    );
}

#[test]
fn planned_work_on_something_else_hides_nothing_and_a_step_in_it_is_planned() {
    let policy =
        super::policy_of("criteria: [{name: by-hand, on: intervention, decision: suggest}]");
    for (service, outcome) in [("checkout", Outcome::NotMet), ("payments", Outcome::Met)] {
        let mut state = State::default();
        let step = Intervention {
            action: "restart".to_owned(),
            why: "new disks".to_owned(),
            stated: true,
            should_be_automatic: None,
            dry_run: false,
            refused: false,
            planned: false,
        };
        let mut step = Event::new("people", at(5), Fact::Intervention(step));
        step.service = Some("checkout".into());
        step.identify();
        state.apply(
            vec![
                planned(Some(service), -10, 0, 30),
                alert("A", "checkout", 1, None),
                step,
            ],
            &policy,
            at(6),
        );
        let incident = only(&state);
        assert_eq!(incident.verdicts[0].outcome, outcome, "{service}");
        let planned = incident.signals[0]
            .spans
            .iter()
            .any(|span| span.state == SpanState::Planned);
        assert_eq!(planned, service == "checkout");
    }
}

/// An alert from minute 0, seen last at minute 2, and the announcement after `more` at minute 8.
fn announced_with_unknown_time(rules: &str, more: Event) -> Announced {
    let (mut state, policy) = (State::default(), policy_of(rules));
    let firing = alert("A", "checkout", 0, None);
    let of = firing.subject;
    let last_seen = at(2);
    let lapsed = Fact::Lapsed(LeaseExpiry { of, last_seen });
    state.apply(vec![firing], &policy, at(0));
    let lapsed = Event::new("afterword", last_seen, lapsed);
    state.apply(vec![lapsed], &policy, at(4));
    state.apply(vec![more], &policy, at(8));
    let measured = only(&state).verdicts.remove(1);
    assert_eq!(measured.outcome, Outcome::Unknown);
    pass(&mut state, &policy, 90);
    only(&state).announced.unwrap()
}

#[test]
fn unknown_degradation_does_not_open_what_a_declared_outage_opens() {
    let rules = "
criteria:
  - {name: outage, on: outage, decision: hold}
  - {name: measured, on: degradation, where: 'signal.kind == \"alert\"', longest: 5m, decision: hold}
";
    let announced = announced_with_unknown_time(rules, begun(8));
    assert_eq!(
        (announced.criteria, announced.sentence.as_str()),
        (
            vec!["outage".to_owned()],
            "An outage of Checkout was declared: Nobody can pay."
        )
    );
}

#[test]
fn unknown_degradation_does_not_suggest_what_a_met_criterion_suggests() {
    let rules = "
criteria:
  - {name: by-hand, on: intervention, decision: suggest}
  - {name: measured, on: degradation, longest: 5m, decision: suggest}
";
    let step = Intervention {
        action: "restart".to_owned(),
        why: String::new(),
        stated: true,
        should_be_automatic: None,
        dry_run: false,
        refused: false,
        planned: false,
    };
    let mut step = Event::new("test", at(8), Fact::Intervention(step));
    step.service = Some("checkout".into());
    step.identify();
    let announced = announced_with_unknown_time(rules, step);
    assert_eq!(announced.criteria, ["by-hand"]);
    assert_eq!(announced.sentence, "1 manual restart (threshold 1).");
}
