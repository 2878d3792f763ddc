//! Keys of the settings.

use serde_json::{Value, json};

use super::{Key, Shape, map, may, need};

pub(crate) const KEYS: &[Key] = &[
    may(
        "listen",
        Shape::Text,
        "\"127.0.0.1:9099\"",
        "Address to listen on; any other than loopback needs `access`.",
    ),
    may(
        "external_url",
        Shape::Text,
        "\"http://127.0.0.1:9099\"",
        "How people reach the pages; by default what `listen` says.",
    ),
    may(
        "storage",
        Shape::TextOr(STORAGE),
        "\"sqlite://data/afterword.db\"",
        "The database: sqlite://FILE, or postgres://USER@HOST/NAME, which replicas may share.",
    ),
    may(
        "rules",
        Shape::TextOrTexts,
        "[]",
        "Rule files, with `*` in the name; none: the shipped rules.",
    ),
    may(
        "labels",
        Shape::Map(LABELS),
        "{}",
        "Which label gives what; the first that an alert has wins.",
    ),
    may(
        "sources",
        Shape::Sources,
        r#"[{"name": "alertmanager", "kind": "alertmanager", "auth": "none"}]"#,
        "Who may post to /ingest/NAME; by default Alertmanager, from this machine only.",
    ),
    may(
        "metrics",
        Shape::List(METRICS),
        "[]",
        "Where samples come from: servers that are asked, pages that are scraped, who may push.",
    ),
    may(
        "services",
        Shape::List(SERVICE),
        "[]",
        "What is watched, who owns it, and what should need no human.",
    ),
    may(
        "people",
        Shape::List(PERSON),
        "[]",
        "Who is asked to a meeting.",
    ),
    may(
        "robots",
        Shape::TextOrTexts,
        "[]",
        "Names of programs, as github:deploy-* with `*` for any text, beside those that always are, as *[bot].",
    ),
    may(
        "defaults",
        Shape::Map(DEFAULTS),
        "{}",
        "For people who do not state their own.",
    ),
    may(
        "postmortems",
        Shape::Map(POSTMORTEMS),
        "{}",
        "Where drafts go, and how they call people.",
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
        "How much people are asked at once.",
    ),
    may(
        "access",
        Shape::Map(ACCESS),
        "null",
        "The token of whoever comes from elsewhere than this machine; none: nobody does.",
    ),
];

const STORAGE: &[Key] = &[
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
        "The variable that holds it, as ${NAME}.",
    ),
];

const SEVERITIES: &[&str] = &["critical", "warning", "info", "none"];

pub(crate) const LABELS: &[Key] = &[
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
        "Severity words of your own and what they mean.",
    ),
];

const OWN_LABELS: &[Key] = &[
    may(
        "service",
        Shape::TextOrTexts,
        "null",
        "Labels that name the service; by default the common ones.",
    ),
    may(
        "severity",
        Shape::TextOrTexts,
        "null",
        "Labels that give the severity; by default the common ones.",
    ),
    may(
        "environment",
        Shape::TextOrTexts,
        "null",
        "Labels that name the environment; by default the common ones.",
    ),
    may(
        "severities",
        Shape::NamedWords(SEVERITIES),
        "null",
        "Severity words and what they mean; by default the common ones.",
    ),
];

pub(crate) const SOURCE: &[Key] = &[
    need("name", Shape::Text, "Its name in the path: a-z, 0-9 and -."),
    need("kind", Shape::Word(SOURCE_KINDS), "What it speaks."),
    may(
        "auth",
        Shape::WordsOr(&["none", "signature"], SOURCE_AUTH),
        "null",
        "How it proves who it is: one proof, or `none`; it must be given. sns: by default `signature`, which is checked beside any proof.",
    ),
    may(
        "labels",
        Shape::Map(OWN_LABELS),
        "null",
        "Label names of this source, where they are not the common ones.",
    ),
    may(
        "ignore_labels",
        Shape::TextOrTexts,
        "[]",
        "alertmanager, grafana: labels that only tell replicas of one sender apart, as replica; they are dropped.",
    ),
    may(
        "api",
        Shape::Map(API),
        "null",
        "alertmanager: where it is asked for alerts and silences; left out, it is not.",
    ),
    may(
        "services",
        Shape::NamedTexts,
        "{}",
        "kubernetes_audit, argocd, github, gitlab: services by what the source calls them, as \"shop/*\": shop; the first that fits.",
    ),
    may(
        "environment",
        Shape::Text,
        "null",
        "kubernetes_audit, argocd, github, gitlab: the environment of what the source tells, where it does not say.",
    ),
    may(
        "limits",
        Shape::Map(SOURCE_LIMITS),
        "{}",
        "How much it may send.",
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
        "How long it may be silent before that is told, or `never`; left out: three times its longest silence of late, an hour at least.",
    ),
    may(
        "map",
        Shape::Mapping,
        "null",
        "generic, and kinds with a mapping of their own: CEL expressions that say what a body means.",
    ),
    may(
        "topics",
        Shape::Texts,
        "null",
        "sns: the topics whose messages are taken, as arn:aws:sns:…; they must be given.",
    ),
];

