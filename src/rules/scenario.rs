//! Scenario files, `*.test.yaml`: events at times from an imagined beginning, and what is expected of them.

mod entry;
mod series;

use std::collections::BTreeMap;

use serde::Deserialize;

use super::Seconds;
use crate::model::Time;
use crate::model::event::{
    Acknowledgement, Actor, Alert, AlertStatus, Change, Condition, Declaration, Event, Fact, Intervention, Labels, NearMiss, Note, Request,
};
use crate::model::fault::Fault;
use crate::model::incident::{Decision, Outcome};
use crate::yaml::{self, Duration, Node, Position, Spanned};

/// The source that events of scenarios name.
pub const SOURCE: &str = "scenario";

/// A file of scenarios.
#[derive(Debug, Clone, PartialEq)]
pub struct ScenarioFile {
    /// Paths of the rule files under test, relative to this file.
    pub rules: Vec<String>,
    /// In the order of the file.
    pub scenarios: Vec<Scenario>,
}

/// One scenario.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// What it shows.
    pub name: String,
    /// Where it begins in its file, from 1.
    pub line: u64,
    /// In the order of time.
    pub events: Vec<ScenarioEvent>,
    /// What the metrics said meanwhile, in the order of time.
    pub samples: Vec<Samples>,
    /// In the order of the file.
    pub expect: Vec<Expect>,
}

/// One event of a scenario.
#[derive(Debug, Clone, PartialEq)]
pub struct ScenarioEvent {
    /// When, from the beginning of the scenario.
    pub at: Seconds,
    /// Where it stands in its file, from 1.
    pub line: u64,
    service: Option<String>,
    environment: Option<String>,
    incident: Option<String>,
    actor: Option<Actor>,
    told: Told,
}

/// Values of a condition's query, one each time that the condition is evaluated.
#[derive(Debug, Clone, PartialEq)]
pub struct Samples {
    /// When the first is found, from the beginning of the scenario.
    pub at: Seconds,
    /// Where it stands in its file, from 1.
    pub line: u64,
    /// The name of the condition in the rules.
    pub condition: String,
    /// Label set of the series.
    pub labels: Labels,
    /// In the unit of the query; `None`: the series is not in the answer.
    pub values: Vec<Option<f64>>,
}

/// What an event states, with times still counted from the beginning.
#[derive(Debug, Clone, PartialEq)]
enum Told {
    /// `labels` are those of the firing, whatever the resolved event repeats, so that both are about one subject.
    Alert {
        alert: AlertTold,
        labels: Labels,
        starts: Seconds,
    },
    /// What acknowledges an earlier event needs that event, whose subject depends on when the scenario begins.
    Acknowledgement(Option<Box<ScenarioEvent>>),
    Condition(Condition),
    Declaration(Declaration),
    Intervention(Intervention),
    Request(Request),
    NearMiss(NearMiss),
    Change(Change),
    Note(Note),
}

#[derive(Debug, Clone, PartialEq)]
struct AlertTold {
    name: String,
    status: AlertStatus,
    severity: crate::model::event::Severity,
    end_reason: crate::model::event::EndReason,
}

/// What must be so at an instant.
#[derive(Debug, Clone, PartialEq)]
pub struct Expect {
    /// When, from the beginning of the scenario.
    pub at: Seconds,
    /// Where it stands in its file, from 1.
    pub line: u64,
    /// The service whose latest incident is meant; `None`: all incidents.
    pub service: Option<String>,
    /// The strongest decision.
    pub decision: Option<Decision>,
    /// Outcomes by name of the criterion.
    pub criteria: BTreeMap<String, Outcome>,
    /// How many incidents there have been.
    pub incidents: Option<usize>,
    /// How many postmortems are held or suggested; a bundle is one.
    pub postmortems: Option<usize>,
}

