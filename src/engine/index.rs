//! Which incidents concern each other, so that nobody has to look through all of them.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;

use super::opener;
use crate::model::Time;
use crate::model::event::Fact;
use crate::model::incident::{Incident, IncidentId, SpanState};

/// What can come back: a service and the alert or condition that opened an incident of it, or what nearly happened to it.
pub(super) type Thing = (String, String);

/// Incidents by what others ask of them.
#[derive(Debug, Clone, Default)]
pub(super) struct Index {
    things: BTreeMap<Thing, BTreeSet<(Time, IncidentId)>>,
    /// Near misses, and incidents that were made known, by scope.
    scopes: BTreeMap<String, BTreeSet<IncidentId>>,
    /// In the order in which they were first made known.
    announced: BTreeSet<(Time, IncidentId)>,
}

impl Index {
    pub(super) fn add(&mut self, incident: &Incident) {
        for thing in things(incident) {
            self.things.entry(thing).or_default().insert((began(incident), incident.id.clone()));
        }
        if incident.announced.is_some() || has_near_miss(incident) {
            for scope in scopes(incident) {
                self.scopes.entry(scope.clone()).or_default().insert(incident.id.clone());
            }
        }
        self.announced.extend(incident.announced.as_ref().map(|announced| (announced.first_at, incident.id.clone())));
    }

    pub(super) fn remove(&mut self, incident: &Incident) {
        for thing in things(incident) {
            if let Some(list) = self.things.get_mut(&thing) {
                list.remove(&(began(incident), incident.id.clone()));
                if list.is_empty() {
                    self.things.remove(&thing);
                }
            }
        }
        for scope in scopes(incident) {
            if let Some(list) = self.scopes.get_mut(scope) {
                list.remove(&incident.id);
                if list.is_empty() {
                    self.scopes.remove(scope);
                }
            }
        }
        if let Some(announced) = &incident.announced {
            self.announced.remove(&(announced.first_at, incident.id.clone()));
        }
    }

    /// The incidents of that thing which began after `since` and not after `until`.
    pub(super) fn of_thing(&self, thing: &Thing, since: Time, until: Time) -> impl Iterator<Item = &(Time, IncidentId)> {
        let list = self.things.get(thing).into_iter();
        list.flat_map(move |list| {
            list.range((since + TimeDelta::microseconds(1), IncidentId(String::new()))..).take_while(move |(at, _)| *at <= until)
        })
    }

    /// The near misses and announced incidents that share a scope with this one, itself left out.
    pub(super) fn of_scope(&self, incident: &Incident) -> BTreeSet<&IncidentId> {
        let lists = scopes(incident).iter().filter_map(|scope| self.scopes.get(scope));
        lists.flatten().filter(|id| **id != incident.id).collect()
    }

    /// All that were made known, the first one first.
    pub(super) fn announced(&self) -> impl Iterator<Item = &IncidentId> {
        self.announced.iter().map(|(_, id)| id)
    }
}

/// When an incident opened.
pub(super) fn began(incident: &Incident) -> Time {
    opener(incident).map_or(incident.phase_since, |event| event.occurred_at)
}

/// The owners; without any, the services themselves.
pub(super) fn scopes(incident: &Incident) -> &[String] {
    if incident.scope.is_empty() { &incident.services } else { &incident.scope }
}

/// What came back is the same when service and opening alert or condition are.
pub(super) fn opening_thing(incident: &Incident) -> Option<Thing> {
    let opener = opener(incident)?;
    let service = opener.service.as_ref().or(incident.unassigned.as_ref())?;
    let name = match &opener.fact {
        Fact::Alert(alert) => &alert.name,
        Fact::Condition(condition) => &condition.name,
        _ => return None,
    };
    Some((service.clone(), name.clone()))
}

/// What nearly happened, as something that can come back.
pub(super) fn near_things(incident: &Incident) -> impl Iterator<Item = Thing> + '_ {
    let reported = incident.members.iter().filter_map(|member| match &member.event.fact {
        Fact::NearMiss(near) => Some((member.event.service.clone().unwrap_or_default(), near.what.clone())),
        _ => None,
    });
    let seen = incident.signals.iter().filter(|signal| signal.spans.iter().any(|span| span.state == SpanState::NearMiss));
    reported.chain(seen.map(|signal| (signal.service.clone().unwrap_or_default(), signal.name.clone())))
}

/// All of an incident that can come back.
pub(super) fn things(incident: &Incident) -> BTreeSet<Thing> {
    opening_thing(incident).into_iter().chain(near_things(incident)).collect()
}

/// Whether it nearly happened, measured or reported.
pub(super) fn has_near_miss(incident: &Incident) -> bool {
    near_things(incident).next().is_some()
}
