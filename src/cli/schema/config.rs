//! Schema of the settings: keys of `afterword.yaml`.

use serde_json::{Value, json};

use super::key::{SchemaKey, Shape, map, optional, required};
use super::source::{AUTH, LABELS, TLS, sources};

pub(crate) const KEYS: &[SchemaKey] = &[
    optional(
        "listen",
        Shape::Text,
        "\"127.0.0.1:9099\"",
        "Address to listen on; an address other than loopback requires `access`.",
    ),
    optional(
        "external_url",
        Shape::Text,
        "\"http://127.0.0.1:9099\"",
        "Public URL of the pages; by default derived from `listen`.",
    ),
    optional(
        "storage",
        Shape::TextOr(STORAGE),
        "\"sqlite://data/afterword.db\"",
        "The database: sqlite://FILE, or postgres://USER@HOST/NAME, which replicas can share.",
    ),
    optional(
        "rules",
        Shape::TextOrTexts,
        "[]",
        "Rule files; names may contain `*`. By default the shipped rules.",
    ),
    optional(
        "labels",
        Shape::Map(LABELS),
        "{}",
        "Labels that values are read from; the first label that an alert has is used.",
    ),
    optional(
        "sources",
        Shape::Custom(sources),
        r#"[{"name": "alertmanager", "kind": "alertmanager", "auth": "none"}]"#,
        "Senders that may post to /ingest/NAME; by default Alertmanager on this machine only.",
    ),
    optional(
        "metrics",
        Shape::List(METRICS),
        "[]",
        "Metric sources: servers to query, pages to scrape, and remote-write senders.",
    ),
    optional(
        "severities",
        Shape::Custom(severities),
        "[]",
        "The team's own severities, highest first, each a name or a map of `name` and `from`: the words that mean it in labels, PagerDuty priorities and incident.io severities. Without it: critical, warning, info.",
    ),
    optional(
        "services",
        Shape::List(SERVICE),
        "[]",
        "Services, their owners, and the manual steps that should be automated.",
    ),
    optional(
        "people",
        Shape::List(PERSON),
        "[]",
        "People to invite to meetings.",
    ),
    optional(
        "robots",
        Shape::TextOrTexts,
        "[]",
        "Automation accounts, as github:deploy-* with `*` for any text, in addition to built-in ones such as *[bot].",
    ),
    optional(
        "defaults",
        Shape::Map(DEFAULTS),
        "{}",
        "Defaults for people without their own values.",
    ),
    optional(
        "postmortems",
        Shape::Map(POSTMORTEMS),
        "{}",
        "Location of drafts, and naming of people in them.",
    ),
    optional(
        "meetings",
        Shape::Map(MEETINGS),
        "{}",
        "Meetings and their invites.",
    ),
    optional(
        "maintenance",
        Shape::List(MAINTENANCE),
        "[]",
        "Planned work, which never counts as degradation.",
    ),
    optional(
        "limits",
        Shape::Map(LIMITS),
        "{}",
        "Limits on postmortems opened and suggested.",
    ),
    optional(
        "access",
        Shape::Map(ACCESS),
        "null",
        "Access token for requests from other machines; without it only this machine has access.",
    ),
];

const STORAGE: &[SchemaKey] = &[
    required(
        "url",
        Shape::Text,
        "postgres://USER@HOST/NAME, without a password.",
    ),
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
        "Environment variable, as ${NAME}.",
    ),
];

pub(crate) const METRICS: &[SchemaKey] = &[
    required(
        "name",
        Shape::Text,
        "Its name, as used in rules: a-z, 0-9 and -.",
    ),
    required(
        "kind",
        Shape::Word(&["prometheus", "scrape", "remote_write"]),
        "Way in which samples are obtained.",
    ),
    optional(
        "url",
        Shape::Text,
        "null",
        "prometheus: its URL, with the part before /api/v1; required.",
    ),
    optional(
        "targets",
        Shape::Texts,
        "null",
        "scrape: URLs of the pages; required.",
    ),
    optional(
        "timeout",
        Shape::Duration,
        "\"10s\"",
        "prometheus, scrape: request timeout; for scrape at most `interval`.",
    ),
    optional(
        "concurrency",
        Shape::Between(1, 64),
        "4",
        "prometheus: maximum number of concurrent queries.",
    ),
    optional(
        "alerts",
        Shape::Flag,
        "true",
        "prometheus: read its ALERTS series.",
    ),
    optional(
        "interval",
        Shape::Duration,
        "\"15s\"",
        "scrape: scrape interval.",
    ),
    optional(
        "honor_timestamps",
        Shape::Flag,
        "true",
        "scrape: use the timestamps on the page.",
    ),
    optional(
        "honor_labels",
        Shape::Flag,
        "false",
        "scrape: labels on the page take precedence over configured ones.",
    ),
    optional(
        "labels",
        Shape::NamedTexts,
        "{}",
        "scrape: labels added to each sample; by default `job` is the name and `instance` the host and port.",
    ),
    optional(
        "auth",
        Shape::WordOr("none", AUTH),
        "\"none\"",
        "Authentication to the server; remote_write: authentication required of senders.",
    ),
    optional(
        "headers",
        Shape::NamedTexts,
        "{}",
        "prometheus, scrape: additional headers, such as X-Scope-OrgID; must not contain secrets.",
    ),
    optional(
        "tls",
        Shape::Map(TLS),
        "{}",
        "prometheus, scrape: TLS settings; by default the certificates of the system are used.",
    ),
];

