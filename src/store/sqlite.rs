//! SQLite: one file with one writing connection and a few readers.

use std::fmt::Display;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, anyhow};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use rustix::fs::StatVfsMountFlags;

use super::error::{StoreError, fault};
use super::process_lock::ProcessLock;
use super::sql::SqlConnection;
use super::sqlite_files::{self as files, Content, FileId};
use crate::store::mutex::lock;

/// Time a connection waits for another process, such as a back-up, to release the file.
const PATIENCE: Duration = Duration::from_secs(5);
/// Idle read connections kept open; more are opened on demand.
const KEPT_READERS: usize = 4;
/// Free bytes below which a disk counts as full.
const ROOM: u64 = 1 << 20;
/// Prepared statements cached per connection; more than there are texts.
const KEPT_STATEMENTS: usize = 100;

/// The database file.
#[derive(Debug)]
pub(crate) struct Sqlite {
    path: PathBuf,
    /// The file that was opened.
    id: FileId,
    /// Dropped before the writer: only the last connection to close writes the log into the file, and a
    /// reader cannot.
    readers: Mutex<Readers>,
    pub(crate) writer: Mutex<Connection>,
    /// Wakes who waits for all readers to be back.
    returned: Condvar,
    /// `None` for a database that is only read.
    kept: Option<Kept>,
}

/// All that a process which writes keeps an eye on. It is dropped after the connections.
#[derive(Debug)]
struct Kept {
    lock: ProcessLock,
    file: File,
    /// The write-ahead log and its index, once there are some.
    beside: Mutex<Option<[FileId; 2]>>,
    /// After the last commit.
    content: Mutex<Option<Content>>,
    /// Set once another program has written to the file.
    overwritten: AtomicBool,
}

#[derive(Debug, Default)]
struct Readers {
    idle: Vec<Connection>,
    lent: usize,
}

