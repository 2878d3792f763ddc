//! Quarantine: records that could not be read, or that the engine could not take; visible, and passed.

use super::Store;
use super::error::StoreError;
use super::sql::{self, At, values};
use crate::model::Time;

const NOUN: &str = "quarantine";

/// A record in quarantine. [`Store::raw`] has its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantined {
    /// Its position in the log.
    pub position: u64,
    /// When it was logged.
    pub logged_at: Time,
    /// The source's name.
    pub source: String,
    /// What is the matter with it.
    pub fault: String,
}

impl Store {
    /// The newest records in quarantine, newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn quarantined(&self, limit: usize) -> Result<Vec<Quarantined>, StoreError> {
        let text = "select position, logged_at, source, fault from quarantine order by position desc limit $1";
        self.read(NOUN, |at| {
            sql::rows(at, NOUN, text, values![sql::integer(limit)], |row| {
                Ok(Quarantined {
                    position: sql::read_count(row, 0)?,
                    logged_at: sql::read_time(row, 1)?,
                    source: row.get(2)?,
                    fault: row.get(3)?,
                })
            })
        })
    }
}

/// Lists a logged record; a second fault is told beside the first.
pub(super) fn insert(at: &At<'_>, position: u64, fault: &str) -> Result<(), StoreError> {
    let text = "insert into quarantine (position, logged_at, source, fault) \
                select position, logged_at, source, $2 from log where position = $1 \
                on conflict (position) do update set fault = quarantine.fault || '; ' || excluded.fault";
    sql::execute(at, NOUN, text, values![sql::integer(position), fault]).map(drop)
}
