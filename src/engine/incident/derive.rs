//! Brings incidents in line with their groups: derives, decides, announces, and says when to look again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::TimeDelta;

use super::id::natural_name;
use super::index::IncidentSummary;
use super::{index, milestones, responders, signals};
use crate::engine::announce::explanation;
use crate::engine::correlation::{EventGroup, Partition, natural_id, opens};
use crate::engine::criteria::OtherIncidents;
use crate::engine::{
    IncidentChanges, Policy, State, TrackedIncident, announce, criteria, moment, opener,
    unassigned_key,
};
use crate::model::directory::Identities;
use crate::model::event::{Event, Fact, Severity};
use crate::model::id::{EventId, IncidentId};
use crate::model::incident::Incident;
use crate::model::lifecycle::{Phase, ReviewState};
use crate::model::member::{JoinReason, Member, Members};
use crate::model::signal::Signal;
use crate::model::time::Time;
use crate::model::verdict::{Decision, Outcome};

/// When to look at a stored incident again: at once, unless it is closed.
pub(crate) fn due(incident: &Incident, now: Time) -> Option<Time> {
    // A near miss may have to wait for its period to end.
    let waits = incident.announced.is_none() && index::has_near_miss(incident);
    (incident.phase != Phase::Closed || waits).then_some(now)
}

