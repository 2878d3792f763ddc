//! One alert of Alertmanager's webhook or API: the two share their fields, but not what a missing one means.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{MemberFault, found, labels, time};
use crate::model::Time;
use crate::model::event::{Alert, AlertStatus, EndReason, Event, Fact, Labels, Link};
use crate::model::settings::LabelNames;

/// A string borrowed from the body where it holds no escapes. The newtype matters: serde's `borrow` does not reach a bare
/// `Cow` inside another type.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// The fields, each still unread, so that a fault can name its own.
#[derive(Deserialize)]
struct Raw<'a> {
    #[serde(borrow)]
    status: Option<&'a RawValue>,
    #[serde(borrow)]
    labels: Option<&'a RawValue>,
    #[serde(borrow)]
    annotations: Option<&'a RawValue>,
    #[serde(borrow, rename = "startsAt")]
    starts_at: Option<&'a RawValue>,
    #[serde(borrow, rename = "endsAt")]
    ends_at: Option<&'a RawValue>,
    #[serde(borrow, rename = "generatorURL")]
    generator_url: Option<&'a RawValue>,
}

/// Where a member stands.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// The list's name; empty where the body is the list.
    pub(super) list: &'static str,
    /// Position in the list.
    pub(super) index: usize,
}

impl Place {
    pub(super) fn fault(self, field: &str, message: impl Into<String>) -> MemberFault {
        let Self { list, index } = self;
        let dot = if field.is_empty() { "" } else { "." };
        MemberFault { index: Some(index), path: format!("{list}[{index}]{dot}{field}"), message: message.into() }
    }
}

/// An alert as sent; what is absent or Go's zero time is `None`.
pub(super) struct Sent<'a> {
    pub(super) status: Option<Cow<'a, str>>,
    pub(super) labels: Labels,
    pub(super) annotations: Labels,
    pub(super) starts_at: Option<Time>,
    pub(super) ends_at: Option<Time>,
    pub(super) generator_url: Option<Cow<'a, str>>,
}

/// What an alert's times mean, by the rules of the way it came.
#[derive(Clone, Copy)]
pub(super) struct Episode {
    pub(super) status: AlertStatus,
    pub(super) starts_at: Time,
    pub(super) ends_at: Option<Time>,
    pub(super) end_reason: EndReason,
}

pub(super) fn read<'a>(raw: &'a RawValue, place: Place) -> Result<Sent<'a>, MemberFault> {
    // serde would take a list for a struct, by position.
    let fields = Some(raw.get()).filter(|text| text.starts_with('{')).and_then(|text| serde_json::from_str::<Raw<'a>>(text).ok());
    let Some(fields) = fields else {
        return Err(place.fault("", format!("an alert with `labels` and `startsAt` belongs here, not {}", found(raw.get().as_bytes()))));
    };
    let mut labels = pairs(fields.labels, place, "labels")?;
    // In Prometheus an empty label is the same as none.
    labels.retain(|_, value| !value.is_empty());
    if labels.is_empty() {
        return Err(place.fault("labels", "an alert needs at least one label that is not empty, `alertname` above all"));
    }
    Ok(Sent {
        status: fields.status.map(|raw| text(raw, place, "status")).transpose()?,
        labels,
        annotations: pairs(fields.annotations, place, "annotations")?,
        starts_at: instant(fields.starts_at, place, "startsAt")?,
        ends_at: instant(fields.ends_at, place, "endsAt")?,
        generator_url: fields.generator_url.map(|raw| text(raw, place, "generatorURL")).transpose()?,
    })
}

pub(super) fn event(sent: Sent<'_>, episode: Episode, home: Option<&str>, source: &str, names: &LabelNames, now: Time) -> Event {
    let Episode { status, starts_at, ends_at, end_reason } = episode;
    let links = [
        ("Query", sent.generator_url.as_deref()),
        ("Runbook", sent.annotations.get("runbook_url").map(String::as_str)),
        ("Alertmanager", home),
    ];
    let links = links.into_iter().filter_map(|(title, url)| link(title, url?)).collect();
    let service = labels::service(&sent.labels, names).map(|(_, service)| service.to_owned());
    let environment = labels::environment(&sent.labels, names);
    let alert = Alert {
        seen_again: None,
        name: sent.labels.get("alertname").cloned().unwrap_or_else(|| unnamed(&sent.labels)),
        status,
        severity: labels::severity(&sent.labels, names),
        labels: sent.labels,
        annotations: sent.annotations,
        starts_at,
        ends_at,
        pending_for: None,
        keep_firing_for: None,
        end_reason,
    };
    let mut event = Event::new(source, ends_at.unwrap_or(starts_at), Fact::Alert(alert));
    event.service = service;
    event.environment = environment;
    event.links = links;
    time::clamp(&mut event, now);
    event
}

/// Grafana says in an annotation when a resolved alert did not recover; others say nothing and are believed.
pub(super) fn end_reason(annotations: &Labels) -> EndReason {
    match annotations.get("grafana_state_reason").map(String::as_str) {
        None | Some("" | "Normal") => EndReason::Recovered,
        Some("NoData" | "MissingSeries") => EndReason::NoData,
        Some("Paused") => EndReason::Muted,
        Some("RuleDeleted") => EndReason::Deleted,
        Some(_) => EndReason::Unknown,
    }
}

/// A link, if it is one that a page may offer: anything but `http` and `https` could run in the reader's browser.
pub(super) fn link(title: &str, url: &str) -> Option<Link> {
    let url = url.trim();
    let (scheme, rest) = url.split_once("://")?;
    let safe = (scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https"))
        && !rest.is_empty()
        && !url.chars().any(|letter| letter.is_whitespace() || letter.is_control());
    safe.then(|| Link { title: title.to_owned(), url: url.to_owned() })
}

/// What stands in for `alertname`: the labels, which like a name do not change while the alert lasts.
fn unnamed(labels: &Labels) -> String {
    let pairs: Vec<String> = labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
    format!("{{{}}}", pairs.join(", "))
}

fn text<'a>(raw: &'a RawValue, place: Place, field: &str) -> Result<Cow<'a, str>, MemberFault> {
    match serde_json::from_str::<Text<'a>>(raw.get()) {
        Ok(Text(text)) => Ok(text),
        Err(_) if raw.get().starts_with('"') => {
            Err(place.fault(field, "a string of Unicode text belongs here; this one has half a character"))
        }
        Err(_) => Err(place.fault(field, format!("a string belongs here, not {}", found(raw.get().as_bytes())))),
    }
}

fn instant(raw: Option<&RawValue>, place: Place, field: &str) -> Result<Option<Time>, MemberFault> {
    let Some(raw) = raw else { return Ok(None) };
    let text = text(raw, place, field)?;
    time::parse_go(&text).map_err(|message| place.fault(field, message))
}

fn pairs(raw: Option<&RawValue>, place: Place, field: &str) -> Result<Labels, MemberFault> {
    let Some(raw) = raw else { return Ok(Labels::new()) };
    serde_json::from_str(raw.get()).map_err(|_| {
        // Only now does it pay to look which of them it is.
        let all: std::collections::BTreeMap<String, &RawValue> = serde_json::from_str(raw.get()).unwrap_or_default();
        match all.iter().find(|(_, value)| serde_json::from_str::<Text<'_>>(value.get()).is_err()) {
            Some((name, value)) => {
                place.fault(&format!("{field}.{name}"), format!("a string belongs here, not {}", found(value.get().as_bytes())))
            }
            None => place.fault(field, format!("names with strings belong here, not {}", found(raw.get().as_bytes()))),
        }
    })
}
