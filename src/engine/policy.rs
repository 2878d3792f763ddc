//! The policy that events are judged by: rules, services, planned work, limits and people.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::TimeDelta;

use super::criteria::expr_context;
use super::horizons::{NOVEL_AFTER, RECONSIDER};
use super::service_aliases::ServiceAliases;
use crate::expr::facts::Scope;
use crate::expr::truth::Truth;
use crate::model::directory::Directory;
use crate::model::event::{Event, Fact, Severity};
use crate::model::settings::{Limits, Maintenance, Service};
use crate::model::severity_scale::SeverityScale;
use crate::rules::rule_set::{CriterionTest, Likeness, RuleSet};

/// The settings that partitioning rests on: while they stay the same, so do all partitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PartitionSettings {
    correlate_by: Vec<String>,
    connected: BTreeMap<String, String>,
    aliases: ServiceAliases,
    severities: SeverityScale,
}

/// Everything that events are judged by.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// The rules.
    pub rules: RuleSet,
    services: BTreeMap<String, Service>,
    pub(crate) maintenance: Vec<Maintenance>,
    /// Each service's connected set, named by its first member.
    connected: BTreeMap<String, String>,
    pub(crate) limits: Limits,
    /// The people, and which accounts are robots.
    pub who: Directory,
    aliases: ServiceAliases,
    pub(crate) severities: SeverityScale,
}

impl Policy {
    /// A policy of rules, services and planned work, with the usual limits.
    #[must_use]
    pub fn new(rules: RuleSet, services: &[Service], maintenance: &[Maintenance]) -> Self {
        let mut connected: BTreeMap<String, String> = BTreeMap::new();
        for service in services {
            for other in std::iter::once(&service.name).chain(&service.depends_on) {
                let ours = connected
                    .entry(service.name.clone())
                    .or_insert_with(|| service.name.clone())
                    .clone();
                let theirs = connected
                    .entry(other.clone())
                    .or_insert_with(|| other.clone())
                    .clone();
                let (kept, lost) = if ours <= theirs {
                    (ours, theirs)
                } else {
                    (theirs, ours)
                };
                for name in connected.values_mut().filter(|name| **name == lost) {
                    name.clone_from(&kept);
                }
            }
        }
        let services = services
            .iter()
            .map(|service| (service.name.clone(), service.clone()))
            .collect();
        Self {
            rules,
            services,
            maintenance: maintenance.to_vec(),
            connected,
            limits: Limits::default(),
            who: Directory::new(&[], &[]),
            aliases: ServiceAliases::default(),
            severities: SeverityScale::default(),
        }
    }

    /// The same policy with these people.
    #[must_use]
    pub fn with_people(self, who: Directory) -> Self {
        Self { who, ..self }
    }

    /// The same policy with these aliases of services.
    #[must_use]
    pub fn with_aliases(self, aliases: ServiceAliases) -> Self {
        Self { aliases, ..self }
    }

    /// The same policy with a team's own severities.
    #[must_use]
    pub fn with_severities(self, severities: SeverityScale) -> Self {
        Self { severities, ..self }
    }

    /// Normalises an event: replaces a service alias by the service's name, and maps the severity to
    /// the team's scale.
    pub fn normalise(&self, event: &mut Event) {
        self.name_service(event);
        if let Some(severity) = severity_of(event) {
            let placed = self.severities.place(severity);
            if placed != severity {
                set_severity(event, placed);
            }
        }
    }

    /// True if [`Self::normalise`] would change the event.
    pub(crate) fn changes(&self, event: &Event) -> bool {
        self.renames(event)
            || severity_of(event)
                .is_some_and(|severity| self.severities.place(severity) != severity)
    }

    /// Replaces the alias that the event's source uses for a service by the service's name.
    pub fn name_service(&self, event: &mut Event) {
        if let Some(name) = self.alias_target(event).cloned() {
            event.service = Some(name);
        }
    }

    /// True if [`Self::name_service`] would change the event.
    pub(crate) fn renames(&self, event: &Event) -> bool {
        self.alias_target(event).is_some()
    }

    fn alias_target(&self, event: &Event) -> Option<&Arc<str>> {
        let word = event.service.as_deref()?;
        if self.aliases.is_empty() || self.services.contains_key(word) {
            None
        } else {
            self.aliases.service(&event.source, word)
        }
    }

    /// The same policy with these limits.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// The configured service of that name.
    #[must_use]
    pub fn service(&self, name: &str) -> Option<&Service> {
        self.services.get(name)
    }

    /// The settings that partitioning rests on.
    pub(crate) fn partition_settings(&self) -> PartitionSettings {
        PartitionSettings {
            correlate_by: self.rules.correlation.correlate_by.clone(),
            connected: self.connected.clone(),
            aliases: self.aliases.clone(),
            severities: self.severities.clone(),
        }
    }

