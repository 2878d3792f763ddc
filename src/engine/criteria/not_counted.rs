//! The reason why no degraded time of an incident counts, where no exclusion explains it.

use std::collections::BTreeMap;

use super::context::EvaluationContext;
use super::expr_context;
use crate::model::labels::LabelSet;
use crate::model::signal::{Signal, SignalKind};
use crate::model::spans::SpanState;
use crate::rules::rule_set::Criterion;

/// The excluded signals that a sentence names at most.
const NAMED: usize = 3;

/// The reason, in words that end a sentence: `alert HighErr is not a condition`.
pub(crate) fn reason(context: &EvaluationContext<'_>, criterion: &Criterion) -> String {
    let signals = &context.incident.signals;
    let has = |signal: &Signal, state| signal.spans.iter().any(|span| span.state == state);
    let any = |state| signals.iter().any(|signal| has(signal, state));
    // A storm fires the same few alerts many times.
    let mut excluded: BTreeMap<(&str, &str), &Signal> = BTreeMap::new();
    for signal in signals {
        if has(signal, SpanState::Degraded) || has(signal, SpanState::Unknown) {
            let key = (kind(signal.kind, false), &*signal.name);
            excluded.entry(key).or_insert(signal);
        }
    }
    if !excluded.is_empty() {
        let excluded: Vec<&Signal> = excluded.into_values().collect();
        return exclusion(context, criterion, &excluded);
    }
    let reason = if any(SpanState::Planned) {
        "it was during planned work"
    } else if any(SpanState::NearMiss) {
        "there was only a near miss"
    } else {
        "no alert, condition or declaration reported any"
    };
    reason.to_owned()
}

fn exclusion(
    context: &EvaluationContext<'_>,
    criterion: &Criterion,
    excluded: &[&Signal],
) -> String {
    let first = excluded[0];
    let labels = expr_context::labels(context.incident);
    let mut wanted = excluded.iter().map(|signal| {
        wanted_kind(
            context,
            criterion,
            signal,
            labels.get(&signal.event).copied(),
        )
    });
    let first_wanted = wanted.next().flatten();
    let wanted = first_wanted.filter(|first| wanted.all(|other| other == Some(*first)));
    let one_kind = excluded.iter().all(|signal| signal.kind == first.kind);
    let many = match excluded {
        [_] => None,
        _ if one_kind => Some(kind(first.kind, true)),
        _ => Some("signals"),
    };
    let number = excluded.len();
    match (many, wanted) {
        (None, Some(wanted)) => {
            format!("{} {} is not {wanted}", kind(first.kind, false), first.name)
        }
        (None, None) => format!(
            "`where` excludes {} {}",
            kind(first.kind, false),
            first.name
        ),
        (Some(many), Some(wanted)) => format!("none of the {number} {many} is {wanted}"),
        (Some(many), None) => {
            let mut names: Vec<&str> = excluded
                .iter()
                .take(NAMED)
                .map(|signal| &*signal.name)
                .collect();
            if number > NAMED {
                names.push("…");
            }
            format!(
                "`where` excludes all {number} {many} ({})",
                names.join(", ")
            )
        }
    }
}

/// The kind that a signal would need to be of to count, with its article.
fn wanted_kind(
    context: &EvaluationContext<'_>,
    criterion: &Criterion,
    signal: &Signal,
    labels: Option<&LabelSet>,
) -> Option<&'static str> {
    let mut facts = expr_context::signal(signal);
    if let Some(labels) = labels {
        facts.set("labels", labels.all());
    }
    let kinds = [
        ("condition", "a condition"),
        ("alert", "an alert"),
        ("declaration", "a declaration"),
    ];
    let wanted = kinds.into_iter().find(|(kind, _)| {
        facts.set("kind", *kind);
        context.would_pass(criterion, false, &facts)
    });
    wanted.map(|(_, words)| words)
}

/// The kind of a signal as a noun.
pub(crate) fn kind(kind: SignalKind, plural: bool) -> &'static str {
    match (kind, plural) {
        (SignalKind::Alert, false) => "alert",
        (SignalKind::Alert, true) => "alerts",
        (SignalKind::Condition, false) => "condition",
        (SignalKind::Condition, true) => "conditions",
        (SignalKind::Declaration, false) => "declaration",
        (SignalKind::Declaration, true) => "declarations",
    }
}
