//! Drafts, their pictures and invites, as parts of an export.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::output::complain;
use crate::app::settings::Settings;
use crate::deliver::files;
use crate::model::delivery::DeliveryOutcome;
use crate::store::export::{ExportedDirectory, ExportedFile};

/// The directories, with the endings of the files that Afterword writes there.
const DIRECTORIES: [(ExportedDirectory, &[&str]); 2] = [
    (ExportedDirectory::Postmortems, &["md", "svg"]),
    (ExportedDirectory::Meetings, &["ics"]),
];

fn path(settings: &Settings, directory: ExportedDirectory) -> PathBuf {
    settings.path(match directory {
        ExportedDirectory::Postmortems => &settings.config.postmortems_directory,
        ExportedDirectory::Meetings => &settings.config.meetings.directory,
    })
}

/// The files, each read when it comes.
pub(crate) fn read_all(
    settings: &Settings,
) -> anyhow::Result<impl Iterator<Item = anyhow::Result<ExportedFile>>> {
    let mut found = Vec::new();
    for (directory, endings) in DIRECTORIES {
        let place = path(settings, directory);
        for name in names(&place, endings)? {
            found.push((directory, place.clone(), name));
        }
    }
    Ok(found.into_iter().filter_map(|(directory, place, name)| {
        let file = |text| ExportedFile {
            directory,
            name: name.clone(),
            text,
        };
        match files::read(&place, &name) {
            Ok(text) => text.map(|text| Ok(file(text))),
            // One file in another encoding does not cost the whole back-up.
            Err(error) if error.kind() == ErrorKind::InvalidData => {
                complain(&format!("warning: not in the export: {error}"));
                None
            }
            Err(error) => {
                let path = place.join(&name);
                Some(Err(error).with_context(|| format!("cannot read {}", path.display())))
            }
        }
    }))
}

/// The names of the files in a directory with one of these endings, in order.
fn names(directory: &Path, endings: &[&str]) -> anyhow::Result<Vec<String>> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => {
            return Err(error).with_context(|| format!("cannot read {}", directory.display()));
        }
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.with_context(|| format!("cannot read {}", directory.display()))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let ours = Path::new(&name)
            .extension()
            .is_some_and(|ending| endings.iter().any(|known| ending == *known));
        if ours && !name.starts_with('.') && entry.path().is_file() {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// Writes a file of an export, unless one of that name is there already.
pub(crate) fn restore(settings: &Settings, file: &ExportedFile) -> anyhow::Result<()> {
    let directory = path(settings, file.directory);
    match files::read(&directory, &file.name) {
        Ok(Some(text)) if text == file.text => return Ok(()),
        Ok(None) => {}
        Ok(Some(_)) => {
            complain(&format!(
                "warning: {} is there already and was left as it is; the export has another text",
                directory.join(&file.name).display()
            ));
            return Ok(());
        }
        Err(error) => bail!("{} cannot be read: {error}", directory.display()),
    }
    match files::write(&directory, &file.name, &file.text) {
        DeliveryOutcome::Delivered => Ok(()),
        DeliveryOutcome::Retry(why) | DeliveryOutcome::Refused(why) => bail!(why),
    }
}
