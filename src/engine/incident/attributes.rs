//! Attributes of an incident that criteria, bundles and other incidents ask about.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::model::event::{Event, Fact};
use crate::model::incident::Incident;
use crate::model::member::JoinReason;
use crate::model::signal::Signal;
use crate::model::spans::SpanState;
use crate::model::time::Time;

/// The identity of something that can recur: a service, and the alert, condition or near miss.
pub(crate) type RecurrenceKey = (Arc<str>, Arc<str>);

/// The event that opened an incident; changes that came before it are only context.
pub(crate) fn opener(incident: &Incident) -> Option<&Event> {
    incident
        .members
        .iter()
        .find(|member| member.reason == JoinReason::Opened)
        .map(|member| &*member.event)
}

/// The time at which an incident opened.
pub(crate) fn opened_at(incident: &Incident) -> Time {
    opener(incident).map_or(incident.phase_since, |event| event.occurred_at)
}

/// The owners, for which quotas and quiet times are counted; without owners, the services.
pub(crate) fn scopes(incident: &Incident) -> &[String] {
    if incident.scope.is_empty() {
        &incident.services
    } else {
        &incident.scope
    }
}

/// The recurrence key of the alert or condition that opened an incident.
pub(crate) fn opening_key(incident: &Incident) -> Option<RecurrenceKey> {
    let opener = opener(incident)?;
    let service = opener
        .service
        .clone()
        .or_else(|| incident.unassigned.as_deref().map(Into::into))?;
    let name = match &opener.fact {
        Fact::Alert(alert) => alert.name.clone(),
        Fact::Condition(condition) => condition.name.as_str().into(),
        _ => return None,
    };
    Some((service, name))
}

/// The recurrence keys of an incident's near misses, reported or measured.
fn near_miss_keys(incident: &Incident) -> impl Iterator<Item = RecurrenceKey> + '_ {
    let reported = incident
        .members
        .non_alerts()
        .filter_map(|member| match &member.event.fact {
            Fact::NearMiss(near) => Some((
                member.event.service.clone().unwrap_or_default(),
                near.what.as_str().into(),
            )),
            _ => None,
        });
    let measured = incident
        .signals
        .iter()
        .filter(|signal| has_span(signal, SpanState::NearMiss));
    reported.chain(measured.map(|signal| {
        (
            signal.service.clone().unwrap_or_default(),
            signal.name.clone(),
        )
    }))
}

/// Everything about an incident that can recur.
pub(crate) fn recurrence_keys(incident: &Incident) -> BTreeSet<RecurrenceKey> {
    opening_key(incident)
        .into_iter()
        .chain(near_miss_keys(incident))
        .collect()
}

/// The service of the opening event, or the name of the unassigned incident.
pub(crate) fn opening_service(incident: &Incident) -> Option<Arc<str>> {
    opener(incident)
        .and_then(|event| event.service.clone())
        .or_else(|| incident.unassigned.as_deref().map(Into::into))
}

/// The action of a change that brings back an earlier revision.
pub(crate) const ROLLBACK: &str = "rollback";

/// Something by which manual steps of several incidents are counted together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum StepKey {
    Service(String),
    Scope(String),
    /// In lower case.
    Action(String),
}

/// The service of a step: its own, else that of the incident.
pub(crate) fn step_service(incident: &Incident, event: &Event) -> String {
    let own = event.service.as_deref();
    own.or_else(|| incident.services.first().map(String::as_str))
        .or(incident.unassigned.as_deref())
        .unwrap_or_default()
        .to_owned()
}

/// The keys of an incident's reported steps and rollbacks, each with the time of the step.
pub(crate) fn step_keys(incident: &Incident) -> BTreeSet<(StepKey, Time)> {
    let mut keys = BTreeSet::new();
    for event in incident.members.non_alerts().map(|member| &member.event) {
        let action = match &event.fact {
            Fact::Intervention(step) => step.action.to_lowercase(),
            Fact::Change(_) if incident.rollbacks.contains(&event.id) => ROLLBACK.to_owned(),
            _ => continue,
        };
        let at = event.occurred_at;
        keys.insert((StepKey::Action(action), at));
        keys.insert((StepKey::Service(step_service(incident, event)), at));
        let scopes = scopes(incident).iter().cloned();
        keys.extend(scopes.map(|scope| (StepKey::Scope(scope), at)));
    }
    keys
}

/// True if a near miss was measured or reported.
pub(crate) fn has_near_miss(incident: &Incident) -> bool {
    near_miss_keys(incident).next().is_some()
}

/// True if the signal was degraded at some time. Signals with the role `cause` do not count.
pub(crate) fn was_degraded(signal: &Signal) -> bool {
    signal.role.as_deref() != Some("cause") && has_span(signal, SpanState::Degraded)
}

/// True if nothing tells how long the unknown time at the end of the signal lasts.
pub(crate) fn has_unknown_end(signal: &Signal) -> bool {
    signal
        .spans
        .last()
        .is_some_and(|span| span.end.is_none() && span.state == SpanState::Unknown)
}

/// True if the signal was in that state at some time.
pub(crate) fn has_span(signal: &Signal, state: SpanState) -> bool {
    signal.spans.iter().any(|span| span.state == state)
}
