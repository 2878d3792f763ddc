//! The head row: end of the log, applied position, and the current leader.

use std::collections::BTreeMap;
use std::time::Duration;

use super::error::StoreError;
use super::postgresql;
use super::sql;
use super::sql::{SqlConnection, values};
use crate::model::time::Time;
use crate::store::database::Store;

const NOUN: &str = "head";
/// Duration of a leader's lease without renewal.
pub(crate) const LEASE: Duration = Duration::from_secs(5);
/// Microseconds since 1970 by PostgreSQL's clock, since the clocks of replicas may differ.
pub(crate) const DATABASE_CLOCK: &str = "(extract(epoch from clock_timestamp()) * 1000000)::bigint";

/// The single row that appending and judging go through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogHead {
    /// The next record's position; the first is 1.
    pub next: u64,
    /// All later records are logged after this; 1970 while there is none.
    pub clock: Time,
    /// All later records read the reference clock after this, until it is set back.
    pub clock_at: Time,
    /// The position of the last record applied; 0 before the first.
    pub applied: u64,
    /// Epoch of the current leader.
    pub epoch: u64,
}

/// Counts for metrics and the overview page.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IncidentCounts {
    /// Records ever logged.
    pub records: u64,
    /// Records logged and not yet applied.
    pub waiting: u64,
    /// Records in quarantine.
    pub quarantined: u64,
    /// Incidents by phase: `active`, `resolved`, `closed`.
    pub incidents: BTreeMap<String, u64>,
    /// Incidents by review state: `none`, `suggested`, `snoozed`, `held`, `dismissed`.
    pub standings: BTreeMap<String, u64>,
    /// Postmortems by status.
    pub postmortems: BTreeMap<String, u64>,
    /// Deliveries by state: `pending`, `delivered`, `refused`.
    pub deliveries: BTreeMap<String, u64>,
}

impl Store {
    /// The current head.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn head(&self) -> Result<LogHead, StoreError> {
        self.read(NOUN, head)
    }

    /// Makes the caller the leader and fences all earlier ones. Returns its epoch.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn take_leadership(&self) -> Result<u64, StoreError> {
        let text = "update head set epoch = epoch + 1 where id = 1 returning epoch";
        self.write(NOUN, |at| {
            sql::row(at, NOUN, text, &[], |row| sql::read_count(row, 0))
        })?
        .ok_or_else(missing)
    }

    /// Acquires or renews the leader's lease: returns the caller's epoch, or `None` while another
    /// process leads. `mine` is the epoch held so far.
    ///
    /// A file has one process, which always leads: where another program has raised the epoch, it takes
    /// the lease again. On a shared database the lease lasts [`LEASE`] by the database's clock and is
    /// taken over once it has expired, or lasts longer than any can since that clock was set back. A
    /// former leader that was only
    /// suspended finds its epoch replaced.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn acquire_leader_lease(&self, mine: Option<u64>) -> Result<Option<u64>, StoreError> {
        if !self.is_shared() {
            let held = self.head()?.epoch;
            return match mine.filter(|mine| *mine == held) {
                Some(mine) => Ok(Some(mine)),
                None => self.take_leadership().map(Some),
            };
        }
        let lease = LEASE.as_micros();
        let stay = format!(
            "update head set lease_until = {DATABASE_CLOCK} + $1 where id = 1 and epoch = $2 returning epoch"
        );
        let take = format!(
            "update head set epoch = epoch + 1, lease_until = {DATABASE_CLOCK} + $1 where id = 1 \
             and (lease_until < {DATABASE_CLOCK} or lease_until > {DATABASE_CLOCK} + $1) returning epoch"
        );
        self.write(NOUN, |at| {
            let epoch = |row: &sql::SqlRow<'_>| sql::read_count(row, 0);
            if let Some(mine) = mine
                && let Some(held) = sql::row(
                    at,
                    NOUN,
                    &stay,
                    values![sql::integer(lease), sql::integer(mine)],
                    epoch,
                )?
            {
                return Ok(Some(held));
            }
            sql::row(at, NOUN, &take, values![sql::integer(lease)], epoch)
        })
    }

    /// Releases the lease at once, so that a successor need not wait for its expiry.
    ///
    /// # Errors
    /// When the database cannot be written; the lease then expires by itself.
    pub fn release_leader_lease(&self, mine: u64) -> Result<(), StoreError> {
        let text = "update head set lease_until = 0 where id = 1 and epoch = $1";
        self.write(NOUN, |at| {
            sql::execute(at, NOUN, text, values![sql::integer(mine)])?;
            postgresql::notify(at)
        })
    }

    /// Makes all later records be decided at `end` or after it: an append that read its clock before
    /// `end` and is not committed yet then cannot join a window that is being judged. Returns the
    /// newest position.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn end_window(&self, end: Time) -> Result<u64, StoreError> {
        let text = "update head set clock_at = case when clock_at < $1 then $1 else clock_at end where id = 1 \
                    returning next";
        self.write(NOUN, |at| {
            // The next record reads the clock at least a microsecond after this.
            let last = sql::micros(end) - 1;
            sql::row(at, NOUN, text, values![last], |row| sql::read_count(row, 0))
        })?
        .map(|next| next - 1)
        .ok_or_else(missing)
    }

    /// Counts of records, incidents, postmortems and deliveries.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn counts(&self) -> Result<IncidentCounts, StoreError> {
        self.read(NOUN, |at| {
            let by = |text| -> Result<BTreeMap<String, u64>, StoreError> {
                Ok(sql::rows(at, NOUN, text, &[], |row| {
                    Ok((row.get(0)?, sql::read_count(row, 1)?))
                })?
                .into_iter()
                .collect())
            };
            let head = head(at)?;
            let quarantined = sql::row(
                at,
                NOUN,
                "select count(*) from quarantine where state = 'open'",
                &[],
                |row| sql::read_count(row, 0),
            )?;
            Ok(IncidentCounts {
                records: head.next - 1,
                waiting: (head.next - 1).saturating_sub(head.applied),
                quarantined: quarantined.unwrap_or(0),
                incidents: by("select phase, count(*) from incident group by phase")?,
                standings: by("select standing, count(*) from incident group by standing")?,
                postmortems: by("select status, count(*) from postmortem group by status")?,
                deliveries: by("select state, count(*) from delivery group by state")?,
            })
        })
    }
}

/// The head within a transaction.
pub(crate) fn head(at: &SqlConnection<'_>) -> Result<LogHead, StoreError> {
    sql::row(
        at,
        NOUN,
        "select next, clock, clock_at, applied, epoch from head where id = 1",
        &[],
        |row| {
            Ok(LogHead {
                next: sql::read_count(row, 0)?,
                clock: sql::read_time(row, 1)?,
                clock_at: sql::read_time(row, 2)?,
                applied: sql::read_count(row, 3)?,
                epoch: sql::read_count(row, 4)?,
            })
        },
    )?
    .ok_or_else(missing)
}

pub(crate) fn missing() -> StoreError {
    StoreError::Other(anyhow::anyhow!(
        "the head of the database is missing: restore a back-up"
    ))
}
