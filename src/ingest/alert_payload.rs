//! One alert of Alertmanager's webhook or API, or of Grafana's webhook. They share their fields,
//! but not the meaning of a missing one.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de};
use serde_json::value::RawValue;

use super::error::{MemberFault, MemberPosition, json_kind, plain_words};
use super::reading::AlertRef;
use super::{labels, time};
use crate::model::event::{Alert, AlertStatus, EndReason, Event, Fact, Link};
use crate::model::labels::LabelSet;
use crate::model::settings::LabelNames;
use crate::model::time::Time;

/// Maximum length of a list that is parsed borrowed, as a whole. A longer one is parsed member by
/// member, or a body of tiny alerts would need many times its own memory.
const TOGETHER: usize = 4096;

/// Maximum length of a list. Real alerts reach the size limit of a body first; without this limit a
/// body of commas would become gigabytes of faults.
const MEMBERS: usize = 100_000;

/// A string borrowed from the body where it holds no escapes. The newtype matters: serde's `borrow` does not reach a bare
/// `Cow` inside another type.
#[derive(Deserialize)]
struct BorrowedStr<'a>(#[serde(borrow)] Cow<'a, str>);

/// String pairs sorted by name, each name once with the last value sent. Equal to a map, without
/// its cost.
#[derive(Default)]
pub(crate) struct LabelPairs<'a>(pub(crate) Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl LabelPairs<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        self.0
            .binary_search_by(|(other, _)| other.as_ref().cmp(name))
            .ok()
            .map(|at| self.0[at].1.as_ref())
    }

    fn into_label_set(self) -> LabelSet {
        LabelSet::of_sorted(
            self.0
                .iter()
                .map(|(name, value)| (name.as_ref(), value.as_ref())),
        )
    }
}

impl<'de> Deserialize<'de> for LabelPairs<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = LabelPairs<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("names with strings")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut pairs: Vec<(Cow<'de, str>, Cow<'de, str>)> = Vec::new();
                let mut in_order = true;
                while let Some((BorrowedStr(name), BorrowedStr(value))) = map.next_entry()? {
                    if pairs.is_empty() {
                        pairs.reserve(8);
                    }
                    in_order &= pairs.last().is_none_or(|(last, _)| *last < name);
                    pairs.push((name, value));
                }
                if !in_order {
                    // The sort is stable; reversing first makes the last of equal names win.
                    pairs.reverse();
                    pairs.sort_by(|(one, _), (other, _)| one.cmp(other));
                    pairs.dedup_by(|(later, _), (first, _)| later == first);
                }
                Ok(LabelPairs(pairs))
            }
        }
        deserializer.deserialize_map(All)
    }
}

/// The fields unparsed, so that a fault can name its field.
#[derive(Deserialize)]
struct RawFields<'a> {
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
    #[serde(borrow, rename = "dashboardURL")]
    dashboard_url: Option<&'a RawValue>,
    #[serde(borrow, rename = "panelURL")]
    panel_url: Option<&'a RawValue>,
    #[serde(borrow, rename = "silenceURL")]
    silence_url: Option<&'a RawValue>,
}

/// The fields of [`RawFields`] in one pass, for a list without faults. [`read`] diagnoses whatever
/// this refuses.
#[derive(Deserialize)]
#[serde(field_identifier)]
enum Field {
    #[serde(rename = "status")]
    Status,
    #[serde(rename = "labels")]
    Labels,
    #[serde(rename = "annotations")]
    Annotations,
    #[serde(rename = "startsAt")]
    StartsAt,
    #[serde(rename = "endsAt")]
    EndsAt,
    #[serde(rename = "generatorURL")]
    GeneratorUrl,
    #[serde(rename = "dashboardURL")]
    DashboardUrl,
    #[serde(rename = "panelURL")]
    PanelUrl,
    #[serde(rename = "silenceURL")]
    SilenceUrl,
    #[serde(other)]
    Other,
}

/// The unparsed members of a list.
pub(crate) struct RawList<'a>(pub(crate) Vec<&'a RawValue>);

