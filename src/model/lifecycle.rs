//! The phase of an incident and the state of its review.

use serde::{Deserialize, Serialize};

/// What stands between rules and people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReviewState {
    /// No postmortem is due.
    #[default]
    None,
    /// Suggested, not answered.
    Suggested,
    /// Suggested, to be asked again later.
    Snoozed,
    /// A postmortem is held: by rule, or accepted.
    Held,
    /// A person decided against it.
    Dismissed,
}

/// The life of an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Some signal is on, or not yet quiet for `settle`.
    Active,
    /// Quiet for `settle`.
    Resolved,
    /// Quiet for `reopen_within`; nothing joins any more.
    Closed,
}
