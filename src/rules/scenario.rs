//! Scenario files, `*.test.yaml`: events on a timeline and the decisions they must lead to.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::model::Time;
use crate::model::event::{
    Acknowledgement, Actor, ActorKind, Alert, AlertStatus, Change, Condition, ConditionState, Declaration, EndReason, Event, Fact,
    Intervention, Labels, NearMiss, Note, Request, Severity,
};
use crate::model::fault::Fault;
use crate::model::incident::{Decision, Outcome};
use crate::yaml::{self, Duration, Node, Position, Spanned, Value};

/// One scenario.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// Its name.
    pub name: String,
    /// Its line in the file.
    pub line: u64,
    /// What happens, by time.
    events: Vec<ScenarioEvent>,
    /// What must then be so.
    pub expect: Vec<Expect>,
}

/// What must be so at an instant.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// When, from the start.
    pub at: Duration,
    /// Only incidents of this service; any when there is but one.
    pub service: Option<String>,
    /// The decision that was announced by then.
    pub decision: Option<Decision>,
    /// The outcome of some criteria.
    #[serde(default)]
    pub criteria: BTreeMap<String, Outcome>,
    /// How many incidents there are.
    pub incidents: Option<usize>,
}

/// One event of a scenario; exactly one of the kinds is given.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct ScenarioEvent {
    at: Spanned<Duration>,
    alert: Option<String>,
    condition: Option<String>,
    declaration: Option<String>,
    intervention: Option<String>,
    request: Option<String>,
    near_miss: Option<String>,
    change: Option<String>,
    note: Option<String>,
    acknowledgement: Option<String>,
    status: Option<AlertStatus>,
    state: Option<ConditionState>,
    end_reason: Option<EndReason>,
    service: Option<String>,
    severity: Option<Severity>,
    environment: Option<String>,
    #[serde(default)]
    labels: Labels,
    r#for: Option<Duration>,
    why: Option<String>,
    should_be_automatic: Option<bool>,
    stated: Option<bool>,
    actor: Option<String>,
    robot: Option<bool>,
    requester: Option<String>,
    closeness: Option<f64>,
    by_luck: Option<bool>,
    planned: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ScenarioText {
    name: Spanned<String>,
    #[serde(default)]
    events: Vec<ScenarioEvent>,
    #[serde(default)]
    expect: Vec<Expect>,
}

/// A scenario file: the rule files it names, relative to it, and its scenarios.
#[derive(Debug, Clone, Default)]
pub struct ScenarioFile {
    /// Rule files.
    pub rules: Vec<String>,
    /// Scenarios in order.
    pub scenarios: Vec<Scenario>,
}

/// Reads a scenario file.
///
/// # Errors
/// Every fault found.
pub fn parse(file: &str, text: &str) -> Result<ScenarioFile, Vec<Fault>> {
    let node = yaml::parse(file, text).map_err(|fault| vec![fault])?;
    let mut faults = Vec::new();
    let mut found = ScenarioFile::default();
    let Value::Map(entries) = &node.value else {
        return Err(vec![node.position().fault(file, format!("expected a map with rules and scenarios, found {}", node.describe()))]);
    };
    for (key, value) in entries {
        match key.name.as_str() {
            "rules" => match yaml::read(file, value) {
                Ok(rules) => found.rules = rules,
                Err(fault) => faults.push(fault),
            },
            "scenarios" => found.scenarios = scenarios(file, value, &mut faults),
            other => faults.push(key.position().fault(file, format!("unknown key `{other}`; a scenario file has rules and scenarios"))),
        }
    }
    if faults.is_empty() { Ok(found) } else { Err(faults) }
}

fn scenarios(file: &str, node: &Node, faults: &mut Vec<Fault>) -> Vec<Scenario> {
    let texts: Vec<(Position, ScenarioText)> = yaml::read_list(file, node, faults);
    let mut found = Vec::new();
    for (position, text) in texts {
        for event in &text.events {
            if let Err(message) = event.fact(Time::UNIX_EPOCH, &[]) {
                faults.push(event.at.position.fault(file, message));
            }
        }
        if text.expect.is_empty() {
            faults.push(position.fault(file, format!("`{}` expects nothing, so it proves nothing; add `expect`", text.name.value)));
        }
        let Spanned { value: name, position, .. } = text.name;
        let mut events = text.events;
        events.sort_by_key(|event| event.at.value);
        found.push(Scenario { name, line: position.line, events, expect: text.expect });
    }
    found
}

