//! Datadog's webhook, with the payload that docs/sources/datadog.md gives. What comes of it:
//!
//! ```json
//! {"alert_id": "1234", "alert_cycle_key": "6389…", "alert_transition": "Triggered", "alert_priority": "P2", "aggreg_key": "9c1f…",
//!  "event_id": "75…", "title": "[Triggered on {host:web-1}] Checkout answers slowly", "msg": "p99 is above 2 s", "event_type": "query_alert_monitor",
//!  "date": "1795417263120", "last_updated": "1795417263120", "tags": "env:prod, service:checkout", "scope": "host:web-1",
//!  "link": "https://app.datadoghq.com/event/event?id=75"}
//! ```
//!
//! Every value is text. A variable without a value stays as written (`$ALERT_CYCLE_KEY`), is empty,
//! or is `null`. A cycle key identifies one episode of one group of a monitor, from the first
//! transition to the recovery; only the first transition states the start. Alert, warning and no
//! data are separate alerts here: a warning that becomes worse is news.
//!
//! Datadog's default payload has no state, so starts and ends cannot be distinguished.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::error::IngestFault;
use super::json_fields;
use super::json_fields::{VendorAlert, fault, object, prose, single_line, text_at};
use super::message::Message;
use super::reading::{Reading, Reported, Start};
use super::{labels, tags};
use crate::model::event::{AlertStatus, EndReason, Event, Fact, Note, Severity};
use crate::model::labels::{LabelSet, Labels};
use crate::model::time::Time;

const ADVICE: &str = "Give the webhook the payload of docs/sources/datadog.md, which states whether the alert begins or ends";

/// The level of a monitor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    Alert,
    Warning,
    NoData,
}

impl Level {
    const ALL: [Self; 3] = [Self::Alert, Self::Warning, Self::NoData];

    fn label(self) -> &'static str {
        match self {
            Self::Alert => "alert",
            Self::Warning => "warning",
            Self::NoData => "no data",
        }
    }
}

/// Reads a message.
///
/// # Errors
/// When it is neither a JSON object nor a form.
pub(crate) fn webhook(message: &Message<'_>) -> Result<Reading, IngestFault> {
    let body = body(message)?;
    let told = MonitorMessage {
        message,
        body: &body,
    };
    let title = told.text_field("title").unwrap_or_default();
    // A test sent from the monitor's edit page.
    if title.trim_start().starts_with("[TEST]") {
        return Ok(Reading::default());
    }
    let Some(transition) = told.text_field("alert_transition") else {
        let mut reading = told.note(&title);
        if text_at(&body, "alert_transition").is_none_or(|word| word.starts_with('$')) {
            reading
                .faults
                .push(fault("alert_transition", format!("missing. {ADVICE}.")));
        }
        return Ok(reading);
    };
    Ok(
        match transition
            .to_ascii_lowercase()
            .replace(['-', '_'], " ")
            .as_str()
        {
            "triggered" => told.on(Level::Alert, false),
            "re triggered" | "renotify" => told.on(Level::Alert, true),
            "warn" => told.on(Level::Warning, false),
            "re warn" => told.on(Level::Warning, true),
            "no data" => told.on(Level::NoData, false),
            "re no data" => told.on(Level::NoData, true),
            "recovered" => told.recovered(),
            _ => {
                let mut reading = told.note(&title);
                reading.faults.push(fault(
                    "alert_transition",
                    format!(
                        "`{}` is not a supported transition",
                        single_line(&transition)
                    ),
                ));
                reading
            }
        },
    )
}

/// The payload, sent as JSON or as a form whose fields are those of the object or contain it as a
/// whole.
fn body(message: &Message<'_>) -> Result<Value, IngestFault> {
    const EXPECTED: &str = "the object that docs/sources/datadog.md gives";
    let form = message.headers.text("content-type").is_some_and(|kind| {
        kind.to_ascii_lowercase()
            .starts_with("application/x-www-form-urlencoded")
    });
    if !form || message.body.trim_ascii_start().starts_with(b"{") {
        return object(message.body, EXPECTED);
    }
    let fields: Vec<(Cow<'_, str>, Cow<'_, str>)> =
        url::form_urlencoded::parse(message.body).collect();
    let whole = fields.iter().find(|(name, value)| {
        matches!(&**name, "payload" | "body") && value.trim_start().starts_with('{')
    });
    match whole {
        Some((_, whole)) => object(whole.as_bytes(), EXPECTED),
        None => Ok(Value::Object(
            fields
                .into_iter()
                .map(|(name, value)| (name.into_owned(), Value::String(value.into_owned())))
                .collect::<Map<_, _>>(),
        )),
    }
}

/// A message about a monitor.
struct MonitorMessage<'a> {
    message: &'a Message<'a>,
    body: &'a Value,
}

