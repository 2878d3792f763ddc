//! Deliveries: a queue of outbound actions, ordered per destination, with their results.

use std::time::Duration;

use super::error::StoreError;
use super::sql;
use super::sql::{SqlConnection, SqlRow, values};
use super::{head, postgresql};
use crate::model::delivery::Delivery;
use crate::model::time::Time;
use crate::store::database::Store;

const NOUN: &str = "delivery";
/// Time a process has to perform a claimed delivery. After it, the process counts as gone.
pub(crate) const CLAIM: Duration = Duration::from_secs(60);

/// A delivery that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueDelivery {
    /// Its key.
    pub key: String,
    /// The action.
    pub delivery: Delivery,
    /// Number of earlier attempts.
    pub attempts: u32,
}

/// States of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryState {
    /// To be performed or retried.
    Pending,
    /// Done.
    Delivered,
    /// Failed for good: a retry would not help.
    Refused,
}

/// A delivery with its state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryRow {
    /// The delivery.
    pub delivery: Delivery,
    /// Its state.
    pub state: DeliveryState,
    /// Number of failed attempts.
    pub attempts: u32,
    /// Time of the next attempt, while pending.
    pub next_at: Time,
    /// Error of the last attempt.
    pub error: Option<String>,
    /// Time of creation.
    pub created_at: Time,
    /// Time of success or refusal.
    pub done_at: Option<Time>,
}

/// A delivery in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ListedDelivery {
    /// Its number, which only rises.
    pub(crate) sequence: u64,
    pub(crate) key: String,
    pub(crate) destination: String,
    /// `pending`, `delivered` or `refused`.
    pub(crate) state: String,
    /// Number of failed attempts.
    pub(crate) attempts: u32,
    /// Error of the last attempt.
    pub(crate) error: Option<String>,
}

