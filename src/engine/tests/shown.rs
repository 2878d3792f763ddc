//! Incidents as they are shown: figures of the moment, not of the last event.

use super::{alert, answer, at, fired_for, only, pass, policy_of};
use crate::engine::as_of::as_of;
use crate::engine::state::State;
use crate::model::correction::Answer;
use crate::model::event::{Event, Fact, NearMissReport, Severity};
use crate::model::settings::Maintenance;
use crate::model::spans::SpanState;
use crate::model::verdict::Outcome;

#[test]
fn margin_of_an_open_incident_grows_without_events() {
    let (state, policy) = fired_for(0);
    let stored = only(&state);
    let shown = as_of(stored.clone(), &policy, at(25));
    let long = shown
        .verdicts
        .iter()
        .find(|verdict| verdict.criterion == "long")
        .unwrap();
    assert_eq!(
        (
            long.outcome,
            long.measure.unwrap().lower,
            long.measure.unwrap().margin
        ),
        (Outcome::NotMet, 1500.0, -300.0)
    );
    assert_eq!(
        shown.reason,
        "No postmortem: Checkout has been degraded for 25m without a break (threshold 30m)."
    );
    assert_eq!(
        long.would_change,
        "Another 5m of degraded time will meet the threshold."
    );
    assert_eq!(only(&state), stored, "showing changes nothing");
}

#[test]
fn headline_is_of_now_and_at_last_of_the_end() {
    let (mut state, policy) = fired_for(31);
    let accept = answer(&only(&state), 32, Answer::Accept);
    state.apply(vec![accept], &policy, at(32));
    let shown = as_of(only(&state), &policy, at(50));
    assert_eq!(
        shown.reason,
        "Checkout has been degraded for 50m without a break (threshold 30m)."
    );
    state.apply(vec![alert("A", "checkout", 0, Some(55))], &policy, at(55));
    pass(&mut state, &policy, 120);
    let closed = only(&state);
    assert_eq!(
        closed.reason,
        "Checkout was degraded for 55m without a break (threshold 30m)."
    );
    assert_eq!(
        closed.announced.unwrap().sentence,
        "Checkout has been degraded for 30m without a break (threshold 30m).",
        "the ledger keeps the words of the announcement"
    );
}

#[test]
fn headline_of_an_announcement_that_facts_overtook_has_the_figures_of_now() {
    let (mut state, policy) = fired_for(31);
    state.apply(vec![alert("A", "checkout", 0, Some(10))], &policy, at(31));
    assert_eq!(
        only(&state).reason,
        "Checkout was degraded for 10m without a break (threshold 30m)."
    );
}

#[test]
fn answer_fits_though_the_phase_moved_on() {
    let (mut state, policy) = fired_for(31);
    state.apply(vec![alert("A", "checkout", 0, Some(32))], &policy, at(32));
    let seen = only(&state).revision;
    pass(&mut state, &policy, 90);
    assert_eq!(only(&state).revision, seen);
}

#[test]
fn nothing_counted_says_why() {
    let rules = "
criteria:
  - {name: critical, on: degradation, where: 'signal.severity == \"critical\"', longest: 30m, decision: hold}
  - {name: live, on: degradation, where: 'incident.environment == \"production\"', longest: 30m, decision: hold}
  - {name: metrics, on: degradation, where: 'signal.kind == \"condition\"', longest: 30m, decision: hold}
  - {name: other, on: degradation, where: 'signal.name == \"Other\"', longest: 30m, decision: hold}
";
    let policy = policy_of(rules);
    let mut state = State::default();
    let mut event = alert("HighErr", "checkout", 0, None);
    event.environment = Some("staging".into());
    if let Fact::Alert(alert) = &mut event.fact {
        alert.severity = Severity::Warning;
    }
    event.identify();
    state.apply(vec![event], &policy, at(0));
    let shown = as_of(only(&state), &policy, at(25));
    let begin = "Checkout had no degraded time that counts (threshold 30m without a break)";
    for (verdict, reason) in shown.verdicts.iter().zip([
        ". Not counted: 25m from alerts with severity warning.",
        ". Not counted: 25m in the environment staging.",
        ": alert HighErr is not a condition.",
        ": `where` excludes alert HighErr.",
    ]) {
        assert_eq!(verdict.sentence, format!("{begin}{reason}"));
    }
}

