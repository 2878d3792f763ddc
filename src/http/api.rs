//! The JSON API for people, scripts and the command line.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::body::body;
use super::error::Error;
use super::handler::{API_ROWS, find_incident, header_pairs, read_store};
use super::ingest::{arrival, faults, kept};
use crate::app::App;
use crate::app::conditions::status::Shown;
use crate::app::intake::commit::Arrival;
use crate::app::intake::reprocess::API;
use crate::app::judge::effects;
use crate::app::people::maintenance::Planned;
use crate::app::people::reviews::{Answered, ReviewFault};
use crate::ingest;
use crate::ingest::IngestFault;
use crate::ingest::message::Message;
use crate::model::correction::{Answer, DismissReason, SnoozeUntil};
use crate::model::event::Event;
use crate::model::id::{IncidentId, PostmortemId};
use crate::model::incident::Incident;
use crate::model::lifecycle::ReviewState;
use crate::model::time::Time;
use crate::store::incident::IncidentFilter;

/// `POST /api/v1/events`
pub(crate) async fn events(
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
        told(applied),
        Json(json!({ "events": ids, "applied": applied })),
    ))
}

fn told(applied: bool) -> StatusCode {
    if applied {
        StatusCode::CREATED
    } else {
        StatusCode::ACCEPTED
    }
}

/// What became of something a person said.
#[derive(Debug, Serialize)]
pub(crate) struct Said {
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
pub(crate) async fn say(app: &Arc<App>, event: Event) -> Result<(StatusCode, Json<Said>), Error> {
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
        told(done.applied),
        Json(Said {
            event: id.to_string(),
            applied: done.applied,
            incident,
            status,
        }),
    ))
}

type Reader = fn(&[u8], Time) -> Result<Event, IngestFault>;

async fn person(
    app: &Arc<App>,
    headers: &HeaderMap,
    raw: Body,
    reader: Reader,
) -> Result<(StatusCode, Json<Said>), Error> {
    let body = body(app, headers, raw).await?;
    let event = reader(&body, app.now()).map_err(|fault| Error::BadRequest(fault.to_string()))?;
    if let Some(named) = event
        .incident
        .as_ref()
        .filter(|named| named.starts_with("i-"))
    {
        find_incident(app, named).await?;
    }
    say(app, event).await
}

/// `POST /api/v1/declarations`
pub(crate) async fn declare(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    raw: Body,
) -> Result<(StatusCode, Json<Said>), Error> {
    person(&app, &headers, raw, ingest::people::declaration).await
}

/// `POST /api/v1/requests`
pub(crate) async fn request(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    raw: Body,
) -> Result<(StatusCode, Json<Said>), Error> {
    person(&app, &headers, raw, ingest::people::request).await
}

/// `POST /api/v1/interventions`
pub(crate) async fn intervene(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    raw: Body,
) -> Result<(StatusCode, Json<Said>), Error> {
    person(&app, &headers, raw, ingest::people::intervention).await
}

/// `POST /api/v1/near-misses`
pub(crate) async fn near_miss(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    raw: Body,
) -> Result<(StatusCode, Json<Said>), Error> {
    person(&app, &headers, raw, ingest::people::near_miss).await
}

/// `POST /api/v1/maintenance`
pub(crate) async fn plan(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    raw: Body,
) -> Result<(StatusCode, Json<Said>), Error> {
    person(&app, &headers, raw, ingest::people::maintenance).await
}

/// `GET /api/v1/maintenance`
pub(crate) async fn planned(State(app): State<Arc<App>>) -> Result<Json<Vec<Planned>>, Error> {
    Ok(Json(read_store(&app, App::planned).await?))
}

/// What a list of incidents may be narrowed to.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Narrowed {
    /// Leave out closed ones.
    #[serde(default)]
    open: bool,
}

/// `GET /api/v1/incidents`
pub(crate) async fn incidents(
    State(app): State<Arc<App>>,
    Query(narrowed): Query<Narrowed>,
) -> Result<Json<Vec<Incident>>, Error> {
    let filter = IncidentFilter {
        open_only: narrowed.open,
        limit: API_ROWS,
    };
    Ok(Json(
        read_store(&app, move |app| app.store.incidents(filter)).await?,
    ))
}

