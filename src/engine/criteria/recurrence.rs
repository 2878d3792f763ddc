//! `on: recurrence`: the same alert or condition opened incidents of the service before.

use chrono::TimeDelta;

use super::context::EvaluationContext;
use super::finding::{Finding, outcome, times};
use super::hours::{self, counts_at};
use crate::engine::incident::attributes::{opened_at, opener, opening_key};
use crate::engine::wording::{count, period, subject};
use crate::expr::truth::Truth;
use crate::model::id::EventId;
use crate::model::verdict::{Measure, Outcome};
use crate::rules::rule_set::Criterion;

pub(crate) fn evaluate(
    context: &EvaluationContext<'_>,
    criterion: &Criterion,
    required: u32,
    within: TimeDelta,
) -> Finding {
    let incident = context.incident;
    let Some(key) = opening_key(incident) else {
        return Finding::absent(
            "No alert or condition opened the incident, so it cannot be a recurrence.",
            "An incident opened by an alert or condition could meet it.",
        );
    };
    let until = opened_at(incident);
    if !counts_at(criterion, until) {
        return Finding::absent(
            &format!("The incident began {}.", hours::OUTSIDE),
            "An incident that begins within these hours could meet it.",
        );
    }
    let with_key = context.others.index().with_key(&key, until - within, until);
    let earlier = with_key
        .filter(|(_, id)| *id != incident.id)
        .filter_map(|(_, id)| context.others.get(id));
    // The index also has incidents by their near misses.
    let same = earlier.filter(|other| {
        opening_key(other).as_ref() == Some(&key) && counts_at(criterion, opened_at(other))
    });
    let mut evidence: Vec<EventId> = same.filter_map(opener).map(|event| event.id).collect();
    evidence.extend(opener(incident).map(|event| event.id));
    let measure = times(evidence.len(), evidence.len(), required);
    let passes = context.passes(criterion, None);
    let enough = measure.lower >= measure.required;
    let outcome = match passes {
        Truth::True => outcome(enough, enough),
        Truth::False => Outcome::NotMet,
        Truth::Unknown(_) => outcome(false, enough),
    };
    let what = format!("{} on {}", key.1, subject(incident, None));
    let excluded = passes == Truth::False;
    let sentences = sentences(&what, outcome, &measure, within, excluded);
    Finding::new(outcome, Some(measure), evidence, sentences)
}

fn sentences(
    what: &str,
    outcome: Outcome,
    measure: &Measure,
    within: TimeDelta,
    excluded: bool,
) -> (String, String) {
    let within = period(within);
    let times = count(measure.lower, "time", "times");
    match outcome {
        Outcome::Met => (
            format!(
                "{what} occurred {times} within {within} (threshold {:.0}).",
                measure.required
            ),
            format!(
                "With {} within {within} it would not have been met.",
                count(
                    measure.lower - measure.required + 1.0,
                    "fewer occurrence",
                    "fewer occurrences"
                )
            ),
        ),
        Outcome::Unknown => (
            format!("{what} occurred {times} within {within}, but `where` cannot be decided."),
            "Knowing the fields that `where` uses would decide it.".to_owned(),
        ),
        Outcome::NotMet if excluded => (
            format!("{what} occurred {times} within {within}, but `where` excludes it."),
            "An incident that passes `where` could meet it.".to_owned(),
        ),
        Outcome::NotMet => {
            let sentence = if measure.lower < 1.5 {
                format!(
                    "First occurrence of {what} within {within}; {:.0} are needed.",
                    measure.required
                )
            } else {
                format!(
                    "{what} occurred {times} within {within}; {:.0} are needed.",
                    measure.required
                )
            };
            let lacking = measure.required - measure.lower;
            (
                sentence,
                format!(
                    "{} within {within} would meet it.",
                    count(lacking, "more occurrence", "more occurrences")
                ),
            )
        }
    }
}
