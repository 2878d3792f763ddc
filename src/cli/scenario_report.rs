//! Results of scenario runs.

use serde::Serialize;

use crate::model::fault::Fault;
use crate::trial::difference::Difference;

/// Results of a run, serialized as is for `--format json`.
#[derive(Debug, Serialize)]
pub(crate) struct ScenarioReport {
    /// Number of scenarios that passed.
    pub(crate) passed: usize,
    /// Number of scenarios that failed.
    pub(crate) failed: usize,
    /// In the order given; unreadable files first.
    pub(crate) files: Vec<ScenarioFileResult>,
}

/// The results of a file: scenarios, or the faults for which none was run.
#[derive(Debug, Serialize)]
pub(crate) struct ScenarioFileResult {
    /// File name as given.
    pub(crate) file: String,
    /// In the order of the file.
    pub(crate) scenarios: Vec<ScenarioResult>,
    /// Of the file itself or of the rules it names.
    pub(crate) faults: Vec<Fault>,
}

/// The result of a scenario.
#[derive(Debug, Serialize)]
pub(crate) struct ScenarioResult {
    /// Name of the scenario.
    pub(crate) name: String,
    /// Line at which it begins.
    pub(crate) line: u64,
    /// True if there are no differences.
    pub(crate) passed: bool,
    /// Differences from the expected results.
    pub(crate) differences: Vec<Difference>,
}
