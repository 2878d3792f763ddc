//! The signals of an incident: states over time of each alert, condition and declaration.

use std::sync::Arc;

use chrono::TimeDelta;
use foldhash::fast::RandomState;
use foldhash::{HashMap, HashSet};

use super::episodes;
use super::id::is_foreign;
use crate::engine::id_map::IdMap;
use crate::engine::policy::Policy;
use crate::model::correction::Correction;
use crate::model::event::{Alert, AlertStatus, ConditionState, EndReason, Event, Fact, Severity};
use crate::model::id::Subject;
use crate::model::labels::LabelSet;
use crate::model::member::Member;
use crate::model::settings::Maintenance;
use crate::model::signal::{Signal, SignalClass, SignalKind};
use crate::model::spans::Spans;
use crate::model::spans::{Span, SpanState};
use crate::model::time::Time;

/// The signals of `members`, which are in order of time. Open spans have no end.
///
/// `repeated`: alerts may have had several episodes under the same labels. `gaps`: times that the
/// clock skipped.
pub(crate) fn signals(
    members: &[Member],
    repeated: bool,
    policy: &Policy,
    gaps: &[(Time, Time)],
) -> Vec<Signal> {
    // An alert has two events, its beginning and its end.
    let room = members.len() / 2;
    let mut found: IdMap<Subject, Signal> =
        IdMap::with_capacity_and_hasher(room, RandomState::default());
    let mut episodes: HashMap<&LabelSet, Vec<(Time, Subject)>> = HashMap::default();
    let mut sorts: Vec<Arc<SignalClass>> = Vec::new();
    let recalled = ended_subjects(members, |alert| alert.recalled);
    let borrows =
        |member: &Member| matches!(&member.event.fact, Fact::Alert(alert) if alert.borrowed_end);
    let own = if members.iter().any(borrows) {
        ended_subjects(members, |alert| !alert.borrowed_end)
    } else {
        HashSet::default()
    };
    let bounded: HashMap<Subject, (Time, Time)> = members
        .iter()
        .filter_map(|member| Some((member.event.subject, **member.event.start_bounds.as_ref()?)))
        .collect();
    for Member { event, .. } in members {
        match &event.fact {
            // The end recalled from Prometheus is the true one: what was sent may be the end of a
            // lease, or an approximation. An end given with the start of this episode is better
            // than that of another.
            Fact::Alert(alert)
                if alert.status == AlertStatus::Resolved
                    && (!alert.recalled && recalled.contains(&event.subject)
                        || alert.borrowed_end && own.contains(&event.subject)) => {}
            Fact::Alert(alert) => {
                let signal = found.entry(event.subject).or_insert_with(|| {
                    if repeated {
                        episodes
                            .entry(&alert.labels)
                            .or_default()
                            .push((began(event, alert), event.subject));
                    }
                    begin(
                        &mut sorts,
                        event,
                        SignalKind::Alert,
                        &alert.name,
                        alert.severity,
                        alert.labels.get("afterword"),
                    )
                });
                alert_spans(signal, event, alert, bounded.contains_key(&event.subject));
            }
            Fact::Condition(condition) => {
                let signal = found.entry(event.subject).or_insert_with(|| {
                    begin(
                        &mut sorts,
                        event,
                        SignalKind::Condition,
                        &condition.name.as_str().into(),
                        condition.severity,
                        None,
                    )
                });
                let state = match condition.state {
                    ConditionState::Healthy => None,
                    ConditionState::Degraded => Some(SpanState::Degraded),
                    ConditionState::NearMiss => Some(SpanState::NearMiss),
                    ConditionState::Unknown => Some(SpanState::Unknown),
                };
                if let Some(since) = condition.since {
                    cut(signal, since);
                }
                enter(signal, condition.since.unwrap_or(event.occurred_at), state);
            }
            Fact::Declaration(declaration) => {
                let signal = found.entry(event.subject).or_insert_with(|| {
                    begin(
                        &mut sorts,
                        event,
                        SignalKind::Declaration,
                        &declaration.title.as_str().into(),
                        declaration.severity,
                        None,
                    )
                });
                if declaration.status == AlertStatus::Firing
                    && declaration.severity > signal.severity
                {
                    // The worst severity it had.
                    Arc::make_mut(&mut signal.sort).severity = declaration.severity;
                }
                let state = match (declaration.status, declaration.planned) {
                    (AlertStatus::Resolved, _) => None,
                    (AlertStatus::Firing, true) => Some(SpanState::Planned),
                    (AlertStatus::Firing, false) => Some(SpanState::Degraded),
                };
                enter(signal, event.occurred_at, state);
            }
            Fact::Lapsed(lapsed) => {
                if let Some(signal) = found.get_mut(&lapsed.of) {
                    // One that has ended: the sender only stopped repeating that.
                    if signal.spans.last().is_some_and(|span| span.end.is_none()) {
                        enter(signal, lapsed.last_seen, Some(SpanState::Unknown));
                    }
                }
            }
            _ => {}
        }
    }
    found.retain(|_, signal| !is_bare_end(signal, members));
    for list in episodes.values_mut() {
        list.retain(|(_, subject)| found.contains_key(subject));
        list.sort_unstable();
        fold(list, &mut found);
    }
    for subject in superseded_subjects(members) {
        if let Some(spans) = found.get_mut(&subject).map(|signal| &mut signal.spans) {
            spans.retain(|span| span.state != SpanState::Unknown || span.end.is_some());
        }
    }
    for (subject, bounds) in bounded {
        if let Some(signal) = found.get_mut(&subject) {
            start_within(&mut signal.spans, bounds);
        }
    }
    let mut signals: Vec<Signal> = found.into_values().collect();
    let declared = declared_windows(&signals);
    let reported = reported_windows(members);
    for signal in &mut signals {
        for gap in gaps {
            overlay(&mut signal.spans, *gap, SpanState::Unknown);
        }
        exclude_planned(
            signal,
            policy.maintenance.iter().chain(&declared).chain(&reported),
        );
    }
    signals.sort_by_key(order);
    signals
}

