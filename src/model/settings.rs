//! Settings shared by several modules: people, services, label names.

use std::collections::BTreeMap;

use chrono_tz::Tz;

use super::event::Severity;
use super::severity_scale::SeverityScale;
use crate::model::time::Time;

/// A person who works on services or is responsible for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Short name used in the settings.
    pub id: String,
    /// Full name.
    pub name: String,
    /// Address for invitations; `None` when unreachable by mail.
    pub email: Option<String>,
    /// Their time zone.
    pub time_zone: Tz,
    /// Their working hours, in their time zone.
    pub hours: Hours,
    /// Other names, `source:name`.
    pub aliases: Vec<String>,
}

/// Weekly working hours in local time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hours {
    /// Working days, Monday first.
    pub days: [bool; 7],
    /// Start, in minutes of the day.
    pub from: u32,
    /// End, in minutes of the day.
    pub to: u32,
}

/// A service.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Service {
    /// Its name, as used in labels.
    pub name: String,
    /// Its names at sources: `source:word`, or a word any source may use.
    pub aliases: Vec<String>,
    /// Ids of its owners.
    pub owners: Vec<String>,
    /// Ids of its stakeholders.
    pub stakeholders: Vec<String>,
    /// Services it depends on.
    pub depends_on: Vec<String>,
    /// Actions that should need no manual step.
    pub automatic: Vec<String>,
    /// Availability objective over four weeks in percent: `99.9`. `None` when not set; the error
    /// budget is then unknown.
    pub objective: Option<f64>,
}

/// Limits on postmortems and suggestions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Maximum number of postmortems opened by rule, per period in seconds, for each scope; further
    /// ones are suggested.
    pub holds: (u32, i64),
    /// Maximum number of suggestions, per period in seconds, for each scope.
    pub suggestions: (u32, i64),
    /// Incidents of one scope, or one dependency apart, that began within this many seconds are
    /// bundled.
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
    /// The service; `None` for all services.
    pub service: Option<String>,
    /// Start.
    pub from: Time,
    /// End, exclusive.
    pub to: Time,
    /// Description of the work.
    pub why: String,
}

/// Label names by purpose; the first one present wins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelNames {
    /// Labels for the service.
    pub service: Vec<String>,
    /// Labels for the severity.
    pub severity: Vec<String>,
    /// Labels for the environment.
    pub environment: Vec<String>,
    /// The team's own severity words, in lower case.
    pub severities: BTreeMap<String, Severity>,
    /// The team's own scale.
    pub scale: SeverityScale,
    /// Labels that only distinguish replicas of one sender; they are dropped first.
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
            scale: SeverityScale::default(),
            // Those that the operators of Prometheus and Thanos give, and that of Cortex and Mimir.
            ignored: names(&["prometheus_replica", "thanos_ruler_replica", "__replica__"]),
        }
    }
}
