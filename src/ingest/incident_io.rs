//! incident.io's webhooks. The content is under the name of the event type. Made, without the
//! fields that are not read:
//!
//! ```json
//! {"event_type": "public_incident.incident_status_updated_v2",
//!  "public_incident.incident_status_updated_v2": {
//!    "incident": {"id": "01FDAG4SAP5TYPT98WGR2N7W91", "name": "Orders fail", "mode": "standard", "permalink": "https://app.incident.io/…",
//!      "created_at": "2026-11-23T07:03:10Z", "updated_at": "2026-11-23T07:50:02Z", "severity": {"name": "Major", "rank": 2},
//!      "incident_status": {"category": "learning", "name": "Documenting"},
//!      "incident_timestamp_values": [{"incident_timestamp": {"name": "Impact started"}, "value": {"value": "2026-11-23T06:58:00Z"}}],
//!      "incident_role_assignments": [{"role": {"name": "Incident Lead"}, "assignee": {"id": "01FC…", "name": "Ada L."}}],
//!      "custom_field_entries": [{"custom_field": {"name": "Service"}, "values": [{"value_catalog_entry": {"name": "checkout"}}]}]},
//!    "new_status": {"name": "Documenting"}, "previous_status": {"name": "Fixing"}, "message": "All orders go through."}}
//! ```
//!
//! An incident is a declared outage while its status is a live one, and resolved afterwards.
//! Private incidents send only an id; tests, tutorials and incidents in triage are not outages.

use chrono::TimeDelta;
use serde_json::Value;

use super::error::{IngestFault, MemberFault};
use super::json_fields;
use super::json_fields::{
    instant, instant_if_any, link, list, prose, required_text, single_line, text, value_at,
};
use super::labels;
use super::message::Message;
use super::reading::Reading;
use crate::model::event::{
    Actor, ActorKind, AlertStatus, Declaration, Event, Fact, Link, Note, Severity,
};
use crate::model::time::Time;

const ADVICE: &str = "incident.io states the type of each message there";
/// Names of the custom field for the service, beside those of the settings.
const SERVICE_FIELDS: [&str; 4] = [
    "services",
    "affected service",
    "affected services",
    "component",
];
/// Names of the timestamps at which the impact started and ended, in order of preference.
const STARTED: [&str; 3] = ["impact started", "impact started at", "started at"];
const ENDED: [&str; 7] = [
    "impact ended",
    "impact ended at",
    "fixed at",
    "mitigated at",
    "resolved at",
    "closed at",
    "canceled at",
];

/// Parses a message.
///
/// # Errors
/// When it is not a JSON object with an event type, or its incident or times are missing.
pub(crate) fn webhook(message: &Message<'_>) -> Result<Reading, IngestFault> {
    let body = json_fields::object(message.body, "a message as incident.io sends it")?;
    let kind = required_text(&body, "event_type", ADVICE)?;
    // Follow-ups, actions and private incidents, which send only an id, are not used.
    let Some(rest) = kind.strip_prefix("public_incident.incident_") else {
        return Ok(Reading::default());
    };
    // The name contains dots, so it is not a path.
    let data = body.get(&kind).ok_or_else(|| {
        json_fields::fault(
            &kind,
            "missing. The content is expected under the name of its event type",
        )
    })?;
    let incident = value_at(data, "incident").unwrap_or(data);
    if !matches!(
        text(incident, "mode"),
        None | Some("standard" | "retrospective")
    ) {
        return Ok(Reading::default());
    }
    let mut reading = Reading::default();
    let told = Incident::read(message, incident, &mut reading.faults)?;
    let mut events = told.state(incident, &mut reading.faults);
    if rest.starts_with("status_updated") && !events.is_empty() {
        events.extend(told.reopened(data, incident));
        events.extend(told.turned(data));
    }
    events.into_iter().for_each(|event| reading.push(event));
    Ok(reading)
}

/// Properties common to all events of an incident.
struct Incident<'a> {
    message: &'a Message<'a>,
    key: String,
    title: String,
    severity: Severity,
    services: Vec<String>,
    links: Vec<Link>,
    created: Time,
    updated: Option<Time>,
}

