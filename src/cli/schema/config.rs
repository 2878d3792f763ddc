//! Schema of the settings: keys of `afterword.yaml`.

use serde_json::{Value, json};

use super::key::{SchemaKey, Shape, map, may, need};
use super::mapping;

pub(crate) const KEYS: &[SchemaKey] = &[
    may(
        "listen",
        Shape::Text,
        "\"127.0.0.1:9099\"",
        "Address to listen on; an address other than loopback requires `access`.",
    ),
    may(
        "external_url",
        Shape::Text,
        "\"http://127.0.0.1:9099\"",
        "Public URL of the pages; by default derived from `listen`.",
    ),
    may(
        "storage",
        Shape::TextOr(STORAGE),
        "\"sqlite://data/afterword.db\"",
        "The database: sqlite://FILE, or postgres://USER@HOST/NAME, which replicas can share.",
    ),
    may(
        "rules",
        Shape::TextOrTexts,
        "[]",
        "Rule files; names may contain `*`. By default the shipped rules.",
    ),
    may(
        "labels",
        Shape::Map(LABELS),
        "{}",
        "Labels that values are read from; the first label that an alert has is used.",
    ),
    may(
        "sources",
        Shape::Custom(sources),
        r#"[{"name": "alertmanager", "kind": "alertmanager", "auth": "none"}]"#,
        "Senders that may post to /ingest/NAME; by default Alertmanager on this machine only.",
    ),
    may(
        "metrics",
        Shape::List(METRICS),
        "[]",
        "Metric sources: servers to query, pages to scrape, and remote-write senders.",
    ),
    may(
        "services",
        Shape::List(SERVICE),
        "[]",
        "Services, their owners, and the manual steps that should be automated.",
    ),
    may(
        "people",
        Shape::List(PERSON),
        "[]",
        "People to invite to meetings.",
    ),
    may(
        "robots",
        Shape::TextOrTexts,
        "[]",
        "Automation accounts, as github:deploy-* with `*` for any text, in addition to built-in ones such as *[bot].",
    ),
    may(
        "defaults",
        Shape::Map(DEFAULTS),
        "{}",
        "Defaults for people without their own values.",
    ),
    may(
        "postmortems",
        Shape::Map(POSTMORTEMS),
        "{}",
        "Location of drafts, and naming of people in them.",
    ),
    may(
        "meetings",
        Shape::Map(MEETINGS),
        "{}",
        "Meetings and their invites.",
    ),
    may(
        "maintenance",
        Shape::List(MAINTENANCE),
        "[]",
        "Planned work, which never counts as degradation.",
    ),
    may(
        "limits",
        Shape::Map(LIMITS),
        "{}",
        "Limits on postmortems opened and suggested.",
    ),
    may(
        "access",
        Shape::Map(ACCESS),
        "null",
        "Access token for requests from other machines; without it only this machine has access.",
    ),
];

const STORAGE: &[SchemaKey] = &[
    need(
        "url",
        Shape::Text,
        "postgres://USER@HOST/NAME, without a password.",
    ),
    may(
        "password_file",
        Shape::Text,
        "null",
        "The file that holds the password.",
    ),
    may(
        "password",
        Shape::Text,
        "null",
        "Environment variable, as ${NAME}.",
    ),
];

const SEVERITIES: &[&str] = &["critical", "warning", "info", "none"];

pub(crate) const LABELS: &[SchemaKey] = &[
    may(
        "service",
        Shape::TextOrTexts,
        r#"["service", "app", "job"]"#,
        "Labels that name the service.",
    ),
    may(
        "severity",
        Shape::TextOrTexts,
        r#"["severity"]"#,
        "Labels that give the severity.",
    ),
    may(
        "environment",
        Shape::TextOrTexts,
        r#"["environment", "env", "stage"]"#,
        "Labels that name the environment.",
    ),
    may(
        "severities",
        Shape::NamedWords(SEVERITIES),
        "{}",
        "Custom severity words and the severity each maps to.",
    ),
];

const OWN_LABELS: &[SchemaKey] = &[
    may(
        "service",
        Shape::TextOrTexts,
        "null",
        "Labels that name the service; by default as in `labels`.",
    ),
    may(
        "severity",
        Shape::TextOrTexts,
        "null",
        "Labels that give the severity; by default as in `labels`.",
    ),
    may(
        "environment",
        Shape::TextOrTexts,
        "null",
        "Labels that name the environment; by default as in `labels`.",
    ),
    may(
        "severities",
        Shape::NamedWords(SEVERITIES),
        "null",
        "Custom severity words and the severity each maps to; by default as in `labels`.",
    ),
];

