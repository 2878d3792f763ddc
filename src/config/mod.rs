//! The settings file, checked: text to [`Config`].

pub(crate) mod api;
mod default;
pub(crate) mod mapping;
pub mod metrics;
pub(crate) mod parse;
mod people;
mod scalars;
mod sns;
mod source_auth;
mod sources;

use std::collections::BTreeMap;
use std::fmt;

use chrono_tz::Tz;
use serde::Deserialize;

use crate::model::settings::{Hours, LabelNames, Limits, Maintenance, Person, Service};
use crate::model::source::{PagerDutyOutages, ServiceMapping, SourceKind};

pub use parse::parse;

/// `afterword.yaml`. Secrets are named, not read: whoever reads files and environment resolves them.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Address to listen on.
    pub listen: String,
    /// Whether only this machine reaches that address.
    pub loopback: bool,
    /// How people reach the pages.
    pub external_url: String,
    /// Where the database is.
    pub storage: Storage,
    /// Globs of rule files; empty: the shipped ones.
    pub rules: Vec<String>,
    /// Which label gives what.
    pub labels: LabelNames,
    /// Webhook sources.
    pub sources: Vec<Source>,
    /// Where samples come from.
    pub metrics: Vec<metrics::MetricsSource>,
    /// Services.
    pub services: Vec<Service>,
    /// People.
    pub people: Vec<Person>,
    /// Where it stands who is on call, by service.
    pub on_call: BTreeMap<String, OnCallCalendar>,
    /// Patterns of names that are programs', beside those that always are.
    pub robots: Vec<String>,
    /// For people who state none, and for slots when nobody is known.
    pub time_zone: Tz,
    /// Likewise.
    pub hours: Hours,
    /// Directory for drafts.
    pub postmortems_directory: String,
    /// How people are called in drafts.
    pub names: NameStyle,
    /// Meetings.
    pub meetings: Meetings,
    /// Planned work.
    pub maintenance: Vec<Maintenance>,
    /// How much people are asked at once.
    pub limits: Limits,
    /// Bearer tokens that may call everything; needed for any address but loopback.
    pub access: Option<Access>,
}

/// A database: a file of one process, or a server that replicas may share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Storage {
    /// Path of the SQLite file.
    Sqlite(String),
    /// PostgreSQL.
    Postgres {
        /// Its address, without a password.
        url: String,
        /// The password, where it asks for one.
        password: Option<SecretRef>,
    },
}

/// Where a calendar is found.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum OnCallCalendar {
    /// In a file beside the settings.
    File(String),
    /// At an address.
    Url(String),
    /// At an address that is a secret.
    Secret(SecretRef),
}

impl fmt::Debug for OnCallCalendar {
    // Whoever knows the address of a calendar can read it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Url(_) => f.write_str("Url(…)"),
            Self::Secret(place) => f.debug_tuple("SecretRef").field(place).finish(),
        }
    }
}

/// A webhook source: `POST /ingest/{name}`.
#[derive(Debug, Clone, PartialEq)]
pub struct Source {
    /// Its name in the path.
    pub name: String,
    /// What it speaks.
    pub kind: SourceKind,
    /// How it proves who it is.
    pub auth: SourceAuth,
    /// Its own label names.
    pub labels: Option<LabelNames>,
    /// Where it can be asked what it knows.
    pub api: Option<api::AlertmanagerApi>,
    /// What it calls by names of its own.
    pub naming: ServiceMapping,
    /// How much it may send.
    pub limits: SourceLimits,
    /// What it declares, of PagerDuty.
    pub declares: Option<PagerDutyOutages>,
    /// After how long a silence of it is told.
    pub silent_after: SilentAfter,
    /// What its bodies mean, or what of that is otherwise than shipped.
    pub map: Option<mapping::MappingRules>,
    /// Topics of Amazon SNS whose messages are taken; of other kinds none.
    pub topics: Vec<String>,
}

/// After how long the silence of a source is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SilentAfter {
    /// By the longest silence of late.
    #[default]
    Learned,
    /// After so long.
    After(chrono::TimeDelta),
    /// Not at all.
    Never,
}

/// How a source proves who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceAuth {
    /// By nothing but its messages, each of which Amazon SNS has signed with a certificate that it names.
    Certificate,
    /// By what it shows beside the message.
    Shown(Auth),
    /// By a parameter of the address.
    Query {
        /// Its name.
        name: String,
        /// Its value.
        value: SecretRef,
    },
    /// By a signature over the body, written as its kind does.
    Signature {
        /// What it signs with.
        secret: SecretRef,
        /// The header that holds the signature, where the kind leaves that open.
        header: Option<String>,
        /// The header that holds a time which is signed with the body, likewise.
        timestamp: Option<String>,
    },
}

/// How much a source may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceLimits {
    /// How many messages; `None`: as many as it likes.
    pub rate: Option<RateLimit>,
    /// Bytes of one body, as it comes and unpacked.
    pub size: usize,
}

/// So many in so many seconds, at once or evenly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// How many, one at least.
    pub count: u32,
    /// In how many seconds, one at least.
    pub seconds: i64,
}

/// What is shown beside a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Auth {
    /// It does not.
    None,
    /// `Authorization: Bearer …`
    Bearer(SecretRef),
    /// `Authorization: Basic …`
    Basic {
        /// User name.
        username: String,
        /// Password.
        password: SecretRef,
    },
    /// A header with a fixed value.
    Header {
        /// Its name.
        name: String,
        /// Its value.
        value: SecretRef,
    },
}

/// Where a secret is found. Never the secret itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum SecretRef {
    /// In a file; a trailing newline is dropped.
    File(String),
    /// In an environment variable.
    Env(String),
}

/// Who may come in when the address is not loopback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// The token that people and scripts show.
    pub token: SecretRef,
}

/// How people are called in drafts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NameStyle {
    /// By name.
    Full,
    /// By role.
    Role,
}

/// `meetings:`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meetings {
    /// Directory for `.ics` files.
    pub directory: String,
    /// Address that replies go to.
    pub organizer: String,
    /// Ids of people who may lead a meeting.
    pub facilitators: Vec<String>,
    /// When invites go out.
    pub send: InviteSending,
    /// Minutes a meeting takes.
    pub minutes: i64,
}

/// When invites go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InviteSending {
    /// By themselves for what is held; on acceptance for what was suggested.
    Automatic,
    /// Only after somebody approves.
    AfterApproval,
}

#[cfg(test)]
mod tests;
