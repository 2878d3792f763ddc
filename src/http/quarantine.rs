//! What could not be read: the pages and the JSON of it, and reading it again.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Form, Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::error::Error;
use super::handler::{API_ROWS, PAGE_ROWS, read_store};
use super::pages;
use super::web::{Page, PageError};
use crate::app::App;
use crate::app::intake::reprocess::{API, MendFault, Mended, PROMETHEUS};
use crate::store::log::{Beside, Raw};
use crate::store::quarantine::{QuarantineFilter, QuarantineState, Quarantined};

/// What a list may be narrowed to.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Narrowed {
    source: Option<String>,
    /// Leave out those that were mended or dismissed.
    #[serde(default)]
    open: bool,
}

impl From<MendFault> for Error {
    fn from(fault: MendFault) -> Self {
        match fault {
            MendFault::Unknown(_) => Self::NotFound(fault.to_string()),
            MendFault::Already | MendFault::Gone | MendFault::NoSource(_) => {
                Self::Conflict(fault.to_string())
            }
            MendFault::Unstored(fault) => fault.into(),
            MendFault::Failed(fault) => Self::Internal(fault),
        }
    }
}

/// `GET /quarantine`
pub(crate) async fn page(State(app): State<Arc<App>>, Query(narrowed): Query<Narrowed>) -> Page {
    list(
        &app,
        narrowed.source.filter(|source| !source.is_empty()),
        None,
    )
    .await
}

async fn list(app: &Arc<App>, source: Option<String>, notice: Option<pages::Notice>) -> Page {
    let wanted = source.clone();
    let (rows, waiting) = read_store(app, move |app| {
        let filter = QuarantineFilter {
            source: wanted.as_deref(),
            limit: PAGE_ROWS,
            ..QuarantineFilter::default()
        };
        Ok((
            app.store.quarantined(filter)?,
            app.store.quarantine_by_source()?,
        ))
    })
    .await?;
    let fits = |name: &String| {
        source.as_ref().is_none_or(|source| source == name) && has_reader(app, name)
    };
    let waiting = waiting
        .into_iter()
        .filter(|(name, _)| fits(name))
        .map(|(name, waiting)| (name, waiting.count))
        .collect();
    let view = pages::quarantine::View {
        now: app.now(),
        source,
        waiting,
        messages: rows.into_iter().map(message).collect(),
        notice,
    };
    Ok(Html(pages::quarantine::render(&view)))
}

fn has_reader(app: &App, source: &str) -> bool {
    matches!(source, PROMETHEUS | API) || app.settings().readers.contains_key(source)
}

fn message(row: Quarantined) -> pages::quarantine::Message {
    pages::quarantine::Message {
        position: row.position,
        source: row.source,
        at: row.logged_at,
        fault: row.fault,
        state: row.state,
        tried_at: row.tried_at,
        mended_by: row.mended_by,
    }
}

async fn found(app: &Arc<App>, position: u64) -> Result<(Quarantined, Option<Raw>), Error> {
    let found = read_store(app, move |app| {
        Ok((
            app.store.quarantined_at(position)?,
            app.store.raw(position)?,
        ))
    })
    .await?;
    let (Some(row), raw) = found else {
        return Err(MendFault::Unknown(position).into());
    };
    Ok((row, raw))
}

/// `GET /quarantine/{position}`
pub(crate) async fn one_page(State(app): State<Arc<App>>, Path(position): Path<u64>) -> Page {
    show(&app, position, None).await
}

async fn show(app: &Arc<App>, position: u64, notice: Option<pages::Notice>) -> Page {
    let (row, raw) = found(app, position).await?;
    let can_be_read = row.passed || (raw.is_some() && has_reader(app, &row.source));
    let (body, Beside { headers, .. }) = raw.map_or((None, Beside::default()), |raw| {
        (Some(raw.body), raw.beside)
    });
    let view = pages::quarantine::One {
        now: app.now(),
        message: message(row),
        headers,
        body,
        can_be_read,
        notice,
    };
    Ok(Html(pages::quarantine::render_one(&view)))
}

