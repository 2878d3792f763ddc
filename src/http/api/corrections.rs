//! Corrections of an incident by people: merge, move, milestones, data loss and identities.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use serde::Deserialize;

use crate::app::App;
use crate::app::people::corrections;
use crate::app::people::corrections::CorrectionFault;
use crate::http::api::recorded::{Recorded, record_event};
use crate::http::body::body;
use crate::http::error::Error;
use crate::http::handler::find_incident;
use crate::model::event::Event;
use crate::model::milestone::MilestoneKind;
use crate::model::time::Time;
use serde::de::DeserializeOwned;

type RecordedResult = Result<(StatusCode, Json<Recorded>), Error>;

impl From<CorrectionFault> for Error {
    fn from(fault: CorrectionFault) -> Self {
        Self::BadRequest(fault.to_string())
    }
}

/// Body of a merge: the incidents to merge into the one in the path.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MergeBody {
    pub(crate) from: Vec<String>,
    pub(crate) by: Option<String>,
}

/// Body of a move: events to move to the incident `to`, or to a new one.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MoveBody {
    pub(crate) events: Vec<String>,
    pub(crate) to: Option<String>,
    pub(crate) by: Option<String>,
}

/// Body of a milestone correction.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MilestoneBody {
    milestone: MilestoneKind,
    at: Time,
    pub(crate) by: Option<String>,
}

/// Body of a data loss statement.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DataLossBody {
    lost: bool,
    pub(crate) by: Option<String>,
}

/// Body of an identity: `alias` belongs to `person`; without `person` the mapping is removed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct IdentityBody {
    alias: String,
    person: Option<String>,
    pub(crate) by: Option<String>,
}

async fn read_json<T: DeserializeOwned>(
    app: &App,
    headers: &HeaderMap,
    raw: Body,
) -> Result<T, Error> {
    let bytes = body(app, headers, raw).await?;
    serde_json::from_slice(&bytes)
        .map_err(|fault| Error::BadRequest(format!("invalid body: {fault}")))
}

/// Merges the incidents in order; the response is that of the last.
pub(crate) async fn apply_merge(app: &Arc<App>, id: &str, body: &MergeBody) -> RecordedResult {
    let into = find_incident(app, id).await?;
    let mut events: Vec<Event> = Vec::new();
    for name in &body.from {
        let from = find_incident(app, name).await?;
        events.push(corrections::merge(
            app.core.now(),
            &into,
            &from,
            body.by.as_deref(),
        )?);
    }
    let mut answer = Err(Error::BadRequest(
        "`from` must name at least one incident to merge".to_owned(),
    ));
    for event in events {
        answer = Ok(record_event(app, event).await?);
    }
    answer
}

/// `POST /api/v1/incidents/{id}/merge`
pub(crate) async fn merge(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    raw: Body,
) -> RecordedResult {
    apply_merge(&app, &id, &read_json(&app, &headers, raw).await?).await
}

pub(crate) async fn apply_move(app: &Arc<App>, id: &str, body: &MoveBody) -> RecordedResult {
    let from = find_incident(app, id).await?;
    let to = match &body.to {
        Some(to) => Some(find_incident(app, to).await?),
        None => None,
    };
    record_event(
        app,
        corrections::move_events(
            app.core.now(),
            &from,
            &body.events,
            to.as_ref(),
            body.by.as_deref(),
        )?,
    )
    .await
}

/// `POST /api/v1/incidents/{id}/move`
pub(crate) async fn move_events(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    raw: Body,
) -> RecordedResult {
    apply_move(&app, &id, &read_json(&app, &headers, raw).await?).await
}

/// `POST /api/v1/incidents/{id}/milestones`
pub(crate) async fn milestone(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    raw: Body,
) -> RecordedResult {
    let body: MilestoneBody = read_json(&app, &headers, raw).await?;
    let incident = find_incident(&app, &id).await?;
    record_event(
        &app,
        corrections::milestone(
            app.core.now(),
            &incident,
            body.milestone,
            body.at,
            body.by.as_deref(),
        )?,
    )
    .await
}

/// `POST /api/v1/incidents/{id}/data-loss`
pub(crate) async fn data_loss(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    raw: Body,
) -> RecordedResult {
    let body: DataLossBody = read_json(&app, &headers, raw).await?;
    let incident = find_incident(&app, &id).await?;
    record_event(
        &app,
        corrections::data_loss(app.core.now(), &incident, body.lost, body.by.as_deref()),
    )
    .await
}

/// `POST /api/v1/identities`
pub(crate) async fn identity(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    raw: Body,
) -> RecordedResult {
    let body: IdentityBody = read_json(&app, &headers, raw).await?;
    record_event(
        &app,
        corrections::identity(
            app.core.now(),
            &app.core.settings(),
            &body.alias,
            body.person.as_deref(),
            body.by.as_deref(),
        )?,
    )
    .await
}
