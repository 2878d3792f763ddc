//! Services, people and planned maintenance.

use std::collections::BTreeMap;
use std::fmt;

use chrono_tz::Tz;
use schemars::JsonSchema;
use serde::Deserialize;

use super::credentials;
use super::credentials::{SecretRef, text_or};
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

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawPerson {
    /// Id used by the other keys.
    #[schemars(required)]
    id: Option<Spanned<Text>>,
    /// Their name; by default the id.
    name: Option<Text>,
    /// E-mail address; without one the person gets no invite.
    email: Option<Email>,
    /// Their time zone, as Europe/Berlin; by default that of `defaults`.
    time_zone: Option<TimeZone>,
    /// Working hours, as Mon-Fri 09:00-17:00; by default as in `defaults`.
    hours: Option<WorkingHours>,
    /// Account names in other systems, as github:ada.
    #[schemars(extend("default" = []))]
    aliases: Option<Vec<Spanned<Text>>>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawService {
    /// Name of the service, as in alerts.
    #[schemars(required)]
    name: Option<Spanned<Text>>,
    /// Names in other systems, as github:checkout-api, or without a prefix for all sources.
    #[schemars(extend("default" = []))]
    aliases: Option<Vec<Spanned<Text>>>,
    /// Ids of people who own it.
    #[schemars(extend("default" = []))]
    owners: Option<Vec<Spanned<String>>>,
    /// Ids of people who rely on it.
    #[schemars(extend("default" = []))]
    stakeholders: Option<Vec<Spanned<String>>>,
    /// Services it depends on.
    #[schemars(extend("default" = []))]
    depends_on: Option<Vec<Text>>,
    /// Manual steps that should be automated.
    #[schemars(extend("default" = []))]
    automatic: Option<Vec<Text>>,
    /// Availability objective over four weeks, in percent; without it the error budget is unknown.
    #[schemars(range(min = 0, max = 100))]
    objective: Option<Spanned<f64>>,
    /// On-call calendar: an iCalendar file next to the settings, or its URL.
    #[serde(rename = "on_call", default)]
    #[schemars(schema_with = "text_or::<RawFeed>")]
    // Read separately: it is text or a map.
    _on_call: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawFeed {
    /// The file that holds the address.
    url_file: Option<Spanned<String>>,
    /// Environment variable, as ${NAME}.
    url: Option<Spanned<String>>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawMaintenance {
    /// The service; left out, all of them.
    service: Option<Text>,
    /// The beginning, as 2026-12-01T22:00Z.
    #[schemars(required)]
    from: Option<Timestamp>,
    /// The end, as 2026-12-02T02:00Z.
    #[schemars(required)]
    to: Option<Spanned<Timestamp>>,
    /// Description of the work.
    #[schemars(extend("default" = ""))]
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
            .filter(|objective| !(1.0..100.0).contains(&objective.value))
        {
            reader.fault(
                objective.position,
                format!(
                    "an objective must be a percentage from 1 to below 100, such as 99.9, found {}",
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
            reader.fault(to.position, "`to` must be after `from`");
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
