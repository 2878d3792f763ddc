//! Storms become one: what began together and looks like one is made known once, and what exceeds a day's limits waits.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::TimeDelta;

use crate::engine::incident::index::{AnnouncementKey, began, scopes};
use crate::engine::policy::environment;
use crate::engine::{IncidentChanges, Policy, State, opener};
use crate::model::correction::Answer;
use crate::model::id::IncidentId;
use crate::model::incident::Incident;
use crate::model::lifecycle::ReviewState;
use crate::model::time::Time;
use crate::model::verdict::{CriterionKind, Decision, Outcome};

/// An incident that speaks for itself, and for those that wait in its bundle.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct BundleLead {
    id: IncidentId,
    began: Time,
    first_at: Time,
    environment: String,
    scopes: Vec<String>,
    /// What it counts as towards the limits; `None`: a person asked for it.
    counts_as: Option<Decision>,
    /// Whether a person asked for it themselves.
    by_person: bool,
}

/// Those who speak for themselves, in the order in which they were first made known.
pub(crate) type BundleLeads = BTreeMap<AnnouncementKey, BundleLead>;

/// Says of every incident that was made known whether it speaks for itself or waits. That hangs only on those before it, so nothing is asked
/// again of what comes before the first that has changed.
pub(crate) fn assign(state: &mut State, policy: &Policy, changes: &mut IncidentChanges) {
    if !std::mem::take(&mut state.unbundled) {
        return;
    }
    let (mut leads, from) = match (state.leads.take(), state.moved.take()) {
        (Some(leads), Some(from)) => (leads, from),
        // Nothing that bundles rest on is other than before.
        (Some(leads), None) => {
            state.leads = Some(leads);
            return;
        }
        (None, _) => (
            BundleLeads::new(),
            (Time::MIN_UTC, IncidentId(String::new())),
        ),
    };
    let before = leads.split_off(&from);
    let mut bundles: BTreeMap<IncidentId, Option<IncidentId>> = BTreeMap::new();
    let announced = state
        .index
        .announced_from(&from)
        .filter_map(|turn| Some((turn, state.incidents.get(&turn.1)?)));
    for (turn, tracked) in announced {
        let incident = &tracked.incident;
        let waits_for = match &tracked.gist.lead {
            None => None,
            Some(lead) => {
                // Who spoke once goes on to: a draft may be open. What waited for one that is remembered no more goes on to wait.
                let forgotten = incident
                    .bundle
                    .as_ref()
                    .filter(|lead| !state.incidents.contains_key(lead));
                let found = if lead.by_person || state.spoken.contains(&incident.id) {
                    None
                } else if forgotten.is_some() {
                    forgotten.cloned()
                } else {
                    together(lead, &leads, policy).or_else(|| beyond(lead, &leads, policy))
                };
                if found.is_none() {
                    leads.insert(turn.clone(), lead.clone());
                }
                found
            }
        };
        if waits_for != incident.bundle {
            bundles.insert(incident.id.clone(), waits_for);
        }
    }
    if from.0 == Time::MIN_UTC {
        state.spoken.clear();
    }
    for lead in before.values() {
        state.spoken.remove(&lead.id);
    }
    state
        .spoken
        .extend(leads.range(from..).map(|(_, lead)| lead.id.clone()));
    state.leads = Some(leads);
    for (id, bundle) in bundles {
        let Some(tracked) = state.incidents.get_mut(&id) else {
            continue;
        };
        let incident = Arc::make_mut(&mut tracked.incident);
        let before = std::mem::replace(&mut incident.bundle, bundle.clone());
        incident.revision += 1;
        // Those who speak for it are told of whom they speak.
        changes.changed.extend(
            [before, bundle, Some(id)]
                .into_iter()
                .flatten()
                .filter(|id| state.incidents.contains_key(id)),
        );
    }
}

/// Whether a postmortem of it is wanted, and then whether a person asked for it themselves.
pub(crate) fn wanted(incident: &Incident) -> Option<bool> {
    if !matches!(
        incident.standing,
        ReviewState::Held | ReviewState::Suggested | ReviewState::Snoozed
    ) {
        return None;
    }
    let accepted = incident
        .review
        .as_ref()
        .is_some_and(|review| review.answer == Answer::Accept);
    let requested = |verdict: &crate::model::verdict::Verdict| {
        verdict.on == CriterionKind::Request && verdict.outcome == Outcome::Met && !verdict.shadow
    };
    Some(accepted || incident.verdicts.iter().any(requested))
}

/// What it would be as one that speaks for itself; `None`: no postmortem of it is wanted.
pub(crate) fn lead(incident: &Incident) -> Option<BundleLead> {
    let by_person = wanted(incident)?;
    let announced = incident.announced.as_ref();
    Some(BundleLead {
        id: incident.id.clone(),
        began: began(incident),
        first_at: announced.map_or(incident.phase_since, |announced| announced.first_at),
        environment: opener(incident).map_or("", environment).to_owned(),
        scopes: scopes(incident).to_vec(),
        counts_as: announced
            .map(|announced| announced.decision)
            .filter(|_| !by_person),
        by_person,
    })
}

/// The first lead that began at about the same time.
fn together(one: &BundleLead, leads: &BundleLeads, policy: &Policy) -> Option<IncidentId> {
    let within = TimeDelta::seconds(policy.limits.bundle_within);
    let near = |lead: &&BundleLead| {
        (lead.began - one.began).abs() <= within && lead.environment == one.environment
    };
    leads.values().find(near).map(|lead| lead.id.clone())
}

/// The last lead of the scope, once its day is full.
fn beyond(one: &BundleLead, leads: &BundleLeads, policy: &Policy) -> Option<IncidentId> {
    let (most, period) = if one.counts_as == Some(Decision::Hold) {
        policy.limits.holds
    } else {
        policy.limits.suggestions
    };
    let since = one.first_at - TimeDelta::seconds(period);
    let of_scope = |lead: &&BundleLead| lead.scopes.iter().any(|scope| one.scopes.contains(scope));
    let recent = leads
        .range((since, IncidentId(String::new()))..)
        .map(|(_, lead)| lead);
    let counted: Vec<&BundleLead> = recent
        .filter(|lead| lead.counts_as == one.counts_as && lead.first_at > since)
        .filter(of_scope)
        .collect();
    let full = counted.len() >= usize::try_from(most).unwrap_or(usize::MAX);
    if full {
        counted.last().map(|lead| lead.id.clone())
    } else {
        None
    }
}
