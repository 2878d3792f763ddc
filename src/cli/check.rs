//! `afterword check`: reports all faults of settings, rules and scenarios in one run.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::check_sample;
use super::nearby_settings::severities_for;
use super::output::{FAULTS, block_on, complain, json, say};
use crate::app::conditions::target_check;
use crate::app::settings::Settings;
use crate::app::settings::files;
use crate::app::settings::files::with_calendars;
use crate::model::fault::Fault;
use crate::model::severity_scale::SeverityScale;
use crate::rules;
use crate::rules::rule_set::RuleSet;
use crate::rules::scenario::ScenarioFile;

/// Maximum number of checked files that are named.
const LISTED: usize = 8;

/// Arguments of `afterword check`.
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// Settings, rule and scenario files, or directories of them; by default afterword.yaml.
    paths: Vec<PathBuf>,
    /// Output format: text for people, json for programs.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// File with a request body as a source sends it; prints the events read from it.
    #[arg(long, value_name = "FILE")]
    sample: Option<PathBuf>,
    /// Source that reads the sample; required if the settings have several.
    #[arg(long, requires = "sample", value_name = "NAME")]
    source: Option<String>,
    /// Header sent with the sample, as `Name: value`; may be repeated.
    #[arg(long, requires = "sample", value_name = "HEADER")]
    header: Vec<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Text,
    Json,
}

/// Result of the check, serialized as is for `--format json`.
#[derive(Debug, Serialize)]
struct Report {
    /// Number of files checked.
    files: usize,
    /// Sorted by file and position.
    faults: Vec<Fault>,
    /// Likely mistakes that do not prevent the settings from being used.
    warnings: Vec<Fault>,
}

pub(crate) fn check(asked: &Check) -> u8 {
    let default = [PathBuf::from("afterword.yaml")];
    if let Some(body) = &asked.sample {
        let settings = match asked.paths.as_slice() {
            [] => &default[0],
            [one] => one,
            _ => {
                return check_sample::usage("--sample takes at most one settings file");
            }
        };
        return check_sample::sample(
            body,
            settings,
            asked.source.as_deref(),
            &asked.header,
            matches!(asked.format, Format::Json),
        );
    }
    if asked.paths.is_empty() && !default[0].exists() && matches!(asked.format, Format::Text) {
        complain(
            "there is no afterword.yaml here: create one with `afterword init`, or name the files to check",
        );
        return FAULTS;
    }
    let (report, read) = run(if asked.paths.is_empty() {
        &default
    } else {
        &asked.paths
    });
    let Report {
        files,
        faults,
        warnings,
    } = &report;
    if let Format::Text = asked.format {
        warnings.iter().for_each(|warning| {
            complain(&format!(
                "{}: warning: {}",
                warning.place(),
                warning.message
            ));
        });
    }
    match asked.format {
        Format::Json => say(&json(&report)),
        Format::Text if faults.is_empty() => say(&format!(
            "{files} file{} checked, no faults: {}",
            if *files == 1 { "" } else { "s" },
            listed(&read)
        )),
        Format::Text => faults.iter().for_each(|fault| complain(&fault.to_string())),
    }
    if faults.is_empty() { 0 } else { FAULTS }
}

/// The names of files, unless they are many.
fn listed(files: &BTreeSet<String>) -> String {
    let mut names: Vec<&str> = files.iter().take(LISTED).map(String::as_str).collect();
    if files.len() > LISTED {
        names.push("…");
    }
    names.join(", ")
}

