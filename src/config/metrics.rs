//! `metrics:`: servers to query, pages to scrape, and remote-write senders.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::credentials;
use super::credentials::{Auth, none_or_auth};
use super::http_client::{HttpClientConfig, RawTls, http_client, missing, target};
use super::scalars::{HttpUrl, Text, entry_name};
use crate::yaml::node::{Node, Position, Value};
use crate::yaml::reader::{Reader, given};
use crate::yaml::scalar::{Duration, Spanned};

const KINDS: [&str; 3] = ["prometheus", "scrape", "remote_write"];

/// Keys of one kind or two, with the kinds they are for; `name` and `kind` and `auth` are for all.
const KEYS: [(&str, &[&str]); 11] = [
    ("url", &["prometheus"]),
    ("concurrency", &["prometheus"]),
    ("alerts", &["prometheus"]),
    ("targets", &["scrape"]),
    ("interval", &["scrape"]),
    ("honor_timestamps", &["scrape"]),
    ("honor_labels", &["scrape"]),
    ("labels", &["scrape"]),
    ("timeout", &["prometheus", "scrape"]),
    ("headers", &["prometheus", "scrape"]),
    ("tls", &["prometheus", "scrape"]),
];

/// Metric source, referenced by name in rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricsSource {
    /// Unique name.
    pub name: String,
    /// Way in which samples are obtained.
    pub kind: MetricsKind,
}

/// Way in which samples are obtained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MetricsKind {
    /// Queries to a server.
    Prometheus(PrometheusServer),
    /// Scrapes of pages.
    Scrape(ScrapeConfig),
    /// Remote write to `/api/v1/write`, with the authentication required of senders.
    RemoteWrite(Auth),
}

/// Server with the Prometheus HTTP API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrometheusServer {
    /// Base URL before `/api/v1/`, without a trailing slash.
    pub url: String,
    /// Request timeout, in seconds.
    pub timeout: i64,
    /// Maximum number of concurrent queries.
    pub concurrency: usize,
    /// Reads its `ALERTS` series.
    pub alerts: bool,
    /// Authentication, headers and TLS.
    pub http_client: HttpClientConfig,
}

/// Pages in Prometheus's text formats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScrapeConfig {
    /// The pages.
    pub targets: Vec<ScrapeTarget>,
    /// Scrape interval, in seconds.
    pub interval: i64,
    /// Scrape timeout, in seconds; at most the interval.
    pub timeout: i64,
    /// Uses timestamps on the page; otherwise the time of the scrape.
    pub honor_timestamps: bool,
    /// Labels on the page override configured ones; otherwise they are renamed to `exported_…`.
    pub honor_labels: bool,
    /// Labels added to each sample, always including `job`.
    pub labels: BTreeMap<String, String>,
    /// Authentication, headers and TLS.
    pub http_client: HttpClientConfig,
}

/// A page to scrape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScrapeTarget {
    /// URL; the path defaults to `/metrics`.
    pub url: String,
    /// The label `instance` of its samples, `host:port`, unless `labels` has another.
    pub instance: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawMetrics {
    /// Its name, as used in rules: a-z, 0-9 and -.
    #[schemars(required)]
    name: Option<Spanned<Text>>,
    /// Way in which samples are obtained.
    #[schemars(schema_with = "kinds")]
    kind: Option<Spanned<Text>>,
    /// prometheus: its URL, with the part before /api/v1; required.
    url: Option<Spanned<Text>>,
    /// prometheus, scrape: request timeout; for scrape at most `interval`.
    #[schemars(extend("default" = "10s"))]
    timeout: Option<Spanned<Duration>>,
    /// prometheus: maximum number of concurrent queries.
    #[schemars(range(min = 1, max = 64), extend("default" = 4))]
    concurrency: Option<Spanned<i64>>,
    /// prometheus: read its ALERTS series.
    #[schemars(extend("default" = true))]
    alerts: Option<bool>,
    /// scrape: URLs of the pages; required.
    targets: Option<Vec<Spanned<Text>>>,
    /// scrape: scrape interval.
    #[schemars(extend("default" = "15s"))]
    interval: Option<Spanned<Duration>>,
    /// scrape: use the timestamps on the page.
    #[schemars(extend("default" = true))]
    honor_timestamps: Option<bool>,
    /// scrape: labels on the page take precedence over configured ones.
    #[schemars(extend("default" = false))]
    honor_labels: Option<bool>,
    /// scrape: labels added to each sample; by default `job` is the name and `instance` the host
    /// and port.
    #[schemars(extend("default" = {}))]
    labels: Option<BTreeMap<String, Text>>,
    /// Authentication to the server; remote_write: authentication required of senders.
    #[serde(rename = "auth", default)]
    #[schemars(schema_with = "none_or_auth", extend("default" = "none"))]
    // Read separately, so that no message repeats its value.
    _auth: Option<IgnoredAny>,
    /// prometheus, scrape: additional headers, such as X-Scope-OrgID; must not contain secrets.
    #[schemars(extend("default" = {}))]
    headers: Option<BTreeMap<String, Spanned<Text>>>,
    /// prometheus, scrape: TLS settings; by default the certificates of the system are used.
    #[schemars(extend("default" = {}))]
    tls: Option<RawTls>,
}

