//! The management API under `/-/`, as Prometheus and Alertmanager have it: health, readiness and reload.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;

use super::error::Error;
use crate::app::App;

/// `GET /-/ready`: once the judge has applied what was logged before the start.
pub(crate) async fn ready(State(app): State<Arc<App>>) -> (StatusCode, &'static str) {
    let (head, applied) = app.progress();
    // A judge a few records behind is at work; one far behind is catching up after a stop.
    if head.saturating_sub(applied) < 10_000 {
        (StatusCode::OK, "Afterword is ready.\n")
    } else {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            "Afterword is catching up with its event log.\n",
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
