//! The score of a near miss: how much there is to learn from it.

use chrono::TimeDelta;

use super::context::EvaluationContext;
use super::expr_context;
use super::finding::NextChange;
use super::hours::{counts_at, counts_span};
use crate::engine::horizons::NOVEL_AFTER;
use crate::engine::incident::attributes::{RecurrenceKey, opened_at};
use crate::engine::phrases;
use crate::expr::facts::Facts;
use crate::expr::truth::Truth;
use crate::model::event::{ConditionState, Fact, Severity};
use crate::model::id::EventId;
use crate::model::signal::Signal;
use crate::model::spans::SpanState;
use crate::model::time::Time;
use crate::model::verdict::Factor;
use crate::rules::rule_set::{Comparison, Criterion};

/// The time within which three occurrences are frequent.
const FREQUENT_WITHIN: TimeDelta = TimeDelta::days(30);
/// The closeness that is assumed where it was neither reported nor measured.
const ASSUMED_CLOSENESS: f64 = 0.5;

/// A near miss of an incident with its score.
pub(crate) struct ScoredNearMiss {
    pub(crate) event: EventId,
    pub(crate) what: String,
    pub(crate) at: Time,
    pub(crate) score: f64,
    pub(crate) factors: Vec<Factor>,
    /// The value of the criterion's `where`.
    pub(crate) passes: Truth,
}

/// The near miss of an incident with the highest score.
pub(crate) fn best_near_miss(
    context: &EvaluationContext<'_>,
    criterion: &Criterion,
) -> Option<ScoredNearMiss> {
    let scored = |event, what: &str, at, (score, factors), facts: &Facts| ScoredNearMiss {
        event,
        what: phrases::clip(what, 120),
        at,
        score,
        factors,
        passes: context.passes(criterion, Some(facts)),
    };
    let inside = context
        .rest
        .iter()
        .filter(|event| counts_at(criterion, event.occurred_at));
    let reported = inside.filter_map(|event| match &event.fact {
        Fact::NearMiss(near) => {
            let key = (
                event.service.clone().unwrap_or_default(),
                near.what.as_str().into(),
            );
            let closeness = near.closeness.map(|closeness| (closeness, "as reported"));
            let (score, factors) = score(
                context,
                near.severity,
                closeness,
                near.by_luck,
                near.barriers_left,
                &key,
            );
            let facts = expr_context::near_miss(event, near, score);
            Some(scored(
                event.id,
                &near.what,
                event.occurred_at,
                (score, factors),
                &facts,
            ))
        }
        _ => None,
    });
    let measured = context.incident.signals.iter().filter_map(|signal| {
        let span = signal
            .spans
            .iter()
            .filter(|span| span.state == SpanState::NearMiss && span.start <= context.now)
            .find(|span| counts_span(criterion, span, context.now, &mut NextChange::default()))?;
        let key = (
            signal.service.clone().unwrap_or_default(),
            signal.name.clone(),
        );
        let closeness = measured_closeness(context, signal);
        let (score, factors) = score(context, signal.severity, closeness, false, None, &key);
        let facts = expr_context::near_miss_signal(
            signal,
            score,
            closeness.map(|(closeness, _)| closeness),
        );
        Some(scored(
            signal.event,
            &signal.name,
            span.start,
            (score, factors),
            &facts,
        ))
    });
    reported
        .chain(measured)
        .filter(|near| near.passes != Truth::False)
        .max_by(|a, b| a.score.total_cmp(&b.score).then(a.at.cmp(&b.at)))
}

/// The score and its factors: severity, times barriers left, times closeness, and more if it was
/// noticed by luck, is new or frequent.
fn score(
    context: &EvaluationContext<'_>,
    severity: Severity,
    closeness: Option<(f64, &str)>,
    by_luck: bool,
    barriers_left: Option<u32>,
    key: &RecurrenceKey,
) -> (f64, Vec<Factor>) {
    let factor = |name: &str, value: f64, why: &str| Factor {
        name: name.to_owned(),
        value,
        why: why.to_owned(),
    };
    let mut factors = vec![match severity {
        Severity::None | Severity::Info => factor("severity", 1.0, "info"),
        Severity::Unknown => factor("severity", 3.0, "not stated"),
        Severity::Warning => factor("severity", 10.0, "warning"),
        Severity::Critical => factor("severity", 30.0, "critical"),
        Severity::Own(own) => {
            let height = context.policy.severities.height(own);
            factor("severity", 30.0_f64.powf(height), own.name())
        }
    }];
    factors.extend(barriers_left.map(|left| match left {
        0 => factor("barriers", 1.0, "none left"),
        1 => factor("barriers", 0.3, "one left"),
        2 => factor("barriers", 0.1, "two left"),
        _ => factor("barriers", 0.03, "three or more left"),
    }));
    factors.push(match closeness {
        Some((closeness, why)) => factor("closeness", closeness.clamp(0.0, 1.0), why),
        None => factor(
            "closeness",
            ASSUMED_CLOSENESS,
            "not stated, assumed half way",
        ),
    });
    if by_luck {
        factors.push(factor("luck", 2.0, "noticed only by luck"));
    }
    let until = opened_at(context.incident);
    let earlier = |within: TimeDelta| {
        let with_key = context.others.index().with_key(key, until - within, until);
        with_key
            .filter(|(_, id)| *id != context.incident.id)
            .count()
    };
    if earlier(NOVEL_AFTER) == 0 {
        factors.push(factor("novelty", 1.5, "not seen in the 90 days before"));
    } else if earlier(FREQUENT_WITHIN) >= 2 {
        factors.push(factor("novelty", 1.5, "three times or more within 30 days"));
    }
    (factors.iter().map(|factor| factor.value).product(), factors)
}

/// The worst value of a condition as a share of the threshold that makes it degraded.
fn measured_closeness(
    context: &EvaluationContext<'_>,
    signal: &Signal,
) -> Option<(f64, &'static str)> {
    let rule = context
        .policy
        .rules
        .conditions
        .iter()
        .find(|rule| *rule.name == *signal.name)?;
    let limit = rule.degraded.value;
    let values =
        context
            .incident
            .members
            .non_alerts()
            .filter_map(|member| match &member.event.fact {
                Fact::Condition(condition)
                    if member.event.subject == signal.subject
                        && condition.state == ConditionState::NearMiss =>
                {
                    condition.value
                }
                _ => None,
            });
    let shares = values.map(|value| match rule.degraded.comparison {
        Comparison::Below | Comparison::AtMost => limit / value,
        _ => value / limit,
    });
    shares
        .filter(|share| share.is_finite())
        .max_by(f64::total_cmp)
        .map(|share| (share, "the worst reported value against the threshold"))
}
