//! Job queue of backtests, for the page and the API: one runs at a time, up to [`WAITING`] wait,
//! and up to [`KEPT`] are kept.
//!
//! Jobs live in memory and end with the process.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use super::input::{BacktestFault, BacktestInput, BacktestProgress, BacktestSource};
use super::runner::{history_server, run};
use crate::app::core::Core;
use crate::app::settings::Settings;
use crate::app::sync::lock;
use crate::model::event::RuleFile;
use crate::model::fault;
use crate::model::time::Time;
use crate::rules;
use crate::rules::rule_set::RuleSet;
use crate::trial::comparison::BacktestReport;

/// Maximum number of jobs kept, finished ones included.
const KEPT: usize = 20;
/// Maximum length of the queue.
const WAITING: usize = 5;

/// Parameters of a backtest.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BacktestRequest {
    /// Candidate rules.
    pub rules: Vec<RuleFile>,
    /// Baseline rules; empty: the rules in force at the time.
    pub against: Vec<RuleFile>,
    /// Start of the report: earlier incidents are left out; `None`: all are included.
    pub from: Option<Time>,
    /// Entry of `metrics:` whose Prometheus history is read; `None`: the log is read.
    pub prometheus: Option<String>,
}

/// State of the job.
#[derive(Debug, Clone, PartialEq)]
pub enum JobState {
    /// Queued.
    Waiting,
    /// In progress.
    Running(BacktestProgress),
    /// Finished.
    Done(Arc<BacktestReport>),
    /// Failed, with the reason.
    Failed(String),
    /// Cancelled by a user.
    Cancelled,
}

impl JobState {
    /// Returns whether the job has finished, failed or been cancelled.
    #[must_use]
    pub fn is_over(&self) -> bool {
        !matches!(self, Self::Waiting | Self::Running(_))
    }
}

/// Backtest job.
#[derive(Debug, Clone)]
pub struct Job {
    /// Job number, unique in this process.
    pub number: u64,
    /// Time of the request.
    pub asked_at: Time,
    /// Parameters.
    pub wanted: Arc<BacktestRequest>,
    /// State of the job.
    pub state: JobState,
    cancelled: Arc<AtomicBool>,
}

impl Job {
    /// Creates a job.
    pub(crate) fn new(
        number: u64,
        asked_at: Time,
        wanted: BacktestRequest,
        state: JobState,
    ) -> Self {
        Self {
            number,
            asked_at,
            wanted: Arc::new(wanted),
            state,
            cancelled: Arc::default(),
        }
    }
}

/// Backtest jobs of this process, run by one worker thread.
#[derive(Debug)]
pub struct Backtests {
    core: Arc<Core>,
    all: Mutex<VecDeque<(Job, Option<BacktestInput>)>>,
    next: AtomicU64,
    /// Set while the worker thread runs.
    working: AtomicBool,
}

/// Reason why a backtest was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// Rules with faults.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Faults(Vec<fault::Fault>),
    /// Unknown or unusable entry of `metrics:`.
    #[error("{0}")]
    Unknown(String),
    /// Full queue.
    #[error(
        "{WAITING} backtests are queued already; try again when one has finished, or cancel one"
    )]
    TooMany,
}

/// Reads rules that are to be tried, with the severities in force, and the calendars in force that
/// they name.
fn load(files: &[RuleFile], settings: &Settings) -> Result<RuleSet, Refused> {
    let named = |file: &RuleFile| (file.name.clone(), file.text.clone());
    let mut texts: Vec<(String, String)> = files.iter().map(named).collect();
    for path in rules::parse::named_calendars(&texts) {
        let in_force = settings.logged.rules.iter().find(|file| file.name == path);
        texts.extend(in_force.map(named));
    }
    rules::parse::load_for(&texts, &settings.config.labels.scale).map_err(Refused::Faults)
}

impl Backtests {
    pub(crate) fn new(core: Arc<Core>) -> Self {
        Self {
            core,
            all: Mutex::default(),
            next: AtomicU64::new(0),
            working: AtomicBool::new(false),
        }
    }

