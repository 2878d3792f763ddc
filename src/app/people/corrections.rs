//! Corrections by people: merge, move, milestone time, data loss, identity. Each is checked and becomes
//! an event.

use std::collections::BTreeSet;

use chrono::TimeDelta;

use super::actor;
use crate::app::settings::Settings;
use crate::engine::correlation::activity::opens;
use crate::model::correction::Correction;
use crate::model::event::{Event, Fact};
use crate::model::fault::nearest;
use crate::model::id::{EventId, IncidentId, Subject};
use crate::model::incident::Incident;
use crate::model::member::JoinReason;
use crate::model::milestone::MilestoneKind;
use crate::model::time::Time;

/// Clock difference allowed where a milestone is stated for the future.
const AHEAD: TimeDelta = TimeDelta::minutes(2);

/// Reason for refusing a correction.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CorrectionFault {
    /// Both are the same incident, perhaps by another name.
    #[error("{0} is a name of this incident; name another incident")]
    SameIncident(IncidentId),
    /// Events are named that are not here.
    #[error(
        "event `{0}` does not belong to this incident; the incident's `members` list those that do"
    )]
    NotHere(String),
    /// None was named.
    #[error("name at least one event to move")]
    Nothing,
    /// The part that moves, or the part that stays, has no event that opens an incident.
    #[error(
        "{0} would be left without anything that opens an incident: an alert that fired, a declaration, a request, a near miss or a stated step; merge the incidents instead"
    )]
    NothingOpens(&'static str),
    /// A time that has not come.
    #[error("the time is in the future; enter a milestone once it has been reached")]
    Future,
    /// No name, or none that a source could give.
    #[error(
        "`alias` must be the name as its source sent it, such as github:ada: one line of at most 200 characters"
    )]
    NoName,
    /// The person's id is not in `people:` of the settings.
    #[error("no person in `people:` of the settings has the id `{0}`{1}")]
    Nobody(String, String),
}

/// Merges incident `from` into `into`.
///
/// # Errors
/// When both are the same.
pub(crate) fn merge(
    now: Time,
    into: &Incident,
    from: &Incident,
    by: Option<&str>,
) -> Result<Event, CorrectionFault> {
    if into.id == from.id {
        return Err(CorrectionFault::SameIncident(from.id.clone()));
    }
    Ok(edit_event(
        now,
        &into.id,
        Correction::Merge {
            into: into.id.clone(),
            from: from.id.clone(),
        },
        by,
    ))
}

/// Moves the named events, and all others about the same subjects, to `to` or to a new incident.
///
/// # Errors
/// When that would leave events without an incident, or names none.
pub(crate) fn move_events(
    now: Time,
    from: &Incident,
    events: &[String],
    to: Option<&Incident>,
    by: Option<&str>,
) -> Result<Event, CorrectionFault> {
    if to.is_some_and(|to| to.id == from.id) {
        return Err(CorrectionFault::SameIncident(from.id.clone()));
    }
    let mut named: BTreeSet<EventId> = BTreeSet::new();
    let mut subjects: BTreeSet<Subject> = BTreeSet::new();
    for id in events {
        let own = |wanted: EventId| {
            from.members
                .iter()
                .find(|member| member.event.id == wanted && member.reason != JoinReason::Context)
        };
        let here = id
            .parse()
            .ok()
            .and_then(own)
            .ok_or_else(|| CorrectionFault::NotHere(id.clone()))?;
        subjects.insert(here.event.subject);
        named.insert(here.event.id);
    }
    if named.is_empty() {
        return Err(CorrectionFault::Nothing);
    }
    let own = from
        .members
        .iter()
        .filter(|member| member.reason != JoinReason::Context)
        .map(|member| &*member.event);
    let (moving, staying): (Vec<&Event>, Vec<&Event>) =
        own.partition(|event| subjects.contains(&event.subject));
    if !staying.into_iter().any(opens) {
        return Err(CorrectionFault::NothingOpens("what stays"));
    }
    if to.is_none() && !moving.into_iter().any(opens) {
        return Err(CorrectionFault::NothingOpens("what moves"));
    }
    let edit = Correction::Move {
        from: from.id.clone(),
        events: named.into_iter().collect(),
        to: to.map(|to| to.id.clone()),
    };
    Ok(edit_event(now, &from.id, edit, by))
}

/// States the time of a milestone.
///
/// # Errors
/// When it lies in the future.
pub(crate) fn milestone(
    now: Time,
    of: &Incident,
    milestone: MilestoneKind,
    at: Time,
    by: Option<&str>,
) -> Result<Event, CorrectionFault> {
    if at > now + AHEAD {
        return Err(CorrectionFault::Future);
    }
    Ok(edit_event(
        now,
        &of.id,
        Correction::Milestone {
            of: of.id.clone(),
            milestone,
            at,
        },
        by,
    ))
}

/// States whether data was lost.
pub(crate) fn data_loss(now: Time, of: &Incident, lost: bool, by: Option<&str>) -> Event {
    edit_event(
        now,
        &of.id,
        Correction::DataLoss {
            of: of.id.clone(),
            lost,
        },
        by,
    )
}

/// Assigns an alias used by a source to a person; `None` withdraws the assignment.
///
/// # Errors
/// When there is no name, or no such person.
pub(crate) fn identity(
    now: Time,
    settings: &Settings,
    alias: &str,
    person: Option<&str>,
    by: Option<&str>,
) -> Result<Event, CorrectionFault> {
    let alias = alias.trim();
    if alias.is_empty() || alias.chars().count() > 200 || alias.chars().any(char::is_control) {
        return Err(CorrectionFault::NoName);
    }
    let known = |id: &str| {
        settings
            .policy
            .who
            .by_id(id)
            .map(|person| person.id.clone())
            .ok_or_else(|| {
                let ids = settings
                    .config
                    .people
                    .iter()
                    .map(|person| person.id.as_str());
                let hint = nearest(id, ids)
                    .map(|name| format!("; did you mean `{name}`?"))
                    .unwrap_or_default();
                CorrectionFault::Nobody(id.chars().take(200).collect(), hint)
            })
    };
    let person = person.map(known).transpose()?;
    let mut event = Event::new(
        "people",
        now,
        Fact::Edit(Correction::Identity {
            alias: alias.to_owned(),
            person,
        }),
    );
    event.actor = actor::person_named(by);
    event.identify();
    Ok(event)
}

fn edit_event(now: Time, incident: &IncidentId, edit: Correction, by: Option<&str>) -> Event {
    let mut event = Event::new("people", now, Fact::Edit(edit));
    event.incident = Some(incident.0.clone().into());
    event.actor = actor::person_named(by);
    event.identify();
    event
}
