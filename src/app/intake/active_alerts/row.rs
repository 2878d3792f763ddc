//! One sight as a row: an alert's episode in 56 bytes, and the words in which rows speak of identities and times.

use chrono::TimeDelta;

use crate::model::event::{Event, Fact, Lapsed};
use crate::model::id::Subject;
use crate::model::time::Time;

/// A webhook has no lease. Its sender repeats firing alerts, daily at the least by any usual `repeat_interval`.
pub(crate) const UNSTATED_LEASE: TimeDelta = TimeDelta::hours(25);
/// How long an ended or lapsed alert is remembered: within it, the same episode may be told firing again.
pub(crate) const REMEMBERED: TimeDelta = TimeDelta::hours(24);
/// The lease of what never lapses.
pub(crate) const NEVER: Time = Time::MAX_UTC;

/// One alert as last seen. Times are microseconds since 1970.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sight {
    pub(crate) labels: LabelsKey,
    pub(crate) started: i64,
    /// The subject's 16 hex digits.
    pub(crate) subject: u64,
    pub(crate) last_seen: i64,
    /// The end of the lease while it is on; of an ended one, the first 16 hex digits of the id of the event that ended it.
    pub(crate) end: u64,
    /// The bucket it stands in; 0: in none.
    pub(crate) bucket: u32,
    pub(crate) known: Known,
    /// Whether `open` has it: if not, an episode of the same labels that began earlier may have to be closed by it.
    pub(crate) open: bool,
    /// Whether it moved since it was saved.
    pub(crate) changed: bool,
    /// Whether it was ever told to be on: an end may come before its beginning.
    pub(crate) was_on: bool,
}

/// The keyed hash of an alert's labels: 128 bits under a key that no sender knows, so that equal means the same.
pub(crate) type LabelsKey = [u64; 2];

/// What is known of an alert's episode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Known {
    /// It is on.
    On,
    /// Its sender fell silent.
    Lapsed,
    /// An event ended it.
    Ended,
    /// Nothing: the row is free.
    Nothing,
}

impl Sight {
    /// When it must be looked at: to tell that its lease ran out, or to forget it.
    pub(crate) fn waits_for(&self) -> i64 {
        let never = NEVER.timestamp_micros();
        match self.known {
            Known::On if self.end.cast_signed() < never => self.end.cast_signed(),
            // Its sender is gone without an end that anybody would miss.
            Known::On => self
                .last_seen
                .saturating_add(UNSTATED_LEASE.num_seconds() * 1_000_000),
            Known::Lapsed | Known::Ended | Known::Nothing => self
                .last_seen
                .saturating_add(REMEMBERED.num_seconds() * 1_000_000),
        }
    }

    pub(crate) fn lapse(&self, last_seen: Time) -> Event {
        Event::new(
            "afterword",
            last_seen,
            Fact::Lapsed(Lapsed {
                of: Subject::from(self.subject),
                last_seen,
            }),
        )
    }
}

pub(crate) fn micros(time: Time) -> i64 {
    time.timestamp_micros()
}

pub(crate) fn time(micros: i64) -> Time {
    Time::from_timestamp_micros(micros).unwrap_or(NEVER)
}

/// A lease's end as [`Sight::end`] has it.
pub(crate) fn until(lease: Time) -> u64 {
    micros(lease).max(0).cast_unsigned()
}

/// Tells the ends of one episode apart.
pub(crate) fn ending(event: &Event) -> u64 {
    let bytes = event.id.bytes();
    u64::from_be_bytes(std::array::from_fn(|index| bytes[index]))
}

pub(crate) fn episode_hash(labels: LabelsKey, started: i64) -> u64 {
    mixed(started.cast_unsigned(), labels)
}

/// Spreads what a sender could choose under keys that it does not know.
pub(crate) fn mixed(value: u64, keys: [u64; 2]) -> u64 {
    let product = u128::from(value ^ keys[0]) * u128::from(keys[1] | 1);
    let [low, high] = [0, 64].map(|shift| (product >> shift) & u128::from(u64::MAX));
    u64::try_from(low ^ high).unwrap_or_default()
}
