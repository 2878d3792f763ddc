//! The partition of every event: only events of one partition can belong to one incident.
//!
//! A partition is a connected set of services, an unassigned key, or an incident or subject that is
//! not known yet. Two partitions become one when an event connects them: a key is assigned, an
//! awaited incident opens, a person merges two incidents, or a source names one of its incidents
//! under another service, or under none.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use foldhash::HashMap;

use super::activity::opens;
use super::keys::unassigned_key;
use crate::engine::id_map::IdMap;
use crate::engine::incident::id::{is_foreign, name_of, natural_number, number_of};
use crate::engine::policy::Policy;
use crate::engine::sweep_key::{SweepKey, sweep_key};
use crate::model::correction::Correction;
use crate::model::directory::key;
use crate::model::event::{Acknowledgement, Event, Fact};
use crate::model::id::IncidentId;
use crate::model::id::{EventId, Subject};

/// The partitions of events, incidents and subjects.
#[derive(Debug, Clone, Default)]
pub(crate) struct PartitionIndex {
    events: IdMap<EventId, PartitionNumber>,
    /// Incidents by the [`natural_number`] of their opening events.
    incidents: IdMap<u64, PartitionNumber>,
    /// Subjects of signals, each with the number of its events: lapses and acknowledgements name
    /// nothing else.
    subjects: IdMap<Subject, (PartitionNumber, u32)>,
    names: PartitionNames,
    /// The services that unassigned keys were assigned to.
    assigned: BTreeMap<String, String>,
    /// The last statement that assigns an alias to a person, by [`key`] of the alias.
    identities: BTreeMap<String, (SweepKey, Option<String>)>,
    /// Partitions of events that wait for an unknown incident or subject.
    waiting: BTreeSet<String>,
    /// The partitions that others have become part of.
    part_of: BTreeMap<String, String>,
}

/// A partition in short, since there may be a million entries.
type PartitionNumber = u32;

/// Partition names and their numbers.
#[derive(Debug, Clone, Default)]
struct PartitionNames {
    names: Vec<Arc<str>>,
    numbers: HashMap<Arc<str>, PartitionNumber>,
}

impl PartitionNames {
    fn number(&mut self, name: &str) -> PartitionNumber {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let (name, number) = (
            Arc::<str>::from(name),
            PartitionNumber::try_from(self.names.len()).unwrap_or(PartitionNumber::MAX),
        );
        self.names.push(Arc::clone(&name));
        self.numbers.insert(name, number);
        number
    }

    fn name(&self, number: PartitionNumber) -> &str {
        self.names.get(number as usize).map_or("", |name| name)
    }
}

/// The partition of an event, and the partitions that it connects.
#[derive(Debug, Default)]
pub(crate) struct PartitionAssignment {
    pub(crate) partition: String,
    /// Pairs of a partition and the one it has become part of.
    pub(crate) merged: Vec<(String, String)>,
}

impl PartitionIndex {
    pub(crate) fn contains(&self, event: &EventId) -> bool {
        self.events.contains_key(event)
    }

    /// The partition of a known event.
    pub(crate) fn partition_of(&self, event: &EventId) -> Option<&str> {
        Some(self.whole(self.names.name(*self.events.get(event)?)))
    }

    /// The services that unassigned keys were assigned to.
    pub(crate) fn assigned(&self) -> &BTreeMap<String, String> {
        &self.assigned
    }

    /// The person that an alias belongs to, by what people stated.
    pub(crate) fn person(&self, alias: &str) -> Option<&str> {
        self.identities.get(&key(alias))?.1.as_deref()
    }

    /// True if no statement assigns an alias to a person.
    pub(crate) fn has_no_identities(&self) -> bool {
        self.identities.is_empty()
    }

    /// Drops an event.
    pub(crate) fn forget(&mut self, event: &Event) {
        if self.events.remove(&event.id).is_none() {
            return;
        }
        if is_signal(event)
            && let Entry::Occupied(mut subject) = self.subjects.entry(event.subject)
        {
            subject.get_mut().1 -= 1;
            if subject.get().1 == 0 {
                subject.remove();
            }
        }
        if opens(event) {
            self.incidents.remove(&natural_number(event));
        }
    }

    /// Finds the partition of an event, and those that it connects.
    pub(crate) fn record(&mut self, event: &Event, policy: &Policy) -> PartitionAssignment {
        let mut assignment = PartitionAssignment::default();
        match &event.fact {
            Fact::Edit(Correction::Assign { key, service }) => {
                self.assigned.insert(key.clone(), service.clone());
                self.join(&policy.partition_of(service), key, &mut assignment);
            }
            Fact::Edit(Correction::Identity { alias, person }) => {
                let stated = (sweep_key(event), person.clone());
                let known = self
                    .identities
                    .entry(key(alias))
                    .or_insert_with(|| stated.clone());
                if known.0 < stated.0 {
                    *known = stated;
                }
            }
            Fact::Edit(
                Correction::Merge {
                    into: one,
                    from: other,
                }
                | Correction::Move {
                    from: one,
                    to: Some(other),
                    ..
                },
            ) => {
                let (one, other) = (
                    self.partition_of_incident(one),
                    self.partition_of_incident(other),
                );
                self.join(&one, &other, &mut assignment);
            }
            _ => {}
        }
        let partition = self.find(event, policy);
        self.join_named(&partition, event, policy, &mut assignment);
        let number = self.names.number(&partition);
        self.events.insert(event.id, number);
        if is_signal(event) {
            let (known, events) = self.subjects.entry(event.subject).or_insert((number, 0));
            let before = *known;
            (*known, *events) = (number, *events + 1);
            if before != number {
                let before = self.names.name(before).to_owned();
                self.join(&partition, &before, &mut assignment);
            }
            if !self.waiting.is_empty() {
                self.join_waiting(
                    &partition,
                    &waiting_for_subject(&event.subject),
                    &mut assignment,
                );
            }
        }
        if opens(event) {
            let name = natural_number(event);
            self.incidents.insert(name, number);
            if !self.waiting.is_empty() {
                self.join_waiting(
                    &partition,
                    &waiting_for_incident(&name_of(name)),
                    &mut assignment,
                );
            }
        }
        assignment.partition = self.whole(&partition).to_owned();
        assignment
    }

