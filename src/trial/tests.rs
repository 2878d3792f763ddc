#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod policies;

use std::sync::Arc;

use super::backtest::Backtester;
use super::run;
use crate::engine::policy::Policy;
use crate::model::event::{AlertStatus, Declaration, Event, Fact, PostmortemRequest, Severity};
use crate::model::time::Time;
use crate::rules::{parse, scenario};

const RULES: &str = "
criteria:
  - {name: long, on: degradation, longest: 30m, decision: hold}
  - {name: flapping, on: degradation, total: 10m, within: 30m, decision: suggest}
conditions:
  - {name: checkout-errors, service: checkout, metrics: prom, query: errors, degraded: '> 0.02', every: 1m}
  - {name: slow, service: search, metrics: prom, query: latency, degraded: '> 2', recovered: '< 1', every: 30s}
";

/// The difference in a scenario with these events and this expectation; empty when it passes.
fn difference(events: &str, expect: &str) -> String {
    difference_under(RULES, events, expect)
}

fn difference_under(rules: &str, events: &str, expect: &str) -> String {
    let policy = Policy::new(
        parse::load(&[("rules.yaml".to_owned(), rules.to_owned())]).unwrap(),
        &[],
        &[],
    );
    let text = format!(
        "rules: [rules.yaml]\nscenarios:\n- name: s\n  events:\n{events}\n  expect: [{expect}]\n"
    );
    let file = scenario::parse("s.test.yaml", &text).unwrap_or_else(|faults| panic!("{faults:?}"));
    let differences = run(&file.scenarios[0], &policy)
        .map(|failure| failure.differences)
        .unwrap_or_default();
    differences.iter().map(ToString::to_string).collect()
}

#[track_caller]
fn check(events: &str, expect: &str) {
    assert_eq!(difference(events, expect), "", "{events}");
}

#[track_caller]
fn check_under(rules: &str, events: &str, expect: &str) {
    assert_eq!(difference_under(rules, events, expect), "", "{events}");
}

#[test]
fn samples_make_incidents() {
    let down = "  - {at: 0m, samples: checkout-errors, values: '0x3 0.03x40 0'}";
    check(
        down,
        "{at: 3m, incidents: 0}, {at: 4m, incidents: 1}, {at: 33m, service: checkout, decision: suggest}, {at: 34m, decision: hold}",
    );
    check(
        "  - {at: 0m, samples: checkout-errors, values: '0x3 0.02x40 0'}",
        "{at: 50m, incidents: 0, decision: none}",
    );
}

#[test]
fn samples_stand_between_other_events() {
    let events = "  - {at: 1m, alert: A, status: firing, service: checkout}
  - {at: 2m, samples: checkout-errors, values: '0x1 0.03x2 0'}
  - {at: 3m, note: Looking, service: checkout}
  - {at: 3m, acknowledgement: checkout-errors, actor: ada}
  - {at: 40m, alert: A, status: resolved, service: checkout}";
    check(events, "{at: 41m, incidents: 1, criteria: {long: met}}");
}

#[test]
fn what_is_absent_is_neither_healthy_nor_degraded() {
    let events = "  - {at: 0m, samples: checkout-errors, values: '0.03 _x31 0'}";
    check(
        events,
        "{at: 34m, criteria: {long: unknown, flapping: unknown}}",
    );
    let events = "  - {at: 0m, samples: checkout-errors, values: '0.03 0x31'}";
    check(
        events,
        "{at: 34m, criteria: {long: not_met, flapping: not_met}}",
    );
}

#[test]
fn through_a_gap_a_value_counts_for_five_minutes_as_in_promtool() {
    // Degraded from minute 1 until it is stale in minute 6.
    let gap = "  - {at: 0m, samples: checkout-errors, values: '0 0.03 _x20'}";
    let brief = "criteria: {flapping: not_met, long: not_met}";
    check(
        gap,
        &format!(
            "{{at: 5m, {brief}}}, {{at: 10m, {brief}}}, {{at: 11m, criteria: {{flapping: unknown}}}}"
        ),
    );
    // A staleness marker ends the series at once.
    let ended = "  - {at: 0m, samples: checkout-errors, values: '0 0.03 stale _x20'}";
    check(
        ended,
        "{at: 10m, criteria: {flapping: not_met}}, {at: 11m, criteria: {flapping: unknown}}",
    );
    // A gap in one entry does not undo the value that another has for that minute.
    let both = "  - {at: 0m, samples: checkout-errors, values: '0.03x12'}
  - {at: 6m, samples: checkout-errors, values: '_x6 0'}";
    check(both, "{at: 10m, criteria: {flapping: met}}");
}

#[test]
fn unknown_time_lasts_until_evidence_however_long_the_incident_is_closed() {
    let rules = "criteria: [{name: two-hours, on: degradation, longest: 2h, decision: suggest}]";
    let state = |at: &str, state: &str| {
        format!("  - {{at: {at}, condition: errors, state: {state}, service: checkout}}\n")
    };
    let begun = [state("0m", "degraded"), state("10m", "unknown")].concat();
    let closed = "{at: 119m, incidents: 1, decision: none, criteria: {two-hours: not_met}}, \
                  {at: 120m, decision: suggest, criteria: {two-hours: unknown}}";
    let suggested = "{at: 200m, incidents: 1, decision: suggest, criteria: {two-hours: unknown}}";
    // Never seen again, healthy after three hours, degraded after three hours.
    check_under(rules, &begun, &format!("{closed}, {suggested}"));
    let healthy = [&*begun, &state("190m", "healthy")].concat();
    check_under(rules, &healthy, &format!("{closed}, {suggested}"));
    let again = [
        &*begun,
        &state("190m", "degraded"),
        &state("199m", "healthy"),
    ]
    .concat();
    check_under(rules, &again, &format!("{closed}, {suggested}"));
    // Known to be healthy in time.
    let soon = [&*begun, &state("110m", "healthy")].concat();
    check_under(
        rules,
        &soon,
        "{at: 300m, incidents: 1, decision: none, criteria: {two-hours: not_met}}",
    );
}

