//! Argo CD's notifications, by the template that our documentation gives (made):
//!
//! ```json
//! {"app": "checkout", "namespace": "argocd", "project": "default", "url": "https://argocd.example.com/applications/argocd/checkout",
//!  "labels": {"team": "shop"}, "destination": {"namespace": "shop", "server": "https://kubernetes.default.svc"},
//!  "operationState": {"phase": "Succeeded", "message": "successfully synced (all tasks run)",
//!   "operation": {"initiatedBy": {"username": "ada"}, "sync": {"revision": "591785b"}},
//!   "startedAt": "2026-11-23T11:41:00Z", "finishedAt": "2026-11-23T11:41:07Z",
//!   "syncResult": {"revision": "591785b", "source": {"repoURL": "https://git.example.com/shop/deploy.git", "path": "checkout"}}},
//!  "history": [{"id": 41, "revision": "591785b", "deployedAt": "2026-11-20T08:00:09Z"},
//!              {"id": 42, "revision": "b1946ac", "deployedAt": "2026-11-23T11:20:07Z"},
//!              {"id": 43, "revision": "591785b", "deployedAt": "2026-11-23T11:41:07Z"}]}
//! ```
//!
//! A body that is the whole `Application`, or has it as `app`, means the same. A rollback is a sync
//! like any other; only the history shows it. Fields are those of
//! `pkg/apis/application/v1alpha1/types.go`.

use serde_json::Value;

use super::error::IngestFault;
use super::json_fields;
use super::json_fields::{single_line, text, value_at};
use super::message::Message;
use super::reading::Reading;
use super::{labels, service_mapping, time};
use crate::model::event::{Actor, ActorKind, Change, Event, Fact, Intervention, Link, Note};
use crate::model::labels::{LabelSet, Labels};
use crate::model::source::ServiceMapping;
use crate::model::time::Time;

/// The parts of an application, from either form of the body.
struct Application<'a> {
    name: &'a str,
    home: &'a Value,
    labels: &'a Value,
    destination: &'a Value,
    operation: &'a Value,
    history: &'a [Value],
}

/// Parses a message. A finished sync is a change, or a note if it failed; one that a person started
/// is an intervention too.
///
/// # Errors
/// When the body has no application or no operation.
pub(crate) fn webhook(
    message: &Message<'_>,
    naming: &ServiceMapping,
) -> Result<Reading, IngestFault> {
    let body = json_fields::object(
        message.body,
        "the body of the Argo CD template in docs/sources/argocd.md",
    )?;
    let told = application(&body)?;
    let operation = told.operation;
    let phase = text(operation, "phase").unwrap_or_default();
    let succeeded = phase == "Succeeded";
    if !succeeded && !matches!(phase, "Failed" | "Error") {
        return Ok(Reading::default());
    }
    let finished = json_fields::instant(operation, "finishedAt")?
        .or(json_fields::instant(operation, "startedAt")?);
    let sync = value_at(operation, "operation.sync").unwrap_or(&Value::Null);
    let dry_run = value_at(sync, "dryRun") == Some(&Value::Bool(true));
    let partial = value_at(sync, "resources")
        .and_then(Value::as_array)
        .is_some_and(|some| !some.is_empty());
    let revision = value_at(operation, "syncResult")
        .and_then(revision)
        .or_else(|| revision(sync));
    let went_back = revision
        .as_ref()
        .is_some_and(|revision| went_back(told.history, revision));
    let actor = actor(operation);
    let why = single_line(&match text(operation, "message") {
        Some(words) => format!("{}: {words}", told.name),
        None => told.name.to_owned(),
    });

    let mut facts = Vec::new();
    if actor
        .as_ref()
        .is_some_and(|actor| actor.kind == ActorKind::Human)
    {
        facts.push(Fact::Intervention(Intervention {
            action: if went_back && succeeded {
                "rollback"
            } else {
                "sync"
            }
            .to_owned(),
            why: why.clone(),
            stated: false,
            should_be_automatic: None,
            dry_run,
            refused: false,
            planned: false,
        }));
    }
    if !succeeded {
        facts.push(Fact::Note(Note {
            text: single_line(&format!("Sync failed: {why}")),
        }));
    } else if !dry_run && !partial {
        // A partial sync does not deploy the revision.
        facts.push(Fact::Change(Change {
            what: if went_back { "rollback" } else { "deploy" }.to_owned(),
            title: why,
            revision,
            line: Some(single_line(&format!(
                "argocd {}/{}",
                text(told.home, "namespace").unwrap_or_default(),
                told.name
            ))),
        }));
    }
    let link = json_fields::link(&body, "url", "Application");
    // A failed sync is noted without its initiator, whose intervention is reported apart.
    let actor = |fact: &Fact| actor.clone().filter(|_| !matches!(fact, Fact::Note(_)));
    let event = |fact: Fact| {
        event(
            message,
            naming,
            &told,
            finished,
            (actor(&fact), fact, link.clone()),
        )
    };
    Ok(facts.into_iter().map(event).collect())
}

