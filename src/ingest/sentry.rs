//! Sentry's integration platform. Only the header `Sentry-Hook-Resource` states the subject of a
//! message:
//!
//! ```text
//! Sentry-Hook-Resource: metric_alert
//! Sentry-Hook-Timestamp: 1795417263
//!
//! {"action": "critical", "actor": {"type": "application", "id": "sentry", "name": "Sentry"}, "installation": {"uuid": "24b3…"},
//!  "data": {"description_title": "Critical: Failed checkouts", "description_text": "1200 events in the last minute",
//!           "web_url": "https://sentry.example/alerts/12/",
//!           "metric_alert": {"id": "12", "title": "Amused Otter", "status": 20, "date_started": "2026-11-23T07:00:00Z", "date_closed": null,
//!                            "alert_rule": {"id": "7", "name": "Failed checkouts"}, "projects": ["checkout"]}}}
//! ```
//!
//! A metric alert has two levels, each a separate alert here: a warning that becomes critical is
//! news, and so is the way back. `date_started` is the start of the first level. The hook's time is
//! when the message was made, the only time of an end, since `date_closed` is null even then.
//!
//! An issue is an error in a program, seldom an outage, and so at most a warning. Sentry resolves
//! issues that were not seen for some time and archives unwanted ones: neither is a recovery. An
//! issue alert states that its rule matched, never that it stopped matching: it holds for an hour,
//! and is unknown afterwards.

use chrono::TimeDelta;
use serde_json::Value;

use super::error::{IngestFault, MemberFault};
use super::json_fields;
use super::json_fields::{
    VendorAlert, actor, fault, instant, object, prose, required_text, single_line, text, text_at,
    value_at,
};
use super::message::Message;
use super::reading::{Reading, Reported, Start};
use super::tags;
use crate::model::event::{Actor, ActorKind, AlertStatus, EndReason, Event, Fact, Note, Severity};
use crate::model::labels::{LabelSet, Labels};
use crate::model::time::Time;

/// Lease of an issue alert. By default its rule acts at most every half hour.
const HOLDS: TimeDelta = TimeDelta::hours(1);

/// Parses a message. Anything but alerts, issues and comments is ignored.
///
/// # Errors
/// When it is not a message of the integration platform.
pub(crate) fn webhook(message: &Message<'_>) -> Result<Reading, IngestFault> {
    let body = object(message.body, "a message of Sentry's integration platform")?;
    let hook = Hook {
        message,
        body: &body,
    };
    // A gateway may have removed the header; the content identifies most messages.
    let inside = || {
        let about = [
            ("data.metric_alert", "metric_alert"),
            ("data.issue", "issue"),
            ("data.event", "event_alert"),
            ("data.comment", "comment"),
        ];
        about
            .into_iter()
            .find(|(path, _)| value_at(&body, path).is_some())
            .map(|(_, resource)| resource)
    };
    let Some(resource) = message.headers.text("sentry-hook-resource").or_else(inside) else {
        if value_at(&body, "data").is_some() || value_at(&body, "installation").is_some() {
            return Ok(Reading::default());
        }
        let advice = "This is not a message of Sentry's integration platform. The older plugin `WebHooks` is not supported; create an internal integration instead.";
        return Err(IngestFault::Missing {
            field: "data",
            advice,
        });
    };
    Ok(match resource {
        "metric_alert" => hook.metric_alert()?,
        "issue" => hook.issue()?,
        "event_alert" => hook.event_alert()?,
        "comment" => hook.comment()?,
        _ => Reading::default(),
    })
}

struct Hook<'a> {
    message: &'a Message<'a>,
    body: &'a Value,
}

/// The properties of an alert independent of its status.
struct AlertTemplate {
    name: String,
    labels: Labels,
    annotations: Labels,
    severity: Severity,
    link: &'static str,
    project: Option<String>,
    environment: Option<String>,
}

