//! Parses one entry of `events:` to an event with a time relative to the scenario's beginning.

use std::collections::{BTreeMap, BTreeSet};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::series;
use crate::model::event::{
    Actor, ActorKind, AlertStatus, Change, Condition, ConditionState, Declaration, DetectedBy,
    EndReason, Intervention, NearMissReport, Note, PostmortemRequest, Severity,
};
use crate::model::fault::{Fault, nearest};
use crate::model::labels::Labels;
use crate::model::severity_scale::SeverityScale;
use crate::rules::scenario::event::{ScenarioAlert, ScenarioEvent, ScenarioFact, ScenarioSamples};
use crate::rules::seconds::Seconds;
use crate::yaml::node::{Node, Value};
use crate::yaml::reader::Reader;
use crate::yaml::scalar::{Duration, Spanned};

/// A kind of event, by the key that gives it.
pub(crate) struct ScenarioEventKind {
    pub(crate) key: &'static str,
    /// Keys that it requires.
    pub(crate) required: &'static [&'static str],
    /// Keys that it takes, too.
    pub(crate) optional: &'static [&'static str],
}

const fn kind_of(
    key: &'static str,
    required: &'static [&'static str],
    optional: &'static [&'static str],
) -> ScenarioEventKind {
    ScenarioEventKind {
        key,
        required,
        optional,
    }
}

/// All kinds of events.
#[rustfmt::skip]
pub(crate) const KINDS: [ScenarioEventKind; 10] = [
    kind_of("alert", &["status"], &["severity", "labels", "end_reason"]),
    kind_of("condition", &["state"], &["severity", "labels", "value"]),
    kind_of("declaration", &[], &["status", "severity", "key", "planned", "data_loss", "detected_by"]),
    kind_of("intervention", &[], &["why", "stated", "should_be_automatic", "dry_run", "refused", "planned"]),
    kind_of("request", &[], &["requester"]),
    kind_of("near_miss", &[], &["severity", "closeness", "by_luck", "barriers_left"]),
    kind_of("change", &[], &["title", "revision"]),
    kind_of("acknowledgement", &[], &[]),
    kind_of("note", &[], &[]),
    kind_of(SAMPLES, &["values"], &["labels"]),
];
const SAMPLES: &str = "samples";
/// Keys common to all events.
pub(crate) const COMMON: [&str; 6] = [
    "at",
    "service",
    "environment",
    "incident",
    "actor",
    "actor_kind",
];

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EventEntry {
    /// Time since the start of the scenario.
    #[schemars(required)]
    at: Option<Spanned<Duration>>,
    /// Name of an alert.
    #[schemars(required)]
    alert: Option<String>,
    /// Name of a metric condition.
    #[schemars(required)]
    condition: Option<String>,
    /// Declared outage: description of the user impact.
    #[schemars(required)]
    declaration: Option<String>,
    /// Manual step: restart, failover, scale.
    #[schemars(required)]
    intervention: Option<String>,
    /// Request for a postmortem: the reason.
    #[schemars(required)]
    request: Option<String>,
    /// Description of the near miss.
    #[schemars(required)]
    near_miss: Option<String>,
    /// Kind of change: deploy, rollback, flag, config.
    #[schemars(required)]
    change: Option<String>,
    /// Name of the acknowledged subject, or `incident`.
    #[schemars(required)]
    acknowledgement: Option<String>,
    /// Text of the note.
    #[schemars(required)]
    note: Option<String>,
    /// Name of a condition in the rules; its query returns these values.
    #[schemars(required)]
    samples: Option<String>,
    /// One value per evaluation, in promtool notation: `0x3 0.03x40 _x2 stale 0`. `_` is a gap,
    /// through which the value before counts for five minutes; `stale` ends the series.
    #[schemars(required)]
    values: Option<Spanned<String>>,
    /// Affected service.
    service: Option<String>,
    /// Affected environment.
    environment: Option<String>,
    /// Id of the related incident.
    incident: Option<String>,
    /// Person or program that acted.
    actor: Option<String>,
    /// Kind of actor.
    #[schemars(extend("default" = "human"))]
    actor_kind: Option<ActorKind>,
    /// `firing` or `resolved`. An alert needs it; a declaration is `firing` by default.
    #[schemars(required)]
    status: Option<AlertStatus>,
    /// New state.
    #[schemars(required)]
    state: Option<ConditionState>,
    /// Severity: critical, warning, info, none or unknown, or one of `severities:` in the settings.
    /// By default `critical` for a condition or declaration, otherwise `unknown`.
    severity: Option<Spanned<Severity>>,
    /// Labels of the alert.
    #[serde(default)]
    labels: Labels,
    /// Reason for the end.
    #[schemars(extend("default" = "recovered"))]
    end_reason: Option<EndReason>,
    /// Measured value.
    value: Option<f64>,
    /// Distinguishes declarations of one service.
    #[serde(default)]
    key: String,
    /// Planned work.
    #[serde(default)]
    planned: bool,
    /// Data was lost; null if unknown.
    data_loss: Option<bool>,
    /// Detected first by.
    detected_by: Option<DetectedBy>,
    /// Dry run: nothing was changed.
    #[serde(default)]
    dry_run: bool,
    /// The step was rejected.
    #[serde(default)]
    refused: bool,
    /// Number of remaining barriers.
    barriers_left: Option<u32>,
    /// Reason for it.
    #[serde(default)]
    why: String,
    /// Entered by a person.
    #[schemars(extend("default" = true))]
    stated: Option<bool>,
    /// The step should be automated; by default as in the settings.
    should_be_automatic: Option<bool>,
    /// Person who requests it.
    requester: Option<String>,
    /// Closeness to an incident, from 0 (remote) to 1 (almost happened).
    #[schemars(range(min = 0, max = 1))]
    closeness: Option<f64>,
    /// Noticed only by luck.
    #[serde(default)]
    by_luck: bool,
    /// Title of the change.
    #[serde(default)]
    title: String,
    /// Revision that was deployed.
    revision: Option<String>,
}