    /// Queues a backtest. Returns its job number.
    ///
    /// # Errors
    /// When the rules have faults, the entry of `metrics:` is unknown or unusable, or the queue is
    /// full.
    pub fn begin(self: &Arc<Self>, wanted: BacktestRequest) -> Result<u64, Refused> {
        let settings = self.core.settings();
        let rules = load(&wanted.rules, &settings)?;
        let against = if wanted.against.is_empty() {
            None
        } else {
            Some(load(&wanted.against, &settings)?)
        };
        let facts = match &wanted.prometheus {
            None => BacktestSource::Log,
            // Addresses are not accepted: users could make this service send requests anywhere
            // (SSRF).
            Some(named)
                if settings
                    .config
                    .metrics
                    .iter()
                    .any(|entry| entry.name == *named) =>
            {
                BacktestSource::Prometheus(
                    Box::new(history_server(&settings, named).map_err(Refused::Unknown)?),
                    None,
                )
            }
            Some(named) => {
                return Err(Refused::Unknown(format!(
                    "there is no `{named}` under `metrics:` of the settings"
                )));
            }
        };
        let now = self.core.now();
        let ask = BacktestInput {
            config: settings.config.clone(),
            rules,
            against,
            facts,
            from: wanted.from,
            now,
        };
        let number = {
            let mut all = lock(&self.all);
            if all
                .iter()
                .filter(|(job, _)| job.state == JobState::Waiting)
                .count()
                >= WAITING
            {
                return Err(Refused::TooMany);
            }
            let number = self.next.fetch_add(1, Ordering::Relaxed) + 1;
            all.push_back((Job::new(number, now, wanted, JobState::Waiting), Some(ask)));
            let mut over = all.len().saturating_sub(KEPT);
            all.retain(|(job, _)| {
                let goes = over > 0 && job.state.is_over();
                over -= usize::from(goes);
                !goes
            });
            number
        };
        // One worker: each backtest keeps two processors busy.
        if !self.working.swap(true, Ordering::AcqRel) {
            let ours = Arc::clone(self);
            let started = std::thread::Builder::new()
                .name("backtest".to_owned())
                .spawn(move || ours.run_all());
            if let Err(fault) = started {
                self.working.store(false, Ordering::Release);
                self.set_state(
                    number,
                    JobState::Failed(format!("no thread could be started for it: {fault}")),
                );
            }
        }
        Ok(number)
    }

    /// Lists the jobs, newest first.
    #[must_use]
    pub fn list(&self) -> Vec<Job> {
        lock(&self.all)
            .iter()
            .rev()
            .map(|(job, _)| job.clone())
            .collect()
    }

    /// Finds a job by number.
    #[must_use]
    pub fn get(&self, number: u64) -> Option<Job> {
        lock(&self.all)
            .iter()
            .find(|(job, _)| job.number == number)
            .map(|(job, _)| job.clone())
    }

    /// Cancels a job unless it has finished; `false`: unknown number.
    pub fn cancel(&self, number: u64) -> bool {
        let mut all = lock(&self.all);
        let Some((job, ask)) = all.iter_mut().find(|(job, _)| job.number == number) else {
            return false;
        };
        job.cancelled.store(true, Ordering::Relaxed);
        if job.state == JobState::Waiting {
            (job.state, *ask) = (JobState::Cancelled, None);
        }
        true
    }

    fn set_state(&self, number: u64, state: JobState) {
        if let Some((job, _)) = lock(&self.all)
            .iter_mut()
            .find(|(job, _)| job.number == number)
        {
            job.state = state;
        }
    }

    /// Runs the queued jobs in order.
    fn run_all(&self) {
        loop {
            let taken = {
                let mut all = lock(&self.all);
                let found = all
                    .iter_mut()
                    .find(|(job, _)| job.state == JobState::Waiting);
                let taken = found.and_then(|(job, ask)| {
                    job.state = JobState::Running(BacktestProgress {
                        done: 0.0,
                        events: 0,
                    });
                    Some((job.number, ask.take()?, Arc::clone(&job.cancelled)))
                });
                if taken.is_none() {
                    // Cleared under the lock, so that the next `begin` starts a worker.
                    self.working.store(false, Ordering::Release);
                }
                taken
            };
            let Some((number, ask, cancelled)) = taken else {
                return;
            };
            self.run_one(number, ask, &cancelled);
        }
    }

    fn run_one(&self, number: u64, ask: BacktestInput, cancelled: &AtomicBool) {
        let told = &mut |progress| {
            if cancelled.load(Ordering::Relaxed) {
                return ControlFlow::Break(());
            }
            self.set_state(number, JobState::Running(progress));
            ControlFlow::Continue(())
        };
        // A panic in one job must not block the others.
        let state = match catch_unwind(AssertUnwindSafe(|| run(Some(&self.core.store), ask, told)))
        {
            Ok(Ok(report)) => JobState::Done(Arc::new(report)),
            Ok(Err(BacktestFault::Cancelled)) => JobState::Cancelled,
            Ok(Err(fault)) => JobState::Failed(fault.to_string()),
            Err(_) => JobState::Failed("it panicked; the log of the service says where".to_owned()),
        };
        self.set_state(number, state);
    }
}
