//! `/api/v1/deliveries`: outgoing notifications and calendar messages.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::app::App;
use crate::http::error::Error;
use crate::http::handler::{API_ROWS, read_store};

/// `GET /api/v1/deliveries`
pub(crate) async fn list(State(app): State<Arc<App>>) -> Result<Json<Value>, Error> {
    let rows = read_store(&app, |app| app.core.store.deliveries(API_ROWS)).await?;
    let rows: Vec<Value> = rows
        .iter()
        .map(|row| json!({ "key": row.delivery.key, "destination": row.delivery.destination, "state": format!("{:?}", row.state).to_lowercase(), "attempts": row.attempts, "error": row.error }))
        .collect();
    Ok(Json(Value::from(rows)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RetryBody {
    key: String,
}

/// `POST /api/v1/deliveries/retry`: makes a failed delivery pending again.
pub(crate) async fn retry(
    State(app): State<Arc<App>>,
    Json(RetryBody { key }): Json<RetryBody>,
) -> Result<Json<Value>, Error> {
    let asked = key.clone();
    if read_store(&app, move |app| app.delivery.retry(&asked)).await? {
        Ok(Json(json!({ "key": key, "state": "pending" })))
    } else {
        Err(Error::NotFound(format!(
            "no failed delivery has the key `{key}`; see GET /api/v1/deliveries"
        )))
    }
}
