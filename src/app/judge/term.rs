//! One leadership term of the judge: the engine's state and the position it has reached in the log.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::app::settings::{Settings, as_logged, put_in_force};
use crate::app::start_progress::StartProgress;
use crate::engine::changes::IncidentChanges;
use crate::engine::interner::Interner;
use crate::engine::policy::Policy;
use crate::engine::state::State;
use crate::model::event::{AppliedSettings, Event, Fact};
use crate::model::time::Time;
use crate::store::apply::StoredState;
use crate::store::database::Store;
use crate::store::log::LogRecord;

/// A record that made the engine panic, to be quarantined, and its reason.
pub(crate) type Poison = (u64, String);

/// The engine's state in one epoch.
#[derive(Debug)]
pub(crate) struct JudgeTerm {
    pub(super) state: State,
    /// Position of the last record applied.
    pub(super) applied: u64,
    pub(super) epoch: u64,
    /// Policy in force by the log as far as it is applied, so that a replay finds the same.
    pub(super) policy: Policy,
    /// Hash of the settings logged last.
    pub(super) settings_hash: Option<String>,
    pub(super) poison: Option<Poison>,
    /// After a panic: judge each record by itself, until the one that causes it is found.
    pub(super) one_by_one: bool,
}

/// The state of the last judge, as the next one takes it up.
#[derive(Debug)]
pub(crate) struct LoadedState {
    pub(crate) stored: StoredState,
    /// That by which its members share what is equal.
    interner: Interner,
}

/// Loads open incidents, those closed ones that the engine still needs, and the position of the
/// last judge.
pub(crate) fn load(
    store: &Store,
    settings: &Settings,
    start: &StartProgress,
) -> anyhow::Result<LoadedState> {
    let clock = store.head()?.clock_at;
    // Shared from the beginning, so that a million events never need the memory of a million texts.
    let mut interner = Interner::default();
    let since = clock - settings.policy.retention();
    let stored = store.load_sharing(since, &mut |members| {
        interner.share_members(members);
        start.note_read(members.len());
    })?;
    Ok(LoadedState { stored, interner })
}

impl JudgeTerm {
    /// Continues where the last judge stopped, at the time it had reached: later records are judged
    /// at their own time, whenever that is done.
    pub(crate) fn restore(loaded: LoadedState, epoch: u64, settings: &Settings) -> Self {
        let LoadedState {
            stored: loaded,
            interner,
        } = loaded;
        let now = loaded.judged_until;
        let in_force = loaded.loose.iter().filter_map(|event| match &event.fact {
            Fact::Settings(fact) => Some((event.occurred_at, fact)),
            _ => None,
        });
        let last = in_force.max_by_key(|(at, _)| *at).map(|(_, fact)| fact);
        // Settings logged by another version that this one cannot read are logged again.
        let read = last.and_then(|fact| Some((fact.hash.clone(), as_logged(fact).ok()?)));
        let (hash, policy) = read.map_or_else(
            || (None, settings.policy.clone()),
            |(hash, policy)| (Some(hash), policy),
        );
        let applied = loaded.applied;
        let state = State::restore_shared(loaded.incidents, loaded.loose, interner, &policy, now);
        Self {
            state,
            applied,
            epoch,
            policy,
            settings_hash: hash,
            poison: None,
            one_by_one: false,
        }
    }

    /// Re-evaluates everything under settings that the log puts in force.
    fn adopt(&mut self, fact: &AppliedSettings, at: Time, changes: &mut IncidentChanges) {
        match as_logged(fact) {
            Ok(policy) => self.policy = policy,
            Err(faults) => {
                let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
                tracing::error!(
                    "the logged settings cannot be read, the previous ones stay in force: {}",
                    faults.join("; ")
                );
            }
        }
        changes.merge(self.state.reevaluate(&self.policy, at));
    }

    /// Applies the records of one window together.
    ///
    /// # Errors
    /// When the engine panics: the record to blame is marked, or sought one by one.
    pub(super) fn apply_window(
        &mut self,
        window: Vec<LogRecord>,
        at: Time,
        changes: &mut IncidentChanges,
    ) -> anyhow::Result<()> {
        let first = window
            .first()
            .map(|record| (record.position, record.source.clone()));
        let alone = window.len() == 1;
        let events: Vec<Event> = window
            .into_iter()
            .flat_map(|record| record.events)
            .collect();
        let settings = put_in_force(&events).cloned();
        let judged = catch_unwind(AssertUnwindSafe(|| {
            self.state.apply(events, &self.policy, at)
        }));
        let (Err(_), Some((position, source))) = (&judged, first) else {
            if let Ok(more) = judged {
                changes.merge(more);
            }
            if let Some(settings) = settings {
                self.adopt(&settings, at, changes);
            }
            return Ok(());
        };
        if alone {
            self.poison = Some((
                position,
                "the engine failed on this record and skipped it; see the log of the service"
                    .to_owned(),
            ));
            anyhow::bail!(
                "record {position} of source {source} made the engine panic; it is quarantined"
            )
        }
        // Judge them one by one to find the record to blame.
        self.one_by_one = true;
        anyhow::bail!(
            "a record from {position} on made the engine panic; they are judged one by one"
        )
    }
}
