//! Context of a metrics task: its settings, its conditions, and writes that only the leader may do.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;

use super::monitor::ConditionMonitor;
use super::retention::lookback;
use crate::app::clock::STEP;
use crate::app::settings::Settings;
use crate::app::sync::blocking;
use crate::clients::credentials::ServerAccess;
use crate::clients::error::ClientError;
use crate::engine::conditions::evaluator::ConditionEvaluator;
use crate::engine::conditions::promql_subset::sample_buffer::SampleBuffer;
use crate::model::event::Event;
use crate::model::time::Time;
use crate::rules::rule_set::ConditionRule;
use crate::store::condition_state::{SavedState, StateOwner};
use crate::store::error::StoreError;
use crate::store::log::{MessageContext, NewRecord};

/// Delay before a store operation is retried.
const AFTER_A_FAULT: Duration = Duration::from_secs(1);
/// Interval between saves of evaluator state; up to this much is evaluated again after a crash.
pub(super) const SAVED_EVERY: TimeDelta = TimeDelta::minutes(1);

/// Context of the tasks of one entry of `metrics:`, or of one polled source.
#[derive(Clone)]
pub(crate) struct MetricsTask {
    pub(super) monitor: Arc<ConditionMonitor>,
    pub(super) settings: Arc<Settings>,
    pub(super) epoch: u64,
    /// Name of the entry or source.
    pub(super) name: String,
}

impl MetricsTask {
    /// The time by the service's clock.
    pub(super) fn now(&self) -> Time {
        self.monitor.core.now()
    }

    /// Conditions evaluated on this entry.
    pub(super) fn conditions(&self) -> impl Iterator<Item = &ConditionRule> {
        self.settings
            .policy
            .rules
            .conditions
            .iter()
            .filter(|rule| rule.metrics == self.name)
    }

