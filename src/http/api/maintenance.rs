//! `/api/v1/maintenance`: maintenance windows.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};

use crate::app::App;
use crate::app::people::maintenance;
use crate::app::people::maintenance::PlannedWindow;
use crate::http::api::recorded::Recorded;
use crate::http::api::reports::post_report;
use crate::http::error::Error;
use crate::http::handler::read_store;
use crate::ingest;

/// `GET /api/v1/maintenance`
pub(crate) async fn list(State(app): State<Arc<App>>) -> Result<Json<Vec<PlannedWindow>>, Error> {
    Ok(Json(
        read_store(&app, |app| maintenance::windows(&app.core)).await?,
    ))
}

/// `POST /api/v1/maintenance`
pub(crate) async fn post(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    raw: Body,
) -> Result<(StatusCode, Json<Recorded>), Error> {
    post_report(&app, &headers, raw, ingest::people::maintenance).await
}
