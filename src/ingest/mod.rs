//! Payload bytes to events, a file per source; and whether a sender is who it says.
//!
//! Nothing here stores, waits or looks at a clock: the same bytes at the same `now` give the same events.

mod alert_group;
mod alert_payload;
pub(crate) mod alertmanager;
pub(crate) mod alertmanager_api;
pub(crate) mod argocd;
pub mod auth;
pub(crate) mod cloudevents;
pub(crate) mod datadog;
pub mod dispatch;
mod event_envelope;
pub(crate) mod events;
pub mod exposition;
pub(crate) mod generic;
pub(crate) mod github;
pub(crate) mod gitlab;
pub(crate) mod grafana;
pub(crate) mod header_filter;
pub(crate) mod incident_io;
mod json_fields;
pub(crate) mod kubernetes_audit;
pub(crate) mod labels;
pub mod message;
pub(crate) mod metric_check;
pub mod metric_filter;
pub(crate) mod opsgenie;
pub(crate) mod pagerduty;
pub(crate) mod people;
pub(crate) mod prometheus;
pub(crate) mod prometheus_alert_series;
mod redaction;
pub mod remote_write;
mod replicas;
pub(crate) mod sentry;
mod service_mapping;
pub(crate) mod slack;
pub(crate) mod sns;
pub(crate) mod standard_webhooks;
pub(crate) mod statuspage;
mod strict_fields;
mod tags;
mod time;

use std::borrow::Cow;
use std::fmt;

use crate::model::event::Event;
use crate::model::time::Time;
use message::Message;

/// The parsed content of one message.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Reading {
    /// One report for each member that could be parsed, in the order of the body.
    pub reports: Vec<Reported>,
    /// Number of members left out of `reports` because the [`RenewalFilter`] took them.
    pub renewed: usize,
    /// Members that could not be parsed. The other members are not affected.
    pub faults: Vec<MemberFault>,
    /// Number of alerts the sender left out. Above zero, an absent alert may still be firing.
    pub truncated: u64,
    /// The receiver named in the payload, as written in the sender's settings.
    pub receiver: Option<String>,
    /// Response body, for senders that expect more than a 2xx.
    pub reply: Option<Reply>,
    /// URL to visit once to confirm a subscription, to be used only for a verified message.
    pub confirm: Option<String>,
}

impl Reading {
    /// Appends an event that has no lease and states its own start.
    pub(crate) fn push(&mut self, event: Event) {
        self.reports.push(event.into());
    }

    /// The events of all reports, in order.
    pub fn events(&self) -> impl Iterator<Item = &Event> {
        self.reports.iter().map(|report| &report.event)
    }

    /// The events alone, for callers that keep no episodes.
    #[must_use]
    pub fn into_events(self) -> Vec<Event> {
        self.reports
            .into_iter()
            .map(|report| report.event)
            .collect()
    }
}

impl FromIterator<Event> for Reading {
    fn from_iter<I: IntoIterator<Item = Event>>(events: I) -> Self {
        Self {
            reports: events.into_iter().map(Reported::from).collect(),
            ..Self::default()
        }
    }
}

/// An event with what its message says about the episode it belongs to.
#[derive(Debug, Clone, PartialEq)]
pub struct Reported {
    /// The event.
    pub event: Event,
    /// Time until which a firing alert holds unless it is renewed; `None` if the sender gives
    /// none. [`Time::MAX_UTC`]: the sender reports each change once and is silent in between, so
    /// a firing message after the end is an old one.
    pub lease: Option<Time>,
    /// Origin of the alert's start time.
    pub start: Start,
    /// Set for an end reported in case the alert is firing, because the sender does not say which
    /// of its levels was reached. It is dropped unless an open episode has its labels.
    pub only_if_firing: bool,
}

impl Reported {
    /// An event without a lease.
    pub(crate) fn new(event: Event, start: Start) -> Self {
        Self {
            event,
            lease: None,
            start,
            only_if_firing: false,
        }
    }
}

impl From<Event> for Reported {
    fn from(event: Event) -> Self {
        Self::new(event, Start::Stated)
    }
}

/// Origin of an alert's start time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// The sender states it; with the labels it identifies the episode.
    Stated,
    /// Made up from the time of the message, or one of several that replicas state. An open
    /// episode with the same labels absorbs the event before it counts as a new episode.
    Guessed,
}

