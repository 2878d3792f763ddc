//! Who may send and who may come in: sources, credentials, and where secrets are found.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::parse::RawLabels;
use super::scalars::{Silence, StorageUrl, Text, TextList};
use super::{Access, Auth, SecretRef, Source, SourceAuth, Storage, api, mapping, sns, source_auth};
use crate::model::fault::nearest;
use crate::model::settings::LabelNames;
use crate::model::source::{KINDS, PagerDutyOutages, ServiceMapping, SourceKind};
use crate::yaml::node::{Node, Position, Value};
use crate::yaml::reader::{Reader, Supported, given};
use crate::yaml::scalar::Spanned;

/// Kinds that `map` is for: their bodies are read by expressions, shipped or written there.
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

/// Kinds that tell of things under names of their own, which `services` and `environment` translate.
const NAMED_KINDS: &[SourceKind] = &[
    SourceKind::KubernetesAudit,
    SourceKind::ArgoCd,
    SourceKind::GitHub,
    SourceKind::GitLab,
];

/// Kinds that tell of no labels.
const UNLABELLED: &[SourceKind] = &[
    SourceKind::KubernetesAudit,
    SourceKind::GitHub,
    SourceKind::Slack,
];

pub(crate) const PROOFS: &str = "`bearer_token_file`, `bearer_token`, `basic` or `header`";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSource {
    name: Option<Spanned<Text>>,
    kind: Option<Spanned<Text>>,
    /// Read apart, so that what is written there is in no message.
    #[serde(rename = "auth", default)]
    _auth: Option<serde::de::IgnoredAny>,
    labels: Option<RawLabels>,
    ignore_labels: Option<Spanned<TextList>>,
    /// Read apart, for the same reason.
    #[serde(rename = "api", default)]
    _api: Option<serde::de::IgnoredAny>,
    /// Read apart, since the order counts.
    #[serde(rename = "services", default)]
    _services: Option<serde::de::IgnoredAny>,
    environment: Option<Spanned<Text>>,
    limits: Option<source_auth::RawSourceLimits>,
    declares: Option<RawDeclares>,
    silent_after: Option<Silence>,
    /// Read apart, with the places of its expressions.
    #[serde(rename = "map", default)]
    _map: Option<serde::de::IgnoredAny>,
    topics: Option<Vec<Spanned<Text>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDeclares {
    priority: Option<TextList>,
    urgency: Option<Vec<Spanned<String>>>,
    by_hand: Option<bool>,
}

/// What is shown beside a message.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawAuth {
    pub(crate) bearer_token_file: Option<Spanned<String>>,
    pub(crate) bearer_token: Option<Spanned<String>>,
    pub(crate) basic: Option<RawBasic>,
    pub(crate) header: Option<RawHeader>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawBasic {
    username: Text,
    password_file: Option<Spanned<String>>,
    password: Option<Spanned<String>>,
}

/// A name with a secret value.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawHeader {
    pub(crate) name: Spanned<Text>,
    pub(crate) value_file: Option<Spanned<String>>,
    pub(crate) value: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAccess {
    token_file: Option<Spanned<String>>,
    token: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawStorage {
    url: Spanned<StorageUrl>,
    password_file: Option<Spanned<String>>,
    password: Option<Spanned<String>>,
}

/// `storage:`, an address alone or with the place of its password.
pub(crate) fn storage(reader: &mut Reader<'_>, node: &Node) -> Option<Storage> {
    if !matches!(node.value, Value::Map(_)) {
        return reader.read_whole::<StorageUrl>(node, &[]).map(|url| url.0);
    }
    let raw: RawStorage = reader.read_whole(node, &[])?;
    let asked = raw.password_file.is_some() || raw.password.is_some();
    match raw.url.value.0 {
        Storage::Sqlite(_) if asked => {
            reader.fault(node.position(), "a SQLite file has no password; remove it");
            None
        }
        Storage::Postgres { url, .. } if asked => {
            let password = secret(
                reader,
                node.position(),
                "password",
                raw.password_file,
                raw.password,
            )?;
            Some(Storage::Postgres {
                url,
                password: Some(password),
            })
        }
        storage => Some(storage),
    }
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
                    "`auth` is missing; write {proofs} there, or `auth: none` if you mean that"
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
        self::name(reader, "source", name, *position, seen);
    }
    let Spanned {
        position,
        value: Text(word),
        ..
    } = raw.kind?;
    let Some(kind) = kind(&word) else {
        let known: Vec<String> = KINDS
            .iter()
            .map(|(_, words)| format!("`{}`", words[0]))
            .collect();
        reader.fault(
            position,
            format!("unknown kind {word:?}; known: {}", known.join(", ")),
        );
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
                _ => "this one says it with `labels`",
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
            "; say with `services` and `environment` what it is about"
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
            reader.fault(node.position(), "`map` is missing; say there what a body means, as `map: {name: body.title, status: …}`");
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

/// The label names of a source; `None`: those of all.
fn own_labels(
    kind: SourceKind,
    given: Option<RawLabels>,
    ignored: Option<Vec<String>>,
    all: &LabelNames,
) -> Option<LabelNames> {
    // Grafana's rules stand in folders, which often are a team's or a service's: better than nothing, unless somebody says what is.
    let by_folder =
        kind == SourceKind::Grafana && !given.as_ref().is_some_and(RawLabels::names_service);
    if given.is_none() && ignored.is_none() && !by_folder {
        return None;
    }
    let mut names = given.map_or_else(|| all.clone(), |given| given.over(all));
    names.ignored = ignored.unwrap_or_default();
    if by_folder && !names.service.iter().any(|name| name == "grafana_folder") {
        names.service.push("grafana_folder".to_owned());
    }
    Some(names)
}

/// `services:` of a source: patterns with the services that they stand for, in their order.
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

/// `declares:`, which of PagerDuty's incidents are outages.
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
            "only a source of the kind `pagerduty` has `declares`; remove it",
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

/// The kind of that name, in any case; `-` and `_` are one.
fn kind(word: &str) -> Option<SourceKind> {
    let word = word.to_ascii_lowercase().replace('-', "_");
    KINDS
        .iter()
        .find(|(_, words)| words.contains(&word.as_str()))
        .map(|(kind, _)| *kind)
}

/// The name of an entry that messages call `what`, which must be its own and fit into an address.
pub(crate) fn name(
    reader: &mut Reader<'_>,
    what: &str,
    name: &str,
    at: Position,
    seen: &mut BTreeMap<String, Position>,
) {
    reader.unique(seen, what, name, at);
    if !name
        .bytes()
        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    {
        reader.fault(
            at,
            format!("the name {name:?} is part of an address: use only a-z, 0-9 and -"),
        );
    }
}

/// `auth:` of an entry of `metrics:`. What is written there may be a secret, so no message repeats it.
pub(crate) fn auth(reader: &mut Reader<'_>, node: &Node) -> Option<Auth> {
    if node.value == Value::String("none".to_owned()) {
        return Some(Auth::None);
    }
    let at = node.position();
    if !is_map(
        reader,
        node,
        &format!("`auth` is `none`, or a map with one of {PROOFS}"),
    ) {
        return None;
    }
    for name in ["basic", "header"] {
        if let Some(inner) = node.get(name)
            && !is_map(reader, inner, &format!("`auth.{name}` is a map"))
        {
            return None;
        }
    }
    let raw: RawAuth = reader.read_whole(node, &[])?;
    shown(reader, at, raw)
}

/// What is shown beside a message, which must be one thing.
pub(crate) fn shown(reader: &mut Reader<'_>, at: Position, raw: RawAuth) -> Option<Auth> {
    let bearer = raw.bearer_token_file.is_some() || raw.bearer_token.is_some();
    match (bearer, raw.basic, raw.header) {
        (true, None, None) => secret(
            reader,
            at,
            "bearer_token",
            raw.bearer_token_file,
            raw.bearer_token,
        )
        .map(Auth::Bearer),
        (false, Some(basic), None) => {
            let password = secret(reader, at, "password", basic.password_file, basic.password)?;
            Some(Auth::Basic {
                username: basic.username.0,
                password,
            })
        }
        (false, None, Some(header)) => {
            let name = header.name.value.0;
            if !is_header(&name) {
                reader.fault(
                    header.name.position,
                    format!("{name:?} is no name of a header; write for example X-Afterword-Token"),
                );
            }
            let value = secret(reader, at, "value", header.value_file, header.value)?;
            Some(Auth::Header { name, value })
        }
        (false, None, None) => {
            reader.fault(at, format!("`auth` says nothing; give one of {PROOFS}, or write `auth: none` if you mean that"));
            None
        }
        _ => {
            reader.fault(
                at,
                format!("`auth` gives more than one proof; keep one of {PROOFS}"),
            );
            None
        }
    }
}

/// Whether this may be the name of a header: a token of RFC 9110 §5.6.2.
pub(crate) fn is_header(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

/// `access:`
pub(crate) fn access(reader: &mut Reader<'_>, node: &Node) -> Option<Access> {
    if !is_map(
        reader,
        node,
        "`access` is a map with `token_file` or `token`",
    ) {
        return None;
    }
    let Supported { node, whole } = reader.supported(node, "access", &["oidc", "tokens"]);
    let raw: RawAccess = reader.read_whole(&node, &[])?;
    if !whole && raw.token_file.is_none() && raw.token.is_none() {
        return None;
    }
    secret(reader, node.position(), "token", raw.token_file, raw.token)
        .map(|token| Access { token })
}

pub(crate) fn is_map(reader: &mut Reader<'_>, node: &Node, message: &str) -> bool {
    let map = matches!(node.value, Value::Map(_));
    if !map {
        reader.fault(node.position(), message);
    }
    map
}

/// `NAME_file: PATH` or `NAME: "${VARIABLE}"`, one of them.
pub(crate) fn secret(
    reader: &mut Reader<'_>,
    at: Position,
    name: &str,
    file: Option<Spanned<String>>,
    inline: Option<Spanned<String>>,
) -> Option<SecretRef> {
    let forms = format!("`{name}_file: PATH` or `{name}: \"${{VARIABLE}}\"`");
    match (file, inline) {
        (Some(path), None) => {
            if path.value.trim().is_empty() || path.value.chars().any(char::is_control) {
                reader.fault(
                    path.position,
                    format!("`{name}_file` is the path of a file"),
                );
                return None;
            }
            Some(SecretRef::File(path.value))
        }
        (None, Some(text)) => match variable(&text.value) {
            Some(variable) => Some(SecretRef::Env(variable.to_owned())),
            None => {
                reader.fault(
                    text.position,
                    format!("a secret does not stand in this file; write {forms}"),
                );
                None
            }
        },
        (None, None) => {
            reader.fault(at, format!("`{name}` is missing; write {forms}"));
            None
        }
        (Some(_), Some(text)) => {
            reader.fault(
                text.position,
                format!("`{name}` is given twice; write {forms}"),
            );
            None
        }
    }
}

/// `NAME` of `${NAME}`.
fn variable(text: &str) -> Option<&str> {
    let name = text.strip_prefix("${")?.strip_suffix('}')?;
    let letters = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    (letters && name.starts_with(|c: char| !c.is_ascii_digit())).then_some(name)
}
