//! Postmortem meetings as they appear in calendars.

use serde::{Deserialize, Serialize};

use super::id::PostmortemId;
use super::time::Time;

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
