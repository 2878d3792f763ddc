//! The competition of near misses: once a scope is quiet, each period that begins with a near miss
//! ends with the suggestion of the best one.

use chrono::TimeDelta;

use super::context::EvaluationContext;
use super::near_miss_score::{ScoredNearMiss, best_near_miss};
use crate::engine::incident::attributes::{scopes, was_degraded};
use crate::engine::incident::tracked::TrackedIncidents;
use crate::engine::policy::Policy;
use crate::model::correction::Answer;
use crate::model::id::IncidentId;
use crate::model::incident::Incident;
use crate::model::lifecycle::ReviewState;
use crate::model::time::Time;
use crate::model::verdict::{Decision, Verdict};
use crate::rules::rule_set::{Criterion, CriterionTest};

/// The parameters of a near-miss criterion.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NearMissQuota {
    pub(crate) score_at_least: f64,
    /// The time without a postmortem in the scope that makes it quiet.
    pub(crate) quiet_for: TimeDelta,
    /// The number of near misses suggested each period.
    pub(crate) most: u32,
    pub(crate) period: TimeDelta,
}

/// A near miss of the scope that competes for a suggestion.
struct Competitor {
    at: Time,
    score: f64,
    id: IncidentId,
    what: String,
}

/// Result of the competition for an incident's near miss, in its period.
pub(crate) enum Competition {
    /// It is too close to a postmortem, on `held`.
    NotQuiet { held: String, quiet_from: Time },
    /// Until `ends_at` a better one may come.
    Open { ends_at: Time, rivals: usize },
    /// It is suggested.
    Won { rivals: usize },
    /// Another one is suggested.
    Lost { to: String, score: f64 },
}

/// The competition of an incident's near miss in the period that it falls into.
pub(crate) fn competition(
    context: &EvaluationContext<'_>,
    criterion: &Criterion,
    best: &ScoredNearMiss,
    quota: &NearMissQuota,
) -> Competition {
    let EvaluationContext {
        incident,
        others,
        policy,
        now,
        ..
    } = *context;
    let length = quota.period;
    let scope = others.index().in_scopes(scopes(incident), &incident.id);
    let mut rivals: Vec<Competitor> = scope
        .iter()
        .filter_map(|id| others.get(id))
        // An answer takes a near miss out, and so does another reason for a postmortem.
        .filter(|other| {
            other.review.is_none()
                && !announced_by_others(other, criterion)
                && !other.signals.iter().any(was_degraded)
        })
        .filter_map(|other| {
            let context = EvaluationContext::new(other, others, policy, now);
            let near = best_near_miss(&context, criterion)?;
            (near.score >= quota.score_at_least).then(|| Competitor {
                at: near.at,
                score: near.score,
                id: other.id.clone(),
                what: near.what,
            })
        })
        .collect();
    let held: Vec<(Time, &str)> = scope
        .iter()
        .filter_map(|id| held_since(others.get(id)?))
        .collect();
    rivals.push(Competitor {
        at: best.at,
        score: best.score,
        id: incident.id.clone(),
        what: best.what.clone(),
    });
    rivals.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
    let mut period_end = None;
    for rival in &rivals {
        if period_end.is_some_and(|end| rival.at <= end) {
            continue;
        }
        // A near miss begins a period if the scope is quiet when that would end.
        let end = rival.at + length;
        let last = held.iter().filter(|(held, _)| *held < end).max();
        let quiet_from = last.map(|(held, _)| *held + quota.quiet_for);
        if let (Some((_, held)), Some(quiet_from)) = (last, quiet_from.filter(|from| *from > end)) {
            if rival.id == incident.id {
                return Competition::NotQuiet {
                    held: (*held).to_owned(),
                    quiet_from,
                };
            }
            continue;
        }
        period_end = Some(end);
        if best.at <= end {
            break;
        }
    }
    let Some(ends_at) = period_end else {
        return Competition::Open {
            ends_at: best.at + length,
            rivals: 1,
        };
    };
    let mut contest: Vec<&Competitor> = rivals
        .iter()
        .filter(|rival| ends_at - length <= rival.at && rival.at <= ends_at)
        .collect();
    if now < ends_at {
        return Competition::Open {
            ends_at,
            rivals: contest.len(),
        };
    }
    contest.sort_by(|a, b| {
        b.score
            .total_cmp(&a.score)
            .then(b.at.cmp(&a.at))
            .then(a.id.cmp(&b.id))
    });
    let most = usize::try_from(quota.most).unwrap_or(usize::MAX);
    match contest.iter().position(|rival| rival.id == incident.id) {
        Some(place) if place >= most => Competition::Lost {
            to: contest[0].what.clone(),
            score: contest[0].score,
        },
        _ => Competition::Won {
            rivals: contest.len(),
        },
    }
}

/// True if an incident was announced, but not by this criterion.
fn announced_by_others(incident: &Incident, criterion: &Criterion) -> bool {
    incident
        .announced
        .as_ref()
        .is_some_and(|announced| !announced.criteria.contains(&criterion.name))
}

/// The time from which an incident's postmortem counts as held, and the incident's title.
fn held_since(incident: &Incident) -> Option<(Time, &str)> {
    let announced = incident
        .announced
        .as_ref()
        .filter(|_| incident.standing == ReviewState::Held)?;
    let accepted = incident
        .review
        .as_ref()
        .filter(|review| review.answer == Answer::Accept)
        .map(|review| review.at);
    Some((
        accepted.unwrap_or(announced.at).max(announced.at),
        &incident.title,
    ))
}

/// True if only near misses lead to the decision, and others have used up their quotas: a late event
/// may make one the best of a period for which another was suggested.
pub(crate) fn quota_is_used(
    incident: &Incident,
    others: &TrackedIncidents,
    policy: &Policy,
    now: Time,
) -> bool {
    // What is still unknown in an open incident leads to nothing yet.
    let leads = |verdict: &&Verdict| {
        let decision = verdict.leads_to(incident.phase);
        !verdict.shadow && decision > Decision::None && decision >= incident.decision
    };
    let mut names = incident
        .verdicts
        .iter()
        .filter(leads)
        .map(|verdict| verdict.criterion.as_str());
    let quota = |name: &str| {
        policy
            .rules
            .criteria
            .iter()
            .find(|criterion| criterion.name == name)
            .and_then(|criterion| match criterion.test {
                CriterionTest::NearMiss { at_most, .. } => Some(at_most),
                _ => None,
            })
    };
    names.all(|name| {
        let Some((most, length)) = quota(name) else {
            return false;
        };
        let announced = others
            .index()
            .in_scopes(scopes(incident), &incident.id)
            .into_iter()
            .filter_map(|id| others.get(id)?.announced.as_ref());
        let used = announced.filter(|announced| {
            announced.criteria.iter().any(|criterion| criterion == name)
                && now - announced.first_at <= TimeDelta::seconds(length)
        });
        used.count() >= usize::try_from(most).unwrap_or(usize::MAX)
    })
}
