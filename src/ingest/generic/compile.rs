//! Compilation of a mapping: all its faults are found before any message arrives.

use std::sync::Arc;

use super::mapping::{CompiledMapping, Mapping, MappingRule};
use crate::expr::json;
use crate::ingest::event_keys;
use crate::model::event::{AlertStatus, ConditionState, DetectedBy, EndReason};
use crate::model::fault::nearest;
use crate::model::field_names::field_names;

/// Keys that select parts of a body.
const OF_RULE: [&str; 3] = ["each", "when", "kind"];
/// Keys that have names below them.
const NESTED: [&str; 4] = ["labels", "annotations", "links", "actor"];
/// Variables of every expression.
const NAMES: [&str; 5] = ["body", "item", "headers", "now", "event"];

/// An expression and the key it gives, as written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MappingLine<'a> {
    /// The key; below `labels` and the like with its name, as `labels.host`.
    pub path: &'a str,
    /// The expression.
    pub text: &'a str,
}

/// A fault of a mapping, with its position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MapFault {
    /// Index of the rule.
    pub rule: usize,
    /// Index of the line, and the offset in its expression in characters; without an offset, the
    /// key is meant.
    pub line: Option<(usize, Option<usize>)>,
    /// The problem and its remedy.
    pub message: String,
}

/// Every key that a rule may have.
#[must_use]
pub(crate) fn keys() -> Vec<&'static str> {
    let mut keys: Vec<&str> = OF_RULE.to_vec();
    // The source is given by the address.
    let own = event_keys::KINDS.iter().flat_map(|kind| (kind.keys)());
    let stated = event_keys::common().iter().chain(own).copied();
    for key in stated.filter(|key| *key != "source") {
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    keys
}

