//! PagerDuty's webhooks, version 3: one event per message, delivered at least once, retried for two
//! days. Made, without the fields that are not read:
//!
//! ```json
//! {"event": {
//!    "id": "01CH754SM17TWPE2V2H4VPBRO7", "event_type": "incident.priority_updated", "occurred_at": "2026-11-23T07:12:09.410Z",
//!    "agent": {"id": "PLH1HKV", "type": "user_reference", "summary": "Ada L."},
//!    "data": {"type": "incident", "id": "PGR0VU2", "html_url": "https://acme.pagerduty.com/incidents/PGR0VU2", "status": "triggered",
//!      "created_at": "2026-11-23T07:01:03Z", "reopened_at": null, "title": "Checkout answers with errors",
//!      "service": {"id": "PF9KMXH", "summary": "checkout"}, "urgency": "high", "priority": {"summary": "P1"}, "resolve_reason": null}}}
//! ```
//!
//! An incident that the settings count as declared is a declared outage, any other an alert. What
//! became an outage stays one, so the end of an incident ends both. All events of an incident carry
//! its key, `pagerduty:PGR0VU2`: notes, responders and status updates have nothing else to be
//! joined by. A published status update proves that an outage was declared, but not its duration.

use chrono::TimeDelta;
use serde_json::Value;

use super::error::{IngestFault, MemberFault};
use super::json_fields;
use super::json_fields::{
    instant, instant_if_any, prose, required_text, single_line, text, value_at,
};
use super::labels;
use super::message::Message;
use super::reading::{Reading, Reported, Start};
use crate::model::correction::Correction;
use crate::model::event::{
    Acknowledgement, Actor, ActorKind, AlertStatus, Declaration, EndReason, Event, Fact,
    Intervention, Link, Note, Severity,
};
use crate::model::id::IncidentId;
use crate::model::labels::Labels;
use crate::model::source::PagerDutyOutages;
use crate::model::time::Time;

const ADVICE: &str = "Choose `Webhooks V3` in PagerDuty; older versions are not supported";

/// Appended to text that PagerDuty truncated.
const TRIMMED: &str = " (truncated by PagerDuty)";

/// Parses a message.
///
/// # Errors
/// When it is not an event, or its incident or time is missing.
pub(crate) fn webhook(
    message: &Message<'_>,
    declares: &PagerDutyOutages,
) -> Result<Reading, IngestFault> {
    let body = json_fields::object(message.body, "an event as PagerDuty's webhooks V3 send it")?;
    let kind = required_text(&body, "event.event_type", ADVICE)?;
    // Service events are settings, a ping is a test, and unknown kinds are ignored.
    let Some(kind) = kind.strip_prefix("incident.") else {
        return Ok(Reading::default());
    };
    let event = value_at(&body, "event").unwrap_or(&Value::Null);
    let data = value_at(event, "data").unwrap_or(&Value::Null);
    let whole = text(data, "type").unwrap_or("incident") == "incident";
    let id = required_text(
        event,
        if whole { "data.id" } else { "data.incident.id" },
        "It identifies the incident",
    )?;
    let occurred_at = instant(event, "occurred_at")?;
    let occurred_at = occurred_at.ok_or_else(|| {
        json_fields::fault(
            "event.occurred_at",
            "missing. It states when the event occurred",
        )
    })?;
    let about = IncidentContext {
        message,
        incident: format!("pagerduty:{}", single_line(&id)),
        service: text(data, "service.summary"),
        link: json_fields::link(
            data,
            if whole {
                "html_url"
            } else {
                "incident.html_url"
            },
            "PagerDuty",
        ),
        agent: agent(event),
        at: occurred_at,
    };
    if !whole {
        return Ok(context_events(&about, kind, data).into_iter().collect());
    }
    Ok(incident(&about, kind, data, declares))
}

/// Properties common to all events of a message.
struct IncidentContext<'a> {
    message: &'a Message<'a>,
    incident: String,
    service: Option<&'a str>,
    link: Option<Link>,
    agent: Option<Box<Actor>>,
    at: Time,
}

