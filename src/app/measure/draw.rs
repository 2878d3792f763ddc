//! Draws the conditions of incidents: what the queries said around them, for the page and beside the draft.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;

use super::Entry;
use super::prometheus::Server;
use super::samples::History;
use crate::app::App;
use crate::draft::name::picture_name;
use crate::draft::plot::{describe, svg, table};
use crate::measure::prometheus::Client;
use crate::model::Time;
use crate::model::event::Labels;
use crate::model::incident::{Incident, IncidentId, MilestoneKind, Phase, SignalKind, Span, SpanState};
use crate::model::plot::{Bound, Line, Plot};
use crate::rules::{Comparison, ConditionRule, Threshold};
use crate::store::error::StoreError;
use crate::store::incident::IncidentFilter;
use crate::store::plot::Drawn;

/// Between two looks at what is to be drawn.
const EVERY: Duration = Duration::from_secs(10);
/// A drawing is made anew after a minute at the earliest, and after so many parts of what it shows: an incident of hours is not drawn each minute.
const EARLIEST: TimeDelta = TimeDelta::seconds(60);
const PARTS: i32 = 20;
/// What is shown before and after, at the least, and as a part of what it shows.
const AROUND: TimeDelta = TimeDelta::minutes(5);
const AROUND_PARTS: i32 = 4;
/// Values of a line at the most.
const POINTS: i64 = 400;
/// Series drawn at the most.
const LINES: usize = 20;
/// Incidents looked at.
const LOOKED_AT: usize = 200;

/// Where values of the past are from.
pub(super) enum Past {
    /// A server that remembers.
    Server(Arc<Client>),
    /// Samples that are kept here.
    Samples,
}

pub(super) async fn draw_loop(entry: Entry, past: Past) {
    loop {
        tokio::time::sleep(EVERY).await;
        let names: BTreeSet<String> = entry.conditions().map(|rule| rule.name.clone()).collect();
        let Some(due) = entry.stored("incidents could not be read", move |app| due(app, &names)).await else { return };
        if due.is_empty() {
            continue;
        }
        let mut source = Source::of(&entry, &past).await;
        for (incident, condition) in due {
            let Some(rule) = entry.conditions().find(|rule| rule.name == condition) else { continue };
            let now = entry.app.now();
            let mut plot = outline(&incident, rule, now);
            // Whoever cannot be asked now is asked again at the next turn.
            let Some(lines) = source.lines(rule, plot.from, plot.to).await else { continue };
            (plot.lines, plot.left_out) = worst_first(lines, rule);
            let drawn = Drawn { svg: svg(&plot), plot, at: now };
            let id = incident.id.clone();
            if entry.stored("a drawing could not be stored", move |app| app.drew(&id, &drawn)).await.is_none() {
                return;
            }
        }
    }
}

/// Incidents with a condition of these names that is to be drawn, or drawn anew.
fn due(app: &App, names: &BTreeSet<String>) -> Result<Vec<(Incident, String)>, StoreError> {
    let now = app.now();
    let mut due = Vec::new();
    for incident in app.store.incidents(IncidentFilter { open_only: false, limit: LOOKED_AT })? {
        let shown: BTreeSet<&str> = measured(&incident).filter(|name| names.contains(*name)).collect();
        if shown.is_empty() {
            continue;
        }
        let drawn: BTreeMap<String, Time> =
            app.store.plots(&incident.id)?.into_iter().map(|drawn| (drawn.plot.condition, drawn.at)).collect();
        let (from, to) = stretch(&incident, now);
        let wait = ((to - from) / PARTS).max(EARLIEST);
        let is_due = |name: &str| match drawn.get(name) {
            None => true,
            Some(at) if incident.phase == Phase::Closed => *at < incident.phase_since,
            Some(at) => now - *at >= wait,
        };
        due.extend(shown.into_iter().filter(|name| is_due(name)).map(|name| (incident.clone(), name.to_owned())));
    }
    Ok(due)
}

fn measured(incident: &Incident) -> impl Iterator<Item = &str> {
    incident.signals.iter().filter(|signal| signal.kind == SignalKind::Condition).map(|signal| &*signal.name)
}

