//! The engine's state: what it remembers, and the ways to change it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::announce::bundle::Bundles;
use super::changes::IncidentChanges;
use super::clock_step::{Retiming, find_clock_step};
use super::correlation::arrivals::PartitionArrivals;
use super::correlation::{CorrelationState, StoredPartition};
use super::horizons::RECONSIDER;
use super::incident::attributes::opener;
use super::incident::reconcile::Reconciler;
use super::incident::responders;
use super::incident::tracked::{TrackedIncident, TrackedIncidents, may_change};
use super::interner::Interner;
use super::policy::Policy;
use super::retention::RetentionSchedule;
use crate::model::correction::Correction;
use crate::model::directory;
use crate::model::event::{ClockStep, Event, Fact};
use crate::model::id::EventId;
use crate::model::id::IncidentId;
use crate::model::incident::Incident;
use crate::model::member::{JoinReason, Member};
use crate::model::time::Time;

/// The engine's state: incidents, partitions and bundles in memory. Restored from stored incidents
/// and loose events, and changed only by events and time.
#[derive(Debug, Clone, Default)]
pub struct State {
    now: Time,
    pub(super) correlation: CorrelationState,
    incidents: TrackedIncidents,
    bundles: Bundles,
    interner: Interner,
    retention: RetentionSchedule,
}

impl State {
    /// The state that stored incidents and loose events were saved from.
    #[must_use]
    pub fn restore(
        mut incidents: Vec<Incident>,
        loose: Vec<Event>,
        policy: &Policy,
        now: Time,
    ) -> Self {
        let mut interner = Interner::default();
        for incident in &mut incidents {
            let mut members = std::mem::take(&mut incident.members).into_vec();
            interner.share_members(&mut members);
            incident.members = members.into();
        }
        Self::restore_shared(incidents, loose, interner, policy, now)
    }

    /// The same, of incidents whose members share what is equal by `interner`.
    #[must_use]
    pub(crate) fn restore_shared(
        mut incidents: Vec<Incident>,
        mut loose: Vec<Event>,
        interner: Interner,
        policy: &Policy,
        now: Time,
    ) -> Self {
        let mut state = Self {
            now,
            correlation: CorrelationState::new(policy),
            retention: RetentionSchedule::starting_at(now),
            interner,
            ..Self::default()
        };
        for event in &mut loose {
            policy.normalise(event);
            state.interner.share(event);
        }
        for incident in &mut incidents {
            let changes = |member: &Member| policy.changes(&member.event);
            if incident.members.iter().any(changes) {
                let mut members = std::mem::take(&mut incident.members).into_vec();
                for member in members.iter_mut().filter(|member| changes(member)) {
                    policy.normalise(Arc::make_mut(&mut member.event));
                    state.interner.share_member(member);
                }
                incident.members = members.into();
            }
            for signal in &mut incident.signals {
                let placed = policy.severities.place(signal.severity);
                if placed != signal.severity {
                    Arc::make_mut(&mut signal.sort).severity = placed;
                }
            }
            state.interner.share_classes(&mut incident.signals);
        }
        let members: Vec<Vec<Member>> = incidents
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
        // All events are recorded first, so that partitions which are one are known as one before
        // anything is put there.
        for event in loose
            .iter()
            .chain(members.iter().flatten().map(|member| &*member.event))
        {
            state.correlation.record(event, policy);
        }
        let mut partitions: BTreeMap<String, StoredPartition> = BTreeMap::new();
        for event in loose.into_iter().map(Arc::new) {
            state.correlation.record_planned(&event);
            state.correlation.record_clock_step(&event);
            if let Some(partition) = state.correlation.index().partition_of(&event.id) {
                let stored = partitions.entry(partition.to_owned()).or_default();
                stored.loose.push(event);
            }
        }
        for (incident, members) in incidents.into_iter().zip(members) {
            let index = state.correlation.index();
            let Some(partition) = opener(&incident).and_then(|first| index.partition_of(&first.id))
            else {
                continue;
            };
            let stored = partitions.entry(partition.to_owned()).or_default();
            stored.mixed |= members
                .iter()
                .any(|member| index.partition_of(&member.event.id) != Some(partition));
            stored.incidents.push(members);
            state.bundles.restore(&incident);
            state
                .incidents
                .restore(TrackedIncident::restore(incident, partition.into(), now));
        }
        for (name, stored) in partitions {
            state.correlation.restore_partition(name, stored, policy);
        }
        state
    }

    /// The time of the last events or timer.
    #[must_use]
    pub fn now(&self) -> Time {
        self.now
    }

