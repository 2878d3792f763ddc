//! Grafana's legacy alerting (versions 4 to 10; payload made after version 8):
//!
//! ```json
//! {"ruleId": 58, "ruleName": "Checkout errors", "ruleUrl": "https://grafana.example.com/d/x/y?tab=alert&viewPanel=2&orgId=1",
//!  "state": "alerting", "title": "[Alerting] Checkout errors", "message": "…", "orgId": 1, "dashboardId": 3, "panelId": 2,
//!  "tags": {"service": "checkout", "severity": "critical"},
//!  "evalMatches": [{"value": 0.07, "metric": "errors", "tags": {"instance": "a"}}]}
//! ```
//!
//! A rule is one alert, however many series match: `evalMatches` differs between messages and is
//! empty when `state` is `ok`. So the rule and its own tags identify the alert, and matches are an
//! annotation. Start and end are not stated and are the time of arrival.

use serde_json::Value;

use crate::ingest::error::{IngestFault, MemberFault};
use crate::ingest::json_fields;
use crate::ingest::json_fields::VendorAlert;
use crate::ingest::message::Message;
use crate::ingest::reading::{Reading, Reported, Start};
use crate::model::event::{AlertStatus, EndReason};
use crate::model::labels::Labels;

/// Maximum number of matching series in the annotation.
const MATCHES: usize = 10;
/// Maximum number of a rule's tags.
const TAGS: usize = 64;

pub(crate) fn webhook(body: &Value, message: &Message<'_>) -> Result<Reading, IngestFault> {
    let name = json_fields::required_text(
        body,
        "ruleName",
        "Grafana's legacy alerting always names its rule: check what changes the body in transit.",
    )?;
    let state = json_fields::required_text(
        body,
        "state",
        "It is one of alerting, ok, no_data, paused, pending.",
    )?;
    // The "Test" button of a notification channel.
    if name == "Test notification"
        && json_fields::text(body, "message")
            .is_some_and(|text| text.starts_with("Someone is testing the alert"))
    {
        return Ok(Reading::default());
    }
    let (status, end_reason) = match state.as_str() {
        "alerting" => (AlertStatus::Firing, EndReason::default()),
        "ok" => (AlertStatus::Resolved, EndReason::Recovered),
        "no_data" => (AlertStatus::Resolved, EndReason::NoData),
        "paused" => (AlertStatus::Resolved, EndReason::Muted),
        // It may fire yet, or was not evaluated.
        "pending" | "unknown" => return Ok(Reading::default()),
        other => {
            let advice = format!(
                "{:?} is not one of alerting, ok, no_data, paused, pending",
                json_fields::single_line(other)
            );
            return Err(json_fields::fault("state", advice).into());
        }
    };
    let name = json_fields::single_line(&name);
    let (labels, fault) = labels(body, &name);
    let told = VendorAlert {
        name,
        status,
        labels,
        annotations: annotations(body),
        severity: None,
        starts_at: message.now,
        ends_at: (status == AlertStatus::Resolved).then_some(message.now),
        end_reason,
        links: json_fields::link(body, "ruleUrl", "Panel")
            .into_iter()
            .collect(),
    };
    let mut reading = Reading::default();
    reading
        .reports
        .push(Reported::new(told.event(message), Start::Guessed));
    reading.faults.extend(fault);
    Ok(reading)
}

/// Labels that are the same in all messages about a rule.
fn labels(body: &Value, name: &str) -> (Labels, Option<MemberFault>) {
    let mut labels = Labels::new();
    let (mut fault, mut left) = (None, TAGS);
    match json_fields::value_at(body, "tags") {
        Some(Value::Object(tags)) => {
            for key in tags.keys() {
                // A key may hold dots, which is no path.
                let value = tags
                    .get(key)
                    .and_then(Value::as_str)
                    .map(json_fields::single_line)
                    .filter(|value| !value.is_empty());
                if let Some(value) = value.filter(|_| left > 0) {
                    left -= 1;
                    labels.insert(json_fields::single_line(key), value);
                }
            }
        }
        Some(_) => {
            fault = Some(json_fields::fault(
                "tags",
                "expected an object of strings; ignored",
            ));
        }
        None => {}
    }
    labels.insert("alertname".to_owned(), name.to_owned());
    for (key, path) in [("rule_id", "ruleId"), ("org_id", "orgId")] {
        labels.extend(
            json_fields::text_at(body, path)
                .map(|id| (key.to_owned(), json_fields::single_line(&id))),
        );
    }
    (labels, fault)
}

/// Annotations that may differ between messages.
fn annotations(body: &Value) -> Labels {
    let texts = [("summary", "title"), ("description", "message")];
    let mut annotations: Labels = texts
        .into_iter()
        .filter_map(|(key, path)| {
            Some((
                key.to_owned(),
                json_fields::prose(json_fields::text(body, path)?),
            ))
        })
        .collect();
    let matches = json_fields::value_at(body, "evalMatches")
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default();
    let mut told: Vec<String> = matches.iter().take(MATCHES).map(matching).collect();
    if matches.len() > MATCHES {
        told.push(format!("and {} more", matches.len() - MATCHES));
    }
    if !told.is_empty() {
        annotations.insert("matches".to_owned(), json_fields::prose(&told.join("; ")));
    }
    annotations
}

fn matching(series: &Value) -> String {
    let tags = json_fields::value_at(series, "tags").and_then(Value::as_object);
    let tags: Vec<String> = tags
        .into_iter()
        .flatten()
        .filter_map(|(name, value)| Some(format!("{name}={:?}", value.as_str()?)))
        .take(TAGS)
        .collect();
    let metric = json_fields::text(series, "metric").unwrap_or_default();
    let tags = if tags.is_empty() {
        String::new()
    } else {
        format!("{{{}}}", tags.join(", "))
    };
    let value = json_fields::text_at(series, "value")
        .map(|value| format!(" = {value}"))
        .unwrap_or_default();
    json_fields::single_line(&format!("{metric}{tags}{value}"))
}