#[test]
fn a_later_entry_goes_on_with_the_series() {
    let events = "  - {at: 0m, samples: slow, values: '0 3x1'}
  - {at: 90s, samples: slow, values: '1.5x60 0'}
  - {at: 2m, samples: slow, labels: {zone: b}, values: '1.5x60'}";
    check(
        events,
        "{at: 29m, criteria: {long: not_met}}, {at: 30m30s, incidents: 1, criteria: {long: met}}",
    );
}

#[test]
fn a_condition_that_the_rules_do_not_have_is_told() {
    let told = difference(
        "  - {at: 0m, samples: checkout-error, values: '0'}\n  - {at: 0m, samples: zzz, values: '0'}",
        "{at: 1m, incidents: 0}",
    );
    assert_eq!(
        told,
        "  at 0m: samples\n    - a condition `checkout-error` (expected)\n    + the rules have no condition with this name (got)\n      did you mean `checkout-errors`?\n  \
         at 0m: samples\n    - a condition `zzz` (expected)\n    + the rules have no condition with this name (got)\n"
    );
}

#[test]
fn incident_forgotten_by_the_engine_is_in_the_report() {
    let rules = "criteria: [{name: asked, on: request, decision: hold}]";
    let policy = Policy::new(
        parse::load(&[("rules.yaml".to_owned(), rules.to_owned())]).unwrap(),
        &[],
        &[],
    );
    let mut backtest = Backtester::under(Arc::new(policy), Time::UNIX_EPOCH);
    let at =
        |day: i64| Time::from_timestamp(1_767_603_600, 0).unwrap() + chrono::TimeDelta::days(day);
    for day in [0, 100, 101, 300] {
        let mut event = Event::new(
            "test",
            at(day),
            Fact::Request(PostmortemRequest {
                reason: "calls".to_owned(),
                requester: None,
            }),
        );
        event.service = Some("checkout".into());
        event.identify();
        backtest.take(at(day), [event]);
    }
    assert_eq!(backtest.end(at(1000)).cases.len(), 4);
}

#[test]
fn an_outage_of_months_is_one_incident() {
    let rules = "criteria: [{name: long, on: degradation, longest: 1d, decision: hold}]";
    let policy = Policy::new(
        parse::load(&[("rules.yaml".to_owned(), rules.to_owned())]).unwrap(),
        &[],
        &[],
    );
    let mut backtest = Backtester::under(Arc::new(policy), Time::UNIX_EPOCH);
    let at =
        |day: i64| Time::from_timestamp(1_767_603_600, 0).unwrap() + chrono::TimeDelta::days(day);
    let declared = |service: &str, day: i64, status: AlertStatus| {
        let key = format!("{service} outage");
        let (title, severity) = (key.clone(), Severity::Critical);
        let fact = Declaration {
            key,
            title,
            severity,
            status,
            planned: false,
            data_loss: None,
            detected_by: None,
        };
        let mut event = Event::new("test", at(day), Fact::Declaration(fact));
        event.service = Some(service.into());
        event.identify();
        event
    };
    backtest.take(at(0), [declared("checkout", 0, AlertStatus::Firing)]);
    for day in 1..60 {
        backtest.take(
            at(day),
            [declared(
                "search",
                day,
                if day % 2 == 1 {
                    AlertStatus::Firing
                } else {
                    AlertStatus::Resolved
                },
            )],
        );
    }
    backtest.take(at(60), [declared("checkout", 60, AlertStatus::Resolved)]);
    let result = backtest.end(at(100));
    let checkout: Vec<_> = result
        .cases
        .values()
        .filter(|case| case.services == ["checkout"])
        .collect();
    assert_eq!((checkout.len(), result.cases.len()), (1, 31), "{result:#?}");
}

#[test]
fn sentences_of_a_past_log_are_in_the_past_tense() {
    let text = "rules: [rules.yaml]
scenarios:
- name: s
  events:
  - {at: 0m, alert: A, status: firing, service: checkout}
  - {at: 40m, alert: A, status: resolved, service: checkout}
  expect: [{at: 1h, incidents: 1}]
";
    let file = scenario::parse("s.test.yaml", text).unwrap();
    let policy = Policy::new(
        parse::load(&[("rules.yaml".to_owned(), RULES.to_owned())]).unwrap(),
        &[],
        &[],
    );
    let at = |minute: i64| {
        Time::from_timestamp(1_767_603_600, 0).unwrap() + chrono::TimeDelta::minutes(minute)
    };
    let sentence = |events: usize| {
        let mut backtest = Backtester::under(Arc::new(policy.clone()), Time::UNIX_EPOCH);
        for event in &file.scenarios[0].events[..events] {
            let event = event.event(at(0));
            backtest.take(event.occurred_at, [event]);
        }
        let result = backtest.end_of_log(at(47));
        result.cases.into_values().next().unwrap().sentence
    };
    assert_eq!(
        sentence(1),
        "Checkout was degraded for 47m without a break by the end of the log (threshold 30m)."
    );
    assert_eq!(
        sentence(2),
        "Checkout was degraded for 40m without a break (threshold 30m)."
    );
}