fn kinds(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"enum": KINDS})
}

/// One entry of `metrics:`.
pub(crate) fn metrics(
    reader: &mut Reader<'_>,
    node: &Node,
    open: Option<&str>,
    seen: &mut BTreeMap<String, Position>,
) -> Option<MetricsSource> {
    let auth = given(node, "auth").map_or(Some(Auth::None), |node| credentials::auth(reader, node));
    let raw: RawMetrics = reader.read(node, &["name", "kind"])?;
    if let Some(Spanned {
        position,
        value: Text(name),
        ..
    }) = &raw.name
    {
        entry_name(reader, "metrics", name, *position, seen);
    }
    let (name, kind) = (
        raw.name.as_ref().map(|name| name.value.0.clone()),
        raw.kind.as_ref()?,
    );
    let Some(word) = KINDS.into_iter().find(|known| *known == kind.value.0) else {
        reader.fault(
            kind.position,
            format!(
                "unknown kind {:?}; known: {}",
                kind.value.0,
                KINDS.map(|kind| format!("`{kind}`")).join(", ")
            ),
        );
        return None;
    };
    foreign_keys(reader, node, word);
    let kind = match word {
        "prometheus" => prometheus(reader, node, raw, auth).map(MetricsKind::Prometheus),
        "scrape" => scrape(reader, node, raw, auth).map(MetricsKind::Scrape),
        _ => pushed(reader, node, auth, open).map(MetricsKind::RemoteWrite),
    };
    Some(MetricsSource {
        name: name?,
        kind: kind?,
    })
}

/// Records a fault for each key of another kind, since ignoring it would mislead the user.
fn foreign_keys(reader: &mut Reader<'_>, node: &Node, kind: &str) {
    for (name, kinds) in KEYS.iter().filter(|(_, kinds)| !kinds.contains(&kind)) {
        if node
            .get(name)
            .is_some_and(|given| given.value != Value::Null)
        {
            reader.fault(
                node.key_position(name),
                format!(
                    "`{name}` is for kind `{}`, not for `{kind}`; remove it",
                    kinds.join("` and `")
                ),
            );
        }
    }
}

fn prometheus(
    reader: &mut Reader<'_>,
    node: &Node,
    raw: RawMetrics,
    auth: Option<Auth>,
) -> Option<PrometheusServer> {
    let url = match &raw.url {
        Some(url) => target(reader, url).and_then(|read| {
            if read.query {
                reader.fault(
                    url.position,
                    "only scheme, host, port and path are allowed here: no `?`",
                );
            } else if read.url.contains("/api/v1") {
                reader.fault(
                    url.position,
                    "write only the part before /api/v1; the rest is added",
                );
            }
            Some(read.url.trim_end_matches('/').to_owned()).filter(|_| !read.query)
        }),
        None => {
            missing(
                reader,
                node,
                "url",
                "the address of the server, as http://localhost:9090",
            );
            None
        }
    };
    let timeout = reader
        .positive("timeout", raw.timeout.as_ref())
        .unwrap_or(10);
    let concurrency = raw.concurrency.map_or(4, |given| {
        if !(1..=64).contains(&given.value) {
            reader.fault(
                given.position,
                format!(
                    "`concurrency` must be a number from 1 to 64, found {}",
                    given.value
                ),
            );
        }
        given.value
    });
    let http_client = http_client(reader, node, raw.headers, raw.tls, auth);
    Some(PrometheusServer {
        url: url?,
        timeout,
        concurrency: usize::try_from(concurrency).ok()?,
        alerts: raw.alerts.unwrap_or(true),
        http_client: http_client?,
    })
}

