//! Milestones where conditions, alerts and people tell of one incident.

use super::{alert, at, only, outage, pass, policy_of};
use crate::engine::state::State;
use crate::model::event::{
    AlertStatus, Condition, ConditionState, Declaration, Event, Fact, Severity,
};
use crate::model::incident::Incident;
use crate::model::labels::Labels;
use crate::model::milestone::{Certainty, MilestoneKind};
use crate::model::time::Time;

const RULES: &str = "
criteria: [{name: long, on: degradation, longest: 30m, decision: suggest}]
conditions:
  - {name: errors, service: checkout, metrics: prom, query: up, degraded: '> 5', near_miss: '> 2'}
";

fn condition(minutes: i64, state: ConditionState) -> Event {
    let fact = Fact::Condition(Condition {
        name: "errors".into(),
        state,
        severity: Severity::Critical,
        labels: Labels::new().into(),
        value: Some(3.0),
        since: None,
    });
    let mut event = Event::new("prom", at(minutes), fact);
    event.service = Some("checkout".into());
    event.identify();
    event
}

fn pending(mut event: Event, seconds: i64) -> Event {
    if let Fact::Alert(alert) = &mut event.fact {
        alert.pending_for = Some(seconds);
    }
    event.identify();
    event
}

fn ended(minutes: i64) -> Event {
    let fact = Fact::Declaration(Declaration {
        key: String::new(),
        title: String::new(),
        severity: Severity::Critical,
        status: AlertStatus::Resolved,
        planned: false,
        data_loss: None,
        detected_by: None,
    });
    let mut event = Event::new("people", at(minutes), fact);
    event.service = Some("checkout".into());
    event.identify();
    event
}

/// The incident of these events once it is resolved.
fn resolved(events: Vec<Event>) -> Incident {
    let (mut state, policy) = (State::default(), policy_of(RULES));
    let last = events.iter().map(|event| event.occurred_at).max();
    state.apply(events, &policy, last.unwrap_or(at(0)));
    pass(&mut state, &policy, 90);
    only(&state)
}

fn time(incident: &Incident, kind: MilestoneKind) -> Option<Time> {
    let milestones = &incident.milestones;
    let milestone = match kind {
        MilestoneKind::Began => &milestones.began,
        MilestoneKind::Mitigated => &milestones.mitigated,
        _ => &milestones.resolved,
    };
    milestone.as_ref().map(|milestone| milestone.at)
}

#[test]
fn beginning_is_the_first_of_what_metrics_and_alerts_measured() {
    use ConditionState::{Degraded, Healthy};
    let incident = resolved(vec![
        pending(alert("A", "checkout", 10, None), 120),
        condition(9, Degraded),
        condition(20, Healthy),
        pending(alert("A", "checkout", 10, Some(21)), 120),
    ]);
    assert_eq!(time(&incident, MilestoneKind::Began), Some(at(8)));
    assert_eq!(time(&incident, MilestoneKind::Mitigated), Some(at(21)));
    // Where an alert's `for` is unknown, only the metric tells the beginning.
    let incident = resolved(vec![
        alert("A", "checkout", 10, None),
        condition(12, Degraded),
        condition(20, Healthy),
        alert("A", "checkout", 10, Some(21)),
    ]);
    assert_eq!(time(&incident, MilestoneKind::Began), Some(at(12)));
}

#[test]
fn declaration_that_was_ended_late_does_not_move_the_mitigation() {
    let incident = resolved(vec![
        alert("A", "checkout", 0, None),
        outage("checkout", 5),
        alert("A", "checkout", 0, Some(20)),
        ended(28),
    ]);
    let mitigated = incident.milestones.mitigated.clone().unwrap();
    assert_eq!(
        (mitigated.at, mitigated.certainty),
        (at(20), Certainty::Measured)
    );
    // The end of the incident is theirs to say.
    let resolved = incident.milestones.resolved.unwrap();
    assert_eq!(
        (resolved.at, resolved.certainty),
        (at(28), Certainty::Stated)
    );
}

#[test]
fn near_miss_that_was_over_before_it_began_did_not_detect_it() {
    use ConditionState::{Degraded, Healthy, NearMiss};
    let detected = |events: Vec<Event>| resolved(events).milestones.detected.unwrap().at;
    let outage = [condition(9, Degraded), condition(20, Healthy)];
    let before = [condition(0, NearMiss), condition(3, Healthy)];
    assert_eq!(detected([&before[..], &outage[..]].concat()), at(9));
    let warning = [condition(0, NearMiss)];
    assert_eq!(detected([&warning[..], &outage[..]].concat()), at(0));
    assert_eq!(detected(before.to_vec()), at(0));
}

#[test]
fn separate_near_miss_or_loss_of_data_moves_no_resolved_milestone() {
    use ConditionState::{Degraded, Healthy, NearMiss};
    let outage = [condition(0, Degraded), condition(10, Healthy)];
    let told = |more: &[Event]| {
        let incident = resolved([&outage[..], more].concat());
        time(&incident, MilestoneKind::Resolved)
    };
    // The default `settle` is five minutes.
    assert_eq!(told(&[]), Some(at(10)));
    assert_eq!(
        told(&[condition(16, NearMiss), condition(18, Healthy)]),
        Some(at(10))
    );
    let soon = [condition(13, NearMiss), condition(18, Healthy)];
    assert_eq!(told(&soon), Some(at(18)), "it is still the same trouble");
    let lost = [
        condition(16, ConditionState::Unknown),
        condition(18, Healthy),
    ];
    assert_eq!(told(&lost), Some(at(10)), "lost data is other trouble");
    let again = [condition(16, Degraded), condition(18, Healthy)];
    assert_eq!(told(&again), Some(at(18)));
}
