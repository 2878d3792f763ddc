//! Scenario files, `*.test.yaml`: timed events and the decisions expected of them.

pub(crate) mod entry;
pub mod event;
mod series;

use std::collections::BTreeMap;

use serde::Deserialize;

use super::rule_set::RuleSet;
use super::seconds::Seconds;
use crate::model::fault::{Fault, nearest};
use crate::model::severity_scale::SeverityScale;
use crate::model::time::Time;
use crate::model::verdict::{Decision, Outcome, PostmortemForm};
use crate::yaml;
use crate::yaml::node::{Node, Position, Value};
use crate::yaml::scalar::{Duration, Spanned, Timestamp};
use event::{ScenarioEvent, ScenarioSamples};

/// A file of scenarios.
#[derive(Debug, Clone, PartialEq)]
pub struct ScenarioFile {
    /// Paths of the rule files under test, relative to this file.
    pub rules: Vec<Spanned<String>>,
    /// In the order of the file.
    pub scenarios: Vec<Scenario>,
    /// Every criterion named under `expect`, with its position.
    pub named: Vec<(Position, String)>,
}

impl ScenarioFile {
    /// A fault for each expected criterion that the rules do not have.
    #[must_use]
    pub fn unknown_criteria(&self, file: &str, rules: &RuleSet) -> Vec<Fault> {
        let known = || {
            rules
                .criteria
                .iter()
                .map(|criterion| criterion.name.as_str())
        };
        let unknown = self
            .named
            .iter()
            .filter(|(_, name)| !known().any(|known| known == name));
        let told = unknown.map(|(position, name)| {
            let meant = nearest(name, known())
                .map_or_else(String::new, |name| format!("; did you mean `{name}`?"));
            position.fault(
                file,
                format!(
                    "none of these rule files has a criterion `{}`{meant}",
                    name.escape_debug()
                ),
            )
        });
        told.collect()
    }
}

/// One scenario.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// Its name.
    pub name: String,
    /// Its first line, from 1.
    pub line: u64,
    /// Its beginning; `None` for an ordinary Monday morning.
    pub starts: Option<Time>,
    /// In the order of time.
    pub events: Vec<ScenarioEvent>,
    /// Metric samples, in the order of time.
    pub samples: Vec<ScenarioSamples>,
    /// In the order of the file.
    pub expect: Vec<Expectation>,
}

