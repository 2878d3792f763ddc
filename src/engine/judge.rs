//! Brings incidents in line with their groups: derives, decides, announces, and says when to look again.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;

use super::criteria::Others;
use super::sweep::{Group, natural_id, natural_name, opens};
use super::{
    Changes, InForce, State, Tracked, announce, bundle, criteria, index, milestones, near_miss, opener, sentence, signals, unassigned_key,
};
use crate::model::Time;
use crate::model::event::{Event, Fact, Severity};
use crate::model::incident::{Decision, Incident, IncidentId, Joined, Member, Outcome, Phase, Standing};

/// When to look at a stored incident again: at once, unless it is closed.
pub(super) fn due(incident: &Incident, now: Time) -> Option<Time> {
    // A near miss may have to wait for its period to end.
    let waits = incident.announced.is_none() && index::has_near_miss(incident);
    (incident.phase != Phase::Closed || waits).then_some(now)
}

/// The phase at `now`, since when, and when it next changes if nothing happens.
fn phase(group: &Group, force: &InForce, now: Time) -> (Phase, Time, Option<Time>) {
    let began = group.opener().occurred_at;
    if group.is_open() {
        return (Phase::Active, began, None);
    }
    let rules = &force.rules.correlation;
    let resolved = group.last_activity + TimeDelta::seconds(rules.settle);
    let closed = group.last_activity + TimeDelta::seconds(rules.reopen_within.max(rules.settle));
    if now < resolved {
        (Phase::Active, began, Some(resolved))
    } else if now < closed {
        (Phase::Resolved, resolved, Some(closed))
    } else {
        (Phase::Closed, closed, None)
    }
}

/// Makes the incidents of `home` what its groups say.
pub(super) fn reconcile(state: &mut State, home: &str, force: &InForce, changes: &mut Changes) {
    let before = state.residents.remove(home).unwrap_or_default();
    let Some(hood) = state.neighbourhoods.get(home) else { return };
    let mut heirs: BTreeMap<IncidentId, usize> = BTreeMap::new();
    heirs.extend(hood.incidents().iter().enumerate().map(|(index, group)| (natural_id(group), index)));
    // Where an incident is not named after what opens a group, it may be named after any event there.
    if before.iter().any(|id| !heirs.contains_key(id)) {
        for (index, group) in hood.incidents().iter().enumerate() {
            heirs.extend(opening(group).map(|event| (IncidentId(natural_name(event)), index)));
        }
    }
    // An incident lives on in the group that has the event it is named after; of two announced ones the first keeps its name.
    let mut names: BTreeMap<usize, (Time, IncidentId)> = BTreeMap::new();
    let mut moved: Vec<(IncidentId, usize)> = Vec::new();
    for id in &before {
        let Some(incident) = state.incidents.get(id).map(|tracked| &tracked.incident) else { continue };
        let Some(&index) = heirs.get(id) else { continue };
        moved.push((id.clone(), index));
        let Some(announced) = &incident.announced else { continue };
        let name = (announced.at, id.clone());
        let held = names.entry(index).or_insert_with(|| name.clone());
        *held = name.min(held.clone());
    }
    let ids: Vec<IncidentId> =
        hood.incidents().iter().enumerate().map(|(i, g)| names.get(&i).map_or_else(|| natural_id(g), |(_, id)| id.clone())).collect();
    let stale: Vec<usize> = (0..ids.len())
        .filter(|&index| {
            let group = &hood.incidents()[index];
            let Some(incident) = state.incidents.get(&ids[index]).map(|tracked| &tracked.incident) else { return true };
            let (context, members): (Vec<&Member>, Vec<&Member>) =
                incident.members.iter().partition(|member| member.reason == Joined::Context);
            !members.into_iter().eq(&group.members)
                || !context.iter().map(|member| &member.event.id).eq(hood.context(group).map(|event| &event.id))
        })
        .collect();
    let residents: BTreeSet<IncidentId> = ids.iter().cloned().collect();
    for id in before.difference(&residents) {
        let heir = moved.iter().find(|(moved, _)| moved == id).map(|(_, index)| ids[*index].clone());
        state.take(id, force);
        changes.removed.insert(id.clone(), heir);
    }
    state.residents.insert(home.to_owned(), residents);
    for index in stale {
        changes.removed.remove(&ids[index]);
        derive(state, home, index, ids[index].clone(), force, changes);
    }
}

/// The events of a group that an incident can be named after.
fn opening(group: &Group) -> impl Iterator<Item = &Event> {
    group.members.iter().map(|member| &*member.event).filter(|event| opens(event))
}

/// Decides one incident again at the state's now.
pub(super) fn rejudge_one(state: &mut State, id: &IncidentId, force: &InForce, changes: &mut Changes) {
    let place = state.incidents.get(id).and_then(|tracked| opener(&tracked.incident)).and_then(|first| {
        let home = state.places.of(&first.id)?;
        let groups = state.neighbourhoods.get(home)?.incidents();
        let index = groups.iter().position(|group| group.opener().id == first.id)?;
        Some((home.to_owned(), index))
    });
    match place {
        Some((home, index)) => derive(state, &home, index, id.clone(), force, changes),
        None => state.timers.retain(|(_, timed)| timed != id),
    }
}