/// What is shown: from some time before the first signal until some time after the last.
fn stretch(incident: &Incident, now: Time) -> (Time, Time) {
    let spans = || incident.signals.iter().flat_map(|signal| &signal.spans);
    let first = spans().map(|span| span.start).min();
    let first = first.or_else(|| incident.members.iter().map(|member| member.event.occurred_at).min()).unwrap_or(now);
    let last = spans().map(|span| span.end.unwrap_or(now)).max().unwrap_or(now).clamp(first, now.max(first));
    let around = ((last - first) / AROUND_PARTS).max(AROUND);
    (first - around, (last + around).min(now.max(last)))
}

/// All of a plot but its lines.
fn outline(incident: &Incident, rule: &ConditionRule, now: Time) -> Plot {
    let (from, to) = stretch(incident, now);
    let turns = &incident.milestones;
    let milestones = [
        (MilestoneKind::Began, &turns.began),
        (MilestoneKind::Detected, &turns.detected),
        (MilestoneKind::Acknowledged, &turns.acknowledged),
        (MilestoneKind::Mitigated, &turns.mitigated),
        (MilestoneKind::Resolved, &turns.resolved),
    ];
    let mut milestones: Vec<(MilestoneKind, Time)> = milestones
        .into_iter()
        .filter_map(|(kind, turn)| Some((kind, turn.as_ref()?.at)))
        .filter(|(_, at)| (from..=to).contains(at))
        .collect();
    milestones.sort_by_key(|(_, at)| *at);
    let spans = incident.signals.iter().filter(|signal| signal.kind == SignalKind::Condition && *signal.name == *rule.name);
    Plot {
        condition: rule.name.clone(),
        service: rule.service.clone(),
        query: rule.query.clone(),
        from,
        to,
        lines: Vec::new(),
        bounds: bounds(rule),
        spans: together(&spans.flat_map(|signal| signal.spans.iter().copied()).collect::<Vec<_>>(), to),
        milestones,
        left_out: 0,
    }
}

/// The thresholds of a condition.
pub(super) fn bounds(rule: &ConditionRule) -> Vec<Bound> {
    let bounds = [("degraded", Some(rule.degraded)), ("near_miss", rule.near_miss), ("recovered", rule.recovered)];
    bounds.into_iter().filter_map(|(name, bound)| bound.map(|bound| told(name, bound))).collect()
}

fn told(name: &str, Threshold { comparison, value }: Threshold) -> Bound {
    let sign = match comparison {
        Comparison::Above => ">",
        Comparison::AtLeast => ">=",
        Comparison::Below => "<",
        Comparison::AtMost => "<=",
        Comparison::Equal => "==",
        Comparison::NotEqual => "!=",
    };
    Bound { name: name.to_owned(), text: format!("{sign} {value}"), value }
}

/// What all series together were when: at each instant the worst that any of them was.
fn together(spans: &[Span], to: Time) -> Vec<Span> {
    let end = |span: &Span| span.end.unwrap_or(to.max(span.start));
    let mut edges: Vec<Time> = spans.iter().flat_map(|span| [span.start, end(span)]).collect();
    edges.sort_unstable();
    edges.dedup();
    let mut whole: Vec<Span> = Vec::new();
    for pair in edges.windows(2) {
        // The states are in order of how bad they are, the worst first.
        let worst: Option<SpanState> =
            spans.iter().filter(|span| span.start <= pair[0] && pair[1] <= end(span)).map(|span| span.state).min();
        let Some(state) = worst else { continue };
        match whole.last_mut() {
            Some(last) if last.state == state && last.end == Some(pair[0]) => last.end = Some(pair[1]),
            _ => whole.push(Span { start: pair[0], end: Some(pair[1]), state }),
        }
    }
    whole
}

/// The lines that went furthest beyond the threshold, and how many others there are.
fn worst_first(mut lines: Vec<Line>, rule: &ConditionRule) -> (Vec<Line>, usize) {
    let low = matches!(rule.degraded.comparison, Comparison::Below | Comparison::AtMost);
    let extreme = |line: &Line| {
        let values = line.points.iter().filter_map(|(_, value)| *value).filter(|value| !value.is_nan());
        values.map(|value| if low { -value } else { value }).fold(f64::NEG_INFINITY, f64::max)
    };
    lines.sort_by(|a, b| extreme(b).total_cmp(&extreme(a)).then_with(|| a.labels.cmp(&b.labels)));
    let left_out = lines.len().saturating_sub(LINES);
    lines.truncate(LINES);
    (lines, left_out)
}

