//! Which revisions were current when, and with that which changes went back to an earlier one. Almost no source says so: a deploy is a
//! rollback where its revision was deployed before the one that it replaces was.
//!
//! A function of the changes alone, whatever order they are told in. What is kept for long is a summary: the last turns of each line.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use crate::engine::policy::environment;
use crate::engine::{SweepKey, moment};
use crate::model::event::{Change, Event, Fact};
use crate::model::id::EventId;

/// How many turns of each line are kept however long ago they were.
const TURNS: usize = 10;

/// What has revisions of its own: a service in an environment, and of a service that is deployed from several places, one of these.
type DeployTarget = (Arc<str>, Box<str>, Box<str>);

/// The revisions of a neighbourhood's services.
#[derive(Debug, Clone, Default)]
pub(crate) struct DeployHistory {
    lines: BTreeMap<DeployTarget, BTreeMap<SweepKey, Box<str>>>,
}

impl DeployHistory {
    /// Takes note of an event, if it says which revision is current from then on.
    pub(crate) fn note(&mut self, event: &Event) {
        if let Some((line, revision)) = deployed(event) {
            self.lines
                .entry(line)
                .or_default()
                .insert(moment(event), revision.into());
        }
    }

    /// Lets go of what was noted of these.
    pub(crate) fn forget(&mut self, gone: &BTreeSet<EventId>) {
        self.lines.retain(|_, line| {
            line.retain(|(_, id), _| !gone.contains(id));
            !line.is_empty()
        });
    }

    /// Whether a change went back to an earlier revision, or its source says that it did.
    pub(crate) fn is_rollback(&self, event: &Event) -> bool {
        let Fact::Change(change) = &event.fact else {
            return false;
        };
        is_called_rollback(change) || self.went_back(event)
    }

    fn went_back(&self, event: &Event) -> bool {
        let Some((line, revision)) = deployed(event) else {
            return false;
        };
        let Some(line) = self.lines.get(&line) else {
            return false;
        };
        let earlier = || {
            line.range((Bound::Unbounded, Bound::Excluded(moment(event))))
                .map(|(_, revision)| &**revision)
        };
        let Some(current) = earlier().next_back() else {
            return false;
        };
        // Whichever of the two is met first was deployed first. The same one again is no turn at all.
        current != revision
            && earlier().find(|known| *known == revision || *known == current) == Some(revision)
    }

    /// The changes that make the summary: the last by which another revision became current, of each line.
    pub(crate) fn summary(&self) -> BTreeSet<EventId> {
        let mut kept = BTreeSet::new();
        for line in self.lines.values() {
            let mut current = None;
            let turns = line
                .iter()
                .filter(|(_, revision)| current.replace(&***revision) != Some(&***revision));
            let turns: Vec<EventId> = turns.map(|((_, id), _)| *id).collect();
            kept.extend(turns.iter().rev().take(TURNS));
        }
        kept
    }
}

fn is_called_rollback(change: &Change) -> bool {
    change.what.eq_ignore_ascii_case("rollback")
}

/// The line of a deploy, and the revision that it reached.
fn deployed(event: &Event) -> Option<(DeployTarget, &str)> {
    let Fact::Change(change) = &event.fact else {
        return None;
    };
    let revision = change
        .revision
        .as_deref()
        .filter(|revision| !revision.is_empty())?;
    let deploys = change.what.eq_ignore_ascii_case("deploy") || is_called_rollback(change);
    let line = (
        Arc::clone(event.service.as_ref()?),
        environment(event).into(),
        change.line.as_deref().unwrap_or_default().into(),
    );
    deploys.then_some((line, revision))
}
