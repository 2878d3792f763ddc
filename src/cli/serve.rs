//! `afterword serve` and `afterword migrate`.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::options::SettingsFile;
use super::output::{FAULTS, complain, say};
use super::systemd;
use crate::app::App;
use crate::app::clock::Clock;
use crate::app::settings::Settings;
use crate::app::start_progress::StartProgress;
use crate::http::EarlyServer;
use crate::store::database::{self, Backup, DatabaseLocation, Migrated, Store};
use crate::store::migration::MigrationReport;

/// Time for the answers to requests that were sent whole before the stop.
const ANSWERS_WITHIN: Duration = Duration::from_secs(10);
/// Time for work that still blocks at the end.
const AT_THE_END: Duration = Duration::from_secs(1);
/// Exit code of a process that SIGTERM ends.
const KILLED: i32 = 128 + 15;

/// Loads the settings and prints their faults and warnings, one per line.
pub(crate) fn load(file: Option<&Path>) -> Result<Settings, u8> {
    let loaded = Settings::load(file).map_err(|faults| {
        for fault in faults {
            complain(&fault.to_string());
        }
        FAULTS
    })?;
    loaded
        .warnings
        .iter()
        .for_each(|warning| complain(&format!("warning: {warning}")));
    Ok(loaded)
}

/// Settings file to use: the one given, else `afterword.yaml` in the current directory if it
/// exists.
pub(crate) fn find_settings_file(file: Option<&Path>) -> Option<PathBuf> {
    file.map(Path::to_owned).or_else(|| {
        Path::new("afterword.yaml")
            .is_file()
            .then(|| PathBuf::from("afterword.yaml"))
    })
}

pub(crate) fn serve(file: Option<&Path>) -> u8 {
    log_to_stderr();
    let settings = match load(find_settings_file(file).as_deref()) {
        Ok(settings) => settings,
        Err(code) => return code,
    };
    match serve_with(settings) {
        Ok(()) => 0,
        Err(fault) => {
            complain(&format!("afterword: {fault:#}"));
            FAULTS
        }
    }
}

pub(crate) fn log_to_stderr() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("AFTERWORD_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    // A second call, as in the demo, changes nothing.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        // Colours are for people, not for files.
        .with_ansi(std::io::stderr().is_terminal())
        .try_init();
}

fn serve_with(settings: Settings) -> anyhow::Result<()> {
    let runtime = runtime()?;
    let served = runtime.block_on(async {
        let mut signals = Signals::new()?;
        // The address first: a second service on the same one must not touch the database of the first.
        let listener = bind(&settings.config.listen).await?;
        let address = listener.local_addr()?;
        let progress = Arc::new(StartProgress::default());
        let service = Service::listening(listener, &progress);
        // A connection to PostgreSQL cannot be made on an async thread.
        let opening = tokio::task::spawn_blocking(|| open(settings, Clock::System, progress));
        let app = tokio::select! {
            opened = systemd::patient(opening) => opened??,
            () = signals.stopped() => return Ok(()),
        };
        say(&format!(
            "Afterword serves http://{address}/ (stop with Ctrl-C)"
        ));
        service.run(app, signals).await
    });
    // A database that does not answer must not keep the process.
    runtime.shutdown_timeout(AT_THE_END);
    served
}

pub(crate) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the runtime could not start")
}

/// Binds the listen address; errors name the key to change.
pub(crate) async fn bind(listen: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(listen).await.map_err(|fault| match fault.kind() {
        std::io::ErrorKind::AddrInUse => anyhow::anyhow!(
            "the address {listen} is already in use (by another Afterword?): stop that program, or set another address in `listen:`"
        ),
        std::io::ErrorKind::PermissionDenied => {
            anyhow::anyhow!("permission denied for the address {listen}: set a port above 1023 in `listen:`")
        }
        _ => anyhow::anyhow!("cannot listen on {listen}: {fault}; correct `listen:`"),
    })
}

/// Opens the store of the settings and starts the app on it.
pub(crate) fn open(
    settings: Settings,
    clock: Clock,
    progress: Arc<StartProgress>,
) -> anyhow::Result<Arc<App>> {
    let store = Store::open_at(&settings.place, clock.now())
        .with_context(|| format!("the database {}", settings.place))?;
    App::start_with(store, settings, clock, progress)
}

