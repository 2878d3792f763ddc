//! Chart of an incident's signals as bars over time, with a text alternative.

use crate::http::format::badge::Badge;
use crate::http::format::time::duration;
use crate::http::format::{badge, terms};
use crate::model::event::Fact;
use crate::model::incident::Incident;
use crate::model::labels::LabelSet;
use crate::model::milestone::MilestoneKind;
use crate::model::signal::{Signal, SignalKind};
use crate::model::spans::{Span, SpanState};
use crate::model::time::Time;

/// Width of the drawing in SVG units; the page stretches it.
const WIDTH: i64 = 1000;

/// Signals on a common time axis.
pub(crate) struct Chart {
    pub(crate) from: Time,
    pub(crate) to: Time,
    pub(crate) rows: Vec<ChartRow>,
    pub(crate) marks: Vec<ChartMark>,
}

/// Row of one signal.
pub(crate) struct ChartRow {
    pub(crate) name: String,
    pub(crate) about: String,
    pub(crate) words: String,
    pub(crate) bars: Vec<ChartBar>,
    pub(crate) stretches: Vec<ChartSpan>,
}

/// Rectangle. States differ in height and position, so that they are distinguishable without
/// colour.
pub(crate) struct ChartBar {
    pub(crate) x: i64,
    pub(crate) width: i64,
    pub(crate) y: u8,
    pub(crate) height: u8,
    pub(crate) class: &'static str,
}

/// Span in words.
pub(crate) struct ChartSpan {
    pub(crate) state: Badge,
    pub(crate) start: Time,
    pub(crate) end: Option<Time>,
    pub(crate) lasted: String,
}

/// Milestone on the axis.
pub(crate) struct ChartMark {
    pub(crate) x: i64,
    pub(crate) name: &'static str,
}

/// Builds the chart of an incident; `None` if it has no spans.
pub(crate) fn chart(incident: &Incident, now: Time) -> Option<Chart> {
    let spans = || incident.signals.iter().flat_map(|signal| &signal.spans);
    let first = spans().map(|span| span.start).min()?;
    let last = spans()
        .map(|span| span.end.unwrap_or(now))
        .max()?
        .max(first + chrono::Duration::minutes(1));
    // Margins at both ends show that bars are not cut off.
    let room = (last - first) / 50;
    let axis = Axis {
        from: first - room,
        to: last + room,
    };
    let turns = &incident.milestones;
    let marks = [
        (MilestoneKind::Began, &turns.began),
        (MilestoneKind::Detected, &turns.detected),
        (MilestoneKind::Acknowledged, &turns.acknowledged),
        (MilestoneKind::Mitigated, &turns.mitigated),
        (MilestoneKind::Resolved, &turns.resolved),
    ]
    .into_iter()
    .filter_map(|(kind, turn)| turn.as_ref().map(|turn| (kind, turn.at)))
    .filter(|(_, at)| (axis.from..=axis.to).contains(at))
    .map(|(kind, at)| ChartMark {
        x: axis.place(at),
        name: terms::milestone(kind),
    })
    .collect();
    let rows = incident
        .signals
        .iter()
        .map(|signal| row(signal, &distinguishing_labels(incident, signal), &axis, now))
        .collect();
    Some(Chart {
        from: axis.from,
        to: axis.to,
        rows,
        marks,
    })
}

struct Axis {
    from: Time,
    to: Time,
}

impl Axis {
    fn place(&self, at: Time) -> i64 {
        let all = (self.to - self.from).num_milliseconds().max(1);
        ((at - self.from).num_milliseconds() * WIDTH / all).clamp(0, WIDTH)
    }
}

