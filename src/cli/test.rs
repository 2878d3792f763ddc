//! `afterword test`: runs rule scenarios and shows expected and got where they differ.

use std::path::{Path, PathBuf};

use super::check::read_all;
use super::{FAULTS, complain, say};
use crate::engine::InForce;
use crate::rules;
use crate::trial;

pub(super) fn test(files: &[PathBuf]) -> u8 {
    let files = if files.is_empty() { scenarios_in(Path::new("rules")) } else { files.to_vec() };
    if files.is_empty() {
        complain("there is no *.test.yaml in rules/; name the scenario files, or let `afterword init` write some");
        return FAULTS;
    }
    let (texts, unread) = read_all(&files);
    let mut faulty = !unread.is_empty();
    for fault in unread {
        complain(&fault.to_string());
    }
    let (mut passed, mut failed) = (0_usize, 0_usize);
    for (name, text) in &texts {
        match run_file(name, text) {
            Ok(failures) => {
                for (line, scenario, difference) in &failures.1 {
                    complain(&format!("{name}:{line}:1: {scenario}\n{difference}"));
                }
                passed += failures.0 - failures.1.len();
                failed += failures.1.len();
            }
            Err(faults) => {
                faulty = true;
                for fault in faults {
                    complain(&fault.to_string());
                }
            }
        }
    }
    say(&format!("{passed} scenarios passed, {failed} failed"));
    if failed > 0 || faulty { FAULTS } else { 0 }
}

fn scenarios_in(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    let scenario = |path: &PathBuf| path.to_string_lossy().ends_with(".test.yaml");
    let mut found: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(scenario).collect();
    found.sort();
    found
}

type Failures = (usize, Vec<(u64, String, String)>);

/// How many scenarios a file has, and those that failed.
fn run_file(name: &str, text: &str) -> Result<Failures, Vec<crate::model::fault::Fault>> {
    let file = rules::scenario::parse(name, text)?;
    let beside = Path::new(name).parent().unwrap_or(Path::new("."));
    let paths: Vec<PathBuf> = file.rules.iter().map(|rules| beside.join(rules)).collect();
    let (texts, unread) = read_all(&paths);
    if !unread.is_empty() {
        return Err(unread);
    }
    let force = InForce::new(rules::parse::load(&texts)?, &[], &[]);
    let failures = file.scenarios.iter().filter_map(|scenario| trial::run(scenario, &force));
    let failures = failures.map(|failure| (failure.line, failure.scenario, failure.difference)).collect();
    Ok((file.scenarios.len(), failures))
}
