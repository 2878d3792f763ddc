//! What people correct: which incident events belong to, when a milestone was, whether data was lost. Each is an event, checked before it is said.

use std::collections::BTreeSet;

use chrono::TimeDelta;

use super::App;
use crate::engine::opens;
use crate::model::Time;
use crate::model::event::{Actor, ActorKind, Edit, Event, EventId, Fact, Subject};
use crate::model::incident::{Incident, IncidentId, Joined, MilestoneKind};

/// A milestone cannot be stated ahead of time; clocks may differ by so much.
const AHEAD: TimeDelta = TimeDelta::minutes(2);

/// Why a correction says nothing that could be done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CorrectionFault {
    /// Both are the same incident, perhaps by another name.
    #[error("{0} is this incident already")]
    SameIncident(IncidentId),
    /// Events are named that are not here.
    #[error("event `{0}` does not belong to this incident; the incident's `members` list those that do")]
    NotHere(String),
    /// None was named.
    #[error("name the events that belong elsewhere")]
    Nothing,
    /// What moves, or what stays, could not be an incident.
    #[error(
        "{0} would be left without anything that opens an incident: an alert that fired, a declaration, a request, a near miss or a stated step; merge the incidents instead"
    )]
    NothingOpens(&'static str),
    /// A time that has not come.
    #[error("the time is in the future; a milestone is stated once it was reached")]
    Future,
}

impl App {
    /// `from` is one with `into`.
    ///
    /// # Errors
    /// When both are the same.
    pub fn merge(&self, into: &Incident, from: &Incident, by: Option<&str>) -> Result<Event, CorrectionFault> {
        if into.id == from.id {
            return Err(CorrectionFault::SameIncident(from.id.clone()));
        }
        Ok(self.edit(&into.id, Edit::Merge { into: into.id.clone(), from: from.id.clone() }, by))
    }

    /// The named events, and all others about the same subjects, belong to `to`, or are an incident of their own.
    ///
    /// # Errors
    /// When that would leave events without an incident, or says nothing.
    pub fn part(&self, from: &Incident, events: &[String], to: Option<&Incident>, by: Option<&str>) -> Result<Event, CorrectionFault> {
        if to.is_some_and(|to| to.id == from.id) {
            return Err(CorrectionFault::SameIncident(from.id.clone()));
        }
        let mut named: BTreeSet<EventId> = BTreeSet::new();
        let mut subjects: BTreeSet<Subject> = BTreeSet::new();
        for id in events {
            let own = |wanted: EventId| from.members.iter().find(|member| member.event.id == wanted && member.reason != Joined::Context);
            let here = id.parse().ok().and_then(own).ok_or_else(|| CorrectionFault::NotHere(id.clone()))?;
            subjects.insert(here.event.subject);
            named.insert(here.event.id);
        }
        if named.is_empty() {
            return Err(CorrectionFault::Nothing);
        }
        let own = from.members.iter().filter(|member| member.reason != Joined::Context).map(|member| &*member.event);
        let (moving, staying): (Vec<&Event>, Vec<&Event>) = own.partition(|event| subjects.contains(&event.subject));
        if !staying.into_iter().any(opens) {
            return Err(CorrectionFault::NothingOpens("what stays"));
        }
        if to.is_none() && !moving.into_iter().any(opens) {
            return Err(CorrectionFault::NothingOpens("what moves"));
        }
        let edit = Edit::Move { from: from.id.clone(), events: named.into_iter().collect(), to: to.map(|to| to.id.clone()) };
        Ok(self.edit(&from.id, edit, by))
    }

    /// A milestone as somebody states it.
    ///
    /// # Errors
    /// When it lies ahead.
    pub fn milestone(&self, of: &Incident, milestone: MilestoneKind, at: Time, by: Option<&str>) -> Result<Event, CorrectionFault> {
        if at > self.now() + AHEAD {
            return Err(CorrectionFault::Future);
        }
        Ok(self.edit(&of.id, Edit::Milestone { of: of.id.clone(), milestone, at }, by))
    }

    /// Whether data was lost, as somebody states it.
    pub fn data_loss(&self, of: &Incident, lost: bool, by: Option<&str>) -> Event {
        self.edit(&of.id, Edit::DataLoss { of: of.id.clone(), lost }, by)
    }

    fn edit(&self, incident: &IncidentId, edit: Edit, by: Option<&str>) -> Event {
        let mut event = Event::new("people", self.now(), Fact::Edit(edit));
        event.incident = Some(incident.0.clone().into());
        event.actor = by
            .map(str::trim)
            .filter(|by| !by.is_empty())
            .map(|by| Box::new(Actor { id: by.chars().take(200).collect(), kind: ActorKind::Human }));
        event.identify();
        event
    }
}
