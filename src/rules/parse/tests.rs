#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use super::{SHIPPED, load};
use crate::model::event::{ConditionState, Severity};
use crate::model::verdict::Decision;
use crate::rules::rule_set::{Comparison, Criterion, CriterionTest, RuleSet, Threshold};

fn rules(text: &str) -> RuleSet {
    load(&[("r.yaml".to_owned(), text.to_owned())])
        .unwrap_or_else(|faults| panic!("{text}: {faults:?}"))
}

/// The faults of a text, as displayed.
fn faults(text: &str) -> Vec<String> {
    match load(&[("r.yaml".to_owned(), text.to_owned())]) {
        Ok(_) => panic!("no fault in {text}"),
        Err(faults) => faults.iter().map(ToString::to_string).collect(),
    }
}

/// A criterion on one line with one fault: the text at its position, and a part of its message.
#[track_caller]
fn criterion_fault(entry: &str, at: &str, words: &str) {
    let found = load(&[("r.yaml".to_owned(), format!("criteria:\n- {{{entry}}}"))]).unwrap_err();
    assert_eq!((found.len(), found[0].line), (1, 2), "{entry}: {found:?}");
    let place: String = format!("- {{{entry}}}")
        .chars()
        .skip(found[0].column as usize - 1)
        .collect();
    assert!(
        place.starts_with(at),
        "points at {place:?}, not {at:?}: {}",
        found[0]
    );
    assert!(found[0].message.contains(words), "{entry}: {}", found[0]);
}

