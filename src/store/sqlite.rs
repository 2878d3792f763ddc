//! SQLite: one file with one writing connection and a few readers.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context, anyhow};
use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::error::{StoreError, fault};
use super::sql::SqlConnection;
use crate::store::mutex::lock;

/// Time a connection waits for another process, such as a back-up, to release the file.
const PATIENCE: Duration = Duration::from_secs(5);
/// Idle read connections kept open; more are opened on demand.
const KEPT_READERS: usize = 4;
/// Prepared statements cached per connection; more than there are texts.
const KEPT_STATEMENTS: usize = 100;

/// The database file.
#[derive(Debug)]
pub(crate) struct Sqlite {
    path: PathBuf,
    /// The file that was opened: its device and number.
    file: (u64, u64),
    pub(crate) writer: Mutex<Connection>,
    readers: Mutex<Vec<Connection>>,
}

impl Sqlite {
    /// Opens the file, or creates it (with its directory, readable by its owner only).
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        create(path).with_context(|| {
            format!("{}: the database cannot be opened; its directory must be writable for the user that runs afterword", path.display())
        })?;
        let name = path.display().to_string();
        let (writer, mode) = open_writer(path).map_err(|error| fault(&name, error))?;
        if mode != "wal" {
            return Err(anyhow!("{name}: the file system does not support write-ahead logging; put the database on a local disk").into());
        }
        let file = identity(path).map_err(|error| StoreError::Away(format!("{name}: {error}")))?;
        Ok(Self {
            path: path.to_owned(),
            file,
            writer: Mutex::new(writer),
            readers: Mutex::new(Vec::new()),
        })
    }

    /// Checks that the file is still there: what is written to one that was removed is lost.
    fn check_file(&self) -> Result<(), StoreError> {
        let away = |why: &str| Err(StoreError::Away(format!("{}: {why}", self.path.display())));
        match identity(&self.path) {
            Ok(file) if file == self.file => Ok(()),
            Ok(_) => away("another file has taken its place; put the first one back, or restart"),
            Err(error) => away(&error.to_string()),
        }
    }

    pub(crate) fn write<T>(
        &self,
        noun: &str,
        work: impl FnOnce(&SqlConnection<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.check_file()?;
        let mut writer = lock(&self.writer);
        let transaction = writer
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(|error| fault(noun, error))?;
        let result = work(&SqlConnection::Sqlite(&transaction))?;
        transaction.commit().map_err(|error| fault(noun, error))?;
        Ok(result)
    }

    /// Runs a read, which never waits for writers.
    pub(crate) fn read<T>(
        &self,
        noun: &str,
        work: impl FnOnce(&SqlConnection<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.check_file()?;
        let kept = lock(&self.readers).pop();
        let mut reader = match kept {
            Some(reader) => reader,
            None => open_reader(&self.path)?,
        };
        let transaction = reader.transaction().map_err(|error| fault(noun, error))?;
        let result = work(&SqlConnection::Sqlite(&transaction));
        drop(transaction);
        let mut readers = lock(&self.readers);
        if readers.len() < KEPT_READERS {
            readers.push(reader);
        }
        result
    }
}

fn open_writer(path: &Path) -> rusqlite::Result<(Connection, String)> {
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    connection.busy_timeout(PATIENCE)?;
    connection.set_prepared_statement_cache_capacity(KEPT_STATEMENTS);
    // The page size takes effect only when set before the first write, and enabling WAL is a write.
    connection.pragma_update(None, "page_size", 8192)?;
    let mode = connection.query_row("pragma journal_mode = wal", [], |row| row.get(0))?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "foreign_keys", "off")?;
    // The writer checkpoints by itself; a concurrent checkpoint cannot keep up and lets the WAL
    // grow.
    connection.pragma_update(None, "wal_autocheckpoint", 4000)?;
    connection.pragma_update(None, "journal_size_limit", 64 << 20)?;
    Ok((connection, mode))
}

/// Creates the file first: SQLite gives a new file the mode that the umask allows and its side
/// files the mode of the database.
fn create(path: &Path) -> io::Result<()> {
    if let Some(directory) = path
        .parent()
        .filter(|directory| !directory.as_os_str().is_empty())
    {
        fs::create_dir_all(directory)?;
    }
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

/// Device and number of the file, if it can be read.
///
/// It is not opened: closing it would drop the locks that SQLite holds
/// (<https://sqlite.org/howtocorrupt.html#_posix_advisory_locks_canceled_by_a_separate_thread_doing_close_>).
fn identity(path: &Path) -> io::Result<(u64, u64)> {
    use std::os::unix::fs::MetadataExt as _;
    let found = fs::metadata(path)?;
    if found.mode() & 0o444 == 0 {
        return Err(io::Error::other("nobody may read it; make it readable"));
    }
    if found.len() == 0 {
        return Err(io::Error::other("it is empty; restore a back-up"));
    }
    Ok((found.dev(), found.ino()))
}

fn open_reader(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = || -> rusqlite::Result<Connection> {
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(PATIENCE)?;
        connection.set_prepared_statement_cache_capacity(KEPT_STATEMENTS);
        Ok(connection)
    };
    open().map_err(|error| fault(&path.display().to_string(), error))
}