impl ScenarioEventKind {
    /// Keys of every kind. The rules define the rest of the samples.
    pub(crate) fn common(&self) -> &'static [&'static str] {
        if self.key == SAMPLES {
            &COMMON[..1]
        } else {
            &COMMON
        }
    }

    /// All its keys, beginning with those that it requires.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &'static str> {
        let own = [self.key].into_iter().chain(self.required.iter().copied());
        let more = self.common().iter().chain(self.optional);
        own.chain(more.copied())
    }
}

/// Schema of `events`: a list of events, each with the keys of its kind.
pub(crate) fn events_schema(generator: &mut SchemaGenerator) -> Schema {
    let entry = EventEntry::json_schema(generator);
    let kinds = KINDS.iter().map(|kind| {
        let properties: BTreeMap<&str, &Json> = kind
            .keys()
            .map(|key| (key, &entry.as_value()["properties"][key]))
            .collect();
        let required: Vec<&str> = [COMMON[0], kind.key].into_iter().chain(kind.required.iter().copied()).collect();
        json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
    });
    json_schema!({"type": "array", "items": {"oneOf": kinds.collect::<Vec<_>>()}})
}

/// Parses all events and samples of a scenario. Resolutions and acknowledgements are linked to the
/// earlier event.
pub(crate) fn events(
    reader: &mut Reader<'_>,
    nodes: &[Node],
    scale: &SeverityScale,
) -> (Vec<ScenarioEvent>, Vec<ScenarioSamples>) {
    let mut above = Before::default();
    let mut lost = false;
    for node in nodes {
        let before = reader.faults.len();
        let Some(mut entry) = reader.read::<EventEntry>(node, &["at"]) else {
            continue;
        };
        if let Some(stated) = &mut entry.severity {
            match scale.accept(stated.value) {
                Ok(severity) => stated.value = severity,
                Err(why) => reader.fault(stated.position, why),
            }
        }
        if let Some(at) = entry.at.as_ref().filter(|at| at.value.seconds < above.at) {
            reader.fault(
                at.position,
                "this is before the event above it; list events in order of time",
            );
        }
        above.at = entry
            .at
            .as_ref()
            .map_or(above.at, |at| at.value.seconds.max(above.at));
        let kind = matches!(node.value, Value::Map(_))
            .then(|| kind(reader, node))
            .flatten();
        // The remaining checks combine keys and earlier events, and would only report consequences
        // of faults.
        let whole = reader.faults.len() == before;
        let refers = kind == Some("acknowledgement") || entry.status == Some(AlertStatus::Resolved);
        let read = match kind.filter(|_| whole && !(refers && lost)) {
            None => Ok(()),
            Some(SAMPLES) => samples(reader.file, node, entry).map(|read| above.samples.push(read)),
            Some(kind) => {
                event(reader.file, node, kind, entry, &above).map(|read| above.events.push(read))
            }
        };
        reader.faults.extend(read.err());
        lost |= reader.faults.len() > before;
    }
    (above.events, above.samples)
}

/// The entries above the current one.
#[derive(Default)]
struct Before {
    at: Seconds,
    events: Vec<ScenarioEvent>,
    samples: Vec<ScenarioSamples>,
}

