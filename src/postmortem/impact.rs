//! Impact of an incident: how long it was degraded as measured, for how long people declared an
//! outage, and when there is no data. Each is a sentence of its own, since each has its own evidence.

use std::collections::BTreeSet;

use chrono::TimeDelta;

use super::draft_input::DraftInput;
use super::references::{event, source};
use crate::model::signal::{Signal, SignalKind};
use crate::model::spans::SpanState;
use crate::model::time::Time;
use crate::wording::{duration, markdown, terms};

/// End of a piece that lasts.
const OPEN: Time = Time::MAX_UTC;
/// Maximum number of times without data that are listed.
const LISTED: usize = 3;

/// Piece of time in which nothing changes.
#[derive(Debug, Clone, Copy)]
struct Piece {
    start: Time,
    end: Time,
    measured: bool,
    declared: bool,
    /// Unknown for some signal, and not measured as degraded.
    no_data: bool,
}

/// Half-open stretch of time; the end is [`OPEN`] while it lasts.
type Stretch = (Time, Time);

/// Measured and declared duration of degradation, in total and by service, and the time without data.
pub(crate) fn impact(draft: &DraftInput) -> Vec<String> {
    let signals = felt(draft);
    let mut facts = degradation("", &signals, draft);
    let services: BTreeSet<_> = signals
        .iter()
        .filter_map(|signal| signal.service.as_deref())
        .collect();
    if services.len() > 1 {
        for service in services {
            let own: Vec<&Signal> = signals
                .iter()
                .copied()
                .filter(|signal| signal.service.as_deref() == Some(service))
                .collect();
            let begins = format!("{}: ", markdown::escape(service));
            facts.extend(degradation(&begins, &own, draft));
        }
    }
    facts.extend(no_data(&pieces(&signals)));
    facts
}

/// The degraded time that was measured after a step: to be listed as one does not say that it helped.
pub(crate) fn went_on(draft: &DraftInput, step: Time) -> Option<String> {
    let pieces = pieces(&felt(draft));
    let after = |passes: fn(&Piece) -> bool| -> Vec<Stretch> {
        stretches(&pieces, passes)
            .into_iter()
            .filter(|(_, end)| *end > step)
            .map(|(start, end)| (start.max(step), end))
            .collect()
    };
    let measured = after(|piece| piece.measured);
    if measured.last()?.1 == OPEN {
        return Some("degraded after it, not yet over".to_owned());
    }
    let at_least = if after(|piece| piece.no_data).is_empty() {
        ""
    } else {
        "at least "
    };
    let length = length(&measured);
    (length >= TimeDelta::seconds(1)).then(|| {
        format!(
            "degraded for {at_least}{} after it",
            duration::exact(length)
        )
    })
}

/// Signals that users felt; one on a cause only explains.
fn felt<'a>(draft: &DraftInput<'a>) -> Vec<&'a Signal> {
    let felt = |signal: &&Signal| signal.role.as_deref() != Some("cause");
    draft.incident.signals.iter().filter(felt).collect()
}

/// The sentences on measured and on declared time.
fn degradation(begins: &str, signals: &[&Signal], draft: &DraftInput) -> Vec<String> {
    let pieces = pieces(signals);
    let measured = stretches(&pieces, |piece| piece.measured);
    let declared = stretches(&pieces, |piece| piece.declared);
    let by = |declarations: bool| {
        let verb = if declarations {
            "stated by"
        } else {
            "measured by"
        };
        format!("{verb} {}", names(signals, declarations, draft))
    };
    let (degraded, declared_words) = if begins.is_empty() {
        ("Degraded".to_owned(), "Declared as an outage".to_owned())
    } else {
        (
            format!("{begins}degraded"),
            format!("{begins}declared as an outage"),
        )
    };
    if measured.is_empty() {
        let time = times(&declared, &pieces, draft);
        let sentence = |time| format!("{degraded} {time}; {}.", by(true));
        return time.map(sentence).into_iter().collect();
    }
    let mut facts: Vec<String> = times(&measured, &pieces, draft)
        .map(|time| format!("{degraded} {time}; {}.", by(false)))
        .into_iter()
        .collect();
    // An end is often entered late: what only a person says is told apart from what was measured.
    let only = stretches(&pieces, |piece| {
        piece.declared && !piece.measured && !piece.no_data
    });
    let is_over = only.iter().all(|(_, end)| *end < OPEN);
    let only = if is_over && length(&only) >= TimeDelta::seconds(1) {
        let length = duration::exact(length(&only));
        format!("; {length} of it without measured degradation")
    } else {
        String::new()
    };
    facts.extend(
        times(&declared, &[], draft)
            .map(|time| format!("{declared_words} {time}; {}{only}.", by(true))),
    );
    facts
}

