//! Correlation: which incident an event belongs to, and why.
//!
//! Events are placed one after another by `(occurred_at, id)`. A placement rests only on earlier events, so a late
//! event takes back just the placements after it, within its neighbourhood, and they are made again.

pub(crate) mod context;
pub(crate) mod corrections;
pub(crate) mod deploy_history;
pub(crate) mod partitions;

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use chrono::TimeDelta;

use super::ids::IdMap;
use super::incident::id::{name_of, natural_number, number_of};
use super::incident::signals;
use super::policy::{environment, key};
use super::{Policy, SweepKey, moment};
use crate::model::event::{Alert, AlertStatus, ConditionState, Event, Fact};
use crate::model::id::{EventId, IncidentId, Subject};
use crate::model::identity::declared_subject;
use crate::model::member::{JoinReason, Member, Members};
use crate::model::time::Time;
use deploy_history::DeployHistory;

/// An incident while it is being put together: its members and what a placement asks of them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct EventGroup {
    pub(crate) members: Members,
    /// Where among the members the opening event is.
    opener: usize,
    /// The number in its natural name.
    name: u64,
    /// The names that events of it were told under.
    names: BTreeSet<String>,
    subjects: IdMap<Subject, SubjectState>,
    /// How many subjects are on, and so keep it alive.
    open: usize,
    /// The last episode of each alert, by its labels alone: when it started, and its subject. An episode that comes after another is
    /// among `again` too.
    episodes: IdMap<u64, (i64, Subject)>,
    again: BTreeSet<u64>,
    /// Correlation keys of its events.
    keys: BTreeSet<Arc<str>>,
    /// Whether some brought another key than the one by which they joined.
    rekeyed: bool,
    /// The end of the last activity, while nothing is on.
    pub(crate) last_activity: Time,
    since: DerivationDelta,
}

/// What has happened to a group since its incident was derived from it.
#[derive(Debug, Clone, Default)]
struct DerivationDelta {
    /// Whether that is not all: it was put together anew, or none was derived from it yet.
    anew: bool,
    /// What the members added up to then.
    sum: u128,
    joined: Vec<Arc<Event>>,
    taken: usize,
}

/// No part of what a group is.
impl PartialEq for DerivationDelta {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// What a group knows of a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct SubjectState {
    on: bool,
    /// Whether more than one event of it was told.
    more: bool,
}

impl EventGroup {
    /// Puts a group together from its members, one of which opened it.
    pub(crate) fn of(
        members: Vec<Member>,
        policy: &Policy,
        assigned: &BTreeMap<String, String>,
    ) -> Self {
        let opener = members
            .iter()
            .position(|member| member.reason == JoinReason::Opened)
            .unwrap_or(0);
        let mut group = Self {
            opener,
            name: natural_number(&members[opener].event),
            names: BTreeSet::new(),
            subjects: IdMap::default(),
            open: 0,
            episodes: IdMap::default(),
            again: BTreeSet::new(),
            keys: BTreeSet::new(),
            rekeyed: false,
            last_activity: members[opener].event.occurred_at,
            members: Members::default(),
            since: DerivationDelta {
                anew: true,
                ..DerivationDelta::default()
            },
        };
        for Member { event, reason } in members {
            if reason != JoinReason::Key || opens(&event) {
                let key = key(&event, policy, assigned);
                // Rules may have changed since it joined.
                group.rekeyed |=
                    matches!(&reason, JoinReason::Labels { key: by } if key.as_deref() != Some(by));
                group.keys.extend(
                    key.filter(|key| !group.keys.contains(&**key))
                        .map(Arc::from),
                );
            }
            group.add(event, reason);
        }
        group
    }

    /// Takes in what `find` found to belong here.
    fn join(
        &mut self,
        event: Arc<Event>,
        reason: JoinReason,
        policy: &Policy,
        assigned: &BTreeMap<String, String>,
    ) {
        // What joins by its key brings none.
        if !matches!(reason, JoinReason::Labels { .. })
            && (reason != JoinReason::Key || opens(&event))
        {
            self.keys
                .extend(key(&event, policy, assigned).map(Arc::from));
        }
        self.add(event, reason);
    }