/// The subjects of the alerts with an end that `counts`.
fn ended_subjects(members: &[Member], counts: impl Fn(&Alert) -> bool) -> HashSet<&Subject> {
    let ended = |alert: &Alert| alert.status == AlertStatus::Resolved && counts(alert);
    members
        .iter()
        .filter(|member| matches!(&member.event.fact, Fact::Alert(alert) if ended(alert)))
        .map(|member| &member.event.subject)
        .collect()
}

/// True for an end whose sender gave no start, of an alert that nothing reported as firing: no episode.
fn is_bare_end(signal: &Signal, members: &[Member]) -> bool {
    let fired = |event: &Event| {
        event.subject == signal.subject
            && matches!(&event.fact, Fact::Alert(alert) if alert.status == AlertStatus::Firing)
    };
    signal.kind == SignalKind::Alert
        && matches!(&*signal.spans, [only] if only.end == Some(only.start))
        && !members.iter().any(|member| fired(&member.event))
}

/// Folds the episodes of one alert, given by start: those of the same time become one signal, and a
/// later one ends an earlier one that was never reported as ended.
fn fold(episodes: &[(Time, Subject)], found: &mut IdMap<Subject, Signal>) {
    let mut current: Option<(Time, Subject)> = None;
    for (start, subject) in episodes.iter().copied() {
        let Some((began, earlier)) = current else {
            current = Some((start, subject));
            continue;
        };
        let Some(mut first) = found.remove(&earlier) else {
            current = Some((start, subject));
            continue;
        };
        if episodes::is_same(&first, began, start) {
            if let Some(next) = found.remove(&subject) {
                episodes::unite(&mut first, &next);
            }
        } else {
            episodes::supersede(&mut first, start);
            current = Some((start, subject));
        }
        found.insert(earlier, first);
    }
}

