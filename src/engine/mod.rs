//! The decision core. Events go in, incidents with their verdicts come out; time is an argument.
//!
//! Total: nothing here fails. It does not know where an event came from, nor how a decision is carried out.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;

use crate::expr::{Root, Scope, Truth};
use crate::model::Time;
use crate::model::event::{Acknowledgement, Edit, Event, EventId, Fact, Severity, Subject};
use crate::model::incident::{Incident, IncidentId, Joined, Member};
use crate::model::settings::{Maintenance, Service};
use crate::rules::{RuleSet, Test};

mod criteria;
mod intervals;
mod judge;
mod measure;
mod milestones;
mod scope;
mod sentence;
mod signals;
mod sweep;
#[cfg(test)]
mod tests;

use sweep::{Group, Neighbourhood};

/// Environments that are judged but that the shipped criteria skip; `None` counts as this one.
const PRODUCTION: &str = "production";
/// Events older than this are context only.
const RECONSIDER: TimeDelta = TimeDelta::days(14);

/// What an event's place in the sweep is decided by.
type Moment = (Time, EventId);

fn moment(event: &Event) -> Moment {
    (event.occurred_at, event.id.clone())
}

/// The rules and services in force.
#[derive(Debug, Clone, Default)]
pub struct InForce {
    /// The rules.
    pub rules: RuleSet,
    services: BTreeMap<String, Service>,
    maintenance: Vec<Maintenance>,
    /// Each service's connected set, named by its first member.
    connected: BTreeMap<String, String>,
}

impl InForce {
    /// Puts rules, services and planned work in force.
    #[must_use]
    pub fn new(rules: RuleSet, services: &[Service], maintenance: &[Maintenance]) -> Self {
        let mut connected: BTreeMap<String, String> = BTreeMap::new();
        for service in services {
            for other in std::iter::once(&service.name).chain(&service.depends_on) {
                let ours = connected.entry(service.name.clone()).or_insert_with(|| service.name.clone()).clone();
                let theirs = connected.entry(other.clone()).or_insert_with(|| other.clone()).clone();
                let (kept, lost) = if ours <= theirs { (ours, theirs) } else { (theirs, ours) };
                for name in connected.values_mut().filter(|name| **name == lost) {
                    name.clone_from(&kept);
                }
            }
        }
        let services = services.iter().map(|service| (service.name.clone(), service.clone())).collect();
        Self { rules, services, maintenance: maintenance.to_vec(), connected }
    }

    /// The service of that name, if it is known.
    #[must_use]
    pub fn service(&self, name: &str) -> Option<&Service> {
        self.services.get(name)
    }

    /// Whether one of the two depends on the other.
    fn adjacent(&self, one: &str, other: &str) -> bool {
        let depends = |a: &str, b: &str| self.services.get(a).is_some_and(|service| service.depends_on.iter().any(|name| name == b));
        depends(one, other) || depends(other, one)
    }

    fn owners(&self, services: &[String]) -> Vec<String> {
        let owners: BTreeSet<&String> = services.iter().filter_map(|name| self.services.get(name)).flat_map(|s| &s.owners).collect();
        owners.into_iter().cloned().collect()
    }

    /// How far back any rule looks.
    fn lookback(&self) -> TimeDelta {
        let furthest = self.rules.criteria.iter().map(|criterion| match criterion.test {
            Test::NearMiss { quiet_for, at_most, .. } => quiet_for.max(at_most.1),
            Test::Recurrence { within, .. } => within,
            _ => 0,
        });
        RECONSIDER.max(TimeDelta::seconds(furthest.max().unwrap_or(0)))
    }

    /// Whether an event is no part of anything: it only proves that its sender is alive.
    #[must_use]
    pub fn ignores(&self, event: &Event) -> bool {
        let Fact::Alert(alert) = &event.fact else { return false };
        // Severity none only proves that the sender is alive.
        if alert.severity == Severity::None {
            return true;
        }
        let Some(ignore) = &self.rules.correlation.ignore else { return false };
        let scope = Scope::from([(Root::Signal, scope::alert(event, alert))]);
        ignore.evaluate(&scope) == Truth::True
    }
}

fn is_signal(event: &Event) -> bool {
    matches!(event.fact, Fact::Alert(_) | Fact::Condition(_) | Fact::Declaration(_))
}

/// Where events wait that name an incident nobody knows yet.
fn waiting_for_incident(name: &str) -> String {
    format!("incident {name}")
}

/// Where events wait that are about a signal nobody knows yet.
fn waiting_for_subject(subject: &Subject) -> String {
    format!("subject {}", subject.0)
}

