//! Any JSON, mapped by expressions: each gives a key of our normalised events (see [`super::events`], whose code checks what comes out).
//!
//! ```yaml
//! map:
//!   each: body.alerts                        # a list, of which `item` is a member; left out, the body is the one `item`
//!   when: 'item.kind == "alert"'             # others are left out quietly
//!   name: item.title
//!   status: 'item.state == "open" ? "firing" : "resolved"'
//!   starts_at: seconds(item.opened)
//!   labels: {host: item.host}
//!   links: {Dashboard: item.url}
//! ```
//!
//! What an expression reads and is not there leaves its key out; what cannot be done is a fault that costs the key, and the member only if it
//! cannot do without. A list of maps is tried from the top: the first of which anything comes is the one.

mod compile;
mod normalize;
pub(crate) mod shipped;

use std::sync::Arc;

use chrono::SecondsFormat;
use serde_json::{Map, Value};

use super::events;
use super::header_filter;
use super::message::Headers;
use super::{IngestFault, MemberFault, Message, Reading, Reported, Start, not_readable};
use crate::expr::json::{Failure, Formula, Given};
use crate::model::event::Event;
use crate::model::time::Time;

pub(crate) use compile::{MapFault, MappingLine, compile, keys};

/// How many steps the expressions of one message may take together, and so many more as its body has bytes.
const STEPS: u64 = 2_000_000;
/// How many faults of one message are told in full.
const FAULTS: usize = 100;

/// Expressions that say what a body means. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Mapping(Arc<CompiledMapping>);

#[derive(Debug)]
struct CompiledMapping {
    rules: Vec<MappingRule>,
    /// Headers that they read by name.
    headers: Vec<String>,
}

impl Mapping {
    /// The headers that the expressions read by name: whoever reads a message again needs them.
    #[must_use]
    pub fn headers(&self) -> &[String] {
        &self.0.headers
    }
}

#[derive(Debug)]
struct MappingRule {
    each: Option<Formula>,
    when: Option<Formula>,
    kind: Option<Formula>,
    /// By key; below `labels` and the like with a name.
    lines: Vec<(String, Option<String>, Formula)>,
}

/// What a body, or an event that carries something, gives to the expressions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MappingInput<'a> {
    /// `body`
    pub(crate) body: &'a Value,
    /// `event`, where there is one.
    pub(crate) event: Option<&'a Value>,
    /// Keys that are given unless an expression gives them.
    pub(crate) otherwise: &'a Map<String, Value>,
    /// Where it stands in a batch.
    pub(crate) index: Option<usize>,
}

/// Reads a message.
///
/// # Errors
/// When the body is not JSON.
pub(crate) fn webhook(mapping: &Mapping, message: &Message<'_>) -> Result<Reading, IngestFault> {
    let body: Value = serde_json::from_slice(message.body)
        .map_err(|error| not_readable(&error, "one JSON document"))?;
    let mut run = MappingRun::new(message);
    run.tell(
        mapping,
        MappingInput {
            body: &body,
            event: None,
            otherwise: &Map::new(),
            index: None,
        },
    );
    Ok(run.reading)
}

/// The reading of one message.
pub(crate) struct MappingRun<'m> {
    message: &'m Message<'m>,
    headers: Arc<Value>,
    now: Arc<Value>,
    steps: u64,
    left_out: usize,
    pub(crate) reading: Reading,
}

/// What became of a rule.
#[derive(PartialEq, Eq)]
enum RuleOutcome {
    /// Something came of it, if only a fault.
    Taken,
    /// It is not for this.
    Passed,
}

impl<'m> MappingRun<'m> {
    pub(crate) fn new(message: &'m Message<'m>) -> Self {
        Self {
            message,
            headers: Arc::new(headers(message.headers)),
            now: Arc::new(written(message.now).into()),
            steps: STEPS + message.body.len() as u64,
            left_out: 0,
            reading: Reading::default(),
        }
    }

    /// Adds to the reading what the first fitting rule makes of this.
    pub(crate) fn tell(&mut self, mapping: &Mapping, told: MappingInput<'_>) {
        for rule in &mapping.0.rules {
            if self.rule(rule, told, mapping.0.rules.len() > 1) == RuleOutcome::Taken {
                return;
            }
        }
    }

    /// Notes a fault; of very many only their number.
    pub(crate) fn fault(&mut self, fault: MemberFault) {
        if self.reading.faults.len() < FAULTS {
            self.reading.faults.push(fault);
            return;
        }
        self.left_out += 1;
        if let Some(last) = self.reading.faults.last_mut() {
            *last = MemberFault {
                index: None,
                path: String::new(),
                message: format!("{} more faults like these", self.left_out + 1),
            };
        }
    }

    /// Adds an event.
    pub(crate) fn event(&mut self, event: Event, start: Start) {
        self.reading.reports.push(Reported::new(event, start));
    }

