//! A buffer of recent samples, and instant queries over it, evaluated as Prometheus would.

use std::collections::{BTreeMap, VecDeque};

use chrono::TimeDelta;

use crate::model::labels::Labels;
use crate::model::sample::{Sample, is_stale};
use crate::model::time::Time;
use crate::rules::promql::{Aggregation, BinaryOperator, PromqlQuery, Selector};

/// The time for which the newest sample is the value of its series, as in Prometheus.
pub const LOOKBACK: TimeDelta = TimeDelta::minutes(5);

/// The series that tells whether a target could be scraped.
pub const UP: &str = "up";

/// The most series that are held; further ones are dropped.
pub const MOST_SERIES: usize = 10_000;

/// The number of newest samples from which the interval of a series is estimated.
pub(crate) const PACED: usize = 8;

/// The label that distinguishes the buckets of a histogram.
pub(crate) const LE: &str = "le";

/// Samples of series, each in order of time.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SampleBuffer {
    pub(crate) metrics: BTreeMap<String, BTreeMap<Labels, VecDeque<(Time, f64)>>>,
    held: usize,
}

/// The values of series at one instant.
pub type InstantVector = Vec<(Labels, f64)>;

impl SampleBuffer {
    /// Adds a sample. Of two at the same instant the first counts, as in Prometheus; a late one is
    /// inserted in order.
    pub fn take(&mut self, sample: Sample) {
        let full = self.held >= MOST_SERIES;
        let metric = self.metrics.entry(sample.name).or_default();
        if full && !metric.contains_key(&sample.labels) {
            return;
        }
        let series = metric.entry(sample.labels).or_default();
        self.held += usize::from(series.is_empty());
        match series.back() {
            Some((last, _)) if *last >= sample.at => {
                if let Err(place) = series.binary_search_by_key(&sample.at, |(at, _)| *at) {
                    series.insert(place, (sample.at, sample.value));
                }
            }
            _ => series.push_back((sample.at, sample.value)),
        }
    }

    /// Drops samples from before `before`, except those within the lookback and the newest of each
    /// series, which tell its interval. A series without samples since `gone` is dropped.
    pub fn forget(&mut self, before: Time, gone: Time) {
        for series in self.metrics.values_mut() {
            for samples in series.values_mut() {
                let old = samples.partition_point(|(at, _)| *at < before - LOOKBACK);
                samples.drain(..old.min(samples.len().saturating_sub(PACED)));
            }
            series.retain(|_, samples| samples.back().is_some_and(|(at, _)| *at >= gone));
        }
        self.metrics.retain(|_, series| !series.is_empty());
        self.held = self.series();
    }

    /// The time of the newest sample of a metric by `at`.
    #[must_use]
    pub fn newest(&self, name: &str, at: Time) -> Option<Time> {
        let series = self.metrics.get(name)?;
        series
            .values()
            .filter_map(|samples| last(samples, at))
            .map(|(taken, _)| taken)
            .max()
    }

    /// The series that were not marked as ended.
    pub fn live(&self) -> impl Iterator<Item = (&str, &Labels)> {
        let all = self.metrics.iter().flat_map(|(name, series)| {
            series
                .iter()
                .map(move |(labels, samples)| (name, labels, samples))
        });
        let live = all
            .filter(|(_, _, samples)| samples.back().is_some_and(|(_, value)| !is_stale(*value)));
        live.map(|(name, labels, _)| (name.as_str(), labels))
    }

    /// The number of series.
    #[must_use]
    pub fn series(&self) -> usize {
        self.metrics.values().map(BTreeMap::len).sum()
    }

