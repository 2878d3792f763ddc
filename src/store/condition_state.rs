//! Saved state of conditions between evaluations, and of alerts read from a Prometheus: texts that
//! only their owner interprets.

use super::error::StoreError;
use super::log;
use super::log::{LogPosition, NewRecord};
use super::sql;
use super::sql::{SqlConnection, values};
use crate::model::time::Time;
use crate::store::database::Store;

const NOUN: &str = "watch";

/// A named state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedState {
    /// The condition, or the entry of `metrics:`.
    pub name: String,
    /// The state; `None` deletes it.
    pub state: Option<String>,
}

/// Owners of saved states.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StateOwner {
    /// Metric conditions.
    Conditions,
    /// Alert histories read from a Prometheus.
    Alerts,
}

impl StateOwner {
    /// The table and its key column.
    fn place(self) -> (&'static str, &'static str) {
        match self {
            Self::Conditions => ("watch", "condition"),
            Self::Alerts => ("recall", "metrics"),
        }
    }
}

impl Store {
    /// All saved states of an owner, by name.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn saved_states(&self, memory: StateOwner) -> Result<Vec<SavedState>, StoreError> {
        let (table, key) = memory.place();
        let text = format!("select {key}, state from {table} order by {key}");
        self.read(NOUN, |at| {
            sql::rows(at, NOUN, &text, &[], |row| {
                Ok(SavedState {
                    name: row.get(0)?,
                    state: row.get(1)?,
                })
            })
        })
    }

    /// Appends the records of evaluations and saves their progress in one transaction, while
    /// `epoch` leads.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] when another leader has taken over; [`StoreError::Full`] when the
    /// disk is full.
    pub fn save_states(
        &self,
        epoch: u64,
        memory: StateOwner,
        remembered: &[SavedState],
        records: &[NewRecord],
        now: Time,
    ) -> Result<Vec<LogPosition>, StoreError> {
        let events = log::events_as_json(records)?;
        self.write(NOUN, |at| {
            for one in remembered {
                save(at, memory, one)?;
            }
            if records.is_empty() {
                let held = sql::row(
                    at,
                    NOUN,
                    "select 1 from head where id = 1 and epoch = $1",
                    values![sql::integer(epoch)],
                    |_| Ok(()),
                )?;
                return held.map(|()| Vec::new()).ok_or(StoreError::Fenced);
            }
            log::append(at, Some(epoch), records, &events, now)
        })
    }
}

fn save(at: &SqlConnection<'_>, memory: StateOwner, one: &SavedState) -> Result<(), StoreError> {
    let (table, key) = memory.place();
    match &one.state {
        Some(state) => {
            let text = format!(
                "insert into {table} ({key}, state) values ($1, $2) on conflict ({key}) do update set state = excluded.state"
            );
            sql::execute(at, NOUN, &text, values![&one.name, state])?;
        }
        None => {
            sql::execute(
                at,
                NOUN,
                &format!("delete from {table} where {key} = $1"),
                values![&one.name],
            )?;
        }
    }
    Ok(())
}
