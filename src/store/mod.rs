//! All SQL, a file per noun. One [`Store`] on one SQLite file or one PostgreSQL database, with one set of texts.
//!
//! Every call blocks; callers on an async runtime move it to a blocking thread. The store decides nothing:
//! it keeps what it is given and finds it again.

pub(crate) mod active_alerts;
pub(crate) mod apply;
pub(crate) mod condition_state;
pub(crate) mod delivery;
pub(crate) mod error;
pub(crate) mod export;
pub(crate) mod head;
pub(crate) mod incident;
mod incident_parts;
pub(crate) mod ledger;
pub(crate) mod log;
pub(crate) mod migration;
pub(crate) mod plot;
mod postgresql;
pub(crate) mod postmortem;
pub(crate) mod quarantine;
pub(crate) mod sample;
pub(crate) mod source_stats;
mod sql;
mod sqlite;
#[cfg(test)]
pub(crate) mod testbed;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::model::time::Time;
use error::StoreError;
use migration::MigrationReport;
use postgresql::Postgres;
use sql::SqlConnection;
use sqlite::Sqlite;

/// Where a database is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DatabaseLocation {
    /// A file of this process alone.
    Sqlite(PathBuf),
    /// A server that replicas may share.
    Postgres(PostgresAddress),
}

/// How a PostgreSQL database is reached.
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresAddress {
    /// `postgres://user@host:port/database`, without a password.
    pub url: String,
    /// The password, where one is asked for.
    pub password: Option<Vec<u8>>,
}

impl std::fmt::Debug for PostgresAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PostgresAddress(…)")
    }
}

/// The database.
#[derive(Debug)]
pub struct Store {
    database: Database,
}

#[derive(Debug)]
enum Database {
    Sqlite(Box<Sqlite>),
    Postgres(Box<Postgres>),
}

impl Store {
    /// Opens the SQLite file at `path`, makes it (with its directory, readable by its owner only) if there is none, and migrates it.
    ///
    /// # Errors
    /// [`StoreError::Newer`] for a database of a newer version; otherwise why the file cannot be used.
    pub fn open(path: &Path, now: Time) -> Result<Self, StoreError> {
        Self::open_at(&DatabaseLocation::Sqlite(path.to_owned()), now)
    }

    /// Opens the database at `place` and migrates it.
    ///
    /// # Errors
    /// As for [`Store::open`]; [`StoreError::Away`] when the server cannot be reached.
    pub fn open_at(place: &DatabaseLocation, now: Time) -> Result<Self, StoreError> {
        open_and_migrate(place, now).map(|(store, _)| store)
    }

    /// Whether other processes may be at work on the same database.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        matches!(self.database, Database::Postgres(_))
    }

    /// Waits until something was appended or applied by anybody, `patience` at most. Only for a shared database; of a file's changes its one
    /// process knows itself.
    ///
    /// # Errors
    /// [`StoreError::Away`] when the server cannot be reached.
    pub fn wait_for_news(&self, patience: Duration) -> Result<(), StoreError> {
        match &self.database {
            Database::Sqlite(_) => Ok(()),
            Database::Postgres(database) => database.wait(patience),
        }
    }

    /// Runs `work` in one write transaction: all of it is kept, durably, or nothing.
    fn write<T>(
        &self,
        noun: &str,
        work: impl FnOnce(&SqlConnection<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        match &self.database {
            Database::Sqlite(database) => database.write(noun, work),
            Database::Postgres(database) => database.write(noun, work),
        }
    }

    /// Runs `work` on one snapshot of the database.
    fn read<T>(
        &self,
        noun: &str,
        work: impl FnOnce(&SqlConnection<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        match &self.database {
            Database::Sqlite(database) => database.read(noun, work),
            Database::Postgres(database) => database.read(noun, work),
        }
    }
}

/// Migrates the database at `place` without opening it for use; makes a SQLite file if there is none.
///
/// # Errors
/// As for [`Store::open_at`].
pub fn migrate(place: &DatabaseLocation, now: Time) -> Result<MigrationReport, StoreError> {
    open_and_migrate(place, now).map(|(_, migrated)| migrated)
}

fn open_and_migrate(
    place: &DatabaseLocation,
    now: Time,
) -> Result<(Store, MigrationReport), StoreError> {
    let database = match place {
        DatabaseLocation::Sqlite(path) => Database::Sqlite(Box::new(Sqlite::open(path)?)),
        DatabaseLocation::Postgres(address) => {
            Database::Postgres(Box::new(Postgres::new(address)?))
        }
    };
    let store = Store { database };
    let migrated = store.write("migration", |at| {
        migration::migrate(at, migration::STEPS, now)
    })?;
    Ok((store, migrated))
}

/// A panic leaves a connection usable, since its transaction was rolled back while unwinding.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl std::fmt::Display for DatabaseLocation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "{}", path.display()),
            Self::Postgres(address) => match Postgres::new(address) {
                Ok(database) => f.write_str(database.name()),
                Err(_) => f.write_str("on PostgreSQL"),
            },
        }
    }
}

#[cfg(test)]
mod tests;
