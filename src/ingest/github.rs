//! GitHub's webhooks: deployments that succeeded or failed, and workflows that people start by hand. What it sends for a deployment
//! (made; the event's name comes in the header `X-GitHub-Event`):
//!
//! ```json
//! {"action": "created",
//!  "deployment_status": {"id": 9001, "state": "success", "description": "", "environment": "production", "target_url": "https://ci.example.com/77",
//!   "creator": {"login": "ada", "type": "User"}, "created_at": "2026-11-23T11:40:55Z"},
//!  "deployment": {"id": 4711, "sha": "f95f852bd8fca8fcc58a9a2d6c842781e32a215e", "ref": "main", "task": "deploy", "payload": {},
//!   "environment": "production", "production_environment": true, "creator": {"login": "ada", "type": "User"}, "created_at": "2026-11-23T11:38:53Z"},
//!  "repository": {"full_name": "shop/checkout", "name": "checkout"}, "sender": {"login": "ada", "type": "User"}}
//! ```
//!
//! A form contains the same JSON in its field `payload`. A deployment is marked as a rollback only
//! by its `task`, by custom; a repeated sha is detected where changes are judged.

use std::borrow::Cow;

use serde_json::Value;

use super::error::{IngestFault, MemberFault};
use super::json_fields;
use super::json_fields::{fault, required_text, single_line, text, text_at, value_at};
use super::message::Message;
use super::reading::Reading;
use super::{service_mapping, time};
use crate::model::event::{Actor, ActorKind, Change, Event, Fact, Intervention, Note};
use crate::model::source::ServiceMapping;
use crate::model::time::Time;

/// Parses a message. Pings, pushes and other events give nothing.
///
/// # Errors
/// When the body is not a GitHub event, or lacks a required field.
pub(crate) fn webhook(
    message: &Message<'_>,
    naming: &ServiceMapping,
) -> Result<Reading, IngestFault> {
    let body = json_fields::object(&json(message), "the body of a GitHub webhook")?;
    let kind = message
        .headers
        .text("x-github-event")
        .or_else(|| guessed(&body));
    let event = match kind {
        Some("deployment_status") => deployment(message, naming, &body)?,
        Some("workflow_run") => run(message, naming, &body)?,
        Some("workflow_dispatch") => dispatch(message, naming, &body),
        Some(_) => None,
        None => {
            return Err(IngestFault::Missing {
                field: "X-GitHub-Event",
                advice: "GitHub names the event in this header: check what removes it in transit.",
            });
        }
    };
    Ok(event.into_iter().collect())
}

/// The JSON, extracted from a form if necessary.
fn json<'a>(message: &Message<'a>) -> Cow<'a, [u8]> {
    let form = message
        .headers
        .text("content-type")
        .is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
    if !form && !message.body.starts_with(b"payload=") {
        return Cow::Borrowed(message.body);
    }
    let payload = form_urlencoded::parse(message.body)
        .find(|(name, _)| name == "payload")
        .map(|(_, value)| value.into_owned());
    Cow::Owned(payload.unwrap_or_default().into_bytes())
}

/// The event's name judged by its fields, if the header was lost.
fn guessed(body: &Value) -> Option<&'static str> {
    let has = |key: &str| value_at(body, key).is_some();
    match () {
        () if has("deployment_status") => Some("deployment_status"),
        () if has("workflow_run") => Some("workflow_run"),
        () if has("inputs") && has("workflow") => Some("workflow_dispatch"),
        () if has("zen") && has("hook") => Some("ping"),
        () => None,
    }
}

/// A finished deployment.
fn deployment(
    message: &Message<'_>,
    naming: &ServiceMapping,
    body: &Value,
) -> Result<Option<Event>, MemberFault> {
    let state = required_text(
        body,
        "deployment_status.state",
        "Expected `success`, `failure`, … as GitHub sends it.",
    )?;
    let succeeded = state == "success";
    // GitHub sets `inactive` on deployments that a later one replaces.
    if !succeeded && !matches!(state.as_str(), "failure" | "error") {
        return Ok(None);
    }
    let id = required_text(body, "deployment.id", "It identifies the deployment.")?;
    let named = text(body, "deployment.environment")
        .or_else(|| text(body, "deployment_status.environment"));
    let production =
        value_at(body, "deployment.production_environment") == Some(&Value::Bool(true));
    let environment = if production {
        Some("production")
    } else {
        named
    };
    let title = format!(
        "Deployment {id} of {} to {}",
        text(body, "deployment.ref").unwrap_or("a commit"),
        named.unwrap_or("an environment")
    );
    let fact = if succeeded {
        let task = text(body, "deployment.task").unwrap_or_default();
        Fact::Change(Change {
            what: if task.eq_ignore_ascii_case("rollback") {
                "rollback"
            } else {
                "deploy"
            }
            .to_owned(),
            title: single_line(&title),
            revision: text(body, "deployment.sha").map(single_line),
            line: text(body, "repository.full_name")
                .map(|name| single_line(&format!("github {name}"))),
        })
    } else {
        let why = text(body, "deployment_status.description")
            .map(|why| format!(": {why}"))
            .unwrap_or_default();
        Fact::Note(Note {
            text: single_line(&format!("{title} failed{why}")),
        })
    };
    let at = occurred_at(
        body,
        &[
            "deployment_status.created_at",
            "deployment_status.updated_at",
            "deployment.updated_at",
        ],
    )?;
    let mut event = event(message, naming, body, (at, fact, environment));
    // A failed deployment is a note without an author.
    if succeeded {
        event.actor =
            actor(body, "deployment.creator").or_else(|| actor(body, "deployment_status.creator"));
    }
    let addresses = [
        ("deployment_status.log_url", "Log"),
        ("deployment_status.target_url", "Deployment"),
    ];
    event.links = addresses
        .iter()
        .find_map(|(path, title)| json_fields::link(body, path, title))
        .into_iter()
        .collect();
    Ok(Some(identified(event, message)))
}

