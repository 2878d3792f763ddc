//! The log: every arrival, in the one order in which it became durable.

use std::collections::BTreeMap;

use rusqlite::{Row, Transaction, params};

use super::Store;
use super::error::StoreError;
use super::{head, quarantine, sql};
use crate::model::Time;
use crate::model::event::{Event, Fact};

const NOUN: &str = "log";

/// An arrival to be appended.
#[derive(Debug, Clone, PartialEq)]
pub struct NewRecord {
    /// The source's name.
    pub source: String,
    /// The bytes as they came; empty when nothing came from outside.
    pub body: Vec<u8>,
    /// What was read from them.
    pub events: Vec<Event>,
    /// What could not be read; such a record is listed in quarantine too.
    pub fault: Option<String>,
}

/// Where and when a record was logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Logged {
    /// Its position; the first is 1, and there are no gaps.
    pub position: u64,
    /// When it was logged; later than every record before it.
    pub logged_at: Time,
}

/// A record of the log.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Its position.
    pub position: u64,
    /// When it was logged.
    pub logged_at: Time,
    /// The source's name.
    pub source: String,
    /// Its events.
    pub events: Vec<Event>,
}

/// What has come from a source so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceStat {
    /// The source's name.
    pub source: String,
    /// Records logged.
    pub records: u64,
    /// Events in them.
    pub events: u64,
    /// Records with a fault.
    pub faults: u64,
    /// Position of its newest record.
    pub last_position: u64,
    /// When that was logged.
    pub last_at: Time,
}

impl Store {
    /// Appends records in one transaction; they are durable when this returns.
    ///
    /// # Errors
    /// [`StoreError::Full`] when the disk takes no more; nothing is kept then.
    pub fn append(&self, records: &[NewRecord], now: Time) -> Result<Vec<Logged>, StoreError> {
        if records.is_empty() {
            return Ok(Vec::new());
        }
        // Before the lock: others may write meanwhile.
        let events: Vec<String> = records.iter().map(|record| sql::json(NOUN, &record.events)).collect::<Result<_, _>>()?;
        self.write(NOUN, |at| {
            let logged = number(at, records, now)?;
            for ((record, events), logged) in records.iter().zip(&events).zip(&logged) {
                insert(at, record, events, *logged)?;
            }
            count(at, records, &logged)?;
            Ok(logged)
        })
    }

    /// At most `limit` records after `position`, in order.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn log_after(&self, position: u64, limit: usize) -> Result<Vec<Record>, StoreError> {
        let text = "select position, logged_at, source, events from log where position > $1 order by position limit $2";
        self.read(NOUN, |at| sql::rows(at, NOUN, text, params![sql::integer(position), sql::integer(limit)], record))
    }

    /// The newest records, newest first; of one source if named.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn log_recent(&self, source: Option<&str>, limit: usize) -> Result<Vec<Record>, StoreError> {
        let limit = sql::integer(limit);
        self.read(NOUN, |at| match source {
            None => {
                let text = "select position, logged_at, source, events from log order by position desc limit $1";
                sql::rows(at, NOUN, text, [limit], record)
            }
            Some(source) => {
                let text = "select position, logged_at, source, events from log where source = $1 order by position desc limit $2";
                sql::rows(at, NOUN, text, params![source, limit], record)
            }
        })
    }

    /// The alert received last, with the record it came in.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn last_alert(&self) -> Result<Option<(Record, Event)>, StoreError> {
        let text = "select position, logged_at, source, events from log where position = (select last_alert from head where id = 1)";
        let found = self.read(NOUN, |at| sql::row(at, NOUN, text, [], record))?;
        Ok(found.and_then(|record| {
            let alert = record.events.iter().rev().find(|event| is_alert(event)).cloned()?;
            Some((record, alert))
        }))
    }

    /// The bytes of an arrival as they came; `None` when there were none or they are no longer kept.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn raw(&self, position: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let text = "select body from raw where position = $1";
        self.read(NOUN, |at| sql::row(at, NOUN, text, [sql::integer(position)], |row| row.get(0)))
    }

    /// What has come from each source, by name.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn source_stats(&self) -> Result<Vec<SourceStat>, StoreError> {
        let text = "select source, records, events, faults, last_position, last_at from source_stat order by source";
        self.read(NOUN, |at| {
            sql::rows(at, NOUN, text, [], |row| {
                Ok(SourceStat {
                    source: row.get(0)?,
                    records: sql::read_count(row, 1)?,
                    events: sql::read_count(row, 2)?,
                    faults: sql::read_count(row, 3)?,
                    last_position: sql::read_count(row, 4)?,
                    last_at: sql::read_time(row, 5)?,
                })
            })
        })
    }
}

