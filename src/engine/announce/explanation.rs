//! The title of an incident and the reason for its decision, each in a sentence for stakeholders.

use crate::engine::wording::clip;
use crate::model::correction::Answer;
use crate::model::event::{Event, Fact};
use crate::model::incident::{Incident, Reviewed};
use crate::model::verdict::{Decision, Outcome, Verdict};

/// A short title for the incident that an event opens.
pub(crate) fn title(event: &Event) -> String {
    let words = match &event.fact {
        Fact::Alert(alert) => alert.name.to_string(),
        Fact::Condition(condition) => condition.name.clone(),
        Fact::Declaration(declaration) if declaration.title.is_empty() => {
            "Declared outage".to_owned()
        }
        Fact::Declaration(declaration) => declaration.title.clone(),
        Fact::Intervention(step) => format!("Manual step: {}", step.action),
        Fact::Request(request) => format!("Postmortem requested: {}", clip(&request.reason, 60)),
        Fact::NearMiss(near_miss) => format!("Near miss: {}", near_miss.what),
        Fact::Change(_)
        | Fact::Acknowledgement(_)
        | Fact::Note(_)
        | Fact::Maintenance(_)
        | Fact::Review(_)
        | Fact::Edit(_)
        | Fact::Lapsed(_)
        | Fact::Settings(_) => "Incident".to_owned(),
    };
    clip(&words, 120)
}

/// The reason for an incident's decision: the announcement, else the verdict that came closest.
pub(crate) fn reason(incident: &Incident) -> String {
    if let Some(announced) = &incident.announced {
        // Announced at its moment, but with the numbers of now.
        let still_met = |verdict: &&Verdict| {
            announced.criteria.contains(&verdict.criterion) && verdict.outcome == Outcome::Met
        };
        let met: Vec<&Verdict> = incident.verdicts.iter().filter(still_met).collect();
        return if met.is_empty() || incident.review.is_some() {
            announced.sentence.clone()
        } else {
            announcement(&met, None)
        };
    }
    let share = |verdict: &Verdict| {
        verdict.measure.map_or(0.0, |measure| {
            measure.upper / measure.required.max(f64::MIN_POSITIVE)
        })
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

/// Service names keep their spelling mid-sentence; only our own first words are lowered.
fn uncapitalised(sentence: &str) -> String {
    let lowered = ["No ", "An ", "A ", "Between ", "First "];
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
            "{why} This is new since an earlier suggestion was dismissed ({}).",
            reason.word()
        ),
        _ => why,
    }
}