    /// The next instant at which time alone could change something.
    #[must_use]
    pub fn next_due(&self) -> Option<Time> {
        self.incidents.next_due()
    }

    /// All remembered incidents, by id.
    pub fn incidents(&self) -> impl Iterator<Item = &Incident> {
        self.incidents.iter()
    }

    /// The incident of that id.
    #[must_use]
    pub fn incident(&self, id: &IncidentId) -> Option<&Incident> {
        self.incidents.get(id)
    }

    /// The incident of that id, to be shared.
    #[must_use]
    pub fn shared_incident(&self, id: &IncidentId) -> Option<Arc<Incident>> {
        self.incidents
            .tracked(id)
            .map(|tracked| Arc::clone(&tracked.incident))
    }

    /// The incidents that wait in the bundle of this one.
    pub fn bundle_of<'a>(&'a self, lead: &'a IncidentId) -> impl Iterator<Item = &'a Incident> {
        let announced = self.incidents.index().announced();
        announced
            .filter_map(|id| self.incidents.get(id))
            .filter(move |incident| incident.bundle.as_ref() == Some(lead))
    }

    /// The incident that an event belongs to.
    #[must_use]
    pub fn incident_of(&self, event: &EventId) -> Option<IncidentId> {
        let partition = self.correlation.index().partition_of(event)?;
        let has_event = |id: &&IncidentId| {
            self.incidents.get(id).is_some_and(|incident| {
                incident
                    .members
                    .iter()
                    .any(|member| member.event.id == *event)
            })
        };
        self.incidents
            .in_partition(partition)
            .find(has_event)
            .cloned()
    }

    /// The event of that id among those that belong to no incident.
    #[must_use]
    pub fn loose_event(&self, id: &EventId) -> Option<&Event> {
        let partition = self.correlation.index().partition_of(id)?;
        self.correlation
            .partition(partition)?
            .loose
            .values()
            .map(|event| &**event)
            .find(|event| event.id == *id)
    }

    /// Applies events at `now`. Known events change nothing; their order does not matter. A step of the
    /// clock comes alone.
    pub fn apply(&mut self, events: Vec<Event>, policy: &Policy, now: Time) -> IncidentChanges {
        let mut changes = IncidentChanges::default();
        if let Some(step) = find_clock_step(&events) {
            self.tick_until(policy, step.from, &mut changes);
            if step.to < step.from {
                self.set_back(step, policy, &mut changes);
            }
        }
        self.now = self.now.max(now);
        self.correlation.init_settings(policy);
        let horizon = self.now - RECONSIDER;
        let mut arrivals: BTreeMap<String, PartitionArrivals> = BTreeMap::new();
        let mut aliases: BTreeSet<String> = BTreeSet::new();
        for mut event in events {
            if self.correlation.index().contains(&event.id) || policy.ignores(&event) {
                continue;
            }
            policy.normalise(&mut event);
            self.interner.share(&mut event);
            let steps = self.correlation.clock_steps();
            steps.bound_start(&mut event, self.now);
            let assignment = self.correlation.record(&event, policy);
            if let Fact::Edit(Correction::Identity { alias, .. }) = &event.fact {
                aliases.insert(directory::key(alias));
            }
            for (part, whole) in &assignment.merged {
                self.correlation.merge(part, whole, horizon, &mut arrivals);
                self.incidents.merge_partition(part, whole);
            }
            let event = Arc::new(event);
            if self.correlation.record_clock_step(&event) {
                self.correlation.mark_rebuilt();
                self.incidents.mark_stale(may_change);
            }
            if self.correlation.record_planned(&event) && event.service.is_none() {
                // Work on no service in particular concerns every incident.
                for partition in self.incidents.partitions() {
                    arrivals.entry(partition.clone()).or_default();
                }
            }
            arrivals
                .entry(assignment.partition)
                .or_default()
                .push(event, horizon);
        }
        let mut reconciler = self.reconciler(policy, &mut changes);
        for (partition, arrived) in arrivals {
            reconciler.sweep(&partition, arrived);
        }
        if !aliases.is_empty() {
            self.mark_responders(&aliases);
        }
        self.reconciler(policy, &mut changes).settle();
        changes
    }

    /// Advances the time to `now` without new events.
    pub fn tick(&mut self, policy: &Policy, now: Time) -> IncidentChanges {
        self.apply(Vec::new(), policy, now)
    }

