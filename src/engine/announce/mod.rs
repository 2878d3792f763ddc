//! Announcements: decisions made known about an incident, and the state that people's answers leave.

pub(crate) mod bundle;
pub(crate) mod explanation;
pub(crate) mod lead;
pub(crate) mod limit;
mod review_state;

use super::criteria::near_miss_quota;
use super::incident::tracked::TrackedIncidents;
use super::policy::Policy;
use crate::model::correction::{Answer, Correction};
use crate::model::event::Fact;
use crate::model::id::EventId;
use crate::model::incident::{Announced, Incident, Reviewed};
use crate::model::lifecycle::Phase;
use crate::model::member::Members;
use crate::model::time::Time;
use crate::model::verdict::{CriterionKind, Decision, Outcome, PostmortemForm, Verdict};
use limit::is_limited;
use review_state::review_state;

/// The last answer among the members, with the decision that was announced when it was given.
pub(crate) fn review(members: &Members, previous: Option<&Incident>) -> Option<Reviewed> {
    let (event, review) =
        members
            .non_alerts()
            .rev()
            .find_map(|member| match &member.event.fact {
                Fact::Review(review) => Some((&member.event, review)),
                _ => None,
            })?;
    let known = previous
        .and_then(|incident| incident.review.as_ref())
        .filter(|known| known.at == event.occurred_at);
    let announced = previous
        .and_then(|incident| incident.announced.as_ref())
        .map(|announced| announced.decision);
    Some(Reviewed {
        answer: review.answer,
        at: event.occurred_at,
        by: event.actor.as_ref().map(|actor| actor.id.clone()),
        comment: review.comment.clone(),
        decision: known
            .map(|known| known.decision)
            .or(announced)
            .unwrap_or_default(),
    })
}

/// The decision of the strongest verdict; from resolution on, an unknown verdict counts as a
/// suggestion.
pub(crate) fn decide(verdicts: &[Verdict], phase: Phase) -> Decision {
    verdicts
        .iter()
        .filter(|verdict| !verdict.shadow)
        .map(|verdict| verdict.leads_to(phase))
        .max()
        .unwrap_or_default()
}

/// The heaviest form among the verdicts that lead to a postmortem, or led to its announcement.
pub(crate) fn form(incident: &Incident) -> Option<PostmortemForm> {
    let announced = |verdict: &Verdict| {
        incident
            .announced
            .as_ref()
            .is_some_and(|announced| announced.criteria.contains(&verdict.criterion))
    };
    let leads = |verdict: &Verdict| verdict.leads_to(incident.phase) > Decision::None;
    let verdicts = incident.verdicts.iter().filter(|verdict| !verdict.shadow);
    verdicts
        .filter(|verdict| leads(verdict) || announced(verdict))
        .map(|verdict| verdict.form)
        .max()
}

/// Raises the announced decision to that of the verdicts; only a person can lower it.
pub(crate) fn announce(
    incident: &mut Incident,
    others: &TrackedIncidents,
    policy: &Policy,
    now: Time,
) {
    withdraw_if_moved(incident);
    let announced = incident
        .announced
        .as_ref()
        .map_or(Decision::None, |announced| announced.decision);
    if incident.decision > announced
        && may_be_announced(incident)
        && !is_limited(incident)
        && !near_miss_quota::quota_is_used(incident, others, policy, now)
    {
        let reasons = reasons(incident);
        incident.announced = Some(Announced {
            decision: incident.decision,
            at: now,
            first_at: incident
                .announced
                .as_ref()
                .map_or(now, |announced| announced.first_at),
            criteria: reasons
                .iter()
                .map(|verdict| verdict.criterion.clone())
                .collect(),
            sentence: explanation::announcement(&reasons, incident.review.as_ref()),
            limit: None,
        });
    } else if let Some(announced) = &mut incident.announced
        && dismissed(incident.review.as_ref()).is_some_and(|review| review.at >= announced.at)
        && let Some(request) = later_request(
            &incident.verdicts,
            &incident.members,
            incident.review.as_ref(),
        )
    {
        announced.at = now;
        announced.criteria = vec![request.criterion.clone()];
        announced.decision = announced.decision.max(request.decision);
        announced.limit = None;
        announced.sentence = explanation::announcement(&[request], incident.review.as_ref());
    }
    incident.standing = review_state(incident);
}

/// The met verdicts that lead to the decision. Only where there are none do unknown ones lead to it,
/// as suggestions from resolution on.
fn reasons(incident: &Incident) -> Vec<&Verdict> {
    let leads = |verdict: &&Verdict| {
        !verdict.shadow && verdict.leads_to(incident.phase) >= incident.decision
    };
    let leading: Vec<&Verdict> = incident.verdicts.iter().filter(leads).collect();
    let is_met = |verdict: &&Verdict| verdict.outcome == Outcome::Met;
    let met: Vec<&Verdict> = leading.iter().copied().filter(is_met).collect();
    if met.is_empty() { leading } else { met }
}

/// Withdraws an announcement whose evidence a person has since moved to another incident, so that
/// it is decided again.
fn withdraw_if_moved(incident: &mut Incident) {
    let moved = incident
        .members
        .non_alerts()
        .filter(|member| matches!(member.event.fact, Fact::Edit(Correction::Move { .. })));
    let Some(moved_at) = moved.map(|member| member.event.occurred_at).max() else {
        return;
    };
    let decision = incident.decision;
    incident
        .announced
        .take_if(|announced| announced.at <= moved_at && announced.decision > decision);
}

fn dismissed(review: Option<&Reviewed>) -> Option<&Reviewed> {
    review.filter(|review| matches!(review.answer, Answer::Dismiss { .. }))
}

/// After a dismissal only a higher decision is announced again.
fn may_be_announced(incident: &Incident) -> bool {
    dismissed(incident.review.as_ref()).is_none_or(|review| incident.decision > review.decision)
}

/// A met request that was made after the dismissal.
fn later_request<'a>(
    verdicts: &'a [Verdict],
    members: &Members,
    review: Option<&Reviewed>,
) -> Option<&'a Verdict> {
    let since = review?.at;
    verdicts.iter().find(|verdict| {
        let newer = |id: &EventId| {
            members
                .non_alerts()
                .any(|member| member.event.id == *id && member.event.occurred_at > since)
        };
        verdict.on == CriterionKind::Request
            && verdict.outcome == Outcome::Met
            && !verdict.shadow
            && verdict.evidence.iter().any(newer)
    })
}
