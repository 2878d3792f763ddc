//! The management API under `/-/`, as Prometheus and Alertmanager have it: health, readiness and reload.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;

use super::error::Error;
use crate::app::App;

/// Longest wait for an answer of the database.
const DATABASE_PATIENCE: Duration = Duration::from_secs(5);

/// `GET /-/healthy`: from the first moment to the last.
pub(crate) async fn healthy() -> &'static str {
    "Afterword is healthy.\n"
}

/// `GET /-/ready`: while the database can be used and the log is judged.
pub(crate) async fn ready(State(app): State<Arc<App>>) -> (StatusCode, String) {
    match not_ready(&app).await {
        None => (StatusCode::OK, "Afterword is ready.\n".to_owned()),
        Some(why) => (
            StatusCode::SERVICE_UNAVAILABLE,
            format!("Not ready{why}.\n"),
        ),
    }
}

/// The reason why the service is not ready, if so.
pub(crate) async fn not_ready(app: &App) -> Option<String> {
    let core = Arc::clone(&app.core);
    let check = tokio::task::spawn_blocking(move || {
        core.check_database();
        core.catching_up()
    });
    let checked = tokio::time::timeout(DATABASE_PATIENCE, check).await;
    let fault = app.core.database_fault().or_else(|| app.core.judge_fault());
    if let Some(fault) = fault {
        let since = fault.since.format("%Y-%m-%d %H:%M:%S UTC");
        return Some(format!(" since {since}: {}", fault.message));
    }
    match checked {
        Ok(done) => done.ok().flatten().map(|behind| format!(": {behind}")),
        Err(_) => Some(": the database does not answer".to_owned()),
    }
}

/// `POST /-/reload`
pub(crate) async fn reload(State(app): State<Arc<App>>) -> Result<&'static str, Error> {
    let ours = Arc::clone(&app);
    let done = tokio::task::spawn_blocking(move || ours.config_watcher.reload())
        .await
        .map_err(|panic| Error::Internal(anyhow::anyhow!(panic)))?;
    done.map(|()| "Settings and rules reloaded.\n")
        .map_err(|faults| {
            let messages: Vec<String> = faults.iter().map(ToString::to_string).collect();
            Error::BadRequest(format!(
                "reload failed, the previous settings stay in force: {}",
                messages.join("; ")
            ))
        })
}
