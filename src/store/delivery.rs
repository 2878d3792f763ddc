//! Deliveries: what is to be done outside, each destination's in order, and what became of it.

use std::time::Duration;

use super::error::StoreError;
use super::sql;
use super::sql::{SqlConnection, SqlRow, values};
use super::{head, postgresql};
use crate::model::delivery::Delivery;
use crate::model::time::Time;
use crate::store::database::Store;

const NOUN: &str = "delivery";
/// How long a delivery is left to who took it. Past it, whoever took it counts as gone.
pub(crate) const CLAIM: Duration = Duration::from_secs(60);

/// A delivery that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueDelivery {
    /// Its key.
    pub key: String,
    /// What to do.
    pub delivery: Delivery,
    /// How often it was tried before.
    pub attempts: u32,
}

/// Where a delivery is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryState {
    /// To be done, or to be tried again.
    Pending,
    /// Done.
    Delivered,
    /// Trying again makes no sense.
    Refused,
}

/// A delivery with what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryRow {
    /// What to do.
    pub delivery: Delivery,
    /// Where it is in its life.
    pub state: DeliveryState,
    /// How often it was tried and not done.
    pub attempts: u32,
    /// When it is tried next, while pending.
    pub next_at: Time,
    /// Why it was not done the last time.
    pub error: Option<String>,
    /// When it was decided on.
    pub created_at: Time,
    /// When it was done or refused.
    pub done_at: Option<Time>,
}

impl Store {
    /// Takes deliveries to be tried now, oldest first, for as long as [`CLAIM`]: of each destination only the oldest that is not done, so
    /// that a later one never overtakes it. What is taken nobody else takes meanwhile.
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

    /// Lets go of all that is taken: what a process that is no more was at. Only its one successor may.
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

    /// Puts a refused delivery back in its turn; `false` when none of that key is refused.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn try_again(&self, key: &str, now: Time) -> Result<bool, StoreError> {
        let text = "update delivery set state = 'pending', attempts = 0, next_at = $2, done_at = null, claimed_until = 0 \
                    where key = $1 and state = 'refused'";
        let tried = self.write(NOUN, |at| {
            let tried = sql::execute(at, NOUN, text, values![key, sql::micros(now)])?;
            postgresql::tell(at)?;
            Ok(tried)
        })?;
        Ok(tried > 0)
    }

    /// The next instant at which a delivery is due; `None` when all is done.
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

    /// Notes that a delivery is done.
    ///
    /// # Errors
    /// When the database cannot be written; the delivery is then performed again, which its key makes harmless.
    pub fn delivered(&self, key: &str, now: Time) -> Result<(), StoreError> {
        let text = "update delivery set state = 'delivered', done_at = $2, error = null where key = $1 and state = 'pending'";
        self.write(NOUN, |at| {
            sql::execute(at, NOUN, text, values![key, sql::micros(now)])
        })
        .map(drop)
    }

    /// Notes that a delivery did not succeed and when to try it again.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn retry(&self, key: &str, next_at: Time, error: &str) -> Result<(), StoreError> {
        let text = "update delivery set attempts = attempts + 1, next_at = $2, error = $3, claimed_until = 0 where key = $1 and state = 'pending'";
        self.write(NOUN, |at| {
            sql::execute(at, NOUN, text, values![key, sql::micros(next_at), error])
        })
        .map(drop)
    }

    /// Notes that a delivery is not to be tried again; the next of its destination takes its turn.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn refused(&self, key: &str, error: &str, now: Time) -> Result<(), StoreError> {
        let text = "update delivery set state = 'refused', attempts = attempts + 1, done_at = $2, error = $3 \
                    where key = $1 and state = 'pending'";
        self.write(NOUN, |at| {
            sql::execute(at, NOUN, text, values![key, sql::micros(now), error])
        })
        .map(drop)
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
    /// Adds a delivery that no incident asks for, due at once; does nothing when its key is there already.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn order(&self, delivery: &Delivery, now: Time) -> Result<(), StoreError> {
        self.write(NOUN, |at| {
            insert(at, delivery, now)?;
            postgresql::tell(at)
        })
    }
}

/// Adds a delivery, due at once; does nothing when its key is there already. One that waits to do the very same is no longer needed.
pub(crate) fn insert(
    at: &SqlConnection<'_>,
    delivery: &Delivery,
    now: Time,
) -> Result<(), StoreError> {
    // What somebody is at stays: it may have read what it writes before this one was decided on.
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

/// The table's check admits these three words only.
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
