//! Opsgenie's outgoing webhook, and Jira Service Management's, which sends the same. One message an action:
//!
//! ```json
//! {"action": "Create", "integrationName": "afterword", "source": {"name": "web", "type": "API"},
//!  "alert": {"alertId": "8b3f…", "alias": "checkout-5xx", "message": "Checkout answers with 5xx", "entity": "checkout", "tinyId": "17",
//!            "tags": ["service:checkout"], "priority": "P1", "source": "prometheus", "username": "System",
//!            "createdAt": 1795417263120, "updatedAt": 1795417263120000110}}
//! ```
//!
//! `createdAt` counts milliseconds and `updatedAt` nanoseconds. `Create` may come late, when an
//! alert is escalated to a team only later; the alert still began at `createdAt`. Tags, text and
//! priority may change during an alert, and `details` come with `Create` only, so none of them is a
//! label. `Escalate` has nothing but the alert's id, which ties all events of an alert together.

use serde_json::Value;

use super::error::{IngestFault, MemberFault};
use super::json_fields;
use super::json_fields::{
    VendorAlert, actor, fault, object, prose, required_text, single_line, text, text_at,
};
use super::message::Message;
use super::reading::{Reading, Reported, Start};
use super::{labels, tags};
use crate::model::event::{
    Acknowledgement, Actor, ActorKind, AlertStatus, EndReason, Event, Fact, Note, Severity,
};
use crate::model::event_identity::alert_subject;
use crate::model::labels::{LabelSet, Labels};
use crate::model::time::Time;

/// Parses a message: start or end of the alert, an acknowledgement, or a note about another action.
///
/// # Errors
/// When it is not an action on an alert.
pub(crate) fn webhook(message: &Message<'_>) -> Result<Reading, IngestFault> {
    let body = object(message.body, "an action on an alert of Opsgenie")?;
    let action = required_text(
        &body,
        "action",
        "Opsgenie's webhook always has it: check what changes the body in transit.",
    )?;
    let id = single_line(&required_text(
        &body,
        "alert.alertId",
        "It identifies the alert.",
    )?);
    let mut faults = Vec::new();
    // A malformed time costs only itself.
    let mut time = |path: &str| {
        time(&body, path)
            .map_err(|fault| faults.push(fault))
            .ok()
            .flatten()
    };
    let (created, updated) = (time("alert.createdAt"), time("alert.updatedAt"));
    let about = AlertAction {
        message,
        body: &body,
        id,
        created,
        updated,
    };
    let read = match action.as_str() {
        "Create" => about.started(),
        "Close" => about.ends(EndReason::Recovered),
        "Delete" => about.ends(EndReason::Deleted),
        "Acknowledge" => about.acknowledged(),
        _ => about.noted(&action),
    };
    Ok(Reading { faults, ..read })
}

fn time(body: &Value, path: &str) -> Result<Option<Time>, MemberFault> {
    let Some(value) = json_fields::value_at(body, path) else {
        return Ok(None);
    };
    let read = tags::since_1970(value);
    read.map(Some).ok_or_else(|| {
        fault(
            path,
            "not a time; expected milliseconds or nanoseconds since 1970, as a whole number",
        )
    })
}

/// An action and its alert.
struct AlertAction<'a> {
    message: &'a Message<'a>,
    body: &'a Value,
    id: String,
    created: Option<Time>,
    /// Time of the action.
    updated: Option<Time>,
}

