//! One entry of `conditions:`.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use super::promql::parse_query;
use crate::model::event::{ConditionState, Severity};
use crate::model::severity_scale::SeverityScale;
use crate::rules::rule_set::{Comparison, ConditionPositions, ConditionRule, Threshold};
use crate::yaml::node::Node;
use crate::yaml::reader::Reader;
use crate::yaml::scalar::{Duration, Spanned};
use crate::yaml::unique_names::UniqueNames;

const DEFAULT_EVERY: i64 = 15;
const DEFAULT_SERIES: u32 = 100;
/// More series indicate a wrong query, and each costs memory and time at every evaluation.
const MOST_SERIES: u32 = 10_000;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConditionEntry {
    /// Unique name of its signal: one word.
    #[schemars(required)]
    name: Option<Spanned<String>>,
    /// Service it belongs to.
    #[schemars(required)]
    service: Option<Spanned<String>>,
    /// Severity of its signal: critical, warning, info, none or unknown, or one of `severities:` in
    /// the settings.
    #[schemars(extend("default" = "critical"))]
    // Critical by default, since conditions describe user impact.
    severity: Option<Spanned<Severity>>,
    /// Name of an entry of `metrics:` in the settings.
    #[schemars(required)]
    metrics: Option<Spanned<String>>,
    /// PromQL query to evaluate.
    #[schemars(required)]
    query: Option<Spanned<String>>,
    /// Threshold of degradation: a comparison and a number, such as `> 0.02`.
    #[schemars(required)]
    degraded: Option<Spanned<String>>,
    /// Threshold of a near miss; by default none.
    near_miss: Option<Spanned<String>>,
    /// Threshold of recovery; by default recovered once `degraded` no longer holds.
    recovered: Option<Spanned<String>>,
    /// Duration for which `degraded` must hold first, as in Prometheus.
    #[schemars(extend("default" = "0"))]
    r#for: Option<Duration>,
    /// Duration for which it stays degraded after `degraded` no longer holds, as in Prometheus.
    #[schemars(extend("default" = "0"))]
    keep_firing_for: Option<Duration>,
    /// Evaluation interval.
    #[schemars(extend("default" = "15s"))]
    every: Option<Spanned<Duration>>,
    /// State when there is no data: no value, or not-a-number, as 0/0 without traffic.
    #[serde(default)]
    #[schemars(schema_with = "no_data", extend("default" = "unknown"))]
    no_data: Option<Spanned<ConditionState>>,
    /// Maximum number of series; further series are left out and reported.
    #[schemars(range(min = 1), extend("default" = 100))]
    max_series: Option<Spanned<u32>>,
}

fn no_data(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"enum": ["unknown", "degraded", "healthy"]})
}

