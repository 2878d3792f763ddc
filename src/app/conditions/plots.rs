//! Plots of an incident's conditions, for its page and beside the draft: the values of their
//! queries around the incident.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::TimeDelta;

use super::monitor::ConditionMonitor;
use super::plot_merge::merge_series;
use super::plot_schedule::{Rests, due_plots, milestones_within, plot_range};
use super::prometheus::ConditionServer;
use super::retention::PLOT_RETENTION;
use super::samples::History;
use super::task::MetricsTask;
use super::thresholds::threshold_lines;
use crate::app::sync::lock;
use crate::clients::error::ClientError;
use crate::clients::prometheus::PrometheusClient;
use crate::config::metrics::PrometheusServer as Settings;
use crate::model::event::{Event, Fact};
use crate::model::incident::Incident;
use crate::model::labels::{LabelSet, Labels};
use crate::model::plot::{Plot, PlotSeries};
use crate::model::signal::SignalKind;
use crate::model::spans::{Span, SpanState};
use crate::model::time::Time;
use crate::plot::svg;
use crate::rules::rule_set::{Comparison, ConditionRule};
use crate::store::plot::StoredPlot;

/// Interval between checks for due plots.
const EVERY: Duration = Duration::from_secs(10);
/// Offset added to the number of attempts, so that the backoff exceeds [`EVERY`] from the second
/// fault on.
const DOUBLED: u32 = 3;
/// Maximum number of points per series.
const POINTS: i64 = 400;
/// Maximum number of series per plot.
const LINES: usize = 20;

/// Source of past values.
pub(crate) enum PlotHistory {
    /// Prometheus server, queried over its API.
    Server(Box<Settings>, Box<ConditionServer>),
    /// Samples in the local store.
    Samples,
}

impl PlotHistory {
    pub(crate) fn server(settings: &Settings, client: Arc<PrometheusClient>) -> Self {
        Self::Server(
            Box::new(settings.clone()),
            Box::new(ConditionServer::new(client)),
        )
    }
}

pub(crate) async fn plot_loop(task: MetricsTask, mut past: PlotHistory) {
    let names: Arc<BTreeSet<String>> =
        Arc::new(task.conditions().map(|rule| rule.name.clone()).collect());
    if names.is_empty() {
        return;
    }
    let rests = Arc::new(Mutex::new(Rests::default()));
    let (mut wait, mut attempts) = (EVERY, 0);
    let clock = &task.monitor.core.clock;
    let mut stepped = clock.stepped();
    loop {
        tokio::time::sleep(wait).await;
        if std::mem::replace(&mut stepped, clock.stepped()) != clock.stepped() {
            lock(&rests).clear();
        }
        let (names, rests) = (Arc::clone(&names), Arc::clone(&rests));
        let look = move |monitor: &ConditionMonitor| {
            due_plots(
                &monitor.core.store,
                &names,
                monitor.core.now(),
                &mut lock(&rests),
            )
        };
        let Some(due) = task.run_blocking("incidents could not be read", look).await else {
            return;
        };
        if due.is_empty() {
            continue;
        }
        match draw_due_plots(&task, &mut past, due).await {
            Ok(true) => (wait, attempts) = (EVERY, 0),
            Ok(false) => return,
            Err(fault) => {
                attempts += 1;
                wait = fault
                    .retry_delay(attempts + DOUBLED, &task.name)
                    .to_std()
                    .unwrap_or(EVERY)
                    .max(EVERY);
            }
        }
    }
}

