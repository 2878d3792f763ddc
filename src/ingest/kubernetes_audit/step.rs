//! Classification of a step by its verb, its object and, if logged, the body of the request.
//!
//! | action | request |
//! |---|---|
//! | `exec`, `attach` | get or create of pods/exec, pods/attach; `kubectl cp` is an exec |
//! | `rollback` | JSON patch that replaces `/spec/template` (Deployment); strategic merge patch with `spec.template.$patch: replace` |
//! | `restart` | patch of nothing but `restartedAt` in the pod template's annotations |
//! | `scale` | patch or update of …/scale; patch of nothing but `spec.replicas` |
//! | `pause`, `resume` | patch of nothing but `spec.paused` |
//! | `evict` | create of pods/eviction |
//! | `cordon`, `uncordon` | patch of `spec.unschedulable` of a node |
//! | `debug` | patch or update of pods/ephemeralcontainers |
//! | `delete` | delete, deletecollection |
//! | `run` | create of a pod or a job |
//! | `patch` | any other patch or update, and one whose body the log leaves out |

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::object::ObjectRef;
use crate::ingest::json_fields::value_at;

/// A manual step.
pub(crate) struct ManualStep {
    /// Action, as `services[].automatic` names it.
    pub(crate) action: &'static str,
    /// Description of the step.
    pub(crate) words: String,
    /// Set for a dry run.
    pub(crate) dry_run: bool,
}

/// Resources that machines maintain, and queries that are made by writing.
const NO_STEPS: [&str; 8] = [
    "events",
    "leases",
    "endpoints",
    "endpointslices",
    "tokenreviews",
    "subjectaccessreviews",
    "selfsubjectaccessreviews",
    "localsubjectaccessreviews",
];

/// Tests whether a request with this verb can be a step: opening a shell is a `get`.
pub(crate) fn may_change(verb: &str) -> bool {
    matches!(
        verb,
        "get"
            | "create"
            | "update"
            | "patch"
            | "delete"
            | "deletecollection"
            | "post"
            | "put"
            | "connect"
    )
}

/// Tests whether a request on this object can be a step.
pub(crate) fn concerns(verb: &str, object: &ObjectRef) -> bool {
    let resource = object.resource.as_deref().unwrap_or_default();
    match object.subresource.as_deref().unwrap_or_default() {
        "exec" | "attach" => resource == "pods",
        "" => {
            verb != "get"
                && !NO_STEPS.contains(&resource)
                && !resource.ends_with("reviews")
                && !resource.is_empty()
        }
        "scale" | "eviction" | "ephemeralcontainers" => verb != "get",
        _ => false,
    }
}

/// The step of a request, if it is one. `request` gives its body.
pub(crate) fn classify(
    verb: &str,
    object: &ObjectRef,
    uri: &str,
    request: impl Fn() -> Option<Value>,
) -> Option<ManualStep> {
    let resource = object.resource.as_deref().unwrap_or_default();
    let asked_for = |name: &str, wanted: &str| {
        query(uri).any(|(key, value)| key == name && value.eq_ignore_ascii_case(wanted))
    };
    let mut dry_run = asked_for("dryRun", "All");
    let (action, verb_words, not_told) =
        match (object.subresource.as_deref().unwrap_or_default(), verb) {
            // Both ends of `kubectl cp` run tar in the container.
            ("exec", _) if asked_for("command", "tar") => ("exec", "exec tar in", false),
            ("exec", _) => ("exec", "exec in", false),
            ("attach", _) => ("attach", "attach to", false),
            ("eviction", "create" | "post") => {
                dry_run |= request()
                    .is_some_and(|body| value_at(&body, "deleteOptions").is_some_and(is_dry_run));
                ("evict", "evict", false)
            }
            ("ephemeralcontainers", "patch" | "update" | "put") => ("debug", "debug", false),
            ("scale", "patch" | "update" | "put") => ("scale", "scale", false),
            ("", "delete" | "deletecollection") => {
                dry_run |= request().as_ref().is_some_and(is_dry_run);
                ("delete", "delete", false)
            }
            ("", "create" | "post") if matches!(resource, "pods" | "jobs") => {
                ("run", "create", false)
            }
            ("", "patch" | "update" | "put") => {
                let body = request();
                let (action, words) = body
                    .as_ref()
                    .map_or(("patch", "patch"), |body| patched(verb, resource, body));
                (action, words, body.is_none())
            }
            _ => return None,
        };
    let mut words = format!("{verb_words} {}", named(object));
    if not_told {
        words.push_str(" (what was changed is not in the log)");
    }
    Some(ManualStep {
        action,
        words,
        dry_run,
    })
}

