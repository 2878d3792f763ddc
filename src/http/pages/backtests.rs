//! `/backtests`: a form to start a backtest, and the latest jobs.

use std::sync::Arc;

use askama::Template;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{Html, IntoResponse, Redirect, Response};

use crate::app::App;
use crate::app::backtest::jobs::{BacktestRequest, Job, JobState};
use crate::config::metrics::MetricsKind;
use crate::http::api::backtests::RULES_BYTES;
use crate::http::body::read_within;
use crate::http::format::time;
use crate::http::pages::error::{PageError, PageResult};
use crate::http::pages::layout::{Tab, render_template};
use crate::http::time_range;
use crate::model::event::RuleFile;

/// Data of the page. Fields of `POST /backtests`: `name` and `text` of each file, in turn, `since`,
/// `prometheus`.
pub(crate) struct BacktestsView {
    /// Input of the form.
    pub(crate) entered: BacktestsInput,
    /// Validation error.
    pub(crate) fault: Option<String>,
    /// Entries of `metrics:` with history.
    pub(crate) prometheus_names: Vec<String>,
    /// Latest jobs, newest first.
    pub(crate) jobs: Vec<Job>,
    /// True if replicas may share the database; each has its own jobs.
    pub(crate) replicas: bool,
}

/// Input of the form.
#[derive(Debug, Clone, Default)]
pub(crate) struct BacktestsInput {
    /// Rules to test.
    pub(crate) files: Vec<RuleFile>,
    /// Start of the period.
    pub(crate) since: String,
    /// Prometheus whose history is replayed; empty for the event log.
    pub(crate) prometheus: String,
}

#[derive(Template)]
#[template(path = "http/pages/backtests.html")]
struct BacktestsTemplate<'a> {
    tab: Tab,
    view: &'a BacktestsView,
}

impl BacktestsTemplate<'_> {
    /// "3 opened (before: 1)"
    fn outcome(&self, job: &Job) -> String {
        match &job.state {
            JobState::Waiting => "waiting".to_owned(),
            JobState::Running(progress) => format!("running, {:.0} %", progress.done * 100.0),
            JobState::Done(report) => {
                format!(
                    "{} opened (before: {})",
                    report.after.held, report.before.held
                )
            }
            JobState::Failed(fault) => format!("failed: {fault}"),
            JobState::Cancelled => "cancelled".to_owned(),
        }
    }
}

/// Renders the page.
pub(crate) fn render(view: &BacktestsView) -> String {
    render_template(&BacktestsTemplate {
        tab: Tab::Criteria,
        view,
    })
}

/// `GET /backtests`
pub(crate) async fn page(State(app): State<Arc<App>>) -> PageResult {
    let files = app.core.settings().logged.rules.clone();
    Ok(form_page(
        &app,
        BacktestsInput {
            files,
            ..BacktestsInput::default()
        },
        None,
    ))
}

fn form_page(app: &App, entered: BacktestsInput, fault: Option<String>) -> Html<String> {
    let settings = app.core.settings();
    let remembering = settings
        .config
        .metrics
        .iter()
        .filter(|entry| matches!(entry.kind, MetricsKind::Prometheus(_)));
    let view = BacktestsView {
        entered,
        fault,
        prometheus_names: remembering.map(|entry| entry.name.clone()).collect(),
        jobs: app.backtests.list(),
        replicas: app.core.store.is_shared(),
    };
    Html(render(&view))
}

/// `POST /backtests`: fields `name` and `text` for each file, in turn, `since`, `prometheus`.
pub(crate) async fn post(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    raw: Body,
) -> Result<Response, PageError> {
    let body = read_within(RULES_BYTES, &app, &headers, raw).await?;
    let mut entered = BacktestsInput::default();
    for (key, value) in form_urlencoded::parse(&body) {
        match &*key {
            "name" => entered.files.push(RuleFile {
                name: value.into_owned(),
                text: String::new(),
            }),
            "text" => {
                // Browsers send CRLF line endings.
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
    let begun = time_range::since(Some(&entered.since), app.core.now()).and_then(|from| {
        let prometheus = Some(entered.prometheus.clone()).filter(|name| !name.is_empty());
        Ok(app.backtests.begin(BacktestRequest {
            rules: entered.files.clone(),
            against: Vec::new(),
            from,
            prometheus,
        })?)
    });
    match begun {
        Ok(number) => Ok(Redirect::to(&format!("/backtests/{number}")).into_response()),
        Err(fault) => Ok((
            fault.status(),
            form_page(&app, entered, Some(fault.to_string())),
        )
            .into_response()),
    }
}