/// The event that opened an incident; changes that came before it are only context.
fn opener(incident: &Incident) -> Option<&Event> {
    incident.members.iter().find(|member| member.reason == Joined::Opened).map(|member| &member.event)
}

/// The environment that counts: an unknown one is production.
fn environment(event: &Event) -> &str {
    event.environment.as_deref().unwrap_or(PRODUCTION)
}

/// The correlation key of an event; `None` equals nothing. Events of different environments never meet by key.
fn key(event: &Event, force: &InForce, assigned: &BTreeMap<String, String>) -> Option<String> {
    let environment = environment(event);
    let place = if environment == PRODUCTION { String::new() } else { format!("{environment}/") };
    let Some(service) = &event.service else {
        let key = unassigned_key(event)?;
        return Some(match assigned.get(&key) {
            Some(service) => format!("{place}service={service}"),
            None => format!("{place}{key}"),
        });
    };
    let mut parts = Vec::new();
    for label in &force.rules.correlation.correlate_by {
        let value = match (label.as_str(), &event.fact) {
            ("service", _) => service,
            (name, Fact::Alert(alert)) => alert.labels.get(name)?,
            (name, Fact::Condition(condition)) => condition.labels.get(name)?,
            _ => return None,
        };
        parts.push(format!("{label}={value}"));
    }
    Some(format!("{place}{}", parts.join(",")))
}

/// What an alert without a service is known by, until somebody assigns it.
#[must_use]
pub fn unassigned_key(event: &Event) -> Option<String> {
    let Fact::Alert(alert) = &event.fact else { return None };
    if event.service.is_some() {
        return None;
    }
    let named = ["cluster", "namespace", "alertname"].into_iter();
    let parts: Vec<String> = named.filter_map(|name| alert.labels.get(name).map(|value| format!("{name}={value}"))).collect();
    if parts.is_empty() { None } else { Some(parts.join(",")) }
}

/// An incident with the group it comes from and the next instant at which time alone could change it.
#[derive(Debug, Clone)]
struct Tracked {
    incident: Incident,
    due: Option<Time>,
}

/// All the engine remembers. Made from stored incidents and loose events, changed only by events and time.
#[derive(Debug, Clone, Default)]
pub struct State {
    now: Time,
    known: BTreeMap<EventId, String>,
    neighbourhoods: BTreeMap<String, Neighbourhood>,
    /// Where the incident of that name is; names follow opening events.
    homes: BTreeMap<String, String>,
    /// Where the signal of that subject is: a lapse or an acknowledgement of it names nothing else.
    subjects: BTreeMap<Subject, String>,
    assigned: BTreeMap<String, String>,
    incidents: BTreeMap<IncidentId, Tracked>,
    /// The incidents of each neighbourhood.
    residents: BTreeMap<String, BTreeSet<IncidentId>>,
    timers: BTreeSet<(Time, IncidentId)>,
}

/// What an application or a tick has changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Incidents to be stored again.
    pub changed: BTreeSet<IncidentId>,
    /// Incidents that are no more, and where their opening event is now.
    pub removed: BTreeMap<IncidentId, Option<IncidentId>>,
    /// Events that newly belong to nothing, or to nothing yet.
    pub loosened: BTreeSet<EventId>,
    /// Events that did and now belong to an incident.
    pub placed: BTreeSet<EventId>,
}

impl State {
    /// Takes up where a stored state left off.
    #[must_use]
    pub fn restore(incidents: Vec<Incident>, loose: Vec<Event>, force: &InForce, now: Time) -> Self {
        let mut state = Self { now, ..Self::default() };
        for event in &loose {
            state.learn(event);
        }
        for event in loose {
            let home = state.home(&event, force);
            state.known.insert(event.id.clone(), home.clone());
            if is_signal(&event) {
                state.subjects.insert(event.subject.clone(), home.clone());
            }
            state.neighbourhoods.entry(home).or_default().loose.insert(moment(&event), event);
        }
        for incident in incidents {
            let Some(first) = opener(&incident) else { continue };
            let home = state.home(first, force);
            let members: Vec<Member> = incident.members.iter().filter(|member| member.reason != Joined::Context).cloned().collect();
            for member in &members {
                state.known.insert(member.event.id.clone(), home.clone());
                state.homes.insert(sweep::natural_name(&member.event), home.clone());
                state.subjects.insert(member.event.subject.clone(), home.clone());
            }
            let Some(group) = Group::restore(members, force, &state.assigned) else { continue };
            let due = judge::due(&incident, &group, force, now);
            state.timers.extend(due.map(|due| (due, incident.id.clone())));
            state.residents.entry(home.clone()).or_default().insert(incident.id.clone());
            state.neighbourhoods.entry(home).or_default().groups.push(group);
            state.incidents.insert(incident.id.clone(), Tracked { incident, due });
        }
        state
    }

