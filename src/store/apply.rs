//! Applies the engine's results: incidents, deliveries and the applied position in one transaction,
//! written only by the current leader.

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
use crate::model::member::Member;
use crate::model::postmortem::Postmortem;
use crate::model::time::Time;
use crate::store::database::Store;

const NOUN: &str = "apply";

/// Changes to write together with the applied position.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    /// New or changed incidents.
    pub incidents: Vec<Arc<Incident>>,
    /// Incidents merged into others.
    pub removed: Vec<IncidentId>,
    /// Aliases of incidents.
    pub aliases: Vec<(String, IncidentId)>,
    /// Events that belong to no incident yet.
    pub loose: Vec<Event>,
    /// Loose events that joined an incident or expired.
    pub loose_removed: Vec<EventId>,
    /// New or changed postmortems.
    pub postmortems: Vec<Postmortem>,
    /// New or changed meetings.
    pub meetings: Vec<Meeting>,
    /// Deliveries to create; existing keys are left unchanged.
    pub deliveries: Vec<Delivery>,
    /// Closed incidents; a second entry for one amends the first.
    pub ledger: Vec<LedgerEntry>,
    /// Records the engine rejected, by position, with the reason.
    pub quarantined: Vec<(u64, String)>,
    /// Time up to which the engine has judged: that of the last record or timer.
    pub judged_until: Time,
    /// Time of the changes: the deliveries are due from then on.
    pub now: Time,
}

/// State a leader needs to continue where the last one stopped.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredState {
    /// The position of the last record applied.
    pub applied: u64,
    /// Time up to which it was judged: that of the last record or timer; 1970 before the first.
    pub judged_until: Time,
    /// Incidents that may still change, oldest first.
    pub incidents: Vec<Incident>,
    /// Events that may still join one, oldest first.
    pub loose: Vec<Event>,
    /// Aliases of these incidents.
    pub aliases: Vec<(String, IncidentId)>,
}

impl Store {
    /// The state at the applied position: incidents not closed or closed after `since`, and all
    /// loose events.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn load(&self, since: Time) -> Result<StoredState, StoreError> {
        self.load_sharing(since, &mut |_| {})
    }

    /// The same; `share` is given some members of incidents after the other, to let them hold in common
    /// what is equal before more are read.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn load_sharing(
        &self,
        since: Time,
        share: &mut dyn FnMut(&mut [Member]),
    ) -> Result<StoredState, StoreError> {
        self.read(NOUN, |at| {
            let applied = head::head(at)?.applied;
            let text = "select judged_at from head where id = 1";
            Ok(StoredState {
                applied,
                judged_until: sql::row(at, NOUN, text, &[], |row| sql::read_time(row, 0))?
                    .ok_or_else(head::missing)?,
                incidents: incident::unfinished(at, since, share)?,
                loose: incident::loose_events(at)?,
                aliases: incident::aliases(at, since)?,
            })
        })
    }

    /// Moves the applied position from `from` to `to` and writes `changes`, in one transaction. `from == to` is for timers.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] unless `epoch` is that of the current leader and `from` is the
    /// applied position: acquire the lease again and [load](Store::load). [`StoreError::Full`] when
    /// the disk is full: the same call may be retried.
    pub fn apply(
        &self,
        epoch: u64,
        from: u64,
        to: u64,
        changes: &Changes,
    ) -> Result<(), StoreError> {
        // The fence comes last, so that appending waits as briefly as possible. Everything a former
        // leader wrote up to here is rolled back.
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
            postgresql::notify(at)
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
