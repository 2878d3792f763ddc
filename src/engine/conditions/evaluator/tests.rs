use std::collections::BTreeMap;

use chrono::TimeDelta;

use super::{ConditionEvaluator, QueryResult};
use crate::engine::policy::Policy;
use crate::engine::state::State;
use crate::model::event::{Event, Fact};
use crate::model::labels::Labels;
use crate::model::spans::SpanState;
use crate::model::time::Time;
use crate::rules::parse;
use crate::rules::rule_set::{ConditionRule, RuleSet};

fn rules(more: &str) -> RuleSet {
    let text = format!(
        "conditions: [{{name: errors, service: shop, metrics: prom, query: up, degraded: '> 2', every: 1m, {more}}}]"
    );
    parse::load(&[("rules.yaml".to_owned(), text)]).expect("rules")
}

fn rule(more: &str) -> ConditionRule {
    rules(more).conditions.remove(0)
}

fn minute(minutes: i64) -> Time {
    Time::from_timestamp(1_767_603_600, 0).unwrap_or_default() + TimeDelta::minutes(minutes)
}

/// `a=1,b=3`: series `a` and `b`; `=3`: one without labels; `_`: none; `!`: no answer; `a=1?`:
/// other series are unknown.
fn answer(token: &str) -> QueryResult {
    let one = |part: &str| {
        let (name, value) = part.split_once('=').expect("name=value");
        let labels: Labels = (!name.is_empty())
            .then(|| ("i".to_owned(), name.to_owned()))
            .into_iter()
            .collect();
        (labels, value.parse().expect("a number"))
    };
    match token {
        "!" => QueryResult::Failed,
        "_" => QueryResult::Whole(Vec::new()),
        list if list.ends_with('?') => {
            QueryResult::Partial(list.trim_end_matches('?').split(',').map(one).collect())
        }
        list => QueryResult::Whole(list.split(',').map(one).collect()),
    }
}

#[test]
fn evaluation_goes_on_after_the_clock_was_set() {
    for by in [-40, 40, -600] {
        let rule = rule("for: 3m");
        let mut evaluator = ConditionEvaluator::default();
        let mut told_at = None;
        for now in 0..10 {
            // It has been over the threshold for two minutes when the clock is set.
            let shifted = if now < 5 { 0 } else { by };
            if now == 5 {
                evaluator.shift(TimeDelta::minutes(by));
            }
            let value = if now < 3 { "=1" } else { "=3" };
            let events = evaluator.evaluate(&rule, minute(now + shifted), &answer(value));
            assert!(
                evaluator
                    .last()
                    .is_some_and(|last| last <= minute(now + shifted))
            );
            if !events.is_empty() {
                assert_eq!(told_at.replace(now), None, "{events:?}");
            }
        }
        assert_eq!(told_at, Some(6), "{by}");
    }
}

fn told(event: &Event) -> String {
    let Fact::Condition(condition) = &event.fact else {
        panic!("{event:?}")
    };
    let minutes = |at: Time| (at - minute(0)).num_minutes();
    let name = condition.labels.get("i").unwrap_or_default();
    let since = condition
        .since
        .map(|since| format!("<{}", minutes(since)))
        .unwrap_or_default();
    format!(
        "{name}{:?}@{}{since}",
        condition.state,
        minutes(event.occurred_at)
    )
}

/// Evaluates one answer a minute; what is remembered survives a restart at any time.
fn run(
    watches: &mut ConditionEvaluator,
    rule: &ConditionRule,
    from: i64,
    answers: &str,
) -> Vec<Event> {
    let mut events = Vec::new();
    for (at, token) in (from..).zip(answers.split_whitespace()) {
        events.extend(watches.evaluate(rule, minute(at), &answer(token)));
        *watches =
            serde_json::from_str(&serde_json::to_string(watches).expect("text")).expect("watches");
    }
    events
}