pub(crate) const API: &[Key] = &[
    need(
        "url",
        Shape::Text,
        "Its address, with what stands before /api/v2.",
    ),
    may(
        "every",
        Shape::Duration,
        "\"30s\"",
        "From one look to the next.",
    ),
    may(
        "timeout",
        Shape::Duration,
        "\"10s\"",
        "How long an answer may take; at most `every`.",
    ),
    may(
        "auth",
        Shape::WordOr("none", AUTH),
        "\"none\"",
        "What is shown to it.",
    ),
    may(
        "headers",
        Shape::NamedTexts,
        "{}",
        "Further headers; none of them a secret.",
    ),
    may(
        "tls",
        Shape::Map(TLS),
        "{}",
        "Certificates, where those of the system are not enough.",
    ),
];

pub(crate) const SOURCE_LIMITS: &[Key] = &[
    may(
        "rate",
        Shape::Text,
        "null",
        "How many messages, as `100 per 1s`; beyond that 429, which not every sender tries again on.",
    ),
    may(
        "size",
        Shape::Text,
        "\"32MiB\"",
        "Bytes of one body at the most, as 512KiB or 10MiB; beyond that 413.",
    ),
];

pub(crate) const SOURCE_AUTH: &[Key] = &[
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
        "A parameter of the address with a fixed value, for senders that have nothing else.",
    ),
    may(
        "hmac_secret_file",
        Shape::Text,
        "null",
        "The file that holds the secret of the signature, written as the kind does.",
    ),
    may(
        "hmac_secret",
        Shape::Text,
        "null",
        "That secret from the environment, as `${VARIABLE}`.",
    ),
    may(
        "signature_header",
        Shape::Text,
        "null",
        "Grafana and kinds without a signature of their own: the header that holds it.",
    ),
    may(
        "timestamp_header",
        Shape::Text,
        "null",
        "Grafana: the header of the time that is signed with the body; unsigned ones are refused then.",
    ),
];

pub(crate) const QUERY: &[Key] = &[
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

pub(crate) const DECLARES: &[Key] = &[
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
        "Of those without a priority, those with one of these urgencies: high, low.",
    ),
    may(
        "by_hand",
        Shape::Flag,
        "true",
        "Of those without a priority, also urgent ones that a person opened.",
    ),
];

/// Kinds that this version reads, by the words we use.
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

/// A source. Whose messages sign themselves need show nothing else, and has to say which of them are meant.
pub(crate) fn source() -> Value {
    let mut source = map(SOURCE);
    source["if"] =
        json!({"required": ["kind"], "properties": {"kind": {"enum": ["sns", "cloudwatch"]}}});
    source["then"] = json!({"required": ["topics"], "properties": {"topics": {"minItems": 1}}});
    source["else"] = json!({"required": ["auth"], "properties": {"auth": {"not": {"const": "signature"}}, "topics": {"type": "null"}}});
    source
}

