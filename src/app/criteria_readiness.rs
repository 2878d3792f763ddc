//! Readiness of each criterion: the first check of a new user is which criteria the received
//! signals can meet.

use crate::model::event::{Event, Fact};
use crate::model::incident::Incident;
use crate::model::signal::SignalKind;
use crate::model::verdict::Decision;
use crate::rules::rule_set::{Criterion, CriterionTest, RuleSet};

/// Readiness of one criterion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CriterionReadiness {
    /// Its name.
    pub criterion: String,
    /// Decision of the criterion when it is met.
    pub decision: Decision,
    /// Only records what it would lead to.
    pub shadow: bool,
    /// True if the signals it needs are received.
    pub possible: bool,
    /// Reason, or the missing input.
    pub why: String,
}

/// One row a criterion, from what has been seen so far.
#[must_use]
pub(crate) fn criteria_readiness(
    rules: &RuleSet,
    seen: &[Incident],
    last_alert: Option<&Event>,
) -> Vec<CriterionReadiness> {
    rules
        .criteria
        .iter()
        .map(|criterion| row(criterion, rules, seen, last_alert))
        .collect()
}

fn row(
    criterion: &Criterion,
    rules: &RuleSet,
    seen: &[Incident],
    last_alert: Option<&Event>,
) -> CriterionReadiness {
    let (possible, why) = match &criterion.test {
        CriterionTest::Outage => (true, "A person can declare an outage on the page, by API or by command.".to_owned()),
        CriterionTest::Request => (true, "Anybody can request one, on the page, by API or by command.".to_owned()),
        CriterionTest::Intervention { .. } => {
            (true, "Manual steps can be reported by API or by command; those listed under the service's `automatic` should need none.".to_owned())
        }
        CriterionTest::NearMiss { .. } => (true, "A near miss can be reported by API or by command.".to_owned()),
        CriterionTest::Degradation { .. } => degradation(criterion, rules, seen, last_alert),
        CriterionTest::Recurrence { .. } => match last_alert {
            Some(_) => (true, "Alerts are arriving.".to_owned()),
            None => (false, "No alert has arrived yet.".to_owned()),
        },
    };
    CriterionReadiness {
        criterion: criterion.name.clone(),
        decision: criterion.decision,
        shadow: criterion.shadow,
        possible,
        why,
    }
}

fn degradation(
    criterion: &Criterion,
    rules: &RuleSet,
    seen: &[Incident],
    last_alert: Option<&Event>,
) -> (bool, String) {
    let about_conditions = criterion
        .filter
        .as_ref()
        .is_some_and(|filter| filter.source().contains("\"condition\""));
    if about_conditions {
        let measured = seen
            .iter()
            .flat_map(|incident| &incident.signals)
            .any(|signal| signal.kind == SignalKind::Condition);
        return match (rules.conditions.is_empty(), measured) {
            (_, true) => (true, "States of conditions have been received.".to_owned()),
            (false, false) => (
                true,
                match rules.conditions.len() {
                    1 => "1 condition is defined.".to_owned(),
                    many => format!("{many} conditions are defined."),
                },
            ),
            (true, false) => (
                false,
                "The rules define no conditions, and none was reported by API.".to_owned(),
            ),
        };
    }
    match last_alert.map(|event| &event.fact) {
        Some(Fact::Alert(alert)) => (
            true,
            format!("Alerts are arriving; the last one was {}.", alert.name),
        ),
        _ => (false, "No alert has arrived yet.".to_owned()),
    }
}
