//! The decision core. Events go in, incidents with their verdicts come out; time is an argument.
//!
//! Total: nothing here fails. It does not know where an event came from, nor how a decision is carried out.

mod announce;
pub mod conditions;
mod correlation;
mod criteria;
mod ids;
pub(crate) mod incident;
mod interner;
mod policy;
pub mod replay;
mod retention;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::TimeDelta;

use crate::model::correction::Correction;
use crate::model::directory;
use crate::model::event::{Event, Fact};
use crate::model::id::{EventId, IncidentId, Subject};
use crate::model::incident::Incident;
use crate::model::member::{JoinReason, Member};
use crate::model::time::Time;

pub use correlation::opens;
use policy::PartitionSettings;
pub use policy::{Policy, ServiceAliases, unassigned_key};

use announce::bundle::BundleLeads;
use correlation::Partition;
use correlation::partitions::PartitionIndex;
use incident::derive::MemberFingerprint;
use incident::index::{AnnouncementKey, IncidentIndex, IncidentSummary};
use interner::Interner;

/// Events older than this are context only.
pub const RECONSIDER: TimeDelta = TimeDelta::days(14);

/// What an event's place in the sweep is decided by.
type SweepKey = (Time, EventId);

fn moment(event: &Event) -> SweepKey {
    (event.occurred_at, event.id)
}

fn is_signal(event: &Event) -> bool {
    matches!(
        event.fact,
        Fact::Alert(_) | Fact::Condition(_) | Fact::Declaration(_)
    )
}

/// The event that opened an incident; changes that came before it are only context.
fn opener(incident: &Incident) -> Option<&Event> {
    incident
        .members
        .iter()
        .find(|member| member.reason == JoinReason::Opened)
        .map(|member| &*member.event)
}

/// An incident with the group it comes from and the next instant at which time alone could change it.
#[derive(Debug, Clone)]
pub(crate) struct TrackedIncident {
    incident: Arc<Incident>,
    due: Option<Time>,
    /// The event that it is named after, where that is known.
    named_after: Option<SweepKey>,
    standpoint: MemberFingerprint,
    gist: IncidentSummary,
    /// Where its group is: not always where its events would go by themselves now.
    home: Arc<str>,
}

/// The event that an incident is named after.
fn named_after(incident: &Incident) -> Option<SweepKey> {
    let number = incident::id::number_of(&incident.id.0)?;
    let names = |event: &Event| incident::id::natural_number(event) == number;
    // Nearly always the one that opened it.
    let first = opener(incident).filter(|event| names(event));
    let own = incident
        .members
        .iter()
        .filter(|member| member.reason != JoinReason::Context);
    first
        .or_else(|| {
            own.map(|member| &*member.event)
                .find(|event| correlation::opens(event) && names(event))
        })
        .map(moment)
}

/// All the engine remembers. Made from stored incidents and loose events, changed only by events and time.
#[derive(Debug, Clone, Default)]
pub struct State {
    now: Time,
    places: PartitionIndex,
    /// Planned work, as each was told last.
    windows: BTreeMap<Subject, Arc<Event>>,
    neighbourhoods: BTreeMap<String, Partition>,
    incidents: BTreeMap<IncidentId, TrackedIncident>,
    /// The incidents of each neighbourhood.
    residents: BTreeMap<String, BTreeSet<IncidentId>>,
    timers: BTreeSet<(Time, IncidentId)>,
    /// Closed incidents that time alone changes no more, by when they were closed.
    settled: BTreeSet<(Time, IncidentId)>,
    index: IncidentIndex,
    pool: Interner,
    /// Incidents to be decided again, since one that concerns them has changed.
    concerned: BTreeSet<IncidentId>,
    /// Those that were made known for themselves.
    spoken: BTreeSet<IncidentId>,
    /// What bundles rest on; `None`: they were not put together yet.
    leads: Option<BundleLeads>,
    /// Whether what was made known, or stands, has changed since bundles were put together.
    unbundled: bool,
    /// The first of whom what bundles rest on has changed since then: services may have, too.
    moved: Option<AnnouncementKey>,
    tidied_at: Time,
    /// When texts that nobody has in common any more were dropped.
    pooled_at: Time,
    /// By what the places were made; `None`: there are none yet.
    roots: Option<PartitionSettings>,
}

/// What an application or a tick has changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IncidentChanges {
    /// Incidents to be stored again.
    pub changed: BTreeSet<IncidentId>,
    /// Incidents that are no more, and where their opening event is now.
    pub removed: BTreeMap<IncidentId, Option<IncidentId>>,
    /// Events that newly belong to nothing, or to nothing yet.
    pub loosened: BTreeSet<EventId>,
    /// Events that did and now belong to an incident, or are of no use any more.
    pub placed: BTreeSet<EventId>,
}