pub(crate) const SERVICE: &[SchemaKey] = &[
    required("name", Shape::Text, "Name of the service, as in alerts."),
    optional(
        "aliases",
        Shape::Texts,
        "[]",
        "Names in other systems, as github:checkout-api, or without a prefix for all sources.",
    ),
    optional("owners", Shape::Texts, "[]", "Ids of people who own it."),
    optional(
        "stakeholders",
        Shape::Texts,
        "[]",
        "Ids of people who rely on it.",
    ),
    optional("depends_on", Shape::Texts, "[]", "Services it depends on."),
    optional(
        "automatic",
        Shape::Texts,
        "[]",
        "Manual steps that should be automated.",
    ),
    optional(
        "on_call",
        Shape::TextOr(ON_CALL),
        "null",
        "On-call calendar: an iCalendar file next to the settings, or its URL.",
    ),
    optional(
        "objective",
        Shape::Number(0.0, 100.0),
        "null",
        "Availability objective over four weeks, in percent; without it the error budget is unknown.",
    ),
];

pub(crate) const ON_CALL: &[SchemaKey] = &[
    optional(
        "url_file",
        Shape::Text,
        "null",
        "The file that holds the address.",
    ),
    optional(
        "url",
        Shape::Text,
        "null",
        "Environment variable, as ${NAME}.",
    ),
];

pub(crate) const PERSON: &[SchemaKey] = &[
    required("id", Shape::Text, "Id used by the other keys."),
    optional(
        "name",
        Shape::Text,
        "null",
        "Their name; by default the id.",
    ),
    optional(
        "email",
        Shape::Text,
        "null",
        "E-mail address; without one the person gets no invite.",
    ),
    optional(
        "time_zone",
        Shape::Text,
        "null",
        "Their time zone, as Europe/Berlin; by default that of `defaults`.",
    ),
    optional(
        "hours",
        Shape::Text,
        "null",
        "Working hours, as Mon-Fri 09:00-17:00; by default as in `defaults`.",
    ),
    optional(
        "aliases",
        Shape::Texts,
        "[]",
        "Account names in other systems, as github:ada.",
    ),
];

pub(crate) const DEFAULTS: &[SchemaKey] = &[
    optional(
        "time_zone",
        Shape::Text,
        "\"UTC\"",
        "Time zone of people without their own.",
    ),
    optional(
        "hours",
        Shape::Text,
        "\"Mon-Fri 09:00-17:00\"",
        "Working hours of people without their own.",
    ),
];

pub(crate) const POSTMORTEMS: &[SchemaKey] = &[
    optional(
        "directory",
        Shape::Text,
        "\"data/postmortems\"",
        "The directory that drafts are written to.",
    ),
    optional(
        "names",
        Shape::Word(&["full", "role"]),
        "\"full\"",
        "Naming of people in drafts: full name or role.",
    ),
];

pub(crate) const MEETINGS: &[SchemaKey] = &[
    optional(
        "directory",
        Shape::Text,
        "\"data/invites\"",
        "The directory that invites are written to, as .ics files.",
    ),
    optional(
        "organizer",
        Shape::Text,
        "\"afterword@localhost\"",
        "The address that replies go to.",
    ),
    optional(
        "facilitators",
        Shape::Texts,
        "[]",
        "Ids of people who may lead a meeting.",
    ),
    optional(
        "send",
        Shape::Word(&["automatic", "after_approval"]),
        "\"automatic\"",
        "Sending of invites.",
    ),
    optional(
        "minutes",
        Shape::Between(5, 480),
        "60",
        "Duration of a meeting, in minutes.",
    ),
];

pub(crate) const MAINTENANCE: &[SchemaKey] = &[
    optional(
        "service",
        Shape::Text,
        "null",
        "The service; left out, all of them.",
    ),
    required("from", Shape::Text, "The beginning, as 2026-12-01T22:00Z."),
    required("to", Shape::Text, "The end, as 2026-12-02T02:00Z."),
    optional("why", Shape::Text, "\"\"", "Description of the work."),
];

pub(crate) const LIMITS: &[SchemaKey] = &[
    optional(
        "holds",
        Shape::Text,
        "\"3 per 24h\"",
        "Maximum number of postmortems opened by rules, per scope; further ones are suggested, and say so.",
    ),
    optional(
        "suggestions",
        Shape::Text,
        "\"5 per 24h\"",
        "Maximum number of postmortems suggested, per scope; further ones wait with the last one.",
    ),
    optional(
        "bundle_within",
        Shape::Duration,
        "\"15m\"",
        "Incidents that began within this time of each other, in one scope or one dependency apart, are announced together.",
    ),
];

pub(crate) const ACCESS: &[SchemaKey] = &[
    optional(
        "token_file",
        Shape::Text,
        "null",
        "The file that holds the token.",
    ),
    optional(
        "token",
        Shape::Text,
        "null",
        "The token from the environment, as `${VARIABLE}`.",
    ),
];

/// A level of `severities:` as a map.
pub(crate) const SEVERITY: &[SchemaKey] = &[
    required("name", Shape::Text, "Name of the severity."),
    optional(
        "from",
        Shape::Texts,
        "[]",
        "Other words for it at the sources; case, `-`, `_` and space are ignored.",
    ),
];

fn severities() -> Value {
    let text = json!({"type": ["string", "number", "boolean"]});
    json!({"type": "array", "items": {"oneOf": [text, map(SEVERITY)]}})
}
