//! Answers while the service starts and has no database yet.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::error::Error;
use super::management;
use crate::app::start_progress::StartProgress;

/// Health and readiness; all else is unavailable.
pub(crate) fn router(progress: Arc<StartProgress>) -> Router {
    Router::new()
        .route("/-/healthy", get(management::healthy))
        .route("/-/ready", get(ready))
        .fallback(unavailable)
        .with_state(progress)
}

async fn ready(State(progress): State<Arc<StartProgress>>) -> (StatusCode, String) {
    let text = format!("Not ready: {}.\n", progress.reading());
    (StatusCode::SERVICE_UNAVAILABLE, text)
}

async fn unavailable(State(progress): State<Arc<StartProgress>>) -> Response {
    let text = format!(
        "Afterword is starting: {}; try again in a moment",
        progress.reading()
    );
    Error::Unavailable(text).into_response()
}
