#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use chrono::TimeDelta;

use super::{AlertPhase, ConditionIdentity, Observation, SeriesStateMachine};
use crate::model::event::{ConditionState, Fact, Severity};
use crate::model::labels::Labels;
use crate::model::time::Time;
use crate::rules::parse;
use crate::rules::rule_set::ConditionRule;

/// A condition that is degraded above 2 and evaluated every minute, and what else is given.
fn rule(more: &str) -> ConditionRule {
    let text = format!(
        "conditions: [{{name: errors, service: shop, metrics: prom, query: up, degraded: '> 2', every: 1m, {more}}}]"
    );
    parse::load(&[("rules.yaml".to_owned(), text)])
        .unwrap()
        .conditions
        .remove(0)
}

fn minute(minutes: i64) -> Time {
    Time::from_timestamp(1_767_603_600, 0).unwrap() + TimeDelta::minutes(minutes)
}

/// `_` is absent, `!` failed, anything else a value.
fn reading(token: &str) -> Observation {
    match token {
        "_" => Observation::Absent,
        "!" => Observation::Failed,
        value => Observation::Value(value.parse().unwrap()),
    }
}

/// One turn as text: `degraded@5<3` was noticed in minute 5 and has been so since minute 3.
fn shown(turn: &super::StateChange) -> String {
    let state = match turn.state {
        ConditionState::Healthy => "healthy",
        ConditionState::Degraded => "degraded",
        ConditionState::NearMiss => "near",
        ConditionState::Unknown => "unknown",
    };
    let minutes = |at: Time| (at - minute(0)).num_minutes();
    let since = turn
        .since
        .map(|since| format!("<{}", minutes(since)))
        .unwrap_or_default();
    format!("{state}@{}{since}", minutes(turn.at))
}

/// Steps over one reading a minute (`.`: not evaluated) and compares the transitions.
#[track_caller]
fn check(more: &str, readings: &str, expected: &str) {
    let (rule, mut watch) = (rule(more), SeriesStateMachine::default());
    let mut turns = Vec::new();
    for (at, token) in (0..).zip(readings.split_whitespace()) {
        if token != "." {
            turns.extend(
                watch
                    .step(&rule, minute(at), reading(token))
                    .iter()
                    .map(shown),
            );
        }
        // What is remembered survives a restart at any time.
        watch = serde_json::from_str(&serde_json::to_string(&watch).unwrap()).unwrap();
    }
    assert_eq!(turns.join(" "), expected, "{more} {readings}");
}

#[test]
fn state_changes_at_the_first_evaluation_beyond_the_threshold() {
    check("", "1 3 3 1 1", "degraded@1 healthy@3");
    check("", "3", "degraded@0");
    check("", "1 1 1", "");
    check("", "2 2.01 2", "degraded@1 healthy@2");
}

#[test]
fn every_comparison_is_that_of_promql() {
    let degraded = |comparison: &str, value: &str| {
        let text = format!(
            "conditions: [{{name: a, service: s, metrics: m, query: up, degraded: '{comparison} 2'}}]"
        );
        let rule = parse::load(&[("rules.yaml".to_owned(), text)])
            .unwrap()
            .conditions
            .remove(0);
        !SeriesStateMachine::default()
            .step(&rule, minute(0), reading(value))
            .is_empty()
    };
    for (comparison, below, equal, above) in [
        (">", false, false, true),
        (">=", false, true, true),
        ("<", true, false, false),
        ("<=", true, true, false),
        ("==", false, true, false),
        ("!=", true, false, true),
    ] {
        let found = ["1", "2", "3"].map(|value| degraded(comparison, value));
        assert_eq!(found, [below, equal, above], "{comparison}");
    }
}

#[test]
fn it_fires_at_the_evaluation_that_completes_the_wait() {
    check("for: 2m", "1 3 3 1", "");
    check("for: 2m", "1 3 3 3 3 1", "degraded@3<1 healthy@5");
    check("for: 121s", "1 3 3 3 3 1", "degraded@4<1 healthy@5");
    check("for: 1s", "3 3", "degraded@1<0");
}

