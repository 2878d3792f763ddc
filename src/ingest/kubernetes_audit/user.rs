//! The actor of an audit event, and whether it is a person.
//!
//! The API server knows users by name only. By convention names of machines begin with `system:`,
//! except `system:admin`, the certificate of a person who sets a cluster up; clouds use conventions
//! of their own.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::model::directory::key;
use crate::model::event::ActorKind;

/// A user as the API server knows it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct AuditUser {
    username: Option<String>,
    groups: Option<Vec<String>>,
}

/// Parses a user; `None` if there is none.
pub(crate) fn parse(raw: Option<&RawValue>) -> Result<Option<AuditUser>, &'static str> {
    match raw {
        None => Ok(None),
        Some(raw) => serde_json::from_str(raw.get())
            .map_err(|_| "expected an object with `username` and `groups`"),
    }
}

/// Name and kind of the actor.
///
/// With impersonation it is the one of the two who is a person: the impersonating user acts, unless
/// it is a proxy that people go through. A name of `people` is a person's, as of a service account
/// for emergencies.
pub(crate) fn actor(
    user: Option<AuditUser>,
    impersonated: Option<AuditUser>,
    people: &BTreeSet<String>,
) -> (String, ActorKind) {
    let user = user.unwrap_or_default();
    let kind = |user: &AuditUser| kind(user, people);
    let kind_of_user = kind(&user);
    match impersonated {
        Some(other) if kind_of_user != ActorKind::Human && kind(&other) == ActorKind::Human => {
            (other.username.unwrap_or_default(), ActorKind::Human)
        }
        _ => (user.username.unwrap_or_default(), kind_of_user),
    }
}

fn kind(user: &AuditUser, people: &BTreeSet<String>) -> ActorKind {
    let name = user.username.as_deref().unwrap_or_default().trim();
    if people.contains(&key(name)) {
        return ActorKind::Human;
    }
    let in_group = |group: &str| user.groups.iter().flatten().any(|name| name == group);
    match name {
        // Not authenticated.
        "" | "system:anonymous" | "system:unauthenticated" => ActorKind::Unknown,
        "system:admin" => ActorKind::Human,
        _ if name.starts_with("system:")
            || in_group("system:nodes")
            || in_group("system:serviceaccounts") =>
        {
            ActorKind::Robot
        }
        // Accounts that Amazon, Azure and Google run in their clusters, and Google service
        // accounts.
        "aksService" | "acsService" | "hcpService" => ActorKind::Robot,
        _ if name.starts_with("eks:") || name.ends_with(".gserviceaccount.com") => ActorKind::Robot,
        _ => ActorKind::Human,
    }
}
