//! The milestones of an incident, each with its certainty. Unknown ones stay absent.

use std::collections::BTreeSet;

use chrono::TimeDelta;

use super::attributes::has_unknown_end;
use super::signals;
use crate::model::correction::Correction;
use crate::model::event::{ActorKind, AlertStatus, Event, Fact};
use crate::model::id::{EventId, Subject};
use crate::model::lifecycle::Phase;
use crate::model::member::{Member, Members};
use crate::model::milestone::{Certainty, Milestone, MilestoneKind, Milestones};
use crate::model::signal::{Signal, SignalKind};
use crate::model::spans::{Span, SpanState};
use crate::model::time::Time;

/// Derives the milestones; a statement by a person takes precedence over a measured time, and that
/// over an inferred one. `acted` gives the kind of actor of an event.
pub(crate) fn milestones(
    members: &Members,
    signals: &[Signal],
    rollbacks: &[EventId],
    phase: Phase,
    last_activity: Time,
    acted: &dyn Fn(&Event) -> Option<ActorKind>,
) -> Milestones {
    let stated = |kind| stated(members, kind);
    Milestones {
        began: stated(MilestoneKind::Began).or_else(|| began(members, signals)),
        detected: stated(MilestoneKind::Detected).or_else(|| detected(members)),
        acknowledged: stated(MilestoneKind::Acknowledged)
            .or_else(|| acknowledged(members, rollbacks, acted)),
        mitigated: stated(MilestoneKind::Mitigated).or_else(|| mitigated(signals)),
        resolved: stated(MilestoneKind::Resolved)
            .or_else(|| resolved(members, signals, phase, last_activity)),
    }
}

fn milestone(at: Time, certainty: Certainty, event: &Event) -> Milestone {
    Milestone {
        at,
        certainty,
        source: Some(event.id),
    }
}

fn stated(members: &Members, wanted: MilestoneKind) -> Option<Milestone> {
    members
        .non_alerts()
        .rev()
        .find_map(|Member { event, .. }| match &event.fact {
            Fact::Edit(Correction::Milestone {
                milestone: kind,
                at,
                ..
            }) if *kind == wanted => Some(milestone(*at, Certainty::Stated, event)),
            _ => None,
        })
}

/// The time from which users felt it: as measured by a metric, else by an alert whose `for` is
/// known, unless a declaration names an earlier time. Declarations come late, so a later one says
/// nothing of the beginning; an alert whose `for` is unknown only tells when it was noticed.
fn began(members: &Members, signals: &[Signal]) -> Option<Milestone> {
    let known_onsets = known_onsets(members);
    let of = |kind: SignalKind, certainty| {
        let onset_known =
            |signal: &Signal| kind != SignalKind::Alert || known_onsets.contains(&signal.subject);
        let known = signals
            .iter()
            .filter(|signal| signal.kind == kind && onset_known(signal));
        let first = known
            .filter_map(|signal| felt(signal).next().map(|span| (span.start, signal)))
            .min_by_key(|(at, _)| *at);
        first.map(|(at, signal)| Milestone {
            at,
            certainty,
            source: Some(signal.event),
        })
    };
    let measured = of(SignalKind::Condition, Certainty::Measured)
        .or_else(|| of(SignalKind::Alert, Certainty::Measured));
    let declared = of(SignalKind::Declaration, Certainty::Stated);
    measured
        .into_iter()
        .chain(declared)
        .min_by_key(|milestone| milestone.at)
}

/// The spans that users felt: a signal on a cause only explains, and an instant has no length.
fn felt(signal: &Signal) -> impl Iterator<Item = &Span> {
    let counts = signal.role.as_deref() != Some("cause");
    let lasts = |span: &Span| {
        span.end
            .is_none_or(|end| end - span.start > TimeDelta::milliseconds(1))
    };
    signal
        .spans
        .iter()
        .filter(move |span| counts && span.state == SpanState::Degraded && lasts(span))
}

/// The alerts whose `for` is known, and with it their onset.
fn known_onsets(members: &Members) -> BTreeSet<&Subject> {
    let known = members.iter().filter(
        |member| matches!(&member.event.fact, Fact::Alert(alert) if alert.pending_for.is_some()),
    );
    known.map(|member| &member.event.subject).collect()
}

