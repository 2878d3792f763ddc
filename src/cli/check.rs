//! `afterword check`: every fault of settings and rules, in one run.

use std::path::{Path, PathBuf};

use super::{FAULTS, complain, say};
use crate::app::settings::Settings;
use crate::model::fault::Fault;
use crate::rules;

pub(super) fn check(paths: &[PathBuf]) -> u8 {
    let default = [PathBuf::from("afterword.yaml")];
    let paths = if paths.is_empty() { default.as_slice() } else { paths };
    let mut faults: Vec<Fault> = Vec::new();
    let mut files = 0;
    for path in paths {
        let found = if path.is_dir() { inside(path) } else { vec![path.clone()] };
        if found.is_empty() {
            complain(&format!("{}: there is no .yaml file in this directory", path.display()));
            return FAULTS;
        }
        let (settings, others): (Vec<PathBuf>, Vec<PathBuf>) = found.into_iter().partition(|file| is_settings(file));
        let (scenarios, rule_files): (Vec<PathBuf>, Vec<PathBuf>) = others.into_iter().partition(|file| is_scenario(file));
        files += settings.len() + scenarios.len() + rule_files.len();
        for file in &settings {
            faults.extend(Settings::load(Some(file)).err().unwrap_or_default());
        }
        let (texts, unread) = read_all(&rule_files);
        faults.extend(unread);
        faults.extend(rules::parse::load(&texts).err().unwrap_or_default());
        let (texts, unread) = read_all(&scenarios);
        faults.extend(unread);
        faults.extend(texts.iter().flat_map(|(name, text)| rules::scenario::parse(name, text).err().unwrap_or_default()));
    }
    // A rule file may be reached by itself and through the settings.
    faults.sort();
    faults.dedup();
    for fault in &faults {
        complain(&fault.to_string());
    }
    if faults.is_empty() {
        say(&format!("{files} file{} checked, no faults", if files == 1 { "" } else { "s" }));
        0
    } else {
        FAULTS
    }
}

/// The YAML files of a directory, in order.
fn inside(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    let yaml = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
    let mut found: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(yaml).collect();
    found.sort();
    found
}

/// A file with a key that only settings have; rules have `criteria:`, `conditions:` or `correlation:`.
fn is_settings(path: &Path) -> bool {
    if is_scenario(path) {
        return false;
    }
    let named = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("afterword"));
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let top = |key: &str| text.lines().any(|line| line.starts_with(key));
    named || ["listen:", "storage:", "sources:", "rules:", "people:", "services:"].iter().any(|key| top(key))
}

fn is_scenario(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().ends_with(".test.yaml"))
}

/// Texts by name, and a fault for each file that cannot be read.
pub(super) fn read_all(paths: &[PathBuf]) -> (Vec<(String, String)>, Vec<Fault>) {
    let mut texts = Vec::new();
    let mut faults = Vec::new();
    for path in paths {
        let name = path.display().to_string();
        match std::fs::read_to_string(path) {
            Ok(text) => texts.push((name, text)),
            Err(error) => faults.push(Fault { file: name, line: 1, column: 1, message: format!("cannot be read: {error}") }),
        }
    }
    (texts, faults)
}