#[test]
fn pending_restarts_after_an_interruption() {
    check("for: 2m", "3 3 1 3 3 3", "degraded@5<3");
    check("for: 2m, no_data: healthy", "3 3 _ 3 3 3", "degraded@5<3");
}

#[test]
fn keep_firing_for_delays_recovery_and_keeps_its_start() {
    check("keep_firing_for: 2m", "3 1 1 1 1", "degraded@0 healthy@3<1");
    check(
        "keep_firing_for: 121s",
        "3 1 1 1 1",
        "degraded@0 healthy@4<1",
    );
    check("keep_firing_for: 1s", "3 1 1", "degraded@0 healthy@2<1");
    // Coming back clears it, and what ends later is counted anew.
    check(
        "keep_firing_for: 2m",
        "3 1 3 1 1 1",
        "degraded@0 healthy@5<3",
    );
    // A new wait begins only after the end.
    check(
        "for: 1m, keep_firing_for: 1m",
        "3 3 1 3 1 1 3 3",
        "degraded@1<0 healthy@5<4 degraded@7<6",
    );
}

#[test]
fn recovered_threshold_gives_hysteresis() {
    let recovered = "recovered: '< 1'";
    check(recovered, "3 2 1 0.9 2", "degraded@0 healthy@3");
    // Between the two it does not begin, nor go on while it waits.
    check(recovered, "2 1.5 2", "");
    check(
        &format!("{recovered}, for: 2m"),
        "3 2 3 3 3 2 0",
        "degraded@4<2 healthy@6",
    );
    // Not-a-number is no recovery.
    check(recovered, "3 NaN NaN 0", "degraded@0 unknown@1 healthy@3");
    // Once it has recovered, only the upper threshold brings it back, kept or not.
    check(
        &format!("{recovered}, keep_firing_for: 3m"),
        "3 0 2 2 2",
        "degraded@0 healthy@4<1",
    );
    check(
        &format!("{recovered}, keep_firing_for: 3m"),
        "3 0 3 2 2 2 2 0 0 0 0",
        "degraded@0 healthy@10<7",
    );
    // Absence is no recovery either.
    check(
        &format!("{recovered}, keep_firing_for: 3m, no_data: healthy"),
        "3 _ 2 2 2 2 0 0 0 0",
        "degraded@0 healthy@9<6",
    );
}

#[test]
fn absence_means_what_the_rules_say() {
    check("", "1 _ _ 1", "unknown@1 healthy@3");
    check("", "_ 1", "unknown@0 healthy@1");
    check("", "3 _ 3", "degraded@0 unknown@1 degraded@2");
    check(
        "for: 1m",
        "3 3 _ 3 3",
        "degraded@1<0 unknown@2 degraded@4<3",
    );
    check(
        "no_data: healthy",
        "3 _ 3",
        "degraded@0 healthy@1 degraded@2",
    );
    check("no_data: healthy", "_ _", "");
    check("no_data: degraded", "1 _ _ 1", "degraded@1 healthy@3");
    check(
        "no_data: degraded, for: 2m",
        "1 _ _ _ 1",
        "degraded@3<1 healthy@4",
    );
}

/// The share of errors while a balancer sends no requests at all: neither healthy nor degraded.
#[test]
fn nan_without_traffic_follows_no_data() {
    let both = ["", "recovered: '< 0.5', "];
    for recovered in both {
        for (no_data, expected) in [
            ("unknown", "degraded@1 unknown@2 healthy@4"),
            ("healthy", "degraded@1 healthy@2"),
            ("degraded", "degraded@1 healthy@4"),
        ] {
            let more = format!("{recovered}no_data: {no_data}");
            check(&more, "0 3 NaN NaN 0", expected);
        }
        check(recovered, "3 NaN 3", "degraded@0 unknown@1 degraded@2");
        check(
            &format!("{recovered}near_miss: '> 1'"),
            "1.5 NaN 1.5",
            "near@0 unknown@1 near@2",
        );
    }
    // In PromQL it is unequal to every number, and is no data all the same.
    let text = "conditions: [{name: a, service: s, metrics: m, query: up, degraded: '!= 2'}]";
    let rules = parse::load(&[("rules.yaml".to_owned(), text.to_owned())]).unwrap();
    let turns = SeriesStateMachine::default().step(
        &rules.conditions[0],
        minute(0),
        Observation::Value(f64::NAN),
    );
    assert_eq!(turns.iter().map(shown).collect::<Vec<_>>(), ["unknown@0"]);
}

