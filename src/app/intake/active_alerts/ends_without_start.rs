//! Ends received before their episode, from senders whose ends state no start.

use std::collections::VecDeque;

use chrono::TimeDelta;

use super::row::LabelsKey;
use crate::model::event::{AlertStatus, Event, Fact};
use crate::model::time::Time;

/// Time an end waits for its start, which its sender may have to send again.
const WAIT: TimeDelta = TimeDelta::hours(1);
/// Number of ends that wait at most.
const CAPACITY: usize = 10_000;

/// Ends that found no open episode, oldest first, with the time of their arrival.
#[derive(Debug, Default)]
pub(crate) struct EndsWithoutStart(VecDeque<(LabelsKey, Time, Event)>);

impl EndsWithoutStart {
    /// Keeps an end.
    pub(crate) fn push(&mut self, labels: LabelsKey, event: Event, now: Time) {
        self.0.retain(|(_, came, _)| now - *came < WAIT);
        if self.0.len() == CAPACITY {
            self.0.pop_front();
        }
        self.0.push_back((labels, now, event));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes the end of the episode that `firing` begins, with its start.
    pub(crate) fn take(&mut self, labels: LabelsKey, firing: &Event) -> Option<Event> {
        let Fact::Alert(alert) = &firing.fact else {
            return None;
        };
        if alert.status != AlertStatus::Firing {
            return None;
        }
        let found = self
            .0
            .iter()
            .position(|(of, _, end)| *of == labels && end.occurred_at >= alert.starts_at)?;
        let (_, _, mut end) = self.0.remove(found)?;
        if let Fact::Alert(ended) = &mut end.fact {
            ended.starts_at = alert.starts_at;
        }
        end.identify();
        Some(end)
    }
}
