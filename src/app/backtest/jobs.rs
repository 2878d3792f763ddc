//! Backtests in the background, for the page and the API: one runs at a time, a few wait, and the last ones are kept.
//!
//! They are this process's own and end with it; nothing of them is stored.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use super::{Ask, BacktestFacts, BacktestFault, Progress, prometheus, run};
use crate::app::core::Core;
use crate::app::sync::lock;
use crate::model::event::RuleFile;
use crate::model::fault;
use crate::model::time::Time;
use crate::rules;
use crate::rules::rule_set::RuleSet;
use crate::trial::comparison::BacktestReport;

/// Those that are kept once they are over.
const KEPT: usize = 20;
/// Those that may wait.
const WAITING: usize = 5;

/// What somebody wants to know.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wanted {
    /// The rules that are tried.
    pub rules: Vec<RuleFile>,
    /// The rules they are compared with; empty: those that held when.
    pub against: Vec<RuleFile>,
    /// Incidents that began since then are told of; `None`: all.
    pub from: Option<Time>,
    /// An entry of `metrics:` that is a Prometheus, whose memory is read; `None`: the log is.
    pub prometheus: Option<String>,
}

/// How far it is.
#[derive(Debug, Clone, PartialEq)]
pub enum JobState {
    /// Others are before it.
    Waiting,
    /// It runs.
    Running(Progress),
    /// It is over.
    Done(Arc<BacktestReport>),
    /// It could not be done.
    Failed(String),
    /// Somebody wanted no more of it.
    Cancelled,
}

impl JobState {
    /// Whether it is over, one way or another.
    #[must_use]
    pub fn is_over(&self) -> bool {
        !matches!(self, Self::Waiting | Self::Running(_))
    }
}

/// A backtest that somebody asked for.
#[derive(Debug, Clone)]
pub struct Job {
    /// Its number in this process.
    pub number: u64,
    /// When it was asked for.
    pub asked_at: Time,
    /// What was asked.
    pub wanted: Arc<Wanted>,
    /// How far it is.
    pub state: JobState,
    cancelled: Arc<AtomicBool>,
}

impl Job {
    /// One that was just asked for.
    pub(crate) fn new(number: u64, asked_at: Time, wanted: Wanted, state: JobState) -> Self {
        Self {
            number,
            asked_at,
            wanted: Arc::new(wanted),
            state,
            cancelled: Arc::default(),
        }
    }
}

/// The backtests of this process.
#[derive(Debug)]
pub struct Backtests {
    core: Arc<Core>,
    all: Mutex<VecDeque<(Job, Option<Ask>)>>,
    next: AtomicU64,
    /// Whether a thread works on them.
    working: AtomicBool,
}

/// Why a backtest is not begun.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The rules have faults.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Faults(Vec<fault::Fault>),
    /// What was asked for is not there.
    #[error("{0}")]
    Unknown(String),
    /// Too many wait.
    #[error("{WAITING} backtests wait already; try again when one of them is over, or cancel one")]
    TooMany,
}

fn load(files: &[RuleFile]) -> Result<RuleSet, Refused> {
    let texts: Vec<(String, String)> = files
        .iter()
        .map(|file| (file.name.clone(), file.text.clone()))
        .collect();
    rules::parse::load(&texts).map_err(Refused::Faults)
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

    /// Begins a backtest in the background; gives its number.
    ///
    /// # Errors
    /// When the rules have faults, what is asked for is not there, or too many wait.
    pub fn begin(self: &Arc<Self>, wanted: Wanted) -> Result<u64, Refused> {
        let settings = self.core.settings();
        let rules = load(&wanted.rules)?;
        let against = if wanted.against.is_empty() {
            None
        } else {
            Some(load(&wanted.against)?)
        };
        let facts = match &wanted.prometheus {
            None => BacktestFacts::Log,
            // An address would have this service ask anybody on somebody's word.
            Some(named)
                if settings
                    .config
                    .metrics
                    .iter()
                    .any(|entry| entry.name == *named) =>
            {
                BacktestFacts::Prometheus(
                    Box::new(prometheus(&settings, named).map_err(Refused::Unknown)?),
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
        let ask = Ask {
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
        // One at a time: each takes all of two processors.
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

    /// The backtests that are known, newest first.
    #[must_use]
    pub fn list(&self) -> Vec<Job> {
        lock(&self.all)
            .iter()
            .rev()
            .map(|(job, _)| job.clone())
            .collect()
    }

    /// The backtest of that number.
    #[must_use]
    pub fn get(&self, number: u64) -> Option<Job> {
        lock(&self.all)
            .iter()
            .find(|(job, _)| job.number == number)
            .map(|(job, _)| job.clone())
    }

    /// Breaks one off, unless it is over; `false`: there is none of that number.
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

    /// Runs all that wait, the first first.
    fn run_all(&self) {
        loop {
            let taken = {
                let mut all = lock(&self.all);
                let found = all
                    .iter_mut()
                    .find(|(job, _)| job.state == JobState::Waiting);
                let taken = found.and_then(|(job, ask)| {
                    job.state = JobState::Running(Progress {
                        done: 0.0,
                        events: 0,
                    });
                    Some((job.number, ask.take()?, Arc::clone(&job.cancelled)))
                });
                if taken.is_none() {
                    // While the list is held, so that whoever adds to it finds nobody at work.
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

    fn run_one(&self, number: u64, ask: Ask, cancelled: &AtomicBool) {
        let told = &mut |progress| {
            if cancelled.load(Ordering::Relaxed) {
                return ControlFlow::Break(());
            }
            self.set_state(number, JobState::Running(progress));
            ControlFlow::Continue(())
        };
        // What fails in one must not keep the others waiting for ever.
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
