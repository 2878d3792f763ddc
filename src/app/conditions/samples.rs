//! Evaluation of conditions over scraped or pushed samples. Each instant is evaluated with a small
//! lag, so that its samples have arrived.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use super::retention::{PLOT_RETENTION, lookback};
use super::task::MetricsTask;
use super::timing::{last_instant, wait_until};
use crate::config::metrics::ScrapeConfig;
use crate::engine::conditions::evaluator::{ConditionEvaluator, QueryResult};
use crate::engine::conditions::promql_subset::sample_buffer::{InstantVector, SampleBuffer, UP};
use crate::model::event::Event;
use crate::model::time::Time;
use crate::rules::promql::PromqlQuery;
use crate::rules::rule_set::ConditionRule;

/// Maximum number of instants evaluated per batch, before the resulting events are stored.
const TOGETHER: usize = 1000;

/// Arrival timing of the samples of an entry.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ArrivalTiming {
    /// Delay after an instant until its samples have arrived.
    lag: TimeDelta,
    /// Maximum age of the last scrape; beyond it the state is unknown. `None`: samples are pushed,
    /// each sender at its own interval.
    looked: Option<TimeDelta>,
}

impl ArrivalTiming {
    pub(crate) fn scraped(settings: &ScrapeConfig) -> Self {
        // A slower target lags by one scrape, as in Prometheus.
        let interval = TimeDelta::seconds(settings.interval);
        Self {
            lag: TimeDelta::seconds(1),
            looked: Some(interval + interval / 2),
        }
    }

    pub(crate) fn pushed() -> Self {
        // Prometheus flushes remote write every five seconds, and soon after that under load.
        Self {
            lag: TimeDelta::seconds(10),
            looked: None,
        }
    }

    /// Query result at an instant; [`QueryResult::Failed`] when the last scrape is too old.
    fn answer(self, samples: &SampleBuffer, query: &PromqlQuery, at: Time) -> QueryResult {
        match self.looked {
            None => samples.answer_of_pushed(query, at),
            Some(within)
                if samples
                    .newest(UP, at)
                    .is_some_and(|newest| at - newest <= within) =>
            {
                QueryResult::Whole(samples.answer(query, at))
            }
            Some(_) => QueryResult::Failed,
        }
    }
}

pub(crate) async fn evaluate_loop(task: MetricsTask, pace: ArrivalTiming) {
    let Some(mut evaluators) = task.load_evaluators().await else {
        return;
    };
    if evaluators.by_condition.is_empty() {
        return;
    }
    let (mut samples, mut position) = (SampleBuffer::default(), 0);
    loop {
        let Some((now, step)) = task.follow_clock(&mut evaluators).await else {
            return;
        };
        if step.is_some() {
            (samples, position) = (SampleBuffer::default(), 0);
        }
        if task
            .read_samples(&mut samples, &mut position)
            .await
            .is_none()
        {
            return;
        }
        let now = now - pace.lag;
        let (mut events, mut more) = (Vec::new(), false);
        for rule in task.conditions() {
            let Some(watches) = evaluators.by_condition.get_mut(&rule.name) else {
                continue;
            };
            let fault = task
                .monitor
                .recorded()
                .conditions()
                .get(&rule.name)
                .and_then(|status| status.fault.clone());
            let query = rule
                .understood
                .of_samples
                .as_ref()
                .ok()
                .filter(|_| fault.is_none());
            more |= evaluate(rule, query, watches, &samples, now, pace, &mut events);
        }
        if !task.save_evaluators(&mut evaluators, events).await {
            return;
        }
        // Pending instants still need their look-back window.
        let evaluated = evaluators
            .by_condition
            .values()
            .filter_map(ConditionEvaluator::last)
            .min()
            .unwrap_or(now)
            .clamp(now - PLOT_RETENTION, now);
        let looks_back = lookback(&task.settings, &task.name);
        samples.forget(evaluated - looks_back, now - looks_back - PLOT_RETENTION);
        if !more {
            let next = task
                .conditions()
                .map(|rule| last_instant(now, rule.every) + TimeDelta::seconds(rule.every))
                .min();
            wait_until(
                &task.monitor.core,
                next.unwrap_or(now + TimeDelta::seconds(1)) + pace.lag,
            )
            .await;
        }
    }
}

/// Evaluates the due instants of one condition. Returns whether more are due.
fn evaluate(
    rule: &ConditionRule,
    query: Option<&PromqlQuery>,
    watches: &mut ConditionEvaluator,
    samples: &SampleBuffer,
    now: Time,
    pace: ArrivalTiming,
    events: &mut Vec<Event>,
) -> bool {
    let (last, every) = (
        last_instant(now, rule.every),
        TimeDelta::seconds(rule.every),
    );
    // Older samples have been deleted.
    let first = watches
        .last()
        .map_or(last, |last| last_instant(last, rule.every) + every)
        .max(last_instant(now - PLOT_RETENTION, rule.every));
    let mut at = first;
    for _ in 0..TOGETHER {
        if at > last {
            return false;
        }
        let answer = query.map_or(QueryResult::Failed, |query| pace.answer(samples, query, at));
        events.extend(watches.evaluate(rule, at, &answer));
        at += every;
    }
    at <= last
}

/// Stored samples of an entry, as the source of plots.
pub(crate) struct History(SampleBuffer);

impl History {
    pub(crate) async fn read(task: &MetricsTask) -> Option<Self> {
        let (mut samples, mut position) = (SampleBuffer::default(), 0);
        task.read_samples(&mut samples, &mut position).await?;
        Some(Self(samples))
    }

    /// Evaluates a condition's query at `from` and every `step` seconds until `to`; results by
    /// time.
    pub(crate) fn values(
        &self,
        rule: &ConditionRule,
        from: Time,
        to: Time,
        step: i64,
    ) -> BTreeMap<Time, InstantVector> {
        let Ok(query) = &rule.understood.of_samples else {
            return BTreeMap::new();
        };
        let instants = std::iter::successors(Some(from), |at| Some(*at + TimeDelta::seconds(step)))
            .take_while(|at| *at <= to);
        instants.map(|at| (at, self.0.answer(query, at))).collect()
    }
}
