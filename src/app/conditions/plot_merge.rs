//! Merge of a stored plot with newly queried series. Metric sources have limited retention; the
//! plots of an incident are kept.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use crate::model::labels::Labels;
use crate::model::plot::PlotSeries;
use crate::model::time::Time;

/// Merges the points of `old` into `new` for the range `from` to `to`, sorted by labels. New points
/// win: an old point is kept only if its series has no new point within `step`. Old points closer
/// together than half a `step` are thinned out, so that the typical spacing used to detect gaps
/// stays meaningful.
pub(crate) fn merge_series(
    old: &[PlotSeries],
    new: Vec<PlotSeries>,
    (from, to): (Time, Time),
    step: TimeDelta,
) -> Vec<PlotSeries> {
    let mut lines: BTreeMap<Labels, Vec<(Time, Option<f64>)>> = new
        .into_iter()
        .map(|line| (line.labels, line.points))
        .collect();
    for line in old {
        let points = lines.entry(line.labels.clone()).or_default();
        let news = points.len();
        let mut last: Option<Time> = None;
        for point in line
            .points
            .iter()
            .filter(|(at, _)| (from..=to).contains(at))
        {
            let at = point.0;
            let next = points[..news].partition_point(|(other, _)| *other <= at - step);
            let is_known = next < news && points[next].0 < at + step;
            if is_known || last.is_some_and(|last| at - last < step / 2) {
                continue;
            }
            last = Some(at);
            points.push(*point);
        }
        points.sort_by_key(|(at, _)| *at);
    }
    lines
        .into_iter()
        .filter(|(_, points)| !points.is_empty())
        .map(|(labels, points)| PlotSeries { labels, points })
        .collect()
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::{Labels, PlotSeries, Time, merge_series};

    fn at(second: i64) -> Time {
        Time::from_timestamp(second, 0).unwrap_or_default()
    }

    fn line(name: &str, points: &[(i64, f64)]) -> PlotSeries {
        let labels = Labels::from([("instance".to_owned(), name.to_owned())]);
        PlotSeries {
            labels,
            points: points
                .iter()
                .map(|(second, value)| (at(*second), Some(*value)))
                .collect(),
        }
    }

    #[track_caller]
    fn check(old: &[PlotSeries], new: &[PlotSeries], expected: &[PlotSeries]) {
        assert_eq!(
            merge_series(old, new.to_vec(), (at(0), at(1000)), TimeDelta::seconds(10)),
            expected
        );
    }

    #[test]
    fn points_missing_from_new_series_are_kept() {
        let old = [line("a", &[(0, 1.0), (10, 2.0), (20, 3.0)])];
        check(
            &old,
            &[line("a", &[(20, 4.0), (30, 5.0)])],
            &[line("a", &[(0, 1.0), (10, 2.0), (20, 4.0), (30, 5.0)])],
        );
        check(&old, &[], &old);
        check(&old, &[line("a", &[])], &old);
        check(&[], &old, &old);
    }

    #[test]
    fn gaps_and_tail_of_new_series_are_filled_with_old_points() {
        let old = [line("a", &[(10, 1.0), (20, 2.0), (30, 3.0), (70, 4.0)])];
        check(
            &old,
            &[line("a", &[(0, 9.0), (10, 9.0), (40, 9.0)])],
            &[line(
                "a",
                &[
                    (0, 9.0),
                    (10, 9.0),
                    (20, 2.0),
                    (30, 3.0),
                    (40, 9.0),
                    (70, 4.0),
                ],
            )],
        );
    }

    #[test]
    fn series_missing_from_new_result_is_kept() {
        let (old, new) = (line("a", &[(0, 1.0)]), line("b", &[(0, 2.0)]));
        check(
            std::slice::from_ref(&old),
            std::slice::from_ref(&new),
            &[old.clone(), new.clone()],
        );
    }

    #[test]
    fn old_points_closer_than_half_a_step_are_thinned_out() {
        let fine: Vec<(i64, f64)> = (0..=40).map(|second| (second, 1.0)).collect();
        let expected = [line(
            "a",
            &[
                (0, 1.0),
                (5, 1.0),
                (10, 1.0),
                (15, 1.0),
                (20, 1.0),
                (25, 1.0),
                (35, 2.0),
                (45, 2.0),
            ],
        )];
        check(
            &[line("a", &fine)],
            &[line("a", &[(35, 2.0), (45, 2.0)])],
            &expected,
        );
    }

    #[test]
    fn points_outside_the_range_are_dropped() {
        check(
            &[
                line("a", &[(-10, 1.0), (1010, 1.0)]),
                line("b", &[(0, 1.0), (2000, 1.0)]),
            ],
            &[],
            &[line("b", &[(0, 1.0)])],
        );
    }
}
