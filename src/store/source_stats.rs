//! Source statistics: last activity of each source and hourly counts. Every process adds its own
//! increments.

use super::error::StoreError;
use super::sql;
use super::sql::{SqlRow, values};
use crate::model::time::Time;
use crate::store::database::Store;

const NOUN: &str = "tally";

/// Last activity of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SourceActivity {
    /// Its last message, including repetitions.
    pub last_message: Option<Time>,
    /// Its last message with a new event.
    pub last_event: Option<Time>,
    /// Its last message rejected by authentication.
    pub last_refused: Option<Time>,
    /// Its last message rejected by the rate limit.
    pub last_limited: Option<Time>,
}

/// Counts of a source in one hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HourlyCounts {
    /// Messages accepted.
    pub messages: u64,
    /// New events in them.
    pub events: u64,
    /// Messages rejected by authentication.
    pub refused: u64,
    /// Messages rejected by the rate limit.
    pub limited: u64,
    /// Time of the first message.
    pub first_message: Option<Time>,
    /// Longest silence ended by a message of this hour, in microseconds.
    pub longest: i64,
}

/// Increments for one source: last activity and counts by start of the hour.
pub(crate) type SourceStatsDelta = (String, SourceActivity, Vec<(Time, HourlyCounts)>);

impl Store {
    /// Adds increments and deletes the hours of each of these sources that ended before the time
    /// given with it.
    ///
    /// # Errors
    /// [`StoreError::Full`] when the disk is full.
    pub fn add_source_counts(&self, added: &[(SourceStatsDelta, Time)]) -> Result<(), StoreError> {
        const SEEN: &str = "insert into source_seen (source, last_message, last_event, last_refused, last_limited) values ($1, $2, $3, $4, $5) \
             on conflict (source) do update set \
             last_message = case when excluded.last_message > coalesce(source_seen.last_message, 0) then excluded.last_message else source_seen.last_message end, \
             last_event = case when excluded.last_event > coalesce(source_seen.last_event, 0) then excluded.last_event else source_seen.last_event end, \
             last_refused = case when excluded.last_refused > coalesce(source_seen.last_refused, 0) then excluded.last_refused else source_seen.last_refused end, \
             last_limited = case when excluded.last_limited > coalesce(source_seen.last_limited, 0) then excluded.last_limited else source_seen.last_limited end";
        const HOUR: &str = "insert into source_hour (source, hour, messages, events, refused, limited, first_message, longest) \
             values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict (source, hour) do update set \
             messages = source_hour.messages + excluded.messages, events = source_hour.events + excluded.events, \
             refused = source_hour.refused + excluded.refused, limited = source_hour.limited + excluded.limited, \
             first_message = case when source_hour.first_message is null or excluded.first_message < source_hour.first_message \
             then excluded.first_message else source_hour.first_message end, \
             longest = case when excluded.longest > source_hour.longest then excluded.longest else source_hour.longest end";
        if added.is_empty() {
            return Ok(());
        }
        self.write(NOUN, |at| {
            for ((source, seen, hours), forget) in added {
                let times = [
                    seen.last_message,
                    seen.last_event,
                    seen.last_refused,
                    seen.last_limited,
                ]
                .map(|time| time.map(sql::micros));
                sql::execute(
                    at,
                    NOUN,
                    SEEN,
                    values![source, times[0], times[1], times[2], times[3]],
                )?;
                for (hour, counted) in hours {
                    let first = counted.first_message.map(sql::micros);
                    let counts = [
                        counted.messages,
                        counted.events,
                        counted.refused,
                        counted.limited,
                    ]
                    .map(sql::integer);
                    let [messages, events, refused, limited] = counts;
                    let hour = sql::micros(*hour);
                    sql::execute(
                        at,
                        NOUN,
                        HOUR,
                        values![
                            source,
                            hour,
                            messages,
                            events,
                            refused,
                            limited,
                            first,
                            counted.longest
                        ],
                    )?;
                }
                let old = "delete from source_hour where source = $1 and hour < $2";
                sql::execute(at, NOUN, old, values![source, sql::micros(*forget)])?;
            }
            Ok(())
        })
    }

    /// All statistics, by source.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn source_counts(&self) -> Result<Vec<SourceStatsDelta>, StoreError> {
        let seen = "select source, last_message, last_event, last_refused, last_limited from source_seen order by source";
        let hours = "select source, hour, messages, events, refused, limited, first_message, longest from source_hour order by source, hour";
        self.read(NOUN, |at| {
            let mut all: Vec<SourceStatsDelta> = sql::rows(at, NOUN, seen, &[], |row| {
                let time = |column| sql::read_time_if_any(row, column);
                Ok((
                    row.get(0)?,
                    SourceActivity {
                        last_message: time(1)?,
                        last_event: time(2)?,
                        last_refused: time(3)?,
                        last_limited: time(4)?,
                    },
                    Vec::new(),
                ))
            })?;
            for (source, hour, counted) in sql::rows(at, NOUN, hours, &[], hour)? {
                if let Ok(place) = all.binary_search_by(|(name, ..)| name.as_str().cmp(&source)) {
                    all[place].2.push((hour, counted));
                }
            }
            Ok(all)
        })
    }
}

fn hour(row: &SqlRow<'_>) -> Result<(String, Time, HourlyCounts), StoreError> {
    let counted = HourlyCounts {
        messages: sql::read_count(row, 2)?,
        events: sql::read_count(row, 3)?,
        refused: sql::read_count(row, 4)?,
        limited: sql::read_count(row, 5)?,
        first_message: sql::read_time_if_any(row, 6)?,
        longest: row.get(7)?,
    };
    Ok((row.get(0)?, sql::read_time(row, 1)?, counted))
}
