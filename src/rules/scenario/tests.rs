#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use chrono::{TimeDelta, TimeZone, Utc};

use super::event::ScenarioSample::{Gap, Stale, Value};
use super::{Scenario, ScenarioFile, parse};
use crate::model::event::{AlertStatus, Condition, ConditionState, Event, Fact, Severity};
use crate::model::time::Time;
use crate::model::verdict::{Decision, Outcome};

fn origin() -> Time {
    Utc.with_ymd_and_hms(2026, 1, 5, 9, 0, 0).unwrap()
}

fn file(events: &str) -> String {
    format!(
        "rules: [a.yaml]\nscenarios:\n- name: s\n  expect: [{{at: 1m, decision: none}}]\n  events:\n{events}"
    )
}

fn events(text: &str) -> Vec<Event> {
    let ScenarioFile { scenarios, .. } =
        parse("s.test.yaml", &file(text)).unwrap_or_else(|faults| panic!("{faults:?}"));
    scenarios[0]
        .events
        .iter()
        .map(|event| event.event(origin()))
        .collect()
}

fn fault(text: &str) -> String {
    let faults = parse("s.test.yaml", &file(text)).unwrap_err();
    assert_eq!(faults.len(), 1, "{faults:?}");
    faults[0].to_string()
}

#[test]
fn a_resolved_alert_is_about_what_fired() {
    let events = events(
        "  - {at: 1m, alert: A, status: firing, service: shop, severity: critical, environment: staging, labels: {zone: b}}
  - {at: 31m, alert: A, status: resolved, service: shop}",
    );
    assert_eq!(events[0].subject, events[1].subject);
    assert_ne!(events[0].id, events[1].id);
    assert_eq!(events[1].occurred_at, origin() + TimeDelta::minutes(31));
    let (Fact::Alert(fired), Fact::Alert(resolved)) = (&events[0].fact, &events[1].fact) else {
        panic!("not alerts")
    };
    assert_eq!(
        (fired.starts_at, resolved.starts_at),
        (
            origin() + TimeDelta::minutes(1),
            origin() + TimeDelta::minutes(1)
        )
    );
    assert_eq!(
        (fired.ends_at, resolved.ends_at),
        (None, Some(origin() + TimeDelta::minutes(31)))
    );
    assert_eq!(
        (resolved.status, resolved.severity),
        (AlertStatus::Resolved, Severity::Critical)
    );
    assert_eq!(fired.labels.get("alertname"), Some("A"));
    assert_eq!(fired.labels.get("severity"), Some("critical"));
    assert_eq!(fired.labels.get("zone"), Some("b"));
    assert_eq!(
        (
            events[0].service.as_deref(),
            events[0].environment.as_deref()
        ),
        (Some("shop"), Some("staging"))
    );
}

#[test]
fn each_resolution_belongs_to_the_firing_before_it() {
    let events = events(
        "  - {at: 0m, alert: A, status: firing, service: shop}
  - {at: 1m, alert: A, status: firing, service: mail}
  - {at: 2m, alert: A, status: resolved, service: shop}
  - {at: 3m, alert: A, status: firing, service: shop}
  - {at: 4m, alert: A, status: resolved, service: shop}",
    );
    let subjects: Vec<_> = events.iter().map(|event| &event.subject).collect();
    assert_eq!(subjects[0], subjects[2]);
    assert_eq!(subjects[3], subjects[4]);
    assert_ne!(subjects[0], subjects[3]);
    assert_ne!(subjects[0], subjects[1]);
}

#[test]
fn every_kind_of_event_is_read() {
    let events = events(
        "  - {at: 0, alert: A, status: firing, service: shop}
  - {at: 1m, condition: errors, state: degraded, service: shop, value: 0.4}
  - {at: 2m, declaration: It is down, service: shop}
  - {at: 3m, intervention: restart, why: it hung, actor: ada, service: shop, should_be_automatic: true}
  - {at: 4m, request: Please, requester: lin, service: shop}
  - {at: 5m, near_miss: Nearly, closeness: 0.9, by_luck: true, service: shop}
  - {at: 6m, change: deploy, revision: abc, service: shop}
  - {at: 7m, acknowledgement: A, actor: ada}
  - {at: 8m, acknowledgement: incident, service: shop}
  - {at: 9m, note: Looking, actor: bot, actor_kind: robot}",
    );
    assert_eq!(events.len(), 10);
    assert!(
        matches!(&events[1].fact, Fact::Condition(c) if c.state == ConditionState::Degraded && c.value == Some(0.4))
    );
    assert!(
        matches!(&events[2].fact, Fact::Declaration(d) if d.severity == Severity::Critical && d.status == AlertStatus::Firing)
    );
    assert!(
        matches!(&events[3].fact, Fact::Intervention(i) if i.stated && i.should_be_automatic == Some(true) && i.why == "it hung")
    );
    assert_eq!(events[7].subject, events[0].subject);
    assert!(matches!(&events[8].fact, Fact::Acknowledgement(a) if a.of.is_none()));
    assert!(matches!(&events[9].actor, Some(actor) if actor.id == "bot"));
}

