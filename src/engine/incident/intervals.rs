//! Arithmetic of half-open intervals: union, the longest run, the most within a window.

use chrono::TimeDelta;

use crate::model::time::Time;

/// A half-open interval `[start, end)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Interval {
    pub(crate) start: Time,
    pub(crate) end: Time,
}

/// The union of intervals, in order, without overlap; empty ones vanish.
pub(crate) fn union(mut intervals: Vec<Interval>) -> Vec<Interval> {
    intervals.retain(|interval| interval.start < interval.end);
    intervals.sort_unstable();
    let mut united: Vec<Interval> = Vec::with_capacity(intervals.len());
    for interval in intervals {
        match united.last_mut() {
            Some(last) if interval.start <= last.end => last.end = last.end.max(interval.end),
            _ => united.push(interval),
        }
    }
    united
}

/// One run of degraded time whose gaps are all shorter than the bridge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct IntervalRun {
    /// Its first instant.
    pub(crate) start: Time,
    /// The first instant after it.
    pub(crate) end: Time,
    /// Its degraded time: the gaps do not count.
    pub(crate) length: TimeDelta,
}

impl IntervalRun {
    pub(crate) fn interval(&self) -> Interval {
        Interval {
            start: self.start,
            end: self.end,
        }
    }
}

/// Joins united intervals across gaps shorter than `bridge`.
pub(crate) fn runs(united: &[Interval], bridge: TimeDelta) -> Vec<IntervalRun> {
    let mut runs: Vec<IntervalRun> = Vec::new();
    for interval in united {
        let length = interval.end - interval.start;
        match runs.last_mut() {
            Some(run) if interval.start - run.end < bridge => {
                run.end = interval.end;
                run.length += length;
            }
            _ => runs.push(IntervalRun {
                start: interval.start,
                end: interval.end,
                length,
            }),
        }
    }
    runs
}

/// The length of the longest run, zero when there is none.
pub(crate) fn longest(united: &[Interval], bridge: TimeDelta) -> TimeDelta {
    runs(united, bridge)
        .iter()
        .map(|run| run.length)
        .max()
        .unwrap_or_default()
}

/// The most time that any window of length `within` holds.
pub(crate) fn most_within(united: &[Interval], within: TimeDelta) -> TimeDelta {
    // The best window can be slid until it starts where a interval starts or ends where one ends.
    let starts = united.iter().map(|interval| interval.start);
    let ends = united.iter().map(|interval| interval.end - within);
    starts
        .chain(ends)
        .map(|from| {
            inside(
                united,
                Interval {
                    start: from,
                    end: from + within,
                },
            )
        })
        .max()
        .unwrap_or_default()
}

/// The time of the united intervals inside `window`.
pub(crate) fn inside(united: &[Interval], window: Interval) -> TimeDelta {
    let first = united.partition_point(|interval| interval.end <= window.start);
    united[first..]
        .iter()
        .take_while(|interval| interval.start < window.end)
        .map(|interval| interval.end.min(window.end) - interval.start.max(window.start))
        .sum()
}

/// The united intervals without what is in `other`, which is united, too.
pub(crate) fn without(united: &[Interval], other: &[Interval]) -> Vec<Interval> {
    let mut left = Vec::new();
    for interval in united {
        let mut start = interval.start;
        let first = other.partition_point(|other| other.end <= start);
        for taken in other[first..]
            .iter()
            .take_while(|taken| taken.start < interval.end)
        {
            if start < taken.start {
                left.push(Interval {
                    start,
                    end: taken.start,
                });
            }
            start = taken.end;
        }
        if start < interval.end {
            left.push(Interval {
                start,
                end: interval.end,
            });
        }
    }
    left
}

/// The part of the united intervals before `end`.
pub(crate) fn clipped_to(united: &[Interval], end: Time) -> Vec<Interval> {
    let before = united.iter().take_while(|interval| interval.start < end);
    before
        .map(|interval| Interval {
            end: interval.end.min(end),
            ..*interval
        })
        .collect()
}

/// The sum of their lengths.
pub(crate) fn total(united: &[Interval]) -> TimeDelta {
    united
        .iter()
        .map(|interval| interval.end - interval.start)
        .sum()
}

#[cfg(test)]
mod tests {
    use super::{Interval, longest, most_within, total, union, without};
    use chrono::{DateTime, TimeDelta};
    use proptest::prelude::{Strategy, prop_assert_eq, proptest};

    fn interval(start: i64, end: i64) -> Interval {
        let at = |seconds| DateTime::from_timestamp(seconds, 0).unwrap_or_default();
        Interval {
            start: at(start),
            end: at(end),
        }
    }

    fn intervals() -> impl Strategy<Value = Vec<Interval>> {
        proptest::collection::vec(
            (0i64..200, 0i64..40).prop_map(|(start, length)| interval(start, start + length)),
            0..12,
        )
    }

    /// The slow reference: a count second by second.
    fn seconds(list: &[Interval]) -> Vec<bool> {
        (0..300)
            .map(|second| {
                list.iter()
                    .any(|s| s.start.timestamp() <= second && second < s.end.timestamp())
            })
            .collect()
    }

    #[test]
    fn gap_shorter_than_bridge_is_bridged_but_not_counted() {
        let list = union(vec![interval(0, 60), interval(100, 160)]);
        assert_eq!(longest(&list, TimeDelta::seconds(41)).num_seconds(), 120);
        assert_eq!(longest(&list, TimeDelta::seconds(40)).num_seconds(), 60);
    }

    proptest! {
        #[test]
        fn union_counts_each_second_once(list in intervals()) {
            let marked = seconds(&list).into_iter().filter(|&on| on).count();
            prop_assert_eq!(total(&union(list)).num_seconds() as usize, marked);
        }

        #[test]
        fn without_keeps_the_seconds_of_only_one(list in intervals(), other in intervals()) {
            let kept = without(&union(list.clone()), &union(other.clone()));
            let wanted: Vec<bool> = seconds(&list).into_iter().zip(seconds(&other)).map(|(one, other)| one && !other).collect();
            prop_assert_eq!(seconds(&kept), wanted);
            prop_assert_eq!(union(kept.clone()), kept);
        }

        #[test]
        fn most_within_is_best_of_all_windows(list in intervals(), within in 1usize..100) {
            let marks = seconds(&list);
            let padded: Vec<bool> = std::iter::repeat_n(false, within).chain(marks).collect();
            let best = padded.windows(within).map(|w| w.iter().filter(|&&on| on).count()).max().unwrap_or(0);
            prop_assert_eq!(most_within(&union(list), TimeDelta::seconds(within as i64)).num_seconds() as usize, best);
        }
    }
}
