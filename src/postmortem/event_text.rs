//! What happened, in words: one line of Markdown an event.

use std::collections::BTreeSet;

use super::contributors::DisplayNames;
use super::draft_input::DraftInput;
use super::escape;
use super::references::source;
use crate::model::correction::{Answer, Correction, SnoozeUntil};
use crate::model::event::{
    ActorKind, Alert, AlertStatus, ConditionState, EndReason, Event, Fact, Severity,
};
use crate::model::milestone::MilestoneKind;
use crate::model::signal::SignalKind;

/// Follows a fact whose time was clamped.
const AHEAD: &str = " (its source's clock was ahead)";

/// What an event is, as a noun.
pub(crate) fn noun(event: &Event) -> String {
    let named = |kind: &str, name: &str| escape::text(&format!("{kind} {name}"));
    match &event.fact {
        Fact::Alert(alert) => named("alert", &alert.name),
        Fact::Condition(condition) => named("condition", &condition.name),
        Fact::Declaration(declaration) => named("declaration", &declaration.title),
        Fact::Intervention(step) => named("manual step", &step.action),
        Fact::Request(_) => "a request".to_owned(),
        Fact::NearMiss(_) => "a reported near miss".to_owned(),
        Fact::Change(change) => named("change", &change.what),
        Fact::Acknowledgement(_) => "an acknowledgement".to_owned(),
        Fact::Note(_) => "a note".to_owned(),
        Fact::Maintenance(window) => named("planned work", &window.why),
        Fact::Review(_) => "an answer".to_owned(),
        Fact::Edit(_) => "what a person stated".to_owned(),
        Fact::Lapsed(_) => "silence of the sender".to_owned(),
        Fact::Settings(_) => "new settings".to_owned(),
    }
}

