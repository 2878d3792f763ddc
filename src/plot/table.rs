//! Tabular form of a plot.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::clip::{ClippedPlot, PlotPoint, Trace, instant, milestone_name, state_name};
use super::describe::same_day;
use crate::wording::{markdown, number};

const ROWS: usize = 30;
/// Cell for a value that was not measured at the instant of its row.
const NOT_KNOWN: &str = "not known";

/// Plot as a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Table {
    /// Column names: the time, one per drawn series, and the event; plain text.
    pub head: Vec<String>,
    /// At most thirty rows in the order of time, each with as many cells as the head; plain text.
    pub rows: Vec<Vec<String>>,
}

/// Tabulates a clipped plot.
pub(crate) fn table(seen: &ClippedPlot) -> Table {
    let one_day = same_day(seen);
    let time = if one_day {
        format!("Time (UTC, {})", instant(seen.from).format("%Y-%m-%d"))
    } else {
        "Time (UTC)".to_owned()
    };
    let named = seen.traces.iter().map(|trace| {
        if trace.name.is_empty() {
            "Value".to_owned()
        } else {
            trace.name.clone()
        }
    });
    let head = [time]
        .into_iter()
        .chain(named)
        .chain(["State".to_owned(), "Note".to_owned()])
        .collect();
    let rows = instants(seen)
        .into_iter()
        .map(|at| {
            let second = if at % 1_000 == 0 {
                "%H:%M:%S"
            } else {
                "%H:%M:%S%.3f"
            };
            let date = if one_day {
                String::new()
            } else {
                instant(at).format("%Y-%m-%d ").to_string()
            };
            let time = format!("{date}{}", instant(at).format(second));
            let values = seen
                .traces
                .iter()
                .map(|trace| value(trace, at).map_or_else(|| NOT_KNOWN.to_owned(), number::short));
            [time]
                .into_iter()
                .chain(values)
                .chain([state(seen, at), note(seen, at)])
                .collect()
        })
        .collect();
    Table { head, rows }
}

/// Renders the table in Markdown.
pub(crate) fn markdown(table: &Table) -> String {
    let mut out = String::new();
    let mut line = |cells: &mut dyn Iterator<Item = String>| {
        let cells: Vec<String> = cells.collect();
        let _ = writeln!(out, "| {} |", cells.join(" | "));
    };
    line(&mut table.head.iter().map(|cell| markdown::escape(cell)));
    line(&mut table.head.iter().map(|_| "---".to_owned()));
    for row in &table.rows {
        line(&mut row.iter().map(|cell| value_or_text(cell)));
    }
    out
}

/// Escapes text, but not numbers and times: they begin no list here, and an escaped point is hard
/// to read.
fn value_or_text(cell: &str) -> String {
    let plain = cell
        .chars()
        .all(|char| char.is_ascii_digit() || matches!(char, '.' | ':' | '-' | 'e' | ' '));
    if plain {
        cell.to_owned()
    } else {
        markdown::escape(cell)
    }
}

/// Instants of the rows: changes and extremes first, then as many others as fit.
fn instants(seen: &ClippedPlot) -> BTreeSet<i64> {
    let mut chosen: BTreeSet<i64> = seen.milestones.iter().map(|(_, at)| *at).collect();
    chosen.extend(seen.worst().map(|sample| sample.at));
    for trace in &seen.traces {
        let by_value = |one: &&PlotPoint, other: &&PlotPoint| one.value.total_cmp(&other.value);
        // The first of equals for both.
        chosen.extend(
            trace
                .samples
                .iter()
                .min_by(by_value)
                .map(|sample| sample.at),
        );
        chosen.extend(
            trace
                .samples
                .iter()
                .rev()
                .max_by(by_value)
                .map(|sample| sample.at),
        );
    }
    let samples: BTreeSet<i64> = seen
        .traces
        .iter()
        .flat_map(|trace| &trace.samples)
        .map(|sample| sample.at)
        .collect();
    chosen.extend(samples.first().into_iter().chain(samples.last()));
    fill(
        &mut chosen,
        seen.stretches
            .iter()
            .flat_map(|stretch| [stretch.from, stretch.to])
            .collect(),
    );
    fill(&mut chosen, samples);
    chosen
}

/// Adds candidates, evenly spaced if there are too many.
fn fill(chosen: &mut BTreeSet<i64>, candidates: BTreeSet<i64>) {
    let left: Vec<i64> = candidates
        .into_iter()
        .filter(|at| !chosen.contains(at))
        .collect();
    let room = ROWS.saturating_sub(chosen.len()).min(left.len());
    chosen.extend((0..room).map(|place| left[(2 * place + 1) * left.len() / (2 * room)]));
}

/// Value of a line at an instant: that of a sample there. An earlier one may lie across a turn.
fn value(trace: &Trace, at: i64) -> Option<f64> {
    let after = trace.samples.partition_point(|sample| sample.at <= at);
    let last = trace.samples.get(after.checked_sub(1)?)?;
    (last.at == at).then_some(last.value)
}

/// Values of a line at an instant or, where that is not known, right before and after it.
fn values_around(trace: &Trace, at: i64) -> Vec<f64> {
    if let Some(value) = value(trace, at) {
        return vec![value];
    }
    let after = trace.samples.partition_point(|sample| sample.at <= at);
    let last = after
        .checked_sub(1)
        .and_then(|last| trace.samples.get(last));
    last.into_iter()
        .chain(trace.samples.get(after))
        .filter(|sample| (sample.at - at).abs() <= trace.patience)
        .map(|sample| sample.value)
        .collect()
}

/// State at an instant. Without one the values decide: a value beyond a threshold is not healthy, even
/// if it has not lasted long enough to count, and between samples of which one is beyond, nobody
/// knows.
fn state(seen: &ClippedPlot, at: i64) -> String {
    let now = seen
        .stretches
        .iter()
        .rev()
        .find(|stretch| stretch.from <= at && (at < stretch.to || stretch.open));
    if let Some(stretch) = now {
        return state_name(stretch.state).to_owned();
    }
    if seen.traces.is_empty() {
        return "–".to_owned();
    }
    let exceeded = |values: &[f64]| {
        seen.thresholds
            .iter()
            .find(|threshold| values.iter().any(|value| threshold.is_exceeded_by(*value)))
    };
    let with = |values: &dyn Fn(&Trace) -> Vec<f64>| -> Vec<f64> {
        seen.traces.iter().flat_map(values).collect()
    };
    if let Some(threshold) = exceeded(&with(&|trace| value(trace, at).into_iter().collect())) {
        format!("beyond the {} threshold", threshold.name)
    } else if exceeded(&with(&|trace| values_around(trace, at))).is_some() {
        NOT_KNOWN.to_owned()
    } else {
        "healthy".to_owned()
    }
}

fn note(seen: &ClippedPlot, at: i64) -> String {
    let turns = seen
        .milestones
        .iter()
        .filter(|(_, turn)| *turn == at)
        .map(|(kind, _)| milestone_name(*kind));
    let extreme = if seen.downward() {
        "lowest value"
    } else {
        "highest value"
    };
    let worst = seen.worst().filter(|worst| worst.at == at).map(|_| extreme);
    turns.chain(worst).collect::<Vec<_>>().join(", ")
}
