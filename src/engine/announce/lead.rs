//! Bundle leads: incidents that are announced for themselves and for those bundled with them.

use chrono::TimeDelta;

use crate::engine::environment::environment;
use crate::engine::incident::attributes::{opened_at, opener, scopes};
use crate::engine::policy::Policy;
use crate::model::correction::Answer;
use crate::model::id::IncidentId;
use crate::model::incident::Incident;
use crate::model::lifecycle::ReviewState;
use crate::model::time::Time;
use crate::model::verdict::{CriterionKind, Decision, Outcome, Verdict};

/// An incident as a possible lead of a bundle.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct BundleLead {
    pub(crate) id: IncidentId,
    pub(crate) opened_at: Time,
    pub(crate) first_at: Time,
    pub(crate) environment: String,
    pub(crate) scopes: Vec<String>,
    pub(crate) services: Vec<String>,
    /// The decision it counts as towards the limits; `None`: a person asked for it, or it is beyond
    /// the limit already.
    pub(crate) counts_as: Option<Decision>,
    /// True if a person asked for the postmortem themselves.
    pub(crate) by_person: bool,
    /// True if its postmortem opens without an answer.
    pub(crate) held: bool,
}

impl BundleLead {
    /// The lead that an incident could be; `None` if no postmortem of it is wanted.
    pub(crate) fn from_incident(incident: &Incident) -> Option<Self> {
        let by_person = wanted_by_person(incident)?;
        let announced = incident.announced.as_ref();
        Some(Self {
            id: incident.id.clone(),
            opened_at: opened_at(incident),
            first_at: announced.map_or(incident.phase_since, |announced| announced.first_at),
            environment: opener(incident).map_or("", environment).to_owned(),
            scopes: scopes(incident).to_vec(),
            services: incident.services.clone(),
            counts_as: announced
                .filter(|announced| announced.limit.is_none())
                .map(|announced| announced.decision)
                .filter(|_| !by_person),
            by_person,
            held: incident.standing == ReviewState::Held,
        })
    }

    /// True if another began at about the same time, and shares a scope or is a dependency away.
    /// Two incidents without a scope count as sharing one, unless the postmortem of this one is open:
    /// nothing shows that it would cover the other.
    pub(crate) fn began_with(&self, other: &Self, policy: &Policy) -> bool {
        let within = TimeDelta::seconds(policy.limits.bundle_within);
        let depends = |service: &String| {
            let adjacent = |other: &String| policy.adjacent(service, other);
            other.services.iter().any(adjacent)
        };
        let scopeless = self.scopes.is_empty() && other.scopes.is_empty() && !self.held;
        (self.opened_at - other.opened_at).abs() <= within
            && self.environment == other.environment
            && (self.shares_scope(other) || scopeless || self.services.iter().any(depends))
    }

    pub(crate) fn shares_scope(&self, other: &Self) -> bool {
        self.scopes.iter().any(|scope| other.scopes.contains(scope))
    }
}

/// `Some` if a postmortem is wanted, and then true if a person asked for it themselves.
pub(crate) fn wanted_by_person(incident: &Incident) -> Option<bool> {
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
    let requested = |verdict: &Verdict| {
        verdict.on == CriterionKind::Request && verdict.outcome == Outcome::Met && !verdict.shadow
    };
    Some(accepted || incident.verdicts.iter().any(requested))
}
