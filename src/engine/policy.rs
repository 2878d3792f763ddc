//! What is in force while events are judged, and what it makes of an event: its environment and its correlation key.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::TimeDelta;

use super::RECONSIDER;
use super::criteria::{expr_context, near_miss};
use crate::expr::facts::Scope;
use crate::expr::truth::Truth;
use crate::model::directory::Directory;
use crate::model::event::{Event, Fact, Severity};
use crate::model::settings::{Limits, Maintenance, Service};
use crate::rules::rule_set::{CriterionTest, RuleSet};

/// Environments that are judged but that the shipped criteria skip; `None` counts as this one.
pub(crate) const PRODUCTION: &str = "production";

/// What decides where events meet and by what they are one: as long as it is the same, so are their places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PartitionSettings {
    correlate_by: Vec<String>,
    connected: BTreeMap<String, String>,
    called: ServiceAliases,
}

/// What services are called at their sources.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServiceAliases {
    /// By source and word.
    at: BTreeMap<String, BTreeMap<String, Arc<str>>>,
    /// By the word alone, at any source.
    anywhere: BTreeMap<String, Arc<str>>,
}

impl ServiceAliases {
    /// Of these services. An alias `scheme:word` holds at the source of that name and at those that `sources` has with that scheme, as pairs of
    /// name and scheme; as it stands, an alias holds everywhere.
    #[must_use]
    pub fn new(services: &[Service], sources: &[(&str, &str)]) -> Self {
        let mut called = Self::default();
        for service in services {
            let name: Arc<str> = service.name.as_str().into();
            for alias in &service.aliases {
                called
                    .anywhere
                    .entry(alias.clone())
                    .or_insert_with(|| Arc::clone(&name));
                let Some((scheme, word)) = alias.split_once(':') else {
                    continue;
                };
                let of_kind = sources
                    .iter()
                    .filter(|(_, of)| *of == scheme)
                    .map(|(source, _)| *source);
                for source in of_kind.chain([scheme]) {
                    called
                        .at
                        .entry(source.to_owned())
                        .or_default()
                        .entry(word.to_owned())
                        .or_insert_with(|| Arc::clone(&name));
                }
            }
        }
        called
    }

    fn is_empty(&self) -> bool {
        self.anywhere.is_empty()
    }

    fn name(&self, source: &str, word: &str) -> Option<&Arc<str>> {
        self.at
            .get(source)
            .and_then(|words| words.get(word))
            .or_else(|| self.anywhere.get(word))
    }
}

/// The rules and services in force.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// The rules.
    pub rules: RuleSet,
    services: BTreeMap<String, Service>,
    pub(crate) maintenance: Vec<Maintenance>,
    /// Each service's connected set, named by its first member.
    connected: BTreeMap<String, String>,
    pub(crate) limits: Limits,
    /// Who is who.
    pub who: Directory,
    called: ServiceAliases,
}