impl<'de> Deserialize<'de> for RawList<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List;
        impl<'de> Visitor<'de> for List {
            type Value = RawList<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut all = Vec::new();
                while let Some(raw) = list.next_element()? {
                    if all.len() == MEMBERS {
                        return Err(Error::custom(format_args!(
                            "more than {MEMBERS} members in one list; send fewer at a time"
                        )));
                    }
                    all.push(raw);
                }
                Ok(RawList(all))
            }
        }
        deserializer.deserialize_seq(List)
    }
}

/// A list of alerts without faults.
pub(crate) struct AlertList<'a>(pub(crate) Vec<AlertPayload<'a>>);

impl<'de> Deserialize<'de> for AlertList<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List;
        impl<'de> Visitor<'de> for List {
            type Value = AlertList<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of alerts")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut all = Vec::new();
                while let Some(sent) = list.next_element()? {
                    if all.len() == TOGETHER {
                        return Err(Error::custom("a long list"));
                    }
                    if all.is_empty() {
                        all.reserve(64);
                    }
                    all.push(sent);
                }
                Ok(AlertList(all))
            }
        }
        deserializer.deserialize_seq(List)
    }
}

impl<'de> Deserialize<'de> for AlertPayload<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Member;
        impl<'de> Visitor<'de> for Member {
            type Value = AlertPayload<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an alert")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let (mut status, mut labels, mut annotations) = (None, None, None);
                let (mut starts_at, mut ends_at, mut generator_url) = (None, None, None);
                let (mut dashboard_url, mut panel_url, mut silence_url) = (None, None, None);
                while let Some(field) = map.next_key()? {
                    match field {
                        Field::Status => once(&mut status, &mut map, text_as_is)?,
                        Field::Labels => {
                            once(&mut labels, &mut map, |pairs: LabelPairs<'de>| Ok(pairs))?;
                        }
                        Field::Annotations => {
                            once(&mut annotations, &mut map, |pairs: LabelPairs<'de>| {
                                Ok(pairs)
                            })?;
                        }
                        Field::StartsAt => once(&mut starts_at, &mut map, text_as_time)?,
                        Field::EndsAt => once(&mut ends_at, &mut map, text_as_time)?,
                        Field::GeneratorUrl => once(&mut generator_url, &mut map, text_as_is)?,
                        Field::DashboardUrl => once(&mut dashboard_url, &mut map, text_as_is)?,
                        Field::PanelUrl => once(&mut panel_url, &mut map, text_as_is)?,
                        Field::SilenceUrl => once(&mut silence_url, &mut map, text_as_is)?,
                        Field::Other => drop(map.next_value::<IgnoredAny>()?),
                    }
                }
                let mut labels = labels.flatten().unwrap_or_default();
                labels.0.retain(|(_, value)| !value.is_empty());
                if labels.0.is_empty() {
                    return Err(Error::custom("no labels"));
                }
                Ok(AlertPayload {
                    status: status.flatten(),
                    labels,
                    annotations: annotations.flatten().unwrap_or_default(),
                    starts_at: starts_at.flatten().flatten(),
                    ends_at: ends_at.flatten().flatten(),
                    generator_url: generator_url.flatten(),
                    dashboard_url: dashboard_url.flatten(),
                    panel_url: panel_url.flatten(),
                    silence_url: silence_url.flatten(),
                })
            }
        }
        deserializer.deserialize_map(Member)
    }
}

/// Parses a nullable value, and refuses a repeated key.
fn once<'de, A: MapAccess<'de>, T: Deserialize<'de>, U>(
    place: &mut Option<Option<U>>,
    map: &mut A,
    read: impl FnOnce(T) -> Result<U, String>,
) -> Result<(), A::Error> {
    if place.is_some() {
        return Err(de::Error::custom("twice"));
    }
    *place = Some(
        map.next_value::<Option<T>>()?
            .map(read)
            .transpose()
            .map_err(de::Error::custom)?,
    );
    Ok(())
}

