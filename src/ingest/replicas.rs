//! Several replicas of one sender that tell of one alert, each with a label of its own: `replica="a"`, `replica="b"`.
//!
//! Without that label they are one alert. Each began to evaluate at its own instant, so that their beginnings differ; and one of them may be gone
//! while another goes on. So the alert is on while any of them says so, and an episode that is on takes in what another replica says of it.

use std::collections::HashMap;

use super::reading::Reading;
use super::reading::{Reported, Start};
use crate::model::event::{Alert, AlertStatus, Event, Fact};
use crate::model::labels::LabelSet;

/// Where the events of one body are that came with a label which only tells replicas apart.
#[derive(Debug, Default)]
pub(crate) struct Replicas(Vec<usize>);

impl Replicas {
    /// The event that comes to stand there is of a replica.
    pub(crate) fn note(&mut self, index: usize) {
        self.0.push(index);
    }

    /// Leaves one event an alert: firing since the first of them said so while any does, else resolved when the last of them was.
    pub(crate) fn fold(self, reading: &mut Reading) {
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
                    if speaks_before(&report.event, kept) {
                        *kept = report.event;
                    }
                    reading.renewed += 1;
                }
                None => {
                    places.insert(labels, kept.len());
                    kept.push(Reported {
                        start: Start::Guessed,
                        ..report
                    });
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

/// Whether the first of the two is what holds, by what both say.
fn speaks_before(one: &Event, other: &Event) -> bool {
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
