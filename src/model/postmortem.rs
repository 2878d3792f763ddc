//! The document, its meeting, and what is to be done outside.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Time;
use super::incident::IncidentId;

/// Names a postmortem: `pm-` and the digits of its incident's id. One incident has one postmortem.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PostmortemId(pub String);

impl fmt::Display for PostmortemId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The postmortem's record; its text lives in the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Postmortem {
    /// Its name.
    pub id: PostmortemId,
    /// The incident it is about.
    pub incident: IncidentId,
    /// Its title.
    pub title: String,
    /// Where it is in its life.
    pub status: PostmortemStatus,
    /// File name within the directory of postmortems.
    pub file: String,
    /// The text generated last, by which sections that people touched are told apart.
    pub generated: String,
    /// When it was opened.
    pub opened_at: Time,
}

/// The life of a postmortem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PostmortemStatus {
    /// Being written.
    Draft,
    /// Being talked through.
    InDiscussion,
    /// Done.
    Completed,
    /// Not held after all.
    Declined,
}

/// A meeting in calendars.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meeting {
    /// Its name; also the stem of its `.ics` file.
    pub id: PostmortemId,
    /// iCalendar UID, stable for its life (RFC 5545 §3.8.4.7).
    pub uid: String,
    /// iCalendar SEQUENCE: rises when time or status changes (RFC 5546 §2.1.4).
    pub sequence: u32,
    /// When this revision was made: DTSTAMP.
    pub stamp: Time,
    /// When it starts.
    pub starts_at: Time,
    /// When it ends.
    pub ends_at: Time,
    /// True once called off.
    pub cancelled: bool,
    /// One line.
    pub summary: String,
    /// What to know beforehand.
    pub description: String,
    /// Where to read the draft.
    pub url: String,
    /// Bare address replies go to.
    pub organizer: String,
    /// Who is asked.
    pub attendees: Vec<Attendee>,
}

/// Somebody asked to a meeting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attendee {
    /// Name to show.
    pub name: String,
    /// Bare address.
    pub email: String,
    /// Optional: affected or curious.
    pub optional: bool,
}

/// One thing to do outside, with a key that makes a repeat harmless.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Equal keys are one delivery.
    pub key: String,
    /// Deliveries to one destination go out in order.
    pub destination: String,
    /// What to do.
    pub action: Action,
}

/// What a delivery does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Action {
    /// Bring the file of a postmortem up to date, sparing what people wrote.
    WriteDraft {
        /// Which.
        postmortem: PostmortemId,
        /// File name within the directory of postmortems.
        file: String,
        /// The text generated before; empty at first.
        before: String,
        /// The text generated now.
        text: String,
    },
    /// Write a picture beside the draft, as it is drawn by then.
    WritePicture {
        /// File name within the directory of postmortems.
        file: String,
        /// The incident.
        incident: IncidentId,
        /// What is drawn of it: the name of a condition.
        condition: String,
    },
    /// Visit an address once, by which a subscription is confirmed.
    Confirm {
        /// What is subscribed to.
        topic: String,
        /// The address, which was checked.
        url: String,
    },
    /// Write an invite.
    WriteInvite {
        /// File name within the directory of invites.
        file: String,
        /// iCalendar text.
        text: String,
    },
}
