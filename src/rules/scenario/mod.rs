//! Scenario files, `*.test.yaml`: timed events and the decisions expected of them.

pub(crate) mod entry;
pub mod event;
mod series;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::rule_set::RuleSet;
use super::seconds::Seconds;
use crate::model::fault::{Fault, nearest};
use crate::model::severity_scale::SeverityScale;
use crate::model::time::Time;
use crate::model::verdict::{Decision, Outcome, PostmortemForm};
use crate::yaml;
use crate::yaml::node::{Node, Position, Value};
use crate::yaml::reader::Reader;
use crate::yaml::scalar::{Duration, Spanned, Timestamp};
use entry::EventEntry;
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

/// The keys of a scenario file.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(
    dead_code,
    reason = "declares the keys; each is read alone, so that a fault in one hides none in another"
)]
pub(crate) struct ScenarioFileKeys {
    /// The rule files under test, relative to this file.
    rules: Vec<String>,
    /// Scenarios to run.
    #[schemars(extend("default" = []))]
    scenarios: Option<Vec<ScenarioKeys>>,
}

/// The keys of a scenario.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(
    dead_code,
    reason = "declares the keys; each is read alone, so that a fault in one hides none in another"
)]
pub(crate) struct ScenarioKeys {
    /// Name of the scenario.
    name: String,
    /// Beginning of the scenario as an instant, such as 2026-11-23T08:50+01:00; by default Monday
    /// 2026-01-05T09:00Z.
    starts: Option<Timestamp>,
    /// Events, in order of time.
    #[schemars(schema_with = "entry::events_schema")]
    events: Vec<EventEntry>,
    /// Expected results.
    expect: Vec<ExpectationEntry>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExpectationEntry {
    /// Time since the start of the scenario.
    #[schemars(required)]
    at: Option<Duration>,
    /// Service to check; by default all.
    service: Option<String>,
    /// Strongest decision; by default not checked.
    decision: Option<Decision>,
    /// Heaviest form of postmortem; by default not checked.
    form: Option<PostmortemForm>,
    /// Expected outcomes, by criterion name.
    #[schemars(extend("default" = {}))]
    criteria: Option<BTreeMap<String, Outcome>>,
    /// Number of incidents so far; by default not checked.
    incidents: Option<usize>,
    /// Number of postmortems opened or suggested, counting a bundle as one; by default not checked.
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
    let mut reader = Reader::new(file);
    let mut read = ScenarioFile {
        rules: Vec::new(),
        scenarios: Vec::new(),
        named: Vec::new(),
    };
    for (key, section) in reader.sections::<ScenarioFileKeys>(&node) {
        if key.name == "rules" {
            let entries = reader.list(section).iter();
            read.rules = entries
                .filter_map(|entry| reader.read_whole(entry, &[]))
                .collect();
        } else {
            let entries = reader.list(section);
            read.scenarios = entries
                .iter()
                .filter_map(|entry| scenario(&mut reader, entry, scale))
                .collect();
            read.named = entries.iter().flat_map(named).collect();
        }
    }
    if read.rules.is_empty() && node.get("rules").is_none() {
        reader.fault(
            node.position(),
            "`rules` is missing: the rule files under test, as in `rules: [postmortems.yaml]`",
        );
    }
    let mut faults = reader.faults;
    faults.sort();
    if faults.is_empty() {
        Ok(read)
    } else {
        Err(faults)
    }
}

fn scenario(reader: &mut Reader<'_>, node: &Node, scale: &SeverityScale) -> Option<Scenario> {
    let mut name = None;
    let mut scenario = Scenario {
        name: String::new(),
        line: node.line,
        starts: None,
        events: Vec::new(),
        samples: Vec::new(),
        expect: Vec::new(),
    };
    for (key, section) in reader.sections::<ScenarioKeys>(node) {
        match key.name.as_str() {
            "name" => {
                name = reader.read::<String>(section, &[]);
            }
            "starts" => {
                let starts: Option<Timestamp> = reader.read(section, &[]);
                scenario.starts = starts.map(|starts| starts.0);
            }
            "events" => {
                let entries = reader.list(section);
                (scenario.events, scenario.samples) = entry::events(reader, entries, scale);
            }
            _ => {
                let entries = reader.list(section).iter();
                scenario.expect = entries.filter_map(|entry| expect(reader, entry)).collect();
            }
        }
    }
    for key in ["name", "events", "expect"] {
        if node.get(key).is_none() {
            reader.fault(node.position(), format!("`{key}` is missing"));
        }
    }
    scenario.name = name?;
    Some(scenario)
}

fn expect(reader: &mut Reader<'_>, node: &Node) -> Option<Expectation> {
    let before = reader.faults.len();
    let ExpectationEntry {
        at,
        service,
        decision,
        form,
        criteria,
        incidents,
        postmortems,
    } = reader.read(node, &["at"])?;
    let criteria = criteria.unwrap_or_default();
    if reader.faults.len() == before
        && decision.is_none()
        && form.is_none()
        && criteria.is_empty()
        && incidents.is_none()
        && postmortems.is_none()
    {
        reader.fault(node.position(), "the expectation is empty; give `decision`, `form`, `criteria`, `incidents` or `postmortems`");
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
