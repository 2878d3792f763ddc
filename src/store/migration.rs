//! Brings a database to the version this program knows, and refuses one that is ahead of it.

use anyhow::anyhow;
use rusqlite::{Connection, TransactionBehavior, params};

use super::error::{StoreError, fault};
use super::sql;
use crate::model::Time;
use crate::model::event::hex;

const NOUN: &str = "migration";

/// All steps, in order; a step that was released is never edited.
pub(super) const STEPS: &[Step] = &[Step { version: 1, text: include_str!("../../migrations/0001_start.sql") }];

/// One step from a version to the next.
pub(super) struct Step {
    pub(super) version: u32,
    pub(super) text: &'static str,
}

/// What a migration did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Migrated {
    /// The version found; 0 for an empty database.
    pub from: u32,
    /// The version it has now.
    pub to: u32,
}

/// Applies the steps that are missing, all or none.
pub(super) fn migrate(connection: &mut Connection, steps: &[Step], now: Time) -> Result<Migrated, StoreError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(|error| fault(NOUN, error))?;
    let tables: Vec<String> = sql::rows(&transaction, NOUN, "select name from sqlite_master where type = 'table'", [], |row| row.get(0))?;
    if !tables.iter().any(|table| table == "migration") {
        if !tables.is_empty() {
            return Err(anyhow!("the database belongs to another program (it has a table {}); name another file", tables[0]).into());
        }
        let create = "create table migration (version bigint primary key, hash text not null, applied_at bigint not null)";
        sql::execute(&transaction, NOUN, create, [])?;
    }
    let applied: Vec<(u32, String)> =
        sql::rows(&transaction, NOUN, "select version, hash from migration order by version", [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let from = applied.last().map_or(0, |(version, _)| *version);
    let known = steps.last().map_or(0, |step| step.version);
    if from > known {
        return Err(StoreError::Newer { found: from, known });
    }
    for step in steps {
        let hash = hex(step.text, 32);
        match applied.iter().find(|(version, _)| *version == step.version) {
            Some((_, found)) if *found == hash => {}
            Some(_) => {
                return Err(anyhow!("step {} of the database is not the one this program knows: restore a back-up", step.version).into());
            }
            None => {
                transaction.execute_batch(step.text).map_err(|error| fault(NOUN, error))?;
                let insert = "insert into migration (version, hash, applied_at) values ($1, $2, $3)";
                sql::execute(&transaction, NOUN, insert, params![step.version, hash, sql::micros(now)])?;
            }
        }
    }
    transaction.commit().map_err(|error| fault(NOUN, error))?;
    Ok(Migrated { from, to: known })
}
