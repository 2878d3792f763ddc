//! The incidents under observation, with their timers and the index over them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::TimeDelta;

use super::attributes::{has_near_miss, has_unknown_end, opener};
use super::fingerprint::MemberFingerprint;
use super::id;
use super::index::IncidentIndex;
use super::summary::IncidentSummary;
use crate::engine::correlation::activity::opens;
use crate::engine::policy::Policy;
use crate::engine::sweep_key::{SweepKey, sweep_key};
use crate::model::event::Event;
use crate::model::id::IncidentId;
use crate::model::incident::Incident;
use crate::model::lifecycle::Phase;
use crate::model::member::JoinReason;
use crate::model::member::Members;
use crate::model::signal::Signal;
use crate::model::time::Time;

/// An incident with what the engine keeps beside it.
#[derive(Debug, Clone)]
pub(crate) struct TrackedIncident {
    pub(crate) incident: Arc<Incident>,
    /// The next instant at which time alone could change it.
    pub(crate) due: Option<Time>,
    /// The event that gives it its id, where that is known.
    pub(crate) named_after: Option<SweepKey>,
    pub(crate) fingerprint: MemberFingerprint,
    pub(crate) summary: IncidentSummary,
    /// The partition that holds its events: not always the one they would be placed in now.
    pub(crate) partition: Arc<str>,
}

impl TrackedIncident {
    /// A stored incident.
    pub(crate) fn restore(incident: Incident, partition: Arc<str>, now: Time) -> Self {
        Self {
            due: may_change(&incident).then_some(now),
            named_after: named_after(&incident),
            fingerprint: MemberFingerprint::from_incident(&incident),
            summary: IncidentSummary::from_incident(&incident),
            incident: Arc::new(incident),
            partition,
        }
    }
}

/// True unless the incident is closed and its near miss, if any, no longer waits for its period to
/// end.
fn is_unfinished(incident: &Incident) -> bool {
    incident.phase != Phase::Closed || (incident.announced.is_none() && has_near_miss(incident))
}

/// True if time alone may change the incident: a closed one while an end is unknown, too.
pub(crate) fn may_change(incident: &Incident) -> bool {
    is_unfinished(incident) || incident.signals.iter().any(has_unknown_end)
}

/// The event that an incident is named after.
fn named_after(incident: &Incident) -> Option<SweepKey> {
    let number = id::number_of(&incident.id.0)?;
    let names = |event: &Event| id::natural_number(event) == number;
    // Nearly always the one that opened it.
    let first = opener(incident).filter(|event| names(event));
    let own = incident
        .members
        .iter()
        .filter(|member| member.reason != JoinReason::Context);
    first
        .or_else(|| {
            own.map(|member| &*member.event)
                .find(|event| opens(event) && names(event))
        })
        .map(sweep_key)
}

/// All incidents the engine remembers. Timers and index always agree with the incidents.
#[derive(Debug, Clone, Default)]
pub(crate) struct TrackedIncidents {
    by_id: BTreeMap<IncidentId, TrackedIncident>,
    by_partition: BTreeMap<String, BTreeSet<IncidentId>>,
    timers: BTreeSet<(Time, IncidentId)>,
    /// Closed incidents that time alone no longer changes, by when they were closed.
    closed: BTreeSet<(Time, IncidentId)>,
    index: IncidentIndex,
    /// Incidents to be evaluated again because one that their verdicts rest on has changed.
    stale: BTreeSet<IncidentId>,
}

impl TrackedIncidents {
    pub(crate) fn tracked(&self, id: &IncidentId) -> Option<&TrackedIncident> {
        self.by_id.get(id)
    }

    pub(crate) fn get(&self, id: &IncidentId) -> Option<&Incident> {
        self.by_id.get(id).map(|tracked| &*tracked.incident)
    }

    pub(crate) fn contains(&self, id: &IncidentId) -> bool {
        self.by_id.contains_key(id)
    }