/// `GET /api/v1/incidents/{id}`
pub(crate) async fn incident(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    let incident = find_incident(&app, &id).await?;
    if incident.verdicts.iter().all(|verdict| !verdict.shadow) {
        return Ok(Json(incident).into_response());
    }
    let told = told_verdicts(&incident);
    let mut whole =
        serde_json::to_value(&incident).map_err(|fault| Error::Internal(fault.into()))?;
    whole["verdicts"] = told;
    Ok(Json(whole).into_response())
}

/// `GET /api/v1/incidents/{id}/verdicts`
pub(crate) async fn verdicts(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Error> {
    Ok(Json(told_verdicts(&find_incident(&app, &id).await?)))
}

/// The verdicts; that of a shadow with what it would have led to.
fn told_verdicts(incident: &Incident) -> Value {
    let told = incident.verdicts.iter().map(|verdict| {
        let mut told = json!(verdict);
        if verdict.shadow {
            told["would_have"] = json!(verdict.leads_to(incident.phase));
        }
        told
    });
    told.collect()
}

/// Suggestions that wait for an answer, those whose rest is over among them, and those that rest.
pub(crate) async fn waiting(app: &Arc<App>) -> Result<(Vec<Incident>, Vec<Incident>), Error> {
    let (mut waiting, snoozed) = read_store(app, |app| {
        Ok((
            app.store.suggestions()?,
            app.store.standing(ReviewState::Snoozed, API_ROWS)?,
        ))
    })
    .await?;
    let (settings, now) = (app.settings(), app.now());
    let (due, resting): (Vec<Incident>, Vec<Incident>) = snoozed
        .into_iter()
        .partition(|incident| effects::snooze_is_over(incident, &settings, now));
    waiting.extend(due);
    Ok((waiting, resting))
}

/// `GET /api/v1/suggestions`
pub(crate) async fn suggestions(State(app): State<Arc<App>>) -> Result<Json<Vec<Incident>>, Error> {
    Ok(Json(waiting(&app).await?.0))
}

/// A person's answer as it is posted: JSON, or a form.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReviewBody {
    /// The revision that was looked at.
    pub(crate) revision: u64,
    /// `accept`, `dismiss` or `snooze`.
    pub(crate) answer: String,
    /// Of a dismissal.
    pub(crate) reason: Option<DismissReason>,
    /// Of a snooze.
    pub(crate) until: Option<SnoozeUntil>,
    /// A word.
    #[serde(default)]
    pub(crate) comment: String,
    /// Who answers.
    pub(crate) by: Option<String>,
}

impl ReviewBody {
    pub(crate) fn answer(&self) -> Result<Answer, Error> {
        match (self.answer.as_str(), self.reason, self.until) {
            ("accept", ..) => Ok(Answer::Accept),
            ("dismiss", Some(reason), _) => Ok(Answer::Dismiss { reason }),
            ("dismiss", None, _) => Err(Error::BadRequest(
                "a dismissal needs a reason: planned, test, duplicate, noise, too_small, already_covered or other".to_owned(),
            )),
            ("snooze", _, until) => Ok(Answer::Snooze { until: until.unwrap_or(SnoozeUntil::NextWorkingDay) }),
            (other, ..) => Err(Error::BadRequest(format!("the answer `{other}` is not known: accept, dismiss or snooze"))),
        }
    }
}

/// Logs an answer; a stale one gives 409 and the news.
pub(crate) async fn review_with(
    app: &Arc<App>,
    id: &str,
    body: &ReviewBody,
) -> Result<Answered, Error> {
    let incident = find_incident(app, id).await?;
    let answer = body.answer()?;
    app.review(
        &incident,
        body.revision,
        answer,
        &body.comment,
        body.by.as_deref(),
    )
    .await
    .map_err(|fault| match fault {
        ReviewFault::Stale { .. } | ReviewFault::NothingToAnswer => {
            Error::Conflict(fault.to_string())
        }
        ReviewFault::Unstored(fault) => fault.into(),
    })
}

