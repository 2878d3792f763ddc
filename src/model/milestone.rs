//! Milestones of an incident, and how each time is known.

use serde::{Deserialize, Serialize};

use super::id::EventId;
use super::time::Time;

/// The turns of an incident; what is not known is absent.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Milestones {
    /// When it began to be felt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began: Option<Milestone>,
    /// When somebody or something noticed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detected: Option<Milestone>,
    /// When a person took it on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged: Option<Milestone>,
    /// When it was no longer felt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mitigated: Option<Milestone>,
    /// When it was over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved: Option<Milestone>,
}

/// One turn of an incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Milestone {
    /// When.
    pub at: Time,
    /// How we know.
    pub certainty: Certainty,
    /// The event that says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<EventId>,
}

/// How a time is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Certainty {
    /// A machine measured it.
    Measured,
    /// A person said so.
    Stated,
    /// It follows from something else.
    Inferred,
}

/// The names of the milestones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MilestoneKind {
    /// Began to be felt.
    Began,
    /// Was noticed.
    Detected,
    /// Was taken on.
    Acknowledged,
    /// Was no longer felt.
    Mitigated,
    /// Was over.
    Resolved,
}
