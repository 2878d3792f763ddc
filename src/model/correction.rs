//! Answers to suggestions and corrections of incidents, as people give them.

use serde::{Deserialize, Serialize};

use super::id::{EventId, IncidentId};
use super::milestone::MilestoneKind;
use super::time::Time;

/// A person's answer, with the revision of the incident they saw.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Review {
    /// The incident answered for.
    pub of: IncidentId,
    /// The revision shown to the person.
    pub revision: u64,
    /// What they answered.
    pub answer: Answer,
    /// A word of theirs, if they gave one.
    #[serde(default)]
    pub comment: String,
}

/// The answers a suggestion can get.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    /// Hold it.
    Accept,
    /// Do not, and why.
    Dismiss {
        /// The reason.
        reason: DismissReason,
    },
    /// Ask again later.
    Snooze {
        /// When.
        until: SnoozeUntil,
    },
}

/// Why a suggestion is dismissed.
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
    /// Not worth a meeting.
    TooSmall,
    /// It has been talked through elsewhere.
    AlreadyCovered,
    /// Something else.
    Other,
}

impl DismissReason {
    /// As people read it: "dismissed as …".
    #[must_use]
    pub fn word(self) -> &'static str {
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

/// Until when a suggestion rests.
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
    /// Unassigned events with this correlation key belong to `service` from now on and back.
    Assign {
        /// The correlation key of the unassigned events.
        key: String,
        /// The service they concern.
        service: String,
    },
    /// A milestone somebody states.
    Milestone {
        /// Whose.
        of: IncidentId,
        /// Which.
        milestone: MilestoneKind,
        /// When it was.
        at: Time,
    },
    /// Two incidents are one.
    Merge {
        /// The one that goes on.
        into: IncidentId,
        /// The one that joins it.
        from: IncidentId,
    },
    /// Some events of an incident belong elsewhere.
    Move {
        /// Where they are now.
        from: IncidentId,
        /// The events that move, each with all that was found there about the same subject, now or later.
        events: Vec<EventId>,
        /// Where they belong; `None`: they are an incident of their own.
        to: Option<IncidentId>,
    },
    /// Whoever a source calls so is this person, from now on and back. The last word holds.
    Identity {
        /// The name as it came: `github:ada`.
        alias: String,
        /// The person's id; `None`: nobody's any more, as if nothing had been stated.
        person: Option<String>,
    },
    /// Whether data was lost.
    DataLoss {
        /// The incident.
        of: IncidentId,
        /// Whether it was.
        lost: bool,
    },
}
