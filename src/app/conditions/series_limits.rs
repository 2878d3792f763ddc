//! Cardinality and timestamp limits on incoming samples, per entry of `metrics:`.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use chrono::TimeDelta;

use crate::engine::conditions::promql_subset::sample_buffer::MOST_SERIES;
use crate::model::sample::Sample;
use crate::model::time::Time;

/// Tolerance for sample timestamps in the future, as in Prometheus.
const AHEAD: TimeDelta = TimeDelta::minutes(10);
/// Time after its last sample for which a rejected series is still counted.
const SHOWN: TimeDelta = TimeDelta::minutes(10);
/// Interval between evictions of inactive series.
const TIDIED_EVERY: TimeDelta = TimeDelta::minutes(1);

/// Active and rejected series of one entry of `metrics:`, as hash and arrival time of the last
/// sample.
#[derive(Debug, Default)]
pub(crate) struct SeriesLimiter {
    hasher: RandomState,
    series: HashMap<u64, Time>,
    left_out: HashMap<u64, Time>,
    tidied_at: Option<Time>,
}

impl SeriesLimiter {
    /// Drops out-of-bounds samples (more than ten minutes ahead of `now`, or older than `back`) and
    /// samples of new series beyond [`MOST_SERIES`]. Returns the number dropped for their
    /// timestamps.
    pub(crate) fn keep(&mut self, samples: &mut Vec<Sample>, now: Time, back: TimeDelta) -> usize {
        if self
            .tidied_at
            .is_none_or(|at| (now - at).abs() >= TIDIED_EVERY)
        {
            self.series.retain(|_, at| now - *at <= back);
            self.left_out.retain(|_, at| now - *at <= SHOWN);
            self.tidied_at = Some(now);
        }
        let all = samples.len();
        samples.retain(|sample| sample.at <= now + AHEAD && sample.at >= now - back);
        let out_of_bounds = all - samples.len();
        samples.retain(|sample| {
            let series = self.hasher.hash_one((&sample.name, &sample.labels));
            let known = self.series.len();
            let kept = known < MOST_SERIES || self.series.contains_key(&series);
            let noted = if kept {
                &mut self.series
            } else {
                &mut self.left_out
            };
            if noted.len() < MOST_SERIES || noted.contains_key(&series) {
                noted.insert(series, now);
            }
            kept
        });
        out_of_bounds
    }

    /// Number of recently rejected series; the count saturates at [`MOST_SERIES`].
    pub(crate) fn left_out(&self) -> usize {
        self.left_out.len()
    }
}

#[cfg(test)]
mod tests {
    use super::{AHEAD, MOST_SERIES, SHOWN, Sample, SeriesLimiter, Time, TimeDelta};
    use crate::model::labels::Labels;

    const BACK: TimeDelta = TimeDelta::hours(6);

    fn now() -> Time {
        Time::from_timestamp(1_700_000_000, 0).unwrap_or_default()
    }

    fn sample(series: usize, at: Time) -> Sample {
        Sample {
            name: "a".to_owned(),
            labels: Labels::from([("id".to_owned(), series.to_string())]),
            at,
            value: 1.0,
        }
    }

    #[test]
    fn sample_with_timestamp_out_of_bounds_is_dropped() {
        let moment = TimeDelta::milliseconds(1);
        let times = [
            Time::MAX_UTC,
            Time::MIN_UTC,
            now() + AHEAD + moment,
            now() + AHEAD,
            now(),
            now() - BACK,
            now() - BACK - moment,
        ];
        let mut samples: Vec<Sample> = times.iter().map(|at| sample(1, *at)).collect();
        assert_eq!(SeriesLimiter::default().keep(&mut samples, now(), BACK), 4);
        assert_eq!(
            samples.iter().map(|sample| sample.at).collect::<Vec<_>>(),
            [now() + AHEAD, now(), now() - BACK]
        );
    }

    #[test]
    fn series_beyond_the_limit_are_dropped_and_counted() {
        let mut kept = SeriesLimiter::default();
        let mut flood = |from: usize, count: usize, at: Time| {
            let mut samples: Vec<Sample> = (from..from + count)
                .map(|series| sample(series, at))
                .collect();
            kept.keep(&mut samples, at, BACK);
            (samples.len(), kept.left_out())
        };
        assert_eq!(flood(0, MOST_SERIES + 5, now()), (MOST_SERIES, 5));
        assert_eq!(
            flood(0, 10, now()),
            (10, 5),
            "those that are known are kept"
        );
        assert_eq!(
            flood(MOST_SERIES, 3 * MOST_SERIES, now()),
            (0, MOST_SERIES),
            "what is left out takes no more room either"
        );
        assert_eq!(flood(0, 10, now() + SHOWN + TimeDelta::minutes(2)), (10, 0));
        assert_eq!(
            flood(MOST_SERIES, 20, now() + BACK + TimeDelta::minutes(2)),
            (20, 0),
            "of what came no more there is room"
        );
    }
}
