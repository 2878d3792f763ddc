//! Statuspage's webhook: the whole incident at each update, or a change of one component. Made,
//! without the fields that are not read:
//!
//! ```json
//! {"meta": {"unsubscribe": "https://status.example.com/?unsubscribe=SECRET"},
//!  "incident": {"id": "z3lct0r596n4", "name": "Orders fail", "status": "resolved", "impact": "major", "backfilled": false,
//!    "shortlink": "https://stspg.io/646947c1e", "created_at": "2026-11-23T07:12:00Z", "updated_at": "2026-11-23T07:50:00Z",
//!    "resolved_at": "2026-11-23T07:48:30Z", "scheduled_for": null, "scheduled_until": null, "components": [{"name": "checkout"}],
//!    "incident_updates": [{"status": "resolved", "body": "Orders go through again.", "display_at": "2026-11-23T07:48:30Z"}]}}
//! ```
//!
//! An incident is a declared outage whatever its impact, which people often leave at `none`. A
//! scheduled incident is planned work. Messages have neither id nor kind and repeat everything, so
//! a lost one costs nothing.

use chrono::TimeDelta;
use serde_json::Value;

use super::error::{IngestFault, MemberFault};
use super::json_fields;
use super::json_fields::{
    event, instant_if_any as instant, link, list, prose, required_text, single_line, text, value_at,
};
use super::message::Message;
use super::reading::Reading;
use super::{labels, redaction};
use crate::model::event::{
    AlertStatus, Declaration, Event, Fact, MaintenanceWindow, Note, Severity,
};
use crate::model::time::Time;

/// Parses a message.
///
/// # Errors
/// When it is not a JSON object, or its incident or start is missing.
pub(crate) fn webhook(message: &Message<'_>) -> Result<Reading, IngestFault> {
    let body = json_fields::object(message.body, "a message as Statuspage sends it")?;
    let mut reading = Reading::default();
    let faults = &mut reading.faults;
    let events = if let Some(incident) = value_at(&body, "incident") {
        let id = single_line(&required_text(
            incident,
            "id",
            "It identifies the incident",
        )?);
        let key = format!("statuspage:{id}");
        let status = text(incident, "status").unwrap_or_default();
        let scheduled = value_at(incident, "scheduled_for").is_some()
            || matches!(
                status,
                "scheduled" | "in_progress" | "verifying" | "completed"
            );
        if scheduled {
            planned(message, incident, key, faults)
        } else {
            outage(message, incident, key, status, faults)?
        }
    } else {
        component(message, &body, faults).into_iter().collect()
    };
    events.into_iter().for_each(|event| reading.push(event));
    Ok(reading)
}

/// The body without the unsubscribe URL.
#[must_use]
pub(crate) fn redacted_body(body: &[u8]) -> Vec<u8> {
    redaction::json(body, &["unsubscribe"])
}

/// Time of an update, as dated by its author.
fn display_time(update: &Value, faults: &mut Vec<MemberFault>) -> Option<Time> {
    instant(update, "display_at", faults).or_else(|| instant(update, "created_at", faults))
}

fn outage(
    message: &Message<'_>,
    incident: &Value,
    key: String,
    status: &str,
    faults: &mut Vec<MemberFault>,
) -> Result<Vec<Event>, MemberFault> {
    let updates: Vec<(&Value, Time)> = dated(incident, faults);
    // An incident published afterwards has old updates, and was created only now.
    let began = match instant(incident, "started_at", faults) {
        Some(started) => started,
        None => {
            let first = updates
                .iter()
                .map(|(_, shown)| *shown)
                .chain(instant(incident, "created_at", faults))
                .min();
            first.ok_or_else(|| {
                json_fields::fault(
                    "incident.created_at",
                    "missing. It states when the outage was declared",
                )
            })?
        }
    };
    let told = OutageContext {
        message,
        key,
        link: link(incident, "shortlink", "Statuspage"),
    };
    let name = text(incident, "name").map_or_else(|| told.key.clone(), single_line);
    let impact = text(incident, "impact_override")
        .or_else(|| text(incident, "impact"))
        .unwrap_or("none");
    let severity = match impact {
        "none" => Severity::Unknown,
        word => labels::severity_word(word, message.names).unwrap_or_default(),
    };
    let mut services = list(incident, "components").filter_map(|component| text(component, "name"));
    let first = services.next();
    let declared = |at, status| {
        let declared = Declaration {
            key: told.key.clone(),
            title: name.clone(),
            severity,
            status,
            planned: false,
            data_loss: None,
            detected_by: None,
        };
        told.event(at, first, Fact::Declaration(declared))
    };
    let mut events = vec![declared(began, AlertStatus::Firing)];
    let note =
        |at, service, words: &str| told.event(at, service, Fact::Note(Note { text: prose(words) }));
    events.extend(services.map(|service| {
        let touches = |update: &Value| {
            list(update, "affected_components").any(|one| text(one, "name") == Some(service))
        };
        let since = updates
            .iter()
            .filter(|(update, _)| touches(update))
            .map(|(_, shown)| *shown)
            .min();
        note(
            since.unwrap_or(began),
            Some(service),
            &format!("Affected on the status page: {}", single_line(service)),
        )
    }));
    events.extend(updates.iter().filter_map(|(update, shown)| {
        let words = text(update, "body")?;
        Some(note(
            *shown,
            first,
            &format!(
                "Status page, {}: {words}",
                text(update, "status").map(single_line).unwrap_or_default()
            ),
        ))
    }));
    let mut since = began;
    for (at, status) in turns(
        incident,
        &updates,
        matches!(status, "resolved" | "postmortem"),
        faults,
    ) {
        // Equal times would leave the order of start and end open.
        since = at.max(since + TimeDelta::milliseconds(1));
        events.push(declared(since, status));
    }
    if status == "postmortem"
        && let Some(published) = instant(incident, "postmortem_published_at", faults)
            .or_else(|| instant(incident, "updated_at", faults))
    {
        events.push(note(
            published,
            first,
            "A postmortem was published on the status page",
        ));
    }
    Ok(events)
}