/// What happened, in words.
pub(crate) fn what(draft: &DraftInput, called: &DisplayNames, event: &Event) -> String {
    let who = called.actor(event);
    let by = who
        .as_ref()
        .map(|who| format!(" by {who}"))
        .unwrap_or_default();
    let somebody = who.unwrap_or_else(|| "somebody".to_owned());
    let words = match &event.fact {
        Fact::Alert(alert) => {
            format!(
                "Alert {} {} ({}){}",
                escape::text(&alert.name),
                ended(alert),
                kind(alert.severity, event),
                said(summary(alert))
            )
        }
        Fact::Condition(condition) => {
            let state = match condition.state {
                ConditionState::Healthy => "healthy",
                ConditionState::Degraded => "degraded",
                ConditionState::NearMiss => "a near miss",
                ConditionState::Unknown => "unknown: no data to say",
            };
            let value = condition
                .value
                .map(|value| format!(" at {value}"))
                .unwrap_or_default();
            format!(
                "Condition {}{} became {state}{value}",
                escape::text(&condition.name),
                labels(condition.labels.iter())
            )
        }
        Fact::Declaration(declaration) => {
            let what = match (declaration.status, declaration.planned) {
                (AlertStatus::Firing, false) => "Outage declared",
                (AlertStatus::Resolved, false) => "Declared outage ended",
                (AlertStatus::Firing, true) => "Planned work began",
                (AlertStatus::Resolved, true) => "Planned work ended",
            };
            format!("{what}{by}{}", said(&declaration.title))
        }
        Fact::Intervention(step) => {
            let told = match (step.dry_run, step.refused) {
                (true, _) => " (a dry run)",
                (false, true) => " (refused by the system)",
                (false, false) if step.stated => " (stated)",
                (false, false) => "",
            };
            format!(
                "Manual step{by}: {}{told}{}",
                escape::text(&step.action),
                said(&step.why)
            )
        }
        Fact::Request(request) => {
            let asker = request
                .requester
                .as_deref()
                .map(|id| called.name(&event.source, id, ActorKind::Human))
                .unwrap_or(somebody);
            format!("Postmortem asked for by {asker}{}", said(&request.reason))
        }
        Fact::NearMiss(near_miss) => format!("Near miss reported{by}{}", said(&near_miss.what)),
        Fact::Change(change) => {
            let revision = change
                .revision
                .as_deref()
                .map(|revision| format!(" ({})", escape::text(revision)))
                .unwrap_or_default();
            if draft.incident.rollbacks.contains(&event.id) {
                let back = if revision.is_empty() {
                    ""
                } else {
                    " to an earlier revision"
                };
                format!("Rollback{by}{back}{revision}{}", said(&change.title))
            } else {
                format!(
                    "Change{by}: {}{revision}{}",
                    escape::text(&change.what),
                    said(&change.title)
                )
            }
        }
        Fact::Acknowledgement(_) => format!("Acknowledged{by}"),
        Fact::Note(note) => format!("Note{by}{}", said(&note.text)),
        Fact::Maintenance(window) => {
            let (from, to) = (
                window.from.format("%Y-%m-%d %H:%M"),
                window.to.format("%Y-%m-%d %H:%M"),
            );
            format!(
                "Planned work told of{by}, from {from} to {to}{}",
                said(&window.why)
            )
        }
        Fact::Review(review) => format!("{}{by}{}", answer(review.answer), said(&review.comment)),
        Fact::Edit(Correction::Assign { key, service }) => format!(
            "Assigned{by}: {} to {}",
            escape::text(key),
            escape::text(service)
        ),
        Fact::Edit(Correction::Milestone { milestone, at, .. }) => {
            format!(
                "Stated{by}: {} at {}",
                milestone_name(*milestone),
                at.format("%Y-%m-%d %H:%M:%S UTC")
            )
        }
        Fact::Edit(Correction::Identity {
            alias,
            person: Some(person),
        }) => {
            format!(
                "Stated{by}: {} is {}",
                escape::text(alias),
                called.name("", person, ActorKind::Human)
            )
        }
        Fact::Edit(Correction::Identity {
            alias,
            person: None,
        }) => format!("Taken back{by}: who {} is", escape::text(alias)),
        Fact::Edit(Correction::Merge { .. }) => {
            format!("Another incident was found to be this one{by}")
        }
        Fact::Edit(Correction::Move { to: None, .. }) => {
            format!("A part was found to be an incident of its own{by}")
        }
        Fact::Edit(Correction::Move { .. }) => {
            format!("A part was found to belong to another incident{by}")
        }
        Fact::Edit(Correction::DataLoss { lost, .. }) => format!(
            "Stated{by}: {}",
            if *lost {
                "data was lost"
            } else {
                "no data was lost"
            }
        ),
        Fact::Lapsed(lapsed) => {
            let about = draft
                .incident
                .signals
                .iter()
                .find(|signal| signal.subject == lapsed.of);
            let about = about.map_or_else(
                || "a signal".to_owned(),
                |signal| signal_noun(signal.kind, &signal.name),
            );
            format!(
                "No more word of {about}: unknown since {}",
                lapsed.last_seen.format("%Y-%m-%d %H:%M:%S UTC")
            )
        }
        Fact::Settings(_) => "New rules and services in force".to_owned(),
    };
    if event.clamped { words + AHEAD } else { words }
}

/// `: text`, or nothing for no text.
fn said(text: &str) -> String {
    if text.trim().is_empty() {
        String::new()
    } else {
        format!(": {}", escape::text(text))
    }
}

/// What an alert says of itself to people, by the annotations that are used for it.
fn summary(alert: &Alert) -> &str {
    ["summary", "description", "message"]
        .iter()
        .find_map(|name| alert.annotations.get(name))
        .unwrap_or_default()
}

/// `alert HighErrorRate`.
pub(crate) fn signal_noun(kind: SignalKind, name: &str) -> String {
    let kind = match kind {
        SignalKind::Alert => "alert",
        SignalKind::Condition => "condition",
        SignalKind::Declaration => "declaration",
    };
    escape::text(&format!("{kind} {name}"))
}