    /// The next instant at which time alone could change something.
    #[must_use]
    pub fn next(&self) -> Option<Time> {
        self.timers.first().map(|(due, _)| *due)
    }

    /// All incidents it remembers, by id.
    pub fn incidents(&self) -> impl Iterator<Item = &Incident> {
        self.incidents.values().map(|tracked| &tracked.incident)
    }

    /// The incident of that id.
    #[must_use]
    pub fn incident(&self, id: &IncidentId) -> Option<&Incident> {
        self.incidents.get(id).map(|tracked| &tracked.incident)
    }

    /// The incident that an event belongs to.
    #[must_use]
    pub fn incident_of(&self, event: &EventId) -> Option<IncidentId> {
        let residents = self.residents.get(self.known.get(event)?)?;
        let has =
            |id: &&IncidentId| self.incident(id).is_some_and(|incident| incident.members.iter().any(|member| member.event.id == *event));
        residents.iter().find(has).cloned()
    }

    /// The event of that id among those that belong to nothing.
    #[must_use]
    pub fn loose(&self, id: &EventId) -> Option<&Event> {
        let home = self.known.get(id)?;
        self.neighbourhoods.get(home)?.loose.values().find(|event| event.id == *id)
    }

    /// Applies events at `now`. Known ones change nothing; the order does not matter.
    pub fn apply(&mut self, events: Vec<Event>, force: &InForce, now: Time) -> Changes {
        self.now = self.now.max(now);
        let mut changes = Changes::default();
        let mut arrivals: BTreeMap<String, Vec<Event>> = BTreeMap::new();
        for event in events {
            if self.known.contains_key(&event.id) || force.ignores(&event) {
                continue;
            }
            if let Some(key) = self.learn(&event) {
                self.take_unassigned(&key, force, &mut arrivals);
            }
            let home = self.home(&event, force);
            self.known.insert(event.id.clone(), home.clone());
            if is_signal(&event) {
                self.subjects.insert(event.subject.clone(), home.clone());
                self.take_waiting(&waiting_for_subject(&event.subject), &home, &mut arrivals);
            }
            if sweep::opens(&event) {
                let name = sweep::natural_name(&event);
                self.take_waiting(&waiting_for_incident(&name), &home, &mut arrivals);
                self.homes.insert(name, home.clone());
            }
            arrivals.entry(home).or_default().push(event);
        }
        for (home, events) in arrivals {
            self.resweep(&home, events, force, &mut changes);
        }
        self.settle(force, &mut changes);
        changes
    }

    /// Lets time alone pass until `now`.
    pub fn tick(&mut self, force: &InForce, now: Time) -> Changes {
        self.apply(Vec::new(), force, now)
    }

    /// Decides everything again, after the rules have changed.
    pub fn rejudge(&mut self, force: &InForce, now: Time) -> Changes {
        self.now = self.now.max(now);
        let incidents: Vec<Incident> = self.incidents().cloned().collect();
        let loose = self.neighbourhoods.values().flat_map(|hood| hood.loose.values().cloned()).collect();
        *self = Self::restore(incidents, loose, force, self.now);
        let mut changes = Changes::default();
        let homes: Vec<String> = self.neighbourhoods.keys().cloned().collect();
        for home in homes {
            self.resweep(&home, Vec::new(), force, &mut changes);
        }
        self.settle(force, &mut changes);
        changes
    }

    /// Takes note of an assignment; gives the key it concerns.
    fn learn(&mut self, event: &Event) -> Option<String> {
        let Fact::Edit(Edit::Assign { key, service }) = &event.fact else { return None };
        self.assigned.insert(key.clone(), service.clone());
        Some(key.clone())
    }

    /// The neighbourhood of an event.
    fn home(&self, event: &Event, force: &InForce) -> String {
        let named = event.incident.as_ref().and_then(|name| self.homes.get(name));
        if let Some(home) = named {
            return home.clone();
        }
        let service = event.service.clone().or_else(|| self.assigned.get(&unassigned_key(event)?).cloned());
        if let Some(service) = service {
            return match force.connected.get(&service) {
                Some(first) => format!("services of {first}"),
                None => format!("service {service}"),
            };
        }
        if let Some(key) = unassigned_key(event) {
            return key;
        }
        match (&event.incident, &event.fact) {
            (Some(name), _) => waiting_for_incident(name),
            (None, Fact::Lapsed(_) | Fact::Acknowledgement(Acknowledgement { of: Some(_) })) => {
                self.subjects.get(&event.subject).cloned().unwrap_or_else(|| waiting_for_subject(&event.subject))
            }
            // It meets nothing but what names it.
            _ => event.id.0.clone(),
        }
    }

