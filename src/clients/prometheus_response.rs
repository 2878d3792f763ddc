//! Parser for responses of the Prometheus HTTP API
//! (<https://prometheus.io/docs/prometheus/latest/querying/api/>): query results, alerting rules,
//! labels.

use std::borrow::Cow;
use std::time::Duration;

use chrono::DateTime;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::value::RawValue;

use super::error::ClientError;
use super::http::{ResponseHead, excerpt};
use super::query_response::{QueryResponse, Series};
use crate::model::labels::Labels;
use crate::model::time::Time;
use crate::yaml;

/// Alerting rule, as `/api/v1/rules` lists it.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertRule {
    /// Label `alertname` of its alerts.
    pub name: String,
    /// Name of its rule group, unique within the file.
    pub group: String,
    /// Rule file of the group.
    pub file: String,
    /// PromQL expression; each series in its result is an alert.
    pub query: String,
    /// Pending period before the alert fires: `for`.
    pub hold: Duration,
    /// Time for which the alert keeps firing after the condition clears: `keep_firing_for`.
    pub keep_firing: Duration,
    /// Labels that the rule adds; their values may be templates.
    pub labels: Labels,
    /// Evaluation interval.
    pub interval: Duration,
}

/// The `data` of `/api/v1/status/config`.
#[derive(Deserialize)]
struct RawSettings {
    yaml: String,
}

/// Server configuration, as far as it is read.
#[derive(Deserialize)]
struct Settings {
    global: Option<Global>,
}

#[derive(Deserialize, Default)]
struct Global {
    external_labels: Option<Labels>,
}

/// Response envelope of the API. VictoriaMetrics adds `isPartial`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    status: Cow<'a, str>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    error_type: Option<String>,
    error: Option<String>,
    warnings: Option<Vec<String>>,
    infos: Option<Vec<String>>,
    #[serde(default)]
    is_partial: bool,
}

/// The `data` of a response, and the reason why it may be incomplete.
struct Data<'a> {
    data: &'a RawValue,
    warnings: Vec<String>,
    missing: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawResult<'a> {
    result_type: Cow<'a, str>,
    #[serde(borrow)]
    result: &'a RawValue,
}

#[derive(Deserialize)]
struct RawSeries<'a> {
    #[serde(default)]
    metric: Labels,
    #[serde(borrow)]
    value: Option<Point<'a>>,
    #[serde(borrow, default)]
    values: Vec<Point<'a>>,
    histogram: Option<IgnoredAny>,
    #[serde(default)]
    histograms: Vec<IgnoredAny>,
}

/// Sample: a timestamp in (fractional) seconds and the value as text.
#[derive(Deserialize)]
struct Point<'a>(f64, #[serde(borrow)] Cow<'a, str>);

#[derive(Deserialize)]
struct RawGroups {
    groups: Vec<RawGroup>,
}