    fn add(&mut self, event: Arc<Event>, reason: JoinReason) {
        self.names
            .extend(event.incident.as_deref().map(str::to_owned));
        self.subjects
            .entry(event.subject)
            .and_modify(|known| known.more = true)
            .or_default();
        if let Some(on) = activity(&event) {
            self.last_activity = self.last_activity.max(event.occurred_at);
            self.turn(event.subject, on);
            self.supersede(&event);
        }
        if !self.since.anew {
            self.since.joined.push(Arc::clone(&event));
        }
        self.members.push(Member { event, reason });
    }

    /// What the members added up to when an incident was last derived from them, what has joined since, and how many were taken out, which
    /// are among these again or gone; `None` where only looking at all members tells what they come to.
    pub(crate) fn news(&self) -> Option<(u128, &[Arc<Event>], usize)> {
        let plain = !self.since.anew
            && self
                .since
                .joined
                .iter()
                .all(|event| self.speaks_alone(event));
        plain.then_some((self.since.sum, &*self.since.joined, self.since.taken))
    }

    /// All members are to be looked at.
    fn anew(&mut self) {
        self.since = DerivationDelta {
            anew: true,
            ..DerivationDelta::default()
        };
    }

    /// Whether an event is an alert that fires, and nothing else here has to do with that.
    fn speaks_alone(&self, event: &Event) -> bool {
        let Fact::Alert(alert) = &event.fact else {
            return false;
        };
        // A source's own incident may be merged with another.
        event.incident.is_none()
            && alert.status == AlertStatus::Firing
            && self.subjects.get(&event.subject)
                == Some(&SubjectState {
                    on: true,
                    more: false,
                })
            && !self.again.contains(&hash(alert))
    }

    fn turn(&mut self, subject: Subject, on: bool) {
        let Some(known) = self.subjects.get_mut(&subject) else {
            return;
        };
        match (std::mem::replace(&mut known.on, on), on) {
            (false, true) => self.open += 1,
            (true, false) => self.open -= 1,
            _ => {}
        }
    }

    /// The same alert anew, if only its end was told, ends its earlier episode, of whose end nobody told.
    fn supersede(&mut self, event: &Event) {
        let Fact::Alert(alert) = &event.fact else {
            return;
        };
        let (labels, starts_at) = (hash(alert), alert.starts_at.timestamp_micros());
        let mut superseded = None;
        self.episodes
            .entry(labels)
            .and_modify(|(started, subject)| {
                if *subject != event.subject {
                    self.again.insert(labels);
                }
                if *started < starts_at {
                    superseded = Some(*subject);
                    (*started, *subject) = (starts_at, event.subject);
                }
            })
            .or_insert((starts_at, event.subject));
        if let Some(subject) = superseded {
            self.turn(subject, false);
        }
    }

    /// Takes the members from `kept` on out again, as if they had never come; `Err` with all of them where only doing all anew can tell what
    /// it was without them.
    fn undo(mut self, kept: usize) -> Result<(Self, Vec<Member>), Members> {
        // Nearly all of a storm is alerts of which this is the only word, and which joined by a key that was there before.
        let leaves_no_trace = |Member { event, reason }: &Member| {
            matches!(reason, JoinReason::Labels { .. }) && self.speaks_alone(event)
        };
        let before = self.members[..kept]
            .iter()
            .rev()
            .find(|member| activity(&member.event).is_some());
        let last_activity =
            before.map_or(self.opener().occurred_at, |member| member.event.occurred_at);
        if self.rekeyed || self.opener >= kept || !self.members[kept..].iter().all(leaves_no_trace)
        {
            return Err(self.members);
        }
        let taken = self.members.split_off(kept);
        for member in &taken {
            self.subjects.remove(&member.event.subject);
            self.open -= 1;
            if let Fact::Alert(alert) = &member.event.fact {
                self.episodes.remove(&hash(alert));
            }
        }
        self.since.taken += taken.len();
        self.last_activity = last_activity.max(self.opener().occurred_at);
        Ok((self, taken))
    }

