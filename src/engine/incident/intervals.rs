//! Arithmetic of half-open stretches of time: union, the longest stretch, the most within a window.

use chrono::TimeDelta;

use crate::model::time::Time;

/// A half-open stretch `[start, end)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Interval {
    pub(crate) start: Time,
    pub(crate) end: Time,
}

/// The union of stretches, in order, without overlap; empty ones vanish.
pub(crate) fn union(mut stretches: Vec<Interval>) -> Vec<Interval> {
    stretches.retain(|stretch| stretch.start < stretch.end);
    stretches.sort_unstable();
    let mut united: Vec<Interval> = Vec::with_capacity(stretches.len());
    for stretch in stretches {
        match united.last_mut() {
            Some(last) if stretch.start <= last.end => last.end = last.end.max(stretch.end),
            _ => united.push(stretch),
        }
    }
    united
}

/// One run of degraded time whose gaps are all shorter than the bridge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct IntervalRun {
    /// Where it begins.
    pub(crate) start: Time,
    /// Where it ends.
    pub(crate) end: Time,
    /// Its degraded time: the gaps do not count.
    pub(crate) length: TimeDelta,
}

/// Joins united stretches across gaps shorter than `bridge`.
pub(crate) fn runs(united: &[Interval], bridge: TimeDelta) -> Vec<IntervalRun> {
    let mut runs: Vec<IntervalRun> = Vec::new();
    for stretch in united {
        let length = stretch.end - stretch.start;
        match runs.last_mut() {
            Some(run) if stretch.start - run.end < bridge => {
                run.end = stretch.end;
                run.length += length;
            }
            _ => runs.push(IntervalRun {
                start: stretch.start,
                end: stretch.end,
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
    // The best window can be slid until it starts where a stretch starts or ends where one ends.
    let starts = united.iter().map(|stretch| stretch.start);
    let ends = united.iter().map(|stretch| stretch.end - within);
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

/// How much of the united stretches lies inside `window`.
pub(crate) fn inside(united: &[Interval], window: Interval) -> TimeDelta {
    let first = united.partition_point(|stretch| stretch.end <= window.start);
    united[first..]
        .iter()
        .take_while(|stretch| stretch.start < window.end)
        .map(|stretch| stretch.end.min(window.end) - stretch.start.max(window.start))
        .sum()
}

/// All of it.
pub(crate) fn total(united: &[Interval]) -> TimeDelta {
    united
        .iter()
        .map(|stretch| stretch.end - stretch.start)
        .sum()
}

#[cfg(test)]
mod tests {
    use super::{Interval, longest, most_within, total, union};
    use chrono::{DateTime, TimeDelta};
    use proptest::prelude::{Strategy, prop_assert_eq, proptest};

    fn stretch(start: i64, end: i64) -> Interval {
        let at = |seconds| DateTime::from_timestamp(seconds, 0).unwrap_or_default();
        Interval {
            start: at(start),
            end: at(end),
        }
    }

    fn stretches() -> impl Strategy<Value = Vec<Interval>> {
        proptest::collection::vec(
            (0i64..200, 0i64..40).prop_map(|(start, length)| stretch(start, start + length)),
            0..12,
        )
    }

    /// What a second-by-second count says: the slow, plain meaning.
    fn seconds(list: &[Interval]) -> Vec<bool> {
        (0..300)
            .map(|second| {
                list.iter()
                    .any(|s| s.start.timestamp() <= second && second < s.end.timestamp())
            })
            .collect()
    }

    #[test]
    fn a_gap_shorter_than_the_bridge_is_bridged_but_not_counted() {
        let list = union(vec![stretch(0, 60), stretch(100, 160)]);
        assert_eq!(longest(&list, TimeDelta::seconds(41)).num_seconds(), 120);
        assert_eq!(longest(&list, TimeDelta::seconds(40)).num_seconds(), 60);
    }

    proptest! {
        #[test]
        fn union_counts_every_second_once(list in stretches()) {
            let marked = seconds(&list).into_iter().filter(|&on| on).count();
            prop_assert_eq!(total(&union(list)).num_seconds() as usize, marked);
        }

        #[test]
        fn the_best_window_is_the_best_of_all_windows(list in stretches(), within in 1usize..100) {
            let marks = seconds(&list);
            let padded: Vec<bool> = std::iter::repeat_n(false, within).chain(marks).collect();
            let best = padded.windows(within).map(|w| w.iter().filter(|&&on| on).count()).max().unwrap_or(0);
            prop_assert_eq!(most_within(&union(list), TimeDelta::seconds(within as i64)).num_seconds() as usize, best);
        }
    }
}
