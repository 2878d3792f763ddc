//! `on: near_miss`: the best near misses of a period, in a scope without recent postmortems.

use super::context::EvaluationContext;
use super::finding::{Finding, NextChange};
use super::hours::counts_span;
use super::near_miss_quota::{Competition, NearMissQuota, competition};
use super::near_miss_score::{ScoredNearMiss, best_near_miss};
use crate::engine::incident::attributes::was_degraded;
use crate::engine::phrases::{instant, period};
use crate::expr::truth::Truth;
use crate::model::spans::SpanState;
use crate::model::verdict::{Measure, Outcome, Unit};
use crate::rules::rule_set::Criterion;

pub(crate) fn evaluate(
    context: &EvaluationContext<'_>,
    criterion: &Criterion,
    quota: &NearMissQuota,
    next: &mut NextChange,
) -> Finding {
    next.add(context.near_miss_ahead);
    let spans = context
        .incident
        .signals
        .iter()
        .flat_map(|signal| &signal.spans);
    for span in spans.filter(|span| span.state == SpanState::NearMiss) {
        counts_span(criterion, span, context.now, next);
    }
    let Some(best) = best_near_miss(context, criterion) else {
        return Finding::absent(
            "No near miss was measured or reported.",
            "A measured or reported near miss could meet it.",
        );
    };
    // A score says nothing once there was degraded time: it neither met the criterion nor came close.
    let degraded = context.incident.signals.iter().any(was_degraded);
    let measure = (!degraded)
        .then(|| Measure::new(best.score, best.score, quota.score_at_least, Unit::Score));
    let what = quoted(&best.what);
    let (outcome, sentences) = if degraded {
        let sentence = format!("{what} was more than a near miss: the service was degraded.");
        let would_change = "Nothing would: other criteria cover degraded time.".to_owned();
        (Outcome::NotMet, (sentence, would_change))
    } else if best.score < quota.score_at_least {
        let threshold = rounded(quota.score_at_least);
        let sentence = format!(
            "{what} scored {} (threshold {threshold}).",
            rounded(best.score)
        );
        let would_change = format!("A score of at least {threshold} could meet it.");
        (Outcome::NotMet, (sentence, would_change))
    } else {
        compete(context, criterion, &best, quota, next)
    };
    Finding {
        factors: best.factors,
        ..Finding::new(outcome, measure, vec![best.event], sentences)
    }
}

fn compete(
    context: &EvaluationContext<'_>,
    criterion: &Criterion,
    best: &ScoredNearMiss,
    quota: &NearMissQuota,
    next: &mut NextChange,
) -> (Outcome, (String, String)) {
    let what = quoted(&best.what);
    match competition(context, criterion, best, quota) {
        Competition::NotQuiet { held, quiet_from } => (
            Outcome::NotMet,
            (
                format!(
                    "{what} was a near miss, but a postmortem on {held} was opened within {}.",
                    period(quota.quiet_for)
                ),
                format!(
                    "From {} on it could be met, if no other postmortem is opened.",
                    instant(quiet_from)
                ),
            ),
        ),
        Competition::Open { ends_at, rivals } => {
            next.add(Some(ends_at));
            let when = instant(ends_at);
            let best = if quota.most == 1 {
                "the best one is".to_owned()
            } else {
                format!("the best {} are", quota.most)
            };
            let which = if rivals == 1 {
                "the first candidate of its period".to_owned()
            } else {
                format!("one of {rivals} candidates of its period so far")
            };
            (
                Outcome::NotMet,
                (
                    format!("{what} is {which}; {best} suggested on {when}."),
                    format!("If no better near miss comes by {when}, it will be met."),
                ),
            )
        }
        Competition::Won { rivals } => {
            let outcome = if best.passes == Truth::True {
                Outcome::Met
            } else {
                Outcome::Unknown
            };
            let which = match (rivals, quota.most) {
                (1, _) => "was the only near miss".to_owned(),
                (_, 1) => format!("was the best of {rivals} near misses"),
                (_, most) => format!("was among the best {most} of {rivals} near misses"),
            };
            (
                outcome,
                (
                    format!(
                        "{what} {which} of its period (score {}); no postmortem was opened in the {} \
                         before.",
                        rounded(best.score),
                        period(quota.quiet_for)
                    ),
                    "It would not have been met if the service had been degraded, or if another \
                     postmortem had been opened in that time."
                        .to_owned(),
                ),
            )
        }
        Competition::Lost { to, score } => {
            let score = rounded(score);
            (
                Outcome::NotMet,
                (
                    format!(
                        "{what} scored {}, but {} scored {score} in the same period.",
                        rounded(best.score),
                        quoted(&to)
                    ),
                    format!("A score above {score} would have met it."),
                ),
            )
        }
    }
}

/// People's words as part of a sentence.
fn quoted(what: &str) -> String {
    format!("\"{what}\"")
}

/// A score, with one decimal where it has one.
fn rounded(score: f64) -> String {
    let rounded = (score * 10.0).round() / 10.0;
    format!("{rounded}")
}
