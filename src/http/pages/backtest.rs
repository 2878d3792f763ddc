//! `GET /backtests/{number}`: how far a backtest is, and what came of it.

use askama::Template;

use super::{Tab, show};
use crate::app::backtest::jobs::{Job, State};
use crate::trial::comparison::{Report, Shift};
use crate::trial::csv;

/// Incidents that fare as before and are listed.
const UNCHANGED: usize = 50;
/// Incidents that fare otherwise and are listed.
const CHANGED: usize = 1000;

#[derive(Template)]
#[template(path = "http/pages/backtest.html")]
struct Page<'a> {
    tab: Tab,
    job: &'a Job,
}

impl Page<'_> {
    fn report(&self) -> Option<&Report> {
        if let State::Done(report) = &self.job.state {
            Some(report)
        } else {
            None
        }
    }

    /// How far it is, while it is not over: from 0 to 100.
    fn done(&self) -> Option<f64> {
        match &self.job.state {
            State::Waiting => Some(0.0),
            State::Running(progress) => Some((progress.done * 100.0).floor()),
            State::Done(_) | State::Failed(_) | State::Cancelled => None,
        }
    }

    fn count(&self, report: &Report, shift: Shift) -> usize {
        report.shifts.get(&shift).copied().unwrap_or_default()
    }

    /// Those that are listed, in the order of the report, and how many are not.
    fn listed<'r>(
        &self,
        report: &'r Report,
    ) -> (Vec<&'r crate::trial::comparison::Compared>, usize) {
        let of = |changed: bool| {
            report
                .incidents
                .iter()
                .filter(move |compared| (compared.shift != Shift::Unchanged) == changed)
        };
        let listed: Vec<_> = of(true)
            .take(CHANGED)
            .chain(of(false).take(UNCHANGED))
            .collect();
        let left_out = report.incidents.len() - listed.len();
        (listed, left_out)
    }
}

/// The page.
pub(crate) fn render(job: &Job) -> String {
    show(&Page {
        tab: Tab::Criteria,
        job,
    })
}
