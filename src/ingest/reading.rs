//! The result of parsing one message.

use std::borrow::Cow;

use super::error::MemberFault;
use crate::model::event::Event;
use crate::model::time::Time;

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
    pub reply: Option<ReplyBody>,
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
    /// Made up from the time of the message. An open episode with the same labels absorbs the event
    /// before it counts as a new episode.
    Guessed,
}

impl Start {
    /// `Stated` if the sender gave a start.
    pub(crate) fn stated_if(stated: bool) -> Self {
        if stated { Self::Stated } else { Self::Guessed }
    }
}

/// The body of the HTTP response to a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplyBody {
    /// Value of `Content-Type`.
    pub media_type: &'static str,
    /// The body itself.
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