/// Labels that distinguish the series of one condition.
fn distinguishing_labels(incident: &Incident, signal: &Signal) -> String {
    let namesakes = || {
        incident
            .signals
            .iter()
            .filter(|other| other.kind == SignalKind::Condition && other.name == signal.name)
    };
    if signal.kind != SignalKind::Condition || namesakes().count() < 2 {
        return String::new();
    }
    let labels = |signal: &Signal| {
        let event = incident
            .members
            .iter()
            .map(|member| &member.event)
            .find(|event| event.id == signal.event);
        event.and_then(|event| {
            if let Fact::Condition(condition) = &event.fact {
                Some(condition.labels.clone())
            } else {
                None
            }
        })
    };
    let (own, all): (_, Vec<LabelSet>) = (
        labels(signal).unwrap_or_default(),
        namesakes().filter_map(labels).collect(),
    );
    let differs = own
        .iter()
        .filter(|(name, value)| all.iter().any(|other| other.get(name) != Some(*value)));
    differs
        .map(|(name, value)| format!(", {name}={value}"))
        .collect()
}

fn row(signal: &Signal, apart: &str, axis: &Axis, now: Time) -> ChartRow {
    let service = signal.service.as_deref().unwrap_or("unassigned");
    let about = format!(
        "{}, {service}, {}{apart}",
        terms::signal(signal.kind),
        badge::severity(&signal.severity).text
    );
    let stretches: Vec<ChartSpan> = signal.spans.iter().map(|span| stretch(span, now)).collect();
    let told: Vec<String> = stretches
        .iter()
        .map(|stretch| {
            format!(
                "{} from {} for {}",
                stretch.state.text,
                stretch.start.format("%H:%M:%S"),
                stretch.lasted
            )
        })
        .collect();
    let words = match told.as_slice() {
        [] => format!("{}: nothing observed", signal.name),
        told => format!("{}: {}", signal.name, told.join("; ")),
    };
    let bars = signal
        .spans
        .iter()
        .map(|span| bar(span, axis, now))
        .collect();
    ChartRow {
        name: signal.name.to_string(),
        about,
        words,
        bars,
        stretches,
    }
}

fn bar(span: &Span, axis: &Axis, now: Time) -> ChartBar {
    let x = axis.place(span.start);
    let width = (axis.place(span.end.unwrap_or(now)) - x).max(2);
    let (y, height) = match span.state {
        SpanState::Degraded => (0, 20),
        SpanState::NearMiss => (10, 10),
        SpanState::Unknown => (5, 10),
        SpanState::Planned => (16, 4),
    };
    ChartBar {
        x,
        width,
        y,
        height,
        class: badge::span(span.state).class,
    }
}

fn stretch(span: &Span, now: Time) -> ChartSpan {
    let seconds = (span.end.unwrap_or(now) - span.start).num_seconds();
    let lasted = match span.end {
        Some(_) => duration(seconds),
        None if seconds < 0 => "not begun".to_owned(),
        None => format!("{} so far", duration(seconds)),
    };
    ChartSpan {
        state: badge::span(span.state),
        start: span.start,
        end: span.end,
        lasted,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
    use super::{WIDTH, chart};
    use crate::http::pages::sample;

    #[test]
    fn bars_keep_their_order_and_stay_within_the_drawing() {
        let incident = sample::model::incident();
        let chart = chart(&incident, sample::model::at(4000)).unwrap();
        assert_eq!(chart.rows.len(), incident.signals.len());
        for bar in chart.rows.iter().flat_map(|row| &row.bars) {
            assert!(
                bar.x >= 0 && bar.width > 0 && bar.x + bar.width <= WIDTH + 2,
                "{} + {}",
                bar.x,
                bar.width
            );
        }
        assert!(chart.marks.windows(2).all(|two| two[0].x <= two[1].x));
    }

    #[test]
    fn an_open_stretch_lasts_until_now_and_says_so() {
        let mut incident = sample::model::incident();
        incident.signals[0].spans[0].end = None;
        let chart = chart(&incident, sample::model::at(3720)).unwrap();
        assert_eq!(chart.rows[0].stretches[0].lasted, "1h so far");
        assert!(
            chart.rows[0].words.contains("degraded from"),
            "{}",
            chart.rows[0].words
        );
    }

    #[test]
    fn without_signals_there_is_no_chart() {
        let mut incident = sample::model::incident();
        incident.signals.clear();
        assert!(chart(&incident, sample::model::at(0)).is_none());
    }
}
