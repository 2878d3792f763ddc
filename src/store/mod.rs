//! Persistence: all SQL, one file per noun. A [`Store`](database::Store) runs on one SQLite file or
//! one PostgreSQL database with the same SQL texts.
//!
//! Every call blocks; async callers move it to a blocking thread. The store decides nothing.

pub(crate) mod active_alerts;
pub(crate) mod apply;
mod backup;
pub(crate) mod condition_state;
pub mod database;
pub(crate) mod delivery;
pub(crate) mod error;
pub(crate) mod export;
pub(crate) mod head;
pub(crate) mod incident;
mod incident_parts;
pub(crate) mod ledger;
pub(crate) mod list_cursor;
pub(crate) mod log;
pub(crate) mod migration;
mod mutex;
pub(crate) mod plot;
pub(crate) mod postgresql;
pub(crate) mod postmortem;
mod process_lock;
pub(crate) mod quarantine;
pub(crate) mod reference_clock;
pub(crate) mod retention;
pub(crate) mod sample;
pub(crate) mod source_stats;
mod sql;
mod sqlite;
mod sqlite_files;
#[cfg(test)]
pub(crate) mod testbed;
#[cfg(test)]
mod tests;
