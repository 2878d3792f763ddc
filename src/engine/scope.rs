//! What `where` sees of an incident and its parts. The names are those of the schema in `expr`.

use serde_json::{Value, json};

use super::InForce;
use super::force::{PRODUCTION, environment};
use crate::model::event::{Actor, Alert, DetectedBy, Edit, Event, Fact, Intervention, NearMiss, Request};
use crate::model::incident::{Incident, Signal, SignalKind};

/// `incident`
pub(super) fn incident(incident: &Incident, degraded_seconds: f64, budget_spent: Option<f64>) -> Value {
    json!({
        "id": incident.id,
        "title": incident.title,
        "service": incident.services.first().map_or("", String::as_str),
        "services": incident.services,
        "scope": incident.scope,
        "severity": incident.severity,
        "environment": incident.environment.as_deref().unwrap_or(PRODUCTION),
        "duration": degraded_seconds,
        "detected_by": detected_by(incident),
        "data_loss": data_loss(incident),
        "budget_spent": budget_spent,
        "signals": incident.signals.len(),
    })
}

/// What somebody said last of whether data was lost; a correction comes before a declaration.
fn data_loss(incident: &Incident) -> Option<bool> {
    let events = || incident.members.iter().rev().map(|member| &member.event.fact);
    let corrected = events().find_map(|fact| match fact {
        Fact::Edit(Edit::DataLoss { lost, .. }) => Some(*lost),
        _ => None,
    });
    let declared = || {
        events().find_map(|fact| match fact {
            Fact::Declaration(declaration) => declaration.data_loss,
            _ => None,
        })
    };
    corrected.or_else(declared)
}

/// Who noticed first: as somebody said, else by what told us first.
fn detected_by(incident: &Incident) -> &'static str {
    let stated = incident.members.iter().find_map(|member| match &member.event.fact {
        Fact::Declaration(declaration) => declaration.detected_by,
        _ => None,
    });
    if let Some(stated) = stated {
        return match stated {
            DetectedBy::Monitor => "monitor",
            DetectedBy::Human => "human",
            DetectedBy::Customer => "customer",
            DetectedBy::Unknown => "unknown",
        };
    }
    let Some(source) = incident.milestones.detected.as_ref().and_then(|milestone| milestone.source.as_ref()) else { return "unknown" };
    let event = incident.members.iter().find(|member| member.event.id == *source).map(|member| &member.event.fact);
    match event {
        Some(Fact::Alert(_) | Fact::Condition(_)) => "monitor",
        Some(Fact::Request(_)) => "customer",
        Some(Fact::Declaration(_) | Fact::NearMiss(_) | Fact::Intervention(_)) => "human",
        _ => "unknown",
    }
}

/// `signal`
pub(super) fn signal(incident: &Incident, signal: &Signal) -> Value {
    let labels = incident.members.iter().find_map(|member| match &member.event.fact {
        Fact::Alert(alert) if member.event.id == signal.event => Some(&alert.labels),
        Fact::Condition(condition) if member.event.id == signal.event => Some(&condition.labels),
        _ => None,
    });
    json!({
        "kind": signal.kind,
        "name": signal.name,
        "severity": signal.severity,
        "service": signal.service.as_deref().unwrap_or_default(),
        "environment": signal.environment.as_deref().unwrap_or(PRODUCTION),
        "role": signal.role.as_deref().unwrap_or_default(),
        "labels": labels.map_or_else(|| json!({}), |labels| json!(labels)),
    })
}

/// `signal`, of an alert that belongs to no incident yet.
pub(super) fn alert(event: &Event, alert: &Alert) -> Value {
    json!({
        "kind": SignalKind::Alert,
        "name": alert.name,
        "severity": alert.severity,
        "service": event.service.as_deref().unwrap_or_default(),
        "environment": environment(event),
        "role": alert.labels.get("afterword").map_or("", String::as_str),
        "labels": alert.labels,
    })
}

/// `intervention`
pub(super) fn intervention(event: &Event, step: &Intervention, force: &InForce) -> Value {
    json!({
        "action": step.action,
        "why": step.why,
        "actor": event.actor.as_ref().map_or("", |actor| actor.id.as_str()),
        "actor_kind": event.actor.as_ref().map_or_else(Default::default, |actor: &Actor| actor.kind),
        "service": event.service.as_deref().unwrap_or_default(),
        "should_be_automatic": should_be_automatic(event, step, force),
        "stated": step.stated,
    })
}

/// What the person said, else what the service's `automatic` lists.
fn should_be_automatic(event: &Event, step: &Intervention, force: &InForce) -> bool {
    let listed = || {
        let service = event.service.as_ref().and_then(|name| force.service(name));
        service.is_some_and(|service| service.automatic.iter().any(|action| action.eq_ignore_ascii_case(&step.action)))
    };
    step.should_be_automatic.unwrap_or_else(listed)
}

/// `request`
pub(super) fn request(event: &Event, request: &Request) -> Value {
    json!({
        "reason": request.reason,
        "requester": request.requester.as_deref().unwrap_or_default(),
        "service": event.service.as_deref().unwrap_or_default(),
    })
}

/// `near_miss`
pub(super) fn near_miss(event: &Event, near_miss: &NearMiss, score: f64) -> Value {
    json!({
        "what": near_miss.what,
        "severity": near_miss.severity,
        "service": event.service.as_deref().unwrap_or_default(),
        "score": score,
        "closeness": near_miss.closeness,
        "by_luck": near_miss.by_luck,
        "reported": true,
    })
}

/// `near_miss`, as a condition saw it.
pub(super) fn near_miss_signal(signal: &Signal, score: f64, closeness: Option<f64>) -> Value {
    json!({
        "what": signal.name,
        "severity": signal.severity,
        "service": signal.service.as_deref().unwrap_or_default(),
        "score": score,
        "closeness": closeness,
        "by_luck": false,
        "reported": false,
    })
}