fn is_alert(event: &Event) -> bool {
    matches!(event.fact, Fact::Alert(_))
}

fn record(row: &Row<'_>) -> rusqlite::Result<Record> {
    Ok(Record {
        position: sql::read_count(row, 0)?,
        logged_at: sql::read_time(row, 1)?,
        source: row.get(2)?,
        events: sql::read_json(row, 3)?,
    })
}

/// Takes positions and times from the head. The clock never goes back, and no two records share an instant.
fn number(at: &Transaction<'_>, records: &[NewRecord], now: Time) -> Result<Vec<Logged>, StoreError> {
    let text = "update head set next = next + $1, \
                clock = (case when $2 > clock then $2 else clock + 1 end) + $1 - 1, \
                last_alert = case when $3 >= 0 then next + $3 else last_alert end \
                where id = 1 returning next, clock";
    let alert = records.iter().rposition(|record| record.events.iter().any(is_alert)).map_or(-1, sql::integer);
    let count: i64 = sql::integer(records.len());
    let (next, clock): (i64, i64) =
        sql::row(at, NOUN, text, params![count, sql::micros(now), alert], |row| Ok((row.get(0)?, row.get(1)?)))?
            .ok_or_else(head::missing)?;
    (0..count)
        .map(|index| {
            let position = u64::try_from(next - count + index).ok();
            let logged_at = Time::from_timestamp_micros(clock - count + 1 + index);
            position.zip(logged_at).map(|(position, logged_at)| Logged { position, logged_at }).ok_or_else(head::missing)
        })
        .collect()
}

fn insert(at: &Transaction<'_>, record: &NewRecord, events: &str, logged: Logged) -> Result<(), StoreError> {
    let position: i64 = sql::integer(logged.position);
    let text = "insert into log (position, logged_at, source, events) values ($1, $2, $3, $4)";
    sql::execute(at, NOUN, text, params![position, sql::micros(logged.logged_at), record.source, events])?;
    if !record.body.is_empty() {
        sql::execute(at, NOUN, "insert into raw (position, body) values ($1, $2)", params![position, record.body])?;
    }
    if let Some(fault) = &record.fault {
        quarantine::insert(at, logged.position, fault)?;
    }
    Ok(())
}

/// Adds a batch to the counts of its sources, one row a source.
fn count(at: &Transaction<'_>, records: &[NewRecord], logged: &[Logged]) -> Result<(), StoreError> {
    let mut sources: BTreeMap<&str, (i64, i64, i64, Logged)> = BTreeMap::new();
    for (record, logged) in records.iter().zip(logged) {
        let (count, events, faults, last) = sources.entry(&record.source).or_insert((0, 0, 0, *logged));
        *count += 1;
        *events += sql::integer(record.events.len());
        *faults += i64::from(record.fault.is_some());
        *last = *logged;
    }
    let text = "insert into source_stat (source, records, events, faults, last_position, last_at) values ($1, $2, $3, $4, $5, $6) \
                on conflict (source) do update set records = source_stat.records + excluded.records, \
                events = source_stat.events + excluded.events, faults = source_stat.faults + excluded.faults, \
                last_position = excluded.last_position, last_at = excluded.last_at";
    for (source, (count, events, faults, last)) in sources {
        let values = params![source, count, events, faults, sql::integer(last.position), sql::micros(last.logged_at)];
        sql::execute(at, NOUN, text, values)?;
    }
    Ok(())
}
