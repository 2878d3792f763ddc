//! Reconciliation: brings the tracked incidents in line with the groups of their partition.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::attributes::opener;
use super::derive::{DerivationInputs, Derived, derive};
use super::fingerprint::MemberFingerprint;
use super::id::natural_name;
use super::summary::IncidentSummary;
use super::tracked::{TrackedIncident, TrackedIncidents};
use super::{membership, responders, signals};
use crate::engine::announce::bundle::Bundles;
use crate::engine::changes::IncidentChanges;
use crate::engine::correlation::CorrelationState;
use crate::engine::correlation::activity::opens;
use crate::engine::correlation::arrivals::PartitionArrivals;
use crate::engine::correlation::group::EventGroup;
use crate::engine::horizons::RECONSIDER;
use crate::engine::interner::Interner;
use crate::engine::policy::Policy;
use crate::engine::sweep_key::sweep_key;
use crate::model::event::{Event, Fact};
use crate::model::id::IncidentId;
use crate::model::member::Members;
use crate::model::signal::Signal;
use crate::model::time::Time;

/// One pass over the state at an instant, under a policy.
pub(crate) struct Reconciler<'a> {
    pub(crate) correlation: &'a mut CorrelationState,
    pub(crate) incidents: &'a mut TrackedIncidents,
    pub(crate) bundles: &'a mut Bundles,
    pub(crate) interner: &'a mut Interner,
    pub(crate) policy: &'a Policy,
    pub(crate) now: Time,
    pub(crate) changes: &'a mut IncidentChanges,
}

