//! What is known of conditions and of where their samples are from, for the pages and for `/metrics`.

use std::collections::BTreeMap;

use crate::app::settings::Settings;
use crate::engine::conditions::evaluator::ConditionEvaluator;
use crate::model::event::ConditionState;
use crate::model::labels::Labels;
use crate::model::time::Time;

/// What the process that measures knows.
#[derive(Debug, Clone, Default)]
pub struct Measured {
    conditions: BTreeMap<String, ConditionStatus>,
    sources: BTreeMap<String, SourceStatus>,
}

/// A condition.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ConditionStatus {
    /// Its last evaluation.
    pub last: Option<Time>,
    /// The state of each series.
    pub series: Vec<(Labels, ConditionState)>,
    /// How many series were left out because it has more than `max_series`.
    pub left_out: usize,
    /// Why it cannot be evaluated as it stands.
    pub fault: Option<String>,
    /// Whether any target was seen to offer what it asks for.
    pub offered: bool,
}

/// A condition in force with how it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown {
    /// Its name.
    pub name: String,
    /// The service it watches.
    pub service: String,
    /// The entry of `metrics:` it asks.
    pub metrics: String,
    /// Its query.
    pub query: String,
    /// Its thresholds, by name.
    pub bounds: Vec<(String, String)>,
    /// How many series are watched at the most.
    pub max_series: usize,
    /// How it is.
    pub status: ConditionStatus,
}

impl ConditionStatus {
    /// How many series are in each state, the worst first.
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

/// An entry of `metrics:`, or one target of it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SourceStatus {
    /// When it last answered.
    pub answered: Option<Time>,
    /// Why it does not answer now.
    pub fault: Option<String>,
    /// Samples taken of what it offered.
    pub samples: u64,
    /// How many series were left out of late because there are more than are kept of an entry.
    pub left_out: usize,
}

impl Measured {
    /// Begins anew with these settings.
    pub(crate) fn begin(&mut self, settings: &Settings) {
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

    pub(crate) fn evaluated(&mut self, name: &str, watches: &ConditionEvaluator) {
        let status = self.conditions.entry(name.to_owned()).or_default();
        status.last = watches.last();
        status.left_out = watches.left_out();
        status.series = watches
            .states()
            .map(|(labels, state)| (labels.clone(), state))
            .collect();
    }

    /// Whether a target offers what a condition asks for, or why not; whether that is news. One target that does is enough.
    pub(crate) fn offered(&mut self, name: &str, fault: Option<String>) -> bool {
        let status = self.conditions.entry(name.to_owned()).or_default();
        status.offered |= fault.is_none();
        let fault = fault.filter(|_| !status.offered);
        std::mem::replace(&mut status.fault, fault.clone()) != fault
    }

    /// That part `whom` of an entry answered, or why not; whether that is news. An entry that is one server has no parts.
    pub(crate) fn heard(
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

    /// Counts samples that were taken from an entry, and notes how many of its series were left out of late.
    pub fn took(&mut self, name: &str, samples: usize, left_out: usize) {
        let status = self.sources.entry(name.to_owned()).or_default();
        status.samples += samples as u64;
        status.left_out = left_out;
    }

    /// Conditions by name.
    #[must_use]
    pub fn conditions(&self) -> &BTreeMap<String, ConditionStatus> {
        &self.conditions
    }

    /// Entries and their targets by name.
    #[must_use]
    pub fn sources(&self) -> &BTreeMap<String, SourceStatus> {
        &self.sources
    }
}
