//! Rule files to a [`RuleSet`], or every fault of every file with its place.

use super::{RuleSet, Seconds, condition, correlation, criterion};
use crate::model::fault::Fault;
use crate::yaml::{self, Duration, Names, Spanned};

/// The rules in force where nobody wrote any: name and text.
pub const SHIPPED: (&str, &str) = ("rules/postmortems.yaml", include_str!("../../rules/postmortems.yaml"));

const SECTIONS: [&str; 3] = ["criteria", "conditions", "correlation"];

/// Reads rule files, each a name and a text, as one set.
///
/// # Errors
/// All faults of all files, in their order.
pub fn load(files: &[(String, String)]) -> Result<RuleSet, Vec<Fault>> {
    let mut rules = RuleSet::default();
    let mut faults = Vec::new();
    let (mut criteria, mut conditions, mut correlations) = (Names::new("criterion"), Names::new("condition"), Names::new("section"));
    for (file, text) in files {
        let file = file.as_str();
        let node = match yaml::parse(file, text) {
            Ok(node) => node,
            Err(fault) => {
                faults.push(fault);
                continue;
            }
        };
        let mut found = Vec::new();
        for (key, section) in yaml::sections(file, &node, &SECTIONS, &mut found) {
            match key.name.as_str() {
                "criteria" => {
                    for entry in yaml::entries(file, section, &mut found) {
                        rules.criteria.extend(criterion::read(file, entry, &mut criteria, &mut found));
                    }
                }
                "conditions" => {
                    for entry in yaml::entries(file, section, &mut found) {
                        rules.conditions.extend(condition::read(file, entry, &mut conditions, &mut found));
                    }
                }
                _ => {
                    correlations.declare(file, key.position(), "correlation", &mut found);
                    rules.correlation = correlation::read(file, section, &mut found);
                }
            }
        }
        found.sort();
        faults.extend(found);
    }
    if faults.is_empty() { Ok(rules) } else { Err(faults) }
}

/// A duration that must not be zero, in seconds.
pub(super) fn positive(file: &str, key: &str, duration: &Spanned<Duration>, faults: &mut Vec<Fault>) -> Seconds {
    if duration.value.seconds == 0 {
        faults.push(duration.position.fault(file, format!("`{key}` must be longer than nothing")));
    }
    duration.value.seconds
}

#[cfg(test)]
mod tests;
