//! Statements of people by API, command line or form: requests, declarations, manual steps, near
//! misses, planned work.
//!
//! All but planned work take `service`, `environment`, `incident` (an incident's id), `drill` (true
//! for an exercise) and the time, as `at` or `occurred_at` (RFC 3339; now). A blank field counts as
//! absent.

use serde_json::Value;

use super::error::{IngestFault, MemberFault, json_fault};
use super::strict_fields::StrictFields;
use super::{events, labels, time};
use crate::model::event::{Actor, ActorKind, Event, Fact, Intervention, PostmortemRequest};
use crate::model::settings::LabelNames;
use crate::model::time::Time;

/// Source name of people's statements.
const SOURCE: &str = "people";

/// Common keys of all but planned work.
const COMMON: [&str; 6] = [
    "service",
    "environment",
    "incident",
    "drill",
    "at",
    "occurred_at",
];

/// A stakeholder's request for a postmortem: `{"reason", "requester"?}`. Only the reason is
/// required.
///
/// # Errors
/// The first fault, with its field.
pub(crate) fn request(body: &[u8], now: Time) -> Result<Event, IngestFault> {
    state(body, &["reason", "requester"], now, |fields| {
        let reason = fields.required(
            "reason",
            fields.prose("reason")?,
            "Say in a sentence what happened and when; nothing else is needed",
        )?;
        let requester = fields.single_line("requester")?;
        Ok((
            Fact::Request(PostmortemRequest {
                reason,
                requester: requester.clone(),
            }),
            requester,
        ))
    })
}

/// The declaration of an outage, or of its end: `{"service", "title", "severity"?, "status"?
/// (firing, resolved), "key"?, "planned"?, "data_loss"?, "detected_by"? (monitor, human, customer,
/// unknown), "actor"?}`. The end needs no title; it is matched by service, incident and key.
///
/// # Errors
/// The first fault, with its field.
pub(crate) fn declaration(
    body: &[u8],
    names: &LabelNames,
    now: Time,
) -> Result<Event, IngestFault> {
    state(
        body,
        &[
            "title",
            "severity",
            "status",
            "key",
            "planned",
            "data_loss",
            "detected_by",
            "actor",
        ],
        now,
        |fields| {
            concerning(fields)?;
            Ok((
                Fact::Declaration(events::declaration(fields, names)?),
                fields.single_line("actor")?,
            ))
        },
    )
}

/// A manual step: `{"service", "action", "why", "should_be_automatic"?, "planned"?, "actor"?}`. It
/// counts as stated by a person.
///
/// # Errors
/// The first fault, with its field.
pub(crate) fn intervention(body: &[u8], now: Time) -> Result<Event, IngestFault> {
    state(
        body,
        &["action", "why", "should_be_automatic", "planned", "actor"],
        now,
        |fields| {
            concerning(fields)?;
            let fact = Fact::Intervention(Intervention {
                action: fields.required(
                    "action",
                    fields.single_line("action")?,
                    "Say what was done: restart, failover, scale, rollback, …",
                )?,
                why: fields.required(
                    "why",
                    fields.prose("why")?,
                    "Say in a sentence what made the step necessary",
                )?,
                stated: true,
                should_be_automatic: fields.flag("should_be_automatic")?,
                dry_run: false,
                refused: false,
                planned: fields.flag("planned")?.unwrap_or(false),
            });
            Ok((fact, fields.single_line("actor")?))
        },
    )
}

/// A near miss: `{"service", "what", "severity"?, "closeness"? (0 to 1), "by_luck"?,
/// "barriers_left"?, "actor"?}`.
///
/// # Errors
/// The first fault, with its field.
pub(crate) fn near_miss(body: &[u8], names: &LabelNames, now: Time) -> Result<Event, IngestFault> {
    state(
        body,
        &[
            "what",
            "severity",
            "closeness",
            "by_luck",
            "barriers_left",
            "actor",
        ],
        now,
        |fields| {
            concerning(fields)?;
            Ok((
                Fact::NearMiss(events::near_miss(fields, names)?),
                fields.single_line("actor")?,
            ))
        },
    )
}

/// Planned work: `{"service"?, "from", "to", "why", "actor"?}`; without a service it applies to
/// all. A repeat with the same service and `from` replaces the earlier statement, and `to` equal to
/// `from` cancels the work.
///
/// # Errors
/// The first fault, with its field.
pub(crate) fn maintenance(body: &[u8], now: Time) -> Result<Event, IngestFault> {
    let body: Value =
        serde_json::from_slice(body).map_err(|error| json_fault(&error, "one object"))?;
    let fields = StrictFields::open(&body, None)?;
    fields.only(&["service", "from", "to", "why", "actor"])?;
    let mut event = Event::new(SOURCE, now, Fact::Maintenance(events::window(&fields)?));
    event.service = fields.single_line("service")?.map(Into::into);
    event.actor = fields.single_line("actor")?.map(|id| {
        Box::new(Actor {
            id,
            kind: ActorKind::Human,
        })
    });
    event.identify();
    Ok(event)
}

/// Requires a service or an incident. Only a request may omit both: the requester need not know our
/// names.
fn concerning(fields: &StrictFields<'_>) -> Result<(), MemberFault> {
    let about = fields
        .single_line("service")?
        .or(fields.single_line("incident")?);
    fields
        .required(
            "service",
            about,
            "Name the affected service, or the `incident`",
        )
        .map(drop)
}

/// Parses the body: the common keys here, the others with `read`, which gives the fact and the
/// person's name.
fn state(
    body: &[u8],
    own: &[&str],
    now: Time,
    read: impl FnOnce(&StrictFields<'_>) -> Result<(Fact, Option<String>), MemberFault>,
) -> Result<Event, IngestFault> {
    let body: Value =
        serde_json::from_slice(body).map_err(|error| json_fault(&error, "one object"))?;
    let fields = StrictFields::open(&body, None)?;
    fields.only(&[own, &COMMON].concat())?;
    let (fact, person) = read(&fields)?;
    let at = match (fields.time("at")?, fields.time("occurred_at")?) {
        (Some(_), Some(_)) => {
            return Err(fields
                .fault(
                    "at",
                    "has the same meaning as `occurred_at`; leave one of them out",
                )
                .into());
        }
        (at, occurred_at) => at.or(occurred_at).unwrap_or(now),
    };
    if time::is_ahead(at, now) {
        let key = if fields.has("at") {
            "at"
        } else {
            "occurred_at"
        };
        return Err(fields
            .fault(key, "this is in the future; state when it happened")
            .into());
    }
    let environment = fields
        .single_line("environment")?
        .map(|word| labels::environment_word(&word));
    let environment = match fields.flag("drill")? {
        Some(true)
            if environment
                .as_ref()
                .is_some_and(|environment| environment != "drill") =>
        {
            return Err(fields
                .fault(
                    "drill",
                    "a drill has the environment `drill`; leave `environment` out",
                )
                .into());
        }
        Some(true) => Some("drill".to_owned()),
        Some(false) | None => environment,
    };

    let mut event = Event::new(SOURCE, at, fact);
    event.service = fields.single_line("service")?.map(Into::into);
    event.environment = environment.map(Into::into);
    event.incident = fields.single_line("incident")?.map(Into::into);
    event.actor = person.map(|id| {
        Box::new(Actor {
            id,
            kind: ActorKind::Human,
        })
    });
    event.identify();
    Ok(event)
}
