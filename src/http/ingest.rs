//! Ingestion endpoints: webhooks, and Alertmanager's own API.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::body::{body, read_within};
use super::error::Error;
use super::handler::{header_pairs, is_loopback_host};
use crate::app::App;
use crate::app::intake::RequestHead;
use crate::app::intake::rejection::RejectReason;
use crate::ingest::auth::is_unsigned_check;
use crate::ingest::reading::ReplyBody;
use crate::model::source::SourceKind;

/// `POST /ingest/{source}`, or `PUT`, which Grafana can be configured to send.
pub(crate) async fn webhook(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    raw: Body,
) -> Result<Response, Error> {
    let head = RequestHead {
        headers: header_pairs(&headers),
        query: query.as_deref().unwrap_or_default(),
        is_loopback_host: is_loopback_host(&headers),
    };
    let read_body = async |limit| {
        let body = read_within(limit, &app, &headers, raw).await;
        if let Err(Error::TooLarge(_)) = body {
            app.intake.count_rejected(&name, RejectReason::Size);
        }
        body
    };
    let reply: Option<ReplyBody> = app.intake.accept(&name, &head, read_body).await?;
    // 200 rather than another 2xx, because some senders accept nothing else.
    Ok(match reply {
        Some(reply) => ([(header::CONTENT_TYPE, reply.media_type)], reply.body).into_response(),
        None => StatusCode::OK.into_response(),
    })
}

/// `GET /ingest/{source}`: Slack's probe of our TLS certificate. Other sources do not use it.
pub(crate) async fn certificate_probe(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let query = query.unwrap_or_default();
    let settings = app.core.settings();
    let mut named = settings
        .config
        .sources
        .iter()
        .filter(|source| source.name == name);
    if named.any(|source| is_unsigned_check(source.kind, query.as_bytes())) {
        return StatusCode::OK.into_response();
    }
    (
        StatusCode::METHOD_NOT_ALLOWED,
        [(header::ALLOW, "POST, PUT, OPTIONS")],
    )
        .into_response()
}

/// `OPTIONS /ingest/{source}`: the validation handshake of CloudEvents webhooks. Senders deliver
/// nothing without it. See
/// <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/http-webhook.md#4-abuse-protection>.
pub(crate) async fn validation_handshake(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Response {
    let settings = app.core.settings();
    let taken = settings
        .config
        .sources
        .iter()
        .any(|source| source.name == name && source.kind == SourceKind::CloudEvents);
    let mut answer = ([(header::ALLOW, "POST, PUT, OPTIONS")], StatusCode::OK).into_response();
    // It grants a try, no more: each delivery still shows who sends it.
    if let Some(origin) = headers.get("webhook-request-origin").filter(|_| taken) {
        answer
            .headers_mut()
            .insert("webhook-allowed-origin", origin.clone());
        answer
            .headers_mut()
            .insert("webhook-allowed-rate", HeaderValue::from_static("*"));
    }
    answer
}

/// `POST /api/v2/alerts`, as Prometheus calls it.
pub(crate) async fn alerts(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    raw: Body,
) -> Result<StatusCode, Error> {
    let body = body(&app, &headers, raw).await?;
    app.intake
        .accept_alerts(&header_pairs(&headers), body)
        .await?;
    Ok(StatusCode::OK)
}