impl Scenario {
    /// Its events with the scenario beginning at `origin`.
    #[must_use]
    pub fn events(&self, origin: Time) -> Vec<Event> {
        let mut made: Vec<Event> = Vec::new();
        for text in &self.events {
            // Checked when the file was read.
            let Ok(fact) = text.fact(origin, &made) else { continue };
            let at = origin + chrono::TimeDelta::seconds(text.at.value.seconds);
            let mut event = Event::new("scenario", at, fact);
            event.service = text.service.clone().or_else(|| text.labels.get("service").cloned());
            event.environment.clone_from(&text.environment);
            let kind = if text.robot == Some(true) { ActorKind::Robot } else { ActorKind::Human };
            event.actor = text.actor.clone().map(|id| Actor { id, kind });
            event.identify();
            made.push(event);
        }
        made
    }
}

impl ScenarioEvent {
    fn fact(&self, origin: Time, earlier: &[Event]) -> Result<Fact, String> {
        let at = origin + chrono::TimeDelta::seconds(self.at.value.seconds);
        let severity = self.severity.unwrap_or_default();
        let words = |text: &str| if text.is_empty() { "(no words)".to_owned() } else { text.to_owned() };
        let mut facts = Vec::new();
        if let Some(name) = &self.alert {
            facts.push(Fact::Alert(self.alert(name, at, earlier)));
        }
        if let Some(name) = &self.condition {
            let state = self.state.ok_or("a condition needs `state`: healthy, degraded, near_miss or unknown")?;
            facts.push(Fact::Condition(Condition { name: name.clone(), state, severity, labels: self.labels.clone(), value: None }));
        }
        if let Some(title) = &self.declaration {
            let status = self.status.unwrap_or(AlertStatus::Firing);
            let severity = self.severity.unwrap_or(Severity::Critical);
            let planned = self.planned.unwrap_or(false);
            // Of one service at a time: beginning and end fold by the empty key.
            facts.push(Fact::Declaration(Declaration { key: String::new(), title: title.clone(), severity, status, planned }));
        }
        if let Some(action) = &self.intervention {
            let why = self.why.clone().unwrap_or_default();
            let stated = self.stated.unwrap_or(true);
            facts.push(Fact::Intervention(Intervention {
                action: action.clone(),
                why,
                stated,
                should_be_automatic: self.should_be_automatic,
            }));
        }
        if let Some(reason) = &self.request {
            facts.push(Fact::Request(Request { reason: words(reason), requester: self.requester.clone() }));
        }
        if let Some(what) = &self.near_miss {
            let by_luck = self.by_luck.unwrap_or(false);
            facts.push(Fact::NearMiss(NearMiss { what: words(what), severity, closeness: self.closeness, by_luck }));
        }
        if let Some(what) = &self.change {
            facts.push(Fact::Change(Change { what: what.clone(), title: self.why.clone().unwrap_or_default(), revision: None }));
        }
        if let Some(text) = &self.note {
            facts.push(Fact::Note(Note { text: words(text) }));
        }
        if self.acknowledgement.is_some() {
            facts.push(Fact::Acknowledgement(Acknowledgement { of: None }));
        }
        match (facts.pop(), facts.is_empty()) {
            (Some(fact), true) => Ok(fact),
            _ => Err("an event needs exactly one of alert, condition, declaration, intervention, request, near_miss, change, note, \
                      acknowledgement"
                .to_owned()),
        }
    }

    /// A resolved alert ends the firing one before it of the same name and labels.
    fn alert(&self, name: &str, at: Time, earlier: &[Event]) -> Alert {
        let mut labels = self.labels.clone();
        labels.insert("alertname".to_owned(), name.to_owned());
        labels.extend(self.service.clone().map(|service| ("service".to_owned(), service)));
        labels.extend(self.environment.clone().map(|environment| ("environment".to_owned(), environment)));
        let begun = earlier.iter().rev().find_map(|event| match &event.fact {
            Fact::Alert(alert) if alert.labels == labels && alert.status == AlertStatus::Firing => Some((alert.starts_at, alert.severity)),
            _ => None,
        });
        let resolved = self.status == Some(AlertStatus::Resolved);
        Alert {
            name: name.to_owned(),
            status: self.status.unwrap_or(AlertStatus::Firing),
            severity: self.severity.or(begun.map(|(_, severity)| severity)).unwrap_or_default(),
            annotations: Labels::new(),
            starts_at: if resolved { begun.map_or(at, |(starts_at, _)| starts_at) } else { at },
            ends_at: resolved.then_some(at),
            pending_for: self.r#for.map(|pending| pending.seconds),
            keep_firing_for: None,
            end_reason: self.end_reason.unwrap_or_default(),
            labels,
        }
    }
}
