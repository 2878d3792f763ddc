//! Files of the settings: where they are, reading them, and the rule files that globs match.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::named_values::NamedValues;
use crate::model::fault::Fault;
use crate::model::severity_scale::SeverityScale;
use crate::rules::parse::{SHIPPED, named_calendars};

/// Directory that relative paths in a settings file start at.
pub(crate) fn directory_of(file: Option<&Path>) -> PathBuf {
    let parent = file
        .and_then(Path::parent)
        .filter(|parent| !parent.as_os_str().is_empty());
    parent.map_or_else(|| PathBuf::from("."), Path::to_owned)
}

/// A fault of a whole file, which has no position.
pub(crate) fn fault(file: &Path, message: String) -> Fault {
    Fault {
        file: file.display().to_string(),
        line: 0,
        column: 0,
        message,
    }
}

/// The text of a file.
pub(crate) fn read(path: &Path) -> Result<String, Fault> {
    std::fs::read_to_string(path).map_err(|error| fault(path, unreadable("this file", &error)))
}

/// The words for a file that cannot be read.
pub(crate) fn unreadable(file: &str, error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => format!("{file} does not exist"),
        ErrorKind::PermissionDenied => format!("{file} cannot be read: permission denied"),
        ErrorKind::InvalidData => format!("{file} cannot be read: it is not UTF-8 text"),
        _ => format!("{file} cannot be read: {error}"),
    }
}

/// Name and text of the rule files that the globs match, without scenarios; the shipped rules when
/// there are no globs.
pub(super) fn rule_files(
    base: &Path,
    globs: &[String],
    scale: &SeverityScale,
    named: &NamedValues,
) -> Result<Vec<(String, String)>, Vec<Fault>> {
    if globs.is_empty() {
        let text = match scale.names().next() {
            // The shipped rules ask for the highest severity.
            Some(highest) => SHIPPED.1.replace(
                "severity == \"critical\"",
                &format!("severity == {highest:?}"),
            ),
            None => SHIPPED.1.to_owned(),
        };
        return Ok(vec![(SHIPPED.0.to_owned(), text)]);
    }
    let mut paths = Vec::new();
    for pattern in globs {
        let found = matching(&base.join(pattern));
        if found.is_empty() {
            return Err(vec![named.fault(
                "rules",
                pattern,
                format!("no rule file matches `{pattern}`; `afterword init` writes some"),
            )]);
        }
        paths.extend(found);
    }
    paths.sort();
    paths.dedup();
    let files: Result<Vec<(String, String)>, Vec<Fault>> = paths
        .iter()
        .map(|path| {
            let text = read(path).map_err(|fault| vec![fault])?;
            Ok((path.display().to_string(), text))
        })
        .collect();
    files.map(with_calendars)
}

/// Rule files with the calendars of holidays that they name. One that cannot be read is left out:
/// the rules then have a fault where they name it.
pub(crate) fn with_calendars(mut files: Vec<(String, String)>) -> Vec<(String, String)> {
    for path in named_calendars(&files) {
        if let Ok(text) = std::fs::read_to_string(&path) {
            files.push((path, text));
        }
    }
    files
}

/// Files matching a path whose last part may contain one `*`.
#[must_use]
pub(crate) fn matching(pattern: &Path) -> Vec<PathBuf> {
    let name = pattern
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    let Some((before, after)) = name.split_once('*') else {
        return if pattern.is_file() {
            vec![pattern.to_owned()]
        } else {
            Vec::new()
        };
    };
    let directory = pattern.parent().unwrap_or(Path::new("."));
    let Ok(entries) = std::fs::read_dir(directory) else {
        return Vec::new();
    };
    let names = entries
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned());
    let fits = |name: &String| {
        name.len() >= before.len() + after.len()
            && name.starts_with(before)
            && name.ends_with(after)
    };
    let mut found: Vec<PathBuf> = names
        .filter(|name| fits(name) && !name.ends_with(".test.yaml"))
        .map(|name| directory.join(name))
        .collect();
    found.sort();
    found
}
