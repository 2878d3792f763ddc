//! The alerts and silences that an Alertmanager lists when polled. They reveal the ends that no
//! webhook reports: an alert that is silenced, inhibited or muted never sends `resolved`. Responses
//! (0.25.0, captured):
//!
//! ```json
//! [{"labels": {"alertname": "A", "severity": "critical"}, "annotations": {}, "receivers": [{"name": "x"}], "fingerprint": "09066144e4459257",
//!   "startsAt": "2026-11-25T12:00:00.123Z", "endsAt": "2026-11-25T12:41:22.142Z", "updatedAt": "2026-11-25T12:36:22.142Z",
//!   "status": {"state": "suppressed", "silencedBy": ["a7b03e63-8929-4400-a630-bddf2a5532b8"], "inhibitedBy": []}}]
//! [{"id": "a7b03e63-8929-4400-a630-bddf2a5532b8", "status": {"state": "active"}, "createdBy": "ada", "comment": "on it", "matchers": ["…"],
//!   "startsAt": "2026-11-25T12:36:22.170Z", "endsAt": "2026-11-25T13:36:22.167Z", "updatedAt": "2026-11-25T12:36:22.170Z"}]
//! {"uptime": "2026-11-25T12:36:20.658Z", "cluster": {"status": "disabled", "peers": []}}
//! ```
//!
//! Alerts that ended are not listed. `endsAt` is the time until which the sender promised to renew
//! the alert: one that disappears before then was resolved by its sender, one that disappears after
//! it was not renewed. The list is kept in memory only, so after a restart (`uptime` is the start
//! time) an absent alert means nothing until senders had time to report.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use chrono::{SubsecRound, TimeDelta};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::error::{IngestFault, MemberFault, expect_opening, json_fault};
use super::{json_fields, time};
use crate::model::event::{
    Acknowledgement, Actor, ActorKind, Alert, AlertStatus, EndReason, Event, Fact, Note,
};
use crate::model::id::{IncidentId, Subject};
use crate::model::labels::{LabelSet, Labels};
use crate::model::time::Time;

/// Time that senders get after a restart of an Alertmanager to report firing alerts again.
const STARTED: TimeDelta = TimeDelta::minutes(5);
/// Time that the webhook gets to report an end first: a default `group_interval` and a minute.
const WEBHOOK: TimeDelta = TimeDelta::minutes(6);

/// The response bodies of one poll.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct PollResponses {
    /// `/api/v2/status`, requested first.
    pub before: Vec<u8>,
    /// `/api/v2/alerts`
    pub alerts: Vec<u8>,
    /// `/api/v2/silences`
    pub silences: Vec<u8>,
    /// `/api/v2/status`, requested last.
    pub after: Vec<u8>,
}

/// An alert of the source in an incident.
#[derive(Debug, Clone)]
pub(crate) struct TrackedAlert {
    /// The incident.
    pub incident: IncidentId,
    /// The event that reported it as firing.
    pub event: Arc<Event>,
    /// Set while the alert counts as firing.
    pub on: bool,
    /// Time of the last report.
    pub last_seen: Time,
}

/// Time of a poll by both clocks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PollTime {
    /// Our clock.
    pub ours: Time,
    /// The Alertmanager's clock.
    pub theirs: Time,
}

/// The result of a poll.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct PollResult {
    /// Firing alerts whose lease is renewed.
    pub renewed: Vec<Subject>,
    /// Of these: until when their sender promised to renew them, and when it last did.
    pub promised: Vec<(Subject, Time, Time)>,
    /// The same of all other listed alerts, such as a watchdog, which is in no incident.
    pub listed: Vec<ListedRenewal>,
    /// New events.
    pub events: Vec<Event>,
}

/// The renewal of a listed alert that is not tracked.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ListedRenewal {
    /// Its labels, without those that only distinguish replicas.
    pub labels: LabelSet,
    /// Its start, cut to milliseconds.
    pub starts_at: Time,
    /// Time until which its sender promised to renew it.
    pub until: Time,
    /// Time of its sender's last report.
    pub reported_at: Time,
}

/// The state of one Alertmanager's lists between two polls.
#[derive(Debug, Clone, Default)]
pub(crate) struct AlertmanagerState {
    alerts: HashMap<Subject, LastListed>,
    /// Silences and inhibitions already reported, by incident.
    told: BTreeSet<(IncidentId, String)>,
}

