//! Schema of the settings: entries of `sources:`, their labels and credentials.

use serde_json::{Value, json};

use super::key::{SchemaKey, Shape, map, optional, required};
use super::mapping;

const SEVERITIES: &[&str] = &["critical", "warning", "info", "none"];

pub(crate) const LABELS: &[SchemaKey] = &[
    optional(
        "service",
        Shape::TextOrTexts,
        r#"["service", "app", "job"]"#,
        "Labels that name the service.",
    ),
    optional(
        "severity",
        Shape::TextOrTexts,
        r#"["severity"]"#,
        "Labels that give the severity.",
    ),
    optional(
        "environment",
        Shape::TextOrTexts,
        r#"["environment", "env", "stage"]"#,
        "Labels that name the environment.",
    ),
    optional(
        "severities",
        Shape::NamedWords(SEVERITIES),
        "{}",
        "Custom severity words and the severity each maps to.",
    ),
];

pub(crate) const OWN_LABELS: &[SchemaKey] = &[
    optional(
        "service",
        Shape::TextOrTexts,
        "null",
        "Labels that name the service; by default as in `labels`.",
    ),
    optional(
        "severity",
        Shape::TextOrTexts,
        "null",
        "Labels that give the severity; by default as in `labels`.",
    ),
    optional(
        "environment",
        Shape::TextOrTexts,
        "null",
        "Labels that name the environment; by default as in `labels`.",
    ),
    optional(
        "severities",
        Shape::NamedWords(SEVERITIES),
        "null",
        "Custom severity words and the severity each maps to; by default as in `labels`.",
    ),
];

pub(crate) const SOURCE: &[SchemaKey] = &[
    required("name", Shape::Text, "Its name in the path: a-z, 0-9 and -."),
    required(
        "kind",
        Shape::Word(SOURCE_KINDS),
        "Sender type, which determines the format of its messages.",
    ),
    optional(
        "auth",
        Shape::WordsOr(&["none", "signature"], SOURCE_AUTH),
        "null",
        "Authentication: one method, or `none`; required. sns: `signature` by default, which is checked in addition to any other method.",
    ),
    optional(
        "labels",
        Shape::Map(OWN_LABELS),
        "null",
        "Label names of this source, where they differ from the top-level `labels`.",
    ),
    optional(
        "ignore_labels",
        Shape::TextOrTexts,
        r#"["prometheus_replica", "thanos_ruler_replica", "__replica__"]"#,
        "alertmanager, grafana: labels that only distinguish replicas of one sender, such as replica; they are dropped.",
    ),
    optional(
        "api",
        Shape::Map(API),
        "null",
        "alertmanager: API to poll for alerts and silences; by default it is not polled.",
    ),
    optional(
        "services",
        Shape::NamedTexts,
        "{}",
        "kubernetes_audit, argocd, github, gitlab: services by their names in the source, as \"shop/*\": shop; the first match applies.",
    ),
    optional(
        "environment",
        Shape::Text,
        "null",
        "kubernetes_audit, argocd, github, gitlab: environment of events that do not name one.",
    ),
    optional(
        "limits",
        Shape::Map(SOURCE_LIMITS),
        "{}",
        "Limits on rate and body size.",
    ),
    optional(
        "declares",
        Shape::Map(DECLARES),
        "null",
        "pagerduty: which incidents are declared outages; the others are alerts.",
    ),
    optional(
        "silent_after",
        Shape::DurationOr("never"),
        "null",
        "Duration of silence after which it is reported, or `never`; by default three times its longest recent silence, at least an hour.",
    ),
    optional(
        "map",
        Shape::Custom(mapping::shape),
        "null",
        "generic, and other kinds read by a mapping: CEL expressions that map a body to events.",
    ),
    optional(
        "topics",
        Shape::Texts,
        "null",
        "sns: topics to accept messages from, as arn:aws:sns:…; required.",
    ),
];

pub(crate) const API: &[SchemaKey] = &[
    required("url", Shape::Text, "Its URL, with the part before /api/v2."),
    optional("every", Shape::Duration, "\"30s\"", "Polling interval."),
    optional(
        "timeout",
        Shape::Duration,
        "\"10s\"",
        "Request timeout; at most `every`.",
    ),
    optional(
        "auth",
        Shape::WordOr("none", AUTH),
        "\"none\"",
        "Authentication to it.",
    ),
    optional(
        "headers",
        Shape::NamedTexts,
        "{}",
        "Additional headers; must not contain secrets.",
    ),
    optional(
        "tls",
        Shape::Map(TLS),
        "{}",
        "TLS settings; by default the certificates of the system are used.",
    ),
];

pub(crate) const SOURCE_LIMITS: &[SchemaKey] = &[
    optional(
        "rate",
        Shape::Text,
        "null",
        "Maximum message rate, as `100 per 1s`; further messages get 429, which not all senders retry.",
    ),
    optional(
        "size",
        Shape::Text,
        "\"32MiB\"",
        "Maximum body size, as 512KiB or 10MiB; larger bodies get 413.",
    ),
];

