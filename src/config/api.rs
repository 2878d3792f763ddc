//! `api:` of a source: the Alertmanager API to poll.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::credentials;
use super::credentials::{Auth, none_or_auth};
use super::http_client;
use super::http_client::{HttpClientConfig, RawTls};
use super::scalars::HttpUrl;
use super::scalars::Text;
use crate::model::source::SourceKind;
use crate::yaml::node::{Node, Value};
use crate::yaml::reader::{Reader, given};
use crate::yaml::scalar::{Duration, Spanned};

/// Kinds that have a pollable API.
pub(crate) const ASKED: &[SourceKind] = &[SourceKind::Alertmanager];
/// Kinds whose alerts may come from several replicas.
pub(crate) const REPLICATED: &[SourceKind] = &[SourceKind::Alertmanager, SourceKind::Grafana];

/// Alertmanager API to poll.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertmanagerApi {
    /// Base URL before `/api/v2/`, without a trailing slash.
    pub url: String,
    /// Polling interval, in seconds.
    pub every: i64,
    /// Request timeout, in seconds.
    pub timeout: i64,
    /// Authentication, headers and TLS.
    pub http_client: HttpClientConfig,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawApi {
    /// Its URL, with the part before /api/v2.
    #[schemars(required)]
    url: Option<Spanned<Text>>,
    /// Polling interval.
    #[schemars(extend("default" = "30s"))]
    every: Option<Spanned<Duration>>,
    /// Request timeout; at most `every`.
    #[schemars(extend("default" = "10s"))]
    timeout: Option<Spanned<Duration>>,
    /// Authentication to it.
    #[serde(rename = "auth", default)]
    #[schemars(schema_with = "none_or_auth", extend("default" = "none"))]
    // Read separately, so that no message repeats its value.
    _auth: Option<IgnoredAny>,
    /// Additional headers; must not contain secrets.
    #[schemars(extend("default" = {}))]
    headers: Option<BTreeMap<String, Spanned<Text>>>,
    /// TLS settings; by default the certificates of the system are used.
    #[schemars(extend("default" = {}))]
    tls: Option<RawTls>,
}

/// Reads `api:` of a source.
pub(crate) fn api(reader: &mut Reader<'_>, node: &Node) -> Option<AlertmanagerApi> {
    if !matches!(node.value, Value::Map(_)) {
        reader.fault(
            node.position(),
            "`api` must be a map with `url`, as {url: http://localhost:9093}",
        );
        return None;
    }
    let auth = given(node, "auth").map_or(Some(Auth::None), |node| credentials::auth(reader, node));
    let raw: RawApi = reader.read(node, &[])?;
    let url = match &raw.url {
        Some(written) => {
            http_client::target(reader, written).and_then(|HttpUrl { url, query, .. }| {
                if query {
                    reader.fault(
                        written.position,
                        "only scheme, host, port and path are allowed here: no `?`",
                    );
                } else if url.contains("/api/v2") {
                    reader.fault(
                        written.position,
                        "write only the part before /api/v2; the rest is added",
                    );
                }
                Some(url.trim_end_matches('/').to_owned()).filter(|_| !query)
            })
        }
        None => {
            http_client::missing(
                reader,
                node,
                "url",
                "the address of the server, as http://localhost:9093",
            );
            None
        }
    };
    let every = reader.positive("every", raw.every.as_ref()).unwrap_or(30);
    let timeout = reader
        .positive("timeout", raw.timeout.as_ref())
        .unwrap_or(10.min(every));
    if let Some(given) = raw.timeout.filter(|_| timeout > every) {
        reader.fault(
            given.position,
            format!("`timeout` is longer than `every`, which is {every}s"),
        );
    }
    let http_client = http_client::http_client(reader, node, raw.headers, raw.tls, auth)?;
    Some(AlertmanagerApi {
        url: url?,
        every,
        timeout,
        http_client,
    })
}
