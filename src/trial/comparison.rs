//! Backtest report: the differences between two rule sets over the same facts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::backtest::{BacktestResult, CriterionCounts, IncidentOutcome};
use crate::model::time::Time;
use crate::model::verdict::Decision;
use crate::rules::rule_set::{ConditionRule, RuleSet};

/// Differences between two rule sets over the same facts, in the shape of its JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BacktestReport {
    /// Incidents that began before this are not reported.
    pub from: Time,
    /// End of the facts.
    pub until: Time,
    /// Number of records read.
    pub records: u64,
    /// Number of events in them.
    pub events: u64,
    /// Description of the rules compared with.
    pub against: String,
    /// Totals under those.
    pub before: DecisionCounts,
    /// Totals under the tested rules.
    pub after: DecisionCounts,
    /// Number of incidents by change.
    pub shifts: BTreeMap<DecisionChange, usize>,
    /// Totals for each criterion of the tested rules, in their order.
    pub criteria: Vec<CriterionCounts>,
    /// Every incident held or suggested under either rule set: changed ones first, then by
    /// beginning.
    pub incidents: Vec<IncidentComparison>,
    /// Caveats: facts that could not be read, or conditions that the tested rules define
    /// differently.
    pub notes: Vec<String>,
}

impl BacktestReport {
    /// Number of newly held incidents that were suggested before.
    #[must_use]
    pub fn rose(&self) -> usize {
        self.incidents
            .iter()
            .filter(|row| row.shift == DecisionChange::NewlyHeld && row.before == Decision::Suggest)
            .count()
    }

    /// Number of no longer held incidents that are suggested now.
    #[must_use]
    pub fn fell(&self) -> usize {
        self.incidents
            .iter()
            .filter(|row| {
                row.shift == DecisionChange::NoLongerHeld && row.case.decision == Decision::Suggest
            })
            .count()
    }
}

/// Changes of the decision about an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DecisionChange {
    /// Held now, and was not.
    NewlyHeld,
    /// Was held, and is not now.
    NoLongerHeld,
    /// Suggested now, and was neither suggested nor held.
    NewlySuggested,
    /// Was suggested, and is neither now.
    NoLongerSuggested,
    /// As before: held or suggested.
    Unchanged,
}

impl DecisionChange {
    /// The label shown to people.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::NewlyHeld => "newly opened",
            Self::NoLongerHeld => "no longer opened",
            Self::NewlySuggested => "newly suggested",
            Self::NoLongerSuggested => "no longer suggested",
            Self::Unchanged => "unchanged",
        }
    }
}

/// An incident under two rule sets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IncidentComparison {
    /// The change.
    pub shift: DecisionChange,
    /// The decision under the rules compared with.
    pub before: Decision,
    /// The criteria that decision was based on.
    pub before_criteria: Vec<String>,
    /// The result under the tested rules, with the sentence of the deciding verdict.
    #[serde(flatten)]
    pub case: IncidentOutcome,
}

/// Totals of decisions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DecisionCounts {
    /// All incidents.
    pub incidents: usize,
    /// Held.
    pub held: usize,
    /// Suggested.
    pub suggested: usize,
    /// Held or suggested ones covered by another incident's postmortem, without a meeting of their
    /// own.
    pub bundled: usize,
}

impl DecisionCounts {
    /// The totals of a result.
    #[must_use]
    pub fn of(result: &BacktestResult) -> Self {
        let count = |decision| {
            result
                .cases
                .values()
                .filter(|case| case.decision == decision)
                .count()
        };
        let bundled = result
            .cases
            .values()
            .filter(|case| case.bundle.is_some())
            .count();
        Self {
            incidents: result.cases.len(),
            held: count(Decision::Hold),
            suggested: count(Decision::Suggest),
            bundled,
        }
    }
}

/// Every incident held or suggested under either rule set: changed ones first, then by beginning.
#[must_use]
pub fn compare(before: &BacktestResult, after: &BacktestResult) -> Vec<IncidentComparison> {
    let mut all = Vec::new();
    for (id, case) in &after.cases {
        let known = before.cases.get(id);
        let was = known.map_or(Decision::None, |case| case.decision);
        let before_criteria = known.map(|case| case.criteria.clone()).unwrap_or_default();
        all.extend(shift(was, case.decision).map(|shift| IncidentComparison {
            shift,
            before: was,
            before_criteria,
            case: case.clone(),
        }));
    }
    // Under other correlation it may not be an incident of its own.
    for case in before
        .cases
        .values()
        .filter(|case| !after.cases.contains_key(&case.incident))
    {
        let other = IncidentOutcome {
            decision: Decision::None,
            decided_at: None,
            bundle: None,
            criteria: Vec::new(),
            sentence: "Under these rules it is not an incident of its own.".to_owned(),
            ..case.clone()
        };
        let compared = |shift| IncidentComparison {
            shift,
            before: case.decision,
            before_criteria: case.criteria.clone(),
            case: other,
        };
        all.extend(shift(case.decision, Decision::None).map(compared));
    }
    all.sort_by(|one, other| {
        (one.shift, one.case.began, &one.case.incident).cmp(&(
            other.shift,
            other.case.began,
            &other.case.incident,
        ))
    });
    all
}

fn shift(before: Decision, after: Decision) -> Option<DecisionChange> {
    match (before, after) {
        (Decision::None, Decision::None) => None,
        (Decision::Hold, Decision::Hold) | (Decision::Suggest, Decision::Suggest) => {
            Some(DecisionChange::Unchanged)
        }
        (_, Decision::Hold) => Some(DecisionChange::NewlyHeld),
        (Decision::Hold, _) => Some(DecisionChange::NoLongerHeld),
        (Decision::None, Decision::Suggest) => Some(DecisionChange::NewlySuggested),
        (Decision::Suggest, Decision::None) => Some(DecisionChange::NoLongerSuggested),
    }
}

/// Number of incidents by change.
#[must_use]
pub fn shifts(incidents: &[IncidentComparison]) -> BTreeMap<DecisionChange, usize> {
    let mut shifts = BTreeMap::new();
    for compared in incidents {
        *shifts.entry(compared.shift).or_default() += 1;
    }
    shifts
}

/// Conditions that rules define differently from those in force: a log holds their states as
/// evaluated at the time.
#[must_use]
pub fn changed_conditions(rules: &RuleSet, in_force: &RuleSet) -> Vec<String> {
    let asks = |one: &ConditionRule, other: &ConditionRule| {
        ConditionRule {
            places: one.places.clone(),
            ..other.clone()
        } == *one
    };
    let known = |rule: &&ConditionRule| {
        in_force
            .conditions
            .iter()
            .any(|other| other.name == rule.name && asks(rule, other))
    };
    rules
        .conditions
        .iter()
        .filter(|rule| !known(rule))
        .map(|rule| rule.name.clone())
        .collect()
}
