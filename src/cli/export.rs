//! `afterword export` and `afterword import`.

use std::fs::File;
use std::io::{BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;

use super::exported_files;
use super::options::SettingsFile;
use super::output::{FAULTS, complain};
use super::serve;
use crate::app::clock::Clock;
use crate::app::settings::Settings;
use crate::store::database::{DatabaseLocation, Store};
use crate::store::error::StoreError;

#[derive(Debug, Args)]
pub(crate) struct Export {
    /// File to write; by default standard output. An existing file is never overwritten.
    file: Option<PathBuf>,
    #[command(flatten)]
    settings: SettingsFile,
}

#[derive(Debug, Args)]
pub(crate) struct Import {
    /// File written by `afterword export` of this or an earlier version.
    file: PathBuf,
    #[command(flatten)]
    settings: SettingsFile,
}

pub(crate) fn export(asked: &Export) -> u8 {
    with_store(&asked.settings, Store::open_to_export, |settings, store| {
        let mut count = 0;
        let mut files = exported_files::read_all(settings)?.inspect(|_| count += 1);
        let mut write = |out: &mut dyn Write| -> anyhow::Result<u64> {
            let rows = store.export_with(&mut files, &mut *out)?;
            out.flush().context("cannot write the export")?;
            Ok(rows)
        };
        let rows = match &asked.file {
            None => write(&mut BufWriter::new(std::io::stdout().lock()))?,
            Some(path) => write_whole(path, &mut write)?,
        };
        Ok(format!(
            "exported {} and {} from the database {}",
            counted(rows, "row"),
            counted(count, "file"),
            settings.place
        ))
    })
}

/// Writes a file that is whole and durable, or not there. An existing one is never overwritten.
fn write_whole(
    path: &Path,
    write: &mut dyn FnMut(&mut dyn Write) -> anyhow::Result<u64>,
) -> anyhow::Result<u64> {
    let cannot = || format!("cannot write {}", path.display());
    if path.exists() {
        bail!("{} already exists; name another file", path.display());
    }
    let directory = match path.parent() {
        Some(directory) if !directory.as_os_str().is_empty() => directory,
        _ => Path::new("."),
    };
    // Readable by its owner only, and removed unless it is kept below.
    let file = tempfile::Builder::new()
        .prefix(".afterword-export-")
        .tempfile_in(directory)
        .with_context(cannot)?;
    let mut out = BufWriter::new(file);
    let rows = write(&mut out).with_context(cannot)?;
    let file = out.into_inner().with_context(cannot)?;
    file.as_file().sync_all().with_context(cannot)?;
    file.persist_noclobber(path).with_context(cannot)?;
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .with_context(cannot)?;
    Ok(rows)
}

pub(crate) fn import(asked: &Import) -> u8 {
    let open = |place: &DatabaseLocation| Store::open_at(place, Clock::System.now());
    with_store(&asked.settings, open, |settings, store| {
        let file = File::open(&asked.file)
            .with_context(|| format!("cannot read {}", asked.file.display()))?;
        let mut files = 0;
        let rows = store
            .import_with(
                &mut BufReader::new(file),
                &mut |file| {
                    files += 1;
                    exported_files::restore(settings, file)
                },
                Clock::System.now(),
            )
            .with_context(|| format!("{}", asked.file.display()))?;
        Ok(format!(
            "imported {} and {} into the database {}",
            counted(rows, "row"),
            counted(files, "file"),
            settings.place
        ))
    })
}

fn counted(count: u64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// Runs `work` on the configured store and reports the result on standard error, since standard
/// output may carry the export.
fn with_store(
    file: &SettingsFile,
    open: impl FnOnce(&DatabaseLocation) -> Result<Store, StoreError>,
    work: impl FnOnce(&Settings, &Store) -> anyhow::Result<String>,
) -> u8 {
    let settings = match serve::load(serve::find_settings_file(file.config.as_deref()).as_deref()) {
        Ok(settings) => settings,
        Err(code) => return code,
    };
    let opened = open(&settings.place).with_context(|| format!("the database {}", settings.place));
    match opened.and_then(|store| work(&settings, &store)) {
        Ok(done) => {
            complain(&format!("afterword: {done}"));
            0
        }
        Err(fault) => {
            complain(&format!("afterword: {fault:#}"));
            FAULTS
        }
    }
}
