//! Events in the words of `wording::event`, as one line of Markdown with the draft's names.

use std::collections::BTreeSet;

use super::contributors::Contributors;
use super::draft_input::DraftInput;
use super::references::source;
use crate::model::event::{ActorKind, Alert, Event, Fact};
use crate::wording::event::{
    SentenceContext, after_colon, alert_change, alert_summary, labels, sentence,
};
use crate::wording::{event, markdown};

/// Suffix of an event whose stated time was in the future.
const CLAMPED: &str = " (the stated time was in the future; arrival time shown)";

/// Noun of an event.
pub(crate) fn noun(event: &Event) -> String {
    markdown::escape(&event::noun(event))
}

/// Sentence of an event.
pub(crate) fn event_sentence(draft: &DraftInput, names: &Contributors, event: &Event) -> String {
    let actor = names.actor(event);
    let words = sentence(
        event,
        &SentenceContext {
            incident: Some(draft.incident),
            actor: actor.as_deref(),
            service: Some(service(event)),
            person: &|source, id| names.name(source, id, ActorKind::Human),
        },
    );
    markdown::escape(&words) + if event.clamped { CLAMPED } else { "" }
}

/// Text of one row for several alerts of one name; each also gets its own line in `merged`.
pub(crate) fn merged_alerts(
    events: &[&Event],
    merged: &mut Vec<String>,
    draft: &DraftInput,
) -> String {
    let alerts: Vec<(&Event, &Alert)> = events
        .iter()
        .filter_map(|event| match &event.fact {
            Fact::Alert(alert) => Some((*event, alert)),
            _ => None,
        })
        .collect();
    let [Some((first, alert)), Some((last, _))] = [alerts.first(), alerts.last()] else {
        return String::new();
    };
    // The row says what they have in common, the lines what differs.
    let varies = |name: &str| {
        alerts
            .iter()
            .any(|(_, other)| other.labels.get(name) != alert.labels.get(name))
    };
    let varying: BTreeSet<&str> = alerts
        .iter()
        .flat_map(|(_, one)| one.labels.iter().map(|(name, _)| name))
        .filter(|name| varies(name))
        .collect();
    let same_summary = alerts
        .iter()
        .all(|(_, other)| alert_summary(other) == alert_summary(alert));
    for (event, one) in &alerts {
        let own = one.labels.iter().filter(|(name, _)| varying.contains(name));
        let summary = if same_summary { "" } else { alert_summary(one) };
        let words = format!(
            "alert {} {}{}{}",
            one.name,
            alert_change(one),
            labels(own),
            after_colon(summary)
        );
        merged.push(format!(
            "{}: {}{} ({})",
            event.occurred_at.format("%Y-%m-%d %H:%M:%S UTC"),
            markdown::escape(&words),
            if event.clamped { CLAMPED } else { "" },
            source(draft, event)
        ));
    }
    let until = if first.occurred_at == last.occurred_at {
        String::new()
    } else {
        format!(", the last at {}", last.occurred_at.format("%H:%M:%S"))
    };
    markdown::escape(&format!(
        "Alert {} {} {} times{until} ({}, {}){}",
        alert.name,
        alert_change(alert),
        alerts.len(),
        alert.severity.word(),
        service(first),
        after_colon(if same_summary {
            alert_summary(alert)
        } else {
            ""
        })
    ))
}

fn service(event: &Event) -> &str {
    event.service.as_deref().unwrap_or("unassigned")
}
