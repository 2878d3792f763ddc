//! Replay protection: the keys of signed deliveries that are durable.
//!
//! Other replicas, and this one after a restart, do not know them. A repeat that gets through
//! states events that the log has already.

use std::collections::{HashSet, VecDeque};
use std::sync::Mutex;

use chrono::TimeDelta;

use crate::app::sync::lock;
use crate::ingest::auth::signature::{ReplayKey, TOLERANCE};
use crate::model::time::Time;

/// Time a key is kept: from the earliest time at which its signature is valid to the latest.
const RETENTION: TimeDelta = TimeDelta::seconds(2 * TOLERANCE);
/// Number of keys kept. A source that sends more within [`RETENTION`] is remembered for less long.
const CAPACITY: usize = 16_384;

/// A source and the key of a delivery, since two sources may number theirs alike.
type Delivered = (String, ReplayKey);

/// Deliveries that are durable.
#[derive(Debug, Default)]
pub(crate) struct ReplayGuard(Mutex<Deliveries>);

#[derive(Debug, Default)]
struct Deliveries {
    /// Oldest first.
    order: VecDeque<(Time, Delivered)>,
    known: HashSet<Delivered>,
}

impl ReplayGuard {
    /// Set if the delivery is known to be durable.
    pub(crate) fn contains(&self, source: &str, key: &ReplayKey, now: Time) -> bool {
        let mut deliveries = lock(&self.0);
        deliveries.expire(now);
        deliveries.known.contains(&(source.to_owned(), *key))
    }

    /// Adds a durable delivery.
    pub(crate) fn insert(&self, source: &str, key: ReplayKey, now: Time) {
        lock(&self.0).insert((source.to_owned(), key), now);
    }
}

impl Deliveries {
    fn expire(&mut self, now: Time) {
        while self
            .order
            .front()
            .is_some_and(|(at, _)| now - *at > RETENTION || self.order.len() > CAPACITY)
        {
            let expired = self.order.pop_front();
            expired.map(|(_, delivered)| self.known.remove(&delivered));
        }
    }

    fn insert(&mut self, delivered: Delivered, now: Time) {
        if self.known.insert(delivered.clone()) {
            self.order.push_back((now, delivered));
        }
        self.expire(now);
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;

    use super::{CAPACITY, Deliveries, RETENTION};
    use crate::model::time::Time;

    fn at(millis: i64) -> Time {
        chrono::Utc
            .timestamp_millis_opt(1_800_000_000_000 + millis)
            .single()
            .unwrap_or_default()
    }

    #[test]
    fn deliveries_expire_by_age_and_number() {
        let mut deliveries = Deliveries::default();
        deliveries.insert(("a".to_owned(), [1; 32]), at(0));
        deliveries.insert(("a".to_owned(), [1; 32]), at(0));
        assert_eq!(deliveries.order.len(), 1);
        deliveries.expire(at(0) + RETENTION);
        assert!(
            deliveries.known.contains(&("a".to_owned(), [1; 32]))
                && !deliveries.known.contains(&("b".to_owned(), [1; 32]))
        );
        deliveries.expire(at(1) + RETENTION);
        assert!(deliveries.known.is_empty() && deliveries.order.is_empty());
        for number in 0..CAPACITY + 5 {
            let mut once = [0; 32];
            once[..8].copy_from_slice(&number.to_le_bytes());
            deliveries.insert(("a".to_owned(), once), at(0));
        }
        assert_eq!(
            (deliveries.known.len(), deliveries.order.len()),
            (CAPACITY, CAPACITY)
        );
    }
}
