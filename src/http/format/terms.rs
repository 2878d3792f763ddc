//! Enumerations and measures of the model in words.

use crate::http::format::time::duration;
use crate::http::format::{badge, time};
use crate::model::correction::{Answer, DismissReason, SnoozeUntil};
use crate::model::event::{Event, Fact};
use crate::model::incident::Incident;
use crate::model::lifecycle::ReviewState;
use crate::model::member::JoinReason;
use crate::model::milestone::{Certainty, MilestoneKind};
use crate::model::on_call::OnCall;
use crate::model::signal::SignalKind;
use crate::model::time::Time;
use crate::model::verdict::{CriterionKind, Decision, Factor, Measure, Unit};
use crate::wording::number;

pub(crate) fn decision(decision: &Decision) -> &'static str {
    match decision {
        Decision::None => "no postmortem",
        Decision::Suggest => "suggest a postmortem",
        Decision::Hold => "open a postmortem",
    }
}

/// "Suggested", for an announced decision.
pub(crate) fn announcement(decision: &Decision) -> &'static str {
    match decision {
        Decision::None => "Withdrawn",
        Decision::Suggest => "Suggested",
        Decision::Hold => "Opened",
    }
}

/// The review state at the closing of an incident.
pub(crate) fn review_state_at_closing(state: &ReviewState) -> &'static str {
    match state {
        ReviewState::None => "no postmortem",
        ReviewState::Suggested => "suggested, unanswered",
        ReviewState::Snoozed => "suggested, snoozed",
        ReviewState::Held => "postmortem opened",
        ReviewState::Dismissed => "dismissed",
    }
}

/// Effect that a shadow criterion would have had.
/// `possible`: the decision of the criterion when it is met.
pub(crate) fn shadow_effect(effect: Decision, possible: Decision) -> &'static str {
    match effect {
        Decision::None if possible == Decision::Hold => "would not have opened a postmortem",
        Decision::None => "would not have suggested a postmortem",
        Decision::Suggest => "would have suggested a postmortem",
        Decision::Hold => "would have opened a postmortem",
    }
}

pub(crate) fn criterion(kind: &CriterionKind) -> &'static str {
    match kind {
        CriterionKind::Outage => "declared outage",
        CriterionKind::Degradation => "sustained degradation",
        CriterionKind::Intervention => "manual intervention",
        CriterionKind::Request => "request",
        CriterionKind::NearMiss => "near miss",
        CriterionKind::Recurrence => "recurrence",
    }
}

pub(crate) fn signal(kind: SignalKind) -> &'static str {
    match kind {
        SignalKind::Alert => "alert",
        SignalKind::Condition => "condition",
        SignalKind::Declaration => "declaration",
    }
}

pub(crate) fn milestone(kind: MilestoneKind) -> &'static str {
    match kind {
        MilestoneKind::Began => "Began",
        MilestoneKind::Detected => "Detected",
        MilestoneKind::Acknowledged => "Acknowledged",
        MilestoneKind::Mitigated => "Mitigated",
        MilestoneKind::Resolved => "Resolved",
    }
}

pub(crate) fn certainty(certainty: &Certainty) -> &'static str {
    match certainty {
        Certainty::Measured => "measured",
        Certainty::Stated => "entered by a person",
        Certainty::Inferred => "inferred",
    }
}

/// Dismissal reasons: form value and text.
pub(crate) const REASONS: [(&str, &str); 7] = [
    ("planned", "Planned work"),
    ("test", "Test or drill"),
    ("duplicate", "Covered by another incident"),
    ("noise", "False alarm"),
    ("too_small", "Too small for a postmortem"),
    ("already_covered", "Already discussed elsewhere"),
    ("other", "Other reason"),
];

fn reason(reason: DismissReason) -> &'static str {
    REASONS[match reason {
        DismissReason::Planned => 0,
        DismissReason::Test => 1,
        DismissReason::Duplicate => 2,
        DismissReason::Noise => 3,
        DismissReason::TooSmall => 4,
        DismissReason::AlreadyCovered => 5,
        DismissReason::Other => 6,
    }]
    .1
}

/// "Dismissed: planned work".
pub(crate) fn answer(answer: &Answer) -> String {
    match answer {
        Answer::Accept => "Accepted".to_owned(),
        Answer::Dismiss { reason: why } => format!("Dismissed: {}", lower_first(reason(*why))),
        Answer::Snooze {
            until: SnoozeUntil::NextWorkingDay,
        } => "Snoozed until the next working day".to_owned(),
        Answer::Snooze {
            until: SnoozeUntil::WhenResolved,
        } => "Snoozed until the incident is resolved".to_owned(),
    }
}

/// Reason for which an event belongs to its incident.
pub(crate) fn join_reason(reason: &JoinReason, event: &Event) -> String {
    match reason {
        JoinReason::Context => "shortly before the incident".to_owned(),
        JoinReason::Opened => "opened this incident".to_owned(),
        JoinReason::Key => "added to this incident".to_owned(),
        JoinReason::Subject => match &event.fact {
            Fact::Declaration(declared) if declared.planned => "same planned work",
            Fact::Declaration(_) => "same outage",
            Fact::Condition(_) => "same condition",
            _ => "same alert",
        }
        .to_owned(),
        JoinReason::Labels { key } => format!("same {key}"),
        JoinReason::Dependency { service } => format!("direct dependency: {service}"),
        JoinReason::Person => "entered by a person".to_owned(),
    }
}