impl AlertAction<'_> {
    fn started(&self) -> Reading {
        let starts_at = self.created.or(self.updated).unwrap_or(self.message.now);
        let mut event = self.alert(AlertStatus::Firing, starts_at, None, EndReason::default());
        tags::place(&mut event, &self.tags(), self.message);
        if event.service.is_none() {
            event.service =
                text(self.body, "alert.entity").map(|entity| single_line(entity).into());
        }
        // The creator is mostly another program's integration, seldom who noticed.
        event.actor = None;
        self.one(event)
    }

    /// A person's `Close` counts as recovery; a person's `Delete` says nothing about the alert.
    fn ends(&self, reason: EndReason) -> Reading {
        let ends_at = self.updated.unwrap_or(self.message.now);
        let mut event = self.alert(
            AlertStatus::Resolved,
            self.created.unwrap_or(ends_at),
            Some(ends_at),
            reason,
        );
        tags::place(&mut event, &self.tags(), self.message);
        self.one(event)
    }

    /// An acknowledgement that refers to the alert.
    fn acknowledged(&self) -> Reading {
        let Some(created) = self.created else {
            return self.noted("Acknowledge");
        };
        let labels: LabelSet = self.labels().into();
        let fact = Fact::Acknowledgement(Acknowledgement {
            of: Some(alert_subject(&labels, created)),
        });
        Reading::from_iter(vec![tags::context_event(
            self.message,
            self.event_time(),
            None,
            None,
            self.actor(),
            fact,
        )])
    }

    fn noted(&self, action: &str) -> Reading {
        let service = tags::service(&self.tags(), self.message);
        let fact = Fact::Note(Note {
            text: self.words(action),
        });
        Reading::from_iter(vec![tags::context_event(
            self.message,
            self.event_time(),
            service.as_deref(),
            Some(self.key()),
            self.actor(),
            fact,
        )])
    }

    fn event_time(&self) -> Time {
        self.updated.unwrap_or(self.message.now)
    }

    fn alert(
        &self,
        status: AlertStatus,
        starts_at: Time,
        ends_at: Option<Time>,
        end_reason: EndReason,
    ) -> Event {
        let told = VendorAlert {
            name: self.name(),
            status,
            labels: self.labels(),
            annotations: self.annotations(),
            severity: Some(self.severity()),
            starts_at,
            ends_at,
            end_reason,
            links: Vec::new(),
        };
        let mut event = told.event(self.message);
        event.incident = Some(self.key().into());
        event.actor = self.actor();
        event
    }

    /// A report whose start is guessed without `createdAt`.
    fn one(&self, event: Event) -> Reading {
        let start = Start::stated_if(self.created.is_some());
        Reading {
            reports: vec![Reported::new(event, start)],
            ..Reading::default()
        }
    }

    /// The key common to all events of the alert.
    fn key(&self) -> String {
        format!("opsgenie:{}", self.id)
    }

    /// Labels that no action changes. An alias names an alert across its episodes, unless it
    /// repeats the id.
    fn labels(&self) -> Labels {
        let alias = text(self.body, "alert.alias").map_or_else(|| self.id.clone(), single_line);
        Labels::from([
            ("alert_id".to_owned(), self.id.clone()),
            ("alertname".to_owned(), alias),
        ])
    }

    fn name(&self) -> String {
        let names = ["alert.message", "alert.alias"]
            .into_iter()
            .find_map(|path| text(self.body, path));
        names.map_or_else(|| self.id.clone(), single_line)
    }

    fn annotations(&self) -> Labels {
        let lines = ["entity", "source", "tinyId", "priority"]
            .map(|name| (name, text_at(self.body, &format!("alert.{name}"))));
        let mut kept: Labels = lines
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), single_line(&value?))))
            .collect();
        kept.extend(
            text(self.body, "alert.description")
                .map(|text| ("description".to_owned(), prose(text))),
        );
        let tags = self.list("alert.tags").join(", ");
        if !tags.is_empty() {
            kept.insert("tags".to_owned(), single_line(&tags));
        }
        kept
    }

    /// Tags of the form `name:value`, and details.
    fn tags(&self) -> LabelSet {
        let mut tags = tags::tags(self.list("alert.tags"));
        if let Some(details) =
            json_fields::value_at(self.body, "alert.details").and_then(Value::as_object)
        {
            let details = details.iter().filter_map(|(name, value)| {
                Some((single_line(name), single_line(value.as_str()?)))
            });
            tags.extend(details.filter(|(name, value)| !name.is_empty() && !value.is_empty()));
        }
        tags.into()
    }

    fn list(&self, path: &str) -> Vec<&str> {
        let list = json_fields::value_at(self.body, path).and_then(Value::as_array);
        list.into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect()
    }

    /// `"P3"`, or 3.
    fn severity(&self) -> Severity {
        let Some(priority) = text_at(self.body, "alert.priority") else {
            return Severity::Unknown;
        };
        let priority = if priority.bytes().all(|byte| byte.is_ascii_digit()) {
            format!("P{priority}")
        } else {
            priority
        };
        labels::severity_word(&priority, self.message.names).unwrap_or_default()
    }

    fn actor(&self) -> Option<Box<Actor>> {
        let name = text(self.body, "alert.username")?;
        let robot = name == "System" || text(self.body, "integrationName") == Some(name);
        let kind = match text(self.body, "alert.userId") {
            _ if robot => ActorKind::Robot,
            Some(_) => ActorKind::Human,
            None => ActorKind::Unknown,
        };
        actor("opsgenie", name, kind)
    }

    /// A sentence about an action. Custom actions may have any name.
    fn words(&self, action: &str) -> String {
        let said = |path: &str| {
            text_at(self.body, path)
                .map(|word| single_line(&word))
                .filter(|word| !word.is_empty())
        };
        let with = |what: &str, path: &str| {
            said(path).map_or_else(|| what.to_owned(), |value| format!("{what}: {value}"))
        };
        match action {
            "AddNote" => {
                text(self.body, "alert.note").map_or_else(|| "A note was added".to_owned(), prose)
            }
            "Acknowledge" => "Acknowledged".to_owned(),
            "UnAcknowledge" => "The acknowledgement was taken back".to_owned(),
            "AddTags" => with("Tags were added", "alert.addedTags"),
            "RemoveTags" => with("Tags were removed", "alert.removedTags"),
            "AddTeam" => with("A team was added", "alert.team"),
            "AddRecipient" | "AddResponder" => with("A responder was added", "alert.recipient"),
            "AssignOwnership" => with("Assigned", "alert.owner"),
            "TakeOwnership" => "Ownership was taken".to_owned(),
            "Escalate" | "EscalateNext" => with("Escalated", "escalationName"),
            "UpdatePriority" => with("The priority was changed", "alert.priority"),
            "UpdateDescription" => "The description was changed".to_owned(),
            "UpdateMessage" => with("The message was changed", "alert.message"),
            "Snooze" => "Snoozed".to_owned(),
            "SnoozeEnded" => "The snooze ended".to_owned(),
            other => format!("Action: {}", single_line(other)),
        }
    }
}