#[test]
fn every_kind_is_read_with_its_defaults() {
    let set = rules(
        "criteria:
  - {name: a, on: outage, decision: hold}
  - {name: b, on: degradation, longest: 30m, decision: hold}
  - {name: c, on: degradation, total: 1h, within: 1d, decision: suggest, shadow: true}
  - {name: d, on: intervention, decision: suggest}
  - {name: e, on: request, decision: hold, where: request.reason != \"\"}
  - {name: f, on: near_miss, decision: suggest}
  - {name: g, on: near_miss, score_at_least: 5, quiet_for: 2w, at_most: 2 per 1d, decision: suggest}
  - {name: h, on: recurrence, times: 3, within: 7d, decision: suggest}
",
    );
    let tests: Vec<&CriterionTest> = set
        .criteria
        .iter()
        .map(|criterion| &criterion.test)
        .collect();
    let day = 86_400;
    assert_eq!(
        tests,
        [
            &CriterionTest::Outage,
            &CriterionTest::Degradation {
                longest: Some(1800),
                total: None
            },
            &CriterionTest::Degradation {
                longest: None,
                total: Some((3600, day))
            },
            &CriterionTest::Intervention {
                at_least: 1,
                window: None
            },
            &CriterionTest::Request,
            &CriterionTest::NearMiss {
                score_at_least: 0.0,
                quiet_for: 30 * day,
                at_most: (1, 7 * day)
            },
            &CriterionTest::NearMiss {
                score_at_least: 5.0,
                quiet_for: 14 * day,
                at_most: (2, day)
            },
            &CriterionTest::Recurrence {
                times: 3,
                within: 7 * day,
                same: Vec::new()
            },
        ]
    );
    let Criterion {
        name,
        decision,
        shadow,
        filter,
        ..
    } = &set.criteria[2];
    assert_eq!(
        (name.as_str(), *decision, *shadow, filter.is_none()),
        ("c", Decision::Suggest, true, true)
    );
    assert_eq!(
        set.criteria[4].filter.as_ref().unwrap().source(),
        "request.reason != \"\""
    );
}

#[test]
fn a_whole_file_may_be_a_shadow() {
    let trial = "criteria:\n- {name: a, on: outage, decision: hold}\n- {name: b, on: request, decision: hold, shadow: true}\nshadow: true";
    let live = "shadow: false\ncriteria: [{name: c, on: outage, decision: hold}, {name: d, on: outage, decision: hold, shadow: true}]";
    let set = load(&[
        ("trial.yaml".to_owned(), trial.to_owned()),
        ("live.yaml".to_owned(), live.to_owned()),
    ])
    .unwrap();
    assert_eq!(
        set.criteria
            .iter()
            .map(|criterion| criterion.shadow)
            .collect::<Vec<_>>(),
        [true, true, false, true]
    );
    assert!(
        !rules("shadow:\ncriteria: [{name: a, on: outage, decision: hold}]").criteria[0].shadow
    );
}

#[test]
fn what_a_shadow_file_may_not_say_is_told() {
    assert_eq!(
        faults(
            "shadow: true\ncriteria:\n- {name: a, on: outage, decision: hold, shadow: false}\ncorrelation: {settle: 1m}\nconditions: []"
        ),
        [
            "r.yaml:3:49: `shadow: true` at the top of the file applies to all its criteria; remove this line, or move the criterion to a file without it",
            "r.yaml:4:1: `correlation` applies to all criteria, so a file with `shadow: true` cannot contain it; move it to a file without it",
            "r.yaml:5:1: `conditions` applies to all criteria, so a file with `shadow: true` cannot contain it; move it to a file without it",
        ]
    );
    let told = faults(
        "shadow: perhaps\ncriteria:\n- {name: a, on: outage, decision: hold, shadow: false}",
    );
    assert_eq!(
        (told.len(), told[0].starts_with("r.yaml:1:9: ")),
        (1, true),
        "{told:?}"
    );
}

#[test]
fn conditions_and_correlation_are_read() {
    let set = rules(
        "conditions:
  - {name: errors, service: shop, severity: warning, metrics: prom, query: up, degraded: '> 0.02', near_miss: '>=0.01', recovered: '< 0.005',
     for: 1m, keep_firing_for: 2m, every: 30s, no_data: degraded}
  - {name: free, service: shop, metrics: prom, query: up, degraded: '< 5', near_miss: '< 10'}
correlation: {correlate_by: [cluster, service], settle: 0, ignore: 'signal.name == \"Watchdog\"'}",
    );
    let errors = &set.conditions[0];
    assert_eq!(
        errors.degraded,
        Threshold {
            comparison: Comparison::Above,
            value: 0.02
        }
    );
    assert_eq!(
        errors.near_miss,
        Some(Threshold {
            comparison: Comparison::AtLeast,
            value: 0.01
        })
    );
    assert_eq!(
        errors.recovered,
        Some(Threshold {
            comparison: Comparison::Below,
            value: 0.005
        })
    );
    assert_eq!(
        (errors.severity, errors.pending_for, errors.every),
        (Severity::Warning, 60, 30)
    );
    assert_eq!(
        (errors.keep_firing_for, errors.no_data),
        (120, ConditionState::Degraded)
    );
    let free = &set.conditions[1];
    assert_eq!(
        (
            free.severity,
            free.pending_for,
            free.keep_firing_for,
            free.every
        ),
        (Severity::Critical, 0, 0, 15)
    );
    assert_eq!(free.no_data, ConditionState::Unknown);
    assert_eq!(set.correlation.correlate_by, ["cluster", "service"]);
    assert_eq!((set.correlation.settle, set.correlation.bridge), (0, 120));
    assert!(set.correlation.ignore.is_some());
}

#[test]
fn empty_file_has_no_rules() {
    for text in [
        "",
        "# only words\n",
        "criteria:\nconditions:\ncorrelation:\n",
        "criteria: []",
    ] {
        assert!(rules(text).criteria.is_empty(), "{text}");
    }
}

#[test]
fn one_run_finds_all_faults_of_all_files() {
    let files = [
        (
            "a.yaml".to_owned(),
            "criteria:\n- {name: x, on: outage, decision: hold}\n- {name: y, on: outag, decision: hold}\n- {nme: z, on: outage, decision: hold}\nmore: 1".to_owned(),
        ),
        ("b.yaml".to_owned(), "criteria: [".to_owned()),
        ("c.yaml".to_owned(), "criteria:\n- {name: x, on: request, decision: hold}\ncorrelation: {settle: 5}".to_owned()),
        ("d.yaml".to_owned(), "correlation: {}".to_owned()),
    ];
    let found: Vec<String> = load(&files)
        .unwrap_err()
        .iter()
        .map(ToString::to_string)
        .collect();
    let beginnings = [
        "a.yaml:3:17: unknown value `outag`; did you mean `outage`?",
        "a.yaml:4:4: unknown key `nme`; did you mean `name`?",
        "a.yaml:5:1: unknown key `more`;",
        "b.yaml:",
        "c.yaml:2:10: there is a second criterion `x`; the first is at a.yaml:2:10",
        "c.yaml:3:23: \"5\" is not a duration: the unit is missing",
        "d.yaml:1:1: there is a second section `correlation`; the first is at c.yaml:3:1",
    ];
    assert_eq!(found.len(), beginnings.len(), "{found:#?}");
    for (found, beginning) in found.iter().zip(beginnings) {
        assert!(
            found.starts_with(beginning),
            "{found:?} does not start with {beginning:?}"
        );
    }
}

#[test]
fn one_run_finds_every_fault_of_an_entry() {
    let check = |text: &str, expected: &[&str]| {
        let found = faults(text);
        assert_eq!(found.len(), expected.len(), "{text}\n{found:#?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(
                found.starts_with(&format!("r.yaml:{expected}")),
                "{found:?} does not start with {expected:?}"
            );
        }
    };
    check(
        "criteria:\n- name: two words\n  on: degradation\n  longst: 30m\n  total: soon\n  within: 0s\n  shadow: maybe\n  where: signal.nam == \"x\"",
        &[
            "2:3: `decision` is missing",
            "2:9: this must be one word",
            "4:3: unknown key `longst`; did you mean `longest`?",
            "5:10: \"soon\" is not a duration",
            "6:11: `within` must be longer than 0",
            "7:11: expected `true` or `false`",
            "8:17: `signal` has no field `nam`",
        ],
    );
    check(
        "conditions:\n- name: a\n  servce: shop\n  query: ''\n  degraded: 0.02\n  near_miss: '> x'\n  every: 0s\n  for: 5",
        &[
            "2:3: `metrics` is missing",
            "3:3: unknown key `servce`; did you mean `service`?",
            "4:10: `query` is empty",
            "5:13: \"0.02\" is not a threshold",
            "6:14: \"> x\" is not a threshold",
            "7:10: `every` must be longer than 0",
            "8:8: \"5\" is not a duration",
        ],
    );
    check(
        "correlation:\n  settle: 5\n  bridg: 2m\n  lifetime: 0s\n  ignore: signal.nam == \"x\"",
        &[
            "2:11: \"5\" is not a duration",
            "3:3: unknown key `bridg`",
            "4:13: `lifetime` must be longer",
            "5:18: `signal` has no field",
        ],
    );
}