impl Store {
    /// Claims due deliveries for [`CLAIM`], oldest first. Of each destination only the oldest
    /// unfinished one is claimed, so that a later one never overtakes it. No other process gets a
    /// claimed delivery meanwhile.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn claim_deliveries(
        &self,
        now: Time,
        limit: usize,
    ) -> Result<Vec<DueDelivery>, StoreError> {
        let clock = if self.is_shared() {
            head::DATABASE_CLOCK
        } else {
            "$1"
        };
        let text = format!(
            "update delivery set claimed_until = {clock} + $2 where sequence in (select sequence from delivery \
             where sequence in (select min(sequence) from delivery where state = 'pending' group by destination) \
             and state = 'pending' and next_at <= $1 and claimed_until <= {clock} order by sequence limit $3 {}) \
             returning key, destination, action, attempts, sequence",
            sql::SKIP_LOCKED
        );
        if self.next_delivery_at()?.is_none_or(|next| next > now) {
            return Ok(Vec::new());
        }
        let mut due = self.write(NOUN, |at| {
            let claim = sql::integer(CLAIM.as_micros());
            sql::rows(
                at,
                NOUN,
                &text,
                values![sql::micros(now), claim, sql::integer(limit)],
                |row| {
                    let delivery = delivery(row)?;
                    Ok((
                        sql::read_count(row, 4)?,
                        DueDelivery {
                            key: delivery.key.clone(),
                            delivery,
                            attempts: row.get(3)?,
                        },
                    ))
                },
            )
        })?;
        due.sort_by_key(|(sequence, _)| *sequence);
        Ok(due.into_iter().map(|(_, due)| due).collect())
    }

    /// Releases all claims, left over from a process that has ended. Only its single successor may
    /// call this.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn release_deliveries(&self) -> Result<(), StoreError> {
        self.write(NOUN, |at| {
            sql::execute(
                at,
                NOUN,
                "update delivery set claimed_until = 0 where claimed_until > 0",
                &[],
            )
        })
        .map(drop)
    }

    /// Queues a refused delivery again; `false` when there is no refused one with this key.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn retry_refused_delivery(&self, key: &str, now: Time) -> Result<bool, StoreError> {
        let text = "update delivery set state = 'pending', attempts = 0, next_at = $2, done_at = null, claimed_until = 0 \
                    where key = $1 and state = 'refused'";
        let tried = self.write(NOUN, |at| {
            let tried = sql::execute(at, NOUN, text, values![key, sql::micros(now)])?;
            postgresql::notify(at)?;
            Ok(tried)
        })?;
        Ok(tried > 0)
    }

    /// Time at which the next delivery is due; `None` when none is pending.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn next_delivery_at(&self) -> Result<Option<Time>, StoreError> {
        let text = "select min(next_at) from delivery \
                    where sequence in (select min(sequence) from delivery where state = 'pending' group by destination)";
        Ok(self
            .read(NOUN, |at| {
                sql::row(at, NOUN, text, &[], |row| sql::read_time_if_any(row, 0))
            })?
            .flatten())
    }

    /// Records that a delivery succeeded.
    ///
    /// # Errors
    /// When the database cannot be written; the delivery is then performed again, which its key makes harmless.
    pub fn mark_delivered(&self, key: &str, now: Time) -> Result<(), StoreError> {
        let text = "update delivery set state = 'delivered', done_at = $2, error = null where key = $1 and state = 'pending'";
        self.write(NOUN, |at| {
            sql::execute(at, NOUN, text, values![key, sql::micros(now)])
        })
        .map(drop)
    }

    /// Records a failed attempt and the time of the next one.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn reschedule_delivery(
        &self,
        key: &str,
        next_at: Time,
        error: &str,
    ) -> Result<(), StoreError> {
        let text = "update delivery set attempts = attempts + 1, next_at = $2, error = $3, claimed_until = 0 where key = $1 and state = 'pending'";
        self.write(NOUN, |at| {
            sql::execute(at, NOUN, text, values![key, sql::micros(next_at), error])
        })
        .map(drop)
    }

    /// Records that a delivery failed for good; the next one for its destination follows.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn mark_refused(&self, key: &str, error: &str, now: Time) -> Result<(), StoreError> {
        let text = "update delivery set state = 'refused', attempts = attempts + 1, done_at = $2, error = $3 \
                    where key = $1 and state = 'pending'";
        self.write(NOUN, |at| {
            sql::execute(at, NOUN, text, values![key, sql::micros(now), error])
        })
        .map(drop)
    }

    /// Deliveries as a list shows them, without what they do: newest first, those before `before`.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(crate) fn list_deliveries(
        &self,
        before: u64,
        limit: usize,
    ) -> Result<Vec<ListedDelivery>, StoreError> {
        let text = "select sequence, key, destination, state, attempts, error from delivery where sequence < $1 \
                    order by sequence desc limit $2";
        self.read(NOUN, |at| {
            let (before, limit) = (sql::integer(before), sql::integer(limit));
            sql::rows(at, NOUN, text, values![before, limit], |row| {
                Ok(ListedDelivery {
                    sequence: sql::read_count(row, 0)?,
                    key: row.get(1)?,
                    destination: row.get(2)?,
                    state: row.get(3)?,
                    attempts: row.get(4)?,
                    error: row.get(5)?,
                })
            })
        })
    }

    /// The newest deliveries, newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn deliveries(&self, limit: usize) -> Result<Vec<DeliveryRow>, StoreError> {
        let text = "select key, destination, action, attempts, state, next_at, error, created_at, done_at from delivery \
                    order by sequence desc limit $1";
        self.read(NOUN, |at| {
            sql::rows(at, NOUN, text, values![sql::integer(limit)], |row| {
                Ok(DeliveryRow {
                    delivery: delivery(row)?,
                    attempts: row.get(3)?,
                    state: state(&row.get::<String>(4)?),
                    next_at: sql::read_time(row, 5)?,
                    error: row.get(6)?,
                    created_at: sql::read_time(row, 7)?,
                    done_at: sql::read_time_if_any(row, 8)?,
                })
            })
        })
    }
}

impl Store {
    /// Adds a delivery that belongs to no incident, due at once. An existing key is left unchanged.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn add_delivery(&self, delivery: &Delivery, now: Time) -> Result<(), StoreError> {
        self.write(NOUN, |at| {
            insert(at, delivery, now)?;
            postgresql::notify(at)
        })
    }
}

/// Adds a delivery, due at once. An existing key is left unchanged. Pending deliveries with the
/// same action are superseded.
pub(crate) fn insert(
    at: &SqlConnection<'_>,
    delivery: &Delivery,
    now: Time,
) -> Result<(), StoreError> {
    // A claimed delivery stays: it may have read its input before this one was created.
    let same = "delete from delivery where state = 'pending' and destination = $1 and action = $2 and key <> $3 and claimed_until = 0";
    let text = "insert into delivery (key, destination, action, state, attempts, next_at, created_at) \
                values ($1, $2, $3, 'pending', 0, $4, $4) on conflict (key) do nothing";
    let action = sql::json(NOUN, &delivery.action)?;
    sql::execute(
        at,
        NOUN,
        same,
        values![delivery.destination, action, delivery.key],
    )?;
    sql::execute(
        at,
        NOUN,
        text,
        values![delivery.key, delivery.destination, action, sql::micros(now)],
    )
    .map(drop)
}

/// The table's check constraint admits only these three words.
fn state(word: &str) -> DeliveryState {
    match word {
        "delivered" => DeliveryState::Delivered,
        "refused" => DeliveryState::Refused,
        _ => DeliveryState::Pending,
    }
}

fn delivery(row: &SqlRow<'_>) -> Result<Delivery, StoreError> {
    Ok(Delivery {
        key: row.get(0)?,
        destination: row.get(1)?,
        action: sql::read_json(row, 2)?,
    })
}
