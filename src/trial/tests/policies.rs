//! Parameters that real policies ask for, through scenarios.

use crate::engine::policy::Policy;
use crate::model::settings::Service;
use crate::model::severity_scale::{SeverityLevel, SeverityScale};
use crate::rules::{parse, scenario};
use crate::trial::run;

/// A calendar in which Friday, 25 December 2026, is a holiday.
const HOLIDAYS: &str = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nDTSTART;VALUE=DATE:20261225\nEND:VEVENT\nEND:VCALENDAR\n";
const OFFICE: &str = "{hours: 'Mon-Fri 09:00-18:00', time_zone: Europe/Berlin, holidays: [de.ics]}";

/// The differences in a scenario that begins at `starts`, under criteria.
pub(super) fn difference(criteria: &str, starts: &str, events: &str, expect: &str) -> String {
    let rules = format!("criteria:\n{criteria}\n");
    let files = [("rules.yaml", rules.as_str()), ("de.ics", HOLIDAYS)];
    let files = files.map(|(name, text)| (name.to_owned(), text.to_owned()));
    let rules = parse::load(&files).unwrap_or_else(|faults| panic!("{faults:?}"));
    let service = |name: &str, owner: &str| Service {
        name: name.to_owned(),
        owners: vec![owner.to_owned()],
        ..Service::default()
    };
    let services = [
        service("checkout", "ada"),
        service("basket", "ada"),
        service("search", "bo"),
    ];
    let policy = Policy::new(rules, &services, &[]);
    let text = format!(
        "rules: [rules.yaml]\nscenarios:\n- name: s\n  starts: {starts}\n  events:\n{events}\n  expect: [{expect}]\n"
    );
    let file = scenario::parse("s.test.yaml", &text).unwrap_or_else(|faults| panic!("{faults:?}"));
    let differences = run(&file.scenarios[0], &policy)
        .map(|failure| failure.differences)
        .unwrap_or_default();
    differences.iter().map(ToString::to_string).collect()
}

#[track_caller]
pub(super) fn check(criteria: &str, starts: &str, events: &str, expect: &str) {
    let found = difference(criteria, starts, events, expect);
    assert_eq!(found, "", "{criteria}\n{events}");
}

const MONDAY: &str = "2026-11-23T08:50+01:00";

fn down(until: &str) -> String {
    let end = match until {
        "" => String::new(),
        until => format!("\n  - {{at: {until}, alert: Down, status: resolved, service: checkout}}"),
    };
    format!(
        "  - {{at: 0m, alert: Down, status: firing, service: checkout, severity: critical}}{end}"
    )
}

#[test]
fn only_degraded_time_within_the_hours_counts_and_decides_at_its_minute() {
    let rule =
        format!("  - {{name: c, on: degradation, longest: 15m, during: {OFFICE}, decision: hold}}");
    check(
        &rule,
        MONDAY,
        &down(""),
        "{at: 24m59s, decision: none, criteria: {c: not_met}}, {at: 25m, decision: hold}",
    );
    check(
        &rule,
        MONDAY,
        &down("24m"),
        "{at: 1h, decision: none, criteria: {c: not_met}}",
    );
    check(&rule, MONDAY, &down("25m"), "{at: 1h, decision: hold}");
    // The clock of the zone, not UTC: in July nine o'clock is an hour earlier.
    check(
        &rule,
        "2026-07-06T06:50Z",
        &down(""),
        "{at: 24m, decision: none}, {at: 25m, decision: hold}",
    );
    // A holiday.
    check(
        &rule,
        "2026-12-25T10:00+01:00",
        &down("7h"),
        "{at: 8h, decision: none}",
    );
}

#[test]
fn an_outage_over_night_is_one_outage_of_which_the_night_does_not_count() {
    let rule =
        format!("  - {{name: c, on: degradation, longest: 15m, during: {OFFICE}, decision: hold}}");
    // Friday 17:50 to Monday.
    check(
        &rule,
        "2026-11-27T17:50+01:00",
        &down(""),
        "{at: 10m, decision: none}, {at: 2d15h14m, decision: none}, {at: 2d15h15m, decision: hold}",
    );
    let total = format!(
        "  - {{name: c, on: degradation, total: 15m, within: 3d, during: {OFFICE}, decision: hold}}"
    );
    check(
        &total,
        "2026-11-27T17:50+01:00",
        &down(""),
        "{at: 2d15h14m, decision: none}, {at: 2d15h15m, decision: hold}",
    );
}