fn detected(members: &Members) -> Option<Milestone> {
    members
        .iter()
        .find_map(|Member { event, .. }| match &event.fact {
            Fact::Alert(alert) => Some(milestone(
                signals::began(event, alert),
                Certainty::Measured,
                event,
            )),
            Fact::Condition(_) => Some(milestone(event.occurred_at, Certainty::Measured, event)),
            Fact::Declaration(declaration) if declaration.planned => None,
            Fact::Declaration(_) | Fact::NearMiss(_) | Fact::Request(_) => {
                Some(milestone(event.occurred_at, Certainty::Stated, event))
            }
            Fact::Intervention(step) if step.stated => {
                Some(milestone(event.occurred_at, Certainty::Stated, event))
            }
            _ => None,
        })
}

fn acknowledged(
    members: &Members,
    rollbacks: &[EventId],
    acted: &dyn Fn(&Event) -> Option<ActorKind>,
) -> Option<Milestone> {
    let human = |event: &Event| acted(event).is_some_and(|kind| kind != ActorKind::Robot);
    let person = |event: &Event| acted(event) == Some(ActorKind::Human);
    members
        .non_alerts()
        .find_map(|Member { event, .. }| match &event.fact {
            Fact::Acknowledgement(_) if human(event) => {
                Some(milestone(event.occurred_at, Certainty::Stated, event))
            }
            // Acting on an incident acknowledges it.
            Fact::Intervention(_) if human(event) => {
                Some(milestone(event.occurred_at, Certainty::Inferred, event))
            }
            Fact::Change(_) if person(event) && rollbacks.contains(&event.id) => {
                Some(milestone(event.occurred_at, Certainty::Inferred, event))
            }
            _ => None,
        })
}

/// The end of the last degraded span, once none lasts and nothing after it is unknown. Metrics take
/// precedence over alerts.
fn mitigated(signals: &[Signal]) -> Option<Milestone> {
    let felt_signals = |kind: Option<SignalKind>| -> Vec<&Signal> {
        signals
            .iter()
            .filter(|signal| {
                kind.is_none_or(|kind| signal.kind == kind) && felt(signal).next().is_some()
            })
            .collect()
    };
    let measured = felt_signals(Some(SignalKind::Condition));
    let deciding = if measured.is_empty() {
        felt_signals(None)
    } else {
        measured
    };
    let mut last: Option<(Time, &Signal)> = None;
    for signal in deciding {
        for span in signal
            .spans
            .iter()
            .filter(|span| span.state == SpanState::Degraded || span.state == SpanState::Unknown)
        {
            let end = span.end?;
            if span.state == SpanState::Degraded && last.is_none_or(|(latest, _)| end > latest) {
                last = Some((end, signal));
            }
        }
    }
    let (at, signal) = last?;
    let certainty = if signal.kind == SignalKind::Declaration {
        Certainty::Stated
    } else {
        Certainty::Measured
    };
    Some(Milestone {
        at,
        certainty,
        source: Some(signal.event),
    })
}

/// The end of the incident: that of the last declaration, else of the last activity; absent while a
/// signal is unknown.
fn resolved(
    members: &Members,
    signals: &[Signal],
    phase: Phase,
    last_activity: Time,
) -> Option<Milestone> {
    if phase < Phase::Resolved {
        return None;
    }
    let declared = members
        .non_alerts()
        .rev()
        .find_map(|Member { event, .. }| match &event.fact {
            Fact::Declaration(end)
                if end.status == AlertStatus::Resolved
                    && !end.planned
                    && !members.closes_an_instant(event) =>
            {
                Some(event)
            }
            _ => None,
        });
    if let Some(event) = declared.filter(|event| event.occurred_at == last_activity) {
        return Some(milestone(last_activity, Certainty::Stated, event));
    }
    let inferred = Milestone {
        at: last_activity,
        certainty: Certainty::Inferred,
        source: None,
    };
    (!signals.iter().any(has_unknown_end)).then_some(inferred)
}
