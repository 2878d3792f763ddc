//! Ends that come before their beginnings, from senders that tell no start with an end: a beginning may have to be sent again.

use chrono::TimeDelta;

use super::Sights;
use super::row::LabelsKey;
use crate::model::event::{AlertStatus, Event, Fact};
use crate::model::time::Time;

/// How long an end that found nothing on waits for its beginning, which its sender may have to send again.
const EARLY: TimeDelta = TimeDelta::hours(1);
/// So many wait at the most.
const MOST_EARLY: usize = 10_000;
impl Sights {
    /// Takes note of an end without a start that ends nothing which is on: what it ends may come later than it.
    pub(crate) fn note_early(&mut self, event: Event, now: Time) {
        let Fact::Alert(alert) = &event.fact else {
            return;
        };
        let labels = self.labels_of(&alert.labels);
        self.early.retain(|(_, came, _)| now - *came < EARLY);
        if self.early.len() == MOST_EARLY {
            self.early.pop_front();
        }
        self.early.push_back((labels, now, event));
    }

    /// The end of an alert that begins now, where that came first.
    pub(crate) fn ended_early(&mut self, event: &Event) -> Option<Event> {
        let Fact::Alert(alert) = &event.fact else {
            return None;
        };
        if self.early.is_empty() || alert.status != AlertStatus::Firing {
            return None;
        }
        let labels = self.labels_of(&alert.labels);
        let later = |(of, _, end): &(LabelsKey, Time, Event)| {
            *of == labels && end.occurred_at >= alert.starts_at
        };
        let found = self.early.iter().position(later)?;
        let (_, _, mut end) = self.early.remove(found)?;
        if let Fact::Alert(ended) = &mut end.fact {
            ended.starts_at = alert.starts_at;
        }
        end.identify();
        Some(end)
    }
}
