//! The checked settings and their defaults.

use std::collections::BTreeMap;

use chrono_tz::Tz;
use serde::Deserialize;

use super::credentials::{Access, Auth};
use super::metrics::MetricsSource;
use super::people::OnCallCalendar;
use super::silence::SilentAfter;
use super::source_auth::{SourceAuth, SourceLimits};
use super::sources::Source;
use super::storage::Storage;
use crate::model::settings::{Hours, LabelNames, Limits, Maintenance, Person, Service};
use crate::model::source::{ServiceMapping, SourceKind};

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
    pub metrics: Vec<MetricsSource>,
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

/// Where the service listens: on this machine only.
pub(crate) const LISTEN: &str = "127.0.0.1:9099";

impl Default for Config {
    /// What an empty file means: loopback, SQLite below `data`, the shipped rules, one Alertmanager source.
    fn default() -> Self {
        Self {
            listen: LISTEN.to_owned(),
            loopback: true,
            external_url: format!("http://{LISTEN}"),
            storage: Storage::Sqlite("data/afterword.db".to_owned()),
            rules: Vec::new(),
            labels: LabelNames::default(),
            sources: vec![Source {
                name: "alertmanager".to_owned(),
                kind: SourceKind::Alertmanager,
                auth: SourceAuth::Shown(Auth::None),
                labels: None,
                api: None,
                naming: ServiceMapping::default(),
                limits: SourceLimits::default(),
                declares: None,
                silent_after: SilentAfter::Learned,
                map: None,
                topics: Vec::new(),
            }],
            metrics: Vec::new(),
            services: Vec::new(),
            people: Vec::new(),
            on_call: BTreeMap::new(),
            robots: Vec::new(),
            time_zone: Tz::UTC,
            hours: Hours {
                days: [true, true, true, true, true, false, false],
                from: 9 * 60,
                to: 17 * 60,
            },
            postmortems_directory: "data/postmortems".to_owned(),
            names: NameStyle::Full,
            meetings: Meetings::default(),
            maintenance: Vec::new(),
            limits: Limits::default(),
            access: None,
        }
    }
}

impl Default for Meetings {
    /// Hour-long meetings whose invites are files in `data/invites`.
    fn default() -> Self {
        Self {
            directory: "data/invites".to_owned(),
            organizer: "afterword@localhost".to_owned(),
            facilitators: Vec::new(),
            send: InviteSending::Automatic,
            minutes: 60,
        }
    }
}