impl IncidentContext<'_> {
    fn event(&self, at: Time, actor: Option<Box<Actor>>, fact: Fact) -> Event {
        let mut event = Event::new(self.message.source, at, fact);
        event.service = self
            .service
            .map(single_line)
            .filter(|name| !name.is_empty())
            .map(Into::into);
        event.incident = Some(self.incident.as_str().into());
        event.actor = actor;
        event.links = self.link.clone().into_iter().collect();
        event.identify();
        super::time::clamp(&mut event, self.message.now);
        event
    }

    /// An event by the agent.
    fn did(&self, fact: Fact) -> Event {
        self.event(self.at, self.agent.clone(), fact)
    }

    fn note(&self, words: &str) -> Event {
        self.did(Fact::Note(Note { text: prose(words) }))
    }

    fn alert(&self, told: &IncidentState<'_>, end: Option<(Time, EndReason)>) -> Event {
        let labels = Labels::from([(
            "pagerduty_incident".to_owned(),
            self.incident.replacen("pagerduty:", "", 1),
        )]);
        let alert = json_fields::VendorAlert {
            name: told.title.clone(),
            status: if end.is_some() {
                AlertStatus::Resolved
            } else {
                AlertStatus::Firing
            },
            labels,
            annotations: Labels::new(),
            severity: Some(told.severity),
            starts_at: told.since,
            ends_at: end.map(|(at, _)| at),
            end_reason: end.map_or(EndReason::Recovered, |(_, reason)| reason),
            links: Vec::new(),
        };
        let fact = alert.event(self.message).fact;
        self.event(end.map_or(told.since, |(at, _)| at), None, fact)
    }

    fn declaration(
        &self,
        told: &IncidentState<'_>,
        at: Time,
        status: AlertStatus,
        actor: Option<Box<Actor>>,
    ) -> Event {
        let declared = Declaration {
            key: self.incident.clone(),
            title: told.title.clone(),
            severity: told.severity,
            status,
            planned: false,
            data_loss: None,
            detected_by: None,
        };
        self.event(at, actor, Fact::Declaration(declared))
    }
}

/// The agent: a person, or a service, integration or workflow.
fn agent(event: &Value) -> Option<Box<Actor>> {
    referenced_actor(value_at(event, "agent")?)
}

fn referenced_actor(reference: &Value) -> Option<Box<Actor>> {
    let kind = if text(reference, "type") == Some("user_reference") {
        ActorKind::Human
    } else {
        ActorKind::Robot
    };
    json_fields::actor("pagerduty", text(reference, "id")?, kind)
}

/// An incident as described in a message.
struct IncidentState<'a> {
    title: String,
    severity: Severity,
    /// Start of the current episode.
    since: Time,
    /// Set if the episode may have started at another time.
    unsure: bool,
    /// Set if the start is not stated.
    undated: bool,
    priority: Option<&'a str>,
    urgency: Option<&'a str>,
}

impl<'a> IncidentState<'a> {
    fn read(
        data: &'a Value,
        kind: &str,
        about: &IncidentContext<'_>,
        faults: &mut Vec<MemberFault>,
    ) -> Self {
        let (created, reopened) = (
            instant_if_any(data, "created_at", faults),
            instant_if_any(data, "reopened_at", faults),
        );
        let begins = matches!(kind, "triggered" | "reopened");
        // Older messages state neither the start nor a reopening.
        let since = match kind {
            "reopened" => reopened.or(Some(about.at)),
            _ => reopened.max(created),
        };
        let (priority, urgency) = (text(data, "priority.summary"), text(data, "urgency"));
        let by_urgency = match urgency {
            Some("high") => Severity::Critical,
            Some("low") => Severity::Warning,
            _ => Severity::Unknown,
        };
        let severity = priority
            .and_then(|word| labels::severity_word(word, about.message.names))
            .unwrap_or(by_urgency);
        let title = text(data, "title").map_or_else(|| about.incident.clone(), single_line);
        let unsure = !begins && (created.is_none() || data.get("reopened_at").is_none());
        let (undated, since) = (since.is_none(), since.unwrap_or(about.at).min(about.at));
        Self {
            title,
            severity,
            since,
            unsure,
            undated,
            priority,
            urgency,
        }
    }