    fn rule(&mut self, rule: &MappingRule, told: MappingInput<'_>, others: bool) -> RuleOutcome {
        let (headers, now) = (Arc::clone(&self.headers), Arc::clone(&self.now));
        let given = Given::default()
            .with("body", told.body)
            .with("item", told.body)
            .with("headers", &headers)
            .with("now", &now);
        let given = told
            .event
            .map_or(given.clone(), |event| given.with("event", event));
        let Some(each) = &rule.each else {
            return self.member(rule, &given, told, told.index, others);
        };
        let place = Place { index: told.index };
        let list = match each.evaluate(&given, &mut self.steps) {
            Ok(list) => list,
            Err(Failure::Absent(_)) if others => return RuleOutcome::Passed,
            Err(failure) => {
                self.fault(place.failed("each", &failure));
                return RuleOutcome::Taken;
            }
        };
        let members = match list.as_ref() {
            Value::Array(members) => members.as_slice(),
            Value::Null => &[],
            _ => {
                self.fault(place.fault("each", "`map` gives no list here"));
                return RuleOutcome::Taken;
            }
        };
        let mut outcome = RuleOutcome::Passed;
        for (index, member) in members.iter().enumerate() {
            // The list may have been made by the expression, and so does not live as long as the body: each member is looked at for itself.
            let given = Given::default()
                .with("body", told.body)
                .with("item", member)
                .with("headers", &headers)
                .with("now", &now);
            let given = told
                .event
                .map_or(given.clone(), |event| given.with("event", event));
            if self.member(rule, &given, told, Some(index), others) == RuleOutcome::Taken {
                outcome = RuleOutcome::Taken;
            }
            if self.steps == 0 {
                let message = format!(
                    "the expressions of `map` take too many steps; members from {index} on are not read"
                );
                self.fault(MemberFault {
                    index: Some(index),
                    path: format!("[{index}]"),
                    message,
                });
                return RuleOutcome::Taken;
            }
        }
        outcome
    }

    fn member(
        &mut self,
        rule: &MappingRule,
        given: &Given<'_>,
        told: MappingInput<'_>,
        index: Option<usize>,
        others: bool,
    ) -> RuleOutcome {
        let place = Place { index };
        if let Some(when) = &rule.when {
            match self.evaluate(when, given) {
                Ok(Value::Bool(true)) => {}
                Ok(Value::Bool(false)) => return RuleOutcome::Passed,
                Err(Failure::Absent(_)) if others => return RuleOutcome::Passed,
                Ok(other) => {
                    self.fault(place.fault(
                        "when",
                        format!("`map` gives {other} here; true or false is needed"),
                    ));
                    return RuleOutcome::Taken;
                }
                Err(failure) => {
                    self.fault(place.failed("when", &failure));
                    return RuleOutcome::Taken;
                }
            }
        }
        let kind = match rule.kind.as_ref().map(|kind| self.evaluate(kind, given)) {
            None => "alert".to_owned(),
            // By this an expression may say that nothing is to come of it.
            Some(Ok(Value::Null)) => return RuleOutcome::Taken,
            Some(Ok(Value::String(kind))) => kind,
            Some(Ok(other)) => {
                self.fault(place.fault(
                    "kind",
                    format!("`map` gives {other} here; a text is needed"),
                ));
                return RuleOutcome::Taken;
            }
            Some(Err(failure)) => {
                self.fault(place.failed("kind", &failure));
                return RuleOutcome::Taken;
            }
        };
        let Some((_, own)) = events::KINDS.iter().find(|(name, _)| *name == kind) else {
            let known: Vec<&str> = events::KINDS.iter().map(|(name, _)| *name).collect();
            let shown: String = kind.chars().take(40).collect();
            self.fault(place.fault(
                "kind",
                format!(
                    "`{shown}` is not a kind of event; known are {}",
                    known.join(", ")
                ),
            ));
            return RuleOutcome::Taken;
        };
        let mut made = normalize::EventDraft::new(&kind, self.message.source);
        for (key, name, formula) in &rule.lines {
            if !events::COMMON.contains(&key.as_str()) && !own.contains(&key.as_str()) {
                continue;
            }
            match self.evaluate(formula, given) {
                Ok(value) => made.put(key, name.as_deref(), value),
                Err(Failure::Absent(what)) => made.absent(key, what),
                Err(failure) => {
                    let path = name
                        .as_ref()
                        .map_or_else(|| key.clone(), |name| format!("{key}.{name}"));
                    self.fault(place.failed(&path, &failure));
                }
            }
        }
        for (key, value) in told.otherwise {
            made.otherwise(key, value);
        }
        let (event, faults) = made.event(place, self.message.names, self.message.now);
        for fault in faults {
            self.fault(fault);
        }
        if let Some((event, start)) = event {
            self.event(event, start);
        }
        RuleOutcome::Taken
    }

    fn evaluate(&mut self, formula: &Formula, given: &Given<'_>) -> Result<Value, Failure> {
        let found = formula.give(given, &mut self.steps);
        if found == Err(Failure::Spent) {
            self.steps = 0;
        }
        found
    }
}

/// Where a member stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) index: Option<usize>,
}

impl Place {
    pub(crate) fn fault(self, key: &str, message: impl Into<String>) -> MemberFault {
        let dot = if key.is_empty() { "" } else { "." };
        let path = self
            .index
            .map_or_else(|| key.to_owned(), |index| format!("[{index}]{dot}{key}"));
        MemberFault {
            index: self.index,
            path,
            message: message.into(),
        }
    }

    fn failed(self, key: &str, failure: &Failure) -> MemberFault {
        self.fault(
            key,
            match failure {
                Failure::Absent(what) => format!(
                    "{what} is absent; ask for it with `has(…)`, or give another with `first(…)`"
                ),
                Failure::Wrong(why) => why.clone(),
                Failure::Spent => "the expression takes too many steps".to_owned(),
            },
        )
    }
}

/// Without those that may prove who sends: no event repeats them.
fn headers(headers: &Headers<'_>) -> Value {
    let told = headers
        .iter()
        .filter(|(name, _)| !header_filter::is_secret(name));
    let text = told.filter_map(|(name, value)| {
        Some((
            name.to_owned(),
            Value::from(std::str::from_utf8(value).ok()?),
        ))
    });
    Value::Object(text.collect())
}

/// A time as our events have it.
pub(crate) fn written(time: Time) -> String {
    time.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

#[cfg(test)]
mod tests;