impl Policy {
    /// Puts rules, services and planned work in force.
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
            called: ServiceAliases::default(),
        }
    }

    /// Puts in force who is who.
    #[must_use]
    pub fn with_people(self, who: Directory) -> Self {
        Self { who, ..self }
    }

    /// Puts in force what services are called at their sources.
    #[must_use]
    pub fn with_aliases(self, called: ServiceAliases) -> Self {
        Self { called, ..self }
    }

    /// Puts the name of a service in place of what the event's source calls it.
    pub fn name_service(&self, event: &mut Event) {
        if let Some(name) = self.named(event).cloned() {
            event.service = Some(name);
        }
    }

    /// Whether [`Self::name_service`] would change it.
    pub(crate) fn renames(&self, event: &Event) -> bool {
        self.named(event).is_some()
    }

    fn named(&self, event: &Event) -> Option<&Arc<str>> {
        let word = event.service.as_deref()?;
        if self.called.is_empty() || self.services.contains_key(word) {
            None
        } else {
            self.called.name(&event.source, word)
        }
    }

    /// Puts limits in force, which else are the usual ones.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// The service of that name, if it is known.
    #[must_use]
    pub fn service(&self, name: &str) -> Option<&Service> {
        self.services.get(name)
    }

    /// What decides where events meet and by what they are one.
    pub(crate) fn roots(&self) -> PartitionSettings {
        PartitionSettings {
            correlate_by: self.rules.correlation.correlate_by.clone(),
            connected: self.connected.clone(),
            called: self.called.clone(),
        }
    }

    /// The place of everything that is about a service.
    pub(crate) fn place(&self, service: &str) -> String {
        match self.connected.get(service) {
            Some(first) => format!("services of {first}"),
            None => format!("service {service}"),
        }
    }

    /// Whether one of the two depends on the other.
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

    /// Whether any criterion asks for near misses.
    pub(crate) fn asks_near_misses(&self) -> bool {
        self.rules
            .criteria
            .iter()
            .any(|criterion| matches!(criterion.test, CriterionTest::NearMiss { .. }))
    }

    /// How long after it something still counts as known or coming back; `None`: nobody asks.
    pub(crate) fn comes_back_within(&self) -> Option<TimeDelta> {
        let windows = self
            .rules
            .criteria
            .iter()
            .filter_map(|criterion| match criterion.test {
                CriterionTest::Recurrence { within, .. } => Some(TimeDelta::seconds(within)),
                CriterionTest::NearMiss { .. } => Some(near_miss::NEW_AFTER),
                _ => None,
            });
        windows.max()
    }

    /// How long a closed incident is remembered: as long as any rule looks back, and a day more for what comes late.
    #[must_use]
    pub fn remembers(&self) -> TimeDelta {
        self.lookback() + TimeDelta::days(1)
    }

    /// How far back any rule looks.
    fn lookback(&self) -> TimeDelta {
        let furthest = self
            .rules
            .criteria
            .iter()
            .map(|criterion| match criterion.test {
                CriterionTest::NearMiss {
                    quiet_for, at_most, ..
                } => (quiet_for + at_most.1).max(near_miss::NEW_AFTER.num_seconds()),
                CriterionTest::Recurrence { within, .. } => within,
                _ => 0,
            });
        RECONSIDER.max(TimeDelta::seconds(furthest.max().unwrap_or(0)))
    }

    /// Whether an event is no part of anything: it only proves that its sender is alive.
    #[must_use]
    pub fn ignores(&self, event: &Event) -> bool {
        let Fact::Alert(alert) = &event.fact else {
            return false;
        };
        // Severity none only proves that the sender is alive.
        if alert.severity == Severity::None {
            return true;
        }
        let Some(ignore) = &self.rules.correlation.ignore else {
            return false;
        };
        let mut facts = expr_context::alert(event, alert);
        if let Some(name) = self.named(event) {
            facts.set("service", &**name);
        }
        ignore.evaluate(&Scope::new().with(&facts)) == Truth::True
    }
}

/// The environment that counts: an unknown one is production.
pub(crate) fn environment(event: &Event) -> &str {
    event.environment.as_deref().unwrap_or(PRODUCTION)
}

/// The correlation key of an event; `None` equals nothing. Events of different environments never meet by key.
pub(crate) fn key(
    event: &Event,
    policy: &Policy,
    assigned: &BTreeMap<String, String>,
) -> Option<String> {
    let environment = environment(event);
    let place = if environment == PRODUCTION {
        String::new()
    } else {
        format!("{environment}/")
    };
    let Some(service) = &event.service else {
        let key = unassigned_key(event)?;
        return Some(match assigned.get(&key) {
            Some(service) => format!("{place}service={service}"),
            None => format!("{place}{key}"),
        });
    };
    let mut parts = Vec::new();
    for label in &policy.rules.correlation.correlate_by {
        let value = match (label.as_str(), &event.fact) {
            ("service", _) => service,
            (name, Fact::Alert(alert)) => alert.labels.get(name)?,
            (name, Fact::Condition(condition)) => condition.labels.get(name)?,
            _ => return None,
        };
        parts.push(format!("{label}={value}"));
    }
    Some(format!("{place}{}", parts.join(",")))
}

/// What an alert without a service is known by, until somebody assigns it.
#[must_use]
pub fn unassigned_key(event: &Event) -> Option<String> {
    let Fact::Alert(alert) = &event.fact else {
        return None;
    };
    if event.service.is_some() {
        return None;
    }
    let named = ["cluster", "namespace", "alertname"].into_iter();
    let parts: Vec<String> = named
        .filter_map(|name| {
            alert
                .labels
                .get(name)
                .map(|value| format!("{name}={value}"))
        })
        .collect();
    if parts.is_empty() {
        None
    } else {
        Some(parts.join(","))
    }
}
