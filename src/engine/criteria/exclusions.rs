//! Degraded time that a criterion does not count, by reason, so that its sentence can say so.

use std::collections::{BTreeMap, BTreeSet};

use super::context::EvaluationContext;
use super::expr_context;
use super::finding::seconds;
use super::not_counted;
use crate::engine::environment::PRODUCTION;
use crate::engine::id_map::IdMap;
use crate::engine::incident::degraded_time::within;
use crate::engine::incident::intervals::{Interval, total, union, without};
use crate::engine::phrases::duration;
use crate::expr::truth::Truth;
use crate::model::event::Fact;
use crate::model::id::{EventId, Subject};
use crate::model::labels::LabelSet;
use crate::model::signal::{Signal, SignalClass};
use crate::model::spans::{Span, SpanState};
use crate::model::time::Time;
use crate::model::verdict::Exclusion;
use crate::rules::counted_hours::CountedHours;
use crate::rules::rule_set::Criterion;

/// The time that was degraded and is not among `counted`, the longest first.
///
/// Signals of another kind than the criterion is about are no exclusions: others are for those.
pub(crate) fn exclusions<'a>(
    context: &EvaluationContext<'a>,
    criterion: &Criterion,
    counted: &[Interval],
) -> Vec<Exclusion> {
    let planned = planned_work(context);
    let now = context.closed_at().unwrap_or(context.now);
    let mut labels: Option<IdMap<EventId, &LabelSet>> = None;
    let mut known: BTreeMap<*const SignalClass, Option<String>> = BTreeMap::new();
    let mut found: BTreeMap<String, Vec<Interval>> = BTreeMap::new();
    for (signal, passes) in context.signals(criterion) {
        let state = if passes == Truth::False {
            SpanState::Degraded
        } else {
            SpanState::Planned
        };
        let has_any = signal.spans.iter().any(|span| span.state == state);
        if !has_any || planned.contains(&signal.subject) {
            continue;
        }
        let why = if passes == Truth::False {
            let class = std::ptr::from_ref::<SignalClass>(&signal.sort);
            let reason_of = || {
                let labels = labels.get_or_insert_with(|| expr_context::labels(context.incident));
                reason(
                    context,
                    criterion,
                    signal,
                    labels.get(&signal.event).copied(),
                )
            };
            known.entry(class).or_insert_with(reason_of).clone()
        } else {
            Some("of planned work".to_owned())
        };
        if let Some(why) = why {
            let spans = signal.spans.iter().filter(|span| span.state == state);
            let intervals = spans.map(|span| interval(span, now));
            found.entry(why).or_default().extend(intervals);
        }
    }
    let mut excluded: Vec<Exclusion> = found
        .into_iter()
        .map(|(why, intervals)| Exclusion {
            seconds: seconds(total(&without(&union(intervals), counted))),
            why,
        })
        .filter(|excluded| excluded.seconds >= 1.0)
        .collect();
    excluded.sort_by(|one, other| other.seconds.total_cmp(&one.seconds));
    excluded
}

/// The degraded time that is not within the counted hours; `None` if there is none.
pub(crate) fn outside(hours: &CountedHours, degraded: &[Interval]) -> Option<Exclusion> {
    let outside = total(degraded) - total(&within(degraded, hours));
    let excluded = Exclusion {
        seconds: seconds(outside),
        why: "outside the counted hours".to_owned(),
    };
    (excluded.seconds >= 1.0).then_some(excluded)
}

/// The exclusions as a sentence; empty where there are none.
pub(crate) fn sentence(excluded: &[Exclusion]) -> String {
    if excluded.is_empty() {
        return String::new();
    }
    let parts: Vec<String> = excluded
        .iter()
        .map(|excluded| format!("{} {}", length(excluded.seconds), excluded.why))
        .collect();
    format!(" Not counted: {}.", parts.join(", "))
}

fn length(seconds: f64) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "seconds of an incident are far below 2^52"
    )]
    let seconds = seconds.round() as i64;
    duration(chrono::TimeDelta::seconds(seconds))
}

/// The declarations of planned work: their time is not degraded.
fn planned_work(context: &EvaluationContext<'_>) -> BTreeSet<Subject> {
    let planned = context
        .rest
        .iter()
        .filter(|event| matches!(&event.fact, Fact::Declaration(declared) if declared.planned));
    planned.map(|event| event.subject).collect()
}

fn interval(span: &Span, now: Time) -> Interval {
    Interval {
        start: span.start,
        end: span.end.unwrap_or(now).min(now),
    }
}

/// The properties for which a criterion may leave a signal out: the fewest of them that decide it.
fn reason(
    context: &EvaluationContext<'_>,
    criterion: &Criterion,
    signal: &Signal,
    labels: Option<&LabelSet>,
) -> Option<String> {
    let environments = [
        context.incident.environment.as_deref(),
        signal.environment.as_deref(),
    ];
    let mut environments = environments.into_iter().flatten();
    let environment = environments.find(|environment| *environment != PRODUCTION);
    let severities = context.policy.severities.words();
    let cause = signal.role.as_deref() == Some("cause");
    let passes = |in_production: bool, other_severity: bool, felt: bool| {
        let mut facts = expr_context::signal(signal);
        if let Some(labels) = labels {
            facts.set("labels", labels);
        }
        if in_production {
            facts.set("environment", PRODUCTION);
        }
        if felt {
            facts.set("role", "");
        }
        if !other_severity {
            return context.would_pass(criterion, in_production, &facts);
        }
        severities.iter().any(|severity| {
            facts.set("severity", *severity);
            context.would_pass(criterion, in_production, &facts)
        })
    };
    let fewest_first = [
        (true, false, false),
        (false, true, false),
        (false, false, true),
        (true, true, false),
        (true, false, true),
        (false, true, true),
        (true, true, true),
    ];
    let (place, severity, role) = fewest_first.into_iter().find(|&(place, severity, role)| {
        (!place || environment.is_some()) && (!role || cause) && passes(place, severity, role)
    })?;
    let mut words: Vec<String> = Vec::new();
    if severity || role {
        words.push(format!("from {}", not_counted::kind(signal.kind, true)));
    }
    if severity {
        words.push(format!("with severity {}", signal.severity.word()));
    }
    if role {
        words.push("labelled `afterword: cause`".to_owned());
    }
    if let Some(environment) = environment.filter(|_| place) {
        words.push(format!("in the environment {environment}"));
    }
    Some(words.join(" "))
}
