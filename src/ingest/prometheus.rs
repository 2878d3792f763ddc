//! Alertmanager's `POST /api/v2/alerts`, so that Prometheus and all clients of Alertmanager can
//! send here. The body is a list:
//!
//! ```json
//! [{"labels": {"alertname": "CheckoutDown", "service": "checkout", "severity": "page"},
//!   "annotations": {"summary": "checkout down, value 0"}, "generatorURL": "http://prom:9090/graph?g0.expr=up",
//!   "startsAt": "2026-11-23T07:03:04.418Z", "endsAt": "2026-11-23T07:07:04.418Z"}]
//! ```
//!
//! Prometheus repeats each firing alert and promises, by an `endsAt` ahead, until when it will have said so again; a resolved alert has the
//! `endsAt` at which it ended. So `endsAt <= now` is resolved, and any other is the end of a lease.

use chrono::TimeDelta;

use super::alert_payload;
use super::alert_payload::{AlertList, AlertPayload, EpisodeTimes, RawList};
use super::error::{IngestFault, MemberFault, MemberPosition, expect_opening, json_fault};
use super::reading::{Reading, RenewalFilter, Reported, Start};
use crate::model::event::{AlertStatus, EndReason};
use crate::model::settings::LabelNames;
use crate::model::time::Time;

/// Alertmanager's default `resolve_timeout`: an alert without `endsAt` fires for this long.
const RESOLVE_TIMEOUT: TimeDelta = TimeDelta::minutes(5);

/// Parses alerts posted by `source`, with Alertmanager's defaults: `startsAt` is `now`, or `endsAt`
/// if that is earlier (and the start is [`Start::Guessed`]); `endsAt` is five minutes from `now`.
/// Unknown keys are ignored.
///
/// As in Alertmanager, good alerts beside bad ones count: keep the events, then answer 400 with the
/// `faults` if there are any. The same alerts sent again are the same events, so a corrected repeat
/// does no harm.
///
/// # Errors
/// When the body as a whole is no list.
pub(crate) fn alerts_v2(
    body: &[u8],
    source: &str,
    names: &LabelNames,
    now: Time,
) -> Result<Reading, IngestFault> {
    news_v2(body, source, names, now, &mut |_| false)
}

/// Parses alerts as [`alerts_v2`] does, without the firing alerts that `renewed` takes; they are
/// counted in [`Reading::renewed`].
///
/// # Errors
/// When the body as a whole is no list.
pub(crate) fn news_v2(
    body: &[u8],
    source: &str,
    names: &LabelNames,
    now: Time,
    renewed: &mut RenewalFilter<'_>,
) -> Result<Reading, IngestFault> {
    const EXPECTED: &str = "a list of alerts, as for Alertmanager's POST /api/v2/alerts";
    expect_opening(body, b'[', EXPECTED)?;
    let mut reading = Reading::default();
    let mut take = |mut sent: AlertPayload<'_>| {
        sent.drop_labels(&names.ignored);
        let episode = episode(&sent, now);
        let until = (episode.status == AlertStatus::Firing)
            .then(|| sent.ends_at.unwrap_or(now + RESOLVE_TIMEOUT));
        if until.is_some() && sent.alert_ref(until).is_some_and(|alert| renewed(&alert)) {
            reading.renewed += 1;
            return;
        }
        let start = Start::stated_if(sent.starts_at.is_some());
        reading.reports.push(Reported {
            event: alert_payload::event(sent, episode, None, source, names, now),
            lease: until,
            start,
            only_if_firing: false,
        });
    };
    let mut faults: Vec<MemberFault> = Vec::new();
    // One check of the whole body is cheaper than one a string.
    if let Some(AlertList(alerts)) = std::str::from_utf8(body)
        .ok()
        .and_then(|text| serde_json::from_str(text).ok())
    {
        alerts.into_iter().for_each(&mut take);
    } else {
        let RawList(alerts) =
            serde_json::from_slice(body).map_err(|error| json_fault(&error, EXPECTED))?;
        for (index, raw) in alerts.into_iter().enumerate() {
            let position = MemberPosition::in_list("", index);
            faults.extend(alert_payload::read(raw, position).map(&mut take).err());
        }
    }
    reading.faults = faults;
    Ok(reading)
}

fn episode(sent: &AlertPayload<'_>, now: Time) -> EpisodeTimes {
    let starts_at = sent
        .starts_at
        .unwrap_or_else(|| sent.ends_at.map_or(now, |ends_at| ends_at.min(now)));
    match sent.ends_at {
        Some(ends_at) if ends_at <= now => {
            let end_reason = alert_payload::end_reason(&sent.annotations);
            EpisodeTimes {
                status: AlertStatus::Resolved,
                starts_at,
                ends_at: Some(ends_at),
                end_reason,
            }
        }
        _ => EpisodeTimes {
            status: AlertStatus::Firing,
            starts_at,
            ends_at: None,
            end_reason: EndReason::default(),
        },
    }
}