fn scrape(
    reader: &mut Reader<'_>,
    node: &Node,
    raw: RawMetrics,
    auth: Option<Auth>,
) -> Option<ScrapeConfig> {
    let given = raw.targets.unwrap_or_default();
    if given.is_empty() && !node.mentions("targets") {
        missing(
            reader,
            node,
            "targets",
            "a list of addresses, as [http://localhost:8080/metrics]",
        );
    } else if given.is_empty()
        && node
            .get("targets")
            .is_some_and(|list| list.value == Value::List(Vec::new()))
    {
        reader.fault(
            node.key_position("targets"),
            "`targets` is empty; name a page, or remove the entry",
        );
    }
    let mut pages = BTreeMap::new();
    let mut targets = Vec::new();
    for written in &given {
        if let Some(HttpUrl {
            url,
            instance,
            bare,
            ..
        }) = target(reader, written)
        {
            let url = if bare { format!("{url}/metrics") } else { url };
            reader.unique(&mut pages, "target", &url, written.position);
            targets.push(ScrapeTarget { url, instance });
        }
    }
    let interval = reader
        .positive("interval", raw.interval.as_ref())
        .unwrap_or(15);
    let timeout = reader
        .positive("timeout", raw.timeout.as_ref())
        .unwrap_or(10.min(interval));
    if let Some(given) = raw.timeout.filter(|_| timeout > interval) {
        reader.fault(
            given.position,
            format!("`timeout` is longer than `interval`, which is {interval}s"),
        );
    }
    let mut labels: BTreeMap<String, String> = raw
        .labels
        .unwrap_or_default()
        .into_iter()
        .map(|(name, word)| (name, word.0))
        .collect();
    for name in labels.keys().filter(|name| !is_label(name)) {
        let at = node
            .get("labels")
            .map_or(node.position(), |labels| labels.key_position(name));
        reader.fault(at, format!("{name:?} is not a valid label name; use a-z, A-Z, 0-9 and _, and do not begin with a digit or __"));
    }
    if let Some(name) = &raw.name {
        labels
            .entry("job".to_owned())
            .or_insert_with(|| name.value.0.clone());
    }
    let (honor_timestamps, honor_labels) = (
        raw.honor_timestamps.unwrap_or(true),
        raw.honor_labels.unwrap_or(false),
    );
    let http_client = http_client(reader, node, raw.headers, raw.tls, auth)?;
    Some(ScrapeConfig {
        targets,
        interval,
        timeout,
        honor_timestamps,
        honor_labels,
        labels,
        http_client,
    })
}

/// Authentication of remote write. Without it the listen address must be loopback.
fn pushed(
    reader: &mut Reader<'_>,
    node: &Node,
    auth: Option<Auth>,
    open: Option<&str>,
) -> Option<Auth> {
    let auth = auth?;
    if let Some(listen) = open.filter(|_| auth == Auth::None) {
        let proofs = credentials::PROOFS;
        reader.fault(
            node.key_position("auth"),
            format!(
                "other machines can reach {listen}, so remote write needs authentication; write `auth` with one of {proofs}"
            ),
        );
    }
    Some(auth)
}

/// Label name test as in Prometheus (`model/labels`), without its reserved names.
fn is_label(name: &str) -> bool {
    let first = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    first && !name.starts_with("__") && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[cfg(test)]
mod tests;