impl Start {
    /// `Stated` if the sender gave a start.
    pub(crate) fn stated_if(stated: bool) -> Self {
        if stated { Self::Stated } else { Self::Guessed }
    }
}

/// The body of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Its media type.
    pub media_type: &'static str,
    /// It.
    pub body: String,
}

/// A firing alert borrowed from the body: the identity of its episode, before an event is built.
#[derive(Debug, Clone, Copy)]
pub struct AlertRef<'a> {
    /// The labels, sorted by name, each name once and none with an empty value. With `starts_at`
    /// they identify the episode.
    pub labels: &'a [(Cow<'a, str>, Cow<'a, str>)],
    /// Start of the episode.
    pub starts_at: Time,
    /// Time until which the sender promises to renew it, if it does.
    pub lease: Option<Time>,
}

/// Renews the lease of a firing alert whose episode is open and returns `true`, so that the parser
/// leaves it out. Repeats are nearly all that an Alertmanager sends; building no event for them
/// makes them several times cheaper (`benches/ingest`).
pub type RenewalFilter<'a> = dyn FnMut(&AlertRef<'_>) -> bool + 'a;

/// One part of a body that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct MemberFault {
    /// Position of the member in its list, from 0; `None` where the body is no list.
    pub index: Option<usize>,
    /// The place within the body, as `alerts[3].startsAt`; empty: the body as a whole.
    pub path: String,
    /// What is wrong and what to do.
    pub message: String,
}

impl fmt::Display for MemberFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)
    }
}

/// Why a whole body could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IngestFault {
    /// It is not JSON.
    #[error(
        "line {line}, column {column}: not JSON: {message}. Send one complete JSON document in UTF-8."
    )]
    NotJson {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// What the reader met.
        message: String,
    },
    /// It is JSON of another shape.
    #[error("line {line}, column {column}: {message}. Expected {expected}.")]
    Shape {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// What the reader met.
        message: String,
        /// What belongs there.
        expected: &'static str,
    },
    /// It is a version of Alertmanager's webhook that we do not know.
    #[error(
        "version: {found} of Alertmanager's webhook is not known, only \"3\" and \"4\" are. Update Afterword, or send one of these."
    )]
    Version {
        /// The version as sent.
        found: String,
    },
    /// A field that the whole body hangs on is absent.
    #[error("{field}: missing. {advice}")]
    Missing {
        /// Its name.
        field: &'static str,
        /// What to do.
        advice: &'static str,
    },
    /// One field of a body that states one thing.
    #[error(transparent)]
    Field(#[from] MemberFault),
}

/// Tells text that is not JSON from JSON of another shape than `expected`.
fn not_readable(error: &serde_json::Error, expected: &'static str) -> IngestFault {
    let text = error.to_string();
    // The reader appends the place, which we give apart from it.
    let message = text
        .split(" at line ")
        .next()
        .unwrap_or_default()
        .to_owned();
    let (line, column) = (error.line().max(1), error.column().max(1));
    match error.classify() {
        serde_json::error::Category::Data => IngestFault::Shape {
            line,
            column,
            message,
            expected,
        },
        serde_json::error::Category::Io
        | serde_json::error::Category::Syntax
        | serde_json::error::Category::Eof => IngestFault::NotJson {
            line,
            column,
            message,
        },
    }
}

/// Refuses a body that is JSON of another kind: it has to begin with `open`. serde would take a list for a struct, by position.
fn begins(body: &[u8], open: u8, expected: &'static str) -> Result<(), IngestFault> {
    match body.trim_ascii_start().first() {
        Some(&first) if first != open && b"{[\"tfn-0123456789".contains(&first) => {
            Err(IngestFault::Shape {
                line: 1,
                column: 1,
                message: format!("{} stands here", found(body)),
                expected,
            })
        }
        _ => Ok(()),
    }
}

/// What a piece of JSON is, by how it begins.
fn found(json: &[u8]) -> &'static str {
    match json.trim_ascii_start().first() {
        Some(b'"') => "a string",
        Some(b'{') => "an object",
        Some(b'[') => "a list",
        Some(b't' | b'f') => "true or false",
        Some(b'n') => "null",
        _ => "a number",
    }
}

#[cfg(test)]
mod tests;