/// Where the values of one turn are from.
enum Source {
    Server(Box<Server>),
    Samples(Box<History>),
    Nowhere,
}

impl Source {
    async fn of(entry: &Entry, past: &Past) -> Self {
        match past {
            Past::Server(client) => {
                let mut server = Server::new(Arc::clone(client));
                match server.prepare(&entry.app).await {
                    Ok(()) => Self::Server(Box::new(server)),
                    Err(_) => Self::Nowhere,
                }
            }
            Past::Samples => History::read(entry).await.map_or(Self::Nowhere, |history| Self::Samples(Box::new(history))),
        }
    }

    /// The values of all series; `None`: nobody answers.
    async fn lines(&mut self, rule: &ConditionRule, from: Time, to: Time) -> Option<Vec<Line>> {
        let step = rule.every.max((to - from).num_seconds() / POINTS + 1);
        let values = match self {
            Self::Server(server) => server.values(rule, from, to, step).await.ok()?,
            Self::Samples(history) => history.values(rule, from, to, step),
            Self::Nowhere => return None,
        };
        let mut lines: BTreeMap<Labels, Vec<(Time, Option<f64>)>> = BTreeMap::new();
        for (at, values) in &values {
            for (labels, value) in values {
                lines.entry(labels.clone()).or_default().push((*at, Some(*value).filter(|value| value.is_finite())));
            }
        }
        Some(lines.into_iter().map(|(labels, points)| Line { labels, points }).collect())
    }
}

/// A drawing as a page shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct Picture {
    /// The condition.
    pub condition: String,
    /// What it shows, in words.
    pub words: String,
    /// The same as a table: the names of its columns.
    pub head: Vec<String>,
    /// Its rows.
    pub rows: Vec<Vec<String>>,
}

impl App {
    /// The drawings of an incident, for its page. Blocks.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn pictures(&self, incident: &IncidentId) -> Result<Vec<Picture>, StoreError> {
        let picture = |drawn: Drawn| {
            let table = table(&drawn.plot);
            Picture { words: describe(&drawn.plot), head: table.head, rows: table.rows, condition: drawn.plot.condition }
        };
        Ok(self.store.plots(incident)?.into_iter().map(picture).collect())
    }

    /// The drawing that stands in `file` beside a draft. Blocks.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn picture(&self, file: &str) -> Result<Option<String>, StoreError> {
        for postmortem in self.store.postmortems(LOOKED_AT)? {
            if !file.starts_with(postmortem.file.trim_end_matches(".md")) {
                continue;
            }
            let drawn = self.store.plots(&postmortem.incident)?;
            if let Some(drawn) = drawn.into_iter().find(|drawn| picture_name(&postmortem.file, &drawn.plot.condition) == file) {
                return Ok(Some(drawn.svg));
            }
        }
        Ok(None)
    }

    /// Keeps a drawing, and brings the draft that shows it up to date. Blocks.
    fn drew(&self, incident: &IncidentId, drawn: &Drawn) -> Result<(), StoreError> {
        self.store.save_plots(incident, std::slice::from_ref(drawn))?;
        if let Err(fault) = self.redraft(incident) {
            self.trouble("a draft could not be brought up to date", &fault);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Span, SpanState, Time, together};

    #[test]
    fn of_what_series_were_at_once_the_worst_is_told() {
        let at = |second: i64| Time::from_timestamp(second, 0).unwrap_or_default();
        let span = |start, end: Option<i64>, state| Span { start: at(start), end: end.map(at), state };
        let spans = vec![
            span(0, Some(20), SpanState::NearMiss),
            span(10, Some(15), SpanState::Degraded),
            span(15, Some(30), SpanState::Degraded),
            span(40, None, SpanState::Unknown),
        ];
        let expected =
            [span(0, Some(10), SpanState::NearMiss), span(10, Some(30), SpanState::Degraded), span(40, Some(50), SpanState::Unknown)];
        assert_eq!(together(&spans, at(50)), expected);
        assert_eq!(together(&[], at(50)), []);
    }
}