    /// The name of the partition of a service: that of its connected set.
    pub(crate) fn partition_of(&self, service: &str) -> String {
        match self.connected.get(service) {
            Some(first) => format!("services of {first}"),
            None => format!("service {service}"),
        }
    }

    /// True if one of the two services depends on the other.
    pub(crate) fn adjacent(&self, one: &str, other: &str) -> bool {
        let depends = |a: &str, b: &str| {
            self.services
                .get(a)
                .is_some_and(|service| service.depends_on.iter().any(|name| name == b))
        };
        depends(one, other) || depends(other, one)
    }

    pub(crate) fn owners(&self, services: &[String]) -> Vec<String> {
        let owners: BTreeSet<&String> = services
            .iter()
            .filter_map(|name| self.services.get(name))
            .flat_map(|s| &s.owners)
            .collect();
        owners.into_iter().cloned().collect()
    }

    /// True if any criterion is about near misses.
    pub(crate) fn asks_near_misses(&self) -> bool {
        self.rules
            .criteria
            .iter()
            .any(|criterion| matches!(criterion.test, CriterionTest::NearMiss { .. }))
    }

    /// The longest time after which a repetition still counts; `None` if no criterion asks.
    pub(crate) fn recurrence_window(&self) -> Option<TimeDelta> {
        let windows = self
            .rules
            .criteria
            .iter()
            .filter_map(|criterion| match criterion.test {
                CriterionTest::Recurrence { within, .. } => Some(TimeDelta::seconds(within)),
                CriterionTest::NearMiss { .. } => Some(NOVEL_AFTER),
                _ => None,
            });
        windows.max()
    }

    /// The longest window in which manual steps of several incidents count together.
    pub(crate) fn step_window(&self) -> Option<TimeDelta> {
        let windows = self.rules.criteria.iter().filter_map(|criterion| {
            let CriterionTest::Intervention { window, .. } = &criterion.test else {
                return None;
            };
            window.as_ref().map(|window| window.within)
        });
        windows.max().map(TimeDelta::seconds)
    }

    /// The longest time after which an incident that is alike in a stated way counts, and true if
    /// it is always of the same service; `None` if no criterion states one.
    pub(crate) fn likeness_window(&self) -> Option<(TimeDelta, bool)> {
        let stated = self.rules.criteria.iter().filter_map(|criterion| {
            let CriterionTest::Recurrence { within, same, .. } = &criterion.test else {
                return None;
            };
            (!same.is_empty()).then(|| (*within, same.contains(&Likeness::Service)))
        });
        stated
            .reduce(|(a, on_service), (b, also)| (a.max(b), on_service && also))
            .map(|(within, on_service)| (TimeDelta::seconds(within), on_service))
    }

    /// The time for which closed incidents are remembered: as long as any rule looks back, and a day
    /// more for late events.
    #[must_use]
    pub fn retention(&self) -> TimeDelta {
        self.lookback() + TimeDelta::days(1)
    }

    /// The longest time that any rule looks back.
    fn lookback(&self) -> TimeDelta {
        let furthest = self
            .rules
            .criteria
            .iter()
            .map(|criterion| match &criterion.test {
                CriterionTest::NearMiss {
                    quiet_for, at_most, ..
                } => (quiet_for + at_most.1).max(NOVEL_AFTER.num_seconds()),
                CriterionTest::Recurrence { within, .. } => *within,
                CriterionTest::Intervention { window, .. } => {
                    window.as_ref().map_or(0, |window| window.within)
                }
                _ => 0,
            });
        RECONSIDER.max(TimeDelta::seconds(furthest.max().unwrap_or(0)))
    }

    /// True if an event concerns no incident: a heartbeat, or excluded by `ignore`.
    #[must_use]
    pub fn ignores(&self, event: &Event) -> bool {
        let Fact::Alert(alert) = &event.fact else {
            return false;
        };
        // A heartbeat, such as the Watchdog alert of kube-prometheus.
        if alert.severity == Severity::None {
            return true;
        }
        let Some(ignore) = &self.rules.correlation.ignore else {
            return false;
        };
        let mut facts = expr_context::alert(event, alert);
        if let Some(name) = self.alias_target(event) {
            facts.set("service", &**name);
        }
        ignore.evaluate(&Scope::new().with(&facts)) == Truth::True
    }
}

fn severity_of(event: &Event) -> Option<Severity> {
    match &event.fact {
        Fact::Alert(alert) => Some(alert.severity),
        Fact::Condition(condition) => Some(condition.severity),
        Fact::Declaration(declaration) => Some(declaration.severity),
        Fact::NearMiss(near_miss) => Some(near_miss.severity),
        _ => None,
    }
}

fn set_severity(event: &mut Event, severity: Severity) {
    match &mut event.fact {
        Fact::Alert(alert) => alert.severity = severity,
        Fact::Condition(condition) => condition.severity = severity,
        Fact::Declaration(declaration) => declaration.severity = severity,
        Fact::NearMiss(near_miss) => near_miss.severity = severity,
        _ => {}
    }
}
