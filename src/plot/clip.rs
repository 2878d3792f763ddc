//! Clips a plot to its window: sorts the samples, drops values that cannot be drawn, and breaks
//! lines at gaps.

use std::collections::BTreeSet;

use super::text;
use crate::model::labels::Labels;
use crate::model::milestone::MilestoneKind;
use crate::model::plot::{Plot, PlotSeries, ThresholdLine};
use crate::model::spans::SpanState;
use crate::model::time::Time;

/// Maximum number of lines that a reader can distinguish.
pub(crate) const LINES: usize = 8;
/// Gap threshold: a line is broken where two points are more than this many usual steps apart.
const STEPS: i64 = 3;
/// Shortest window in milliseconds: samples are seconds apart, and a shorter axis has no times to
/// show.
const SHORTEST: i64 = 10_000;
/// Largest magnitude that can be drawn; larger values are clamped to it.
const LARGEST: f64 = 1e300;

/// Plot clipped to its window. Times are Unix milliseconds.
pub(crate) struct ClippedPlot {
    pub(crate) condition: String,
    pub(crate) service: String,
    pub(crate) query: String,
    pub(crate) from: i64,
    pub(crate) to: i64,
    /// Lines with a value in the window, at most [`LINES`].
    pub(crate) traces: Vec<Trace>,
    /// Name of the differing label, where exactly one differs.
    pub(crate) by: Option<String>,
    /// Count of lines that are not drawn.
    pub(crate) left_out: usize,
    pub(crate) thresholds: Vec<ClippedThreshold>,
    /// Spans of state in the order of time; time without one is unknown.
    pub(crate) stretches: Vec<Stretch>,
    /// Milestones in the order of time, each kind once.
    pub(crate) milestones: Vec<(MilestoneKind, i64)>,
}

/// Line of one series.
pub(crate) struct Trace {
    /// Labels that differ from those of the other lines; empty for a single line.
    pub(crate) name: String,
    /// Name without the differing label's own name where only one differs ([`ClippedPlot::by`]).
    pub(crate) short: String,
    /// Samples in the order of time, never empty.
    pub(crate) samples: Vec<PlotPoint>,
    /// Staleness limit: milliseconds after a sample for which its value holds.
    pub(crate) patience: i64,
}

/// Known value at an instant.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PlotPoint {
    pub(crate) at: i64,
    pub(crate) value: f64,
    /// True when the value right before it is unknown.
    pub(crate) starts: bool,
}

/// Threshold line.
pub(crate) struct ClippedThreshold {
    /// Text of the threshold: `degraded > 0.02`
    pub(crate) words: String,
    pub(crate) value: f64,
    /// True where lower is worse.
    pub(crate) downward: bool,
    /// `degraded`, `near miss` or `recovered`.
    pub(crate) name: String,
    /// The comparison of the rules: `>`, `<=`.
    sign: String,
}

impl ClippedThreshold {
    /// True if a value is beyond it. Never for `recovered`, which only ends a state.
    pub(crate) fn is_exceeded_by(&self, value: f64) -> bool {
        self.name != "recovered"
            && match self.sign.as_str() {
                ">" => value > self.value,
                ">=" => value >= self.value,
                "<" => value < self.value,
                "<=" => value <= self.value,
                "!=" => value.total_cmp(&self.value).is_ne(),
                _ => value.total_cmp(&self.value).is_eq(),
            }
    }
}

/// Span of one state within the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stretch {
    pub(crate) from: i64,
    pub(crate) to: i64,
    pub(crate) state: SpanState,
    /// True for an ongoing span.
    pub(crate) open: bool,
}

