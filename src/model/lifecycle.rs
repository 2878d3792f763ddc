//! The phase of an incident and the state of its review.

use serde::{Deserialize, Serialize};

/// The review state of an incident, between rules and people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReviewState {
    /// No postmortem is due.
    #[default]
    None,
    /// Suggested, not answered.
    Suggested,
    /// Snoozed, to be suggested again later.
    Snoozed,
    /// A postmortem is held: required by a rule, or accepted.
    Held,
    /// A person decided against it.
    Dismissed,
}

/// The phases of an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Some signal is firing, or has not been quiet for `settle` yet.
    Active,
    /// Quiet for `settle`.
    Resolved,
    /// Quiet for `reopen_within`; no more events join.
    Closed,
}
