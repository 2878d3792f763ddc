//! Timeline of a draft: one row per event, in UTC, with the milestones highlighted at their time.

use chrono::TimeDelta;
use serde::Serialize;

use super::contributors::Contributors;
use super::draft_input::DraftInput;
use super::event_text::{event_sentence, merged_alerts, noun};
use super::references::{certainty, event, incident_page, source};
use crate::model::event::{AlertStatus, Event, Fact};
use crate::model::id::Subject;
use crate::model::milestone::Milestone;
use crate::model::time::Time;
use crate::wording::markdown;

/// Window after the first alert of a name within which those of other instances share its row.
const REPEAT: TimeDelta = TimeDelta::minutes(5);

/// Timeline row as templates see it.
#[derive(Debug, Serialize)]
pub(crate) struct TimelineRow {
    /// Time of day, with the date where the timeline spans days.
    time: String,
    /// Description of the event.
    what: String,
    /// Source of the fact.
    source: String,
}

/// Timeline row under construction.
struct RowBuilder<'a> {
    at: Time,
    callouts: Vec<String>,
    what: String,
    source: String,
    events: Vec<&'a Event>,
}

/// Builds the rows, and a line for each alert that shares a row with others.
pub(crate) fn timeline(
    draft: &DraftInput,
    called: &Contributors,
) -> (Vec<TimelineRow>, Vec<String>) {
    let members = &draft.incident.members;
    let repeated_reports = members.repeated_reports();
    let mut events: Vec<&Event> = members
        .iter()
        .map(|member| &*member.event)
        .filter(|event| {
            !members.closes_zero_length_declaration(event) && !repeated_reports.contains(&event.id)
        })
        .collect();
    events.sort_by(|a, b| (a.occurred_at, &a.id).cmp(&(b.occurred_at, &b.id)));
    let mut rows: Vec<RowBuilder> = Vec::new();
    for event in events {
        match rows
            .iter_mut()
            .rev()
            .take_while(|row| event.occurred_at - row.at <= REPEAT)
            .find(|row| repeats(row.events[0], event) && !has_instance(&row.events, event))
        {
            Some(row) => row.events.push(event),
            None => rows.push(RowBuilder {
                at: event.occurred_at,
                callouts: Vec::new(),
                what: String::new(),
                source: source(draft, event),
                events: vec![event],
            }),
        }
    }
    let mut merged = Vec::new();
    for row in &mut rows {
        row.what = if row.events.len() > 1 {
            merged_alerts(&row.events, &mut merged, draft)
        } else {
            event_sentence(draft, called, row.events[0])
        };
    }
    call_out(draft, &mut rows);
    rows.sort_by_key(|row| row.at);
    let days = rows
        .first()
        .zip(rows.last())
        .is_some_and(|(first, last)| first.at.date_naive() != last.at.date_naive());
    let format = if days {
        "%Y-%m-%d %H:%M:%S"
    } else {
        "%H:%M:%S"
    };
    let rows = rows.into_iter().map(|row| {
        let callouts = row.callouts.join(", ");
        let what = match (callouts.is_empty(), row.what.is_empty()) {
            (true, _) => row.what,
            (false, true) => callouts,
            (false, false) => format!("{callouts}: {}", row.what),
        };
        TimelineRow {
            time: row.at.format(format).to_string(),
            what,
            source: row.source,
        }
    });
    (rows.collect(), merged)
}

/// True for a second alert of the same kind, from another instance.
fn repeats(first: &Event, event: &Event) -> bool {
    match (&first.fact, &event.fact) {
        (Fact::Alert(a), Fact::Alert(b)) => {
            a.name == b.name
                && a.status == b.status
                && a.severity == b.severity
                && a.end_reason == b.end_reason
                && first.service == event.service
                && first.source == event.source
        }
        _ => false,
    }
}

/// True when a row has an alert of the same labels. Another of these is a new episode, which a shared
/// row would place before the end of the last one.
fn has_instance(row: &[&Event], event: &Event) -> bool {
    row.iter().any(|other| match (&other.fact, &event.fact) {
        (Fact::Alert(a), Fact::Alert(b)) => a.labels == b.labels,
        _ => false,
    })
}

fn call_out(draft: &DraftInput, rows: &mut Vec<RowBuilder>) {
    let milestones = &draft.incident.milestones;
    let outage = |event: &Event| match &event.fact {
        Fact::Declaration(declared) => declared.status == AlertStatus::Firing && !declared.planned,
        Fact::Alert(alert) => {
            alert.status == AlertStatus::Firing && alert.labels.get("afterword") == Some("outage")
        }
        _ => false,
    };
    let turns = [
        ("**Outage begins**", &milestones.began),
        ("**Detected**", &milestones.detected),
        ("**Incident declared**", &None),
        ("Acknowledged", &milestones.acknowledged),
        ("**Outage mitigated**", &milestones.mitigated),
        ("**Issue resolved**", &milestones.resolved),
    ];
    for (name, turn) in turns {
        let Some(turn) = turn else {
            let declared = rows
                .iter_mut()
                .find(|row| row.events.iter().any(|event| outage(event)));
            if let Some(row) = declared.filter(|_| name == "**Incident declared**") {
                row.callouts.push(name.to_owned());
            }
            continue;
        };
        let callout = format!("{name}{}", certainty(turn.certainty));
        match place(draft, rows, turn) {
            // The row mentions the acknowledgement.
            Some(_) if name == "Acknowledged" => {}
            Some(row) => rows[row].callouts.push(callout),
            None => {
                let origin = turn.source.as_ref().and_then(|id| event(draft, id));
                let row = RowBuilder {
                    at: turn.at,
                    callouts: vec![callout],
                    what: origin
                        .map(|event| format!("known from {}", noun(event)))
                        .unwrap_or_default(),
                    source: origin.map_or_else(
                        || markdown::link("afterword", &incident_page(draft)),
                        |event| source(draft, event),
                    ),
                    events: Vec::new(),
                };
                // Before the events of the same instant: that is where a turn begins.
                let index = rows
                    .iter()
                    .position(|row| row.at >= turn.at)
                    .unwrap_or(rows.len());
                rows.insert(index, row);
            }
        }
    }
}

/// Finds the row for a milestone among those of its instant: that of its event, else of the same
/// subject, else, where no event is named, the last one.
fn place(draft: &DraftInput, rows: &[RowBuilder], turn: &Milestone) -> Option<usize> {
    let at: Vec<usize> = rows
        .iter()
        .enumerate()
        .filter(|(_, row)| row.at == turn.at && !row.events.is_empty())
        .map(|(index, _)| index)
        .collect();
    let Some(id) = &turn.source else {
        return at.last().copied();
    };
    let subject: Option<&Subject> = event(draft, id).map(|event| &event.subject);
    let with = |test: &dyn Fn(&Event) -> bool| {
        at.iter()
            .copied()
            .find(|index| rows[*index].events.iter().any(|event| test(event)))
    };
    with(&|event| event.id == *id).or_else(|| with(&|event| Some(&event.subject) == subject))
}
