//! The timeline: one row an event, in UTC, with the milestones called out where they fall.

use chrono::TimeDelta;
use serde::Serialize;

use super::contributors::Called;
use super::event_text::{many, noun, what};
use super::{Draft, escape};
use crate::model::event::{AlertStatus, Event, Fact};
use crate::model::id::{EventId, IncidentId, Subject};
use crate::model::milestone::{Certainty, Milestone};
use crate::model::time::Time;

/// Alerts of one name within so long of the first are one row.
const REPEAT: TimeDelta = TimeDelta::minutes(5);

/// A row as templates see it.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    /// The time of day, with the date where the timeline spans days.
    time: String,
    /// What happened.
    what: String,
    /// Where that is known from.
    source: String,
}

/// A row being made.
struct Draught<'a> {
    at: Time,
    callouts: Vec<String>,
    what: String,
    source: String,
    events: Vec<&'a Event>,
}

/// The rows, and a line for each alert that shares a row with others.
pub(crate) fn timeline(draft: &Draft, called: &Called) -> (Vec<Row>, Vec<String>) {
    let members = &draft.incident.members;
    let mut events: Vec<&Event> = members
        .iter()
        .map(|member| &*member.event)
        .filter(|event| !members.closes_an_instant(event))
        .collect();
    events.sort_by(|a, b| (a.occurred_at, &a.id).cmp(&(b.occurred_at, &b.id)));
    let mut rows: Vec<Draught> = Vec::new();
    for event in events {
        match rows
            .iter_mut()
            .rev()
            .take_while(|row| event.occurred_at - row.at <= REPEAT)
            .find(|row| repeats(row.events[0], event))
        {
            Some(row) => row.events.push(event),
            None => rows.push(Draught {
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
            many(&row.events, &mut merged, draft)
        } else {
            what(draft, called, row.events[0])
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
        Row {
            time: row.at.format(format).to_string(),
            what,
            source: row.source,
        }
    });
    (rows.collect(), merged)
}

/// The event's source, linked to its own page, or else to the incident's.
pub(crate) fn source(draft: &Draft, event: &Event) -> String {
    let own = event
        .links
        .iter()
        .find(|link| escape::url(&link.url).is_some())
        .map(|link| link.url.clone());
    escape::link(
        &event.source,
        &own.unwrap_or_else(|| format!("{}#{}", incident_page(draft), event.id)),
    )
}

/// The page of the incident.
pub(crate) fn incident_page(draft: &Draft) -> String {
    page(draft, &draft.incident.id)
}

/// The page of any incident.
pub(crate) fn page(draft: &Draft, incident: &IncidentId) -> String {
    format!(
        "{}/incidents/{incident}",
        draft.external_url.trim_end_matches('/')
    )
}

/// The event of that id.
pub(crate) fn event<'a>(draft: &Draft<'a>, id: &EventId) -> Option<&'a Event> {
    draft
        .incident
        .members
        .iter()
        .map(|member| &*member.event)
        .find(|event| event.id == *id)
}

/// ` (stated)`, ` (inferred)`, or nothing for what was measured.
pub(crate) fn certainty(certainty: Certainty) -> &'static str {
    match certainty {
        Certainty::Measured => "",
        Certainty::Stated => " (stated)",
        Certainty::Inferred => " (inferred)",
    }
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

fn call_out(draft: &Draft, rows: &mut Vec<Draught>) {
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
            // The row says that somebody acknowledged.
            Some(_) if name == "Acknowledged" => {}
            Some(row) => rows[row].callouts.push(callout),
            None => {
                let origin = turn.source.as_ref().and_then(|id| event(draft, id));
                let row = Draught {
                    at: turn.at,
                    callouts: vec![callout],
                    what: origin
                        .map(|event| format!("known from {}", noun(event)))
                        .unwrap_or_default(),
                    source: origin.map_or_else(
                        || escape::link("afterword", &incident_page(draft)),
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

/// The row that tells of the milestone: of its instant, and best of its event, else of the same subject, else, where no event is
/// named, the last one.
fn place(draft: &Draft, rows: &[Draught], turn: &Milestone) -> Option<usize> {
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
