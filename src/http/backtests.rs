//! Backtests from the browser and over the API: begun, looked at, broken off.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::within;
use super::error::Error;
use super::web::{Page, PageError};
use super::{pages, time_range};
use crate::app::App;
use crate::app::backtest::jobs::{Job, Refused, State as JobState, Wanted};
use crate::config::metrics::MetricsKind;
use crate::model::event::RuleFile;
use crate::trial::csv;

/// Bytes of rules that are read.
const LIMIT: usize = 2 << 20;

/// What is asked for as JSON. Rules are the text of one file, or files with their names; those in force, if none are given.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
struct Asked {
    rules: Option<Rules>,
    against: Option<Rules>,
    since: Option<String>,
    prometheus: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Rules {
    Text(String),
    Files(Vec<RuleFile>),
}

impl Rules {
    fn files(self, name: &str) -> Vec<RuleFile> {
        match self {
            Self::Text(text) => vec![RuleFile {
                name: name.to_owned(),
                text,
            }],
            Self::Files(files) => files,
        }
    }
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Faults(_) | Refused::Unknown(_) => Self::BadRequest(refused.to_string()),
            Refused::TooMany => Self::Conflict(refused.to_string()),
        }
    }
}

/// `POST /api/v1/backtests`: 202, and where to look.
pub(crate) async fn begin(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    raw: Body,
) -> Result<Response, Error> {
    let body = within(LIMIT, &app, &headers, raw).await?;
    let asked: Asked = if body.is_empty() {
        Asked::default()
    } else {
        serde_json::from_slice(&body)
            .map_err(|fault| Error::BadRequest(format!("not a backtest: {fault}")))?
    };
    let rules = match asked.rules {
        Some(rules) => rules.files("rules.yaml"),
        None => app.settings().logged.rules.clone(),
    };
    let against = asked
        .against
        .map(|rules| rules.files("against.yaml"))
        .unwrap_or_default();
    let from = time_range::since(asked.since.as_deref(), app.now())?;
    let number = app.begin_backtest(Wanted {
        rules,
        against,
        from,
        prometheus: asked.prometheus,
    })?;
    let job = known(&app, number)?;
    let place = format!("/api/v1/backtests/{number}");
    Ok((
        StatusCode::ACCEPTED,
        [(header::LOCATION, place)],
        Json(row(&job)),
    )
        .into_response())
}

/// `GET /api/v1/backtests`
pub(crate) async fn listed(State(app): State<Arc<App>>) -> Json<Value> {
    Json(app.backtests().iter().map(row).collect())
}

/// How a backtest is told.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Told {
    format: Option<String>,
}

/// `GET /api/v1/backtests/{number}`, with its report once there is one; `?format=csv`: the report's incidents.
pub(crate) async fn one(
    State(app): State<Arc<App>>,
    Path(number): Path<u64>,
    Query(told): Query<Told>,
) -> Result<Response, Error> {
    let job = known(&app, number)?;
    let report = if let JobState::Done(report) = &job.state {
        Some(report)
    } else {
        None
    };
    match (told.format.as_deref(), report) {
        (Some("csv"), Some(report)) => Ok((
            [(header::CONTENT_TYPE, "text/csv; charset=utf-8")],
            csv::csv(report),
        )
            .into_response()),
        (Some("csv"), None) => Err(Error::Conflict(format!(
            "backtest {number} has no report: it is {}",
            word(&job.state)
        ))),
        (None | Some("json"), _) => {
            let mut row = row(&job);
            row["report"] = json!(report.map(|report| &**report));
            Ok(Json(row).into_response())
        }
        (Some(other), _) => Err(Error::BadRequest(format!(
            "the format {other:?} is not known: json or csv"
        ))),
    }
}

/// `DELETE /api/v1/backtests/{number}`: breaks it off.
pub(crate) async fn cancel(
    State(app): State<Arc<App>>,
    Path(number): Path<u64>,
) -> Result<Json<Value>, Error> {
    known(&app, number)?;
    app.cancel_backtest(number);
    Ok(Json(row(&known(&app, number)?)))
}

