//! Where events meet: each belongs to a place, and only events of one place can be one incident.
//!
//! A place is a connected set of services, an unassigned key, or a name that events wait for. Two places become one when an event shows that
//! they are: a key is assigned, an incident somebody waited for opens, a person merges two incidents, a source tells of one of its incidents
//! under another service, or under none.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use foldhash::HashMap;

use crate::engine::ids::IdMap;
use crate::engine::incident::id::{is_foreign, name_of, natural_number, number_of};
use crate::engine::policy::unassigned_key;
use crate::engine::{Policy, SweepKey, correlation, is_signal, moment};
use crate::model::correction::Correction;
use crate::model::directory::key;
use crate::model::event::{Acknowledgement, Event, Fact};
use crate::model::id::{EventId, IncidentId, Subject};

/// Where events, incidents and signals are.
#[derive(Debug, Clone, Default)]
pub(crate) struct PartitionIndex {
    known: IdMap<EventId, Number>,
    /// Incidents by the names of their opening events, see [`natural_number`].
    incidents: IdMap<u64, Number>,
    /// Signals, and how many events tell of each: a lapse or an acknowledgement of one names nothing else.
    subjects: IdMap<Subject, (Number, u32)>,
    numbers: PartitionNames,
    assigned: BTreeMap<String, String>,
    /// The last word on whose a name is, and when it was said; by the name in the form of [`key`].
    identities: BTreeMap<String, (SweepKey, Option<String>)>,
    /// Partitions where somebody waits for a name.
    waiting: BTreeSet<String>,
    /// What a place has become a part of.
    part_of: BTreeMap<String, String>,
}

/// A place, for what there is a million of.
type Number = u32;

/// The names of places, by number and the other way.
#[derive(Debug, Clone, Default)]
struct PartitionNames {
    names: Vec<Arc<str>>,
    numbers: HashMap<Arc<str>, Number>,
}

impl PartitionNames {
    fn of(&mut self, name: &str) -> Number {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let (name, number) = (
            Arc::<str>::from(name),
            Number::try_from(self.names.len()).unwrap_or(Number::MAX),
        );
        self.names.push(Arc::clone(&name));
        self.numbers.insert(name, number);
        number
    }

    fn name(&self, number: Number) -> &str {
        self.names.get(number as usize).map_or("", |name| name)
    }
}

/// Where an event belongs, and the places that it shows to be part of that.
#[derive(Debug, Default)]
pub(crate) struct PartitionAssignment {
    pub(crate) place: String,
    pub(crate) joined: Vec<(String, String)>,
}

impl PartitionIndex {
    pub(crate) fn knows(&self, event: &EventId) -> bool {
        self.known.contains_key(event)
    }

    /// The place of a known event.
    pub(crate) fn of(&self, event: &EventId) -> Option<&str> {
        Some(self.whole(self.numbers.name(*self.known.get(event)?)))
    }

    /// The services that unassigned keys were assigned to.
    pub(crate) fn assigned(&self) -> &BTreeMap<String, String> {
        &self.assigned
    }

    /// Whose a name is, by what people stated.
    pub(crate) fn identity(&self, name: &str) -> Option<&str> {
        self.identities.get(&key(name))?.1.as_deref()
    }

    /// Whether nobody has stated whose any name is.
    pub(crate) fn states_nobody(&self) -> bool {
        self.identities.is_empty()
    }

