//! Correlation: which incident an event belongs to, and why.
//!
//! Events are placed one after another by `(occurred_at, id)`. A placement rests only on earlier events, so a late
//! event takes back just the placements after it, within its neighbourhood, and they are made again.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use chrono::TimeDelta;

use super::force::{environment, key};
use super::{InForce, Moment, RECONSIDER, edits, moment, signals};
use crate::model::Time;
use crate::model::event::{AlertStatus, ConditionState, Event, EventId, Fact, Subject, hex};
use crate::model::incident::{IncidentId, Joined, Member};

/// How long before an incident a change is still told with it.
const CHANGED: TimeDelta = TimeDelta::hours(1);
/// How long before an incident began a step may have been taken that answers it.
pub(super) const STEPPED: TimeDelta = TimeDelta::minutes(5);
/// How long before an incident planned work may have begun that still goes on.
const PLANNED: TimeDelta = TimeDelta::days(2);

/// An incident while it is being put together: its members and what a placement asks of them.
#[derive(Debug, Clone)]
pub(super) struct Group {
    pub(super) members: Vec<Member>,
    /// Where among the members the opening event is.
    opener: usize,
    /// The names that events of it were told under.
    names: BTreeSet<String>,
    subjects: BTreeSet<Subject>,
    /// Subjects that are on, and so keep it alive.
    open: BTreeSet<Subject>,
    /// The last episode of each alert, by its labels alone: when it started, and its subject.
    episodes: BTreeMap<u64, (Time, Subject)>,
    /// Correlation keys of its events.
    keys: BTreeSet<String>,
    /// The end of the last activity, while nothing is on.
    pub(super) last_activity: Time,
}

impl Group {
    /// Puts a group together from its members, one of which opened it.
    pub(super) fn of(members: Vec<Member>, force: &InForce, assigned: &BTreeMap<String, String>) -> Self {
        let opener = members.iter().position(|member| member.reason == Joined::Opened).unwrap_or(0);
        let mut group = Self {
            opener,
            names: BTreeSet::new(),
            subjects: BTreeSet::new(),
            open: BTreeSet::new(),
            episodes: BTreeMap::new(),
            keys: BTreeSet::new(),
            last_activity: members[opener].event.occurred_at,
            members: Vec::with_capacity(members.len()),
        };
        for Member { event, reason } in members {
            group.add(event, reason, force, assigned);
        }
        group
    }

    fn add(&mut self, event: Arc<Event>, reason: Joined, force: &InForce, assigned: &BTreeMap<String, String>) {
        self.names.extend(event.incident.clone());
        if reason != Joined::Key || opens(&event) {
            self.keys.extend(key(&event, force, assigned));
        }
        self.subjects.insert(event.subject);
        if let Some(on) = activity(&event) {
            self.last_activity = self.last_activity.max(event.occurred_at);
            if on {
                self.open.insert(event.subject);
                self.supersede(&event);
            } else {
                self.open.remove(&event.subject);
            }
        }
        self.members.push(Member { event, reason });
    }

    /// The same alert firing anew ends its earlier episode, of whose end nobody told.
    fn supersede(&mut self, event: &Event) {
        let Fact::Alert(alert) = &event.fact else { return };
        // In memory only, so that a short hash that every process takes alike is enough.
        let mut hasher = DefaultHasher::new();
        alert.labels.hash(&mut hasher);
        let labels = hasher.finish();
        let (started, subject) = self.episodes.entry(labels).or_insert_with(|| (alert.starts_at, event.subject));
        if *started < alert.starts_at {
            self.open.remove(subject);
            (*started, *subject) = (alert.starts_at, event.subject);
        }
    }

    /// Whether people or sources know it by that name: one that its events were told under, or that one of them gives it.
    fn is_named(&self, name: &str) -> bool {
        // Making all names of a large incident to find one is left to when somebody asks by one.
        self.names.contains(name) || (name.starts_with("i-") && self.members.iter().any(|member| natural_name(&member.event) == name))
    }

    /// The event that opened it; groups are never empty.
    pub(super) fn opener(&self) -> &Event {
        &self.members[self.opener].event
    }

    /// Whether some signal is on.
    pub(super) fn is_open(&self) -> bool {
        !self.open.is_empty()
    }

    fn quiet_at(&self, now: Time) -> TimeDelta {
        if self.is_open() { TimeDelta::zero() } else { now - self.last_activity }
    }
}