    /// Whether people or sources know it by that name: one that its events were told under, or that one of them gives it.
    fn is_named(&self, name: &str) -> bool {
        // Making all names of a large incident to find one is left to when somebody asks by one.
        let gives = |number| {
            self.members
                .iter()
                .any(|member| natural_number(&member.event) == number)
        };
        self.names.contains(name) || number_of(name).is_some_and(gives)
    }

    /// Whether work was planned for its time, on one of its services.
    pub(crate) fn is_planned_for(&self, work: &Event) -> bool {
        let Fact::Maintenance(window) = &work.fact else {
            return false;
        };
        let meets = window.from
            <= if self.is_open() {
                Time::MAX_UTC
            } else {
                self.last_activity
            }
            && window.to > signals::onset(self.opener());
        window.from < window.to
            && meets
            && (work.service.is_none()
                || self
                    .members
                    .iter()
                    .any(|member| member.event.service == work.service))
    }

    /// Whether some alert may have come again under its labels.
    pub(crate) fn comes_again(&self) -> bool {
        !self.again.is_empty()
    }

    /// Where the event of that moment is among the members.
    pub(crate) fn holds(&self, at: SweepKey) -> bool {
        self.members
            .binary_search_by_key(&at, |member| moment(&member.event))
            .is_ok()
    }

    /// The event that opened it; groups are never empty.
    pub(crate) fn opener(&self) -> &Event {
        &self.members[self.opener].event
    }

    /// Whether some signal is on.
    pub(crate) fn is_open(&self) -> bool {
        self.open > 0
    }

    fn is_on(&self, subject: Subject) -> bool {
        self.subjects.get(&subject).is_some_and(|known| known.on)
    }

    fn quiet_at(&self, now: Time) -> TimeDelta {
        if self.is_open() {
            TimeDelta::zero()
        } else {
            now - self.last_activity
        }
    }
}

/// A short name of an alert's labels, in memory only.
fn hash(alert: &Alert) -> u64 {
    let mut hasher = DefaultHasher::new();
    alert.labels.hash(&mut hasher);
    hasher.finish()
}

/// The id of the incident that `group` is, unless an announced one lives on in it.
pub(crate) fn natural_id(group: &EventGroup) -> IncidentId {
    IncidentId(name_of(group.name))
}

/// Whether an event is evidence of something going on (`Some(true)`: from now on) or ending (`Some(false)`).
fn activity(event: &Event) -> Option<bool> {
    match &event.fact {
        Fact::Alert(alert) => Some(alert.status == AlertStatus::Firing),
        // Planned work is nothing that goes wrong: it goes on beside what does.
        Fact::Declaration(declaration) => {
            (!declaration.planned).then_some(declaration.status == AlertStatus::Firing)
        }
        Fact::Condition(condition) => Some(matches!(
            condition.state,
            ConditionState::Degraded | ConditionState::NearMiss
        )),
        // What changed nothing keeps nothing going: a refused step may be tried again every few seconds.
        Fact::Intervention(step) => (!step.dry_run && !step.refused).then_some(false),
        Fact::Lapsed(_) | Fact::NearMiss(_) | Fact::Request(_) => Some(false),
        _ => None,
    }
}

/// Whether an event can open an incident.
#[must_use]
pub fn opens(event: &Event) -> bool {
    match &event.fact {
        Fact::Request(_) | Fact::NearMiss(_) => true,
        Fact::Intervention(intervention) => intervention.stated,
        Fact::Alert(_) | Fact::Declaration(_) | Fact::Condition(_) => activity(event) == Some(true),
        _ => false,
    }
}

/// Events that may meet: one connected set of services, or one key.
#[derive(Debug, Clone, Default)]
pub(crate) struct Partition {
    /// As the sweep finds them.
    groups: Vec<EventGroup>,
    /// As people corrected them; `None`: nobody did.
    corrected: Option<Vec<EventGroup>>,
    /// Whether somebody may have.
    corrections: bool,
    /// Whether a group may have events that belong elsewhere since other services belong together.
    pub(crate) mixed: bool,
    /// Events that belong to nothing, or to nothing yet.
    pub(crate) loose: BTreeMap<SweepKey, Arc<Event>>,
    /// The revisions that its changes tell of.
    pub(crate) history: DeployHistory,
}

