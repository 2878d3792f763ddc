//! `on: recurrence`: earlier incidents had the same traits, by default the same service and the same
//! opening alert or condition.

use std::sync::Arc;

use chrono::TimeDelta;

use super::context::EvaluationContext;
use super::finding::{Finding, outcome, times};
use super::hours::{self, counts_at};
use crate::engine::incident::attributes::{opened_at, opener, opening_service};
use crate::engine::incident::summary::met_criteria;
use crate::engine::phrases::{count, period, subject};
use crate::expr::truth::Truth;
use crate::model::event::Fact;
use crate::model::id::{EventId, IncidentId};
use crate::model::incident::Incident;
use crate::model::verdict::{Measure, Outcome};
use crate::rules::rule_set::{Criterion, Likeness};

pub(crate) fn evaluate(
    context: &EvaluationContext<'_>,
    criterion: &Criterion,
    (required, within): (u32, TimeDelta),
    same: &[Likeness],
    met: &[String],
) -> Finding {
    let incident = context.incident;
    let until = opened_at(incident);
    if !counts_at(criterion, until) {
        return Finding::absent(
            &format!("The incident began {}.", hours::OUTSIDE),
            "An incident that begins within the counted hours could meet it.",
        );
    }
    let traits = match Traits::of(incident, same) {
        Ok(traits) => traits,
        Err(lacking) => return lacking.finding(),
    };
    let asks_criterion = same.contains(&Likeness::Criterion);
    let index = context.others.index();
    let (since, service) = (until - within, traits.service.as_deref());
    let candidates: Vec<&IncidentId> = match (service, &traits.name) {
        (Some(service), Some(name)) => {
            let key = (service.into(), Arc::clone(name));
            let list = index.with_key(&key, since, until);
            list.map(|(_, id)| id).collect()
        }
        (Some(service), None) => {
            let list = index.opened_on(service, since, until);
            list.map(|(_, id)| id).collect()
        }
        (None, _) => index.opened(since, until).map(|(_, id)| id).collect(),
    };
    let is_alike = |other: &&Incident| {
        Traits::of(other, same).as_ref() == Ok(&traits)
            && counts_at(criterion, opened_at(other))
            && (!asks_criterion
                || met_criteria(&other.verdicts).any(|name| met.iter().any(|met| met == name)))
    };
    let earlier = candidates
        .into_iter()
        .filter(|id| **id != incident.id)
        .filter_map(|id| context.others.get(id));
    let mut evidence: Vec<EventId> = earlier
        .filter(is_alike)
        .filter_map(opener)
        .map(|event| event.id)
        .collect();
    if asks_criterion && met.is_empty() {
        return Finding::absent(
            "The incident meets no other criterion, so it cannot be a recurrence.",
            "If it met a criterion that earlier incidents met, it could be a recurrence.",
        );
    }
    evidence.extend(opener(incident).map(|event| event.id));
    let measure = times(evidence.len(), evidence.len(), required);
    let passes = context.passes(criterion, None);
    let enough = measure.lower >= measure.required;
    let outcome = match passes {
        Truth::True => outcome(enough, enough),
        Truth::False => Outcome::NotMet,
        Truth::Unknown(_) => outcome(false, enough),
    };
    let mut what = traits.words(incident);
    if asks_criterion {
        what.push_str(&format!(" with {}", met.join(" or ")));
    }
    let excluded = passes == Truth::False;
    let sentences = sentences(&what, outcome, &measure, within, excluded);
    Finding::new(outcome, Some(measure), evidence, sentences)
}