impl Hook<'_> {
    fn metric_alert(&self) -> Result<Reading, MemberFault> {
        let id = single_line(&required_text(
            self.body,
            "data.metric_alert.id",
            "It identifies the alert.",
        )?);
        let rule = [
            "data.metric_alert.alert_rule.name",
            "data.description_title",
            "data.metric_alert.title",
        ];
        let name = rule
            .into_iter()
            .find_map(|path| text(self.body, path))
            .map_or_else(|| format!("metric alert {id}"), single_line);
        let mut reading = Reading::default();
        let began = self.time_field(&mut reading, "data.metric_alert.date_started");
        let told_at = self.told_at();
        let projects = value_at(self.body, "data.metric_alert.projects").and_then(Value::as_array);
        let projects: Vec<&str> = projects
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        // With several projects, none is the service.
        let project = if let [project] = projects[..] {
            Some(single_line(project))
        } else {
            None
        };
        let sketch = |level: &str, severity| AlertTemplate {
            name: name.clone(),
            // A renamed rule keeps its id.
            labels: Labels::from([
                (
                    "alertname".to_owned(),
                    text_at(self.body, "data.metric_alert.alert_rule.id").map_or_else(
                        || name.clone(),
                        |id| format!("alert rule {}", single_line(&id)),
                    ),
                ),
                ("metric_alert".to_owned(), id.clone()),
                ("level".to_owned(), level.to_owned()),
            ]),
            annotations: self.annotations(&[
                ("summary", "data.description_title"),
                ("description", "data.description_text"),
                ("codename", "data.metric_alert.title"),
            ]),
            severity,
            link: "data.web_url",
            project: project.clone(),
            environment: text(self.body, "data.metric_alert.alert_rule.environment")
                .map(single_line),
        };
        let (critical, warning) = (
            sketch("critical", Severity::Critical),
            sketch("warning", Severity::Warning),
        );
        match self.action()? {
            // It may have been a warning since `date_started`.
            "critical" => {
                self.report_firing(&mut reading, critical, told_at.or(began), Start::Guessed);
            }
            "warning" => {
                self.report_end(&mut reading, critical, told_at, EndReason::Recovered, true);
                let start = Start::stated_if(began.is_some());
                self.report_firing(&mut reading, warning, began.or(told_at), start);
            }
            "resolved" => {
                let closed = self
                    .time_field(&mut reading, "data.metric_alert.date_closed")
                    .or(told_at);
                self.report_end(&mut reading, critical, closed, EndReason::Recovered, false);
                self.report_end(&mut reading, warning, closed, EndReason::Recovered, true);
            }
            _ => {}
        }
        Ok(reading)
    }

    fn issue(&self) -> Result<Reading, MemberFault> {
        let id = single_line(&required_text(
            self.body,
            "data.issue.id",
            "It identifies the issue.",
        )?);
        let name =
            text(self.body, "data.issue.title").map_or_else(|| format!("issue {id}"), single_line);
        let severe = text(self.body, "data.issue.priority") == Some("high")
            || text(self.body, "data.issue.level") == Some("fatal");
        let sketch = AlertTemplate {
            name,
            labels: Labels::from([
                ("alertname".to_owned(), format!("issue {id}")),
                ("issue".to_owned(), id),
            ]),
            annotations: self.annotations(&[
                ("culprit", "data.issue.culprit"),
                ("short_id", "data.issue.shortId"),
                ("level", "data.issue.level"),
                ("priority", "data.issue.priority"),
                ("substatus", "data.issue.substatus"),
            ]),
            severity: if severe {
                Severity::Warning
            } else {
                Severity::Info
            },
            link: if text(self.body, "data.issue.web_url").is_some() {
                "data.issue.web_url"
            } else {
                "data.issue.permalink"
            },
            project: text(self.body, "data.issue.project.slug").map(single_line),
            environment: None,
        };
        let mut reading = Reading::default();
        match self.action()? {
            "created" => {
                let first = self.time_field(&mut reading, "data.issue.firstSeen");
                self.report_firing(
                    &mut reading,
                    sketch,
                    first.or(self.told_at()),
                    Start::stated_if(first.is_some()),
                );
            }
            // Seen again, or reopened by a person.
            "unresolved" => {
                let when = if self.is_application() {
                    self.time_field(&mut reading, "data.issue.lastSeen")
                        .or(self.told_at())
                } else {
                    self.told_at()
                };
                self.report_firing(&mut reading, sketch, when, Start::stated_if(when.is_some()));
            }
            "resolved" => {
                let reason = if self.is_application() || !self.is_resolved_now() {
                    EndReason::Unknown
                } else {
                    EndReason::Recovered
                };
                self.report_end(&mut reading, sketch, self.told_at(), reason, false);
            }
            "archived" | "ignored" => self.report_end(
                &mut reading,
                sketch,
                self.told_at(),
                EndReason::Muted,
                false,
            ),
            "assigned" => {
                let to = ["data.issue.assignedTo.name", "data.issue.assignedTo.email"]
                    .into_iter()
                    .find_map(|path| text(self.body, path));
                let to = to
                    .map(|to| format!(" to {}", single_line(to)))
                    .unwrap_or_default();
                reading = self.note(
                    &format!("The issue \"{}\" was assigned{to}", sketch.name),
                    sketch.project.as_deref(),
                    self.told_at(),
                );
            }
            _ => {}
        }
        Ok(reading)
    }

    fn event_alert(&self) -> Result<Reading, MemberFault> {
        if self.action()? != "triggered" {
            return Ok(Reading::default());
        }
        let rule = ["data.triggered_rule", "data.issue_alert.title"]
            .into_iter()
            .find_map(|path| text(self.body, path));
        let issue = text_at(self.body, "data.event.issue_id")
            .or_else(|| text_at(self.body, "data.event.issue"));
        let title = ["data.event.title", "data.event.message"]
            .into_iter()
            .find_map(|path| text(self.body, path));
        let Some(name) = rule.or(title).map(single_line) else {
            return Err(fault(
                "data.triggered_rule",
                "missing, and so is the event's title; one of them must name the alert",
            ));
        };
        let tags = self.tags();
        let named = |key: &str| tags.get(key).map(str::to_owned);
        let mut labels = Labels::from([("alertname".to_owned(), name.clone())]);
        labels.extend(issue.map(|issue| ("issue".to_owned(), single_line(&issue))));
        let fatal = text(self.body, "data.event.level") == Some("fatal");
        let sketch = AlertTemplate {
            name,
            labels,
            annotations: self.annotations(&[
                ("summary", "data.event.title"),
                ("culprit", "data.event.culprit"),
                ("level", "data.event.level"),
            ]),
            severity: if fatal {
                Severity::Warning
            } else {
                Severity::Info
            },
            link: "data.event.web_url",
            project: text(self.body, "data.event.project_slug")
                .or_else(|| self.project_in_url())
                .map(single_line),
            environment: text(self.body, "data.event.environment")
                .map(single_line)
                .or_else(|| named("environment")),
        };
        let mut reading = Reading::default();
        let when = self.time_field(&mut reading, "data.event.datetime");
        // The rule matches repeatedly during one episode.
        self.report_firing(
            &mut reading,
            sketch,
            when.or(self.told_at()),
            Start::Guessed,
        );
        if let Some(report) = reading.reports.first_mut() {
            tags::place(&mut report.event, &tags, self.message);
            report.lease = Some(self.message.now + HOLDS);
        }
        Ok(reading)
    }

    fn comment(&self) -> Result<Reading, MemberFault> {
        let (Some(comment), "created" | "updated") =
            (text(self.body, "data.comment"), self.action()?)
        else {
            return Ok(Reading::default());
        };
        let mut odd = Reading::default();
        let when = self
            .time_field(&mut odd, "data.timestamp")
            .or(self.told_at());
        let note = self.note(comment, text(self.body, "data.project_slug"), when);
        Ok(Reading {
            faults: odd.faults,
            ..note
        })
    }

    fn report_firing(
        &self,
        reading: &mut Reading,
        sketch: AlertTemplate,
        when: Option<Time>,
        start: Start,
    ) {
        let event = self.alert(sketch, AlertStatus::Firing, when, EndReason::default());
        reading.reports.push(Reported::new(event, start));
    }

    /// Reports an end, whose message does not state the start.
    fn report_end(
        &self,
        reading: &mut Reading,
        sketch: AlertTemplate,
        when: Option<Time>,
        reason: EndReason,
        only_if_firing: bool,
    ) {
        // An end is also reported of a level that was never reached, and must not raise the
        // severity.
        let sketch = AlertTemplate {
            severity: sketch.severity.min(Severity::Warning),
            ..sketch
        };
        let mut event = self.alert(sketch, AlertStatus::Resolved, when, reason);
        event.actor = self.actor();
        reading.reports.push(Reported {
            only_if_firing,
            ..Reported::new(event, Start::Guessed)
        });
    }

    fn alert(
        &self,
        sketch: AlertTemplate,
        status: AlertStatus,
        when: Option<Time>,
        end_reason: EndReason,
    ) -> Event {
        let when = when.unwrap_or(self.message.now);
        let told = VendorAlert {
            name: sketch.name,
            status,
            labels: sketch.labels,
            annotations: sketch.annotations,
            severity: Some(sketch.severity),
            starts_at: when,
            ends_at: (status == AlertStatus::Resolved).then_some(when),
            end_reason,
            links: json_fields::link(self.body, sketch.link, "Sentry")
                .into_iter()
                .collect(),
        };
        let mut event = told.event(self.message);
        event.service = sketch.project.map(Into::into);
        event.environment = sketch
            .environment
            .map(|word| super::labels::environment_word(&word).into());
        event
    }

    fn note(&self, text: &str, project: Option<&str>, when: Option<Time>) -> Reading {
        let fact = Fact::Note(Note { text: prose(text) });
        let event = tags::context_event(
            self.message,
            when.unwrap_or(self.message.now),
            project,
            None,
            self.actor(),
            fact,
        );
        Reading::from_iter([event])
    }

    /// The time at a path; a malformed one is a fault and costs only itself.
    fn time_field(&self, reading: &mut Reading, path: &str) -> Option<Time> {
        instant(self.body, path).unwrap_or_else(|fault| {
            reading.faults.push(fault);
            None
        })
    }

    fn action(&self) -> Result<&str, MemberFault> {
        text(self.body, "action").ok_or_else(|| {
            fault(
                "action",
                "missing. Sentry always has it: check what changes the body in transit",
            )
        })
    }

    /// Time of the message by its header, which is not signed.
    fn told_at(&self) -> Option<Time> {
        let text = self.message.headers.text("sentry-hook-timestamp")?;
        tags::since_1970(&Value::String(text.to_owned()))
    }

    fn is_application(&self) -> bool {
        text(self.body, "actor.type") == Some("application")
    }

    /// Tests that the resolution is not tied to a future release or commit.
    fn is_resolved_now(&self) -> bool {
        let later = ["inNextRelease", "inRelease", "inCommit"];
        let later = later
            .into_iter()
            .any(|key| value_at(self.body, &format!("data.issue.statusDetails.{key}")).is_some());
        !later
            && text(self.body, "data.resolution_type")
                .is_none_or(|kind| matches!(kind, "now" | "unresolved"))
    }

    fn actor(&self) -> Option<Box<Actor>> {
        let kind = match text(self.body, "actor.type") {
            Some("user") => ActorKind::Human,
            Some("application") => ActorKind::Robot,
            _ => ActorKind::Unknown,
        };
        let name = ["actor.name", "actor.id"]
            .into_iter()
            .find_map(|path| text_at(self.body, path))?;
        actor("sentry", &name, kind)
    }

    /// The project's slug from the event's URL: `/projects/ORGANISATION/PROJECT/events/…`.
    fn project_in_url(&self) -> Option<&str> {
        let (_, rest) = text(self.body, "data.event.url")?.split_once("/projects/")?;
        rest.split('/').nth(1).filter(|slug| !slug.is_empty())
    }

    fn annotations(&self, named: &[(&str, &str)]) -> Labels {
        let read =
            |(name, path): &(&str, &str)| Some(((*name).to_owned(), prose(text(self.body, path)?)));
        named.iter().filter_map(read).collect()
    }

    /// An event's tags, sent as pairs.
    fn tags(&self) -> LabelSet {
        let list = value_at(self.body, "data.event.tags").and_then(Value::as_array);
        let pairs = list.into_iter().flatten().filter_map(|pair| {
            Some((
                single_line(pair.get(0)?.as_str()?),
                single_line(pair.get(1)?.as_str()?),
            ))
        });
        pairs
            .filter(|(name, value)| !name.is_empty() && !value.is_empty())
            .collect::<Labels>()
            .into()
    }
}