impl<'a> Incident<'a> {
    fn read(
        message: &'a Message<'a>,
        incident: &Value,
        faults: &mut Vec<MemberFault>,
    ) -> Result<Self, MemberFault> {
        let key = format!(
            "incident_io:{}",
            single_line(&required_text(
                incident,
                "id",
                "It identifies the incident"
            )?)
        );
        let created = instant(incident, "created_at")?;
        let pages = [
            ("permalink", "incident.io"),
            ("postmortem_document_url", "Postmortem"),
        ];
        Ok(Self {
            message,
            title: text(incident, "name").map_or_else(|| key.clone(), single_line),
            key,
            severity: severity(message, incident),
            services: services(message, incident),
            links: pages
                .iter()
                .filter_map(|(path, title)| link(incident, path, title))
                .collect(),
            created: created.ok_or_else(|| {
                json_fields::fault(
                    "incident.created_at",
                    "missing. It states when the incident was declared",
                )
            })?,
            updated: instant_if_any(incident, "updated_at", faults),
        })
    }

    fn event(
        &self,
        at: Time,
        service: Option<&str>,
        actor: Option<Box<Actor>>,
        fact: Fact,
    ) -> Event {
        let mut event = Event::new(self.message.source, at, fact);
        event.service = service.map(Into::into);
        event.incident = Some(self.key.as_str().into());
        event.actor = actor;
        event.links = self.links.iter().cloned().collect();
        event.identify();
        super::time::clamp(&mut event, self.message.now);
        event
    }

    fn declared(&self, at: Time, actor: Option<Box<Actor>>, status: AlertStatus) -> Event {
        let declared = Declaration {
            key: self.key.clone(),
            title: self.title.clone(),
            severity: self.severity,
            status,
            planned: false,
            data_loss: None,
            detected_by: None,
        };
        self.event(
            at,
            self.services.first().map(String::as_str),
            actor,
            Fact::Declaration(declared),
        )
    }

    fn note(
        &self,
        at: Time,
        service: Option<&str>,
        actor: Option<Box<Actor>>,
        words: &str,
    ) -> Event {
        self.event(at, service, actor, Fact::Note(Note { text: prose(words) }))
    }

    /// The declaration of the outage, its end, and notes about roles.
    fn state(&self, incident: &Value, faults: &mut Vec<MemberFault>) -> Vec<Event> {
        let began = timestamp(incident, &STARTED, faults)
            .map_or(self.created, |started| started.min(self.created));
        let category = text(incident, "incident_status.category").unwrap_or_default();
        let over = match category {
            "live" | "paused" => false,
            "learning" | "closed" => true,
            // It was no outage, or belongs to another incident: an earlier declaration ends, and
            // without one nothing does.
            "declined" | "merged" | "canceled" => {
                let end = self.end(incident, began, faults);
                return end
                    .map(|end| self.declared(end, None, AlertStatus::Resolved))
                    .into_iter()
                    .collect();
            }
            _ => return Vec::new(),
        };
        let mut events = vec![self.declared(began, creator(incident), AlertStatus::Firing)];
        let others = self.services.iter().skip(1);
        events.extend(
            others.map(|service| {
                self.note(began, Some(service), None, &format!("Affected: {service}"))
            }),
        );
        // The time of an assignment is not stated; the incident's own time does not change, so the
        // note is not repeated.
        events.extend(
            list(incident, "incident_role_assignments").filter_map(|assignment| {
                let (role, name) = (
                    text(assignment, "role.name")?,
                    text(assignment, "assignee.name")?,
                );
                let actor = json_fields::actor(
                    "incident_io",
                    text(assignment, "assignee.id").unwrap_or(name),
                    ActorKind::Human,
                );
                Some(self.note(
                    self.created,
                    None,
                    actor,
                    &format!("{}: {}", single_line(role), single_line(name)),
                ))
            }),
        );
        if over {
            events.extend(
                self.end(incident, began, faults)
                    .map(|end| self.declared(end, None, AlertStatus::Resolved)),
            );
        }
        events
    }