impl MonitorMessage<'_> {
    /// Reports the monitor at a level; `still` marks a repeated notification.
    fn on(&self, level: Level, still: bool) -> Reading {
        let mut reading = Reading::default();
        let at = self.event_time();
        // A milder or ended level was firing only if such an episode is open.
        let (over, reason): (&[Level], EndReason) = match level {
            Level::Alert => (&[Level::NoData], EndReason::Recovered),
            Level::Warning => (&[Level::NoData, Level::Alert], EndReason::Recovered),
            Level::NoData => (&[Level::Alert, Level::Warning], EndReason::NoData),
        };
        for over in over {
            self.end(&mut reading, *over, at, reason, true);
        }
        // The cycle key identifies episodes. Without it, only a repeat is known to refer to an open
        // one.
        let event = self.event(level, AlertStatus::Firing, at, EndReason::default());
        let start = Start::stated_if(!still && self.text_field("alert_cycle_key").is_none());
        reading.reports.push(Reported::new(event, start));
        reading
    }

    fn recovered(&self) -> Reading {
        let mut reading = Reading::default();
        for level in Level::ALL {
            // The first level is always reported: at least the monitor is healthy.
            self.end(
                &mut reading,
                level,
                self.event_time(),
                EndReason::Recovered,
                level != Level::Alert,
            );
        }
        reading
    }

    fn end(
        &self,
        reading: &mut Reading,
        level: Level,
        at: Time,
        reason: EndReason,
        only_if_firing: bool,
    ) {
        let event = self.event(level, AlertStatus::Resolved, at, reason);
        reading.reports.push(Reported {
            only_if_firing,
            ..Reported::new(event, Start::Guessed)
        });
    }

    fn event(&self, level: Level, status: AlertStatus, at: Time, end_reason: EndReason) -> Event {
        let told = VendorAlert {
            name: self.name(),
            status,
            labels: self.labels(level),
            annotations: self.annotations(),
            // An end is also reported of levels that were never reached, and must not raise the
            // severity.
            severity: Some(self.severity(if status == AlertStatus::Firing {
                level
            } else {
                Level::Warning
            })),
            starts_at: at,
            ends_at: (status == AlertStatus::Resolved).then_some(at),
            end_reason,
            links: json_fields::link(self.body, "link", "Datadog")
                .into_iter()
                .collect(),
        };
        let mut event = told.event(self.message);
        tags::place(&mut event, &self.tags(), self.message);
        event
    }

    /// A note for a message without a known state.
    fn note(&self, title: &str) -> Reading {
        let text = if title.is_empty() {
            self.text_field("body").unwrap_or_default()
        } else {
            title.to_owned()
        };
        if text.is_empty() {
            return Reading::default();
        }
        let service = tags::service(&self.tags(), self.message);
        Reading::from_iter(vec![json_fields::event(
            self.message,
            self.event_time(),
            service.as_deref(),
            Fact::Note(Note { text: prose(&text) }),
        )])
    }

    /// A value that Datadog filled in.
    fn text_field(&self, key: &str) -> Option<String> {
        let word = text_at(self.body, key)?;
        let unset = word == "null"
            || word.strip_prefix('$').is_some_and(|rest| {
                rest.bytes()
                    .all(|byte| byte.is_ascii_uppercase() || byte == b'_')
            });
        Some(word).filter(|_| !unset)
    }

    fn event_time(&self) -> Time {
        let times = ["date", "last_updated"]
            .into_iter()
            .filter_map(|key| self.text_field(key));
        times
            .filter_map(|text| tags::since_1970(&Value::String(text)))
            .next()
            .unwrap_or(self.message.now)
    }

    /// Labels that stay the same from the first transition to the recovery.
    fn labels(&self, level: Level) -> Labels {
        let monitor = self.text_field("alert_id").map(|id| single_line(&id));
        // A monitor may be renamed while it alerts.
        let name = monitor
            .as_ref()
            .map_or_else(|| self.name(), |id| format!("monitor {id}"));
        let mut labels = Labels::from([
            ("alertname".to_owned(), name),
            ("level".to_owned(), level.label().to_owned()),
        ]);
        labels.extend(monitor.map(|id| ("monitor".to_owned(), id)));
        let episode = ["alert_cycle_key", "scope"]
            .into_iter()
            .find_map(|key| Some((key, self.text_field(key)?)));
        labels.extend(episode.map(|(key, value)| (key.to_owned(), single_line(&value))));
        labels
    }

    /// The title without Datadog's prefixes: `[P2] [Triggered on {host:web-1}] `.
    fn name(&self) -> String {
        let title = self.text_field("title").unwrap_or_default();
        let mut rest = title.trim();
        while let Some((_, after)) = rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            rest = after.trim_start();
        }
        if !rest.is_empty() {
            return single_line(rest);
        }
        self.text_field("alert_id").map_or_else(
            || "Datadog".to_owned(),
            |id| format!("monitor {}", single_line(&id)),
        )
    }

    fn annotations(&self) -> Labels {
        let lines = ["alert_priority", "event_type", "scope", "tags"]
            .map(|key| (key, self.text_field(key).map(|text| single_line(&text))));
        let text = [(
            "description",
            self.text_field("msg").map(|text| prose(&text)),
        )];
        lines
            .into_iter()
            .chain(text)
            .filter_map(|(key, value)| Some((key.to_owned(), value?)))
            .collect()
    }

    fn tags(&self) -> LabelSet {
        let (tags, scope) = (
            self.text_field("tags").unwrap_or_default(),
            self.text_field("scope").unwrap_or_default(),
        );
        tags::tags(tags.split(',').chain(scope.split(','))).into()
    }

    /// Severity by the monitor's priority, at most a warning below the alert level. Datadog calls
    /// the alert's threshold critical.
    fn severity(&self, level: Level) -> Severity {
        let priority = self
            .text_field("alert_priority")
            .and_then(|label| labels::severity_word(&label, self.message.names));
        match level {
            Level::Alert => priority.unwrap_or(Severity::Critical),
            Level::Warning | Level::NoData => {
                priority.unwrap_or(Severity::Warning).min(Severity::Warning)
            }
        }
    }
}
