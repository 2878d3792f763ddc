//! Sights: when each alert was last seen firing. Renewals move a sight and are no facts.

use std::collections::HashMap;

use chrono::TimeDelta;

use crate::model::Time;
use crate::model::event::{AlertStatus, Event, EventId, Fact, Labels, Lapsed, Subject};
use crate::store::Store;

/// A webhook has no lease. Its sender repeats firing alerts, daily at the least by any usual `repeat_interval`.
const UNSTATED_LEASE: TimeDelta = TimeDelta::hours(25);
/// How long an ended alert is remembered: Prometheus repeats a resolved one for 15 minutes.
const REMEMBERED: TimeDelta = TimeDelta::hours(1);

/// One alert as last seen.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Sight {
    last_seen: Time,
    lease_end: Time,
    /// The event that ended it.
    resolved: Option<EventId>,
}

/// The sights of all alerts that were seen lately.
#[derive(Debug, Default)]
pub(super) struct Sights {
    seen: HashMap<Subject, Sight>,
    /// When the open episode of these labels started.
    open: HashMap<Labels, Time>,
    saved_at: Option<Time>,
}

impl Sights {
    /// Those saved before the last stop. What is missing is only committed again and deduplicated by the engine.
    pub(super) fn load(store: &Store) -> anyhow::Result<Self> {
        let saved = store.sights()?.into_iter();
        let seen = saved.map(|(subject, last_seen, lease_end)| {
            let lease_end = lease_end.unwrap_or(last_seen + UNSTATED_LEASE);
            (subject, Sight { last_seen, lease_end, resolved: None })
        });
        Ok(Self { seen: seen.collect(), open: HashMap::new(), saved_at: None })
    }

    /// Whether `event` only repeats what is committed; renews its sight if so.
    pub(super) fn renews(&mut self, event: &Event, lease: Option<Time>, now: Time) -> bool {
        let Fact::Alert(alert) = &event.fact else { return false };
        let Some(sight) = self.seen.get_mut(&event.subject) else { return false };
        // Another end than the one known is news; a firing one after the end is not.
        if alert.status == AlertStatus::Resolved && sight.resolved.as_ref() != Some(&event.id) {
            return false;
        }
        sight.last_seen = sight.last_seen.max(now);
        sight.lease_end = sight.lease_end.max(lease.unwrap_or(now + UNSTATED_LEASE));
        true
    }

    /// A message without `startsAt` about an alert that is on is about its open episode: gives the event so dated.
    pub(super) fn dated(&self, mut event: Event) -> Event {
        let Fact::Alert(alert) = &mut event.fact else { return event };
        if let Some(starts_at) = self.open.get(&alert.labels) {
            alert.starts_at = *starts_at;
            if alert.status == AlertStatus::Firing {
                event.occurred_at = *starts_at;
            }
            event.identify();
        }
        event
    }

    /// Remembers a committed event.
    pub(super) fn saw(&mut self, event: &Event, lease: Option<Time>, now: Time) {
        if let Fact::Alert(alert) = &event.fact {
            let resolved = (alert.status == AlertStatus::Resolved).then(|| event.id.clone());
            if resolved.is_none() {
                self.open.insert(alert.labels.clone(), alert.starts_at);
            } else if self.open.get(&alert.labels) == Some(&alert.starts_at) {
                self.open.remove(&alert.labels);
            }
            let lease_end = lease.unwrap_or(now + UNSTATED_LEASE);
            self.seen.insert(event.subject.clone(), Sight { last_seen: now, lease_end, resolved });
        }
    }

    /// Remembers a stored alert that is still on, unless its sight was saved.
    pub(super) fn remember(&mut self, event: &Event, now: Time) {
        if let Fact::Alert(alert) = &event.fact {
            self.open.insert(alert.labels.clone(), alert.starts_at);
        }
        if !self.seen.contains_key(&event.subject) {
            // Prometheus renews within minutes; others may take up to a day.
            let lease = (event.source == "prometheus").then(|| now + TimeDelta::minutes(5));
            self.saw(event, lease, now);
        }
    }

    /// Facts for the leases that ran out by `now`; each is told once.
    pub(super) fn lapsed(&mut self, now: Time) -> Vec<Event> {
        self.seen.retain(|_, sight| sight.resolved.is_none() || now - sight.last_seen < REMEMBERED);
        let out: Vec<(Subject, Time)> = self
            .seen
            .iter()
            .filter(|(_, sight)| sight.resolved.is_none() && sight.lease_end <= now)
            .map(|(subject, sight)| (subject.clone(), sight.last_seen))
            .collect();
        out.into_iter().map(|(of, last_seen)| Event::new("afterword", last_seen, Fact::Lapsed(Lapsed { of, last_seen }))).collect()
    }

    /// Forgets what has been told as lapsed.
    pub(super) fn forget(&mut self, lapsed: &[Event]) {
        for event in lapsed {
            self.seen.remove(&event.subject);
        }
    }

    /// When the next lease runs out.
    pub(super) fn next(&self) -> Option<Time> {
        self.seen.values().filter(|sight| sight.resolved.is_none()).map(|sight| sight.lease_end).min()
    }

    /// What to save now and then: once a minute, not with every renewal.
    pub(super) fn due_for_saving(&mut self, now: Time) -> Option<Vec<(Subject, Time, Option<Time>)>> {
        if self.saved_at.is_some_and(|at| now - at < TimeDelta::minutes(1)) {
            return None;
        }
        self.saved_at = Some(now);
        let open = self.seen.iter().filter(|(_, sight)| sight.resolved.is_none());
        Some(open.map(|(subject, sight)| (subject.clone(), sight.last_seen, Some(sight.lease_end))).collect())
    }
}