impl Partition {
    /// What was an incident when it was stored is one again, unless people corrected it: then the sweep has to find what they corrected.
    pub(crate) fn restore(
        stored: Vec<Vec<Member>>,
        loose: Vec<Arc<Event>>,
        policy: &Policy,
        assigned: &BTreeMap<String, String>,
    ) -> Self {
        let mut hood = Self::default();
        stored
            .iter()
            .flatten()
            .map(|member| &member.event)
            .chain(&loose)
            .for_each(|event| hood.note(event));
        if !hood.corrections {
            hood.groups = stored
                .into_iter()
                .map(|members| EventGroup::of(members, policy, assigned))
                .collect();
            hood.loose = loose
                .into_iter()
                .map(|event| (moment(&event), event))
                .collect();
            return hood;
        }
        let members: Vec<Arc<Event>> = stored
            .into_iter()
            .flatten()
            .map(|member| member.event)
            .collect();
        let earliest = members.iter().map(|event| moment(event)).min();
        // What came too late to be judged stays where it was.
        let (again, kept): (Vec<Arc<Event>>, Vec<Arc<Event>>) = loose
            .into_iter()
            .partition(|event| Some(moment(event)) > earliest);
        hood.loose = kept
            .into_iter()
            .map(|event| (moment(&event), event))
            .collect();
        hood.place(members.into_iter().chain(again).collect(), policy, assigned);
        hood
    }

    /// Takes note of what an event means for others that are here.
    pub(crate) fn note(&mut self, event: &Event) {
        self.history.note(event);
        self.corrections |= corrections::corrects(event);
    }

    /// The incidents that are here.
    pub(crate) fn incidents(&self) -> &[EventGroup] {
        self.corrected.as_deref().unwrap_or(&self.groups)
    }

    /// An incident is derived from the group of that number as it is.
    pub(crate) fn derived(&mut self, index: usize) {
        if let Some(group) = self
            .corrected
            .as_mut()
            .unwrap_or(&mut self.groups)
            .get_mut(index)
        {
            group.since = DerivationDelta {
                sum: group.members.sum(),
                ..DerivationDelta::default()
            };
        }
    }

    /// Whatever is derived from groups is derived from all of their members.
    pub(crate) fn anew(&mut self) {
        self.groups
            .iter_mut()
            .chain(self.corrected.iter_mut().flatten())
            .for_each(EventGroup::anew);
    }

    /// Every event that is here.
    pub(crate) fn into_events(self) -> impl Iterator<Item = Arc<Event>> {
        self.groups
            .into_iter()
            .flat_map(|group| group.members.into_vec())
            .map(|member| member.event)
            .chain(self.loose.into_values())
    }

    /// Drops the incidents that one of these events opened.
    ///
    /// Gives back those of their events that are `kept`: they belong to nothing from now on.
    pub(crate) fn drop_opened_by(
        &mut self,
        gone: &BTreeSet<EventId>,
        kept: &BTreeSet<EventId>,
    ) -> Vec<Arc<Event>> {
        let stays = |group: &EventGroup| !gone.contains(&group.opener().id);
        let dropped = self.groups.iter().filter(|group| !stays(group));
        let freed = dropped
            .flat_map(|group| group.members.told())
            .map(|member| &member.event)
            .filter(|event| kept.contains(&event.id));
        let freed: Vec<Arc<Event>> = freed.cloned().collect();
        self.loose
            .extend(freed.iter().map(|event| (moment(event), Arc::clone(event))));
        self.groups.retain(stays);
        if let Some(corrected) = &mut self.corrected {
            corrected.retain(stays);
        }
        freed
    }