/// The key that gives the event's kind; a fault for every other key that does not fit it.
fn kind(reader: &mut Reader<'_>, node: &Node) -> Option<&'static str> {
    let mut present = KINDS.iter().filter(|kind| node.get(kind.key).is_some());
    let Some(kind) = present.next() else {
        let list = KINDS
            .iter()
            .map(|kind| format!("`{}`", kind.key))
            .collect::<Vec<_>>()
            .join(", ");
        reader.fault(
            node.position(),
            format!("the kind of event is missing; give one of {list}"),
        );
        return None;
    };
    if let Some(second) = present.next() {
        let message = format!(
            "this is both `{}` and `{}`; write two events",
            kind.key, second.key
        );
        reader.fault(node.key_position(second.key), message);
        return None;
    }
    let own: BTreeSet<&str> = kind.keys().collect();
    let all: BTreeSet<&str> = KINDS.iter().flat_map(ScenarioEventKind::keys).collect();
    for key in all.difference(&own).filter(|key| node.get(key).is_some()) {
        reader.fault(
            node.key_position(key),
            format!("`{key}` does not apply to `{}`", kind.key),
        );
    }
    Some(kind.key)
}

fn samples(file: &str, node: &Node, entry: EventEntry) -> Result<ScenarioSamples, Fault> {
    let EventEntry {
        at,
        samples,
        values,
        labels,
        ..
    } = entry;
    let condition = samples.filter(|name| !name.trim().is_empty());
    let condition = condition.ok_or_else(|| {
        node.key_position(SAMPLES)
            .fault(file, "`samples` needs the name of a condition in the rules")
    })?;
    let missing = || {
        node.position().fault(file, "`values` is missing: for example \"0x3 0.03x40 _x2 stale 0\", one value per evaluation")
    };
    let given = series::SeriesValues {
        condition,
        values: values.ok_or_else(missing)?,
        labels,
    };
    let at = at.map_or(0, |at| at.value.seconds);
    series::read(file, at, node.line, given)
}

fn event(
    file: &str,
    node: &Node,
    kind: &str,
    entry: EventEntry,
    before: &Before,
) -> Result<ScenarioEvent, Fault> {
    let fault = |key: &str, message: String| node.key_position(key).fault(file, message);
    let needed = |key: &str, word: &str| {
        node.position()
            .fault(file, format!("`{key}` is missing: {word}"))
    };
    let name = |name: Option<String>| {
        name.filter(|name| !name.trim().is_empty()).ok_or_else(|| {
            fault(
                kind,
                format!("`{kind}` needs a text: its name or a description"),
            )
        })
    };
    let EventEntry {
        at,
        service,
        environment,
        incident,
        status,
        severity,
        ..
    } = entry;
    let at = at.map_or(0, |at| at.value.seconds);
    let severity = severity.map(|severity| severity.value);
    let told = match kind {
        "alert" => {
            let name = name(entry.alert)?;
            let status = status.ok_or_else(|| needed("status", "`firing` or `resolved`"))?;
            let alert = ScenarioAlert {
                severity: severity.unwrap_or_default(),
                end_reason: entry.end_reason.unwrap_or_default(),
                name: name.clone(),
                status,
            };
            match status {
                AlertStatus::Firing => {
                    let labels = all_labels(
                        &name,
                        service.as_deref(),
                        environment.as_deref(),
                        severity,
                        entry.labels,
                    );
                    ScenarioFact::Alert {
                        alert,
                        labels,
                        starts: at,
                    }
                }
                AlertStatus::Resolved => {
                    let (labels, starts, severity) = firing(
                        &before.events,
                        &name,
                        service.as_deref(),
                        &entry.labels,
                    )
                    .ok_or_else(|| {
                        fault(
                            "alert",
                            format!(
                                "no firing `{name}` with the same service and labels precedes this"
                            ),
                        )
                    })?;
                    ScenarioFact::Alert {
                        alert: ScenarioAlert { severity, ..alert },
                        labels,
                        starts,
                    }
                }
            }
        }
        "condition" => {
            let state = entry.state.ok_or_else(|| {
                needed("state", "`healthy`, `degraded`, `near_miss` or `unknown`")
            })?;
            let severity = severity.unwrap_or(Severity::Critical);
            let name = name(entry.condition)?;
            ScenarioFact::Condition(Condition {
                name,
                state,
                severity,
                labels: entry.labels.into(),
                value: entry.value,
                since: None,
            })
        }
        "declaration" => ScenarioFact::Declaration(Declaration {
            key: entry.key,
            title: name(entry.declaration)?,
            severity: severity.unwrap_or(Severity::Critical),
            status: status.unwrap_or(AlertStatus::Firing),
            planned: entry.planned,
            data_loss: entry.data_loss,
            detected_by: entry.detected_by,
        }),
        "intervention" => ScenarioFact::Intervention(Intervention {
            action: name(entry.intervention)?,
            why: entry.why,
            stated: entry.stated.unwrap_or(true),
            should_be_automatic: entry.should_be_automatic,
            dry_run: entry.dry_run,
            refused: entry.refused,
            planned: entry.planned,
        }),
        "request" => ScenarioFact::Request(PostmortemRequest {
            reason: name(entry.request)?,
            requester: entry.requester,
        }),
        "near_miss" => {
            if entry
                .closeness
                .is_some_and(|closeness| !(0.0..=1.0).contains(&closeness))
            {
                return Err(fault(
                    "closeness",
                    "`closeness` must be from 0 to 1".to_owned(),
                ));
            }
            ScenarioFact::NearMiss(NearMissReport {
                what: name(entry.near_miss)?,
                severity: severity.unwrap_or_default(),
                closeness: entry.closeness,
                by_luck: entry.by_luck,
                barriers_left: entry.barriers_left,
            })
        }
        "change" => ScenarioFact::Change(Change {
            what: name(entry.change)?,
            title: entry.title,
            revision: entry.revision,
            line: None,
        }),
        "note" => ScenarioFact::Note(Note {
            text: name(entry.note)?,
        }),
        _ => match entry.acknowledgement.as_deref().unwrap_or_default() {
            "" | "incident" => ScenarioFact::Acknowledgement(None),
            name => ScenarioFact::Acknowledgement(Some(Box::new(
                acknowledged(before, name).map_err(|message| fault("acknowledgement", message))?,
            ))),
        },
    };
    let kind = entry.actor_kind.unwrap_or(ActorKind::Human);
    let actor = entry.actor.map(|id| Actor { id, kind });
    Ok(ScenarioEvent {
        at,
        line: node.line,
        service,
        environment,
        incident,
        actor,
        told,
    })
}

/// The labels of the corresponding Prometheus alert.
fn all_labels(
    name: &str,
    service: Option<&str>,
    environment: Option<&str>,
    severity: Option<Severity>,
    given: Labels,
) -> Labels {
    let stated = [
        ("alertname", Some(name)),
        ("service", service),
        ("environment", environment),
        ("severity", severity.as_ref().map(Severity::word)),
    ];
    let mut labels: Labels = stated
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
        .collect();
    labels.extend(given);
    labels
}

/// Labels, beginning and severity of the firing alert with this name, service and labels.
fn firing(
    before: &[ScenarioEvent],
    wanted: &str,
    service: Option<&str>,
    given: &Labels,
) -> Option<(Labels, i64, Severity)> {
    let fits = |labels: &Labels| {
        given
            .iter()
            .all(|(name, value)| labels.get(name) == Some(value))
    };
    before.iter().rev().find_map(|event| match &event.told {
        ScenarioFact::Alert {
            alert,
            labels,
            starts,
        } if alert.name == wanted && event.service.as_deref() == service && fits(labels) => Some(
            (alert.status == AlertStatus::Firing)
                .then(|| (labels.clone(), *starts, alert.severity)),
        ),
        _ => None,
    })?
}

/// An event with the subject of the events that the samples will produce.
fn stand_in(samples: &ScenarioSamples) -> ScenarioEvent {
    let condition = Condition {
        name: samples.condition.clone(),
        state: ConditionState::Unknown,
        severity: Severity::default(),
        labels: (&samples.labels).into(),
        value: None,
        since: None,
    };
    let (at, line, told) = (samples.at, samples.line, ScenarioFact::Condition(condition));
    ScenarioEvent {
        at,
        line,
        service: None,
        environment: None,
        incident: None,
        actor: None,
        told,
    }
}

fn signal_name(event: &ScenarioEvent) -> Option<&str> {
    match &event.told {
        ScenarioFact::Alert { alert, .. } => Some(&alert.name),
        ScenarioFact::Condition(condition) => Some(&condition.name),
        ScenarioFact::Declaration(declaration) => Some(&declaration.title),
        _ => None,
    }
}

fn acknowledged(before: &Before, name: &str) -> Result<ScenarioEvent, String> {
    if let Some(event) = before
        .events
        .iter()
        .rev()
        .find(|event| signal_name(event) == Some(name))
    {
        return Ok(event.clone());
    }
    if let Some(samples) = before
        .samples
        .iter()
        .rev()
        .find(|samples| samples.condition == name)
    {
        return Ok(stand_in(samples));
    }
    let samples = before
        .samples
        .iter()
        .map(|samples| samples.condition.as_str());
    let meant = nearest(
        name,
        before.events.iter().filter_map(signal_name).chain(samples),
    )
    .map(|name| format!("; did you mean `{name}`?"))
    .unwrap_or_default();
    Err(format!(
        "no alert, condition or declaration `{name}` precedes this{meant}"
    ))
}
