//! Evaluation of a mapping on one message.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::mapping::{Mapping, MappingRule};
use super::normalize::EventDraft;
use crate::expr::json::Formula;
use crate::expr::json::failure::Failure;
use crate::expr::json::inputs::Given;
use crate::ingest::error::{MemberFault, MemberPosition};
use crate::ingest::message::{Headers, Message};
use crate::ingest::reading::{Reading, Reported, Start};
use crate::ingest::time::format_rfc3339;
use crate::ingest::{event_keys, header_filter};
use crate::model::event::Event;

/// Evaluation steps that all expressions of one message may take, plus one for each byte of the body.
const BASE_STEPS: u64 = 2_000_000;
/// Faults of one message that are reported in full.
pub(crate) const MAX_FAULTS: usize = 100;

/// Input of the expressions: a body, or an enveloped event and its data.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MappingInput<'a> {
    /// `body`
    pub(crate) body: &'a Value,
    /// `event`, if the body has an envelope.
    pub(crate) event: Option<&'a Value>,
    /// Values of keys that no expression gives.
    pub(crate) defaults: &'a Map<String, Value>,
    /// Index in a batch.
    pub(crate) index: Option<usize>,
}

/// Application of a mapping to one message.
pub(crate) struct MappingRun<'m> {
    message: &'m Message<'m>,
    headers: Arc<Value>,
    now: Arc<Value>,
    steps: u64,
    omitted_faults: usize,
    pub(crate) reading: Reading,
}

#[derive(PartialEq, Eq)]
enum RuleOutcome {
    /// The rule applied and gave a report, nothing, or a fault.
    Applied,
    /// The rule does not apply.
    Skipped,
}

impl<'m> MappingRun<'m> {
    pub(crate) fn new(message: &'m Message<'m>) -> Self {
        Self {
            message,
            headers: Arc::new(headers(message.headers)),
            now: Arc::new(format_rfc3339(message.now).into()),
            steps: BASE_STEPS + message.body.len() as u64,
            omitted_faults: 0,
            reading: Reading::default(),
        }
    }

    /// Adds the reports of the first rule that applies.
    pub(crate) fn apply(&mut self, mapping: &Mapping, input: MappingInput<'_>) {
        for rule in &mapping.0.rules {
            if self.rule(rule, input, mapping.0.rules.len() > 1) == RuleOutcome::Applied {
                return;
            }
        }
    }

    /// Records a fault; beyond [`MAX_FAULTS`], only their number.
    pub(crate) fn fault(&mut self, fault: MemberFault) {
        if self.reading.faults.len() < MAX_FAULTS {
            self.reading.faults.push(fault);
            return;
        }
        self.omitted_faults += 1;
        if let Some(last) = self.reading.faults.last_mut() {
            *last = MemberFault {
                index: None,
                path: String::new(),
                message: format!("{} more faults", self.omitted_faults + 1),
            };
        }
    }

    /// Adds an event.
    pub(crate) fn event(&mut self, event: Event, start: Start) {
        self.reading.reports.push(Reported::new(event, start));
    }

    fn rule(&mut self, rule: &MappingRule, input: MappingInput<'_>, others: bool) -> RuleOutcome {
        let (headers, now) = (Arc::clone(&self.headers), Arc::clone(&self.now));
        let given = variables(input, input.body, &headers, &now);
        let Some(each) = &rule.each else {
            return self.member(rule, &given, input, input.index, others);
        };
        let position = MemberPosition::in_body(input.index);
        let list = match each.evaluate(&given, &mut self.steps) {
            Ok(list) => list,
            Err(Failure::Absent(_)) if others => return RuleOutcome::Skipped,
            Err(failure) => {
                self.fault(failed(position, "each", &failure));
                return RuleOutcome::Applied;
            }
        };
        let members = match list.as_ref() {
            Value::Array(members) => members.as_slice(),
            Value::Null => &[],
            _ => {
                self.fault(position.fault("each", "the expression in `map` did not give a list"));
                return RuleOutcome::Applied;
            }
        };
        let mut outcome = RuleOutcome::Skipped;
        for (index, member) in members.iter().enumerate() {
            // An expression may have built the list, which then does not live as long as the body.
            let given = variables(input, member, &headers, &now);
            if self.member(rule, &given, input, Some(index), others) == RuleOutcome::Applied {
                outcome = RuleOutcome::Applied;
            }
            if self.steps == 0 {
                let message = format!(
                    "the expressions in `map` take too many steps; members from index {index} on are skipped"
                );
                self.fault(MemberFault {
                    index: Some(index),
                    path: format!("[{index}]"),
                    message,
                });
                return RuleOutcome::Applied;
            }
        }
        outcome
    }