    /// The end: as stated, else the time of the update.
    fn end(&self, incident: &Value, began: Time, faults: &mut Vec<MemberFault>) -> Option<Time> {
        let end = timestamp(incident, &ENDED, faults).or(self.updated);
        // Equal times would leave the order of start and end open.
        end.map(|end| end.max(began + TimeDelta::milliseconds(1)))
    }

    /// A second declaration if the incident is live again: the first one has ended.
    fn reopened(&self, data: &Value, incident: &Value) -> Option<Event> {
        let was_over = matches!(
            text(data, "previous_status.category")?,
            "learning" | "closed" | "declined" | "merged" | "canceled"
        );
        let is_live = matches!(
            text(incident, "incident_status.category")?,
            "live" | "paused"
        );
        (was_over && is_live)
            .then(|| Some(self.declared(self.updated?, None, AlertStatus::Firing)))?
    }

    /// A note about a change of status.
    fn turned(&self, data: &Value) -> Option<Event> {
        let to = text(data, "new_status.name").map(single_line)?;
        let from = text(data, "previous_status.name")
            .map(|from| format!(" from {}", single_line(from)))
            .unwrap_or_default();
        let said = text(data, "message")
            .map(|words| format!(": {words}"))
            .unwrap_or_default();
        Some(self.note(
            self.updated?,
            None,
            None,
            &format!("Status went{from} to {to}{said}"),
        ))
    }
}

/// The severity by name, else by rank: usually minor is 1 and critical 3.
fn severity(message: &Message<'_>, incident: &Value) -> Severity {
    let named =
        text(incident, "severity.name").and_then(|word| labels::severity_word(word, message.names));
    named.unwrap_or_else(
        || match value_at(incident, "severity.rank").and_then(Value::as_i64) {
            Some(..=0) => Severity::Info,
            Some(1..=2) => Severity::Warning,
            Some(3..) => Severity::Critical,
            None => Severity::Unknown,
        },
    )
}

/// The services in the custom field, by our names.
fn services(message: &Message<'_>, incident: &Value) -> Vec<String> {
    let is_service = |entry: &&Value| {
        let name = text(entry, "custom_field.name")
            .unwrap_or_default()
            .to_lowercase();
        SERVICE_FIELDS.contains(&name.as_str())
            || message
                .names
                .service
                .iter()
                .any(|known| known.eq_ignore_ascii_case(&name))
    };
    let values = list(incident, "custom_field_entries")
        .filter(is_service)
        .flat_map(|entry| list(entry, "values"));
    let named = values.filter_map(|value| {
        [
            "value_catalog_entry.name",
            "value_option.value",
            "value_text",
        ]
        .iter()
        .find_map(|path| text(value, path))
    });
    let mut services: Vec<String> = Vec::new();
    for name in named.map(single_line) {
        if !services.contains(&name) {
            services.push(name);
        }
    }
    services
}

/// The first of these timestamps that has a value.
fn timestamp(incident: &Value, names: &[&str], faults: &mut Vec<MemberFault>) -> Option<Time> {
    let value = |name: &&str| {
        let is = |entry: &&Value| {
            text(entry, "incident_timestamp.name")
                .is_some_and(|other| other.eq_ignore_ascii_case(name))
        };
        instant_if_any(
            list(incident, "incident_timestamp_values").find(is)?,
            "value.value",
            faults,
        )
    };
    names.iter().find_map(value)
}

/// The person, alert, workflow or API key that declared the incident.
fn creator(incident: &Value) -> Option<Box<Actor>> {
    if let Some(user) = value_at(incident, "creator.user") {
        return json_fields::actor("incident_io", text(user, "id")?, ActorKind::Human);
    }
    let robot = ["alert", "workflow", "api_key"]
        .iter()
        .find_map(|kind| text(incident, &format!("creator.{kind}.id")))?;
    json_fields::actor("incident_io", robot, ActorKind::Robot)
}