/// Draws all due plots, as far as the source responds. `false`: this process has lost leadership.
async fn draw_due_plots(
    task: &MetricsTask,
    past: &mut PlotHistory,
    due: Vec<(Incident, Vec<String>)>,
) -> Result<bool, ClientError> {
    let Some(source) = Source::of(task, past).await else {
        return Ok(false);
    };
    let (mut source, mut trouble) = match source {
        Ok(source) => (Some(source), None),
        Err(fault) => (None, Some(fault)),
    };
    'due: for (incident, conditions) in due {
        for condition in conditions {
            let Some(source) = &mut source else {
                break 'due;
            };
            let Some(rule) = task.conditions().find(|rule| rule.name == condition) else {
                continue;
            };
            match draw(task, source, &incident, rule).await {
                Ok(true) => {}
                Ok(false) => return Ok(false),
                Err(fault) => {
                    // A rejected query says nothing about the next condition; an overloaded or
                    // unreachable server is left alone.
                    let is_alone = matches!(
                        fault,
                        ClientError::Refused { .. }
                            | ClientError::Unreadable(_)
                            | ClientError::Partial { .. }
                    );
                    trouble = Some(fault);
                    if !is_alone {
                        break 'due;
                    }
                }
            }
        }
    }
    drop(source);
    let PlotHistory::Server(settings, server) = past else {
        return Ok(true);
    };
    task.record_request(
        "pictures",
        trouble
            .as_ref()
            .map_or(Ok(()), |fault| Err(fault.to_string())),
    );
    let Some(fault) = trouble else {
        return Ok(true);
    };
    if let Some(Ok(client)) = task
        .reread_credentials(&fault)
        .await
        .map(|metrics_access| PrometheusClient::new(settings, &metrics_access))
    {
        **server = ConditionServer::new(Arc::new(client));
    }
    Err(fault)
}

/// Draws one condition of one incident. `false`: this process has lost leadership.
async fn draw(
    task: &MetricsTask,
    source: &mut Source<'_>,
    incident: &Incident,
    rule: &ConditionRule,
) -> Result<bool, ClientError> {
    let now = task.now();
    let plot = outline(incident, rule, now);
    let step = rule
        .every
        .max((plot.to - plot.from).num_seconds() / POINTS + 1);
    let lines = source.lines(rule, plot.from, plot.to, step, now).await?;
    let (id, condition) = (incident.id.clone(), rule.name.clone());
    let Some(last) = task
        .run_blocking("a stored plot could not be read", move |monitor| {
            monitor.core.store.plot(&id, &condition)
        })
        .await
    else {
        return Ok(false);
    };
    let is_news = |last: &StoredPlot| {
        !lines.is_empty()
            || (last.plot.query == plot.query && last.plot.milestones != plot.milestones)
    };
    let drawn = match last {
        Some(last) if !is_news(&last) => StoredPlot { at: now, ..last },
        last => {
            let mut plot = with_series(
                plot,
                last.map(|last| last.plot),
                lines,
                TimeDelta::seconds(step),
                rule,
            );
            show_reported_values(
                &mut plot,
                incident.members.iter().map(|member| &*member.event),
            );
            StoredPlot {
                svg: svg(&plot),
                plot,
                at: now,
            }
        }
    };
    let id = incident.id.clone();
    Ok(task
        .run_blocking("a plot could not be stored", move |monitor| {
            monitor.save_plot(&id, &drawn)
        })
        .await
        .is_some())
}

/// Adds the series to a plot: the new ones, merged with those of the last plot.
fn with_series(
    mut plot: Plot,
    last: Option<Plot>,
    new: Vec<PlotSeries>,
    step: TimeDelta,
    rule: &ConditionRule,
) -> Plot {
    // Results of a different query are not comparable.
    let last = last.filter(|last| last.query == plot.query);
    let (old, left_out) = last.map_or((Vec::new(), 0), |last| (last.lines, last.left_out));
    let (lines, beyond) = worst_first(merge_series(&old, new, (plot.from, plot.to), step), rule);
    plot.lines = lines;
    plot.left_out = beyond.max(left_out);
    plot
}

/// Puts the values that the condition reported with its changes of state into its series. The step
/// of a plot may be coarser than the condition's own, so that no sample is at these instants.
fn show_reported_values<'a>(plot: &mut Plot, events: impl Iterator<Item = &'a Event>) {
    for event in events.filter(|event| (plot.from..=plot.to).contains(&event.occurred_at)) {
        let Fact::Condition(condition) = &event.fact else {
            continue;
        };
        let value = condition.value.filter(|value| value.is_finite());
        let line = plot
            .lines
            .iter_mut()
            .find(|line| LabelSet::from(&line.labels) == condition.labels);
        let (Some(value), Some(line)) = (value, line.filter(|_| condition.name == plot.condition))
        else {
            continue;
        };
        let point = (event.occurred_at, Some(value));
        match line.points.binary_search_by_key(&point.0, |(at, _)| *at) {
            Ok(place) => line.points[place] = point,
            Err(place) => line.points.insert(place, point),
        }
    }
}

