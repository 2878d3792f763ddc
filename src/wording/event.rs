//! Wording of events: a sentence and a noun for each kind of fact.

use super::{number, terms};
use crate::model::correction::Correction;
use crate::model::event::{Alert, AlertStatus, Condition, ConditionState, EndReason, Event, Fact};
use crate::model::incident::Incident;

/// Format of the instants in a sentence.
const INSTANT: &str = "%Y-%m-%d %H:%M:%S UTC";

/// Context of a sentence.
pub(crate) struct SentenceContext<'a> {
    /// Incident that the event belongs to.
    pub(crate) incident: Option<&'a Incident>,
    /// Display name of the actor; `None` where the reader sees it beside the sentence.
    pub(crate) actor: Option<&'a str>,
    /// Name of the service; `None` where the reader sees it beside the sentence.
    pub(crate) service: Option<&'a str>,
    /// Display name of a person, by the source and the id that it uses.
    pub(crate) person: &'a dyn Fn(&str, &str) -> String,
}

/// Describes the event in one sentence of plain text, without a full stop.
pub(crate) fn sentence(event: &Event, context: &SentenceContext) -> String {
    let by = context
        .actor
        .map(|actor| format!(" by {actor}"))
        .unwrap_or_default();
    match &event.fact {
        Fact::Alert(alert) => {
            let service = context
                .service
                .map(|service| format!(", {service}"))
                .unwrap_or_default();
            let recovery = match (alert.status, alert.end_reason) {
                (AlertStatus::Firing, _) | (_, EndReason::Recovered | EndReason::Superseded) => "",
                _ => "; whether it recovered is unknown",
            };
            format!(
                "Alert {} {} ({}{service}){recovery}{}",
                alert.name,
                alert_change(alert),
                alert.severity.word(),
                after_colon(alert_summary(alert))
            )
        }
        Fact::Condition(condition) => condition_sentence(event, condition),
        Fact::Declaration(declaration) => {
            let change = match (declaration.status, declaration.planned) {
                (AlertStatus::Firing, false) => "Outage declared",
                (AlertStatus::Resolved, false) => "Declared outage ended",
                (AlertStatus::Firing, true) => "Planned work began",
                (AlertStatus::Resolved, true) => "Planned work ended",
            };
            let detected = declaration
                .detected_by
                .and_then(terms::detector)
                .map(|who| format!(" (first detected by {who})"))
                .unwrap_or_default();
            format!("{change}{by}{}{detected}", after_colon(&declaration.title))
        }
        Fact::Intervention(step) => {
            let note = match (step.dry_run, step.refused) {
                (true, _) => " (dry run)",
                (false, true) => " (refused by the system)",
                (false, false) if step.stated => " (entered by a person)",
                (false, false) => "",
            };
            format!(
                "Manual step{by}: {}{note}{}",
                step.action,
                after_colon(&step.why)
            )
        }
        Fact::Request(request) => {
            let requester = request
                .requester
                .as_deref()
                .map(|id| format!(" by {}", (context.person)(&event.source, id)));
            format!(
                "Postmortem requested{}{}",
                requester.unwrap_or(by),
                after_colon(&request.reason)
            )
        }
        Fact::NearMiss(near_miss) => {
            let luck = if near_miss.by_luck {
                " (noticed only by luck)"
            } else {
                ""
            };
            format!(
                "Near miss reported{by}{}{luck}",
                after_colon(&near_miss.what)
            )
        }
        Fact::Change(change) => {
            let revision = change
                .revision
                .as_deref()
                .map(|revision| format!(" ({revision})"))
                .unwrap_or_default();
            let title = after_colon(&change.title);
            let is_rollback = context
                .incident
                .is_some_and(|incident| incident.rollbacks.contains(&event.id));
            match (is_rollback, revision.is_empty()) {
                (false, _) => format!("Change{by}: {}{revision}{title}", change.what),
                (true, true) => format!("Rollback{by}{title}"),
                (true, false) => {
                    format!("Rollback{by} to an earlier revision{revision}{title}")
                }
            }
        }
        Fact::Acknowledgement(_) => format!("Acknowledged{by}"),
        Fact::Note(note) => format!("Note{by}{}", after_colon(&note.text)),
        Fact::Maintenance(window) if window.to <= window.from => {
            format!("Planned work cancelled{by}{}", after_colon(&window.why))
        }
        Fact::Maintenance(window) => format!(
            "Planned work announced{by}, from {} to {} UTC{}",
            window.from.format("%Y-%m-%d %H:%M"),
            window.to.format("%Y-%m-%d %H:%M"),
            after_colon(&window.why)
        ),
        Fact::Review(review) => format!(
            "{}{by}{}",
            terms::answer(review.answer),
            after_colon(&review.comment)
        ),
        Fact::Edit(edit) => {
            let replaced = if is_replaced(event, context) {
                " (replaced by a later entry)"
            } else {
                ""
            };
            edit_sentence(edit, &by, context) + replaced
        }
        Fact::Lapsed(lapsed) => {
            let signal = context.incident.and_then(|incident| {
                let mut signals = incident.signals.iter();
                signals.find(|signal| signal.subject == lapsed.of)
            });
            let about = signal.map_or_else(
                || "a signal".to_owned(),
                |signal| terms::signal(signal.kind, &signal.name),
            );
            format!(
                "The sender stopped reporting {about}; unknown since {}",
                lapsed.last_seen.format(INSTANT)
            )
        }
        Fact::Settings(_) => "New rules and services took effect".to_owned(),
        Fact::ClockStep(step) => format!(
            "The clock was set from {} to {} UTC",
            step.from.format(INSTANT),
            step.to.format(INSTANT)
        ),
    }
}