#[test]
fn a_failed_evaluation_leaves_everything_as_it_was() {
    check("", "1 ! 1", "unknown@1 healthy@2");
    check("", "3 ! ! 3 1", "degraded@0 unknown@1 degraded@3 healthy@4");
    // Waiting continues, but unobserved time is not counted.
    check("for: 3m", "3 3 ! 3 1", "unknown@2 degraded@3 healthy@4");
    check("for: 4m", "3 3 ! 3 3 1", "unknown@2 degraded@4<3 healthy@5");
    check(
        "keep_firing_for: 4m",
        "3 1 ! 1 1 1 1",
        "degraded@0 unknown@2 degraded@3 healthy@5<3",
    );
    check(
        "keep_firing_for: 3m",
        "3 1 _ _ 1 1",
        "degraded@0 unknown@2 healthy@4",
    );
    check(
        "no_data: healthy",
        "3 ! _ 1",
        "degraded@0 unknown@1 healthy@2",
    );
}

#[test]
fn gap_between_evaluations_is_unknown() {
    // Four intervals between two evaluations are bridged, more are not.
    check("", "3 . . . 3", "degraded@0");
    check("", "3 . . . . 3", "degraded@0 unknown@1 degraded@5");
    check("", "3 . . . . . 3", "degraded@0 unknown@1 degraded@6");
    check("", "3 . . . . . 1", "degraded@0 unknown@1 healthy@6");
    check("", "1 . . . . . 1", "unknown@1 healthy@6");
    check("", "1 . . . . . _", "unknown@1");
    check("", "1 ! . . . . . . !", "unknown@1");
    // A wait does not go on through it, what fires does.
    check("for: 6m", "3 . . . . . 3 3", "unknown@1");
    check("for: 4m", "3 . . . 3", "degraded@4<0");
    check(
        "for: 1m",
        "3 3 . . . . . 3",
        "degraded@1<0 unknown@2 degraded@7",
    );
    check(
        "near_miss: '> 1', for: 6m",
        "1.5 . . . . . 1.5 1.5",
        "unknown@1",
    );
    let (mut rule, mut watch) = (rule(""), SeriesStateMachine::default());
    rule.every = 120;
    let at = |watch: &mut SeriesStateMachine, minutes: i64| {
        watch
            .step(&rule, minute(minutes), Observation::Value(3.0))
            .iter()
            .map(shown)
            .collect::<String>()
    };
    assert_eq!(at(&mut watch, 0), "degraded@0");
    assert_eq!(at(&mut watch, 8), "");
    assert_eq!(at(&mut watch, 17), "unknown@10degraded@17");
}

#[test]
fn time_never_runs_backwards() {
    let (rule, mut watch) = (rule(""), SeriesStateMachine::default());
    assert_eq!(watch.step(&rule, minute(5), Observation::Value(1.0)), []);
    let before = watch.clone();
    assert_eq!(watch.step(&rule, minute(5), Observation::Value(3.0)), []);
    assert_eq!(watch.step(&rule, minute(4), Observation::Failed), []);
    assert_eq!(watch, before);
    assert_eq!(
        watch.step(&rule, minute(6), Observation::Value(3.0)).len(),
        1
    );
}

