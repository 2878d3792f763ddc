//! Wiring: the only place where the components of a running service meet.

mod background_tasks;
pub(crate) mod backtest;
mod catch_up;
pub mod clock;
pub(crate) mod conditions;
pub(crate) mod config_watcher;
pub(crate) mod core;
pub(crate) mod counters;
pub(crate) mod criteria_readiness;
mod database_watch;
pub(crate) mod delivery;
pub(crate) mod fault_log;
pub(crate) mod intake;
pub(crate) mod judge;
mod judge_signs;
mod judge_watch;
pub(crate) mod ledger;
pub(crate) mod log_progress;
pub(crate) mod people;
pub mod prometheus_history;
pub(crate) mod retention;
pub mod settings;
pub(crate) mod start_progress;
pub(crate) mod sync;
mod worker_thread;

use std::sync::{Arc, Mutex};

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::core::Core;
use crate::store::database::Store;

use background_tasks::spawn;
use backtest::jobs::Backtests;
use clock::Clock;
use conditions::monitor::ConditionMonitor;
use config_watcher::ConfigWatcher;
use delivery::DeliveryWorker;
use intake::Intake;
use judge::Judge;
use judge::follower::Follower;
use judge::term::JudgeTerm;
use people::calendar_reader::CalendarReader;
use people::on_call::OnCallCalendars;
use retention::RetentionTask;
use settings::Settings;
use start_progress::StartProgress;

/// A running Afterword, shared by loops and requests.
#[derive(Debug)]
pub struct App {
    /// Database, clock, settings and counters.
    pub core: Arc<Core>,
    pub(crate) intake: Arc<Intake>,
    /// Decides incidents.
    pub judge: Arc<Judge>,
    follower: Arc<Follower>,
    calendars: Arc<Mutex<OnCallCalendars>>,
    /// Performs deliveries.
    pub delivery: Arc<DeliveryWorker>,
    /// Reloads the settings.
    pub config_watcher: Arc<ConfigWatcher>,
    /// Evaluates conditions.
    pub conditions: Arc<ConditionMonitor>,
    /// Backtests in the background.
    pub backtests: Arc<Backtests>,
}

impl App {
    /// Starts on a store with settings in force.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn start(store: Store, settings: Settings, clock: Clock) -> anyhow::Result<Arc<Self>> {
        Self::start_with(store, settings, clock, Arc::default())
    }

    /// The same, and says how far it is.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) fn start_with(
        store: Store,
        settings: Settings,
        clock: Clock,
        progress: Arc<StartProgress>,
    ) -> anyhow::Result<Arc<Self>> {
        let epoch = store.acquire_leader_lease(None)?;
        if !store.is_shared() {
            // Claims of a process that ended: no other process uses this database.
            store.release_deliveries()?;
        }
        let loaded = judge::term::load(&store, &settings, &progress)?;
        let applied = loaded.stored.applied;
        let core = Arc::new(Core::new(store, settings, clock, applied, progress)?);
        let intake = Intake::load(&core, judge::alert_events(&loaded.stored.incidents))?;
        let intake = Arc::new(intake);
        let term = epoch.map(|epoch| JudgeTerm::restore(loaded, epoch, &core.settings()));
        let calendars = Arc::new(Mutex::new(OnCallCalendars::default()));
        let judge = Arc::new(Judge::new(
            Arc::clone(&core),
            Arc::clone(&intake),
            Arc::clone(&calendars),
            term,
        ));
        judge.check_clock()?;
        judge.record_settings()?;
        Ok(Arc::new(Self {
            follower: Arc::new(Follower::new(
                Arc::clone(&core),
                Arc::clone(&intake),
                applied,
            )),
            delivery: Arc::new(DeliveryWorker::new(
                Arc::clone(&core),
                Arc::clone(&intake.sns),
            )),
            config_watcher: Arc::new(ConfigWatcher::new(Arc::clone(&core), Arc::clone(&judge))),
            conditions: Arc::new(ConditionMonitor::new(
                Arc::clone(&core),
                Arc::clone(&intake),
                Arc::clone(&judge),
            )),
            backtests: Arc::new(Backtests::new(Arc::clone(&core))),
            intake,
            calendars,
            judge,
            core,
        }))
    }

    /// Starts the background loops. They end when `stop` is cancelled, which is after the last request:
    /// each waits for its commit.
    #[must_use]
    pub fn start_background_tasks(self: &Arc<Self>, stop: &CancellationToken) -> JoinSet<()> {
        let mut loops = JoinSet::new();
        let core = Arc::clone(&self.core);
        // Not one of the loops: the end of the service does not wait for it.
        drop(tokio::task::spawn_blocking(move || core.count_waiting()));
        let ours = &mut loops;
        spawn(ours, stop, Arc::clone(&self.intake.commits).run());
        spawn(ours, stop, judge::clock_loop(Arc::clone(&self.judge)));
        spawn(ours, stop, judge::judge_loop(Arc::clone(&self.judge)));
        spawn(
            ours,
            stop,
            delivery::delivery_loop(Arc::clone(&self.delivery)),
        );
        spawn(
            ours,
            stop,
            database_watch::watch_loop(Arc::clone(&self.core)),
        );
        spawn(ours, stop, intake::save_loop(Arc::clone(&self.intake)));
        spawn(
            ours,
            stop,
            conditions::pipeline_loop(Arc::clone(&self.conditions)),
        );
        let reader = CalendarReader::new(
            Arc::clone(&self.core),
            Arc::clone(&self.judge),
            Arc::clone(&self.calendars),
        );
        spawn(
            ours,
            stop,
            people::calendar_reader::read_loop(Arc::new(reader)),
        );
        spawn(ours, stop, judge::lease_loop(Arc::clone(&self.judge)));
        spawn(ours, stop, judge_watch::watch_loop(Arc::clone(&self.core)));
        let retention = RetentionTask::new(Arc::clone(&self.core), Arc::clone(&self.judge));
        spawn(ours, stop, retention::retention_loop(Arc::new(retention)));
        if self.core.store.is_shared() {
            spawn(
                ours,
                stop,
                judge::follower::follow_loop(Arc::clone(&self.follower)),
            );
        }
        spawn(
            ours,
            stop,
            config_watcher::watch_loop(Arc::clone(&self.config_watcher)),
        );
        loops
    }

    /// The on-call calendars as last read.
    #[must_use]
    pub fn on_call_calendars(&self) -> OnCallCalendars {
        sync::lock(&self.calendars).clone()
    }

    /// Last position of the log, and last position applied by the judge.
    #[must_use]
    pub fn progress(&self) -> (u64, u64) {
        self.core.progress.positions()
    }
}
