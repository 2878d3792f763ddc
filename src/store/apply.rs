//! Applying: what the judge made of some records, written at once and only by the judge in office.

use std::sync::Arc;

use super::error::StoreError;
use super::sql;
use super::sql::{SqlConnection, values};
use super::{delivery, head, incident, ledger, postgresql, postmortem, quarantine};
use crate::model::delivery::Delivery;
use crate::model::event::Event;
use crate::model::id::{EventId, IncidentId};
use crate::model::incident::Incident;
use crate::model::ledger::LedgerEntry;
use crate::model::meeting::Meeting;
use crate::model::postmortem::Postmortem;
use crate::model::time::Time;
use crate::store::database::Store;

const NOUN: &str = "apply";

/// What to write together with the applied position.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    /// Incidents that are new or changed.
    pub incidents: Vec<Arc<Incident>>,
    /// Incidents that are no more, having fallen together with others.
    pub removed: Vec<IncidentId>,
    /// Other names for incidents.
    pub aliases: Vec<(String, IncidentId)>,
    /// Events that belong to no incident yet.
    pub loose: Vec<Event>,
    /// Events that are loose no more.
    pub loose_removed: Vec<EventId>,
    /// Postmortems that are new or changed.
    pub postmortems: Vec<Postmortem>,
    /// Meetings that are new or changed.
    pub meetings: Vec<Meeting>,
    /// What is to be done outside; a key that is already there is left as it is.
    pub deliveries: Vec<Delivery>,
    /// Closed incidents; a second entry for one amends the first.
    pub ledger: Vec<LedgerEntry>,
    /// Records that the engine could not take: position and why.
    pub quarantined: Vec<(u64, String)>,
    /// Up to when the engine has judged: the time of the last record or timer.
    pub judged_until: Time,
    /// When this is so: the first instant at which the deliveries are due.
    pub now: Time,
}

/// What a judge needs to go on where the last one stopped.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredState {
    /// The position of the last record applied.
    pub applied: u64,
    /// Up to when it was judged: the time of the last record or timer; 1970 before the first.
    pub judged_until: Time,
    /// Incidents that may still change, oldest first.
    pub incidents: Vec<Incident>,
    /// Events that may still join one, oldest first.
    pub loose: Vec<Event>,
    /// Other names of these incidents.
    pub aliases: Vec<(String, IncidentId)>,
}

impl Store {
    /// What stands at the applied position: incidents not closed or closed after `since`, and all loose events.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn load(&self, since: Time) -> Result<StoredState, StoreError> {
        self.read(NOUN, |at| {
            let applied = head::head(at)?.applied;
            let text = "select judged_at from head where id = 1";
            Ok(StoredState {
                applied,
                judged_until: sql::row(at, NOUN, text, &[], |row| sql::read_time(row, 0))?
                    .ok_or_else(head::missing)?,
                incidents: incident::unfinished(at, since)?,
                loose: incident::loose(at)?,
                aliases: incident::aliases(at, since)?,
            })
        })
    }

    /// Moves the applied position from `from` to `to` and writes `changes`, in one transaction. `from == to` is for timers.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] unless `epoch` is in office and `from` is the applied position: take office again and
    /// [load](Store::load). [`StoreError::Full`] when the disk takes no more: the same call may be tried again.
    pub fn apply(
        &self,
        epoch: u64,
        from: u64,
        to: u64,
        changes: &Changes,
    ) -> Result<(), StoreError> {
        // Last, so that appending waits no longer than it must. What a judge out of office has written until here is rolled back.
        let fence = "update head set applied = $1, judged_at = $4 where id = 1 and applied = $2 and epoch = $3";
        self.write(NOUN, |at| {
            write(at, changes)?;
            let moved = sql::execute(
                at,
                NOUN,
                fence,
                values![
                    sql::integer(to),
                    sql::integer(from),
                    sql::integer(epoch),
                    sql::micros(changes.judged_until)
                ],
            )?;
            if moved == 0 {
                return Err(StoreError::Fenced);
            }
            postgresql::tell(at)
        })
    }
}

fn write(at: &SqlConnection<'_>, changes: &Changes) -> Result<(), StoreError> {
    let now = changes.now;
    changes
        .removed
        .iter()
        .try_for_each(|id| incident::remove(at, id))?;
    changes
        .incidents
        .iter()
        .try_for_each(|incident| incident::save(at, incident, now))?;
    changes
        .aliases
        .iter()
        .try_for_each(|(alias, incident)| incident::save_alias(at, alias, incident))?;
    changes
        .loose_removed
        .iter()
        .try_for_each(|id| incident::remove_loose(at, *id))?;
    changes
        .loose
        .iter()
        .try_for_each(|event| incident::save_loose(at, event))?;
    changes
        .postmortems
        .iter()
        .try_for_each(|postmortem| postmortem::save(at, postmortem))?;
    changes
        .meetings
        .iter()
        .try_for_each(|meeting| postmortem::save_meeting(at, meeting))?;
    changes
        .deliveries
        .iter()
        .try_for_each(|delivery| delivery::insert(at, delivery, now))?;
    changes
        .ledger
        .iter()
        .try_for_each(|entry| ledger::save(at, entry, now))?;
    changes
        .quarantined
        .iter()
        .try_for_each(|(position, fault)| quarantine::insert(at, *position, fault, true))
}
