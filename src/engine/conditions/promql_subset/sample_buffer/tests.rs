use chrono::TimeDelta;

use super::{LOOKBACK, MOST_SERIES, SampleBuffer};
use crate::engine::conditions::evaluator::QueryResult;
use crate::model::labels::Labels;
use crate::model::sample::{STALE, Sample};
use crate::model::time::Time;
use crate::rules::promql::parse_query;

fn at(seconds: i64) -> Time {
    Time::from_timestamp(1_700_000_000 + seconds, 0).unwrap_or_default()
}

/// A metric's name, labels, and values by second.
type Given<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a [(i64, f64)]);

fn samples(series: &[Given<'_>]) -> SampleBuffer {
    let mut samples = SampleBuffer::default();
    for (name, pairs, values) in series {
        let labels: Labels = pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        for (second, value) in *values {
            samples.take(Sample {
                name: (*name).to_owned(),
                labels: labels.clone(),
                at: at(*second),
                value: *value,
            });
        }
    }
    samples
}

/// The values at `second`, as `label=value … number` in order.
fn answer(samples: &SampleBuffer, query: &str, second: i64) -> Vec<String> {
    let query = parse_query(query)
        .of_samples
        .unwrap_or_else(|why| panic!("{query}: {why}"));
    let mut told: Vec<String> = samples
        .answer(&query, at(second))
        .into_iter()
        .map(|(labels, value)| {
            let labels: String = labels
                .iter()
                .map(|(name, value)| format!("{name}={value} "))
                .collect();
            format!("{labels}{value}")
        })
        .collect();
    told.sort();
    told
}

#[test]
fn sample_holds_until_the_next_a_marker_or_five_minutes() {
    let of = samples(&[(
        "a",
        &[],
        &[(0, 1.0), (15, 2.0), (30, f64::from_bits(STALE))],
    )]);
    assert_eq!(answer(&of, "a", -1), [""; 0]);
    assert_eq!(answer(&of, "a", 14), ["1"]);
    assert_eq!(answer(&of, "a", 15), ["2"]);
    assert_eq!(answer(&of, "a", 30), [""; 0]);
    let silent = samples(&[("a", &[], &[(0, 1.0)])]);
    assert_eq!(answer(&silent, "a", 299), ["1"]);
    assert_eq!(answer(&silent, "a", 300), [""; 0]);
}

#[test]
fn late_samples_find_their_place_and_the_first_of_an_instant_counts() {
    let of = samples(&[(
        "a",
        &[],
        &[(0, 0.0), (30, 30.0), (15, 15.0), (15, 99.0), (30, 99.0)],
    )]);
    assert_eq!(answer(&of, "a", 20), ["15"]);
    assert_eq!(answer(&of, "increase(a[1m])", 30), ["30"]);
}

#[test]
fn a_reset_counts_what_came_before_and_after() {
    // 0 … 40, then from 0 again: 40 + 10.
    let of = samples(&[(
        "a",
        &[],
        &[(0, 0.0), (10, 20.0), (20, 40.0), (30, 5.0), (40, 10.0)],
    )]);
    assert_eq!(answer(&of, "increase(a[41s])", 40), ["50"]);
    assert_eq!(
        answer(&of, "rate(a[5s])", 40),
        [""; 0],
        "one sample has no rate"
    );
}

#[test]
fn series_are_folded_divided_and_scaled_by_their_labels() {
    let of = samples(&[
        ("errors", &[("i", "1"), ("code", "500")], &[(0, 4.0)]),
        ("errors", &[("i", "2"), ("code", "500")], &[(0, 2.0)]),
        ("errors", &[("i", "2"), ("code", "501")], &[(0, f64::NAN)]),
        ("all", &[("i", "1")], &[(0, 8.0)]),
        ("all", &[("i", "2")], &[(0, 4.0)]),
    ]);
    assert_eq!(
        answer(&of, "sum by (i) (errors{code=\"500\"}) / all", 1),
        ["i=1 0.5", "i=2 0.5"]
    );
    assert_eq!(
        answer(&of, "100 * sum(errors{code=\"500\"}) / sum(all)", 1),
        ["50"]
    );
    assert_eq!(answer(&of, "max without (code, i) (errors)", 1), ["4"]);
    assert_eq!(answer(&of, "count(errors)", 1), ["3"]);
    assert_eq!(answer(&of, "avg(all)", 1), ["6"]);
    assert_eq!(
        answer(&of, "errors / on(code) errors", 1),
        ["code=501 NaN"],
        "two agree in code 500: nobody can say which is meant"
    );
    assert_eq!(answer(&of, "1 - all / 16", 1), ["i=1 0.5", "i=2 0.75"]);
}

#[test]
fn a_quantile_lies_on_a_line_within_its_bucket() {
    let of = samples(&[
        ("s_bucket", &[("le", "0.1")], &[(0, 10.0)]),
        ("s_bucket", &[("le", "1")], &[(0, 20.0)]),
        ("s_bucket", &[("le", "+Inf")], &[(0, 20.0)]),
    ]);
    assert_eq!(
        answer(&of, "histogram_quantile(0.75, s_bucket)", 1),
        ["0.55"]
    );
    assert_eq!(answer(&of, "histogram_quantile(1, s_bucket)", 1), ["1"]);
    assert_eq!(answer(&of, "histogram_quantile(2, s_bucket)", 1), ["inf"]);
    let capless = samples(&[
        ("s_bucket", &[("le", "0.1")], &[(0, 10.0)]),
        ("s_bucket", &[("le", "1")], &[(0, 20.0)]),
    ]);
    assert_eq!(
        answer(&capless, "histogram_quantile(0.5, s_bucket)", 1),
        ["NaN"]
    );
    let above = samples(&[
        ("s_bucket", &[("le", "1")], &[(0, 1.0)]),
        ("s_bucket", &[("le", "+Inf")], &[(0, 9.0)]),
    ]);
    assert_eq!(
        answer(&above, "histogram_quantile(0.9, s_bucket)", 1),
        ["1"],
        "beyond the last bound that is known"
    );
}

#[test]
fn what_is_old_is_forgotten_with_its_series() {
    let mut of = samples(&[("a", &[], &[(0, 1.0), (600, 2.0)]), ("b", &[], &[(0, 1.0)])]);
    of.forget(at(600), at(1));
    assert_eq!(of.series(), 1);
    of.forget(at(600) + LOOKBACK + TimeDelta::seconds(1), at(600));
    assert_eq!(
        (of.series(), of.newest("a", at(900))),
        (1, Some(at(600))),
        "the newest tell that somebody looked"
    );
    of.forget(at(900), at(601));
    assert_eq!(of.series(), 0);
    let mut long = samples(&[(
        "a",
        &[],
        &(0..100)
            .map(|second| (second * 10, 1.0))
            .collect::<Vec<_>>(),
    )]);
    long.forget(at(900), at(0));
    assert_eq!(
        (answer(&long, "a", 590).len(), answer(&long, "a", 600).len()),
        (0, 1)
    );
}

#[test]
fn series_beyond_the_most_are_passed_over() {
    let mut of = SampleBuffer::default();
    let mut take = |series: usize, second| {
        let labels = Labels::from([("id".to_owned(), series.to_string())]);
        of.take(Sample {
            name: "a".to_owned(),
            labels,
            at: at(second),
            value: 1.0,
        });
        of.series()
    };
    (0..MOST_SERIES + 9).for_each(|series| _ = take(series, 0));
    assert_eq!(take(0, 1), MOST_SERIES);
    of.forget(at(900), at(1));
    assert_eq!(of.series(), 1);
}

/// Answer from pushed samples at `second`: the number of values, `?` if others are unknown, or `!`
/// if nothing was received.
fn pushed(samples: &SampleBuffer, query: &str, second: i64) -> String {
    let query = parse_query(query)
        .of_samples
        .unwrap_or_else(|why| panic!("{query}: {why}"));
    match samples.answer_of_pushed(&query, at(second)) {
        QueryResult::Whole(values) => values.len().to_string(),
        QueryResult::Partial(values) => format!("{}?", values.len()),
        QueryResult::Failed => "!".to_owned(),
    }
}

/// Values every 15 seconds in `seconds`.
fn paced(seconds: std::ops::Range<i64>) -> Vec<(i64, f64)> {
    seconds.step_by(15).map(|second| (second, 1.0)).collect()
}

/// The same with the mark of an end after them.
fn ended(seconds: std::ops::Range<i64>) -> Vec<(i64, f64)> {
    let end = seconds.end;
    paced(seconds)
        .into_iter()
        .chain([(end, f64::from_bits(STALE))])
        .collect()
}

const OF_A: &[(&str, &str)] = &[("job", "shop"), ("instance", "a")];
const OF_B: &[(&str, &str)] = &[("job", "shop"), ("instance", "b")];

#[test]
fn silent_target_stays_unknown() {
    for looks in [true, false] {
        let given: &[Given<'_>] = &[
            ("errors", OF_A, &paced(0..300)),
            ("up", OF_A, &paced(0..300)),
        ];
        let mut of = samples(&given[..if looks { 2 } else { 1 }]);
        assert_eq!(
            (pushed(&of, "errors", 300), pushed(&of, "errors", 307)),
            ("1".to_owned(), "1".to_owned())
        );
        for second in [308, 600, 3600, 6 * 3600] {
            of.forget(at(second), at(second - 6 * 3600));
            for query in ["errors", "sum(errors)", "rate(errors[1m])", "others"] {
                let asked = pushed(&of, query, second);
                assert_eq!(asked, "!", "{query} at {second}");
            }
        }
        of.forget(at(30_000), at(8400));
        assert_eq!(
            (of.series(), pushed(&of, "errors", 30_000).as_str()),
            (0, "!")
        );
    }
    assert_eq!(
        pushed(&SampleBuffer::default(), "errors", 0),
        "!",
        "nobody ever looked"
    );
}

#[test]
fn ended_series_is_absent_while_another_target_is_live() {
    let marked: &[Given<'_>] = &[
        ("errors", OF_A, &ended(0..300)),
        ("errors", &[("env", "x")], &paced(0..900)),
    ];
    let alone = samples(marked);
    assert_eq!(
        (
            pushed(&alone, "errors", 290),
            pushed(&alone, "errors", 300),
            pushed(&alone, "errors", 900)
        ),
        ("2".into(), "1".into(), "1".into())
    );
    assert_eq!(pushed(&alone, "errors", 930), "!");
    // Its target is down: `up` says so, until it is silent itself.
    let down = samples(&[
        ("errors", OF_A, &ended(0..300)),
        ("up", OF_A, &paced(0..600)),
        ("up", OF_B, &paced(0..900)),
    ]);
    assert_eq!(
        (pushed(&down, "errors", 600), pushed(&down, "errors", 700)),
        ("0".into(), "!".into())
    );
    // A page that no longer shows a series with times of its own: that has no mark.
    let gone = samples(&[
        ("errors", OF_A, &paced(0..300)),
        ("up", OF_A, &paced(0..900)),
    ]);
    assert_eq!(
        (pushed(&gone, "errors", 580), pushed(&gone, "errors", 900)),
        ("1".into(), "0".into())
    );
    // Never present, and scraped.
    assert_eq!(
        (
            pushed(&gone, "others", 900),
            pushed(&gone, "others{job='pay'}", 900)
        ),
        ("0".into(), "!".into())
    );
}

#[test]
fn live_target_does_not_hide_a_silent_one() {
    let of = samples(&[
        ("errors", OF_A, &paced(0..300)),
        ("up", OF_A, &paced(0..300)),
        ("errors", OF_B, &paced(0..900)),
        ("up", OF_B, &paced(0..900)),
        ("of_a", &[("cluster", "a")], &paced(0..300)),
        ("of_a", &[("cluster", "b")], &paced(0..900)),
    ]);
    let check = |query: &str, expected: [&str; 2]| {
        assert_eq!(
            [290, 890].map(|second| pushed(&of, query, second)),
            expected,
            "{query}"
        );
    };
    check("errors", ["2", "1?"]);
    check("sum(errors)", ["1", "0?"]);
    check("sum by (instance) (errors)", ["2", "1?"]);
    check("errors / errors", ["2", "1?"]);
    check("2 * max without (instance) (rate(errors[1m]))", ["1", "0?"]);
    check("errors{instance='b'}", ["1", "1"]);
    check("errors{instance='a'}", ["1", "!"]);
    check("of_a", ["2", "1?"]);
}
