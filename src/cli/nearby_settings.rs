//! Severities for rule and scenario files, read from the settings file near them.

use std::path::{Path, PathBuf};

use crate::app::settings::files;
use crate::config;
use crate::model::fault::Fault;
use crate::model::severity_scale::SeverityScale;

const NAME: &str = "afterword.yaml";

/// The severities of a settings file.
///
/// # Errors
/// The faults of a file that has `severities:`. A file without it is ignored.
pub(crate) fn severities_in(settings: &Path) -> Result<SeverityScale, Vec<Fault>> {
    let name = settings.display().to_string();
    let text = files::read(settings).map_err(|fault| vec![fault])?;
    if !text.lines().any(|line| line.starts_with("severities:")) {
        return Ok(SeverityScale::default());
    }
    config::parse::parse(&name, &text).map(|config| config.labels.scale)
}

/// The severities for a file of rules or scenarios: those of `settings`, else of the first
/// afterword.yaml that is beside it, in the directory above, or in the working directory.
///
/// # Errors
/// The faults of that settings file.
pub(crate) fn severities_for(
    file: &Path,
    settings: Option<&Path>,
) -> Result<SeverityScale, Vec<Fault>> {
    if let Some(settings) = settings {
        return severities_in(settings);
    }
    let beside = file.parent().map_or_else(PathBuf::new, Path::to_owned);
    let near = [beside.clone(), beside.join(".."), PathBuf::from(".")];
    let found = near.iter().map(|directory| directory.join(NAME));
    match found.into_iter().find(|path| path.is_file()) {
        Some(path) => severities_in(&path),
        None => Ok(SeverityScale::default()),
    }
}
