//! Webhook sources: `sources:`.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use super::api::{AlertmanagerApi, RawApi};
use super::label_names::RawLabels;
use super::mapping::MappingRules;
use super::scalars::{Text, TextList, entry_name};
use super::silence::{Silence, SilentAfter};
use super::source_auth::{SourceAuth, SourceLimits};
use super::{api, mapping, sns, source_auth};
use crate::model::fault::nearest;
use crate::model::settings::LabelNames;
use crate::model::source::{KINDS, PagerDutyOutages, ServiceMapping, SourceKind};
use crate::yaml::node::{Node, Position, Value};
use crate::yaml::reader::{Reader, given};
use crate::yaml::scalar::Spanned;

/// Kinds read by a mapping, shipped or configured in `map`.
const MAPPED: &[SourceKind] = &[
    SourceKind::CloudEvents,
    SourceKind::StandardWebhooks,
    SourceKind::Generic,
    SourceKind::AzureMonitor,
    SourceKind::GoogleCloudMonitoring,
    SourceKind::Zabbix,
    SourceKind::Icinga,
    SourceKind::UptimeKuma,
    SourceKind::NewRelic,
    SourceKind::Pingdom,
];

/// Kinds with names of their own, which `services` and `environment` translate.
const NAMED_KINDS: &[SourceKind] = &[
    SourceKind::KubernetesAudit,
    SourceKind::ArgoCd,
    SourceKind::GitHub,
    SourceKind::GitLab,
];

/// Kinds without labels.
const UNLABELLED: &[SourceKind] = &[
    SourceKind::KubernetesAudit,
    SourceKind::GitHub,
    SourceKind::Slack,
];

