//! What alerting systems post: webhooks, and Alertmanager's own API.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::body::{Whole, body};
use super::error::Error;
use super::handler::header_pairs;
use super::source_auth::{Admitted, Beside, admitted};
use crate::app::App;
use crate::app::intake::commit::Arrival;
use crate::app::intake::rate_limit::Away;
use crate::app::intake::reprocess::PROMETHEUS;
use crate::app::intake::sns_verification::Unvouched;
use crate::config::source_auth::SourceAuth;
use crate::ingest;
use crate::ingest::auth::is_unsigned_check;
use crate::ingest::message::{Headers, Message};
use crate::ingest::reading::{AlertRef, Reading};
use crate::model::source::SourceKind;
use crate::model::time::Time;
use crate::store::log;

/// `POST /ingest/{source}`, or `PUT`, which Grafana may be told to send.
pub(crate) async fn webhook(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    raw: Body,
) -> Result<Response, Error> {
    let settings = app.settings();
    let Some(source) = settings
        .config
        .sources
        .iter()
        .find(|source| source.name == name)
    else {
        let known: Vec<&str> = settings
            .config
            .sources
            .iter()
            .map(|source| source.name.as_str())
            .collect();
        return Err(Error::NotFound(format!(
            "no source is named `{name}`; the settings name: {}. Add it under `sources:` or correct the address",
            known.join(", ")
        )));
    };
    let query = query.unwrap_or_default();
    let Some(Admitted { body, once }) = admitted(
        &app,
        &settings,
        source,
        Beside {
            headers: &headers,
            query: &query,
        },
        raw,
    )
    .await?
    else {
        return Ok(StatusCode::OK.into_response());
    };
    // Not even a map of the settings may repeat what proves who sends.
    let beside =
        ingest::header_filter::without(&header_pairs(&headers), settings.proofs.get(&name));
    let names = source.labels.as_ref().unwrap_or(&settings.config.labels);
    let now = app.now();
    let message = Message {
        source: &name,
        headers: &beside,
        body: &body,
        names,
        now,
    };
    app.vouched(source, &message)
        .await
        .map_err(|why| unvouched(&app, &source.name, &why))?;
    // Only now is it known who sends what is signed in its own text.
    if source.auth == SourceAuth::Certificate
        && let Err(wait) = app.pace(&source.name, source.limits.rate, true)
    {
        app.turn_away(&source.name, Away::Rate);
        return Err(Error::TooMany(wait));
    }
    let read = match settings.readers.get(&name) {
        Some(reader) => {
            ingest::dispatch::read(reader, &message, &mut |alert| app.renewed(alert, now))
        }
        None => Ok(Reading::default()),
    };
    let redacted = settings
        .readers
        .get(&name)
        .and_then(|reader| ingest::dispatch::kept(reader, &body));
    let (mut reply, mut confirm) = (None, None);
    let mut arrival = match read {
        Ok(mut reading) => {
            (reply, confirm) = (reading.reply.take(), reading.confirm.take());
            arrival(&name, body, reading)
        }
        Err(fault) => Arrival {
            fault: Some(fault.to_string()),
            ..arrival(&name, body, Reading::default())
        },
    };
    if let Some(redacted) = redacted {
        arrival.body = redacted;
    }
    // Read again for its answer, which a sender that did not get it waits for, but not taken again.
    if once.is_some_and(|once| app.has_taken(&source.name, &once)) {
        app.turn_away(&source.name, Away::Repeat);
    } else {
        if arrival.is_kept() {
            let reads = settings
                .readers
                .get(&name)
                .map_or(&[] as &[String], ingest::dispatch::headers);
            arrival.beside = kept(&beside, &format!("/ingest/{name}"), reads, now);
        }
        app.receive(arrival).await?;
        if let Some(url) = confirm {
            app.confirm(source, url).await?;
        }
        if let Some(once) = once {
            app.note_taken(&source.name, once);
        }
    }
    // Never 4xx for what is authentic: the sender would repeat it for ever, or give up on the alert. And 200 rather than another 2xx,
    // because some senders take nothing else.
    Ok(match reply {
        Some(reply) => ([(header::CONTENT_TYPE, reply.media_type)], reply.body).into_response(),
        None => StatusCode::OK.into_response(),
    })
}

/// `GET /ingest/{source}`, by which Slack looks at our certificate. Nothing else is asked for here.
pub(crate) async fn looked_at(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let query = query.unwrap_or_default();
    let settings = app.settings();
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

/// `OPTIONS /ingest/{source}`: whoever delivers CloudEvents asks first whether they are wanted, and sends nothing unless it is told so.
/// See <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/http-webhook.md#4-abuse-protection>.
pub(crate) async fn wanted(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Response {
    let settings = app.settings();
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

/// The answer to a message that is not taken in, whose sender is told no more than that.
fn unvouched(app: &App, source: &str, why: &Unvouched) -> Error {
    match why {
        Unvouched::Refused(_) => {
            app.turn_away(source, Away::Credentials);
            Error::Unauthorized(
                "the message is not signed as one of the source's topics; the log and the first page of the service say why",
            )
        }
        Unvouched::Unknown(_) => Error::Unavailable(
            "whose the message is cannot be checked now; send it again in a moment".to_owned(),
        ),
    }
}

/// `POST /api/v2/alerts`, as Prometheus calls it.
pub(crate) async fn alerts(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    raw: Body,
) -> Result<StatusCode, Error> {
    let body = body(&app, &headers, raw).await?;
    let settings = app.settings();
    let now = app.now();
    let renewed = &mut |alert: &AlertRef<'_>| app.renewed(alert, now);
    let reading =
        ingest::prometheus::news_v2(&body, PROMETHEUS, &settings.config.labels, now, renewed)
            .map_err(|fault| Error::BadRequest(fault.to_string()))?;
    let fault = faults(&reading);
    // As Alertmanager does: the good ones are taken, and then the fault is told.
    let mut arrival = arrival(PROMETHEUS, body, reading);
    if arrival.is_kept() {
        arrival.beside = kept(&header_pairs(&headers), "/api/v2/alerts", &[], now);
    }
    app.receive(arrival).await?;
    fault.map_or(Ok(StatusCode::OK), |fault| Err(Error::BadRequest(fault)))
}

pub(crate) fn faults(reading: &Reading) -> Option<String> {
    let faults: Vec<String> = reading.faults.iter().map(ToString::to_string).collect();
    (!faults.is_empty()).then(|| faults.join("; "))
}

pub(crate) fn arrival(source: &str, body: Whole, reading: Reading) -> Arrival {
    // A mere repetition is not stored, so that its body need not be a copy of its own.
    let stored = !reading.reports.is_empty() || !reading.faults.is_empty() || reading.renewed == 0;
    Arrival {
        source: source.to_owned(),
        body: if stored {
            body.bytes.into()
        } else {
            Vec::new()
        },
        fault: faults(&reading),
        renewed: reading.renewed,
        room: Some(body.room),
        reports: reading.reports,
        ..Arrival::default()
    }
}

/// What is kept of how a message came, for whoever reads it again.
pub(crate) fn kept(
    headers: &Headers<'_>,
    path: &str,
    reads: &[String],
    now: Time,
) -> log::MessageContext {
    log::MessageContext {
        headers: ingest::header_filter::kept(headers, path, reads),
        came_at: Some(now),
    }
}
