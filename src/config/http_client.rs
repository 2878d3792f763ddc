//! HTTP client settings: authentication, headers, TLS.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::credentials::{Auth, is_header};
use super::scalars::{HttpUrl, Text, is_host};
use crate::yaml::node::Node;
use crate::yaml::reader::Reader;
use crate::yaml::scalar::Spanned;

/// HTTP client settings of a server. Secrets and certificates are named, not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpClientConfig {
    /// Authentication to the server.
    pub auth: Auth,
    /// Additional headers by name, without secrets.
    pub headers: BTreeMap<String, String>,
    /// TLS settings.
    pub tls: TlsConfig,
}

/// TLS settings.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TlsConfig {
    /// CA certificates (PEM file); `None`: those of the system.
    pub ca: Option<String>,
    /// Client certificate and key (PEM files).
    pub own: Option<(String, String)>,
    /// Name in the server certificate, if it differs from the host in the URL.
    pub server_name: Option<String>,
    /// Skips verification of the server certificate.
    pub insecure: bool,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawTls {
    /// File with the CA certificates to trust; by default those of the system.
    ca_file: Option<Text>,
    /// File with the client certificate.
    cert_file: Option<Text>,
    /// File with the key of the client certificate.
    key_file: Option<Text>,
    /// Name in the server certificate, if it differs from the host in the URL.
    server_name: Option<Text>,
    /// Skip verification of the server certificate.
    #[schemars(extend("default" = false))]
    insecure_skip_verify: Option<bool>,
}

/// Reads the HTTP client settings of an entry.
pub(crate) fn http_client(
    reader: &mut Reader<'_>,
    node: &Node,
    headers: Option<BTreeMap<String, Spanned<Text>>>,
    tls: Option<RawTls>,
    auth: Option<Auth>,
) -> Option<HttpClientConfig> {
    let headers = headers.unwrap_or_default();
    for (name, value) in &headers {
        let at = node
            .get("headers")
            .map_or(node.position(), |headers| headers.key_position(name));
        if !is_header(name) {
            reader.fault(
                at,
                format!("{name:?} is not a valid header name; write for example X-Scope-OrgID"),
            );
        } else if ["authorization", "proxy-authorization", "cookie"]
            .contains(&name.to_ascii_lowercase().as_str())
        {
            reader.fault(
                at,
                format!(
                    "secrets must not be written in this file; put the value of `{name}` in `auth`"
                ),
            );
        } else if value.value.0.starts_with("${") {
            reader.fault(
                value.position,
                "only `auth` takes values from the environment; put a header that is a secret in `auth: {header: …}`",
            );
        } else if !value.value.0.is_ascii() {
            reader.fault(value.position, "a header value must be ASCII text");
        }
    }
    let tls = match tls {
        Some(raw) => encryption(reader, node, raw),
        None => Some(TlsConfig::default()),
    };
    let headers = headers
        .into_iter()
        .map(|(name, value)| (name, value.value.0))
        .collect();
    Some(HttpClientConfig {
        auth: auth?,
        headers,
        tls: tls?,
    })
}

fn encryption(reader: &mut Reader<'_>, node: &Node, raw: RawTls) -> Option<TlsConfig> {
    let at = node.key_position("tls");
    let own = match (raw.cert_file, raw.key_file) {
        (Some(Text(cert)), Some(Text(key))) => Some((cert, key)),
        (None, None) => None,
        (cert, _) => {
            let (given, other) = if cert.is_some() {
                ("cert_file", "key_file")
            } else {
                ("key_file", "cert_file")
            };
            reader.fault(at, format!("`{given}` needs `{other}` beside it"));
            return None;
        }
    };
    let (ca, server_name) = (raw.ca_file.map(|file| file.0), raw.server_name);
    let insecure = raw.insecure_skip_verify.unwrap_or(false);
    if insecure && (ca.is_some() || server_name.is_some()) {
        reader.fault(at, "`insecure_skip_verify` disables all certificate checks; remove it, or `ca_file` and `server_name`");
    }
    let is_name = |name: &str| is_host(name) && name.parse::<core::net::IpAddr>().is_err();
    if let Some(Text(name)) = server_name.as_ref().filter(|name| !is_name(&name.0)) {
        reader.fault(
            at,
            format!(
                "{name:?} is not a valid server name; write for example prometheus.example.com"
            ),
        );
    }
    Some(TlsConfig {
        ca,
        own,
        server_name: server_name.map(|name| name.0),
        insecure,
    })
}

/// Reads a base URL.
pub(crate) fn target(reader: &mut Reader<'_>, written: &Spanned<Text>) -> Option<HttpUrl> {
    HttpUrl::parse(&written.value.0)
        .map_err(|why| reader.fault(written.position, why))
        .ok()
}

/// Records a fault for a missing required key.
pub(crate) fn missing(reader: &mut Reader<'_>, node: &Node, name: &str, what: &str) {
    if !node.mentions(name) {
        reader.fault(node.position(), format!("`{name}` is missing: {what}"));
    }
}