    /// Runs the timers due by `until`, each at its own instant.
    pub fn tick_until(&mut self, policy: &Policy, until: Time, changes: &mut IncidentChanges) {
        while let Some(due) = self.next_due().filter(|due| *due <= until) {
            changes.merge(self.tick(policy, due));
        }
    }

    /// Evaluates everything again, after the policy has changed.
    pub fn reevaluate(&mut self, policy: &Policy, now: Time) -> IncidentChanges {
        self.now = self.now.max(now);
        let mut changes = IncidentChanges::default();
        if self.correlation.fits(policy) {
            // Groups stay as they are, and closed incidents as they were decided, unless their end is
            // still unknown.
            self.correlation.mark_rebuilt();
            self.incidents.mark_stale(may_change);
            self.bundles.reset();
            self.reconciler(policy, &mut changes).settle();
            return changes;
        }
        let before = std::mem::take(self);
        let incidents = before.incidents.into_incidents().collect();
        let loose = before
            .correlation
            .into_loose()
            .map(Arc::unwrap_or_clone)
            .collect();
        *self = Self::restore(incidents, loose, policy, before.now);
        let partitions: Vec<String> = self.correlation.partition_names().cloned().collect();
        let mut reconciler = self.reconciler(policy, &mut changes);
        for partition in partitions {
            reconciler.sweep(&partition, PartitionArrivals::default());
        }
        reconciler.settle();
        changes
    }

    /// Goes on from an earlier time, to which the clock was set back.
    fn set_back(&mut self, step: ClockStep, policy: &Policy, changes: &mut IncidentChanges) {
        let before = std::mem::take(self);
        let mut incidents: Vec<Incident> = before.incidents.into_incidents().collect();
        let mut loose: Vec<Event> = before
            .correlation
            .into_loose()
            .map(Arc::unwrap_or_clone)
            .collect();
        let members = incidents
            .iter()
            .flat_map(|incident| incident.members.iter().map(|member| &*member.event));
        let retiming = Retiming::new(step, members.chain(&loose));
        let mut moved: BTreeSet<IncidentId> = BTreeSet::new();
        for incident in &mut incidents {
            if retiming.incident(incident) {
                moved.insert(incident.id.clone());
            }
        }
        for event in &mut loose {
            if retiming.event(event, false) {
                changes.loosened.insert(event.id);
            }
        }
        *self = Self::restore(incidents, loose, policy, step.to);
        self.incidents
            .mark_stale(|incident| moved.contains(&incident.id));
        self.bundles.reset();
        self.reconciler(policy, changes).settle();
        changes.changed.extend(moved);
    }

    /// Drops, now and then, closed incidents and loose events that no rule looks back at.
    ///
    /// All earlier changes must have been stored: an incident may have been closed for long when
    /// the next event comes.
    pub fn tidy(&mut self, policy: &Policy) -> IncidentChanges {
        let mut changes = IncidentChanges::default();
        if !self.retention.is_due(self.now) {
            return changes;
        }
        let horizon = self.now - policy.retention();
        let mut dropped: BTreeMap<String, BTreeMap<EventId, Arc<Event>>> = BTreeMap::new();
        for id in self.incidents.closed_before(horizon) {
            let Some(tracked) = self.incidents.forget(&id) else {
                continue;
            };
            self.bundles.forget(&id, &tracked.summary);
            let own = tracked
                .incident
                .members
                .iter()
                .filter(|member| member.reason != JoinReason::Context);
            dropped
                .entry(tracked.partition.to_string())
                .or_default()
                .extend(own.map(|member| (member.event.id, Arc::clone(&member.event))));
        }
        self.correlation.forget(dropped, horizon, &mut changes);
        if self.retention.is_interner_due(self.now) {
            self.interner.tidy();
        }
        changes
    }

    /// Marks the incidents in which a person acted under one of these aliases, whose owner was
    /// stated anew.
    fn mark_responders(&mut self, aliases: &BTreeSet<String>) {
        let acted = |event: &Event| {
            responders::aliases(event).any(|alias| aliases.contains(&directory::key(alias)))
        };
        self.incidents
            .mark_stale(|incident| incident.members.iter().any(|member| acted(&member.event)));
    }

    fn reconciler<'a>(
        &'a mut self,
        policy: &'a Policy,
        changes: &'a mut IncidentChanges,
    ) -> Reconciler<'a> {
        Reconciler {
            correlation: &mut self.correlation,
            incidents: &mut self.incidents,
            bundles: &mut self.bundles,
            interner: &mut self.interner,
            policy,
            now: self.now,
            changes,
        }
    }
}
