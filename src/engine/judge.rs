//! Brings incidents in line with their groups: derives, decides, announces, and says when to look again.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;

use super::sweep::{Group, natural_id, natural_name};
use super::{Changes, InForce, State, Tracked, criteria, milestones, opener, sentence, signals};
use crate::model::Time;
use crate::model::event::{Answer, EventId, Fact, Severity};
use crate::model::incident::{
    Announced, CriterionKind, Decision, Incident, IncidentId, Joined, Member, Outcome, Phase, Reviewed, Standing, Verdict,
};

/// When to look at a stored incident again: at once, unless it is closed.
pub(super) fn due(incident: &Incident, group: &Group, force: &InForce, now: Time) -> Option<Time> {
    let (phase, _, _) = phase(group, force, now);
    (incident.phase != Phase::Closed || phase != Phase::Closed).then_some(now)
}

/// The phase at `now`, since when, and when it next changes if nothing happens.
fn phase(group: &Group, force: &InForce, now: Time) -> (Phase, Time, Option<Time>) {
    let began = group.opener().occurred_at;
    if group.is_open() {
        return (Phase::Active, began, None);
    }
    let rules = &force.rules.correlation;
    let resolved = group.last_activity + TimeDelta::seconds(rules.settle);
    let closed = group.last_activity + TimeDelta::seconds(rules.reopen_within.max(rules.settle));
    if now < resolved {
        (Phase::Active, began, Some(resolved))
    } else if now < closed {
        (Phase::Resolved, resolved, Some(closed))
    } else {
        (Phase::Closed, closed, None)
    }
}

/// Makes the incidents of `home` what its groups say.
pub(super) fn reconcile(state: &mut State, home: &str, force: &InForce, changes: &mut Changes) {
    let before = state.residents.remove(home).unwrap_or_default();
    let Some(hood) = state.neighbourhoods.get(home) else { return };
    let mut heirs: BTreeMap<IncidentId, usize> = BTreeMap::new();
    for (index, group) in hood.groups.iter().enumerate() {
        heirs.extend(group.members.iter().map(|member| (IncidentId(natural_name(&member.event)), index)));
    }
    // An incident lives on in the group that has the event it is named after; of two announced ones the first keeps its name.
    let mut names: BTreeMap<usize, (Time, IncidentId)> = BTreeMap::new();
    let mut moved: Vec<(IncidentId, usize)> = Vec::new();
    for id in &before {
        let Some(incident) = state.incidents.get(id).map(|tracked| &tracked.incident) else { continue };
        let Some(&index) = heirs.get(id) else { continue };
        moved.push((id.clone(), index));
        let Some(announced) = &incident.announced else { continue };
        let name = (announced.at, id.clone());
        let held = names.entry(index).or_insert_with(|| name.clone());
        *held = name.min(held.clone());
    }
    let ids: Vec<IncidentId> =
        hood.groups.iter().enumerate().map(|(i, g)| names.get(&i).map_or_else(|| natural_id(g), |(_, id)| id.clone())).collect();
    let stale: Vec<usize> = (0..ids.len())
        .filter(|&index| {
            let group = &hood.groups[index];
            let Some(incident) = state.incidents.get(&ids[index]).map(|tracked| &tracked.incident) else { return true };
            let (context, members): (Vec<&Member>, Vec<&Member>) =
                incident.members.iter().partition(|member| member.reason == Joined::Context);
            !members.into_iter().eq(&group.members)
                || !context.iter().map(|member| &member.event.id).eq(hood.context(group).map(|event| &event.id))
        })
        .collect();
    let residents: BTreeSet<IncidentId> = ids.iter().cloned().collect();
    for id in before.difference(&residents) {
        let heir = moved.iter().find(|(moved, _)| moved == id).map(|(_, index)| ids[*index].clone());
        if let Some(tracked) = state.incidents.remove(id) {
            state.timers.extend(tracked.due.map(|due| (due, id.clone())));
            state.timers.retain(|(_, timed)| timed != id);
        }
        changes.removed.insert(id.clone(), heir);
    }
    state.residents.insert(home.to_owned(), residents);
    for index in stale {
        changes.removed.remove(&ids[index]);
        derive(state, home, index, ids[index].clone(), force, changes);
    }
}

