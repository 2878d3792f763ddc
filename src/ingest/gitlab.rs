//! GitLab's webhooks: deployments, pipelines that people start by hand, incidents. What it sends for a deployment (made):
//!
//! ```json
//! {"object_kind": "deployment", "status": "success", "status_changed_at": "2026-11-23 12:40:55 +0100",
//!  "deployment_id": 4711, "deployable_id": 796, "deployable_url": "https://gitlab.example.com/shop/checkout/-/jobs/796",
//!  "environment": "production", "environment_tier": "production",
//!  "project": {"id": 30, "name": "Checkout", "path_with_namespace": "shop/checkout", "web_url": "https://gitlab.example.com/shop/checkout"},
//!  "short_sha": "279484c0", "user": {"id": 42, "name": "Ada L.", "username": "ada"}, "ref": "main",
//!  "commit_url": "https://gitlab.example.com/shop/checkout/-/commit/279484c09fbe69ededfced8c1bb6e6d24616b468", "commit_title": "Smaller pool"}
//! ```
//!
//! Times come in three forms: `2026-11-23 12:40:55 +0100`, `2026-11-23 11:40:55 UTC` and RFC 3339.
//! The button "Test" repeats the project's last event.

use chrono::{DateTime, NaiveDateTime, Utc};
use serde_json::Value;

use super::error::{IngestFault, MemberFault};
use super::json_fields;
use super::json_fields::{fault, required_text, single_line, text, text_at, value_at};
use super::message::Message;
use super::reading::Reading;
use super::{labels, service_mapping, time};
use crate::model::event::{
    Acknowledgement, Actor, ActorKind, AlertStatus, Change, Declaration, Event, Fact, Intervention,
    Link, Note, Severity,
};
use crate::model::source::ServiceMapping;
use crate::model::time::Time;

/// The parts of an event that depend on its kind.
struct EventParts {
    at: Option<Time>,
    environment: Option<String>,
    fact: Fact,
    link: Option<Link>,
}

/// Parses a message. Pushes, jobs and other events give nothing.
///
/// # Errors
/// When the body is not a GitLab event, or lacks a required field.
pub(crate) fn webhook(
    message: &Message<'_>,
    naming: &ServiceMapping,
) -> Result<Reading, IngestFault> {
    let body = json_fields::object(message.body, "the body of a GitLab webhook")?;
    let Some(kind) = text(&body, "object_kind").or_else(|| text(&body, "event_name")) else {
        return Err(IngestFault::Missing {
            field: "object_kind",
            advice: "GitLab always sends it: check what changes the body in transit.",
        });
    };
    let told = match kind {
        "deployment" => deployment(&body)?,
        "pipeline" => pipeline(&body)?,
        "work_item" | "issue" => incident(message, &body)?,
        _ => None,
    };
    Ok(told
        .map(|told| event(message, naming, &body, told))
        .into_iter()
        .collect())
}

/// A finished deployment.
fn deployment(body: &Value) -> Result<Option<EventParts>, MemberFault> {
    let status = required_text(
        body,
        "status",
        "Expected `success`, `failed`, … as GitLab sends it.",
    )?;
    let succeeded = status == "success";
    if !succeeded && status != "failed" {
        return Ok(None);
    }
    let id = required_text(body, "deployment_id", "It identifies the deployment.")?;
    let environment = text(body, "environment");
    // GitLab derives the tier from the name, or the team sets it.
    let tier = text(body, "environment_tier")
        .filter(|tier| *tier != "other")
        .or(environment);
    let title = format!(
        "Deployment {id} of {} to {}",
        text(body, "ref").unwrap_or("a commit"),
        environment.unwrap_or("an environment")
    );
    let fact = if succeeded {
        let subject = text(body, "commit_title")
            .map(|subject| format!(": {subject}"))
            .unwrap_or_default();
        Fact::Change(Change {
            what: "deploy".to_owned(),
            title: single_line(&format!("{title}{subject}")),
            revision: revision(body),
            line: text(body, "project.path_with_namespace")
                .map(|path| single_line(&format!("gitlab {path}"))),
        })
    } else {
        Fact::Note(Note {
            text: single_line(&format!("{title} failed")),
        })
    };
    // A deployment by API has no job.
    let link = json_fields::link(body, "deployable_url", "Job")
        .or_else(|| json_fields::link(body, "commit_url", "Commit"));
    Ok(Some(EventParts {
        at: instant(body, "status_changed_at")?,
        environment: tier.map(str::to_owned),
        fact,
        link,
    }))
}

/// The full sha, which only the commit URL has, else the short one.
fn revision(body: &Value) -> Option<String> {
    let short = text(body, "short_sha");
    let last = text(body, "commit_url").and_then(|url| url.rsplit('/').next());
    let whole =
        last.filter(|sha| sha.len() >= 40 && sha.bytes().all(|letter| letter.is_ascii_hexdigit()));
    whole
        .filter(|whole| short.is_none_or(|short| whole.starts_with(short)))
        .or(short)
        .map(single_line)
}