/// Compiles rules. `event` tells whether the body has an envelope that expressions may read.
///
/// # Errors
/// Every fault found.
pub(crate) fn compile(
    rules: &[Vec<MappingLine<'_>>],
    event: bool,
) -> Result<Mapping, Vec<MapFault>> {
    let mut faults = Vec::new();
    let rules: Vec<MappingRule> = rules
        .iter()
        .enumerate()
        .map(|(place, lines)| rule(place, lines, event, &mut faults))
        .collect();
    if !faults.is_empty() {
        return Err(faults);
    }
    let formulas = rules.iter().flat_map(|rule| {
        let lines = rule.lines.iter().map(|(_, _, formula)| formula);
        rule.each
            .iter()
            .chain(&rule.when)
            .chain(&rule.kind)
            .chain(lines)
    });
    let headers = formulas
        .flat_map(|formula| formula.fields("headers").map(str::to_owned))
        .collect();
    Ok(Mapping(Arc::new(CompiledMapping { rules, headers })))
}

fn rule(
    place: usize,
    lines: &[MappingLine<'_>],
    event: bool,
    faults: &mut Vec<MapFault>,
) -> MappingRule {
    let before = faults.len();
    let names = if event { NAMES.as_slice() } else { &NAMES[..4] };
    let known = keys();
    let mut rule = MappingRule {
        each: None,
        when: None,
        kind: None,
        lines: Vec::new(),
    };
    let mut kept = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        let (key, name) = line
            .path
            .split_once('.')
            .map_or((line.path, None), |(key, name)| {
                (key, Some(name.to_owned()))
            });
        let mut fault = |offset, message: String| {
            faults.push(MapFault {
                rule: place,
                line: Some((number, offset)),
                message,
            });
        };
        if !known.contains(&key) {
            let hint = nearest(key, known.iter().copied()).map_or_else(
                || format!("known: {}", listed(&known)),
                |meant| format!("did you mean `{meant}`?"),
            );
            fault(None, format!("unknown key `{key}`; {hint}"));
            continue;
        }
        if name.is_some() && !NESTED.contains(&key) {
            fault(
                None,
                format!(
                    "`{key}` has no keys below it; only these have: {}",
                    listed(&NESTED)
                ),
            );
            continue;
        }
        let formula = match json::compile(line.text, names) {
            Ok(formula) => formula,
            Err(found) => {
                fault(Some(found.offset), found.message);
                continue;
            }
        };
        if let Some(words) = words(key) {
            for (offset, text) in formula
                .texts()
                .unwrap_or_default()
                .iter()
                .filter(|(_, text)| !words.contains(&text.as_str()))
            {
                let hint = nearest(text, words.iter().copied()).map_or_else(
                    || format!("known: {}", listed(&words)),
                    |meant| format!("did you mean \"{meant}\"?"),
                );
                fault(
                    Some(*offset),
                    format!("\"{text}\" is not a valid `{key}`; {hint}"),
                );
            }
        }
        match key {
            "each" => rule.each = Some(formula),
            "when" => rule.when = Some(formula),
            "kind" => rule.kind = Some(formula),
            _ => {
                kept.push(number);
                rule.lines.push((key.to_owned(), name, formula));
            }
        }
    }
    if faults.len() == before {
        of_kinds(place, &rule, &kept, faults);
    }
    // `labels` as a whole comes before single labels, which extend it.
    rule.lines.sort_by_key(|(_, name, _)| name.is_some());
    rule
}

/// Reports keys that no kind of this rule has, and missing required keys.
fn of_kinds(place: usize, rule: &MappingRule, numbers: &[usize], faults: &mut Vec<MapFault>) {
    let kinds: Vec<&str> = match &rule.kind {
        None => vec!["alert"],
        Some(kind) => match kind.texts() {
            Some(texts) => texts.iter().map(|(_, text)| text.as_str()).collect(),
            None => return,
        },
    };
    let own: Vec<&str> = event_keys::KINDS
        .iter()
        .filter(|kind| kinds.contains(&kind.name))
        .flat_map(|kind| (kind.keys)())
        .chain(event_keys::common())
        .copied()
        .collect();
    let named = kinds
        .iter()
        .map(|kind| format!("`{kind}`"))
        .collect::<Vec<_>>()
        .join(" or ");
    for ((key, ..), number) in rule.lines.iter().zip(numbers) {
        if !own.contains(&key.as_str()) {
            let message = format!(
                "`{key}` is not a key of {named}; its keys are {}",
                listed(&own)
            );
            faults.push(MapFault {
                rule: place,
                line: Some((*number, None)),
                message,
            });
        }
    }
    let has = |wanted: &str| {
        rule.lines
            .iter()
            .any(|(key, name, _)| key == wanted && name.is_none())
    };
    let labelled = rule.lines.iter().any(|(key, name, _)| {
        key == "labels" && name.as_deref().is_none_or(|name| name == "alertname")
    });
    for kind in kinds {
        let needed: &[&str] = match kind {
            "alert" if labelled => &["status"],
            "alert" => &["name", "status"],
            "condition" => &["name", "state"],
            "declaration" => &["title"],
            "intervention" => &["action"],
            "request" => &["reason"],
            "near_miss" | "change" => &["what"],
            "note" => &["text"],
            _ => &[],
        };
        for key in needed.iter().filter(|key| !has(key)) {
            let message = format!("`{key}` is missing: `{kind}` requires it");
            faults.push(MapFault {
                rule: place,
                line: None,
                message,
            });
        }
    }
}

/// All values of a key, if they are a closed set.
fn words(key: &str) -> Option<Vec<&'static str>> {
    Some(match key {
        "kind" => event_keys::kind_names().to_vec(),
        "status" => field_names::<AlertStatus>().to_vec(),
        "state" => field_names::<ConditionState>().to_vec(),
        "end_reason" => field_names::<EndReason>().to_vec(),
        "detected_by" => field_names::<DetectedBy>().to_vec(),
        _ => return None,
    })
}

fn listed(words: &[&str]) -> String {
    words
        .iter()
        .map(|word| format!("`{word}`"))
        .collect::<Vec<_>>()
        .join(", ")
}