/// What was stored of a neighbourhood: the members of its incidents, and what belongs to none.
type StoredPartition = (Vec<Vec<Member>>, Vec<Arc<Event>>);

/// What comes to a neighbourhood at once.
#[derive(Debug, Default)]
struct PartitionArrivals {
    events: Vec<Arc<Event>>,
    /// Too old to reconsider: kept as context, judged no more.
    old: Vec<Arc<Event>>,
    /// Those of the events that belonged to nothing where they come from.
    were_loose: BTreeSet<EventId>,
}

/// Whether `event` is planned work that takes the place of what was told before under its subject.
fn replaces(windows: &BTreeMap<Subject, Arc<Event>>, event: &Event) -> bool {
    matches!(event.fact, Fact::Maintenance(_))
        && windows
            .get(&event.subject)
            .is_none_or(|known| moment(known) <= moment(event))
}

impl State {
    /// Takes up where a stored state left off.
    #[must_use]
    pub fn restore(
        mut incidents: Vec<Incident>,
        mut loose: Vec<Event>,
        policy: &Policy,
        now: Time,
    ) -> Self {
        let mut state = Self {
            now,
            tidied_at: now,
            pooled_at: now,
            roots: Some(policy.roots()),
            ..Self::default()
        };
        for event in &mut loose {
            policy.name_service(event);
            state.pool.share(event);
        }
        for incident in &mut incidents {
            let mut members = std::mem::take(&mut incident.members).into_vec();
            for member in &mut members {
                if policy.renames(&member.event) {
                    policy.name_service(Arc::make_mut(&mut member.event));
                }
                state.pool.share_member(member);
            }
            incident.members = members.into();
            state.pool.share_sorts(&mut incident.signals);
        }
        let stored: Vec<Vec<Member>> = incidents
            .iter()
            .map(|incident| {
                incident
                    .members
                    .iter()
                    .filter(|member| member.reason != JoinReason::Context)
                    .cloned()
                    .collect()
            })
            .collect();
        // First everything is noted, so that places which are one are known as one before anything is put there.
        for event in loose
            .iter()
            .chain(stored.iter().flatten().map(|member| &*member.event))
        {
            state.places.note(event, policy);
        }
        for event in &loose {
            if replaces(&state.windows, event) {
                state.windows.insert(event.subject, Arc::new(event.clone()));
            }
        }
        let mut mixed: BTreeSet<String> = BTreeSet::new();
        let mut contents: BTreeMap<String, StoredPartition> = BTreeMap::new();
        for event in loose {
            let Some(place) = state.places.of(&event.id) else {
                continue;
            };
            contents
                .entry(place.to_owned())
                .or_default()
                .1
                .push(Arc::new(event));
        }
        for (incident, members) in incidents.into_iter().zip(stored) {
            let Some(place) = opener(&incident)
                .and_then(|first| state.places.of(&first.id))
                .map(str::to_owned)
            else {
                continue;
            };
            if members
                .iter()
                .any(|member| state.places.of(&member.event.id) != Some(&place))
            {
                mixed.insert(place.clone());
            }
            contents.entry(place.clone()).or_default().0.push(members);
            let home = Arc::from(place.as_str());
            state
                .residents
                .entry(place)
                .or_default()
                .insert(incident.id.clone());
            let (due, gist) = (
                incident::derive::due(&incident, now),
                IncidentSummary::of(&incident),
            );
            if incident.bundle.is_none() && announce::bundle::wanted(&incident).is_some() {
                state.spoken.insert(incident.id.clone());
            }
            let (named_after, standpoint) =
                (named_after(&incident), MemberFingerprint::of(&incident));
            state.enter(TrackedIncident {
                due,
                named_after,
                standpoint,
                gist,
                home,
                incident: Arc::new(incident),
            });
        }
        for (place, (members, loose)) in contents {
            let mut hood = Partition::restore(members, loose, policy, state.places.assigned());
            hood.mixed = mixed.contains(&place);
            state.neighbourhoods.insert(place, hood);
        }
        state
    }

    /// The time it has come to: that of the last events or timer.
    #[must_use]
    pub fn now(&self) -> Time {
        self.now
    }

    /// The next instant at which time alone could change something.
    #[must_use]
    pub fn next(&self) -> Option<Time> {
        self.timers.first().map(|(due, _)| *due)
    }

    /// All incidents it remembers, by id.
    pub fn incidents(&self) -> impl Iterator<Item = &Incident> {
        self.incidents.values().map(|tracked| &*tracked.incident)
    }

    /// The incident of that id.
    #[must_use]
    pub fn incident(&self, id: &IncidentId) -> Option<&Incident> {
        self.incidents.get(id).map(|tracked| &*tracked.incident)
    }

