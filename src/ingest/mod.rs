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

use crate::model::Time;
use crate::model::event::{Event, Subject};
use message::Message;

/// What one body says.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Reading {
    /// One event a good member, in the order of the body.
    pub events: Vec<Event>,
    /// How long each firing alert may go unrenewed. Only senders that renew give any.
    pub leases: Vec<Lease>,
    /// Positions in `events` of alerts that came without `startsAt`, whose start is a guess and new with every message, and of those that
    /// replicas tell of, each with a start of its own: an open episode with the same labels should take them in before they count as new.
    pub unstarted: Vec<usize>,
    /// Positions in `events` of ends that are told in case such an alert is on, because their sender does not say which of its levels was
    /// reached. Where no open episode has their labels they say nothing.
    pub if_on: Vec<usize>,
    /// How many members were left out of `events` because the reader was told that they only repeat what is known.
    pub renewed: usize,
    /// Members that could not be read; they cost the others nothing.
    pub faults: Vec<MemberFault>,
    /// How many alerts the sender left out. Above zero, an alert that is absent may still be firing.
    pub truncated: u64,
    /// The receiver that the sender says it sent to, as written in its settings.
    pub receiver: Option<String>,
    /// What the sender is answered, where it waits for more than that its message was taken.
    pub reply: Option<Reply>,
    /// An address to visit once, by which a subscription is confirmed. Whoever reads the message has checked whose it is.
    pub confirm: Option<String>,
}

/// The body of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Its media type.
    pub media_type: &'static str,
    /// It.
    pub body: String,
}

/// A firing alert as it stands in the body, before anything is built of it: enough to tell that it only repeats what is known.
#[derive(Debug, Clone, Copy)]
pub struct Glimpse<'a> {
    /// The labels, in order, each name once and none without a value: with `starts_at`, the identity of the episode.
    pub labels: &'a [(Cow<'a, str>, Cow<'a, str>)],
    /// When it began.
    pub starts_at: Time,
    /// Until when its sender promises to say again that it fires, if it does.
    pub until: Option<Time>,
}

/// Says of a firing alert that it only repeats what is known, so that it need not be read.
pub type Known<'a> = dyn FnMut(&Glimpse<'_>) -> bool + 'a;

/// A promise to say again that an alert fires.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The alert.
    pub subject: Subject,
    /// When the promise runs out. [`Time::MAX_UTC`]: its sender tells every change once and is silent in between, so that a firing message
    /// after the end is an old one.
    pub until: Time,
}

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