    fn member(
        &mut self,
        rule: &MappingRule,
        given: &Given<'_>,
        input: MappingInput<'_>,
        index: Option<usize>,
        others: bool,
    ) -> RuleOutcome {
        let position = MemberPosition::in_body(index);
        if let Some(when) = &rule.when {
            match self.evaluate(when, given) {
                Ok(Value::Bool(true)) => {}
                Ok(Value::Bool(false)) => return RuleOutcome::Skipped,
                Err(Failure::Absent(_)) if others => return RuleOutcome::Skipped,
                Ok(other) => {
                    self.fault(position.fault(
                        "when",
                        format!("the expression in `map` gave {other}; expected true or false"),
                    ));
                    return RuleOutcome::Applied;
                }
                Err(failure) => {
                    self.fault(failed(position, "when", &failure));
                    return RuleOutcome::Applied;
                }
            }
        }
        let kind = match rule.kind.as_ref().map(|kind| self.evaluate(kind, given)) {
            None => "alert".to_owned(),
            // Null skips the member on purpose.
            Some(Ok(Value::Null)) => return RuleOutcome::Applied,
            Some(Ok(Value::String(kind))) => kind,
            Some(Ok(other)) => {
                self.fault(position.fault(
                    "kind",
                    format!("the expression in `map` gave {other}; expected a string"),
                ));
                return RuleOutcome::Applied;
            }
            Some(Err(failure)) => {
                self.fault(failed(position, "kind", &failure));
                return RuleOutcome::Applied;
            }
        };
        let Some(own) = event_keys::KINDS.iter().find(|known| known.name == kind) else {
            let known = event_keys::kind_names();
            let shown: String = kind.chars().take(40).collect();
            self.fault(position.fault(
                "kind",
                format!(
                    "unknown kind of event `{shown}`; known kinds are {}",
                    known.join(", ")
                ),
            ));
            return RuleOutcome::Applied;
        };
        let (own, common) = ((own.keys)(), event_keys::common());
        let mut draft = EventDraft::new(&kind, self.message.source);
        for (key, name, formula) in &rule.lines {
            if !common.contains(&key.as_str()) && !own.contains(&key.as_str()) {
                continue;
            }
            match self.evaluate(formula, given) {
                Ok(value) => draft.put(key, name.as_deref(), value),
                Err(Failure::Absent(what)) => draft.absent(key, what),
                Err(failure) => {
                    let path = name
                        .as_ref()
                        .map_or_else(|| key.clone(), |name| format!("{key}.{name}"));
                    self.fault(failed(position, &path, &failure));
                }
            }
        }
        if let Some(key) = draft.end_to_read_later() {
            let line = rule.lines.iter().find(|(name, ..)| name == key);
            let later =
                line.map(|(_, _, formula)| self.evaluate(formula, &given.clone().reading_later()));
            if let Some(Ok(value)) = later {
                draft.put_later_end(key, value, self.message.now);
            }
        }
        for (key, value) in input.defaults {
            draft.set_default(key, value);
        }
        let (event, faults) = draft.event(position, self.message.names, self.message.now);
        for fault in faults {
            self.fault(fault);
        }
        if let Some((event, start)) = event {
            self.event(event, start);
        }
        RuleOutcome::Applied
    }

    fn evaluate(&mut self, formula: &Formula, given: &Given<'_>) -> Result<Value, Failure> {
        let found = formula.give(given, &mut self.steps);
        if found == Err(Failure::Spent) {
            self.steps = 0;
        }
        found
    }
}

/// The fault of a key whose expression failed.
fn failed(position: MemberPosition, key: &str, failure: &Failure) -> MemberFault {
    let message = match failure {
        Failure::Absent(what) => {
            format!(
                "{what} is absent; test it with `has(…)`, or give an alternative with `first(…)`"
            )
        }
        Failure::Wrong(why) => why.clone(),
        Failure::Spent => "the expression takes too many steps".to_owned(),
    };
    position.fault(key, message)
}

/// Headers as JSON, without those that may hold credentials.
fn headers(headers: &Headers<'_>) -> Value {
    let visible = headers
        .iter()
        .filter(|(name, _)| !header_filter::is_secret(name));
    let text = visible.filter_map(|(name, value)| {
        Some((
            name.to_owned(),
            Value::from(std::str::from_utf8(value).ok()?),
        ))
    });
    Value::Object(text.collect())
}

/// Variables of the expressions for one item.
fn variables<'a>(
    input: MappingInput<'a>,
    item: &'a Value,
    headers: &'a Value,
    now: &'a Value,
) -> Given<'a> {
    let given = Given::default()
        .with("body", input.body)
        .with("item", item)
        .with("headers", headers)
        .with("now", now);
    match input.event {
        Some(event) => given.with("event", event),
        None => given,
    }
}