/// The name an incident has when `event` opens it.
pub(super) fn natural_name(event: &Event) -> String {
    format!("i-{}", hex(&event.id.to_string(), 5))
}

/// The id of the incident that `group` is, unless an announced one lives on in it.
pub(super) fn natural_id(group: &Group) -> IncidentId {
    IncidentId(natural_name(group.opener()))
}

/// Whether an event is evidence of something going on (`Some(true)`: from now on) or ending (`Some(false)`).
fn activity(event: &Event) -> Option<bool> {
    match &event.fact {
        Fact::Alert(alert) => Some(alert.status == AlertStatus::Firing),
        // Planned work is nothing that goes wrong: it goes on beside what does.
        Fact::Declaration(declaration) => (!declaration.planned).then_some(declaration.status == AlertStatus::Firing),
        Fact::Condition(condition) => Some(matches!(condition.state, ConditionState::Degraded | ConditionState::NearMiss)),
        Fact::Lapsed(_) | Fact::Intervention(_) | Fact::NearMiss(_) | Fact::Request(_) => Some(false),
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
pub(super) struct Neighbourhood {
    /// As the sweep finds them.
    groups: Vec<Group>,
    /// As people corrected them; `None`: nobody did.
    corrected: Option<Vec<Group>>,
    /// Events that belong to nothing, or to nothing yet.
    pub(super) loose: BTreeMap<Moment, Arc<Event>>,
}

impl Neighbourhood {
    /// What was an incident when it was stored is one again, unless people corrected it: then the sweep has to find what they corrected.
    pub(super) fn restore(stored: Vec<Vec<Member>>, loose: Vec<Arc<Event>>, force: &InForce, assigned: &BTreeMap<String, String>) -> Self {
        let corrected = stored.iter().flatten().map(|member| &member.event).chain(&loose).any(|event| edits::corrects(event));
        let mut hood = Self::default();
        if !corrected {
            hood.groups = stored.into_iter().map(|members| Group::of(members, force, assigned)).collect();
            hood.loose = loose.into_iter().map(|event| (moment(&event), event)).collect();
            return hood;
        }
        let members: Vec<Arc<Event>> = stored.into_iter().flatten().map(|member| member.event).collect();
        let earliest = members.iter().map(|event| moment(event)).min();
        // What came too late to be judged stays where it was.
        let (again, kept): (Vec<Arc<Event>>, Vec<Arc<Event>>) = loose.into_iter().partition(|event| Some(moment(event)) > earliest);
        hood.loose = kept.into_iter().map(|event| (moment(&event), event)).collect();
        hood.place(members.into_iter().chain(again).collect(), force, assigned);
        hood
    }

    /// The incidents that are here.
    pub(super) fn incidents(&self) -> &[Group] {
        self.corrected.as_deref().unwrap_or(&self.groups)
    }

    /// Every event that is here.
    pub(super) fn into_events(self) -> impl Iterator<Item = Arc<Event>> {
        self.groups.into_iter().flat_map(|group| group.members).map(|member| member.event).chain(self.loose.into_values())
    }

    /// Drops the incidents that one of these events opened.
    pub(super) fn drop_opened_by(&mut self, gone: &BTreeSet<EventId>) {
        let stays = |group: &Group| !gone.contains(&group.opener().id);
        self.groups.retain(stays);
        if let Some(corrected) = &mut self.corrected {
            corrected.retain(stays);
        }
    }

    /// What came before a group opened and has to do with it: changes and steps shortly before, planned work, and conditions of it whose
    /// measurement had fallen silent.
    pub(super) fn context<'a>(&'a self, group: &'a Group) -> impl Iterator<Item = &'a Arc<Event>> {
        let opener = group.opener();
        let began = signals::onset(opener);
        let silent = self.silent(group);
        let from = silent.iter().map(|(at, _)| *at).min().unwrap_or(began).min(opener.occurred_at - PLANNED);
        let before = self.loose.range((from, EventId::FIRST)..moment(opener)).map(|(_, event)| event);
        before.filter(move |event| {
            let same_place = event.service.is_some() && event.service == opener.service && environment(event) == environment(opener);
            match &event.fact {
                Fact::Change(_) => same_place && event.occurred_at >= opener.occurred_at - CHANGED,
                Fact::Intervention(_) => same_place && event.occurred_at >= began - STEPPED,
                Fact::Declaration(declaration) => same_place && declaration.planned && event.occurred_at >= opener.occurred_at - PLANNED,
                Fact::Condition(_) => silent.contains(&moment(event)),
                _ => false,
            }
        })
    }

    /// The conditions of a group of which nobody could say anything just before they joined it.
    fn silent(&self, group: &Group) -> BTreeSet<Moment> {
        let mut seen: BTreeSet<&Subject> = BTreeSet::new();
        let conditions = group.members.iter().map(|member| &*member.event).filter(|event| matches!(event.fact, Fact::Condition(_)));
        let firsts = conditions.filter(|event| seen.insert(&event.subject));
        let before = |first: &Event| {
            let from = (first.occurred_at - RECONSIDER, EventId::FIRST);
            let mut earlier = self.loose.range(from..moment(first)).rev();
            let (at, last) = earlier.find(|(_, event)| event.subject == first.subject)?;
            let unknown = matches!(&last.fact, Fact::Condition(condition) if condition.state == ConditionState::Unknown);
            unknown.then_some(*at)
        };
        firsts.filter_map(before).collect()
    }

    /// Places `events`, and again whatever was placed after the earliest of them.
    pub(super) fn place(&mut self, events: Vec<Arc<Event>>, force: &InForce, assigned: &BTreeMap<String, String>) {
        let mut pending: BTreeMap<Moment, Arc<Event>> = events.into_iter().map(|event| (moment(&event), event)).collect();
        let Some(earliest) = pending.keys().next().copied() else { return };
        let later = self.loose.split_off(&earliest);
        pending.extend(later);
        let groups = std::mem::take(&mut self.groups);
        for group in groups {
            let kept = group.members.partition_point(|member| moment(&member.event) < earliest);
            if kept == group.members.len() {
                self.groups.push(group);
                continue;
            }
            let mut members = group.members;
            pending.extend(members.split_off(kept).into_iter().map(|member| (moment(&member.event), member.event)));
            if !members.is_empty() {
                self.groups.push(Group::of(members, force, assigned));
            }
        }
        for (at, event) in pending {
            match self.find(&event, force, assigned) {
                Some((index, reason)) => self.groups[index].add(event, reason, force, assigned),
                None if opens(&event) => {
                    self.groups.push(Group::of(vec![Member { event, reason: Joined::Opened }], force, assigned));
                }
                None => {
                    self.loose.insert(at, event);
                }
            }
        }
        self.corrected = edits::corrected(&self.groups, self.loose.values().map(|event| &**event), force, assigned);
    }

    /// The group an event joins, by the order of precedence of the reasons; ties: earliest began, then id.
    fn find(&self, event: &Event, force: &InForce, assigned: &BTreeMap<String, String>) -> Option<(usize, Joined)> {
        let rules = &force.rules.correlation;
        let first = |fits: &dyn Fn(&Group) -> bool| {
            let candidates = self.groups.iter().enumerate().filter(|(_, group)| fits(group));
            candidates.min_by_key(|(_, group)| (group.opener().occurred_at, natural_id(group))).map(|(index, _)| index)
        };
        if let Some(named) = &event.incident
            && let Some(index) = first(&|group| group.is_named(named))
        {
            return Some((index, Joined::Key));
        }
        let now = event.occurred_at;
        let near = TimeDelta::seconds(rules.reopen_within);
        // An alert's subject is one episode. A condition's or a declaration's comes back: then it is another incident.
        let comes_back = matches!(event.fact, Fact::Condition(_) | Fact::Declaration(_));
        let same = |group: &Group| group.subjects.contains(&event.subject);
        if let Some(index) =
            first(&|group| same(group) && (!comes_back || group.open.contains(&event.subject) || group.quiet_at(now) <= near))
        {
            return Some((index, Joined::Subject));
        }
        let young = |group: &Group| now - group.opener().occurred_at <= TimeDelta::seconds(rules.lifetime);
        let key = key(event, force, assigned)?;
        if let Some(index) = first(&|group| group.keys.contains(&key) && group.quiet_at(now) <= near && young(group)) {
            return Some((index, Joined::Labels { key }));
        }
        let service = event.service.as_deref()?;
        let window = TimeDelta::seconds(rules.join_within);
        let neighbour = |group: &Group| {
            let opener = group.opener();
            opener.service.as_deref().is_some_and(|other| force.adjacent(service, other))
                && environment(opener) == environment(event)
                && now - opener.occurred_at <= window
                && group.quiet_at(now) <= near
        };
        let index = first(&neighbour)?;
        let service = self.groups[index].opener().service.clone().unwrap_or_default();
        Some((index, Joined::Dependency { service }))
    }
}
