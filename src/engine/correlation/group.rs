//! An event group: the events of one incident, with the state that placements ask for.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use chrono::TimeDelta;

use super::activity::{activity, leaves_unknown, opens};
use super::early_members::early_members;
use super::keys::correlation_key;
use crate::engine::id_map::IdMap;
use crate::engine::incident::id::{name_of, natural_number, number_of};
use crate::engine::incident::signals;
use crate::engine::policy::Policy;
use crate::engine::sweep_key::{SweepKey, sweep_key};
use crate::model::event::{Alert, AlertStatus, Event, Fact};
use crate::model::id::IncidentId;
use crate::model::id::Subject;
use crate::model::member::Members;
use crate::model::member::{JoinReason, Member};
use crate::model::time::Time;

/// The events of an incident; never empty.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct EventGroup {
    pub(crate) members: Members,
    /// The position of the opening event among the members.
    opener: usize,
    /// The number in its natural name.
    number: u64,
    /// The incident names under which sources sent its events.
    names: BTreeSet<String>,
    subjects: IdMap<Subject, SubjectState>,
    /// True while all of its activity are requests for a postmortem.
    only_requests: bool,
    /// Number of active subjects; they keep the group open.
    active: usize,
    /// The last episode of each alert, by the hash of its labels: its start, and its subject.
    episodes: IdMap<u64, (i64, Subject)>,
    /// The labels that had more than one episode.
    repeated: BTreeSet<u64>,
    /// Correlation keys of its events.
    keys: BTreeSet<Arc<str>>,
    /// True if some event has another key than the one by which it joined.
    rekeyed: bool,
    /// The members from before the incident or subject that they name, each with the key of the
    /// member that brought it: their placement rests on that one.
    early: BTreeMap<SweepKey, SweepKey>,
    /// The end of the last activity, while no subject is active.
    pub(crate) last_activity: Time,
    delta: DerivationDelta,
}

/// The changes of a group since its incident was last derived from it.
#[derive(Debug, Clone, Default)]
struct DerivationDelta {
    /// True if all members must be derived again: the group was rebuilt, or never derived.
    incomplete: bool,
    /// The checksum of the members at that time.
    sum: u128,
    joined: Vec<Arc<Event>>,
    removed: usize,
}

/// Bookkeeping, not part of a group's value.
impl PartialEq for DerivationDelta {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// The state of one subject in a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct SubjectState {
    active: bool,
    /// True if nothing has shown its state since it became unknown.
    unknown: bool,
    /// True if it is an alert whose end is known.
    ended: bool,
    /// True if the group has more than one event of it.
    several_events: bool,
}

