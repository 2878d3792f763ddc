//! The words in which pages say what the model holds.

use super::pages::human;
use crate::model::correction::{Answer, DismissReason, Edit, SnoozeUntil};
use crate::model::directory::{Identities, Who};
use crate::model::event::{
    Actor, ActorKind, Alert, AlertStatus, ConditionState, EndReason, Event, Fact, Severity,
};
use crate::model::incident::Incident;
use crate::model::ledger::Became;
use crate::model::lifecycle::{Phase, ReviewState};
use crate::model::member::Joined;
use crate::model::milestone::{Certainty, MilestoneKind};
use crate::model::on_call::OnCall;
use crate::model::postmortem::PostmortemStatus;
use crate::model::signal::SignalKind;
use crate::model::spans::SpanState;
use crate::model::verdict::{CriterionKind, Decision, Factor, Measure, Outcome, Unit};

/// What people are called, in one incident.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Names<'a> {
    /// Who is who.
    pub(crate) who: &'a Who,
    /// What people stated of it.
    pub(crate) stated: &'a Identities,
}

impl<'a> Names<'a> {
    /// The name that people know of whom `source` calls so; else as it came.
    pub(crate) fn called(&self, source: &str, id: &'a str) -> &'a str {
        self.who
            .person(source, id, self.stated)
            .map_or(id, |person| &person.name)
    }
}

/// Text and the class that colours it; the text alone says all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Badge {
    pub(crate) text: &'static str,
    pub(crate) class: &'static str,
}

/// The state of a condition.
pub(crate) fn condition(state: ConditionState) -> Badge {
    match state {
        ConditionState::Healthy => badge("healthy", "good"),
        ConditionState::Degraded => badge("degraded", "bad"),
        ConditionState::NearMiss => badge("near miss", "ask"),
        ConditionState::Unknown => badge("unknown", "muted"),
    }
}

const fn badge(text: &'static str, class: &'static str) -> Badge {
    Badge { text, class }
}

pub(crate) fn phase(phase: &Phase) -> Badge {
    match phase {
        Phase::Active => badge("active", "warm"),
        Phase::Resolved => badge("resolved", "good"),
        Phase::Closed => badge("closed", "quiet"),
    }
}

pub(crate) fn standing(standing: &ReviewState) -> Badge {
    match standing {
        ReviewState::None => badge("no postmortem", "quiet"),
        ReviewState::Suggested => badge("suggested", "ask"),
        ReviewState::Snoozed => badge("snoozed", "quiet"),
        ReviewState::Held => badge("postmortem", "strong"),
        ReviewState::Dismissed => badge("dismissed", "quiet"),
    }
}

pub(crate) fn severity(severity: &Severity) -> Badge {
    match severity {
        Severity::None => badge("none", "quiet"),
        Severity::Info => badge("info", "quiet"),
        Severity::Unknown => badge("severity unknown", "quiet"),
        Severity::Warning => badge("warning", "ask"),
        Severity::Critical => badge("critical", "warm"),
    }
}

pub(crate) fn outcome(outcome: &Outcome) -> Badge {
    match outcome {
        Outcome::Met => badge("met", "strong"),
        Outcome::NotMet => badge("not met", "quiet"),
        Outcome::Unknown => badge("unknown", "ask"),
    }
}

pub(crate) fn status(status: &PostmortemStatus) -> Badge {
    match status {
        PostmortemStatus::Draft => badge("draft", "ask"),
        PostmortemStatus::InDiscussion => badge("in discussion", "strong"),
        PostmortemStatus::Completed => badge("completed", "good"),
        PostmortemStatus::Declined => badge("declined", "quiet"),
    }
}

/// What came of a closed incident.
pub(crate) fn became(became: &Became) -> Badge {
    match became {
        Became::Nothing => badge("nothing", "quiet"),
        Became::Waiting => badge("waiting for an answer", "ask"),
        Became::Snoozed => badge("snoozed", "quiet"),
        Became::Lapsed => badge("lapsed", "quiet"),
        Became::Dismissed => badge("dismissed", "quiet"),
        Became::Bundled => badge("in a bundle", "quiet"),
        Became::Merged => badge("merged", "quiet"),
        Became::Reopened => badge("open again", "warm"),
        Became::Due => badge("postmortem due", "strong"),
        Became::Draft => status(&PostmortemStatus::Draft),
        Became::InDiscussion => status(&PostmortemStatus::InDiscussion),
        Became::Completed => status(&PostmortemStatus::Completed),
        Became::Declined => status(&PostmortemStatus::Declined),
    }
}

