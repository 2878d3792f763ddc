//! The store's connection to its database: opening, migration, transactions.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::error::StoreError;
use super::migration;
use super::migration::MigrationReport;
use super::postgresql::{Postgres, PostgresAddress};
use super::sql::SqlConnection;
use super::sqlite::Sqlite;
use crate::model::time::Time;

/// Location of a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DatabaseLocation {
    /// A file used by this process alone.
    Sqlite(PathBuf),
    /// A server that replicas may share.
    Postgres(PostgresAddress),
}

/// The database.
#[derive(Debug)]
pub struct Store {
    pub(super) database: Database,
}

#[derive(Debug)]
pub(super) enum Database {
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

    /// True when other processes may use the same database.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        matches!(self.database, Database::Postgres(_))
    }

    /// Checks that the database is there and can be read.
    ///
    /// # Errors
    /// [`StoreError::Away`] when it is not.
    pub fn check(&self) -> Result<(), StoreError> {
        self.head().map(drop)
    }

    /// Waits until any process appends or applies something, at most `patience`. For shared
    /// databases only: changes to a file are made by this process alone.
    ///
    /// # Errors
    /// [`StoreError::Away`] when the server cannot be reached.
    pub fn wait_for_news(&self, patience: Duration) -> Result<(), StoreError> {
        match &self.database {
            Database::Sqlite(_) => Ok(()),
            Database::Postgres(database) => database.wait(patience),
        }
    }

    /// Runs `work` in one write transaction: durable as a whole, or not at all.
    pub(super) fn write<T>(
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
    pub(super) fn read<T>(
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
