//! Events as one line of a timeline, and the people in them by their display names.

use crate::http::format::{badge, terms};
use crate::model::correction::Correction;
use crate::model::directory::{Directory, Identities};
use crate::model::event::{
    Actor, ActorKind, Alert, AlertStatus, ConditionState, EndReason, Event, Fact,
};
use crate::model::incident::Incident;

/// Display names of people within one incident.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DisplayNames<'a> {
    /// Directory is who.
    pub(crate) who: &'a Directory,
    /// Identities entered by people.
    pub(crate) stated: &'a Identities,
}

impl<'a> DisplayNames<'a> {
    /// Display name of the person with this id at `source`, or the id itself.
    pub(crate) fn display_name(&self, source: &str, id: &'a str) -> &'a str {
        self.who
            .person(source, id, self.stated)
            .map_or(id, |person| &person.name)
    }
}

/// Directory acted, by the name people know.
pub(crate) fn actor_name(event: &Event, actor: &Actor, names: &DisplayNames<'_>) -> String {
    match names.who.kind(&event.source, actor, names.stated) {
        ActorKind::Robot => format!("{} (automatic)", actor.id),
        ActorKind::Human | ActorKind::Unknown => {
            names.display_name(&event.source, &actor.id).to_owned()
        }
    }
}

/// One-line description of an event within its incident.
pub(crate) fn describe_in(incident: &Incident, event: &Event) -> String {
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
        _ => describe(event),
    }
}

/// One-line description of an event.
pub(crate) fn describe(event: &Event) -> String {
    match &event.fact {
        Fact::Alert(alert) => describe_alert(alert),
        Fact::Condition(condition) => {
            let state = match condition.state {
                ConditionState::Healthy => "healthy",
                ConditionState::Degraded => "degraded",
                ConditionState::NearMiss => "a near miss",
                ConditionState::Unknown => "unknown (no data)",
            };
            let value = condition
                .value
                .map(|value| format!(" (value {value})"))
                .unwrap_or_default();
            format!("{} is {state}{value}", condition.name)
        }
        Fact::Declaration(declared) => match (declared.status, declared.planned) {
            (AlertStatus::Firing, false) => format!("Outage declared: {}", declared.title),
            (AlertStatus::Firing, true) => {
                format!("Planned maintenance started: {}", declared.title)
            }
            (AlertStatus::Resolved, false) => format!("Declared outage ended: {}", declared.title),
            (AlertStatus::Resolved, true) => {
                format!("Planned maintenance ended: {}", declared.title)
            }
        },
        Fact::Intervention(step) => {
            let how = match (step.dry_run, step.refused) {
                (true, _) => " (dry run)",
                (false, true) => " (rejected by the system)",
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
            Some(name) => format!("{name} requested a postmortem: {}", request.reason),
            None => format!("Postmortem requested: {}", request.reason),
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
                "untitled"
            } else {
                &change.title
            };
            format!("Change ({}): {title}{revision}", change.what)
        }
        Fact::Acknowledgement(_) => "Acknowledged".to_owned(),
        Fact::Note(note) => note.text.clone(),
        Fact::Maintenance(window) if window.to <= window.from => {
            format!("Planned maintenance cancelled: {}", window.why)
        }
        Fact::Maintenance(window) => {
            let (from, to) = (
                window.from.format("%-d %b %Y, %H:%M"),
                window.to.format("%-d %b %Y, %H:%M UTC"),
            );
            format!("Planned maintenance from {from} to {to}: {}", window.why)
        }
        Fact::Review(review) => match review.comment.as_str() {
            "" => terms::answer(&review.answer),
            comment => format!("{} – {comment}", terms::answer(&review.answer)),
        },
        Fact::Edit(Correction::Assign { key, service }) => {
            format!("Alerts with {key} assigned to {service}")
        }
        Fact::Edit(Correction::Identity {
            alias,
            person: Some(person),
        }) => format!("{alias} identified as {person}"),
        Fact::Edit(Correction::Identity {
            alias,
            person: None,
        }) => format!("Identity of {alias} removed"),
        Fact::Edit(Correction::Merge { from, into }) => {
            format!("{from} merged into {into}")
        }
        Fact::Edit(Correction::Move { to: None, .. }) => {
            "Part split off into a new incident".to_owned()
        }
        Fact::Edit(Correction::Move { to: Some(to), .. }) => {
            format!("Part moved to {to}")
        }
        Fact::Edit(Correction::DataLoss { lost, .. }) => if *lost {
            "Data loss recorded"
        } else {
            "No data loss recorded"
        }
        .to_owned(),
        Fact::Edit(Correction::Milestone {
            milestone: which,
            at,
            ..
        }) => {
            format!(
                "Milestone set: {} at {}",
                terms::lower_first(terms::milestone(*which)),
                at.format("%-d %b %Y, %H:%M:%S UTC")
            )
        }
        Fact::Lapsed(lapsed) => {
            format!(
                "The sender stopped reporting; state unknown since {}",
                lapsed.last_seen.format("%H:%M:%S")
            )
        }
        Fact::Settings(_) => "Settings and rules loaded".to_owned(),
    }
}

fn describe_alert(alert: &Alert) -> String {
    let name = &alert.name;
    match (alert.status, alert.end_reason) {
        (AlertStatus::Firing, _) => {
            let summary = alert
                .annotations
                .get("summary")
                .map(|summary| format!(" – {summary}"))
                .unwrap_or_default();
            format!(
                "{name} firing, {}{summary}",
                badge::severity(&alert.severity).text
            )
        }
        (_, EndReason::Recovered) => format!("{name} recovered"),
        (_, EndReason::SourceLost) => {
            format!("{name} ended because its source was lost; recovery unknown")
        }
        (_, EndReason::NoData) => {
            format!("{name} ended because there was no data; recovery unknown")
        }
        (_, EndReason::Muted) => format!("{name} was muted; recovery unknown"),
        (_, EndReason::Deleted) => {
            format!("{name} ended because its rule was deleted; recovery unknown")
        }
        (_, EndReason::Superseded) => format!("{name} was replaced by a later episode"),
        (_, EndReason::Unknown) => format!("{name} ended; the source gave no reason"),
    }
}
