//! The reference clock: that of a shared database, and its steps in the log.

use super::error::StoreError;
use super::head::{DATABASE_CLOCK, missing};
use super::log::{self, LogPosition, MessageContext, NewRecord};
use super::sql;
use super::sql::values;
use crate::model::event::{ClockStep, Event, Fact};
use crate::model::time::Time;
use crate::store::database::Store;

const NOUN: &str = "head";

impl Store {
    /// The database's clock, which replicas go by; `None` for a file, whose one process has its own.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn database_time(&self) -> Result<Option<Time>, StoreError> {
        if !self.is_shared() {
            return Ok(None);
        }
        let text = format!("select {DATABASE_CLOCK}");
        self.read(NOUN, |at| {
            sql::row(at, NOUN, &text, &[], |row| sql::read_time(row, 0))
        })
    }

    /// Logs a step of the reference clock as a record by itself, while `epoch` leads: later records
    /// are decided from `to` on. Deliveries that waited for a time that is now far are due at once.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] when another leader has taken over.
    pub fn log_clock_step(
        &self,
        epoch: u64,
        from: Time,
        to: Time,
    ) -> Result<LogPosition, StoreError> {
        self.write(NOUN, |at| {
            // Locks the row. Records that were logged while the step went unnoticed read the former clock.
            let text =
                "update head set epoch = epoch where id = 1 and epoch = $1 returning next, clock_at";
            let (position, reached) = sql::row(at, NOUN, text, values![sql::integer(epoch)], |row| {
                Ok((sql::read_count(row, 0)?, sql::read_time(row, 1)?))
            })?
            .ok_or(StoreError::Fenced)?;
            let step = ClockStep {
                from: reached.max(from),
                to,
                position,
            };
            let record = NewRecord {
                source: "afterword".to_owned(),
                body: Vec::new(),
                events: vec![Event::new("afterword", to, Fact::ClockStep(step))],
                fault: None,
                beside: MessageContext::default(),
            };
            let text = "update head set clock_at = $1 where id = 1";
            sql::execute(at, NOUN, text, values![sql::micros(to) - 1])?;
            let text = "update delivery set next_at = $1 where state = 'pending' and next_at > $1";
            sql::execute(at, NOUN, text, values![sql::micros(to)])?;
            let records = [record];
            let events = log::events_as_json(&records)?;
            let logged = log::append(at, Some(epoch), &records, &events, to)?;
            logged.first().copied().ok_or_else(missing)
        })
    }
}