    /// The result of a query at `at`, in no order; series without a value are absent.
    #[must_use]
    pub fn answer(&self, query: &PromqlQuery, at: Time) -> InstantVector {
        match query {
            PromqlQuery::Newest(selector) => self.each(selector, |samples| newest(samples, at)),
            PromqlQuery::Change {
                of,
                over,
                per_second,
            } => {
                let over = TimeDelta::seconds(*over);
                self.each(of, |samples| {
                    change(samples, at - over, at).map(|change| {
                        if *per_second {
                            change / seconds(over)
                        } else {
                            change
                        }
                    })
                })
            }
            PromqlQuery::Fold { how, of, groups } => fold(*how, self.answer(of, at), |labels| {
                groups.grouping_labels(labels)
            }),
            PromqlQuery::Ratio { of, to, agree } => {
                ratio(self.answer(of, at), self.answer(to, at), |labels| {
                    agree.grouping_labels(labels)
                })
            }
            PromqlQuery::Scaled {
                of,
                how,
                number,
                number_first,
            } => {
                let scaled = |value: f64| {
                    if *number_first {
                        calculate(*how, *number, value)
                    } else {
                        calculate(*how, value, *number)
                    }
                };
                self.answer(of, at)
                    .into_iter()
                    .map(|(labels, value)| (labels, scaled(value)))
                    .collect()
            }
            PromqlQuery::Quantile { share, of } => quantiles(*share, self.answer(of, at)),
        }
    }

    fn each(
        &self,
        selector: &Selector,
        value: impl Fn(&VecDeque<(Time, f64)>) -> Option<f64>,
    ) -> InstantVector {
        let Some(series) = self.metrics.get(&selector.name) else {
            return Vec::new();
        };
        let asked = series.iter().filter(|(labels, _)| selector.selects(labels));
        asked
            .filter_map(|(labels, samples)| Some((labels.clone(), value(samples)?)))
            .collect()
    }
}

fn seconds(span: TimeDelta) -> f64 {
    span.as_seconds_f64()
}

/// The samples in `(from, to]`, without staleness markers.
fn within(
    samples: &VecDeque<(Time, f64)>,
    from: Time,
    to: Time,
) -> impl DoubleEndedIterator<Item = (Time, f64)> {
    let first = samples.partition_point(|(at, _)| *at <= from);
    let last = samples.partition_point(|(at, _)| *at <= to);
    samples
        .range(first..last.max(first))
        .copied()
        .filter(|(_, value)| !is_stale(*value))
}

/// The last sample by `at`.
pub(crate) fn last(samples: &VecDeque<(Time, f64)>, at: Time) -> Option<(Time, f64)> {
    Some(
        samples[samples
            .partition_point(|(taken, _)| *taken <= at)
            .checked_sub(1)?],
    )
}

fn newest(samples: &VecDeque<(Time, f64)>, at: Time) -> Option<f64> {
    let (taken, value) = last(samples, at)?;
    (taken > at - LOOKBACK && !is_stale(value)).then_some(value)
}

/// The increase of a counter in `(from, to]`, extrapolated as by `extrapolatedRate` of Prometheus 2.42
/// (`promql/functions.go`). `None`: fewer than two samples.
fn change(samples: &VecDeque<(Time, f64)>, from: Time, to: Time) -> Option<f64> {
    let mut inside = within(samples, from, to);
    let (first_at, first) = inside.next()?;
    let (mut last_at, mut last, mut count, mut lost) = (first_at, first, 1, 0.0);
    for (at, value) in inside {
        if value < last {
            // A reset; what was counted before adds up.
            lost += last;
        }
        (last_at, last, count) = (at, value, count + 1);
    }
    if count < 2 {
        return None;
    }
    let rise = last - first + lost;
    let sampled = seconds(last_at - first_at);
    let apart = sampled / f64::from(count - 1);
    let mut to_start = seconds(first_at - from);
    let to_end = seconds(to - last_at);
    if rise > 0.0 && first >= 0.0 {
        // A counter is never negative: it began no earlier than it would have been zero.
        to_start = to_start.min(sampled * (first / rise));
    }
    let reach = |gap: f64| if gap < apart * 1.1 { gap } else { apart / 2.0 };
    Some(rise * ((sampled + reach(to_start) + reach(to_end)) / sampled))
}

