//! The service of a cluster object: by the settings, else the name of its workload where that is
//! certain.

use serde::Deserialize;

use crate::ingest::service_mapping;
use crate::model::source::ServiceMapping;

/// The `objectRef` of an audit event: the object that was acted upon.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ObjectRef {
    pub(crate) resource: Option<String>,
    pub(crate) namespace: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) subresource: Option<String>,
}

/// Letters of Kubernetes's random suffixes, without those that could form words.
const RANDOM: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
/// Letters that the hash of a pod template can contain.
const HASHED: &[u8] = b"456789bcdf";

/// The service; `None` if it is uncertain.
///
/// Patterns of the settings are matched against `namespace/workload`, then `namespace/name`; for
/// objects without a namespace against `resource/name`, as in `nodes/worker-1`.
pub(crate) fn service(object: &ObjectRef, naming: &ServiceMapping) -> Option<String> {
    let name = object.name.as_deref().unwrap_or_default();
    let workload = workload(object.resource.as_deref().unwrap_or_default(), name);
    let place = match object
        .namespace
        .as_deref()
        .filter(|namespace| !namespace.is_empty())
    {
        Some(namespace) => namespace,
        None => object.resource.as_deref().unwrap_or_default(),
    };
    let names: Vec<String> = workload
        .into_iter()
        .chain([name])
        .map(|name| format!("{place}/{name}"))
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    service_mapping::service(naming, &names)
        .or(workload)
        .map(str::to_owned)
}

/// The workload that an object is or belongs to.
fn workload<'a>(resource: &str, name: &'a str) -> Option<&'a str> {
    let name = Some(name).filter(|name| !name.is_empty())?;
    match resource {
        "deployments" | "statefulsets" | "daemonsets" | "cronjobs" | "deploymentconfigs"
        | "rollouts" => Some(name),
        "replicasets" => without_hash(name),
        // Jobs of a CronJob end with the minute they were due.
        "jobs" => Some(
            name.rsplit_once('-')
                .filter(|(_, minute)| is_of(minute, b"0123456789", 8..=8))
                .map_or(name, |(owner, _)| owner),
        ),
        // Both suffixes of a Deployment's pod use letters unlikely in a name; five random letters
        // alone, or the ordinal of a StatefulSet's pod, may be part of a name.
        "pods" => name
            .rsplit_once('-')
            .filter(|(_, suffix)| is_of(suffix, RANDOM, 5..=5))
            .and_then(|(owner, _)| without_hash(owner)),
        _ => None,
    }
}

/// A name without the pod template hash at its end, if it has one.
fn without_hash(name: &str) -> Option<&str> {
    name.rsplit_once('-')
        .filter(|(owner, hash)| !owner.is_empty() && is_of(hash, HASHED, 8..=10))
        .map(|(owner, _)| owner)
}

fn is_of(text: &str, letters: &[u8], length: std::ops::RangeInclusive<usize>) -> bool {
    length.contains(&text.len()) && text.bytes().all(|letter| letters.contains(&letter))
}