pub(crate) fn span(state: SpanState) -> Badge {
    match state {
        SpanState::Degraded => badge("degraded", "degraded"),
        SpanState::NearMiss => badge("near miss", "near"),
        SpanState::Unknown => badge("unknown", "unknown"),
        SpanState::Planned => badge("planned", "planned"),
    }
}

pub(crate) fn decision(decision: &Decision) -> &'static str {
    match decision {
        Decision::None => "no postmortem",
        Decision::Suggest => "suggest a postmortem",
        Decision::Hold => "hold a postmortem",
    }
}

/// What a shadow would have led to.
pub(crate) fn would_have(decision: Decision) -> &'static str {
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
pub(crate) fn joined(joined: &Joined) -> String {
    match joined {
        Joined::Context => "shortly before".to_owned(),
        Joined::Opened => "opened this incident".to_owned(),
        Joined::Key => "names this incident".to_owned(),
        Joined::Subject => "about something already here".to_owned(),
        Joined::Labels { key } => format!("same {key}"),
        Joined::Dependency { service } => format!("{service} is one dependency away"),
        Joined::Person => "a person said so".to_owned(),
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
        Unit::Seconds => human(value as i64),
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
pub(crate) fn heading(standing: &ReviewState) -> &'static str {
    match standing {
        ReviewState::None => "No postmortem",
        ReviewState::Suggested => "A postmortem is suggested",
        ReviewState::Snoozed => "A suggestion, put off",
        ReviewState::Held => "A postmortem is held",
        ReviewState::Dismissed => "Dismissed",
    }
}

/// Why it stands so, in one sentence.
pub(crate) fn sentence(incident: &Incident) -> &str {
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

/// Who acted, by the name people know.
pub(crate) fn who(event: &Event, actor: &Actor, names: &Names<'_>) -> String {
    match names.who.kind(&event.source, actor, names.stated) {
        ActorKind::Robot => format!("{} (automatic)", actor.id),
        ActorKind::Human | ActorKind::Unknown => names.called(&event.source, &actor.id).to_owned(),
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

/// What an event says of an incident, in one line.
pub(crate) fn told(incident: &Incident, event: &Event) -> String {
    match &event.fact {
        Fact::Change(change) if incident.rollbacks.contains(&event.id) => {
            let revision = change
                .revision
                .as_deref()
                .map(|revision| format!(" to an earlier revision ({revision})"))
                .unwrap_or_default();
            let title = if change.title.is_empty() {
                String::new()
            } else {
                format!(": {}", change.title)
            };
            format!("Rollback{revision}{title}")
        }
        _ => fact(event),
    }
}

/// What an event states, in one line.
pub(crate) fn fact(event: &Event) -> String {
    match &event.fact {
        Fact::Alert(alert) => self::alert(alert),
        Fact::Condition(condition) => {
            let state = match condition.state {
                ConditionState::Healthy => "healthy",
                ConditionState::Degraded => "degraded",
                ConditionState::NearMiss => "a near miss",
                ConditionState::Unknown => "unknown: there is no data",
            };
            let value = condition
                .value
                .map(|value| format!(" (value {value})"))
                .unwrap_or_default();
            format!("{} is {state}{value}", condition.name)
        }
        Fact::Declaration(declared) => match (declared.status, declared.planned) {
            (AlertStatus::Firing, false) => format!("Outage declared: {}", declared.title),
            (AlertStatus::Firing, true) => format!("Planned work begins: {}", declared.title),
            (AlertStatus::Resolved, false) => format!("Declared outage ended: {}", declared.title),
            (AlertStatus::Resolved, true) => format!("Planned work ends: {}", declared.title),
        },
        Fact::Intervention(step) => {
            let how = match (step.dry_run, step.refused) {
                (true, _) => " (a dry run)",
                (false, true) => " (refused by the system)",
                (false, false) => "",
            };
            let why = if step.why.is_empty() {
                String::new()
            } else {
                format!(" – {}", step.why)
            };
            format!("Manual step: {}{how}{why}", step.action)
        }
        Fact::Request(request) => match &request.requester {
            Some(name) => format!("{name} asked for a postmortem: {}", request.reason),
            None => format!("Somebody asked for a postmortem: {}", request.reason),
        },
        Fact::NearMiss(miss) => format!(
            "Near miss: {}{}",
            miss.what,
            if miss.by_luck {
                " (noticed by luck)"
            } else {
                ""
            }
        ),
        Fact::Change(change) => {
            let revision = change
                .revision
                .as_deref()
                .map(|revision| format!(" ({revision})"))
                .unwrap_or_default();
            let title = if change.title.is_empty() {
                "no title given"
            } else {
                &change.title
            };
            format!("Change, {}: {title}{revision}", change.what)
        }
        Fact::Acknowledgement(_) => "Acknowledged".to_owned(),
        Fact::Note(note) => note.text.clone(),
        Fact::Maintenance(window) if window.to <= window.from => {
            format!("Planned work was called off: {}", window.why)
        }
        Fact::Maintenance(window) => {
            let (from, to) = (
                window.from.format("%-d %b %Y, %H:%M"),
                window.to.format("%-d %b %Y, %H:%M UTC"),
            );
            format!("Planned work from {from} to {to}: {}", window.why)
        }
        Fact::Review(review) => match review.comment.as_str() {
            "" => answer(&review.answer),
            comment => format!("{} – {comment}", answer(&review.answer)),
        },
        Fact::Edit(Edit::Assign { key, service }) => format!("{key} assigned to {service}"),
        Fact::Edit(Edit::Identity {
            alias,
            person: Some(person),
        }) => format!("{alias} is {person}"),
        Fact::Edit(Edit::Identity {
            alias,
            person: None,
        }) => format!("Taken back: who {alias} is"),
        Fact::Edit(Edit::Merge { from, into }) => format!("{from} was found to be one with {into}"),
        Fact::Edit(Edit::Move { to: None, .. }) => {
            "A part was found to be an incident of its own".to_owned()
        }
        Fact::Edit(Edit::Move { to: Some(to), .. }) => {
            format!("A part was found to belong to {to}")
        }
        Fact::Edit(Edit::DataLoss { lost, .. }) => format!(
            "Stated: {}",
            if *lost {
                "data was lost"
            } else {
                "no data was lost"
            }
        ),
        Fact::Edit(Edit::Milestone {
            milestone: which,
            at,
            ..
        }) => {
            format!(
                "Stated: {} at {}",
                lower_first(milestone(*which)),
                at.format("%-d %b %Y, %H:%M:%S UTC")
            )
        }
        Fact::Lapsed(lapsed) => {
            format!(
                "The sender stopped reporting; unknown since it was last seen at {}",
                lapsed.last_seen.format("%H:%M:%S")
            )
        }
        Fact::Settings(_) => "Rules and services put in force".to_owned(),
    }
}

fn alert(alert: &Alert) -> String {
    let name = &alert.name;
    match (alert.status, alert.end_reason) {
        (AlertStatus::Firing, _) => {
            let summary = alert
                .annotations
                .get("summary")
                .map(|summary| format!(" – {summary}"))
                .unwrap_or_default();
            format!("{name} fires, {}{summary}", severity(&alert.severity).text)
        }
        (_, EndReason::Recovered) => format!("{name} recovered"),
        (_, EndReason::SourceLost) => {
            format!("{name} ended because its source was lost; whether it recovered is unknown")
        }
        (_, EndReason::NoData) => {
            format!("{name} ended because there was no data; whether it recovered is unknown")
        }
        (_, EndReason::Muted) => format!("{name} was muted; whether it recovered is unknown"),
        (_, EndReason::Deleted) => {
            format!("{name} ended because its rule was deleted; whether it recovered is unknown")
        }
        (_, EndReason::Superseded) => format!("{name} was replaced by a later episode"),
        (_, EndReason::Unknown) => format!("{name} ended; its source does not say why"),
    }
}

fn lower_first(text: &str) -> String {
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
