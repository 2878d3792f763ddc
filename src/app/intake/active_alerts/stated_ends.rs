//! Resolved alerts whose message states the start of the episode.

use std::collections::BTreeSet;

use super::row::REPLICA_SKEW;
use crate::ingest::reading::Reported;
use crate::model::event::{AlertStatus, EndReason, Event, Fact};
use crate::model::time::Time;

/// Names of sources' incidents that these reports end as outages. A parser does not know if such an
/// incident was reported as an alert or as an outage.
pub(crate) fn ended_declarations(reports: &[Reported]) -> BTreeSet<Box<str>> {
    let ends = reports.iter().map(|report| &report.event).filter(|event| {
        matches!(&event.fact, Fact::Declaration(declared) if declared.status == AlertStatus::Resolved)
    });
    ends.filter_map(|event| event.incident.clone()).collect()
}

pub(crate) fn is_end(event: &Event) -> bool {
    matches!(&event.fact, Fact::Alert(alert) if alert.status == AlertStatus::Resolved)
}

/// The end of a resolved alert, which may be ahead of this service's clock.
pub(crate) fn stated_end(event: &Event) -> Time {
    match &event.fact {
        Fact::Alert(alert) => alert.ends_at.unwrap_or(event.occurred_at),
        _ => event.occurred_at,
    }
}

/// True if an end also states the beginning of its episode.
pub(crate) fn begins(event: &Event, declared: &BTreeSet<Box<str>>) -> bool {
    let lasts = matches!(&event.fact, Fact::Alert(alert) if alert.starts_at < stated_end(event));
    let is_outage = event
        .incident
        .as_ref()
        .is_some_and(|name| declared.contains(name));
    // The end of an incident of the source may leave out its service. Its beginning, received later,
    // has it, and must not be taken for the same.
    let is_whole = event.service.is_some() || event.incident.is_none();
    lasts && is_whole && !is_outage
}

/// Set if two starts of an alert are of replicas that evaluate it at their own instants.
pub(crate) fn is_replica(one: Time, other: Time) -> bool {
    (one - other).abs() <= REPLICA_SKEW
}

/// The beginning that an end states: the same event as if it had been reported in time.
pub(crate) fn beginning(end: &Event) -> Event {
    let mut event = end.clone();
    if let Fact::Alert(alert) = &mut event.fact {
        alert.status = AlertStatus::Firing;
        alert.ends_at = None;
        alert.end_reason = EndReason::default();
        event.occurred_at = alert.starts_at;
    }
    event.identify();
    event
}

/// An end for an episode with another start.
pub(crate) fn restarted(mut end: Event, started: Time) -> Event {
    if let Fact::Alert(alert) = &mut end.fact {
        alert.borrowed_end = !is_replica(alert.starts_at, started);
        alert.starts_at = started;
    }
    end.identify();
    end
}
