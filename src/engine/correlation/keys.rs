//! The keys by which events correlate: labels of alerts with a service, and of those without.

use std::collections::BTreeMap;

use crate::engine::environment::{PRODUCTION, environment};
use crate::engine::policy::Policy;
use crate::model::event::{Event, Fact};

/// The correlation key of an event, from its environment and the `correlate_by` labels; `None`
/// equals no other. `assigned` maps unassigned keys to the services people assigned them to.
pub(crate) fn correlation_key(
    event: &Event,
    policy: &Policy,
    assigned: &BTreeMap<String, String>,
) -> Option<String> {
    let environment = environment(event);
    let prefix = if environment == PRODUCTION {
        String::new()
    } else {
        format!("{environment}/")
    };
    let Some(service) = &event.service else {
        let key = unassigned_key(event)?;
        return Some(match assigned.get(&key) {
            Some(service) => format!("{prefix}service={service}"),
            None => format!("{prefix}{key}"),
        });
    };
    let mut parts = Vec::new();
    for label in &policy.rules.correlation.correlate_by {
        let value = match (label.as_str(), &event.fact) {
            ("service", _) => service,
            (name, Fact::Alert(alert)) => alert.labels.get(name)?,
            (name, Fact::Condition(condition)) => condition.labels.get(name)?,
            _ => return None,
        };
        parts.push(format!("{label}={value}"));
    }
    Some(format!("{prefix}{}", parts.join(",")))
}

/// The key of an alert without a service, under which a person can assign it to one.
#[must_use]
pub(crate) fn unassigned_key(event: &Event) -> Option<String> {
    let Fact::Alert(alert) = &event.fact else {
        return None;
    };
    if event.service.is_some() {
        return None;
    }
    let named = ["cluster", "namespace", "alertname"].into_iter();
    let parts: Vec<String> = named
        .filter_map(|name| {
            alert
                .labels
                .get(name)
                .map(|value| format!("{name}={value}"))
        })
        .collect();
    if parts.is_empty() {
        None
    } else {
        Some(parts.join(","))
    }
}
