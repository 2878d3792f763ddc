//! Wiring: the only place where the components of a running service meet.

pub mod background_tasks;
pub(crate) mod backtest;
pub mod clock;
pub(crate) mod conditions;
pub mod core;
pub mod counters;
pub(crate) mod criteria_readiness;
pub(crate) mod delivery;
pub mod fault_log;
pub(crate) mod intake;
pub(crate) mod judge;
pub(crate) mod ledger;
pub(crate) mod log_progress;
pub(crate) mod people;
pub mod prometheus_history;
pub mod settings;
pub(crate) mod sync;
mod worker_thread;

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};

use crate::store::database::Store;

use self::core::Core;
use clock::Clock;
use intake::Intake;
use settings::Settings;

/// A running Afterword, shared by loops and requests.
#[derive(Debug)]
pub struct App {
    core: Arc<Core>,
    pub(crate) intake: Arc<Intake>,
    /// The engine while this process is the judge; `None` before it has loaded, and on the other replicas.
    judge: Mutex<Option<judge::Judge>>,
    /// The epoch in which this process is in office; 0: it is not.
    office: AtomicU64,
    /// Up to where the active alerts know the log of a shared database.
    followed: Mutex<u64>,
    watched: Mutex<settings::config_watcher::Watched>,
    /// What is known of conditions and of where their samples are from.
    measured: Mutex<conditions::status::Measured>,
    /// The series that are kept of each entry of `metrics:`.
    kept: Mutex<BTreeMap<String, conditions::series_limits::Kept>>,
    /// Who is on call, as far as it was read.
    rotas: Mutex<people::on_call::Rotas>,
    /// A record that made the engine panic, or that one among several did, for the judge that begins again.
    suspect: Mutex<(Option<(u64, String)>, bool)>,
    /// Held while settings are read again.
    reloading: Mutex<()>,
    /// Backtests in the background.
    backtests: backtest::jobs::Jobs,
}

impl App {
    /// Starts on a store with settings in force.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn start(store: Store, settings: Settings, clock: Clock) -> anyhow::Result<Arc<Self>> {
        let office = store.hold_office(None)?;
        if !store.is_shared() {
            // Nobody else can be at them.
            store.release_deliveries()?;
        }
        let loaded = judge::load(&store, &settings)?;
        let applied = loaded.applied;
        let core = Arc::new(Core::new(store, settings, clock, applied)?);
        let settings = core.settings();
        let intake = Intake::load(&core, judge::alerts(&loaded.incidents))?;
        let judge = office.map(|epoch| judge::Judge::of(loaded, epoch, &settings));
        let app = Arc::new(Self {
            watched: Mutex::new(settings::config_watcher::Watched::new(&settings)),
            intake: Arc::new(intake),
            core,
            judge: Mutex::new(judge),
            office: AtomicU64::new(office.unwrap_or(0)),
            followed: Mutex::new(applied),
            measured: Mutex::default(),
            kept: Mutex::default(),
            rotas: Mutex::default(),
            suspect: Mutex::default(),
            reloading: Mutex::default(),
            backtests: backtest::jobs::Jobs::default(),
        });
        app.record_settings()?;
        Ok(app)
    }

    /// How far the log and the judge are: `(head, applied)`.
    #[must_use]
    pub fn progress(&self) -> (u64, u64) {
        self.progress.positions()
    }
}

impl std::ops::Deref for App {
    type Target = Core;

    fn deref(&self) -> &Core {
        &self.core
    }
}