pub(crate) const SOURCE: &[SchemaKey] = &[
    need("name", Shape::Text, "Its name in the path: a-z, 0-9 and -."),
    need(
        "kind",
        Shape::Word(SOURCE_KINDS),
        "Sender type, which determines the format of its messages.",
    ),
    may(
        "auth",
        Shape::WordsOr(&["none", "signature"], SOURCE_AUTH),
        "null",
        "Authentication: one method, or `none`; required. sns: `signature` by default, which is checked in addition to any other method.",
    ),
    may(
        "labels",
        Shape::Map(OWN_LABELS),
        "null",
        "Label names of this source, where they differ from the top-level `labels`.",
    ),
    may(
        "ignore_labels",
        Shape::TextOrTexts,
        "[]",
        "alertmanager, grafana: labels that only distinguish replicas of one sender, such as replica; they are dropped.",
    ),
    may(
        "api",
        Shape::Map(API),
        "null",
        "alertmanager: API to poll for alerts and silences; by default it is not polled.",
    ),
    may(
        "services",
        Shape::NamedTexts,
        "{}",
        "kubernetes_audit, argocd, github, gitlab: services by their names in the source, as \"shop/*\": shop; the first match applies.",
    ),
    may(
        "environment",
        Shape::Text,
        "null",
        "kubernetes_audit, argocd, github, gitlab: environment of events that do not name one.",
    ),
    may(
        "limits",
        Shape::Map(SOURCE_LIMITS),
        "{}",
        "Limits on rate and body size.",
    ),
    may(
        "declares",
        Shape::Map(DECLARES),
        "null",
        "pagerduty: which incidents are declared outages; the others are alerts.",
    ),
    may(
        "silent_after",
        Shape::DurationOr("never"),
        "null",
        "Duration of silence after which it is reported, or `never`; by default three times its longest recent silence, at least an hour.",
    ),
    may(
        "map",
        Shape::Custom(mapping::shape),
        "null",
        "generic, and other kinds read by a mapping: CEL expressions that map a body to events.",
    ),
    may(
        "topics",
        Shape::Texts,
        "null",
        "sns: topics to accept messages from, as arn:aws:sns:…; required.",
    ),
];

pub(crate) const API: &[SchemaKey] = &[
    need("url", Shape::Text, "Its URL, with the part before /api/v2."),
    may("every", Shape::Duration, "\"30s\"", "Polling interval."),
    may(
        "timeout",
        Shape::Duration,
        "\"10s\"",
        "Request timeout; at most `every`.",
    ),
    may(
        "auth",
        Shape::WordOr("none", AUTH),
        "\"none\"",
        "Authentication to it.",
    ),
    may(
        "headers",
        Shape::NamedTexts,
        "{}",
        "Additional headers; must not contain secrets.",
    ),
    may(
        "tls",
        Shape::Map(TLS),
        "{}",
        "TLS settings; by default the certificates of the system are used.",
    ),
];

pub(crate) const SOURCE_LIMITS: &[SchemaKey] = &[
    may(
        "rate",
        Shape::Text,
        "null",
        "Maximum message rate, as `100 per 1s`; further messages get 429, which not all senders retry.",
    ),
    may(
        "size",
        Shape::Text,
        "\"32MiB\"",
        "Maximum body size, as 512KiB or 10MiB; larger bodies get 413.",
    ),
];

pub(crate) const SOURCE_AUTH: &[SchemaKey] = &[
    may(
        "bearer_token_file",
        Shape::Text,
        "null",
        "The file that holds the bearer token.",
    ),
    may(
        "bearer_token",
        Shape::Text,
        "null",
        "The bearer token from the environment, as `${VARIABLE}`.",
    ),
    may(
        "basic",
        Shape::Map(BASIC),
        "null",
        "User name and password.",
    ),
    may(
        "header",
        Shape::Map(HEADER),
        "null",
        "A header with a fixed value.",
    ),
    may(
        "query",
        Shape::Map(QUERY),
        "null",
        "A query parameter with a fixed value, for senders that support nothing else.",
    ),
    may(
        "hmac_secret_file",
        Shape::Text,
        "null",
        "The file that holds the signing secret, in the format of the sender.",
    ),
    may(
        "hmac_secret",
        Shape::Text,
        "null",
        "The signing secret from the environment, as `${VARIABLE}`.",
    ),
    may(
        "signature_header",
        Shape::Text,
        "null",
        "Grafana, and kinds without a signature of their own: the header that holds the signature.",
    ),
    may(
        "timestamp_header",
        Shape::Text,
        "null",
        "Grafana: the header with the signed timestamp; if set, messages without it are rejected.",
    ),
];

pub(crate) const QUERY: &[SchemaKey] = &[
    need("name", Shape::Text, "The name of the parameter."),
    may(
        "value_file",
        Shape::Text,
        "null",
        "The file that holds its value.",
    ),
    may(
        "value",
        Shape::Text,
        "null",
        "Its value from the environment, as `${VARIABLE}`.",
    ),
];

