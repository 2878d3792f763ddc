//! Episodes of one alert: overlapping ones, as replicas or several sources report them, are merged;
//! a later one ends the one before it.

use chrono::TimeDelta;

use super::intervals::{Interval, union};
use crate::model::signal::Signal;
use crate::model::spans::{Span, SpanState, Spans};
use crate::model::time::Time;

/// Starts of one alert no further apart are of replicas that evaluate it at their own instants.
const REPLICA_SKEW: TimeDelta = TimeDelta::minutes(2);

/// True if an episode that starts at `next` is the same as an earlier one, which starts at `start`:
/// one began while the other lasted, or both are of replicas.
pub(crate) fn is_same(first: &Signal, start: Time, next: Time) -> bool {
    let degraded = first
        .spans
        .iter()
        .rfind(|span| span.state == SpanState::Degraded);
    match degraded.and_then(|span| span.end) {
        Some(end) => next < end,
        None => next - start <= REPLICA_SKEW,
    }
}

/// Merges an overlapping episode into another. Time is degraded where either is; unknown time after
/// the end of one ends with the end of the other.
pub(crate) fn unite(first: &mut Signal, next: &Signal) {
    let end = |signal: &Signal| signal.spans.last().and_then(|span| span.end);
    let (first_end, next_end) = (end(first), end(next));
    let all = first
        .spans
        .iter()
        .map(|span| Span {
            end: span.end.or(next_end.map(|end| end.max(span.start))),
            ..*span
        })
        .chain(next.spans.iter().map(|span| match span.state {
            SpanState::Unknown => Span {
                end: span.end.or(first_end.map(|end| end.max(span.start))),
                ..*span
            },
            _ => *span,
        }));
    let (mut degraded, mut unknown) = (Vec::new(), Vec::new());
    for span in all {
        let interval = Interval {
            start: span.start,
            end: span.end.unwrap_or(Time::MAX_UTC),
        };
        match span.state {
            SpanState::Degraded => degraded.push(interval),
            _ => unknown.push(interval),
        }
    }
    let degraded = union(degraded);
    let mut spans: Vec<Span> = degraded
        .iter()
        .map(|interval| span(*interval, SpanState::Degraded))
        .collect();
    for rest in union(unknown) {
        let mut from = rest.start;
        for known in degraded
            .iter()
            .filter(|known| known.end > rest.start && known.start < rest.end)
        {
            if from < known.start {
                let before = Interval {
                    start: from,
                    end: known.start,
                };
                spans.push(span(before, SpanState::Unknown));
            }
            from = from.max(known.end);
        }
        if from < rest.end {
            let after = Interval {
                start: from,
                end: rest.end,
            };
            spans.push(span(after, SpanState::Unknown));
        }
    }
    spans.sort_by_key(|span| span.start);
    // Episodes without length leave the first as it was.
    if !spans.is_empty() {
        first.spans = Spans::from(spans);
    }
}

fn span(interval: Interval, state: SpanState) -> Span {
    Span {
        start: interval.start,
        end: Some(interval.end).filter(|end| *end < Time::MAX_UTC),
        state,
    }
}

/// Ends an episode at an unknown time before the next one of the same labels.
pub(crate) fn supersede(signal: &mut Signal, next_start: Time) {
    let Some(last) = signal.spans.last_mut() else {
        return;
    };
    if last.end.is_some_and(|end| end <= next_start) {
        return;
    }
    last.end = Some(next_start.max(last.start));
    // Nothing tells how much of the span was degraded.
    if last.state == SpanState::Degraded {
        last.state = SpanState::Unknown;
    }
    signal.spans.retain(|span| span.start < next_start);
}