/// `POST /api/v1/incidents/{id}/review`
pub(crate) async fn review(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    raw: Body,
) -> Result<(StatusCode, Json<Value>), Error> {
    let bytes = body(&app, &headers, raw).await?;
    let posted: ReviewBody = serde_json::from_slice(&bytes)
        .map_err(|fault| Error::BadRequest(format!("the body has a fault: {fault}")))?;
    let done = review_with(&app, &id, &posted).await?;
    Ok((told(done.applied), Json(json!({ "applied": done.applied }))))
}

/// `GET /api/v1/postmortems`
pub(crate) async fn postmortems(State(app): State<Arc<App>>) -> Result<Json<Value>, Error> {
    let list = read_store(&app, |app| app.store.postmortems(API_ROWS)).await?;
    let rows: Vec<Value> = list
        .iter()
        .map(|postmortem| row(&app, postmortem))
        .collect();
    Ok(Json(Value::from(rows)))
}

/// `GET /api/v1/postmortems/{id}`
pub(crate) async fn postmortem(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Error> {
    let wanted = PostmortemId(id.clone());
    let found = read_store(&app, move |app| {
        Ok((app.store.postmortem(&wanted)?, app.store.meeting(&wanted)?))
    })
    .await?;
    let (Some(postmortem), meeting) = found else {
        return Err(Error::NotFound(format!(
            "there is no postmortem `{id}`; /api/v1/postmortems lists those that are known"
        )));
    };
    let mut row = row(&app, &postmortem);
    row["meeting"] = json!(meeting);
    row["text"] = json!(postmortem.generated);
    Ok(Json(row))
}

fn row(app: &App, postmortem: &crate::model::postmortem::Postmortem) -> Value {
    let path = app
        .settings()
        .path(&app.settings().config.postmortems_directory)
        .join(&postmortem.file);
    json!({
        "id": postmortem.id,
        "incident": postmortem.incident,
        "title": postmortem.title,
        "status": postmortem.status,
        "path": path.display().to_string(),
        "opened_at": postmortem.opened_at,
    })
}

/// `GET /api/v1/conditions`
pub(crate) async fn conditions(State(app): State<Arc<App>>) -> Result<Json<Value>, Error> {
    let shown = read_store(&app, App::conditions).await?;
    let row = |shown: &Shown| {
        let series = shown
            .status
            .series
            .iter()
            .map(|(labels, state)| json!({ "labels": labels, "state": state }));
        json!({
            "name": shown.name,
            "service": shown.service,
            "metrics": shown.metrics,
            "query": shown.query,
            "bounds": shown.bounds.iter().cloned().collect::<BTreeMap<_, _>>(),
            "evaluated_at": shown.status.last,
            "series": series.collect::<Vec<_>>(),
            "left_out": shown.status.left_out,
            "fault": shown.status.fault,
        })
    };
    Ok(Json(shown.iter().map(row).collect()))
}

/// `GET /api/v1/deliveries`
pub(crate) async fn deliveries(State(app): State<Arc<App>>) -> Result<Json<Value>, Error> {
    let rows = read_store(&app, |app| app.store.deliveries(API_ROWS)).await?;
    let rows: Vec<Value> = rows
        .iter()
        .map(|row| json!({ "key": row.delivery.key, "destination": row.delivery.destination, "state": format!("{:?}", row.state).to_lowercase(), "attempts": row.attempts, "error": row.error }))
        .collect();
    Ok(Json(Value::from(rows)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Retry {
    key: String,
}

/// `POST /api/v1/deliveries/retry`: a refused delivery gets another turn.
pub(crate) async fn retry_delivery(
    State(app): State<Arc<App>>,
    Json(Retry { key }): Json<Retry>,
) -> Result<Json<Value>, Error> {
    let asked = key.clone();
    if read_store(&app, move |app| app.retry_delivery(&asked)).await? {
        Ok(Json(json!({ "key": key, "state": "pending" })))
    } else {
        Err(Error::NotFound(format!(
            "no refused delivery has the key `{key}`; GET /api/v1/deliveries lists them"
        )))
    }
}
