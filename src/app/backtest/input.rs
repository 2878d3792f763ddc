//! Input, progress and faults of a backtest.

use std::path::PathBuf;

use chrono::TimeDelta;

use crate::app::prometheus_history::server::HistoryServer;
use crate::config::settings::Config;
use crate::model::time::Time;
use crate::rules::rule_set::RuleSet;

/// Input of a backtest.
#[derive(Debug)]
pub(crate) struct BacktestInput {
    /// Configuration: services, people, maintenance windows and label names.
    pub config: Config,
    /// Candidate rules.
    pub rules: RuleSet,
    /// Baseline rules; `None`: the rules in force at the time, as logged.
    pub against: Option<RuleSet>,
    /// Event source.
    pub facts: BacktestSource,
    /// Start of the report: earlier incidents are left out; `None`: all are included.
    pub from: Option<Time>,
    /// Current time.
    pub now: Time,
}

/// Event source of a backtest.
#[derive(Debug)]
pub(crate) enum BacktestSource {
    /// Log of the store.
    Log,
    /// File: output of `afterword export`, or one normalised event per line.
    File(PathBuf),
    /// History of a Prometheus server, read at this resolution if given.
    Prometheus(Box<HistoryServer>, Option<TimeDelta>),
}

/// Progress of a backtest.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BacktestProgress {
    /// Fraction done, from 0 to 1.
    pub done: f64,
    /// Number of events read.
    pub events: u64,
}

/// Reason why there is no report.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BacktestFault {
    /// Cancelled by the caller.
    #[error("cancelled")]
    Cancelled,
    /// Unreadable event source.
    #[error("{0:#}")]
    Unreadable(#[from] anyhow::Error),
}
