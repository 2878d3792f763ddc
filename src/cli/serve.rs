//! `afterword serve` and `afterword migrate`.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::output::{FAULTS, complain, say};
use crate::app::App;
use crate::app::clock::Clock;
use crate::app::settings::Settings;
use crate::http;
use crate::store::database::Store;

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
    runtime()?.block_on(async {
        // The address first: a second service on the same one must not touch the database of the first.
        let listener = bind(&settings.config.listen).await?;
        // A connection to PostgreSQL cannot be made on an async thread.
        let app = tokio::task::spawn_blocking(|| open(settings, Clock::System)).await??;
        let address = listener.local_addr()?;
        say(&format!(
            "Afterword serves http://{address}/ (stop with Ctrl-C)"
        ));
        until_stopped(app, listener).await
    })
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
pub(crate) fn open(settings: Settings, clock: Clock) -> anyhow::Result<Arc<App>> {
    let store = Store::open_at(&settings.place, clock.now())
        .with_context(|| format!("the database {}", settings.place))?;
    App::start(store, settings, clock)
}

/// Serves until SIGINT or SIGTERM; SIGHUP reloads the settings.
pub(crate) async fn until_stopped(app: Arc<App>, listener: TcpListener) -> anyhow::Result<()> {
    let stop = CancellationToken::new();
    let mut loops = app.start_background_tasks(&stop);
    let serving = tokio::spawn(http::serve(Arc::clone(&app), listener, stop.clone()));
    signals(&app).await?;
    stop.cancel();
    // Open requests have their commits acknowledged before the loops end with the process.
    let served = tokio::time::timeout(std::time::Duration::from_secs(10), serving).await;
    loops.shutdown().await;
    let left = tokio::task::spawn_blocking(move || {
        app.intake
            .save_active_alerts()
            .and(app.intake.save_source_stats(true))
            .and(app.judge.leave_office())
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

async fn signals(app: &Arc<App>) -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut hangup = signal(SignalKind::hangup())?;
    let mut terminate = signal(SignalKind::terminate())?;
    loop {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => return Ok(()),
            _ = terminate.recv() => return Ok(()),
            _ = hangup.recv() => {
                let ours = Arc::clone(app);
                match tokio::task::spawn_blocking(move || ours.config_watcher.reload()).await? {
                    Ok(()) => tracing::info!("settings and rules reloaded"),
                    Err(faults) => {
                        for fault in faults {
                            tracing::error!("reload failed, the previous settings remain in use: {fault}");
                        }
                    }
                }
            }
        }
    }
}

pub(crate) fn migrate(file: Option<&Path>) -> u8 {
    let settings = match load(find_settings_file(file).as_deref()) {
        Ok(settings) => settings,
        Err(code) => return code,
    };
    match crate::store::database::migrate(&settings.place, Clock::System.now()) {
        Ok(done) => {
            let change = if done.from == done.to {
                format!("is at version {}", done.to)
            } else {
                format!("was migrated from version {} to {}", done.from, done.to)
            };
            say(&format!("the database {} {change}", settings.place));
            0
        }
        Err(fault) => {
            complain(&format!(
                "afterword: the database {}: {fault}",
                settings.place
            ));
            FAULTS
        }
    }
}