pub(crate) const AUTH: &[Key] = &[
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

pub(crate) const BASIC: &[Key] = &[
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

pub(crate) const HEADER: &[Key] = &[
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

pub(crate) const METRICS: &[Key] = &[
    need(
        "name",
        Shape::Text,
        "Its name, as rules give it: a-z, 0-9 and -.",
    ),
    need(
        "kind",
        Shape::Word(&["prometheus", "scrape", "remote_write"]),
        "How samples come from it.",
    ),
    may(
        "url",
        Shape::Text,
        "null",
        "prometheus: its address, with what stands before /api/v1; it must be given.",
    ),
    may(
        "targets",
        Shape::Texts,
        "null",
        "scrape: the addresses of the pages; they must be given.",
    ),
    may(
        "timeout",
        Shape::Duration,
        "\"10s\"",
        "prometheus, scrape: how long an answer may take; for a page at most `interval`.",
    ),
    may(
        "concurrency",
        Shape::Between(1, 64),
        "4",
        "prometheus: how many queries it is asked at once.",
    ),
    may(
        "alerts",
        Shape::Flag,
        "true",
        "prometheus: whether its ALERTS are read.",
    ),
    may(
        "interval",
        Shape::Duration,
        "\"15s\"",
        "scrape: from one scrape of a page to the next.",
    ),
    may(
        "honor_timestamps",
        Shape::Flag,
        "true",
        "scrape: whether times that a page states hold.",
    ),
    may(
        "honor_labels",
        Shape::Flag,
        "false",
        "scrape: whether a label of the page wins over one of ours.",
    ),
    may(
        "labels",
        Shape::NamedTexts,
        "{}",
        "scrape: labels that every sample gets; `job` is the name and `instance` host and port unless given here.",
    ),
    may(
        "auth",
        Shape::WordOr("none", AUTH),
        "\"none\"",
        "What is shown to the server; remote_write: what whoever pushes shows.",
    ),
    may(
        "headers",
        Shape::NamedTexts,
        "{}",
        "prometheus, scrape: further headers, as X-Scope-OrgID; none of them a secret.",
    ),
    may(
        "tls",
        Shape::Map(TLS),
        "{}",
        "prometheus, scrape: certificates, where those of the system are not enough.",
    ),
];

pub(crate) const TLS: &[Key] = &[
    may(
        "ca_file",
        Shape::Text,
        "null",
        "The file of the certificates that the server's must descend from; by default those of the system.",
    ),
    may(
        "cert_file",
        Shape::Text,
        "null",
        "The file of our own certificate.",
    ),
    may("key_file", Shape::Text, "null", "The file of its key."),
    may(
        "server_name",
        Shape::Text,
        "null",
        "The name in the server's certificate, where it is not the host of the address.",
    ),
    may(
        "insecure_skip_verify",
        Shape::Flag,
        "false",
        "Whether the server's certificate is not checked at all.",
    ),
];

pub(crate) const SERVICE: &[Key] = &[
    need("name", Shape::Text, "As alerts name it."),
    may(
        "aliases",
        Shape::Texts,
        "[]",
        "What it is called elsewhere: as github:checkout-api, or a word that any source may use.",
    ),
    may("owners", Shape::Texts, "[]", "Ids of people who own it."),
    may(
        "stakeholders",
        Shape::Texts,
        "[]",
        "Ids of people who rely on it.",
    ),
    may(
        "depends_on",
        Shape::Texts,
        "[]",
        "Services without which it cannot work.",
    ),
    may(
        "automatic",
        Shape::Texts,
        "[]",
        "Steps that should need no human.",
    ),
    may(
        "on_call",
        Shape::TextOr(ON_CALL),
        "null",
        "Who is on call: an iCalendar file beside the settings, or the address of one.",
    ),
    may(
        "objective",
        Shape::Number(0.0, 100.0),
        "null",
        "Percent of good time over four weeks; left out, its budget is unknown.",
    ),
];

pub(crate) const ON_CALL: &[Key] = &[
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
        "The variable that holds it, as ${NAME}.",
    ),
];

pub(crate) const PERSON: &[Key] = &[
    need("id", Shape::Text, "How the other keys name them."),
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
        "Their address; without one they get no invite.",
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
        "When they work, as Mon-Fri 09:00-17:00; by default as in `defaults`.",
    ),
    may(
        "aliases",
        Shape::Texts,
        "[]",
        "How other systems name them, as github:ada.",
    ),
];

pub(crate) const DEFAULTS: &[Key] = &[
    may(
        "time_zone",
        Shape::Text,
        "\"UTC\"",
        "The time zone of who states none.",
    ),
    may(
        "hours",
        Shape::Text,
        "\"Mon-Fri 09:00-17:00\"",
        "The hours of who states none.",
    ),
];

pub(crate) const POSTMORTEMS: &[Key] = &[
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
        "How people are called in drafts.",
    ),
];

pub(crate) const MEETINGS: &[Key] = &[
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
        "When invites go out.",
    ),
    may(
        "minutes",
        Shape::Between(5, 480),
        "60",
        "How long a meeting takes, in minutes.",
    ),
];

pub(crate) const MAINTENANCE: &[Key] = &[
    may(
        "service",
        Shape::Text,
        "null",
        "The service; left out, all of them.",
    ),
    need("from", Shape::Text, "The beginning, as 2026-12-01T22:00Z."),
    need("to", Shape::Text, "The end, as 2026-12-02T02:00Z."),
    may("why", Shape::Text, "\"\"", "What is done."),
];

pub(crate) const LIMITS: &[Key] = &[
    may(
        "holds",
        Shape::Text,
        "\"3 per 24h\"",
        "Postmortems opened by rule at the most, for each scope; further ones wait.",
    ),
    may(
        "suggestions",
        Shape::Text,
        "\"5 per 24h\"",
        "Postmortems suggested at the most, for each scope; further ones wait.",
    ),
    may(
        "bundle_within",
        Shape::Duration,
        "\"15m\"",
        "Incidents that began within this look like one and are made known once.",
    ),
];

pub(crate) const ACCESS: &[Key] = &[
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