#[test]
fn a_near_miss_is_what_does_not_become_worse() {
    let near = "near_miss: '> 1'";
    check(near, "1 1.5 1", "near@1 healthy@2");
    check(near, "1 1.5 3 1.5 1", "near@1 degraded@2 near@3 healthy@4");
    check(near, "3 1", "degraded@0 healthy@1");
    // It waits as long; a degraded value is a near miss as well.
    check(
        &format!("{near}, for: 2m"),
        "1.5 3 1.5 1.5 1",
        "near@2<0 healthy@4",
    );
    check(
        &format!("{near}, for: 2m"),
        "1.5 3 3 3 1.5 1",
        "near@2<0 degraded@3<1 near@4 healthy@5",
    );
    // It is kept as long, and begins where the degradation ended.
    check(
        &format!("{near}, keep_firing_for: 2m"),
        "1.5 1 1 1",
        "near@0 healthy@3<1",
    );
    check(
        &format!("{near}, keep_firing_for: 2m"),
        "3 1.5 1.5 1.5 1 1 1",
        "degraded@0 near@3<1 healthy@6<4",
    );
    check(
        &format!("{near}, keep_firing_for: 2m"),
        "3 1.5 1 1 1 1",
        "degraded@0 near@3<1 healthy@4<2",
    );
    // The unknown stretch bounds it as well.
    check(
        &format!("{near}, for: 2m"),
        "1.5 ! 1.5 1.5",
        "unknown@1 near@2",
    );
    check(
        &format!("{near}, no_data: degraded"),
        "_ 1.5",
        "degraded@0 near@1",
    );
    check("no_data: degraded", "_ 1.5", "degraded@0 healthy@1");
    check(near, "1.5 _ 1.5", "near@0 unknown@1 near@2");
    check(
        &format!("{near}, no_data: healthy"),
        "1.5 _",
        "near@0 healthy@1",
    );
}

#[test]
fn change_carries_the_value_that_caused_it() {
    let (rule, mut watch) = (rule("no_data: degraded"), SeriesStateMachine::default());
    assert_eq!(
        watch.step(&rule, minute(0), Observation::Value(3.5))[0].value,
        Some(3.5)
    );
    assert_eq!(
        watch.step(&rule, minute(1), Observation::Failed)[0].value,
        None
    );
    assert_eq!(
        watch.step(&rule, minute(2), Observation::Absent)[0].value,
        None
    );
    assert_eq!(
        watch.step(&rule, minute(3), Observation::Value(1.5))[0].value,
        Some(1.5)
    );
}

#[test]
fn the_alert_of_prometheus_can_be_seen() {
    let (rule, mut watch) = (
        rule("for: 1m, keep_firing_for: 1m"),
        SeriesStateMachine::default(),
    );
    let (pending, firing) = (
        AlertPhase::Pending {
            active_at: minute(1),
        },
        AlertPhase::Firing {
            active_at: minute(1),
        },
    );
    let expected = [
        AlertPhase::Inactive,
        pending,
        firing,
        firing,
        AlertPhase::Inactive,
    ];
    for ((at, token), phase) in (0..).zip(["1", "3", "3", "1", "1"]).zip(expected) {
        watch.step(&rule, minute(at), reading(token));
        assert_eq!(watch.alert(), phase, "minute {at}");
    }
    assert_eq!(watch.reported(), Some(ConditionState::Healthy));
    assert_eq!(SeriesStateMachine::default().reported(), None);
}

#[test]
fn a_turn_becomes_an_event() {
    let (rule, mut watch) = (
        rule("for: 2m, severity: warning"),
        SeriesStateMachine::default(),
    );
    let labels: Labels = [("zone".to_owned(), "b".to_owned())].into();
    let turns: Vec<_> = (0..3)
        .flat_map(|at| watch.step(&rule, minute(at), Observation::Value(3.5)))
        .collect();
    let event = ConditionIdentity::from_rule(&rule).event(&labels, &turns[0]);
    assert_eq!(
        (&*event.source, event.service.as_deref(), event.occurred_at),
        ("prom", Some("shop"), minute(2))
    );
    let Fact::Condition(condition) = event.fact else {
        panic!("no condition")
    };
    assert_eq!(
        (condition.name.as_str(), condition.state, condition.severity),
        ("errors", ConditionState::Degraded, Severity::Warning)
    );
    assert_eq!(
        (condition.labels, condition.value, condition.since),
        (labels.into(), Some(3.5), Some(minute(0)))
    );
}