/// A condition's state. `for` delays its report: the state began before, and the value is of the report.
fn condition_sentence(event: &Event, condition: &Condition) -> String {
    let state = match condition.state {
        ConditionState::Healthy => "healthy",
        ConditionState::Degraded => "degraded",
        ConditionState::NearMiss => "a near miss",
        ConditionState::Unknown => "unknown for lack of data",
    };
    let (name, labels) = (&condition.name, labels(condition.labels.iter()));
    let value = condition.value.map(number::short);
    let earlier = condition
        .since
        .filter(|since| since.timestamp() < event.occurred_at.timestamp());
    let Some(since) = earlier else {
        let value = value.map(|value| format!(" at {value}"));
        return format!(
            "Condition {name}{labels} became {state}{}",
            value.unwrap_or_default()
        );
    };
    let format = if since.date_naive() == event.occurred_at.date_naive() {
        "%H:%M:%S UTC"
    } else {
        INSTANT
    };
    let value = value.map(|value| format!("; {value} when reported"));
    format!(
        "Condition {name}{labels} has been {state} since {}{}",
        since.format(format),
        value.unwrap_or_default()
    )
}

/// True for a stated milestone in whose place another was stated later.
fn is_replaced(event: &Event, context: &SentenceContext) -> bool {
    let kind = |event: &Event| match &event.fact {
        Fact::Edit(Correction::Milestone { milestone, .. }) => Some(*milestone),
        _ => None,
    };
    let Some((stated, incident)) = kind(event).zip(context.incident) else {
        return false;
    };
    let mut entries = incident.members.non_alerts().rev();
    let last = entries.find(|member| kind(&member.event) == Some(stated));
    last.is_some_and(|last| last.event.id != event.id)
}

fn edit_sentence(edit: &Correction, by: &str, context: &SentenceContext) -> String {
    match edit {
        Correction::Assign { key, service } => format!("Service assigned{by}: {key} to {service}"),
        Correction::Milestone { milestone, at, .. } => format!(
            "Milestone entered{by}: {} at {}",
            terms::milestone(*milestone),
            at.format(INSTANT)
        ),
        Correction::Identity {
            alias,
            person: Some(person),
        } => format!(
            "Identity entered{by}: {alias} is {}",
            (context.person)("", person)
        ),
        Correction::Identity {
            alias,
            person: None,
        } => format!("Identity removed{by}: {alias}"),
        Correction::Merge { from, into } => format!("Incident {from} merged into {into}{by}"),
        Correction::Move { to: None, .. } => format!("Part split into its own incident{by}"),
        Correction::Move { to: Some(to), .. } => format!("Part moved to incident {to}{by}"),
        Correction::DataLoss { lost, .. } => format!(
            "Data loss entered{by}: {}",
            if *lost {
                "data was lost"
            } else {
                "no data was lost"
            }
        ),
    }
}

/// Noun of the event: `alert HighErrorRate`, `an acknowledgement`.
pub(crate) fn noun(event: &Event) -> String {
    match &event.fact {
        Fact::Alert(alert) => format!("alert {}", alert.name),
        Fact::Condition(condition) => format!("condition {}", condition.name),
        Fact::Declaration(declaration) => format!("declaration {}", declaration.title),
        Fact::Intervention(step) => format!("manual step {}", step.action),
        Fact::Request(_) => "a request".to_owned(),
        Fact::NearMiss(_) => "a reported near miss".to_owned(),
        Fact::Change(change) => format!("change {}", change.what),
        Fact::Acknowledgement(_) => "an acknowledgement".to_owned(),
        Fact::Note(_) => "a note".to_owned(),
        Fact::Maintenance(window) => format!("planned work {}", window.why),
        Fact::Review(_) => "an answer".to_owned(),
        Fact::Edit(_) => "an entry by a person".to_owned(),
        Fact::Lapsed(_) => "the sender's silence".to_owned(),
        Fact::Settings(_) => "new settings".to_owned(),
        Fact::ClockStep(_) => "a step of the clock".to_owned(),
    }
}

/// Verb for the change of an alert: `fired`, `resolved`, `was muted`.
pub(crate) fn alert_change(alert: &Alert) -> &'static str {
    match (alert.status, alert.end_reason) {
        (AlertStatus::Firing, _) => "fired",
        (AlertStatus::Resolved, EndReason::Recovered) => "resolved",
        (AlertStatus::Resolved, EndReason::SourceLost) => "ended because its source disappeared",
        (AlertStatus::Resolved, EndReason::NoData) => "ended for lack of data",
        (AlertStatus::Resolved, EndReason::Muted) => "was muted",
        (AlertStatus::Resolved, EndReason::Deleted) => "ended because its rule was deleted",
        (AlertStatus::Resolved, EndReason::Superseded) => "was replaced by a later episode",
        (AlertStatus::Resolved, EndReason::Unknown) => "ended for an unknown reason",
    }
}

/// Summary of a firing alert for people, from the customary annotations. At its end these still tell
/// what it was like while it fired.
pub(crate) fn alert_summary(alert: &Alert) -> &str {
    if alert.status == AlertStatus::Resolved {
        return "";
    }
    ["summary", "description", "message"]
        .iter()
        .find_map(|name| alert.annotations.get(name))
        .unwrap_or_default()
}

/// Formats labels as ` for name=value, …`; empty without labels.
pub(crate) fn labels<'a>(labels: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let pairs: Vec<String> = labels
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    if pairs.is_empty() {
        String::new()
    } else {
        format!(" for {}", pairs.join(", "))
    }
}

/// Formats `: text`; empty for an empty text.
pub(crate) fn after_colon(text: &str) -> String {
    if text.trim().is_empty() {
        String::new()
    } else {
        format!(": {text}")
    }
}
