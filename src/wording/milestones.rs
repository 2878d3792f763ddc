//! Milestones that contradict each other, in words.

use super::terms;
use crate::model::milestone::{Certainty, Milestone, MilestoneKind, Milestones};

/// The contradictions among milestones, a sentence each: a later one that lies before an earlier one.
pub(crate) fn contradictions(milestones: &Milestones) -> Vec<String> {
    use MilestoneKind::{Acknowledged, Began, Detected, Mitigated, Resolved};
    let of = |kind| match kind {
        Began => &milestones.began,
        Detected => &milestones.detected,
        Acknowledged => &milestones.acknowledged,
        Mitigated => &milestones.mitigated,
        Resolved => &milestones.resolved,
    };
    let stated = |milestone: &Milestone| milestone.certainty == Certainty::Stated;
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
            let possible = second == Detected && !stated(before) && !stated(after);
            (after.at < before.at && !possible).then(|| {
                format!(
                    "These times contradict each other: {} at {}, but {} at {}.",
                    terms::milestone(second),
                    instant(after),
                    terms::milestone(first),
                    instant(before),
                )
            })
        })
        .collect()
}

fn instant(milestone: &Milestone) -> String {
    milestone.at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::contradictions;
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
            contradictions(&milestones),
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
        assert_eq!(contradictions(&milestones).len(), 1);
    }

    #[test]
    fn warning_before_the_impact_is_no_contradiction() {
        let milestones = Milestones {
            began: at(60, Certainty::Measured),
            detected: at(0, Certainty::Measured),
            ..Milestones::default()
        };
        assert!(contradictions(&milestones).is_empty());
    }
}
