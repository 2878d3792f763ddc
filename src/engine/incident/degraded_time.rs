//! Degraded time of an incident under a criterion, taken twice: unknown as healthy and unknown as degraded.

use chrono::TimeDelta;

use super::intervals::{Interval, inside, longest, most_within, runs, union};
use crate::expr::truth::Truth;
use crate::model::id::EventId;
use crate::model::lifecycle::Phase;
use crate::model::signal::Signal;
use crate::model::spans::SpanState;
use crate::model::time::Time;

/// The stretches that count, with both readings of what is unknown.
#[derive(Debug, Clone, Default)]
pub(crate) struct DegradedTime {
    /// Surely degraded.
    pub(crate) lower: Vec<Interval>,
    /// Degraded for all we know.
    pub(crate) upper: Vec<Interval>,
    /// Whether a stretch that counts still lasts.
    pub(crate) lasting: bool,
    /// Whether one that may count still lasts.
    pub(crate) maybe_lasting: bool,
    /// When the next stretch begins that is still ahead, as a sender whose clock is ahead tells it.
    pub(crate) ahead: Option<Time>,
    /// The events behind the signals that count.
    pub(crate) evidence: Vec<EventId>,
    /// The first service that it was about.
    pub(crate) service: Option<String>,
}

/// Unites the signals for which `passes` holds, as of `now`. Unknown time does not outlast a closed incident, which was closed at `over`.
pub(crate) fn degraded<'a>(
    signals: impl Iterator<Item = (&'a Signal, Truth)>,
    phase: Phase,
    over: Time,
    now: Time,
) -> DegradedTime {
    let mut found = DegradedTime::default();
    for (signal, passes) in signals {
        if passes == Truth::False {
            continue;
        }
        let mut counted = false;
        for span in &signal.spans {
            let sure = span.state == SpanState::Degraded && passes == Truth::True;
            let maybe = matches!(span.state, SpanState::Degraded | SpanState::Unknown);
            if !maybe {
                continue;
            }
            if span.start > now {
                found.ahead = found.ahead.into_iter().chain([span.start]).min();
                continue;
            }
            counted = true;
            let lasts = if span.state == SpanState::Unknown && phase == Phase::Closed {
                over.max(span.start)
            } else {
                now
            };
            let stretch = Interval {
                start: span.start,
                end: span.end.unwrap_or(lasts).min(now),
            };
            let lasting = span.end.is_none_or(|end| end > now);
            found.upper.push(stretch);
            found.maybe_lasting |= lasting && phase < Phase::Closed;
            if sure {
                found.lower.push(stretch);
                found.lasting |= lasting;
            }
        }
        if counted {
            found.evidence.push(signal.event);
            found.service = found
                .service
                .or_else(|| signal.service.as_deref().map(str::to_owned));
        }
    }
    // As long as the verdict lasts, it is kept.
    found.evidence.shrink_to_fit();
    found.lower = union(found.lower);
    found.upper = union(found.upper);
    found
}

/// How `longest` and `total` count.
#[derive(Debug, Clone, Copy)]
pub(crate) enum DegradationMetric {
    /// The longest run, gaps shorter than the bridge bridged.
    Longest {
        /// The bridge.
        bridge: TimeDelta,
    },
    /// The most within a window of that length.
    Within(TimeDelta),
}

impl DegradationMetric {
    pub(crate) fn of(self, united: &[Interval]) -> TimeDelta {
        match self {
            Self::Longest { bridge } => longest(united, bridge),
            Self::Within(window) => most_within(united, window),
        }
    }

    /// The earliest instant at which `required` could be reached if what lasts goes on.
    pub(crate) fn reached(
        self,
        united: &[Interval],
        required: TimeDelta,
        now: Time,
    ) -> Option<Time> {
        let so_far = match self {
            // A stretch that begins just now has no run yet.
            Self::Longest { bridge } => runs(united, bridge)
                .last()
                .filter(|run| run.end == now)
                .map_or(TimeDelta::zero(), |run| run.length),
            Self::Within(window) => inside(
                united,
                Interval {
                    start: now - window,
                    end: now,
                },
            ),
        };
        // Older time may leave the window meanwhile; then this is only when to look again.
        (so_far < required).then(|| now + (required - so_far))
    }
}