    fn is_declared(&self, kind: &str, agent: Option<&Actor>, declares: &PagerDutyOutages) -> bool {
        match self.priority {
            Some(priority) => declares
                .priority
                .iter()
                .any(|word| word.eq_ignore_ascii_case(priority)),
            None => {
                let opened = kind == "triggered"
                    && agent.is_some_and(|agent| agent.kind == ActorKind::Human);
                let by_hand = declares.by_hand && opened && self.urgency == Some("high");
                by_hand
                    || self
                        .urgency
                        .is_some_and(|urgency| declares.urgency.iter().any(|word| word == urgency))
            }
        }
    }
}

/// Reports of a message with the whole incident.
fn incident(
    about: &IncidentContext<'_>,
    kind: &str,
    data: &Value,
    declares: &PagerDutyOutages,
) -> Reading {
    let mut reading = Reading::default();
    let told = IncidentState::read(data, kind, about, &mut reading.faults);
    let declared = told.is_declared(kind, about.agent.as_deref(), declares);
    // An end without a stated start reports no start.
    let begun = kind != "resolved" || !told.undated;
    if declared && begun {
        // Only the agent of the first message opened it.
        let opened = about.agent.clone().filter(|_| kind == "triggered");
        reading.push(about.declaration(&told, told.since, AlertStatus::Firing, opened));
    } else if !declared && begun && (kind == "resolved" || text(data, "status") != Some("resolved"))
    {
        alert(&mut reading, about, &told, None);
    }
    if kind == "resolved" {
        resolved(&mut reading, about, &told, data);
        return reading;
    }
    let named = |list: &str| {
        let all = value_at(data, list)
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        let names: Vec<String> = all
            .filter_map(|one| text(one, "summary"))
            .map(single_line)
            .collect();
        names.join(", ")
    };
    let of = |path: &str| text(data, path).map_or_else(|| "unknown".to_owned(), single_line);
    let words = match kind {
        "acknowledged" => {
            reading.push(about.did(Fact::Acknowledgement(Acknowledgement { of: None })));
            None
        }
        "unacknowledged" => Some("No longer acknowledged in PagerDuty".to_owned()),
        "reopened" => Some("Opened again in PagerDuty".to_owned()),
        "escalated" => Some(format!("Escalated to {}", named("assignees"))),
        "reassigned" => Some(format!("Assigned to {}", named("assignees"))),
        "delegated" => Some(format!(
            "Handed to the escalation policy {}",
            of("escalation_policy.summary")
        )),
        "priority_updated" => Some(told.priority.map_or_else(
            || "Priority taken away".to_owned(),
            |word| format!("Priority set to {}", single_line(word)),
        )),
        "service_updated" => Some(format!(
            "Moved to the service {} in PagerDuty",
            of("service.summary")
        )),
        _ => None,
    };
    if let Some(words) = words {
        reading.push(about.note(&words));
    }
    reading
}

fn alert(
    reading: &mut Reading,
    about: &IncidentContext<'_>,
    told: &IncidentState<'_>,
    end: Option<(Time, EndReason)>,
) {
    let event = about.alert(told, end);
    reading.reports.push(Reported {
        event,
        // PagerDuty sends a message when something changes, and none while nothing does.
        lease: end.is_none().then_some(Time::MAX_UTC),
        start: Start::stated_if(!told.unsure),
        only_if_firing: false,
    });
}

/// Ends both the outage and the alert: which of them was reported before is unknown here.
fn resolved(
    reading: &mut Reading,
    about: &IncidentContext<'_>,
    told: &IncidentState<'_>,
    data: &Value,
) {
    // Equal times would leave the order of start and end open.
    let end = about.at.max(told.since + TimeDelta::milliseconds(1));
    let other = text(data, "resolve_reason.incident.id");
    let merged = other.is_some()
        || text(data, "resolve_reason.type").is_some_and(|reason| reason.starts_with("merge"));
    let reason = if merged {
        EndReason::Superseded
    } else {
        EndReason::Recovered
    };
    alert(reading, about, told, Some((end, reason)));
    reading.push(about.declaration(told, end, AlertStatus::Resolved, None));
    if let Some(other) = other {
        let (into, from) = (
            IncidentId(format!("pagerduty:{}", single_line(other))),
            IncidentId(about.incident.clone()),
        );
        reading.push(about.did(Fact::Edit(Correction::Merge { into, from })));
    } else if merged {
        reading.push(about.note("Merged with another incident in PagerDuty"));
    }
}

