//! `POST /api/v1/events`: events in the native format or as CloudEvents.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use crate::app::App;
use crate::app::intake::commit::Arrival;
use crate::app::intake::reprocess::API;
use crate::http::api::recorded::applied_status;
use crate::http::body::body;
use crate::http::error::Error;
use crate::http::handler::header_pairs;
use crate::http::ingest::{arrival, faults, kept};
use crate::ingest;
use crate::ingest::message::Message;

/// `POST /api/v1/events`
pub(crate) async fn post(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    raw: Body,
) -> Result<(StatusCode, Json<Value>), Error> {
    let body = body(&app, &headers, raw).await?;
    let settings = app.settings();
    let (beside, names, now) = (header_pairs(&headers), &settings.config.labels, app.now());
    let read = match &settings.cloudevents {
        Some(mapping) if ingest::cloudevents::says_so(&beside) => ingest::cloudevents::webhook(
            mapping,
            &Message {
                source: "api",
                headers: &beside,
                body: &body,
                names,
                now,
            },
        ),
        _ => ingest::events::events(&body, names, now),
    };
    let reading = read.map_err(|fault| Error::BadRequest(fault.to_string()))?;
    let fault = faults(&reading);
    let ids: Vec<String> = reading.events().map(|event| event.id.to_string()).collect();
    let beside = kept(&header_pairs(&headers), "/api/v1/events", &[], now);
    let position = app
        .receive(Arrival {
            beside,
            ..arrival(API, body, reading)
        })
        .await?;
    if let Some(fault) = fault {
        return Err(Error::BadRequest(fault));
    }
    let applied = match position {
        Some(position) => app.wait_until_applied(position).await,
        None => true,
    };
    Ok((
        applied_status(applied),
        Json(json!({ "events": ids, "applied": applied })),
    ))
}
