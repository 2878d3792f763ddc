//! Backtests in every state.

use std::collections::BTreeMap;

use super::model::at;
use crate::app::backtest::input::BacktestProgress;
use crate::app::backtest::jobs::{BacktestRequest, Job, JobState};
use crate::http::pages::backtests::{BacktestsInput, BacktestsView};
use crate::http::pages::{backtest, backtests};
use crate::model::event::RuleFile;
use crate::model::id::IncidentId;
use crate::model::verdict::Decision;
use crate::trial::backtest::{CriterionCounts, IncidentOutcome};
use crate::trial::comparison::{
    BacktestReport, DecisionChange, DecisionCounts, IncidentComparison,
};

fn report() -> BacktestReport {
    let case = IncidentOutcome {
        incident: IncidentId("i-3f2a91c0de".to_owned()),
        title: "<b>HighErrorRate".to_owned(),
        services: vec!["checkout".to_owned()],
        began: at(0),
        decision: Decision::Hold,
        decided_at: Some(at(1200)),
        bundle: None,
        criteria: vec!["quick".to_owned()],
        sentence: "Checkout has been degraded for 20m without a break (threshold 20m).".to_owned(),
    };
    BacktestReport {
        from: at(0),
        until: at(86_400),
        records: 12,
        events: 20,
        against: "the rules in force at the time".to_owned(),
        before: DecisionCounts {
            incidents: 3,
            held: 0,
            suggested: 1,
            bundled: 0,
        },
        after: DecisionCounts {
            incidents: 3,
            held: 1,
            suggested: 0,
            bundled: 0,
        },
        shifts: BTreeMap::from([(DecisionChange::NewlyHeld, 1)]),
        criteria: vec![CriterionCounts {
            criterion: "quick".to_owned(),
            shadow: true,
            met: 1,
            unknown: 0,
            decided: 1,
        }],
        incidents: vec![IncidentComparison {
            shift: DecisionChange::NewlyHeld,
            before: Decision::Suggest,
            before_criteria: vec!["long".to_owned()],
            case,
        }],
        notes: vec![
            "out.jsonl is truncated: the last line of an export is missing; export again."
                .to_owned(),
        ],
    }
}

fn job(state: JobState) -> Job {
    Job::new(7, at(0), BacktestRequest::default(), state)
}

/// Pages of backtests by name.
pub(crate) fn all() -> [(&'static str, String); 6] {
    let running = || {
        job(JobState::Running(BacktestProgress {
            done: 0.42,
            events: 1000,
        }))
    };
    let done = || job(JobState::Done(report().into()));
    let view = BacktestsView {
        entered: BacktestsInput {
            files: vec![RuleFile {
                name: "rules.yaml".to_owned(),
                text: "</textarea><script>alert(1)</script>".to_owned(),
            }],
            ..BacktestsInput::default()
        },
        fault: Some("rules.yaml:1:1: nothing is there".to_owned()),
        prometheus_names: vec!["prom".to_owned()],
        jobs: vec![
            running(),
            done(),
            job(JobState::Failed("no answer".to_owned())),
            job(JobState::Cancelled),
        ],
        replicas: true,
    };
    [
        ("backtests", backtests::render(&view)),
        (
            "waiting backtest",
            backtest::render(&job(JobState::Waiting)),
        ),
        ("running backtest", backtest::render(&running())),
        ("backtest", backtest::render(&done())),
        (
            "failed backtest",
            backtest::render(&job(JobState::Failed("no answer".to_owned()))),
        ),
        (
            "cancelled backtest",
            backtest::render(&job(JobState::Cancelled)),
        ),
    ]
}