#[derive(Deserialize)]
struct RawGroup {
    name: String,
    #[serde(default)]
    file: String,
    #[serde(default)]
    interval: f64,
    rules: Vec<RawRule>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawRule {
    name: String,
    query: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    duration: f64,
    #[serde(default)]
    keep_firing_for: f64,
    labels: Option<Labels>,
}

/// Parses the response to a query.
pub(crate) fn query(head: &ResponseHead, body: &[u8]) -> Result<QueryResponse, ClientError> {
    let Data {
        data,
        mut warnings,
        missing,
    } = data(head, body)?;
    let RawResult {
        result_type,
        result,
    } = part(data)?;
    let raw = match &*result_type {
        "matrix" | "vector" => part::<Vec<RawSeries<'_>>>(result)?,
        "scalar" => vec![RawSeries {
            metric: Labels::new(),
            value: Some(part(result)?),
            values: Vec::new(),
            histogram: None,
            histograms: Vec::new(),
        }],
        "string" => {
            let message = "the query returns a string, not a number".to_owned();
            return Err(ClientError::Refused {
                status: head.status,
                error_type: "bad_data".to_owned(),
                message,
            });
        }
        other => {
            return Err(ClientError::Unreadable(format!(
                "the answer is of an unknown type, {}",
                excerpt(other)
            )));
        }
    };
    let mut histograms = 0;
    let mut series = Vec::with_capacity(raw.len());
    for RawSeries {
        metric,
        value,
        values,
        histogram,
        histograms: more,
    } in raw
    {
        histograms += usize::from(histogram.is_some()) + more.len();
        let points: Vec<(Time, f64)> = value
            .iter()
            .chain(&values)
            .map(point)
            .collect::<Result<_, _>>()?;
        if !points.is_empty() {
            series.push(Series {
                labels: metric,
                points,
            });
        }
    }
    if histograms > 0 {
        warnings.push(format!(
            "left out: {histograms} samples that are native histograms"
        ));
    }
    let answer = QueryResponse {
        series,
        warnings,
        histograms,
        heard: head.times,
    };
    match missing {
        None => Ok(answer),
        Some(why) => Err(ClientError::Partial {
            why,
            rest: Some(Box::new(answer)),
        }),
    }
}

/// Parses alerting rules; recording rules are left out.
pub(crate) fn rules(head: &ResponseHead, body: &[u8]) -> Result<Vec<AlertRule>, ClientError> {
    let RawGroups { groups } = whole(head, body)?;
    let mut rules = Vec::new();
    for group in groups {
        let interval = length(group.interval)?;
        for rule in group
            .rules
            .into_iter()
            .filter(|rule| rule.kind == "alerting")
        {
            rules.push(AlertRule {
                name: rule.name,
                group: group.name.clone(),
                file: group.file.clone(),
                query: rule.query,
                hold: length(rule.duration)?,
                keep_firing: length(rule.keep_firing_for)?,
                labels: rule.labels.unwrap_or_default(),
                interval,
            });
        }
    }
    Ok(rules)
}

/// Parses the `external_labels` from a server's configuration.
pub(crate) fn external_labels(head: &ResponseHead, body: &[u8]) -> Result<Labels, ClientError> {
    let RawSettings { yaml } = whole(head, body)?;
    let settings: Settings = yaml::tree::parse("its settings", &yaml)
        .and_then(|node| yaml::reader::read("its settings", &node))
        .map_err(|fault| {
            ClientError::Unreadable(format!("its settings cannot be read: {fault}"))
        })?;
    Ok(settings
        .global
        .unwrap_or_default()
        .external_labels
        .unwrap_or_default())
}

/// Parses a list of label values.
pub(crate) fn names(head: &ResponseHead, body: &[u8]) -> Result<Vec<String>, ClientError> {
    whole(head, body)
}

/// Parses a `data` that must be complete: a partial list cannot show that an entry is gone.
fn whole<T: DeserializeOwned>(head: &ResponseHead, body: &[u8]) -> Result<T, ClientError> {
    let Data { data, missing, .. } = data(head, body)?;
    missing.map_or_else(
        || part(data),
        |why| Err(ClientError::Partial { why, rest: None }),
    )
}

fn data<'a>(head: &ResponseHead, body: &'a [u8]) -> Result<Data<'a>, ClientError> {
    let fine = (200..300).contains(&head.status);
    let envelope = match serde_json::from_slice::<Envelope<'a>>(body) {
        Ok(envelope) => envelope,
        Err(error) if fine => {
            let text = head
                .secrets
                .redact(&excerpt(&String::from_utf8_lossy(body)));
            let why = if text.starts_with('{') {
                format!("it is not complete JSON: {error}")
            } else {
                format!("it begins with {text:?}")
            };
            return Err(ClientError::Unreadable(format!(
                "this is not a response of the Prometheus API: {why}; check `url`"
            )));
        }
        Err(_) if head.status == 404 => {
            return Err(head.refusal(
                "",
                "there is no API at this address; compare the path of `url`",
            ));
        }
        Err(_) => {
            // Pages for people say nothing in their first line.
            let text = String::from_utf8_lossy(body);
            return Err(head.refusal(
                "",
                if text.trim_start().starts_with('<') {
                    ""
                } else {
                    &text
                },
            ));
        }
    };
    let Envelope {
        status,
        data,
        error_type,
        error,
        warnings,
        infos,
        is_partial,
    } = envelope;
    let mut warnings = warnings.unwrap_or_default();
    let failed = !fine || status != "success";
    // `data: null` is read as none.
    let Some(data) = data else {
        return Err(if failed {
            head.refusal(&error_type.unwrap_or_default(), &error.unwrap_or_default())
        } else {
            empty()
        });
    };
    // Prometheus's own annotations begin so (`util/annotations`). Any other warning reports a store
    // or server that did not respond.
    let mut missing: Vec<&str> = warnings
        .iter()
        .map(String::as_str)
        .filter(|warning| !warning.starts_with("PromQL "))
        .collect();
    missing.extend(error.as_deref().filter(|_| failed));
    if missing.is_empty() && (failed || is_partial) {
        missing.push("the server marks the response as partial");
    }
    let missing = (!missing.is_empty()).then(|| {
        missing
            .into_iter()
            .map(excerpt)
            .collect::<Vec<_>>()
            .join("; ")
    });
    warnings.extend(infos.unwrap_or_default());
    Ok(Data {
        data,
        warnings,
        missing,
    })
}

fn part<'a, T: Deserialize<'a>>(data: &'a RawValue) -> Result<T, ClientError> {
    serde_json::from_str(data.get()).map_err(|error| {
        ClientError::Unreadable(format!(
            "the response does not have the form of the API: {error}"
        ))
    })
}

fn empty() -> ClientError {
    ClientError::Unreadable("the response reports success but contains no data".to_owned())
}

fn point(Point(seconds, value): &Point<'_>) -> Result<(Time, f64), ClientError> {
    // Prometheus keeps milliseconds, which a float represents exactly for longer than anyone
    // measures.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "out-of-range values saturate, and chrono rejects them"
    )]
    let millis = (seconds * 1000.0).round() as i64;
    let at = DateTime::from_timestamp_millis(millis)
        .ok_or_else(|| ClientError::Unreadable(format!("{seconds} is not a valid time")))?;
    // Go writes NaN, +Inf, -Inf and 1e-06, and Rust reads them.
    let value = value.parse().map_err(|_| {
        ClientError::Unreadable(format!("{:?} is not a valid value", excerpt(value)))
    })?;
    Ok((at, value))
}

fn length(seconds: f64) -> Result<Duration, ClientError> {
    Duration::try_from_secs_f64(seconds)
        .map_err(|_| ClientError::Unreadable(format!("{seconds} is not a valid duration")))
}

#[cfg(test)]
mod tests;