/// Events of a message that only refers to the incident.
fn context_events(about: &IncidentContext<'_>, kind: &str, data: &Value) -> Vec<Event> {
    let cut = if value_at(data, "trimmed") == Some(&Value::Bool(true)) {
        TRIMMED
    } else {
        ""
    };
    let said = |path: &str| text(data, path).map(|words| format!("{words}{cut}"));
    match kind {
        "annotated" => said("content")
            .map(|words| about.note(&words))
            .into_iter()
            .collect(),
        "status_update_published" => status_update(about, data, said("message")),
        "responder.added" => {
            let asked =
                text(data, "user.summary").or_else(|| text(data, "escalation_policy.summary"));
            asked
                .map(|name| {
                    about.note(&format!(
                        "Asked to join: {}{}",
                        single_line(name),
                        after(said("message"))
                    ))
                })
                .into_iter()
                .collect()
        }
        "responder.replied" => replied(about, data, said("message")).into_iter().collect(),
        "workflow.started" => ran(about, data, "workflow").into_iter().collect(),
        "action_invocation.created" => ran(about, data, "automation action").into_iter().collect(),
        _ => Vec::new(),
    }
}

fn after(words: Option<String>) -> String {
    words.map(|words| format!(": {words}")).unwrap_or_default()
}

/// A note, and an instantaneous declaration: start and end of the outage are not stated.
fn status_update(about: &IncidentContext<'_>, data: &Value, words: Option<String>) -> Vec<Event> {
    let title = text(data, "incident.summary").map_or_else(|| about.incident.clone(), single_line);
    let declared = |at, status| {
        let declared = Declaration {
            key: format!("{} status update", about.incident),
            title: title.clone(),
            severity: Severity::Unknown,
            status,
            planned: false,
            data_loss: None,
            detected_by: None,
        };
        about.event(at, None, Fact::Declaration(declared))
    };
    let note = about.note(&format!("Status update published{}", after(words)));
    let end = about.at + TimeDelta::milliseconds(1);
    vec![
        note,
        declared(about.at, AlertStatus::Firing),
        declared(end, AlertStatus::Resolved),
    ]
}

/// A responder's answer.
fn replied(about: &IncidentContext<'_>, data: &Value, words: Option<String>) -> Option<Event> {
    let user = value_at(data, "user").or_else(|| value_at(data, "escalation_policy"))?;
    // A responder who declined did not take part.
    let (did, actor) = match text(data, "state")? {
        "accepted" => (
            "Joined",
            referenced_actor(user).or_else(|| about.agent.clone()),
        ),
        "declined" => ("Cannot join", None),
        _ => return None,
    };
    let name = text(user, "summary").map(single_line).unwrap_or_default();
    Some(about.event(
        about.at,
        actor,
        Fact::Note(Note {
            text: prose(&format!("{did}: {name}{}", after(words))),
        }),
    ))
}

/// Automation started from the incident.
fn ran(about: &IncidentContext<'_>, data: &Value, what: &str) -> Option<Event> {
    let named = [
        "incident_workflow.name",
        "incident_workflow.summary",
        "action.name",
        "action.summary",
        "summary",
    ];
    let name = named
        .iter()
        .find_map(|path| text(data, path))
        .map(single_line);
    let step = Intervention {
        action: what.to_owned(),
        why: name.unwrap_or_default(),
        stated: false,
        should_be_automatic: None,
        dry_run: false,
        refused: false,
        planned: false,
    };
    // PagerDuty names no agent for its own rules.
    let actor = about
        .agent
        .clone()
        .or_else(|| json_fields::actor("pagerduty", "rule", ActorKind::Robot));
    Some(about.event(about.at, actor, Fact::Intervention(step)))
}
