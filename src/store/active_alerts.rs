//! Sights: when a firing alert was last seen, and when its sender's lease ends.

use super::Store;
use super::error::StoreError;
use super::sql;
use super::sql::{At, values};
use crate::model::id::Subject;
use crate::model::time::Time;

const NOUN: &str = "sight";

/// A subject, when it was last seen, and when its lease ends if the sender gives one.
pub(crate) type Sight = (Subject, Time, Option<Time>);

impl Store {
    /// Saves sights; a later sight of the same subject replaces the earlier.
    ///
    /// # Errors
    /// [`StoreError::Full`] when the disk takes no more.
    pub fn save_sights(&self, sights: &[Sight]) -> Result<(), StoreError> {
        let text = "insert into sight (subject, last_seen, lease_end) values ($1, $2, $3) \
                    on conflict (subject) do update set last_seen = excluded.last_seen, lease_end = excluded.lease_end";
        if sights.is_empty() {
            return Ok(());
        }
        self.write(NOUN, |at| {
            for (subject, last_seen, lease_end) in sights {
                sql::execute(
                    at,
                    NOUN,
                    text,
                    values![
                        subject.to_string(),
                        sql::micros(*last_seen),
                        lease_end.map(sql::micros)
                    ],
                )?;
            }
            Ok(())
        })
    }

    /// All sights, by subject.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn sights(&self) -> Result<Vec<Sight>, StoreError> {
        let text = "select subject, last_seen, lease_end from sight order by subject";
        self.read(NOUN, |at| {
            sql::rows(at, NOUN, text, &[], |row| {
                let subject: String = row.get(0)?;
                let subject = subject.parse().map_err(|_| sql::unreadable(0, &subject))?;
                Ok((
                    subject,
                    sql::read_time(row, 1)?,
                    sql::read_time_if_any(row, 2)?,
                ))
            })
        })
    }

    /// Forgets the sights of subjects that no longer fire.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn remove_sights(&self, subjects: &[Subject]) -> Result<(), StoreError> {
        if subjects.is_empty() {
            return Ok(());
        }
        self.write(NOUN, |at| remove(at, subjects))
    }
}

/// Forgets sights within a transaction.
pub(crate) fn remove(at: &At<'_>, subjects: &[Subject]) -> Result<(), StoreError> {
    for subject in subjects {
        sql::execute(
            at,
            NOUN,
            "delete from sight where subject = $1",
            values![subject.to_string()],
        )?;
    }
    Ok(())
}
