//! What holds for every key that is left out.

use std::collections::BTreeMap;

use chrono_tz::Tz;

use super::{
    Auth, Config, InviteSending, Meetings, NameStyle, SilentAfter, Source, SourceAuth,
    SourceLimits, Storage,
};
use crate::model::settings::{Hours, LabelNames, Limits};
use crate::model::source::{ServiceMapping, SourceKind};

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