/// The phase at `now`, since when, and when it next changes if nothing happens.
fn phase(group: &EventGroup, policy: &Policy, now: Time) -> (Phase, Time, Option<Time>) {
    let began = group.opener().occurred_at;
    if group.is_open() {
        return (Phase::Active, began, None);
    }
    let rules = &policy.rules.correlation;
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
pub(crate) fn reconcile(
    state: &mut State,
    home: &str,
    policy: &Policy,
    changes: &mut IncidentChanges,
) {
    let before = state.residents.remove(home).unwrap_or_default();
    let Some(hood) = state.neighbourhoods.get(home) else {
        return;
    };
    let mut heirs: BTreeMap<IncidentId, usize> = BTreeMap::new();
    heirs.extend(
        hood.incidents()
            .iter()
            .enumerate()
            .map(|(index, group)| (natural_id(group), index)),
    );
    // Where an incident is not named after what opens a group, it may be named after any event there.
    let elsewhere = before.iter().filter(|id| !heirs.contains_key(id));
    let mut found: Vec<(IncidentId, usize)> = Vec::new();
    let mut unknown = false;
    for id in elsewhere {
        match state
            .incidents
            .get(id)
            .and_then(|tracked| tracked.named_after)
        {
            Some(at) => found.extend(
                hood.incidents()
                    .iter()
                    .position(|group| group.holds(at))
                    .map(|index| (id.clone(), index)),
            ),
            None => unknown = true,
        }
    }
    heirs.extend(found);
    if unknown {
        for (index, group) in hood.incidents().iter().enumerate() {
            heirs.extend(opening(group).map(|event| (IncidentId(natural_name(event)), index)));
        }
    }
    // An incident lives on in the group that has the event it is named after; of two announced ones the first keeps its name.
    let mut names: BTreeMap<usize, (Time, IncidentId)> = BTreeMap::new();
    let mut moved: Vec<(IncidentId, usize)> = Vec::new();
    for id in &before {
        let Some(incident) = state.incidents.get(id).map(|tracked| &tracked.incident) else {
            continue;
        };
        let Some(&index) = heirs.get(id) else {
            continue;
        };
        moved.push((id.clone(), index));
        let Some(announced) = &incident.announced else {
            continue;
        };
        let name = (announced.at, id.clone());
        let held = names.entry(index).or_insert_with(|| name.clone());
        *held = name.min(held.clone());
    }
    let ids: Vec<IncidentId> = hood
        .incidents()
        .iter()
        .enumerate()
        .map(|(i, g)| {
            names
                .get(&i)
                .map_or_else(|| natural_id(g), |(_, id)| id.clone())
        })
        .collect();
    let whole: Vec<(Members, MemberFingerprint)> = hood
        .incidents()
        .iter()
        .map(|group| whole(hood, group, &state.planned(home)))
        .collect();
    let mut stale: Vec<usize> = Vec::new();
    for (index, (members, standpoint)) in whole.into_iter().enumerate() {
        match state.incidents.get_mut(&ids[index]) {
            Some(tracked) => {
                if tracked.standpoint != standpoint || *tracked.home != *home {
                    stale.push(index);
                }
                Arc::make_mut(&mut tracked.incident).members = members;
            }
            None => stale.push(index),
        }
    }
    let residents: BTreeSet<IncidentId> = ids.iter().cloned().collect();
    for id in before.difference(&residents) {
        let heir = moved
            .iter()
            .find(|(moved, _)| moved == id)
            .map(|(_, index)| ids[*index].clone());
        state.take(id, policy);
        changes.removed.insert(id.clone(), heir);
    }
    state.residents.insert(home.to_owned(), residents);
    for index in stale {
        changes.removed.remove(&ids[index]);
        derive(
            state,
            home,
            index,
            ids[index].clone(),
            policy,
            changes,
            true,
        );
    }
}

/// Lets go of the members of the incidents of `home`, which are its groups': what only one keeps can be added to without a copy.
/// [`reconcile`] gives them back.
pub(crate) fn release(state: &mut State, home: &str) {
    for id in state.residents.get(home).into_iter().flatten() {
        if let Some(tracked) = state.incidents.get_mut(id) {
            Arc::make_mut(&mut tracked.incident).members = Members::default();
        }
    }
}

/// A group's members with what came before it and the work that was planned for its time, and what tells whether they are others than
/// before.
fn whole(
    hood: &Partition,
    group: &EventGroup,
    planned: &[Arc<Event>],
) -> (Members, MemberFingerprint) {
    let mut context: Vec<Arc<Event>> = hood.context(group).cloned().collect();
    if !planned.is_empty() {
        context.extend(
            planned
                .iter()
                .filter(|event| group.is_planned_for(event))
                .cloned(),
        );
        context.sort_by_key(|event| moment(event));
    }
    let told = context
        .iter()
        .chain(group.members.told().map(|member| &member.event));
    let rollbacks = told
        .filter(|event| hood.history.is_rollback(event))
        .map(|event| event.id)
        .collect();
    let standpoint = MemberFingerprint {
        sum: group.members.sum(),
        context: context.iter().map(|event| event.id).collect(),
        rollbacks,
    };
    if context.is_empty() {
        return (group.members.clone(), standpoint);
    }
    let context = context.into_iter().map(|event| Member {
        event,
        reason: JoinReason::Context,
    });
    let mut members: Vec<Member> = context.chain(group.members.iter().cloned()).collect();
    if !planned.is_empty() {
        // It may have been told of while the incident lasted, or after it.
        members.sort_by_key(|member| moment(&member.event));
    }
    (members.into(), standpoint)
}

/// What tells whether an incident's members are others than before.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct MemberFingerprint {
    sum: u128,
    context: Vec<EventId>,
    /// Those of its changes that went back, which hangs on changes elsewhere too.
    rollbacks: Vec<EventId>,
}

impl MemberFingerprint {
    pub(crate) fn of(incident: &Incident) -> Self {
        let (context, own): (Vec<&Member>, Vec<&Member>) = incident
            .members
            .iter()
            .partition(|member| member.reason == JoinReason::Context);
        let sum = own.into_iter().cloned().collect::<Members>().sum();
        let context = context.iter().map(|member| member.event.id).collect();
        Self {
            sum,
            context,
            rollbacks: incident.rollbacks.clone(),
        }
    }
}

/// The events of a group that an incident can be named after.
fn opening(group: &EventGroup) -> impl Iterator<Item = &Event> {
    group
        .members
        .iter()
        .map(|member| &*member.event)
        .filter(|event| opens(event))
}

