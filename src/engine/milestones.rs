//! The turns of an incident, each with how it is known. What is not known stays absent.

use crate::model::Time;
use crate::model::event::{ActorKind, AlertStatus, Edit, Event, Fact};
use crate::model::incident::{Certainty, Member, Milestone, MilestoneKind, Milestones, Phase, Signal, SignalKind, SpanState};

/// Derives the milestones; a person's word comes before a machine's, and that before what follows from others.
pub(super) fn milestones(members: &[Member], signals: &[Signal], phase: Phase, last_activity: Time) -> Milestones {
    let stated = |kind| stated(members, kind);
    Milestones {
        began: stated(MilestoneKind::Began).or_else(|| began(members, signals)),
        detected: stated(MilestoneKind::Detected).or_else(|| detected(members)),
        acknowledged: stated(MilestoneKind::Acknowledged).or_else(|| acknowledged(members)),
        mitigated: stated(MilestoneKind::Mitigated).or_else(|| mitigated(signals)),
        resolved: stated(MilestoneKind::Resolved).or_else(|| resolved(members, phase, last_activity)),
    }
}

fn milestone(at: Time, certainty: Certainty, event: &Event) -> Milestone {
    Milestone { at, certainty, source: Some(event.id.clone()) }
}

fn stated(members: &[Member], wanted: MilestoneKind) -> Option<Milestone> {
    members.iter().rev().find_map(|Member { event, .. }| match &event.fact {
        Fact::Edit(Edit::Milestone { milestone: kind, at, .. }) if *kind == wanted => Some(milestone(*at, Certainty::Stated, event)),
        _ => None,
    })
}

/// When it began to be felt. An alert whose `for` is unknown only says when it was noticed.
fn began(members: &[Member], signals: &[Signal]) -> Option<Milestone> {
    let degraded = |signal: &Signal| signal.spans.iter().find(|span| span.state == SpanState::Degraded).map(|span| span.start);
    let of = |kind: SignalKind, certainty| {
        let known = signals.iter().filter(move |signal| signal.kind == kind && (kind != SignalKind::Alert || onset_known(members, signal)));
        let first = known.filter_map(|signal| degraded(signal).map(|at| (at, signal))).min_by_key(|(at, _)| *at);
        first.map(|(at, signal)| Milestone { at, certainty, source: Some(signal.event.clone()) })
    };
    of(SignalKind::Declaration, Certainty::Stated)
        .into_iter()
        .chain(of(SignalKind::Condition, Certainty::Measured))
        .chain(of(SignalKind::Alert, Certainty::Measured))
        .min_by_key(|milestone| milestone.at)
}

fn onset_known(members: &[Member], signal: &Signal) -> bool {
    members.iter().any(|member| match &member.event.fact {
        Fact::Alert(alert) => member.event.subject == signal.subject && alert.pending_for.is_some(),
        _ => false,
    })
}

fn detected(members: &[Member]) -> Option<Milestone> {
    members.iter().find_map(|Member { event, .. }| match &event.fact {
        Fact::Alert(alert) => Some(milestone(alert.starts_at, Certainty::Measured, event)),
        Fact::Condition(_) => Some(milestone(event.occurred_at, Certainty::Measured, event)),
        Fact::Declaration(_) | Fact::NearMiss(_) | Fact::Request(_) => Some(milestone(event.occurred_at, Certainty::Stated, event)),
        Fact::Intervention(step) if step.stated => Some(milestone(event.occurred_at, Certainty::Stated, event)),
        _ => None,
    })
}

fn acknowledged(members: &[Member]) -> Option<Milestone> {
    let human = |event: &Event| event.actor.as_ref().is_some_and(|actor| actor.kind != ActorKind::Robot);
    members.iter().find_map(|Member { event, .. }| match &event.fact {
        Fact::Acknowledgement(_) if human(event) => Some(milestone(event.occurred_at, Certainty::Stated, event)),
        // Whoever acts on it has taken it on.
        Fact::Intervention(_) if human(event) => Some(milestone(event.occurred_at, Certainty::Inferred, event)),
        _ => None,
    })
}

/// The end of the last degraded stretch, once none lasts and nothing after it is unknown.
fn mitigated(signals: &[Signal]) -> Option<Milestone> {
    let mut last: Option<(Time, &Signal)> = None;
    for signal in signals {
        for span in signal.spans.iter().filter(|span| span.state == SpanState::Degraded || span.state == SpanState::Unknown) {
            let end = span.end?;
            if span.state == SpanState::Degraded && last.is_none_or(|(latest, _)| end > latest) {
                last = Some((end, signal));
            }
        }
    }
    let (at, signal) = last?;
    let certainty = if signal.kind == SignalKind::Declaration { Certainty::Stated } else { Certainty::Measured };
    Some(Milestone { at, certainty, source: Some(signal.event.clone()) })
}

fn resolved(members: &[Member], phase: Phase, last_activity: Time) -> Option<Milestone> {
    if phase < Phase::Resolved {
        return None;
    }
    let declared = members.iter().rev().find_map(|Member { event, .. }| match &event.fact {
        Fact::Declaration(end) if end.status == AlertStatus::Resolved => Some(event),
        _ => None,
    });
    match declared {
        Some(event) if event.occurred_at == last_activity => Some(milestone(last_activity, Certainty::Stated, event)),
        _ => Some(Milestone { at: last_activity, certainty: Certainty::Inferred, source: None }),
    }
}
