//! `/api/v1/quarantine`: messages that could not be parsed.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::app::App;
use crate::app::intake::reprocess::ReprocessFault;
use crate::http::body_preview::BodyPreview;
use crate::http::error::Error;
use crate::http::handler::read_store;
use crate::http::paging::{self, JsonPage};
use crate::http::query::Query;
use crate::store::log::RawMessage;
use crate::store::quarantine::{QuarantineEntry, QuarantineFilter, QuarantineState};

/// Query of the list.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct QuarantineQuery {
    pub(crate) source: Option<String>,
    /// Leave out processed and dismissed messages.
    #[serde(default)]
    open: bool,
    limit: Option<String>,
    pub(crate) after: Option<String>,
}

impl From<ReprocessFault> for Error {
    fn from(fault: ReprocessFault) -> Self {
        match fault {
            ReprocessFault::Unknown(_) => Self::NotFound(fault.to_string()),
            ReprocessFault::Already | ReprocessFault::Gone | ReprocessFault::NoSource(_) => {
                Self::Conflict(fault.to_string())
            }
            ReprocessFault::Unstored(fault) => fault.into(),
            ReprocessFault::Failed(fault) => Self::Internal(fault),
        }
    }
}

pub(crate) async fn find_message(
    app: &Arc<App>,
    position: u64,
) -> Result<(QuarantineEntry, Option<RawMessage>), Error> {
    let found = read_store(app, move |app| {
        Ok((
            app.core.store.quarantined_at(position)?,
            app.core.store.raw(position)?,
        ))
    })
    .await?;
    let (Some(row), raw) = found else {
        return Err(ReprocessFault::Unknown(position).into());
    };
    Ok((row, raw))
}

pub(crate) async fn dismiss_message(app: &Arc<App>, position: u64) -> Result<(), Error> {
    let (row, _) = find_message(app, position).await?;
    if row.state == QuarantineState::Mended {
        return Err(ReprocessFault::Already.into());
    }
    read_store(app, move |app| {
        app.core.store.dismiss_quarantined(position, app.core.now())
    })
    .await
    .map(drop)
}

fn message_json(row: &QuarantineEntry) -> Value {
    json!({
        "position": row.position,
        "source": row.source,
        "logged_at": row.logged_at,
        "fault": row.fault,
        "state": row.state,
        "tried_at": row.tried_at,
        "record": row.mended_by,
    })
}

/// `GET /api/v1/quarantine`
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    Query(query): Query<QuarantineQuery>,
) -> Result<Response, Error> {
    let before = paging::after(query.after.as_deref())?;
    let limit = paging::limit(query.limit.as_deref())?;
    let (source, open_only) = (query.source.clone(), query.open);
    let rows = read_store(&app, move |app| {
        app.core.store.quarantined(QuarantineFilter {
            source: source.as_deref(),
            open_only,
            oldest_first: false,
            before,
            limit: limit + 1,
        })
    })
    .await?;
    let mut page = JsonPage::new(limit);
    let rows = rows.iter().map(|row| (row.position, message_json(row)));
    let next = page.extend(rows, false).map_err(Error::Internal)?;
    let next = next.map(|next| {
        let after = next.to_string();
        let parameters = [
            ("source", query.source.as_deref()),
            ("open", query.open.then_some("true")),
            ("limit", query.limit.as_deref()),
            ("after", Some(after.as_str())),
        ];
        paging::address("/api/v1/quarantine", &parameters)
    });
    Ok(page.respond(next.as_deref()))
}

/// `GET /api/v1/quarantine/{position}`
pub(crate) async fn show(
    State(app): State<Arc<App>>,
    Path(position): Path<u64>,
) -> Result<Json<Value>, Error> {
    let (row, raw) = find_message(&app, position).await?;
    let mut answer = message_json(&row);
    if let Some(raw) = raw {
        let preview = BodyPreview::new(&raw.body);
        answer["headers"] = json!(raw.beside.headers);
        answer["body"] = json!({"text": preview.text, "bytes": preview.bytes, "base_16": preview.hex, "cut": preview.cut});
    }
    Ok(Json(answer))
}

/// `POST /api/v1/quarantine/{position}/retry`
pub(crate) async fn retry(
    State(app): State<Arc<App>>,
    Path(position): Path<u64>,
) -> Result<Json<Value>, Error> {
    let mended = app.intake.quarantine.reprocess(position).await?;
    Ok(Json(json!({
        "position": position,
        "state": mended.state,
        "record": mended.record,
        "events": mended.events,
        "fault": mended.fault,
    })))
}

/// `POST /api/v1/quarantine/{position}/dismiss`
pub(crate) async fn dismiss(
    State(app): State<Arc<App>>,
    Path(position): Path<u64>,
) -> Result<Json<Value>, Error> {
    dismiss_message(&app, position).await?;
    Ok(Json(
        json!({ "position": position, "state": QuarantineState::Dismissed }),
    ))
}