    /// All incidents, by id.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Incident> {
        self.by_id.values().map(|tracked| &*tracked.incident)
    }

    /// Gives all incidents away.
    pub(crate) fn into_incidents(self) -> impl Iterator<Item = Incident> {
        self.by_id
            .into_values()
            .map(|tracked| Arc::unwrap_or_clone(tracked.incident))
    }

    pub(crate) fn index(&self) -> &IncidentIndex {
        &self.index
    }

    /// The partitions that have held incidents.
    pub(crate) fn partitions(&self) -> impl Iterator<Item = &String> {
        self.by_partition.keys()
    }

    pub(crate) fn in_partition(&self, partition: &str) -> impl Iterator<Item = &IncidentId> {
        self.by_partition.get(partition).into_iter().flatten()
    }

    /// Takes the incidents of a partition out of its list, which the caller sets anew.
    pub(crate) fn take_partition(&mut self, partition: &str) -> BTreeSet<IncidentId> {
        self.by_partition.remove(partition).unwrap_or_default()
    }

    pub(crate) fn set_partition(&mut self, partition: &str, ids: BTreeSet<IncidentId>) {
        self.by_partition.insert(partition.to_owned(), ids);
    }

    /// Lists an incident under its partition, and tracks it.
    pub(crate) fn restore(&mut self, tracked: TrackedIncident) {
        self.by_partition
            .entry(tracked.partition.to_string())
            .or_default()
            .insert(tracked.incident.id.clone());
        self.enter(tracked);
    }

    /// Moves the incidents of a partition into the one it is merged with.
    pub(crate) fn merge_partition(&mut self, part: &str, whole: &str) {
        let ids = self.by_partition.remove(part).unwrap_or_default();
        let partition: Arc<str> = whole.into();
        for id in &ids {
            if let Some(tracked) = self.by_id.get_mut(id) {
                tracked.partition = Arc::clone(&partition);
            }
        }
        self.by_partition
            .entry(whole.to_owned())
            .or_default()
            .extend(ids);
    }

    /// Replaces the earlier version of an incident, and marks those whose verdicts rest on what
    /// has changed.
    pub(crate) fn put(&mut self, tracked: TrackedIncident, policy: &Policy) {
        let before = self.leave(&tracked.incident.id);
        self.mark_dependents(
            &tracked.incident.id,
            before.as_ref().map(|before| &before.summary),
            Some(&tracked.summary),
            policy,
        );
        self.enter(tracked);
    }

    /// Removes an incident that ceased to exist, and marks those whose verdicts rest on it.
    pub(crate) fn remove(&mut self, id: &IncidentId, policy: &Policy) {
        if let Some(tracked) = self.leave(id) {
            self.mark_dependents(id, Some(&tracked.summary), None, policy);
        }
    }

    /// Drops an incident that no verdict rests on any more.
    pub(crate) fn forget(&mut self, id: &IncidentId) -> Option<TrackedIncident> {
        let tracked = self.leave(id)?;
        if let Some(ids) = self.by_partition.get_mut(&*tracked.partition) {
            ids.remove(id);
        }
        Some(tracked)
    }

    /// Sets the members of an incident; the caller must derive the rest of it anew.
    pub(crate) fn set_members(&mut self, id: &IncidentId, members: Members) {
        if let Some(tracked) = self.by_id.get_mut(id) {
            Arc::make_mut(&mut tracked.incident).members = members;
        }
    }

    /// Empties the members of the incidents of a partition, which share them with its groups: a
    /// group that is the only holder grows without a copy. Reconciliation sets them again.
    pub(crate) fn release_members(&mut self, partition: &str) {
        for id in self.by_partition.get(partition).into_iter().flatten() {
            if let Some(tracked) = self.by_id.get_mut(id) {
                Arc::make_mut(&mut tracked.incident).members = Members::default();
            }
        }
    }

    /// Moves the signals out of an incident that is about to be replaced.
    pub(crate) fn take_signals(&mut self, id: &IncidentId) -> Vec<Signal> {
        self.by_id
            .get_mut(id)
            .map(|tracked| std::mem::take(&mut Arc::make_mut(&mut tracked.incident).signals))
            .unwrap_or_default()
    }

    /// Puts an incident into the bundle of another, or into none; gives the former one.
    pub(crate) fn set_bundle(
        &mut self,
        id: &IncidentId,
        bundle: Option<IncidentId>,
    ) -> Option<IncidentId> {
        let incident = Arc::make_mut(&mut self.by_id.get_mut(id)?.incident);
        incident.revision += 1;
        std::mem::replace(&mut incident.bundle, bundle)
    }

    /// Changes an incident, and marks those whose verdicts rest on what has changed.
    pub(crate) fn update(
        &mut self,
        id: &IncidentId,
        policy: &Policy,
        change: impl FnOnce(&mut Incident),
    ) {
        let Some(mut tracked) = self.by_id.get(id).cloned() else {
            return;
        };
        change(Arc::make_mut(&mut tracked.incident));
        tracked.summary = IncidentSummary::from_incident(&tracked.incident);
        self.put(tracked, policy);
    }

    /// The next instant at which time alone could change an incident.
    pub(crate) fn next_due(&self) -> Option<Time> {
        self.timers.first().map(|(due, _)| *due)
    }

    /// The incidents to be evaluated again at `now`: those marked, and those whose timer is due.
    pub(crate) fn take_due(&mut self, now: Time) -> BTreeSet<IncidentId> {
        let mut due = std::mem::take(&mut self.stale);
        due.extend(
            self.timers
                .iter()
                .take_while(|(due, _)| *due <= now)
                .map(|(_, id)| id.clone()),
        );
        due
    }

    pub(crate) fn drop_timer(&mut self, id: &IncidentId) {
        self.timers.retain(|(_, timed)| timed != id);
    }

    /// Marks the incidents that match `concerned` to be evaluated again.
    pub(crate) fn mark_stale(&mut self, concerned: impl Fn(&Incident) -> bool) {
        let incidents = self.by_id.values().map(|tracked| &*tracked.incident);
        let concerned = incidents.filter(|incident| concerned(incident));
        self.stale
            .extend(concerned.map(|incident| incident.id.clone()));
    }

    /// The incidents that were closed before `horizon`.
    pub(crate) fn closed_before(&self, horizon: Time) -> Vec<IncidentId> {
        let old = self.closed.range(..(horizon, IncidentId(String::new())));
        old.map(|(_, id)| id.clone()).collect()
    }

    fn enter(&mut self, tracked: TrackedIncident) {
        let id = tracked.incident.id.clone();
        self.index.add(&id, &tracked.summary);
        match tracked.due {
            Some(due) => drop(self.timers.insert((due, id.clone()))),
            // An open incident ends by an event, however long that takes.
            None if tracked.incident.phase != Phase::Closed => {}
            None => drop(
                self.closed
                    .insert((tracked.incident.phase_since, id.clone())),
            ),
        }
        self.by_id.insert(id, tracked);
    }

    fn leave(&mut self, id: &IncidentId) -> Option<TrackedIncident> {
        let tracked = self.by_id.remove(id)?;
        self.index.remove(id, &tracked.summary);
        match tracked.due {
            Some(due) => drop(self.timers.remove(&(due, id.clone()))),
            None => drop(
                self.closed
                    .remove(&(tracked.incident.phase_since, id.clone())),
            ),
        }
        Some(tracked)
    }

    /// Marks the incidents whose verdicts rest on what has changed in another.
    fn mark_dependents(
        &mut self,
        id: &IncidentId,
        before: Option<&IncidentSummary>,
        after: Option<&IncidentSummary>,
        policy: &Policy,
    ) {
        if policy.asks_near_misses()
            && before.map(|summary| &summary.near_misses)
                != after.map(|summary| &summary.near_misses)
        {
            for summary in [before, after].into_iter().flatten() {
                let rivals = self.index.in_scopes(&summary.scopes, id).into_iter();
                let near = |id: &&IncidentId| {
                    self.by_id
                        .get(*id)
                        .is_some_and(|tracked| tracked.summary.has_near_miss)
                };
                let rivals: Vec<IncidentId> = rivals.filter(near).cloned().collect();
                self.stale.extend(rivals);
            }
        }
        self.mark_step_dependents(before, after, policy);
        self.mark_alike(before, after, policy);
        let keys = |summary: Option<&IncidentSummary>| {
            summary.map(|summary| (summary.recurrence_keys.clone(), summary.opened_at))
        };
        let opener = |summary: Option<&IncidentSummary>| summary.and_then(|summary| summary.opener);
        let (was, is) = (keys(before), keys(after));
        let Some(within) = policy
            .recurrence_window()
            .filter(|_| was != is || opener(before) != opener(after))
        else {
            return;
        };
        for (keys, opened_at) in [was, is].into_iter().flatten() {
            // What opened at the same instant may be the same event under another name.
            let since = opened_at - TimeDelta::microseconds(1);
            let later = keys
                .iter()
                .flat_map(|key| self.index.with_key(key, since, opened_at + within));
            let later: Vec<IncidentId> = later.map(|(_, id)| id.clone()).collect();
            self.stale.extend(later);
        }
    }
    /// Marks the incidents that count the manual steps of another which has changed.
    fn mark_step_dependents(
        &mut self,
        before: Option<&IncidentSummary>,
        after: Option<&IncidentSummary>,
        policy: &Policy,
    ) {
        let (was, is) = (
            before.map(|summary| &summary.steps),
            after.map(|summary| &summary.steps),
        );
        let Some(within) = policy.step_window().filter(|_| was != is) else {
            return;
        };
        for (key, at) in [was, is]
            .into_iter()
            .flatten()
            .flat_map(|steps| &steps.keys)
        {
            let since = *at - TimeDelta::microseconds(1);
            let later = self.index.with_step(key, since, *at + within);
            self.stale.extend(later.map(|(_, id)| id.clone()));
        }
    }

    /// Marks the later incidents that may be like another which has changed.
    fn mark_alike(
        &mut self,
        before: Option<&IncidentSummary>,
        after: Option<&IncidentSummary>,
        policy: &Policy,
    ) {
        let seen = |summary: Option<&IncidentSummary>| {
            summary.map(|summary| {
                let service = summary.opening_service.clone();
                (
                    summary.opened_at,
                    summary.opener,
                    service,
                    summary.met.clone(),
                )
            })
        };
        let (was, is) = (seen(before), seen(after));
        let Some((within, on_service)) = policy.likeness_window().filter(|_| was != is) else {
            return;
        };
        for (opened_at, _, service, _) in [was, is].into_iter().flatten() {
            let (since, until) = (opened_at - TimeDelta::microseconds(1), opened_at + within);
            if on_service {
                let service = service.as_deref().unwrap_or_default();
                let later = self.index.opened_on(service, since, until);
                self.stale.extend(later.map(|(_, id)| id.clone()));
            } else {
                let later = self.index.opened(since, until);
                self.stale.extend(later.map(|(_, id)| id.clone()));
            }
        }
    }
}
