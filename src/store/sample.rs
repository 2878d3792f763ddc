//! Samples that conditions ask for, as they were scraped or pushed, for as long as anybody looks back at them.

use super::Store;
use super::error::StoreError;
use super::sql::{self, values};
use crate::model::Time;
use crate::model::event::Labels;
use crate::model::sample::Sample;

const NOUN: &str = "sample";

/// Samples that came together.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// Where they stand in the order of their coming, from 1.
    pub position: u64,
    /// The entry of `metrics:` they are from.
    pub metrics: String,
    /// The samples.
    pub samples: Vec<Sample>,
}

/// A sample as it is stored. The value as its bits: JSON knows no not-a-number, and the mark of an end is one.
type Stored = (String, Labels, i64, i64);

impl Store {
    /// Keeps samples; they are durable when this returns.
    ///
    /// # Errors
    /// [`StoreError::Full`] when the disk takes no more; nothing is kept then.
    pub fn add_samples(&self, metrics: &str, samples: &[Sample]) -> Result<(), StoreError> {
        let Some(newest) = samples.iter().map(|sample| sample.at).max() else { return Ok(()) };
        let stored: Vec<(&str, &Labels, i64, i64)> = samples
            .iter()
            .map(|sample| (sample.name.as_str(), &sample.labels, sql::micros(sample.at), sample.value.to_bits().cast_signed()))
            .collect();
        let stored = sql::json(NOUN, &stored)?;
        self.write(NOUN, |at| {
            let next = "update sample_head set next = next + 1 where id = 1 returning next - 1";
            let position: i64 = sql::row(at, NOUN, next, &[], |row| row.get(0))?.unwrap_or_default();
            let text = "insert into sample (position, metrics, newest_at, samples) values ($1, $2, $3, $4)";
            sql::execute(at, NOUN, text, values![position, metrics, sql::micros(newest), stored])?;
            Ok(())
        })
    }

    /// At most `limit` batches after `position`, in order.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn samples_after(&self, position: u64, limit: usize) -> Result<Vec<Batch>, StoreError> {
        let text = "select position, metrics, samples from sample where position > $1 order by position limit $2";
        self.read(NOUN, |at| {
            sql::rows(at, NOUN, text, values![sql::integer(position), sql::integer(limit)], |row| {
                let stored: Vec<Stored> = sql::read_json(row, 2)?;
                let samples = stored.into_iter().map(|(name, labels, at, bits)| {
                    let at = Time::from_timestamp_micros(at).ok_or_else(|| sql::unreadable(2, &at))?;
                    Ok(Sample { name, labels, at, value: f64::from_bits(bits.cast_unsigned()) })
                });
                let samples = samples.collect::<Result<_, StoreError>>()?;
                Ok(Batch { position: sql::read_count(row, 0)?, metrics: row.get(1)?, samples })
            })
        })
    }

    /// Drops batches of which no sample is as new as `before`.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn forget_samples(&self, before: Time) -> Result<(), StoreError> {
        self.write(NOUN, |at| sql::execute(at, NOUN, "delete from sample where newest_at < $1", values![sql::micros(before)]).map(drop))
    }
}