#[track_caller]
fn check(more: &str, answers: &str, expected: &str) {
    let events = run(&mut ConditionEvaluator::default(), &rule(more), 0, answers);
    assert_eq!(
        events.iter().map(told).collect::<Vec<_>>().join(" "),
        expected,
        "{answers}"
    );
}

#[test]
fn each_series_has_its_own_state() {
    check(
        "",
        "a=1,b=3 a=3,b=3 a=3,b=1",
        "bDegraded@0 aDegraded@1 bHealthy@2",
    );
    check(
        "",
        "a=1,b=3 a=1 a=1,b=3",
        "bDegraded@0 bUnknown@1 bDegraded@2",
    );
    check(
        "no_data: healthy",
        "a=1,b=3 a=1 a=1,b=3",
        "bDegraded@0 bHealthy@1 bDegraded@2",
    );
}

#[test]
fn empty_result_gives_the_no_data_state_without_labels() {
    check("", "_ _ a=1 a=3", "Unknown@0 Healthy@2<2 aDegraded@3");
    check("no_data: degraded", "_ _ a=1", "Degraded@0 Healthy@2<2");
    check("no_data: healthy", "_ _ a=1", "");
}

#[test]
fn failed_query_is_unknown_not_absent() {
    check("no_data: degraded", "b=1 ! b=1", "bUnknown@1 bHealthy@2");
    check("", "! ! =3", "Unknown@0 Degraded@2");
    check(
        "no_data: degraded",
        "a=1,b=1 a=3? a=3,b=1",
        "aDegraded@1 bUnknown@1 bHealthy@2",
    );
}

#[test]
fn series_beyond_the_most_are_left_out_and_counted() {
    let mut watches = ConditionEvaluator::default();
    let events = run(&mut watches, &rule("max_series: 2"), 0, "a=1,b=1,c=3,d=3");
    assert_eq!(
        (events.len(), watches.left_out(), watches.states().count()),
        (0, 2, 2)
    );
    run(&mut watches, &rule("max_series: 2"), 1, "a=1,b=1");
    assert_eq!(watches.left_out(), 0);
}

#[test]
fn series_absent_after_degradation_stays_unknown() {
    let mut watches = ConditionEvaluator::default();
    let events = run(
        &mut watches,
        &rule(""),
        0,
        &format!("a=1,b=1 {}", "a=1 ".repeat(62)),
    );
    assert_eq!(events.iter().map(told).collect::<Vec<_>>(), ["bUnknown@1"]);
    assert_eq!(watches.states().count(), 2);
    let events = run(&mut watches, &rule(""), 63, "a=1,b=1 a=1,b=3");
    assert_eq!(
        events.iter().map(told).collect::<Vec<_>>(),
        ["bHealthy@63", "bDegraded@64"]
    );
    // With absence as trouble, it lasts until there is a value.
    let events = run(
        &mut ConditionEvaluator::default(),
        &rule("no_data: degraded"),
        0,
        &format!("a=1 {} a=1", "_ ".repeat(62)),
    );
    assert_eq!(
        events.iter().map(told).collect::<Vec<_>>(),
        ["aDegraded@1", "aHealthy@63"]
    );
}

#[test]
fn present_series_replaces_an_absent_one_at_the_limit() {
    let mut watches = ConditionEvaluator::default();
    let events = run(
        &mut watches,
        &rule("max_series: 2"),
        0,
        "a=1,b=1 a=1 a=1,c=3",
    );
    assert_eq!(
        events.iter().map(told).collect::<Vec<_>>(),
        ["bUnknown@1", "cDegraded@2"]
    );
    assert_eq!(watches.left_out(), 0);
}

#[test]
fn a_condition_that_asks_something_else_goes_on_from_what_was_reported() {
    let mut watches = ConditionEvaluator::default();
    run(&mut watches, &rule(""), 0, "=3");
    let events = run(&mut watches, &rule("for: 5m"), 1, "=1");
    assert_eq!(events.iter().map(told).collect::<Vec<_>>(), ["Healthy@1"]);
    let mut watches = ConditionEvaluator::default();
    run(&mut watches, &rule(""), 0, "a=3,b=1");
    assert_eq!(
        watches.end(minute(1)).iter().map(told).collect::<Vec<_>>(),
        ["aUnknown@1"]
    );
}