fn event(
    message: &Message<'_>,
    naming: &ServiceMapping,
    told: &Application<'_>,
    finished: Option<Time>,
    (actor, fact, link): (Option<Box<Actor>>, Fact, Option<Link>),
) -> Event {
    let labels = labels_of(told.labels);
    let namespace = text(told.destination, "namespace").unwrap_or_default();
    let project = text(told.home, "project").unwrap_or_default();
    let names = [
        format!("{namespace}/{}", told.name),
        format!("{project}/{}", told.name),
        told.name.to_owned(),
    ];
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let labelled = || labels::service(&labels, message.names).map(|(_, service)| service);
    let service = service_mapping::service(naming, &names)
        .or_else(labelled)
        .unwrap_or(told.name);
    let environment = labels::environment(&labels, message.names);
    let mut event = Event::new(message.source, finished.unwrap_or(message.now), fact);
    event.actor = actor;
    event.links = link.into_iter().collect();
    service_mapping::place(&mut event, naming, Some(service), environment.as_deref());
    time::clamp(&mut event, message.now);
    event
}

fn application(body: &Value) -> Result<Application<'_>, IngestFault> {
    const NULL: &Value = &Value::Null;
    // `app` is a name in the shipped template; in others the application is an object at `app`, or
    // the body itself.
    let whole = value_at(body, "app")
        .filter(|app| app.is_object())
        .or_else(|| value_at(body, "metadata").map(|_| body));
    let part = |short: &str, long: &str| match whole {
        Some(whole) => value_at(whole, long).unwrap_or(NULL),
        None => value_at(body, short).unwrap_or(NULL),
    };
    let name = match whole {
        Some(whole) => text(whole, "metadata.name"),
        None => text(body, "app"),
    };
    let Some(name) = name else {
        return Err(IngestFault::Missing {
            field: "app",
            advice: "Use the template in docs/sources/argocd.md: it names the application.",
        });
    };
    let operation = part("operationState", "status.operationState");
    if !operation.is_object() {
        return Err(IngestFault::Missing {
            field: "operationState",
            advice: "Use the template in docs/sources/argocd.md: it states what was synced, when and by whom.",
        });
    }
    let home = whole.map_or(body, |whole| value_at(whole, "metadata").unwrap_or(NULL));
    let history = part("history", "status.history")
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    let (labels, destination) = (
        part("labels", "metadata.labels"),
        part("destination", "spec.destination"),
    );
    Ok(Application {
        name,
        home,
        labels,
        destination,
        operation,
        history,
    })
}

fn labels_of(value: &Value) -> LabelSet {
    let pairs = value
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(name, value)| Some((single_line(name), single_line(value.as_str()?))));
    LabelSet::from(pairs.take(64).collect::<Labels>())
}

/// The revision, or the revisions of all sources joined.
fn revision(value: &Value) -> Option<String> {
    let several = || {
        let all: Vec<&str> = value_at(value, "revisions")?
            .as_array()?
            .iter()
            .filter_map(Value::as_str)
            .filter(|one| !one.is_empty())
            .collect();
        (!all.is_empty()).then(|| all.join(", "))
    };
    several()
        .or_else(|| text(value, "revision").map(str::to_owned))
        .map(|revision| single_line(&revision))
}

/// Tests whether the history shows the revision deployed before the one it replaced.
fn went_back(history: &[Value], reached: &str) -> bool {
    let all: Vec<Option<String>> = history.iter().map(revision).collect();
    let before = match all.split_last() {
        // The sync itself is last in the history, unless that was read before it was written.
        Some((Some(last), before)) if last == reached => before,
        _ => &all[..],
    };
    let first = |wanted: &str| {
        before
            .iter()
            .position(|known| known.as_deref() == Some(wanted))
    };
    let Some(Some(current)) = before.last() else {
        return false;
    };
    current != reached && first(reached) < first(current) && first(reached).is_some()
}

/// The initiator of the operation.
fn actor(operation: &Value) -> Option<Box<Actor>> {
    let begun_by = value_at(operation, "operation.initiatedBy")?;
    if value_at(begun_by, "automated") == Some(&Value::Bool(true)) {
        return json_fields::actor("argocd", "automated sync", ActorKind::Robot);
    }
    text(begun_by, "username").and_then(|name| json_fields::actor("argocd", name, ActorKind::Human))
}
