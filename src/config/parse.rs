//! Reads the settings file section by section and reports all faults in one run.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::credentials::RawAccess;
use super::label_names::RawLabels;
use super::metrics::RawMetrics;
use super::people::{RawMaintenance, RawPerson, RawService};
use super::scalars::{BaseUrl, Email, Listen, Text, TextList, WorkingHours};
use super::settings::{Config, InviteSending, Meetings, NameStyle, Retention};
use super::sources::RawSource;
use super::{credentials, metrics, people, severities, sources, storage};
use crate::model::fault::{Fault, nearest};
use crate::model::field_names::field_names;
use crate::model::settings::Limits;
use crate::yaml;
use crate::yaml::node::{Node, Value};
use crate::yaml::reader::{Reader, Supported, given};
use crate::yaml::scalar::{Duration, Quota, Spanned};
use crate::yaml::weekly_hours::TimeZone;

/// The keys of the settings.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(
    dead_code,
    reason = "declares the keys; each is read alone, so that a fault in one hides none in another"
)]
pub(crate) struct SettingsKeys {
    /// Address to listen on; an address other than loopback requires `access`.
    #[schemars(extend("default" = "127.0.0.1:9099"))]
    listen: Option<Listen>,
    /// Public URL of the pages; by default derived from `listen`.
    #[schemars(extend("default" = "http://127.0.0.1:9099"))]
    external_url: Option<BaseUrl>,
    /// The database: sqlite://FILE, or postgres://USER@HOST/NAME, which replicas can share.
    #[serde(default)]
    #[schemars(schema_with = "storage::schema", extend("default" = "sqlite://data/afterword.db"))]
    storage: Option<IgnoredAny>,
    /// Rule files; names may contain `*`. By default the shipped rules.
    #[schemars(extend("default" = []))]
    rules: Option<TextList>,
    /// Labels that values are read from; the first label that an alert has is used.
    #[schemars(extend("default" = {}))]
    labels: Option<RawLabels>,
    /// Senders that may post to /ingest/NAME; by default Alertmanager on this machine only.
    #[schemars(extend("default" = [{"name": "alertmanager", "kind": "alertmanager", "auth": "none"}]))]
    sources: Option<Vec<RawSource>>,
    /// Metric sources: servers to query, pages to scrape, and remote-write senders.
    #[schemars(extend("default" = []))]
    metrics: Option<Vec<RawMetrics>>,
    /// Services, their owners, and the manual steps that should be automated.
    #[schemars(extend("default" = []))]
    services: Option<Vec<RawService>>,
    /// People to invite to meetings.
    #[schemars(extend("default" = []))]
    people: Option<Vec<RawPerson>>,
    /// Automation accounts, as github:deploy-* with `*` for any text, in addition to built-in ones
    /// such as *[bot].
    #[schemars(extend("default" = []))]
    robots: Option<TextList>,
    /// Defaults for people without their own values.
    #[schemars(extend("default" = {}))]
    defaults: Option<RawDefaults>,
    /// Location of drafts, and naming of people in them.
    #[schemars(extend("default" = {}))]
    postmortems: Option<RawPostmortems>,
    /// Meetings and their invites.
    #[schemars(extend("default" = {}))]
    meetings: Option<RawMeetings>,
    /// Planned work, which never counts as degradation.
    #[schemars(extend("default" = []))]
    maintenance: Option<Vec<RawMaintenance>>,
    /// Access token for requests from other machines; without it only this machine has access.
    access: Option<RawAccess>,
    /// Limits on postmortems opened and suggested.
    #[schemars(extend("default" = {}))]
    limits: Option<RawLimits>,
    /// The team's own severities, highest first, each a name or a map of `name` and `from`: the
    /// words that mean it in labels, PagerDuty priorities and incident.io severities. Without it:
    /// critical, warning, info.
    #[serde(default)]
    #[schemars(schema_with = "severities::schema", extend("default" = []))]
    severities: Option<IgnoredAny>,
    /// Ages at which stored data is removed.
    #[schemars(extend("default" = {}))]
    retention: Option<RawRetention>,
}