/// A pipeline started in the web interface. It is sent at each change of status, with the same
/// content.
fn pipeline(body: &Value) -> Result<Option<EventParts>, MemberFault> {
    if text(body, "object_attributes.source") != Some("web")
        || actor(body).is_some_and(|actor| actor.kind == ActorKind::Robot)
    {
        return Ok(None);
    }
    let id = required_text(body, "object_attributes.id", "It identifies the pipeline.")?;
    let branch = text(body, "object_attributes.ref")
        .map(|name| format!(" on {name}"))
        .unwrap_or_default();
    let fact = Fact::Intervention(Intervention {
        action: "pipeline".to_owned(),
        why: single_line(&format!("Pipeline {id} run by hand{branch}")),
        stated: false,
        should_be_automatic: None,
        dry_run: false,
        refused: false,
        planned: false,
    });
    let link = json_fields::link(body, "object_attributes.url", "Pipeline");
    Ok(Some(EventParts {
        at: instant(body, "object_attributes.created_at")?,
        environment: None,
        fact,
        link,
    }))
}

/// An incident is a declared outage: opened, acknowledged, closed.
fn incident(message: &Message<'_>, body: &Value) -> Result<Option<EventParts>, MemberFault> {
    let kind = ["object_attributes.type", "object_attributes.issue_type"]
        .iter()
        .find_map(|path| text(body, path));
    if !kind.is_some_and(|kind| kind.eq_ignore_ascii_case("incident")) {
        return Ok(None);
    }
    let number = required_text(body, "object_attributes.iid", "It identifies the incident.")?;
    let project = text_at(body, "project.id").unwrap_or_default();
    let action = text(body, "object_attributes.action").unwrap_or("open");
    let escalated = text(body, "changes.escalation_status.current").filter(|_| action == "update");
    let status = match (action, escalated) {
        ("open" | "reopen", _) => AlertStatus::Firing,
        ("close", _) | ("update", Some("resolved")) => AlertStatus::Resolved,
        ("update", Some("acknowledged")) => {
            let at = instant(body, "object_attributes.updated_at")?;
            let link = json_fields::link(body, "object_attributes.url", "Incident");
            return Ok(Some(EventParts {
                at,
                environment: scoped(body, "environment"),
                fact: Fact::Acknowledgement(Acknowledgement { of: None }),
                link,
            }));
        }
        _ => return Ok(None),
    };
    let path = match action {
        "open" => "object_attributes.created_at",
        "close" => "object_attributes.closed_at",
        _ => "object_attributes.updated_at",
    };
    let severity = text(body, "object_attributes.severity")
        .and_then(|word| labels::severity_word(word, message.names));
    let fact = Fact::Declaration(Declaration {
        key: single_line(&format!("gitlab {project}#{number}")),
        title: single_line(text(body, "object_attributes.title").unwrap_or("Incident")),
        // A declared outage without a severity still counts as one.
        severity: severity
            .filter(|severity| *severity != Severity::Unknown)
            .unwrap_or(Severity::Critical),
        status,
        planned: false,
        data_loss: None,
        detected_by: None,
    });
    let at = match instant(body, path)? {
        None => instant(body, "object_attributes.updated_at")?,
        at => at,
    };
    Ok(Some(EventParts {
        at,
        environment: scoped(body, "environment"),
        fact,
        link: json_fields::link(body, "object_attributes.url", "Incident"),
    }))
}

fn event(message: &Message<'_>, naming: &ServiceMapping, body: &Value, told: EventParts) -> Event {
    let path = text(body, "project.path_with_namespace").unwrap_or_default();
    let labelled = scoped(body, "service");
    let last = path
        .rsplit('/')
        .next()
        .filter(|name| !name.is_empty())
        .or_else(|| text(body, "project.name"));
    let service = labelled
        .as_deref()
        .or_else(|| service_mapping::service(naming, &[path]))
        .or(last);
    let mut event = Event::new(message.source, told.at.unwrap_or(message.now), told.fact);
    // A failed deployment is a note without an author.
    event.actor = actor(body).filter(|_| !matches!(event.fact, Fact::Note(_)));
    event.links = told.link.into_iter().collect();
    service_mapping::place(&mut event, naming, service, told.environment.as_deref());
    time::clamp(&mut event, message.now);
    event
}

/// The value of a scoped label such as `service::checkout`.
fn scoped(body: &Value, scope: &str) -> Option<String> {
    let titles = value_at(body, "labels")?
        .as_array()?
        .iter()
        .filter_map(|label| text(label, "title"));
    let values = titles.filter_map(|title| title.split_once("::"));
    values
        .filter(|(name, _)| name.eq_ignore_ascii_case(scope))
        .map(|(_, value)| value.trim().to_owned())
        .find(|value| !value.is_empty())
}

fn actor(body: &Value) -> Option<Box<Actor>> {
    let name = text(body, "user.username").or_else(|| text(body, "user.name"))?;
    // Access tokens of projects and groups have such user names.
    let bot = name.ends_with("[bot]")
        || ((name.starts_with("project_") || name.starts_with("group_")) && name.contains("_bot"));
    json_fields::actor(
        "gitlab",
        name,
        if bot {
            ActorKind::Robot
        } else {
            ActorKind::Human
        },
    )
}

/// The time at a path in one of GitLab's three forms.
fn instant(body: &Value, path: &str) -> Result<Option<Time>, MemberFault> {
    let Some(text) = text(body, path) else {
        return Ok(None);
    };
    let with_offset = || {
        DateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S %z")
            .ok()
            .map(|time| time.with_timezone(&Utc))
    };
    let in_utc = || {
        NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S UTC")
            .ok()
            .map(|time| time.and_utc())
    };
    match with_offset().or_else(in_utc) {
        Some(time) => Ok(Some(time)),
        None => time::parse(text)
            .map(Some)
            .map_err(|message| fault(path, message)),
    }
}
