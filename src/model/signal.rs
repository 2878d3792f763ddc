//! Signals: an alert, condition or declaration as intervals of time.

use std::ops::Deref;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::event::Severity;
use super::id::{EventId, Subject};
use super::spans::Spans;

/// An alert, condition or declaration as an interval.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Signal {
    /// What it is about.
    pub subject: Subject,
    /// What it says of itself; a storm has many that say the same.
    #[serde(flatten)]
    pub sort: Arc<SignalClass>,
    /// What it was when, in order, without overlap. An open stretch has no end.
    pub spans: Spans,
    /// The event it began with.
    pub event: EventId,
}

impl Deref for Signal {
    type Target = SignalClass;

    fn deref(&self) -> &SignalClass {
        &self.sort
    }
}

/// What a signal says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SignalClass {
    /// `alert`, `condition`, `declaration`.
    pub kind: SignalKind,
    /// The alert's, condition's or declaration's name.
    pub name: Arc<str>,
    /// Its severity.
    pub severity: Severity,
    /// Its service.
    pub service: Option<Arc<str>>,
    /// Its environment.
    pub environment: Option<Arc<str>>,
    /// The label `afterword`, which people put on rules: `cause` marks a signal that explains but is not felt, `outage` one that declares an
    /// outage as long as it lasts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Arc<str>>,
}

/// The kinds of signals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignalKind {
    /// An alert.
    Alert,
    /// A metric condition.
    Condition,
    /// A declared outage.
    Declaration,
}
