//! Derivation of an incident: a pure function of its members, the policy, the other incidents and
//! the time.

use std::sync::Arc;

use chrono::TimeDelta;

use super::milestones;
use super::tracked::TrackedIncidents;
use crate::engine::announce;
use crate::engine::announce::explanation;
use crate::engine::correlation::group::EventGroup;
use crate::engine::correlation::keys::unassigned_key;
use crate::engine::criteria;
use crate::engine::policy::Policy;
use crate::model::directory::Identities;
use crate::model::event::{Fact, Severity};
use crate::model::id::EventId;
use crate::model::id::IncidentId;
use crate::model::incident::Incident;
use crate::model::lifecycle::{Phase, ReviewState};
use crate::model::member::Members;
use crate::model::signal::Signal;
use crate::model::time::Time;
use crate::model::verdict::{Decision, Outcome};

/// Everything that an incident is derived from.
pub(crate) struct DerivationInputs<'a> {
    pub(crate) id: IncidentId,
    /// Its group, which tells the phase, the services and the opening event.
    pub(crate) group: &'a EventGroup,
    /// The members of the group with their context.
    pub(crate) members: Members,
    /// The signals of the members.
    pub(crate) signals: Vec<Signal>,
    /// The persons that the aliases in its events belong to.
    pub(crate) identities: Identities,
    /// Those of its changes that went back to an earlier revision.
    pub(crate) rollbacks: Vec<EventId>,
    /// The incident as last derived: what was announced by then, and its revision.
    pub(crate) previous: Option<&'a Incident>,
    /// All incidents, for recurrence and near misses.
    pub(crate) others: &'a TrackedIncidents,
    pub(crate) policy: &'a Policy,
    pub(crate) now: Time,
}

/// An incident, and the next instant at which time alone could change it.
pub(crate) struct Derived {
    pub(crate) incident: Incident,
    pub(crate) due: Option<Time>,
}

/// Derives an incident with its verdicts, decision and announcement.
pub(crate) fn derive(inputs: DerivationInputs<'_>) -> Derived {
    let DerivationInputs {
        previous,
        others,
        policy,
        now,
        ..
    } = inputs;
    let (mut incident, due) = facts(inputs);
    let (verdicts, verdicts_due) = criteria::verdicts(&incident, others, policy, now);
    incident.decision = announce::decide(&verdicts, incident.phase);
    incident.verdicts = verdicts;
    announce::announce(&mut incident, others, policy, now);
    incident.form = announce::form(&incident);
    incident.reason = explanation::reason(&incident);
    if let Some(previous) = previous {
        incident.bundle.clone_from(&previous.bundle);
        let changed = reviewed_parts(previous) != reviewed_parts(&incident);
        incident.revision = previous.revision + u64::from(changed);
    }
    Derived {
        incident,
        due: due.into_iter().chain(verdicts_due).min(),
    }
}

/// Everything but verdicts and decision, and when the phase or planned work next changes something.
fn facts(inputs: DerivationInputs<'_>) -> (Incident, Option<Time>) {
    let DerivationInputs {
        id,
        group,
        members,
        signals,
        identities,
        rollbacks,
        previous,
        policy,
        now,
        ..
    } = inputs;
    let opener = group.opener();
    let services = services(group);
    let (phase, phase_since, phase_due) = phase(group, policy, now);
    let stated = members
        .non_alerts()
        .filter_map(|member| match &member.event.fact {
            Fact::Maintenance(window) => Some((window.from, window.to)),
            _ => None,
        });
    let planned = policy
        .maintenance
        .iter()
        .map(|window| (window.from, window.to))
        .chain(stated)
        .flat_map(|(from, to)| [from, to])
        .filter(|&edge| edge > now && group.is_open());
    let due = phase_due.into_iter().chain(planned).min();
    let severity = signals
        .iter()
        .map(|signal| signal.severity)
        .chain(reported_severities(&group.members))
        .max()
        .unwrap_or_default();
    let incident = Incident {
        id,
        revision: 1,
        title: explanation::title(opener),
        unassigned: if opener.service.is_none() {
            unassigned_key(opener)
        } else {
            None
        },
        scope: policy.owners(&services),
        services,
        severity,
        environment: opener.environment.as_deref().map(str::to_owned),
        milestones: milestones::milestones(
            &group.members,
            &signals,
            &rollbacks,
            (phase >= Phase::Resolved).then_some(group.last_activity),
            TimeDelta::seconds(policy.rules.correlation.settle),
            &|event| policy.who.actor_kind(event, &identities),
        ),
        phase,
        phase_since,
        signals,
        members,
        rollbacks,
        verdicts: Vec::new(),
        decision: Decision::None,
        form: None,
        announced: previous.and_then(|incident| incident.announced.clone()),
        review: announce::review(&group.members, previous),
        standing: ReviewState::None,
        reason: String::new(),
        bundle: None,
        identities,
    };
    (incident, due)
}

/// The services of a group's events, in the order of their first event.
fn services(group: &EventGroup) -> Vec<String> {
    let mut services: Vec<String> = Vec::new();
    let mut last: Option<&Arc<str>> = None;
    for service in group
        .members
        .iter()
        .filter_map(|member| member.event.service.as_ref())
    {
        // In a storm events share the text.
        if !last.is_some_and(|last| Arc::ptr_eq(last, service))
            && !services.iter().any(|known| **known == **service)
        {
            services.push(service.to_string());
        }
        last = Some(service);
    }
    services
}

/// The phase at `now`, since when, and when it next changes if nothing happens.
fn phase(group: &EventGroup, policy: &Policy, now: Time) -> (Phase, Time, Option<Time>) {
    let opened_at = group.opener().occurred_at;
    if group.is_open() {
        return (Phase::Active, opened_at, None);
    }
    let rules = &policy.rules.correlation;
    let resolved = group.last_activity + TimeDelta::seconds(rules.settle);
    let closed = group.last_activity + TimeDelta::seconds(rules.reopen_within.max(rules.settle));
    if now < resolved {
        (Phase::Active, opened_at, Some(resolved))
    } else if now < closed {
        (Phase::Resolved, resolved, Some(closed))
    } else {
        (Phase::Closed, closed, None)
    }
}

fn reported_severities(members: &Members) -> impl Iterator<Item = Severity> + '_ {
    members
        .non_alerts()
        .filter_map(|member| match &member.event.fact {
            Fact::NearMiss(near_miss) => Some(near_miss.severity),
            _ => None,
        })
}

/// The parts that make the question a person answers: their answer fits as long as none has changed,
/// whatever the phase.
fn reviewed_parts(incident: &Incident) -> impl PartialEq + '_ {
    // A shadow's verdict is no reason to send an answer back.
    let deciding = incident.verdicts.iter().filter(|verdict| !verdict.shadow);
    let outcomes: Vec<(&str, Outcome)> = deciding
        .map(|verdict| (verdict.criterion.as_str(), verdict.outcome))
        .collect();
    (
        &incident.services,
        incident.decision,
        &incident.announced,
        &incident.review,
        outcomes,
    )
}