/// The subjects of alerts that ended because their source merged them into another of its incidents,
/// which is here and tells the rest.
fn superseded_subjects(members: &[Member]) -> Vec<Subject> {
    let merges = members
        .iter()
        .filter_map(|member| match &member.event.fact {
            Fact::Edit(Correction::Merge { into, from }) if is_foreign(&from.0) => {
                Some((&*into.0, &*from.0))
            }
            _ => None,
        });
    let is_here = |name: &str| {
        members
            .iter()
            .any(|member| member.event.incident.as_deref() == Some(name))
    };
    let merged: Vec<&str> = merges
        .filter(|(into, _)| is_here(into))
        .map(|(_, from)| from)
        .collect();
    if merged.is_empty() {
        return Vec::new();
    }
    let gone = |event: &Event| {
        event
            .incident
            .as_deref()
            .is_some_and(|name| merged.contains(&name))
    };
    let ended = |event: &Event| matches!(&event.fact, Fact::Alert(alert) if alert.end_reason == EndReason::Superseded);
    members
        .iter()
        .filter(|member| ended(&member.event) && gone(&member.event))
        .map(|member| member.event.subject)
        .collect()
}

/// The maintenance windows among the members, in the form of the settings.
pub(crate) fn reported_windows(members: &[Member]) -> Vec<Maintenance> {
    let reported = members
        .iter()
        .filter_map(|member| match &member.event.fact {
            Fact::Maintenance(window) => Some((&member.event, window)),
            _ => None,
        });
    reported
        .map(|(event, window)| Maintenance {
            service: event.service.as_deref().map(str::to_owned),
            from: window.from,
            to: window.to,
            why: window.why.clone(),
        })
        .collect()
}

/// The signals of firing alerts that are not among `before`; `rejoined` of them must be. `None`
/// where that does not add up.
pub(crate) fn added(
    before: &[Signal],
    joined: &[Arc<Event>],
    rejoined: usize,
) -> Option<Vec<Signal>> {
    let mut new: Vec<Signal> = Vec::with_capacity(joined.len());
    let mut known = 0;
    let mut sorts: Vec<Arc<SignalClass>> = Vec::new();
    for event in joined {
        let Fact::Alert(alert) = &event.fact else {
            return None;
        };
        let mut signal = begin(
            &mut sorts,
            event,
            SignalKind::Alert,
            &alert.name,
            alert.severity,
            alert.labels.get("afterword"),
        );
        alert_spans(&mut signal, event, alert, false);
        match before.binary_search_by_key(&order(&signal), order) {
            Ok(_) => known += 1,
            Err(_) => new.push(signal),
        }
    }
    new.sort_by_key(order);
    new.dedup_by_key(|signal| signal.subject);
    (known == rejoined).then_some(new)
}

/// Inserts signals in order. In place, since a storm would otherwise fragment the memory.
pub(crate) fn insert(signals: &mut Vec<Signal>, new: Vec<Signal>) {
    let Some(earliest) = new.first().map(order) else {
        return;
    };
    let later = signals.split_off(signals.partition_point(|signal| order(signal) < earliest));
    let room = signals.capacity() - signals.len();
    if room < later.len() + new.len() {
        signals.reserve_exact(later.len() + new.len() + signals.len() / 8);
    }
    let (mut old, mut new) = (later.into_iter().peekable(), new.into_iter().peekable());
    while let (Some(one), Some(other)) = (old.peek(), new.peek()) {
        let next = if order(one) < order(other) {
            old.next()
        } else {
            new.next()
        };
        signals.extend(next);
    }
    old.chain(new).for_each(|signal| signals.push(signal));
}

fn order(signal: &Signal) -> (Option<Time>, Subject) {
    (first(signal), signal.subject)
}

fn first(signal: &Signal) -> Option<Time> {
    signal.spans.first().map(|span| span.start)
}

/// The number of recent classes that are compared with a new one.
const RECENT_SORTS: usize = 8;

