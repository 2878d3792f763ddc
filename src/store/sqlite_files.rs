//! The files of a SQLite database while a process uses them: which they are, and whether another
//! program removes or replaces them.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rustix::fs::{Stat, fstat, stat};

/// The part of the database file that SQLite changes whenever the file grows.
const HEADER: usize = 100;
/// Suffixes of the write-ahead log and of its index.
const BESIDE: [&str; 2] = ["-wal", "-shm"];

/// Device and number of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileId {
    device: u64,
    number: u64,
}

impl FileId {
    /// The file at a path. It is not opened: closing it would drop the locks that SQLite holds
    /// (<https://sqlite.org/howtocorrupt.html#_posix_advisory_locks_canceled_by_a_separate_thread_doing_close_>).
    pub(super) fn at(path: &Path) -> io::Result<Self> {
        Ok(Self::from(&stat(path)?))
    }

    /// The file that is open.
    pub(super) fn of_open(file: &impl AsFd) -> io::Result<Self> {
        Ok(Self::from(&fstat(file)?))
    }

    /// The database file at a path, if it can be one.
    pub(super) fn of_database(path: &Path) -> io::Result<Self> {
        let found = stat(path)?;
        if found.st_mode & 0o444 == 0 {
            return Err(io::Error::other(
                "it has no read permission; make it readable for the user that runs afterword",
            ));
        }
        if found.st_size == 0 {
            return Err(io::Error::other("it is empty; restore a back-up"));
        }
        Ok(Self::from(&found))
    }

    fn from(found: &Stat) -> Self {
        Self {
            device: found.st_dev,
            number: found.st_ino,
        }
    }
}

/// The write-ahead log of a database and its index.
pub(super) fn beside(database: &Path) -> io::Result<[FileId; 2]> {
    let [wal, index] = BESIDE.map(|suffix| FileId::at(&with_suffix(database, suffix)));
    Ok([wal?, index?])
}

/// Moves the write-ahead log out of the way of another database that has taken the place of its own;
/// SQLite would apply it to that. Gives its new name.
pub(super) fn set_log_aside(database: &Path, ours: FileId) -> io::Result<Option<PathBuf>> {
    let log = with_suffix(database, BESIDE[0]);
    if FileId::at(&log).ok() != Some(ours) {
        return Ok(None);
    }
    let aside = with_suffix(database, "-wal.replaced");
    std::fs::rename(&log, &aside)?;
    Ok(Some(aside))
}

fn with_suffix(database: &Path, suffix: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// The content of the database file as SQLite left it. Commits go to the write-ahead log, and only a
/// checkpoint writes to the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Content {
    changed: (i64, i64),
    size: i64,
    header: [u8; HEADER],
    /// Pages in the write-ahead log, and those of them that are in the file as well.
    log: (i64, i64),
}

impl Content {
    /// The content now. `file` is the database, opened once for this: see [`FileId::at`].
    pub(super) fn read(file: &File, writer: &Connection) -> io::Result<Self> {
        let found = fstat(file)?;
        let mut header = [0; HEADER];
        file.read_exact_at(&mut header, 0)?;
        let log = writer
            .prepare_cached("pragma wal_checkpoint(noop)")
            .and_then(|mut noop| noop.query_row([], |row| Ok((row.get(1)?, row.get(2)?))))
            .map_err(io::Error::other)?;
        Ok(Self {
            changed: (found.st_mtime, found.st_mtime_nsec as i64),
            size: found.st_size,
            header,
            log,
        })
    }

    /// True if another program than SQLite has written to the file since: its content is another, and
    /// the write-ahead log, through which SQLite writes, is as it was.
    pub(super) fn is_overwritten(&self, file: &File, writer: &Connection) -> io::Result<bool> {
        let found = fstat(file)?;
        if (found.st_mtime, found.st_mtime_nsec as i64, found.st_size)
            == (self.changed.0, self.changed.1, self.size)
        {
            return Ok(false);
        }
        // A file that is being written to may be shorter than its header.
        Ok(match Self::read(file, writer) {
            Ok(now) => now.header != self.header && now.log == self.log,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => true,
            Err(error) => return Err(error),
        })
    }
}