/// The report, and the names of the files that were read.
fn run(paths: &[PathBuf]) -> (Report, BTreeSet<String>) {
    let (mut faults, mut warnings): (Vec<Fault>, Vec<Fault>) = (Vec::new(), Vec::new());
    let mut read = BTreeSet::new();
    for path in paths {
        let found = if path.is_dir() {
            inside(path)
        } else {
            vec![path.clone()]
        };
        if found.is_empty() {
            let message = "this directory has no .yaml files".to_owned();
            faults.push(files::fault(path, message));
        }
        let (settings, others): (Vec<PathBuf>, Vec<PathBuf>) =
            found.into_iter().partition(|file| is_settings(file));
        let (scenarios, rule_files): (Vec<PathBuf>, Vec<PathBuf>) =
            others.into_iter().partition(|file| is_scenario(file));
        let named = settings.iter().chain(&scenarios).chain(&rule_files);
        read.extend(named.map(|file| file.display().to_string()));
        for file in &settings {
            match Settings::load(Some(file)) {
                Ok(settings) => {
                    // The shipped rules are no file.
                    let rules = settings.logged.rules.iter().map(|rules| rules.name.clone());
                    read.extend(rules.filter(|name| Path::new(name).is_file()));
                    let (unfit, doubtful) =
                        block_on(target_check::compare(&settings)).unwrap_or_default();
                    faults.extend(unfit);
                    warnings.extend(settings.warnings.into_iter().chain(doubtful));
                }
                Err(found) => faults.extend(found),
            }
        }
        let (texts, unread) = read_all(&rule_files);
        faults.extend(unread);
        let near = |file: &Path| severities_for(file, settings.first().map(PathBuf::as_path));
        if let Some(first) = rule_files.first() {
            let read = near(first)
                .and_then(|scale| rules::parse::load_for(&with_calendars(texts), &scale));
            faults.extend(read.err().unwrap_or_default());
        }
        let (texts, unread) = read_all(&scenarios);
        faults.extend(unread);
        faults.extend(texts.iter().flat_map(|(name, text)| {
            let checked = near(Path::new(name)).and_then(|scale| {
                let file = rules::scenario::parse_for(name, text, &scale)?;
                let rules = rules_of(name, &file, &scale)?;
                Ok(file.unknown_criteria(name, &rules))
            });
            checked.unwrap_or_else(|faults| faults)
        }));
    }
    // A rule file may be reached by itself, through the settings and through its scenarios.
    for found in [&mut faults, &mut warnings] {
        found.sort();
        found.dedup();
    }
    let report = Report {
        files: read.len(),
        faults,
        warnings,
    };
    (report, read)
}

/// Rules that a scenario file names, or all faults found while reading them.
pub(crate) fn rules_of(
    name: &str,
    file: &ScenarioFile,
    scale: &SeverityScale,
) -> Result<RuleSet, Vec<Fault>> {
    let beside = Path::new(name).parent().unwrap_or(Path::new("."));
    let mut texts = Vec::new();
    let mut faults = Vec::new();
    for rules in &file.rules {
        let path = beside.join(&rules.value);
        match std::fs::read_to_string(&path) {
            Ok(text) => texts.push((path.display().to_string(), text)),
            Err(error) => faults.push(rules.position.fault(
                name,
                format!("cannot read the rules {}: {error}", path.display()),
            )),
        }
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    rules::parse::load_for(&with_calendars(texts), scale)
}

/// The YAML files of a directory, in order.
fn inside(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return Vec::new();
    };
    let yaml = |path: &PathBuf| {
        path.extension()
            .is_some_and(|extension| extension == "yaml" || extension == "yml")
    };
    let mut found: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(yaml)
        .collect();
    found.sort();
    found
}

/// A file with a key that only settings have; rules have `criteria:`, `conditions:` or
/// `correlation:`.
fn is_settings(path: &Path) -> bool {
    if is_scenario(path) {
        return false;
    }
    let named = path
        .file_name()
        .is_some_and(|name| name.to_string_lossy().starts_with("afterword"));
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let top = |key: &str| text.lines().any(|line| line.starts_with(key));
    named
        || [
            "listen:",
            "storage:",
            "sources:",
            "rules:",
            "people:",
            "services:",
        ]
        .iter()
        .any(|key| top(key))
}

fn is_scenario(path: &Path) -> bool {
    path.file_name()
        .is_some_and(|name| name.to_string_lossy().ends_with(".test.yaml"))
}

/// Texts by name, and a fault for each file that cannot be read.
pub(crate) fn read_all(paths: &[PathBuf]) -> (Vec<(String, String)>, Vec<Fault>) {
    let mut texts = Vec::new();
    let mut faults = Vec::new();
    for path in paths {
        let name = path.display().to_string();
        match files::read(path) {
            Ok(text) => texts.push((name, text)),
            Err(fault) => faults.push(fault),
        }
    }
    (texts, faults)
}
