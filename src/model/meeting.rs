//! Postmortem meetings as they appear in calendars.

use serde::{Deserialize, Serialize};

use super::id::PostmortemId;
use super::time::Time;

/// A meeting as a calendar event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meeting {
    /// Its id; also the stem of its `.ics` file.
    pub id: PostmortemId,
    /// iCalendar UID, stable for its life (RFC 5545 §3.8.4.7).
    pub uid: String,
    /// iCalendar SEQUENCE: increases when time or status changes (RFC 5546 §2.1.4).
    pub sequence: u32,
    /// DTSTAMP: creation time of this revision.
    pub stamp: Time,
    /// Start.
    pub starts_at: Time,
    /// End.
    pub ends_at: Time,
    /// True when cancelled.
    pub cancelled: bool,
    /// Summary in one line.
    pub summary: String,
    /// Agenda and context.
    pub description: String,
    /// Address of the draft.
    pub url: String,
    /// Bare address for replies.
    pub organizer: String,
    /// The invited people.
    pub attendees: Vec<Attendee>,
}

/// An invited person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attendee {
    /// Display name.
    pub name: String,
    /// Bare address.
    pub email: String,
    /// True when their attendance is optional.
    pub optional: bool,
}