    /// Moves events that waited for what has come now.
    fn take_waiting(&mut self, place: &str, home: &str, arrivals: &mut BTreeMap<String, Vec<Event>>) {
        if let Some(waiting) = self.neighbourhoods.remove(place) {
            for event in waiting.loose.into_values() {
                self.known.insert(event.id.clone(), home.to_owned());
                arrivals.entry(home.to_owned()).or_default().push(event);
            }
        }
    }

    /// Moves the events of an unassigned key to the service they have been assigned to.
    fn take_unassigned(&mut self, key: &str, force: &InForce, arrivals: &mut BTreeMap<String, Vec<Event>>) {
        let Some(hood) = self.neighbourhoods.remove(key) else { return };
        let residents = self.residents.remove(key).unwrap_or_default();
        let members = hood.groups.into_iter().flat_map(|group| group.members.into_iter().map(|member| member.event));
        for mut event in members.chain(hood.loose.into_values()) {
            if unassigned_key(&event).as_deref() == Some(key) {
                event.service = self.assigned.get(key).cloned();
            }
            let home = self.home(&event, force);
            self.known.insert(event.id.clone(), home.clone());
            if is_signal(&event) {
                self.subjects.insert(event.subject.clone(), home.clone());
            }
            if sweep::opens(&event) {
                self.homes.insert(sweep::natural_name(&event), home.clone());
            }
            self.residents.entry(home.clone()).or_default().extend(residents.iter().cloned());
            arrivals.entry(home).or_default().push(event);
        }
    }

    /// Places events in a neighbourhood and brings its incidents in line.
    fn resweep(&mut self, home: &str, mut events: Vec<Event>, force: &InForce, changes: &mut Changes) {
        for event in &mut events {
            if event.service.is_none() {
                event.service = unassigned_key(event).and_then(|key| self.assigned.get(&key).cloned());
            }
        }
        let hood = self.neighbourhoods.entry(home.to_owned()).or_default();
        let loose_before: BTreeSet<EventId> = hood.loose.values().map(|event| event.id.clone()).collect();
        // Too old to reconsider: kept as context, judged no more.
        let (old, fresh): (Vec<Event>, Vec<Event>) = events.into_iter().partition(|event| event.occurred_at < self.now - RECONSIDER);
        hood.loose.extend(old.into_iter().map(|event| (moment(&event), event)));
        hood.place(fresh, force, &self.assigned);
        let loose_after: BTreeSet<EventId> = hood.loose.values().map(|event| event.id.clone()).collect();
        changes.placed.extend(loose_before.difference(&loose_after).cloned());
        changes.loosened.extend(loose_after.difference(&loose_before).cloned());
        judge::reconcile(self, home, force, changes);
    }

    /// Runs every timer that is due, and those that this makes due.
    fn settle(&mut self, force: &InForce, changes: &mut Changes) {
        // Each round moves every due timer past now, so a handful of rounds is plenty; the bound keeps it total.
        for _ in 0..8 {
            let due: Vec<IncidentId> = self.timers.iter().take_while(|(due, _)| *due <= self.now).map(|(_, id)| id.clone()).collect();
            if due.is_empty() {
                break;
            }
            for id in due {
                judge::rejudge_one(self, &id, force, changes);
            }
        }
        self.forget(force);
    }

    /// Drops closed incidents that no rule looks back at.
    fn forget(&mut self, force: &InForce) {
        let horizon = self.now - force.lookback() - TimeDelta::days(1);
        let gone: BTreeSet<IncidentId> = self
            .incidents
            .values()
            .filter(|tracked| tracked.due.is_none() && tracked.incident.phase_since < horizon)
            .map(|tracked| tracked.incident.id.clone())
            .collect();
        if gone.is_empty() {
            return;
        }
        for id in &gone {
            let Some(tracked) = self.incidents.remove(id) else { continue };
            for residents in self.residents.values_mut() {
                residents.remove(id);
            }
            let ids: BTreeSet<EventId> = tracked
                .incident
                .members
                .into_iter()
                .filter(|member| member.reason != Joined::Context)
                .map(|member| member.event.id)
                .collect();
            for id in &ids {
                let Some(home) = self.known.remove(id) else { continue };
                if let Some(hood) = self.neighbourhoods.get_mut(&home) {
                    hood.groups.retain(|group| !ids.contains(&group.opener().id));
                }
            }
        }
    }
}