#[test]
fn first_second_of_an_alert_is_no_reason_to_count_nothing() {
    let (state, _) = fired_for(0);
    assert_eq!(
        only(&state).verdicts[1].sentence,
        "Checkout has been degraded for 0s without a break (threshold 30m)."
    );
}

#[test]
fn planned_work_ahead_degrades_nothing_yet() {
    let mut policy = policy_of(super::RULES);
    policy.maintenance = vec![Maintenance {
        service: Some("checkout".to_owned()),
        from: at(600),
        to: at(720),
        why: "move".to_owned(),
    }];
    let mut state = State::default();
    state.apply(vec![alert("A", "checkout", 0, None)], &policy, at(0));
    let shown = as_of(only(&state), &policy, at(25));
    let spans: Vec<_> = shown.signals[0]
        .spans
        .iter()
        .map(|span| (span.state, span.start, span.end))
        .collect();
    assert_eq!(spans, [(SpanState::Degraded, at(0), None)]);
    assert_eq!(
        shown.verdicts[1].sentence,
        "Checkout has been degraded for 25m without a break (threshold 30m)."
    );
}

#[test]
fn title_names_the_service_and_what_it_was() {
    let title = |name: &str, service: &str| {
        let (mut state, policy) = (State::default(), policy_of(super::RULES));
        state.apply(vec![alert(name, service, 0, None)], &policy, at(0));
        only(&state).title
    };
    assert_eq!(title("HighLatency", "checkout"), "Checkout: high latency");
    assert_eq!(title("SlowSearch", "search"), "Search: slow search");
    assert_eq!(title("SearchDown", "search"), "Search: down");
    assert_eq!(title("Search is slow", "search"), "Search is slow");
    assert_eq!(title("Disk full", "db"), "Db: Disk full");
}

#[test]
fn headline_without_a_postmortem_says_what_did_not_count() {
    let rules = "
criteria:
  - {name: outage, on: outage, decision: hold}
  - {name: long, on: degradation, where: 'signal.severity == \"critical\"', longest: 30m, decision: suggest}
  - {name: again, on: recurrence, times: 3, within: 7d, decision: suggest}
";
    let (mut state, policy) = (State::default(), policy_of(rules));
    let mut event = alert("SlowSearch", "search", 0, None);
    if let Fact::Alert(alert) = &mut event.fact {
        alert.severity = Severity::Warning;
    }
    event.identify();
    state.apply(vec![event], &policy, at(0));
    assert_eq!(
        as_of(only(&state), &policy, at(40)).reason,
        "No postmortem: Search had no degraded time that counts (threshold 30m without a break). Not counted: 40m from alerts with severity warning."
    );
}

#[test]
fn headline_of_a_degraded_incident_is_not_that_it_was_more_than_a_near_miss() {
    let rules = "
criteria:
  - {name: near, on: near_miss, score_at_least: 0.1, quiet_for: 2h, at_most: 1 per 1h, decision: suggest}
  - {name: long, on: degradation, longest: 30m, decision: suggest}
";
    let (mut state, policy) = (State::default(), policy_of(rules));
    let near_miss = NearMissReport {
        what: "the disk was nearly full".to_owned(),
        severity: Severity::Critical,
        closeness: Some(0.9),
        by_luck: true,
        barriers_left: None,
    };
    let mut near_miss = Event::new("test", at(1), Fact::NearMiss(near_miss));
    near_miss.service = Some("checkout".into());
    near_miss.identify();
    let degraded = alert("A", "checkout", 0, Some(10));
    state.apply(vec![degraded, near_miss], &policy, at(10));
    let incident = only(&state);
    assert_eq!(
        incident.reason,
        "No postmortem: Checkout was degraded for 10m without a break (threshold 30m)."
    );
    let near = &incident.verdicts[0];
    assert_eq!((near.outcome, near.measure), (Outcome::NotMet, None));
}
