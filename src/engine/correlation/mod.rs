//! Correlation of events into incidents, with the reason for each membership.

pub(crate) mod activity;
pub(crate) mod arrivals;
pub(crate) mod context;
pub(crate) mod corrections;
mod declared_work;
pub(crate) mod deploy_history;
pub(crate) mod early_members;
pub(crate) mod group;
pub(crate) mod keys;
pub(crate) mod loose_events;
pub(crate) mod partition;
pub(crate) mod partition_index;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::changes::IncidentChanges;
use super::clock_step::ClockSteps;
use super::policy::{PartitionSettings, Policy};
use super::sweep_key::{SweepKey, first_key, sweep_key};
use crate::model::correction::Correction;
use crate::model::event::{Event, Fact};
use crate::model::id::{EventId, Subject};
use crate::model::member::Member;
use crate::model::time::Time;
use arrivals::PartitionArrivals;
use keys::unassigned_key;
use partition::Partition;
use partition_index::{PartitionAssignment, PartitionIndex};

/// All known events, each in its partition.
#[derive(Debug, Clone, Default)]
pub(crate) struct CorrelationState {
    index: PartitionIndex,
    partitions: BTreeMap<String, Partition>,
    /// Planned work, the latest statement of each subject.
    planned: BTreeMap<Subject, Arc<Event>>,
    clock_steps: ClockSteps,
    /// The settings that the partitions were made by; `None`: there are none yet.
    settings: Option<PartitionSettings>,
}

/// The stored contents of a partition.
#[derive(Debug, Default)]
pub(crate) struct StoredPartition {
    /// The members of each incident, context left out.
    pub(crate) incidents: Vec<Vec<Member>>,
    pub(crate) loose: Vec<Arc<Event>>,
    /// True if some member belongs to another partition by now.
    pub(crate) mixed: bool,
}

impl CorrelationState {
    /// A correlation without events, under this policy.
    pub(crate) fn new(policy: &Policy) -> Self {
        Self {
            settings: Some(policy.partition_settings()),
            ..Self::default()
        }
    }

    /// Adopts the policy's partition settings, unless there are some already.
    pub(crate) fn init_settings(&mut self, policy: &Policy) {
        self.settings
            .get_or_insert_with(|| policy.partition_settings());
    }

    /// True if the partitions were made by the settings of this policy.
    pub(crate) fn fits(&self, policy: &Policy) -> bool {
        self.settings == Some(policy.partition_settings())
    }

    pub(crate) fn index(&self) -> &PartitionIndex {
        &self.index
    }

    pub(crate) fn partition(&self, name: &str) -> Option<&Partition> {
        self.partitions.get(name)
    }

    pub(crate) fn partition_names(&self) -> impl Iterator<Item = &String> {
        self.partitions.keys()
    }

    /// Gives all loose events away.
    pub(crate) fn into_loose(self) -> impl Iterator<Item = Arc<Event>> {
        self.partitions
            .into_values()
            .flat_map(|partition| partition.loose.into_values())
    }

    /// Finds the partition of an event, which from now on is known.
    pub(crate) fn record(&mut self, event: &Event, policy: &Policy) -> PartitionAssignment {
        self.index.record(event, policy)
    }

    /// Records an event as planned work, unless it is none or older than what is known; true if it
    /// was recorded.
    pub(crate) fn record_planned(&mut self, event: &Arc<Event>) -> bool {
        let latest = matches!(event.fact, Fact::Maintenance(_))
            && self
                .planned
                .get(&event.subject)
                .is_none_or(|known| sweep_key(known) <= sweep_key(event));
        if latest {
            self.planned.insert(event.subject, Arc::clone(event));
        }
        latest
    }

    /// Records an event, if it is a step of the clock; true if it is.
    pub(crate) fn record_clock_step(&mut self, event: &Event) -> bool {
        self.clock_steps.record(event)
    }

    pub(crate) fn clock_steps(&self) -> &ClockSteps {
        &self.clock_steps
    }

    /// The planned work that may concern incidents of a partition.
    pub(crate) fn planned_in(&self, partition: &str) -> Vec<Arc<Event>> {
        let concerns = |event: &&Arc<Event>| {
            event.service.is_none() || self.index.partition_of(&event.id) == Some(partition)
        };
        self.planned.values().filter(concerns).cloned().collect()
    }

    /// Adds a stored partition.
    pub(crate) fn restore_partition(
        &mut self,
        name: String,
        stored: StoredPartition,
        policy: &Policy,
    ) {
        let StoredPartition {
            incidents,
            loose,
            mixed,
        } = stored;
        let mut partition = Partition::restore(incidents, loose, policy, self.index.assigned());
        partition.mixed = mixed;
        self.partitions.insert(name, partition);
    }

    /// Makes the next derivation of every incident start from all of its members.
    pub(crate) fn mark_rebuilt(&mut self) {
        self.partitions
            .values_mut()
            .for_each(Partition::mark_rebuilt);
    }

