//! Notices that the settings file or a rule file says something else than before, and reads the settings again.
//!
//! Contents are compared, not times or notices of the system: so an editor that renames, a Kubernetes volume that swaps a symlink, and a
//! disk on the network all count, and so does a new file that a glob of `rules:` names.

use super::{Settings, fingerprint};
use crate::app::App;
use crate::app::sync::lock;
use crate::model::fault::Fault;

/// What the files said when they were last looked at.
#[derive(Debug)]
pub(crate) struct Watched {
    /// What was last read as settings, whether it was sound or not.
    pub(crate) read: String,
    /// What the last look saw.
    pub(crate) seen: String,
}

/// What came of a look.
#[derive(Debug, PartialEq, Eq)]
pub enum Noticed {
    /// The files say what they said.
    Nothing,
    /// They say something else, which is in force now.
    Changed,
    /// They say something else, which has these faults: what was in force stays.
    Faulty(Vec<Fault>),
}

impl Watched {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            read: settings.logged.hash.clone(),
            seen: settings.logged.hash.clone(),
        }
    }
}

impl App {
    /// Looks at the files; what two looks in a row saw alike is read, once. A file that is still being written has changed again by the
    /// second look. Blocks.
    pub fn look(&self) -> Noticed {
        let Some(found) = fingerprint(&self.settings()) else {
            return Noticed::Nothing;
        };
        let due = {
            let mut watched = lock(&self.watched);
            let settled = watched.seen == found;
            let due = settled && watched.read != found;
            watched.seen = found;
            due
        };
        if !due {
            return Noticed::Nothing;
        }
        match self.reload() {
            Ok(()) => Noticed::Changed,
            Err(faults) => Noticed::Faulty(faults),
        }
    }
}