/// Evaluates `live`, of whose answers some failed; then the past from the first failed one on is `known`, and the last of it is due now. What
/// the events say in the end, whatever their order, as `state from..to` in minutes.
#[track_caller]
fn filled(more: &str, live: &str, known: &str, expected: &str) {
    let (rules, mut watches) = (rules(more), ConditionEvaluator::default());
    let rule = &rules.conditions[0];
    let mut events = run(&mut watches, rule, 0, live);
    let from = watches.unanswered().expect("something was not answered");
    let mut at = from - TimeDelta::minutes(1);
    let answers: Vec<(Time, QueryResult)> = known
        .split_whitespace()
        .map(|token| {
            at += TimeDelta::minutes(1);
            (at, answer(token))
        })
        .collect();
    events.extend(watches.fill(rule, &answers));
    assert_eq!(watches.last(), Some(at));
    let policy = Policy::new(rules.clone(), &[], &[]);
    for backwards in [false, true] {
        let mut state = State::default();
        if backwards {
            events.reverse();
        }
        state.apply(events.clone(), &policy, at);
        let mut spans: Vec<_> = state
            .incidents()
            .flat_map(|incident| &incident.signals)
            .flat_map(|signal| signal.spans.to_vec())
            .collect();
        spans.sort_by_key(|span| span.start);
        // Two stretches of one state that meet are one.
        spans.dedup_by(|next, last| {
            let one = next.state == last.state && last.end == Some(next.start);
            if one {
                last.end = next.end;
            }
            one
        });
        let minutes = |time: Time| format!("{}", (time - minute(0)).num_seconds().div_euclid(60));
        let shown = |state| match state {
            SpanState::Degraded => "degraded",
            SpanState::NearMiss => "near",
            SpanState::Unknown => "unknown",
            SpanState::Planned => "planned",
        };
        let told: Vec<String> = spans
            .iter()
            .map(|span| {
                format!(
                    "{} {}..{}",
                    shown(span.state),
                    minutes(span.start),
                    span.end.map(minutes).unwrap_or_default()
                )
            })
            .collect();
        assert_eq!(
            told.join(", "),
            expected,
            "{more} {live} / {known}, backwards: {backwards}: {events:#?}"
        );
    }
}

#[test]
fn late_answer_replaces_unknown() {
    filled("", "=1 =3 =3 ! ! !", "=3 =3 =3 =3 =1", "degraded 1..7");
    filled(
        "",
        "=1 =3 =3 ! ! !",
        "=1 =1 =3 =3 =3",
        "degraded 1..3, degraded 5..",
    );
    filled(
        "",
        "=1 =3 =3 ! ! !",
        "=3 =1 =1 =1 =3",
        "degraded 1..4, degraded 7..",
    );
    filled(
        "for: 2m",
        "=1 =1 =3 ! ! !",
        "=3 =3 =3 =1 =1",
        "degraded 2..6",
    );
    filled(
        "near_miss: '> 1'",
        "=1 =3 =3 ! ! !",
        "=2 =3 =3 =3 =1",
        "degraded 1..3, near 3..4, degraded 4..7",
    );
}

#[test]
fn value_beyond_its_threshold_is_not_healthy_after_an_unknown_time() {
    // Unknown for lack of data; then beyond the threshold, for as long as `for` asks or not.
    check(
        "for: 2m",
        "=3 =3 =3 _ _ =3 =3 =3",
        "Degraded@2<0 Unknown@3 Degraded@7<5",
    );
    check(
        "for: 2m",
        "=3 =3 =3 _ _ =3 =1",
        "Degraded@2<0 Unknown@3 Healthy@6",
    );
    // Missed for longer than a gap.
    check(
        "for: 2m",
        "=3 =3 =3 ! ! ! ! ! =3 =1",
        "Degraded@2<0 Unknown@3 Degraded@8 Healthy@9",
    );
}