#[test]
fn parameters_must_fit_their_kind() {
    criterion_fault(
        "name: a, on: outage, longest: 3m, decision: hold",
        "longest: 3m",
        "`longest` is not a parameter of `on: outage`; `on: outage` has none of its own",
    );
    criterion_fault(
        "name: a, on: recurrence, times: 3, within: 1d, quiet_for: 1d, decision: hold",
        "quiet_for: 1d",
        "it takes `times`, `within`",
    );
    criterion_fault(
        "name: a, on: degradation, decision: hold",
        "{name",
        "the duration is missing",
    );
    criterion_fault(
        "name: a, on: degradation, total: 1h, decision: hold",
        "total: 1h",
        "`total` needs `within`",
    );
    criterion_fault(
        "name: a, on: degradation, longest: 5m, within: 1h, decision: hold",
        "within: 1h",
        "`within` needs `total`",
    );
    criterion_fault(
        "name: a, on: degradation, total: 2h, within: 1h, decision: hold",
        "total: 2h",
        "never be met",
    );
    criterion_fault(
        "name: a, on: degradation, longest: 0m, decision: hold",
        "0m",
        "longer than 0",
    );
    criterion_fault(
        "name: a, on: degradation, longest: -5m, decision: hold",
        "-5m",
        "cannot be negative",
    );
    criterion_fault(
        "name: a, on: degradation, longest: 30, decision: hold",
        "30",
        "unit is missing",
    );
    criterion_fault(
        "name: a, on: degradation, longst: 30m, decision: hold",
        "longst",
        "did you mean `longest`?",
    );
    criterion_fault(
        "name: a, on: intervention, at_least: 0, decision: hold",
        "0,",
        "at least 1",
    );
    criterion_fault(
        "name: a, on: recurrence, within: 1d, decision: hold",
        "{name",
        "`times` is missing",
    );
    criterion_fault(
        "name: a, on: recurrence, times: 2, decision: hold",
        "{name",
        "`within` is missing",
    );
    criterion_fault(
        "name: a, on: recurrence, times: 1, within: 1d, decision: hold",
        "1, within",
        "at least 2",
    );
    criterion_fault(
        "name: a, on: near_miss, score_at_least: -1, decision: hold",
        "-1",
        "a number of at least 0",
    );
    criterion_fault(
        "name: a, on: near_miss, score_at_least: .nan, decision: hold",
        ".nan",
        "a number of at least 0",
    );
    criterion_fault(
        "name: a, on: near_miss, at_most: 1 a week, decision: hold",
        "1 a week",
        "1 per 7d",
    );
    criterion_fault(
        "name: a, on: near_miss, at_most: 0 per 7d, decision: hold",
        "0 per",
        "1 per 7d",
    );
    criterion_fault(
        "name: a, on: near_miss, at_most: 1 per 7, decision: hold",
        "1 per 7,",
        "unit is missing",
    );
    criterion_fault(
        "name: a, on: near_miss, quiet_for: 0d, decision: hold",
        "0d",
        "longer than 0",
    );
    criterion_fault("name: a, on: outage", "{name", "`decision` is missing");
    criterion_fault(
        "name: a, on: outage, decision: maybe",
        "maybe",
        "known: `none`, `suggest`, `hold`",
    );
    criterion_fault(
        "name: a, on: intervention, decision: none, per: service",
        "per",
        "`per` needs `within`",
    );
    criterion_fault(
        "name: a, on: intervention, decision: none, within: 7d, per: team",
        "per",
        "`per` cannot be `team`; it takes service, scope or action",
    );
    criterion_fault(
        "name: a, on: recurrence, decision: none, times: 2, within: 7d, same: ['label:']",
        "same",
        "`same` cannot be `label:`; it takes service, alert, condition, criterion or label:NAME",
    );
    criterion_fault(
        "name: a, on: outage, decision: none, form: talk",
        "talk",
        "known: `note`, `standing`, `meeting`",
    );
    criterion_fault(
        "name: a, on: outage, decision: none, during: {time_zone: UTC}",
        "{time_zone",
        "`hours` is missing",
    );
    criterion_fault(
        "name: a, on: outage, decision: none, during: {hours: 9-17}",
        "9-17",
        "write for example Mon-Fri 09:00-18:00",
    );
    criterion_fault(
        "name: a, on: outage, decision: none, outside: {hours: Sat-Sun, time_zone: Europe/Berln}",
        "Europe/Berln",
        "did you mean `Europe/Berlin`",
    );
    criterion_fault(
        "name: a, on: outage, decision: none, during: {hours: Sat-Sun, holidays: [de.ics]}",
        "de.ics",
        "there is no calendar de.ics; name an .ics file beside this file",
    );
    criterion_fault(
        "name: two words, on: outage, decision: hold",
        "two words",
        "one word",
    );
    criterion_fault("name: \"\", on: outage, decision: hold", "\"\"", "one word");
}

