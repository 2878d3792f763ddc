//! Store errors, by the caller's possible reaction.

use postgres::error::SqlState;
use rusqlite::ErrorCode;

/// An error of the store. The transaction was rolled back, unless [`StoreError::Away`] occurred
/// during its commit.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database was made by a newer program.
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
    /// The database was made by an older program, and is only read here.
    #[error(
        "the database was made by an older version of afterword (database version {found}, this program knows {known}): \
         run `afterword migrate` first"
    )]
    Older {
        /// The version of the database.
        found: u32,
        /// The version that this program reads.
        known: u32,
    },
    /// Another process uses the database file.
    #[error(
        "{file} is in use by another process{holder}: stop that process first, or name another database under `storage:`"
    )]
    InUse {
        /// The database file.
        file: String,
        /// ` (pid … on …)`, where known.
        holder: String,
    },
    /// The disk is full, read-only or failing. Senders should retry later.
    #[error(
        "the database cannot be written ({0}): free some disk space, or make the database's directory writable"
    )]
    Full(String),
    /// The database server is unreachable or the connection broke. Senders should retry later.
    /// After a break during a commit its outcome is unknown: repeated messages are recognised.
    #[error("the database cannot be reached ({0}); the connection is retried")]
    Away(String),
    /// Another process leads, or has already applied these records: reload before continuing.
    #[error("another process has taken the leader lease")]
    Fenced,
    /// Any other error, with the failed operation.
    #[error(transparent)]
    Other(#[from] anyhow::Error),
}

impl StoreError {
    /// Adds the noun that was being read, where the message lacks one.
    pub(crate) fn about(self, noun: &str) -> Self {
        match self {
            Self::Other(error) => Self::Other(error.context(noun.to_owned())),
            other => other,
        }
    }
}

/// Classifies an SQLite error by the caller's possible reaction; `noun` names the data being read
/// or written.
pub(crate) fn fault(noun: &str, error: rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull | ErrorCode::ReadOnly | ErrorCode::SystemIoFailure) => {
            StoreError::Full(format!("{noun}: {error}"))
        }
        Some(ErrorCode::CannotOpen | ErrorCode::DatabaseCorrupt) => {
            StoreError::Away(format!("{noun}: {error}"))
        }
        Some(ErrorCode::NotADatabase) => StoreError::Other(anyhow::anyhow!(
            "{noun}: the file is not a SQLite database; name another under `storage:`"
        )),
        _ => StoreError::Other(anyhow::Error::new(error).context(noun.to_owned())),
    }
}

/// Classifies a PostgreSQL error likewise. Its own text is short; the server's message is its
/// source.
pub(crate) fn postgres_fault(noun: &str, error: &postgres::Error) -> StoreError {
    let told = error.as_db_error().map_or_else(
        || error.to_string(),
        |said| format!("{}: {}", said.severity(), said.message()),
    );
    let Some(code) = error.code() else {
        let why = std::error::Error::source(error)
            .map_or_else(|| told.clone(), |source| format!("{told}: {source}"));
        // Without a server response, the connection failed or a value does not fit its column.
        return match error.is_closed() || broke_off(error) {
            true => StoreError::Away(format!("{noun}: {why}")),
            false => StoreError::Other(anyhow::anyhow!("{noun}: {why}")),
        };
    };
    match code {
        &SqlState::DISK_FULL
        | &SqlState::OUT_OF_MEMORY
        | &SqlState::IO_ERROR
        | &SqlState::READ_ONLY_SQL_TRANSACTION => StoreError::Full(format!("{noun}: {told}")),
        &SqlState::INVALID_PASSWORD | &SqlState::INVALID_AUTHORIZATION_SPECIFICATION => {
            StoreError::Other(anyhow::anyhow!(
                "{noun}: the database rejects this user ({told}): correct the user or the password file under `storage:`"
            ))
        }
        &SqlState::INVALID_CATALOG_NAME => StoreError::Other(anyhow::anyhow!(
            "{noun}: {told}: create it with `createdb`, or name another under `storage:`"
        )),
        // 08: connection, 57P: shutting down or starting, 53: no connection left, 25P: idle too
        // long in a transaction.
        code if ["08", "57P", "53", "25P", "40"]
            .iter()
            .any(|class| code.code().starts_with(class)) =>
        {
            StoreError::Away(format!("{noun}: {told}"))
        }
        _ => StoreError::Other(anyhow::anyhow!("{noun}: {told}")),
    }
}

fn broke_off(error: &postgres::Error) -> bool {
    let mut cause = std::error::Error::source(error);
    while let Some(found) = cause {
        if found.is::<std::io::Error>() {
            return true;
        }
        cause = found.source();
    }
    error.to_string().contains("timeout")
}
