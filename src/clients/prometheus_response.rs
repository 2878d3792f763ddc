//! What a Prometheus-compatible server answers (<https://prometheus.io/docs/prometheus/latest/querying/api/>): bytes to [`Answer`], alerts
//! and rules.

use std::borrow::Cow;
use std::time::Duration;

use chrono::{DateTime, Datelike, Utc};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::value::RawValue;
use tokio::time::Instant;

use super::error::Fault;
use super::http::{Head, shown};
use crate::model::labels::Labels;
use crate::model::time::Time;

/// What a query gave.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The series; a scalar is one without labels. A series that is absent has no value then: the answer is whole.
    pub series: Vec<Series>,
    /// What the server remarks on the query: `PromQL warning: …`, and what was left out here.
    pub warnings: Vec<String>,
    /// Samples that are native histograms. They are left out, and so are series that hold nothing else.
    pub histograms: usize,
    /// When it was asked and answered; of a query in pieces, the last.
    pub heard: Heard,
}

/// One series.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Its labels, with `__name__` where it has a name.
    pub labels: Labels,
    /// Its values, in the order of time. Not-a-numbers and infinities are values.
    pub points: Vec<(Time, f64)>,
}

/// When an answer came, by our clock and by the server's, so that a caller can tell how far these are apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heard {
    /// When the request went out.
    pub sent: Instant,
    /// When the head of the answer was there.
    pub received: Instant,
    /// The server's clock in between, cut to whole seconds: the header `Date`.
    pub server_time: Option<Time>,
}

/// A rule that makes alerts, as `/api/v1/rules` lists it.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertRule {
    /// The label `alertname` of its alerts.
    pub name: String,
    /// The name of its group; with the file it is unique.
    pub group: String,
    /// The file of its group.
    pub file: String,
    /// The query; a series in its answer is an alert.
    pub query: String,
    /// How long that must be so before the alert fires: `for`.
    pub hold: Duration,
    /// How long the alert fires on after that is no longer so.
    pub keep_firing: Duration,
    /// Labels that it adds; their values may be templates.
    pub labels: Labels,
    /// From one evaluation to the next.
    pub interval: Duration,
}

/// An alert, as `/api/v1/alerts` lists it.
#[derive(Debug, Clone, PartialEq)]
pub struct ActiveAlert {
    /// Its labels, `alertname` among them; without those that the server adds only when it sends alerts.
    pub labels: Labels,
    /// Whether it fires.
    pub state: AlertState,
    /// The evaluation that found it first.
    pub active_at: Time,
    /// The evaluation that found it no longer, while it fires on only because of `keep_firing_for`.
    pub keep_firing_since: Option<Time>,
}

/// How far an alert is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlertState {
    /// It is active for less than its rule's `for`.
    Pending,
    /// It fires.
    Firing,
}

/// The `data` of `/api/v1/status/config`.
#[derive(Deserialize)]
struct RawSettings {
    yaml: String,
}

/// A Prometheus's settings, as far as they are looked at.
#[derive(Deserialize)]
struct Settings {
    global: Option<Global>,
}

#[derive(Deserialize, Default)]
struct Global {
    external_labels: Option<Labels>,
}

/// What every answer of the API is wrapped in. VictoriaMetrics adds `isPartial`.
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

/// The `data` of an answer, and why something may be missing from it.
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

/// Seconds, whole or not, and the value as text.
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

