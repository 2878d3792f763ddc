//! The answer to an event recorded for a person: its id, its incident and where to follow it.

use std::sync::Arc;

use axum::Json;
use axum::http::StatusCode;
use serde::Serialize;

use crate::app::App;
use crate::http::error::Error;
use crate::model::event::Event;
use crate::model::id::IncidentId;

pub(crate) fn applied_status(applied: bool) -> StatusCode {
    if applied {
        StatusCode::CREATED
    } else {
        StatusCode::ACCEPTED
    }
}

/// What became of something a person said.
#[derive(Debug, Serialize)]
pub(crate) struct Recorded {
    /// The event.
    pub(crate) event: String,
    /// Whether its effect can be seen.
    pub(crate) applied: bool,
    /// The incident it belongs to, once applied.
    pub(crate) incident: Option<IncidentId>,
    /// Where to see what becomes of it.
    pub(crate) status: Option<String>,
}

/// Logs what a person said and tells what became of it.
pub(crate) async fn record_event(
    app: &Arc<App>,
    event: Event,
) -> Result<(StatusCode, Json<Recorded>), Error> {
    let id = event.id;
    let done = app.tell(event).await?;
    let incident = app.incident_of(&id);
    let base = app
        .settings()
        .config
        .external_url
        .trim_end_matches('/')
        .to_owned();
    let status = incident
        .as_ref()
        .map(|incident| format!("{base}/incidents/{incident}"));
    Ok((
        applied_status(done.applied),
        Json(Recorded {
            event: id.to_string(),
            applied: done.applied,
            incident,
            status,
        }),
    ))
}
