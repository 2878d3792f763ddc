//! The degraded time of an incident under a criterion, with a lower bound (unknown time taken as
//! healthy) and an upper bound (unknown time taken as degraded).

use chrono::TimeDelta;

use super::intervals::{Interval, inside, longest, most_within, runs, union};
use crate::expr::truth::Truth;
use crate::model::id::EventId;
use crate::model::signal::Signal;
use crate::model::spans::SpanState;
use crate::model::time::Time;
use crate::rules::counted_hours::CountedHours;

/// The intervals that count, with both bounds.
#[derive(Debug, Clone, Default)]
pub(crate) struct DegradedTime {
    /// Known to be degraded.
    pub(crate) lower: Vec<Interval>,
    /// Degraded or unknown.
    pub(crate) upper: Vec<Interval>,
    /// True if an interval of the lower bound still lasts.
    pub(crate) lasting: bool,
    /// True if an interval of the upper bound still lasts.
    pub(crate) maybe_lasting: bool,
    /// The next start that is still ahead, from a sender whose clock is fast.
    pub(crate) ahead: Option<Time>,
    /// The events behind the signals that count.
    pub(crate) evidence: Vec<EventId>,
    /// The service of the first signal that counts.
    pub(crate) service: Option<String>,
}

/// Unites the signals that pass, as of `now`. Unknown time goes on until evidence ends it, even in a
/// closed incident.
pub(crate) fn degraded<'a>(
    signals: impl Iterator<Item = (&'a Signal, Truth)>,
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
            let interval = Interval {
                start: span.start,
                end: span.end.unwrap_or(now).min(now),
            };
            let lasting = span.end.is_none_or(|end| end > now);
            found.upper.push(interval);
            found.maybe_lasting |= lasting;
            if sure {
                found.lower.push(interval);
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
    // Kept as long as the verdict.
    found.evidence.shrink_to_fit();
    found.lower = union(found.lower);
    found.upper = union(found.upper);
    found
}

/// The two ways in which a criterion counts degraded time.
#[derive(Debug, Clone, Copy)]
pub(crate) enum DegradationMetric {
    /// `longest`: the longest run, gaps shorter than the bridge bridged.
    Longest {
        /// The bridge.
        bridge: TimeDelta,
    },
    /// `total`: the most within a window of that length.
    Within(TimeDelta),
}

impl DegradationMetric {
    /// The degraded time; with `hours` only that within them. The time between does not break a
    /// run: an outage over night is one outage.
    pub(crate) fn measure(self, united: &[Interval], hours: Option<&CountedHours>) -> TimeDelta {
        match (self, hours) {
            (Self::Longest { bridge }, None) => longest(united, bridge),
            (Self::Longest { bridge }, Some(hours)) => {
                let counted = within(united, hours);
                let runs = runs(united, bridge);
                let lengths = runs.iter().map(|run| inside(&counted, run.interval()));
                lengths.max().unwrap_or_default()
            }
            (Self::Within(window), None) => most_within(united, window),
            (Self::Within(window), Some(hours)) => most_within(&within(united, hours), window),
        }
    }

    /// The earliest instant at which `required` could be reached if an interval lasts at `now`.
    pub(crate) fn reached(
        self,
        united: &[Interval],
        hours: Option<&CountedHours>,
        required: TimeDelta,
        now: Time,
    ) -> Option<Time> {
        let time = hours.map_or_else(|| united.to_vec(), |hours| within(united, hours));
        let so_far = match self {
            // An interval that begins just now is not in a run yet, but may continue the last one.
            Self::Longest { bridge } => runs(united, bridge)
                .last()
                .filter(|run| run.end == now || now - run.end < bridge)
                .map_or(TimeDelta::zero(), |run| inside(&time, run.interval())),
            Self::Within(window) => inside(
                &time,
                Interval {
                    start: now - window,
                    end: now,
                },
            ),
        };
        // Older time may leave the window meanwhile; this is then the time to look again.
        let left = Some(required - so_far).filter(|left| *left > TimeDelta::zero())?;
        match hours {
            Some(hours) => hours.after(now, left),
            None => Some(now + left),
        }
    }
}

/// The parts of the intervals within these hours.
pub(crate) fn within(united: &[Interval], hours: &CountedHours) -> Vec<Interval> {
    let parts = united
        .iter()
        .flat_map(|interval| hours.within(&(interval.start..interval.end)));
    parts
        .map(|part| Interval {
            start: part.start,
            end: part.end,
        })
        .collect()
}
