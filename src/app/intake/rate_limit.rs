//! What is kept at the gate of each source: its pace, how much was turned away and why, and which signed deliveries were taken already.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::atomic::Ordering;

use chrono::TimeDelta;

use super::source_stats::What;
use crate::app::App;
use crate::app::sync::lock;
use crate::config::source_auth::RateLimit;
use crate::ingest::auth::signature::{ReplayKey, TOLERANCE};
use crate::model::time::Time;

/// How long a delivery is remembered: from the earliest time by which its signature may hold to the latest.
const REMEMBERED: TimeDelta = TimeDelta::seconds(2 * TOLERANCE);
/// How many are. A sender whose signatures are right, and who sends more than that in [`REMEMBERED`], is only remembered for less long.
const MOST: usize = 16_384;

/// Why a message was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Away {
    /// Its credentials or its signature were missing or wrong.
    Credentials,
    /// Its signature was right, and too old or of a time to come.
    Stale,
    /// Its source sent more than its rate allows.
    Rate,
    /// It was larger than its source may send.
    Size,
    /// It was taken before: the one of these that is answered as if it had been taken again.
    Repeat,
}

impl Away {
    /// One word for it, as in `/metrics`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Credentials => "credentials",
            Self::Stale => "stale",
            Self::Rate => "rate",
            Self::Size => "size",
            Self::Repeat => "repeat",
        }
    }
}

/// What is kept at all gates together.
#[derive(Debug, Default)]
pub(crate) struct Gates {
    /// When the bucket of a source would be full again.
    paces: BTreeMap<String, Time>,
    away: BTreeMap<(String, Away), u64>,
    taken: Taken,
}

/// A delivery of a source: two sources may number theirs alike.
type Delivered = (String, ReplayKey);

/// Deliveries that are durable, the oldest first.
#[derive(Debug, Default)]
struct Taken {
    order: VecDeque<(Time, Delivered)>,
    known: HashSet<Delivered>,
}

impl Taken {
    fn forget(&mut self, now: Time) {
        while self
            .order
            .front()
            .is_some_and(|(at, _)| now - *at > REMEMBERED || self.order.len() > MOST)
        {
            let gone = self.order.pop_front();
            gone.map(|(_, delivered)| self.known.remove(&delivered));
        }
    }

    fn note(&mut self, delivered: Delivered, now: Time) {
        if self.known.insert(delivered.clone()) {
            self.order.push_back((now, delivered));
        }
        self.forget(now);
    }
}

/// A bucket of `rate.count` that fills evenly over `rate.seconds`, told by the time at which it will be full: taking one moves that on by
/// as much as one takes to come back.
///
/// # Errors
/// When there is none: how long one has to wait for it.
fn take_one(full_at: &mut Time, rate: RateLimit, now: Time) -> Result<(), TimeDelta> {
    let whole = TimeDelta::seconds(rate.seconds);
    let one = whole / i32::try_from(rate.count).unwrap_or(i32::MAX);
    // Noted even where none is taken: a clock that was set back then costs one filling of the bucket at the most.
    *full_at = (*full_at).clamp(now, now + whole);
    let then = *full_at + one;
    if then - now > whole {
        return Err(then - now - whole);
    }
    *full_at = then;
    Ok(())
}

impl App {
    /// Takes one from the bucket of a source, or only looks whether there is one.
    ///
    /// # Errors
    /// When there is none: after how many seconds, one at least, there will be.
    pub fn pace(&self, source: &str, rate: Option<RateLimit>, take: bool) -> Result<(), u64> {
        let Some(rate) = rate else { return Ok(()) };
        let now = self.now();
        let mut gates = lock(&self.gates);
        let full_at = gates.paces.entry(source.to_owned()).or_insert(now);
        let before = *full_at;
        let taken = take_one(full_at, rate, now);
        if !take {
            *full_at = before.min(*full_at);
        }
        taken.map_err(|wait| u64::try_from(wait.num_seconds()).unwrap_or_default() + 1)
    }

