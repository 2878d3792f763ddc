//! Alertmanager's webhook, versions 3 and 4. What it sends (0.25.0, captured):
//!
//! ```json
//! {"receiver": "all\\.hooks \\(v1\\)", "status": "firing", "version": "4", "truncatedAlerts": 0,
//!  "groupKey": "{}/{alertname=~\".+\"}:{alertname=\"GroupTwo\"}", "externalURL": "http://vm:9893",
//!  "groupLabels": {"alertname": "GroupTwo"}, "commonAnnotations": {},
//!  "commonLabels": {"alertname": "GroupTwo", "severity": "critical"},
//!  "alerts": [
//!   {"status": "resolved", "startsAt": "2026-11-23T07:01:03.61733Z", "endsAt": "2026-11-23T07:01:09.623414Z",
//!    "labels": {"alertname": "GroupTwo", "instance": "a", "severity": "critical"},
//!    "annotations": {"summary": "…"}, "generatorURL": "http://prom:9090/graph?g0.expr=up", "fingerprint": "5ced2a5cf5e97111"},
//!   {"status": "firing", "startsAt": "2026-11-23T07:01:03.61733Z", "endsAt": "0001-01-01T00:00:00Z",
//!    "labels": {"alertname": "GroupTwo", "instance": "b", "severity": "critical"},
//!    "annotations": {"summary": "…"}, "generatorURL": "http://prom:9090/graph?g0.expr=up", "fingerprint": "09f1eea487f03c6e"}]}
//! ```
//!
//! Only `alerts[]` is read. The group's own status is computed after `max_alerts` has cut the list,
//! so it says `resolved` while an alert that was cut off fires; `commonLabels` change with the cut,
//! `groupKey` with the routing, and `fingerprint` differs from other views of the same alert.

use super::alert_group::{AlertGroup, Dialect};
use super::error::{IngestFault, expect_opening, json_fault};
use super::message::Headers;
use super::message::Message;
use super::reading::{Reading, RenewalFilter};
use crate::model::settings::LabelNames;
use crate::model::time::Time;

const DIALECT: Dialect = Dialect {
    link_title: "Alertmanager",
    is_ignored: |_| false,
    correct: |event| event,
};

/// Parses a webhook of the source called `source` into one event per alert.
///
/// A firing alert occurred at its `startsAt`, a resolved one at its `endsAt`. A resolved alert
/// without `endsAt` ended by `now`, for an unknown reason. An alert that cannot be parsed becomes a
/// [`super::error::MemberFault`] beside the events of the others.
///
/// # Errors
/// When the body as a whole is no such webhook.
pub(crate) fn webhook(
    body: &[u8],
    source: &str,
    names: &LabelNames,
    now: Time,
) -> Result<Reading, IngestFault> {
    news(
        &Message {
            source,
            headers: &Headers::default(),
            body,
            names,
            now,
        },
        &mut |_| false,
    )
}

/// Parses a message as [`webhook`] does, without repeats of known firing alerts; they are counted
/// in [`Reading::renewed`].
///
/// # Errors
/// When the body as a whole is no such webhook.
pub(crate) fn news(
    message: &Message<'_>,
    renewed: &mut RenewalFilter<'_>,
) -> Result<Reading, IngestFault> {
    const EXPECTED: &str = "the default body of Alertmanager's webhook";
    expect_opening(message.body, b'{', EXPECTED)?;
    let group: AlertGroup<'_> =
        serde_json::from_slice(message.body).map_err(|error| json_fault(&error, EXPECTED))?;
    let Some(version) = group.version else {
        return Err(IngestFault::Missing {
            field: "version",
            advice: "This is not the default body of Alertmanager's webhook: remove `payload` from the receiver's `webhook_configs`.",
        });
    };
    if !matches!(version.get().trim_matches('"'), "3" | "4") {
        return Err(IngestFault::Version {
            found: version.get().chars().take(20).collect(),
        });
    }
    let Some(alerts) = group.alerts else {
        return Err(IngestFault::Missing {
            field: "alerts",
            advice: "Alertmanager's webhook always has this list: check what changes the body in transit.",
        });
    };
    let mut reading = group.read(alerts, message, renewed, &DIALECT)?;
    reading.receiver = reading.receiver.map(|name| unquote(&name));
    Ok(reading)
}

/// Removes the regular-expression quoting that Alertmanager applies to receiver names.
fn unquote(quoted: &str) -> String {
    let mut name = String::with_capacity(quoted.len());
    let mut letters = quoted.chars().peekable();
    while let Some(letter) = letters.next() {
        match letters.next_if(|next| letter == '\\' && r"\.+*?()|[]{}^$".contains(*next)) {
            Some(meant) => name.push(meant),
            None => name.push(letter),
        }
    }
    name
}
