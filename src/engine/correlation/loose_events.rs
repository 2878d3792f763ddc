//! Events that belong to no incident, and the incidents and subjects that some of them wait for.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeBounds;
use std::sync::Arc;

use crate::engine::sweep_key::{SweepKey, sweep_key};
use crate::model::event::{Acknowledgement, AlertStatus, Event, Fact};
use crate::model::id::Subject;

/// An incident or a subject that an event names explicitly.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reference {
    /// The name of an incident, its own or its source's.
    Incident(Box<str>),
    /// The subject of an alert's end or of an acknowledgement.
    Subject(Subject),
}

impl Reference {
    /// The references of an event, by which it may join an incident that begins later.
    pub(crate) fn of(event: &Event) -> impl Iterator<Item = Self> {
        let named = event
            .incident
            .clone()
            .filter(|_| !matches!(event.fact, Fact::Maintenance(_)))
            .map(Self::Incident);
        let about = match &event.fact {
            Fact::Alert(alert) => alert.status == AlertStatus::Resolved,
            Fact::Acknowledgement(Acknowledgement { of }) => of.is_some(),
            _ => false,
        };
        named
            .into_iter()
            .chain(about.then_some(Self::Subject(event.subject)))
    }
}

/// Loose events in the order of the sweep.
#[derive(Debug, Clone, Default)]
pub(crate) struct LooseEvents {
    events: BTreeMap<SweepKey, Arc<Event>>,
    waiting: BTreeMap<Reference, BTreeSet<SweepKey>>,
}

impl LooseEvents {
    pub(crate) fn insert(&mut self, event: Arc<Event>) {
        let key = sweep_key(&event);
        for reference in Reference::of(&event) {
            self.waiting.entry(reference).or_default().insert(key);
        }
        self.events.insert(key, event);
    }

    pub(crate) fn remove(&mut self, key: &SweepKey) -> Option<Arc<Event>> {
        let event = self.events.remove(key)?;
        for reference in Reference::of(&event) {
            if let Some(keys) = self.waiting.get_mut(&reference) {
                keys.remove(key);
                if keys.is_empty() {
                    self.waiting.remove(&reference);
                }
            }
        }
        Some(event)
    }

    /// Removes the events that match.
    pub(crate) fn extract(&mut self, matches: impl Fn(&Event) -> bool) -> Vec<Arc<Event>> {
        let found = self.events.iter().filter(|(_, event)| matches(event));
        let found: Vec<SweepKey> = found.map(|(key, _)| *key).collect();
        found.iter().filter_map(|key| self.remove(key)).collect()
    }

    /// Removes the events from that key on.
    pub(crate) fn split_off(&mut self, from: &SweepKey) -> Vec<Arc<Event>> {
        let later: Vec<SweepKey> = self.events.range(from..).map(|(key, _)| *key).collect();
        later.iter().filter_map(|key| self.remove(key)).collect()
    }

    /// True if some event waits for an incident or a subject.
    pub(crate) fn any_waits(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// The events that wait for an incident or a subject.
    pub(crate) fn waiting_for(&self, reference: &Reference) -> impl Iterator<Item = &SweepKey> {
        self.waiting.get(reference).into_iter().flatten()
    }

    pub(crate) fn range(
        &self,
        range: impl RangeBounds<SweepKey>,
    ) -> impl DoubleEndedIterator<Item = (&SweepKey, &Arc<Event>)> {
        self.events.range(range)
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &Arc<Event>> {
        self.events.values()
    }

    pub(crate) fn into_values(self) -> impl Iterator<Item = Arc<Event>> {
        self.events.into_values()
    }

    pub(crate) fn first(&self) -> Option<&Arc<Event>> {
        self.events.first_key_value().map(|(_, event)| event)
    }
}

impl Extend<Arc<Event>> for LooseEvents {
    fn extend<I: IntoIterator<Item = Arc<Event>>>(&mut self, events: I) {
        events.into_iter().for_each(|event| self.insert(event));
    }
}
