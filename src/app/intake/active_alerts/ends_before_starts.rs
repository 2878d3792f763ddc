//! Recently received ends, for episodes whose start arrives after their end.

use std::collections::{HashMap, VecDeque};

use chrono::TimeDelta;

use super::row::{LabelsKey, REPLICA_SKEW, time};
use crate::model::event::EndReason;
use crate::model::time::Time;

/// Time an end waits for starts, which a sender may have to send again.
const WAIT: TimeDelta = TimeDelta::hours(1);
/// Number of ends that wait at most.
const CAPACITY: usize = 100_000;

/// An end that a source stated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EndBeforeStart {
    /// Number of the source.
    pub(crate) source: u8,
    /// The start it repeated, in microseconds since 1970.
    pub(crate) started: i64,
    /// The end, in microseconds since 1970.
    pub(crate) ended: i64,
    pub(crate) reason: EndReason,
    /// Set if the episode with that start was reported as firing.
    pub(crate) told: bool,
}

/// Ends by the labels of their alert.
#[derive(Debug, Default)]
pub(crate) struct EndsBeforeStarts {
    by_labels: HashMap<LabelsKey, VecDeque<EndBeforeStart>>,
    /// The labels of each end in the order of arrival, with its time.
    arrived: VecDeque<(Time, LabelsKey)>,
}

impl EndsBeforeStarts {
    /// Keeps an end for an hour.
    pub(crate) fn push(&mut self, labels: LabelsKey, end: EndBeforeStart, now: Time) {
        while let Some((came, oldest)) = self.arrived.front().copied()
            && (now - came >= WAIT || self.arrived.len() >= CAPACITY)
        {
            self.arrived.pop_front();
            if let Some(ends) = self.by_labels.get_mut(&oldest) {
                ends.pop_front();
                if ends.is_empty() {
                    self.by_labels.remove(&oldest);
                }
            }
        }
        self.arrived.push_back((now, labels));
        self.by_labels.entry(labels).or_default().push_back(end);
    }

    /// Set if the source stated an end of these labels at this time or before.
    pub(crate) fn has_ended(&self, labels: LabelsKey, source: u8, by: i64) -> bool {
        self.of(labels, source).any(|end| end.ended <= by)
    }

    /// The starts of the episodes of these labels that ended.
    pub(crate) fn starts(&self, labels: LabelsKey) -> impl Iterator<Item = i64> {
        let ends = self.by_labels.get(&labels).into_iter().flatten();
        ends.map(|end| end.started)
    }

    /// The first end that closes an episode of these labels which began at `start`.
    pub(crate) fn closing(
        &self,
        labels: LabelsKey,
        source: u8,
        start: i64,
    ) -> Option<EndBeforeStart> {
        let replica = |started: i64| (time(started) - time(start)).abs() <= REPLICA_SKEW;
        self.of(labels, source)
            .filter(|end| end.ended > start && (!end.told || replica(end.started)))
            .min_by_key(|end| end.ended)
    }

    fn of(&self, labels: LabelsKey, source: u8) -> impl Iterator<Item = EndBeforeStart> {
        let ends = self.by_labels.get(&labels).into_iter().flatten().copied();
        ends.filter(move |end| end.source == source)
    }
}
