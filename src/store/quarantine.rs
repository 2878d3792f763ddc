//! Quarantine: records that could not be parsed or applied, with their original bytes, until a
//! person reprocesses or dismisses them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::error::StoreError;
use super::sql;
use super::sql::{SqlConnection, SqlRow, values};
use crate::model::time::Time;
use crate::store::database::Store;

const NOUN: &str = "quarantine";

/// A record in quarantine. [`Store::raw`] returns its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuarantineEntry {
    /// Its position in the log.
    pub position: u64,
    /// Time of logging.
    pub logged_at: Time,
    /// The source's name.
    pub source: String,
    /// Its fault.
    pub fault: String,
    /// Its state.
    pub state: QuarantineState,
    /// True when it was parsed and the engine rejected it.
    pub passed: bool,
    /// Time of the last reprocessing or of the dismissal.
    pub tried_at: Option<Time>,
    /// The record with the new events from reprocessing, if there were any.
    pub mended_by: Option<u64>,
}

/// States of a quarantined record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuarantineState {
    /// Open.
    Open,
    /// Parsed by reprocessing.
    Mended,
    /// Dismissed by a person.
    Dismissed,
}

/// Filter for quarantined records.
#[derive(Debug, Clone, Copy, Default)]
pub struct QuarantineFilter<'a> {
    /// Only of this source.
    pub source: Option<&'a str>,
    /// Only open ones.
    pub open_only: bool,
    /// Oldest first instead of newest first.
    pub oldest_first: bool,
    /// Newest first: only those before this position.
    pub before: Option<u64>,
    /// Maximum number.
    pub limit: usize,
}

/// A source's open records in quarantine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuarantineBacklog {
    /// Number of records.
    pub count: u64,
    /// Logging time of the newest.
    pub last_at: Time,
    /// Its fault.
    pub last_fault: String,
}

const COLUMNS: &str = "position, logged_at, source, fault, state, passed, tried_at, mended_by";

impl Store {
    /// Records in quarantine.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn quarantined(
        &self,
        filter: QuarantineFilter<'_>,
    ) -> Result<Vec<QuarantineEntry>, StoreError> {
        let order = if filter.oldest_first { "asc" } else { "desc" };
        let text = format!(
            "select {COLUMNS} from quarantine where ($1 = '' or source = $1) and ($2 = 0 or state = 'open') and position < $4 \
             order by position {order} limit $3"
        );
        let (source, open_only, limit, before) = (
            filter.source.unwrap_or_default(),
            i64::from(filter.open_only),
            sql::integer(filter.limit),
            filter.before.map_or(i64::MAX, sql::integer),
        );
        self.read(NOUN, |at| {
            sql::rows(
                at,
                NOUN,
                &text,
                values![source, open_only, limit, before],
                quarantined,
            )
        })
    }

    /// One record in quarantine.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn quarantined_at(&self, position: u64) -> Result<Option<QuarantineEntry>, StoreError> {
        let text = format!("select {COLUMNS} from quarantine where position = $1");
        self.read(NOUN, |at| {
            sql::row(
                at,
                NOUN,
                &text,
                values![sql::integer(position)],
                quarantined,
            )
        })
    }

    /// Open records in quarantine by source.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn quarantine_by_source(&self) -> Result<BTreeMap<String, QuarantineBacklog>, StoreError> {
        let text = "select q.source, n.waiting, q.logged_at, q.fault from quarantine q join \
                    (select source, count(*) as waiting, max(position) as newest from quarantine where state = 'open' group by source) n \
                    on q.position = n.newest";
        let read = |row: &SqlRow<'_>| {
            let waiting = QuarantineBacklog {
                count: sql::read_count(row, 1)?,
                last_at: sql::read_time(row, 2)?,
                last_fault: row.get(3)?,
            };
            Ok((row.get(0)?, waiting))
        };
        Ok(self
            .read(NOUN, |at| sql::rows(at, NOUN, text, &[], read))?
            .into_iter()
            .collect())
    }

    /// Marks a record as reprocessed; `mended_by` is the record with its new events. `false` when
    /// it is not open.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn mark_reprocessed(
        &self,
        position: u64,
        mended_by: Option<u64>,
        now: Time,
    ) -> Result<bool, StoreError> {
        let text = "update quarantine set state = 'mended', tried_at = $2, mended_by = $3 where position = $1 and state <> 'mended'";
        let (position, now, mended_by) = (
            sql::integer(position),
            sql::micros(now),
            mended_by.map(sql::integer),
        );
        Ok(self.write(NOUN, |at| {
            sql::execute(at, NOUN, text, values![position, now, mended_by])
        })? > 0)
    }

    /// Records a failed reprocessing with its fault.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn still_faulty(&self, position: u64, fault: &str, now: Time) -> Result<(), StoreError> {
        let text = "update quarantine set fault = $2, tried_at = $3 where position = $1 and state <> 'mended'";
        self.write(NOUN, |at| {
            sql::execute(
                at,
                NOUN,
                text,
                values![sql::integer(position), fault, sql::micros(now)],
            )
        })
        .map(drop)
    }

    /// Dismisses a record. `false` when it is not open.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn dismiss_quarantined(&self, position: u64, now: Time) -> Result<bool, StoreError> {
        let text = "update quarantine set state = 'dismissed', tried_at = $2 where position = $1 and state = 'open'";
        Ok(self.write(NOUN, |at| {
            sql::execute(
                at,
                NOUN,
                text,
                values![sql::integer(position), sql::micros(now)],
            )
        })? > 0)
    }
}

fn quarantined(row: &SqlRow<'_>) -> Result<QuarantineEntry, StoreError> {
    let state: String = row.get(4)?;
    Ok(QuarantineEntry {
        position: sql::read_count(row, 0)?,
        logged_at: sql::read_time(row, 1)?,
        source: row.get(2)?,
        fault: row.get(3)?,
        state: match state.as_str() {
            "open" => QuarantineState::Open,
            "mended" => QuarantineState::Mended,
            "dismissed" => QuarantineState::Dismissed,
            other => return Err(sql::unreadable(4, &other)),
        },
        passed: row.get::<i64>(5)? != 0,
        tried_at: sql::read_time_if_any(row, 6)?,
        mended_by: row
            .get::<Option<i64>>(7)?
            .and_then(|position| u64::try_from(position).ok()),
    })
}

/// Quarantines a logged record; a second fault is appended to the first. `passed` is true when the
/// engine rejected it.
pub(crate) fn insert(
    at: &SqlConnection<'_>,
    position: u64,
    fault: &str,
    passed: bool,
) -> Result<(), StoreError> {
    let text = "insert into quarantine (position, logged_at, source, fault, passed) \
                select position, coalesce(clock_at, logged_at), source, $2, cast($3 as bigint) from log where position = $1 \
                on conflict (position) do update set fault = quarantine.fault || '; ' || excluded.fault, \
                passed = case when excluded.passed > quarantine.passed then excluded.passed else quarantine.passed end, state = 'open'";
    sql::execute(
        at,
        NOUN,
        text,
        values![sql::integer(position), fault, i64::from(passed)],
    )
    .map(drop)
}
