//! Correlation: which incident an event belongs to, and why.
//!
//! Events are placed one after another by `(occurred_at, id)`. A placement rests only on earlier events, so a late
//! event takes back just the placements after it, within its neighbourhood, and they are made again.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;

use super::{InForce, Moment, key, moment};
use crate::model::Time;
use crate::model::event::{AlertStatus, ConditionState, Event, EventId, Fact, Subject, hex};
use crate::model::incident::{IncidentId, Joined, Member};

/// How long before an incident a change is still told with it.
const CONTEXT: TimeDelta = TimeDelta::hours(1);

/// An incident while it is being put together: its members and what a placement asks of them.
#[derive(Debug, Clone)]
pub(super) struct Group {
    pub(super) members: Vec<Member>,
    /// The names under which people and sources know it.
    names: BTreeSet<String>,
    subjects: BTreeSet<Subject>,
    /// Subjects that are on, and so keep it alive.
    open: BTreeSet<Subject>,
    /// Correlation keys of its events.
    keys: BTreeSet<String>,
    /// The end of the last activity, while nothing is on.
    pub(super) last_activity: Time,
}

impl Group {
    fn new(opener: Event, force: &InForce, assigned: &BTreeMap<String, String>) -> Self {
        let mut group = Self {
            members: Vec::new(),
            names: BTreeSet::new(),
            subjects: BTreeSet::new(),
            open: BTreeSet::new(),
            keys: BTreeSet::new(),
            last_activity: opener.occurred_at,
        };
        group.add(opener, Joined::Opened, force, assigned);
        group
    }

    /// Puts a group together again from members stored before.
    pub(super) fn restore(members: Vec<Member>, force: &InForce, assigned: &BTreeMap<String, String>) -> Option<Self> {
        let mut members = members.into_iter();
        let mut group = Self::new(members.next()?.event, force, assigned);
        for Member { event, reason } in members {
            group.add(event, reason, force, assigned);
        }
        Some(group)
    }

    fn add(&mut self, event: Event, reason: Joined, force: &InForce, assigned: &BTreeMap<String, String>) {
        self.names.insert(natural_name(&event));
        self.names.extend(event.incident.clone());
        if reason != Joined::Key || opens(&event) {
            self.keys.extend(key(&event, force, assigned));
        }
        self.subjects.insert(event.subject.clone());
        if let Some(on) = activity(&event) {
            self.last_activity = self.last_activity.max(event.occurred_at);
            if on {
                self.open.insert(event.subject.clone());
            } else {
                self.open.remove(&event.subject);
            }
        }
        self.members.push(Member { event, reason });
    }

    /// The first event's moment; groups are never empty.
    pub(super) fn opener(&self) -> &Event {
        &self.members[0].event
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
    format!("i-{}", hex(&event.id.0, 5))
}

/// The id of the incident that `group` is, unless an announced one lives on in it.
pub(super) fn natural_id(group: &Group) -> IncidentId {
    IncidentId(natural_name(group.opener()))
}

/// Whether an event is evidence of something going on (`Some(true)`: from now on) or ending (`Some(false)`).
fn activity(event: &Event) -> Option<bool> {
    match &event.fact {
        Fact::Alert(alert) => Some(alert.status == AlertStatus::Firing),
        Fact::Declaration(declaration) => Some(declaration.status == AlertStatus::Firing),
        Fact::Condition(condition) => Some(matches!(condition.state, ConditionState::Degraded | ConditionState::NearMiss)),
        Fact::Lapsed(_) | Fact::Intervention(_) | Fact::NearMiss(_) | Fact::Request(_) => Some(false),
        _ => None,
    }
}

/// Whether an event can open an incident.
pub(super) fn opens(event: &Event) -> bool {
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
    pub(super) groups: Vec<Group>,
    /// Events that belong to nothing, or to nothing yet.
    pub(super) loose: BTreeMap<Moment, Event>,
}

impl Neighbourhood {
    /// Changes to the same service shortly before a group opened: they may have to do with it.
    pub(super) fn context<'a>(&'a self, group: &'a Group) -> impl Iterator<Item = &'a Event> {
        let opener = group.opener();
        let from = (opener.occurred_at - CONTEXT, EventId(String::new()));
        let before = self.loose.range(from..moment(opener)).map(|(_, event)| event);
        before.filter(|event| {
            let same_place =
                event.service.is_some() && event.service == opener.service && super::environment(event) == super::environment(opener);
            matches!(event.fact, Fact::Change(_)) && same_place
        })
    }

    /// Places `events`, and again whatever was placed after the earliest of them.
    pub(super) fn place(&mut self, events: Vec<Event>, force: &InForce, assigned: &BTreeMap<String, String>) {
        let mut pending: BTreeMap<Moment, Event> = events.into_iter().map(|event| (moment(&event), event)).collect();
        let Some(earliest) = pending.keys().next().cloned() else { return };
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
            self.groups.extend(Group::restore(members, force, assigned));
        }
        for (at, event) in pending {
            match self.find(&event, force, assigned) {
                Some((index, reason)) => self.groups[index].add(event, reason, force, assigned),
                None if opens(&event) => self.groups.push(Group::new(event, force, assigned)),
                None => {
                    self.loose.insert(at, event);
                }
            }
        }
    }

    /// The group an event joins, by the order of precedence of the reasons; ties: earliest began, then id.
    fn find(&self, event: &Event, force: &InForce, assigned: &BTreeMap<String, String>) -> Option<(usize, Joined)> {
        let rules = &force.rules.correlation;
        let first = |fits: &dyn Fn(&Group) -> bool| {
            let candidates = self.groups.iter().enumerate().filter(|(_, group)| fits(group));
            candidates.min_by_key(|(_, group)| (group.opener().occurred_at, natural_id(group))).map(|(index, _)| index)
        };
        if let Some(named) = &event.incident
            && let Some(index) = first(&|group| group.names.contains(named))
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
                && super::environment(opener) == super::environment(event)
                && now - opener.occurred_at <= window
                && group.quiet_at(now) <= near
        };
        let index = first(&neighbour)?;
        let service = self.groups[index].opener().service.clone().unwrap_or_default();
        Some((index, Joined::Dependency { service }))
    }
}