    /// Records that an incident was derived from a group of a partition.
    pub(crate) fn mark_derived(&mut self, partition: &str, group: usize) {
        if let Some(partition) = self.partitions.get_mut(partition) {
            partition.mark_derived(group);
        }
    }

    /// Dissolves a partition: its events arrive at `whole`.
    pub(crate) fn merge(
        &mut self,
        part: &str,
        whole: &str,
        horizon: Time,
        arrivals: &mut BTreeMap<String, PartitionArrivals>,
    ) {
        let mut moving = arrivals.remove(part).unwrap_or_default();
        if let Some(partition) = self.partitions.remove(part) {
            moving
                .were_loose
                .extend(partition.loose.values().map(|event| event.id));
            for event in partition.into_events() {
                // Only what belonged to no incident can be too old for one.
                if moving.were_loose.contains(&event.id) {
                    moving.push(event, horizon);
                } else {
                    moving.events.push(event);
                }
            }
        }
        arrivals.entry(whole.to_owned()).or_default().append(moving);
    }

    /// Places events in a partition. Gives, by partition, the loose events that belong elsewhere.
    pub(crate) fn sweep(
        &mut self,
        name: &str,
        arrivals: PartitionArrivals,
        policy: &Policy,
        horizon: Time,
        changes: &mut IncidentChanges,
    ) -> BTreeMap<String, PartitionArrivals> {
        let PartitionArrivals {
            mut events,
            old,
            were_loose,
        } = arrivals;
        for event in &mut events {
            let service = unassigned_key(event).and_then(|key| self.index.assigned().get(&key));
            if let Some(service) = service {
                Arc::make_mut(event).service = Some(service.as_str().into());
            }
        }
        let partition = self.partitions.entry(name.to_owned()).or_default();
        let mut before = were_loose;
        before.extend(partition.loose.values().map(|event| event.id));
        old.iter().for_each(|event| partition.record(event));
        partition.loose.extend(old);
        partition.place(events, policy, self.index.assigned());
        // Events of another partition move there once no incident here holds them.
        let mut strays: BTreeMap<String, PartitionArrivals> = BTreeMap::new();
        if partition.mixed {
            let belongs_elsewhere =
                |event: &Event| self.index.partition_of(&event.id) != Some(name);
            for event in partition.loose.extract(belongs_elsewhere) {
                let elsewhere = self.index.partition_of(&event.id).unwrap_or_default();
                let stray = strays.entry(elsewhere.to_owned()).or_default();
                stray.were_loose.extend(before.get(&event.id));
                stray.push(event, horizon);
            }
        }
        let after: BTreeSet<EventId> = partition.loose.values().map(|event| event.id).collect();
        changes.placed.extend(before.difference(&after).copied());
        changes.loosened.extend(after.difference(&before).copied());
        strays
    }

    /// Drops the events of dropped incidents, given by partition, and loose events from before
    /// `horizon`.
    pub(crate) fn forget(
        &mut self,
        mut dropped: BTreeMap<String, BTreeMap<EventId, Arc<Event>>>,
        horizon: Time,
        changes: &mut IncidentChanges,
    ) {
        let mut forgotten: Vec<Arc<Event>> = Vec::new();
        for (name, partition) in &mut self.partitions {
            let mut events = dropped.remove(name).unwrap_or_default();
            let oldest = partition.loose.first();
            if events.is_empty() && oldest.is_none_or(|event| event.occurred_at >= horizon) {
                continue;
            }
            let in_effect = partition.in_effect();
            if !events.is_empty() {
                let ids: BTreeSet<EventId> = events.keys().copied().collect();
                for freed in partition.drop_opened_by(&ids, &in_effect) {
                    events.remove(&freed.id);
                    changes.loosened.insert(freed.id);
                }
            }
            let is_latest = |event: &Event| {
                self.planned
                    .get(&event.subject)
                    .is_some_and(|known| known.id == event.id)
            };
            // Settings, assignments, and work that lies ahead remain in effect, too.
            let stays = |event: &Event| match &event.fact {
                Fact::Settings(_)
                | Fact::Edit(Correction::Assign { .. } | Correction::Identity { .. }) => true,
                Fact::Maintenance(window) => window.to > horizon && is_latest(event),
                _ => in_effect.contains(&event.id),
            };
            let too_old = partition
                .loose
                .range(..first_key(horizon))
                .filter(|(_, event)| !stays(event));
            let too_old: Vec<SweepKey> = too_old.map(|(key, _)| *key).collect();
            for key in too_old {
                changes.placed.insert(key.2);
                events.extend(partition.loose.remove(&key).map(|event| (event.id, event)));
            }
            if !events.is_empty() {
                partition.forget(&events);
                forgotten.extend(events.into_values());
            }
        }
        for event in &forgotten {
            self.clock_steps.forget(event);
            if self
                .planned
                .get(&event.subject)
                .is_some_and(|known| known.id == event.id)
            {
                self.planned.remove(&event.subject);
            }
            self.index.forget(event);
        }
    }
}