/// A webhook source: `POST /ingest/{name}`.
#[derive(Debug, Clone, PartialEq)]
pub struct Source {
    /// Its name in the path.
    pub name: String,
    /// Sender type.
    pub kind: SourceKind,
    /// Authentication method.
    pub auth: SourceAuth,
    /// Its own label names.
    pub labels: Option<LabelNames>,
    /// API to poll.
    pub api: Option<AlertmanagerApi>,
    /// Translation of its names to services and environment.
    pub naming: ServiceMapping,
    /// Limits on rate and body size.
    pub limits: SourceLimits,
    /// PagerDuty incidents that count as declared outages.
    pub declares: Option<PagerDutyOutages>,
    /// Silence after which it is reported.
    pub silent_after: SilentAfter,
    /// Mapping of its bodies, or overrides of the shipped mapping.
    pub map: Option<MappingRules>,
    /// Accepted Amazon SNS topics; empty for other kinds.
    pub topics: Vec<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
// Messages of SNS are signed, so that they need no `auth`, but `topics`.
#[schemars(extend(
    "if" = {"required": ["kind"], "properties": {"kind": {"enum": SourceKind::Sns.words()}}},
    "then" = {"required": ["topics"], "properties": {"topics": {"minItems": 1}}},
    "else" = {"required": ["auth"], "properties": {"auth": {"not": {"const": "signature"}}, "topics": {"type": "null"}}},
))]
pub(crate) struct RawSource {
    /// Its name in the path: a-z, 0-9 and -.
    #[schemars(required)]
    name: Option<Spanned<Text>>,
    /// Sender type, which determines the format of its messages.
    #[schemars(schema_with = "kinds")]
    kind: Option<Spanned<Text>>,
    /// Authentication: one method, or `none`; required. sns: `signature` by default, which is
    /// checked in addition to any other method.
    #[serde(rename = "auth", default)]
    #[schemars(schema_with = "source_auth::schema")]
    // Read separately, so that no message repeats its value.
    _auth: Option<serde::de::IgnoredAny>,
    /// Label names of this source, where they differ from the top-level `labels`.
    labels: Option<RawLabels>,
    /// alertmanager, grafana: labels that only distinguish replicas of one sender, such as replica;
    /// they are dropped.
    #[schemars(extend("default" = ["prometheus_replica", "thanos_ruler_replica", "__replica__"]))]
    ignore_labels: Option<Spanned<TextList>>,
    /// alertmanager: API to poll for alerts and silences; by default it is not polled.
    #[serde(rename = "api", default)]
    #[schemars(with = "Option<RawApi>")]
    // Read separately, for the same reason.
    _api: Option<serde::de::IgnoredAny>,
    /// kubernetes_audit, argocd, github, gitlab: services by their names in the source, as
    /// "shop/*": shop; the first match applies.
    #[serde(rename = "services", default)]
    #[schemars(with = "Option<BTreeMap<String, String>>", extend("default" = {}))]
    // Read separately, since the order matters.
    _services: Option<serde::de::IgnoredAny>,
    /// kubernetes_audit, argocd, github, gitlab: environment of events that do not name one.
    environment: Option<Spanned<Text>>,
    /// Limits on rate and body size.
    #[schemars(extend("default" = {}))]
    limits: Option<source_auth::RawSourceLimits>,
    /// pagerduty: which incidents are declared outages; the others are alerts.
    declares: Option<RawDeclares>,
    /// Duration of silence after which it is reported, or `never`; by default three times its
    /// longest recent silence, at least an hour.
    silent_after: Option<Silence>,
    /// generic, and other kinds read by a mapping: CEL expressions that map a body to events.
    #[serde(rename = "map", default)]
    #[schemars(with = "Option<BTreeMap<String, String>>")]
    // Read separately, with the positions of its expressions.
    _map: Option<serde::de::IgnoredAny>,
    /// sns: topics to accept messages from, as arn:aws:sns:…; required.
    topics: Option<Vec<Spanned<Text>>>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawDeclares {
    /// Incidents with one of these priorities.
    #[schemars(extend("default" = ["P1", "P2"]))]
    priority: Option<TextList>,
    /// Incidents without a priority that have one of these urgencies: high, low.
    #[schemars(extend("default" = []))]
    urgency: Option<Vec<Spanned<String>>>,
    /// Also urgent incidents without a priority that a person opened.
    #[schemars(extend("default" = true))]
    by_hand: Option<bool>,
}

fn kinds(_: &mut SchemaGenerator) -> Schema {
    let words: Vec<&str> = KINDS.iter().map(|(_, words)| words[0]).collect();
    json_schema!({"enum": words})
}

/// One entry of `sources:`.
pub(crate) fn source(
    reader: &mut Reader<'_>,
    node: &Node,
    labels: &LabelNames,
    seen: &mut BTreeMap<String, Position>,
) -> Option<Source> {
    let is_sns = matches!(node.get("kind").map(|node| &node.value), Some(Value::String(word)) if kind(word) == Some(SourceKind::Sns));
    let auth = match (node.get("auth"), &node.value) {
        (Some(node), _) if node.value == Value::String("signature".to_owned()) => {
            sns::signature(reader, node, is_sns)
        }
        (Some(node), _) => source_auth::auth(reader, node),
        (None, _) if is_sns => Some(SourceAuth::Certificate),
        (None, Value::Map(_)) => {
            let proofs = source_auth::PROOFS;
            reader.fault(
                node.position(),
                format!(
                    "`auth` is missing; write {proofs} there, or `auth: none` for no authentication"
                ),
            );
            None
        }
        (None, _) => None,
    };
    let api = given(node, "api").map(|node| api::api(reader, node));
    let services = node
        .get("services")
        .filter(|node| node.value != Value::Null)
        .map(|node| services(reader, node));
    let raw: RawSource = reader.read(node, &["name", "kind"])?;
    if let Some(Spanned {
        position,
        value: Text(name),
        ..
    }) = &raw.name
    {
        entry_name(reader, "source", name, *position, seen);
    }
    let Spanned {
        position,
        value: Text(word),
        ..
    } = raw.kind?;
    let Some(kind) = kind(&word) else {
        let known = KINDS.iter().map(|(_, words)| words[0]);
        let hint = nearest(&word, known.clone()).map_or_else(
            || {
                let known: Vec<String> = known.map(|word| format!("`{word}`")).collect();
                format!("known: {}", known.join(", "))
            },
            |word| format!("did you mean `{word}`?"),
        );
        reader.fault(position, format!("unknown kind {word:?}; {hint}"));
        return None;
    };
    for (key, position) in [
        ("services", node.get("services").map(Node::position)),
        (
            "environment",
            raw.environment.as_ref().map(|word| word.position),
        ),
    ] {
        if let Some(position) = position.filter(|_| !NAMED_KINDS.contains(&kind)) {
            let kinds: Vec<&str> = KINDS
                .iter()
                .filter(|(kind, _)| NAMED_KINDS.contains(kind))
                .map(|(_, words)| words[0])
                .collect();
            let instead = match kind {
                SourceKind::PagerDuty | SourceKind::Statuspage if key == "services" => {
                    "name what this one calls them in `services[].aliases`"
                }
                SourceKind::PagerDuty | SourceKind::Statuspage | SourceKind::Slack => "remove it",
                _ => "use `labels` for this kind",
            };
            reader.fault(
                position,
                format!(
                    "`{key}` is for sources of the kinds {}; {instead}",
                    kinds.join(", ")
                ),
            );
        }
    }
    let naming = ServiceMapping {
        services: services.unwrap_or_default(),
        environment: raw.environment.map(|word| word.value.0),
    };
    for (key, kinds) in [("ignore_labels", api::REPLICATED), ("api", api::ASKED)] {
        if given(node, key).is_some() && !kinds.contains(&kind) {
            reader.fault(
                node.key_position(key),
                format!("`{key}` is not for kind `{word}`; remove it"),
            );
        }
    }
    if given(node, "labels").is_some() && UNLABELLED.contains(&kind) {
        let instead = if NAMED_KINDS.contains(&kind) {
            "; use `services` and `environment` instead"
        } else {
            "; remove it"
        };
        reader.fault(
            node.key_position("labels"),
            format!("`labels` is not for kind `{word}`, which has none{instead}"),
        );
    }
    let labels = own_labels(
        kind,
        raw.labels,
        raw.ignore_labels.map(|names| names.value.0),
        labels,
    );
    let api = match api {
        Some(api) => Some(api?),
        None => None,
    };
    source_auth::fits(reader, node.get("auth"), kind, &word, auth.as_ref());
    let limits = source_auth::limits(reader, raw.limits);
    let declares = raw.declares.and_then(|raw| {
        declares(
            reader,
            kind,
            raw,
            node.get("declares").unwrap_or(node).position(),
        )
    });
    let silent_after = raw
        .silent_after
        .map(|silence| silence.0)
        .unwrap_or_default();
    let map = match given(node, "map") {
        Some(map) if MAPPED.contains(&kind) => Some(mapping::map(reader, map)?),
        Some(_) => {
            reader.fault(
                node.key_position("map"),
                format!("`map` is for kinds that are read by expressions, and `{word}` is not; remove it"),
            );
            return None;
        }
        None if kind == SourceKind::Generic => {
            reader.fault(node.position(), "`map` is missing; map the fields of the body, for example `map: {name: body.title, status: …}`");
            return None;
        }
        None => None,
    };
    let topics = sns::topics(reader, node, raw.topics, is_sns)?;
    Some(Source {
        name: raw.name?.value.0,
        kind,
        auth: auth?,
        labels,
        api,
        naming,
        limits,
        declares,
        silent_after,
        map,
        topics,
    })
}

/// Label names of a source; `None`: the top-level ones.
fn own_labels(
    kind: SourceKind,
    given: Option<RawLabels>,
    ignored: Option<Vec<String>>,
    all: &LabelNames,
) -> Option<LabelNames> {
    // Grafana rules are in folders, often one per team or service: a useful default for the service.
    let by_folder =
        kind == SourceKind::Grafana && !given.as_ref().is_some_and(RawLabels::names_service);
    if given.is_none() && ignored.is_none() && !by_folder {
        return None;
    }
    let mut names = given.map_or_else(|| all.clone(), |given| given.with_fallback(all));
    names.ignored = ignored.unwrap_or_else(|| all.ignored.clone());
    if by_folder && !names.service.iter().any(|name| name == "grafana_folder") {
        names.service.push("grafana_folder".to_owned());
    }
    Some(names)
}

/// `services:` of a source: patterns and their services, in order.
fn services(reader: &mut Reader<'_>, node: &Node) -> Vec<(String, String)> {
    let Value::Map(entries) = &node.value else {
        reader.fault(
            node.position(),
            "`services` is a map of names, with `*` for any part of one, to services: {shop/checkout: checkout, \"shop/*\": shop}",
        );
        return Vec::new();
    };
    let mut all = Vec::new();
    for (key, value) in entries {
        if key.name.trim().is_empty() {
            reader.fault(
                key.position(),
                "this is empty; write a name, as shop/checkout",
            );
            continue;
        }
        if let Some(Text(service)) = reader.read_whole::<Text>(value, &[]) {
            all.push((key.name.trim().to_owned(), service));
        }
    }
    all
}

/// `declares:`: PagerDuty incidents that count as outages.
fn declares(
    reader: &mut Reader<'_>,
    kind: SourceKind,
    raw: RawDeclares,
    at: Position,
) -> Option<PagerDutyOutages> {
    const URGENCIES: [&str; 2] = ["high", "low"];
    if kind != SourceKind::PagerDuty {
        reader.fault(
            at,
            "`declares` is only for sources of kind `pagerduty`; remove it",
        );
        return None;
    }
    let otherwise = PagerDutyOutages::default();
    for word in raw
        .urgency
        .iter()
        .flatten()
        .filter(|word| !URGENCIES.contains(&&*word.value))
    {
        let hint = nearest(&word.value, URGENCIES).map_or_else(
            || "known: `high`, `low`".to_owned(),
            |name| format!("did you mean `{name}`?"),
        );
        reader.fault(
            word.position,
            format!("unknown urgency `{}`; {hint}", word.value.escape_debug()),
        );
    }
    Some(PagerDutyOutages {
        priority: raw.priority.map_or(otherwise.priority, |words| words.0),
        urgency: raw.urgency.map_or(otherwise.urgency, |words| {
            words.into_iter().map(|word| word.value).collect()
        }),
        by_hand: raw.by_hand.unwrap_or(otherwise.by_hand),
    })
}

/// Source kind by name, ignoring case; `-` equals `_`.
fn kind(word: &str) -> Option<SourceKind> {
    let word = word.to_ascii_lowercase().replace('-', "_");
    KINDS
        .iter()
        .find(|(_, words)| words.contains(&word.as_str()))
        .map(|(kind, _)| *kind)
}
