//! Removal of what is older than the retention: records of the log, bodies, finished deliveries.
//!
//! Each call is one short transaction, so that neither receiving nor judging waits.

use std::collections::BTreeSet;

use chrono::TimeDelta;

use super::error::StoreError;
use super::incident;
use super::sql;
use super::sql::values;
use crate::model::event::Event;
use crate::model::id::EventId;
use crate::model::time::Time;
use crate::store::database::Store;

const NOUN: &str = "retention";
/// Rows read or removed per transaction.
pub(crate) const STEP: usize = 200;

/// A record older than the retention.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ExpiredRecord {
    pub(crate) position: u64,
    pub(crate) logged_at: Time,
    /// The ids of its events.
    pub(crate) events: Vec<EventId>,
}

impl Store {
    /// The first records after `position` that are applied and were logged before `before`, [`STEP`]
    /// at most, without the one of the last alert.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(crate) fn expired_records(
        &self,
        position: u64,
        before: Time,
    ) -> Result<Vec<ExpiredRecord>, StoreError> {
        let text = "select position, logged_at, events from log where position > $1 \
                    and position <= (select applied from head where id = 1) \
                    and position <> (select last_alert from head where id = 1) order by position limit $2";
        let (position, limit) = (sql::integer(position), sql::integer(STEP));
        let first = "select logged_at from log where position > $1 order by position limit 1";
        self.read(NOUN, |at| {
            let oldest = sql::row(at, NOUN, first, values![position], |row| {
                sql::read_time(row, 0)
            })?;
            if oldest.is_none_or(|oldest| oldest >= before) {
                return Ok(Vec::new());
            }
            let mut found = sql::rows(at, NOUN, text, values![position, limit], |row| {
                let events: Vec<Event> = sql::read_json(row, 2)?;
                Ok(ExpiredRecord {
                    position: sql::read_count(row, 0)?,
                    logged_at: sql::read_time(row, 1)?,
                    events: events.iter().map(|event| event.id).collect(),
                })
            })?;
            found.retain(|record| record.logged_at < before);
            Ok(found)
        })
    }

    /// The events logged before `before` that are still in use: those that belong to no incident and
    /// remain in effect (settings, assignments, planned work), and those of incidents that are open or
    /// were closed after `closed_since`.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(crate) fn events_in_use(
        &self,
        before: Time,
        closed_since: Time,
    ) -> Result<BTreeSet<EventId>, StoreError> {
        self.read(NOUN, |at| {
            let mut used = incident::loose_ids(at)?;
            // A sender's clock may be ahead of ours.
            let before = before + TimeDelta::hours(1);
            for incident in incident::unfinished_from_before(at, closed_since, before)? {
                used.extend(incident.members.iter().map(|member| member.event.id));
            }
            Ok(used)
        })
    }

    /// Removes records, given in order, with their bodies and their places in quarantine.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub(crate) fn remove_records(&self, records: &[ExpiredRecord]) -> Result<(), StoreError> {
        let Some(newest) = records.last() else {
            return Ok(());
        };
        let positions: Vec<u64> = records.iter().map(|record| record.position).collect();
        self.write(NOUN, |at| {
            for (first, last) in runs(&positions) {
                for table in ["log", "raw", "quarantine"] {
                    let text =
                        format!("delete from {table} where position >= $1 and position <= $2");
                    sql::execute(
                        at,
                        NOUN,
                        &text,
                        values![sql::integer(first), sql::integer(last)],
                    )?;
                }
            }
            let text = "update log_start set at = $1 where id = 1 and at < $1";
            sql::execute(at, NOUN, text, values![sql::micros(newest.logged_at) + 1]).map(drop)
        })
    }

    /// Removes the bodies after `position` of messages logged before `before`, but for those that wait
    /// in quarantine. Returns the position reached; `None` when there are no more.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub(crate) fn remove_bodies(
        &self,
        position: u64,
        before: Time,
    ) -> Result<Option<u64>, StoreError> {
        let text = "select r.position, l.logged_at, q.state from raw r left join log l on l.position = r.position \
                    left join quarantine q on q.position = r.position where r.position > $1 order by r.position limit $2";
        let mut found = self.read(NOUN, |at| {
            let (position, limit) = (sql::integer(position), sql::integer(STEP));
            sql::rows(at, NOUN, text, values![position, limit], |row| {
                let waits = row.get::<Option<String>>(2)?.as_deref() == Some("open");
                Ok((
                    sql::read_count(row, 0)?,
                    sql::read_time_if_any(row, 1)?,
                    waits,
                ))
            })
        })?;
        found.retain(|(_, logged_at, _)| logged_at.is_none_or(|at| at < before));
        let Some((reached, ..)) = found.last().copied() else {
            return Ok(None);
        };
        let expired: Vec<u64> = found
            .into_iter()
            .filter(|(.., waits)| !waits)
            .map(|(position, ..)| position)
            .collect();
        if !expired.is_empty() {
            self.write(NOUN, |at| {
                let text = "delete from raw where position >= $1 and position <= $2";
                for (first, last) in runs(&expired) {
                    let (first, last) = (sql::integer(first), sql::integer(last));
                    sql::execute(at, NOUN, text, values![first, last])?;
                }
                Ok(())
            })?;
        }
        Ok(Some(reached))
    }

    /// Removes deliveries that ended before `before`, [`STEP`] at most; returns how many.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub(crate) fn remove_ended_deliveries(&self, before: Time) -> Result<usize, StoreError> {
        let ended = "select sequence from delivery where state <> 'pending' and done_at < $1 order by sequence limit $2";
        let found: Vec<i64> = self.read(NOUN, |at| {
            let (before, limit) = (sql::micros(before), sql::integer(STEP));
            sql::rows(at, NOUN, ended, values![before, limit], |row| row.get(0))
        })?;
        if found.is_empty() {
            return Ok(0);
        }
        // One that was refused may have been retried meanwhile.
        let text = "delete from delivery where sequence = $1 and state <> 'pending'";
        self.write(NOUN, |at| {
            for sequence in &found {
                sql::execute(at, NOUN, text, values![*sequence])?;
            }
            Ok(found.len())
        })
    }

    /// The instant from which on the log is whole; `None`: from its beginning.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(crate) fn log_start(&self) -> Result<Option<Time>, StoreError> {
        let text = "select at from log_start where id = 1 and at > 0";
        self.read(NOUN, |at| {
            sql::row(at, NOUN, text, &[], |row| sql::read_time(row, 0))
        })
    }
}

/// Positions, in order, as inclusive ranges of neighbours.
fn runs(positions: &[u64]) -> Vec<(u64, u64)> {
    let mut runs: Vec<(u64, u64)> = Vec::new();
    for &position in positions {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == position => *last = position,
            _ => runs.push((position, position)),
        }
    }
    runs
}