impl ScenarioEvent {
    /// The event in a scenario that begins at `origin`.
    #[must_use]
    pub fn event(&self, origin: Time) -> Event {
        let instant = |seconds| origin + chrono::TimeDelta::seconds(seconds);
        let fact = match &self.told {
            Told::Alert { alert, labels, starts } => Fact::Alert(Alert {
                seen_again: None,
                name: alert.name.clone(),
                status: alert.status,
                labels: labels.clone(),
                annotations: Labels::new(),
                severity: alert.severity,
                starts_at: instant(*starts),
                ends_at: (alert.status == AlertStatus::Resolved).then(|| instant(self.at)),
                pending_for: None,
                keep_firing_for: None,
                end_reason: alert.end_reason,
            }),
            Told::Acknowledgement(of) => {
                Fact::Acknowledgement(Acknowledgement { of: of.as_ref().map(|event| event.event(origin).subject) })
            }
            Told::Condition(condition) => Fact::Condition(condition.clone()),
            Told::Declaration(declaration) => Fact::Declaration(declaration.clone()),
            Told::Intervention(intervention) => Fact::Intervention(intervention.clone()),
            Told::Request(request) => Fact::Request(request.clone()),
            Told::NearMiss(near_miss) => Fact::NearMiss(near_miss.clone()),
            Told::Change(change) => Fact::Change(change.clone()),
            Told::Note(note) => Fact::Note(note.clone()),
        };
        let mut event = Event::new(SOURCE, instant(self.at), fact);
        event.service.clone_from(&self.service);
        event.environment.clone_from(&self.environment);
        event.incident.clone_from(&self.incident);
        event.actor.clone_from(&self.actor);
        event.identify();
        event
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectEntry {
    at: Duration,
    service: Option<String>,
    decision: Option<Decision>,
    #[serde(default)]
    criteria: BTreeMap<String, Outcome>,
    incidents: Option<usize>,
    postmortems: Option<usize>,
}

/// Reads a scenario file.
///
/// # Errors
/// All its faults, in their order.
pub fn parse(file: &str, text: &str) -> Result<ScenarioFile, Vec<Fault>> {
    let node = yaml::parse(file, text).map_err(|fault| vec![fault])?;
    let mut faults = Vec::new();
    let mut read = ScenarioFile { rules: Vec::new(), scenarios: Vec::new() };
    for (key, section) in yaml::sections(file, &node, &["rules", "scenarios"], &mut faults) {
        if key.name == "rules" {
            read.rules = yaml::read_list::<String>(file, section, &mut faults).into_iter().map(|(_, path)| path).collect();
        } else {
            let entries = yaml::entries(file, section, &mut faults);
            read.scenarios = entries.iter().filter_map(|entry| scenario(file, entry, &mut faults)).collect();
        }
    }
    if read.rules.is_empty() && node.get("rules").is_none() {
        faults.push(node.position().fault(file, "`rules` is missing: the rule files under test, as in `rules: [postmortems.yaml]`"));
    }
    faults.sort();
    if faults.is_empty() { Ok(read) } else { Err(faults) }
}

fn scenario(file: &str, node: &Node, faults: &mut Vec<Fault>) -> Option<Scenario> {
    let mut name = None;
    let mut scenario = Scenario { name: String::new(), line: node.line, events: Vec::new(), samples: Vec::new(), expect: Vec::new() };
    for (key, section) in yaml::sections(file, node, &["name", "events", "expect"], faults) {
        match key.name.as_str() {
            "name" => name = yaml::read::<Spanned<String>>(file, section).map_err(|fault| faults.push(fault)).ok(),
            "events" => (scenario.events, scenario.samples) = entry::events(file, yaml::entries(file, section, faults), faults),
            _ => scenario.expect = yaml::read_list(file, section, faults).into_iter().map(|read| expect(file, read, faults)).collect(),
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

fn expect(file: &str, (position, entry): (Position, ExpectEntry), faults: &mut Vec<Fault>) -> Expect {
    let ExpectEntry { at, service, decision, criteria, incidents, postmortems } = entry;
    if decision.is_none() && criteria.is_empty() && incidents.is_none() && postmortems.is_none() {
        faults.push(position.fault(file, "nothing is expected here; give `decision`, `criteria`, `incidents` or `postmortems`"));
    }
    Expect { at: at.seconds, line: position.line, service, decision, criteria, incidents, postmortems }
}

#[cfg(test)]
mod tests;
