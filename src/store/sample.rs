//! Metric samples for conditions, scraped or pushed, retained for the longest window of any query.

use super::error::StoreError;
use super::sql;
use super::sql::values;
use crate::model::labels::Labels;
use crate::model::sample::Sample;
use crate::model::time::Time;
use crate::store::database::Store;

const NOUN: &str = "sample";

/// Samples received together.
#[derive(Debug, Clone, PartialEq)]
pub struct SampleBatch {
    /// Their position in order of receipt, from 1.
    pub position: u64,
    /// The samples.
    pub samples: Vec<Sample>,
}

/// A stored sample. The value is kept as bits, since JSON has no NaN and the end marker is one.
type SeriesRow = (String, Labels, i64, i64);

impl Store {
    /// Stores samples received at `now`; they are durable when this returns.
    ///
    /// # Errors
    /// [`StoreError::Full`] when the disk is full; nothing is stored then.
    pub fn add_samples(
        &self,
        metrics: &str,
        samples: &[Sample],
        now: Time,
    ) -> Result<(), StoreError> {
        if samples.is_empty() {
            return Ok(());
        }
        let stored: Vec<(&str, &Labels, i64, i64)> = samples
            .iter()
            .map(|sample| {
                (
                    sample.name.as_str(),
                    &sample.labels,
                    sql::micros(sample.at),
                    sample.value.to_bits().cast_signed(),
                )
            })
            .collect();
        let stored = sql::json(NOUN, &stored)?;
        self.write(NOUN, |at| {
            let next = "update sample_head set next = next + 1 where id = 1 returning next - 1";
            let position: i64 =
                sql::row(at, NOUN, next, &[], |row| row.get(0))?.unwrap_or_default();
            let text =
                "insert into sample (position, metrics, came_at, samples) values ($1, $2, $3, $4)";
            sql::execute(
                at,
                NOUN,
                text,
                values![position, metrics, sql::micros(now), stored],
            )?;
            Ok(())
        })
    }

    /// At most `limit` batches of an entry of `metrics:` after `position`, in order.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn samples_after(
        &self,
        metrics: &str,
        position: u64,
        limit: usize,
    ) -> Result<Vec<SampleBatch>, StoreError> {
        let text = "select position, samples from sample where metrics = $1 and position > $2 order by position limit $3";
        self.read(NOUN, |at| {
            sql::rows(
                at,
                NOUN,
                text,
                values![metrics, sql::integer(position), sql::integer(limit)],
                |row| {
                    let stored: Vec<SeriesRow> = sql::read_json(row, 1)?;
                    let samples = stored.into_iter().map(|(name, labels, at, bits)| {
                        let at = Time::from_timestamp_micros(at)
                            .ok_or_else(|| sql::unreadable(1, &at))?;
                        Ok(Sample {
                            name,
                            labels,
                            at,
                            value: f64::from_bits(bits.cast_unsigned()),
                        })
                    });
                    let samples = samples.collect::<Result<_, StoreError>>()?;
                    Ok(SampleBatch {
                        position: sql::read_count(row, 0)?,
                        samples,
                    })
                },
            )
        })
    }

    /// Deletes the batches of an entry received at `since` or later: after a step of the clock their
    /// timestamps and those of later samples do not belong together.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn forget_samples_since(&self, metrics: &str, since: Time) -> Result<(), StoreError> {
        let text = "delete from sample where metrics = $1 and came_at >= $2";
        self.write(NOUN, |at| {
            sql::execute(at, NOUN, text, values![metrics, sql::micros(since)]).map(drop)
        })
    }

    /// Deletes batches received before `before`, whatever the timestamps of their samples.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn forget_samples(&self, before: Time) -> Result<(), StoreError> {
        self.write(NOUN, |at| {
            sql::execute(
                at,
                NOUN,
                "delete from sample where came_at < $1",
                values![sql::micros(before)],
            )
            .map(drop)
        })
    }
}