fn text_as_is(BorrowedStr(text): BorrowedStr<'_>) -> Result<Cow<'_, str>, String> {
    Ok(text)
}

fn text_as_time(BorrowedStr(text): BorrowedStr<'_>) -> Result<Option<Time>, String> {
    time::parse_go(&text)
}

/// An alert as sent; absent fields and Go's zero time are `None`.
pub(crate) struct AlertPayload<'a> {
    pub(crate) status: Option<Cow<'a, str>>,
    /// Not empty, and no label has an empty value.
    pub(crate) labels: LabelPairs<'a>,
    pub(crate) annotations: LabelPairs<'a>,
    pub(crate) starts_at: Option<Time>,
    pub(crate) ends_at: Option<Time>,
    pub(crate) generator_url: Option<Cow<'a, str>>,
    /// Sent by Grafana only, as the next two.
    pub(crate) dashboard_url: Option<Cow<'a, str>>,
    pub(crate) panel_url: Option<Cow<'a, str>>,
    pub(crate) silence_url: Option<Cow<'a, str>>,
}

/// Status and times of an alert, by the rules of its sender.
#[derive(Clone, Copy)]
pub(crate) struct EpisodeTimes {
    pub(crate) status: AlertStatus,
    pub(crate) starts_at: Time,
    pub(crate) ends_at: Option<Time>,
    pub(crate) end_reason: EndReason,
}

impl AlertPayload<'_> {
    /// Removes labels that only distinguish replicas of one sender, unless no other label is left.
    /// Returns whether there were any.
    pub(crate) fn drop_labels(&mut self, ignored: &[String]) -> bool {
        let is_ignored = |name: &str| ignored.iter().any(|ignored| ignored == name);
        let dropped = self
            .labels
            .0
            .iter()
            .filter(|(name, _)| is_ignored(name))
            .count();
        if dropped == 0 || dropped == self.labels.0.len() {
            return false;
        }
        self.labels.0.retain(|(name, _)| !is_ignored(name));
        true
    }

    /// The value of a label.
    pub(crate) fn label(&self, name: &str) -> Option<&str> {
        self.labels.get(name)
    }

    /// Key that deduplicates firing alerts; `None` without a start, so that such an alert is always
    /// new.
    pub(crate) fn alert_ref(&self, lease: Option<Time>) -> Option<AlertRef<'_>> {
        self.starts_at.map(|starts_at| AlertRef {
            labels: &self.labels.0,
            starts_at,
            lease,
        })
    }
}

/// Passes each alert of a list to `take`. A fault in one does not affect the others.
///
/// # Errors
/// When it is no list.
pub(crate) fn for_each_alert<'a>(
    raw: &'a RawValue,
    list: &'static str,
    mut take: impl FnMut(MemberPosition, AlertPayload<'a>) -> Result<(), MemberFault>,
) -> Result<Vec<MemberFault>, MemberFault> {
    if let Ok(AlertList(alerts)) = serde_json::from_str(raw.get()) {
        let alerts = alerts.into_iter().enumerate();
        return Ok(alerts
            .filter_map(|(index, sent)| take(MemberPosition::in_list(list, index), sent).err())
            .collect());
    }
    let RawList(alerts) = raw_list(raw, list)?;
    let alerts = alerts
        .into_iter()
        .enumerate()
        .map(|(index, raw)| (MemberPosition::in_list(list, index), raw));
    Ok(alerts
        .filter_map(|(position, raw)| {
            read(raw, position)
                .and_then(|sent| take(position, sent))
                .err()
        })
        .collect())
}

/// Splits a list into its members.
///
/// # Errors
/// When it is not a list, or too long.
pub(crate) fn raw_list<'a>(
    raw: &'a RawValue,
    field: &'static str,
) -> Result<RawList<'a>, MemberFault> {
    serde_json::from_str(raw.get()).map_err(|error| {
        let message = match json_kind(raw.get().as_bytes()) {
            "a list" => plain_words(&error.to_string()),
            other => format!("expected a list, found {other}"),
        };
        MemberPosition::default().fault(field, message)
    })
}