impl EventGroup {
    /// Builds a group from these members; one of them opened it.
    pub(crate) fn from_members(
        mut members: Vec<Member>,
        policy: &Policy,
        assigned: &BTreeMap<String, String>,
    ) -> Self {
        members.sort_by_key(|member| sweep_key(&member.event));
        let opener = members
            .iter()
            .position(|member| member.reason == JoinReason::Opened)
            .unwrap_or(0);
        let mut group = Self {
            opener,
            number: natural_number(&members[opener].event),
            names: BTreeSet::new(),
            subjects: IdMap::default(),
            only_requests: true,
            active: 0,
            episodes: IdMap::default(),
            repeated: BTreeSet::new(),
            keys: BTreeSet::new(),
            rekeyed: false,
            early: early_members(&members, opener),
            last_activity: members[opener].event.occurred_at,
            members: Members::default(),
            delta: DerivationDelta {
                incomplete: true,
                ..DerivationDelta::default()
            },
        };
        for Member { event, reason } in members {
            if reason != JoinReason::Key || opens(&event) {
                let key = correlation_key(&event, policy, assigned);
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

    /// Adds an event that was found to belong here.
    pub(crate) fn join(
        &mut self,
        event: Arc<Event>,
        reason: JoinReason,
        policy: &Policy,
        assigned: &BTreeMap<String, String>,
    ) {
        // An event that joins by its key brings no new one.
        if !matches!(reason, JoinReason::Labels { .. })
            && (reason != JoinReason::Key || opens(&event))
        {
            self.keys
                .extend(correlation_key(&event, policy, assigned).map(Arc::from));
        }
        self.add(event, reason);
    }

    fn add(&mut self, event: Arc<Event>, reason: JoinReason) {
        self.names
            .extend(event.incident.as_deref().map(str::to_owned));
        self.subjects
            .entry(event.subject)
            .and_modify(|state| state.several_events = true)
            .or_default();
        // What is over already was last seen then, and does not lapse.
        let over = |group: &Self, event: &Event| {
            matches!(event.fact, Fact::Lapsed(_)) && !group.is_active(event.subject)
        };
        if let Some(active) = activity(&event).filter(|_| !over(self, &event)) {
            let is_request = matches!(event.fact, Fact::Request(_));
            self.only_requests &= is_request;
            // To ask about an incident afterwards does not prolong it.
            if !is_request || self.only_requests {
                self.last_activity = self.last_activity.max(event.occurred_at);
            }
            self.set_state(&event, active);
            self.end_earlier_episode(&event);
        }
        if !self.delta.incomplete {
            self.delta.joined.push(Arc::clone(&event));
        }
        self.members.push(Member { event, reason });
    }

    /// Changes since an incident was last derived: the checksum of its members then, the events
    /// added since, and the number removed. A removed event is among those added again, or gone.
    /// `None` if all members must be derived anew.
    pub(crate) fn delta(&self) -> Option<(u128, &[Arc<Event>], usize)> {
        let complete = !self.delta.incomplete
            && self
                .delta
                .joined
                .iter()
                .all(|event| self.is_lone_alert(event));
        complete.then_some((self.delta.sum, &*self.delta.joined, self.delta.removed))
    }

    /// Records that an incident was derived from the members as they are.
    pub(crate) fn mark_derived(&mut self) {
        self.delta = DerivationDelta {
            sum: self.members.sum(),
            ..DerivationDelta::default()
        };
    }

    /// Makes the next derivation start from all members.
    pub(crate) fn mark_rebuilt(&mut self) {
        self.delta = DerivationDelta {
            incomplete: true,
            ..DerivationDelta::default()
        };
    }

    /// True if an event is a firing alert that no other member refers to.
    fn is_lone_alert(&self, event: &Event) -> bool {
        let Fact::Alert(alert) = &event.fact else {
            return false;
        };
        // An incident that a source names may be merged with another.
        event.incident.is_none()
            && alert.status == AlertStatus::Firing
            && self.subjects.get(&event.subject)
                == Some(&SubjectState {
                    active: true,
                    ..SubjectState::default()
                })
            && !self.repeated.contains(&label_hash(alert))
    }

    /// Sets the state of an event's subject, which the event says is active or not.
    fn set_state(&mut self, event: &Event, active: bool) {
        let before = self.subjects.get(&event.subject).copied();
        let before = before.unwrap_or_default();
        let (mut active, mut unknown, mut ended) = (active, leaves_unknown(event), before.ended);
        match &event.fact {
            // Both may be told for one instant, in whatever order.
            Fact::Alert(alert) if alert.status == AlertStatus::Firing => {
                ended &= alert.seen_again.is_none();
                active &= !ended;
                unknown = ended && before.unknown;
            }
            Fact::Alert(_) => ended = true,
            _ => {}
        }
        self.set_active(event.subject, active);
        if let Some(state) = self.subjects.get_mut(&event.subject) {
            (state.unknown, state.ended) = (unknown, ended);
        }
    }

    fn set_active(&mut self, subject: Subject, active: bool) {
        let Some(state) = self.subjects.get_mut(&subject) else {
            return;
        };
        match (std::mem::replace(&mut state.active, active), active) {
            (false, true) => self.active += 1,
            (true, false) => self.active -= 1,
            _ => {}
        }
    }

    /// A new episode of an alert ends the earlier one, whose end was never reported.
    fn end_earlier_episode(&mut self, event: &Event) {
        let Fact::Alert(alert) = &event.fact else {
            return;
        };
        let starts_at = signals::began(event, alert).timestamp_micros();
        let labels = label_hash(alert);
        let mut ended = None;
        self.episodes
            .entry(labels)
            .and_modify(|(started, subject)| {
                if *subject == event.subject {
                    return;
                }
                self.repeated.insert(labels);
                if *started < starts_at {
                    ended = Some(*subject);
                    (*started, *subject) = (starts_at, event.subject);
                }
            })
            .or_insert((starts_at, event.subject));
        if let Some(subject) = ended {
            self.set_active(subject, false);
            if let Some(state) = self.subjects.get_mut(&subject) {
                state.unknown = false;
            }
        }
    }

    /// Removes the members from position `kept` on, as if they had never joined; `Err` where the
    /// group has to be rebuilt without them.
    pub(crate) fn truncate(mut self, kept: usize) -> Result<(Self, Vec<Member>), Box<Self>> {
        // Nearly all of a storm is lone alerts that joined by a key which was there before.
        let leaves_no_trace = |Member { event, reason }: &Member| {
            matches!(reason, JoinReason::Labels { .. }) && self.is_lone_alert(event)
        };
        let before = self.members[..kept]
            .iter()
            .rev()
            .find(|member| activity(&member.event).is_some());
        let last_activity =
            before.map_or(self.opener().occurred_at, |member| member.event.occurred_at);
        let has_request = |member: &Member| matches!(member.event.fact, Fact::Request(_));
        if self.rekeyed
            || self.opener >= kept
            || !self.early.is_empty()
            || self.members.non_alerts().any(has_request)
            || !self.members[kept..].iter().all(leaves_no_trace)
        {
            return Err(Box::new(self));
        }
        let removed = self.members.split_off(kept);
        for member in &removed {
            self.subjects.remove(&member.event.subject);
            self.active -= 1;
            if let Fact::Alert(alert) = &member.event.fact {
                self.episodes.remove(&label_hash(alert));
            }
        }
        self.delta.removed += removed.len();
        self.last_activity = last_activity.max(self.opener().occurred_at);
        Ok((self, removed))
    }

    /// Splits the members into those that stay and those that the sweep from `earliest` on places
    /// again. None stay if the opener is placed again.
    pub(crate) fn split_at(self, earliest: SweepKey) -> (Vec<Member>, Vec<Member>) {
        let placed_at = |member: &Member| {
            let key = sweep_key(&member.event);
            self.early.get(&key).copied().unwrap_or(key)
        };
        if placed_at(&self.members[self.opener]) >= earliest {
            return (Vec::new(), self.members.into_vec());
        }
        let early = self.early.clone();
        let stays = |member: &Member| {
            let key = sweep_key(&member.event);
            early.get(&key).copied().unwrap_or(key) < earliest
        };
        self.members.into_vec().into_iter().partition(stays)
    }

    /// Adds events from before the incident or subject that they name.
    pub(crate) fn join_early(
        self,
        early: Vec<Member>,
        policy: &Policy,
        assigned: &BTreeMap<String, String>,
    ) -> Self {
        let members = self.members.into_vec().into_iter().chain(early).collect();
        Self::from_members(members, policy, assigned)
    }

    /// True if people or sources know the incident by that name: one that its events were sent
    /// under, or the natural name of one of them.
    pub(crate) fn has_name(&self, name: &str) -> bool {
        // Names of large incidents are only made when one is asked for.
        let gives = |number| {
            self.members
                .iter()
                .any(|member| natural_number(&member.event) == number)
        };
        self.names.contains(name) || number_of(name).is_some_and(gives)
    }

    /// True if the planned work overlaps its time, on one of its services.
    pub(crate) fn overlaps_planned(&self, work: &Event) -> bool {
        let Fact::Maintenance(window) = &work.fact else {
            return false;
        };
        window.from < window.to
            && window.from <= self.end()
            && window.to > signals::onset(self.opener())
            && (work.service.is_none() || self.is_about_service_of(work))
    }

    /// The end of its time, as far as that is known.
    pub(crate) fn end(&self) -> Time {
        if self.is_open() || self.subjects.values().any(|state| state.unknown) {
            Time::MAX_UTC
        } else {
            self.last_activity
        }
    }

    /// True if one of its events is about the service of that event.
    pub(crate) fn is_about_service_of(&self, event: &Event) -> bool {
        let mut members = self.members.iter();
        members.any(|member| member.event.service == event.service)
    }

    /// True if some alert may have had several episodes under the same labels.
    pub(crate) fn has_repeated_alerts(&self) -> bool {
        !self.repeated.is_empty()
    }

    /// True if the event with that key is a member.
    pub(crate) fn contains(&self, key: SweepKey) -> bool {
        self.members
            .binary_search_by_key(&key, |member| sweep_key(&member.event))
            .is_ok()
    }

    /// The event that opened it.
    pub(crate) fn opener(&self) -> &Event {
        &self.members[self.opener].event
    }

    /// The id of its incident, unless an announced one lives on in it.
    pub(crate) fn natural_id(&self) -> IncidentId {
        IncidentId(name_of(self.number))
    }

    /// Orders groups that opened at the same instant.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// True if some subject is active.
    pub(crate) fn is_open(&self) -> bool {
        self.active > 0
    }

    pub(crate) fn has_subject(&self, subject: &Subject) -> bool {
        self.subjects.contains_key(subject)
    }

    pub(crate) fn is_active(&self, subject: Subject) -> bool {
        self.subjects
            .get(&subject)
            .is_some_and(|state| state.active)
    }

    /// True if an end was reported of that alert's episode, and not only of another one.
    pub(crate) fn has_own_end(&self, subject: &Subject) -> bool {
        let ended = self.subjects.get(subject).is_some_and(|state| state.ended);
        let own = |member: &Member| {
            member.event.subject == *subject
                && matches!(&member.event.fact, Fact::Alert(alert)
                    if alert.status == AlertStatus::Resolved && !alert.borrowed_end)
        };
        ended && self.members.iter().any(own)
    }

    /// True if the subject is active, or nothing shows that it is not.
    pub(crate) fn may_be_active(&self, subject: Subject) -> bool {
        self.subjects
            .get(&subject)
            .is_some_and(|state| state.active || state.unknown)
    }

    /// Its copy of a correlation key, for events to share.
    pub(crate) fn correlation_key(&self, key: &str) -> Option<&Arc<str>> {
        self.keys.get(key)
    }

    /// The time at `now` since the last activity, zero while it is open.
    pub(crate) fn quiet_for(&self, now: Time) -> TimeDelta {
        if self.is_open() {
            TimeDelta::zero()
        } else {
            now - self.last_activity
        }
    }
}

/// A hash of an alert's labels, for use in memory only.
fn label_hash(alert: &Alert) -> u64 {
    let mut hasher = DefaultHasher::new();
    alert.labels.hash(&mut hasher);
    hasher.finish()
}