#[derive(Deserialize)]
struct RawAlerts {
    alerts: Vec<RawAlert>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawAlert {
    labels: Labels,
    state: String,
    active_at: DateTime<Utc>,
    keep_firing_since: Option<DateTime<Utc>>,
}

/// What a query gave.
pub(crate) fn query(head: &Head, body: &[u8]) -> Result<Answer, Fault> {
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
            let message = "the query gives a text, which is no value".to_owned();
            return Err(Fault::Refused {
                status: head.status,
                error_type: "bad_data".to_owned(),
                message,
            });
        }
        other => {
            return Err(Fault::Unreadable(format!(
                "the answer is of an unknown type, {}",
                shown(other)
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
    let answer = Answer {
        series,
        warnings,
        histograms,
        heard: head.heard,
    };
    match missing {
        None => Ok(answer),
        Some(why) => Err(Fault::Partial {
            why,
            rest: Some(Box::new(answer)),
        }),
    }
}

/// The rules that make alerts; others are left out.
pub(crate) fn rules(head: &Head, body: &[u8]) -> Result<Vec<AlertRule>, Fault> {
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

/// The labels that it adds to whatever it sends, by its settings.
pub(crate) fn external_labels(head: &Head, body: &[u8]) -> Result<Labels, Fault> {
    let RawSettings { yaml } = whole(head, body)?;
    let settings: Settings = serde_saphyr::from_str(&yaml).map_err(|error| {
        Fault::Unreadable(format!("the settings it shows cannot be read: {error}"))
    })?;
    Ok(settings
        .global
        .unwrap_or_default()
        .external_labels
        .unwrap_or_default())
}

/// The alerts that are pending or fire.
pub(crate) fn alerts(head: &Head, body: &[u8]) -> Result<Vec<ActiveAlert>, Fault> {
    let RawAlerts { alerts } = whole(head, body)?;
    let mut active = Vec::new();
    for RawAlert {
        labels,
        state,
        active_at,
        keep_firing_since,
    } in alerts
    {
        let state = match state.as_str() {
            "pending" => AlertState::Pending,
            "firing" => AlertState::Firing,
            // VictoriaMetrics lists what is over for a while.
            "inactive" => continue,
            other => {
                return Err(Fault::Unreadable(format!(
                    "an alert is in an unknown state, {}",
                    shown(other)
                )));
            }
        };
        // Go's zero time stands for none.
        let keep_firing_since = keep_firing_since.filter(|since| since.year() > 1);
        active.push(ActiveAlert {
            labels,
            state,
            active_at,
            keep_firing_since,
        });
    }
    Ok(active)
}

/// The values of a label.
pub(crate) fn names(head: &Head, body: &[u8]) -> Result<Vec<String>, Fault> {
    whole(head, body)
}

/// The `data` of what is a list of all there is, or nothing: without a part of it nobody can tell what is over.
fn whole<T: DeserializeOwned>(head: &Head, body: &[u8]) -> Result<T, Fault> {
    let Data { data, missing, .. } = data(head, body)?;
    missing.map_or_else(|| part(data), |why| Err(Fault::Partial { why, rest: None }))
}

fn data<'a>(head: &Head, body: &'a [u8]) -> Result<Data<'a>, Fault> {
    let fine = (200..300).contains(&head.status);
    let envelope = match serde_json::from_slice::<Envelope<'a>>(body) {
        Ok(envelope) => envelope,
        Err(error) if fine => {
            let text = shown(&String::from_utf8_lossy(body));
            let why = if text.starts_with('{') {
                format!("it is no whole JSON: {error}")
            } else {
                format!("it begins with {text:?}")
            };
            return Err(Fault::Unreadable(format!(
                "this is no answer of Prometheus's API; {why}"
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
    // Prometheus's own remarks on a query begin so (`util/annotations`). Every other warning is of a store or server that did not answer.
    let mut missing: Vec<&str> = warnings
        .iter()
        .map(String::as_str)
        .filter(|warning| !warning.starts_with("PromQL "))
        .collect();
    missing.extend(error.as_deref().filter(|_| failed));
    if missing.is_empty() && (failed || is_partial) {
        missing.push("the server says that it is partial");
    }
    let missing = (!missing.is_empty()).then(|| {
        missing
            .into_iter()
            .map(shown)
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

fn part<'a, T: Deserialize<'a>>(data: &'a RawValue) -> Result<T, Fault> {
    serde_json::from_str(data.get()).map_err(|error| {
        Fault::Unreadable(format!("the answer is not as the API gives it: {error}"))
    })
}

fn empty() -> Fault {
    Fault::Unreadable("the answer says that it is a success, and holds nothing".to_owned())
}

fn point(Point(seconds, value): &Point<'_>) -> Result<(Time, f64), Fault> {
    // Prometheus keeps milliseconds, and a float has the digits for them for longer than anybody measures.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "what is out of range becomes the last instant, which is none"
    )]
    let millis = (seconds * 1000.0).round() as i64;
    let at = DateTime::from_timestamp_millis(millis)
        .ok_or_else(|| Fault::Unreadable(format!("{seconds} is no time")))?;
    // Go writes NaN, +Inf, -Inf and 1e-06, and Rust reads them.
    let value = value
        .parse()
        .map_err(|_| Fault::Unreadable(format!("{:?} is no value", shown(value))))?;
    Ok((at, value))
}

fn length(seconds: f64) -> Result<Duration, Fault> {
    Duration::try_from_secs_f64(seconds)
        .map_err(|_| Fault::Unreadable(format!("{seconds} is no length of time")))
}

#[cfg(test)]
mod tests;