    /// Connects the partition of an event with that of the incident and the subject that it names,
    /// be they known by now or not.
    fn join_named(
        &mut self,
        partition: &str,
        event: &Event,
        policy: &Policy,
        assignment: &mut PartitionAssignment,
    ) {
        if let Some(name) = event.incident.as_deref() {
            // It brings the key of its own service into the incident.
            let own = self.partition_of_service(event, policy);
            if let Some(own) = own.filter(|_| opens(event)) {
                self.join(partition, &own, assignment);
            }
            let named = match self.incident(name) {
                Some(known) => known.to_owned(),
                None if is_foreign(name) => waiting_for_incident(name),
                None => self.wait(waiting_for_incident(name)),
            };
            self.join(partition, &named, assignment);
        }
        if is_about_subject(event) {
            let about = match self.subjects.get(&event.subject) {
                Some((known, _)) => self.names.name(*known).to_owned(),
                None => self.wait(waiting_for_subject(&event.subject)),
            };
            self.join(partition, &about, assignment);
        }
    }

    /// The partition that an event belongs to by what it states.
    fn find(&mut self, event: &Event, policy: &Policy) -> String {
        let named = event.incident.as_ref().and_then(|name| self.incident(name));
        if let Some(partition) = named {
            return self.whole(partition).to_owned();
        }
        if let Some(partition) = self.partition_of_service(event, policy) {
            return self.whole(&partition).to_owned();
        }
        let partition = match (&event.incident, &event.fact) {
            (Some(name), _) => self.partition_of_incident(&IncidentId(name.clone().into())),
            (None, _) if is_about_subject(event) => match self.subjects.get(&event.subject) {
                Some((partition, _)) => self.names.name(*partition).to_owned(),
                None => self.wait(waiting_for_subject(&event.subject)),
            },
            // Nothing can join it but by its name.
            _ => event.id.to_string(),
        };
        self.whole(&partition).to_owned()
    }

    /// The partition of an event's service, or of its unassigned key.
    fn partition_of_service(&self, event: &Event, policy: &Policy) -> Option<String> {
        if let Some(service) = &event.service {
            return Some(policy.partition_of(service));
        }
        let key = unassigned_key(event)?;
        let assigned = self.assigned.get(&key);
        Some(assigned.map_or(key, |service| policy.partition_of(service)))
    }

    /// The partition of an incident, or the one in which events wait for it.
    fn partition_of_incident(&mut self, name: &IncidentId) -> String {
        match self.incident(&name.0) {
            Some(partition) => partition.to_owned(),
            // Events of a source's own incident find each other by its name.
            None if is_foreign(&name.0) => waiting_for_incident(&name.0),
            None => self.wait(waiting_for_incident(&name.0)),
        }
    }

    /// The partition of a known incident.
    fn incident(&self, name: &str) -> Option<&str> {
        Some(self.names.name(*self.incidents.get(&number_of(name)?)?))
    }

    fn wait(&mut self, partition: String) -> String {
        self.waiting.insert(partition.clone());
        partition
    }

    fn join_waiting(
        &mut self,
        partition: &str,
        waiting: &str,
        assignment: &mut PartitionAssignment,
    ) {
        if self.waiting.remove(waiting) {
            self.join(partition, waiting, assignment);
        }
    }

    /// `other` becomes part of `partition`.
    fn join(&mut self, partition: &str, other: &str, assignment: &mut PartitionAssignment) {
        let (partition, other) = (
            self.whole(partition).to_owned(),
            self.whole(other).to_owned(),
        );
        if partition != other {
            self.part_of.insert(other.clone(), partition.clone());
            assignment.merged.push((other, partition));
        }
    }

    /// The partition that this one is part of by now.
    fn whole<'a>(&'a self, mut partition: &'a str) -> &'a str {
        while let Some(larger) = self.part_of.get(partition) {
            partition = larger;
        }
        partition
    }
}

/// True if an event only tells something about the subject of other events.
fn is_about_subject(event: &Event) -> bool {
    matches!(
        event.fact,
        Fact::Lapsed(_) | Fact::Acknowledgement(Acknowledgement { of: Some(_) })
    )
}

/// True if an event tells of a signal.
fn is_signal(event: &Event) -> bool {
    matches!(
        event.fact,
        Fact::Alert(_) | Fact::Condition(_) | Fact::Declaration(_)
    )
}

/// The partition of events that name an unknown incident, or a source's own.
fn waiting_for_incident(name: &str) -> String {
    format!("incident {name}")
}

/// The partition of events about an unknown subject.
fn waiting_for_subject(subject: &Subject) -> String {
    format!("subject {}", subject)
}