/// Decides one incident again at the state's now.
pub(crate) fn rejudge_one(
    state: &mut State,
    id: &IncidentId,
    policy: &Policy,
    changes: &mut IncidentChanges,
) {
    let place = state
        .incidents
        .get(id)
        .and_then(|tracked| opener(&tracked.incident))
        .and_then(|first| {
            let home = &state.incidents.get(id)?.home;
            let groups = state.neighbourhoods.get(&**home)?.incidents();
            let index = groups
                .iter()
                .position(|group| group.opener().id == first.id)?;
            Some((Arc::clone(home), index))
        });
    match place {
        Some((home, index)) => derive(state, &home, index, id.clone(), policy, changes, false),
        None => state.timers.retain(|(_, timed)| timed != id),
    }
}

/// Decides the incident of a group; `others` tells that its members are not those of the last time.
fn derive(
    state: &mut State,
    home: &str,
    index: usize,
    id: IncidentId,
    policy: &Policy,
    changes: &mut IncidentChanges,
    others: bool,
) {
    let now = state.now;
    let Some(hood) = state.neighbourhoods.get(home) else {
        return;
    };
    let Some(group) = hood.incidents().get(index) else {
        return;
    };
    let before = state.incidents.get(&id);
    let (members, standpoint) = whole(hood, group, &state.planned(home));
    let more = more_signals(group, &members, before, &standpoint, policy);
    let signals = match (more, state.incidents.get_mut(&id)) {
        (Some(mut more), Some(tracked)) => {
            state.pool.share_sorts(&mut more);
            // The incident as it was gives them away: it is about to be replaced, and nobody asks it for them until then.
            let given =
                |incident: &mut Arc<Incident>| std::mem::take(&mut Arc::make_mut(incident).signals);
            let mut signals = if others {
                given(&mut tracked.incident)
            } else {
                tracked.incident.signals.clone()
            };
            signals::insert(&mut signals, more);
            signals
        }
        _ => {
            let mut signals = signals::signals(&members, group.comes_again(), policy);
            state.pool.share_sorts(&mut signals);
            signals
        }
    };
    debug_assert_eq!(
        signals,
        signals::signals(&members, true, policy),
        "what was added is all that there is"
    );
    let before = state.incidents.get(&id);
    let previous = before.map(|tracked| &*tracked.incident);
    let identities = responders::identities(&members, &state.places);
    let parts = DerivationInputs {
        members,
        signals,
        identities,
        rollbacks: standpoint.rollbacks.clone(),
    };
    let (mut incident, mut due) = incident(id.clone(), group, parts, previous, policy, now);
    let all = OtherIncidents {
        incidents: &state.incidents,
        index: &state.index,
    };
    let (verdicts, crossing) = criteria::verdicts(&incident, all, policy, now);
    due = due.into_iter().chain(crossing).min();
    incident.decision = announce::decide(&verdicts, incident.phase);
    incident.verdicts = verdicts;
    announce::announce(&mut incident, &all, policy, now);
    incident.reason = explanation::reason(&incident);
    if let Some(previous) = previous {
        incident.bundle.clone_from(&previous.bundle);
        let changed = seen(previous) != seen(&incident);
        incident.revision = previous.revision + u64::from(changed);
    }
    if others || previous != Some(&incident) {
        changes.changed.insert(id);
    }
    let named_after = before.and_then(|tracked| tracked.named_after);
    let named_after = if natural_id(group) == incident.id {
        Some(moment(group.opener()))
    } else {
        named_after
    };
    let gist = IncidentSummary::of(&incident);
    let home = before
        .map(|tracked| &tracked.home)
        .filter(|known| ***known == *home)
        .cloned()
        .unwrap_or_else(|| home.into());
    if let Some(hood) = state.neighbourhoods.get_mut(&*home) {
        hood.derived(index);
    }
    state.put(
        TrackedIncident {
            incident: Arc::new(incident),
            due,
            named_after,
            standpoint,
            gist,
            home,
        },
        policy,
    );
}

