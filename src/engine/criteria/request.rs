//! `on: request`: a stakeholder asked for a postmortem.

use super::context::EvaluationContext;
use super::expr_context;
use super::finding::{AnyOf, Candidate, Finding, any_of};
use super::hours::{self, counts_at};
use crate::engine::phrases;
use crate::model::event::Fact;
use crate::model::verdict::Outcome;
use crate::rules::rule_set::Criterion;

pub(crate) fn evaluate(context: &EvaluationContext<'_>, criterion: &Criterion) -> Finding {
    let mut outside = false;
    let candidates = context.rest.iter().filter_map(|event| match &event.fact {
        Fact::Request(_) if !counts_at(criterion, event.occurred_at) => {
            outside = true;
            None
        }
        Fact::Request(request) => {
            let facts = expr_context::request(event, request);
            let known = |id: &str| {
                let identities = &context.incident.identities;
                let person = context.policy.who.person(&event.source, id, identities);
                person.map_or_else(|| id.to_owned(), |person| person.name.clone())
            };
            let requester = request.requester.as_deref().map(known);
            let requester = requester.as_deref().unwrap_or("A stakeholder");
            Some(Candidate {
                event: event.id,
                words: format!(
                    "{requester} asked for a postmortem: {}",
                    phrases::clip(&request.reason, 200)
                ),
                passes: context.passes(criterion, Some(&facts)),
            })
        }
        _ => None,
    });
    let (outcome, found) = any_of(candidates);
    if found.words.is_none() && outside {
        return Finding::absent(
            &format!("A postmortem was requested, but {}.", hours::OUTSIDE),
            "A request within the counted hours would meet it.",
        );
    }
    let sentences = sentences(outcome, &found);
    Finding::new(outcome, None, found.evidence, sentences)
}

fn sentences(outcome: Outcome, found: &AnyOf) -> (String, String) {
    let (sentence, would_change) = match (outcome, &found.words) {
        (Outcome::Met, Some(words)) => (
            phrases::with_full_stop(words),
            "Without the request it would not have been met.",
        ),
        (Outcome::Unknown, Some(words)) => (
            format!(
                "{} It is unknown if `where` applies: {}.",
                phrases::with_full_stop(words),
                found.unknown.as_deref().unwrap_or("a field is unknown")
            ),
            "Stating the missing field would decide it.",
        ),
        (Outcome::NotMet, Some(_)) => (
            "A postmortem was requested, but `where` excludes the request.".to_owned(),
            "A request that passes `where` would meet it.",
        ),
        _ => (
            "No stakeholder asked for a postmortem.".to_owned(),
            "A request would meet it.",
        ),
    };
    (sentence, would_change.to_owned())
}
