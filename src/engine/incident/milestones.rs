//! The milestones of an incident, each with its certainty. Unknown ones stay absent.

use std::collections::BTreeSet;

use chrono::TimeDelta;

use super::attributes::has_unknown_end;
use super::signals;
use crate::engine::correlation::activity::activity;
use crate::model::correction::Correction;
use crate::model::event::{ActorKind, AlertStatus, Event, Fact};
use crate::model::id::{EventId, Subject};
use crate::model::member::{JoinReason, Member, Members};
use crate::model::milestone::{Certainty, Milestone, MilestoneKind, Milestones};
use crate::model::signal::{Signal, SignalKind};
use crate::model::spans::{Span, SpanState};
use crate::model::time::Time;

/// Derives the milestones; a statement by a person takes precedence over a measured time, and that
/// over an inferred one. `acted` gives the kind of actor of an event; `ended` is the end of the last
/// activity, once the incident is resolved.
pub(crate) fn milestones(
    members: &Members,
    signals: &[Signal],
    rollbacks: &[EventId],
    ended: Option<Time>,
    settle: TimeDelta,
    acted: &dyn Fn(&Event) -> Option<ActorKind>,
) -> Milestones {
    let stated = |kind| stated(members, kind);
    let began = stated(MilestoneKind::Began).or_else(|| began(members, signals));
    let onset = began.as_ref().map(|began| began.at);
    Milestones {
        detected: stated(MilestoneKind::Detected).or_else(|| detected(members, signals, onset)),
        began,
        acknowledged: stated(MilestoneKind::Acknowledged)
            .or_else(|| acknowledged(members, rollbacks, acted)),
        mitigated: stated(MilestoneKind::Mitigated).or_else(|| mitigated(signals)),
        resolved: stated(MilestoneKind::Resolved).or_else(|| {
            resolved(
                members,
                signals,
                end_of_trouble(members, signals, settle, ended?),
            )
        }),
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

/// The time from which users felt it: as first measured by a metric or by an alert whose `for` is
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
    [
        of(SignalKind::Condition, Certainty::Measured),
        of(SignalKind::Alert, Certainty::Measured),
        of(SignalKind::Declaration, Certainty::Stated),
    ]
    .into_iter()
    .flatten()
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

/// The first sign of it. What was over before it began, as an earlier near miss, was no sign of it.
fn detected(members: &Members, signals: &[Signal], began: Option<Time>) -> Option<Milestone> {
    let was_over = |event: &Event, began: Time| {
        let active = match &event.fact {
            Fact::Alert(_) | Fact::Condition(_) => activity(event) == Some(true),
            _ => return false,
        };
        let signal = || {
            signals
                .iter()
                .find(|signal| signal.subject == event.subject)
        };
        let end = || unbroken_end(signal()?, event.occurred_at);
        event.occurred_at < began && (!active || end().is_some_and(|end| end < began))
    };
    let signs = || members.iter().map(|member| &*member.event);
    let first = signs()
        .filter(|event| began.is_none_or(|began| !was_over(event, began)))
        .find_map(sign);
    first.or_else(|| signs().find_map(sign))
}

/// The time at which an event shows that something is wrong.
fn sign(event: &Event) -> Option<Milestone> {
    match &event.fact {
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
    }
}

/// The end of the spans that follow one another without a gap from the one at `at` on; `None` where
/// there is none, or it lasts.
fn unbroken_end(signal: &Signal, at: Time) -> Option<Time> {
    let mut spans = signal
        .spans
        .iter()
        .skip_while(|span| span.end.is_some_and(|end| end <= at));
    let mut end = spans.next().filter(|span| span.start <= at)?.end?;
    for span in spans {
        if span.start > end {
            break;
        }
        end = span.end?;
    }
    Some(end)
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

/// The end of the last degraded span, once none lasts and nothing after it is unknown. What people
/// declared decides only where nothing was measured: its end is often entered late. That an alert's
/// end is unknown does not matter where metrics tell it.
fn mitigated(signals: &[Signal]) -> Option<Milestone> {
    let felt_signals = |kinds: &[SignalKind]| -> Vec<&Signal> {
        let of_kind = |signal: &&Signal| kinds.contains(&signal.kind);
        let felt = |signal: &&Signal| felt(signal).next().is_some();
        signals.iter().filter(of_kind).filter(felt).collect()
    };
    let by_metrics = !felt_signals(&[SignalKind::Condition]).is_empty();
    let measured = felt_signals(&[SignalKind::Condition, SignalKind::Alert]);
    let deciding = if measured.is_empty() {
        felt_signals(&[SignalKind::Declaration])
    } else {
        measured
    };
    let mut last: Option<(Time, &Signal)> = None;
    for signal in deciding {
        let may_be_unknown = by_metrics && signal.kind == SignalKind::Alert;
        for span in &signal.spans {
            match (span.state, span.end) {
                (SpanState::Degraded, end) => {
                    let end = end?;
                    if last.is_none_or(|(latest, _)| end > latest) {
                        last = Some((end, signal));
                    }
                }
                (SpanState::Unknown, None) if !may_be_unknown => return None,
                _ => {}
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

/// The end of the last activity, without near misses and unknown time of conditions that came once the
/// degraded time had been over for `settle`: these are other trouble, and moved no end.
fn end_of_trouble(
    members: &Members,
    signals: &[Signal],
    settle: TimeDelta,
    last_activity: Time,
) -> Time {
    let ends = signals.iter().flat_map(felt).map(|span| span.end);
    let Some(Some(mut end)) = ends.max_by_key(|end| end.unwrap_or(Time::MAX_UTC)) else {
        return last_activity;
    };
    let measured = signals.iter().flat_map(|signal| &signal.spans);
    let reported = members
        .non_alerts()
        .filter(|member| matches!(member.event.fact, Fact::NearMiss(_)))
        .map(|member| (member.event.occurred_at, member.event.occurred_at));
    let mut later: Vec<(Time, Time)> = measured
        .filter(|span| matches!(span.state, SpanState::NearMiss | SpanState::Unknown))
        .map(|span| (span.start, span.end.unwrap_or(Time::MAX_UTC)))
        .chain(reported)
        .collect();
    later.sort_unstable();
    let apart = later.into_iter().find(|(start, until)| {
        let apart = *start - end > settle;
        if !apart {
            end = end.max(*until);
        }
        apart
    });
    let Some((apart, _)) = apart else {
        return last_activity;
    };
    let is_apart = |event: &Event| {
        matches!(event.fact, Fact::NearMiss(_) | Fact::Condition(_))
            && signals::onset(event) >= apart
    };
    members
        .iter()
        .filter(|member| member.reason != JoinReason::Context)
        .map(|member| &*member.event)
        .filter(|event| activity(event).is_some() && !matches!(event.fact, Fact::Request(_)))
        .filter(|event| !is_apart(event))
        .map(|event| event.occurred_at)
        .max()
        .unwrap_or(last_activity)
}

/// The end of the incident: that of the last declaration, else of the last activity; absent while a
/// signal is unknown.
fn resolved(members: &Members, signals: &[Signal], last_activity: Time) -> Option<Milestone> {
    let declared = members
        .non_alerts()
        .rev()
        .find_map(|Member { event, .. }| match &event.fact {
            Fact::Declaration(end)
                if end.status == AlertStatus::Resolved
                    && !end.planned
                    && !members.closes_zero_length_declaration(event) =>
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