/// Reads one condition; `None` when it has a fault.
pub(crate) fn read(
    reader: &mut Reader<'_>,
    node: &Node,
    names: &mut UniqueNames,
    scale: &SeverityScale,
) -> Option<ConditionRule> {
    let before = reader.faults.len();
    let entry: ConditionEntry = names.read(
        reader,
        node,
        &["name", "service", "metrics", "query", "degraded"],
    )?;
    for (key, text) in [
        ("service", &entry.service),
        ("metrics", &entry.metrics),
        ("query", &entry.query),
    ] {
        if let Some(text) = text.as_ref().filter(|text| text.value.trim().is_empty()) {
            reader.fault(text.position, format!("`{key}` is empty"));
        }
    }
    if let Some(no_data) = entry
        .no_data
        .as_ref()
        .filter(|state| state.value == ConditionState::NearMiss)
    {
        reader.fault(
            no_data.position,
            "`no_data` must be `unknown` (the default), `degraded` or `healthy`",
        );
    }
    let severity = match &entry.severity {
        None => scale.place(Severity::Critical),
        Some(stated) => scale.accept(stated.value).unwrap_or_else(|why| {
            reader.fault(stated.position, why);
            Severity::Unknown
        }),
    };
    let every = reader
        .positive("every", entry.every.as_ref())
        .unwrap_or(DEFAULT_EVERY);
    let degraded = entry
        .degraded
        .as_ref()
        .and_then(|text| threshold(reader, text));
    let near_miss = entry
        .near_miss
        .as_ref()
        .and_then(|text| threshold(reader, text));
    let recovered = entry
        .recovered
        .as_ref()
        .and_then(|text| threshold(reader, text));
    let degraded = degraded?;
    if let (Some(near_miss), Some(text)) = (near_miss, &entry.near_miss) {
        contradiction(degraded, near_miss, true)
            .into_iter()
            .for_each(|message| reader.fault(text.position, message));
    }
    if let (Some(recovered), Some(text)) = (recovered, &entry.recovered) {
        contradiction(degraded, recovered, false)
            .into_iter()
            .for_each(|message| reader.fault(text.position, message));
    }
    if let Some(most) = entry
        .max_series
        .as_ref()
        .filter(|most| !(1..=MOST_SERIES).contains(&most.value))
    {
        reader.fault(
            most.position,
            format!(
                "`max_series` must be from 1 to {MOST_SERIES}, found {}",
                most.value
            ),
        );
    }
    let (metrics, query) = (entry.metrics?, entry.query?);
    let condition = ConditionRule {
        name: entry.name?.value,
        service: entry.service?.value,
        severity,
        places: ConditionPositions {
            file: reader.file.to_owned(),
            metrics: metrics.position,
            query: query.position,
        },
        metrics: metrics.value,
        understood: parse_query(&query.value),
        query: query.value,
        degraded,
        near_miss,
        recovered,
        pending_for: entry.r#for.map_or(0, |duration| duration.seconds),
        keep_firing_for: entry.keep_firing_for.map_or(0, |duration| duration.seconds),
        no_data: entry
            .no_data
            .map_or(ConditionState::Unknown, |state| state.value),
        every,
        max_series: entry.max_series.map_or(DEFAULT_SERIES, |most| most.value) as usize,
    };
    (reader.faults.len() == before).then_some(condition)
}

/// Parses a threshold, a PromQL comparison with a number: `> 0.02`.
fn threshold(reader: &mut Reader<'_>, text: &Spanned<String>) -> Option<Threshold> {
    const SIGNS: [(&str, Comparison); 6] = [
        (">=", Comparison::AtLeast),
        ("<=", Comparison::AtMost),
        ("==", Comparison::Equal),
        ("!=", Comparison::NotEqual),
        (">", Comparison::Above),
        ("<", Comparison::Below),
    ];
    let trimmed = text.value.trim();
    let read = SIGNS.iter().find_map(|(sign, comparison)| {
        Some((
            *comparison,
            trimmed.strip_prefix(sign)?.trim().parse().ok()?,
        ))
    });
    match read {
        Some((comparison, value)) if f64::is_finite(value) => Some(Threshold { comparison, value }),
        _ => {
            let message = format!(
                "{trimmed:?} is not a threshold; write a comparison and a number, for example \"> 0.02\" (one of > >= < <= == !=)"
            );
            reader.fault(text.position, message);
            None
        }
    }
}

/// True when larger values are worse, false when smaller values are.
fn upward(threshold: Threshold) -> Option<bool> {
    match threshold.comparison {
        Comparison::Above | Comparison::AtLeast => Some(true),
        Comparison::Below | Comparison::AtMost => Some(false),
        Comparison::Equal | Comparison::NotEqual => None,
    }
}

/// The reason `other` contradicts `degraded`. A near miss precedes degradation; recovery lies on
/// the other side.
fn contradiction(degraded: Threshold, other: Threshold, is_near_miss: bool) -> Option<String> {
    let (worse, direction) = (upward(degraded)?, upward(other)?);
    let beyond = if worse {
        other.value > degraded.value
    } else {
        other.value < degraded.value
    };
    match (is_near_miss, direction == worse) {
        (true, false) => {
            Some("`near_miss` must compare in the same direction as `degraded`".to_owned())
        }
        (true, true) if beyond => Some(
            "`near_miss` is reached only after `degraded`, so it would never take effect".to_owned(),
        ),
        (false, true) => {
            Some("`recovered` must compare in the opposite direction to `degraded`".to_owned())
        }
        (false, false) if beyond => {
            Some("values between `recovered` and `degraded` would meet both thresholds; the ranges must not overlap".to_owned())
        }
        _ => None,
    }
}
