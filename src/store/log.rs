//! The log: all received messages in the order in which they became durable.

use std::collections::BTreeMap;

use super::error::StoreError;
use super::sql;
use super::sql::{SqlConnection, SqlRow, SqlValue, values};
use super::{head, postgresql, quarantine};
use crate::model::event::{Event, Fact};
use crate::model::time::Time;
use crate::store::database::Store;

const NOUN: &str = "log";

/// A record to append.
#[derive(Debug, Clone, PartialEq)]
pub struct NewRecord {
    /// The source's name.
    pub source: String,
    /// The bytes received; empty when the record has no external message.
    pub body: Vec<u8>,
    /// The parsed events.
    pub events: Vec<Event>,
    /// The fault of a message that could not be parsed; such a record is quarantined, too.
    pub fault: Option<String>,
    /// Context of the message needed to parse it again.
    pub beside: MessageContext,
}

/// Context of a received message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MessageContext {
    /// Header names, in lower case, with values. Never credentials or signatures.
    pub headers: Vec<(String, String)>,
    /// Time of receipt.
    pub came_at: Option<Time>,
}

/// A message as received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawMessage {
    /// Its bytes.
    pub body: Vec<u8>,
    /// Its context.
    pub beside: MessageContext,
}

/// Position and time of a logged record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogPosition {
    /// Its position; the first is 1, and there are no gaps.
    pub position: u64,
    /// Time of logging; later than that of every record before it.
    pub logged_at: Time,
}

/// A record of the log.
#[derive(Debug, Clone, PartialEq)]
pub struct LogRecord {
    /// Its position.
    pub position: u64,
    /// Time of logging.
    pub logged_at: Time,
    /// The reference clock at that moment. Decisions go by it: while the clock has been set back it is
    /// behind `logged_at`, which only rises.
    pub clock_at: Time,
    /// The source's name.
    pub source: String,
    /// Its events.
    pub events: Vec<Event>,
}

/// Totals for one source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceStat {
    /// The source's name.
    pub source: String,
    /// Number of records.
    pub records: u64,
    /// Number of events in them.
    pub events: u64,
    /// Number of records with a fault.
    pub faults: u64,
    /// Position of its newest record.
    pub last_position: u64,
    /// Its time of logging.
    pub last_at: Time,
}

impl Store {
    /// Appends records in one transaction; they are durable when this returns.
    ///
    /// # Errors
    /// [`StoreError::Full`] when the disk is full; nothing is stored then.
    pub fn append(&self, records: &[NewRecord], now: Time) -> Result<Vec<LogPosition>, StoreError> {
        self.append_as(None, records, now)
    }

    /// Appends a leader's own facts, only while it leads.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] when another leader has taken over, and as for [`Store::append`].
    pub fn append_as(
        &self,
        epoch: Option<u64>,
        records: &[NewRecord],
        now: Time,
    ) -> Result<Vec<LogPosition>, StoreError> {
        if records.is_empty() {
            return Ok(Vec::new());
        }
        // Serialised before the lock is taken, so that others can write meanwhile.
        let events = events_as_json(records)?;
        self.write(NOUN, |at| append(at, epoch, records, &events, now))
    }