impl Reconciler<'_> {
    /// Places events in a partition, and reconciles its incidents with the groups that result.
    pub(crate) fn sweep(&mut self, partition: &str, arrivals: PartitionArrivals) {
        self.incidents.release_members(partition);
        let horizon = self.now - RECONSIDER;
        let strays =
            self.correlation
                .sweep(partition, arrivals, self.policy, horizon, self.changes);
        self.reconcile(partition);
        for (elsewhere, stray) in strays {
            self.sweep(&elsewhere, stray);
        }
    }

    /// Evaluates every incident that is due or rests on one that has changed, and assigns bundles.
    pub(crate) fn settle(&mut self) {
        // Each round moves every due timer past now, so that a few rounds suffice; the bounds keep
        // this total.
        for _ in 0..4 {
            for _ in 0..8 {
                let due = self.incidents.take_due(self.now);
                if due.is_empty() {
                    break;
                }
                for id in due {
                    self.reevaluate(&id);
                }
            }
            let limited = self
                .bundles
                .assign(self.incidents, self.policy, self.changes);
            if !limited {
                break;
            }
        }
    }

    /// Makes the incidents of a partition what its groups say.
    fn reconcile(&mut self, name: &str) {
        let before = self.incidents.take_partition(name);
        let Some(partition) = self.correlation.partition(name) else {
            return;
        };
        let groups = partition.groups();
        let (ids, heirs) = self.identify(groups, &before);
        let planned = self.correlation.planned_in(name);
        let mut stale: Vec<usize> = Vec::new();
        for (index, group) in groups.iter().enumerate() {
            let (members, fingerprint) = membership::members(partition, group, &planned);
            let unchanged = self.incidents.tracked(&ids[index]).is_some_and(|tracked| {
                tracked.fingerprint == fingerprint && *tracked.partition == *name
            });
            if !unchanged {
                stale.push(index);
            }
            self.incidents.set_members(&ids[index], members);
        }
        let after: BTreeSet<IncidentId> = ids.iter().cloned().collect();
        for id in before.difference(&after) {
            let heir = heirs.get(id).map(|index| ids[*index].clone());
            self.bundles.note_change(
                id,
                self.incidents.tracked(id).map(|tracked| &tracked.summary),
                None,
            );
            self.incidents.remove(id, self.policy);
            self.changes.removed.insert(id.clone(), heir);
        }
        self.incidents.set_partition(name, after);
        for index in stale {
            self.changes.removed.remove(&ids[index]);
            self.derive(name, index, &ids[index], true);
        }
    }

    /// The id of each group's incident, and the group in which each former incident lives on.
    ///
    /// An incident lives on in the group that has the event it is named after; of two announced
    /// ones the first keeps its id.
    fn identify(
        &self,
        groups: &[EventGroup],
        before: &BTreeSet<IncidentId>,
    ) -> (Vec<IncidentId>, BTreeMap<IncidentId, usize>) {
        let mut by_name: BTreeMap<IncidentId, usize> = BTreeMap::new();
        by_name.extend(
            groups
                .iter()
                .enumerate()
                .map(|(index, group)| (group.natural_id(), index)),
        );
        // An incident that is not named after the opener of a group may be after any other event.
        let mut found: Vec<(IncidentId, usize)> = Vec::new();
        let mut unknown = false;
        for id in before.iter().filter(|id| !by_name.contains_key(id)) {
            match self
                .incidents
                .tracked(id)
                .and_then(|tracked| tracked.named_after)
            {
                Some(key) => found.extend(
                    groups
                        .iter()
                        .position(|group| group.contains(key))
                        .map(|index| (id.clone(), index)),
                ),
                None => unknown = true,
            }
        }
        by_name.extend(found);
        if unknown {
            for (index, group) in groups.iter().enumerate() {
                by_name.extend(
                    opening_events(group).map(|event| (IncidentId(natural_name(event)), index)),
                );
            }
        }
        let mut kept: BTreeMap<usize, (Time, IncidentId)> = BTreeMap::new();
        let mut heirs: BTreeMap<IncidentId, usize> = BTreeMap::new();
        for id in before {
            let (Some(incident), Some(&index)) = (self.incidents.get(id), by_name.get(id)) else {
                continue;
            };
            heirs.insert(id.clone(), index);
            let Some(announced) = &incident.announced else {
                continue;
            };
            let name = (announced.at, id.clone());
            let first = kept.entry(index).or_insert_with(|| name.clone());
            *first = name.min(first.clone());
        }
        let ids = groups.iter().enumerate().map(|(index, group)| {
            kept.remove(&index)
                .map_or_else(|| group.natural_id(), |(_, id)| id)
        });
        (ids.collect(), heirs)
    }

    /// Evaluates one incident again; its members are the same.
    fn reevaluate(&mut self, id: &IncidentId) {
        let found = self.incidents.tracked(id).and_then(|tracked| {
            let first = opener(&tracked.incident)?;
            let groups = self.correlation.partition(&tracked.partition)?.groups();
            let index = groups
                .iter()
                .position(|group| group.opener().id == first.id)?;
            Some((Arc::clone(&tracked.partition), index))
        });
        match found {
            Some((partition, index)) => self.derive(&partition, index, id, false),
            None => self.incidents.drop_timer(id),
        }
    }

    /// Derives the incident of a group and stores it.
    fn derive(&mut self, name: &str, index: usize, id: &IncidentId, members_changed: bool) {
        let Some(partition) = self.correlation.partition(name) else {
            return;
        };
        let Some(group) = partition.groups().get(index) else {
            return;
        };
        let planned = self.correlation.planned_in(name);
        let (members, fingerprint) = membership::members(partition, group, &planned);
        let before = self.incidents.tracked(id);
        let gaps = self.correlation.clock_steps().gaps();
        let added = added_signals(group, &members, before, &fingerprint, self.policy, &gaps);
        let signals = match (added, before) {
            (Some(mut added), Some(tracked)) => {
                self.interner.share_classes(&mut added);
                let mut signals = if members_changed {
                    // The former incident is about to be replaced, and not read until then.
                    self.incidents.take_signals(id)
                } else {
                    tracked.incident.signals.clone()
                };
                signals::insert(&mut signals, added);
                signals
            }
            _ => {
                let mut signals =
                    signals::signals(&members, group.has_repeated_alerts(), self.policy, &gaps);
                self.interner.share_classes(&mut signals);
                signals
            }
        };
        debug_assert_eq!(
            signals,
            signals::signals(&members, true, self.policy, &gaps),
            "the signals with those added equal the signals of all members"
        );
        let before = self.incidents.tracked(id);
        let previous = before.map(|tracked| &*tracked.incident);
        let Derived { incident, due } = derive(DerivationInputs {
            id: id.clone(),
            group,
            identities: responders::identities(&members, self.correlation.index()),
            members,
            signals,
            rollbacks: fingerprint.rollbacks.clone(),
            previous,
            others: self.incidents,
            policy: self.policy,
            now: self.now,
        });
        if members_changed || previous != Some(&incident) {
            self.changes.changed.insert(id.clone());
        }
        let named_after = if group.natural_id() == *id {
            Some(sweep_key(group.opener()))
        } else {
            before.and_then(|tracked| tracked.named_after)
        };
        let partition = before
            .map(|tracked| &tracked.partition)
            .filter(|known| ***known == *name)
            .cloned()
            .unwrap_or_else(|| name.into());
        let tracked = TrackedIncident {
            due,
            named_after,
            fingerprint,
            summary: IncidentSummary::from_incident(&incident),
            incident: Arc::new(incident),
            partition,
        };
        self.bundles.note_change(
            id,
            before.map(|tracked| &tracked.summary),
            Some(&tracked.summary),
        );
        self.correlation.mark_derived(name, index);
        self.incidents.put(tracked, self.policy);
    }
}

/// The events of a group that an incident can be named after.
fn opening_events(group: &EventGroup) -> impl Iterator<Item = &Event> {
    group
        .members
        .iter()
        .map(|member| &*member.event)
        .filter(|event| opens(event))
}

/// The signals beyond those of the last derivation, where all that has happened since is that more
/// alerts fire.
fn added_signals(
    group: &EventGroup,
    members: &Members,
    before: Option<&TrackedIncident>,
    fingerprint: &MemberFingerprint,
    policy: &Policy,
    gaps: &[(Time, Time)],
) -> Option<Vec<Signal>> {
    let before = before
        .filter(|before| before.fingerprint.context.is_empty() && fingerprint.context.is_empty())?;
    let has_planned_work = members.non_alerts().any(|member| match &member.event.fact {
        Fact::Declaration(declared) => declared.planned,
        Fact::Maintenance(_) => true,
        _ => false,
    });
    if has_planned_work || !policy.maintenance.is_empty() {
        return None;
    }
    let (sum, joined, removed) = group.delta()?;
    let began = joined.iter().map(|event| signals::onset(event)).min()?;
    let is_uncertain = joined.iter().any(|event| event.start_bounds.is_some());
    if is_uncertain || gaps.iter().any(|(_, to)| began < *to) {
        return None;
    }
    if before.fingerprint.sum == sum {
        signals::added(&before.incident.signals, joined, removed)
    } else {
        None
    }
}
