//! The activity that events are evidence of.

use crate::model::event::{AlertStatus, ConditionState, EndReason, Event, Fact};

/// The activity that an event is evidence of: begun (`Some(true)`), ended or momentary
/// (`Some(false)`), or none.
pub(crate) fn activity(event: &Event) -> Option<bool> {
    match &event.fact {
        Fact::Alert(alert) => Some(alert.status == AlertStatus::Firing),
        // Planned work is not an outage: it neither opens an incident nor keeps one open.
        Fact::Declaration(declaration) => {
            (!declaration.planned).then_some(declaration.status == AlertStatus::Firing)
        }
        Fact::Condition(condition) => Some(matches!(
            condition.state,
            ConditionState::Degraded | ConditionState::NearMiss
        )),
        // A refused or dry-run step changed nothing; one may be retried every few seconds.
        Fact::Intervention(step) => (!step.dry_run && !step.refused).then_some(false),
        Fact::Lapsed(_) | Fact::NearMiss(_) | Fact::Request(_) => Some(false),
        _ => None,
    }
}

/// True if the state of its subject is unknown after an event, until evidence says otherwise.
pub(crate) fn leaves_unknown(event: &Event) -> bool {
    match &event.fact {
        Fact::Alert(alert) => {
            let recovered = alert.end_reason == EndReason::Recovered
                && alert
                    .ends_at
                    .is_some_and(|ends_at| ends_at >= alert.starts_at);
            alert.status == AlertStatus::Resolved && !recovered
        }
        Fact::Condition(condition) => condition.state == ConditionState::Unknown,
        Fact::Lapsed(_) => true,
        _ => false,
    }
}

/// True if an event can open an incident.
#[must_use]
pub(crate) fn opens(event: &Event) -> bool {
    match &event.fact {
        Fact::Request(_) | Fact::NearMiss(_) => true,
        Fact::Intervention(intervention) => intervention.stated,
        Fact::Alert(_) | Fact::Declaration(_) | Fact::Condition(_) => activity(event) == Some(true),
        _ => false,
    }
}
