//! Services, people and planned maintenance.

use std::collections::BTreeMap;
use std::fmt;

use chrono_tz::Tz;
use serde::Deserialize;

use super::credentials;
use super::credentials::SecretRef;
use super::scalars::{Email, HttpUrl, Text, WorkingHours};
use crate::model::settings::{Hours, Maintenance, Person, Service};
use crate::yaml::node::{Node, Position, Value};
use crate::yaml::reader::{Reader, Supported, given};
use crate::yaml::scalar::{Spanned, Timestamp};
use crate::yaml::weekly_hours::TimeZone;

/// Location of a calendar.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum OnCallCalendar {
    /// File next to the settings.
    File(String),
    /// URL.
    Url(String),
    /// URL that is a secret.
    Secret(SecretRef),
}

impl fmt::Debug for OnCallCalendar {
    // The URL of a calendar grants access to it, so it is not printed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Url(_) => f.write_str("Url(…)"),
            Self::Secret(place) => f.debug_tuple("SecretRef").field(place).finish(),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPerson {
    id: Option<Spanned<Text>>,
    name: Option<Text>,
    email: Option<Email>,
    time_zone: Option<TimeZone>,
    hours: Option<WorkingHours>,
    aliases: Option<Vec<Spanned<Text>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawService {
    name: Option<Spanned<Text>>,
    aliases: Option<Vec<Spanned<Text>>>,
    owners: Option<Vec<Spanned<String>>>,
    stakeholders: Option<Vec<Spanned<String>>>,
    depends_on: Option<Vec<Text>>,
    automatic: Option<Vec<Text>>,
    objective: Option<Spanned<f64>>,
    /// Read separately: it is text or a map.
    #[serde(rename = "on_call", default)]
    _on_call: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFeed {
    url_file: Option<Spanned<String>>,
    url: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMaintenance {
    service: Option<Text>,
    from: Option<Timestamp>,
    to: Option<Spanned<Timestamp>>,
    why: Option<String>,
}

/// Ids of `people:`, including entries with other faults, so that references to those are not
/// reported too.
pub(crate) fn ids(entries: &[Node]) -> Vec<String> {
    texts_at(entries, "id")
}

fn texts_at(entries: &[Node], key: &str) -> Vec<String> {
    let id = |entry: &Node| match &entry.get(key)?.value {
        Value::String(id) => Some(id.clone()),
        Value::Null
        | Value::Bool(_)
        | Value::Int(_)
        | Value::Float(_)
        | Value::List(_)
        | Value::Map(_) => None,
    };
    entries.iter().filter_map(id).collect()
}

/// `people:`; omitted values are taken from `defaults`.
pub(crate) fn people(
    reader: &mut Reader<'_>,
    entries: &[Node],
    defaults: (Tz, &Hours),
) -> Vec<Person> {
    let mut seen = BTreeMap::new();
    let mut aliases_seen = BTreeMap::new();
    entries
        .iter()
        .filter_map(|node| person(reader, node, defaults, &mut seen, &mut aliases_seen))
        .collect()
}

fn person(
    reader: &mut Reader<'_>,
    node: &Node,
    defaults: (Tz, &Hours),
    seen: &mut BTreeMap<String, Position>,
    aliases_seen: &mut BTreeMap<String, Position>,
) -> Option<Person> {
    let Supported { node, .. } = reader.supported(node, "people", &["holidays", "free_busy"]);
    let raw: RawPerson = reader.read(&node, &["id"])?;
    if let Some(id) = &raw.id {
        reader.unique(seen, "person", &id.value.0, id.position);
    }
    let mut aliases = Vec::new();
    for alias in raw.aliases.unwrap_or_default() {
        let Text(text) = alias.value;
        if !text
            .split_once(':')
            .is_some_and(|(source, name)| !source.is_empty() && !name.is_empty())
        {
            reader.fault(
                alias.position,
                format!("{text:?} is not a valid alias; write for example github:ada"),
            );
        }
        reader.unique(aliases_seen, "alias", &text.to_lowercase(), alias.position);
        aliases.push(text);
    }
    let id = raw.id?.value.0;
    Some(Person {
        name: raw.name.map_or_else(|| id.clone(), |name| name.0),
        id,
        email: raw.email.map(|email| email.0),
        time_zone: raw.time_zone.map_or(defaults.0, |zone| zone.0),
        hours: raw
            .hours
            .map_or_else(|| defaults.1.clone(), |hours| hours.0),
        aliases,
    })
}

/// `services[].on_call`: a file, an address, or the place of one that is a secret.
fn feed(reader: &mut Reader<'_>, node: &Node) -> Option<OnCallCalendar> {
    const FORMS: &str = "write rota.ics, https://calendar.example.com/rota.ics, or {url_file: PATH} for an address that is a secret";
    if matches!(node.value, Value::Map(_)) {
        let raw: RawFeed = reader.read_whole(node, &[])?;
        return credentials::secret(reader, node.position(), "url", raw.url_file, raw.url)
            .map(OnCallCalendar::Secret);
    }
    let Value::String(text) = &node.value else {
        reader.fault(
            node.position(),
            format!("`on_call` must be a calendar file or address; {FORMS}"),
        );
        return None;
    };
    let text = text.trim();
    if text.is_empty() || text.chars().any(char::is_control) {
        reader.fault(
            node.position(),
            format!("this is neither a file nor an address; {FORMS}"),
        );
        return None;
    }
    // What calendars call a web address that is to be subscribed to.
    let web = text
        .strip_prefix("webcal://")
        .map(|rest| format!("https://{rest}"));
    let address = web.unwrap_or_else(|| text.to_owned());
    if !address.contains("://") {
        return Some(OnCallCalendar::File(address));
    }
    // The address may hold a token, so that no message repeats it.
    match HttpUrl::parse(&address) {
        Ok(_) => Some(OnCallCalendar::Url(address)),
        Err(why) => {
            reader.fault(
                node.position(),
                format!("this is not a calendar address: {why}; {FORMS}"),
            );
            None
        }
    }
}

/// `services:`, with the on-call calendar of each.
pub(crate) fn services(
    reader: &mut Reader<'_>,
    entries: &[Node],
    people: &[String],
) -> (Vec<Service>, BTreeMap<String, OnCallCalendar>) {
    let (mut seen, mut aliases_seen) = (BTreeMap::new(), BTreeMap::new());
    let names = texts_at(entries, "name");
    let (mut services, mut feeds) = (Vec::new(), BTreeMap::new());
    for node in entries {
        let on_call = given(node, "on_call").and_then(|node| feed(reader, node));
        let Some(raw) = reader.read::<RawService>(node, &["name"]) else {
            continue;
        };
        if let Some(name) = &raw.name {
            reader.unique(&mut seen, "service", &name.value.0, name.position);
        }
        let mut aliases = Vec::new();
        for alias in raw.aliases.unwrap_or_default() {
            let Text(text) = alias.value;
            if names.contains(&text) {
                reader.fault(
                    alias.position,
                    format!(
                        "`{}` is itself a service; an alias must be another name for one",
                        text.escape_debug()
                    ),
                );
            }
            reader.unique(&mut aliases_seen, "alias", &text, alias.position);
            aliases.push(text);
        }
        let (owners, stakeholders) = (
            raw.owners.unwrap_or_default(),
            raw.stakeholders.unwrap_or_default(),
        );
        reader.known_people(&owners, people);
        reader.known_people(&stakeholders, people);
        if let Some(objective) = raw
            .objective
            .as_ref()
            .filter(|objective| !(objective.value > 0.0 && objective.value < 100.0))
        {
            reader.fault(
                objective.position,
                format!(
                    "an objective must be a percentage below 100, such as 99.9, found {}",
                    objective.value
                ),
            );
        }
        let Some(name) = raw.name else {
            continue;
        };
        feeds.extend(on_call.map(|feed| (name.value.0.clone(), feed)));
        services.push(Service {
            name: name.value.0,
            aliases,
            owners: texts(owners),
            stakeholders: texts(stakeholders),
            depends_on: words(raw.depends_on),
            automatic: words(raw.automatic),
            objective: raw.objective.map(|objective| objective.value),
        });
    }
    (services, feeds)
}

/// `maintenance:`
pub(crate) fn maintenance(reader: &mut Reader<'_>, entries: &[Node]) -> Vec<Maintenance> {
    let mut planned = Vec::new();
    for node in entries {
        let Some(raw) = reader.read::<RawMaintenance>(node, &["from", "to"]) else {
            continue;
        };
        let (Some(from), Some(to)) = (raw.from, raw.to) else {
            continue;
        };
        if from.0 >= to.value.0 {
            reader.fault(to.position, "`to` is not after `from`");
        }
        let (from, to) = (from.0, to.value.0);
        planned.push(Maintenance {
            service: raw.service.map(|word| word.0),
            from,
            to,
            why: raw.why.unwrap_or_default(),
        });
    }
    planned
}

/// Without their places.
pub(crate) fn texts(spanned: Vec<Spanned<String>>) -> Vec<String> {
    spanned.into_iter().map(|text| text.value).collect()
}

fn words(words: Option<Vec<Text>>) -> Vec<String> {
    words
        .unwrap_or_default()
        .into_iter()
        .map(|word| word.0)
        .collect()
}