/// Decides one incident again at the state's now.
pub(super) fn rejudge_one(state: &mut State, id: &IncidentId, force: &InForce, changes: &mut Changes) {
    let place = state.incidents.get(id).and_then(|tracked| opener(&tracked.incident)).and_then(|first| {
        let home = state.known.get(&first.id)?;
        let groups = &state.neighbourhoods.get(home)?.groups;
        let index = groups.iter().position(|group| group.opener().id == first.id)?;
        Some((home.clone(), index))
    });
    match place {
        Some((home, index)) => derive(state, &home, index, id.clone(), force, changes),
        None => state.timers.retain(|(_, timed)| timed != id),
    }
}

fn derive(state: &mut State, home: &str, index: usize, id: IncidentId, force: &InForce, changes: &mut Changes) {
    let now = state.now;
    let Some(hood) = state.neighbourhoods.get(home) else { return };
    let Some(group) = hood.groups.get(index) else { return };
    let context = hood.context(group).map(|event| Member { event: event.clone(), reason: Joined::Context }).collect();
    let previous = state.incidents.get(&id).map(|tracked| &tracked.incident);
    let (mut incident, mut due) = incident(id.clone(), group, context, previous, force, now);
    let (verdicts, crossing) = criteria::verdicts(&incident, &state.incidents, force, now);
    due = due.into_iter().chain(crossing).min();
    incident.decision = decide(&verdicts, incident.phase);
    incident.verdicts = verdicts;
    announce(&mut incident, now);
    incident.reason = sentence::reason(&incident);
    if let Some(previous) = previous {
        let changed = seen(previous) != seen(&incident);
        incident.revision = previous.revision + u64::from(changed);
    }
    if previous != Some(&incident) {
        changes.changed.insert(id.clone());
    }
    if let Some(old) = state.incidents.get(&id).and_then(|tracked| tracked.due) {
        state.timers.remove(&(old, id.clone()));
    }
    state.timers.extend(due.map(|due| (due, id.clone())));
    state.incidents.insert(id, Tracked { incident, due });
}

/// What a person who answers has looked at: when none of it changes, their answer still fits.
fn seen(incident: &Incident) -> impl PartialEq + '_ {
    let outcomes: Vec<(&str, Outcome)> = incident.verdicts.iter().map(|v| (v.criterion.as_str(), v.outcome)).collect();
    (&incident.services, incident.phase, incident.decision, &incident.announced, &incident.review, outcomes)
}

/// Everything but the verdicts, and when the phase or a maintenance window next changes something.
fn incident(
    id: IncidentId,
    group: &Group,
    context: Vec<Member>,
    previous: Option<&Incident>,
    force: &InForce,
    now: Time,
) -> (Incident, Option<Time>) {
    let opener = group.opener();
    let mut services: Vec<String> = Vec::new();
    for service in group.members.iter().filter_map(|member| member.event.service.as_ref()) {
        if !services.contains(service) {
            services.push(service.clone());
        }
    }
    let signals = signals::signals(&group.members, force);
    let (phase, phase_since, phase_due) = phase(group, force, now);
    let planned = force.maintenance.iter().flat_map(|window| [window.from, window.to]).filter(|&edge| edge > now && group.is_open());
    let due = phase_due.into_iter().chain(planned).min();
    let severity = signals.iter().map(|signal| signal.severity).chain(stated_severities(&group.members)).max().unwrap_or_default();
    let incident = Incident {
        id,
        revision: 1,
        title: sentence::title(opener),
        unassigned: if opener.service.is_none() { super::unassigned_key(opener) } else { None },
        scope: force.owners(&services),
        services,
        severity,
        environment: opener.environment.clone(),
        milestones: milestones::milestones(&group.members, &signals, phase, group.last_activity),
        phase,
        phase_since,
        signals,
        members: context.into_iter().chain(group.members.iter().cloned()).collect(),
        verdicts: Vec::new(),
        decision: Decision::None,
        announced: previous.and_then(|incident| incident.announced.clone()),
        review: review(&group.members, previous),
        standing: Standing::None,
        reason: String::new(),
        bundle: None,
    };
    (incident, due)
}

fn stated_severities(members: &[Member]) -> impl Iterator<Item = Severity> + '_ {
    members.iter().filter_map(|member| match &member.event.fact {
        Fact::NearMiss(near_miss) => Some(near_miss.severity),
        _ => None,
    })
}

