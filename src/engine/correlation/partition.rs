//! A partition: events that may belong together, and the sweep that places them in groups.
//!
//! `find` decides whether an event joins a group, reopens one (`reopen_within`) or opens a new one.
//! Events are placed one after another in the order of [`SweepKey`]. A placement rests only on
//! earlier events, so a late event undoes just the placements after it, and they are made again.
//! Two kinds of events look ahead, and are placed again with what they look at: one that names an
//! incident or subject which begins later joins it when that comes, and a lapsed lease counts for
//! nothing if the next report of its episode is the end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::TimeDelta;

use super::activity::opens;
use super::corrections;
use super::declared_work::DeclaredWork;
use super::deploy_history::DeployHistory;
use super::early_members::gives;
use super::group::EventGroup;
use super::keys::correlation_key;
use super::loose_events::{LooseEvents, Reference};
use crate::engine::environment::environment;
use crate::engine::id_map::IdMap;
use crate::engine::incident::id::{is_foreign, natural_name};
use crate::engine::policy::Policy;
use crate::engine::sweep_key::{SweepKey, sweep_key};
use crate::model::event::{AlertStatus, Event, Fact};
use crate::model::event_identity::declared_subject;
use crate::model::id::{EventId, Subject};
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
    pub(crate) loose: LooseEvents,
    /// The events whose placement looks ahead: lapses, by subject, and events that name one of our
    /// incidents, by its name.
    looking_ahead: BTreeMap<Reference, BTreeSet<SweepKey>>,
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
            partition.loose.extend(loose);
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
        partition.loose.extend(kept);
        partition.place(members.into_iter().chain(again).collect(), policy, assigned);
        partition
    }

    /// Records what an event means for others of the partition.
    pub(crate) fn record(&mut self, event: &Arc<Event>) {
        self.deploys.record(event);
        self.declared.record(event);
        self.has_corrections |= corrections::is_correction(event);
        if let Some(reference) = looks_ahead(event) {
            let keys = self.looking_ahead.entry(reference).or_default();
            keys.insert(sweep_key(event));
        }
    }

    /// Drops what these events meant for others.
    pub(crate) fn forget(&mut self, events: &BTreeMap<EventId, Arc<Event>>) {
        let gone: BTreeSet<EventId> = events.keys().copied().collect();
        self.deploys.forget(&gone);
        self.declared.forget(&gone);
        for event in events.values() {
            if let Some(reference) = looks_ahead(event)
                && let Some(keys) = self.looking_ahead.get_mut(&reference)
            {
                keys.remove(&sweep_key(event));
                if keys.is_empty() {
                    self.looking_ahead.remove(&reference);
                }
            }
        }
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

    /// Makes the next derivations start from all members.
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
            .flat_map(|group| group.members.non_alerts())
            .map(|member| &member.event)
            .filter(|event| kept.contains(&event.id));
        let freed: Vec<Arc<Event>> = freed.cloned().collect();
        self.loose.extend(freed.iter().cloned());
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
        let Some(earliest) = self.sweep_from(&pending) else {
            return;
        };
        let later = self.loose.split_off(&earliest).into_iter();
        pending.extend(later.map(|event| (sweep_key(&event), event)));
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
                Err(group) => {
                    let (members, removed) = group.split_at(earliest);
                    if !members.is_empty() {
                        self.groups
                            .push(EventGroup::from_members(members, policy, assigned));
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
        let next_reports = NextReports::of_lapsed(&pending);
        while let Some((key, event)) = pending.pop_first() {
            let void = match &event.fact {
                Fact::Lapsed(_) => {
                    next_reports.is_end(&event.subject, key) || !self.is_active(event.subject)
                }
                // It was taken for the end of this episode before its own was known.
                Fact::Alert(alert) if alert.borrowed_end => {
                    let mut groups = self.groups.iter();
                    groups.any(|group| group.has_own_end(&event.subject))
                }
                _ => false,
            };
            let found = self.find(&event, policy, assigned).filter(|_| !void);
            let by_name = matches!(found, Some((_, JoinReason::Key)));
            if void || (!by_name && begins_later(&event, &pending)) {
                self.loose.insert(event);
                continue;
            }
            let placed = Arc::clone(&event);
            let index = match found {
                Some((index, reason)) => {
                    self.groups[index].join(event, reason, policy, assigned);
                    index
                }
                None if opens(&event) => {
                    let opener = Member {
                        event,
                        reason: JoinReason::Opened,
                    };
                    let group = EventGroup::from_members(vec![opener], policy, assigned);
                    self.groups.push(group);
                    self.groups.len() - 1
                }
                None => {
                    self.loose.insert(event);
                    continue;
                }
            };
            self.join_waiting(index, placed, policy, assigned);
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

    /// The key from which on events are placed again, when these arrive.
    fn sweep_from(&self, arriving: &BTreeMap<SweepKey, Arc<Event>>) -> Option<SweepKey> {
        let first = *arriving.keys().next()?;
        if self.looking_ahead.is_empty() {
            return Some(first);
        }
        let ours = |name: &Reference| matches!(name, Reference::Incident(_));
        let named = self.looking_ahead.keys().any(ours);
        let certificate_probe = arriving.values().flat_map(|event| {
            let alert = matches!(event.fact, Fact::Alert(_));
            let subject = alert.then_some(Reference::Subject(event.subject));
            let name =
                (named && opens(event)).then(|| Reference::Incident(natural_name(event).into()));
            subject.into_iter().chain(name)
        });
        let from =
            certificate_probe.filter_map(|reference| self.looking_ahead.get(&reference)?.first());
        Some(from.copied().fold(first, SweepKey::min))
    }

    /// True if some incident has that subject as active.
    fn is_active(&self, subject: Subject) -> bool {
        self.groups.iter().any(|group| group.is_active(subject))
    }

    /// Adds to a group the loose events that wait for the incident or subject of its new event.
    fn join_waiting(
        &mut self,
        index: usize,
        event: Arc<Event>,
        policy: &Policy,
        assigned: &BTreeMap<String, String>,
    ) {
        let (mut brought, mut early) = (vec![event], Vec::new());
        while let Some(event) = brought.pop()
            && self.loose.any_waits()
        {
            let name = opens(&event).then(|| natural_name(&event).into());
            let names = name.into_iter().chain(event.incident.clone());
            let by_name = names.map(|name| (Reference::Incident(name), JoinReason::Key));
            let by_subject = (Reference::Subject(event.subject), JoinReason::Subject);
            for (reference, reason) in by_name.chain([by_subject]) {
                let waiting: Vec<SweepKey> = self.loose.waiting_for(&reference).copied().collect();
                for key in waiting {
                    let Some(event) = self.loose.remove(&key) else {
                        continue;
                    };
                    if reason == JoinReason::Key && self.ends_nothing(&event) {
                        self.loose.insert(event);
                        continue;
                    }
                    brought.push(Arc::clone(&event));
                    let reason = reason.clone();
                    early.push(Member { event, reason });
                }
            }
        }
        if !early.is_empty() {
            let group = self.groups.swap_remove(index);
            self.groups.push(group.join_early(early, policy, assigned));
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

/// The incident or subject that the placement of an event looks ahead for.
fn looks_ahead(event: &Event) -> Option<Reference> {
    match &event.fact {
        Fact::Lapsed(lapsed) => Some(Reference::Subject(lapsed.of)),
        Fact::Maintenance(_) => None,
        _ => {
            let name = event.incident.as_deref().filter(|name| !is_foreign(name))?;
            Some(Reference::Incident(name.into()))
        }
    }
}

/// True if an event names an incident that one of the later events begins: its clock is behind.
fn begins_later(event: &Event, later: &BTreeMap<SweepKey, Arc<Event>>) -> bool {
    matches!(looks_ahead(event), Some(Reference::Incident(name))
        if later.values().any(|event| opens(event) && gives(event, &name)))
}

/// Reports of alerts whose lease expired, in order; true for an end.
struct NextReports(IdMap<Subject, Vec<(SweepKey, bool)>>);

impl NextReports {
    fn of_lapsed(pending: &BTreeMap<SweepKey, Arc<Event>>) -> Self {
        let mut reports: IdMap<Subject, Vec<(SweepKey, bool)>> = IdMap::default();
        for event in pending.values() {
            if let Fact::Lapsed(lapsed) = &event.fact {
                reports.entry(lapsed.of).or_default();
            }
        }
        if reports.is_empty() {
            return Self(reports);
        }
        for (key, event) in pending {
            if let Fact::Alert(alert) = &event.fact
                && let Some(known) = reports.get_mut(&event.subject)
            {
                known.push((*key, alert.status == AlertStatus::Resolved));
            }
        }
        Self(reports)
    }

    /// True if the first report of the alert after `key` is its end.
    fn is_end(&self, subject: &Subject, key: SweepKey) -> bool {
        let reports = self.0.get(subject).into_iter().flatten();
        let mut later = reports.skip_while(|(at, _)| *at < key);
        later.next().is_some_and(|(_, ended)| *ended)
    }
}
