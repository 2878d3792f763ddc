//! What a backtest has to tell: how two rule sets differ over the same facts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::backtest::{BacktestResult, CriterionCounts, IncidentOutcome};
use crate::model::time::Time;
use crate::model::verdict::Decision;
use crate::rules::rule_set::{ConditionRule, RuleSet};

/// How two rule sets differ over the same facts; this is also its shape as JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BacktestReport {
    /// Incidents that began since then are told of.
    pub from: Time,
    /// Until when the facts reach.
    pub until: Time,
    /// Records that were read.
    pub records: u64,
    /// Events in them.
    pub events: u64,
    /// What the other rules are.
    pub against: String,
    /// What came of it under those.
    pub before: DecisionCounts,
    /// What came of it under the rules that are tried.
    pub after: DecisionCounts,
    /// How many incidents fare how.
    pub shifts: BTreeMap<DecisionChange, usize>,
    /// Each criterion of the rules that are tried, in their order.
    pub criteria: Vec<CriterionCounts>,
    /// Every incident that is held or suggested under either rule set: what has changed first, then by its beginning.
    pub incidents: Vec<IncidentComparison>,
    /// What to bear in mind: facts that could not be read, or that these rules would have asked for otherwise.
    pub notes: Vec<String>,
}

impl BacktestReport {
    /// How many of the newly held were suggested before.
    #[must_use]
    pub fn rose(&self) -> usize {
        self.incidents
            .iter()
            .filter(|row| row.shift == DecisionChange::NewlyHeld && row.before == Decision::Suggest)
            .count()
    }

    /// How many of those that are no longer held are suggested now.
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

/// How an incident fares under other rules.
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
    /// For people.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::NewlyHeld => "newly held",
            Self::NoLongerHeld => "no longer held",
            Self::NewlySuggested => "newly suggested",
            Self::NoLongerSuggested => "no longer suggested",
            Self::Unchanged => "unchanged",
        }
    }
}

/// An incident under two rule sets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IncidentComparison {
    /// How it fares.
    pub shift: DecisionChange,
    /// The decision under the rules it is compared with.
    pub before: Decision,
    /// The criteria that that rested on.
    pub before_criteria: Vec<String>,
    /// What came of it; the sentence is of the verdict that tipped it.
    #[serde(flatten)]
    pub case: IncidentOutcome,
}

/// How many were held and suggested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DecisionCounts {
    /// All incidents.
    pub incidents: usize,
    /// Held.
    pub held: usize,
    /// Suggested.
    pub suggested: usize,
    /// Those among the held and suggested that wait in the postmortem of another, and take no meeting of their own.
    pub bundled: usize,
}

impl DecisionCounts {
    /// Of one result.
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

/// Every incident that is held or suggested under either rule set: what has changed first, then by its beginning.
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
    // Under other correlation it may be no incident of its own.
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
            sentence: "Under these rules it is no incident of its own.".to_owned(),
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

/// How many of each shift there are.
#[must_use]
pub fn shifts(incidents: &[IncidentComparison]) -> BTreeMap<DecisionChange, usize> {
    let mut shifts = BTreeMap::new();
    for compared in incidents {
        *shifts.entry(compared.shift).or_default() += 1;
    }
    shifts
}

/// The conditions that rules would have asked otherwise than those that were in force: a log holds their turns as they were asked then.
#[must_use]
pub fn asked_otherwise(rules: &RuleSet, in_force: &RuleSet) -> Vec<String> {
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
