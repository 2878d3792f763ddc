//! The audit webhook of a Kubernetes API server: manual steps of people. A body is an `EventList`
//! of `audit.k8s.io/v1`, or the older `v1beta1` (made):
//!
//! ```json
//! {"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "metadata": {}, "items": [
//!   {"level": "Request", "auditID": "7d1f5a0c-…", "stage": "ResponseComplete", "verb": "patch",
//!    "requestURI": "/apis/apps/v1/namespaces/shop/deployments/checkout?fieldManager=kubectl-rollout",
//!    "user": {"username": "ada@example.com", "groups": ["system:authenticated"]},
//!    "objectRef": {"resource": "deployments", "namespace": "shop", "name": "checkout", "apiGroup": "apps", "apiVersion": "v1"},
//!    "responseStatus": {"metadata": {}, "code": 200},
//!    "requestObject": {"spec": {"template": {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": "2026-11-23T11:40:02Z"}}}}},
//!    "requestReceivedTimestamp": "2026-11-23T11:40:02.104512Z", "stageTimestamp": "2026-11-23T11:40:02.120733Z"}]}
//! ```
//!
//! Nearly all events of a cluster are machines at work or people reading, which are ignored. A step
//! that a person took, tried or was refused becomes an intervention. A long request is reported at
//! its start and end under one `auditID`, with equal content, so both are one event.
//!
//! Fields follow the API reference, `kube-apiserver-audit.v1` and `v1beta1`.

mod object;
mod step;
mod user;

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::alert_payload::{RawList, raw_list};
use super::error::{
    IngestFault, MemberFault, MemberPosition, expect_opening, json_fault, json_kind,
};
use super::json_fields;
use super::json_fields::single_line;
use super::message::Message;
use super::reading::Reading;
use super::{service_mapping, time};
use crate::model::event::{ActorKind, Event, Fact, Intervention};
use crate::model::source::ServiceMapping;
use crate::model::time::Time;
use object::ObjectRef;

/// Maximum size of an object that is parsed: manual changes are small, and a parsed object takes
/// many times its text.
const LONGEST: usize = 256 * 1024;

/// The list, or a single event in its place.
#[derive(Deserialize)]
struct AuditBody<'a> {
    #[serde(borrow)]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    items: Option<&'a RawValue>,
    #[serde(borrow, rename = "auditID")]
    audit_id: Option<&'a RawValue>,
}

/// An event with unparsed fields: most events are skipped after the first few.
#[derive(Deserialize)]
struct AuditEvent<'a> {
    #[serde(borrow, rename = "auditID")]
    audit_id: Option<&'a RawValue>,
    #[serde(borrow)]
    stage: Option<&'a RawValue>,
    #[serde(borrow, rename = "requestURI")]
    uri: Option<&'a RawValue>,
    #[serde(borrow)]
    verb: Option<&'a RawValue>,
    #[serde(borrow)]
    user: Option<&'a RawValue>,
    #[serde(borrow, rename = "impersonatedUser")]
    impersonated: Option<&'a RawValue>,
    #[serde(borrow, rename = "objectRef")]
    object: Option<&'a RawValue>,
    #[serde(borrow, rename = "responseStatus")]
    status: Option<&'a RawValue>,
    #[serde(borrow, rename = "requestObject")]
    request: Option<&'a RawValue>,
    #[serde(borrow, rename = "responseObject")]
    response: Option<&'a RawValue>,
    #[serde(borrow, rename = "requestReceivedTimestamp")]
    received: Option<&'a RawValue>,
    #[serde(borrow, rename = "stageTimestamp")]
    staged: Option<&'a RawValue>,
    /// In `v1beta1`.
    #[serde(borrow)]
    timestamp: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ResponseStatus {
    code: Option<i64>,
}

/// Parses a message: one intervention for each step of a person. `people` are user names, in lower
/// case, that the settings give to people, whatever kind of account they are.
///
/// An event that cannot be parsed becomes a [`MemberFault`] beside the others.
///
/// # Errors
/// When the body is not a list of audit events.
pub(crate) fn webhook(
    message: &Message<'_>,
    naming: &ServiceMapping,
    people: &BTreeSet<String>,
) -> Result<Reading, IngestFault> {
    const EXPECTED: &str = "the EventList of a Kubernetes audit webhook";
    expect_opening(message.body, b'{', EXPECTED)?;
    let body: AuditBody<'_> =
        serde_json::from_slice(message.body).map_err(|error| json_fault(&error, EXPECTED))?;
    let mut reader = AuditReader {
        message,
        naming,
        people,
        reading: Reading::default(),
        seen: BTreeSet::new(),
        refused: BTreeSet::new(),
    };
    match (body.items, body.audit_id) {
        (Some(items), _) => {
            let RawList(items) = raw_list(items, "items")?;
            for (index, raw) in items.into_iter().enumerate() {
                reader.take(raw.get(), MemberPosition::in_list("items", index));
            }
        }
        (None, Some(_)) => {
            let whole = std::str::from_utf8(message.body).unwrap_or_default();
            reader.take(whole, MemberPosition::in_list("", 0));
        }
        // Go writes an empty list as null.
        (None, None) if text(body.kind).as_deref() == Some("EventList") => {}
        (None, None) => {
            return Err(IngestFault::Missing {
                field: "items",
                advice: "An API server sends an EventList: check what else posts to this address.",
            });
        }
    }
    Ok(reader.reading)
}