/// The expected state at an instant.
#[derive(Debug, Clone, PartialEq)]
pub struct Expectation {
    /// Time from the beginning of the scenario.
    pub at: Seconds,
    /// Its line, from 1.
    pub line: u64,
    /// The service whose latest incident is checked; `None` for all incidents.
    pub service: Option<String>,
    /// The strongest decision.
    pub decision: Option<Decision>,
    /// The heaviest form of postmortem.
    pub form: Option<PostmortemForm>,
    /// Outcomes by name of the criterion.
    pub criteria: BTreeMap<String, Outcome>,
    /// Number of incidents so far.
    pub incidents: Option<usize>,
    /// Number of postmortems held or suggested; a bundle counts as one.
    pub postmortems: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectationEntry {
    at: Option<Duration>,
    service: Option<String>,
    decision: Option<Decision>,
    form: Option<PostmortemForm>,
    criteria: Option<BTreeMap<String, Outcome>>,
    incidents: Option<usize>,
    postmortems: Option<usize>,
}

/// Reads a scenario file.
///
/// # Errors
/// All its faults, in their order.
pub fn parse(file: &str, text: &str) -> Result<ScenarioFile, Vec<Fault>> {
    parse_for(file, text, &SeverityScale::default())
}

/// Like [`parse`], for a team's own severities.
///
/// # Errors
/// All its faults, in their order.
pub fn parse_for(
    file: &str,
    text: &str,
    scale: &SeverityScale,
) -> Result<ScenarioFile, Vec<Fault>> {
    let node = yaml::tree::parse(file, text).map_err(|fault| vec![fault])?;
    let mut faults = Vec::new();
    let mut read = ScenarioFile {
        rules: Vec::new(),
        scenarios: Vec::new(),
        named: Vec::new(),
    };
    for (key, section) in yaml::reader::sections(file, &node, &["rules", "scenarios"], &mut faults)
    {
        if key.name == "rules" {
            read.rules = yaml::reader::read_list::<Spanned<String>>(file, section, &mut faults)
                .into_iter()
                .map(|(_, path)| path)
                .collect();
        } else {
            let entries = yaml::reader::entries(file, section, &mut faults);
            read.scenarios = entries
                .iter()
                .filter_map(|entry| scenario(file, entry, scale, &mut faults))
                .collect();
            read.named = entries.iter().flat_map(named).collect();
        }
    }
    if read.rules.is_empty() && node.get("rules").is_none() {
        faults.push(node.position().fault(
            file,
            "`rules` is missing: the rule files under test, as in `rules: [postmortems.yaml]`",
        ));
    }
    faults.sort();
    if faults.is_empty() {
        Ok(read)
    } else {
        Err(faults)
    }
}

fn scenario(
    file: &str,
    node: &Node,
    scale: &SeverityScale,
    faults: &mut Vec<Fault>,
) -> Option<Scenario> {
    let mut name = None;
    let mut scenario = Scenario {
        name: String::new(),
        line: node.line,
        starts: None,
        events: Vec::new(),
        samples: Vec::new(),
        expect: Vec::new(),
    };
    for (key, section) in
        yaml::reader::sections(file, node, &["name", "starts", "events", "expect"], faults)
    {
        match key.name.as_str() {
            "name" => {
                name = yaml::reader::read::<Spanned<String>>(file, section)
                    .map_err(|fault| faults.push(fault))
                    .ok();
            }
            "starts" => {
                scenario.starts = yaml::reader::read::<Timestamp>(file, section)
                    .map_err(|fault| faults.push(fault))
                    .ok()
                    .map(|starts| starts.0);
            }
            "events" => {
                (scenario.events, scenario.samples) = {
                    let entries = yaml::reader::entries(file, section, faults);
                    entry::events(file, entries, scale, faults)
                };
            }
            _ => {
                let entries = yaml::reader::entries(file, section, faults).iter();
                scenario.expect = entries
                    .filter_map(|entry| expect(file, entry, faults))
                    .collect();
            }
        }
    }
    for key in ["name", "events", "expect"] {
        if node.get(key).is_none() {
            faults.push(node.position().fault(file, format!("`{key}` is missing")));
        }
    }
    scenario.name = name?.value;
    Some(scenario)
}

fn expect(file: &str, node: &Node, faults: &mut Vec<Fault>) -> Option<Expectation> {
    let before = faults.len();
    let ExpectationEntry {
        at,
        service,
        decision,
        form,
        criteria,
        incidents,
        postmortems,
    } = yaml::entry::read_entry(file, node, &["at"], faults)?;
    let criteria = criteria.unwrap_or_default();
    if faults.len() == before
        && decision.is_none()
        && form.is_none()
        && criteria.is_empty()
        && incidents.is_none()
        && postmortems.is_none()
    {
        faults.push(node.position().fault(
            file,
            "the expectation is empty; give `decision`, `form`, `criteria`, `incidents` or `postmortems`",
        ));
    }
    Some(Expectation {
        at: at?.seconds,
        line: node.line,
        service,
        decision,
        form,
        criteria,
        incidents,
        postmortems,
    })
}

/// The criteria named in a scenario's expectations.
fn named(scenario: &Node) -> Vec<(Position, String)> {
    let Some(Node {
        value: Value::List(expect),
        ..
    }) = scenario.get("expect")
    else {
        return Vec::new();
    };
    let criteria = expect.iter().filter_map(|entry| entry.get("criteria"));
    let keys = criteria.flat_map(|node| {
        if let Value::Map(entries) = &node.value {
            entries.as_slice()
        } else {
            &[]
        }
    });
    keys.map(|(key, _)| (key.position(), key.name.clone()))
        .collect()
}

#[cfg(test)]
mod tests;
