//! The management API under `/-/`, as Prometheus and Alertmanager have it: health, readiness and reload.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;

use super::error::Error;
use crate::app::App;

/// Longest wait for the database to show itself.
const DATABASE_PATIENCE: Duration = Duration::from_secs(5);

/// `GET /-/ready`: while the database can be used, and once the judge has applied what was logged
/// before the start.
pub(crate) async fn ready(State(app): State<Arc<App>>) -> (StatusCode, String) {
    let core = Arc::clone(&app.core);
    let check = tokio::task::spawn_blocking(move || core.check_database());
    let checked = tokio::time::timeout(DATABASE_PATIENCE, check).await;
    let fault = app.core.database_fault().or_else(|| app.core.judge_fault());
    let away = fault.map(|fault| {
        let since = fault.since.format("%Y-%m-%d %H:%M:%S UTC");
        format!("Not ready since {since}: {}.\n", fault.message)
    });
    let unanswered = || "Not ready: the database does not answer.\n".to_owned();
    if let Some(why) = away.or_else(|| checked.is_err().then(unanswered)) {
        return (StatusCode::SERVICE_UNAVAILABLE, why);
    }
    let (head, applied) = app.progress();
    // A judge a few records behind is at work; one far behind is catching up after a stop.
    if head.saturating_sub(applied) < 10_000 {
        (StatusCode::OK, "Afterword is ready.\n".to_owned())
    } else {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            "Afterword is catching up with its event log.\n".to_owned(),
        )
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
