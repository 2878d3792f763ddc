//! A partition: events that may belong together, and the sweep that places them in groups.
//!
//! Events are placed one after another by `(occurred_at, id)`. A placement rests only on earlier
//! events, so a late event undoes just the placements after it, and they are made again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::TimeDelta;

use super::activity::opens;
use super::corrections;
use super::declared_work::DeclaredWork;
use super::deploy_history::DeployHistory;
use super::group::EventGroup;
use super::keys::correlation_key;
use crate::engine::environment::environment;
use crate::engine::policy::Policy;
use crate::engine::sweep_key::{SweepKey, sweep_key};
use crate::model::event::{AlertStatus, Event, Fact};
use crate::model::id::{EventId, Subject};
use crate::model::identity::declared_subject;
use crate::model::member::{JoinReason, Member};

/// The events of one connected set of services, or of one key.
#[derive(Debug, Clone, Default)]
pub(crate) struct Partition {
    /// The groups that the sweep makes.
    groups: Vec<EventGroup>,
    /// The groups as people corrected them; `None` without corrections.
    corrected: Option<Vec<EventGroup>>,
    /// True if some event may be a correction.
    has_corrections: bool,
    /// True if a group may hold events of another partition, since services were connected
    /// differently when they were placed.
    pub(crate) mixed: bool,
    /// Events that belong to no incident.
    pub(crate) loose: BTreeMap<SweepKey, Arc<Event>>,
    /// The deployed revisions of its services.
    pub(crate) deploys: DeployHistory,
    /// Its declarations, of which planned work concerns every incident of its time.
    pub(super) declared: DeclaredWork,
}

impl Partition {
    /// A partition of stored incidents, given by their members, and loose events. With corrections
    /// the sweep is done again, to find what they were made to.
    pub(crate) fn restore(
        stored: Vec<Vec<Member>>,
        loose: Vec<Arc<Event>>,
        policy: &Policy,
        assigned: &BTreeMap<String, String>,
    ) -> Self {
        let mut partition = Self::default();
        stored
            .iter()
            .flatten()
            .map(|member| &member.event)
            .chain(&loose)
            .for_each(|event| partition.record(event));
        if !partition.has_corrections {
            partition.groups = stored
                .into_iter()
                .map(|members| EventGroup::from_members(members, policy, assigned))
                .collect();
            partition.loose = loose
                .into_iter()
                .map(|event| (sweep_key(&event), event))
                .collect();
            return partition;
        }
        let members: Vec<Arc<Event>> = stored
            .into_iter()
            .flatten()
            .map(|member| member.event)
            .collect();
        let earliest = members.iter().map(|event| sweep_key(event)).min();
        // Events that came too late to be placed stay loose.
        let (again, kept): (Vec<Arc<Event>>, Vec<Arc<Event>>) = loose
            .into_iter()
            .partition(|event| Some(sweep_key(event)) > earliest);
        partition.loose = kept
            .into_iter()
            .map(|event| (sweep_key(&event), event))
            .collect();
        partition.place(members.into_iter().chain(again).collect(), policy, assigned);
        partition
    }

    /// Records what an event means for others of the partition.
    pub(crate) fn record(&mut self, event: &Arc<Event>) {
        self.deploys.record(event);
        self.declared.record(event);
        self.has_corrections |= corrections::is_correction(event);
    }

    /// The groups of its incidents, corrections included.
    pub(crate) fn groups(&self) -> &[EventGroup] {
        self.corrected.as_deref().unwrap_or(&self.groups)
    }

    /// Records that an incident was derived from the group of that number.
    pub(crate) fn mark_derived(&mut self, index: usize) {
        if let Some(group) = self
            .corrected
            .as_mut()
            .unwrap_or(&mut self.groups)
            .get_mut(index)
        {
            group.mark_derived();
        }
    }

