//! `/api/v1/deliveries`: outgoing notifications and calendar messages.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::app::App;
use crate::http::error::Error;
use crate::http::handler::read_store;
use crate::http::paging::{self, JsonPage};

/// Query of the list.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct DeliveryQuery {
    limit: Option<String>,
    after: Option<String>,
}

/// `GET /api/v1/deliveries`
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    Query(query): Query<DeliveryQuery>,
) -> Result<Response, Error> {
    let before: u64 = paging::after(query.after.as_deref())?.unwrap_or(u64::MAX);
    let limit = paging::limit(query.limit.as_deref())?;
    let rows = read_store(&app, move |app| {
        app.core.store.list_deliveries(before, limit + 1)
    })
    .await?;
    let rows = rows.iter().map(|row| {
        let shown = json!({ "key": row.key, "destination": row.destination, "state": row.state, "attempts": row.attempts, "error": row.error });
        (row.sequence, shown)
    });
    let mut page = JsonPage::new(limit);
    let next = page.extend(rows, false).map_err(Error::Internal)?;
    let next = next.map(|next| {
        let after = next.to_string();
        paging::address(
            "/api/v1/deliveries",
            &[
                ("limit", query.limit.as_deref()),
                ("after", Some(after.as_str())),
            ],
        )
    });
    Ok(page.respond(next.as_deref()))
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
