//! The title of an incident and the reason for its decision, each in a sentence for stakeholders.

use crate::engine::phrases::{capitalised, clip, plain_name};
use crate::model::correction::Answer;
use crate::model::event::{Event, Fact};
use crate::model::incident::{Announced, Incident, Reviewed};
use crate::model::verdict::{CriterionKind, Decision, Outcome, Verdict};

/// A short title for the incident that an event opens: the service, and what was the matter.
pub(crate) fn title(event: &Event) -> String {
    let service = event.service.as_deref();
    let what = match &event.fact {
        Fact::Alert(alert) => plain_name(&alert.name, service),
        Fact::Condition(condition) => plain_name(&condition.name, service),
        Fact::Declaration(declaration) if declaration.title.is_empty() => {
            "declared outage".to_owned()
        }
        Fact::Declaration(declaration) => declaration.title.clone(),
        Fact::Intervention(step) => format!("manual step ({})", step.action),
        Fact::Request(request) => {
            format!("postmortem requested ({})", clip(&request.reason, 60))
        }
        Fact::NearMiss(near_miss) => format!("near miss ({})", clip(&near_miss.what, 80)),
        Fact::Change(_)
        | Fact::Acknowledgement(_)
        | Fact::Note(_)
        | Fact::Maintenance(_)
        | Fact::Review(_)
        | Fact::Edit(_)
        | Fact::Lapsed(_)
        | Fact::Settings(_)
        | Fact::ClockStep(_) => "incident".to_owned(),
    };
    let what = clip(&what, 120);
    // People name the service themselves, and so do the names of some alerts.
    let names_service = |service: &str| {
        what.contains(char::is_whitespace)
            && !matches!(&event.fact, Fact::Alert(alert) if is_technical(&alert.name))
            && what.to_lowercase().contains(&service.to_lowercase())
    };
    match service {
        Some(service) if !names_service(service) => format!("{}: {what}", capitalised(service)),
        _ => capitalised(&what),
    }
}

/// True for a name that is no prose: `HighErrorRate`.
fn is_technical(name: &str) -> bool {
    !name.trim().contains(char::is_whitespace)
}

/// The reason for an incident's decision: the announcement, else the verdict that came closest.
pub(crate) fn reason(incident: &Incident) -> String {
    if let Some(announced) = &incident.announced {
        return announced_reason(incident, announced);
    }
    let share = |verdict: &Verdict| match verdict.measure {
        // Everything that happens has happened once.
        Some(measure) if verdict.on == CriterionKind::Recurrence => {
            (measure.upper - 1.0) / measure.required.max(1.0)
        }
        Some(measure) if measure.upper > 0.0 => {
            measure.upper / measure.required.max(f64::MIN_POSITIVE)
        }
        // Time that does not count says more than the absence of something else.
        _ if !verdict.excluded.is_empty() => f64::MIN_POSITIVE,
        _ => 0.0,
    };
    // A criterion that only explains does not say why there is no postmortem.
    let counted = incident
        .verdicts
        .iter()
        .filter(|verdict| !verdict.shadow && verdict.decision > Decision::None);
    // Of equally close ones, the first of the rules.
    let closest = counted.rev().max_by(|a, b| share(a).total_cmp(&share(b)));
    match closest {
        Some(verdict) => format!("No postmortem: {}", uncapitalised(&verdict.sentence)),
        None => "No postmortem: no criterion leads to one.".to_owned(),
    }
}

/// The criteria that were announced, with the numbers of now: an earlier figure never comes back.
fn announced_reason(incident: &Incident, announced: &Announced) -> String {
    let deciding: Vec<&Verdict> = incident
        .verdicts
        .iter()
        .filter(|verdict| announced.criteria.contains(&verdict.criterion))
        .collect();
    // Rules in force now may no longer have them.
    if deciding.is_empty() {
        return announced.sentence.clone();
    }
    let met: Vec<&Verdict> = deciding
        .iter()
        .filter(|verdict| verdict.outcome == Outcome::Met)
        .copied()
        .collect();
    let review = incident
        .review
        .as_ref()
        .filter(|review| review.at < announced.at);
    let reasons = if met.is_empty() { &deciding } else { &met };
    let why = announcement(reasons, review);
    match &announced.limit {
        Some(limit) => format!("{why} {limit}"),
        None => why,
    }
}

/// Service names keep their spelling mid-sentence; only our own first words are lowered.
fn uncapitalised(sentence: &str) -> String {
    let lowered = ["No ", "An ", "A ", "At ", "Between ", "First "];
    match lowered.iter().find(|word| sentence.starts_with(**word)) {
        Some(word) => format!("{}{}", word.to_lowercase(), &sentence[word.len()..]),
        None => sentence.to_owned(),
    }
}

/// The sentence of an announcement: the strongest reason first, then the others.
pub(crate) fn announcement(reasons: &[&Verdict], review: Option<&Reviewed>) -> String {
    let sentences: Vec<&str> = reasons
        .iter()
        .map(|verdict| verdict.sentence.as_str())
        .collect();
    let why = sentences.join(" ");
    match review.map(|review| review.answer) {
        Some(Answer::Dismiss { reason }) => format!(
            "{why} An earlier suggestion was dismissed ({}); this reason is new.",
            reason.label()
        ),
        _ => why,
    }
}
