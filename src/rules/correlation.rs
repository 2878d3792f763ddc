//! The entry `correlation:`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::criterion;
use crate::expr::root::Root;
use crate::model::severity_scale::SeverityScale;
use crate::rules::rule_set::Correlation;
use crate::yaml::node::{Node, Value};
use crate::yaml::reader::Reader;
use crate::yaml::scalar::{Duration, Spanned};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CorrelationEntry {
    /// Labels that must be equal for events to be correlated; `service` is the service read from
    /// the event.
    #[schemars(extend("default" = ["service"]))]
    correlate_by: Option<Spanned<Vec<Spanned<String>>>>,
    /// Maximum time between the starts of events of dependent services.
    #[schemars(extend("default" = "15m"))]
    join_within: Option<Duration>,
    /// Quiet time after which an incident is resolved.
    #[schemars(extend("default" = "5m"))]
    settle: Option<Duration>,
    /// Time after the last activity during which events still join.
    #[schemars(extend("default" = "30m"))]
    reopen_within: Option<Duration>,
    /// Gaps shorter than this do not interrupt a degradation.
    #[schemars(extend("default" = "2m"))]
    bridge: Option<Duration>,
    /// Time after its start from which events no longer join an incident.
    #[schemars(extend("default" = "1d"))]
    lifetime: Option<Spanned<Duration>>,
    /// CEL filter over `signal`; matching events are ignored.
    ignore: Option<Spanned<String>>,
}

/// Reads it; missing keys take their defaults.
pub(crate) fn read(reader: &mut Reader<'_>, node: &Node, scale: &SeverityScale) -> Correlation {
    let defaults = Correlation::default();
    if node.value == Value::Null {
        return defaults;
    }
    let Some(entry) = reader.read::<CorrelationEntry>(node, &[]) else {
        return defaults;
    };
    if let Some(labels) = &entry.correlate_by {
        if labels.value.is_empty() {
            reader.fault(
                labels.position,
                "`correlate_by` is empty; leave it out for the default, `[service]`",
            );
        }
        for label in labels.value.iter().filter(|label| label.value.is_empty()) {
            reader.fault(label.position, "a label name must not be empty");
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
        lifetime: reader
            .positive("lifetime", entry.lifetime.as_ref())
            .unwrap_or(defaults.lifetime),
        ignore: entry
            .ignore
            .and_then(|source| criterion::filter(reader, &source, (&[Root::Signal], scale))),
    }
}
