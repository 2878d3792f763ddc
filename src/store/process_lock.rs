//! The lock that keeps a SQLite database to one process.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use anyhow::{Context, anyhow};

use super::error::StoreError;
use super::mutex::lock;
use super::sqlite_files::FileId;

/// A lock file beside the database, held as long as this value. The system releases it when the
/// process ends, however it ends.
///
/// The database itself is not locked: closing a second handle on it would drop the locks that SQLite
/// holds in this process.
#[derive(Debug)]
pub(super) struct ProcessLock {
    path: PathBuf,
    held: Mutex<File>,
}

impl ProcessLock {
    /// Locks the database for this process.
    ///
    /// # Errors
    /// [`StoreError::InUse`] while another process has it.
    pub(super) fn take(database: &Path) -> Result<Self, StoreError> {
        let path = beside(database);
        let held = Mutex::new(locked(database, &path)?);
        Ok(Self { path, held })
    }

    /// Checks that the lock file is still at its path, and locks a new one if it was removed: without
    /// it a second process could begin.
    ///
    /// # Errors
    /// [`StoreError::InUse`] when another process has begun.
    pub(super) fn keep(&self, database: &Path) -> Result<(), StoreError> {
        let mut held = lock(&self.held);
        let ours = FileId::of_open(&*held).ok();
        if ours.is_some() && FileId::at(&self.path).ok() == ours {
            return Ok(());
        }
        *held = locked(database, &self.path)?;
        tracing::warn!(
            "the lock file {} was removed; it is locked again",
            self.path.display()
        );
        Ok(())
    }
}

/// The lock file of a database; links to one database share it.
fn beside(database: &Path) -> PathBuf {
    let database = std::fs::canonicalize(database).unwrap_or_else(|_| database.to_owned());
    let mut name = database.into_os_string();
    name.push("-lock");
    name.into()
}

fn locked(database: &Path, path: &Path) -> Result<File, StoreError> {
    let cannot = || format!("{}: the lock file cannot be used", path.display());
    let mut file = open(path).with_context(cannot)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            // An unreadable lock file leaves the holder unknown.
            let _ = file.read_to_string(&mut holder);
            return Err(StoreError::InUse {
                file: database.display().to_string(),
                holder: match holder.trim() {
                    "" => String::new(),
                    holder => format!(" ({holder})"),
                },
            });
        }
        Err(TryLockError::Error(error)) => {
            return Err(anyhow!(error)
                .context("the file system does not support locks; put the database on a local disk")
                .context(cannot())
                .into());
        }
    }
    share_owner(database, &file);
    let host = rustix::system::uname();
    let holder = format!(
        "pid {} on {}\n",
        std::process::id(),
        host.nodename().to_string_lossy()
    );
    file.set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| file.write_all(holder.as_bytes()))
        .with_context(cannot)?;
    Ok(file)
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Gives the lock file to the owner of the database, so that a command run by root does not keep the
/// service out.
fn share_owner(database: &Path, file: &File) {
    use std::os::unix::fs::MetadataExt as _;
    if let (Ok(database), Ok(ours)) = (std::fs::metadata(database), file.metadata())
        && (database.uid(), database.gid()) != (ours.uid(), ours.gid())
    {
        // Only root may, and only for root it matters.
        let _ = std::os::unix::fs::fchown(file, Some(database.uid()), Some(database.gid()));
    }
}
