//! Milestones that contradict each other or the measured degradation, in words.

use chrono::TimeDelta;

use super::terms;
use crate::model::incident::Incident;
use crate::model::milestone::{Certainty, Milestone, MilestoneKind, Milestones};
use crate::model::signal::{Signal, SignalKind};
use crate::model::spans::{Span, SpanState};
use crate::model::time::Time;

/// Difference between a stated and a measured time that is no contradiction: people round, and
/// measurements lag by the window of their query.
const TOLERANCE: TimeDelta = TimeDelta::minutes(1);

/// The contradictions of an incident's milestones, a sentence each: among one another, and between
/// those stated by people and the measured degradation.
pub(crate) fn contradictions(incident: &Incident) -> Vec<String> {
    let mut found = out_of_order(&incident.milestones);
    found.extend(against_measured(incident));
    found
}

/// Later milestones that lie before an earlier one.
fn out_of_order(milestones: &Milestones) -> Vec<String> {
    use MilestoneKind::{Acknowledged, Began, Detected, Mitigated, Resolved};
    let of = |kind| match kind {
        Began => &milestones.began,
        Detected => &milestones.detected,
        Acknowledged => &milestones.acknowledged,
        Mitigated => &milestones.mitigated,
        Resolved => &milestones.resolved,
    };
    let pairs = [
        (Began, Detected),
        (Detected, Acknowledged),
        (Began, Mitigated),
        (Detected, Mitigated),
        (Began, Resolved),
        (Detected, Resolved),
        (Mitigated, Resolved),
    ];
    pairs
        .into_iter()
        .filter_map(|(first, second)| {
            let (before, after) = (of(first).as_ref()?, of(second).as_ref()?);
            // A warning may come before anybody is affected.
            let possible = second == Detected && !is_stated(before) && !is_stated(after);
            (after.at < before.at && !possible).then(|| {
                format!(
                    "These times contradict each other: {} at {}, but {} at {}.",
                    terms::milestone(second),
                    instant(after.at),
                    terms::milestone(first),
                    instant(before.at),
                )
            })
        })
        .collect()
}

/// Stated beginnings after it was measured as degraded, and stated ends before that was over.
fn against_measured(incident: &Incident) -> Vec<String> {
    let milestones = &incident.milestones;
    let mut found = Vec::new();
    let measured: Vec<(&Signal, &Span)> = incident
        .signals
        .iter()
        .filter(|signal| {
            signal.kind != SignalKind::Declaration && signal.role.as_deref() != Some("cause")
        })
        .flat_map(|signal| signal.spans.iter().map(move |span| (signal, span)))
        .filter(|(_, span)| span.state == SpanState::Degraded)
        .collect();
    let name = |signal: &Signal| terms::signal(signal.kind, &signal.name);
    let first = measured.iter().min_by_key(|(_, span)| span.start);
    let last = measured
        .iter()
        .max_by_key(|(_, span)| span.end.unwrap_or(Time::MAX_UTC));
    let stated = |milestone: &Option<Milestone>| milestone.clone().filter(is_stated);
    if let (Some(began), Some((signal, span))) = (stated(&milestones.began), first)
        && span.start + TOLERANCE < began.at
    {
        found.push(format!(
            "These times contradict each other: began at {}, but {} was degraded from {} on.",
            instant(began.at),
            name(signal),
            instant(span.start),
        ));
    }
    let ends = [
        (MilestoneKind::Mitigated, stated(&milestones.mitigated)),
        (MilestoneKind::Resolved, stated(&milestones.resolved)),
    ];
    for (kind, end) in ends {
        let Some((end, (signal, span))) = end.zip(last) else {
            continue;
        };
        let until = match span.end {
            None => format!(
                "has been degraded since {} and still is",
                instant(span.start)
            ),
            Some(over) if end.at + TOLERANCE < over => {
                format!("was degraded until {}", instant(over))
            }
            Some(_) => continue,
        };
        found.push(format!(
            "These times contradict each other: {} at {}, but {} {until}.",
            terms::milestone(kind),
            instant(end.at),
            name(signal),
        ));
    }
    found
}

fn is_stated(milestone: &Milestone) -> bool {
    milestone.certainty == Certainty::Stated
}

fn instant(at: Time) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::out_of_order;
    use crate::model::milestone::{Certainty, Milestone, Milestones};
    use crate::model::time::Time;

    fn at(seconds: i64, certainty: Certainty) -> Option<Milestone> {
        Some(Milestone {
            at: Time::from_timestamp(1_800_000_000 + seconds, 0).unwrap_or_default(),
            certainty,
            source: None,
        })
    }

    #[test]
    fn mitigated_before_detected_is_said() {
        let milestones = Milestones {
            detected: at(600, Certainty::Measured),
            mitigated: at(300, Certainty::Stated),
            ..Milestones::default()
        };
        assert_eq!(
            out_of_order(&milestones),
            [
                "These times contradict each other: mitigated at 2027-01-15 08:05:00 UTC, but detected at 2027-01-15 08:10:00 UTC."
            ]
        );
    }

    #[test]
    fn resolved_before_it_began_is_said() {
        let milestones = Milestones {
            began: at(600, Certainty::Measured),
            resolved: at(300, Certainty::Stated),
            ..Milestones::default()
        };
        assert_eq!(out_of_order(&milestones).len(), 1);
    }

    #[test]
    fn warning_before_the_impact_is_no_contradiction() {
        let milestones = Milestones {
            began: at(60, Certainty::Measured),
            detected: at(0, Certainty::Measured),
            ..Milestones::default()
        };
        assert!(out_of_order(&milestones).is_empty());
    }
}
