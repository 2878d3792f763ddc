//! The criteria, a file each: every one turns an incident into a verdict with evidence, margin and
//! sentence.

mod context;
mod degradation;
mod exclusions;
pub(crate) mod expr_context;
mod finding;
mod hours;
mod intervention;
mod manual_steps;
mod near_miss;
pub(crate) mod near_miss_quota;
mod near_miss_score;
mod not_counted;
mod outage;
mod recurrence;
mod request;
mod signal_classes;

use chrono::TimeDelta;

use super::incident::summary::met_criteria;
use super::incident::tracked::TrackedIncidents;
use super::policy::Policy;
use crate::model::incident::Incident;
use crate::model::time::Time;
use crate::model::verdict::{CriterionKind, Verdict};
use crate::rules::rule_set::{Criterion, CriterionTest};
use context::EvaluationContext;
use finding::{Finding, NextChange};

/// One verdict a criterion in the order of the rules, and when time alone could next change one.
pub(crate) fn verdicts(
    incident: &Incident,
    others: &TrackedIncidents,
    policy: &Policy,
    now: Time,
) -> (Vec<Verdict>, Option<Time>) {
    let context = EvaluationContext::new(incident, others, policy, now);
    let mut next = NextChange::default();
    let criteria = &policy.rules.criteria;
    // A recurrence may rest on the criteria that are met, so that it comes after all others.
    let mut verdicts: Vec<Option<Verdict>> = criteria
        .iter()
        .map(|criterion| {
            (criterion.test.kind() != CriterionKind::Recurrence)
                .then(|| verdict(criterion, evaluate(&context, criterion, &[], &mut next)))
        })
        .collect();
    let met: Vec<String> = met_criteria(verdicts.iter().flatten())
        .map(str::to_owned)
        .collect();
    for (criterion, place) in criteria.iter().zip(&mut verdicts) {
        if place.is_none() {
            let finding = evaluate(&context, criterion, &met, &mut next);
            *place = Some(verdict(criterion, finding));
        }
    }
    (verdicts.into_iter().flatten().collect(), next.at())
}

/// The verdicts of an incident evaluated at a later `now`, under the criteria that gave them.
///
/// Verdicts that rest on other incidents stay: they change with these, or by a timer.
///
/// `log_ended`: `now` is the end of a past log, after which nothing is known.
pub(crate) fn verdicts_as_of(
    incident: &Incident,
    policy: &Policy,
    now: Time,
    log_ended: bool,
) -> Vec<Verdict> {
    let others = TrackedIncidents::default();
    let mut context = EvaluationContext::new(incident, &others, policy, now);
    context.log_ended = log_ended;
    let criterion_of = |known: &Verdict| {
        let criteria = policy.rules.criteria.iter();
        criteria
            .filter(|criterion| !rests_on_others(&criterion.test))
            .find(|criterion| {
                criterion.name == known.criterion && criterion.test.kind() == known.on
            })
    };
    let verdicts = incident.verdicts.iter();
    verdicts
        .map(|known| {
            criterion_of(known).map_or_else(
                || known.clone(),
                |criterion| {
                    let finding = evaluate(&context, criterion, &[], &mut NextChange::default());
                    verdict(criterion, finding)
                },
            )
        })
        .collect()
}

/// True for criteria that look at other incidents.
fn rests_on_others(test: &CriterionTest) -> bool {
    match test {
        CriterionTest::Outage | CriterionTest::Degradation { .. } | CriterionTest::Request => false,
        CriterionTest::Intervention { .. }
        | CriterionTest::NearMiss { .. }
        | CriterionTest::Recurrence { .. } => true,
    }
}

fn evaluate<'a>(
    context: &EvaluationContext<'a>,
    criterion: &'a Criterion,
    met: &[String],
    next: &mut NextChange,
) -> Finding {
    match &criterion.test {
        CriterionTest::Outage => outage::evaluate(context, criterion, next),
        CriterionTest::Degradation { longest, total } => {
            degradation::evaluate(context, criterion, *longest, *total, next)
        }
        CriterionTest::Intervention { at_least, window } => {
            intervention::evaluate(context, criterion, *at_least, window.as_ref())
        }
        CriterionTest::Request => request::evaluate(context, criterion),
        CriterionTest::NearMiss {
            score_at_least,
            quiet_for,
            at_most: (most, period),
        } => {
            let quota = near_miss_quota::NearMissQuota {
                score_at_least: *score_at_least,
                quiet_for: TimeDelta::seconds(*quiet_for),
                most: *most,
                period: TimeDelta::seconds(*period),
            };
            near_miss::evaluate(context, criterion, &quota, next)
        }
        CriterionTest::Recurrence {
            times,
            within,
            same,
        } => {
            let required = (*times, TimeDelta::seconds(*within));
            recurrence::evaluate(context, criterion, required, same, met)
        }
    }
}

fn verdict(criterion: &Criterion, finding: Finding) -> Verdict {
    Verdict {
        criterion: criterion.name.clone(),
        on: criterion.test.kind(),
        outcome: finding.outcome,
        decision: criterion.decision,
        form: criterion.form,
        shadow: criterion.shadow,
        measure: finding.measure,
        factors: finding.factors,
        excluded: finding.excluded,
        evidence: finding.evidence,
        sentence: finding.sentence,
        would_change: finding.would_change,
    }
}
