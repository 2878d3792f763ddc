//! Checked rules: criteria, metric conditions, correlation settings.

use super::promql::ParsedQuery;
use super::seconds::Seconds;
use crate::expr::Expr;
use crate::model::event::{ConditionState, Severity};
use crate::model::verdict::{CriterionKind, Decision};
use crate::yaml::node::Position;

/// All rules in force.
#[derive(Debug, Clone, Default)]
pub struct RuleSet {
    /// In the order of their files.
    pub criteria: Vec<Criterion>,
    /// Metric conditions.
    pub conditions: Vec<ConditionRule>,
    /// How events are brought together.
    pub correlation: Correlation,
}

/// One entry of `criteria:`.
#[derive(Debug, Clone)]
pub struct Criterion {
    /// Unique.
    pub name: String,
    /// What a met verdict leads to.
    pub decision: Decision,
    /// Only records what it would have done.
    pub shadow: bool,
    /// What the incident (and its signal, intervention, request or near miss) must be.
    pub filter: Option<Expr>,
    /// What is asked.
    pub test: CriterionTest,
}

/// What a criterion asks of an incident.
#[derive(Debug, Clone, PartialEq)]
pub enum CriterionTest {
    /// A declared outage.
    Outage,
    /// Degraded time; at least one of the two is set.
    Degradation {
        /// One unbroken stretch of at least so long.
        longest: Option<Seconds>,
        /// Summed: at least the first within any window of the second.
        total: Option<(Seconds, Seconds)>,
    },
    /// Manual steps into what should be automatic.
    Intervention {
        /// How many it takes.
        at_least: u32,
    },
    /// A stakeholder's request.
    Request,
    /// The best near miss of a quiet time.
    NearMiss {
        /// Lowest score that counts.
        score_at_least: f64,
        /// Nothing held in the scope for so long.
        quiet_for: Seconds,
        /// At most so many per so long.
        at_most: (u32, Seconds),
    },
    /// The same service and opening alert or condition again.
    Recurrence {
        /// How many times, this one included.
        times: u32,
        /// Within how long.
        within: Seconds,
    },
}

impl CriterionTest {
    /// The kind, as `on:` names it.
    #[must_use]
    pub fn kind(&self) -> CriterionKind {
        match self {
            Self::Outage => CriterionKind::Outage,
            Self::Degradation { .. } => CriterionKind::Degradation,
            Self::Intervention { .. } => CriterionKind::Intervention,
            Self::Request => CriterionKind::Request,
            Self::NearMiss { .. } => CriterionKind::NearMiss,
            Self::Recurrence { .. } => CriterionKind::Recurrence,
        }
    }
}

/// One entry of `conditions:`.
#[derive(Debug, Clone, PartialEq)]
pub struct ConditionRule {
    /// Unique.
    pub name: String,
    /// The service it watches.
    pub service: String,
    /// Severity of its signal.
    pub severity: Severity,
    /// Name of an entry of `metrics:` in the settings.
    pub metrics: String,
    /// PromQL.
    pub query: String,
    /// The query as far as it is understood here.
    pub understood: ParsedQuery,
    /// Degraded when the value is so.
    pub degraded: Threshold,
    /// A near miss when the value is so.
    pub near_miss: Option<Threshold>,
    /// No longer degraded only when the value is so.
    pub recovered: Option<Threshold>,
    /// Prometheus's `for`.
    pub pending_for: Seconds,
    /// Prometheus's `keep_firing_for`.
    pub keep_firing_for: Seconds,
    /// What it is while its series is not in the answer: healthy, degraded or unknown.
    pub no_data: ConditionState,
    /// How often it is evaluated.
    pub every: Seconds,
    /// How many series are watched at the most; further ones are left out, visibly.
    pub max_series: usize,
    /// Where it stands.
    pub places: ConditionPositions,
}

/// Where parts of a condition stand, for faults that only show beside the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConditionPositions {
    /// The rule file.
    pub file: String,
    /// Of `metrics:`.
    pub metrics: Position,
    /// Of `query:`.
    pub query: Position,
}

/// A comparison with a number: `> 0.02`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Threshold {
    /// The comparison.
    pub comparison: Comparison,
    /// The number compared with.
    pub value: f64,
}

impl Threshold {
    /// Whether `value` is so. As in PromQL, not-a-number is only ever unequal.
    #[must_use]
    pub fn is_met_by(self, value: f64) -> bool {
        match self.comparison {
            Comparison::Above => value > self.value,
            Comparison::AtLeast => value >= self.value,
            Comparison::Below => value < self.value,
            Comparison::AtMost => value <= self.value,
            Comparison::Equal => value == self.value,
            Comparison::NotEqual => value != self.value,
        }
    }
}

/// PromQL's comparisons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `>`
    Above,
    /// `>=`
    AtLeast,
    /// `<`
    Below,
    /// `<=`
    AtMost,
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
}

/// The entry `correlation:`.
#[derive(Debug, Clone)]
pub struct Correlation {
    /// Labels whose equality joins events; `service` is the service as read.
    pub correlate_by: Vec<String>,
    /// How far apart events of dependent services may begin.
    pub join_within: Seconds,
    /// How long it must be quiet to be resolved.
    pub settle: Seconds,
    /// How long after the last activity events still join.
    pub reopen_within: Seconds,
    /// A shorter gap does not break a stretch.
    pub bridge: Seconds,
    /// Joins stop so long after the beginning.
    pub lifetime: Seconds,
    /// Events for which this holds are no part of anything.
    pub ignore: Option<Expr>,
}

impl Default for Correlation {
    fn default() -> Self {
        Self {
            correlate_by: vec!["service".to_owned()],
            join_within: 15 * 60,
            settle: 5 * 60,
            reopen_within: 30 * 60,
            bridge: 2 * 60,
            lifetime: 24 * 60 * 60,
            ignore: None,
        }
    }
}