/// The signals beside those of the last time, where all that has happened is that more alerts fire.
fn more_signals(
    group: &EventGroup,
    members: &Members,
    before: Option<&TrackedIncident>,
    now: &MemberFingerprint,
    policy: &Policy,
) -> Option<Vec<Signal>> {
    let before =
        before.filter(|before| before.standpoint.context.is_empty() && now.context.is_empty())?;
    let work = members.told().any(|member| match &member.event.fact {
        Fact::Declaration(declared) => declared.planned,
        Fact::Maintenance(_) => true,
        _ => false,
    });
    if work || !policy.maintenance.is_empty() {
        return None;
    }
    let (sum, joined, taken) = group.news()?;
    if before.standpoint.sum == sum {
        signals::more(&before.incident.signals, joined, taken)
    } else {
        None
    }
}

impl State {
    /// The work that is planned where incidents of that place are.
    fn planned(&self, home: &str) -> Vec<Arc<Event>> {
        let here = |event: &&Arc<Event>| {
            event.service.is_none() || self.places.of(&event.id) == Some(home)
        };
        self.windows.values().filter(here).cloned().collect()
    }

    /// Takes in an incident, and with it note of whom its change concerns.
    fn put(&mut self, tracked: TrackedIncident, policy: &Policy) {
        let before = self.leave(&tracked.incident.id);
        self.concern(
            &tracked.incident.id,
            before.as_ref().map(|before| &before.gist),
            Some(&tracked.gist),
            policy,
        );
        self.enter(tracked);
    }

    /// Lets go of an incident that is no more.
    fn take(&mut self, id: &IncidentId, policy: &Policy) {
        if let Some(tracked) = self.leave(id) {
            self.concern(id, Some(&tracked.gist), None, policy);
        }
    }

    /// Enters an incident in every list.
    pub(crate) fn enter(&mut self, tracked: TrackedIncident) {
        let id = tracked.incident.id.clone();
        self.index.add(&id, &tracked.gist);
        match tracked.due {
            Some(due) => drop(self.timers.insert((due, id.clone()))),
            // What still goes on is over when somebody says so, however long that takes.
            None if tracked.incident.phase != Phase::Closed => {}
            None => drop(
                self.settled
                    .insert((tracked.incident.phase_since, id.clone())),
            ),
        }
        self.incidents.insert(id, tracked);
    }

    /// Strikes an incident from every list.
    pub(crate) fn leave(&mut self, id: &IncidentId) -> Option<TrackedIncident> {
        let tracked = self.incidents.remove(id)?;
        self.index.remove(id, &tracked.gist);
        match tracked.due {
            Some(due) => drop(self.timers.remove(&(due, id.clone()))),
            None => drop(
                self.settled
                    .remove(&(tracked.incident.phase_since, id.clone())),
            ),
        }
        Some(tracked)
    }

    /// Marks those whose verdicts rest on what has changed.
    fn concern(
        &mut self,
        id: &IncidentId,
        before: Option<&IncidentSummary>,
        after: Option<&IncidentSummary>,
        policy: &Policy,
    ) {
        if before.and_then(|gist| gist.standing) != after.and_then(|gist| gist.standing) {
            self.unbundled = true;
        }
        if before.map(|gist| &gist.lead) != after.map(|gist| &gist.lead) {
            let moved = [before, after]
                .into_iter()
                .flatten()
                .filter_map(|gist| Some((gist.first_at?, id.clone())));
            self.moved = self.moved.take().into_iter().chain(moved).min();
        }
        if policy.asks_near_misses()
            && before.map(|gist| &gist.stance) != after.map(|gist| &gist.stance)
        {
            for gist in [before, after].into_iter().flatten() {
                let rivals = self.index.of_scope(id, &gist.scopes).into_iter();
                let near = |id: &&IncidentId| {
                    self.incidents
                        .get(*id)
                        .is_some_and(|tracked| tracked.gist.near)
                };
                let rivals: Vec<IncidentId> = rivals.filter(near).cloned().collect();
                self.concerned.extend(rivals);
            }
        }
        let things =
            |gist: Option<&IncidentSummary>| gist.map(|gist| (gist.things.clone(), gist.began));
        // The opening event is what others cite.
        let cited = |gist: Option<&IncidentSummary>| gist.and_then(|gist| gist.cited);
        let (was, is) = (things(before), things(after));
        let Some(within) = policy
            .comes_back_within()
            .filter(|_| was != is || cited(before) != cited(after))
        else {
            return;
        };
        for (things, began) in [was, is].into_iter().flatten() {
            // What began at the same instant may be the same event under another name.
            let since = began - TimeDelta::microseconds(1);
            let later = things
                .iter()
                .flat_map(|thing| self.index.of_thing(thing, since, began + within));
            let later: Vec<IncidentId> = later.map(|(_, id)| id.clone()).collect();
            self.concerned.extend(later);
        }
    }
}

