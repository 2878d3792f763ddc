//! `POST /api/v1/events`: events in the native format or as CloudEvents.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use crate::app::App;
use crate::http::api::recorded::applied_status;
use crate::http::body::body;
use crate::http::error::Error;
use crate::http::handler::header_pairs;

/// `POST /api/v1/events`
pub(crate) async fn post(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    raw: Body,
) -> Result<(StatusCode, Json<Value>), Error> {
    let body = body(&app, &headers, raw).await?;
    let (ids, position) = app
        .intake
        .accept_events(&header_pairs(&headers), body)
        .await?;
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let applied = match position {
        Some(position) => app.core.progress.wait_until_applied(position).await,
        None => true,
    };
    Ok((
        applied_status(applied),
        Json(json!({ "events": ids, "applied": applied })),
    ))
}