/// Status and times by the rules of Alertmanager's and Grafana's webhooks. A resolved alert without
/// `endsAt` ended by `now`, for an unknown reason; one whose `endsAt` is before its `startsAt`
/// ended at an unknown time.
pub(crate) fn episode(
    sent: &AlertPayload<'_>,
    position: MemberPosition,
    now: Time,
) -> Result<EpisodeTimes, MemberFault> {
    let Some(starts_at) = sent.starts_at else {
        return Err(position.fault(
            "startsAt",
            "missing; it identifies the episode of the alert",
        ));
    };
    match sent.status.as_deref() {
        Some("firing") => Ok(EpisodeTimes {
            status: AlertStatus::Firing,
            starts_at,
            ends_at: None,
            end_reason: EndReason::default(),
        }),
        Some("resolved") => {
            let (ends_at, end_reason) = match sent.ends_at {
                Some(ends_at) => (ends_at, end_reason(&sent.annotations)),
                None => (now.max(starts_at), EndReason::Unknown),
            };
            Ok(EpisodeTimes {
                status: AlertStatus::Resolved,
                starts_at,
                ends_at: Some(ends_at),
                end_reason,
            })
        }
        Some(_) => Err(position.fault("status", "expected `firing` or `resolved`")),
        None => Err(position.fault("status", "missing; expected `firing` or `resolved`")),
    }
}

/// Parses one member and diagnoses its faults.
pub(crate) fn read<'a>(
    raw: &'a RawValue,
    position: MemberPosition,
) -> Result<AlertPayload<'a>, MemberFault> {
    // serde would accept a list for a struct, by position.
    let fields = Some(raw.get())
        .filter(|text| text.starts_with('{'))
        .and_then(|text| serde_json::from_str::<RawFields<'a>>(text).ok());
    let Some(fields) = fields else {
        return Err(position.fault(
            "",
            format!(
                "expected an alert with `labels` and `startsAt`, found {}",
                json_kind(raw.get().as_bytes())
            ),
        ));
    };
    let mut labels = pairs(fields.labels, position, "labels")?;
    // In Prometheus an empty label is the same as none.
    labels.0.retain(|(_, value)| !value.is_empty());
    if labels.0.is_empty() {
        return Err(position.fault(
            "labels",
            "an alert needs a label that is not empty, such as `alertname`",
        ));
    }
    Ok(AlertPayload {
        status: fields
            .status
            .map(|raw| text(raw, position, "status"))
            .transpose()?,
        labels,
        annotations: pairs(fields.annotations, position, "annotations")?,
        starts_at: instant(fields.starts_at, position, "startsAt")?,
        ends_at: instant(fields.ends_at, position, "endsAt")?,
        generator_url: fields
            .generator_url
            .map(|raw| text(raw, position, "generatorURL"))
            .transpose()?,
        dashboard_url: fields
            .dashboard_url
            .and_then(|raw| text(raw, position, "dashboardURL").ok()),
        panel_url: fields
            .panel_url
            .and_then(|raw| text(raw, position, "panelURL").ok()),
        silence_url: fields
            .silence_url
            .and_then(|raw| text(raw, position, "silenceURL").ok()),
    })
}

