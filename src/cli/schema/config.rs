//! Schema of the settings: keys of `afterword.yaml`.

use serde_json::{Value, json};

use super::key::{SchemaKey, Shape, map, may, need};
use super::source::{AUTH, LABELS, TLS, sources};

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
        "severities",
        Shape::Custom(severities),
        "[]",
        "The team's own severities, highest first, each a name or a map of `name` and `from`: the words that mean it in labels, PagerDuty priorities and incident.io severities. Without it: critical, warning, info.",
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
        "Maximum number of postmortems opened by rules, per scope; further ones are suggested, and say so.",
    ),
    may(
        "suggestions",
        Shape::Text,
        "\"5 per 24h\"",
        "Maximum number of postmortems suggested, per scope; further ones wait with the last one.",
    ),
    may(
        "bundle_within",
        Shape::Duration,
        "\"15m\"",
        "Incidents that began within this time of each other, in one scope or one dependency apart, are announced together.",
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

/// A level of `severities:` as a map.
pub(crate) const SEVERITY: &[SchemaKey] = &[
    need("name", Shape::Text, "Name of the severity."),
    may(
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