impl Sqlite {
    /// Opens the file for this process alone, or creates it (with its directory, readable by its owner
    /// only).
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        let cannot = || {
            format!(
                "{}: the database cannot be opened; its directory must be writable for the user that runs afterword",
                path.display()
            )
        };
        create_directory(path).with_context(cannot)?;
        // Before the file: a handle on it that is closed again drops the locks of its first user here.
        let lock = ProcessLock::take(path)?;
        let file = create(path).with_context(cannot)?;
        let name = path.display().to_string();
        let (writer, mode) = open_writer(path).map_err(|error| fault(&name, error))?;
        if mode != "wal" {
            return Err(anyhow!("{name}: the file system does not support write-ahead logging; put the database on a local disk").into());
        }
        let kept = Kept {
            lock,
            file,
            beside: Mutex::default(),
            content: Mutex::default(),
            overwritten: AtomicBool::new(false),
        };
        Self::on(path, writer, Some(kept))
    }

    /// Opens the file for reading only, beside the process that uses it.
    pub(crate) fn open_to_read(path: &Path) -> Result<Self, StoreError> {
        if !path.exists() {
            return Err(anyhow!("{}: there is no such file", path.display()).into());
        }
        Self::on(path, open_reader(path)?, None)
    }

    fn on(path: &Path, writer: Connection, kept: Option<Kept>) -> Result<Self, StoreError> {
        let id = FileId::of_database(path)
            .map_err(|error| StoreError::Away(format!("{}: {error}", path.display())))?;
        Ok(Self {
            path: path.to_owned(),
            id,
            writer: Mutex::new(writer),
            readers: Mutex::default(),
            returned: Condvar::new(),
            kept,
        })
    }

    /// Says that no other process uses the file.
    ///
    /// # Errors
    /// [`StoreError::InUse`] when one does.
    pub(crate) fn check_unused(path: &Path) -> Result<(), StoreError> {
        if path.exists() {
            ProcessLock::take(path)?;
        }
        Ok(())
    }

    /// Checks the files, and puts in order what can be: a lock file and a write-ahead log that were
    /// removed.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        let Some(kept) = &self.kept else {
            return self.check_file();
        };
        if let Err(away) = self.check_file() {
            self.spare_the_successor(kept);
            return Err(away);
        }
        kept.lock.keep(&self.path)?;
        if self.check_beside(kept).is_err() {
            self.begin_log_anew(kept)?;
        }
        // While it is busy, each write checks this by itself.
        match self.writer.try_lock() {
            Ok(writer) => self.check_content(kept, &writer),
            Err(_) => Ok(()),
        }
    }

    /// Checks that the disk of the file has room and is not read-only; says why not.
    pub(crate) fn check_disk(&self) -> Result<(), String> {
        let name = self.path.display();
        let found = rustix::fs::statvfs(&self.path).map_err(|error| format!("{name}: {error}"))?;
        if found.f_flag.contains(StatVfsMountFlags::RDONLY) {
            return Err(format!("{name}: the file system is read-only"));
        }
        let free = found.f_bavail.saturating_mul(found.f_frsize);
        if free < ROOM {
            return Err(format!("{name}: the disk has {} KiB left", free >> 10));
        }
        Ok(())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Copies all that is committed into an empty file.
    pub(crate) fn copy_into(&self, file: &Path) -> Result<(), StoreError> {
        let name = self.path.display().to_string();
        let file = file
            .to_str()
            .ok_or_else(|| anyhow!("{name}: its directory has a name that is no text"))?;
        lock(&self.writer)
            .execute("vacuum into ?1", [file])
            .map(drop)
            .map_err(|error| fault(&name, error))
    }

    fn away(&self, why: impl Display) -> StoreError {
        StoreError::Away(format!("{}: {why}", self.path.display()))
    }

    /// Checks that the file is still there: what is written to one that was removed is lost.
    fn check_file(&self) -> Result<(), StoreError> {
        let overwritten = |kept: &Kept| kept.overwritten.load(Ordering::Acquire);
        if self.kept.as_ref().is_some_and(overwritten) {
            return Err(self.away("another program has replaced its content; restart afterword"));
        }
        match FileId::of_database(&self.path) {
            Ok(found) if found == self.id => Ok(()),
            Ok(_) => Err(self.away(
                "another file has taken its place; restart afterword to use that, or put the first one back",
            )),
            Err(error) => Err(self.away(error)),
        }
    }

    /// Checks that the write-ahead log is still there, where the latest commits are.
    fn check_beside(&self, kept: &Kept) -> Result<(), StoreError> {
        let mut known = lock(&kept.beside);
        match (files::beside(&self.path), *known) {
            (Ok(found), Some(known)) if found == known => Ok(()),
            (Ok(found), None) => {
                *known = Some(found);
                Ok(())
            }
            (_, Some(_)) => Err(self.away("its write-ahead log was removed or replaced")),
            (Err(_), None) => Ok(()),
        }
    }

    /// Checks that nobody but SQLite has written to the file.
    fn check_content(&self, kept: &Kept, writer: &Connection) -> Result<(), StoreError> {
        let overwritten = match &*lock(&kept.content) {
            Some(content) => content.is_overwritten(&kept.file, writer),
            None => Ok(false),
        };
        match overwritten {
            Ok(false) => Ok(()),
            Ok(true) => {
                kept.overwritten.store(true, Ordering::Release);
                // Else closing would write the log of the former content into the new one.
                let _ = writer.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
                self.spare_the_successor(kept);
                self.check_file()
            }
            Err(error) => Err(self.away(error)),
        }
    }

    /// Moves the write-ahead log away from a database that has taken the place of ours.
    fn spare_the_successor(&self, kept: &Kept) {
        let replaced = kept.overwritten.load(Ordering::Acquire)
            || FileId::of_database(&self.path).is_ok_and(|found| found != self.id);
        let known = *lock(&kept.beside);
        let Some([log, _]) = known.filter(|_| replaced) else {
            return;
        };
        if !kept.overwritten.load(Ordering::Acquire)
            && let Ok(writer) = self.writer.try_lock()
        {
            // Whoever moved the former database away finds all in it.
            let _ = writer.query_row("pragma wal_checkpoint(passive)", [], |_| Ok(()));
        }
        match files::set_log_aside(&self.path, log) {
            Ok(Some(aside)) => tracing::error!(
                "{}: the database was replaced; the write-ahead log of the former one is now {}",
                self.path.display(),
                aside.display()
            ),
            Ok(None) => {}
            Err(error) => tracing::error!(
                "{}: the database was replaced, and the write-ahead log of the former one cannot be moved away; remove it before the next start: {error}",
                self.path.display()
            ),
        }
    }

    /// Writes the log that was removed, and is still open here, into the database, and begins a new
    /// one.
    fn begin_log_anew(&self, kept: &Kept) -> Result<(), StoreError> {
        let name = self.path.display().to_string();
        let mut writer = lock(&self.writer);
        if self.check_beside(kept).is_ok() {
            return Ok(());
        }
        self.check_content(kept, &writer)?;
        let readers = lock(&self.readers);
        let (mut readers, waited) = self
            .returned
            .wait_timeout_while(readers, PATIENCE, |readers| readers.lent > 0)
            .unwrap_or_else(PoisonError::into_inner);
        if waited.timed_out() {
            return Err(self.away("its write-ahead log was removed; restart afterword"));
        }
        readers.idle.clear();
        let busy: i64 = writer
            .query_row("pragma wal_checkpoint(truncate)", [], |row| row.get(0))
            .map_err(|error| fault(&name, error))?;
        if busy != 0 {
            return Err(self.away("its write-ahead log was removed while another program reads it"));
        }
        // The former connection is closed before the next one is opened.
        *writer = Connection::open_in_memory().map_err(|error| fault(&name, error))?;
        (*writer, _) = open_writer(&self.path).map_err(|error| fault(&name, error))?;
        *lock(&kept.beside) = files::beside(&self.path).ok();
        *lock(&kept.content) = Content::read(&kept.file, &writer).ok();
        tracing::warn!(
            "{name}: the write-ahead log was removed; what it held is in the database, and a new one was begun"
        );
        Ok(())
    }

    pub(crate) fn write<T>(
        &self,
        noun: &str,
        work: impl FnOnce(&SqlConnection<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.check_file()?;
        let mut writer = lock(&self.writer);
        if let Some(kept) = &self.kept {
            self.check_beside(kept)?;
            self.check_content(kept, &writer)?;
        }
        let transaction = writer
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(|error| fault(noun, error))?;
        let result = work(&SqlConnection::Sqlite(&transaction))?;
        transaction.commit().map_err(|error| fault(noun, error))?;
        if let Some(kept) = &self.kept {
            *lock(&kept.content) = Content::read(&kept.file, &writer).ok();
            // A commit into files that were removed meanwhile is lost.
            self.check_beside(kept)?;
        }
        self.check_file()?;
        Ok(result)
    }

    /// Runs a read, which never waits for writers.
    pub(crate) fn read<T>(
        &self,
        noun: &str,
        work: impl FnOnce(&SqlConnection<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.check_file()?;
        let mut lent = LentReader {
            of: self,
            connection: None,
        };
        let kept = {
            let mut readers = lock(&self.readers);
            readers.lent += 1;
            readers.idle.pop()
        };
        let reader = lent.connection.insert(match kept {
            Some(reader) => reader,
            None => open_reader(&self.path)?,
        });
        let transaction = reader.transaction().map_err(|error| fault(noun, error))?;
        work(&SqlConnection::Sqlite(&transaction))
    }
}

/// A reader on loan; dropping it gives it back.
struct LentReader<'a> {
    of: &'a Sqlite,
    connection: Option<Connection>,
}

impl Drop for LentReader<'_> {
    fn drop(&mut self) {
        let mut readers = lock(&self.of.readers);
        readers.lent -= 1;
        if readers.idle.len() < KEPT_READERS {
            readers.idle.extend(self.connection.take());
        }
        self.of.returned.notify_all();
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

fn create_directory(path: &Path) -> io::Result<()> {
    match path
        .parent()
        .filter(|directory| !directory.as_os_str().is_empty())
    {
        Some(directory) => fs::create_dir_all(directory),
        None => Ok(()),
    }
}

/// Creates the file first: SQLite gives a new file the mode that the umask allows and its side
/// files the mode of the database.
fn create(path: &Path) -> io::Result<File> {
    let mut options = fs::OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
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