    /// Runs a blocking store operation, retrying until it succeeds. `None`: this process has lost
    /// leadership.
    pub(super) async fn run_blocking<T: Send + 'static>(
        &self,
        what: &'static str,
        work: impl Fn(&ConditionMonitor) -> Result<T, StoreError> + Send + Sync + 'static,
    ) -> Option<T> {
        let work = Arc::new(work);
        loop {
            let (monitor, ours) = (Arc::clone(&self.monitor), Arc::clone(&work));
            match blocking(move || ours(&monitor)).await {
                Ok(Ok(done)) => {
                    self.monitor.core.faults.over(what);
                    return Some(done);
                }
                Ok(Err(StoreError::Fenced)) => return None,
                Ok(Err(fault)) => {
                    let fault = anyhow::Error::new(fault);
                    self.monitor.core.faults.report_lasting(what, &fault);
                }
                Err(panic) => self.monitor.core.faults.report_lasting(what, &panic),
            }
            tokio::time::sleep(AFTER_A_FAULT).await;
        }
    }

    /// Loads the saved evaluator state of its conditions. `None`: this process has lost leadership.
    pub(super) async fn load_evaluators(&self) -> Option<Evaluators> {
        let remembered = self
            .run_blocking(
                "the saved state of conditions could not be read",
                |monitor| monitor.core.store.saved_states(StateOwner::Conditions),
            )
            .await?;
        let states: BTreeMap<String, ConditionEvaluator> = remembered
            .into_iter()
            .filter_map(|one| Some((one.name, serde_json::from_str(&one.state?).ok()?)))
            .collect();
        let evaluators = self.conditions().map(|rule| {
            (
                rule.name.clone(),
                states.get(&rule.name).cloned().unwrap_or_default(),
            )
        });
        let (saved_at, stepped) = self.monitor.core.clock.now_and_stepped();
        Some(Evaluators {
            by_condition: evaluators.collect(),
            saved_at,
            stepped,
        })
    }

    /// Brings evaluators in line with the clock after it was set: gives the time, and the step, if
    /// there was one. `None`: this process has lost leadership.
    pub(super) async fn follow_clock(
        &self,
        evaluators: &mut Evaluators,
    ) -> Option<(Time, Option<TimeDelta>)> {
        let (now, stepped) = self.monitor.core.clock.now_and_stepped();
        let mut by = stepped - std::mem::replace(&mut evaluators.stepped, stepped);
        let evaluated = evaluators.by_condition.values();
        let last = evaluated.filter_map(ConditionEvaluator::last).max();
        // A former process, whose clock was ahead, may have saved them.
        if let Some(last) = last.filter(|last| *last + by > now + STEP) {
            by = now - last;
        }
        if by == TimeDelta::zero() {
            return Some((now, None));
        }
        self.shift_evaluators(evaluators, by).await?;
        Some((now, Some(by)))
    }

    /// Moves evaluators by a step of the clock, and drops samples whose timestamps do not belong
    /// together with those to come.
    async fn shift_evaluators(&self, evaluators: &mut Evaluators, by: TimeDelta) -> Option<()> {
        for evaluator in evaluators.by_condition.values_mut() {
            evaluator.shift(by);
        }
        evaluators.saved_at = self.now() - SAVED_EVERY;
        let (name, since) = (
            self.name.clone(),
            self.now() - lookback(&self.settings, &self.name),
        );
        self.run_blocking("old samples could not be dropped", move |monitor| {
            monitor.core.store.forget_samples_since(&name, since)
        })
        .await
    }

    /// Appends events of evaluations and saves evaluator state, at most every [`SAVED_EVERY`]
    /// unless there are events. `false`: this process has lost leadership.
    pub(super) async fn save_evaluators(
        &self,
        evaluators: &mut Evaluators,
        events: Vec<Event>,
    ) -> bool {
        let now = self.now();
        self.publish(evaluators);
        if events.is_empty() && now - evaluators.saved_at < SAVED_EVERY {
            return true;
        }
        evaluators.saved_at = now;
        let remembered: Vec<SavedState> = evaluators
            .by_condition
            .iter()
            .map(|(name, watches)| SavedState {
                name: name.clone(),
                state: serde_json::to_string(watches).ok(),
            })
            .collect();
        self.append(StateOwner::Conditions, remembered, events)
            .await
    }

    /// Appends events and saves state in one transaction. `false`: this process has lost
    /// leadership.
    pub(super) async fn append(
        &self,
        memory: StateOwner,
        remembered: Vec<SavedState>,
        events: Vec<Event>,
    ) -> bool {
        let (epoch, source) = (self.epoch, self.name.clone());
        let records: Vec<NewRecord> = (!events.is_empty())
            .then_some(NewRecord {
                source,
                body: Vec::new(),
                events,
                fault: None,
                beside: MessageContext::default(),
            })
            .into_iter()
            .collect();
        let work = move |monitor: &ConditionMonitor| {
            let logged = monitor.core.store.save_states(
                epoch,
                memory,
                &remembered,
                &records,
                monitor.core.now(),
            )?;
            monitor
                .core
                .progress
                .advance_head(logged.last().map(|last| last.position));
            Ok(())
        };
        self.run_blocking("the results of evaluations could not be stored", work)
            .await
            .is_some()
    }

    pub(super) fn publish(&self, evaluators: &Evaluators) {
        let mut status = self.monitor.recorded();
        for (name, watches) in &evaluators.by_condition {
            status.record_evaluation(name, watches);
        }
    }

    /// Reads the credential files again after the server rejected the credentials. `None`: it was
    /// another fault, or they cannot be read.
    pub(super) async fn reread_credentials(&self, fault: &ClientError) -> Option<ServerAccess> {
        if !matches!(fault, ClientError::Unauthorized(_)) {
            return None;
        }
        let (settings, name) = (Arc::clone(&self.settings), self.name.clone());
        blocking(move || settings.reload_metrics_access(&name))
            .await
            .ok()?
            .ok()?
    }

    /// Records the result of a request to the source, or to one part of it.
    pub(super) fn record_request(&self, whom: &str, heard: Result<(), String>) {
        let now = self.now();
        if self
            .monitor
            .recorded()
            .record_request(&self.name, whom, now, heard.clone())
        {
            let context = match whom {
                "" => format!("metrics `{}`", self.name),
                "pictures" => format!("metrics `{}` (plots)", self.name),
                whom => format!("metrics `{}` ({whom})", self.name),
            };
            self.monitor.core.faults.record(&context, heard);
        }
    }

    /// Reads the stored samples of an entry after `position`. `None`: this process has lost
    /// leadership.
    pub(super) async fn read_samples(
        &self,
        samples: &mut SampleBuffer,
        position: &mut u64,
    ) -> Option<()> {
        const BATCH: usize = 1000;
        loop {
            let (name, after) = (self.name.clone(), *position);
            let batches = self
                .run_blocking("samples could not be read", move |monitor| {
                    monitor.core.store.samples_after(&name, after, BATCH)
                })
                .await?;
            let more = batches.len() == BATCH;
            for batch in batches {
                *position = batch.position;
                batch
                    .samples
                    .into_iter()
                    .for_each(|sample| samples.take(sample));
            }
            if !more {
                return Some(());
            }
        }
    }
}

/// Evaluators of the conditions of one entry.
pub(super) struct Evaluators {
    pub(super) by_condition: BTreeMap<String, ConditionEvaluator>,
    saved_at: Time,
    /// Sum of the steps of the clock that they have been moved by.
    stepped: TimeDelta,
}
