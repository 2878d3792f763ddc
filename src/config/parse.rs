//! Reads the settings file section by section and reports all faults in one run.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::label_names::RawLabels;
use super::scalars::{BaseUrl, Email, Listen, Text, TextList, WorkingHours};
use super::settings::{Config, InviteSending, Meetings, NameStyle};
use super::{credentials, metrics, people, severities, sources, storage};
use crate::model::fault::{Fault, nearest};
use crate::model::settings::Limits;
use crate::yaml;
use crate::yaml::node::{Node, Value};
use crate::yaml::reader::{Reader, Supported, given};
use crate::yaml::scalar::{Duration, Quota, Spanned};
use crate::yaml::weekly_hours::TimeZone;

/// Keys of the file.
const KNOWN: [&str; 17] = [
    "listen",
    "external_url",
    "storage",
    "rules",
    "labels",
    "sources",
    "metrics",
    "services",
    "people",
    "robots",
    "defaults",
    "postmortems",
    "meetings",
    "maintenance",
    "access",
    "limits",
    "severities",
];

/// Keys of later versions. They are rejected, since ignoring them would mislead the user.
const LATER: [&str; 4] = ["smtp", "caldav", "notify", "retention"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDefaults {
    time_zone: Option<TimeZone>,
    hours: Option<WorkingHours>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPostmortems {
    directory: Option<Text>,
    names: Option<NameStyle>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMeetings {
    directory: Option<Text>,
    organizer: Option<Email>,
    facilitators: Option<Vec<Spanned<String>>>,
    send: Option<InviteSending>,
    minutes: Option<Spanned<i64>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLimits {
    holds: Option<Quota>,
    suggestions: Option<Quota>,
    bundle_within: Option<Duration>,
}

/// Reads the text of `afterword.yaml`; `file` is its name in faults. Omitted keys are as in
/// [`Config::default`].
///
/// # Errors
/// Every fault of the text, in the order of the file. An unknown key is one, and so is a key of a
/// later version.
pub(crate) fn parse(file: &str, text: &str) -> Result<Config, Vec<Fault>> {
    let root = yaml::tree::parse(file, text).map_err(|fault| vec![fault])?;
    let mut reader = Reader::new(file);
    let config = read(&mut reader, &root);
    let mut faults = reader.faults;
    if faults.is_empty() {
        return Ok(config);
    }
    faults.sort_by_key(|fault| (fault.line, fault.column));
    Err(faults)
}

fn read(reader: &mut Reader<'_>, root: &Node) -> Config {
    let Supported { node: root, .. } = reader.supported(root, "", &LATER);
    keys(reader, &root);
    let mut config = Config::default();
    addresses(reader, &root, &mut config);
    if let Some(storage) = given(&root, "storage").and_then(|node| storage::storage(reader, node)) {
        config.storage = storage;
    }
    if let Some(TextList(globs)) = value(reader, &root, "rules") {
        config.rules = globs;
    }
    let entries = reader.entries(&root, "severities");
    config.labels.scale = severities::severities(reader, entries);
    if let Some(raw) = value::<RawLabels>(reader, &root, "labels") {
        config.labels = raw.with_fallback(&config.labels);
    }
    if given(&root, "sources").is_some() {
        let mut seen = BTreeMap::new();
        let entries = reader.entries(&root, "sources").iter();
        config.sources = entries
            .filter_map(|node| sources::source(reader, node, &config.labels, &mut seen))
            .collect();
    }
    let open = (!config.loopback).then_some(config.listen.as_str());
    let mut seen = BTreeMap::new();
    let entries = reader.entries(&root, "metrics").iter();
    config.metrics = entries
        .filter_map(|node| metrics::metrics(reader, node, open, &mut seen))
        .collect();
    if let Some(raw) = value::<RawDefaults>(reader, &root, "defaults") {
        config.time_zone = raw.time_zone.map_or(config.time_zone, |zone| zone.0);
        config.hours = raw.hours.map_or(config.hours, |hours| hours.0);
    }
    let entries = reader.entries(&root, "people");
    let ids = people::ids(entries);
    config.people = people::people(reader, entries, (config.time_zone, &config.hours));
    let entries = reader.entries(&root, "services");
    (config.services, config.on_call) = people::services(reader, entries, &ids);
    if let Some(TextList(globs)) = value(reader, &root, "robots") {
        config.robots = globs;
    }
    let entries = reader.entries(&root, "maintenance");
    config.maintenance = people::maintenance(reader, entries);
    if let Some(raw) = reader.section::<RawPostmortems>(&root, "postmortems", &["git"]) {
        config.postmortems_directory = raw
            .directory
            .map_or(config.postmortems_directory, |directory| directory.0);
        config.names = raw.names.unwrap_or(config.names);
    }
    if let Some(raw) = value::<RawLimits>(reader, &root, "limits") {
        let quota = |quota: Option<Quota>, otherwise| {
            quota.map_or(otherwise, |quota| (quota.count, quota.seconds))
        };
        let Limits {
            holds,
            suggestions,
            bundle_within,
        } = config.limits;
        config.limits = Limits {
            holds: quota(raw.holds, holds),
            suggestions: quota(raw.suggestions, suggestions),
            bundle_within: raw
                .bundle_within
                .map_or(bundle_within, |within| within.seconds),
        };
    }
    if let Some(raw) =
        reader.section::<RawMeetings>(&root, "meetings", &["second", "smtp", "caldav"])
    {
        config.meetings = meetings(reader, raw, &ids);
    }
    config
}

fn value<T: serde::de::DeserializeOwned>(
    reader: &mut Reader<'_>,
    root: &Node,
    name: &str,
) -> Option<T> {
    reader.section(root, name, &[])
}

/// Records a fault for each unknown key, or for a file that is not a map.
fn keys(reader: &mut Reader<'_>, root: &Node) {
    match &root.value {
        Value::Null => {}
        Value::Map(entries) => {
            for (key, _) in entries
                .iter()
                .filter(|(key, _)| !KNOWN.contains(&key.name.as_str()))
            {
                let hint = nearest(&key.name, KNOWN).map_or_else(
                    || {
                        format!(
                            "known: {}",
                            KNOWN.map(|name| format!("`{name}`")).join(", ")
                        )
                    },
                    |name| format!("did you mean `{name}`?"),
                );
                reader.fault(
                    key.position(),
                    format!("unknown key `{}`; {hint}", key.name.escape_debug()),
                );
            }
        }
        Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::String(_) | Value::List(_) => {
            reader.fault(
                root.position(),
                format!("the settings must be a map, found {}", root.describe()),
            );
        }
    }
}

/// `listen`, `external_url` and `access`, which depend on each other.
fn addresses(reader: &mut Reader<'_>, root: &Node, config: &mut Config) {
    if let Some(node) = given(root, "access") {
        config.access = credentials::access(reader, node);
    }
    if let Some(Spanned {
        position,
        value: listen,
        ..
    }) = value::<Spanned<Listen>>(reader, root, "listen")
    {
        if !listen.loopback && given(root, "access").is_none() {
            let address = &listen.address;
            reader.fault(
                position,
                format!("other machines can reach {address}, so `access` is needed; add:\naccess:\n  token_file: /run/secrets/afterword"),
            );
        }
        if !listen.loopback {
            // The default source has no authentication and is for this machine only.
            config.sources.clear();
        }
        config.listen = listen.address;
        config.loopback = listen.loopback;
        config.external_url = listen.url;
    }
    if let Some(BaseUrl(url)) = value(reader, root, "external_url") {
        config.external_url = url;
    }
}

fn meetings(reader: &mut Reader<'_>, raw: RawMeetings, people: &[String]) -> Meetings {
    let otherwise = Meetings::default();
    let facilitators = raw.facilitators.unwrap_or_default();
    reader.known_people(&facilitators, people);
    if let Some(minutes) = raw
        .minutes
        .as_ref()
        .filter(|minutes| !(5..=480).contains(&minutes.value))
    {
        reader.fault(
            minutes.position,
            format!("a meeting takes 5 to 480 minutes, found {}", minutes.value),
        );
    }
    Meetings {
        directory: raw
            .directory
            .map_or(otherwise.directory, |directory| directory.0),
        organizer: raw
            .organizer
            .map_or(otherwise.organizer, |address| address.0),
        facilitators: people::texts(facilitators),
        send: raw.send.unwrap_or(otherwise.send),
        minutes: raw
            .minutes
            .map_or(otherwise.minutes, |minutes| minutes.value),
    }
}