impl ClippedPlot {
    pub(crate) fn new(plot: &Plot) -> Self {
        let (from, to) = window(plot.from.timestamp_millis(), plot.to.timestamp_millis());
        let stretches = stretches(plot, from, to);
        // The spans do not say which of several lines was unknown.
        let unknown: Vec<&Stretch> = stretches
            .iter()
            .filter(|stretch| plot.lines.len() == 1 && stretch.state == SpanState::Unknown)
            .collect();
        let known: Vec<(&PlotSeries, Vec<PlotPoint>, i64)> = plot
            .lines
            .iter()
            .filter_map(|line| {
                let (mut samples, patience) = samples(line, from, to);
                drop_unknown(&mut samples, &unknown);
                (!samples.is_empty()).then_some((line, samples, patience))
            })
            .take(LINES)
            .collect();
        // Labels that are equal on all lines do not identify any of them, drawn or not.
        let differing = differing(&plot.lines);
        let by = differing.first().copied().filter(|_| differing.len() == 1);
        let traces: Vec<Trace> = known
            .into_iter()
            .enumerate()
            .map(|(place, (line, samples, patience))| {
                let name = name(line, &differing, place, plot.lines.len());
                let short = by
                    .and_then(|by| line.labels.get(by))
                    .map(|value| text::plain(value, 48))
                    .filter(|value| !value.is_empty());
                Trace {
                    short: short.unwrap_or_else(|| name.clone()),
                    name,
                    samples,
                    patience,
                }
            })
            .collect();
        Self {
            condition: text::plain(&plot.condition, 80),
            service: text::plain(&plot.service, 80),
            query: text::plain(&plot.query, 200),
            from,
            to,
            by: by.map(|by| text::plain(by, 24)).filter(|by| !by.is_empty()),
            left_out: plot
                .left_out
                .saturating_add(plot.lines.len() - traces.len()),
            traces,
            thresholds: plot.bounds.iter().filter_map(threshold).take(3).collect(),
            stretches,
            milestones: milestones(plot, from, to),
        }
    }

    /// True where lower is worse.
    pub(crate) fn downward(&self) -> bool {
        self.thresholds
            .first()
            .is_some_and(|threshold| threshold.downward)
    }

    /// Worst value: the highest, or the lowest where lower is worse; the first of equals.
    pub(crate) fn worst(&self) -> Option<PlotPoint> {
        let samples = self.traces.iter().flat_map(|trace| &trace.samples).copied();
        let sign = if self.downward() { -1.0 } else { 1.0 };
        samples.reduce(|worst, sample| {
            match (sample.value * sign).total_cmp(&(worst.value * sign)) {
                std::cmp::Ordering::Greater => sample,
                std::cmp::Ordering::Equal if sample.at < worst.at => sample,
                _ => worst,
            }
        })
    }

    /// States in the order of their names, each with its total time and true when ongoing.
    pub(crate) fn states(&self) -> Vec<(SpanState, i64, bool)> {
        let all = [
            SpanState::Degraded,
            SpanState::NearMiss,
            SpanState::Unknown,
            SpanState::Planned,
        ];
        all.into_iter()
            .filter_map(|state| {
                let own: Vec<&Stretch> = self
                    .stretches
                    .iter()
                    .filter(|stretch| stretch.state == state)
                    .collect();
                let (mut total, mut until) = (0, i64::MIN);
                for stretch in &own {
                    total += (stretch.to - stretch.from.max(until)).max(0);
                    until = until.max(stretch.to);
                }
                (!own.is_empty()).then(|| (state, total, own.iter().any(|stretch| stretch.open)))
            })
            .collect()
    }
}

/// Drops the samples of unknown time: a server that reads none of its targets goes on answering with
/// the last value for some minutes.
fn drop_unknown(samples: &mut Vec<PlotPoint>, unknown: &[&Stretch]) {
    let mut breaks = false;
    samples.retain_mut(|sample| {
        let is_unknown = unknown
            .iter()
            .any(|stretch| stretch.from <= sample.at && (stretch.open || sample.at < stretch.to));
        if !is_unknown {
            sample.starts |= std::mem::take(&mut breaks);
        }
        breaks |= is_unknown;
        !is_unknown
    });
}

/// Converts Unix milliseconds to an instant.
pub(crate) fn instant(at: i64) -> Time {
    Time::from_timestamp_millis(at).unwrap_or_default()
}

/// Name of a state.
pub(crate) fn state_name(state: SpanState) -> &'static str {
    match state {
        SpanState::Degraded => "degraded",
        SpanState::NearMiss => "near miss",
        SpanState::Unknown => "unknown",
        SpanState::Planned => "planned",
    }
}

/// Name of a milestone.
pub(crate) fn milestone_name(kind: MilestoneKind) -> &'static str {
    match kind {
        MilestoneKind::Began => "Began",
        MilestoneKind::Detected => "Detected",
        MilestoneKind::Acknowledged => "Acknowledged",
        MilestoneKind::Mitigated => "Mitigated",
        MilestoneKind::Resolved => "Resolved",
    }
}

