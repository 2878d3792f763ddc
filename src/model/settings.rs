//! Settings that several modules share: people, services, how labels are read.

use std::collections::BTreeMap;

use chrono_tz::Tz;

use super::event::Severity;
use crate::model::time::Time;

/// Somebody who works on services or cares for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Short name used in the settings.
    pub id: String,
    /// Full name.
    pub name: String,
    /// Where invites go; `None`: not reachable.
    pub email: Option<String>,
    /// Their time zone.
    pub time_zone: Tz,
    /// Their working hours, in their time zone.
    pub hours: Hours,
    /// Other names, `source:name`.
    pub aliases: Vec<String>,
}

/// Weekly working hours, by wall clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hours {
    /// Working days, Monday first.
    pub days: [bool; 7],
    /// Minute of the day at which work begins.
    pub from: u32,
    /// Minute of the day at which it ends.
    pub to: u32,
}

/// A service.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Service {
    /// Its name, as labels give it.
    pub name: String,
    /// What it is called elsewhere: `source:word`, or a word that any source may use.
    pub aliases: Vec<String>,
    /// Ids of the people who own it.
    pub owners: Vec<String>,
    /// Ids of those who want to know.
    pub stakeholders: Vec<String>,
    /// Services it cannot work without.
    pub depends_on: Vec<String>,
    /// Actions that should need no human.
    pub automatic: Vec<String>,
    /// Its objective in percent of good time over four weeks: `99.9`. `None`: nobody set one, and its budget is unknown.
    pub objective: Option<f64>,
}

/// How much people are asked at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// At most so many postmortems are opened by rule, per so many seconds and scope.
    pub holds: (u32, i64),
    /// At most so many are suggested, per so many seconds and scope.
    pub suggestions: (u32, i64),
    /// Seconds within which incidents began that look like one.
    pub bundle_within: i64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            holds: (3, 24 * 60 * 60),
            suggestions: (5, 24 * 60 * 60),
            bundle_within: 15 * 60,
        }
    }
}

/// Planned work on a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Maintenance {
    /// The service; `None`: all.
    pub service: Option<String>,
    /// Its first instant.
    pub from: Time,
    /// The first instant after it.
    pub to: Time,
    /// Why.
    pub why: String,
}

/// Which label gives what; the first that is present wins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelNames {
    /// For the service.
    pub service: Vec<String>,
    /// For the severity.
    pub severity: Vec<String>,
    /// For the environment.
    pub environment: Vec<String>,
    /// Severity words of the team's own, lower case.
    pub severities: BTreeMap<String, Severity>,
    /// Labels that only tell replicas of one sender apart: they are dropped before anything else is read.
    pub ignored: Vec<String>,
}

impl Default for LabelNames {
    fn default() -> Self {
        let names = |list: &[&str]| list.iter().map(|&name| name.to_owned()).collect();
        Self {
            service: names(&["service", "app", "job"]),
            severity: names(&["severity"]),
            environment: names(&["environment", "env", "stage"]),
            severities: BTreeMap::new(),
            ignored: Vec::new(),
        }
    }
}
