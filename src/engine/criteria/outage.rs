//! `on: outage`: an outage was declared.

use super::context::EvaluationContext;
use super::finding::{AnyOf, Candidate, Finding, NextChange, any_of};
use super::hours::{self, counts_span};
use crate::engine::incident::attributes::has_span;
use crate::engine::phrases;
use crate::model::incident::Incident;
use crate::model::signal::{Signal, SignalKind};
use crate::model::spans::SpanState;
use crate::model::verdict::Outcome;
use crate::rules::rule_set::Criterion;

pub(crate) fn evaluate(
    context: &EvaluationContext<'_>,
    criterion: &Criterion,
    next: &mut NextChange,
) -> Finding {
    let mut outside = false;
    // Most incidents have no declaration, and then no `where` needs to be evaluated.
    let candidates = context
        .incident
        .signals
        .iter()
        .any(declares_outage)
        .then(|| context.signals(criterion))
        .into_iter()
        .flatten()
        .filter(|(signal, _)| declares_outage(signal))
        .filter(|(signal, _)| {
            let spans = signal
                .spans
                .iter()
                .filter(|span| span.state == SpanState::Degraded);
            // Every span is asked, so that the next change of each is known.
            let counts = spans
                .filter(|span| counts_span(criterion, span, context.now, next))
                .count()
                > 0;
            outside |= !counts;
            counts
        })
        .map(|(signal, passes)| Candidate {
            event: signal.event,
            words: signal.name.to_string(),
            passes,
        });
    let (outcome, found) = any_of(candidates);
    if found.words.is_none() && outside {
        return Finding::absent(
            &format!("An outage was declared, but {}.", hours::OUTSIDE),
            "An outage within the counted hours would meet it.",
        );
    }
    let sentences = sentences(context.incident, outcome, &found);
    Finding::new(outcome, None, found.evidence, sentences)
}

/// True if a signal declares an outage, as declarations and alerts labelled `afterword: outage` do.
fn declares_outage(signal: &Signal) -> bool {
    (signal.kind == SignalKind::Declaration || signal.role.as_deref() == Some("outage"))
        && has_span(signal, SpanState::Degraded)
}

fn sentences(incident: &Incident, outcome: Outcome, found: &AnyOf) -> (String, String) {
    let outage = phrases::subject(incident, None).map_or_else(
        || "An outage".to_owned(),
        |service| format!("An outage of {service}"),
    );
    let (sentence, would_change) = match (outcome, &found.words) {
        (Outcome::Met, title) => {
            let title = title.as_ref().filter(|title| !title.is_empty());
            let title = title.map_or_else(String::new, |title| format!(": {title}"));
            (
                phrases::with_full_stop(&format!("{outage} was declared{title}")),
                "Without the declaration it would not have been met.",
            )
        }
        (Outcome::Unknown, _) => (
            format!(
                "{outage} was declared, but it is unknown if `where` applies: {}.",
                found.unknown.as_deref().unwrap_or("a field is unknown")
            ),
            "Stating the missing field would decide it.",
        ),
        (Outcome::NotMet, Some(_)) => (
            "An outage was declared, but `where` excludes it.".to_owned(),
            "A declaration that passes `where` would meet it.",
        ),
        (Outcome::NotMet, None) => (
            "No outage was declared.".to_owned(),
            "A declared outage would meet it.",
        ),
    };
    (sentence, would_change.to_owned())
}
