//! The entry `correlation:`.

use serde::Deserialize;

use super::criterion;
use crate::expr::root::Root;
use crate::model::fault::Fault;
use crate::model::severity_scale::SeverityScale;
use crate::rules::positive::positive;
use crate::rules::rule_set::Correlation;
use crate::yaml;
use crate::yaml::node::{Node, Value};
use crate::yaml::scalar::{Duration, Spanned};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CorrelationEntry {
    correlate_by: Option<Spanned<Vec<Spanned<String>>>>,
    join_within: Option<Duration>,
    settle: Option<Duration>,
    reopen_within: Option<Duration>,
    bridge: Option<Duration>,
    lifetime: Option<Spanned<Duration>>,
    ignore: Option<Spanned<String>>,
}

/// Reads it; missing keys take their defaults.
pub(crate) fn read(
    file: &str,
    node: &Node,
    scale: &SeverityScale,
    faults: &mut Vec<Fault>,
) -> Correlation {
    let defaults = Correlation::default();
    if node.value == Value::Null {
        return defaults;
    }
    let Some(entry) = yaml::entry::read_entry::<CorrelationEntry>(file, node, &[], faults) else {
        return defaults;
    };
    if let Some(labels) = &entry.correlate_by {
        if labels.value.is_empty() {
            faults.push(labels.position.fault(
                file,
                "`correlate_by` is empty; leave it out for the default, `[service]`",
            ));
        }
        for label in labels.value.iter().filter(|label| label.value.is_empty()) {
            faults.push(label.position.fault(file, "a label name must not be empty"));
        }
    }
    let seconds = |duration: Option<Duration>, otherwise| {
        duration.map_or(otherwise, |duration| duration.seconds)
    };
    Correlation {
        correlate_by: entry.correlate_by.map_or(defaults.correlate_by, |labels| {
            labels.value.into_iter().map(|label| label.value).collect()
        }),
        join_within: seconds(entry.join_within, defaults.join_within),
        settle: seconds(entry.settle, defaults.settle),
        reopen_within: seconds(entry.reopen_within, defaults.reopen_within),
        bridge: seconds(entry.bridge, defaults.bridge),
        lifetime: entry.lifetime.map_or(defaults.lifetime, |lifetime| {
            positive(file, "lifetime", &lifetime, faults)
        }),
        ignore: entry
            .ignore
            .and_then(|source| criterion::filter(file, &source, (&[Root::Signal], scale), faults)),
    }
}
