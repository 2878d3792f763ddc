//! Services that every component works with: database, clock, settings in force, log positions,
//! counters and recent faults.

use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use chrono::TimeDelta;

use super::clock::Clock;
use super::counters::Counters;
use super::fault_log::FaultLog;
use super::judge_signs::JudgeSigns;
use super::log_progress::LogProgress;
use super::settings::Settings;
use super::start_progress::StartProgress;
use super::sync::lock;
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
    clock_state: Mutex<ClockState>,
}

/// Findings about the reference clock, for pages and metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ClockState {
    /// Number of steps noticed by this process.
    pub steps: u64,
    /// The readings before and after the last step.
    pub last_step: Option<(Time, Time)>,
    /// Lead of the machine's clock over the reference clock; zero where it is the reference.
    pub machine_lead: TimeDelta,
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
        let clock = match clock {
            Clock::System => Clock::steady(store.database_time()?),
            other => other,
        };
        let core = Self {
            progress: LogProgress::new(store.head()?.next.saturating_sub(1), applied),
            start,
            judge_signs: JudgeSigns::new(tokio::time::Instant::now()),
            store,
            faults: FaultLog::new(clock.clone()),
            clock,
            settings: RwLock::new(Arc::new(settings)),
            counters: Counters::default(),
            clock_state: Mutex::default(),
        };
        core.counters.note_reload(core.now());
        Ok(core)
    }

    /// The time by the service's clock.
    #[must_use]
    pub fn now(&self) -> Time {
        self.clock.now()
    }

    /// Findings about the reference clock.
    #[must_use]
    pub fn clock_state(&self) -> ClockState {
        *lock(&self.clock_state)
    }

    pub(crate) fn note_clock_step(&self, from: Time, to: Time) {
        let mut state = lock(&self.clock_state);
        state.steps += 1;
        state.last_step = Some((from, to));
    }

    pub(crate) fn note_machine_lead(&self, lead: TimeDelta) {
        lock(&self.clock_state).machine_lead = lead;
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