#[test]
fn expression_fault_has_its_exact_position() {
    criterion_fault(
        "name: a, on: outage, decision: hold, where: incident.severty == \"critical\"",
        "severty",
        "did you mean `severity`?",
    );
    criterion_fault(
        "name: a, on: outage, decision: hold, where: 'request.reason == \"\"'",
        "request",
        "`request` is not known here",
    );
    criterion_fault(
        "name: a, on: recurrence, times: 2, within: 1d, decision: hold, where: signal.name == \"a\"",
        "signal",
        "known here: `incident`",
    );
    criterion_fault(
        "name: a, on: outage, decision: hold, where: \"signal.kind == \\\"alarm\\\"\"",
        "\\\"alarm",
        "never has the value",
    );
    let folded = "criteria:\n- name: a\n  on: outage\n  decision: hold\n  where: >-\n    incident.data_loss\n    && signal.nam == \"x\"";
    assert!(
        faults(folded)[0].starts_with("r.yaml:7:15: `signal` has no field `nam`"),
        "{}",
        faults(folded)[0]
    );
    let ignore = "correlation:\n  ignore: incident.title == \"x\"";
    assert!(
        faults(ignore)[0].starts_with("r.yaml:2:11: `incident` is not known here"),
        "{}",
        faults(ignore)[0]
    );
}