    /// Takes no note of an event any more.
    pub(crate) fn forget(&mut self, event: &Event) {
        if self.known.remove(&event.id).is_none() {
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
        if correlation::opens(event) {
            self.incidents.remove(&natural_number(event));
        }
    }

    /// Takes note of an event.
    pub(crate) fn note(&mut self, event: &Event, policy: &Policy) -> PartitionAssignment {
        let mut noted = PartitionAssignment::default();
        match &event.fact {
            Fact::Edit(Correction::Assign { key, service }) => {
                self.assigned.insert(key.clone(), service.clone());
                self.join(&policy.place(service), key, &mut noted);
            }
            Fact::Edit(Correction::Identity { alias, person }) => {
                let word = (moment(event), person.clone());
                let known = self
                    .identities
                    .entry(key(alias))
                    .or_insert_with(|| word.clone());
                if known.0 < word.0 {
                    *known = word;
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
                let (one, other) = (self.named(one), self.named(other));
                self.join(&one, &other, &mut noted);
            }
            _ => {}
        }
        let place = self.find(event, policy);
        if let Some(name) = event.incident.as_deref().filter(|name| is_foreign(name)) {
            self.join(&place, &waiting_for_incident(name), &mut noted);
        }
        let number = self.numbers.of(&place);
        self.known.insert(event.id, number);
        if is_signal(event) {
            let (known, told) = self.subjects.entry(event.subject).or_insert((number, 0));
            (*known, *told) = (number, *told + 1);
            if !self.waiting.is_empty() {
                self.join_waiting(&place, &waiting_for_subject(&event.subject), &mut noted);
            }
        }
        if correlation::opens(event) {
            let name = natural_number(event);
            self.incidents.insert(name, number);
            if !self.waiting.is_empty() {
                self.join_waiting(&place, &waiting_for_incident(&name_of(name)), &mut noted);
            }
        }
        noted.place = self.whole(&place).to_owned();
        noted
    }

    fn find(&mut self, event: &Event, policy: &Policy) -> String {
        let named = event.incident.as_ref().and_then(|name| self.incident(name));
        if let Some(place) = named {
            return self.whole(place).to_owned();
        }
        let service = event.service.as_deref().or_else(|| {
            self.assigned
                .get(&unassigned_key(event)?)
                .map(String::as_str)
        });
        if let Some(service) = service {
            return self.whole(&policy.place(service)).to_owned();
        }
        if let Some(key) = unassigned_key(event) {
            return self.whole(&key).to_owned();
        }
        let place = match (&event.incident, &event.fact) {
            (Some(name), _) => self.named(&IncidentId(name.clone().into())),
            (None, Fact::Lapsed(_) | Fact::Acknowledgement(Acknowledgement { of: Some(_) })) => {
                match self.subjects.get(&event.subject) {
                    Some((place, _)) => self.numbers.name(*place).to_owned(),
                    None => self.wait(waiting_for_subject(&event.subject)),
                }
            }
            // It meets nothing but what names it.
            _ => event.id.to_string(),
        };
        self.whole(&place).to_owned()
    }

    /// Where the incident of that name is, or will be.
    fn named(&mut self, name: &IncidentId) -> String {
        match self.incident(&name.0) {
            Some(place) => place.to_owned(),
            // What is told under such a name finds the others by itself.
            None if is_foreign(&name.0) => waiting_for_incident(&name.0),
            None => self.wait(waiting_for_incident(&name.0)),
        }
    }

    fn incident(&self, name: &str) -> Option<&str> {
        Some(self.numbers.name(*self.incidents.get(&number_of(name)?)?))
    }

    fn wait(&mut self, place: String) -> String {
        self.waiting.insert(place.clone());
        place
    }

    fn join_waiting(&mut self, place: &str, waiting: &str, noted: &mut PartitionAssignment) {
        if self.waiting.remove(waiting) {
            self.join(place, waiting, noted);
        }
    }

    /// `other` becomes part of `place`.
    fn join(&mut self, place: &str, other: &str, noted: &mut PartitionAssignment) {
        let (place, other) = (self.whole(place).to_owned(), self.whole(other).to_owned());
        if place != other {
            self.part_of.insert(other.clone(), place.clone());
            noted.joined.push((other, place));
        }
    }

    /// The place that this one is part of by now.
    fn whole<'a>(&'a self, mut place: &'a str) -> &'a str {
        while let Some(larger) = self.part_of.get(place) {
            place = larger;
        }
        place
    }
}

/// Where events wait that name an incident nobody knows yet; all that is told under a name which a source gave belongs there.
fn waiting_for_incident(name: &str) -> String {
    format!("incident {name}")
}

/// Where events wait that are about a signal nobody knows yet.
fn waiting_for_subject(subject: &Subject) -> String {
    format!("subject {}", subject)
}
