//! The checked settings and their defaults.

use std::collections::BTreeMap;

use chrono_tz::Tz;
use schemars::JsonSchema;
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

/// Contents of `afterword.yaml`. Secrets are named, not read; `app::settings` resolves them.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Address to listen on.
    pub listen: String,
    /// True if the address is loopback.
    pub loopback: bool,
    /// Public URL of the pages.
    pub external_url: String,
    /// Location of the database.
    pub storage: Storage,
    /// Globs of rule files; empty: the shipped ones.
    pub rules: Vec<String>,
    /// Labels that values are read from.
    pub labels: LabelNames,
    /// Webhook sources.
    pub sources: Vec<Source>,
    /// Metric sources.
    pub metrics: Vec<MetricsSource>,
    /// Services.
    pub services: Vec<Service>,
    /// People.
    pub people: Vec<Person>,
    /// On-call calendars by service.
    pub on_call: BTreeMap<String, OnCallCalendar>,
    /// Name patterns of automation accounts, in addition to the built-in ones.
    pub robots: Vec<String>,
    /// Default time zone, also for meetings without known attendees.
    pub time_zone: Tz,
    /// Default working hours, likewise.
    pub hours: Hours,
    /// Directory for drafts.
    pub postmortems_directory: String,
    /// Naming of people in drafts.
    pub names: NameStyle,
    /// Meetings.
    pub meetings: Meetings,
    /// Planned maintenance.
    pub maintenance: Vec<Maintenance>,
    /// Limits on postmortems opened and suggested.
    pub limits: Limits,
    /// Bearer tokens with full access; required unless the address is loopback.
    pub access: Option<Access>,
    /// Ages at which stored data is removed.
    pub retention: Retention,
}

impl Config {
    /// Label names for the alerts that a Prometheus recorded: without the labels that any source
    /// drops, so that they are the alerts that sources tell of.
    #[must_use]
    pub(crate) fn recorded_alert_labels(&self) -> LabelNames {
        let mut names = self.labels.clone();
        let sources = self
            .sources
            .iter()
            .filter_map(|source| source.labels.as_ref());
        let more = sources.flat_map(|labels| &labels.ignored);
        for name in more {
            if !names.ignored.contains(name) {
                names.ignored.push(name.clone());
            }
        }
        names
    }
}

/// Naming of people in drafts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
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
    /// Sending of invites.
    pub send: InviteSending,
    /// Duration of a meeting, in minutes.
    pub minutes: i64,
}

/// Sending of invites.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum InviteSending {
    /// Automatically for held postmortems, on acceptance for suggested ones.
    Automatic,
    /// Only after approval by a person.
    AfterApproval,
}

/// Ages at which stored data is removed, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Records of the log, performed deliveries and quarantined messages.
    pub events: i64,
    /// Bodies of messages; at most as long as their records.
    pub raw: i64,
}

/// Default listen address: loopback only.
pub(crate) const LISTEN: &str = "127.0.0.1:9099";

impl Default for Config {
    /// Settings of an empty file: loopback, SQLite in `data`, the shipped rules, one Alertmanager
    /// source.
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
            retention: Retention::default(),
        }
    }
}

impl Default for Retention {
    /// A year and a month for events, a month for bodies.
    fn default() -> Self {
        Self {
            events: 400 * 86_400,
            raw: 30 * 86_400,
        }
    }
}

impl Default for Meetings {
    /// One-hour meetings with invites in `data/invites`.
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
