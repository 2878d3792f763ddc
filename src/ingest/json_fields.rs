//! Reading bodies of other people's shape: what is missing or odd costs as little as can be, and what is read is bounded.
//!
//! An alert's labels and its beginning are its identity, so that labels hold only what stays the same while it lasts; what may change
//! (tags, a priority, a text) goes into its annotations and severity.

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

/// Members of a list that are looked at: services, updates, fields of one incident.
const MEMBERS: usize = 100;

/// Reads a body that is one JSON object; `expected` says of what.
pub(crate) fn object(body: &[u8], expected: &'static str) -> Result<Value, IngestFault> {
    expect_opening(body, b'{', expected)?;
    serde_json::from_slice(body).map_err(|error| json_fault(&error, expected))
}

/// The value at a path of keys, `data.incident.id`; null is as good as absent.
pub(crate) fn at<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.')
        .try_fold(value, |value, key| value.get(key))
        .filter(|value| !value.is_null())
}

/// A text that is not blank, without blanks around it.
pub(crate) fn text<'a>(value: &'a Value, path: &str) -> Option<&'a str> {
    at(value, path)?
        .as_str()
        .map(str::trim)
        .filter(|text| !text.is_empty())
}

/// A text, number or flag as text: senders are not of one mind about what an id is.
pub(crate) fn word(value: &Value, path: &str) -> Option<String> {
    match at(value, path)? {
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => text(value, path).map(str::to_owned),
    }
}

/// The members of a list at a path of keys; no list has none. At most [`MEMBERS`] of them.
pub(crate) fn list<'a>(value: &'a Value, path: &str) -> impl Iterator<Item = &'a Value> {
    at(value, path)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .take(MEMBERS)
}

/// What the body hangs on: [`word`], or a fault that names the place.
pub(crate) fn need(value: &Value, path: &str, advice: &str) -> Result<String, MemberFault> {
    word(value, path).ok_or_else(|| fault(path, format!("missing. {advice}")))
}

/// A fault at a path of keys.
pub(crate) fn fault(path: &str, message: impl Into<String>) -> MemberFault {
    MemberFault {
        index: None,
        path: path.to_owned(),
        message: message.into(),
    }
}

/// An instant in RFC 3339, where there is one; the year 1 is none.
pub(crate) fn instant(value: &Value, path: &str) -> Result<Option<Time>, MemberFault> {
    text(value, path).map_or(Ok(None), |text| {
        time::parse_go(text).map_err(|message| fault(path, message))
    })
}

/// The same where the rest says enough without it: what is no instant is only told.
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

/// One line of at most [`LINE`] characters: what comes after is cut, control characters become blanks.
pub(crate) fn line(text: &str) -> String {
    let letters = text
        .trim()
        .chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter });
    cut(letters, LINE)
}

/// Text of at most [`PROSE`] characters, of which only line breaks and tabs control anything.
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

/// A link to an address in the body, where there is one that a page may offer.
pub(crate) fn link(value: &Value, path: &str, title: &str) -> Option<Link> {
    text(value, path)
        .filter(|url| url.len() <= PROSE)
        .and_then(|url| alert_payload::link(title, url))
}

/// Somebody as a source names them: `github:ada`.
pub(crate) fn actor(scheme: &str, id: &str, kind: ActorKind) -> Option<Box<Actor>> {
    let id = line(id);
    (!id.is_empty()).then(|| {
        Box::new(Actor {
            id: format!("{scheme}:{id}"),
            kind,
        })
    })
}

/// An alert of a source that is not Alertmanager's kin.
#[derive(Debug)]
pub(crate) struct VendorAlert {
    /// Its name, the same from one episode to the next.
    pub(crate) name: String,
    /// Firing or resolved.
    pub(crate) status: AlertStatus,
    /// What names the episode together with `starts_at`, and gives service and environment.
    pub(crate) labels: Labels,
    /// What may change while it lasts.
    pub(crate) annotations: Labels,
    /// Where the sender gives one apart from the labels.
    pub(crate) severity: Option<Severity>,
    /// When it began.
    pub(crate) starts_at: Time,
    /// When it ended, if it did.
    pub(crate) ends_at: Option<Time>,
    /// Why it ended.
    pub(crate) end_reason: EndReason,
    /// Where to read more.
    pub(crate) links: Vec<Link>,
}

impl VendorAlert {
    /// The event. It happened at its beginning or end.
    pub(crate) fn event(self, message: &Message<'_>) -> Event {
        let labels: crate::model::labels::LabelSet = self.labels.into();
        let service =
            labels::service(&labels, message.names).map(|(_, service)| service.to_owned());
        let environment = labels::environment(&labels, message.names);
        let ends_at = self
            .ends_at
            .map(|ends_at| ends_at.max(self.starts_at))
            .filter(|_| self.status == AlertStatus::Resolved);
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
            end_reason: self.end_reason,
            seen_again: None,
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

/// A fact of a source about a service, at a time.
pub(crate) fn event(
    message: &Message<'_>,
    occurred_at: Time,
    service: Option<&str>,
    fact: Fact,
) -> Event {
    let mut event = Event::new(message.source, occurred_at, fact);
    event.service = service
        .map(line)
        .filter(|service| !service.is_empty())
        .map(Into::into);
    event.identify();
    time::clamp(&mut event, message.now);
    event
}
