//! Signals: alerts, conditions and declarations as intervals of time.

use std::ops::Deref;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::event::Severity;
use super::id::{EventId, Subject};
use super::spans::Spans;

/// An alert, condition or declaration as an interval.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Signal {
    /// The subject it describes.
    pub subject: Subject,
    /// Its class, shared by similar signals: an alert storm has many of one class.
    #[serde(flatten)]
    pub sort: Arc<SignalClass>,
    /// Its states in order, without overlap. An open span has no end.
    pub spans: Spans,
    /// Its first event.
    pub event: EventId,
}

impl Deref for Signal {
    type Target = SignalClass;

    fn deref(&self) -> &SignalClass {
        &self.sort
    }
}

/// The properties shared by similar signals.
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
    /// The label `afterword` set on rules: `cause` marks a signal that explains but has no user
    /// impact, `outage` one that declares an outage while it fires.
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