/// A trait that an incident lacks, so that it cannot be a recurrence.
#[derive(Debug, PartialEq, Eq)]
enum LackingTrait<'a> {
    /// An opener of these kinds.
    Opener(&'static str),
    Service,
    Label(&'a str),
}

impl LackingTrait<'_> {
    fn finding(&self) -> Finding {
        let (lacks, has) = match self {
            Self::Opener(kinds) => (
                format!("No {kinds} opened the incident"),
                format!("that an {kinds} opened").replace("an condition", "a condition"),
            ),
            Self::Service => (
                "The incident has no service".to_owned(),
                "with a service".to_owned(),
            ),
            Self::Label(name) => (
                format!("What opened the incident has no label {name}"),
                format!("whose opening alert or condition has the label {name}"),
            ),
        };
        Finding::absent(
            &format!("{lacks}, so it cannot be a recurrence."),
            &format!("An incident {has} could meet it."),
        )
    }
}

/// The traits of an incident that must be the same; `None` for those that need not be.
#[derive(Debug, PartialEq, Eq)]
struct Traits<'a> {
    service: Option<Arc<str>>,
    /// The alert or condition that opened it.
    name: Option<Arc<str>>,
    labels: Vec<(&'a str, &'a str)>,
}

impl<'a> Traits<'a> {
    fn of(incident: &'a Incident, same: &'a [Likeness]) -> Result<Self, LackingTrait<'a>> {
        let asks = |likeness: Likeness| same.contains(&likeness);
        let usual = same.is_empty();
        let (alert, condition) = (
            usual || asks(Likeness::Alert),
            usual || asks(Likeness::Condition),
        );
        let opening = opener(incident).map(|event| &event.fact);
        let mut traits = Self {
            service: None,
            name: None,
            labels: Vec::new(),
        };
        if alert || condition {
            traits.name = Some(match opening {
                Some(Fact::Alert(opening)) if alert => Arc::clone(&opening.name),
                Some(Fact::Condition(opening)) if condition => opening.name.as_str().into(),
                _ => {
                    let kinds = match (alert, condition) {
                        (true, true) => "alert or condition",
                        (true, false) => "alert",
                        _ => "condition",
                    };
                    return Err(LackingTrait::Opener(kinds));
                }
            });
        }
        if usual || asks(Likeness::Service) {
            let service = opening_service(incident);
            traits.service = Some(service.ok_or(LackingTrait::Service)?);
        }
        for likeness in same {
            if let Likeness::Label(name) = likeness {
                let labels = match opening {
                    Some(Fact::Alert(opening)) => Some(&opening.labels),
                    Some(Fact::Condition(opening)) => Some(&opening.labels),
                    _ => None,
                };
                let value = labels.and_then(|labels| labels.get(name));
                let value = value.ok_or(LackingTrait::Label(name))?;
                traits.labels.push((name, value));
            }
        }
        Ok(traits)
    }

    fn words(&self, incident: &Incident) -> String {
        let name = self.name.as_deref().unwrap_or("An incident");
        let service = self
            .service
            .as_ref()
            .and_then(|_| subject(incident, None))
            .map_or_else(String::new, |service| format!(" on {service}"));
        let labels = self
            .labels
            .iter()
            .map(|(name, value)| format!(" with {name}={value}"));
        format!("{name}{service}{}", labels.collect::<String>())
    }
}

fn sentences(
    what: &str,
    outcome: Outcome,
    measure: &Measure,
    within: TimeDelta,
    excluded: bool,
) -> (String, String) {
    let within = period(within);
    let times = if measure.lower < 1.5 {
        "once".to_owned()
    } else {
        count(measure.lower, "time", "times")
    };
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
            format!(
                "{what} occurred {times} within {within}, but it is unknown if `where` applies."
            ),
            "Stating the fields that `where` uses would decide it.".to_owned(),
        ),
        Outcome::NotMet if excluded => (
            format!("{what} occurred {times} within {within}, but `where` excludes this incident."),
            "An incident that passes `where` could meet it.".to_owned(),
        ),
        Outcome::NotMet => {
            let sentence = if measure.lower < 1.5 {
                // What opened another one may have happened there, too.
                let which = what
                    .strip_prefix("An incident")
                    .map_or_else(|| format!(" that {what} opened"), str::to_owned);
                format!(
                    "First incident{which} within {within}; {:.0} are needed.",
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
