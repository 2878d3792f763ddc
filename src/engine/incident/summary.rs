//! The parts of an incident that other incidents' verdicts and bundles rest on.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::attributes::{
    RecurrenceKey, StepKey, has_near_miss, opened_at, opener, opening_service, recurrence_keys,
    scopes, step_keys, was_degraded,
};
use crate::engine::announce::lead::{BundleLead, wanted_by_person};
use crate::model::id::EventId;
use crate::model::incident::Incident;
use crate::model::lifecycle::ReviewState;
use crate::model::time::Time;
use crate::model::verdict::{CriterionKind, Measure, Outcome, Verdict};

/// An extract of an incident: while it stays the same, no other incident is affected.
#[derive(Debug, Clone)]
pub(crate) struct IncidentSummary {
    pub(crate) recurrence_keys: BTreeSet<RecurrenceKey>,
    pub(crate) scopes: Vec<String>,
    pub(crate) opened_at: Time,
    /// The service of the opening event.
    pub(crate) opening_service: Option<Arc<str>>,
    /// The opening event, which other verdicts cite as evidence.
    pub(crate) opener: Option<EventId>,
    pub(crate) has_near_miss: bool,
    /// Time of its first announcement.
    pub(crate) first_at: Option<Time>,
    /// Once announced: [`wanted_by_person`], and the time of the last announcement.
    pub(crate) wanted: Option<(Option<bool>, Time)>,
    pub(crate) lead: Option<BundleLead>,
    pub(crate) near_misses: NearMissState,
    pub(crate) steps: StepState,
    /// The criteria that are met, but for recurrence and shadows.
    pub(crate) met: Vec<String>,
}

impl IncidentSummary {
    pub(crate) fn from_incident(incident: &Incident) -> Self {
        let announced = incident.announced.as_ref();
        Self {
            recurrence_keys: recurrence_keys(incident),
            scopes: scopes(incident).to_vec(),
            opened_at: opened_at(incident),
            opening_service: opening_service(incident),
            opener: opener(incident).map(|event| event.id),
            has_near_miss: has_near_miss(incident),
            first_at: announced.map(|announced| announced.first_at),
            wanted: announced.map(|announced| (wanted_by_person(incident), announced.at)),
            lead: BundleLead::from_incident(incident),
            near_misses: NearMissState::from_incident(incident),
            steps: StepState::from_incident(incident),
            met: met_criteria(&incident.verdicts)
                .map(str::to_owned)
                .collect(),
        }
    }
}

/// The criteria that are met, by which an incident may be like another.
pub(crate) fn met_criteria<'a>(
    verdicts: impl IntoIterator<Item = &'a Verdict>,
) -> impl Iterator<Item = &'a str> {
    let met = verdicts.into_iter().filter(|verdict| {
        verdict.outcome == Outcome::Met
            && !verdict.shadow
            && verdict.on != CriterionKind::Recurrence
    });
    met.map(|verdict| verdict.criterion.as_str())
}

/// The inputs that an incident contributes to the intervention verdicts of others.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct StepState {
    pub(crate) keys: BTreeSet<(StepKey, Time)>,
    /// By criterion: the steps counted, and those that may count.
    counts: Vec<(String, Option<Measure>)>,
}

impl StepState {
    fn from_incident(incident: &Incident) -> Self {
        let keys = step_keys(incident);
        let interventions = incident
            .verdicts
            .iter()
            .filter(|verdict| verdict.on == CriterionKind::Intervention && !keys.is_empty());
        let counts = interventions
            .map(|verdict| (verdict.criterion.clone(), verdict.measure))
            .collect();
        Self { keys, counts }
    }
}

/// The inputs that an incident contributes to the near-miss verdicts of its scopes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct NearMissState {
    /// By criterion: score and evidence.
    scores: Vec<(String, Option<f64>, Vec<EventId>)>,
    announced: Option<(Time, Vec<String>)>,
    review_state: ReviewState,
    answered: bool,
    degraded: bool,
    scopes: Vec<String>,
}

impl NearMissState {
    fn from_incident(incident: &Incident) -> Self {
        let near_misses = incident
            .verdicts
            .iter()
            .filter(|verdict| verdict.on == CriterionKind::NearMiss);
        let score = |verdict: &Verdict| {
            (
                verdict.criterion.clone(),
                verdict.measure.map(|measure| measure.lower),
                verdict.evidence.clone(),
            )
        };
        Self {
            scores: near_misses.map(score).collect(),
            announced: incident
                .announced
                .as_ref()
                .map(|announced| (announced.at, announced.criteria.clone())),
            review_state: incident.standing,
            answered: incident.review.is_some(),
            degraded: incident.signals.iter().any(was_degraded),
            scopes: scopes(incident).to_vec(),
        }
    }
}