/// Serves an app until SIGINT or SIGTERM; SIGHUP reloads the settings.
pub(crate) async fn until_stopped(app: Arc<App>, listener: TcpListener) -> anyhow::Result<()> {
    let service = Service::listening(listener, &Arc::default());
    service.run(app, Signals::new()?).await
}

/// A server that listens, and its end.
struct Service {
    server: EarlyServer,
    serving: JoinHandle<()>,
    stop: CancellationToken,
}

impl Service {
    fn listening(listener: TcpListener, progress: &Arc<StartProgress>) -> Self {
        let stop = CancellationToken::new();
        let server = EarlyServer::new(Arc::clone(progress));
        Self {
            serving: tokio::spawn(server.serve(listener, stop.clone())),
            server,
            stop,
        }
    }

    /// Serves until a signal, then ends: first the requests, then the loops that they wait for.
    async fn run(self, app: Arc<App>, mut signals: Signals) -> anyhow::Result<()> {
        let stop_loops = CancellationToken::new();
        let mut loops = app.start_background_tasks(&stop_loops);
        self.server.open(Arc::clone(&app));
        tokio::select! {
            never = systemd::report_ready(&app) => match never {},
            () = signals.stopped_or_reloading(&app) => {}
        }
        systemd::report_stopping();
        tracing::info!(
            "stopping once the open requests are answered; a second signal ends it at once"
        );
        tokio::spawn(async move {
            signals.stopped().await;
            std::process::exit(KILLED);
        });
        self.stop.cancel();
        let served = tokio::time::timeout(ANSWERS_WITHIN, self.serving).await;
        stop_loops.cancel();
        loops.shutdown().await;
        let left = tokio::task::spawn_blocking(move || {
            app.intake
                .save_active_alerts()
                .and(app.intake.save_source_stats(true))
                .and(app.judge.release_lease())
        })
        .await?;
        if let Err(fault) = left {
            tracing::error!("the last active alerts could not be saved: {fault:#}");
        }
        match served {
            Ok(done) => Ok(done?),
            Err(_) => Ok(()),
        }
    }
}

/// The signals that a service listens to.
struct Signals {
    hangup: Signal,
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn new() -> anyhow::Result<Self> {
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Waits for a signal to stop.
    async fn stopped(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    /// The same, and reloads the settings at SIGHUP.
    async fn stopped_or_reloading(&mut self, app: &Arc<App>) {
        loop {
            tokio::select! {
                _ = self.interrupt.recv() => return,
                _ = self.terminate.recv() => return,
                _ = self.hangup.recv() => reload(app).await,
            }
        }
    }
}

async fn reload(app: &Arc<App>) {
    let ours = Arc::clone(app);
    match tokio::task::spawn_blocking(move || ours.config_watcher.reload()).await {
        Ok(Ok(())) => tracing::info!("settings and rules reloaded"),
        Ok(Err(faults)) => {
            for fault in faults {
                tracing::error!("reload failed, the previous settings remain in use: {fault}");
            }
        }
        Err(panic) => tracing::error!("reload failed: {panic}"),
    }
}

#[derive(Debug, Args)]
pub(crate) struct Migrate {
    /// Migrate a SQLite database without copying it first.
    #[arg(long)]
    no_backup: bool,
    #[command(flatten)]
    settings: SettingsFile,
}

pub(crate) fn migrate(asked: &Migrate) -> u8 {
    let file = find_settings_file(asked.settings.config.as_deref());
    let settings = match load(file.as_deref()) {
        Ok(settings) => settings,
        Err(code) => return code,
    };
    let backup = if asked.no_backup {
        Backup::Skipped
    } else {
        Backup::Made
    };
    match database::migrate(&settings.place, backup, Clock::System.now()) {
        Ok(Migrated { versions, backup }) => {
            let MigrationReport { from, to } = versions;
            let change = if from == to {
                format!("is at version {to}")
            } else {
                format!("was migrated from version {from} to {to}")
            };
            say(&format!("the database {} {change}", settings.place));
            if let Some(backup) = backup {
                say(&format!(
                    "a back-up of version {from} is {}",
                    backup.display()
                ));
            }
            if (1..to).contains(&from) && matches!(settings.place, DatabaseLocation::Postgres(_)) {
                say(
                    "PostgreSQL is not backed up by this command; before an upgrade, run pg_dump or `afterword export`",
                );
            }
            0
        }
        Err(fault) => {
            complain(&format!(
                "afterword: the database {}: {fault:#}",
                settings.place
            ));
            FAULTS
        }
    }
}