    /// The same, to be shared.
    #[must_use]
    pub fn shared(&self, id: &IncidentId) -> Option<Arc<Incident>> {
        self.incidents
            .get(id)
            .map(|tracked| Arc::clone(&tracked.incident))
    }

    /// The incidents that wait in the bundle of this one.
    pub fn bundle_of<'a>(&'a self, lead: &'a IncidentId) -> impl Iterator<Item = &'a Incident> {
        let announced = self.index.announced().filter_map(|id| self.incident(id));
        announced.filter(move |incident| incident.bundle.as_ref() == Some(lead))
    }

    /// The incident that an event belongs to.
    #[must_use]
    pub fn incident_of(&self, event: &EventId) -> Option<IncidentId> {
        let residents = self.residents.get(self.places.of(event)?)?;
        let has = |id: &&IncidentId| {
            self.incident(id).is_some_and(|incident| {
                incident
                    .members
                    .iter()
                    .any(|member| member.event.id == *event)
            })
        };
        residents.iter().find(has).cloned()
    }

    /// The event of that id among those that belong to nothing.
    #[must_use]
    pub fn loose(&self, id: &EventId) -> Option<&Event> {
        let place = self.places.of(id)?;
        self.neighbourhoods
            .get(place)?
            .loose
            .values()
            .map(|event| &**event)
            .find(|event| event.id == *id)
    }

    /// Applies events at `now`. Known ones change nothing; the order does not matter.
    pub fn apply(&mut self, events: Vec<Event>, policy: &Policy, now: Time) -> IncidentChanges {
        self.now = self.now.max(now);
        self.roots.get_or_insert_with(|| policy.roots());
        let mut changes = IncidentChanges::default();
        let mut arrivals: BTreeMap<String, PartitionArrivals> = BTreeMap::new();
        let mut named: BTreeSet<String> = BTreeSet::new();
        for mut event in events {
            if self.places.knows(&event.id) || policy.ignores(&event) {
                continue;
            }
            policy.name_service(&mut event);
            self.pool.share(&mut event);
            let noted = self.places.note(&event, policy);
            if let Fact::Edit(Correction::Identity { alias, .. }) = &event.fact {
                named.insert(directory::key(alias));
            }
            for (part, whole) in &noted.joined {
                self.unite(part, whole, &mut arrivals);
            }
            let event = Arc::new(event);
            if replaces(&self.windows, &event) {
                self.windows.insert(event.subject, Arc::clone(&event));
                // What names no service concerns all.
                for place in self.residents.keys().filter(|_| event.service.is_none()) {
                    arrivals.entry(place.clone()).or_default();
                }
            }
            let arrived = arrivals.entry(noted.place).or_default();
            if event.occurred_at < self.now - RECONSIDER {
                arrived.old.push(event);
            } else {
                arrived.events.push(event);
            }
        }
        for (place, arrived) in arrivals {
            self.resweep(&place, arrived, policy, &mut changes);
        }
        if !named.is_empty() {
            self.identify(&named);
        }
        self.settle(policy, &mut changes);
        changes
    }

    /// Marks the incidents in which somebody acted under one of these names, in the form of [`directory::key`]: whose they are was stated anew.
    fn identify(&mut self, names: &BTreeSet<String>) {
        let acted = |event: &Event| {
            incident::responders::names(event).any(|name| names.contains(&directory::key(name)))
        };
        let concerned = self
            .incidents
            .values()
            .map(|tracked| &tracked.incident)
            .filter(|incident| incident.members.iter().any(|member| acted(&member.event)));
        self.concerned
            .extend(concerned.map(|incident| incident.id.clone()));
    }

    /// Lets time alone pass until `now`.
    pub fn tick(&mut self, policy: &Policy, now: Time) -> IncidentChanges {
        self.apply(Vec::new(), policy, now)
    }

    /// Decides everything again, after the rules have changed.
    pub fn rejudge(&mut self, policy: &Policy, now: Time) -> IncidentChanges {
        self.now = self.now.max(now);
        let mut changes = IncidentChanges::default();
        if self.roots == Some(policy.roots()) {
            self.neighbourhoods.values_mut().for_each(Partition::anew);
            // Everything is where it was; what is closed stays as it was decided.
            let unfinished = self
                .incidents
                .values()
                .map(|tracked| &*tracked.incident)
                .filter(|incident| incident::derive::due(incident, now).is_some());
            self.concerned
                .extend(unfinished.map(|incident| incident.id.clone()));
            // Limits and periods may be others.
            (self.leads, self.unbundled) = (None, true);
            self.settle(policy, &mut changes);
            return changes;
        }
        let before = std::mem::take(self);
        let incidents = before
            .incidents
            .into_values()
            .map(|tracked| Arc::unwrap_or_clone(tracked.incident))
            .collect();
        let loose = before
            .neighbourhoods
            .into_values()
            .flat_map(|hood| hood.loose.into_values())
            .map(Arc::unwrap_or_clone)
            .collect();
        *self = Self::restore(incidents, loose, policy, before.now);
        let places: Vec<String> = self.neighbourhoods.keys().cloned().collect();
        for place in places {
            self.resweep(&place, PartitionArrivals::default(), policy, &mut changes);
        }
        self.settle(policy, &mut changes);
        changes
    }