/// A signal without spans, which shares its class with recent signals of an equal class.
fn begin(
    sorts: &mut Vec<Arc<SignalClass>>,
    event: &Event,
    kind: SignalKind,
    name: &Arc<str>,
    severity: Severity,
    role: Option<&str>,
) -> Signal {
    let same = |sort: &&Arc<SignalClass>| {
        sort.kind == kind
            && sort.severity == severity
            && sort.name == *name
            && sort.service == event.service
            && sort.environment == event.environment
            && sort.role.as_deref() == role
    };
    let known = sorts.iter().rev().take(RECENT_SORTS).find(same).cloned();
    let sort = known.unwrap_or_else(|| {
        let (name, service, environment) = (
            name.clone(),
            event.service.clone(),
            event.environment.clone(),
        );
        let sort = Arc::new(SignalClass {
            kind,
            name,
            severity,
            service,
            environment,
            role: role.map(Into::into),
        });
        sorts.push(Arc::clone(&sort));
        sort
    });
    Signal {
        subject: event.subject,
        sort,
        spans: Spans::default(),
        event: event.id,
    }
}

/// The time at which what an event states began, as far as the event itself knows.
pub(crate) fn onset(event: &Event) -> Time {
    match &event.fact {
        Fact::Alert(alert) => {
            began(event, alert) - TimeDelta::seconds(alert.pending_for.unwrap_or(0))
        }
        Fact::Condition(condition) => condition.since.unwrap_or(event.occurred_at),
        _ => event.occurred_at,
    }
}

/// The `startsAt` of an alert; where the sender's clock is ahead, the time of its first report.
pub(crate) fn began(event: &Event, alert: &Alert) -> Time {
    if event.clamped {
        alert.starts_at.min(event.occurred_at)
    } else {
        alert.starts_at
    }
}

/// Adds the span of an alert, `[startsAt − for, endsAt − keep_firing_for)`, and an unknown one after
/// an end that is no recovery. `uncertain`: a clock that was set leaves the known start uncertain.
fn alert_spans(signal: &mut Signal, event: &Event, alert: &Alert, uncertain: bool) {
    let stated = onset(event);
    let waited = TimeDelta::seconds(alert.pending_for.unwrap_or(0));
    // The start that comes with an end is by the same clock.
    let restated = uncertain
        && alert
            .ends_at
            .is_some_and(|ends_at| stated + waited <= ends_at);
    // Not every message about an alert knows its `for`.
    let known = signal.spans.first().filter(|_| !restated);
    let start = known.map_or(stated, |first| first.start.min(stated));
    if let Some(first) = signal.spans.first_mut() {
        first.start = start;
    }
    let open = |end| Span {
        start,
        end,
        state: SpanState::Degraded,
    };
    match (alert.status, alert.ends_at) {
        // Of an end before the beginning only one thing is certain: it is wrong.
        (AlertStatus::Resolved, Some(ends_at)) if ends_at < start + waited => {
            signal.spans = vec![Span {
                state: SpanState::Unknown,
                ..open(None)
            }]
            .into();
        }
        (AlertStatus::Resolved, Some(ends_at)) => {
            let ends_at = if event.clamped {
                ends_at.min(event.occurred_at)
            } else {
                ends_at
            };
            let end = (ends_at - TimeDelta::seconds(alert.keep_firing_for.unwrap_or(0))).max(start);
            signal.spans = vec![open(Some(end))].into();
            if alert.end_reason != EndReason::Recovered {
                signal.spans.retain(|span| span.start < end);
                signal.spans.push(Span {
                    start: end,
                    end: None,
                    state: SpanState::Unknown,
                });
            }
        }
        _ if signal.spans.is_empty() => signal.spans.push(open(None)),
        _ => {
            let (Some(again), Some(last)) = (alert.seen_again, signal.spans.last().copied()) else {
                return;
            };
            // It had ended, yet the same episode goes on: the time between is unknown.
            if let Some(end) = last.end.filter(|end| *end < again) {
                signal.spans.push(Span {
                    start: end,
                    end: None,
                    state: SpanState::Unknown,
                });
            }
            enter(signal, again, Some(SpanState::Degraded));
        }
    }
}

/// Cuts the signal at `at`: an event that states since when something has been so knows better.
fn cut(signal: &mut Signal, at: Time) {
    signal.spans.retain(|span| span.start < at);
    if let Some(last) = signal.spans.last_mut() {
        // An open span is ended by the change of state that follows, or goes on.
        last.end = last.end.map(|end| end.min(at));
    }
}

