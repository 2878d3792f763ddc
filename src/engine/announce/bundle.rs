//! Bundles: incidents that began together are announced once, and those beyond a day's limits
//! wait for the last one within them.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;

use super::lead::{BundleLead, wanted_by_person};
use crate::engine::changes::IncidentChanges;
use crate::engine::incident::index::AnnouncementKey;
use crate::engine::incident::summary::IncidentSummary;
use crate::engine::incident::tracked::TrackedIncidents;
use crate::engine::policy::Policy;
use crate::model::id::IncidentId;
use crate::model::incident::Incident;
use crate::model::time::Time;
use crate::model::verdict::Decision;

/// Leads in the order of their first announcement.
type Leads = BTreeMap<AnnouncementKey, BundleLead>;

/// The assignment of announced incidents to bundles, kept up to date incrementally.
///
/// An assignment depends only on earlier announcements, so nothing before the first one that has
/// changed is assigned again.
#[derive(Debug, Clone, Default)]
pub(crate) struct Bundles {
    /// `None` until the first assignment, and after limits may have changed.
    leads: Option<Leads>,
    /// Incidents that were announced for themselves, which they remain: a draft may be open.
    announced_alone: BTreeSet<IncidentId>,
    /// True if an announcement or an answer has changed since the last assignment.
    stale: bool,
    /// The first announcement since then whose lead has changed.
    changed_from: Option<AnnouncementKey>,
}

impl Bundles {
    /// Takes note of a stored incident.
    pub(crate) fn restore(&mut self, incident: &Incident) {
        if incident.bundle.is_none() && wanted_by_person(incident).is_some() {
            self.announced_alone.insert(incident.id.clone());
        }
    }

    /// Has every bundle assigned anew, since limits and periods may have changed.
    pub(crate) fn reset(&mut self) {
        (self.leads, self.stale) = (None, true);
    }

    /// Takes note of a change of an incident; `None` where there is none.
    pub(crate) fn note_change(
        &mut self,
        id: &IncidentId,
        before: Option<&IncidentSummary>,
        after: Option<&IncidentSummary>,
    ) {
        if before.and_then(|summary| summary.wanted) != after.and_then(|summary| summary.wanted) {
            self.stale = true;
        }
        if before.map(|summary| &summary.lead) != after.map(|summary| &summary.lead) {
            let changed = [before, after]
                .into_iter()
                .flatten()
                .filter_map(|summary| Some((summary.first_at?, id.clone())));
            self.changed_from = self.changed_from.take().into_iter().chain(changed).min();
        }
    }

    /// Drops an incident that is remembered no more.
    pub(crate) fn forget(&mut self, id: &IncidentId, summary: &IncidentSummary) {
        if let (Some(leads), Some(first_at)) = (&mut self.leads, summary.first_at) {
            leads.remove(&(first_at, id.clone()));
            self.announced_alone.remove(id);
        }
    }

    /// Assigns every announced incident to the bundle of another, or to none.
    pub(crate) fn assign(
        &mut self,
        incidents: &mut TrackedIncidents,
        policy: &Policy,
        changes: &mut IncidentChanges,
    ) {
        if !std::mem::take(&mut self.stale) {
            return;
        }
        let (mut leads, from) = match (self.leads.take(), self.changed_from.take()) {
            (Some(leads), Some(from)) => (leads, from),
            (Some(leads), None) => {
                self.leads = Some(leads);
                return;
            }
            (None, _) => (Leads::new(), (Time::MIN_UTC, IncidentId(String::new()))),
        };
        let before = leads.split_off(&from);
        let mut bundles: BTreeMap<IncidentId, Option<IncidentId>> = BTreeMap::new();
        let announced = incidents
            .index()
            .announced_from(&from)
            .filter_map(|key| Some((key, incidents.tracked(&key.1)?)));
        for (key, tracked) in announced {
            let incident = &tracked.incident;
            let bundle = tracked.summary.lead.as_ref().and_then(|lead| {
                let found = self.bundle_of(incident, lead, &leads, incidents, policy);
                if found.is_none() {
                    leads.insert(key.clone(), lead.clone());
                }
                found
            });
            if bundle != incident.bundle {
                bundles.insert(incident.id.clone(), bundle);
            }
        }
        if from.0 == Time::MIN_UTC {
            self.announced_alone.clear();
        }
        for lead in before.values() {
            self.announced_alone.remove(&lead.id);
        }
        self.announced_alone
            .extend(leads.range(from..).map(|(_, lead)| lead.id.clone()));
        self.leads = Some(leads);
        for (id, bundle) in bundles {
            let before = incidents.set_bundle(&id, bundle.clone());
            // Leads list the incidents of their bundle.
            changes.changed.extend(
                [before, bundle, Some(id)]
                    .into_iter()
                    .flatten()
                    .filter(|id| incidents.contains(id)),
            );
        }
    }

    /// The lead in whose bundle an incident waits.
    fn bundle_of(
        &self,
        incident: &Incident,
        lead: &BundleLead,
        leads: &Leads,
        incidents: &TrackedIncidents,
        policy: &Policy,
    ) -> Option<IncidentId> {
        if lead.by_person || self.announced_alone.contains(&incident.id) {
            return None;
        }
        // An incident goes on waiting for a lead that has been forgotten.
        let forgotten = incident
            .bundle
            .as_ref()
            .filter(|lead| !incidents.contains(lead));
        forgotten
            .cloned()
            .or_else(|| concurrent(lead, leads, policy))
            .or_else(|| over_limit(lead, leads, policy))
    }
}

/// The first lead of the same environment that began at about the same time.
fn concurrent(one: &BundleLead, leads: &Leads, policy: &Policy) -> Option<IncidentId> {
    let within = TimeDelta::seconds(policy.limits.bundle_within);
    let near = |lead: &&BundleLead| {
        (lead.opened_at - one.opened_at).abs() <= within && lead.environment == one.environment
    };
    leads.values().find(near).map(|lead| lead.id.clone())
}

/// The last lead of the scope, once the limit of its period is reached.
fn over_limit(one: &BundleLead, leads: &Leads, policy: &Policy) -> Option<IncidentId> {
    let (most, period) = if one.counts_as == Some(Decision::Hold) {
        policy.limits.holds
    } else {
        policy.limits.suggestions
    };
    let since = one.first_at - TimeDelta::seconds(period);
    let in_scope = |lead: &&BundleLead| lead.scopes.iter().any(|scope| one.scopes.contains(scope));
    let recent = leads
        .range((since, IncidentId(String::new()))..)
        .map(|(_, lead)| lead);
    let counted: Vec<&BundleLead> = recent
        .filter(|lead| lead.counts_as == one.counts_as && lead.first_at > since)
        .filter(in_scope)
        .collect();
    let full = counted.len() >= usize::try_from(most).unwrap_or(usize::MAX);
    if full {
        counted.last().map(|lead| lead.id.clone())
    } else {
        None
    }
}
