//! Conditions on samples that are scraped or pushed: evaluated here, a little after each instant, so that what belongs to it has come.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use super::{DRAWN_BACK, Entry, instant, kept, looks_back, wait_until};
use crate::app::sync::lock;
use crate::config::metrics::ScrapeConfig;
use crate::engine::conditions::evaluator::{ConditionEvaluator, QueryResult};
use crate::engine::conditions::promql_subset::sample_buffer::{InstantVector, SampleBuffer, UP};
use crate::model::event::Event;
use crate::model::time::Time;
use crate::rules::promql::PromqlQuery;
use crate::rules::rule_set::ConditionRule;

/// Instants evaluated before what they make known is stored.
const TOGETHER: usize = 1000;

/// How samples of an entry come.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// How long after an instant its samples have come.
    lag: TimeDelta,
    /// How long after our own last look nobody can say. `None`: others look, each at its own pace.
    looked: Option<TimeDelta>,
}

impl Pace {
    pub(crate) fn scraped(settings: &ScrapeConfig) -> Self {
        // Whoever takes longer is behind by one scrape, as in a Prometheus.
        let interval = TimeDelta::seconds(settings.interval);
        Self {
            lag: TimeDelta::seconds(1),
            looked: Some(interval + interval / 2),
        }
    }

    pub(crate) fn pushed() -> Self {
        // A Prometheus sends every five seconds what it has, and less than that later when it is busy.
        Self {
            lag: TimeDelta::seconds(10),
            looked: None,
        }
    }

    /// What samples say at an instant, as far as somebody looked.
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

pub(crate) async fn evaluate_loop(entry: Entry, pace: Pace) {
    let Some(mut book) = entry.load().await else {
        return;
    };
    if book.watches.is_empty() {
        return;
    }
    let (mut samples, mut position) = (SampleBuffer::default(), 0);
    loop {
        if kept(&entry, &mut samples, &mut position).await.is_none() {
            return;
        }
        let now = entry.app.now() - pace.lag;
        let (mut events, mut more) = (Vec::new(), false);
        for rule in entry.conditions() {
            let Some(watches) = book.watches.get_mut(&rule.name) else {
                continue;
            };
            let fault = lock(&entry.app.measured)
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
        if !entry.save(&mut book, events).await {
            return;
        }
        // What is still to be caught up with looks back from there.
        let evaluated = book
            .watches
            .values()
            .filter_map(ConditionEvaluator::last)
            .min()
            .unwrap_or(now)
            .clamp(now - DRAWN_BACK, now);
        let looks_back = looks_back(&entry.settings, &entry.name);
        samples.forget(evaluated - looks_back, now - looks_back - DRAWN_BACK);
        if !more {
            let next = entry
                .conditions()
                .map(|rule| instant(now, rule.every) + TimeDelta::seconds(rule.every))
                .min();
            wait_until(
                &entry.app,
                next.unwrap_or(now + TimeDelta::seconds(1)) + pace.lag,
            )
            .await;
        }
    }
}

/// Evaluates the instants of one condition that are due; whether there are more.
fn evaluate(
    rule: &ConditionRule,
    query: Option<&PromqlQuery>,
    watches: &mut ConditionEvaluator,
    samples: &SampleBuffer,
    now: Time,
    pace: Pace,
    events: &mut Vec<Event>,
) -> bool {
    let (last, every) = (instant(now, rule.every), TimeDelta::seconds(rule.every));
    // Of what is older there are no samples.
    let first = watches
        .last()
        .map_or(last, |last| instant(last, rule.every) + every)
        .max(instant(now - DRAWN_BACK, rule.every));
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

/// All samples kept of an entry, for drawing the past.
pub(crate) struct History(SampleBuffer);

impl History {
    pub(crate) async fn read(entry: &Entry) -> Option<Self> {
        let (mut samples, mut position) = (SampleBuffer::default(), 0);
        kept(entry, &mut samples, &mut position).await?;
        Some(Self(samples))
    }

    /// What a condition's query gives at `from` and every `step` seconds until `to`, by time.
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