#[test]
fn backfill_before_the_first_evaluation_starts_with_the_first_value() {
    let (rules, mut watches) = (rules(""), ConditionEvaluator::default());
    let rule = &rules.conditions[0];
    watches.missed(minute(0));
    let mut events = watches.evaluate(rule, minute(9), &answer("=3"));
    let past = |from, answers: &str| {
        (from..)
            .zip(answers.split_whitespace())
            .map(|(at, token)| (minute(at), answer(token)))
            .collect::<Vec<_>>()
    };
    events.extend(watches.fill(rule, &past(0, "_ _ ! _ =1")));
    assert_eq!(watches.unanswered(), Some(minute(5)));
    events.extend(watches.fill(rule, &past(5, "=1 =3 =3 =3 =3")));
    assert_eq!(
        (watches.unanswered(), watches.last()),
        (None, Some(minute(9)))
    );
    let spans = found(&events, &rules, minute(9));
    assert_eq!(spans, [(minute(6), None, SpanState::Degraded)]);
    // Nothing at all is nothing that was unknown.
    let mut watches = ConditionEvaluator::default();
    watches.missed(minute(0));
    assert_eq!(
        watches
            .evaluate(rule, minute(2), &answer("_"))
            .iter()
            .map(told)
            .collect::<Vec<_>>(),
        ["Unknown@2"]
    );
    assert_eq!(watches.fill(rule, &past(0, "_ _ _")), []);
    assert_eq!(
        (watches.unanswered(), watches.last()),
        (None, Some(minute(2)))
    );
}

#[test]
fn evaluation_without_answer_stays_unknown() {
    filled(
        "",
        "=1 =3 =3 ! ! !",
        "! ! =3 =3 =1",
        "degraded 1..3, unknown 3..5, degraded 5..7",
    );
    filled(
        "",
        "=1 =3 =3 ! ! !",
        "=3 ! ! =3 =1",
        "degraded 1..4, unknown 4..6, degraded 6..7",
    );
    filled(
        "",
        "=1 =3 =3 ! ! !",
        "! ! ! ! !",
        "degraded 1..3, unknown 3..",
    );
}

/// A real machine's temperature; its known failures are of 16 December and 8 February, and the anomaly of 28 January led to the second.
const MACHINE: &str = include_str!("machine_temperature.txt");

#[test]
fn a_real_machine_fails_twice_and_nearly_fails_before() {
    let text = "conditions: [{name: temperature, service: machine, metrics: plant, query: temperature, degraded: '< 45', near_miss: '< 55', \
                recovered: '> 60', for: 1h, every: 5m}]";
    let rules = parse::load(&[("rules.yaml".to_owned(), text.to_owned())]).expect("rules");
    let rule = &rules.conditions[0];
    let (mut watches, mut events, mut at) =
        (ConditionEvaluator::default(), Vec::new(), Time::default());
    for line in MACHINE.lines().filter(|line| !line.starts_with('#')) {
        if let Some(time) = line.strip_prefix('@') {
            at = time.parse().expect("a time");
            continue;
        }
        let value = line.parse().expect("a number");
        events.extend(watches.evaluate(
            rule,
            at,
            &QueryResult::Whole(vec![(Labels::new(), value)]),
        ));
        at += TimeDelta::minutes(5);
    }
    let policy = Policy::new(rules.clone(), &[], &[]);
    let mut state = State::default();
    // By their beginning: what is long past is forgotten on the way.
    let (mut degraded, mut near) = (BTreeMap::new(), BTreeMap::new());
    for event in events {
        let now = event.occurred_at;
        state.apply(vec![event], &policy, now);
        for span in state
            .incidents()
            .flat_map(|incident| &incident.signals)
            .flat_map(|signal| &signal.spans)
        {
            let told = |time: Time| time.format("%m-%d %H:%M").to_string();
            let ended = span.end.map(told).unwrap_or_default();
            match span.state {
                SpanState::Degraded => degraded.insert(told(span.start), ended),
                SpanState::NearMiss => near.insert(told(span.start), ended),
                SpanState::Unknown | SpanState::Planned => panic!("{span:?}"),
            };
        }
    }
    let failures: Vec<String> = degraded
        .into_iter()
        .map(|(from, to)| format!("{from}..{to}"))
        .collect();
    assert_eq!(
        failures,
        ["02-08 01:25..02-09 12:05", "12-16 15:25..12-16 18:40"]
    );
    assert!(
        near.keys().any(|from| from.starts_with("01-28")),
        "the precursor: {near:?}"
    );
}