/// The state of parsing a list.
struct AuditReader<'a> {
    message: &'a Message<'a>,
    naming: &'a ServiceMapping,
    people: &'a BTreeSet<String>,
    reading: Reading,
    /// Ids of the requests reported.
    seen: BTreeSet<String>,
    /// Refused steps by actor: a drain retries each eviction every five seconds.
    refused: BTreeSet<(String, String)>,
}

impl AuditReader<'_> {
    fn take(&mut self, raw: &str, position: MemberPosition) {
        match self.read(raw, position) {
            Ok(Some((id, event))) if id.as_ref().is_none_or(|id| self.seen.insert(id.clone())) => {
                let Fact::Intervention(step) = &event.fact else {
                    return;
                };
                let who = event
                    .actor
                    .as_ref()
                    .map(|actor| actor.id.clone())
                    .unwrap_or_default();
                if !step.refused
                    || self
                        .refused
                        .insert((who, format!("{} {}", step.action, step.why)))
                {
                    self.reading.push(event);
                }
            }
            Ok(_) => {}
            Err(fault) => self.reading.faults.push(fault),
        }
    }

    /// The step of an event, with the id of its request; `None` if it is not a step.
    fn read(
        &self,
        raw: &str,
        position: MemberPosition,
    ) -> Result<Option<(Option<String>, Event)>, MemberFault> {
        // serde would take a list for a struct, by position.
        let item = Some(raw)
            .filter(|text| text.trim_start().starts_with('{'))
            .and_then(|text| serde_json::from_str::<AuditEvent<'_>>(text).ok());
        let item = item.ok_or_else(|| {
            position.fault(
                "",
                format!(
                    "expected an audit event, found {}",
                    json_kind(raw.as_bytes())
                ),
            )
        })?;
        let verb = text(item.verb)
            .ok_or_else(|| position.fault("verb", "missing; it names the operation"))?;
        let verb = verb.to_ascii_lowercase();
        if !step::may_change(&verb) || text(item.stage).as_deref() == Some("RequestReceived") {
            return Ok(None);
        }
        let Some(object) = item.object.filter(|raw| raw.get() != "null") else {
            return Ok(None);
        };
        let object: ObjectRef = serde_json::from_str(object.get()).map_err(|_| {
            position.fault(
                "objectRef",
                "expected an object with `resource`, `namespace` and `name`",
            )
        })?;
        if !step::concerns(&verb, &object) {
            return Ok(None);
        }
        let user = user::parse(item.user).map_err(|message| position.fault("user", message))?;
        let impersonated = user::parse(item.impersonated)
            .map_err(|message| position.fault("impersonatedUser", message))?;
        let (name, kind) = user::actor(user, impersonated, self.people);
        if kind == ActorKind::Robot {
            return Ok(None);
        }
        let uri = text(item.uri).unwrap_or_default();
        let request = || {
            item.request
                .filter(|raw| raw.get().len() <= LONGEST)
                .and_then(|raw| serde_json::from_str(raw.get()).ok())
        };
        let Some(step) = step::classify(&verb, &object, &uri, request) else {
            return Ok(None);
        };
        if step::changed_nothing(item.request, item.response) {
            return Ok(None);
        }
        let status: ResponseStatus = item
            .status
            .and_then(|raw| serde_json::from_str(raw.get()).ok())
            .unwrap_or_default();
        // A crash of the API server says nothing of what was changed before it.
        let crashed = text(item.stage).as_deref() == Some("Panic");
        let code = status.code.filter(|code| *code >= 400 && !crashed);
        let intervention = Intervention {
            action: step.action.to_owned(),
            why: single_line(&match code {
                Some(code) => format!("{}, answered {code}", step.words),
                None if crashed => format!(
                    "{} by {name}; the API server crashed, so the effect is unknown",
                    step.words
                ),
                None => step.words,
            }),
            stated: false,
            should_be_automatic: None,
            dry_run: step.dry_run,
            refused: code.is_some(),
            planned: false,
        };
        let occurred_at = self.occurred_at(&item, position)?;
        let mut event = Event::new(
            self.message.source,
            occurred_at,
            Fact::Intervention(intervention),
        );
        // Without an actor it is no certain step of a person.
        event.actor = json_fields::actor("kubernetes", &name, kind).filter(|_| !crashed);
        service_mapping::place(
            &mut event,
            self.naming,
            object::service(&object, self.naming).as_deref(),
            None,
        );
        time::clamp(&mut event, self.message.now);
        Ok(Some((text(item.audit_id), event)))
    }

    /// Time of the request, which its stages share; else the time of the stage.
    fn occurred_at(
        &self,
        item: &AuditEvent<'_>,
        position: MemberPosition,
    ) -> Result<Time, MemberFault> {
        let told = [
            ("requestReceivedTimestamp", item.received),
            ("stageTimestamp", item.staged),
            ("timestamp", item.timestamp),
        ];
        for (field, raw) in told {
            let Some(text) = text(raw) else { continue };
            if let Some(time) =
                time::parse_go(&text).map_err(|message| position.fault(field, message))?
            {
                return Ok(time);
            }
        }
        Ok(self.message.now)
    }
}

/// The string, if it is not blank.
fn text(raw: Option<&RawValue>) -> Option<String> {
    serde_json::from_str::<String>(raw?.get())
        .ok()
        .filter(|text| !text.trim().is_empty())
}

#[cfg(test)]
mod tests;
