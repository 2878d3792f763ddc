//! Tolerant access to the JSON of foreign senders: missing or malformed fields cost as little as
//! possible, and everything read is bounded.
//!
//! An alert is identified by its labels and start, so its labels hold only what stays the same
//! during the episode; tags, priority and text may change and go into annotations and severity.

use serde_json::Value;

use super::error::{IngestFault, MemberFault, expect_opening, json_fault};
use super::message::Message;
use super::strict_fields::{LINE, PROSE};
use super::{alert_payload, labels, time};
use crate::model::event::{
    Actor, ActorKind, Alert, AlertStatus, EndReason, Event, Fact, Link, Severity,
};
use crate::model::labels::Labels;
use crate::model::time::Time;

/// Maximum number of members read from a list of services, updates or fields.
const MEMBERS: usize = 100;

/// Parses a body that is one JSON object; `expected` describes it in the fault.
pub(crate) fn object(body: &[u8], expected: &'static str) -> Result<Value, IngestFault> {
    expect_opening(body, b'{', expected)?;
    serde_json::from_slice(body).map_err(|error| json_fault(&error, expected))
}

/// The value at a dotted path such as `data.incident.id`; `None` for null.
pub(crate) fn value_at<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.')
        .try_fold(value, |value, key| value.get(key))
        .filter(|value| !value.is_null())
}

/// The trimmed string at a path; `None` if it is blank.
pub(crate) fn text<'a>(value: &'a Value, path: &str) -> Option<&'a str> {
    value_at(value, path)?
        .as_str()
        .map(str::trim)
        .filter(|text| !text.is_empty())
}

/// The string, number or flag at a path as text: senders differ in the type of an id.
pub(crate) fn text_at(value: &Value, path: &str) -> Option<String> {
    match value_at(value, path)? {
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => text(value, path).map(str::to_owned),
    }
}

/// The members of the list at a path, at most [`MEMBERS`]; empty if there is no list.
pub(crate) fn list<'a>(value: &'a Value, path: &str) -> impl Iterator<Item = &'a Value> {
    value_at(value, path)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .take(MEMBERS)
}

/// The required [`word`] at a path, or a fault that names the path.
pub(crate) fn required_text(
    value: &Value,
    path: &str,
    advice: &str,
) -> Result<String, MemberFault> {
    text_at(value, path).ok_or_else(|| fault(path, format!("missing. {advice}")))
}

/// A fault at a dotted path.
pub(crate) fn fault(path: &str, message: impl Into<String>) -> MemberFault {
    MemberFault {
        index: None,
        path: path.to_owned(),
        message: message.into(),
    }
}

/// The RFC 3339 time at a path; the year 1 counts as absent.
pub(crate) fn instant(value: &Value, path: &str) -> Result<Option<Time>, MemberFault> {
    text(value, path).map_or(Ok(None), |text| {
        time::parse_go(text).map_err(|message| fault(path, message))
    })
}

/// The optional time at a path: a malformed one is recorded as a fault and ignored.
pub(crate) fn instant_if_any(
    value: &Value,
    path: &str,
    faults: &mut Vec<MemberFault>,
) -> Option<Time> {
    instant(value, path).unwrap_or_else(|fault| {
        faults.push(fault);
        None
    })
}

/// Shortens text to one line of [`LINE`] characters; control characters become spaces.
pub(crate) fn single_line(text: &str) -> String {
    let letters = text
        .trim()
        .chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter });
    cut(letters, LINE)
}

/// Shortens text to [`PROSE`] characters; control characters except line breaks and tabs become
/// spaces.
pub(crate) fn prose(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    cut(
        text.trim().chars().map(|letter| {
            if letter.is_control() && !matches!(letter, '\n' | '\t') {
                ' '
            } else {
                letter
            }
        }),
        PROSE,
    )
}

fn cut(mut letters: impl Iterator<Item = char>, most: usize) -> String {
    let mut kept: String = letters.by_ref().take(most).collect();
    if letters.next().is_some() {
        kept.pop();
        kept.push('…');
    }
    kept
}

/// The link at a path, if its scheme is safe to offer on a page.
pub(crate) fn link(value: &Value, path: &str, title: &str) -> Option<Link> {
    text(value, path)
        .filter(|url| url.len() <= PROSE)
        .and_then(|url| alert_payload::link(title, url))
}

/// An actor under the naming scheme of the source: `github:ada`.
pub(crate) fn actor(scheme: &str, id: &str, kind: ActorKind) -> Option<Box<Actor>> {
    let id = single_line(id);
    (!id.is_empty()).then(|| {
        Box::new(Actor {
            id: format!("{scheme}:{id}"),
            kind,
        })
    })
}

/// An alert of a vendor whose payload differs from Alertmanager's.
#[derive(Debug)]
pub(crate) struct VendorAlert {
    /// Name of the alert, equal in all its episodes.
    pub(crate) name: String,
    /// Firing or resolved.
    pub(crate) status: AlertStatus,
    /// Labels that identify the episode together with `starts_at`, and give service and
    /// environment.
    pub(crate) labels: Labels,
    /// Properties that may change during the episode.
    pub(crate) annotations: Labels,
    /// Severity, if the sender states it apart from the labels.
    pub(crate) severity: Option<Severity>,
    /// Start of the episode.
    pub(crate) starts_at: Time,
    /// End of the episode.
    pub(crate) ends_at: Option<Time>,
    /// Reason of the end.
    pub(crate) end_reason: EndReason,
    /// Links of the alert.
    pub(crate) links: Vec<Link>,
}

impl VendorAlert {
    /// Builds the event. It occurred at the end of the episode, else at its start.
    pub(crate) fn event(self, message: &Message<'_>) -> Event {
        let labels: crate::model::labels::LabelSet = self.labels.into();
        let service =
            labels::service(&labels, message.names).map(|(_, service)| service.to_owned());
        let environment = labels::environment(&labels, message.names);
        let ends_at = self
            .ends_at
            .map(|ends_at| ends_at.max(self.starts_at))
            .filter(|_| self.status == AlertStatus::Resolved);
        let impossible = self
            .ends_at
            .is_some_and(|ends_at| time::is_impossible_end(self.starts_at, ends_at));
        let severity = self
            .severity
            .unwrap_or_else(|| labels::severity(&labels, message.names));
        let alert = Alert {
            name: self.name.into(),
            status: self.status,
            labels,
            annotations: self.annotations.into(),
            severity,
            starts_at: self.starts_at,
            ends_at,
            pending_for: None,
            keep_firing_for: None,
            end_reason: if impossible {
                EndReason::Unknown
            } else {
                self.end_reason
            },
            seen_again: None,
            borrowed_end: false,
            recalled: false,
        };
        let mut event = Event::new(
            message.source,
            ends_at.unwrap_or(self.starts_at),
            Fact::Alert(alert),
        );
        event.service = service.map(Into::into);
        event.environment = environment.map(Into::into);
        event.links = self.links.into();
        time::clamp(&mut event, message.now);
        event
    }
}

/// Builds an event about a service.
pub(crate) fn event(
    message: &Message<'_>,
    occurred_at: Time,
    service: Option<&str>,
    fact: Fact,
) -> Event {
    let mut event = Event::new(message.source, occurred_at, fact);
    event.service = service
        .map(single_line)
        .filter(|service| !service.is_empty())
        .map(Into::into);
    event.identify();
    time::clamp(&mut event, message.now);
    event
}