/// One row's words for several alerts; each of them gets its own line in `merged`.
pub(crate) fn many(events: &[&Event], merged: &mut Vec<String>, draft: &DraftInput) -> String {
    let alerts: Vec<&Alert> = events
        .iter()
        .filter_map(|event| {
            if let Fact::Alert(alert) = &event.fact {
                Some(alert)
            } else {
                None
            }
        })
        .collect();
    let [Some(first), Some(last)] = [events.first(), events.last()] else {
        return String::new();
    };
    let Some(alert) = alerts.first() else {
        return String::new();
    };
    // What they have in common is said in the row.
    let varies = |name: &str| {
        alerts
            .iter()
            .any(|other| other.labels.get(name) != alert.labels.get(name))
    };
    let varying: BTreeSet<&str> = alerts
        .iter()
        .flat_map(|one| one.labels.iter().map(|(name, _)| name))
        .collect();
    let varying: BTreeSet<&str> = varying.into_iter().filter(|name| varies(name)).collect();
    let shared = alerts.iter().all(|other| summary(other) == summary(alert));
    for (event, one) in events.iter().zip(&alerts) {
        let own = one.labels.iter().filter(|(name, _)| varying.contains(name));
        let at = event.occurred_at.format("%Y-%m-%d %H:%M:%S UTC");
        let told = if shared { "" } else { summary(one) };
        let ahead = if event.clamped { AHEAD } else { "" };
        merged.push(format!(
            "{at}: alert {} {}{}{}{ahead} ({})",
            escape::text(&one.name),
            ended(one),
            labels(own),
            said(told),
            source(draft, event)
        ));
    }
    let until = if first.occurred_at == last.occurred_at {
        String::new()
    } else {
        format!(", the last at {}", last.occurred_at.format("%H:%M:%S"))
    };
    let (name, count, told) = (
        escape::text(&alert.name),
        events.len(),
        said(if shared { summary(alert) } else { "" }),
    );
    format!(
        "Alert {name} {} {count} times{until} ({}){told}",
        ended(alert),
        kind(alert.severity, first)
    )
}

fn ended(alert: &Alert) -> &'static str {
    match (alert.status, alert.end_reason) {
        (AlertStatus::Firing, _) => "fired",
        (AlertStatus::Resolved, EndReason::Recovered) => "resolved",
        (AlertStatus::Resolved, EndReason::SourceLost) => "ended as its source vanished",
        (AlertStatus::Resolved, EndReason::NoData) => "ended without data",
        (AlertStatus::Resolved, EndReason::Muted) => "was muted",
        (AlertStatus::Resolved, EndReason::Deleted) => "ended as its rule was deleted",
        (AlertStatus::Resolved, EndReason::Superseded) => "gave way to a later episode",
        (AlertStatus::Resolved, EndReason::Unknown) => "ended for a reason not told",
    }
}

/// Severity and service of an event.
fn kind(severity: Severity, event: &Event) -> String {
    let service = event
        .service
        .as_deref()
        .map_or_else(|| "unassigned".to_owned(), escape::text);
    format!("{}, {service}", severity_name(severity))
}

/// The word for a severity.
pub(crate) fn severity_name(severity: Severity) -> &'static str {
    match severity {
        Severity::None => "none",
        Severity::Info => "info",
        Severity::Unknown => "unknown",
        Severity::Warning => "warning",
        Severity::Critical => "critical",
    }
}

fn labels<'a>(labels: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let pairs: Vec<_> = labels
        .map(|(name, value)| escape::text(&format!("{name}={value}")))
        .collect();
    if pairs.is_empty() {
        String::new()
    } else {
        format!(" for {}", pairs.join(", "))
    }
}

/// The word for an answer.
pub(crate) fn answer(answer: Answer) -> String {
    let reason = match answer {
        Answer::Accept => return "Postmortem accepted".to_owned(),
        Answer::Snooze {
            until: SnoozeUntil::NextWorkingDay,
        } => return "Postmortem put off to the next working day".to_owned(),
        Answer::Snooze {
            until: SnoozeUntil::WhenResolved,
        } => return "Postmortem put off until it is resolved".to_owned(),
        Answer::Dismiss { reason } => reason,
    };
    format!("Postmortem dismissed ({})", reason.word())
}

fn milestone_name(milestone: MilestoneKind) -> &'static str {
    match milestone {
        MilestoneKind::Began => "began",
        MilestoneKind::Detected => "detected",
        MilestoneKind::Acknowledged => "acknowledged",
        MilestoneKind::Mitigated => "mitigated",
        MilestoneKind::Resolved => "resolved",
    }
}
