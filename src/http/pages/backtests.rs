//! `GET /backtests`: rules to try over what happened, and what was tried so far.

use askama::Template;

use super::{Tab, show};
use crate::app::backtest::jobs::{Job, State};
use crate::model::event::RuleFile;

/// What the page shows. Fields of `POST /backtests`: `name` and `text` of each file, in turn, `since`, `prometheus`.
pub(crate) struct View {
    /// What is or was entered.
    pub(crate) entered: Entered,
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
pub(crate) struct Entered {
    /// The rules that are tried.
    pub(crate) files: Vec<RuleFile>,
    /// Since when.
    pub(crate) since: String,
    /// Whose memory is read; empty: the log.
    pub(crate) prometheus: String,
}

#[derive(Template)]
#[template(path = "http/pages/backtests.html")]
struct Page<'a> {
    tab: Tab,
    view: &'a View,
}

impl Page<'_> {
    /// "12 newly held, 3 no longer"
    fn outcome(&self, job: &Job) -> String {
        match &job.state {
            State::Waiting => "waits".to_owned(),
            State::Running(progress) => format!("runs, {:.0} %", progress.done * 100.0),
            State::Done(report) => {
                format!("held {}, before {}", report.after.held, report.before.held)
            }
            State::Failed(fault) => format!("failed: {fault}"),
            State::Cancelled => "broken off".to_owned(),
        }
    }
}

/// The page.
pub(crate) fn render(view: &View) -> String {
    show(&Page {
        tab: Tab::Criteria,
        view,
    })
}
