//! Checked rules: criteria, metric conditions, correlation settings.

use super::counted_hours::CountedHours;
use super::promql::ParsedQuery;
use super::seconds::Seconds;
use crate::expr::Expr;
use crate::model::event::{ConditionState, Severity};
use crate::model::verdict::{CriterionKind, Decision, PostmortemForm};
use crate::yaml::node::Position;

/// All rules in force.
#[derive(Debug, Clone, Default)]
pub struct RuleSet {
    /// In the order of their files.
    pub criteria: Vec<Criterion>,
    /// Metric conditions.
    pub conditions: Vec<ConditionRule>,
    /// Correlation settings.
    pub correlation: Correlation,
}

/// One entry of `criteria:`.
#[derive(Debug, Clone)]
pub struct Criterion {
    /// Unique.
    pub name: String,
    /// The decision of a met verdict; `none` for a criterion that only explains.
    pub decision: Decision,
    /// The form of the postmortem it leads to.
    pub form: PostmortemForm,
    /// True for a shadow criterion, which only records its verdict.
    pub shadow: bool,
    /// The condition on the incident (and its signal, intervention, request or near miss).
    pub filter: Option<Expr>,
    /// The hours that count; `None` for all.
    pub hours: Option<CountedHours>,
    /// The test.
    pub test: CriterionTest,
}

/// The test of a criterion.
#[derive(Debug, Clone, PartialEq)]
pub enum CriterionTest {
    /// A declared outage.
    Outage,
    /// Degraded time; at least one of the two is set.
    Degradation {
        /// Minimum length of one unbroken span.
        longest: Option<Seconds>,
        /// Minimum sum of degraded time, and the window it is summed over.
        total: Option<(Seconds, Seconds)>,
    },
    /// Manual steps that should be automatic.
    Intervention {
        /// Minimum number of steps.
        at_least: u32,
        /// The window over several incidents; `None`: one incident.
        window: Option<StepWindow>,
    },
    /// A stakeholder's request.
    Request,
    /// The best near miss of a quiet period.
    NearMiss {
        /// Minimum score.
        score_at_least: f64,
        /// Period without any postmortem held in the scope.
        quiet_for: Seconds,
        /// Maximum number of postmortems, and the period it applies to.
        at_most: (u32, Seconds),
    },
    /// The same thing again.
    Recurrence {
        /// Number of occurrences, this one included.
        times: u32,
        /// Window of the occurrences.
        within: Seconds,
        /// The traits that must be the same; empty: the service and the alert or condition that opened it.
        same: Vec<Likeness>,
    },
}

/// A window in which manual steps of several incidents are counted together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepWindow {
    /// Its length.
    pub within: Seconds,
    /// The traits that the steps must share.
    pub per: Vec<StepGrouping>,
}

/// Things that manual steps may have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepGrouping {
    /// The service.
    Service,
    /// An owner of the services concerned.
    Scope,
    /// The action.
    Action,
}

/// Things that incidents may have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Likeness {
    /// The service of the opening event.
    Service,
    /// The alert that opened it.
    Alert,
    /// The condition that opened it.
    Condition,
    /// A criterion that is met.
    Criterion,
    /// The value of a label of the opening alert or condition.
    Label(String),
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
    /// The query, parsed.
    pub understood: ParsedQuery,
    /// Threshold of degradation.
    pub degraded: Threshold,
    /// Threshold of a near miss.
    pub near_miss: Option<Threshold>,
    /// Threshold of recovery, where it differs from the end of degradation.
    pub recovered: Option<Threshold>,
    /// Prometheus's `for`.
    pub pending_for: Seconds,
    /// Prometheus's `keep_firing_for`.
    pub keep_firing_for: Seconds,
    /// State while its series is absent from the result: healthy, degraded or unknown.
    pub no_data: ConditionState,
    /// Interval of evaluation.
    pub every: Seconds,
    /// Maximum number of series watched; further ones are left out and reported.
    pub max_series: usize,
    /// Its positions in the rule file.
    pub places: ConditionPositions,
}

/// Positions of parts of a condition, for faults that only show together with the settings.
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
    /// True when `value` meets the threshold. As in PromQL, NaN is only ever unequal.
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
    /// Labels that join events with equal values; `service` is the resolved service.
    pub correlate_by: Vec<String>,
    /// Maximum time between the beginnings of events of dependent services.
    pub join_within: Seconds,
    /// Quiet period after which an incident is resolved.
    pub settle: Seconds,
    /// Period after the last activity in which events still join.
    pub reopen_within: Seconds,
    /// Shorter gaps do not interrupt a span.
    pub bridge: Seconds,
    /// Maximum age of an incident that events still join.
    pub lifetime: Seconds,
    /// Events that match are ignored.
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
