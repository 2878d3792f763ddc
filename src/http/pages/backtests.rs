//! `GET /backtests`: rules to try over what happened, and what was tried so far.

use std::sync::Arc;

use askama::Template;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{Html, IntoResponse, Redirect, Response};

use crate::app::App;
use crate::app::backtest::jobs::{Job, State as JobState, Wanted};
use crate::config::metrics::MetricsKind;
use crate::http::api::backtests::RULES_BYTES;
use crate::http::body::within;
use crate::http::format::time;
use crate::http::pages::error::{PageError, PageResult};
use crate::http::pages::layout::{Tab, render_template};
use crate::http::time_range;
use crate::model::event::RuleFile;

/// What the page shows. Fields of `POST /backtests`: `name` and `text` of each file, in turn, `since`, `prometheus`.
pub(crate) struct BacktestsView {
    /// What is or was entered.
    pub(crate) entered: BacktestsInput,
    /// What is wrong with it, and what to do.
    pub(crate) fault: Option<String>,
    /// Entries of `metrics:` that remember.
    pub(crate) prometheis: Vec<String>,
    /// Those that were begun, newest first.
    pub(crate) jobs: Vec<Job>,
    /// Whether other processes are on the same database, which know nothing of these.
    pub(crate) replicas: bool,
}

/// What a person entered.
#[derive(Debug, Clone, Default)]
pub(crate) struct BacktestsInput {
    /// The rules that are tried.
    pub(crate) files: Vec<RuleFile>,
    /// Since when.
    pub(crate) since: String,
    /// Whose memory is read; empty: the log.
    pub(crate) prometheus: String,
}

#[derive(Template)]
#[template(path = "http/pages/backtests.html")]
struct BacktestsTemplate<'a> {
    tab: Tab,
    view: &'a BacktestsView,
}

impl BacktestsTemplate<'_> {
    /// "12 newly held, 3 no longer"
    fn outcome(&self, job: &Job) -> String {
        match &job.state {
            JobState::Waiting => "waits".to_owned(),
            JobState::Running(progress) => format!("runs, {:.0} %", progress.done * 100.0),
            JobState::Done(report) => {
                format!("held {}, before {}", report.after.held, report.before.held)
            }
            JobState::Failed(fault) => format!("failed: {fault}"),
            JobState::Cancelled => "broken off".to_owned(),
        }
    }
}

/// The page.
pub(crate) fn render(view: &BacktestsView) -> String {
    render_template(&BacktestsTemplate {
        tab: Tab::Criteria,
        view,
    })
}

/// `GET /backtests`
pub(crate) async fn page(State(app): State<Arc<App>>) -> PageResult {
    let files = app.settings().logged.rules.clone();
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
    let settings = app.settings();
    let remembering = settings
        .config
        .metrics
        .iter()
        .filter(|entry| matches!(entry.kind, MetricsKind::Prometheus(_)));
    let view = BacktestsView {
        entered,
        fault,
        prometheis: remembering.map(|entry| entry.name.clone()).collect(),
        jobs: app.backtests(),
        replicas: app.store.is_shared(),
    };
    Html(render(&view))
}

/// `POST /backtests`: fields `name` and `text` for each file, in turn, `since`, `prometheus`.
pub(crate) async fn post(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    raw: Body,
) -> Result<Response, PageError> {
    let body = within(RULES_BYTES, &app, &headers, raw).await?;
    let mut entered = BacktestsInput::default();
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
        Err(fault) => Ok((
            fault.status(),
            form_page(&app, entered, Some(fault.to_string())),
        )
            .into_response()),
    }
}
