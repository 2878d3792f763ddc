//! The reason why no degraded time of an incident counts, where no excluded time tells it.

use super::context::EvaluationContext;
use super::expr_context;
use crate::model::signal::{Signal, SignalKind};
use crate::model::spans::SpanState;
use crate::rules::rule_set::Criterion;

/// The reason, in words that end a sentence: `alert HighErr is not a condition`.
pub(crate) fn reason(context: &EvaluationContext<'_>, criterion: &Criterion) -> String {
    let signals = &context.incident.signals;
    let has = |signal: &Signal, state| signal.spans.iter().any(|span| span.state == state);
    let any = |state| signals.iter().any(|signal| has(signal, state));
    let excluded = signals
        .iter()
        .find(|signal| has(signal, SpanState::Degraded) || has(signal, SpanState::Unknown));
    if let Some(signal) = excluded {
        return exclusion(context, criterion, signal);
    }
    let reason = if any(SpanState::Planned) {
        "the time was planned work"
    } else if any(SpanState::NearMiss) {
        "it stayed a near miss"
    } else {
        "no alert, condition or declaration told of any"
    };
    reason.to_owned()
}

fn exclusion(context: &EvaluationContext<'_>, criterion: &Criterion, signal: &Signal) -> String {
    let kind = match signal.kind {
        SignalKind::Alert => "alert",
        SignalKind::Condition => "condition",
        SignalKind::Declaration => "declaration",
    };
    let labels = expr_context::labels(context.incident);
    let mut facts = expr_context::signal(signal);
    if let Some(labels) = labels.get(&signal.event) {
        facts.set("labels", labels.all());
    }
    let wanted = ["condition", "alert", "declaration"]
        .into_iter()
        .find(|kind| {
            facts.set("kind", *kind);
            context.would_pass(criterion, false, &facts)
        });
    match wanted {
        Some("alert") => format!("{kind} {} is not an alert", signal.name),
        Some(wanted) => format!("{kind} {} is not a {wanted}", signal.name),
        None => format!("`where` excludes {kind} {}", signal.name),
    }
}
