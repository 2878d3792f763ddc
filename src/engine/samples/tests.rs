use chrono::TimeDelta;

use super::{LOOKBACK, Samples};
use crate::model::Time;
use crate::model::event::Labels;
use crate::model::sample::{STALE, Sample};
use crate::rules::query::understand;

fn at(seconds: i64) -> Time {
    Time::from_timestamp(1_700_000_000 + seconds, 0).unwrap_or_default()
}

/// A metric's name, labels, and values by second.
type Given<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a [(i64, f64)]);

fn samples(series: &[Given<'_>]) -> Samples {
    let mut samples = Samples::default();
    for (name, pairs, values) in series {
        let labels: Labels = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        for (second, value) in *values {
            samples.take(Sample { name: (*name).to_owned(), labels: labels.clone(), at: at(*second), value: *value });
        }
    }
    samples
}

/// The values at `second`, as `label=value … number` in order.
fn answer(samples: &Samples, query: &str, second: i64) -> Vec<String> {
    let query = understand(query).of_samples.unwrap_or_else(|why| panic!("{query}: {why}"));
    let mut told: Vec<String> = samples
        .answer(&query, at(second))
        .into_iter()
        .map(|(labels, value)| {
            let labels: String = labels.iter().map(|(name, value)| format!("{name}={value} ")).collect();
            format!("{labels}{value}")
        })
        .collect();
    told.sort();
    told
}

#[test]
fn a_sample_stands_for_its_series_until_a_newer_one_an_end_or_five_minutes() {
    let of = samples(&[("a", &[], &[(0, 1.0), (15, 2.0), (30, f64::from_bits(STALE))])]);
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
    let of = samples(&[("a", &[], &[(0, 0.0), (30, 30.0), (15, 15.0), (15, 99.0), (30, 99.0)])]);
    assert_eq!(answer(&of, "a", 20), ["15"]);
    assert_eq!(answer(&of, "increase(a[1m])", 30), ["30"]);
}

#[test]
fn a_reset_counts_what_came_before_and_after() {
    // 0 … 40, then from 0 again: 40 + 10.
    let of = samples(&[("a", &[], &[(0, 0.0), (10, 20.0), (20, 40.0), (30, 5.0), (40, 10.0)])]);
    assert_eq!(answer(&of, "increase(a[41s])", 40), ["50"]);
    assert_eq!(answer(&of, "rate(a[5s])", 40), [""; 0], "one sample has no rate");
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
    assert_eq!(answer(&of, "sum by (i) (errors{code=\"500\"}) / all", 1), ["i=1 0.5", "i=2 0.5"]);
    assert_eq!(answer(&of, "100 * sum(errors{code=\"500\"}) / sum(all)", 1), ["50"]);
    assert_eq!(answer(&of, "max without (code, i) (errors)", 1), ["4"]);
    assert_eq!(answer(&of, "count(errors)", 1), ["3"]);
    assert_eq!(answer(&of, "avg(all)", 1), ["6"]);
    assert_eq!(answer(&of, "errors / on(code) errors", 1), ["code=501 NaN"], "two agree in code 500: nobody can say which is meant");
    assert_eq!(answer(&of, "1 - all / 16", 1), ["i=1 0.5", "i=2 0.75"]);
}

#[test]
fn a_quantile_lies_on_a_line_within_its_bucket() {
    let of = samples(&[
        ("s_bucket", &[("le", "0.1")], &[(0, 10.0)]),
        ("s_bucket", &[("le", "1")], &[(0, 20.0)]),
        ("s_bucket", &[("le", "+Inf")], &[(0, 20.0)]),
    ]);
    assert_eq!(answer(&of, "histogram_quantile(0.75, s_bucket)", 1), ["0.55"]);
    assert_eq!(answer(&of, "histogram_quantile(1, s_bucket)", 1), ["1"]);
    assert_eq!(answer(&of, "histogram_quantile(2, s_bucket)", 1), ["inf"]);
    let capless = samples(&[("s_bucket", &[("le", "0.1")], &[(0, 10.0)]), ("s_bucket", &[("le", "1")], &[(0, 20.0)])]);
    assert_eq!(answer(&capless, "histogram_quantile(0.5, s_bucket)", 1), ["NaN"]);
    let above = samples(&[("s_bucket", &[("le", "1")], &[(0, 1.0)]), ("s_bucket", &[("le", "+Inf")], &[(0, 9.0)])]);
    assert_eq!(answer(&above, "histogram_quantile(0.9, s_bucket)", 1), ["1"], "beyond the last bound that is known");
}

#[test]
fn what_is_old_is_forgotten_with_its_series() {
    let mut of = samples(&[("a", &[], &[(0, 1.0), (600, 2.0)]), ("b", &[], &[(0, 1.0)])]);
    of.forget(at(600));
    assert_eq!(of.series(), 1);
    assert_eq!(answer(&of, "a", 0), [""; 0]);
    of.forget(at(600) + LOOKBACK + TimeDelta::seconds(1));
    assert_eq!(of.series(), 0);
}
