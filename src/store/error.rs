//! What can go wrong with the database, told apart where the caller acts on it.

use postgres::error::SqlState;
use rusqlite::ErrorCode;

/// Why the store did not do what was asked. Nothing of the call was kept, but for [`StoreError::Away`] during a commit.
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
    #[error(
        "nothing can be stored ({0}): free some disk space, or make the database's directory writable"
    )]
    Full(String),
    /// The database server cannot be reached, or broke off. Senders should try again later. If it broke off while committing, nobody can
    /// say whether it did: whatever is sent again is recognised.
    #[error("the database cannot be reached ({0}): it is tried again until it can")]
    Away(String),
    /// Another judge is in office, or has already applied these records: reload before going on.
    #[error("another judge has taken over")]
    Fenced,
    /// Anything else, with what was being done.
    #[error(transparent)]
    Other(#[from] anyhow::Error),
}

impl StoreError {
    /// The same, saying what was being read where that is not told yet.
    pub(crate) fn about(self, noun: &str) -> Self {
        match self {
            Self::Other(error) => Self::Other(error.context(noun.to_owned())),
            other => other,
        }
    }
}

/// Sorts an error of SQLite by what the caller can do; `noun` names what was being read or written.
pub(crate) fn fault(noun: &str, error: rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull | ErrorCode::ReadOnly | ErrorCode::SystemIoFailure) => {
            StoreError::Full(format!("{noun}: {error}"))
        }
        Some(ErrorCode::NotADatabase) => StoreError::Other(anyhow::anyhow!(
            "{noun}: the file is not a SQLite database; name another under `storage:`"
        )),
        _ => StoreError::Other(anyhow::Error::new(error).context(noun.to_owned())),
    }
}

/// Sorts an error of PostgreSQL likewise. The error's own text is short; what the server said is its source.
pub(crate) fn postgres_fault(noun: &str, error: &postgres::Error) -> StoreError {
    let told = error.as_db_error().map_or_else(
        || error.to_string(),
        |said| format!("{}: {}", said.severity(), said.message()),
    );
    let Some(code) = error.code() else {
        let why = std::error::Error::source(error)
            .map_or_else(|| told.clone(), |source| format!("{told}: {source}"));
        // Without an answer of the server it is the connection, or a value that does not fit its column.
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
                "{noun}: the database does not let this user in ({told}): correct the user or the password file under `storage:`"
            ))
        }
        &SqlState::INVALID_CATALOG_NAME => StoreError::Other(anyhow::anyhow!(
            "{noun}: {told}: make it with `createdb`, or name another under `storage:`"
        )),
        // 08: connection, 57P: shut down or starting, 53: no connection left, 25P: waited too long inside a transaction.
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
