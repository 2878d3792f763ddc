//! What can go wrong with the database, told apart where the caller acts on it.

use rusqlite::ErrorCode;

/// Why the store did not do what was asked. Whatever the reason, nothing of the call was kept.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database is ahead of this program.
    #[error(
        "the database was made by a newer version of afterword (database version {found}, this program knows {known}): \
         run that version or restore a back-up"
    )]
    Newer {
        /// The version of the database.
        found: u32,
        /// The newest version this program knows.
        known: u32,
    },
    /// The disk takes no more: full, read-only or failing. Senders should try again later.
    #[error("nothing can be stored ({0}): free some disk space, or make the database's directory writable")]
    Full(String),
    /// Another judge is in office, or has already applied these records: reload before going on.
    #[error("another judge has taken over")]
    Fenced,
    /// Anything else, with what was being done.
    #[error(transparent)]
    Other(#[from] anyhow::Error),
}

/// Sorts an error of SQLite by what the caller can do; `noun` names what was being read or written.
pub(super) fn fault(noun: &str, error: rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull | ErrorCode::ReadOnly | ErrorCode::SystemIoFailure) => StoreError::Full(format!("{noun}: {error}")),
        Some(ErrorCode::NotADatabase) => {
            StoreError::Other(anyhow::anyhow!("{noun}: the file is not a SQLite database; name another under `storage:`"))
        }
        _ => StoreError::Other(anyhow::Error::new(error).context(noun.to_owned())),
    }
}