/// Plot of a condition without its series.
fn outline(incident: &Incident, rule: &ConditionRule, now: Time) -> Plot {
    let (from, to) = plot_range(incident, now);
    let spans = incident
        .signals
        .iter()
        .filter(|signal| signal.kind == SignalKind::Condition && *signal.name == *rule.name);
    Plot {
        condition: rule.name.clone(),
        service: rule.service.clone(),
        query: rule.query.clone(),
        from,
        to,
        lines: Vec::new(),
        bounds: threshold_lines(rule),
        spans: worst_spans(
            &spans
                .flat_map(|signal| signal.spans.iter().copied())
                .collect::<Vec<_>>(),
            to,
        ),
        milestones: milestones_within(incident, from, to),
        left_out: 0,
    }
}

/// Combined state of all series: at each instant the worst state of any of them.
fn worst_spans(spans: &[Span], to: Time) -> Vec<Span> {
    let end = |span: &Span| span.end.unwrap_or(to.max(span.start));
    let mut edges: Vec<Time> = spans
        .iter()
        .flat_map(|span| [span.start, end(span)])
        .collect();
    edges.sort_unstable();
    edges.dedup();
    let mut whole: Vec<Span> = Vec::new();
    for pair in edges.windows(2) {
        // States are ordered by severity, the worst first.
        let worst: Option<SpanState> = spans
            .iter()
            .filter(|span| span.start <= pair[0] && pair[1] <= end(span))
            .map(|span| span.state)
            .min();
        let Some(state) = worst else { continue };
        match whole.last_mut() {
            Some(last) if last.state == state && last.end == Some(pair[0]) => {
                last.end = Some(pair[1]);
            }
            _ => whole.push(Span {
                start: pair[0],
                end: Some(pair[1]),
                state,
            }),
        }
    }
    whole
}

/// Selects the [`LINES`] series furthest beyond the threshold. Returns also the number left out.
fn worst_first(mut lines: Vec<PlotSeries>, rule: &ConditionRule) -> (Vec<PlotSeries>, usize) {
    let low = matches!(
        rule.degraded.comparison,
        Comparison::Below | Comparison::AtMost
    );
    let extreme = |line: &PlotSeries| {
        let values = line
            .points
            .iter()
            .filter_map(|(_, value)| *value)
            .filter(|value| !value.is_nan());
        values
            .map(|value| if low { -value } else { value })
            .fold(f64::NEG_INFINITY, f64::max)
    };
    lines.sort_by(|a, b| {
        extreme(b)
            .total_cmp(&extreme(a))
            .then_with(|| a.labels.cmp(&b.labels))
    });
    let left_out = lines.len().saturating_sub(LINES);
    lines.truncate(LINES);
    (lines, left_out)
}

/// Source of values for one round of plotting.
enum Source<'a> {
    Server(&'a ConditionServer),
    Samples(Box<History>),
}

impl<'a> Source<'a> {
    /// Prepares the source. `None`: this process has lost leadership.
    async fn of(
        task: &MetricsTask,
        past: &'a mut PlotHistory,
    ) -> Option<Result<Self, ClientError>> {
        match past {
            PlotHistory::Server(_, server) => Some(
                server
                    .prepare(&task.monitor.core)
                    .await
                    .map(|()| Self::Server(server)),
            ),
            PlotHistory::Samples => Some(Ok(Self::Samples(Box::new(History::read(task).await?)))),
        }
    }

