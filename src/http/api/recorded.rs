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

/// Response to an event recorded for a person.
#[derive(Debug, Serialize)]
pub(crate) struct Recorded {
    /// Event id.
    pub(crate) event: String,
    /// True once the engine has applied the event.
    pub(crate) applied: bool,
    /// Incident of the event, once applied.
    pub(crate) incident: Option<IncidentId>,
    /// URL of the incident.
    pub(crate) status: Option<String>,
}

/// Appends an event to the log and waits briefly for it to be applied.
pub(crate) async fn record_event(
    app: &Arc<App>,
    event: Event,
) -> Result<(StatusCode, Json<Recorded>), Error> {
    let id = event.id;
    let applied = app.intake.append_stated(event).await?;
    let incident = app.judge.incident_of(&id);
    let base = app
        .core
        .settings()
        .config
        .external_url
        .trim_end_matches('/')
        .to_owned();
    let status = incident
        .as_ref()
        .map(|incident| format!("{base}/incidents/{incident}"));
    Ok((
        applied_status(applied),
        Json(Recorded {
            event: id.to_string(),
            applied,
            incident,
            status,
        }),
    ))
}