fn derive(state: &mut State, home: &str, index: usize, id: IncidentId, force: &InForce, changes: &mut Changes) {
    let now = state.now;
    let Some(hood) = state.neighbourhoods.get(home) else { return };
    let Some(group) = hood.incidents().get(index) else { return };
    let context = hood.context(group).map(|event| Member { event: event.clone(), reason: Joined::Context }).collect();
    let previous = state.incident(&id);
    let (mut incident, mut due) = incident(id.clone(), group, context, previous, force, now);
    let others = Others { incidents: &state.incidents, index: &state.index };
    let (verdicts, crossing) = criteria::verdicts(&incident, others, force, now);
    due = due.into_iter().chain(crossing).min();
    incident.decision = announce::decide(&verdicts, incident.phase);
    incident.verdicts = verdicts;
    announce::announce(&mut incident, &others, force, now);
    incident.reason = sentence::reason(&incident);
    if let Some(previous) = previous {
        incident.bundle.clone_from(&previous.bundle);
        let changed = seen(previous) != seen(&incident);
        incident.revision = previous.revision + u64::from(changed);
    }
    if previous != Some(&incident) {
        changes.changed.insert(id);
    }
    state.put(Tracked { incident, due }, force);
}

impl State {
    /// Takes in an incident, and with it note of whom its change concerns.
    fn put(&mut self, tracked: Tracked, force: &InForce) {
        let id = tracked.incident.id.clone();
        let before = self.incidents.remove(&id);
        if let Some(before) = &before {
            self.index.remove(&before.incident);
            if let Some(due) = before.due {
                self.timers.remove(&(due, id.clone()));
            }
        }
        let was = before.as_ref().map(|before| &before.incident);
        self.concern(was, Some(&tracked.incident), force);
        self.index.add(&tracked.incident);
        self.timers.extend(tracked.due.map(|due| (due, id.clone())));
        self.incidents.insert(id, tracked);
    }

    /// Lets go of an incident that is no more.
    fn take(&mut self, id: &IncidentId, force: &InForce) {
        let Some(tracked) = self.incidents.remove(id) else { return };
        if let Some(due) = tracked.due {
            self.timers.remove(&(due, id.clone()));
        }
        self.index.remove(&tracked.incident);
        self.concern(Some(&tracked.incident), None, force);
    }

    /// Marks those whose verdicts rest on what has changed.
    fn concern(&mut self, before: Option<&Incident>, after: Option<&Incident>, force: &InForce) {
        let standing = |incident: Option<&Incident>| {
            let incident = incident?;
            Some((bundle::wanted(incident), incident.announced.as_ref()?.at))
        };
        if standing(before) != standing(after) {
            self.unbundled = true;
        }
        let stance = |incident: Option<&Incident>| incident.map(near_miss::stance);
        if force.asks_near_misses() && stance(before) != stance(after) {
            for incident in [before, after].into_iter().flatten() {
                let rivals = self.index.of_scope(incident).into_iter();
                let rivals: Vec<IncidentId> = rivals.filter(|id| self.incident(id).is_some_and(index::has_near_miss)).cloned().collect();
                self.concerned.extend(rivals);
            }
        }
        let things = |incident: Option<&Incident>| incident.map(|incident| (index::things(incident), index::began(incident)));
        // The opening event is what others cite.
        let cited = |incident: Option<&Incident>| incident.and_then(opener).map(|event| event.id);
        let (was, is) = (things(before), things(after));
        let Some(within) = force.comes_back_within().filter(|_| was != is || cited(before) != cited(after)) else { return };
        for (things, began) in [was, is].into_iter().flatten() {
            // What began at the same instant may be the same event under another name.
            let since = began - TimeDelta::microseconds(1);
            let later = things.iter().flat_map(|thing| self.index.of_thing(thing, since, began + within));
            let later: Vec<IncidentId> = later.map(|(_, id)| id.clone()).collect();
            self.concerned.extend(later);
        }
    }
}

/// What a person who answers has looked at: when none of it changes, their answer still fits.
fn seen(incident: &Incident) -> impl PartialEq + '_ {
    let outcomes: Vec<(&str, Outcome)> = incident.verdicts.iter().map(|v| (v.criterion.as_str(), v.outcome)).collect();
    (&incident.services, incident.phase, incident.decision, &incident.announced, &incident.review, outcomes)
}

/// Everything but the verdicts, and when the phase or a maintenance window next changes something.
fn incident(
    id: IncidentId,
    group: &Group,
    context: Vec<Member>,
    previous: Option<&Incident>,
    force: &InForce,
    now: Time,
) -> (Incident, Option<Time>) {
    let opener = group.opener();
    let mut services: Vec<String> = Vec::new();
    for service in group.members.iter().filter_map(|member| member.event.service.as_ref()) {
        if !services.contains(service) {
            services.push(service.clone());
        }
    }
    let members: Vec<Member> = context.into_iter().chain(group.members.iter().cloned()).collect();
    let signals = signals::signals(&members, force);
    let (phase, phase_since, phase_due) = phase(group, force, now);
    let planned = force.maintenance.iter().flat_map(|window| [window.from, window.to]).filter(|&edge| edge > now && group.is_open());
    let due = phase_due.into_iter().chain(planned).min();
    let severity = signals.iter().map(|signal| signal.severity).chain(stated_severities(&group.members)).max().unwrap_or_default();
    let incident = Incident {
        id,
        revision: 1,
        title: sentence::title(opener),
        unassigned: if opener.service.is_none() { unassigned_key(opener) } else { None },
        scope: force.owners(&services),
        services,
        severity,
        environment: opener.environment.clone(),
        milestones: milestones::milestones(&group.members, &signals, phase, group.last_activity),
        phase,
        phase_since,
        signals,
        members,
        verdicts: Vec::new(),
        decision: Decision::None,
        announced: previous.and_then(|incident| incident.announced.clone()),
        review: announce::review(&group.members, previous),
        standing: Standing::None,
        reason: String::new(),
        bundle: None,
    };
    (incident, due)
}

fn stated_severities(members: &[Member]) -> impl Iterator<Item = Severity> + '_ {
    members.iter().filter_map(|member| match &member.event.fact {
        Fact::NearMiss(near_miss) => Some(near_miss.severity),
        _ => None,
    })
}
