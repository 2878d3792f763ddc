//! Status of conditions and of the sources of their samples, for pages and `/metrics`.

use std::collections::BTreeMap;

use crate::app::settings::Settings;
use crate::engine::conditions::evaluator::ConditionEvaluator;
use crate::model::event::ConditionState;
use crate::model::labels::Labels;
use crate::model::time::Time;

/// Status recorded by the metrics pipeline.
#[derive(Debug, Clone, Default)]
pub struct MonitorStatus {
    conditions: BTreeMap<String, ConditionStatus>,
    sources: BTreeMap<String, SourceStatus>,
}

/// Status of a condition.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ConditionStatus {
    /// Time of the last evaluation.
    pub last: Option<Time>,
    /// State of each series.
    pub series: Vec<(Labels, ConditionState)>,
    /// Number of series left out because the query exceeds `max_series`.
    pub left_out: usize,
    /// Reason why the condition cannot be evaluated.
    pub fault: Option<String>,
    /// Set once any target exposed the metrics that the query selects.
    pub offered: bool,
}

/// Condition in force, with its status.
#[derive(Debug, Clone, PartialEq)]
pub struct ConditionView {
    /// Name of the condition.
    pub name: String,
    /// Service it belongs to.
    pub service: String,
    /// Entry of `metrics:` it is evaluated on.
    pub metrics: String,
    /// PromQL query.
    pub query: String,
    /// Thresholds, as name and expression.
    pub bounds: Vec<(String, String)>,
    /// Maximum number of series tracked.
    pub max_series: usize,
    /// Current status.
    pub status: ConditionStatus,
}

impl ConditionStatus {
    /// The status without what a clock that was ahead evaluated: that says nothing of `now`.
    pub(crate) fn known_at(mut self, now: Time) -> Self {
        if self.last.is_some_and(|last| last > now) {
            self.last = None;
            for (_, state) in &mut self.series {
                *state = ConditionState::Unknown;
            }
        }
        self
    }

    /// Number of series in each state, the worst first.
    #[must_use]
    pub fn counts(&self) -> Vec<(ConditionState, usize)> {
        let order = [
            ConditionState::Degraded,
            ConditionState::NearMiss,
            ConditionState::Unknown,
            ConditionState::Healthy,
        ];
        let count = |state| self.series.iter().filter(|(_, is)| *is == state).count();
        order
            .into_iter()
            .map(|state| (state, count(state)))
            .filter(|(_, count)| *count > 0)
            .collect()
    }
}

/// Status of an entry of `metrics:`, or of one of its targets.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SourceStatus {
    /// Time of the last successful request.
    pub answered: Option<Time>,
    /// Current fault, if requests fail.
    pub fault: Option<String>,
    /// Number of samples stored.
    pub samples: u64,
    /// Number of recent series rejected by the cardinality limit of the entry.
    pub left_out: usize,
}

impl MonitorStatus {
    /// Resets the status for new settings.
    pub(crate) fn reset(&mut self, settings: &Settings) {
        let names = settings
            .policy
            .rules
            .conditions
            .iter()
            .map(|rule| rule.name.clone());
        self.conditions = names
            .map(|name| (name, ConditionStatus::default()))
            .collect();
        self.sources = settings
            .config
            .metrics
            .iter()
            .map(|metrics| (metrics.name.clone(), SourceStatus::default()))
            .collect();
    }

    pub(crate) fn record_evaluation(&mut self, name: &str, watches: &ConditionEvaluator) {
        let status = self.conditions.entry(name.to_owned()).or_default();
        status.last = watches.last();
        status.left_out = watches.left_out();
        status.series = watches
            .states()
            .map(|(labels, state)| (labels.clone(), state))
            .collect();
    }

    /// Records whether a target exposes the metrics of a condition; one target is enough. Returns
    /// whether the fault changed.
    pub(crate) fn record_offer(&mut self, name: &str, fault: Option<String>) -> bool {
        let status = self.conditions.entry(name.to_owned()).or_default();
        status.offered |= fault.is_none();
        let fault = fault.filter(|_| !status.offered);
        std::mem::replace(&mut status.fault, fault.clone()) != fault
    }

    /// Records the result of a request to part `whom` of an entry; empty for an entry that is a
    /// single server. Returns whether the fault changed.
    pub(crate) fn record_request(
        &mut self,
        name: &str,
        whom: &str,
        now: Time,
        heard: Result<(), String>,
    ) -> bool {
        let key = if whom.is_empty() {
            name.to_owned()
        } else {
            format!("{name} {whom}")
        };
        let status = self.sources.entry(key).or_default();
        match heard {
            Ok(()) => {
                status.answered = Some(now);
                status.fault.take().is_some()
            }
            Err(why) => status.fault.replace(why.clone()) != Some(why),
        }
    }

    /// Adds to the number of stored samples, and sets the number of rejected series.
    pub fn record_samples(&mut self, name: &str, samples: usize, left_out: usize) {
        let status = self.sources.entry(name.to_owned()).or_default();
        status.samples += samples as u64;
        status.left_out = left_out;
    }

    /// Status of conditions, by name.
    #[must_use]
    pub fn conditions(&self) -> &BTreeMap<String, ConditionStatus> {
        &self.conditions
    }

    /// Status of entries and targets, by name.
    #[must_use]
    pub fn sources(&self) -> &BTreeMap<String, SourceStatus> {
        &self.sources
    }
}
