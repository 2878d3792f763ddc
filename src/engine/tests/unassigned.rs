//! Sentences about incidents without a service.

use super::{alert, at, only, pass, policy_of};
use crate::engine::state::State;
use crate::model::event::{AlertStatus, Declaration, Event, Fact, Severity};

fn unassigned_alert(name: &str, from: i64, until: Option<i64>) -> Event {
    let mut event = alert(name, "", from, until);
    event.service = None;
    event.identify();
    event
}

fn sentences(event: Event, rules: &str, minutes: i64) -> Vec<(String, String)> {
    let policy = policy_of(rules);
    let mut state = State::default();
    state.apply(vec![event], &policy, at(0));
    pass(&mut state, &policy, minutes);
    let verdicts = only(&state).verdicts.into_iter();
    verdicts
        .map(|verdict| (verdict.sentence, verdict.would_change))
        .collect()
}

#[test]
fn alert_without_a_service_is_not_a_service_of_its_name() {
    let rules = "
criteria:
  - {name: long, on: degradation, longest: 30m, decision: hold}
  - {name: again, on: recurrence, times: 3, within: 7d, decision: suggest}
  - {name: steps, on: intervention, at_least: 3, within: 7d, per: [service, action], decision: suggest}
";
    for name in ["NoService", "DiskFull"] {
        let found = sentences(unassigned_alert(name, 0, None), rules, 40);
        let sentence =
            "An unassigned service has been degraded for 30m without a break (threshold 30m).";
        assert_eq!(found[0].0, sentence);
        let first = format!("First incident that {name} opened within 7 days; 3 are needed.");
        assert_eq!(found[1].0, first);
        assert_eq!(
            found[2].1,
            "3 manual steps of the same action within 7 days would meet it."
        );
    }
}

#[test]
fn headline_without_a_postmortem_names_no_service_that_there_is_not() {
    let policy =
        policy_of("criteria: [{name: long, on: degradation, longest: 30m, decision: hold}]");
    let mut state = State::default();
    state.apply(vec![unassigned_alert("NoService", 0, None)], &policy, at(0));
    let end = unassigned_alert("NoService", 0, Some(10));
    state.apply(vec![end], &policy, at(10));
    pass(&mut state, &policy, 120);
    assert_eq!(
        only(&state).reason,
        "No postmortem: an unassigned service was degraded for 10m without a break (threshold 30m)."
    );
}

#[test]
fn declared_outage_without_a_service_names_only_its_title() {
    let fact = Declaration {
        key: "P1".to_owned(),
        title: "Nobody can pay".to_owned(),
        severity: Severity::Critical,
        status: AlertStatus::Firing,
        planned: false,
        data_loss: None,
        detected_by: None,
    };
    let mut event = Event::new("test", at(0), Fact::Declaration(fact));
    event.incident = Some("pagerduty:P1".into());
    event.identify();
    let rules = "criteria: [{name: declared, on: outage, decision: hold}]";
    let found = sentences(event, rules, 1);
    assert_eq!(found[0].0, "An outage was declared: Nobody can pay.");
}

#[test]
fn incident_without_the_trait_of_a_recurrence_says_which_would_have_it() {
    let rules = "
criteria:
  - {name: label, on: recurrence, times: 2, within: 7d, same: ['label:cluster'], decision: suggest}
  - {name: condition, on: recurrence, times: 2, within: 7d, same: [condition], decision: suggest}
  - {name: service, on: recurrence, times: 2, within: 7d, same: [service], decision: suggest}
";
    let found = sentences(alert("A", "checkout", 0, None), rules, 1);
    assert_eq!(
        found[0].1,
        "An incident whose opening alert or condition has the label cluster could meet it."
    );
    assert_eq!(
        found[1].1,
        "An incident that a condition opened could meet it."
    );
}

#[test]
fn all_excluded_signals_are_named_together() {
    let rules = "
criteria:
  - {name: metrics, on: degradation, where: 'signal.kind == \"condition\"', longest: 30m, decision: hold}
  - {name: other, on: degradation, where: 'signal.name == \"Other\"', longest: 30m, decision: hold}
";
    let policy = policy_of(rules);
    let mut state = State::default();
    let events = ["A", "B", "C", "D"].map(|name| alert(name, "checkout", 0, None));
    state.apply(events.into(), &policy, at(0));
    pass(&mut state, &policy, 10);
    let [metrics, other] = &only(&state).verdicts[..] else {
        panic!("two criteria give two verdicts");
    };
    let begin = "Checkout had no degraded time that counts (threshold 30m without a break)";
    assert_eq!(
        metrics.sentence,
        format!("{begin}: none of the 4 alerts is a condition.")
    );
    assert_eq!(
        other.sentence,
        format!("{begin}: `where` excludes all 4 alerts (A, B, C, …).")
    );
    assert_eq!(
        other.would_change,
        "30m of degraded time that counts would have met the threshold."
    );
}
