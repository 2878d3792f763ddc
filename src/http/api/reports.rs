//! Reports by people: declared outages, requests for a postmortem, manual interventions and near misses.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};

use crate::app::App;
use crate::http::api::recorded::{Recorded, record_event};
use crate::http::body::body;
use crate::http::error::Error;
use crate::http::handler::find_incident;
use crate::ingest;
use crate::ingest::error::IngestFault;
use crate::model::event::Event;
use crate::model::time::Time;

pub(crate) async fn post_report(
    app: &Arc<App>,
    headers: &HeaderMap,
    raw: Body,
    parse: impl Fn(&[u8], Time) -> Result<Event, IngestFault>,
) -> Result<(StatusCode, Json<Recorded>), Error> {
    let body = body(app, headers, raw).await?;
    let event =
        parse(&body, app.core.now()).map_err(|fault| Error::BadRequest(fault.to_string()))?;
    if let Some(named) = event
        .incident
        .as_ref()
        .filter(|named| named.starts_with("i-"))
    {
        find_incident(app, named).await?;
    }
    record_event(app, event).await
}

/// `POST /api/v1/declarations`
pub(crate) async fn declare(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    raw: Body,
) -> Result<(StatusCode, Json<Recorded>), Error> {
    let settings = app.core.settings();
    let names = &settings.config.labels;
    let parse = |body: &[u8], now| ingest::people::declaration(body, names, now);
    post_report(&app, &headers, raw, parse).await
}

/// `POST /api/v1/requests`
pub(crate) async fn request(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    raw: Body,
) -> Result<(StatusCode, Json<Recorded>), Error> {
    post_report(&app, &headers, raw, ingest::people::request).await
}

/// `POST /api/v1/interventions`
pub(crate) async fn intervene(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    raw: Body,
) -> Result<(StatusCode, Json<Recorded>), Error> {
    post_report(&app, &headers, raw, ingest::people::intervention).await
}

/// `POST /api/v1/near-misses`
pub(crate) async fn near_miss(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    raw: Body,
) -> Result<(StatusCode, Json<Recorded>), Error> {
    let settings = app.core.settings();
    let names = &settings.config.labels;
    let parse = |body: &[u8], now| ingest::people::near_miss(body, names, now);
    post_report(&app, &headers, raw, parse).await
}