    /// Places `events`, and again whatever was placed after the earliest of them.
    pub(crate) fn place(
        &mut self,
        events: Vec<Arc<Event>>,
        policy: &Policy,
        assigned: &BTreeMap<String, String>,
    ) {
        events.iter().for_each(|event| self.note(event));
        let mut pending: BTreeMap<SweepKey, Arc<Event>> = events
            .into_iter()
            .map(|event| (moment(&event), event))
            .collect();
        let Some(earliest) = pending.keys().next().copied() else {
            return;
        };
        let later = self.loose.split_off(&earliest);
        pending.extend(later);
        let groups = std::mem::take(&mut self.groups);
        for group in groups {
            // Nearly all are over.
            if group
                .members
                .last()
                .is_some_and(|last| moment(&last.event) < earliest)
            {
                self.groups.push(group);
                continue;
            }
            let kept = group
                .members
                .partition_point(|member| moment(&member.event) < earliest);
            if kept == group.members.len() {
                self.groups.push(group);
                continue;
            }
            let taken = match group.undo(kept) {
                Ok((group, taken)) => {
                    debug_assert!(
                        group == EventGroup::of(group.members.to_vec(), policy, assigned),
                        "undone, it is as if they had never come"
                    );
                    self.groups.push(group);
                    taken
                }
                Err(mut members) => {
                    let taken = members.split_off(kept);
                    if !members.is_empty() {
                        self.groups
                            .push(EventGroup::of(members.into_vec(), policy, assigned));
                    }
                    taken
                }
            };
            pending.extend(
                taken
                    .into_iter()
                    .map(|member| (moment(&member.event), member.event)),
            );
        }
        for (at, event) in pending {
            match self.find(&event, policy, assigned) {
                Some((index, reason)) => self.groups[index].join(event, reason, policy, assigned),
                None if opens(&event) => {
                    self.groups.push(EventGroup::of(
                        vec![Member {
                            event,
                            reason: JoinReason::Opened,
                        }],
                        policy,
                        assigned,
                    ));
                }
                None => {
                    self.loose.insert(at, event);
                }
            }
        }
        if self.corrected.is_some() {
            // What is derived is derived from the corrected ones.
            self.anew();
        }
        if self.corrections {
            self.corrected = corrections::corrected(
                &self.groups,
                self.loose.values().map(|event| &**event),
                policy,
                assigned,
            );
        }
    }

    /// Whether an event is the end of what never began. A source that tells an incident of its own as an outage or as an alert, as it is at
    /// that time, ends both of them: it does not know any more as which it was told.
    fn ends_nothing(&self, event: &Event) -> bool {
        let Some(incident) = event.incident.as_deref() else {
            return false;
        };
        let unknown = |subject: &Subject| {
            !self
                .groups
                .iter()
                .any(|group| group.subjects.contains_key(subject))
        };
        let of_its_own = match &event.fact {
            Fact::Declaration(end) => end.status == AlertStatus::Resolved && end.key == incident,
            Fact::Alert(end) => {
                end.status == AlertStatus::Resolved && !unknown(&declared_subject(incident))
            }
            _ => false,
        };
        of_its_own && unknown(&event.subject)
    }

    /// The group an event joins, by the order of precedence of the reasons; ties: earliest began, then id.
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
                .min_by_key(|(_, group)| (group.opener().occurred_at, group.name))
                .map(|(index, _)| index)
        };
        if let Some(named) = &event.incident
            && let Some(index) = first(&|group| group.is_named(named))
        {
            return Some((index, JoinReason::Key));
        }
        let now = event.occurred_at;
        let near = TimeDelta::seconds(rules.reopen_within);
        // An alert's subject is one episode. A condition's or a declaration's comes back: then it is another incident.
        let comes_back = matches!(event.fact, Fact::Condition(_) | Fact::Declaration(_));
        let same = |group: &EventGroup| group.subjects.contains_key(&event.subject);
        if let Some(index) = first(&|group| {
            same(group)
                && (!comes_back || group.is_on(event.subject) || group.quiet_at(now) <= near)
        }) {
            return Some((index, JoinReason::Subject));
        }
        let young = |group: &EventGroup| {
            now - group.opener().occurred_at <= TimeDelta::seconds(rules.lifetime)
        };
        let key = key(event, policy, assigned)?;
        if let Some(index) = first(&|group| {
            group.quiet_at(now) <= near && young(group) && group.keys.contains(&*key)
        }) {
            // One text for all who joined by it.
            let key = self.groups[index]
                .keys
                .get(&*key)
                .cloned()
                .unwrap_or_else(|| key.into());
            return Some((index, JoinReason::Labels { key }));
        }
        let service = event.service.as_deref()?;
        let window = TimeDelta::seconds(rules.join_within);
        let neighbour = |group: &EventGroup| {
            let opener = group.opener();
            group.quiet_at(now) <= near
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
