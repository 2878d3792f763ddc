//! `afterword export` and `afterword import`.

use std::fs::File;
use std::io::{BufReader, BufWriter, Write};
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;

use super::{FAULTS, SettingsFile, complain, serve};
use crate::app::clock::Clock;
use crate::app::settings::Settings;
use crate::store::database::Store;

#[derive(Debug, Args)]
pub(crate) struct Export {
    /// Where to write; nothing: standard output.
    file: Option<PathBuf>,
    #[command(flatten)]
    settings: SettingsFile,
}

#[derive(Debug, Args)]
pub(crate) struct Import {
    /// What `export` wrote.
    file: PathBuf,
    #[command(flatten)]
    settings: SettingsFile,
}

pub(crate) fn export(asked: &Export) -> u8 {
    told(&asked.settings, |settings, store| {
        let write = |out: &mut dyn Write| -> anyhow::Result<u64> {
            let rows = store.export(&mut *out)?;
            out.flush().context("the export cannot be written")?;
            Ok(rows)
        };
        let rows = match &asked.file {
            None => write(&mut BufWriter::new(std::io::stdout().lock()))?,
            Some(path) => {
                let mut file = File::options();
                // Never over another back-up.
                file.write(true).create_new(true);
                #[cfg(unix)]
                std::os::unix::fs::OpenOptionsExt::mode(&mut file, 0o600);
                let file = file
                    .open(path)
                    .with_context(|| format!("{} cannot be made", path.display()))?;
                let mut out = BufWriter::new(file);
                let rows = write(&mut out)?;
                out.get_ref()
                    .sync_all()
                    .with_context(|| format!("{} cannot be written", path.display()))?;
                rows
            }
        };
        Ok(format!(
            "{rows} rows exported from the database {}",
            settings.place
        ))
    })
}

pub(crate) fn import(asked: &Import) -> u8 {
    told(&asked.settings, |settings, store| {
        let file = File::open(&asked.file)
            .with_context(|| format!("{} cannot be read", asked.file.display()))?;
        let rows = store
            .import(&mut BufReader::new(file))
            .with_context(|| format!("{}", asked.file.display()))?;
        Ok(format!(
            "{rows} rows imported into the database {}",
            settings.place
        ))
    })
}

/// Runs `work` on the store of the settings and says on standard error how it went: standard output may be the export.
fn told(file: &SettingsFile, work: impl FnOnce(&Settings, &Store) -> anyhow::Result<String>) -> u8 {
    let settings = match serve::load(serve::found(file.config.as_deref()).as_deref()) {
        Ok(settings) => settings,
        Err(code) => return code,
    };
    let opened = Store::open_at(&settings.place, Clock::System.now())
        .with_context(|| format!("the database {}", settings.place));
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
