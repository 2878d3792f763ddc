//! The store's connection to its database: opening, migration, transactions.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use super::backup;
use super::error::StoreError;
use super::migration;
use super::migration::MigrationReport;
use super::mutex::lock;
use super::postgresql::{Postgres, PostgresAddress};
use super::sql;
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
    /// Why the last write failed for the disk, until one is known to succeed.
    unwritable: Mutex<Option<String>>,
}

impl Store {
    fn on(database: Database) -> Self {
        Self {
            database,
            unwritable: Mutex::default(),
        }
    }
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

    /// Opens the database at `place` and migrates it; a SQLite file that holds data is copied first.
    ///
    /// # Errors
    /// As for [`Store::open`]; [`StoreError::Away`] when the server cannot be reached.
    pub fn open_at(place: &DatabaseLocation, now: Time) -> Result<Self, StoreError> {
        open_and_migrate(place, Backup::Made, now).map(|(store, _)| store)
    }

    /// Opens the database at `place` for reading only. It is not migrated, and another process may use
    /// it meanwhile.
    ///
    /// # Errors
    /// [`StoreError::Newer`] and [`StoreError::Older`] for a database of another version; otherwise why
    /// it cannot be read.
    pub fn open_to_read(place: &DatabaseLocation) -> Result<Self, StoreError> {
        let known = migration::known();
        match Self::open_any_to_read(place)? {
            (_, found) if found < known => Err(StoreError::Older { found, known }),
            (store, _) => Ok(store),
        }
    }

    /// The same for a database of this or any earlier version, for an export.
    ///
    /// # Errors
    /// As for [`Store::open_to_read`].
    pub fn open_to_export(place: &DatabaseLocation) -> Result<Self, StoreError> {
        Self::open_any_to_read(place).map(|(store, _)| store)
    }

    fn open_any_to_read(place: &DatabaseLocation) -> Result<(Self, u32), StoreError> {
        let database = match place {
            DatabaseLocation::Sqlite(path) => {
                Database::Sqlite(Box::new(Sqlite::open_to_read(path)?))
            }
            DatabaseLocation::Postgres(address) => {
                Database::Postgres(Box::new(Postgres::new(address)?))
            }
        };
        let store = Self::on(database);
        let known = migration::known();
        let version = store.read("migration", migration::version);
        match version.map_err(|error| error.about("it holds no data of afterword"))? {
            found if found > known => Err(StoreError::Newer { found, known }),
            found => Ok((store, found)),
        }
    }

    /// True when other processes may use the same database.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        matches!(self.database, Database::Postgres(_))
    }

    /// Checks that the database is there, and that this process may use it.
    ///
    /// # Errors
    /// [`StoreError::Away`] when it is not there, [`StoreError::Newer`] when another program has
    /// migrated it, [`StoreError::InUse`] when another process has taken it.
    pub fn check(&self) -> Result<(), StoreError> {
        if let Database::Sqlite(database) = &self.database {
            database.check()?;
        }
        self.read("migration", migration::check_version)?;
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
    ///
    /// # Errors
    /// [`StoreError::Newer`] once a newer program has migrated the database.
    pub(super) fn write<T>(
        &self,
        noun: &str,
        work: impl FnOnce(&SqlConnection<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.write_any_version(noun, |at| {
            migration::check_version(at)?;
            work(at)
        })
    }

    /// The same on a database of any version, for migrations.
    pub(super) fn write_any_version<T>(
        &self,
        noun: &str,
        work: impl FnOnce(&SqlConnection<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let done = match &self.database {
            Database::Sqlite(database) => database.write(noun, work),
            Database::Postgres(database) => database.write(noun, work),
        };
        if let Err(StoreError::Full(why)) = &done {
            *lock(&self.unwritable) = Some(why.clone());
        }
        done
    }

    /// Checks that the database can be written, where its disk or its last write gives reason to doubt
    /// it. After a fault it takes a write that succeeds and some room, so that a disk with a last free
    /// page is not taken for one that was freed.
    ///
    /// # Errors
    /// [`StoreError::Full`] when it cannot.
    pub(crate) fn check_writable(&self) -> Result<(), StoreError> {
        let failed = lock(&self.unwritable).clone();
        let disk = match &self.database {
            Database::Sqlite(database) => database.check_disk(),
            Database::Postgres(_) => Ok(()),
        };
        if failed.is_none() && disk.is_ok() {
            return Ok(());
        }
        self.write("head", |at| {
            let text = "update head set clock = clock where id = 1";
            sql::execute(at, "head", text, &[])
        })?;
        disk.map_err(|why| StoreError::Full(failed.unwrap_or(why)))?;
        *lock(&self.unwritable) = None;
        Ok(())
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

/// Result of opening a database for use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migrated {
    /// The versions before and after.
    pub versions: MigrationReport,
    /// The copy of the database before, where one was made.
    pub backup: Option<PathBuf>,
}

/// Handling of a database that holds data of an earlier version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backup {
    /// A SQLite file is copied before it is migrated.
    Made,
    /// It is migrated without a copy.
    Skipped,
}

/// Migrates the database at `place` without opening it for use; makes a SQLite file if there is none.
///
/// # Errors
/// As for [`Store::open_at`].
pub fn migrate(
    place: &DatabaseLocation,
    backup: Backup,
    now: Time,
) -> Result<Migrated, StoreError> {
    open_and_migrate(place, backup, now).map(|(_, migrated)| migrated)
}

/// Checks that no other process uses the database at `place` alone.
///
/// # Errors
/// [`StoreError::InUse`] when one does.
pub(crate) fn check_unused(place: &DatabaseLocation) -> Result<(), StoreError> {
    match place {
        DatabaseLocation::Sqlite(path) => Sqlite::check_unused(path),
        DatabaseLocation::Postgres(_) => Ok(()),
    }
}

fn open_and_migrate(
    place: &DatabaseLocation,
    backup: Backup,
    now: Time,
) -> Result<(Store, Migrated), StoreError> {
    let database = match place {
        DatabaseLocation::Sqlite(path) => Database::Sqlite(Box::new(Sqlite::open(path)?)),
        DatabaseLocation::Postgres(address) => {
            Database::Postgres(Box::new(Postgres::new(address)?))
        }
    };
    let store = Store::on(database);
    let found = store.write_any_version("migration", migration::version_if_any)?;
    let copied = match &store.database {
        Database::Sqlite(database)
            if backup == Backup::Made && (1..migration::known()).contains(&found) =>
        {
            Some(backup::copy(database, found, now)?)
        }
        Database::Sqlite(_) | Database::Postgres(_) => None,
    };
    let versions = store.write_any_version("migration", |at| {
        migration::migrate(at, migration::STEPS, now)
    })?;
    let MigrationReport { from, to } = versions;
    match (&copied, from) {
        (Some(copy), _) => tracing::info!(
            "the database was migrated from version {from} to {to}; a back-up of the former one is {}",
            copy.display()
        ),
        (None, 1..) if from < to => {
            tracing::warn!(
                "the database was migrated from version {from} to {to} without a back-up"
            );
        }
        _ => {}
    }
    let migrated = Migrated {
        versions,
        backup: copied,
    };
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