#[test]
fn outside_is_the_opposite_of_during() {
    let rule = format!(
        "  - {{name: c, on: degradation, longest: 15m, outside: {OFFICE}, decision: hold}}"
    );
    check(
        &rule,
        "2026-11-23T08:40+01:00",
        &down(""),
        "{at: 15m, decision: hold}",
    );
    check(
        &rule,
        MONDAY,
        &down(""),
        "{at: 9h14m, decision: none}, {at: 9h15m, decision: hold}",
    );
    check(
        &rule,
        "2026-12-25T10:00+01:00",
        &down(""),
        "{at: 15m, decision: hold}",
    );
}

#[test]
fn the_other_criteria_count_what_happens_within_the_hours() {
    let rules = format!(
        "  - {{name: outage, on: outage, during: {OFFICE}, decision: hold}}
  - {{name: step, on: intervention, during: {OFFICE}, decision: hold}}
  - {{name: asked, on: request, during: {OFFICE}, decision: hold}}
  - {{name: near, on: near_miss, quiet_for: 1m, at_most: 1 per 10m, during: {OFFICE}, decision: suggest}}
  - {{name: again, on: recurrence, times: 2, within: 7d, during: {OFFICE}, decision: suggest}}"
    );
    let events = |at: &str| {
        format!(
            "  - {{at: {at}, declaration: Down, service: checkout}}
  - {{at: {at}, intervention: restart, service: checkout}}
  - {{at: {at}, request: please, service: checkout}}
  - {{at: {at}, near_miss: disk nearly full, service: search}}"
        )
    };
    check(
        &rules,
        MONDAY,
        &events("9m"),
        "{at: 9m30s, criteria: {outage: not_met, step: not_met, asked: not_met}}, {at: 10m, service: checkout, decision: hold, criteria: {outage: met, step: not_met, asked: not_met}}, {at: 1h, service: search, criteria: {near: not_met}}",
    );
    check(
        &rules,
        MONDAY,
        &events("10m"),
        "{at: 10m, criteria: {outage: met, step: met, asked: met}}, {at: 1h, service: search, criteria: {near: met}}",
    );
    let twice = |at: &str| {
        format!(
            "{}\n  - {{at: {at}, alert: Down, status: firing, service: checkout, severity: critical}}",
            down("5m")
        )
    };
    check(
        &rules,
        MONDAY,
        &twice("2h"),
        "{at: 2h, incidents: 2, criteria: {again: not_met}}",
    );
    check(
        &rules,
        "2026-11-23T09:00+01:00",
        &twice("2h"),
        "{at: 2h, incidents: 2, criteria: {again: met}}",
    );
}

#[test]
fn sentences_name_the_hours() {
    let rule =
        format!("  - {{name: c, on: degradation, longest: 15m, during: {OFFICE}, decision: hold}}");
    let found = difference(&rule, MONDAY, &down("15m"), "{at: 1h, criteria: {c: met}}");
    assert!(
        found.contains("Checkout was degraded for 5m without a break during Mon-Fri 09:00-18:00 (Europe/Berlin) (threshold 15m)."),
        "{found}"
    );
}

#[test]
fn a_criterion_that_only_explains_decides_nothing() {
    let rules = "  - {name: c, on: degradation, longest: 15m, decision: none}
  - {name: d, on: degradation, longest: 45m, decision: hold}";
    check(
        rules,
        MONDAY,
        &down("30m"),
        "{at: 2h, decision: none, criteria: {c: met, d: not_met}}",
    );
    let found = difference(rules, MONDAY, &down("30m"), "{at: 2h, decision: hold}");
    assert!(found.contains("(threshold 45m)"), "{found}");
}

