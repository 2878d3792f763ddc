//! Parses one entry of `events:` to an event with a time relative to the scenario's beginning.

use std::collections::BTreeSet;

use serde::Deserialize;

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
use crate::yaml;
use crate::yaml::node::{Node, Value};
use crate::yaml::scalar::{Duration, Spanned};

/// The key of each kind of event, and the keys it takes beside the common ones.
pub(crate) const KINDS: [(&str, &[&str]); 10] = [
    ("alert", &["status", "severity", "labels", "end_reason"]),
    ("condition", &["state", "severity", "labels", "value"]),
    (
        "declaration",
        &[
            "status",
            "severity",
            "key",
            "planned",
            "data_loss",
            "detected_by",
        ],
    ),
    (
        "intervention",
        &[
            "why",
            "stated",
            "should_be_automatic",
            "dry_run",
            "refused",
            "planned",
        ],
    ),
    ("request", &["requester"]),
    (
        "near_miss",
        &["severity", "closeness", "by_luck", "barriers_left"],
    ),
    ("change", &["title", "revision"]),
    ("acknowledgement", &[]),
    ("note", &[]),
    (SAMPLES, &["labels", "values"]),
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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EventEntry {
    at: Option<Spanned<Duration>>,
    alert: Option<String>,
    condition: Option<String>,
    declaration: Option<String>,
    intervention: Option<String>,
    request: Option<String>,
    near_miss: Option<String>,
    change: Option<String>,
    acknowledgement: Option<String>,
    note: Option<String>,
    samples: Option<String>,
    values: Option<Spanned<String>>,
    service: Option<String>,
    environment: Option<String>,
    incident: Option<String>,
    actor: Option<String>,
    actor_kind: Option<ActorKind>,
    status: Option<AlertStatus>,
    state: Option<ConditionState>,
    severity: Option<Spanned<Severity>>,
    #[serde(default)]
    labels: Labels,
    end_reason: Option<EndReason>,
    value: Option<f64>,
    #[serde(default)]
    key: String,
    #[serde(default)]
    planned: bool,
    data_loss: Option<bool>,
    detected_by: Option<DetectedBy>,
    #[serde(default)]
    dry_run: bool,
    #[serde(default)]
    refused: bool,
    barriers_left: Option<u32>,
    #[serde(default)]
    why: String,
    stated: Option<bool>,
    should_be_automatic: Option<bool>,
    requester: Option<String>,
    closeness: Option<f64>,
    #[serde(default)]
    by_luck: bool,
    #[serde(default)]
    title: String,
    revision: Option<String>,
}

/// Parses all events and samples of a scenario. Resolutions and acknowledgements are linked to the
/// earlier event.
pub(crate) fn events(
    file: &str,
    nodes: &[Node],
    scale: &SeverityScale,
    faults: &mut Vec<Fault>,
) -> (Vec<ScenarioEvent>, Vec<ScenarioSamples>) {
    let mut above = Before::default();
    let mut lost = false;
    for node in nodes {
        let before = faults.len();
        let Some(mut entry) = yaml::entry::read_entry::<EventEntry>(file, node, &["at"], faults)
        else {
            continue;
        };
        if let Some(stated) = &mut entry.severity {
            match scale.accept(stated.value) {
                Ok(severity) => stated.value = severity,
                Err(why) => faults.push(stated.position.fault(file, why)),
            }
        }
        if let Some(at) = entry.at.as_ref().filter(|at| at.value.seconds < above.at) {
            faults.push(at.position.fault(
                file,
                "this is before the event above it; list events in order of time",
            ));
        }
        above.at = entry
            .at
            .as_ref()
            .map_or(above.at, |at| at.value.seconds.max(above.at));
        let kind = matches!(node.value, Value::Map(_))
            .then(|| kind(file, node, faults))
            .flatten();
        // The remaining checks combine keys and earlier events, and would only report consequences
        // of faults.
        let whole = faults.len() == before;
        let refers = kind == Some("acknowledgement") || entry.status == Some(AlertStatus::Resolved);
        let read = match kind.filter(|_| whole && !(refers && lost)) {
            None => Ok(()),
            Some(SAMPLES) => samples(file, node, entry).map(|read| above.samples.push(read)),
            Some(kind) => {
                event(file, node, kind, entry, &above).map(|read| above.events.push(read))
            }
        };
        faults.extend(read.err());
        lost |= faults.len() > before;
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
fn kind(file: &str, node: &Node, faults: &mut Vec<Fault>) -> Option<&'static str> {
    let mut present = KINDS.iter().filter(|(kind, _)| node.get(kind).is_some());
    let Some((kind, keys)) = present.next() else {
        let list = KINDS
            .iter()
            .map(|(kind, _)| format!("`{kind}`"))
            .collect::<Vec<_>>()
            .join(", ");
        faults.push(node.position().fault(
            file,
            format!("the kind of event is missing; give one of {list}"),
        ));
        return None;
    };
    if let Some((second, _)) = present.next() {
        let message = format!("this is both `{kind}` and `{second}`; write two events");
        faults.push(node.key_position(second).fault(file, message));
        return None;
    }
    // The rules define the rest of the samples.
    let common = if *kind == SAMPLES {
        &COMMON[..1]
    } else {
        &COMMON[..]
    };
    let fits = |key: &&str| common.contains(key) || keys.contains(key);
    let all: BTreeSet<&str> = COMMON
        .iter()
        .chain(KINDS.iter().flat_map(|(_, keys)| keys.iter()))
        .copied()
        .collect();
    for key in all
        .iter()
        .filter(|key| node.get(key).is_some() && !fits(key))
    {
        faults.push(
            node.key_position(key)
                .fault(file, format!("`{key}` does not apply to `{kind}`")),
        );
    }
    Some(kind)
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