    /// At most `limit` records after `position`, in order.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn log_after(&self, position: u64, limit: usize) -> Result<Vec<LogRecord>, StoreError> {
        let text = "select position, logged_at, source, events, clock_at from log where position > $1 order by position limit $2";
        self.read(NOUN, |at| {
            sql::rows(
                at,
                NOUN,
                text,
                values![sql::integer(position), sql::integer(limit)],
                record,
            )
        })
    }

    /// Number of events in the records after `position`.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(crate) fn events_after(&self, position: u64) -> Result<u64, StoreError> {
        let length = if self.is_shared() {
            "jsonb_array_length(events::jsonb)"
        } else {
            "json_array_length(events)"
        };
        let text = format!(
            "select cast(coalesce(sum({length}), 0) as bigint) from log where position > $1"
        );
        self.read(NOUN, |at| {
            sql::row(at, NOUN, &text, values![sql::integer(position)], |row| {
                sql::read_count(row, 0)
            })
        })
        .map(Option::unwrap_or_default)
    }

    /// The last alert received, with its record.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn last_alert(&self) -> Result<Option<(LogRecord, Event)>, StoreError> {
        let text = "select position, logged_at, source, events, clock_at from log where position = (select last_alert from head where id = 1)";
        let found = self.read(NOUN, |at| sql::row(at, NOUN, text, &[], record))?;
        Ok(found.and_then(|record| {
            let alert = record
                .events
                .iter()
                .rev()
                .find(|event| is_alert(event))
                .cloned()?;
            Some((record, alert))
        }))
    }

    /// A message as received; `None` when there were no bytes or they have expired.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn raw(&self, position: u64) -> Result<Option<RawMessage>, StoreError> {
        let text = "select body, headers, came_at from raw where position = $1";
        self.read(NOUN, |at| {
            sql::row(at, NOUN, text, values![sql::integer(position)], |row| {
                let beside = MessageContext {
                    headers: sql::read_json(row, 1)?,
                    came_at: sql::read_time_if_any(row, 2)?,
                };
                Ok(RawMessage {
                    body: row.get(0)?,
                    beside,
                })
            })
        })
    }

    /// One record.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn record(&self, position: u64) -> Result<Option<LogRecord>, StoreError> {
        let text =
            "select position, logged_at, source, events, clock_at from log where position = $1";
        self.read(NOUN, |at| {
            sql::row(at, NOUN, text, values![sql::integer(position)], record)
        })
    }

    /// Totals by source, by name.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn source_stats(&self) -> Result<Vec<SourceStat>, StoreError> {
        let text = "select source, records, events, faults, last_position, last_at from source_stat order by source";
        self.read(NOUN, |at| {
            sql::rows(at, NOUN, text, &[], |row| {
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

/// The events of records as JSON.
pub(crate) fn events_as_json(records: &[NewRecord]) -> Result<Vec<String>, StoreError> {
    records
        .iter()
        .map(|record| sql::json(NOUN, &record.events))
        .collect()
}

/// Appends records, at least one, within a transaction.
pub(crate) fn append(
    at: &SqlConnection<'_>,
    epoch: Option<u64>,
    records: &[NewRecord],
    events: &[String],
    now: Time,
) -> Result<Vec<LogPosition>, StoreError> {
    let logged = number(at, epoch, records, now)?;
    insert(at, records, events, &logged)?;
    count(at, records, &logged)?;
    postgresql::notify(at)?;
    Ok(logged.into_iter().map(|(position, _)| position).collect())
}

fn is_alert(event: &Event) -> bool {
    matches!(event.fact, Fact::Alert(_))
}

fn record(row: &SqlRow<'_>) -> Result<LogRecord, StoreError> {
    let logged_at = sql::read_time(row, 1)?;
    Ok(LogRecord {
        position: sql::read_count(row, 0)?,
        logged_at,
        clock_at: sql::read_time_if_any(row, 4)?.unwrap_or(logged_at),
        source: row.get(2)?,
        events: sql::read_json(row, 3)?,
    })
}

/// Assigns positions and times from the head, and gives with each the reference clock. Neither goes
/// back, and no two records share a time; only a logged step takes the clock back.
fn number(
    at: &SqlConnection<'_>,
    epoch: Option<u64>,
    records: &[NewRecord],
    now: Time,
) -> Result<Vec<(LogPosition, Time)>, StoreError> {
    let text = "update head set next = next + $1, \
                clock_at = (case when $2 > clock_at then $2 else clock_at + 1 end) + $1 - 1, \
                clock = (case when $2 > clock and $2 > clock_at then $2 \
                              when clock_at > clock then clock_at + 1 else clock + 1 end) + $1 - 1, \
                last_alert = case when $3 >= 0 then next + $3 else last_alert end \
                where id = 1 and ($4 < 0 or epoch = $4) returning next, clock, clock_at";
    let alert = records
        .iter()
        .rposition(|record| record.events.iter().any(is_alert))
        .map_or(-1, sql::integer);
    let count: i64 = sql::integer(records.len());
    let (next, clock, clock_at): (i64, i64, i64) = sql::row(
        at,
        NOUN,
        text,
        values![
            count,
            sql::micros(now),
            alert,
            epoch.map_or(-1, sql::integer)
        ],
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
    )?
    .ok_or(if epoch.is_some() {
        StoreError::Fenced
    } else {
        head::missing()
    })?;
    (0..count)
        .map(|index| {
            let position = u64::try_from(next - count + index).ok();
            let logged_at = Time::from_timestamp_micros(clock - count + 1 + index);
            position
                .zip(logged_at)
                .map(|(position, logged_at)| LogPosition {
                    position,
                    logged_at,
                })
                .zip(Time::from_timestamp_micros(clock_at - count + 1 + index))
                .ok_or_else(head::missing)
        })
        .collect()
}

fn insert(
    at: &SqlConnection<'_>,
    records: &[NewRecord],
    events: &[String],
    logged: &[(LogPosition, Time)],
) -> Result<(), StoreError> {
    let (mut log, mut raw) = (
        Vec::with_capacity(5 * records.len()),
        Vec::with_capacity(4 * records.len()),
    );
    let beside: Vec<String> = records
        .iter()
        .map(|record| sql::json(NOUN, &record.beside.headers))
        .collect::<Result<_, _>>()?;
    for (((record, events), beside), (logged, clock_at)) in
        records.iter().zip(events).zip(&beside).zip(logged)
    {
        let position = SqlValue::Integer(sql::integer(logged.position));
        log.extend([
            position,
            SqlValue::Integer(sql::micros(logged.logged_at)),
            SqlValue::Text(&record.source),
            SqlValue::Text(events),
            if *clock_at == logged.logged_at {
                SqlValue::Null
            } else {
                SqlValue::Integer(sql::micros(*clock_at))
            },
        ]);
        // An empty message is a message, too, and one that cannot be parsed.
        if !record.body.is_empty() || record.fault.is_some() {
            let came_at = record
                .beside
                .came_at
                .map_or(SqlValue::Null, |at| SqlValue::Integer(sql::micros(at)));
            raw.extend([
                position,
                SqlValue::Bytes(&record.body),
                SqlValue::Text(beside),
                came_at,
            ]);
        }
    }
    sql::insert(
        at,
        NOUN,
        "insert into log (position, logged_at, source, events, clock_at)",
        5,
        &log,
        "",
    )?;
    sql::insert(
        at,
        NOUN,
        "insert into raw (position, body, headers, came_at)",
        4,
        &raw,
        "",
    )?;
    for (record, (logged, _)) in records.iter().zip(logged) {
        if let Some(fault) = &record.fault {
            quarantine::insert(at, logged.position, fault, false)?;
        }
    }
    Ok(())
}

/// Adds a batch to the totals of its sources, one row per source.
fn count(
    at: &SqlConnection<'_>,
    records: &[NewRecord],
    logged: &[(LogPosition, Time)],
) -> Result<(), StoreError> {
    struct Totals {
        records: i64,
        events: i64,
        faults: i64,
        last: (LogPosition, Time),
    }
    let mut sources: BTreeMap<&str, Totals> = BTreeMap::new();
    for (record, logged) in records.iter().zip(logged) {
        let totals = sources.entry(&record.source).or_insert(Totals {
            records: 0,
            events: 0,
            faults: 0,
            last: *logged,
        });
        totals.records += 1;
        totals.events += sql::integer(record.events.len());
        totals.faults += i64::from(record.fault.is_some());
        totals.last = *logged;
    }
    let text = "insert into source_stat (source, records, events, faults, last_position, last_at) values ($1, $2, $3, $4, $5, $6) \
                on conflict (source) do update set records = source_stat.records + excluded.records, \
                events = source_stat.events + excluded.events, faults = source_stat.faults + excluded.faults, \
                last_position = excluded.last_position, last_at = excluded.last_at";
    for (source, totals) in sources {
        let (last, clock_at) = totals.last;
        sql::execute(
            at,
            NOUN,
            text,
            values![
                source,
                totals.records,
                totals.events,
                totals.faults,
                sql::integer(last.position),
                sql::micros(clock_at)
            ],
        )?;
    }
    Ok(())
}