    /// Counts a message of a source that was not taken. The one place where that is noted.
    pub fn turn_away(&self, source: &str, why: Away) {
        if matches!(why, Away::Credentials | Away::Stale) {
            self.counters.refused.fetch_add(1, Ordering::Relaxed);
        }
        *lock(&self.gates)
            .away
            .entry((source.to_owned(), why))
            .or_default() += 1;
        self.tally(
            source,
            match why {
                Away::Credentials | Away::Stale => What::Refused,
                Away::Rate | Away::Size => What::Limited,
                Away::Repeat => What::Message,
            },
        );
    }

    /// How many messages of each source were not taken, and why.
    #[must_use]
    pub fn turned_away(&self) -> Vec<(String, Away, u64)> {
        lock(&self.gates)
            .away
            .iter()
            .map(|((source, why), count)| (source.clone(), *why, *count))
            .collect()
    }

    /// Whether a delivery is known to be durable here. Other replicas, and this one after a restart, do not know; what it states is an
    /// event that they have.
    #[must_use]
    pub fn has_taken(&self, source: &str, once: &ReplayKey) -> bool {
        let now = self.now();
        let mut gates = lock(&self.gates);
        gates.taken.forget(now);
        gates.taken.known.contains(&(source.to_owned(), *once))
    }

    /// Notes that a delivery is durable.
    pub fn note_taken(&self, source: &str, once: ReplayKey) {
        let now = self.now();
        lock(&self.gates).taken.note((source.to_owned(), once), now);
    }
}

#[cfg(test)]
mod tests {
    use chrono::{TimeDelta, TimeZone};

    use super::{MOST, REMEMBERED, Taken, take_one};
    use crate::config::source_auth::RateLimit;
    use crate::model::time::Time;

    fn at(millis: i64) -> Time {
        chrono::Utc
            .timestamp_millis_opt(1_800_000_000_000 + millis)
            .single()
            .unwrap_or_default()
    }

    /// Sends at these milliseconds and tells which got through.
    fn check(count: u32, seconds: i64, sent: &[i64], expected: &[bool]) {
        let mut full_at = at(sent[0]);
        let got: Vec<bool> = sent
            .iter()
            .map(|millis| take_one(&mut full_at, RateLimit { count, seconds }, at(*millis)).is_ok())
            .collect();
        assert_eq!(got, expected, "{count} per {seconds}s at {sent:?}");
    }

    #[test]
    fn a_bucket_is_emptied_at_once_and_fills_evenly() {
        check(
            3,
            3,
            &[0, 0, 0, 0, 999, 1000, 1001, 2000],
            &[true, true, true, false, false, true, false, true],
        );
        check(1, 60, &[0, 59_999, 60_000], &[true, false, true]);
        check(
            2,
            1,
            &[0, 0, 0, 10_000, 10_000, 10_000],
            &[true, true, false, true, true, false],
        );
        check(u32::MAX, 1, &[0, 0, 0], &[true, true, true]);
    }

    #[test]
    fn a_clock_set_back_shuts_nobody_out() {
        check(1, 10, &[3_600_000, 0, 10_000], &[true, false, true]);
    }

    #[test]
    fn the_wait_is_told() {
        let (mut full_at, rate) = (
            at(0),
            RateLimit {
                count: 1,
                seconds: 10,
            },
        );
        assert_eq!(take_one(&mut full_at, rate, at(0)), Ok(()));
        assert_eq!(
            take_one(&mut full_at, rate, at(4000)),
            Err(TimeDelta::seconds(6))
        );
    }

    #[test]
    fn what_was_taken_is_forgotten_in_time_and_in_number() {
        let mut taken = Taken::default();
        taken.note(("a".to_owned(), [1; 32]), at(0));
        taken.note(("a".to_owned(), [1; 32]), at(0));
        assert_eq!(taken.order.len(), 1);
        taken.forget(at(0) + REMEMBERED);
        assert!(
            taken.known.contains(&("a".to_owned(), [1; 32]))
                && !taken.known.contains(&("b".to_owned(), [1; 32]))
        );
        taken.forget(at(1) + REMEMBERED);
        assert!(taken.known.is_empty() && taken.order.is_empty());
        for number in 0..MOST + 5 {
            let mut once = [0; 32];
            once[..8].copy_from_slice(&number.to_le_bytes());
            taken.note(("a".to_owned(), once), at(0));
        }
        assert_eq!((taken.known.len(), taken.order.len()), (MOST, MOST));
    }
}