/// The last answer among the members. What had been announced by then is kept from when it was given.
fn review(members: &[Member], previous: Option<&Incident>) -> Option<Reviewed> {
    let (event, review) = members.iter().rev().find_map(|member| match &member.event.fact {
        Fact::Review(review) => Some((&member.event, review)),
        _ => None,
    })?;
    let known = previous.and_then(|incident| incident.review.as_ref()).filter(|known| known.at == event.occurred_at);
    let announced = previous.and_then(|incident| incident.announced.as_ref()).map(|announced| announced.decision);
    Some(Reviewed {
        answer: review.answer,
        at: event.occurred_at,
        by: event.actor.as_ref().map(|actor| actor.id.clone()),
        comment: review.comment.clone(),
        decision: known.map(|known| known.decision).or(announced).unwrap_or_default(),
    })
}

/// The strongest verdict wins; at resolution an unknown one of a criterion that counts becomes a suggestion.
fn decide(verdicts: &[Verdict], phase: Phase) -> Decision {
    let weight = |verdict: &Verdict| match verdict.outcome {
        _ if verdict.shadow => Decision::None,
        Outcome::Met => verdict.decision,
        Outcome::Unknown if phase >= Phase::Resolved => verdict.decision.min(Decision::Suggest),
        Outcome::Unknown | Outcome::NotMet => Decision::None,
    };
    verdicts.iter().map(weight).max().unwrap_or_default()
}

/// What was made known rises by rule and falls only by a person.
fn announce(incident: &mut Incident, now: Time) {
    let standing = incident.announced.as_ref().map_or(Decision::None, |announced| announced.decision);
    if incident.decision > standing && may_return(incident) {
        let reasons: Vec<&Verdict> = incident
            .verdicts
            .iter()
            .filter(|verdict| !verdict.shadow && verdict.outcome != Outcome::NotMet && verdict.decision >= incident.decision)
            .collect();
        incident.announced = Some(Announced {
            decision: incident.decision,
            at: now,
            criteria: reasons.iter().map(|verdict| verdict.criterion.clone()).collect(),
            sentence: sentence::announcement(&reasons, incident.review.as_ref()),
        });
    } else if let Some(announced) = &mut incident.announced
        && dismissed(incident.review.as_ref()).is_some_and(|review| review.at >= announced.at)
        && let Some(request) = later_request(&incident.verdicts, &incident.members, incident.review.as_ref())
    {
        announced.at = now;
        announced.criteria = vec![request.criterion.clone()];
        announced.decision = announced.decision.max(request.decision);
        announced.sentence = sentence::announcement(&[request], incident.review.as_ref());
    }
    incident.standing = stand(incident);
}

fn dismissed(review: Option<&Reviewed>) -> Option<&Reviewed> {
    review.filter(|review| matches!(review.answer, Answer::Dismiss { .. }))
}

/// After a dismissal only a higher decision comes back.
fn may_return(incident: &Incident) -> bool {
    dismissed(incident.review.as_ref()).is_none_or(|review| incident.decision > review.decision)
}

/// A met request that came after the dismissal.
fn later_request<'a>(verdicts: &'a [Verdict], members: &[Member], review: Option<&Reviewed>) -> Option<&'a Verdict> {
    let since = review?.at;
    verdicts.iter().find(|verdict| {
        let newer = |id: &EventId| members.iter().any(|member| member.event.id == *id && member.event.occurred_at > since);
        verdict.on == CriterionKind::Request && verdict.outcome == Outcome::Met && !verdict.shadow && verdict.evidence.iter().any(newer)
    })
}

fn stand(incident: &Incident) -> Standing {
    let Some(announced) = &incident.announced else { return Standing::None };
    match &incident.review {
        Some(review) if matches!(review.answer, Answer::Accept) => Standing::Held,
        // A decision that rose, or was asked for again, after the answer stands anew.
        Some(review) if review.at >= announced.at => match review.answer {
            Answer::Dismiss { .. } => Standing::Dismissed,
            Answer::Snooze { .. } if announced.decision == Decision::Suggest => Standing::Snoozed,
            _ => Standing::Held,
        },
        _ if announced.decision == Decision::Hold => Standing::Held,
        _ => Standing::Suggested,
    }
}
