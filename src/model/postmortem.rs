//! Postmortem records.

use serde::{Deserialize, Serialize};

use super::id::{IncidentId, PostmortemId};
use super::time::Time;

/// A postmortem's record; its text is in the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Postmortem {
    /// Its id.
    pub id: PostmortemId,
    /// The incident it is about.
    pub incident: IncidentId,
    /// Its title.
    pub title: String,
    /// Its status.
    pub status: PostmortemStatus,
    /// File name within the directory of postmortems.
    pub file: String,
    /// The last generated text, used to detect sections that people edited.
    pub generated: String,
    /// Time of opening.
    pub opened_at: Time,
}

/// The status of a postmortem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PostmortemStatus {
    /// Being written.
    Draft,
    /// In discussion.
    InDiscussion,
    /// Completed.
    Completed,
    /// Declined.
    Declined,
}