    /// Queries the values of all series, as far as they are available.
    async fn lines(
        &mut self,
        rule: &ConditionRule,
        from: Time,
        to: Time,
        step: i64,
        now: Time,
    ) -> Result<Vec<PlotSeries>, ClientError> {
        let values = match self {
            Self::Server(server) => server.values(rule, from, to, step).await?,
            // Older samples are being deleted; evaluating with half of the look-back window would
            // give wrong values.
            Self::Samples(history) => {
                history.values(rule, from.max(now - PLOT_RETENTION), to, step)
            }
        };
        let mut lines: BTreeMap<Labels, Vec<(Time, Option<f64>)>> = BTreeMap::new();
        for (at, values) in &values {
            for (labels, value) in values {
                lines
                    .entry(labels.clone())
                    .or_default()
                    .push((*at, Some(*value).filter(|value| value.is_finite())));
            }
        }
        Ok(lines
            .into_iter()
            .map(|(labels, points)| PlotSeries { labels, points })
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::{
        ConditionRule, Event, Fact, Labels, Plot, PlotSeries, Span, SpanState, Time, TimeDelta,
        show_reported_values, with_series, worst_spans,
    };
    use crate::model::event::{Condition, ConditionState, Severity};
    use crate::rules::parse;

    fn at(second: i64) -> Time {
        Time::from_timestamp(second, 0).unwrap_or_default()
    }

    fn rule() -> ConditionRule {
        let text = "conditions: [{name: errors, service: shop, metrics: web, query: up, degraded: '> 2', every: 10s}]";
        parse::load(&[("rules.yaml".to_owned(), text.to_owned())])
            .expect("rules")
            .conditions
            .remove(0)
    }

    /// Plot of one hour with a point in each of these minutes.
    fn plot(query: &str, minutes: std::ops::Range<i64>) -> Plot {
        let points = minutes.map(|minute| (at(minute * 60), Some(1.0))).collect();
        Plot {
            condition: "errors".to_owned(),
            service: "shop".to_owned(),
            query: query.to_owned(),
            from: at(0),
            to: at(3600),
            lines: vec![PlotSeries {
                labels: Labels::new(),
                points,
            }],
            bounds: Vec::new(),
            spans: Vec::new(),
            milestones: Vec::new(),
            left_out: 2,
        }
    }

    #[test]
    fn new_plot_keeps_points_of_the_last_one() {
        let (step, bare) = (
            TimeDelta::seconds(60),
            Plot {
                lines: Vec::new(),
                left_out: 0,
                ..plot("up", 0..0)
            },
        );
        let check = |last: Plot, new: Plot, expected: Plot| {
            assert_eq!(
                with_series(bare.clone(), Some(last), new.lines, step, &rule()),
                expected
            );
        };
        check(plot("up", 0..30), plot("up", 20..60), plot("up", 0..60));
        check(plot("up", 0..30), bare.clone(), plot("up", 0..30));
        check(
            plot("down", 0..30),
            plot("up", 20..60),
            Plot {
                left_out: 0,
                ..plot("up", 20..60)
            },
        );
    }

    #[test]
    fn turn_between_two_samples_has_the_value_of_its_event() {
        let told = |second, name: &str, value| {
            let fact = Fact::Condition(Condition {
                name: name.to_owned(),
                state: ConditionState::Healthy,
                severity: Severity::Critical,
                labels: Labels::new().into(),
                value,
                since: None,
            });
            Event::new("web", at(second), fact)
        };
        let events = [
            told(90, "errors", Some(0.0008)),
            told(60, "errors", Some(2.5)),
            told(70, "errors", None),
            told(80, "latency", Some(7.0)),
            told(7200, "errors", Some(9.0)),
        ];
        let mut plot = plot("up", 1..3);
        show_reported_values(&mut plot, events.iter());
        let expected = [(60, 2.5), (90, 0.0008), (120, 1.0)];
        assert_eq!(
            plot.lines[0].points,
            expected.map(|(second, value)| (at(second), Some(value)))
        );
    }

    #[test]
    fn overlapping_spans_give_the_worst_state() {
        let span = |start, end: Option<i64>, state| Span {
            start: at(start),
            end: end.map(at),
            state,
        };
        let spans = vec![
            span(0, Some(20), SpanState::NearMiss),
            span(10, Some(15), SpanState::Degraded),
            span(15, Some(30), SpanState::Degraded),
            span(40, None, SpanState::Unknown),
        ];
        let expected = [
            span(0, Some(10), SpanState::NearMiss),
            span(10, Some(30), SpanState::Degraded),
            span(40, Some(50), SpanState::Unknown),
        ];
        assert_eq!(worst_spans(&spans, at(50)), expected);
        assert_eq!(worst_spans(&[], at(50)), []);
    }
}
