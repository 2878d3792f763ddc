//! Bundles and limits: incidents of a scope that began together are announced once. Beyond a day's
//! limits a suggestion waits with the last one within them, and a postmortem is suggested instead
//! of opened.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;

use super::lead::BundleLead;
use super::limit::suggest_instead;
use crate::engine::changes::IncidentChanges;
use crate::engine::incident::index::AnnouncementKey;
use crate::engine::incident::summary::IncidentSummary;
use crate::engine::incident::tracked::TrackedIncidents;
use crate::engine::phrases::{count, period};
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
    /// Those of them whose postmortem was opened by rule, which no limit takes back.
    opened: BTreeSet<IncidentId>,
    /// True if an announcement or an answer has changed since the last assignment.
    stale: bool,
    /// The first announcement since then whose lead has changed.
    changed_from: Option<AnnouncementKey>,
}

impl Bundles {
    /// Takes note of a stored incident.
    pub(crate) fn restore(&mut self, incident: &Incident) {
        if incident.bundle.is_some() {
            return;
        }
        if let Some(lead) = BundleLead::from_incident(incident) {
            self.announced_alone.insert(incident.id.clone());
            if lead.counts_as == Some(Decision::Hold) {
                self.opened.insert(incident.id.clone());
            }
        }
    }

    /// Discards all assignments, since limits and periods may have changed.
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
            self.opened.remove(id);
        }
    }

    /// Assigns every announced incident to the bundle of another, or to none. True if a postmortem
    /// beyond the limit became a suggestion: what rests on that has to be evaluated again.
    pub(crate) fn assign(
        &mut self,
        incidents: &mut TrackedIncidents,
        policy: &Policy,
        changes: &mut IncidentChanges,
    ) -> bool {
        if !std::mem::take(&mut self.stale) {
            return false;
        }
        let (mut leads, from) = match (self.leads.take(), self.changed_from.take()) {
            (Some(leads), Some(from)) => (leads, from),
            (Some(leads), None) => {
                self.leads = Some(leads);
                return false;
            }
            (None, _) => (Leads::new(), (Time::MIN_UTC, IncidentId(String::new()))),
        };
        let before = leads.split_off(&from);
        let mut bundles: BTreeMap<IncidentId, Option<IncidentId>> = BTreeMap::new();
        let mut limited: Vec<(IncidentId, String)> = Vec::new();
        let announced = incidents
            .index()
            .announced_from(&from)
            .filter_map(|key| Some((key, incidents.tracked(&key.1)?)));
        for (key, tracked) in announced {
            let incident = &tracked.incident;
            let bundle = tracked.summary.lead.as_ref().and_then(|lead| {
                let found = self.bundle_of(incident, lead, &leads, incidents, policy);
                if found.is_none() {
                    let mut lead = lead.clone();
                    if !self.opened.contains(&incident.id)
                        && let Some(why) = not_opened(&lead, &leads, policy)
                    {
                        (lead.counts_as, lead.held) = (None, false);
                        limited.push((incident.id.clone(), why));
                    }
                    leads.insert(key.clone(), lead);
                }
                found
            });
            if bundle != incident.bundle {
                bundles.insert(incident.id.clone(), bundle);
            }
        }
        if from.0 == Time::MIN_UTC {
            self.announced_alone.clear();
            self.opened.clear();
        }
        for lead in before.values() {
            self.announced_alone.remove(&lead.id);
            self.opened.remove(&lead.id);
        }
        for (_, lead) in leads.range(from..) {
            self.announced_alone.insert(lead.id.clone());
            if lead.counts_as == Some(Decision::Hold) {
                self.opened.insert(lead.id.clone());
            }
        }
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
        let any_limited = !limited.is_empty();
        for (id, why) in limited {
            incidents.update(&id, policy, |incident| suggest_instead(incident, why));
            changes.changed.insert(id);
        }
        any_limited
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
        // A suggestion goes on waiting for a lead that has been forgotten.
        let forgotten = incident
            .bundle
            .as_ref()
            .filter(|id| !lead.held && !incidents.contains(id));
        forgotten
            .cloned()
            .or_else(|| concurrent(lead, leads, policy))
            .or_else(|| over_limit(lead, leads, policy))
    }
}

/// The first lead that began at about the same time in the same scope or a dependency away. What is
/// held waits for no suggestion.
fn concurrent(one: &BundleLead, leads: &Leads, policy: &Policy) -> Option<IncidentId> {
    let fits = |lead: &&BundleLead| (lead.held || !one.held) && one.began_with(lead, policy);
    leads.values().find(fits).map(|lead| lead.id.clone())
}

/// The last suggestion of the scope, once their limit is reached.
fn over_limit(one: &BundleLead, leads: &Leads, policy: &Policy) -> Option<IncidentId> {
    if one.counts_as != Some(Decision::Suggest) {
        return None;
    }
    let counted = counted(one, leads, policy.limits.suggestions);
    counted.map(|last| last.id.clone())
}

/// The last lead that counts as the same in a scope of this one, if as many as the limit allows
/// were announced within its period.
fn counted<'a>(
    one: &BundleLead,
    leads: &'a Leads,
    (most, period): (u32, i64),
) -> Option<&'a BundleLead> {
    let since = one.first_at - TimeDelta::seconds(period);
    let recent = leads
        .range((since, IncidentId(String::new()))..)
        .map(|(_, lead)| lead);
    let counted: Vec<&BundleLead> = recent
        .filter(|lead| lead.counts_as == one.counts_as && lead.first_at > since)
        .filter(|lead| lead.shares_scope(one))
        .collect();
    let full = counted.len() >= usize::try_from(most).unwrap_or(usize::MAX);
    counted.last().copied().filter(|_| full)
}

/// The words for a postmortem that was not opened because of the limit; `None` within it.
fn not_opened(one: &BundleLead, leads: &Leads, policy: &Policy) -> Option<String> {
    let (most, seconds) = policy.limits.holds;
    if one.counts_as != Some(Decision::Hold) || counted(one, leads, policy.limits.holds).is_none() {
        return None;
    }
    let most = count(f64::from(most), "postmortem", "postmortems");
    Some(format!(
        "Suggested, not opened: the limit of {most} per {} for {} is reached.",
        period(TimeDelta::seconds(seconds)),
        one.scopes.join(", "),
    ))
}
