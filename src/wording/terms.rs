//! Words for the enumerations of the model.

use crate::model::correction::{Answer, SnoozeUntil};
use crate::model::event::DetectedBy;
use crate::model::milestone::MilestoneKind;
use crate::model::signal::SignalKind;

/// Signal with its kind: `alert HighErrorRate`.
pub(crate) fn signal(kind: SignalKind, name: &str) -> String {
    let kind = match kind {
        SignalKind::Alert => "alert",
        SignalKind::Condition => "condition",
        SignalKind::Declaration => "declaration",
    };
    format!("{kind} {name}")
}

/// Milestone in lower case.
pub(crate) fn milestone(milestone: MilestoneKind) -> &'static str {
    match milestone {
        MilestoneKind::Began => "began",
        MilestoneKind::Detected => "detected",
        MilestoneKind::Acknowledged => "acknowledged",
        MilestoneKind::Mitigated => "mitigated",
        MilestoneKind::Resolved => "resolved",
    }
}

/// Answer to a suggestion, as the beginning of a sentence.
pub(crate) fn answer(answer: Answer) -> String {
    match answer {
        Answer::Accept => "Postmortem accepted".to_owned(),
        Answer::Dismiss { reason } => format!("Postmortem dismissed ({})", reason.label()),
        Answer::Snooze {
            until: SnoozeUntil::NextWorkingDay,
        } => "Suggestion snoozed until the next working day".to_owned(),
        Answer::Snooze {
            until: SnoozeUntil::WhenResolved,
        } => "Suggestion snoozed until the incident is resolved".to_owned(),
    }
}

/// The first detector of an incident; `None` where it is not known.
pub(crate) fn detector(by: DetectedBy) -> Option<&'static str> {
    match by {
        DetectedBy::Monitor => Some("a monitor"),
        DetectedBy::Human => Some("a member of the team"),
        DetectedBy::Customer => Some("a customer"),
        DetectedBy::Unknown => None,
    }
}
