//! Deployed revisions, from which rollbacks are recognised. Almost no source marks them: a deploy is
//! a rollback where its revision was deployed before the one that it replaces was.
//!
//! A function of the changes alone, whatever order they arrive in. Only a summary is kept for long:
//! the last changes of revision of each target.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use crate::engine::environment::environment;
use crate::engine::sweep_key::{SweepKey, sweep_key};
use crate::model::event::{Change, Event, Fact};
use crate::model::id::EventId;

/// Number of revision changes kept per target, regardless of age.
const KEPT_REVISIONS: usize = 10;

/// A service in an environment, and the deploy line where it is deployed from several places.
type DeployTarget = (Arc<str>, Box<str>, Box<str>);

/// The revisions of the services of a partition.
#[derive(Debug, Clone, Default)]
pub(crate) struct DeployHistory {
    targets: BTreeMap<DeployTarget, BTreeMap<SweepKey, Box<str>>>,
}

impl DeployHistory {
    /// Records an event, if it makes a revision the current one.
    pub(crate) fn record(&mut self, event: &Event) {
        if let Some((line, revision)) = deployed(event) {
            self.targets
                .entry(line)
                .or_default()
                .insert(sweep_key(event), revision.into());
        }
    }

    /// Drops these events.
    pub(crate) fn forget(&mut self, gone: &BTreeSet<EventId>) {
        self.targets.retain(|_, line| {
            line.retain(|(.., id), _| !gone.contains(id));
            !line.is_empty()
        });
    }

    /// True if a change went back to an earlier revision, or its source calls it a rollback.
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
        let Some(line) = self.targets.get(&line) else {
            return false;
        };
        let earlier = || {
            line.range((Bound::Unbounded, Bound::Excluded(sweep_key(event))))
                .map(|(_, revision)| &**revision)
        };
        let Some(current) = earlier().next_back() else {
            return false;
        };
        // Whichever of the two is found first was deployed first. The same one again is no change.
        current != revision
            && earlier().find(|known| *known == revision || *known == current) == Some(revision)
    }

    /// The last changes of revision of each target, which have to be kept.
    pub(crate) fn summary(&self) -> BTreeSet<EventId> {
        let mut kept = BTreeSet::new();
        for line in self.targets.values() {
            let mut current = None;
            let changes = line
                .iter()
                .filter(|(_, revision)| current.replace(&***revision) != Some(&***revision));
            let changes: Vec<EventId> = changes.map(|((.., id), _)| *id).collect();
            kept.extend(changes.iter().rev().take(KEPT_REVISIONS));
        }
        kept
    }
}

fn is_called_rollback(change: &Change) -> bool {
    change.what.eq_ignore_ascii_case("rollback")
}

/// The target of a deploy, and the deployed revision.
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