fn known(app: &App, number: u64) -> Result<Job, Error> {
    let missing = || {
        Error::NotFound(format!(
            "there is no backtest {number}: the last ones are kept until the service ends"
        ))
    };
    app.backtest(number).ok_or_else(missing)
}

fn word(state: &JobState) -> &'static str {
    match state {
        JobState::Waiting => "waiting",
        JobState::Running(_) => "running",
        JobState::Done(_) => "done",
        JobState::Failed(_) => "failed",
        JobState::Cancelled => "cancelled",
    }
}

fn row(job: &Job) -> Value {
    let (done, events, fault) = match &job.state {
        JobState::Waiting | JobState::Cancelled => (0.0, 0, None),
        JobState::Running(progress) => (progress.done, progress.events, None),
        JobState::Done(report) => (1.0, report.events, None),
        JobState::Failed(fault) => (0.0, 0, Some(fault)),
    };
    json!({
        "id": job.number,
        "state": word(&job.state),
        "asked_at": job.asked_at,
        "since": job.wanted.from,
        "prometheus": job.wanted.prometheus,
        "done": done,
        "events": events,
        "fault": fault,
        "url": format!("/backtests/{}", job.number),
    })
}

/// `GET /backtests`
pub(crate) async fn page(State(app): State<Arc<App>>) -> Page {
    let files = app.settings().logged.rules.clone();
    Ok(form(
        &app,
        pages::backtests::Entered {
            files,
            ..pages::backtests::Entered::default()
        },
        None,
    ))
}

fn form(app: &App, entered: pages::backtests::Entered, fault: Option<String>) -> Html<String> {
    let settings = app.settings();
    let remembering = settings
        .config
        .metrics
        .iter()
        .filter(|entry| matches!(entry.kind, MetricsKind::Prometheus(_)));
    let view = pages::backtests::View {
        entered,
        fault,
        prometheis: remembering.map(|entry| entry.name.clone()).collect(),
        jobs: app.backtests(),
        replicas: app.store.is_shared(),
    };
    Html(pages::backtests::render(&view))
}

/// `POST /backtests`: fields `name` and `text` for each file, in turn, `since`, `prometheus`.
pub(crate) async fn posted(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    raw: Body,
) -> Result<Response, PageError> {
    let body = within(LIMIT, &app, &headers, raw).await?;
    let mut entered = pages::backtests::Entered::default();
    for (key, value) in form_urlencoded::parse(&body) {
        match &*key {
            "name" => entered.files.push(RuleFile {
                name: value.into_owned(),
                text: String::new(),
            }),
            "text" => {
                // Browsers send lines as the mail does.
                let text = value.replace("\r\n", "\n");
                if let Some(file) = entered.files.last_mut() {
                    file.text = text;
                }
            }
            "since" => entered.since = value.into_owned(),
            "prometheus" => entered.prometheus = value.into_owned(),
            _ => {}
        }
    }
    let begun = time_range::since(Some(&entered.since), app.now()).and_then(|from| {
        let prometheus = Some(entered.prometheus.clone()).filter(|name| !name.is_empty());
        Ok(app.begin_backtest(Wanted {
            rules: entered.files.clone(),
            against: Vec::new(),
            from,
            prometheus,
        })?)
    });
    match begun {
        Ok(number) => Ok(Redirect::to(&format!("/backtests/{number}")).into_response()),
        Err(fault) => {
            Ok((fault.status(), form(&app, entered, Some(fault.to_string()))).into_response())
        }
    }
}

/// `GET /backtests/{number}`
pub(crate) async fn one_page(State(app): State<Arc<App>>, Path(number): Path<u64>) -> Page {
    Ok(Html(pages::backtest::render(&known(&app, number)?)))
}

/// `POST /backtests/{number}/cancel`
pub(crate) async fn cancel_form(
    State(app): State<Arc<App>>,
    Path(number): Path<u64>,
) -> Result<Redirect, PageError> {
    known(&app, number)?;
    app.cancel_backtest(number);
    Ok(Redirect::to(&format!("/backtests/{number}")))
}