#[test]
fn the_heaviest_form_wins() {
    let rules = "  - {name: c, on: degradation, longest: 15m, decision: hold, form: note}
  - {name: d, on: degradation, longest: 30m, decision: suggest, form: standing}
  - {name: e, on: degradation, longest: 45m, decision: none}
  - {name: f, on: degradation, longest: 45m, decision: hold, shadow: true}
  - {name: g, on: degradation, longest: 2h, decision: suggest}";
    check(
        rules,
        MONDAY,
        &down(""),
        "{at: 15m, form: note}, {at: 30m, form: standing}, {at: 1h, form: standing}, {at: 2h, form: meeting}",
    );
    let near =
        "  - {name: near, on: near_miss, quiet_for: 1m, at_most: 1 per 10m, decision: suggest}";
    check(
        near,
        MONDAY,
        "  - {at: 0m, near_miss: disk nearly full, service: search}",
        "{at: 1h, decision: suggest, form: note}",
    );
}

/// A restart by hand of a service at that time.
fn restart(service: &str, at: &str) -> String {
    step("restart", service, at)
}

fn step(action: &str, service: &str, at: &str) -> String {
    format!("  - {{at: {at}, intervention: {action}, service: {service}}}")
}

#[track_caller]
fn check_steps(per: &str, steps: &[String], expect: &str) {
    let rule = format!(
        "  - {{name: c, on: intervention, at_least: 2, within: 7d, {per}decision: suggest}}"
    );
    check(&rule, MONDAY, &steps.join("\n"), expect);
}

#[test]
fn steps_of_several_incidents_count_together_within_the_window() {
    let on_checkout = |at: &str| restart("checkout", at);
    check_steps(
        "",
        &[on_checkout("0m"), on_checkout("6d23h59m")],
        "{at: 1h, decision: none}, {at: 6d23h59m, incidents: 2, decision: suggest, criteria: {c: met}}",
    );
    check_steps(
        "",
        &[on_checkout("0m"), on_checkout("7d")],
        "{at: 8d, incidents: 2, decision: none}",
    );
    let failover = [on_checkout("0m"), step("failover", "checkout", "1d")];
    check_steps("", &failover, "{at: 2d, decision: suggest}");
    check_steps("per: service, ", &failover, "{at: 2d, decision: suggest}");
    check_steps(
        "per: [service, action], ",
        &failover,
        "{at: 2d, decision: none}",
    );
    let elsewhere = [on_checkout("0m"), restart("basket", "1d")];
    check_steps("per: service, ", &elsewhere, "{at: 2d, decision: none}");
    check_steps("per: scope, ", &elsewhere, "{at: 2d, decision: suggest}");
    check_steps("per: action, ", &elsewhere, "{at: 2d, decision: suggest}");
    check_steps(
        "per: [service, action], ",
        &elsewhere,
        "{at: 2d, decision: none}",
    );
    let others = [on_checkout("0m"), restart("search", "1d")];
    check_steps("per: scope, ", &others, "{at: 2d, decision: none}");
}

#[test]
fn a_sentence_names_the_steps_counted_together() {
    let rule = "  - {name: c, on: intervention, at_least: 3, within: 7d, decision: suggest}";
    let steps = [restart("checkout", "0m"), restart("checkout", "1d")].join("\n");
    let found = difference(
        rule,
        MONDAY,
        &steps,
        "{at: 2d, service: checkout, decision: suggest}",
    );
    assert!(
        found.contains("2 manual steps counted on Checkout within 7 days; 3 are needed."),
        "{found}"
    );
}

fn fired(name: &str, service: &str, at: &str, labels: &str) -> String {
    let at: u32 = at.parse().unwrap_or_default();
    format!(
        "  - {{at: {at}h, alert: {name}, status: firing, service: {service}, severity: critical, labels: {{{labels}}}}}
  - {{at: {at}h20m, alert: {name}, status: resolved, service: {service}, labels: {{{labels}}}}}"
    )
}

#[track_caller]
fn check_again(same: &str, alerts: &[String], met: bool) {
    let rule = format!(
        "  - {{name: c, on: recurrence, times: 2, within: 7d, {same}decision: suggest}}
  - {{name: long, on: degradation, longest: 15m, where: 'signal.name != \"Short\"', decision: none}}"
    );
    let outcome = if met { "suggest" } else { "none" };
    let expect = format!("{{at: 2d, incidents: 2, decision: {outcome}}}");
    check(&rule, MONDAY, &alerts.join("\n"), &expect);
}