/// Enters `state` (`None`: healthy) at `at`.
fn enter(signal: &mut Signal, at: Time, state: Option<SpanState>) {
    if let Some(last) = signal.spans.last_mut()
        && last.end.is_none()
    {
        if Some(last.state) == state {
            return;
        }
        last.end = Some(at.max(last.start));
    }
    signal
        .spans
        .retain(|span| span.end.is_none_or(|end| span.start < end));
    if let Some(state) = state {
        let start = signal
            .spans
            .last()
            .and_then(|span| span.end)
            .map_or(at, |end| end.max(at));
        // It goes on where it was cut.
        if let Some(last) = signal.spans.last_mut()
            && last.state == state
            && last.end == Some(start)
        {
            last.end = None;
            return;
        }
        signal.spans.push(Span {
            start,
            end: None,
            state,
        });
    }
}

/// Declared planned work, in the form of the settings.
fn declared_windows(signals: &[Signal]) -> Vec<Maintenance> {
    let mut declared: Vec<&Signal> = signals
        .iter()
        .filter(|signal| signal.kind == SignalKind::Declaration)
        .collect();
    declared.sort_by_key(|signal| signal.subject);
    let spans = declared
        .into_iter()
        .flat_map(|signal| signal.spans.iter().map(move |span| (signal, span)));
    let planned = spans.filter(|(_, span)| span.state == SpanState::Planned);
    let window = |(signal, span): (&Signal, &Span)| Maintenance {
        service: signal.service.as_deref().map(str::to_owned),
        from: span.start,
        to: span.end.unwrap_or(Time::MAX_UTC),
        why: signal.name.to_string(),
    };
    planned.map(window).collect()
}

/// Makes time inside a maintenance window of the signal's service planned.
fn exclude_planned<'a>(signal: &mut Signal, maintenance: impl Iterator<Item = &'a Maintenance>) {
    let sort = Arc::clone(&signal.sort);
    for window in maintenance
        .filter(|w| w.service.is_none() || w.service.as_deref() == sort.service.as_deref())
    {
        overlay(
            &mut signal.spans,
            (window.from, window.to),
            SpanState::Planned,
        );
    }
}

/// Makes the time between the bounds of a start unknown while there is no end. With an end, start and
/// end are by the clock of the sender.
fn start_within(spans: &mut Spans, (earliest, latest): (Time, Time)) {
    let Some(first) = spans.first().copied().filter(|_| earliest < latest) else {
        return;
    };
    if spans.last().is_none_or(|span| span.end.is_some()) {
        return;
    }
    if earliest < first.start {
        let unknown = Span {
            start: earliest,
            end: Some(first.start),
            state: SpanState::Unknown,
        };
        let rest: Vec<Span> = spans.iter().copied().collect();
        *spans = std::iter::once(unknown)
            .chain(rest)
            .collect::<Vec<_>>()
            .into();
    }
    overlay(spans, (earliest, latest), SpanState::Unknown);
}

/// Gives the parts of spans within `[from, to)` another state. Planned time stays planned.
fn overlay(spans: &mut Spans, (from, to): (Time, Time), state: SpanState) {
    let untouched = |span: &Span| {
        span.state == SpanState::Planned
            || span.state == state
            || span.end.is_some_and(|end| end <= from)
            || to <= span.start
    };
    if spans.iter().all(untouched) {
        return;
    }
    let mut cut = Vec::with_capacity(spans.len() + 2);
    for span in std::mem::take(spans).iter().copied() {
        if untouched(&span) {
            cut.push(span);
            continue;
        }
        let end = span.end.unwrap_or(Time::MAX_UTC);
        let (start, rest) = (span.start.max(from), end.min(to));
        if span.start < start {
            cut.push(Span {
                end: Some(start),
                ..span
            });
        }
        cut.push(Span {
            start,
            end: Some(rest).filter(|end| *end < Time::MAX_UTC),
            state,
        });
        if rest < end {
            cut.push(Span {
                start: rest,
                ..span
            });
        }
    }
    *spans = cut.into();
}
