//! The events of an incident as a copy-on-write list with an incrementally maintained fingerprint.

use std::collections::{BTreeSet, HashMap};
use std::ops::Deref;
use std::sync::Arc;

use chrono::TimeDelta;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::event::{AlertStatus, Condition, ConditionState, Event, Fact};
use super::id::{EventId, Subject};
use super::labels::LabelSet;

/// Longest time between the reports of one change of an alert by several sources.
const REPEATED_WITHIN: TimeDelta = TimeDelta::minutes(2);

/// One event of an incident.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Member {
    /// The event, shared by all copies of the incident.
    pub event: Arc<Event>,
    /// The reason it belongs to the incident.
    pub reason: JoinReason,
}

impl PartialEq for Member {
    fn eq(&self, other: &Self) -> bool {
        // Large incidents are compared often and share nearly all of their events.
        (Arc::ptr_eq(&self.event, &other.event) || self.event == other.event)
            && self.reason == other.reason
    }
}

/// Reasons for an event to belong to an incident, by precedence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "joined", rename_all = "snake_case")]
pub enum JoinReason {
    /// A change, an intervention or a lost measurement shortly before the incident opened.
    Context,
    /// The opening event.
    Opened,
    /// It carries the incident's key.
    Key,
    /// Its subject is already part of the incident.
    Subject,
    /// It has the same correlation key.
    Labels {
        /// The shared key.
        key: Arc<str>,
    },
    /// Its service is one dependency away from the opening service.
    Dependency {
        /// The event's service.
        service: Arc<str>,
    },
    /// A person assigned it.
    Person,
}

impl JoinReason {
    /// A number for each reason, and the reason's text where it has one.
    pub(crate) fn parts(&self) -> (u128, &str) {
        match self {
            Self::Context => (1, ""),
            Self::Opened => (2, ""),
            Self::Key => (3, ""),
            Self::Subject => (4, ""),
            Self::Labels { key } => (5, key),
            Self::Dependency { service } => (6, service),
            Self::Person => (7, ""),
        }
    }
}

/// Members in order. Copies share memory until one of them changes.
#[derive(Clone, Default)]
pub struct Members {
    all: Arc<Vec<Member>>,
    /// Indices of the members that are not alerts: there are few, and most lookups concern them.
    told: Arc<Vec<u32>>,
    /// Sum of the members' hashes: equal for lists with the same members.
    sum: u128,
}

impl Members {
    /// Appends a member.
    pub fn push(&mut self, member: Member) {
        self.sum = self.sum.wrapping_add(weight(&member));
        if !is_alert(&member) {
            Arc::make_mut(&mut self.told).push(u32::try_from(self.all.len()).unwrap_or(u32::MAX));
        }
        let all = Arc::make_mut(&mut self.all);
        if all.len() == all.capacity() {
            // Large incidents grow slowly; doubling the capacity would waste memory.
            all.reserve_exact(all.len() / 8 + 4);
        }
        all.push(member);
    }

    /// Removes and returns the members from index `kept` on.
    #[must_use]
    pub fn split_off(&mut self, kept: usize) -> Vec<Member> {
        let taken = Arc::make_mut(&mut self.all).split_off(kept);
        for member in &taken {
            self.sum = self.sum.wrapping_sub(weight(member));
        }
        let told = self.told.partition_point(|place| (*place as usize) < kept);
        if told < self.told.len() {
            Arc::make_mut(&mut self.told).truncate(told);
        }
        taken
    }

    /// The members that are not alerts.
    pub fn non_alerts(&self) -> impl DoubleEndedIterator<Item = &Member> {
        self.told
            .iter()
            .filter_map(|place| self.all.get(*place as usize))
    }

    /// True when the event only closes a declaration that lasted no time: evidence of an outage of
    /// zero length.
    #[must_use]
    pub fn closes_zero_length_declaration(&self, end: &Event) -> bool {
        let declared = |event: &Event, wanted| matches!(&event.fact, Fact::Declaration(declared) if declared.status == wanted);
        let begins = |member: &Member| {
            let event = &*member.event;
            let length = end.occurred_at - event.occurred_at;
            event.subject == end.subject
                && declared(event, AlertStatus::Firing)
                && (TimeDelta::zero()..=TimeDelta::milliseconds(1)).contains(&length)
        };
        declared(end, AlertStatus::Resolved) && self.non_alerts().any(begins)
    }