pub(crate) const SOURCE_AUTH: &[SchemaKey] = &[
    optional(
        "bearer_token_file",
        Shape::Text,
        "null",
        "The file that holds the bearer token.",
    ),
    optional(
        "bearer_token",
        Shape::Text,
        "null",
        "The bearer token from the environment, as `${VARIABLE}`.",
    ),
    optional(
        "basic",
        Shape::Map(BASIC),
        "null",
        "User name and password.",
    ),
    optional(
        "header",
        Shape::Map(HEADER),
        "null",
        "A header with a fixed value.",
    ),
    optional(
        "query",
        Shape::Map(QUERY),
        "null",
        "A query parameter with a fixed value, for senders that support nothing else.",
    ),
    optional(
        "hmac_secret_file",
        Shape::Text,
        "null",
        "The file that holds the signing secret, in the format of the sender.",
    ),
    optional(
        "hmac_secret",
        Shape::Text,
        "null",
        "The signing secret from the environment, as `${VARIABLE}`.",
    ),
    optional(
        "signature_header",
        Shape::Text,
        "null",
        "Grafana, and kinds without a signature of their own: the header that holds the signature.",
    ),
    optional(
        "timestamp_header",
        Shape::Text,
        "null",
        "Grafana: the header with the signed timestamp; if set, messages without it are rejected.",
    ),
];

pub(crate) const QUERY: &[SchemaKey] = &[
    required("name", Shape::Text, "The name of the parameter."),
    optional(
        "value_file",
        Shape::Text,
        "null",
        "The file that holds its value.",
    ),
    optional(
        "value",
        Shape::Text,
        "null",
        "Its value from the environment, as `${VARIABLE}`.",
    ),
];

pub(crate) const DECLARES: &[SchemaKey] = &[
    optional(
        "priority",
        Shape::TextOrTexts,
        r#"["P1", "P2"]"#,
        "Incidents with one of these priorities.",
    ),
    optional(
        "urgency",
        Shape::Texts,
        "[]",
        "Incidents without a priority that have one of these urgencies: high, low.",
    ),
    optional(
        "by_hand",
        Shape::Flag,
        "true",
        "Also urgent incidents without a priority that a person opened.",
    ),
];

/// Kinds of sources that this version reads; aliases are left out.
pub(crate) const SOURCE_KINDS: &[&str] = &[
    "alertmanager",
    "grafana",
    "opsgenie",
    "datadog",
    "sns",
    "sentry",
    "cloudevents",
    "standard_webhooks",
    "generic",
    "azure_monitor",
    "google_cloud_monitoring",
    "zabbix",
    "icinga",
    "uptime_kuma",
    "new_relic",
    "pingdom",
    "pagerduty",
    "statuspage",
    "incident_io",
    "kubernetes_audit",
    "argocd",
    "github",
    "gitlab",
    "slack",
];

pub(crate) fn sources() -> Value {
    json!({"type": "array", "items": source()})
}

/// Schema of a source. SNS messages are signed, so `auth` is optional there and `topics` is
/// required.
pub(crate) fn source() -> Value {
    let mut source = map(SOURCE);
    source["if"] =
        json!({"required": ["kind"], "properties": {"kind": {"enum": ["sns", "cloudwatch"]}}});
    source["then"] = json!({"required": ["topics"], "properties": {"topics": {"minItems": 1}}});
    source["else"] = json!({"required": ["auth"], "properties": {"auth": {"not": {"const": "signature"}}, "topics": {"type": "null"}}});
    source
}

pub(crate) const AUTH: &[SchemaKey] = &[
    optional(
        "bearer_token_file",
        Shape::Text,
        "null",
        "The file that holds the bearer token.",
    ),
    optional(
        "bearer_token",
        Shape::Text,
        "null",
        "The bearer token from the environment, as `${VARIABLE}`.",
    ),
    optional(
        "basic",
        Shape::Map(BASIC),
        "null",
        "User name and password.",
    ),
    optional(
        "header",
        Shape::Map(HEADER),
        "null",
        "A header with a fixed value.",
    ),
];

pub(crate) const BASIC: &[SchemaKey] = &[
    required("username", Shape::Text, "The user name."),
    optional(
        "password_file",
        Shape::Text,
        "null",
        "The file that holds the password.",
    ),
    optional(
        "password",
        Shape::Text,
        "null",
        "The password from the environment, as `${VARIABLE}`.",
    ),
];

pub(crate) const HEADER: &[SchemaKey] = &[
    required("name", Shape::Text, "The name of the header."),
    optional(
        "value_file",
        Shape::Text,
        "null",
        "The file that holds its value.",
    ),
    optional(
        "value",
        Shape::Text,
        "null",
        "Its value from the environment, as `${VARIABLE}`.",
    ),
];

pub(crate) const TLS: &[SchemaKey] = &[
    optional(
        "ca_file",
        Shape::Text,
        "null",
        "File with the CA certificates to trust; by default those of the system.",
    ),
    optional(
        "cert_file",
        Shape::Text,
        "null",
        "File with the client certificate.",
    ),
    optional(
        "key_file",
        Shape::Text,
        "null",
        "File with the key of the client certificate.",
    ),
    optional(
        "server_name",
        Shape::Text,
        "null",
        "Name in the server certificate, if it differs from the host in the URL.",
    ),
    optional(
        "insecure_skip_verify",
        Shape::Flag,
        "false",
        "Skip verification of the server certificate.",
    ),
];