/// Observed against required: "24m (threshold 30m)", "between 22m and 41m (threshold 30m)", "1 (threshold 2)".
pub(crate) fn measure(measure: &Measure) -> String {
    let Measure {
        lower,
        upper,
        required,
        unit,
        ..
    } = *measure;
    let say = |value: f64| match unit {
        // Only whole seconds are shown; the cast saturates.
        Unit::Seconds => duration(value as i64),
        Unit::Times => format!("{value}"),
        Unit::Score => format!("{value:.2}"),
    };
    let seen = if lower == upper {
        say(lower)
    } else {
        format!("between {} and {}", say(lower), say(upper))
    };
    let threshold = say(required);
    match unit {
        Unit::Score => format!("score {seen} (threshold {threshold})"),
        Unit::Seconds | Unit::Times => format!("{seen} (threshold {threshold})"),
    }
}

/// Factors of a score: "30 (severity: critical) × 0.9 (closeness: as reported)".
pub(crate) fn factors(factors: &[Factor]) -> String {
    factors
        .iter()
        .map(|factor| {
            format!(
                "{} ({}: {})",
                number::short(factor.value),
                factor.name,
                factor.why
            )
        })
        .collect::<Vec<_>>()
        .join(" × ")
}

/// Review state as a heading.
pub(crate) fn review_heading(standing: &ReviewState) -> &'static str {
    match standing {
        ReviewState::None => "No postmortem",
        ReviewState::Suggested => "Postmortem suggested",
        ReviewState::Snoozed => "Suggestion snoozed",
        ReviewState::Held => "Postmortem opened",
        ReviewState::Dismissed => "Dismissed",
    }
}

/// Reason of the decision, in one sentence.
pub(crate) fn reason_sentence(incident: &Incident) -> &str {
    if incident.reason.is_empty() {
        "Not evaluated yet."
    } else {
        &incident.reason
    }
}

/// Ratio of the observed value to the threshold; -1 without a measure.
pub(crate) fn closeness(measure: Option<&Measure>) -> f64 {
    match measure {
        Some(measure) if measure.required > 0.0 => measure.upper / measure.required,
        _ => -1.0,
    }
}

/// State of an incident with its age: `active for 47m`, `ended 2m ago`.
pub(crate) fn incident_state_for(incident: &Incident, now: Time) -> String {
    let state = badge::incident_state(incident, now).text;
    let spans = || incident.signals.iter().flat_map(|signal| &signal.spans);
    let since = match state {
        "ended" => {
            let end = spans().filter_map(|span| span.end).max();
            return format!("ended {}", time::ago(&now, &end.unwrap_or(now)));
        }
        "unknown" => {
            let lasting = spans().filter(|span| span.end.is_none());
            lasting.map(|span| span.start).min().unwrap_or(now)
        }
        _ => incident.phase_since,
    };
    if since > now {
        return state.to_owned();
    }
    format!("{state} for {}", duration((now - since).num_seconds()))
}

/// Services of an incident, or "unassigned".
pub(crate) fn services(incident: &Incident) -> String {
    match (incident.services.as_slice(), &incident.unassigned) {
        ([], Some(key)) => format!("unassigned ({key})"),
        ([], None) => "unassigned".to_owned(),
        (services, _) => services.join(", "),
    }
}

/// People on call.
pub(crate) fn on_call(who: &OnCall) -> String {
    match who {
        OnCall::These(these) => these
            .iter()
            .map(|one| one.name.as_str())
            .collect::<Vec<_>>()
            .join(", "),
        OnCall::Nobody => "no one".to_owned(),
        OnCall::Unknown(why) => format!("unknown: {why}"),
    }
}

/// Words as a sentence, with a full stop unless they bring their own.
pub(crate) fn with_full_stop(words: &str) -> String {
    let stop = if words.ends_with(['.', '!', '?', '…']) {
        ""
    } else {
        "."
    };
    format!("{words}{stop}")
}

pub(crate) fn lower_first(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map(|first| first.to_lowercase().chain(letters).collect())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{REASONS, measure};
    use crate::model::correction::DismissReason;
    use crate::model::verdict::{Measure, Unit};

    #[test]
    fn a_measure_says_its_bounds_and_what_it_takes() {
        let seconds = |lower, upper| Measure::new(lower, upper, 1800.0, Unit::Seconds);
        assert_eq!(measure(&seconds(1440.0, 1440.0)), "24m (threshold 30m)");
        assert_eq!(
            measure(&seconds(1320.0, 2460.0)),
            "between 22m and 41m (threshold 30m)"
        );
        assert_eq!(
            measure(&Measure::new(1.0, 1.0, 2.0, Unit::Times)),
            "1 (threshold 2)"
        );
        assert_eq!(
            measure(&Measure::new(0.7, 0.7, 0.85, Unit::Score)),
            "score 0.70 (threshold 0.85)"
        );
    }

    #[test]
    fn the_form_offers_what_the_model_reads() {
        for (value, words) in REASONS {
            let read: DismissReason =
                serde_json::from_value(serde_json::Value::from(value)).expect(value);
            assert_eq!(super::reason(read), words);
        }
    }
}