#[test]
fn samples_are_read() {
    let text = file(
        "  - {at: 0m, note: Quiet}
  - {at: 1m, samples: errors, values: '0x1 0.5 _ stale'}
  - at: 2m
    samples: errors
    labels: {zone: b}
    values: >
      1
      2+1x1
  - {at: 3m, acknowledgement: errors, actor: ada}",
    );
    let read = parse("s.test.yaml", &text).unwrap();
    let Scenario {
        events, samples, ..
    } = &read.scenarios[0];
    assert_eq!((events.len(), samples.len()), (2, 2));
    assert_eq!(
        (
            samples[0].at,
            samples[0].line,
            samples[0].condition.as_str()
        ),
        (60, 7, "errors")
    );
    assert_eq!(
        samples[0].values,
        [Value(0.0), Value(0.0), Value(0.5), Gap, Stale]
    );
    assert_eq!(
        (samples[1].labels["zone"].as_str(), &samples[1].values[..]),
        ("b", &[Value(1.0), Value(2.0), Value(3.0)][..])
    );
    let Fact::Acknowledgement(acknowledgement) = events[1].event(origin()).fact else {
        panic!("no acknowledgement")
    };
    let labels = samples[1].labels.clone();
    let condition = Condition {
        name: "errors".to_owned(),
        state: ConditionState::Degraded,
        severity: Severity::Critical,
        labels: labels.into(),
        value: None,
        since: None,
    };
    assert_eq!(
        acknowledgement.of,
        Some(Event::new("prom", origin(), Fact::Condition(condition)).subject)
    );
}

#[test]
fn expectations_are_read() {
    let text = "rules: [a.yaml, b.yaml]\nscenarios:\n- name: s\n  events: []\n  expect:\n  - {at: 40m, service: shop, decision: none, criteria: {long: not_met}, incidents: 2}";
    let read = parse("s.test.yaml", text).unwrap();
    let rules: Vec<&str> = read
        .rules
        .iter()
        .map(|rules| rules.value.as_str())
        .collect();
    assert_eq!(rules, ["a.yaml", "b.yaml"]);
    let expect = &read.scenarios[0].expect[0];
    assert_eq!(
        (read.scenarios[0].line, expect.line, expect.at),
        (3, 6, 2400)
    );
    assert_eq!(
        (expect.service.as_deref(), expect.decision, expect.incidents),
        (Some("shop"), Some(Decision::None), Some(2))
    );
    assert_eq!(expect.criteria["long"], Outcome::NotMet);
}

#[test]
fn faults_say_what_to_do() {
    let starts = |text: &str, beginning: &str| {
        assert!(fault(text).starts_with(beginning), "{}", fault(text));
    };
    starts(
        "  - {at: 1m, service: shop}",
        "s.test.yaml:6:5: the kind of event is missing; give one of `alert`",
    );
    starts(
        "  - {at: 1m, alert: A}",
        "s.test.yaml:6:5: `status` is missing: `firing` or `resolved`",
    );
    starts(
        "  - {at: 1m, alert: A, status: resolved}",
        "s.test.yaml:6:14: no firing `A`",
    );
    starts(
        "  - {at: 1m, alert: A, status: firng}",
        "s.test.yaml:6:32: unknown value `firng`; did you mean `firing`?",
    );
    starts(
        "  - {at: 1m, alert: A, note: b}",
        "s.test.yaml:6:24: this is both `alert` and `note`",
    );
    starts(
        "  - {at: 1m, note: A, state: healthy}",
        "s.test.yaml:6:23: `state` does not apply to `note`",
    );
    starts(
        "  - {at: 1m, note: A, sevrity: critical}",
        "s.test.yaml:6:23: unknown key `sevrity`; did you mean `severity`?",
    );
    starts(
        "  - {at: soon, note: A}",
        "s.test.yaml:6:10: \"soon\" is not a duration",
    );
    starts(
        "  - {at: 2m, note: A}\n  - {at: 1m, note: B}",
        "s.test.yaml:7:10: this is before the event above it",
    );
    starts(
        "  - {at: 1m, alert: Abc, status: firing}\n  - {at: 2m, acknowledgement: Abd}",
        "s.test.yaml:7:14: no alert",
    );
    starts(
        "  - {at: 1m, near_miss: A, closeness: 2}",
        "s.test.yaml:6:28: `closeness` must be from 0 to 1",
    );
    starts(
        "  - {at: 1m, samples: A}",
        "s.test.yaml:6:5: `values` is missing",
    );
    starts(
        "  - {at: 1m, samples: '', values: '1'}",
        "s.test.yaml:6:14: `samples` needs the name",
    );
    starts(
        "  - {at: 1m, samples: A, values: ''}",
        "s.test.yaml:6:34: `values` is empty",
    );
    starts(
        "  - {at: 1m, samples: A, values: '0x3 1y2 5'}",
        "s.test.yaml:6:39: \"1y2\" is not a value",
    );
    starts(
        "  - {at: 1m, samples: A, values: '0 1x99999'}",
        "s.test.yaml:6:37: with \"1x99999\" the samples exceed 10000 values",
    );
    starts(
        "  - {at: 1m, samples: A, values: '0', service: s}",
        "s.test.yaml:6:39: `service` does not apply to `samples`",
    );
    starts(
        "  - {at: 1m, samples: A, values: '0', value: 3}",
        "s.test.yaml:6:39: `value` does not apply to `samples`",
    );
    starts(
        "  - {at: 1m, note: A, values: '0'}",
        "s.test.yaml:6:23: `values` does not apply to `note`",
    );
    starts(
        "  - {at: 2m, samples: A, values: '0'}\n  - {at: 1m, note: B}",
        "s.test.yaml:7:10: this is before the event above it",
    );
    starts(
        "  - {at: 1m, samples: Abc, values: '0'}\n  - {at: 2m, acknowledgement: Abd}",
        "s.test.yaml:7:14: no alert",
    );
}

