//! `/backtests/{number}`: progress and result of a backtest.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::{Html, Redirect};

use crate::app::App;
use crate::app::backtest::jobs::{Job, JobState};
use crate::http::api::backtests::find_job;
use crate::http::format::time;
use crate::http::pages::error::{PageError, PageResult};
use crate::http::pages::layout::{Tab, render_template};
use crate::trial::comparison::{BacktestReport, DecisionChange, IncidentComparison};
use crate::trial::csv;

/// Maximum number of unchanged incidents listed.
const UNCHANGED: usize = 50;

/// Maximum number of changed incidents listed.
const CHANGED: usize = 1000;

#[derive(Template)]
#[template(path = "http/pages/backtest.html")]
struct BacktestTemplate<'a> {
    tab: Tab,
    job: &'a Job,
}

impl BacktestTemplate<'_> {
    fn report(&self) -> Option<&BacktestReport> {
        if let JobState::Done(report) = &self.job.state {
            Some(report)
        } else {
            None
        }
    }

    /// Progress in percent, until the job is over.
    fn fraction_done(&self) -> Option<f64> {
        match &self.job.state {
            JobState::Waiting => Some(0.0),
            JobState::Running(progress) => Some((progress.done * 100.0).floor()),
            JobState::Done(_) | JobState::Failed(_) | JobState::Cancelled => None,
        }
    }

    fn count(&self, report: &BacktestReport, shift: DecisionChange) -> usize {
        report.shifts.get(&shift).copied().unwrap_or_default()
    }

    /// Listed incidents in the order of the report, and the number left out.
    fn listed<'r>(&self, report: &'r BacktestReport) -> (Vec<&'r IncidentComparison>, usize) {
        let of = |changed: bool| {
            report
                .incidents
                .iter()
                .filter(move |compared| (compared.shift != DecisionChange::Unchanged) == changed)
        };
        let listed: Vec<_> = of(true)
            .take(CHANGED)
            .chain(of(false).take(UNCHANGED))
            .collect();
        let left_out = report.incidents.len() - listed.len();
        (listed, left_out)
    }
}

/// Renders the page.
pub(crate) fn render(job: &Job) -> String {
    render_template(&BacktestTemplate {
        tab: Tab::Criteria,
        job,
    })
}

/// `GET /backtests/{number}`
pub(crate) async fn page(State(app): State<Arc<App>>, Path(number): Path<u64>) -> PageResult {
    Ok(Html(render(&find_job(&app, number)?)))
}

/// `POST /backtests/{number}/cancel`
pub(crate) async fn cancel(
    State(app): State<Arc<App>>,
    Path(number): Path<u64>,
) -> Result<Redirect, PageError> {
    find_job(&app, number)?;
    app.backtests.cancel(number);
    Ok(Redirect::to(&format!("/backtests/{number}")))
}