/// `GET /quarantine/{position}/body`: as it came, and as nothing that a browser would run or show.
pub(crate) async fn body(
    State(app): State<Arc<App>>,
    Path(position): Path<u64>,
) -> Result<Response, PageError> {
    let raw = found(&app, position)
        .await?
        .1
        .ok_or(MendFault::Gone)
        .map_err(Error::from)?;
    let name = format!("attachment; filename=\"message-{position}.txt\"");
    Ok((
        [
            (header::CONTENT_TYPE, "text/plain; charset=utf-8".to_owned()),
            (header::CONTENT_DISPOSITION, name),
        ],
        raw.body,
    )
        .into_response())
}

/// `POST /quarantine/{position}/retry`
pub(crate) async fn retry_form(
    State(app): State<Arc<App>>,
    Path(position): Path<u64>,
) -> Result<Response, PageError> {
    let (status, notice) = match app.mend(position).await {
        Ok(Mended {
            state: QuarantineState::Mended,
            ..
        }) => {
            return Ok(Redirect::to(&format!("/quarantine/{position}")).into_response());
        }
        Ok(_) => (
            StatusCode::OK,
            "It still cannot be read; what is wrong now stands below.",
        ),
        Err(MendFault::Already) => (
            StatusCode::CONFLICT,
            "It was read already, since you looked.",
        ),
        Err(fault) => return Err(Error::from(fault).into()),
    };
    let page = show(
        &app,
        position,
        Some(pages::Notice {
            warning: true,
            text: notice.to_owned(),
        }),
    )
    .await?;
    Ok((status, page).into_response())
}

/// The source that is meant.
#[derive(Debug, Deserialize)]
pub(crate) struct All {
    source: String,
}

/// `POST /quarantine/retry`
pub(crate) async fn retry_all_form(
    State(app): State<Arc<App>>,
    Form(All { source }): Form<All>,
) -> Page {
    let done = app.mend_all(&source).await.map_err(Error::from)?;
    let messages = if done.tried == 1 {
        "message"
    } else {
        "messages"
    };
    let rest = if done.more {
        " More wait; do it again for those."
    } else {
        ""
    };
    let text = format!(
        "{} of {} {messages} of {source} could be read.{rest}",
        done.mended, done.tried
    );
    list(
        &app,
        Some(source),
        Some(pages::Notice {
            warning: done.mended < done.tried,
            text,
        }),
    )
    .await
}

/// `POST /quarantine/{position}/dismiss`
pub(crate) async fn dismiss_form(
    State(app): State<Arc<App>>,
    Path(position): Path<u64>,
) -> Result<Redirect, PageError> {
    put_aside(&app, position).await?;
    Ok(Redirect::to(&format!("/quarantine/{position}")))
}

async fn put_aside(app: &Arc<App>, position: u64) -> Result<(), Error> {
    let (row, _) = found(app, position).await?;
    if row.state == QuarantineState::Mended {
        return Err(MendFault::Already.into());
    }
    read_store(app, move |app| {
        app.store.dismiss_quarantined(position, app.now())
    })
    .await
    .map(drop)
}

fn told(row: &Quarantined) -> Value {
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
pub(crate) async fn listed(
    State(app): State<Arc<App>>,
    Query(narrowed): Query<Narrowed>,
) -> Result<Json<Value>, Error> {
    let rows = read_store(&app, move |app| {
        let Narrowed { source, open } = &narrowed;
        let filter = QuarantineFilter {
            source: source.as_deref(),
            open_only: *open,
            oldest_first: false,
            limit: API_ROWS,
        };
        app.store.quarantined(filter)
    })
    .await?;
    Ok(Json(rows.iter().map(told).collect()))
}

/// `GET /api/v1/quarantine/{position}`
pub(crate) async fn one(
    State(app): State<Arc<App>>,
    Path(position): Path<u64>,
) -> Result<Json<Value>, Error> {
    let (row, raw) = found(&app, position).await?;
    let mut told = told(&row);
    if let Some(raw) = raw {
        let shown = pages::quarantine::shown(&raw.body);
        told["headers"] = json!(raw.beside.headers);
        told["body"] = json!({"text": shown.text, "bytes": shown.bytes, "base_16": shown.hex, "cut": shown.cut});
    }
    Ok(Json(told))
}

/// `POST /api/v1/quarantine/{position}/retry`
pub(crate) async fn retry(
    State(app): State<Arc<App>>,
    Path(position): Path<u64>,
) -> Result<Json<Value>, Error> {
    let mended = app.mend(position).await?;
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
    put_aside(&app, position).await?;
    Ok(Json(
        json!({ "position": position, "state": QuarantineState::Dismissed }),
    ))
}