#[test]
fn conditions_that_contradict_themselves_are_faults() {
    let fault = |thresholds: &str| {
        faults(&format!(
            "conditions:\n- {{name: a, service: s, metrics: m, query: up, {thresholds}}}"
        ))[0]
            .clone()
    };
    assert!(fault("degraded: 0.02").contains("is not a threshold"));
    assert!(fault("degraded: '> much'").contains("is not a threshold"));
    assert!(fault("degraded: '> inf'").contains("is not a threshold"));
    assert!(fault("degraded: '=> 3'").contains("is not a threshold"));
    assert!(fault("degraded: '> 2', near_miss: '< 1'").contains("same direction"));
    assert!(fault("degraded: '> 2', near_miss: '> 3'").contains("never take effect"));
    assert!(fault("degraded: '< 2', near_miss: '< 1'").contains("never take effect"));
    assert!(fault("degraded: '> 2', recovered: '> 1'").contains("opposite direction"));
    assert!(fault("degraded: '> 2', recovered: '< 3'").contains("meet both thresholds"));
    assert!(fault("degraded: '> 2', every: 0s").contains("longer than 0"));
    assert!(
        fault("degraded: '> 2', no_data: near_miss")
            .contains("`unknown` (the default), `degraded` or `healthy`")
    );
    assert!(fault("degraded: '> 2', keep_firing_for: -1m").contains("cannot be negative"));
    assert!(fault("degraded: '> 2', severity: bad").contains("unknown value `bad`"));
    let twice =
        "conditions:\n- &a {name: a, service: s, metrics: m, query: up, degraded: '> 1'}\n- *a";
    assert!(faults(twice)[0].contains("second condition `a`"));
}

#[test]
fn the_shipped_rules_are_in_order() {
    let (name, text) = SHIPPED;
    let set = load(&[(name.to_owned(), text.to_owned())]).unwrap();
    let decisions: Vec<_> = set
        .criteria
        .iter()
        .map(|criterion| (criterion.name.as_str(), criterion.decision))
        .collect();
    assert_eq!(
        decisions,
        [
            ("declared-outage", Decision::Hold),
            ("somebody-asked", Decision::Hold),
            ("measured-degradation", Decision::Hold),
            ("long-degradation", Decision::Suggest),
            ("fixed-by-hand", Decision::Suggest),
            ("practice-when-quiet", Decision::Suggest),
            ("came-back", Decision::Suggest),
        ]
    );
    assert!(set.criteria.iter().all(|criterion| {
        criterion
            .filter
            .as_ref()
            .is_some_and(|filter| filter.source().contains("incident.environment"))
    }));
}
