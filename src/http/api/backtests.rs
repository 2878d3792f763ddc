//! `/api/v1/backtests`: start, list, show and cancel backtests.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::app::App;
use crate::app::backtest::jobs::{BacktestRequest, Job, JobState, Refused};
use crate::http::body::read_within;
use crate::http::error::Error;
use crate::http::query::Query;
use crate::http::time_range;
use crate::model::event::RuleFile;
use crate::trial::csv;

/// Maximum bytes of a request.
pub(crate) const RULES_BYTES: usize = 2 << 20;

/// Body of `POST /api/v1/backtests`. Rules are the text of one file or a list of named files; by
/// default those in force.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
struct BacktestBody {
    rules: Option<RulesBody>,
    against: Option<RulesBody>,
    since: Option<String>,
    prometheus: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum RulesBody {
    Text(String),
    Files(Vec<RuleFile>),
}

impl RulesBody {
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

/// `POST /api/v1/backtests`: 202 with the `Location` of the job.
pub(crate) async fn post(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    raw: Body,
) -> Result<Response, Error> {
    let body = read_within(RULES_BYTES, &app, &headers, raw).await?;
    let asked: BacktestBody = if body.is_empty() {
        BacktestBody::default()
    } else {
        serde_json::from_slice(&body)
            .map_err(|fault| Error::BadRequest(format!("invalid backtest request: {fault}")))?
    };
    let rules = match asked.rules {
        Some(rules) => rules.files("rules.yaml"),
        None => app.core.settings().logged.rules.clone(),
    };
    let against = asked
        .against
        .map(|rules| rules.files("against.yaml"))
        .unwrap_or_default();
    let from = time_range::since(asked.since.as_deref(), app.core.now())?;
    let number = app.backtests.begin(BacktestRequest {
        rules,
        against,
        from,
        prometheus: asked.prometheus,
    })?;
    let job = find_job(&app, number)?;
    let place = format!("/api/v1/backtests/{number}");
    Ok((
        StatusCode::ACCEPTED,
        [(header::LOCATION, place)],
        Json(job_json(&job)),
    )
        .into_response())
}

/// `GET /api/v1/backtests`
pub(crate) async fn list(State(app): State<Arc<App>>) -> Json<Value> {
    Json(app.backtests.list().iter().map(job_json).collect())
}

/// Query of `GET /api/v1/backtests/{number}`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReportQuery {
    format: Option<String>,
}

/// `GET /api/v1/backtests/{number}`, with its report once there is one; `?format=csv`: the report's incidents.
pub(crate) async fn show(
    State(app): State<Arc<App>>,
    Path(number): Path<u64>,
    Query(query): Query<ReportQuery>,
) -> Result<Response, Error> {
    let job = find_job(&app, number)?;
    let report = if let JobState::Done(report) = &job.state {
        Some(report)
    } else {
        None
    };
    match (query.format.as_deref(), report) {
        (Some("csv"), Some(report)) => Ok((
            [(header::CONTENT_TYPE, "text/csv; charset=utf-8")],
            csv::csv(report),
        )
            .into_response()),
        (Some("csv"), None) => Err(Error::Conflict(format!(
            "backtest {number} has no report; its state is {}",
            state_name(&job.state)
        ))),
        (None | Some("json"), _) => {
            let mut row = job_json(&job);
            row["report"] = json!(report.map(|report| &**report));
            Ok(Json(row).into_response())
        }
        (Some(other), _) => Err(Error::BadRequest(format!(
            "unknown format {other:?}; use json or csv"
        ))),
    }
}

/// `DELETE /api/v1/backtests/{number}`: cancels it.
pub(crate) async fn cancel(
    State(app): State<Arc<App>>,
    Path(number): Path<u64>,
) -> Result<Json<Value>, Error> {
    find_job(&app, number)?;
    app.backtests.cancel(number);
    Ok(Json(job_json(&find_job(&app, number)?)))
}

pub(crate) fn find_job(app: &App, number: u64) -> Result<Job, Error> {
    let missing = || {
        Error::NotFound(format!(
            "backtest {number} does not exist; only the latest backtests are kept, until the service restarts"
        ))
    };
    app.backtests.get(number).ok_or_else(missing)
}

fn state_name(state: &JobState) -> &'static str {
    match state {
        JobState::Waiting => "waiting",
        JobState::Running(_) => "running",
        JobState::Done(_) => "done",
        JobState::Failed(_) => "failed",
        JobState::Cancelled => "cancelled",
    }
}

fn job_json(job: &Job) -> Value {
    let (done, events, fault) = match &job.state {
        JobState::Waiting | JobState::Cancelled => (0.0, 0, None),
        JobState::Running(progress) => (progress.done, progress.events, None),
        JobState::Done(report) => (1.0, report.events, None),
        JobState::Failed(fault) => (0.0, 0, Some(fault)),
    };
    json!({
        "id": job.number,
        "state": state_name(&job.state),
        "asked_at": job.asked_at,
        "since": job.wanted.from,
        "prometheus": job.wanted.prometheus,
        "done": done,
        "events": events,
        "fault": fault,
        "url": format!("/backtests/{}", job.number),
    })
}