/// Keys of later versions. They are rejected, since ignoring them would mislead the user.
const LATER: [&str; 3] = ["smtp", "caldav", "notify"];

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawDefaults {
    /// Time zone of people without their own.
    #[schemars(extend("default" = "UTC"))]
    time_zone: Option<TimeZone>,
    /// Working hours of people without their own.
    #[schemars(extend("default" = "Mon-Fri 09:00-17:00"))]
    hours: Option<WorkingHours>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawPostmortems {
    /// The directory that drafts are written to.
    #[schemars(extend("default" = "data/postmortems"))]
    directory: Option<Text>,
    /// Naming of people in drafts: full name or role.
    #[schemars(extend("default" = "full"))]
    names: Option<NameStyle>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawMeetings {
    /// The directory that invites are written to, as .ics files.
    #[schemars(extend("default" = "data/invites"))]
    directory: Option<Text>,
    /// The address that replies go to.
    #[schemars(extend("default" = "afterword@localhost"))]
    organizer: Option<Email>,
    /// Ids of people who may lead a meeting.
    #[schemars(extend("default" = []))]
    facilitators: Option<Vec<Spanned<String>>>,
    /// Sending of invites.
    #[schemars(extend("default" = "automatic"))]
    send: Option<InviteSending>,
    /// Duration of a meeting, in minutes.
    #[schemars(range(min = 5, max = 480), extend("default" = 60))]
    minutes: Option<Spanned<i64>>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawLimits {
    /// Maximum number of postmortems opened by rules, per scope; further ones are suggested, and
    /// say so.
    #[schemars(extend("default" = "3 per 24h"))]
    holds: Option<Quota>,
    /// Maximum number of postmortems suggested, per scope; further ones wait with the last one.
    #[schemars(extend("default" = "5 per 24h"))]
    suggestions: Option<Quota>,
    /// Incidents that began within this time of each other, in one scope or one dependency apart,
    /// are announced together.
    #[schemars(extend("default" = "15m"))]
    bundle_within: Option<Duration>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawRetention {
    /// Events of the log, performed deliveries and quarantined messages; at least 1d. Incidents, the
    /// ledger and postmortems are kept.
    #[schemars(extend("default" = "400d"))]
    events: Option<Spanned<Duration>>,
    /// Bodies of messages as received; at most as long as `events`. Bodies that wait in quarantine are
    /// kept until their events are removed.
    #[schemars(extend("default" = "30d"))]
    raw: Option<Spanned<Duration>>,
}

/// The shortest time that events can be kept, in seconds.
const SHORTEST_RETENTION: i64 = 86_400;

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
    if let Some(raw) = value::<RawRetention>(reader, &root, "retention") {
        config.retention = retention(reader, &raw);
    }
    config
}

fn retention(reader: &mut Reader<'_>, asked: &RawRetention) -> Retention {
    let Retention {
        mut events,
        mut raw,
    } = Retention::default();
    if let Some(Spanned {
        position, value, ..
    }) = &asked.events
    {
        events = value.seconds;
        if events < SHORTEST_RETENTION {
            reader.fault(
                *position,
                "events are kept for at least 1d, which decisions and backtests look back on",
            );
        }
    }
    raw = raw.min(events);
    if let Some(Spanned {
        position, value, ..
    }) = &asked.raw
    {
        raw = value.seconds;
        if raw > events {
            reader.fault(
                *position,
                "bodies cannot be kept for longer than their events (`events`)",
            );
        }
    }
    Retention { events, raw }
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
    let known = field_names::<SettingsKeys>();
    match &root.value {
        Value::Null => {}
        Value::Map(entries) => {
            for (key, _) in entries
                .iter()
                .filter(|(key, _)| !known.contains(&key.name.as_str()))
            {
                let hint = nearest(&key.name, known.iter().copied()).map_or_else(
                    || {
                        let known: Vec<String> =
                            known.iter().map(|name| format!("`{name}`")).collect();
                        format!("known: {}", known.join(", "))
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