fn fold(
    how: Aggregation,
    values: InstantVector,
    group: impl Fn(&Labels) -> Labels,
) -> InstantVector {
    let mut groups: BTreeMap<Labels, (f64, f64)> = BTreeMap::new();
    for (labels, value) in values {
        groups
            .entry(group(&labels))
            .and_modify(|(folded, count)| {
                *count += 1.0;
                *folded = match how {
                    Aggregation::Sum | Aggregation::Average | Aggregation::Count => *folded + value,
                    // As in Prometheus, not-a-number loses against any number.
                    Aggregation::Least if value < *folded || folded.is_nan() => value,
                    Aggregation::Most if value > *folded || folded.is_nan() => value,
                    Aggregation::Least | Aggregation::Most => *folded,
                };
            })
            .or_insert((value, 1.0));
    }
    let value = |(folded, count): (f64, f64)| match how {
        Aggregation::Sum | Aggregation::Least | Aggregation::Most => folded,
        Aggregation::Average => folded / count,
        Aggregation::Count => count,
    };
    groups
        .into_iter()
        .map(|(labels, folded)| (labels, value(folded)))
        .collect()
}

/// Divides series that match; ambiguous matches have no value.
fn ratio(of: InstantVector, to: InstantVector, agree: impl Fn(&Labels) -> Labels) -> InstantVector {
    let single = |values: InstantVector| {
        let mut by: BTreeMap<Labels, Option<f64>> = BTreeMap::new();
        for (labels, value) in values {
            by.entry(agree(&labels))
                .and_modify(|twice| *twice = None)
                .or_insert(Some(value));
        }
        by
    };
    let to = single(to);
    let both = single(of)
        .into_iter()
        .filter_map(|(labels, of)| Some((of? / (*to.get(&labels)?)?, labels)));
    both.map(|(value, labels)| (labels, value)).collect()
}

fn calculate(how: BinaryOperator, left: f64, right: f64) -> f64 {
    match how {
        BinaryOperator::Add => left + right,
        BinaryOperator::Subtract => left - right,
        BinaryOperator::Multiply => left * right,
        BinaryOperator::Divide => left / right,
    }
}

fn quantiles(share: f64, buckets: InstantVector) -> InstantVector {
    let mut histograms: BTreeMap<Labels, Vec<(f64, f64)>> = BTreeMap::new();
    for (mut labels, count) in buckets {
        if let Some(bound) = labels.remove(LE).and_then(|text| bound(&text)) {
            histograms.entry(labels).or_default().push((bound, count));
        }
    }
    histograms
        .into_iter()
        .map(|(labels, buckets)| (labels, quantile(share, buckets)))
        .collect()
}

/// The number that the label `le` writes.
fn bound(text: &str) -> Option<f64> {
    text.parse().ok().filter(|bound: &f64| !bound.is_nan())
}

/// The quantile of a histogram, interpolated within the bucket as by `bucketQuantile` of Prometheus
/// (`promql/quantile.go`). Not-a-number without an answer.
fn quantile(share: f64, mut buckets: Vec<(f64, f64)>) -> f64 {
    if share.is_nan() {
        return f64::NAN;
    }
    if !(0.0..=1.0).contains(&share) {
        return if share < 0.0 {
            f64::NEG_INFINITY
        } else {
            f64::INFINITY
        };
    }
    buckets.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    buckets.dedup_by(|(bound, count), (before, sum)| {
        let same = bound == before;
        if same {
            *sum += *count;
        }
        same
    });
    // In a scrape during counting, a larger bucket may be behind a smaller one.
    let mut most = f64::NEG_INFINITY;
    for (_, count) in &mut buckets {
        most = most.max(*count);
        *count = most;
    }
    let (Some(&(top, all)), true) = (buckets.last(), buckets.len() > 1) else {
        return f64::NAN;
    };
    if top != f64::INFINITY || all == 0.0 || all.is_nan() {
        return f64::NAN;
    }
    let rank = share * all;
    let place = buckets[..buckets.len() - 1].partition_point(|(_, count)| *count < rank);
    if place == buckets.len() - 1 {
        return buckets[place - 1].0;
    }
    let (end, upto) = buckets[place];
    if place == 0 && end <= 0.0 {
        return end;
    }
    let (start, below) = place
        .checked_sub(1)
        .map_or((0.0, 0.0), |before| buckets[before]);
    start + (end - start) * ((rank - below) / (upto - below))
}

#[cfg(test)]
mod tests;