    /// The events that remain in effect however old they are: deploys that tell rollbacks, and
    /// planned work that has not ended.
    pub(crate) fn in_effect(&self) -> BTreeSet<EventId> {
        let mut kept = self.deploys.summary();
        kept.extend(self.declared.open());
        kept
    }

    /// Drops these events from what is remembered of them.
    pub(crate) fn forget(&mut self, gone: &BTreeSet<EventId>) {
        self.deploys.forget(gone);
        self.declared.forget(gone);
    }

    /// Has the next derivations look at all members.
    pub(crate) fn mark_rebuilt(&mut self) {
        self.groups
            .iter_mut()
            .chain(self.corrected.iter_mut().flatten())
            .for_each(EventGroup::mark_rebuilt);
    }

    /// All of its events.
    pub(crate) fn into_events(self) -> impl Iterator<Item = Arc<Event>> {
        self.groups
            .into_iter()
            .flat_map(|group| group.members.into_vec())
            .map(|member| member.event)
            .chain(self.loose.into_values())
    }

    /// Drops the groups that one of these events opened; gives those of their events that are
    /// `kept`, which are loose from now on.
    pub(crate) fn drop_opened_by(
        &mut self,
        gone: &BTreeSet<EventId>,
        kept: &BTreeSet<EventId>,
    ) -> Vec<Arc<Event>> {
        let remains = |group: &EventGroup| !gone.contains(&group.opener().id);
        let dropped = self.groups.iter().filter(|group| !remains(group));
        let freed = dropped
            .flat_map(|group| group.members.told())
            .map(|member| &member.event)
            .filter(|event| kept.contains(&event.id));
        let freed: Vec<Arc<Event>> = freed.cloned().collect();
        self.loose.extend(
            freed
                .iter()
                .map(|event| (sweep_key(event), Arc::clone(event))),
        );
        self.groups.retain(remains);
        if let Some(corrected) = &mut self.corrected {
            corrected.retain(remains);
        }
        freed
    }

    /// Places `events`, and again everything that was placed after the earliest of them.
    pub(crate) fn place(
        &mut self,
        events: Vec<Arc<Event>>,
        policy: &Policy,
        assigned: &BTreeMap<String, String>,
    ) {
        events.iter().for_each(|event| self.record(event));
        let mut pending: BTreeMap<SweepKey, Arc<Event>> = events
            .into_iter()
            .map(|event| (sweep_key(&event), event))
            .collect();
        let Some(earliest) = pending.keys().next().copied() else {
            return;
        };
        let later = self.loose.split_off(&earliest);
        pending.extend(later);
        let groups = std::mem::take(&mut self.groups);
        for group in groups {
            // Nearly all groups ended before.
            if group
                .members
                .last()
                .is_some_and(|last| sweep_key(&last.event) < earliest)
            {
                self.groups.push(group);
                continue;
            }
            let kept = group
                .members
                .partition_point(|member| sweep_key(&member.event) < earliest);
            if kept == group.members.len() {
                self.groups.push(group);
                continue;
            }
            let removed = match group.truncate(kept) {
                Ok((group, removed)) => {
                    debug_assert!(
                        group == EventGroup::from_members(group.members.to_vec(), policy, assigned),
                        "a truncated group equals one without the removed members"
                    );
                    self.groups.push(group);
                    removed
                }
                Err(mut members) => {
                    let removed = members.split_off(kept);
                    if !members.is_empty() {
                        self.groups.push(EventGroup::from_members(
                            members.into_vec(),
                            policy,
                            assigned,
                        ));
                    }
                    removed
                }
            };
            pending.extend(
                removed
                    .into_iter()
                    .map(|member| (sweep_key(&member.event), member.event)),
            );
        }
        for (key, event) in pending {
            match self.find(&event, policy, assigned) {
                Some((index, reason)) => self.groups[index].join(event, reason, policy, assigned),
                None if opens(&event) => {
                    self.groups.push(EventGroup::from_members(
                        vec![Member {
                            event,
                            reason: JoinReason::Opened,
                        }],
                        policy,
                        assigned,
                    ));
                }
                None => {
                    self.loose.insert(key, event);
                }
            }
        }
        if self.corrected.is_some() {
            // Incidents are derived from the corrected groups, which are rebuilt below.
            self.mark_rebuilt();
        }
        if self.has_corrections {
            self.corrected = corrections::corrected(
                &self.groups,
                self.loose.values().map(|event| &**event),
                policy,
                assigned,
            );
        }
    }