/// Ends and reopenings in order, from the updates and the current status.
fn turns(
    incident: &Value,
    updates: &[(&Value, Time)],
    over: bool,
    faults: &mut Vec<MemberFault>,
) -> Vec<(Time, AlertStatus)> {
    let status = |update: &Value| match text(update, "status")? {
        "resolved" => Some(AlertStatus::Resolved),
        "investigating" | "identified" | "monitoring" => Some(AlertStatus::Firing),
        _ => None,
    };
    // The newest update comes first, also among those of equal time.
    let mut ordered: Vec<(Time, AlertStatus)> = updates
        .iter()
        .rev()
        .filter_map(|(update, shown)| Some((*shown, status(update)?)))
        .collect();
    ordered.sort_by_key(|(at, _)| *at);
    let mut turns: Vec<(Time, AlertStatus)> = Vec::new();
    for (at, status) in ordered {
        match (status, turns.last_mut()) {
            // Of several ends in a row the last counts.
            (AlertStatus::Resolved, Some((end, AlertStatus::Resolved))) => *end = at,
            (AlertStatus::Resolved, _)
            | (AlertStatus::Firing, Some((_, AlertStatus::Resolved))) => turns.push((at, status)),
            (AlertStatus::Firing, _) => {}
        }
    }
    // The current status overrides the updates.
    let now = if over {
        AlertStatus::Resolved
    } else {
        AlertStatus::Firing
    };
    turns.pop_if(|(_, last)| *last != now);
    if over && turns.is_empty() {
        let end = instant(incident, "resolved_at", faults)
            .or_else(|| instant(incident, "updated_at", faults));
        turns.extend(end.map(|end| (end, AlertStatus::Resolved)));
    }
    turns
}

/// The updates with a time; others are dropped.
fn dated<'a>(incident: &'a Value, faults: &mut Vec<MemberFault>) -> Vec<(&'a Value, Time)> {
    list(incident, "incident_updates")
        .filter_map(|update| Some((update, display_time(update, faults)?)))
        .collect()
}

/// Properties common to all events of an outage.
struct OutageContext<'a> {
    message: &'a Message<'a>,
    key: String,
    link: Option<crate::model::event::Link>,
}

impl OutageContext<'_> {
    fn event(&self, at: Time, service: Option<&str>, fact: Fact) -> Event {
        let mut event = Event::new(self.message.source, at, fact);
        event.service = service
            .map(single_line)
            .filter(|name| !name.is_empty())
            .map(Into::into);
        event.incident = Some(self.key.as_str().into());
        event.links = self.link.clone().into_iter().collect();
        event.identify();
        super::time::clamp(&mut event, self.message.now);
        event
    }
}

/// Planned work, for each component. Without a component it applies to nothing.
fn planned(
    message: &Message<'_>,
    incident: &Value,
    key: String,
    faults: &mut Vec<MemberFault>,
) -> Vec<Event> {
    let completed = text(incident, "status") == Some("completed");
    let (from, until) = (
        instant(incident, "scheduled_for", faults),
        instant(incident, "scheduled_until", faults),
    );
    let end = if completed {
        instant(incident, "resolved_at", faults).or(until)
    } else {
        until
    };
    let begun = |update: &&(&Value, Time)| text(update.0, "status") == Some("in_progress");
    let begun = dated(incident, faults)
        .iter()
        .filter(begun)
        .map(|(_, shown)| *shown)
        .min();
    let (Some(from), Some(to)) = (from.into_iter().chain(begun).min(), end) else {
        return Vec::new();
    };
    let told = instant(incident, "updated_at", faults)
        .or_else(|| instant(incident, "created_at", faults))
        .unwrap_or(from);
    let why = text(incident, "name").map_or_else(|| key.clone(), single_line);
    let window = MaintenanceWindow { key, from, to, why };
    let services = list(incident, "components").filter_map(|component| text(component, "name"));
    let of = |service| {
        let mut event = event(
            message,
            told,
            Some(service),
            Fact::Maintenance(window.clone()),
        );
        event.links = link(incident, "shortlink", "Statuspage")
            .into_iter()
            .collect();
        event
    };
    services.map(of).collect()
}

/// A change of a component: a note, not an outage, which would be declared.
fn component(message: &Message<'_>, body: &Value, faults: &mut Vec<MemberFault>) -> Option<Event> {
    let (name, to) = (
        text(body, "component.name")?,
        text(body, "component_update.new_status")?,
    );
    let at = instant(body, "component_update.created_at", faults)
        .or_else(|| instant(body, "component.updated_at", faults))?;
    let words = |status: &str| single_line(&status.replace('_', " "));
    let from = text(body, "component_update.old_status")
        .map(|from| format!(" from {}", words(from)))
        .unwrap_or_default();
    let note = format!(
        "Status page: {} went{from} to {}",
        single_line(name),
        words(to)
    );
    Some(event(
        message,
        at,
        Some(name),
        Fact::Note(Note { text: prose(&note) }),
    ))
}
