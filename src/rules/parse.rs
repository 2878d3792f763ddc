//! Parses rule files to a [`RuleSet`], or to all faults of all files with their positions.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Deserialize;

use super::condition::ConditionEntry;
use super::correlation::CorrelationEntry;
use super::criterion::{CriteriaContext, CriterionEntry};
use super::rule_set::RuleSet;
use super::{condition, correlation, criterion, criterion_hours};
use crate::model::fault::Fault;
use crate::model::severity_scale::SeverityScale;
use crate::yaml;
use crate::yaml::node::{Key, Node, Value};
use crate::yaml::reader::Reader;
use crate::yaml::unique_names::UniqueNames;

/// The default rules: file name and content.
pub const SHIPPED: (&str, &str) = (
    "rules/postmortems.yaml",
    include_str!("../../rules/postmortems.yaml"),
);

/// The keys of a rule file.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(
    dead_code,
    reason = "declares the keys; each is read alone, so that a fault in one hides none in another"
)]
pub(crate) struct RuleFileKeys {
    /// Shadow mode: the criteria of this file only record what they would have decided. Such a file
    /// must not have conditions.
    #[schemars(extend("default" = false))]
    shadow: Option<bool>,
    /// Criteria for incidents that deserve a postmortem.
    #[schemars(extend("default" = []))]
    criteria: Option<Vec<CriterionEntry>>,
    /// Metric conditions to evaluate.
    #[schemars(extend("default" = []))]
    conditions: Option<Vec<ConditionEntry>>,
    /// Correlation of events into incidents; only one rule file may have it.
    #[schemars(extend("default" = {}))]
    correlation: Option<CorrelationEntry>,
}

/// Parses rule files, each a name and a text, as one set. Those named `.ics` are the calendars of
/// holidays that the others name.
///
/// # Errors
/// All faults of all files, in their order.
pub fn load(files: &[(String, String)]) -> Result<RuleSet, Vec<Fault>> {
    load_for(files, &SeverityScale::default())
}

/// Like [`load`], for a team's own severities.
///
/// # Errors
/// All faults of all files, in their order.
pub fn load_for(files: &[(String, String)], scale: &SeverityScale) -> Result<RuleSet, Vec<Fault>> {
    let mut rules = RuleSet::default();
    let mut faults = Vec::new();
    let (mut criteria, mut conditions, mut correlations) = (
        UniqueNames::new("criterion"),
        UniqueNames::new("condition"),
        UniqueNames::new("section"),
    );
    let calendars = files.iter().filter(|(name, _)| is_calendar(name));
    let calendars = calendars
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    for (file, text) in files.iter().filter(|(name, _)| !is_calendar(name)) {
        let file = file.as_str();
        let node = match yaml::tree::parse(file, text) {
            Ok(node) => node,
            Err(fault) => {
                faults.push(fault);
                continue;
            }
        };
        let mut reader = Reader::new(file);
        let sections = reader.sections::<RuleFileKeys>(&node);
        let context = CriteriaContext {
            all_shadow: shadow(&mut reader, &sections),
            calendars: &calendars,
            scale,
        };
        for (key, section) in sections {
            match key.name.as_str() {
                "shadow" => {}
                "criteria" => {
                    for entry in reader.list(section) {
                        rules.criteria.extend(criterion::read(
                            &mut reader,
                            entry,
                            &context,
                            &mut criteria,
                        ));
                    }
                }
                "conditions" => {
                    for entry in reader.list(section) {
                        rules.conditions.extend(condition::read(
                            &mut reader,
                            entry,
                            &mut conditions,
                            scale,
                        ));
                    }
                }
                _ => {
                    correlations.declare(&mut reader, key.position(), "correlation");
                    rules.correlation = correlation::read(&mut reader, section, scale);
                }
            }
        }
        reader.faults.sort();
        faults.append(&mut reader.faults);
    }
    if faults.is_empty() {
        Ok(rules)
    } else {
        Err(faults)
    }
}

/// The paths of the calendars of holidays that rule files name, each beside its file.
#[must_use]
pub fn named_calendars(files: &[(String, String)]) -> BTreeSet<String> {
    let mut paths = BTreeSet::new();
    for (file, text) in files.iter().filter(|(name, _)| !is_calendar(name)) {
        let Ok(node) = yaml::tree::parse(file, text) else {
            continue;
        };
        if let Some(Value::List(criteria)) = node.get("criteria").map(|node| &node.value) {
            let named = criteria
                .iter()
                .flat_map(|criterion| criterion_hours::named_calendars(file, criterion));
            paths.extend(named);
        }
    }
    paths
}

fn is_calendar(name: &str) -> bool {
    name.to_ascii_lowercase().ends_with(".ics")
}

/// True when the whole file is a shadow. Such a file may hold criteria only, since everything else
/// would affect decisions.
fn shadow(reader: &mut Reader<'_>, sections: &[(&Key, &Node)]) -> bool {
    let Some((_, node)) = sections
        .iter()
        .find(|(key, node)| key.name == "shadow" && node.value != Value::Null)
    else {
        return false;
    };
    let shadow = reader.read::<bool>(node, &[]).unwrap_or_default();
    for (key, _) in sections
        .iter()
        .filter(|(key, _)| shadow && matches!(key.name.as_str(), "conditions" | "correlation"))
    {
        let message = format!(
            "`{}` applies to all criteria, so a file with `shadow: true` cannot contain it; move it to a file without it",
            key.name
        );
        reader.fault(key.position(), message);
    }
    shadow
}

#[cfg(test)]
mod tests;
