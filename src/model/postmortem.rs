//! The record of a postmortem.

use serde::{Deserialize, Serialize};

use super::id::{IncidentId, PostmortemId};
use super::time::Time;

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
