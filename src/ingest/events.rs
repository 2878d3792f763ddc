//! Our own event format, `POST /api/v1/events`, for senders without a source of their own. One
//! object or a list:
//!
//! ```json
//! {"kind": "alert", "name": "HighErrorRate", "status": "firing", "service": "checkout", "severity": "critical",
//!  "starts_at": "2026-11-23T07:00:00Z", "labels": {"region": "eu"}, "links": [{"title": "Dashboard", "url": "https://…"}]}
//! ```
//!
//! Keys of every kind: `kind`, `occurred_at` (RFC 3339; now), `source` (`api`), `service`,
//! `environment`, `incident` (an incident's id), `actor` (`{"id", "kind": human|robot|unknown}`),
//! `links` (`[{"title", "url"}]`). Keys by kind, with `*` for required:
//!
//! | kind | keys |
//! |---|---|
//! | `alert` | `name`* (or a label `alertname`), `status`* (firing, resolved), `starts_at` (needed when resolved; `occurred_at`), `ends_at` (`occurred_at`), `labels`, `annotations`, `severity`, `pending_for`, `keep_firing_for` (seconds), `end_reason` |
//! | `condition` | `name`*, `state`* (healthy, degraded, near_miss, unknown), `severity`, `labels`, `value`, `since` (when it came to be so, if that was before `occurred_at`) |
//! | `declaration` | `title`* (not when resolved), `status` (firing), `severity` (critical), `key`, `planned`, `data_loss`, `detected_by` (monitor, human, customer, unknown) |
//! | `intervention` | `action`*, `why`, `stated` (false), `should_be_automatic`, `dry_run`, `refused`, `planned` |
//! | `request` | `reason`*, `requester` |
//! | `near_miss` | `what`*, `severity`, `closeness` (0 to 1), `by_luck`, `barriers_left` |
//! | `change` | `what`*, `title`, `revision`, `line` (the repository or application that has this revision, where a service has several) |
//! | `acknowledgement` | `of` (a subject; none: the incident) |
//! | `note` | `text`* |
//! | `maintenance` | `from`*, `to`*, `why`*, `key`; a repeat for the same service and `key` (else `from`) replaces the earlier one |

use serde_json::Value;

use super::error::{IngestFault, MemberFault, json_fault};
use super::event_keys::{ActorKeys, KINDS, common, kind_names};
use super::reading::Reading;
use super::strict_fields::StrictFields;
use super::{labels, time};
use crate::model::event::{
    Acknowledgement, Actor, ActorKind, Alert, AlertStatus, Change, Condition, Declaration, Event,
    Fact, Intervention, MaintenanceWindow, NearMissReport, Note, PostmortemRequest, Severity,
};
use crate::model::field_names::field_names;
use crate::model::id::Subject;
use crate::model::labels::LabelSet;
use crate::model::settings::LabelNames;
use crate::model::time::Time;

/// Parses one event or a list.
///
/// Good events beside bad ones count: keep the reports, then answer 400 with the `faults` if there
/// are any. An event that states its times is the same event when it is sent again, so a corrected
/// repeat of the whole list is harmless.
///
/// # Errors
/// When the body is neither an object nor a list.
pub(crate) fn events(body: &[u8], names: &LabelNames, now: Time) -> Result<Reading, IngestFault> {
    const EXPECTED: &str = "one event or a list of events";
    let body: Value = serde_json::from_slice(body).map_err(|error| json_fault(&error, EXPECTED))?;
    let read: Vec<Result<Event, MemberFault>> = match &body {
        Value::Array(list) => list
            .iter()
            .enumerate()
            .map(|(index, value)| event(value, Some(index), names, now))
            .collect(),
        one => vec![event(one, None, names, now)],
    };
    let mut reading = Reading::default();
    for read in read {
        match read {
            Ok(event) => reading.push(event),
            Err(fault) => reading.faults.push(fault),
        }
    }
    Ok(reading)
}

