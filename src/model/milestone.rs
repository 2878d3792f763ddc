//! Milestones of an incident, each with the certainty of its time.

use serde::{Deserialize, Serialize};

use super::id::EventId;
use super::time::Time;

/// The milestones of an incident; unknown ones are absent.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Milestones {
    /// Start of user impact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began: Option<Milestone>,
    /// First detection, by a person or a monitor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detected: Option<Milestone>,
    /// First acknowledgement by a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged: Option<Milestone>,
    /// End of user impact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mitigated: Option<Milestone>,
    /// End of the incident.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved: Option<Milestone>,
}

/// One milestone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Milestone {
    /// Its time.
    pub at: Time,
    /// Certainty of that time.
    pub certainty: Certainty,
    /// The event it is taken from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<EventId>,
}

/// The kinds of certainty of a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Certainty {
    /// Measured by a machine.
    Measured,
    /// Stated by a person.
    Stated,
    /// Inferred from other facts.
    Inferred,
}

/// The names of the milestones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MilestoneKind {
    /// Start of user impact.
    Began,
    /// First detection.
    Detected,
    /// First acknowledgement.
    Acknowledged,
    /// End of user impact.
    Mitigated,
    /// End of the incident.
    Resolved,
}