/// The last listing of an alert.
#[derive(Debug, Clone)]
struct LastListed {
    /// Start time of the Alertmanager at that poll; `None` if the alert was not listed yet.
    up_since: Option<Time>,
    /// Time until which its sender promised to renew it.
    until: Time,
    /// Time of its sender's last report.
    spoken_at: Time,
    /// Set if no webhook will report its end.
    suppressed: bool,
    gone: Option<Disappearance>,
}

/// The end inferred when an alert disappeared.
#[derive(Debug, Clone, Copy)]
struct Disappearance {
    noticed: Time,
    ends_at: Time,
    reason: EndReason,
}

#[derive(Deserialize)]
struct RawAlert {
    labels: Labels,
    #[serde(rename = "startsAt")]
    starts_at: String,
    #[serde(rename = "endsAt")]
    ends_at: String,
    #[serde(rename = "updatedAt")]
    updated_at: String,
    fingerprint: Option<String>,
    status: RawState,
}

#[derive(Deserialize)]
struct RawState {
    state: Option<String>,
    #[serde(rename = "silencedBy")]
    silenced_by: Option<Vec<String>>,
    #[serde(rename = "inhibitedBy")]
    inhibited_by: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct RawSilence {
    id: String,
    #[serde(rename = "createdBy")]
    created_by: Option<String>,
    comment: Option<String>,
    #[serde(rename = "startsAt")]
    starts_at: String,
    #[serde(rename = "endsAt")]
    ends_at: String,
}

#[derive(Deserialize)]
struct RawStatus {
    uptime: Option<String>,
}

/// A listed alert.
struct ListedAlert {
    name: String,
    starts_at: Time,
    until: Time,
    spoken_at: Time,
    fingerprint: String,
    state: RawState,
}

/// The lists of a poll, indexed.
struct Snapshot {
    alerts: HashMap<LabelSet, Vec<ListedAlert>>,
    silences: BTreeMap<String, RawSilence>,
}

impl AlertmanagerState {
    /// Evaluates a poll. `held` are the alerts tracked before it, so that an alert that arrived
    /// during the poll is not taken for absent; `ignored` are labels that only distinguish
    /// replicas.
    ///
    /// # Errors
    /// When a response cannot be parsed as a whole: nothing is concluded from absence then.
    pub(crate) fn read(
        &mut self,
        answers: &PollResponses,
        held: &[TrackedAlert],
        source: &str,
        ignored: &[String],
        at: PollTime,
    ) -> Result<PollResult, IngestFault> {
        let (before, up_since) = (uptime(&answers.before)?, uptime(&answers.after)?);
        let found = Snapshot::read(answers, ignored)?;
        if before != up_since {
            // A restart in between: the lists may be of either process.
            return Ok(PollResult::default());
        }
        let mut looked = PollResult::default();
        let mut alerts = HashMap::with_capacity(held.len());
        for held in held {
            let Fact::Alert(alert) = &held.event.fact else {
                continue;
            };
            let before = self.alerts.remove(&held.event.subject);
            if let Some(listed) = found.alert(alert, !ignored.is_empty()) {
                if held.on {
                    looked.renewed.push(held.event.subject);
                    let promise = (held.event.subject, listed.until, listed.spoken_at);
                    looked.promised.push(promise);
                } else {
                    looked.events.push(Event::clone(&held.event));
                }
                looked
                    .events
                    .extend(self.hushed(held, alert, listed, &found, source, at));
                let suppressed = listed.state.state.as_deref() == Some("suppressed");
                let (until, spoken_at) = (listed.until, listed.spoken_at);
                alerts.insert(
                    held.event.subject,
                    LastListed {
                        up_since,
                        until,
                        spoken_at,
                        suppressed,
                        gone: None,
                    },
                );
            } else if held.on {
                let mut seen = before.unwrap_or_else(|| LastListed::never(held));
                match seen.over(up_since, at.theirs) {
                    Some(gone) => looked
                        .events
                        .push(ended(&held.event, alert, gone, source, at)),
                    None => drop(alerts.insert(held.event.subject, seen)),
                }
            }
        }
        self.alerts = alerts;
        looked.listed = found.untracked(held);
        let incidents: BTreeSet<&IncidentId> = held.iter().map(|held| &held.incident).collect();
        self.told
            .retain(|(incident, _)| incidents.contains(incident));
        Ok(looked)
    }