/// Final spans of a series with their states.
fn found(events: &[Event], rules: &RuleSet, now: Time) -> Vec<(Time, Option<Time>, SpanState)> {
    let mut state = State::default();
    state.apply(events.to_vec(), &Policy::new(rules.clone(), &[], &[]), now);
    let spans = state
        .incidents()
        .flat_map(|incident| &incident.signals)
        .flat_map(|signal| signal.spans.to_vec());
    let mut spans: Vec<_> = spans
        .map(|span| (span.start, span.end, span.state))
        .collect();
    spans.sort();
    spans.dedup_by(|next, last| {
        let one = next.2 == last.2 && last.1 == Some(next.0);
        if one {
            last.1 = next.1;
        }
        one
    });
    spans
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(400))]

    /// Failed evaluations, once answered later, give the same result as evaluations answered in
    /// time.
    #[test]
    fn backfilled_result_equals_live_result(
        values in proptest::collection::vec(0..4_i32, 4..40),
        answered in proptest::collection::vec(proptest::bool::weighted(0.6), 40),
        vain in proptest::collection::vec(proptest::bool::weighted(0.3), 40),
        pieces in 1..6_usize,
        more in proptest::sample::select(vec!["", "for: 2m", "near_miss: '> 1'", "near_miss: '> 1', for: 1m", "keep_firing_for: 2m", "recovered: '< 1'"]),
    ) {
        // Nothing is degraded between two evaluations further apart than a group bridges, so that both see one incident.
        let rules = rules(more);
        let rule = &rules.conditions[0];
        let truth: Vec<(Time, QueryResult)> =
            (0..).zip(&values).map(|(at, value)| (minute(at), QueryResult::Whole(vec![(Labels::new(), f64::from(*value))]))).collect();
        let mut steady = ConditionEvaluator::default();
        let expected: Vec<Event> = truth.iter().flat_map(|(at, answer)| steady.evaluate(rule, *at, answer)).collect();
        let (mut watches, mut events) = (ConditionEvaluator::default(), Vec::new());
        let last = truth.len() - 1;
        for (index, (at, _)) in truth.iter().enumerate() {
            // The first and the last are answered: what comes before and after would not be known.
            if index > 0 && index < last && !answered[index] {
                events.extend(watches.evaluate(rule, *at, &QueryResult::Failed));
                continue;
            }
            let from = watches.unanswered().unwrap_or(*at);
            let asked = truth.iter().filter(|(time, _)| (from..=*at).contains(time));
            let mut asked: Vec<(Time, QueryResult)> = asked.cloned().collect();
            if index > 0 && index < last && vain[index] {
                // The newest was only late.
                asked[0..].last_mut().expect("one is due").1 = QueryResult::Failed;
            }
            if asked.len() > pieces && index == last {
                // Too much to be asked at once: first what is due, then the past in pieces.
                events.extend(watches.evaluate(rule, *at, &truth[index].1));
                asked.chunks(pieces).for_each(|piece| events.extend(watches.fill(rule, piece)));
            } else {
                events.extend(watches.fill(rule, &asked));
            }
        }
        let now = truth[last].0;
        proptest::prop_assert_eq!(found(&events, &rules, now), found(&expected, &rules, now), "{:?}", events.iter().map(told).collect::<Vec<_>>());
        proptest::prop_assert_eq!(watches.states().collect::<Vec<_>>(), steady.states().collect::<Vec<_>>());
    }
}