/// `deployments/checkout, namespace shop`.
fn named(object: &ObjectRef) -> String {
    let resource = object.resource.as_deref().unwrap_or("something");
    let name = object
        .name
        .as_deref()
        .filter(|name| !name.is_empty())
        .map(|name| format!("/{name}"))
        .unwrap_or_default();
    let namespace = object
        .namespace
        .as_deref()
        .filter(|namespace| !namespace.is_empty());
    // A namespace is logged as being in itself.
    let namespace = namespace
        .filter(|_| resource != "namespaces")
        .map(|namespace| format!(", namespace {namespace}"))
        .unwrap_or_default();
    format!("{resource}{name}{namespace}")
}

/// Action and description of a patch or update.
fn patched(verb: &str, resource: &str, body: &Value) -> (&'static str, &'static str) {
    const PATCH: (&str, &str) = ("patch", "patch");
    if let Value::Array(operations) = body {
        return by_operations(resource, operations).unwrap_or(PATCH);
    }
    // An update sends the whole object, whose restart annotation may be old.
    if verb != "patch" {
        return PATCH;
    }
    let Some(spec) = body.get("spec").and_then(Value::as_object) else {
        return PATCH;
    };
    if resource == "nodes" {
        return match spec.get("unschedulable") {
            Some(Value::Bool(true)) => ("cordon", "cordon"),
            Some(_) => ("uncordon", "uncordon"),
            None => PATCH,
        };
    }
    if value_at(body, "spec.template.$patch").and_then(Value::as_str) == Some("replace") {
        return ("rollback", "rollout undo of");
    }
    let only = |key: &str| spec.len() == 1 && spec.contains_key(key);
    if only("template") && restarts(&spec["template"]) {
        ("restart", "rollout restart of")
    } else if only("replicas") {
        ("scale", "scale")
    } else if only("paused") {
        if spec["paused"] == Value::Bool(true) {
            ("pause", "rollout pause of")
        } else {
            ("resume", "rollout resume of")
        }
    } else {
        PATCH
    }
}

/// A JSON patch, RFC 6902.
fn by_operations(resource: &str, operations: &[Value]) -> Option<(&'static str, &'static str)> {
    let has = |path: &str| {
        operations
            .iter()
            .find(|operation| operation.get("path").and_then(Value::as_str) == Some(path))
    };
    let all = |test: &dyn Fn(&str) -> bool| {
        operations
            .iter()
            .all(|one| one.get("path").and_then(Value::as_str).is_some_and(test))
    };
    if resource == "nodes" {
        let value = has("/spec/unschedulable")?.get("value");
        return Some(if value == Some(&Value::Bool(true)) {
            ("cordon", "cordon")
        } else {
            ("uncordon", "uncordon")
        });
    }
    if has("/spec/template")
        .is_some_and(|operation| operation.get("op").and_then(Value::as_str) == Some("replace"))
    {
        return Some(("rollback", "rollout undo of"));
    }
    if operations.is_empty() {
        return None;
    }
    let restarts = |path: &str| {
        path.starts_with("/spec/template/metadata/annotations/") && path.ends_with("restartedAt")
    };
    if all(&restarts) {
        Some(("restart", "rollout restart of"))
    } else if all(&|path| path == "/spec/replicas") {
        Some(("scale", "scale"))
    } else {
        None
    }
}

/// Tests whether a patch of a pod template sets nothing but the restart annotation.
fn restarts(template: &Value) -> bool {
    let only = |value: &Value, key: &str| {
        value
            .as_object()
            .is_some_and(|map| map.len() == 1 && map.contains_key(key))
    };
    let annotations = template
        .get("metadata")
        .and_then(|metadata| metadata.get("annotations"));
    let noted = |(name, value): (&String, &Value)| {
        (name == "restartedAt" || name.ends_with("/restartedAt")) && value.is_string()
    };
    only(template, "metadata")
        && only(&template["metadata"], "annotations")
        && annotations
            .and_then(Value::as_object)
            .is_some_and(|all| all.len() == 1 && all.iter().all(noted))
}

fn is_dry_run(options: &Value) -> bool {
    options
        .get("dryRun")
        .and_then(Value::as_array)
        .is_some_and(|all| all.iter().any(|one| one == "All"))
}

/// Parameters of a URL's query, undecoded: the values looked for have no escapes.
fn query(uri: &str) -> impl Iterator<Item = (&str, &str)> {
    let query = uri.split_once('?').map_or("", |(_, query)| query);
    query
        .split('&')
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Versioned {
    metadata: Version,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Version {
    #[serde(rename = "resourceVersion")]
    resource_version: Option<String>,
}

/// Tests whether an update left the object unchanged.
pub(crate) fn changed_nothing(request: Option<&RawValue>, response: Option<&RawValue>) -> bool {
    let version = |raw: Option<&RawValue>| {
        serde_json::from_str::<Versioned>(raw?.get())
            .ok()?
            .metadata
            .resource_version
    };
    version(request).is_some_and(|before| !before.is_empty() && Some(before) == version(response))
}
