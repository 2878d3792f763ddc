//! `on: intervention`: a human had to step into a process that should be automatic, in one incident
//! or in several within a window.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;

use super::context::EvaluationContext;
use super::finding::{Finding, outcome, times};
use super::manual_steps::{ManualAct, counted};
use crate::engine::incident::attributes::{StepKey, scopes};
use crate::engine::phrases;
use crate::model::id::IncidentId;
use crate::model::incident::Incident;
use crate::model::verdict::{Measure, Outcome};
use crate::rules::rule_set::{Criterion, StepGrouping, StepWindow};

pub(crate) fn evaluate(
    context: &EvaluationContext<'_>,
    criterion: &Criterion,
    at_least: u32,
    window: Option<&StepWindow>,
) -> Finding {
    let own = counted(context, criterion);
    let earlier = window.map(|window| earlier_acts(context, criterion, &own.acts, window));
    let together: Vec<&ManualAct> = match (window, &earlier) {
        (Some(window), Some(earlier)) => best_window(context.incident, &own.acts, earlier, window),
        _ => own.acts.iter().collect(),
    };
    let sure = together.iter().filter(|act| act.sure).count();
    let measure = times(sure, together.len(), at_least);
    let outcome = outcome(
        measure.lower >= measure.required,
        measure.upper >= measure.required,
    );
    let evidence = together.iter().flat_map(|act| act.events.clone()).collect();
    // A met count names only what surely counts.
    let mut actions: Vec<&str> = together
        .iter()
        .filter(|act| act.sure || outcome != Outcome::Met)
        .map(|act| act.action.as_str())
        .collect();
    actions.dedup();
    let last = together.last().copied();
    let place = window.map_or_else(String::new, |window| place(context.incident, last, window));
    let same_action = window
        .filter(|window| window.per.contains(&StepGrouping::Action))
        .map_or_else(String::new, |_| same_action(last));
    let sentences = sentences(
        (outcome, &measure),
        &actions,
        (&same_action, &place),
        own.reported,
        &own.excluded,
    );
    Finding::new(outcome, Some(measure), evidence, sentences)
}

/// An act of another incident, with the owners of that.
type OtherAct<'a> = (ManualAct, &'a [String]);

/// The acts of other incidents that may count together with these.
fn earlier_acts<'a>(
    context: &EvaluationContext<'a>,
    criterion: &Criterion,
    own: &[ManualAct],
    window: &StepWindow,
) -> Vec<OtherAct<'a>> {
    let EvaluationContext {
        incident,
        others,
        policy,
        now,
        ..
    } = *context;
    let mut found: BTreeSet<&IncidentId> = BTreeSet::new();
    for act in own {
        let keys = match window.per.first() {
            Some(StepGrouping::Action) => vec![StepKey::Action(act.action.to_lowercase())],
            Some(StepGrouping::Scope) => {
                let scopes = scopes(incident).iter().cloned();
                scopes.map(StepKey::Scope).collect()
            }
            _ => vec![StepKey::Service(act.service.clone())],
        };
        let since = act.at - TimeDelta::seconds(window.within);
        for key in &keys {
            let steps = others.index().with_step(key, since, act.at);
            found.extend(steps.map(|(_, id)| id));
        }
    }
    let other = found
        .into_iter()
        .filter(|id| **id != incident.id)
        .filter_map(|id| others.get(id));
    other
        .flat_map(|other| {
            let context = EvaluationContext::new(other, others, policy, now);
            let acts = counted(&context, criterion).acts;
            acts.into_iter().map(|act| (act, scopes(other)))
        })
        .collect()
}

/// The most acts within a window that ends with an act of this incident, in the order of time.
fn best_window<'s>(
    incident: &Incident,
    own: &'s [ManualAct],
    earlier: &'s [OtherAct<'_>],
    window: &StepWindow,
) -> Vec<&'s ManualAct> {
    let within = TimeDelta::seconds(window.within);
    let own_scopes = scopes(incident);
    let windows = own.iter().map(|last| {
        let together = |act: &ManualAct, others: &[String]| {
            act.at <= last.at
                && act.at > last.at - within
                && window.per.iter().all(|grouping| match grouping {
                    StepGrouping::Service => act.service == last.service,
                    StepGrouping::Action => act.action.eq_ignore_ascii_case(&last.action),
                    StepGrouping::Scope => others.iter().any(|scope| own_scopes.contains(scope)),
                })
        };
        let before = earlier
            .iter()
            .filter(|(act, others)| together(act, others))
            .map(|(act, _)| act);
        let here = own.iter().filter(|act| together(act, own_scopes));
        let mut acts: Vec<&ManualAct> = before.chain(here).collect();
        acts.sort_by_key(|act| (act.at, act.events.first().copied()));
        acts
    });
    windows
        .max_by_key(|acts| (acts.iter().filter(|act| act.sure).count(), acts.len()))
        .unwrap_or_default()
}

