//! Copy of a SQLite database beside it, made before a migration.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::error::StoreError;
use super::sqlite::Sqlite;
use crate::model::time::Time;

/// Copies the database of `version`; returns the copy. It is whole and durable, or not there.
pub(crate) fn copy(database: &Sqlite, version: u32, now: Time) -> Result<PathBuf, StoreError> {
    let path = database.path();
    let directory = match path.parent() {
        Some(directory) if !directory.as_os_str().is_empty() => directory,
        _ => Path::new("."),
    };
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let target = directory.join(format!(
        "{stem}-v{version}-{}.db",
        now.format("%Y%m%dT%H%M%SZ")
    ));
    let copied = || -> anyhow::Result<()> {
        // Empty and readable by its owner only; SQLite fills it.
        let temporary = tempfile::Builder::new()
            .prefix(".afterword-back-up-")
            .tempfile_in(directory)?;
        database.copy_into(temporary.path())?;
        temporary.as_file().sync_all()?;
        temporary.persist_noclobber(&target)?;
        File::open(directory).and_then(|directory| directory.sync_all())?;
        Ok(())
    };
    copied()
        .with_context(|| {
            format!(
                "a back-up before the migration cannot be written to {}; free some space there, or make one elsewhere and run `afterword migrate --no-backup`",
                target.display()
            )
        })
        .map_err(StoreError::Other)?;
    Ok(target)
}
