//! `afterword export` and `afterword import`.

use std::fs::File;
use std::io::{BufReader, BufWriter, ErrorKind, Write};
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;

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
    /// File written by `afterword export`.
    file: PathBuf,
    #[command(flatten)]
    settings: SettingsFile,
}

pub(crate) fn export(asked: &Export) -> u8 {
    with_store(&asked.settings, Store::open_to_read, |settings, store| {
        let write = |out: &mut dyn Write| -> anyhow::Result<u64> {
            let rows = store.export(&mut *out)?;
            out.flush().context("cannot write the export")?;
            Ok(rows)
        };
        let rows = match &asked.file {
            None => write(&mut BufWriter::new(std::io::stdout().lock()))?,
            Some(path) => {
                let mut file = File::options();
                // Never overwrite an earlier backup.
                file.write(true).create_new(true);
                #[cfg(unix)]
                std::os::unix::fs::OpenOptionsExt::mode(&mut file, 0o600);
                let file = file.open(path).map_err(|fault| match fault.kind() {
                    ErrorKind::AlreadyExists => {
                        anyhow::anyhow!("{} already exists; name another file", path.display())
                    }
                    _ => anyhow::anyhow!("cannot create {}: {fault}", path.display()),
                })?;
                let mut out = BufWriter::new(file);
                let rows = write(&mut out)?;
                out.get_ref()
                    .sync_all()
                    .with_context(|| format!("cannot write {}", path.display()))?;
                rows
            }
        };
        Ok(format!(
            "exported {rows} {} from the database {}",
            rows_word(rows),
            settings.place
        ))
    })
}

pub(crate) fn import(asked: &Import) -> u8 {
    let open = |place: &DatabaseLocation| Store::open_at(place, Clock::System.now());
    with_store(&asked.settings, open, |settings, store| {
        let file = File::open(&asked.file)
            .with_context(|| format!("cannot read {}", asked.file.display()))?;
        let rows = store
            .import(&mut BufReader::new(file))
            .with_context(|| format!("{}", asked.file.display()))?;
        Ok(format!(
            "imported {rows} {} into the database {}",
            rows_word(rows),
            settings.place
        ))
    })
}

fn rows_word(rows: u64) -> &'static str {
    if rows == 1 { "row" } else { "rows" }
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