/// The part of a sentence that names the steps counted together: ` on Checkout within 7 days`.
fn place(incident: &Incident, last: Option<&ManualAct>, window: &StepWindow) -> String {
    let grouping = window.per.iter().map(|grouping| match grouping {
        StepGrouping::Service => {
            // Steps of an unassigned incident carry its key in place of a service.
            let service = last.map(|act| act.service.as_str());
            let service = service.filter(|_| !incident.services.is_empty());
            phrases::subject(incident, service)
                .map_or_else(String::new, |service| format!(" on {service}"))
        }
        StepGrouping::Action => String::new(),
        StepGrouping::Scope => format!(" on services of {}", scopes(incident).join(", ")),
    });
    let within = phrases::period(TimeDelta::seconds(window.within));
    format!("{} within {within}", grouping.collect::<String>())
}

/// The action that steps counted together share: ` (restart)`.
fn same_action(last: Option<&ManualAct>) -> String {
    last.map_or_else(
        || " of the same action".to_owned(),
        |act| format!(" ({})", act.action),
    )
}

fn sentences(
    (outcome, measure): (Outcome, &Measure),
    actions: &[&str],
    (same_action, place): (&str, &str),
    reported: usize,
    excluded: &BTreeMap<&'static str, usize>,
) -> (String, String) {
    let bounded = measure.upper > measure.lower;
    let steps = |number: f64| phrases::count(number, "manual step", "manual steps");
    let required = format!("{:.0}", measure.required);
    let single_word = |action: &&&str| !action.contains(char::is_whitespace);
    let taken = match actions.first().filter(single_word) {
        Some(action) if measure.lower < 1.5 => format!("1 manual {action}"),
        _ if actions.is_empty() => steps(measure.lower),
        _ => format!("{}: {}", steps(measure.lower), actions.join(", ")),
    };
    let actions = actions.join(", ");
    let actions = if actions.is_empty() {
        String::new()
    } else {
        format!(": {actions}")
    };
    match outcome {
        Outcome::Met if bounded => (
            format!("At least {taken}{place} (threshold {required})."),
            format!(
                "With {} it would be unknown.",
                phrases::count(
                    measure.lower - measure.required + 1.0,
                    "fewer known manual step",
                    "fewer known manual steps"
                )
            ),
        ),
        Outcome::Met => (
            format!("{taken}{place} (threshold {required})."),
            if measure.lower < 1.5 {
                "Without this step it would not have been met.".to_owned()
            } else {
                format!(
                    "With {} it would not have been met.",
                    phrases::count(
                        measure.lower - measure.required + 1.0,
                        "fewer manual step",
                        "fewer manual steps"
                    )
                )
            },
        ),
        Outcome::Unknown => (
            if measure.lower < 0.5 {
                format!(
                    "{} may count{actions}{place} (threshold {required}).",
                    steps(measure.upper)
                )
            } else {
                let verb = if measure.lower < 1.5 {
                    "counts"
                } else {
                    "count"
                };
                format!(
                    "{} {verb}, and {:.0} more may{actions}{place} (threshold {required}).",
                    steps(measure.lower),
                    measure.upper - measure.lower
                )
            },
            "Knowing who took the steps, and whether they should be automatic, would decide it."
                .to_owned(),
        ),
        Outcome::NotMet => {
            let sentence = if reported == 0 {
                format!("No manual step was reported (threshold {required}).")
            } else {
                let excluded: Vec<String> = excluded
                    .iter()
                    .map(|(reason, number)| format!("{number} {reason}"))
                    .collect();
                let excluded = if excluded.is_empty() {
                    String::new()
                } else {
                    format!(" (not counted: {})", excluded.join(", "))
                };
                let verb = if measure.required < 1.5 { "is" } else { "are" };
                let counted = if measure.upper < 0.5 {
                    "No manual step".to_owned()
                } else if bounded {
                    format!("At most {}", steps(measure.upper))
                } else {
                    steps(measure.upper)
                };
                let same_action = if measure.upper < 0.5 { "" } else { same_action };
                format!(
                    "{counted}{same_action} counted{place}{excluded}; {required} {verb} needed."
                )
            };
            let lacking = measure.required - measure.upper;
            // More of what does not count would not help.
            let more = if reported == 0 {
                phrases::count(lacking, "manual step", "manual steps")
            } else if measure.upper < 0.5 {
                phrases::count(
                    lacking,
                    "manual step that counts",
                    "manual steps that count",
                )
            } else {
                phrases::count(lacking, "more manual step", "more manual steps")
            };
            (
                sentence,
                format!("{more}{same_action}{place} would meet it."),
            )
        }
    }
}
