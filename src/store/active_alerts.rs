//! Active alerts: firing alerts with the time of their last report and the end of their lease.

use super::error::StoreError;
use super::sql;
use super::sql::values;
use crate::model::id::Subject;
use crate::model::time::Time;
use crate::store::database::Store;

const NOUN: &str = "active_alert";

/// A firing alert as stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ActiveAlert {
    pub(crate) subject: Subject,
    pub(crate) last_seen: Time,
    /// `None` where the sender gives no lease.
    pub(crate) lease_end: Option<Time>,
}

impl Store {
    /// Removes the alerts that have `ended`, then saves those that are `firing` over earlier rows
    /// of the same subjects.
    ///
    /// # Errors
    /// [`StoreError::Full`] when the disk is full.
    pub(crate) fn save_active_alerts(
        &self,
        firing: &[ActiveAlert],
        ended: &[Subject],
    ) -> Result<(), StoreError> {
        if firing.is_empty() && ended.is_empty() {
            return Ok(());
        }
        let delete = "delete from active_alert where subject = $1";
        let insert = "insert into active_alert (subject, last_seen, lease_end) values ($1, $2, $3) \
                      on conflict (subject) do update set last_seen = excluded.last_seen, lease_end = excluded.lease_end";
        self.write(NOUN, |at| {
            for subject in ended {
                sql::execute(at, NOUN, delete, values![subject.to_string()])?;
            }
            for alert in firing {
                sql::execute(
                    at,
                    NOUN,
                    insert,
                    values![
                        alert.subject.to_string(),
                        sql::micros(alert.last_seen),
                        alert.lease_end.map(sql::micros)
                    ],
                )?;
            }
            Ok(())
        })
    }

    /// All active alerts, by subject.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(crate) fn active_alerts(&self) -> Result<Vec<ActiveAlert>, StoreError> {
        let text = "select subject, last_seen, lease_end from active_alert order by subject";
        self.read(NOUN, |at| {
            sql::rows(at, NOUN, text, &[], |row| {
                let subject: String = row.get(0)?;
                Ok(ActiveAlert {
                    subject: subject.parse().map_err(|_| sql::unreadable(0, &subject))?,
                    last_seen: sql::read_time(row, 1)?,
                    lease_end: sql::read_time_if_any(row, 2)?,
                })
            })
        })
    }
}
