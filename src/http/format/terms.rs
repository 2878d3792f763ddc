//! Enumerations and measures of the model in words.

use crate::http::format::time::duration;
use crate::model::correction::{Answer, DismissReason, SnoozeUntil};
use crate::model::incident::Incident;
use crate::model::lifecycle::ReviewState;
use crate::model::member::JoinReason;
use crate::model::milestone::{Certainty, MilestoneKind};
use crate::model::on_call::OnCall;
use crate::model::signal::SignalKind;
use crate::model::verdict::{CriterionKind, Decision, Factor, Measure, Unit};

pub(crate) fn decision(decision: &Decision) -> &'static str {
    match decision {
        Decision::None => "no postmortem",
        Decision::Suggest => "suggest a postmortem",
        Decision::Hold => "hold a postmortem",
    }
}

/// What a shadow would have led to.
pub(crate) fn shadow_effect(decision: Decision) -> &'static str {
    match decision {
        Decision::None => "would not have asked for a postmortem",
        Decision::Suggest => "would have suggested a postmortem",
        Decision::Hold => "would have held a postmortem",
    }
}

pub(crate) fn criterion(kind: &CriterionKind) -> &'static str {
    match kind {
        CriterionKind::Outage => "a declared outage",
        CriterionKind::Degradation => "degradation, long enough",
        CriterionKind::Intervention => "a human had to step in",
        CriterionKind::Request => "somebody asked",
        CriterionKind::NearMiss => "it nearly happened",
        CriterionKind::Recurrence => "the same thing came back",
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
        Certainty::Stated => "a person said so",
        Certainty::Inferred => "inferred",
    }
}

/// Dismissals and their words; the first of each pair is the value of the form field.
pub(crate) const REASONS: [(&str, &str); 7] = [
    ("planned", "It was planned work"),
    ("test", "It was a test or drill"),
    ("duplicate", "Another incident covers it"),
    ("noise", "The signal was wrong"),
    ("too_small", "Not worth a meeting"),
    ("already_covered", "It has been talked through elsewhere"),
    ("other", "Something else"),
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

/// "Dismissed: it was planned work".
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

/// Why an event belongs to its incident.
pub(crate) fn join_reason(reason: &JoinReason) -> String {
    match reason {
        JoinReason::Context => "shortly before".to_owned(),
        JoinReason::Opened => "opened this incident".to_owned(),
        JoinReason::Key => "names this incident".to_owned(),
        JoinReason::Subject => "about something already here".to_owned(),
        JoinReason::Labels { key } => format!("same {key}"),
        JoinReason::Dependency { service } => format!("{service} is one dependency away"),
        JoinReason::Person => "a person said so".to_owned(),
    }
}

/// Observed against required: "24m of 30m", "between 22m and 41m of 30m", "1 of 2 times".
pub(crate) fn measure(measure: &Measure) -> String {
    let Measure {
        lower,
        upper,
        required,
        unit,
        ..
    } = *measure;
    let say = |value: f64| match unit {
        // Whole seconds are all that is shown; a cast saturates.
        Unit::Seconds => duration(value as i64),
        Unit::Times => format!("{value}"),
        Unit::Score => format!("{value:.2}"),
    };
    let seen = if lower == upper {
        say(lower)
    } else {
        format!("between {} and {}", say(lower), say(upper))
    };
    match unit {
        Unit::Seconds => format!("{seen} of {}", say(required)),
        Unit::Times if required == 1.0 => format!("{seen} of 1 time"),
        Unit::Times => format!("{seen} of {} times", say(required)),
        Unit::Score => format!("score {seen} of {}", say(required)),
    }
}

/// What a score is made of: "30 (severity: critical) × 0.9 (closeness: as reported)".
pub(crate) fn factors(factors: &[Factor]) -> String {
    factors
        .iter()
        .map(|factor| format!("{} ({}: {})", factor.value, factor.name, factor.why))
        .collect::<Vec<_>>()
        .join(" × ")
}

/// What stands, as a heading.
pub(crate) fn review_heading(standing: &ReviewState) -> &'static str {
    match standing {
        ReviewState::None => "No postmortem",
        ReviewState::Suggested => "A postmortem is suggested",
        ReviewState::Snoozed => "A suggestion, put off",
        ReviewState::Held => "A postmortem is held",
        ReviewState::Dismissed => "Dismissed",
    }
}

/// Why it stands so, in one sentence.
pub(crate) fn reason_sentence(incident: &Incident) -> &str {
    if incident.reason.is_empty() {
        "No criterion has looked at it yet."
    } else {
        &incident.reason
    }
}

/// How much of what it takes is there, 0 to 1 and above; -1 where nothing is counted.
pub(crate) fn closeness(measure: Option<&Measure>) -> f64 {
    match measure {
        Some(measure) if measure.required > 0.0 => measure.upper / measure.required,
        _ => -1.0,
    }
}

/// The services, or that none is known.
pub(crate) fn services(incident: &Incident) -> String {
    match (incident.services.as_slice(), &incident.unassigned) {
        ([], Some(key)) => format!("unassigned ({key})"),
        ([], None) => "unassigned".to_owned(),
        (services, _) => services.join(", "),
    }
}

/// Who is on call.
pub(crate) fn on_call(who: &OnCall) -> String {
    match who {
        OnCall::These(these) => these
            .iter()
            .map(|one| one.name.as_str())
            .collect::<Vec<_>>()
            .join(", "),
        OnCall::Nobody => "nobody".to_owned(),
        OnCall::Unknown(why) => format!("unknown: {why}"),
    }
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
        assert_eq!(measure(&seconds(1440.0, 1440.0)), "24m of 30m");
        assert_eq!(
            measure(&seconds(1320.0, 2460.0)),
            "between 22m and 41m of 30m"
        );
        assert_eq!(
            measure(&Measure::new(1.0, 1.0, 2.0, Unit::Times)),
            "1 of 2 times"
        );
        assert_eq!(
            measure(&Measure::new(0.7, 0.7, 0.85, Unit::Score)),
            "score 0.70 of 0.85"
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