/// What a person who answers has looked at: when none of it changes, their answer still fits.
fn seen(incident: &Incident) -> impl PartialEq + '_ {
    // What a shadow would have decided is no reason to send an answer back.
    let deciding = incident.verdicts.iter().filter(|verdict| !verdict.shadow);
    let outcomes: Vec<(&str, Outcome)> = deciding
        .map(|verdict| (verdict.criterion.as_str(), verdict.outcome))
        .collect();
    (
        &incident.services,
        incident.phase,
        incident.decision,
        &incident.announced,
        &incident.review,
        outcomes,
    )
}

/// What an incident is made of.
struct DerivationInputs {
    members: Members,
    signals: Vec<Signal>,
    identities: Identities,
    rollbacks: Vec<EventId>,
}

/// Everything but the verdicts, and when the phase or a maintenance window next changes something.
fn incident(
    id: IncidentId,
    group: &EventGroup,
    parts: DerivationInputs,
    previous: Option<&Incident>,
    policy: &Policy,
    now: Time,
) -> (Incident, Option<Time>) {
    let DerivationInputs {
        members,
        signals,
        identities,
        rollbacks,
    } = parts;
    let opener = group.opener();
    let mut services: Vec<String> = Vec::new();
    let mut last: Option<&Arc<str>> = None;
    for service in group
        .members
        .iter()
        .filter_map(|member| member.event.service.as_ref())
    {
        // In a storm they share the text.
        if !last.is_some_and(|last| Arc::ptr_eq(last, service))
            && !services.iter().any(|known| **known == **service)
        {
            services.push(service.to_string());
        }
        last = Some(service);
    }
    let (phase, phase_since, phase_due) = phase(group, policy, now);
    let told = members
        .told()
        .filter_map(|member| match &member.event.fact {
            Fact::Maintenance(window) => Some((window.from, window.to)),
            _ => None,
        });
    let windows = policy
        .maintenance
        .iter()
        .map(|window| (window.from, window.to))
        .chain(told);
    let planned = windows
        .flat_map(|(from, to)| [from, to])
        .filter(|&edge| edge > now && group.is_open());
    let due = phase_due.into_iter().chain(planned).min();
    let severity = signals
        .iter()
        .map(|signal| signal.severity)
        .chain(stated_severities(&group.members))
        .max()
        .unwrap_or_default();
    let incident = Incident {
        id,
        revision: 1,
        title: explanation::title(opener),
        unassigned: if opener.service.is_none() {
            unassigned_key(opener)
        } else {
            None
        },
        scope: policy.owners(&services),
        services,
        severity,
        environment: opener.environment.as_deref().map(str::to_owned),
        milestones: milestones::milestones(
            &group.members,
            &signals,
            &rollbacks,
            phase,
            group.last_activity,
            &|event| policy.who.acted(event, &identities),
        ),
        phase,
        phase_since,
        signals,
        members,
        rollbacks,
        verdicts: Vec::new(),
        decision: Decision::None,
        announced: previous.and_then(|incident| incident.announced.clone()),
        review: announce::review(&group.members, previous),
        standing: ReviewState::None,
        reason: String::new(),
        bundle: None,
        identities,
    };
    (incident, due)
}

fn stated_severities(members: &Members) -> impl Iterator<Item = Severity> + '_ {
    members
        .told()
        .filter_map(|member| match &member.event.fact {
            Fact::NearMiss(near_miss) => Some(near_miss.severity),
            _ => None,
        })
}
