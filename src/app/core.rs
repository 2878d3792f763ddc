//! Services that every component works with: database, clock, settings in force, log positions,
//! counters and recent faults.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use super::clock::Clock;
use super::counters::Counters;
use super::fault_log::FaultLog;
use super::judge_signs::JudgeSigns;
use super::log_progress::LogProgress;
use super::settings::Settings;
use super::start_progress::StartProgress;
use crate::engine::as_of::as_of;
use crate::model::incident::Incident;
use crate::model::time::Time;
use crate::store::database::Store;

/// Longest sleep of a loop, in case a wake-up is missed.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Shared by all components of a running service.
#[derive(Debug)]
pub struct Core {
    /// The database.
    pub store: Store,
    pub(crate) clock: Clock,
    settings: RwLock<Arc<Settings>>,
    pub(crate) progress: LogProgress,
    pub(crate) judge_signs: JudgeSigns,
    pub(crate) start: Arc<StartProgress>,
    /// Counters for `/metrics`.
    pub counters: Counters,
    /// Recent faults of background tasks.
    pub faults: FaultLog,
}

impl Core {
    /// Opens on a database; `applied` is the position of the last judge.
    pub(crate) fn new(
        store: Store,
        settings: Settings,
        clock: Clock,
        applied: u64,
        start: Arc<StartProgress>,
    ) -> anyhow::Result<Self> {
        let core = Self {
            progress: LogProgress::new(store.head()?.next.saturating_sub(1), applied),
            start,
            judge_signs: JudgeSigns::new(tokio::time::Instant::now()),
            store,
            faults: FaultLog::new(clock.clone()),
            clock,
            settings: RwLock::new(Arc::new(settings)),
            counters: Counters::default(),
        };
        core.counters.note_reload(core.now());
        Ok(core)
    }

    /// The time by the service's clock.
    #[must_use]
    pub fn now(&self) -> Time {
        self.clock.now()
    }

    /// An incident as of now: the margins of an open one grow while no event arrives.
    #[must_use]
    pub(crate) fn as_of_now(&self, incident: Incident) -> Incident {
        as_of(incident, &self.settings().policy, self.now())
    }

    /// The settings in force.
    #[must_use]
    pub fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.settings.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts `settings` in force.
    pub(crate) fn put_in_force(&self, settings: Settings) {
        *self
            .settings
            .write()
            .unwrap_or_else(PoisonError::into_inner) = Arc::new(settings);
        self.counters.note_reload(self.now());
    }

    /// Time to sleep until just after `next`, [`LONGEST_WAIT`] at most.
    pub(crate) fn wait_until(&self, next: Option<Time>) -> Duration {
        let wait = next.map(|next| {
            (next - self.now()).to_std().unwrap_or_default() + Duration::from_millis(1)
        });
        wait.unwrap_or(LONGEST_WAIT).min(LONGEST_WAIT)
    }
}