/// Parses one event, the `index`th of a list.
pub(crate) fn event(
    value: &Value,
    index: Option<usize>,
    names: &LabelNames,
    now: Time,
) -> Result<Event, MemberFault> {
    let fields = StrictFields::open(value, index)?;
    let kind = fields.required(
        "kind",
        fields.single_line("kind")?,
        "State the kind: alert, condition, declaration, intervention, request, near_miss, change, acknowledgement, note or maintenance",
    )?;
    let advice = match kind.as_str() {
        "review" => Some("send an answer to POST /api/v1/incidents/{id}/review"),
        "edit" => Some("correct the incident itself"),
        "lapsed" | "settings" | "clock_step" => Some("only Afterword itself writes this kind"),
        _ => None,
    };
    if let Some(advice) = advice {
        return Err(fields.fault("kind", format!("`{kind}` is not accepted here: {advice}")));
    }
    fields.one_of("kind", &kind_names())?;
    let keys = KINDS.iter().find(|known| known.name == kind);
    let own = keys.map_or(&[][..], |known| (known.keys)());
    fields.only(&[common(), own].concat())?;

    let occurred_at = fields.time("occurred_at")?;
    let service = fields.single_line("service")?;
    let environment = fields
        .single_line("environment")?
        .map(|word| labels::environment_word(&word));
    let (at, fact) = match kind.as_str() {
        "alert" => alert(
            &fields,
            service.as_deref(),
            environment.as_deref(),
            occurred_at.unwrap_or(now),
            names,
        )?,
        "condition" => (occurred_at.unwrap_or(now), condition(&fields, names)?),
        _ => (occurred_at.unwrap_or(now), plain(&kind, &fields, names)?),
    };
    let none = LabelSet::default();
    let carried = match &fact {
        Fact::Alert(alert) => &alert.labels,
        Fact::Condition(condition) => &condition.labels,
        _ => &none,
    };
    let service =
        service.or_else(|| labels::service(carried, names).map(|(_, service)| service.to_owned()));
    let environment = environment.or_else(|| labels::environment(carried, names));

    let mut event = Event::new(
        &fields
            .single_line("source")?
            .unwrap_or_else(|| "api".to_owned()),
        at,
        fact,
    );
    event.service = service.map(Into::into);
    event.environment = environment.map(Into::into);
    event.incident = fields.single_line("incident")?.map(Into::into);
    event.actor = actor(&fields)?.map(Box::new);
    event.links = fields.links("links")?.into();
    event.identify();
    time::clamp(&mut event, now);
    Ok(event)
}

fn actor(fields: &StrictFields<'_>) -> Result<Option<Actor>, MemberFault> {
    // A bare name is accepted; its kind is unknown.
    if let Ok(Some(id)) = fields.single_line("actor") {
        return Ok(Some(Actor {
            id,
            kind: ActorKind::Unknown,
        }));
    }
    let Some(actor) = fields.object("actor")? else {
        return Ok(None);
    };
    actor.only(field_names::<ActorKeys>())?;
    let id = actor.required(
        "id",
        actor.single_line("id")?,
        "Name who acted, as their source names them",
    )?;
    Ok(Some(Actor {
        id,
        kind: actor.keyword("kind")?.unwrap_or_default(),
    }))
}

fn alert(
    fields: &StrictFields<'_>,
    service: Option<&str>,
    environment: Option<&str>,
    at: Time,
    names: &LabelNames,
) -> Result<(Time, Fact), MemberFault> {
    let mut labels = fields.labels("labels")?;
    let name = fields
        .single_line("name")?
        .or_else(|| labels.get("alertname").cloned());
    let name = fields.required("name", name, "Say which alert it is")?;
    let status = fields.required(
        "status",
        fields.keyword("status")?,
        "Say whether the alert is `firing` or `resolved`",
    )?;
    // Labels identify an alert: without these, alerts of two services would be one.
    for (label, value) in [
        ("alertname", Some(name.as_str())),
        ("service", service),
        ("environment", environment),
    ] {
        if let Some(value) = value {
            labels
                .entry(label.to_owned())
                .or_insert_with(|| value.to_owned());
        }
    }
    let starts_at = fields.time("starts_at")?;
    let ends_at = fields.time("ends_at")?;
    let (starts_at, ends_at) = match status {
        AlertStatus::Firing if ends_at.is_some() => {
            return Err(fields.fault("ends_at", "a firing alert has no end yet"));
        }
        AlertStatus::Firing => (starts_at.unwrap_or(at), None),
        AlertStatus::Resolved => {
            let starts_at = fields.required(
                "starts_at",
                starts_at,
                "A resolved alert is matched by the `starts_at` it fired with: send the same one",
            )?;
            (starts_at, Some(ends_at.unwrap_or(at)))
        }
    };
    let labels = LabelSet::from(labels);
    let severity = fields
        .severity("severity", names)?
        .unwrap_or_else(|| labels::severity(&labels, names));
    let alert = Alert {
        seen_again: None,
        borrowed_end: false,
        recalled: false,
        name: name.into(),
        status,
        labels,
        annotations: fields.labels("annotations")?.into(),
        severity,
        starts_at,
        ends_at,
        pending_for: fields.seconds("pending_for")?,
        keep_firing_for: fields.seconds("keep_firing_for")?,
        end_reason: fields.keyword("end_reason")?.unwrap_or_default(),
    };
    // An end before the start is wrong: it is told now, and leaves the state unknown.
    let occurred_at = match ends_at {
        Some(ends_at) if ends_at < starts_at => starts_at.max(at),
        Some(ends_at) => ends_at,
        None => starts_at,
    };
    Ok((occurred_at, Fact::Alert(alert)))
}

fn condition(fields: &StrictFields<'_>, names: &LabelNames) -> Result<Fact, MemberFault> {
    let labels = LabelSet::from(fields.labels("labels")?);
    Ok(Fact::Condition(Condition {
        name: fields.required(
            "name",
            fields.single_line("name")?,
            "Name the condition as in the rules",
        )?,
        state: fields.required(
            "state",
            fields.keyword("state")?,
            "Say which state it entered: healthy, degraded, near_miss or unknown",
        )?,
        severity: fields
            .severity("severity", names)?
            .unwrap_or_else(|| labels::severity(&labels, names)),
        labels,
        value: fields.number("value")?,
        since: fields.time("since")?,
    }))
}