    /// Reports the silences and inhibitions of an alert once. A silence that began after the alert
    /// is an acknowledgement and hides nothing.
    fn hushed(
        &mut self,
        held: &TrackedAlert,
        alert: &Alert,
        listed: &ListedAlert,
        found: &Snapshot,
        source: &str,
        at: PollTime,
    ) -> Vec<Event> {
        let mut events = Vec::new();
        let mut tell = |occurred_at: Time, actor: Option<&str>, fact: Fact| {
            let mut event = Event::new(source, occurred_at.max(alert.starts_at), fact);
            event.actor = actor.and_then(|name| {
                let name = json_fields::single_line(name);
                (!name.is_empty()).then(|| {
                    Box::new(Actor {
                        id: format!("alertmanager:{name}"),
                        kind: ActorKind::Unknown,
                    })
                })
            });
            event.service.clone_from(&held.event.service);
            event.environment.clone_from(&held.event.environment);
            event.incident = Some((&*held.incident.0).into());
            event.identify();
            time::clamp(&mut event, at.ours);
            events.push(event);
        };
        for id in listed.state.silenced_by.iter().flatten() {
            let Some(silence) = found.silences.get(id) else {
                continue;
            };
            let (Ok(began), Ok(ends)) = (
                time::parse(&silence.starts_at),
                time::parse(&silence.ends_at),
            ) else {
                continue;
            };
            if !self
                .told
                .insert((held.incident.clone(), format!("silence {id}")))
            {
                continue;
            }
            let author = silence.created_by.as_deref();
            if began > alert.starts_at {
                tell(
                    began,
                    author,
                    Fact::Acknowledgement(Acknowledgement {
                        of: Some(held.event.subject),
                    }),
                );
            }
            let comment = silence
                .comment
                .as_deref()
                .map(json_fields::single_line)
                .filter(|comment| !comment.is_empty());
            let comment = comment
                .map(|comment| format!(": {comment}"))
                .unwrap_or_default();
            let text = format!(
                "{} is silenced in Alertmanager until {}{comment}",
                alert.name,
                ends.format("%Y-%m-%d %H:%M UTC")
            );
            tell(
                began,
                author,
                Fact::Note(Note {
                    text: json_fields::single_line(&text),
                }),
            );
        }
        for fingerprint in listed.state.inhibited_by.iter().flatten() {
            if !self.told.insert((
                held.incident.clone(),
                format!("inhibited {} by {fingerprint}", held.event.subject),
            )) {
                continue;
            }
            let by = found
                .alerts
                .values()
                .flatten()
                .find(|other| other.fingerprint == *fingerprint);
            let name = by.map_or("another alert", |other| other.name.as_str());
            let text = format!("{} is inhibited in Alertmanager by {name}", alert.name);
            tell(
                by.map_or(alert.starts_at, |other| other.starts_at),
                None,
                Fact::Note(Note {
                    text: json_fields::single_line(&text),
                }),
            );
        }
        events
    }
}

impl LastListed {
    /// A tracked alert that was not listed since the first poll.
    fn never(held: &TrackedAlert) -> Self {
        Self {
            up_since: None,
            until: held.last_seen,
            spoken_at: held.last_seen,
            suppressed: false,
            gone: None,
        }
    }

