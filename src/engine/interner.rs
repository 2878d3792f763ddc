//! Interned texts: those that many events have in common are kept once.

use std::hash::Hash;
use std::sync::Arc;

use foldhash::{HashMap, HashSet};

use super::incident::recent_classes::RecentClasses;
use crate::model::event::{Event, Fact, Link};
use crate::model::labels::SharedLabels;
use crate::model::member::{JoinReason, Member};
use crate::model::signal::{Signal, SignalClass};

/// Texts, links and signal classes shared by events and signals, and the common fields of alerts.
#[derive(Debug, Clone, Default)]
pub(crate) struct Interner {
    texts: HashSet<Arc<str>>,
    links: HashSet<Arc<[Link]>>,
    sorts: HashSet<Arc<SignalClass>>,
    common: HashMap<AlertIdentity, CommonFields>,
}

/// An alert's name and service: alerts of one have most fields in common.
type AlertIdentity = (Arc<str>, Option<Arc<str>>);

#[derive(Debug, Clone, Default)]
struct CommonFields {
    labels: SharedLabels,
    annotations: SharedLabels,
}

impl Interner {
    /// Interns the texts, links and common labels of an event.
    pub(crate) fn share(&mut self, event: &mut Event) {
        intern(&mut self.texts, &mut event.source);
        event
            .service
            .iter_mut()
            .chain(&mut event.environment)
            .for_each(|text| intern(&mut self.texts, text));
        intern(&mut self.links, &mut event.links);
        if let Fact::Alert(alert) = &mut event.fact {
            intern(&mut self.texts, &mut alert.name);
            let common = self
                .common
                .entry((Arc::clone(&alert.name), event.service.clone()))
                .or_default();
            alert.labels.share(&mut common.labels);
            alert.annotations.share(&mut common.annotations);
        }
    }

    /// Interns the classes of signals.
    pub(crate) fn share_classes(&mut self, signals: &mut [Signal]) {
        let mut recent = RecentClasses::default();
        for signal in signals {
            signal.sort = recent.get_or_insert_with(&signal.sort, || {
                let mut kept = Arc::clone(&signal.sort);
                intern(&mut self.sorts, &mut kept);
                kept
            });
        }
    }

    /// Lets stored members share what others hold too.
    pub(crate) fn share_members(&mut self, members: &mut [Member]) {
        for member in members {
            self.share_member(member);
        }
    }

    /// Lets a stored member share what others hold too.
    pub(crate) fn share_member(&mut self, member: &mut Member) {
        // An event that is shared already was interned before.
        if let Some(event) = Arc::get_mut(&mut member.event) {
            self.share(event);
        }
        match &mut member.reason {
            JoinReason::Labels { key: text } | JoinReason::Dependency { service: text } => {
                intern(&mut self.texts, text);
            }
            _ => {}
        }
    }

    /// Drops what no event or signal holds any more.
    pub(crate) fn tidy(&mut self) {
        // Common fields are collected again: one exceptional alert may have reduced them.
        self.common.clear();
        self.texts.retain(|text| Arc::strong_count(text) > 1);
        self.sorts.retain(|sort| Arc::strong_count(sort) > 1);
        self.links.retain(|links| Arc::strong_count(links) > 1);
    }
}

fn intern<T: Eq + Hash + ?Sized>(interned: &mut HashSet<Arc<T>>, shared: &mut Arc<T>) {
    match interned.get(shared) {
        Some(first) => *shared = Arc::clone(first),
        None => drop(interned.insert(Arc::clone(shared))),
    }
}