    /// True if an event ends a subject that never began. A source that sent an incident of its own
    /// as an outage or as an alert ends both, since it no longer knows which it was.
    fn ends_nothing(&self, event: &Event) -> bool {
        let Some(incident) = event.incident.as_deref() else {
            return false;
        };
        let unknown =
            |subject: &Subject| !self.groups.iter().any(|group| group.has_subject(subject));
        let of_its_own = match &event.fact {
            Fact::Declaration(end) => end.status == AlertStatus::Resolved && end.key == incident,
            Fact::Alert(end) => {
                end.status == AlertStatus::Resolved && !unknown(&declared_subject(incident))
            }
            _ => false,
        };
        of_its_own && unknown(&event.subject)
    }

    /// The group that an event joins, and why: by the precedence of reasons, then the earliest group.
    fn find(
        &self,
        event: &Event,
        policy: &Policy,
        assigned: &BTreeMap<String, String>,
    ) -> Option<(usize, JoinReason)> {
        if matches!(event.fact, Fact::Maintenance(_)) || self.ends_nothing(event) {
            return None;
        }
        let rules = &policy.rules.correlation;
        let first = |fits: &dyn Fn(&EventGroup) -> bool| {
            let candidates = self
                .groups
                .iter()
                .enumerate()
                .filter(|(_, group)| fits(group));
            candidates
                .min_by_key(|(_, group)| (group.opener().occurred_at, group.number()))
                .map(|(index, _)| index)
        };
        if let Some(named) = &event.incident
            && let Some(index) = first(&|group| group.has_name(named))
        {
            return Some((index, JoinReason::Key));
        }
        let now = event.occurred_at;
        let near = TimeDelta::seconds(rules.reopen_within);
        // An alert's subject is one episode. That of a condition or a declaration recurs, and later is
        // another incident.
        let recurs = matches!(event.fact, Fact::Condition(_) | Fact::Declaration(_));
        let same = |group: &EventGroup| group.has_subject(&event.subject);
        if let Some(index) = first(&|group| {
            same(group)
                && (!recurs || group.may_be_active(event.subject) || group.quiet_for(now) <= near)
        }) {
            return Some((index, JoinReason::Subject));
        }
        let young = |group: &EventGroup| {
            now - group.opener().occurred_at <= TimeDelta::seconds(rules.lifetime)
        };
        let key = correlation_key(event, policy, assigned)?;
        if let Some(index) = first(&|group| {
            group.quiet_for(now) <= near && young(group) && group.correlation_key(&key).is_some()
        }) {
            // All that joined by a key share its text.
            let key = self.groups[index]
                .correlation_key(&key)
                .cloned()
                .unwrap_or_else(|| key.into());
            return Some((index, JoinReason::Labels { key }));
        }
        let service = event.service.as_deref()?;
        let window = TimeDelta::seconds(rules.join_within);
        let neighbour = |group: &EventGroup| {
            let opener = group.opener();
            group.quiet_for(now) <= near
                && now - opener.occurred_at <= window
                && environment(opener) == environment(event)
                && opener
                    .service
                    .as_deref()
                    .is_some_and(|other| policy.adjacent(service, other))
        };
        let index = first(&neighbour)?;
        let service = self.groups[index]
            .opener()
            .service
            .clone()
            .unwrap_or_default();
        Some((index, JoinReason::Dependency { service }))
    }
}