    /// The inferred end of an absent alert, once the webhook had its time.
    fn over(&mut self, up_since: Option<Time>, now: Time) -> Option<Disappearance> {
        // After a restart senders may not have reported yet.
        if up_since.is_some_and(|since| now - since < STARTED) && self.up_since != up_since {
            return None;
        }
        let same = up_since.is_some() && self.up_since == up_since;
        let gone = *self.gone.get_or_insert(match same {
            // Its sender resolved it before the renewal was due.
            true if now < self.until => Disappearance {
                noticed: now,
                ends_at: now,
                reason: EndReason::Recovered,
            },
            true => Disappearance {
                noticed: now,
                ends_at: self.spoken_at,
                reason: EndReason::SourceLost,
            },
            false => Disappearance {
                noticed: now,
                ends_at: self.spoken_at,
                reason: EndReason::Unknown,
            },
        });
        (self.suppressed || now - gone.noticed >= WEBHOOK).then_some(gone)
    }
}

impl Snapshot {
    fn read(answers: &PollResponses, ignored: &[String]) -> Result<Self, IngestFault> {
        let mut alerts: HashMap<LabelSet, Vec<ListedAlert>> = HashMap::new();
        for (index, raw) in list::<RawAlert>(
            &answers.alerts,
            "a list of alerts, as Alertmanager's GET /api/v2/alerts answers",
        )?
        .into_iter()
        .enumerate()
        {
            let instant = |field: &str, text: &str| {
                time::parse(text).map_err(|message| MemberFault {
                    index: Some(index),
                    path: format!("[{index}].{field}"),
                    message,
                })
            };
            let name = raw
                .labels
                .get("alertname")
                .map(|name| json_fields::single_line(name))
                .unwrap_or_default();
            let listed = ListedAlert {
                name,
                starts_at: instant("startsAt", &raw.starts_at)?,
                until: instant("endsAt", &raw.ends_at)?,
                spoken_at: instant("updatedAt", &raw.updated_at)?,
                fingerprint: raw.fingerprint.unwrap_or_default(),
                state: raw.status,
            };
            let kept = raw
                .labels
                .into_iter()
                .filter(|(name, value)| !value.is_empty() && !ignored.contains(name));
            alerts.entry(kept.collect()).or_default().push(listed);
        }
        let silences = list::<RawSilence>(
            &answers.silences,
            "a list of silences, as Alertmanager's GET /api/v2/silences answers",
        )?;
        Ok(Self {
            alerts,
            silences: silences
                .into_iter()
                .map(|silence| (silence.id.clone(), silence))
                .collect(),
        })
    }

    /// The renewals of listed alerts of which none with the same labels is tracked.
    fn untracked(&self, held: &[TrackedAlert]) -> Vec<ListedRenewal> {
        let tracked: HashSet<&LabelSet> = held
            .iter()
            .filter_map(|held| match &held.event.fact {
                Fact::Alert(alert) => Some(&alert.labels),
                _ => None,
            })
            .collect();
        let others = self
            .alerts
            .iter()
            .filter(|(labels, _)| !tracked.contains(labels));
        others
            .flat_map(|(labels, listed)| {
                listed.iter().map(|listed| ListedRenewal {
                    labels: labels.clone(),
                    starts_at: listed.starts_at,
                    until: listed.until,
                    reported_at: listed.spoken_at,
                })
            })
            .collect()
    }

    /// Finds a tracked alert among those listed, whose starts are cut to milliseconds. Of replicas,
    /// any matches.
    fn alert(&self, alert: &Alert, of_replicas: bool) -> Option<&ListedAlert> {
        let same = |listed: &&ListedAlert| {
            listed.starts_at.trunc_subsecs(3) == alert.starts_at.trunc_subsecs(3)
        };
        let all = self.alerts.get(&alert.labels)?;
        all.iter()
            .find(same)
            .or_else(|| all.first().filter(|_| of_replicas))
    }
}

/// The event for the end of an alert that disappeared.
fn ended(event: &Event, alert: &Alert, gone: Disappearance, source: &str, at: PollTime) -> Event {
    let ends_at = gone.ends_at.max(alert.starts_at);
    let fact = Fact::Alert(Alert {
        status: AlertStatus::Resolved,
        ends_at: Some(ends_at),
        end_reason: gone.reason,
        seen_again: None,
        borrowed_end: false,
        ..alert.clone()
    });
    let mut ended = Event {
        occurred_at: ends_at,
        source: source.into(),
        clamped: false,
        start_bounds: None,
        fact,
        ..event.clone()
    };
    ended.identify();
    time::clamp(&mut ended, at.ours);
    ended
}

/// The start time of the Alertmanager, if stated.
fn uptime(body: &[u8]) -> Result<Option<Time>, IngestFault> {
    const EXPECTED: &str = "an object, as Alertmanager's GET /api/v2/status answers";
    expect_opening(body, b'{', EXPECTED)?;
    let status: RawStatus =
        serde_json::from_slice(body).map_err(|error| json_fault(&error, EXPECTED))?;
    Ok(status.uptime.and_then(|text| time::parse(&text).ok()))
}

fn list<T: DeserializeOwned>(body: &[u8], expected: &'static str) -> Result<Vec<T>, IngestFault> {
    expect_opening(body, b'[', expected)?;
    serde_json::from_slice(body).map_err(|error| json_fault(&error, expected))
}

#[cfg(test)]
mod tests;