/// Parses the kinds without labels.
fn plain(kind: &str, fields: &StrictFields<'_>, names: &LabelNames) -> Result<Fact, MemberFault> {
    Ok(match kind {
        "declaration" => Fact::Declaration(declaration(fields, names)?),
        "intervention" => Fact::Intervention(Intervention {
            action: fields.required(
                "action",
                fields.single_line("action")?,
                "Say what was done: restart, failover, scale, rollback, …",
            )?,
            why: fields.prose("why")?.unwrap_or_default(),
            stated: fields.flag("stated")?.unwrap_or(false),
            should_be_automatic: fields.flag("should_be_automatic")?,
            dry_run: fields.flag("dry_run")?.unwrap_or(false),
            refused: fields.flag("refused")?.unwrap_or(false),
            planned: fields.flag("planned")?.unwrap_or(false),
        }),
        "request" => Fact::Request(PostmortemRequest {
            reason: fields.required(
                "reason",
                fields.prose("reason")?,
                "Say in a sentence what happened and when",
            )?,
            requester: fields.single_line("requester")?,
        }),
        "near_miss" => Fact::NearMiss(near_miss(fields, names)?),
        "change" => Fact::Change(Change {
            what: fields.required(
                "what",
                fields.single_line("what")?,
                "Say what kind of change it was: deploy, rollback, flag or config",
            )?,
            title: fields.single_line("title")?.unwrap_or_default(),
            revision: fields.single_line("revision")?,
            line: fields.single_line("line")?,
        }),
        "acknowledgement" => Fact::Acknowledgement(Acknowledgement {
            of: subject(fields)?,
        }),
        "maintenance" => Fact::Maintenance(window(fields)?),
        _ => Fact::Note(Note {
            text: fields.required("text", fields.prose("text")?, "Write what was noted")?,
        }),
    })
}

fn subject(fields: &StrictFields<'_>) -> Result<Option<Subject>, MemberFault> {
    let Some(text) = fields.single_line("of")? else {
        // Without either, the acknowledgement refers to nothing.
        let about = fields
            .single_line("incident")?
            .or(fields.single_line("service")?);
        fields.required(
            "incident",
            about,
            "An acknowledgement is `of` a subject, or of the incident or the service named here",
        )?;
        return Ok(None);
    };
    text.parse()
        .map(Some)
        .map_err(|_| fields.fault("of", "expected a subject: 16 hex digits in lower case"))
}

/// The keys of a declaration.
pub(crate) fn declaration(
    fields: &StrictFields<'_>,
    names: &LabelNames,
) -> Result<Declaration, MemberFault> {
    let status = fields.keyword("status")?.unwrap_or(AlertStatus::Firing);
    let title = fields.single_line("title")?;
    let title = match status {
        AlertStatus::Firing => {
            fields.required("title", title, "Say in a few words what users cannot do")?
        }
        AlertStatus::Resolved => title.unwrap_or_default(),
    };
    Ok(Declaration {
        key: fields.single_line("key")?.unwrap_or_default(),
        title,
        severity: fields
            .severity("severity", names)?
            .unwrap_or(Severity::Critical),
        status,
        planned: fields.flag("planned")?.unwrap_or(false),
        data_loss: fields.flag("data_loss")?,
        detected_by: fields.keyword("detected_by")?,
    })
}

/// The keys of planned work.
pub(crate) fn window(fields: &StrictFields<'_>) -> Result<MaintenanceWindow, MemberFault> {
    let from = fields.required("from", fields.time("from")?, "Say when the work begins")?;
    let to = fields.required("to", fields.time("to")?, "Say when the work ends")?;
    if to < from {
        return Err(fields.fault(
            "to",
            "must not be before `from`; equal times cancel the work",
        ));
    }
    let why = fields.required(
        "why",
        fields.single_line("why")?,
        "Say in a few words what is done",
    )?;
    Ok(MaintenanceWindow {
        key: fields.single_line("key")?.unwrap_or_default(),
        from,
        to,
        why,
    })
}

/// The keys of a near miss.
pub(crate) fn near_miss(
    fields: &StrictFields<'_>,
    names: &LabelNames,
) -> Result<NearMissReport, MemberFault> {
    let closeness = fields.number("closeness")?;
    if closeness.is_some_and(|closeness| !(0.0..=1.0).contains(&closeness)) {
        return Err(fields.fault(
            "closeness",
            "expected a number from 0 (far off) to 1 (it almost happened)",
        ));
    }
    Ok(NearMissReport {
        what: fields.required(
            "what",
            fields.prose("what")?,
            "Say in a sentence what nearly happened",
        )?,
        severity: fields.severity("severity", names)?.unwrap_or_default(),
        closeness,
        by_luck: fields.flag("by_luck")?.unwrap_or(false),
        barriers_left: fields.count("barriers_left")?,
    })
}