#[test]
fn one_run_finds_every_fault_of_an_entry() {
    let text = file(
        "  - {alert: A, stats: firing, severity: bad, value: 3, why: x}\n  - {at: 1m, alert: A, status: resolved}\n  - {at: x, note: ''}",
    );
    let text = format!(
        "{text}\n- name: t\n  events: []\n  expect: [{{decision: hld, criteria: {{a: mt, b: mat}}, incidents: x}}]"
    );
    let faults = parse("f", &text).unwrap_err();
    let places: Vec<(u64, u64)> = faults
        .iter()
        .map(|fault| (fault.line, fault.column))
        .collect();
    let expected = [
        (6, 5),
        (6, 16),
        (6, 41),
        (6, 46),
        (6, 56),
        (8, 10),
        (11, 12),
        (11, 23),
        (11, 42),
        (11, 49),
        (11, 66),
    ];
    assert_eq!(places, expected, "{faults:#?}");
}

#[test]
fn criteria_that_the_rules_do_not_have_are_named() {
    let text = "rules: [a.yaml]\nscenarios:\n- {name: s, events: [], expect: [{at: 1m, criteria: {asked: met, askd: met}}]}";
    let rules = crate::rules::parse::load(&[(
        "a.yaml".to_owned(),
        "criteria: [{name: asked, on: request, decision: hold}]".to_owned(),
    )]);
    let faults = parse("f", text)
        .unwrap()
        .unknown_criteria("f", &rules.unwrap());
    assert_eq!(faults.len(), 1);
    assert_eq!(
        faults[0].to_string(),
        "f:3:66: none of these rule files has a criterion `askd`; did you mean `asked`?"
    );
}

#[test]
fn a_file_must_say_what_it_tests() {
    let message = |text: &str| {
        parse("f", text)
            .unwrap_err()
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("\n")
    };
    assert!(message("scenarios: []").contains("`rules` is missing"));
    assert!(
        message("rules: [a]\nscenarios: [{events: [], expect: []}]").contains("`name` is missing")
    );
    assert!(
        message("rules: [a]\nscenarios: [{name: a, events: []}]").contains("`expect` is missing")
    );
    assert!(
        message("rules: [a]\nscenarios: [{name: a, events: [], expect: [{at: 1m}]}]")
            .contains("the expectation is empty")
    );
    assert!(
        message("rules: [a]\nscenarios: [{name: a, events: [], expect: [{at: 1m, criteria: {a: met, b: mt}}]}]")
            .contains("did you mean `met`?")
    );
    assert!(message("rule: [a]").contains("did you mean `rules`?"));
}

/// Criterion names are checked by the caller that runs the scenarios; this covers the shipped ones.
#[test]
fn the_shipped_scenarios_are_in_order() {
    let read = parse(
        "rules/postmortems.test.yaml",
        include_str!("../../../rules/postmortems.test.yaml"),
    )
    .unwrap();
    let (name, text) = crate::rules::parse::SHIPPED;
    let rules = crate::rules::parse::load(&[(name.to_owned(), text.to_owned())]).unwrap();
    let expected = read
        .scenarios
        .iter()
        .flat_map(|scenario| &scenario.expect)
        .flat_map(|expect| expect.criteria.keys());
    for criterion in expected {
        assert!(
            rules.criteria.iter().any(|known| known.name == *criterion),
            "{criterion}"
        );
    }
    assert!(read.scenarios.len() >= 10);
}
