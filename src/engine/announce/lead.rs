//! Bundle leads: incidents that are announced for themselves and for those bundled with them.

use crate::engine::environment::environment;
use crate::engine::incident::attributes::{opened_at, opener, scopes};
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
    /// The decision it counts as towards the limits; `None`: a person asked for it.
    pub(crate) counts_as: Option<Decision>,
    /// True if a person asked for the postmortem themselves.
    pub(crate) by_person: bool,
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
            counts_as: announced
                .map(|announced| announced.decision)
                .filter(|_| !by_person),
            by_person,
        })
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
