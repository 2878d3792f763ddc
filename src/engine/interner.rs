//! Texts that many events have in common, each kept once.

use std::hash::Hash;
use std::sync::Arc;

use foldhash::{HashMap, HashSet};

use super::criteria::signal_classes::RecentClasses;
use crate::model::event::{Event, Fact, Link};
use crate::model::labels::SharedLabels;
use crate::model::member::{JoinReason, Member};
use crate::model::signal::{Signal, SignalClass};

/// What has been seen so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Interner {
    texts: HashSet<Arc<str>>,
    links: HashSet<Arc<[Link]>>,
    sorts: HashSet<Arc<SignalClass>>,
    alike: HashMap<AlertIdentity, CommonFields>,
}

/// An alert's name and service: what is told of them together has most in common.
type AlertIdentity = (Arc<str>, Option<Arc<str>>);

#[derive(Debug, Clone, Default)]
struct CommonFields {
    labels: SharedLabels,
    annotations: SharedLabels,
}

impl Interner {
    /// Lets an event share what others state too.
    pub(crate) fn share(&mut self, event: &mut Event) {
        once(&mut self.texts, &mut event.source);
        event
            .service
            .iter_mut()
            .chain(&mut event.environment)
            .for_each(|text| once(&mut self.texts, text));
        once(&mut self.links, &mut event.links);
        if let Fact::Alert(alert) = &mut event.fact {
            once(&mut self.texts, &mut alert.name);
            let alike = self
                .alike
                .entry((Arc::clone(&alert.name), event.service.clone()))
                .or_default();
            alert.labels.share(&mut alike.labels);
            alert.annotations.share(&mut alike.annotations);
        }
    }

    /// Lets signals share what they say of themselves.
    pub(crate) fn share_sorts(&mut self, signals: &mut [Signal]) {
        let mut lately = RecentClasses::default();
        for signal in signals {
            signal.sort = lately.or_find(&signal.sort, || {
                let mut kept = Arc::clone(&signal.sort);
                once(&mut self.sorts, &mut kept);
                kept
            });
        }
    }

    /// The same for what an incident was stored with.
    pub(crate) fn share_member(&mut self, member: &mut Member) {
        // Whoever shares it already has shared what it states.
        if let Some(event) = Arc::get_mut(&mut member.event) {
            self.share(event);
        }
        match &mut member.reason {
            JoinReason::Labels { key: text } | JoinReason::Dependency { service: text } => {
                once(&mut self.texts, text);
            }
            _ => {}
        }
    }

    /// Drops what nobody else keeps any more.
    pub(crate) fn tidy(&mut self) {
        // What is alike is found again: one that was other than the rest left them less in common.
        self.alike.clear();
        self.texts.retain(|text| Arc::strong_count(text) > 1);
        self.sorts.retain(|sort| Arc::strong_count(sort) > 1);
        self.links.retain(|links| Arc::strong_count(links) > 1);
    }
}

fn once<T: Eq + Hash + ?Sized>(seen: &mut HashSet<Arc<T>>, shared: &mut Arc<T>) {
    match seen.get(shared) {
        Some(first) => *shared = Arc::clone(first),
        None => drop(seen.insert(Arc::clone(shared))),
    }
}
