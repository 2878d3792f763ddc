//! Reviews (answers to suggestions) and corrections of incidents by people.

use serde::{Deserialize, Serialize};

use super::id::{EventId, IncidentId};
use super::milestone::MilestoneKind;
use super::time::Time;

/// A person's answer to a suggestion, with the revision of the incident they saw.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Review {
    /// The incident the answer is for.
    pub of: IncidentId,
    /// The revision shown to the person.
    pub revision: u64,
    /// The answer.
    pub answer: Answer,
    /// The person's comment; empty when they gave none.
    #[serde(default)]
    pub comment: String,
}

/// The possible answers to a suggestion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    /// Hold the postmortem.
    Accept,
    /// Hold no postmortem.
    Dismiss {
        /// The reason.
        reason: DismissReason,
    },
    /// Ask again later.
    Snooze {
        /// The time of the next reminder.
        until: SnoozeUntil,
    },
}

/// Reasons for dismissing a suggestion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DismissReason {
    /// It was planned work.
    Planned,
    /// It was a test or drill.
    Test,
    /// Another incident covers it.
    Duplicate,
    /// The signal was wrong.
    Noise,
    /// Too small to be worth a meeting.
    TooSmall,
    /// It has been discussed elsewhere.
    AlreadyCovered,
    /// Any other reason.
    Other,
}

impl DismissReason {
    /// The reason as it completes "dismissed as …".
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Test => "a test",
            Self::Duplicate => "a duplicate",
            Self::Noise => "noise",
            Self::TooSmall => "too small",
            Self::AlreadyCovered => "already covered",
            Self::Other => "other",
        }
    }
}

/// The end of a snooze.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SnoozeUntil {
    /// 09:00 of the next working day.
    NextWorkingDay,
    /// Until the incident is resolved.
    WhenResolved,
}

/// A person's correction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "edit", rename_all = "snake_case")]
pub enum Correction {
    /// Assigns events with this correlation key and no service to `service`, past and future ones.
    Assign {
        /// The correlation key of the unassigned events.
        key: String,
        /// The service to assign.
        service: String,
    },
    /// Sets a milestone to a stated time.
    Milestone {
        /// The incident.
        of: IncidentId,
        /// The milestone.
        milestone: MilestoneKind,
        /// Its time.
        at: Time,
    },
    /// Merges two incidents.
    Merge {
        /// The incident that remains.
        into: IncidentId,
        /// The incident that is merged into it.
        from: IncidentId,
    },
    /// Moves events out of an incident.
    Move {
        /// The incident they are in.
        from: IncidentId,
        /// The events to move. Everything in that incident about the same subjects moves with them,
        /// now and later.
        events: Vec<EventId>,
        /// The incident they move to; `None` opens a new one.
        to: Option<IncidentId>,
    },
    /// Assigns an alias to a person, for past and future events. The latest assignment wins.
    Identity {
        /// The alias as the source writes it: `github:ada`.
        alias: String,
        /// The person's id; `None` withdraws the assignment.
        person: Option<String>,
    },
    /// States that data was lost, or that it was not.
    DataLoss {
        /// The incident.
        of: IncidentId,
        /// True when data was lost.
        lost: bool,
    },
}
