//! The events of an incident as a copy-on-write list with an incrementally kept fingerprint.

use std::ops::Deref;
use std::sync::Arc;

use chrono::TimeDelta;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::event::{AlertStatus, Event, Fact};

/// One event of an incident.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Member {
    /// The event; whoever holds the incident shares it.
    pub event: Arc<Event>,
    /// Why it belongs here.
    pub reason: JoinReason,
}

impl PartialEq for Member {
    fn eq(&self, other: &Self) -> bool {
        // Large incidents are compared often, and nearly all of their events are shared.
        (Arc::ptr_eq(&self.event, &other.event) || self.event == other.event)
            && self.reason == other.reason
    }
}

/// Why an event belongs to an incident, by order of precedence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "joined", rename_all = "snake_case")]
pub enum JoinReason {
    /// Shortly before the incident opened: a change, a step that was taken, or a measurement that had fallen silent.
    Context,
    /// It opened the incident.
    Opened,
    /// It names the incident.
    Key,
    /// It is about a subject that is already here.
    Subject,
    /// It has the same correlation key.
    Labels {
        /// The key they share.
        key: Arc<str>,
    },
    /// Its service is one hop from the opening service.
    Dependency {
        /// The service it came from.
        service: Arc<str>,
    },
    /// A person said that it belongs here.
    Person,
}

impl JoinReason {
    /// A number for each reason, and by what it is, where that is part of the reason.
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

/// Members in order. A copy costs nothing until one of the two changes.
#[derive(Clone, Default)]
pub struct Members {
    all: Arc<Vec<Member>>,
    /// Where those are that are no alerts: few, and nearly all that is asked of members is asked of them.
    told: Arc<Vec<u32>>,
    /// Adds up what tells members apart, so that lists with the same members have the same.
    sum: u128,
}

impl Members {
    /// Adds one at the end.
    pub fn push(&mut self, member: Member) {
        self.sum = self.sum.wrapping_add(weight(&member));
        if !is_alert(&member) {
            Arc::make_mut(&mut self.told).push(u32::try_from(self.all.len()).unwrap_or(u32::MAX));
        }
        let all = Arc::make_mut(&mut self.all);
        if all.len() == all.capacity() {
            // Large incidents grow for long; twice the room would be idle memory.
            all.reserve_exact(all.len() / 8 + 4);
        }
        all.push(member);
    }

    /// Takes those from `kept` on out.
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

    /// Those that are no alerts.
    pub fn told(&self) -> impl DoubleEndedIterator<Item = &Member> {
        self.told
            .iter()
            .filter_map(|place| self.all.get(*place as usize))
    }

    /// Whether an event only closes a declaration that was one for an instant: proof that there was an outage, of no length.
    #[must_use]
    pub fn closes_an_instant(&self, end: &Event) -> bool {
        let declared = |event: &Event, wanted| matches!(&event.fact, Fact::Declaration(declared) if declared.status == wanted);
        let begins = |member: &Member| {
            let event = &*member.event;
            let length = end.occurred_at - event.occurred_at;
            event.subject == end.subject
                && declared(event, AlertStatus::Firing)
                && (TimeDelta::zero()..=TimeDelta::milliseconds(1)).contains(&length)
        };
        declared(end, AlertStatus::Resolved) && self.told().any(begins)
    }

    /// A number that differs where the members do.
    #[must_use]
    pub fn sum(&self) -> u128 {
        self.sum
    }

    /// They as a list of their own.
    #[must_use]
    pub fn into_vec(self) -> Vec<Member> {
        Arc::unwrap_or_clone(self.all)
    }
}

fn is_alert(member: &Member) -> bool {
    matches!(member.event.fact, Fact::Alert(_))
}

/// The id is a hash of all that the event states; only its service may be assigned later.
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
