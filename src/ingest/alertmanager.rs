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
//! Only `alerts[]` counts. The group's own status is computed after `max_alerts` has cut the list, so that it says `resolved` while
//! an alert that was cut off fires; `commonLabels` change with the cut, `groupKey` with the routing, and `fingerprint` is not
//! what other views of the same alert have. `alerts[]` itself says all that is needed.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::member::{self, Place, Sent};
use super::replicas::Replicas;
use super::{IngestFault, Known, MemberFault, Reading, begins, not_readable};
use crate::model::Time;
use crate::model::event::AlertStatus;
use crate::model::settings::LabelNames;

/// The part of the body that is read; anything else may be there.
#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    version: Option<&'a RawValue>,
    #[serde(borrow)]
    alerts: Option<&'a RawValue>,
    #[serde(borrow)]
    receiver: Option<&'a RawValue>,
    #[serde(borrow, rename = "externalURL")]
    external_url: Option<&'a RawValue>,
    #[serde(borrow, rename = "truncatedAlerts")]
    truncated_alerts: Option<&'a RawValue>,
}

/// Reads a webhook of the source called `source`: one event an alert.
///
/// A firing alert happened at its `startsAt`, a resolved one at its `endsAt`. A resolved alert without `endsAt` has ended by `now`, and
/// why is unknown. An alert that cannot be read becomes a [`MemberFault`] beside the events of the others.
///
/// # Errors
/// When the body as a whole is no such webhook.
pub fn webhook(body: &[u8], source: &str, names: &LabelNames, now: Time) -> Result<Reading, IngestFault> {
    news(body, source, names, now, &mut |_| false)
}

/// As [`webhook`], without the firing alerts that `known` says only repeat what is known: [`Reading::renewed`] counts them.
///
/// # Errors
/// When the body as a whole is no such webhook.
pub fn news(body: &[u8], source: &str, names: &LabelNames, now: Time, known: &mut Known<'_>) -> Result<Reading, IngestFault> {
    const EXPECTED: &str = "the default body of Alertmanager's webhook";
    begins(body, b'{', EXPECTED)?;
    let body: Body<'_> = serde_json::from_slice(body).map_err(|error| not_readable(&error, EXPECTED))?;
    let Some(version) = body.version else {
        return Err(IngestFault::Missing {
            field: "version",
            advice: "This is not the default body of Alertmanager's webhook: take `payload` out of the receiver's `webhook_configs`.",
        });
    };
    if !matches!(version.get().trim_matches('"'), "3" | "4") {
        return Err(IngestFault::Version { found: version.get().chars().take(20).collect() });
    }
    let Some(alerts) = body.alerts else {
        return Err(IngestFault::Missing {
            field: "alerts",
            advice: "Alertmanager's webhook always has this list: look for what changes it on the way.",
        });
    };

    let string = |raw: Option<&RawValue>| raw.and_then(|raw| serde_json::from_str::<String>(raw.get()).ok());
    let home = string(body.external_url);
    let mut reading = Reading { receiver: string(body.receiver).map(|name| unquote(&name)), ..Reading::default() };
    let mut faults: Vec<MemberFault> = Vec::new();
    match body.truncated_alerts.map(|raw| serde_json::from_str(raw.get())) {
        Some(Ok(truncated)) => reading.truncated = truncated,
        Some(Err(_)) => faults.push(MemberFault {
            index: None,
            path: "truncatedAlerts".to_owned(),
            message: "a whole number, zero or more, belongs here; taken as 0".to_owned(),
        }),
        None => {}
    }
    let mut replicas = Replicas::default();
    faults.extend(member::each(alerts, "alerts", |place: Place, mut sent: Sent<'_>| {
        let of_replica = sent.drop_labels(&names.ignored);
        let episode = member::episode(&sent, place, now)?;
        if of_replica {
            replicas.note(reading.events.len());
        } else if episode.status == AlertStatus::Firing && sent.glimpse(None).is_some_and(|glimpse| known(&glimpse)) {
            reading.renewed += 1;
            return Ok(());
        }
        reading.events.push(member::event(sent, episode, home.as_deref().map(|url| ("Alertmanager", url)), source, names, now));
        Ok(())
    })?);
    replicas.fold(&mut reading);
    reading.faults = faults;
    Ok(reading)
}

/// Alertmanager sends a receiver's name quoted for use in a regular expression.
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
