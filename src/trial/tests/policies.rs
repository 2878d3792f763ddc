//! Parameters that real policies ask for, through scenarios.

use crate::engine::policy::Policy;
use crate::model::settings::Service;
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
