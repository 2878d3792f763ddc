//! The only place where the modules meet: receives, judges, delivers; owns the clock and the loops.

pub mod background_tasks;
pub(crate) mod backtest;
pub mod clock;
pub(crate) mod conditions;
pub(crate) mod criteria_readiness;
pub(crate) mod delivery;
pub(crate) mod intake;
pub(crate) mod judge;
pub(crate) mod ledger;
pub(crate) mod people;
pub mod prometheus_history;
pub mod settings;
mod worker_thread;

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use tokio::sync::{self, mpsc};

use crate::clients::sns::Sns;
use crate::model::time::Time;
use crate::store::Store;

use clock::Clock;
use settings::Settings;

/// How many arrivals may wait for a commit before senders are asked to come back.
const INBOX: usize = 4096;

/// How long the same fault is not told again.
const SAME_AGAIN: chrono::TimeDelta = chrono::TimeDelta::seconds(10);
/// How many bytes of messages may be here between their first byte and their commit.
const ROOM: usize = 64 << 20;

/// A running Afterword, shared by loops and requests.
#[derive(Debug)]
pub struct App {
    /// The database.
    pub store: Store,
    clock: Clock,
    settings: RwLock<Arc<Settings>>,
    inbox: mpsc::Sender<intake::commit::Waiting>,
    /// What is left of [`ROOM`], a permit a byte.
    room: Arc<sync::Semaphore>,
    outbox: Mutex<Option<mpsc::Receiver<intake::commit::Waiting>>>,
    /// The last position committed to the log.
    head: sync::watch::Sender<u64>,
    /// The last position the judge has applied.
    applied: sync::watch::Sender<u64>,
    /// The engine while this process is the judge; `None` before it has loaded, and on the other replicas.
    judge: Mutex<Option<judge::Judge>>,
    /// The epoch in which this process is in office; 0: it is not.
    office: AtomicU64,
    /// Up to where the sights know the log of a shared database.
    followed: Mutex<u64>,
    sights: Mutex<intake::active_alerts::Sights>,
    tallies: Mutex<intake::source_stats::Tallies>,
    watched: Mutex<settings::config_watcher::Watched>,
    /// What is known of conditions and of where their samples are from.
    measured: Mutex<conditions::status::Measured>,
    /// The series that are kept of each entry of `metrics:`.
    kept: Mutex<BTreeMap<String, conditions::series_limits::Kept>>,
    /// Who is on call, as far as it was read.
    rotas: Mutex<people::on_call::Rotas>,
    /// What was turned away at each source, and what must not be taken twice.
    gates: Mutex<intake::rate_limit::Gates>,
    /// What is known of the certificates of Amazon SNS.
    sns: Sns,
    /// Counters for `/metrics`.
    pub counts: Counts,
    /// The last faults of the loops, newest last, for the pages.
    troubles: Mutex<VecDeque<(Time, String)>>,
    /// A record that made the engine panic, or that one among several did, for the judge that begins again.
    suspect: Mutex<(Option<(u64, String)>, bool)>,
    /// Held while settings are read again.
    reloading: Mutex<()>,
    /// Backtests in the background.
    backtests: backtest::jobs::Jobs,
}

/// What is counted for `/metrics`.
#[derive(Debug, Default)]
pub struct Counts {
    /// Arrivals committed.
    pub arrivals: std::sync::atomic::AtomicU64,
    /// Events committed.
    pub events: std::sync::atomic::AtomicU64,
    /// Alerts that only renewed a sight.
    pub heartbeats: std::sync::atomic::AtomicU64,
    /// Samples pushed to us, whether or not anybody asked for them.
    pub pushed: std::sync::atomic::AtomicU64,
    /// Arrivals refused because they were not authentic.
    pub refused: std::sync::atomic::AtomicU64,
    /// Deliveries performed.
    pub delivered: std::sync::atomic::AtomicU64,
    /// Attempts at a delivery that failed.
    pub delivery_failures: std::sync::atomic::AtomicU64,
    /// Reloads of the settings that failed.
    pub reload_failures: std::sync::atomic::AtomicU64,
    /// The last reload failed: what is in force is older than what the files say.
    pub reload_failed: std::sync::atomic::AtomicBool,
    /// When the settings in force were read, in seconds since 1970.
    pub reloaded_at: std::sync::atomic::AtomicI64,
}

/// Locks even after a panic elsewhere: what is guarded here is rebuilt from the store, never half-trusted.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl App {
    /// Starts on a store with settings in force.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn start(store: Store, settings: Settings, clock: Clock) -> anyhow::Result<Arc<Self>> {
        let (inbox, outbox) = mpsc::channel(INBOX);
        let office = store.hold_office(None)?;
        if !store.is_shared() {
            // Nobody else can be at them.
            store.release_deliveries()?;
        }
        let loaded = judge::load(&store, &settings)?;
        let applied = loaded.applied;
        let sights = intake::active_alerts::Sights::load(
            &store,
            judge::alerts(&loaded.incidents),
            clock.now(),
        )?;
        let tallies = intake::source_stats::Tallies::load(&store, clock.now())?;
        let judge = office.map(|epoch| judge::Judge::of(loaded, epoch, &settings));
        let app = Arc::new(Self {
            head: sync::watch::Sender::new(store.head()?.next.saturating_sub(1)),
            applied: sync::watch::Sender::new(applied),
            watched: Mutex::new(settings::config_watcher::Watched::new(&settings)),
            store,
            clock,
            settings: RwLock::new(Arc::new(settings)),
            inbox,
            room: Arc::new(sync::Semaphore::new(ROOM)),
            outbox: Mutex::new(Some(outbox)),
            judge: Mutex::new(judge),
            office: AtomicU64::new(office.unwrap_or(0)),
            followed: Mutex::new(applied),
            sights: Mutex::new(sights),
            tallies: Mutex::new(tallies),
            measured: Mutex::default(),
            kept: Mutex::default(),
            rotas: Mutex::default(),
            gates: Mutex::default(),
            sns: Sns::default(),
            counts: Counts::default(),
            troubles: Mutex::default(),
            suspect: Mutex::default(),
            reloading: Mutex::default(),
            backtests: backtest::jobs::Jobs::default(),
        });
        app.counts
            .reloaded_at
            .store(app.now().timestamp(), std::sync::atomic::Ordering::Relaxed);
        app.record_settings()?;
        Ok(app)
    }

    /// The time by the service's clock.
    #[must_use]
    pub fn now(&self) -> Time {
        self.clock.now()
    }

    /// The settings in force.
    #[must_use]
    pub fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.settings.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// How far the log and the judge are: `(head, applied)`.
    #[must_use]
    pub fn progress(&self) -> (u64, u64) {
        (*self.head.borrow(), *self.applied.borrow())
    }

    /// Notes a fault of a loop, once, for the log and the pages.
    fn trouble(&self, what: &str, fault: &anyhow::Error) {
        let (now, told) = (self.clock.now(), format!("{what}: {fault:#}"));
        let mut troubles = lock(&self.troubles);
        // A database that is away fails every arrival: once in a while says as much as each time.
        if troubles
            .iter()
            .any(|(at, before)| *before == told && now - *at < SAME_AGAIN)
        {
            return;
        }
        tracing::error!("{told}");
        troubles.push_back((now, told));
        if troubles.len() > 20 {
            troubles.pop_front();
        }
    }

    /// The last faults of the loops, newest first.
    #[must_use]
    pub fn troubles(&self) -> Vec<(Time, String)> {
        lock(&self.troubles).iter().rev().cloned().collect()
    }
}