fn window(from: i64, to: i64) -> (i64, i64) {
    // The calendar ends somewhere; within these there is room for a margin on both sides.
    let (first, last) = (
        Time::MIN_UTC.timestamp_millis() + SHORTEST,
        Time::MAX_UTC.timestamp_millis() - SHORTEST,
    );
    let (from, to) = (
        from.min(to).clamp(first, last),
        from.max(to).clamp(first, last),
    );
    let lacking = (SHORTEST - (to - from)).max(0);
    (from - lacking / 2, to + lacking - lacking / 2)
}

/// Known values of a line, and its staleness limit in milliseconds.
fn samples(line: &PlotSeries, from: i64, to: i64) -> (Vec<PlotPoint>, i64) {
    let mut points: Vec<(i64, Option<f64>)> = line
        .points
        .iter()
        .map(|(at, value)| {
            (
                at.timestamp_millis(),
                value.filter(|value| value.is_finite()),
            )
        })
        .filter(|(at, _)| (from..=to).contains(at))
        .collect();
    points.sort_by_key(|(at, _)| *at);
    let mut steps: Vec<i64> = points
        .windows(2)
        .map(|pair| pair[1].0 - pair[0].0)
        .filter(|step| *step > 0)
        .collect();
    steps.sort_unstable();
    let patience = steps
        .get(steps.len() / 2)
        .map_or(0, |usual| usual.saturating_mul(STEPS));
    let mut samples: Vec<PlotPoint> = Vec::with_capacity(points.len());
    let mut starts = true;
    for (at, value) in points {
        let Some(value) = value else {
            starts = true;
            continue;
        };
        starts |= samples.last().is_some_and(|last| at - last.at > patience);
        samples.push(PlotPoint {
            at,
            value: drawable(value),
            starts,
        });
        starts = false;
    }
    (samples, patience)
}

/// Clamps a number so that sums and quotients do not overflow.
fn drawable(value: f64) -> f64 {
    if value.abs() < 1.0 / LARGEST {
        0.0
    } else {
        value.clamp(-LARGEST, LARGEST)
    }
}

/// Names of labels whose values differ between lines.
fn differing(lines: &[PlotSeries]) -> BTreeSet<&String> {
    let Some(first) = lines.first() else {
        return BTreeSet::new();
    };
    let differs = |name: &&String| {
        lines
            .iter()
            .any(|line| line.labels.get(*name) != first.labels.get(*name))
    };
    lines
        .iter()
        .flat_map(|line| line.labels.keys())
        .collect::<BTreeSet<_>>()
        .into_iter()
        .filter(differs)
        .collect()
}

fn name(line: &PlotSeries, differing: &BTreeSet<&String>, place: usize, count: usize) -> String {
    let own: &Labels = &line.labels;
    let pairs: Vec<String> = own
        .iter()
        .filter(|(name, _)| differing.contains(name))
        .take(6)
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    match text::plain(&pairs.join(", "), 48) {
        name if name.is_empty() && count > 1 => format!("series {}", place + 1),
        name => name,
    }
}

fn threshold(bound: &ThresholdLine) -> Option<ClippedThreshold> {
    let name = bound.name.replace('_', " ");
    let words = text::plain(&format!("{name} {}", bound.text), 40);
    let value = drawable(bound.value);
    let sign = bound.text.split_whitespace().next().unwrap_or_default();
    bound.value.is_finite().then(|| ClippedThreshold {
        name,
        sign: sign.to_owned(),
        words,
        value,
        downward: bound.text.trim_start().starts_with('<'),
    })
}

fn stretches(plot: &Plot, from: i64, to: i64) -> Vec<Stretch> {
    let mut stretches: Vec<Stretch> = plot
        .spans
        .iter()
        .map(|span| Stretch {
            from: span.start.timestamp_millis().max(from),
            to: span.end.map_or(to, |end| end.timestamp_millis().min(to)),
            state: span.state,
            open: span.end.is_none(),
        })
        .filter(|stretch| stretch.from < stretch.to)
        .collect();
    stretches.sort_by_key(|stretch| (stretch.from, stretch.to));
    stretches
}

fn milestones(plot: &Plot, from: i64, to: i64) -> Vec<(MilestoneKind, i64)> {
    let mut milestones: Vec<(MilestoneKind, i64)> = Vec::new();
    for (kind, at) in &plot.milestones {
        let at = at.timestamp_millis();
        if (from..=to).contains(&at) && !milestones.iter().any(|(known, _)| known == kind) {
            milestones.push((*kind, at));
        }
    }
    // The sort is stable: what happened at once stays in the order given.
    milestones.sort_by_key(|(_, at)| *at);
    milestones
}