pub(crate) const DECLARES: &[SchemaKey] = &[
    may(
        "priority",
        Shape::TextOrTexts,
        r#"["P1", "P2"]"#,
        "Incidents with one of these priorities.",
    ),
    may(
        "urgency",
        Shape::Texts,
        "[]",
        "Incidents without a priority that have one of these urgencies: high, low.",
    ),
    may(
        "by_hand",
        Shape::Flag,
        "true",
        "Also urgent incidents without a priority that a person opened.",
    ),
];

/// Kinds of sources that this version reads; aliases are left out.
const SOURCE_KINDS: &[&str] = &[
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

fn sources() -> Value {
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
    may(
        "bearer_token_file",
        Shape::Text,
        "null",
        "The file that holds the bearer token.",
    ),
    may(
        "bearer_token",
        Shape::Text,
        "null",
        "The bearer token from the environment, as `${VARIABLE}`.",
    ),
    may(
        "basic",
        Shape::Map(BASIC),
        "null",
        "User name and password.",
    ),
    may(
        "header",
        Shape::Map(HEADER),
        "null",
        "A header with a fixed value.",
    ),
];

pub(crate) const BASIC: &[SchemaKey] = &[
    need("username", Shape::Text, "The user name."),
    may(
        "password_file",
        Shape::Text,
        "null",
        "The file that holds the password.",
    ),
    may(
        "password",
        Shape::Text,
        "null",
        "The password from the environment, as `${VARIABLE}`.",
    ),
];

pub(crate) const HEADER: &[SchemaKey] = &[
    need("name", Shape::Text, "The name of the header."),
    may(
        "value_file",
        Shape::Text,
        "null",
        "The file that holds its value.",
    ),
    may(
        "value",
        Shape::Text,
        "null",
        "Its value from the environment, as `${VARIABLE}`.",
    ),
];

pub(crate) const METRICS: &[SchemaKey] = &[
    need(
        "name",
        Shape::Text,
        "Its name, as used in rules: a-z, 0-9 and -.",
    ),
    need(
        "kind",
        Shape::Word(&["prometheus", "scrape", "remote_write"]),
        "Way in which samples are obtained.",
    ),
    may(
        "url",
        Shape::Text,
        "null",
        "prometheus: its URL, with the part before /api/v1; required.",
    ),
    may(
        "targets",
        Shape::Texts,
        "null",
        "scrape: URLs of the pages; required.",
    ),
    may(
        "timeout",
        Shape::Duration,
        "\"10s\"",
        "prometheus, scrape: request timeout; for scrape at most `interval`.",
    ),
    may(
        "concurrency",
        Shape::Between(1, 64),
        "4",
        "prometheus: maximum number of concurrent queries.",
    ),
    may(
        "alerts",
        Shape::Flag,
        "true",
        "prometheus: read its ALERTS series.",
    ),
    may(
        "interval",
        Shape::Duration,
        "\"15s\"",
        "scrape: scrape interval.",
    ),
    may(
        "honor_timestamps",
        Shape::Flag,
        "true",
        "scrape: use the timestamps on the page.",
    ),
    may(
        "honor_labels",
        Shape::Flag,
        "false",
        "scrape: labels on the page take precedence over configured ones.",
    ),
    may(
        "labels",
        Shape::NamedTexts,
        "{}",
        "scrape: labels added to each sample; by default `job` is the name and `instance` the host and port.",
    ),
    may(
        "auth",
        Shape::WordOr("none", AUTH),
        "\"none\"",
        "Authentication to the server; remote_write: authentication required of senders.",
    ),
    may(
        "headers",
        Shape::NamedTexts,
        "{}",
        "prometheus, scrape: additional headers, such as X-Scope-OrgID; must not contain secrets.",
    ),
    may(
        "tls",
        Shape::Map(TLS),
        "{}",
        "prometheus, scrape: TLS settings; by default the certificates of the system are used.",
    ),
];

pub(crate) const TLS: &[SchemaKey] = &[
    may(
        "ca_file",
        Shape::Text,
        "null",
        "File with the CA certificates to trust; by default those of the system.",
    ),
    may(
        "cert_file",
        Shape::Text,
        "null",
        "File with the client certificate.",
    ),
    may(
        "key_file",
        Shape::Text,
        "null",
        "File with the key of the client certificate.",
    ),
    may(
        "server_name",
        Shape::Text,
        "null",
        "Name in the server certificate, if it differs from the host in the URL.",
    ),
    may(
        "insecure_skip_verify",
        Shape::Flag,
        "false",
        "Skip verification of the server certificate.",
    ),
];

pub(crate) const SERVICE: &[SchemaKey] = &[
    need("name", Shape::Text, "Name of the service, as in alerts."),
    may(
        "aliases",
        Shape::Texts,
        "[]",
        "Names in other systems, as github:checkout-api, or without a prefix for all sources.",
    ),
    may("owners", Shape::Texts, "[]", "Ids of people who own it."),
    may(
        "stakeholders",
        Shape::Texts,
        "[]",
        "Ids of people who rely on it.",
    ),
    may("depends_on", Shape::Texts, "[]", "Services it depends on."),
    may(
        "automatic",
        Shape::Texts,
        "[]",
        "Manual steps that should be automated.",
    ),
    may(
        "on_call",
        Shape::TextOr(ON_CALL),
        "null",
        "On-call calendar: an iCalendar file next to the settings, or its URL.",
    ),
    may(
        "objective",
        Shape::Number(0.0, 100.0),
        "null",
        "Availability objective over four weeks, in percent; without it the error budget is unknown.",
    ),
];

pub(crate) const ON_CALL: &[SchemaKey] = &[
    may(
        "url_file",
        Shape::Text,
        "null",
        "The file that holds the address.",
    ),
    may(
        "url",
        Shape::Text,
        "null",
        "Environment variable, as ${NAME}.",
    ),
];

pub(crate) const PERSON: &[SchemaKey] = &[
    need("id", Shape::Text, "Id used by the other keys."),
    may(
        "name",
        Shape::Text,
        "null",
        "Their name; by default the id.",
    ),
    may(
        "email",
        Shape::Text,
        "null",
        "E-mail address; without one the person gets no invite.",
    ),
    may(
        "time_zone",
        Shape::Text,
        "null",
        "Their time zone, as Europe/Berlin; by default that of `defaults`.",
    ),
    may(
        "hours",
        Shape::Text,
        "null",
        "Working hours, as Mon-Fri 09:00-17:00; by default as in `defaults`.",
    ),
    may(
        "aliases",
        Shape::Texts,
        "[]",
        "Account names in other systems, as github:ada.",
    ),
];

pub(crate) const DEFAULTS: &[SchemaKey] = &[
    may(
        "time_zone",
        Shape::Text,
        "\"UTC\"",
        "Time zone of people without their own.",
    ),
    may(
        "hours",
        Shape::Text,
        "\"Mon-Fri 09:00-17:00\"",
        "Working hours of people without their own.",
    ),
];

pub(crate) const POSTMORTEMS: &[SchemaKey] = &[
    may(
        "directory",
        Shape::Text,
        "\"data/postmortems\"",
        "The directory that drafts are written to.",
    ),
    may(
        "names",
        Shape::Word(&["full", "role"]),
        "\"full\"",
        "Naming of people in drafts: full name or role.",
    ),
];

pub(crate) const MEETINGS: &[SchemaKey] = &[
    may(
        "directory",
        Shape::Text,
        "\"data/invites\"",
        "The directory that invites are written to, as .ics files.",
    ),
    may(
        "organizer",
        Shape::Text,
        "\"afterword@localhost\"",
        "The address that replies go to.",
    ),
    may(
        "facilitators",
        Shape::Texts,
        "[]",
        "Ids of people who may lead a meeting.",
    ),
    may(
        "send",
        Shape::Word(&["automatic", "after_approval"]),
        "\"automatic\"",
        "Sending of invites.",
    ),
    may(
        "minutes",
        Shape::Between(5, 480),
        "60",
        "Duration of a meeting, in minutes.",
    ),
];

pub(crate) const MAINTENANCE: &[SchemaKey] = &[
    may(
        "service",
        Shape::Text,
        "null",
        "The service; left out, all of them.",
    ),
    need("from", Shape::Text, "The beginning, as 2026-12-01T22:00Z."),
    need("to", Shape::Text, "The end, as 2026-12-02T02:00Z."),
    may("why", Shape::Text, "\"\"", "Description of the work."),
];

pub(crate) const LIMITS: &[SchemaKey] = &[
    may(
        "holds",
        Shape::Text,
        "\"3 per 24h\"",
        "Maximum number of postmortems opened by rules, per scope; further ones wait.",
    ),
    may(
        "suggestions",
        Shape::Text,
        "\"5 per 24h\"",
        "Maximum number of postmortems suggested, per scope; further ones wait.",
    ),
    may(
        "bundle_within",
        Shape::Duration,
        "\"15m\"",
        "Incidents that began within this time of each other are announced together.",
    ),
];

pub(crate) const ACCESS: &[SchemaKey] = &[
    may(
        "token_file",
        Shape::Text,
        "null",
        "The file that holds the token.",
    ),
    may(
        "token",
        Shape::Text,
        "null",
        "The token from the environment, as `${VARIABLE}`.",
    ),
];