/// Builds the event of an alert. `home` is the link to its sender, with a title.
pub(crate) fn event(
    sent: AlertPayload<'_>,
    episode: EpisodeTimes,
    home: Option<(&'static str, &str)>,
    source: &str,
    names: &LabelNames,
    now: Time,
) -> Event {
    let EpisodeTimes {
        status,
        starts_at,
        ends_at,
        end_reason,
    } = episode;
    let links = [
        ("Query", sent.generator_url.as_deref()),
        ("Dashboard", sent.dashboard_url.as_deref()),
        ("Panel", sent.panel_url.as_deref()),
        ("Silence", sent.silence_url.as_deref()),
        ("Runbook", sent.annotations.get("runbook_url")),
        home.map_or(("", None), |(title, url)| (title, Some(url))),
    ];
    let links = links
        .into_iter()
        .filter_map(|(title, url)| link(title, url?))
        .collect();
    let labels = sent.labels.into_label_set();
    let service = labels::service(&labels, names).map(|(_, service)| service.to_owned());
    let environment = labels::environment(&labels, names);
    let alert = Alert {
        seen_again: None,
        borrowed_end: false,
        recalled: false,
        name: labels
            .get("alertname")
            .map_or_else(|| name_from_labels(&labels).into(), Into::into),
        status,
        severity: labels::severity(&labels, names),
        labels,
        annotations: sent.annotations.into_label_set(),
        starts_at,
        ends_at,
        pending_for: None,
        keep_firing_for: None,
        end_reason,
    };
    // An end before the start is told now, whenever it was.
    let occurred_at = match ends_at {
        Some(ends_at) if ends_at < starts_at => starts_at.max(now),
        Some(ends_at) => ends_at,
        None => starts_at,
    };
    let mut event = Event::new(source, occurred_at, Fact::Alert(alert));
    event.service = service.map(Into::into);
    event.environment = environment.map(Into::into);
    event.links = links;
    time::clamp(&mut event, now);
    event
}

/// Reason of a resolved alert's end. Grafana states in an annotation that an alert ended without
/// recovering, as in `NoData, KeepLast`; other senders state nothing, which means recovery.
pub(crate) fn end_reason(annotations: &LabelPairs<'_>) -> EndReason {
    let reasons = annotations.get("grafana_state_reason").unwrap_or_default();
    let mut reasons = reasons
        .split(',')
        .map(str::trim)
        .filter(|reason| !matches!(*reason, "" | "Normal"));
    match reasons.next() {
        None => EndReason::Recovered,
        Some("NoData" | "MissingSeries") => EndReason::NoData,
        Some("Paused") => EndReason::Muted,
        Some("RuleDeleted") => EndReason::Deleted,
        // Error, Updated and future reasons do not say that the alert recovered.
        Some(_) => EndReason::Unknown,
    }
}

/// A link, if its scheme is http or https: others could run code in the reader's browser.
pub(crate) fn link(title: &str, url: &str) -> Option<Link> {
    let url = url.trim();
    let (scheme, rest) = url.split_once("://")?;
    let safe = (scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https"))
        && !rest.is_empty()
        && !url
            .chars()
            .any(|letter| letter.is_whitespace() || letter.is_control());
    safe.then(|| Link {
        title: title.to_owned(),
        url: url.to_owned(),
    })
}

/// The replacement of a missing `alertname`: the labels, which are equally stable.
fn name_from_labels(labels: &LabelSet) -> String {
    let pairs: Vec<String> = labels
        .iter()
        .map(|(name, value)| format!("{name}={value:?}"))
        .collect();
    format!("{{{}}}", pairs.join(", "))
}

fn text<'a>(
    raw: &'a RawValue,
    position: MemberPosition,
    field: &str,
) -> Result<Cow<'a, str>, MemberFault> {
    match serde_json::from_str::<BorrowedStr<'a>>(raw.get()) {
        Ok(BorrowedStr(text)) => Ok(text),
        Err(_) if raw.get().starts_with('"') => {
            Err(position.fault(field, "not valid Unicode: half of a surrogate pair"))
        }
        Err(_) => Err(position.fault(
            field,
            format!(
                "expected a string, found {}",
                json_kind(raw.get().as_bytes())
            ),
        )),
    }
}

fn instant(
    raw: Option<&RawValue>,
    position: MemberPosition,
    field: &str,
) -> Result<Option<Time>, MemberFault> {
    let Some(raw) = raw else { return Ok(None) };
    let text = text(raw, position, field)?;
    time::parse_go(&text).map_err(|message| position.fault(field, message))
}

fn pairs<'a>(
    raw: Option<&'a RawValue>,
    position: MemberPosition,
    field: &str,
) -> Result<LabelPairs<'a>, MemberFault> {
    let Some(raw) = raw else {
        return Ok(LabelPairs::default());
    };
    serde_json::from_str(raw.get()).map_err(|_| {
        // Locate the offending pair only on failure.
        let all: std::collections::BTreeMap<String, &RawValue> =
            serde_json::from_str(raw.get()).unwrap_or_default();
        match all
            .iter()
            .find(|(_, value)| serde_json::from_str::<BorrowedStr<'_>>(value.get()).is_err())
        {
            Some((name, value)) => position.fault(
                &format!("{field}.{name}"),
                format!(
                    "expected a string, found {}",
                    json_kind(value.get().as_bytes())
                ),
            ),
            None => position.fault(
                field,
                format!(
                    "expected an object of strings, found {}",
                    json_kind(raw.get().as_bytes())
                ),
            ),
        }
    })
}