/// Length and bounds of the stretches: `for 5m in 2 intervals between … and …`. Time without data among
/// the pieces makes both a lower bound.
fn times(stretches: &[Stretch], pieces: &[Piece], draft: &DraftInput) -> Option<String> {
    let (first, last) = (stretches.first()?, stretches.last()?);
    let gaps = self::stretches(pieces, |piece| piece.no_data);
    let at_least = if gaps.is_empty() { "" } else { "at least " };
    if last.1 == OPEN {
        let before = length(&stretches[..stretches.len() - 1]);
        let before = if before > TimeDelta::zero() {
            format!(
                ", and for {at_least}{} before that",
                duration::exact(before)
            )
        } else {
            String::new()
        };
        let as_of = draft
            .as_of
            .map(|at| format!(" as of {}", instant(at)))
            .unwrap_or_default();
        return Some(format!(
            "since {}, not yet over{as_of}{before}",
            instant(last.0)
        ));
    }
    let begins_later = gaps.iter().any(|(_, end)| *end == first.0);
    let ends_earlier = gaps.iter().any(|(start, _)| *start == last.1);
    let from = instant(first.0) + if begins_later { " or earlier" } else { "" };
    let to = instant(last.1) + if ends_earlier { " or later" } else { "" };
    let length = duration::exact(length(stretches));
    let joined = joined(stretches, &gaps);
    Some(match (stretches.len(), joined) {
        (1, _) => format!("for {at_least}{length}, from {from} to {to}"),
        (all, joined) if joined == all => {
            format!("for {at_least}{length} in {all} intervals between {from} and {to}")
        }
        (_, 1) => format!("for {at_least}{length} between {from} and {to}"),
        (_, joined) => {
            format!("for {at_least}{length} in at least {joined} intervals between {from} and {to}")
        }
    })
}

/// Number of stretches if it was degraded wherever there is no data: the fewest there can have been.
fn joined(stretches: &[Stretch], gaps: &[Stretch]) -> usize {
    let bridged = |left: &Stretch, right: &Stretch| gaps.contains(&(left.1, right.0));
    let apart = stretches
        .windows(2)
        .filter(|pair| !bridged(&pair[0], &pair[1]));
    1 + apart.count()
}

/// The sentences on time for which there is no data.
fn no_data(pieces: &[Piece]) -> Vec<String> {
    let gaps = stretches(pieces, |piece| piece.no_data);
    let (ended, open): (Vec<Stretch>, Vec<Stretch>) =
        gaps.into_iter().partition(|(_, end)| *end < OPEN);
    let mut facts = Vec::new();
    if length(&ended) > TimeDelta::zero() {
        let spans: Vec<String> = ended
            .iter()
            .take(LISTED)
            .map(|(start, end)| format!("{} to {}", instant(*start), instant(*end)))
            .collect();
        let rest = ended.len() - spans.len();
        let rest = if rest == 0 {
            String::new()
        } else {
            format!(" and {rest} more times")
        };
        facts.push(format!(
            "For {} there is no data on whether it was degraded: from {}{rest}.",
            duration::exact(length(&ended)),
            spans.join(", ")
        ));
    }
    facts.extend(open.first().map(|(start, _)| {
        format!(
            "Since {} there is no data on whether it is degraded.",
            instant(*start)
        )
    }));
    facts
}

/// Names of the signals that were degraded, each with its source.
fn names(signals: &[&Signal], declarations: bool, draft: &DraftInput) -> String {
    let mut names: Vec<String> = Vec::new();
    let mut known = BTreeSet::new();
    for signal in signals {
        let degraded = signal
            .spans
            .iter()
            .any(|span| span.state == SpanState::Degraded);
        if !degraded || (signal.kind == SignalKind::Declaration) != declarations {
            continue;
        }
        let name = markdown::escape(&terms::signal(signal.kind, &signal.name));
        if known.insert(name.clone()) {
            let from = event(draft, &signal.event)
                .map(|event| format!(" ({})", source(draft, event)))
                .unwrap_or_default();
            names.push(format!("{name}{from}"));
        }
    }
    names.join(", ")
}

/// Cuts time at every change of a signal.
fn pieces(signals: &[&Signal]) -> Vec<Piece> {
    // Measured, declared, unknown: how many begin, less how many end, at each instant.
    let mut changes: Vec<(Time, [i32; 3])> = Vec::new();
    for signal in signals {
        for span in &signal.spans {
            let kind = match (span.state, signal.kind) {
                (SpanState::Degraded, SignalKind::Declaration) => 1,
                (SpanState::Degraded, _) => 0,
                (SpanState::Unknown, _) => 2,
                _ => continue,
            };
            let end = span.end.unwrap_or(OPEN);
            // A declaration of no length proves an outage, and tells nothing of its time.
            if end - span.start <= TimeDelta::milliseconds(1) {
                continue;
            }
            for (at, step) in [(span.start, 1), (end, -1)] {
                let mut change = [0; 3];
                change[kind] = step;
                changes.push((at, change));
            }
        }
    }
    changes.sort_unstable_by_key(|(at, _)| *at);
    let mut count = [0; 3];
    let mut pieces = Vec::new();
    for (index, (start, change)) in changes.iter().enumerate() {
        for (count, step) in count.iter_mut().zip(change) {
            *count += step;
        }
        let Some((end, _)) = changes.get(index + 1).filter(|(end, _)| start < end) else {
            continue;
        };
        let [measured, declared, unknown] = count.map(|count| count > 0);
        pieces.push(Piece {
            start: *start,
            end: *end,
            measured,
            declared,
            no_data: unknown && !measured,
        });
    }
    pieces
}

/// Joins adjacent pieces that pass.
fn stretches(pieces: &[Piece], passes: impl Fn(&Piece) -> bool) -> Vec<Stretch> {
    let mut joined: Vec<Stretch> = Vec::new();
    for piece in pieces.iter().filter(|piece| passes(piece)) {
        match joined.last_mut() {
            Some(last) if last.1 == piece.start => last.1 = piece.end,
            _ => joined.push((piece.start, piece.end)),
        }
    }
    joined
}

fn length(stretches: &[Stretch]) -> TimeDelta {
    stretches
        .iter()
        .map(|(start, end)| duration::between(*start, *end))
        .sum()
}

fn instant(at: Time) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}
