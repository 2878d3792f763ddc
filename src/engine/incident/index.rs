//! An index of incidents by what others ask of them, so that no verdict walks through all.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::TimeDelta;

use super::attributes::{RecurrenceKey, StepKey};
use super::summary::IncidentSummary;
use crate::model::id::IncidentId;
use crate::model::time::Time;

/// The time of an incident's first announcement, and its id.
pub(crate) type AnnouncementKey = (Time, IncidentId);

/// Incidents by recurrence key, scope and first announcement.
#[derive(Debug, Clone, Default)]
pub(crate) struct IncidentIndex {
    /// With the time at which each opened.
    by_recurrence: BTreeMap<RecurrenceKey, BTreeSet<(Time, IncidentId)>>,
    /// Near misses and announced incidents only.
    by_scope: BTreeMap<String, BTreeSet<IncidentId>>,
    announced: BTreeSet<AnnouncementKey>,
    /// With the time at which each opened.
    opened: BTreeSet<(Time, IncidentId)>,
    by_service: BTreeMap<Arc<str>, BTreeSet<(Time, IncidentId)>>,
    /// With the time of each step.
    by_step: BTreeMap<StepKey, BTreeSet<(Time, IncidentId)>>,
}

impl IncidentIndex {
    pub(crate) fn add(&mut self, id: &IncidentId, summary: &IncidentSummary) {
        for key in &summary.recurrence_keys {
            self.by_recurrence
                .entry(key.clone())
                .or_default()
                .insert((summary.opened_at, id.clone()));
        }
        if summary.first_at.is_some() || summary.has_near_miss {
            for scope in &summary.scopes {
                self.by_scope
                    .entry(scope.clone())
                    .or_default()
                    .insert(id.clone());
            }
        }
        self.announced
            .extend(summary.first_at.map(|first_at| (first_at, id.clone())));
        let opened = (summary.opened_at, id.clone());
        if let Some(service) = &summary.opening_service {
            let list = self.by_service.entry(Arc::clone(service)).or_default();
            list.insert(opened.clone());
        }
        self.opened.insert(opened);
        for (key, at) in &summary.steps.keys {
            let list = self.by_step.entry(key.clone()).or_default();
            list.insert((*at, id.clone()));
        }
    }

    pub(crate) fn remove(&mut self, id: &IncidentId, summary: &IncidentSummary) {
        for key in &summary.recurrence_keys {
            if let Some(list) = self.by_recurrence.get_mut(key) {
                list.remove(&(summary.opened_at, id.clone()));
                if list.is_empty() {
                    self.by_recurrence.remove(key);
                }
            }
        }
        for scope in &summary.scopes {
            if let Some(list) = self.by_scope.get_mut(scope) {
                list.remove(id);
                if list.is_empty() {
                    self.by_scope.remove(scope);
                }
            }
        }
        if let Some(first_at) = summary.first_at {
            self.announced.remove(&(first_at, id.clone()));
        }
        let opened = (summary.opened_at, id.clone());
        if let Some(service) = &summary.opening_service
            && let Some(list) = self.by_service.get_mut(service)
        {
            list.remove(&opened);
            if list.is_empty() {
                self.by_service.remove(service);
            }
        }
        self.opened.remove(&opened);
        for (key, at) in &summary.steps.keys {
            if let Some(list) = self.by_step.get_mut(key) {
                list.remove(&(*at, id.clone()));
                if list.is_empty() {
                    self.by_step.remove(key);
                }
            }
        }
    }

    /// The incidents that opened after `since` and not after `until`.
    pub(crate) fn opened(
        &self,
        since: Time,
        until: Time,
    ) -> impl Iterator<Item = &(Time, IncidentId)> {
        between(&self.opened, since, until)
    }

    /// The incidents of an opening service that opened after `since` and not after `until`.
    pub(crate) fn opened_on(
        &self,
        service: &str,
        since: Time,
        until: Time,
    ) -> impl Iterator<Item = &(Time, IncidentId)> {
        let list = self.by_service.get(service).into_iter();
        list.flat_map(move |list| between(list, since, until))
    }

    /// The incidents with a step of that key after `since` and not after `until`.
    pub(crate) fn with_step(
        &self,
        key: &StepKey,
        since: Time,
        until: Time,
    ) -> impl Iterator<Item = &(Time, IncidentId)> {
        let list = self.by_step.get(key).into_iter();
        list.flat_map(move |list| between(list, since, until))
    }

    /// The incidents with that key which opened after `since` and not after `until`.
    pub(crate) fn with_key(
        &self,
        key: &RecurrenceKey,
        since: Time,
        until: Time,
    ) -> impl Iterator<Item = &(Time, IncidentId)> {
        let list = self.by_recurrence.get(key).into_iter();
        list.flat_map(move |list| between(list, since, until))
    }

    /// The near misses and announced incidents of any of these scopes, `except` one.
    pub(crate) fn in_scopes(
        &self,
        scopes: &[String],
        except: &IncidentId,
    ) -> BTreeSet<&IncidentId> {
        let lists = scopes.iter().filter_map(|scope| self.by_scope.get(scope));
        lists.flatten().filter(|id| *id != except).collect()
    }

    /// All announced incidents, in the order of their first announcement.
    pub(crate) fn announced(&self) -> impl Iterator<Item = &IncidentId> {
        self.announced.iter().map(|(_, id)| id)
    }

    /// The announcements from that one on.
    pub(crate) fn announced_from(
        &self,
        from: &AnnouncementKey,
    ) -> impl Iterator<Item = &AnnouncementKey> {
        self.announced.range(from..)
    }
}

/// The entries after `since` and not after `until`.
fn between(
    list: &BTreeSet<(Time, IncidentId)>,
    since: Time,
    until: Time,
) -> impl Iterator<Item = &(Time, IncidentId)> {
    let first = (
        since + TimeDelta::microseconds(1),
        IncidentId(String::new()),
    );
    list.range(first..).take_while(move |(at, _)| *at <= until)
}