    /// Events that repeat another one, or state less: the same alert fired or ended, as reported by
    /// another source or another replica; a condition was unknown whose metrics were read later.
    #[must_use]
    pub fn repeated_reports(&self) -> BTreeSet<EventId> {
        let mut repeated_reports = self.overruled_unknowns();
        let mut told: HashMap<&LabelSet, &Event> = HashMap::new();
        for Member { event, .. } in self {
            let Fact::Alert(alert) = &event.fact else {
                continue;
            };
            let known = told
                .get(&alert.labels)
                .copied()
                .and_then(|known| match &known.fact {
                    Fact::Alert(known_alert) => Some((known, known_alert)),
                    _ => None,
                });
            let repeated = known.filter(|(known, known_alert)| {
                known_alert.status == alert.status
                    && alert.seen_again.is_none()
                    && event.occurred_at - known.occurred_at <= REPEATED_WITHIN
            });
            match repeated {
                // Its Prometheus knows the end better than a notification does, which has the links.
                Some((known, known_alert))
                    if event.occurred_at == known.occurred_at && known_alert.recalled
                        || event.occurred_at != known.occurred_at
                            && alert.status == AlertStatus::Resolved
                            && alert.recalled
                            && !known_alert.recalled =>
                {
                    repeated_reports.insert(known.id);
                    told.insert(&alert.labels, event);
                }
                Some(_) => {
                    repeated_reports.insert(event.id);
                }
                None => {
                    told.insert(&alert.labels, event);
                }
            }
        }
        repeated_reports
    }

    /// The reports that a condition was unknown of an instant that was evaluated later, and the later
    /// result where it is the state that the condition had before.
    fn overruled_unknowns(&self) -> BTreeSet<EventId> {
        let mut overruled = BTreeSet::new();
        let mut states: HashMap<Subject, Vec<(&Event, &Condition)>> = HashMap::new();
        for Member { event, .. } in self.non_alerts() {
            let Fact::Condition(condition) = &event.fact else {
                continue;
            };
            let known = states.entry(event.subject).or_default();
            let Some(since) = condition.since else {
                known.push((event, condition));
                continue;
            };
            let mut corrects = false;
            while let Some((unknown, last)) = known.last()
                && last.state == ConditionState::Unknown
                && since <= unknown.occurred_at
            {
                overruled.insert(unknown.id);
                known.pop();
                corrects = true;
            }
            let before = known.last().map(|(_, before)| before.state);
            if corrects && before == Some(condition.state) {
                overruled.insert(event.id);
            } else {
                known.push((event, condition));
            }
        }
        overruled
    }

    /// Fingerprint of the members.
    #[must_use]
    pub fn sum(&self) -> u128 {
        self.sum
    }

    /// The members as a list.
    #[must_use]
    pub fn into_vec(self) -> Vec<Member> {
        Arc::unwrap_or_clone(self.all)
    }
}

fn is_alert(member: &Member) -> bool {
    matches!(member.event.fact, Fact::Alert(_))
}

/// Hash of a member. The event id covers its whole content except the service, which may be
/// assigned later.
fn weight(Member { event, reason }: &Member) -> u128 {
    const ODD: u128 = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835;
    let Event { id, service, .. } = &**event;
    let text = |text: &str| {
        text.bytes().fold(1, |sum: u128, byte| {
            sum.wrapping_mul(0x0100_01b3)
                .wrapping_add(u128::from(byte) + 1)
        })
    };
    let (kind, by) = reason.parts();
    let rest = text(service.as_deref().unwrap_or_default())
        .wrapping_mul(31)
        .wrapping_add(text(by))
        .wrapping_mul(31)
        .wrapping_add(kind);
    (u128::from_be_bytes(id.bytes()) ^ rest.wrapping_mul(ODD)).wrapping_mul(ODD)
}

impl Deref for Members {
    type Target = [Member];

    fn deref(&self) -> &[Member] {
        &self.all
    }
}

impl PartialEq for Members {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.all, &other.all) || (self.sum == other.sum && self.all == other.all)
    }
}

impl std::fmt::Debug for Members {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.all.fmt(f)
    }
}

impl From<Vec<Member>> for Members {
    fn from(all: Vec<Member>) -> Self {
        let told = all
            .iter()
            .enumerate()
            .filter(|(_, member)| !is_alert(member));
        let told = told
            .map(|(place, _)| u32::try_from(place).unwrap_or(u32::MAX))
            .collect();
        let sum = all
            .iter()
            .fold(0, |sum: u128, member| sum.wrapping_add(weight(member)));
        Self {
            told: Arc::new(told),
            sum,
            all: Arc::new(all),
        }
    }
}

impl FromIterator<Member> for Members {
    fn from_iter<I: IntoIterator<Item = Member>>(members: I) -> Self {
        members.into_iter().collect::<Vec<_>>().into()
    }
}

impl<'a> IntoIterator for &'a Members {
    type Item = &'a Member;
    type IntoIter = std::slice::Iter<'a, Member>;

    fn into_iter(self) -> Self::IntoIter {
        self.all.iter()
    }
}

impl Serialize for Members {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.all.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::deserialize(deserializer).map(Self::from)
    }
}
