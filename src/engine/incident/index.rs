//! Which incidents concern each other, so that nobody has to look through all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::TimeDelta;

use crate::engine::announce::bundle;
use crate::engine::announce::bundle::BundleLead;
use crate::engine::criteria::near_miss;
use crate::engine::criteria::near_miss::NearMissState;
use crate::engine::opener;
use crate::model::event::Fact;
use crate::model::id::{EventId, IncidentId};
use crate::model::incident::Incident;
use crate::model::spans::SpanState;
use crate::model::time::Time;

/// When an incident was first made known, and which.
pub(crate) type AnnouncementKey = (Time, IncidentId);

/// What can come back: a service and the alert or condition that opened an incident of it, or what nearly happened to it.
pub(crate) type RecurrenceKey = (Arc<str>, Arc<str>);

/// Incidents by what others ask of them.
#[derive(Debug, Clone, Default)]
pub(crate) struct IncidentIndex {
    things: BTreeMap<RecurrenceKey, BTreeSet<(Time, IncidentId)>>,
    /// Near misses, and incidents that were made known, by scope.
    scopes: BTreeMap<String, BTreeSet<IncidentId>>,
    /// In the order in which they were first made known.
    announced: BTreeSet<AnnouncementKey>,
}

impl IncidentIndex {
    pub(crate) fn add(&mut self, id: &IncidentId, gist: &IncidentSummary) {
        for thing in &gist.things {
            self.things
                .entry(thing.clone())
                .or_default()
                .insert((gist.began, id.clone()));
        }
        if gist.first_at.is_some() || gist.near {
            for scope in &gist.scopes {
                self.scopes
                    .entry(scope.clone())
                    .or_default()
                    .insert(id.clone());
            }
        }
        self.announced
            .extend(gist.first_at.map(|first_at| (first_at, id.clone())));
    }

    pub(crate) fn remove(&mut self, id: &IncidentId, gist: &IncidentSummary) {
        for thing in &gist.things {
            if let Some(list) = self.things.get_mut(thing) {
                list.remove(&(gist.began, id.clone()));
                if list.is_empty() {
                    self.things.remove(thing);
                }
            }
        }
        for scope in &gist.scopes {
            if let Some(list) = self.scopes.get_mut(scope) {
                list.remove(id);
                if list.is_empty() {
                    self.scopes.remove(scope);
                }
            }
        }
        if let Some(first_at) = gist.first_at {
            self.announced.remove(&(first_at, id.clone()));
        }
    }

    /// The incidents of that thing which began after `since` and not after `until`.
    pub(crate) fn of_thing(
        &self,
        thing: &RecurrenceKey,
        since: Time,
        until: Time,
    ) -> impl Iterator<Item = &(Time, IncidentId)> {
        let list = self.things.get(thing).into_iter();
        list.flat_map(move |list| {
            list.range(
                (
                    since + TimeDelta::microseconds(1),
                    IncidentId(String::new()),
                )..,
            )
            .take_while(move |(at, _)| *at <= until)
        })
    }

    /// The near misses and announced incidents that have one of these scopes, this one left out.
    pub(crate) fn of_scope(&self, but: &IncidentId, scopes: &[String]) -> BTreeSet<&IncidentId> {
        let lists = scopes.iter().filter_map(|scope| self.scopes.get(scope));
        lists.flatten().filter(|id| *id != but).collect()
    }

    /// All that were made known, the first one first.
    pub(crate) fn announced(&self) -> impl Iterator<Item = &IncidentId> {
        self.announced.iter().map(|(_, id)| id)
    }

    /// Those that were made known then and later.
    pub(crate) fn announced_from(
        &self,
        from: &AnnouncementKey,
    ) -> impl Iterator<Item = &AnnouncementKey> {
        self.announced.range(from..)
    }
}

/// What others ask of an incident, so that they need not go through it.
#[derive(Debug, Clone)]
pub(crate) struct IncidentSummary {
    pub(crate) things: BTreeSet<RecurrenceKey>,
    pub(crate) scopes: Vec<String>,
    pub(crate) began: Time,
    /// Its opening event, which others cite.
    pub(crate) cited: Option<EventId>,
    pub(crate) near: bool,
    /// When it was first made known.
    pub(crate) first_at: Option<Time>,
    /// What bundles are put together by.
    pub(crate) standing: Option<(Option<bool>, Time)>,
    /// What it is to bundles.
    pub(crate) lead: Option<BundleLead>,
    pub(crate) stance: NearMissState,
}

impl IncidentSummary {
    pub(crate) fn of(incident: &Incident) -> Self {
        let announced = incident.announced.as_ref();
        Self {
            things: things(incident),
            scopes: scopes(incident).to_vec(),
            began: began(incident),
            cited: opener(incident).map(|event| event.id),
            near: has_near_miss(incident),
            first_at: announced.map(|announced| announced.first_at),
            standing: announced.map(|announced| (bundle::wanted(incident), announced.at)),
            lead: bundle::lead(incident),
            stance: near_miss::stance(incident),
        }
    }
}

/// When an incident opened.
pub(crate) fn began(incident: &Incident) -> Time {
    opener(incident).map_or(incident.phase_since, |event| event.occurred_at)
}

/// The owners; without any, the services themselves.
pub(crate) fn scopes(incident: &Incident) -> &[String] {
    if incident.scope.is_empty() {
        &incident.services
    } else {
        &incident.scope
    }
}

/// What came back is the same when service and opening alert or condition are.
pub(crate) fn opening_thing(incident: &Incident) -> Option<RecurrenceKey> {
    let opener = opener(incident)?;
    let service = opener
        .service
        .clone()
        .or_else(|| incident.unassigned.as_deref().map(Into::into))?;
    let name = match &opener.fact {
        Fact::Alert(alert) => alert.name.clone(),
        Fact::Condition(condition) => condition.name.as_str().into(),
        _ => return None,
    };
    Some((service, name))
}

/// What nearly happened, as something that can come back.
pub(crate) fn near_things(incident: &Incident) -> impl Iterator<Item = RecurrenceKey> + '_ {
    let reported = incident
        .members
        .told()
        .filter_map(|member| match &member.event.fact {
            Fact::NearMiss(near) => Some((
                member.event.service.clone().unwrap_or_default(),
                near.what.as_str().into(),
            )),
            _ => None,
        });
    let seen = incident.signals.iter().filter(|signal| {
        signal
            .spans
            .iter()
            .any(|span| span.state == SpanState::NearMiss)
    });
    reported.chain(seen.map(|signal| {
        (
            signal.service.clone().unwrap_or_default(),
            signal.name.clone(),
        )
    }))
}

/// All of an incident that can come back.
pub(crate) fn things(incident: &Incident) -> BTreeSet<RecurrenceKey> {
    opening_thing(incident)
        .into_iter()
        .chain(near_things(incident))
        .collect()
}

/// Whether it nearly happened, measured or reported.
pub(crate) fn has_near_miss(incident: &Incident) -> bool {
    near_things(incident).next().is_some()
}
