//! Replicas of one sender that report the same alert, each with a label of its own: `replica="a"`,
//! `replica="b"`.
//!
//! Without that label they are one alert. Each replica started to evaluate at its own instant, so
//! their starts differ, and one may be gone while another goes on. So in one message the alert fires
//! while any replica says so.

use std::collections::HashMap;

use super::reading::{Reading, Reported};
use crate::model::event::{Alert, AlertStatus, Event, Fact};
use crate::model::labels::LabelSet;

/// Indices of the reports that came with a label that only distinguishes replicas.
#[derive(Debug, Default)]
pub(crate) struct Replicas(Vec<usize>);

impl Replicas {
    /// Marks the report at this index as one of a replica.
    pub(crate) fn mark(&mut self, index: usize) {
        self.0.push(index);
    }

    /// Merges the reports of an alert into one: firing since the earliest start while any replica
    /// fires, else resolved from the earliest start to the latest end.
    pub(crate) fn merge(self, reading: &mut Reading) {
        if self.0.is_empty() {
            return;
        }
        let mut of_replica = vec![false; reading.reports.len()];
        self.0.iter().for_each(|index| of_replica[*index] = true);
        let mut kept: Vec<Reported> = Vec::with_capacity(reading.reports.len());
        let mut places: HashMap<LabelSet, usize> = HashMap::new();
        for (report, of_replica) in std::mem::take(&mut reading.reports)
            .into_iter()
            .zip(of_replica)
        {
            let Some(labels) = alert(&report.event)
                .filter(|_| of_replica)
                .map(|alert| alert.labels.clone())
            else {
                kept.push(report);
                continue;
            };
            match places.get(&labels) {
                Some(place) => {
                    let kept = &mut kept[*place].event;
                    let other = if prevails_over(&report.event, kept) {
                        std::mem::replace(kept, report.event)
                    } else {
                        report.event
                    };
                    start_with(kept, &other);
                    reading.renewed += 1;
                }
                None => {
                    places.insert(labels, kept.len());
                    kept.push(report);
                }
            }
        }
        reading.reports = kept;
    }
}

fn alert(event: &Event) -> Option<&Alert> {
    match &event.fact {
        Fact::Alert(alert) => Some(alert),
        _ => None,
    }
}

/// Gives a resolved alert the start of another resolved report of it, if that is earlier.
fn start_with(kept: &mut Event, other: &Event) {
    let (Fact::Alert(alert), Some(other)) = (&mut kept.fact, alert(other)) else {
        return;
    };
    if alert.status == other.status && other.starts_at < alert.starts_at {
        alert.starts_at = other.starts_at;
        kept.identify();
    }
}

/// Tests whether the first of two reports prevails.
fn prevails_over(one: &Event, other: &Event) -> bool {
    let (Some(one), Some(other)) = (alert(one), alert(other)) else {
        return false;
    };
    match (one.status, other.status) {
        (AlertStatus::Firing, AlertStatus::Firing) => one.starts_at < other.starts_at,
        (AlertStatus::Firing, AlertStatus::Resolved) => true,
        (AlertStatus::Resolved, AlertStatus::Firing) => false,
        (AlertStatus::Resolved, AlertStatus::Resolved) => one.ends_at > other.ends_at,
    }
}