/// A workflow that a person started or re-ran. It is sent when requested, started and completed,
/// with the same content each time.
fn run(
    message: &Message<'_>,
    naming: &ServiceMapping,
    body: &Value,
) -> Result<Option<Event>, MemberFault> {
    let attempt = value_at(body, "workflow_run.run_attempt")
        .and_then(Value::as_u64)
        .unwrap_or(1);
    let by_hand = text(body, "workflow_run.event") == Some("workflow_dispatch");
    if attempt < 2 && !by_hand {
        return Ok(None);
    }
    // The person who re-runs is not the one who ran it first.
    let actor =
        actor(body, "workflow_run.triggering_actor").or_else(|| actor(body, "workflow_run.actor"));
    let Some(actor) = actor.filter(|actor| actor.kind != ActorKind::Robot) else {
        return Ok(None);
    };
    let name = ["workflow_run.name", "workflow.name", "workflow_run.path"]
        .iter()
        .find_map(|path| text(body, path))
        .unwrap_or("without a name");
    let how = if attempt > 1 {
        format!("run again by hand, attempt {attempt}")
    } else {
        "run by hand".to_owned()
    };
    let number = text_at(body, "workflow_run.run_number")
        .map(|number| format!(" #{number}"))
        .unwrap_or_default();
    let branch = text(body, "workflow_run.head_branch")
        .map(|branch| format!(" on {branch}"))
        .unwrap_or_default();
    let at = occurred_at(
        body,
        &["workflow_run.run_started_at", "workflow_run.created_at"],
    )?;
    let mut event = event(
        message,
        naming,
        body,
        (
            at,
            started(&format!("Workflow {name}{number} {how}{branch}")),
            None,
        ),
    );
    event.actor = Some(actor);
    event.links = json_fields::link(body, "workflow_run.html_url", "Workflow run")
        .into_iter()
        .collect();
    Ok(Some(identified(event, message)))
}

/// A dispatch request, which has no time of its own.
fn dispatch(message: &Message<'_>, naming: &ServiceMapping, body: &Value) -> Option<Event> {
    let actor = actor(body, "sender").filter(|actor| actor.kind != ActorKind::Robot)?;
    let name = text(body, "workflow").map_or("without a name", |path| {
        path.rsplit('/').next().unwrap_or(path)
    });
    let branch = text(body, "ref")
        .map(|name| format!(" on {}", name.trim_start_matches("refs/heads/")))
        .unwrap_or_default();
    let mut event = event(
        message,
        naming,
        body,
        (
            None,
            started(&format!("Workflow {name} run by hand{branch}")),
            None,
        ),
    );
    event.actor = Some(actor);
    Some(identified(event, message))
}

fn started(words: &str) -> Fact {
    Fact::Intervention(Intervention {
        action: "workflow".to_owned(),
        why: single_line(words),
        stated: false,
        should_be_automatic: None,
        dry_run: false,
        refused: false,
        planned: false,
    })
}

fn event(
    message: &Message<'_>,
    naming: &ServiceMapping,
    body: &Value,
    (at, fact, environment): (Option<Time>, Fact, Option<&str>),
) -> Event {
    let full = text(body, "repository.full_name").unwrap_or_default();
    let name = text(body, "repository.name")
        .or_else(|| full.rsplit('/').next())
        .unwrap_or_default();
    let service = service_mapping::service(naming, &[full]).unwrap_or(name);
    let mut event = Event::new(message.source, at.unwrap_or(message.now), fact);
    service_mapping::place(&mut event, naming, Some(service), environment);
    event
}

/// Sets the id, which includes the actor.
fn identified(mut event: Event, message: &Message<'_>) -> Event {
    event.identify();
    time::clamp(&mut event, message.now);
    event
}

/// The first of these times that is present.
fn occurred_at(body: &Value, paths: &[&str]) -> Result<Option<Time>, MemberFault> {
    for path in paths {
        if let Some(text) = text(body, path) {
            return time::parse(text)
                .map(Some)
                .map_err(|message| fault(path, message));
        }
    }
    Ok(None)
}

fn actor(body: &Value, path: &str) -> Option<Box<Actor>> {
    let login = text(body, &format!("{path}.login"))?;
    let kind = match text(body, &format!("{path}.type")) {
        Some("Bot") => ActorKind::Robot,
        _ if login.ends_with("[bot]") => ActorKind::Robot,
        Some("User") => ActorKind::Human,
        _ => ActorKind::Unknown,
    };
    json_fields::actor("github", login, kind)
}
