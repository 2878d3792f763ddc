//! Results of expressions, prepared for [`events`]: foreign text is shortened rather than refused,
//! and a malformed key costs itself, not the event.

use chrono::TimeDelta;
use serde_json::{Map, Value};

use crate::ingest::error::{MemberFault, MemberPosition};
use crate::ingest::reading::Start;
use crate::ingest::time::format_rfc3339;
use crate::ingest::{alert_payload, events, json_fields, time};
use crate::model::event::Event;
use crate::model::settings::LabelNames;
use crate::model::time::Time;

/// Time within which a message of an end arrives.
const JUST_NOW: TimeDelta = TimeDelta::minutes(30);
/// Time that a sender's clock may be ahead.
const AHEAD: TimeDelta = TimeDelta::minutes(2);
const TIMES: [&str; 4] = ["occurred_at", "starts_at", "ends_at", "since"];
const LINES: [&str; 15] = [
    "service",
    "environment",
    "incident",
    "name",
    "status",
    "severity",
    "end_reason",
    "state",
    "key",
    "title",
    "action",
    "requester",
    "revision",
    "detected_by",
    "of",
];
const PROSE: [&str; 3] = ["why", "reason", "text"];

/// An event under construction.
pub(crate) struct EventDraft {
    object: Map<String, Value>,
    alert: bool,
    /// By key, the absent value its expression read.
    absent: Vec<(String, String)>,
}

impl EventDraft {
    pub(crate) fn new(kind: &str, source: &str) -> Self {
        let object = [("kind", kind), ("source", source)]
            .map(|(key, value)| (key.to_owned(), Value::from(value)));
        Self {
            object: object.into_iter().collect(),
            alert: kind == "alert",
            absent: Vec::new(),
        }
    }

    /// Sets a key, or with `name` an entry below it. Null is ignored.
    pub(crate) fn put(&mut self, key: &str, name: Option<&str>, value: Value) {
        if value.is_null() {
            return;
        }
        let Some(name) = name else {
            self.object.insert(key.to_owned(), value);
            return;
        };
        // An entry extends the result of the expression for the whole key.
        if let Value::Object(inner) = self
            .object
            .entry(key)
            .or_insert_with(|| Value::Object(Map::new()))
        {
            inner.insert(name.to_owned(), value);
        }
    }

    /// Sets a key that has no value yet.
    pub(crate) fn set_default(&mut self, key: &str, value: &Value) {
        self.object.entry(key).or_insert_with(|| value.clone());
    }

    /// The key with the end of an alert, where it is to be read once more as a time of the second of
    /// two equal hours: it lies before the start, or is all that tells the time.
    pub(crate) fn end_to_read_later(&self) -> Option<&'static str> {
        if !self.alert || self.object.get("status").and_then(Value::as_str) != Some("resolved") {
            return None;
        }
        let end = ["ends_at", "occurred_at"]
            .into_iter()
            .find(|key| self.object.contains_key(*key))?;
        let impossible = match (self.instant("starts_at"), self.instant(end)) {
            (Some(start), Some(end)) => end < start,
            (start, _) => start.is_none(),
        };
        impossible.then_some(end)
    }

    /// Replaces the end by its second reading, where that is the possible one: not before the start,
    /// and without a start, just now.
    pub(crate) fn put_later_end(&mut self, key: &'static str, later: Value, now: Time) {
        let Ok(Some(end)) = later.as_str().map_or(Ok(None), time::parse_go) else {
            return;
        };
        let possible = match self.instant("starts_at") {
            Some(start) => end >= start,
            None => (-AHEAD..=JUST_NOW).contains(&(now - end)),
        };
        if possible {
            self.object.insert(key.to_owned(), later);
        }
    }

    fn instant(&self, key: &str) -> Option<Time> {
        time::parse_go(self.object.get(key)?.as_str()?).ok()?
    }

    pub(crate) fn absent(&mut self, key: &str, what: String) {
        self.absent.push((key.to_owned(), what));
    }

    /// Builds the event, with the origin of its start and the faults of single keys.
    pub(crate) fn event(
        mut self,
        position: MemberPosition,
        names: &LabelNames,
        now: Time,
    ) -> (Option<(Event, Start)>, Vec<MemberFault>) {
        let mut faults = Vec::new();
        self.object = std::mem::take(&mut self.object)
            .into_iter()
            .filter_map(|(key, value)| Some((tidy(&key, value)?, key)))
            .map(|(value, key)| (key, value))
            .collect();
        let times = TIMES.map(|key| self.time(key, position, &mut faults));
        let start = Start::stated_if(!(self.alert && self.episode(times, now)));
        let event = self.read(position, names, now, &mut faults);
        (event.map(|event| (event, start)), faults)
    }

    /// Parses a time; a malformed one is removed.
    fn time(
        &mut self,
        key: &str,
        position: MemberPosition,
        faults: &mut Vec<MemberFault>,
    ) -> Option<Time> {
        let read = match self.object.get(key)? {
            Value::String(text) => time::parse_go(text),
            Value::Number(number) => Err(format!(
                "the number {number} is not a time; convert it with `seconds(…)` or `millis(…)`"
            )),
            _ => Err("not a time".to_owned()),
        };
        if !matches!(read, Ok(Some(_))) {
            self.object.remove(key);
        }
        read.unwrap_or_else(|message| {
            faults.push(position.fault(key, message));
            None
        })
    }

    /// Puts an alert's times in order; says whether it came without its beginning.
    fn episode(&mut self, [occurred, starts, ends, _]: [Option<Time>; 4], now: Time) -> bool {
        if self.object.get("status").and_then(Value::as_str) != Some("resolved") {
            self.object.remove("ends_at");
            self.object.remove("end_reason");
            return starts.is_none();
        }
        let end = ends.or(occurred).unwrap_or(now);
        let start = starts.unwrap_or(end);
        if time::is_impossible_end(start, end) {
            self.object
                .insert("end_reason".to_owned(), "unknown".into());
        }
        self.object
            .insert("starts_at".to_owned(), format_rfc3339(start).into());
        self.object
            .insert("ends_at".to_owned(), format_rfc3339(end.max(start)).into());
        starts.is_none()
    }

    /// Parses the draft as our own event format, removing keys that are refused.
    fn read(
        &mut self,
        position: MemberPosition,
        names: &LabelNames,
        now: Time,
        faults: &mut Vec<MemberFault>,
    ) -> Option<Event> {
        let before = faults.len();
        loop {
            let whole = Value::Object(std::mem::take(&mut self.object));
            let read = events::event(&whole, None, names, now);
            if let Value::Object(object) = whole {
                self.object = object;
            }
            let fault = match read {
                Ok(event) => return Some(event),
                Err(fault) => fault,
            };
            let key: String = fault
                .path
                .chars()
                .take_while(|letter| !matches!(letter, '.' | '['))
                .collect();
            let mut told = position.fault(&fault.path, fault.message);
            if self.object.remove(&key).is_some() {
                faults.push(told);
                continue;
            }
            if let Some((_, what)) = self.absent.iter().find(|(absent, _)| *absent == key) {
                told.message = format!(
                    "{}. `map` looks for it in {what}, which is absent",
                    told.message
                );
            }
            // Removed above, which has been reported.
            let mine = position.fault(&key, "").path;
            if !faults[before..].iter().any(|fault| fault.path == mine) {
                faults.push(told);
            }
            return None;
        }
    }
}