#[test]
fn what_must_be_the_same_is_stated() {
    let same = [
        fired("Slow", "checkout", "0", "team: a"),
        fired("Slow", "checkout", "24", "team: a"),
    ];
    let other_alert = [
        fired("Slow", "checkout", "0", ""),
        fired("Down", "checkout", "24", ""),
    ];
    let other_service = [
        fired("Slow", "checkout", "0", "team: a"),
        fired("Slow", "search", "24", "team: a"),
    ];
    let other_team = [
        fired("Slow", "checkout", "0", "team: a"),
        fired("Slow", "checkout", "24", "team: b"),
    ];
    let short = [
        fired("Slow", "checkout", "0", ""),
        fired("Short", "checkout", "24", ""),
    ];
    for (stated, alerts, met) in [
        ("", &same, true),
        ("", &other_alert, false),
        ("", &other_service, false),
        ("same: [service, alert], ", &same, true),
        ("same: [service, alert], ", &other_alert, false),
        ("same: service, ", &other_alert, true),
        ("same: [service], ", &other_service, false),
        ("same: alert, ", &other_service, true),
        ("same: alert, ", &other_alert, false),
        ("same: condition, ", &same, false),
        ("same: 'label:team', ", &same, true),
        ("same: 'label:team', ", &other_service, true),
        ("same: 'label:team', ", &other_team, false),
        ("same: [service, 'label:team'], ", &other_service, false),
        ("same: 'label:team', ", &other_alert, false),
        ("same: criterion, ", &other_service, true),
        ("same: [service, criterion], ", &other_service, false),
        ("same: [service, criterion], ", &other_alert, true),
        ("same: criterion, ", &short, false),
    ] {
        check_again(stated, alerts, met);
    }
}

#[test]
fn rules_and_scenarios_speak_the_severities_of_the_team() {
    let level = |name: &str, from: &[&str]| SeverityLevel {
        name: name.to_owned(),
        from: from.iter().map(|&word| word.to_owned()).collect(),
    };
    let scale = SeverityScale::new(vec![
        level("SEV1", &["critical"]),
        level("SEV2", &[]),
        level("SEV3", &[]),
    ]);
    let rules = r#"criteria:
  - {name: c, on: degradation, longest: 1m, where: 'incident.severity in ["SEV1", "SEV2"]', decision: hold}
  - {name: d, on: degradation, longest: 1m, where: 'signal.severity == "unknown"', decision: none}"#;
    let files = [("rules.yaml".to_owned(), rules.to_owned())];
    let policy = Policy::new(parse::load_for(&files, &scale).unwrap(), &[], &[])
        .with_severities(scale.clone());
    let check = |severities: &[&str], expect: &str| {
        let events: Vec<String> = severities
            .iter()
            .map(|severity| format!("  - {{at: 0m, alert: A{severity}, status: firing, service: checkout, severity: {severity}}}"))
            .collect();
        let text = format!(
            "rules: [rules.yaml]\nscenarios:\n- name: s\n  events:\n{}\n  expect: [{{at: 2m, {expect}}}]\n",
            events.join("\n")
        );
        let file = scenario::parse_for("s.test.yaml", &text, &scale)
            .unwrap_or_else(|faults| panic!("{faults:?}"));
        assert_eq!(run(&file.scenarios[0], &policy), None, "{severities:?}");
    };
    check(&["SEV1"], "decision: hold");
    check(&["sev-2"], "decision: hold");
    check(&["SEV3"], "decision: none");
    check(&["SEV3", "SEV2"], "decision: hold");
    check(&["critical"], "decision: hold");
    check(&["unknown"], "criteria: {c: not_met, d: met}");
    let fault = parse::load(&files).unwrap_err()[0].to_string();
    assert!(
        fault.contains("the field never has the value \"SEV1\""),
        "{fault}"
    );
    let typo = rules.replace("SEV2", "SEV22");
    let fault = parse::load_for(&[("rules.yaml".to_owned(), typo)], &scale).unwrap_err();
    assert!(
        fault[0].to_string().contains("the field never has the value \"SEV22\"; did you mean \"SEV2\"? known: \"SEV1\", \"SEV2\", \"SEV3\", \"none\", \"unknown\""),
        "{fault:?}"
    );
}