    /// All that is at `part` is at `whole` from now on.
    fn unite(
        &mut self,
        part: &str,
        whole: &str,
        arrivals: &mut BTreeMap<String, PartitionArrivals>,
    ) {
        let mut moving = arrivals.remove(part).unwrap_or_default();
        if let Some(hood) = self.neighbourhoods.remove(part) {
            moving
                .were_loose
                .extend(hood.loose.values().map(|event| event.id));
            let too_old = |event: &Arc<Event>| {
                event.occurred_at < self.now - RECONSIDER && moving.were_loose.contains(&event.id)
            };
            let (old, events): (Vec<Arc<Event>>, Vec<Arc<Event>>) =
                hood.into_events().partition(too_old);
            moving.old.extend(old);
            moving.events.extend(events);
        }
        let arrived = arrivals.entry(whole.to_owned()).or_default();
        arrived.events.extend(moving.events);
        arrived.old.extend(moving.old);
        arrived.were_loose.extend(moving.were_loose);
        let residents = self.residents.remove(part).unwrap_or_default();
        let home: Arc<str> = whole.into();
        for id in &residents {
            if let Some(tracked) = self.incidents.get_mut(id) {
                tracked.home = Arc::clone(&home);
            }
        }
        self.residents
            .entry(whole.to_owned())
            .or_default()
            .extend(residents);
    }

    /// Places events in a neighbourhood and brings its incidents in line.
    fn resweep(
        &mut self,
        place: &str,
        arrived: PartitionArrivals,
        policy: &Policy,
        changes: &mut IncidentChanges,
    ) {
        let PartitionArrivals {
            mut events,
            old,
            were_loose,
        } = arrived;
        for event in &mut events {
            let service = unassigned_key(event).and_then(|key| self.places.assigned().get(&key));
            if let Some(service) = service {
                Arc::make_mut(event).service = Some(service.as_str().into());
            }
        }
        let hood = self.neighbourhoods.entry(place.to_owned()).or_default();
        let mut before = were_loose;
        before.extend(hood.loose.values().map(|event| event.id));
        incident::derive::release(self, place);
        let hood = self.neighbourhoods.entry(place.to_owned()).or_default();
        old.iter().for_each(|event| hood.note(event));
        hood.loose
            .extend(old.into_iter().map(|event| (moment(&event), event)));
        hood.place(events, policy, self.places.assigned());
        // What was here while other services belonged together goes where it belongs now, once no incident here holds it.
        let mut strays: BTreeMap<String, PartitionArrivals> = BTreeMap::new();
        if hood.mixed {
            for (_, event) in hood
                .loose
                .extract_if(.., |_, event| self.places.of(&event.id) != Some(place))
            {
                let arrived = strays
                    .entry(self.places.of(&event.id).unwrap_or_default().to_owned())
                    .or_default();
                arrived.were_loose.extend(before.get(&event.id));
                let too_old = event.occurred_at < self.now - RECONSIDER;
                if too_old {
                    &mut arrived.old
                } else {
                    &mut arrived.events
                }
                .push(event);
            }
        }
        let after: BTreeSet<EventId> = hood.loose.values().map(|event| event.id).collect();
        changes.placed.extend(before.difference(&after).copied());
        changes.loosened.extend(after.difference(&before).copied());
        incident::derive::reconcile(self, place, policy, changes);
        for (place, arrived) in strays {
            self.resweep(&place, arrived, policy, changes);
        }
    }

    /// Runs every timer that is due, and those that this makes due.
    fn settle(&mut self, policy: &Policy, changes: &mut IncidentChanges) {
        // Each round moves every due timer past now, so a handful of rounds is plenty; the bound keeps it total.
        for _ in 0..8 {
            let mut due = std::mem::take(&mut self.concerned);
            due.extend(
                self.timers
                    .iter()
                    .take_while(|(due, _)| *due <= self.now)
                    .map(|(_, id)| id.clone()),
            );
            if due.is_empty() {
                break;
            }
            for id in due {
                incident::derive::rejudge_one(self, &id, policy, changes);
            }
        }
        announce::bundle::assign(self, policy, changes);
    }
}

#[cfg(test)]
pub(crate) mod tests;
