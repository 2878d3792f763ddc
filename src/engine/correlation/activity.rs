//! The activity that events are evidence of.

use crate::model::event::{AlertStatus, ConditionState, Event, Fact};

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