/// Converts a value to the form its key needs; `None` if nothing is left.
fn tidy(key: &str, value: Value) -> Option<Value> {
    match key {
        "labels" | "annotations" => match value {
            Value::Object(map) => Some(Value::Object(
                map.into_iter()
                    .filter_map(|(name, value)| named_field(key, &name, value))
                    .collect(),
            )),
            other => Some(other),
        },
        "links" => match value {
            Value::Object(map) => Some(
                map.iter()
                    .filter_map(|(title, url)| link(title, url))
                    .collect(),
            ),
            Value::Array(list) => Some(
                list.iter()
                    .filter_map(|one| {
                        link(
                            one.get("title").and_then(Value::as_str).unwrap_or_default(),
                            one.get("url")?,
                        )
                    })
                    .collect(),
            ),
            other => Some(other),
        },
        "actor" => match value {
            Value::Object(mut map) => {
                let id = map
                    .remove("id")
                    .and_then(|id| text(id, json_fields::single_line))?;
                map.insert("id".to_owned(), id);
                Some(Value::Object(map))
            }
            other => text(other, json_fields::single_line),
        },
        // A word for a change, a sentence for a near miss.
        "what" => text(value, json_fields::prose),
        _ if LINES.contains(&key) => text(value, json_fields::single_line),
        _ if PROSE.contains(&key) => text(value, json_fields::prose),
        _ => Some(value),
    }
}

/// A string, number or flag as text; `None` if blank.
fn text(value: Value, cut: fn(&str) -> String) -> Option<Value> {
    let text = match &value {
        Value::String(text) => cut(text),
        Value::Number(number) => number.to_string(),
        Value::Bool(flag) => flag.to_string(),
        Value::Null | Value::Array(_) | Value::Object(_) => return Some(value),
    };
    (!text.is_empty()).then(|| text.into())
}

/// A label or annotation; values that are not text are dropped.
fn named_field(key: &str, name: &str, value: Value) -> Option<(String, Value)> {
    let cut = if key == "labels" {
        json_fields::single_line
    } else {
        json_fields::prose
    };
    let value = text(value, cut)?;
    let name = json_fields::single_line(name);
    (value.is_string() && !name.is_empty()).then_some((name, value))
}

fn link(title: &str, url: &Value) -> Option<Value> {
    let url = url.as_str()?;
    let title = json_fields::single_line(if title.is_empty() { url } else { title });
    let link = alert_payload::link(&title, url)?;
    Some(serde_json::json!({"title": link.title, "url": link.url}))
}
