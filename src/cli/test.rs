//! `afterword test`: runs rule scenarios and prints the differences from what they expect.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::check::{read_all, rules_of};
use super::junit;
use super::nearby_settings::severities_for;
use super::output::{FAULTS, complain, json, say};
use super::scenario_report::{ScenarioFileResult, ScenarioReport, ScenarioResult};
use crate::engine::policy::Policy;
use crate::model::fault::Fault;
use crate::rules;
use crate::trial;

/// Arguments of `afterword test`.
#[derive(Debug, Args)]
pub(crate) struct Test {
    /// Scenario files (*.test.yaml); by default those in rules/.
    files: Vec<PathBuf>,
    /// Output format: text for people, json or junit for programs.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Settings file with the severities that the scenarios use; by default afterword.yaml beside the
    /// scenario file, in its parent directory, or in the current directory.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Text,
    Json,
    Junit,
}

pub(crate) fn test(asked: &Test) -> u8 {
    let files = if asked.files.is_empty() {
        scenarios_in(Path::new("rules"))
    } else {
        asked.files.clone()
    };
    if files.is_empty() {
        complain(
            "no *.test.yaml files in rules/; name the scenario files, or create some with `afterword init`",
        );
        return FAULTS;
    }
    let report = run(&files, asked.config.as_deref());
    match asked.format {
        Format::Text => print_report(&report),
        Format::Json => say(&json(&report)),
        Format::Junit => say(junit::document(&report).trim_end()),
    }
    if report.failed > 0 || report.files.iter().any(|file| !file.faults.is_empty()) {
        FAULTS
    } else {
        0
    }
}

fn run(files: &[PathBuf], settings: Option<&Path>) -> ScenarioReport {
    let (texts, unread) = read_all(files);
    let mut tested: Vec<ScenarioFileResult> = unread
        .into_iter()
        .map(|fault| ScenarioFileResult {
            file: fault.file.clone(),
            scenarios: Vec::new(),
            faults: vec![fault],
        })
        .collect();
    tested.extend(
        texts
            .iter()
            .map(|(name, text)| match run_file(name, text, settings) {
                Ok(scenarios) => ScenarioFileResult {
                    file: name.clone(),
                    scenarios,
                    faults: Vec::new(),
                },
                Err(faults) => ScenarioFileResult {
                    file: name.clone(),
                    scenarios: Vec::new(),
                    faults,
                },
            }),
    );
    let count = |passed: bool| {
        tested
            .iter()
            .flat_map(|file| &file.scenarios)
            .filter(|scenario| scenario.passed == passed)
            .count()
    };
    ScenarioReport {
        passed: count(true),
        failed: count(false),
        files: tested,
    }
}

fn print_report(report: &ScenarioReport) {
    for ScenarioFileResult {
        file,
        scenarios,
        faults,
    } in &report.files
    {
        for ScenarioResult {
            name,
            line,
            differences,
            ..
        } in scenarios.iter().filter(|scenario| !scenario.passed)
        {
            let text: String = differences.iter().map(ToString::to_string).collect();
            complain(&format!("{file}:{line}:1: {name}\n{text}"));
        }
        for fault in faults {
            complain(&fault.to_string());
        }
    }
    let faulty = report.files.iter().filter(|file| !file.faults.is_empty());
    let not_run = match faulty.count() {
        0 => String::new(),
        1 => "; 1 file has faults and was not run".to_owned(),
        many => format!("; {many} files have faults and were not run"),
    };
    say(&format!(
        "{} scenario{} passed, {} failed{not_run}",
        report.passed,
        if report.passed == 1 { "" } else { "s" },
        report.failed
    ));
}

fn scenarios_in(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return Vec::new();
    };
    let scenario = |path: &PathBuf| path.to_string_lossy().ends_with(".test.yaml");
    let mut found: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(scenario)
        .collect();
    found.sort();
    found
}

/// The result of each scenario of a file.
fn run_file(
    name: &str,
    text: &str,
    settings: Option<&Path>,
) -> Result<Vec<ScenarioResult>, Vec<Fault>> {
    let scale = severities_for(Path::new(name), settings)?;
    let file = rules::scenario::parse_for(name, text, &scale)?;
    let rules = rules_of(name, &file, &scale)?;
    let policy = Policy::new(rules, &[], &[]).with_severities(scale);
    let tried = file.scenarios.iter().map(|scenario| {
        let differences = trial::run(scenario, &policy)
            .map(|failure| failure.differences)
            .unwrap_or_default();
        ScenarioResult {
            name: scenario.name.clone(),
            line: scenario.line,
            passed: differences.is_empty(),
            differences,
        }
    });
    Ok(tried.collect())
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::{run, scenarios_in};

    #[test]
    fn every_policy_of_the_cookbook_does_what_its_scenarios_say() {
        let cookbook = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/policies");
        let files = scenarios_in(&cookbook);
        assert!(files.len() > 12, "{files:?}");
        let report = run(&files, None);
        let failed: Vec<String> = report
            .files
            .iter()
            .flat_map(|file| {
                let faults = file.faults.iter().map(ToString::to_string);
                let differences = file.scenarios.iter().flat_map(|scenario| {
                    let told: Vec<String> = scenario
                        .differences
                        .iter()
                        .map(ToString::to_string)
                        .collect();
                    (!told.is_empty())
                        .then(|| format!("{}: {}\n{}", file.file, scenario.name, told.concat()))
                });
                faults.chain(differences).collect::<Vec<_>>()
            })
            .collect();
        assert!(failed.is_empty(), "{}", failed.join("\n"));
    }

    #[test]
    fn every_policy_of_the_cookbook_has_scenarios_and_a_source() {
        let cookbook = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/policies");
        for scenario in scenarios_in(&cookbook) {
            let name = scenario
                .display()
                .to_string()
                .replace(".test.yaml", ".yaml");
            let rules = std::fs::read_to_string(PathBuf::from(&name)).unwrap_or_default();
            let sourced =
                rules.contains("Source: https://") || name.ends_with("three-clauses.yaml");
            assert!(rules.contains("criteria:") && sourced, "{name}");
        }
    }
}
