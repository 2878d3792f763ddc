//! Planned work that was declared: it holds from its declaration until it is ended, however long
//! that takes and whichever incident the declaration was placed in.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::activity::opens;
use super::group::EventGroup;
use crate::engine::environment::environment;
use crate::engine::incident::signals;
use crate::engine::sweep_key::{SweepKey, sweep_key};
use crate::model::event::{AlertStatus, Event, Fact};
use crate::model::id::{EventId, Subject};
use crate::model::time::Time;

/// The declarations of a partition by subject, in order.
#[derive(Debug, Clone, Default)]
pub(super) struct DeclaredWork {
    declared: BTreeMap<Subject, BTreeMap<SweepKey, Arc<Event>>>,
}

impl DeclaredWork {
    /// Records an event, if it is a declaration.
    pub(super) fn record(&mut self, event: &Arc<Event>) {
        if matches!(event.fact, Fact::Declaration(_)) {
            let declared = self.declared.entry(event.subject).or_default();
            declared.insert(sweep_key(event), Arc::clone(event));
        }
    }

    /// Drops these events.
    pub(super) fn forget(&mut self, gone: &BTreeSet<EventId>) {
        self.declared.retain(|_, declared| {
            declared.retain(|(.., id), _| !gone.contains(id));
            !declared.is_empty()
        });
    }

    /// The declarations of work that has not ended.
    pub(super) fn open(&self) -> impl Iterator<Item = EventId> + '_ {
        self.declared.values().flat_map(|declared| {
            let last = declared.values().rev();
            last.take_while(|event| begins_work(event))
                .map(|event| event.id)
        })
    }

    /// The declarations of work on a service of the group during its time that are not among its
    /// members.
    pub(super) fn concerning(&self, group: &EventGroup) -> Vec<Arc<Event>> {
        let opener = group.opener();
        let (onset, end) = (signals::onset(opener), group.end());
        let mut found: Vec<Arc<Event>> = Vec::new();
        for declared in self.declared.values() {
            let Some(first) = declared.values().find(|event| begins_work(event)) else {
                continue;
            };
            let same_place = first.service.is_some()
                && environment(first) == environment(opener)
                && group.is_about_service_of(first);
            if same_place {
                found.extend(during(declared, onset, end).cloned());
            }
        }
        // An outage declared under the key of the work is another incident's.
        found.retain(|event| !opens(event) && !group.contains(sweep_key(event)));
        found
    }
}

/// The declarations of one subject that begin or end work which goes on at some time of
/// `[onset, end]`, up to its end.
fn during(
    declared: &BTreeMap<SweepKey, Arc<Event>>,
    onset: Time,
    end: Time,
) -> impl Iterator<Item = &Arc<Event>> {
    let mut ended_at = declared.values().skip(1).map(|next| next.occurred_at);
    let mut planned = false;
    declared.values().filter(move |event| {
        let until = ended_at.next();
        // What follows planned work ends it, or goes on with it.
        let ends = std::mem::replace(&mut planned, begins_work(event));
        let lasts = planned && until.is_none_or(|until| until > onset);
        event.occurred_at <= end && (lasts || ends && event.occurred_at > onset)
    })
}

/// True if planned work is declared.
fn begins_work(event: &Event) -> bool {
    matches!(
        &event.fact,
        Fact::Declaration(declaration)
            if declaration.planned && declaration.status == AlertStatus::Firing
    )
}
