//! Text description of a plot.

use chrono::TimeDelta;

use super::clip::{ClippedPlot, instant, milestone_name, state_name};
use crate::wording::{duration, number};

/// Title: `error-ratio of checkout`
pub(crate) fn title(seen: &ClippedPlot) -> String {
    if seen.service.is_empty() {
        seen.condition.clone()
    } else {
        format!("{} of {}", seen.condition, seen.service)
    }
}

/// Duration: `24m`, or `24m so far` while ongoing.
pub(crate) fn lasted(milliseconds: i64, open: bool) -> String {
    let so_far = if open { " so far" } else { "" };
    format!(
        "{}{so_far}",
        duration::exact(TimeDelta::milliseconds(milliseconds))
    )
}

/// Describes the worst value with its time and threshold, the time in each state, and the
/// milestones.
pub(crate) fn sentences(seen: &ClippedPlot) -> String {
    let one_day = same_day(seen);
    let clock = |at: i64| {
        instant(at)
            .format(if one_day {
                "%H:%M:%S"
            } else {
                "%Y-%m-%d %H:%M:%S"
            })
            .to_string()
    };
    let window = format!(
        "{} to {} UTC",
        instant(seen.from).format("%Y-%m-%d %H:%M:%S"),
        clock(seen.to)
    );
    let first = match seen.worst() {
        None => format!("No samples from {window}."),
        Some(worst) => {
            let extreme = if seen.downward() { "Lowest" } else { "Highest" };
            let against = seen
                .thresholds
                .first()
                .map(|threshold| format!(", against {}", threshold.words))
                .unwrap_or_default();
            format!(
                "{extreme} value {} at {}, from {window}{against}.",
                number::short(worst.value),
                clock(worst.at)
            )
        }
    };
    let mut facts: Vec<String> = seen
        .states()
        .into_iter()
        .map(|(state, total, open)| format!("{} for {}", state_name(state), lasted(total, open)))
        .collect();
    if facts.is_empty() && !seen.traces.is_empty() && !seen.thresholds.is_empty() {
        facts.push("never degraded, a near miss or unknown".to_owned());
    }
    facts.extend(
        seen.milestones.iter().map(|(kind, at)| {
            format!("{} at {}", milestone_name(*kind).to_lowercase(), clock(*at))
        }),
    );
    let second = facts.join(", ");
    let mut letters = second.chars();
    letters.next().map_or(first.clone(), |letter| {
        format!("{first} {}{}.", letter.to_uppercase(), letters.as_str())
    })
}

/// True when the whole window is within one day.
pub(crate) fn same_day(seen: &ClippedPlot) -> bool {
    instant(seen.from).date_naive() == instant(seen.to).date_naive()
}
