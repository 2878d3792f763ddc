//! Conditions on samples that are scraped or pushed: evaluated here, a little after each instant, so that what belongs to it has come.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use super::asked::UP;
use super::{DRAWN_BACK, Entry, instant, kept, looks_back, wait_until};
use crate::app::lock;
use crate::config::metrics::Scrape;
use crate::engine::samples::{Samples, Values};
use crate::engine::watches::{Answer, Watches};
use crate::model::Time;
use crate::model::event::Event;
use crate::rules::ConditionRule;
use crate::rules::query::{Query, understand};

/// Instants evaluated before what they make known is stored.
const TOGETHER: usize = 1000;

/// How samples of an entry come.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// How long after an instant its samples have come.
    lag: TimeDelta,
    /// How long after the last look nobody can say. `None`: as long as samples of the series themselves are apart.
    looked: Option<TimeDelta>,
}

impl Pace {
    pub(super) fn scraped(settings: &Scrape) -> Self {
        // Whoever takes longer is behind by one scrape, as in a Prometheus.
        let interval = TimeDelta::seconds(settings.interval);
        Self { lag: TimeDelta::seconds(1), looked: Some(interval + interval / 2) }
    }

    pub(super) fn pushed() -> Self {
        // A Prometheus sends every five seconds what it has, and less than that later when it is busy.
        Self { lag: TimeDelta::seconds(10), looked: None }
    }
}

pub(super) async fn evaluate_loop(entry: Entry, pace: Pace) {
    let Some(mut book) = entry.load().await else { return };
    if book.watches.is_empty() {
        return;
    }
    let up = understand(UP).of_samples;
    let (mut samples, mut position) = (Samples::default(), 0);
    loop {
        if kept(&entry, &mut samples, &mut position).await.is_none() {
            return;
        }
        let now = entry.app.now() - pace.lag;
        let looked = |samples: &Samples, query: &Query, at: Time| {
            let Ok(up) = &up else { return true };
            let within = pace.looked.or_else(|| samples.pace(query).map(|pace| pace + pace / 2));
            // Where nobody ever said how often somebody looks, or that anybody did, what is there is believed.
            match (samples.newest(up, at), within) {
                (Some(newest), Some(within)) => at - newest.max(samples.newest(query, at).unwrap_or(newest)) <= within,
                (None, _) => pace.looked.is_none(),
                (_, None) => true,
            }
        };
        let (mut events, mut more) = (Vec::new(), false);
        for rule in entry.conditions() {
            let Some(watches) = book.watches.get_mut(&rule.name) else { continue };
            let fault = lock(&entry.app.measured).conditions().get(&rule.name).and_then(|status| status.fault.clone());
            let query = rule.understood.of_samples.as_ref().ok().filter(|_| fault.is_none());
            more |= evaluate(rule, query, watches, &samples, now, &looked, &mut events);
        }
        if !entry.save(&mut book, events).await {
            return;
        }
        samples.forget(now - looks_back(&entry.settings, &entry.name));
        if !more {
            let next = entry.conditions().map(|rule| instant(now, rule.every) + TimeDelta::seconds(rule.every)).min();
            wait_until(&entry.app, next.unwrap_or(now + TimeDelta::seconds(1)) + pace.lag).await;
        }
    }
}

/// Evaluates the instants of one condition that are due; whether there are more.
fn evaluate(
    rule: &ConditionRule,
    query: Option<&Query>,
    watches: &mut Watches,
    samples: &Samples,
    now: Time,
    looked: &impl Fn(&Samples, &Query, Time) -> bool,
    events: &mut Vec<Event>,
) -> bool {
    let (last, every) = (instant(now, rule.every), TimeDelta::seconds(rule.every));
    // Of what is older there are no samples.
    let first = watches.last().map_or(last, |last| instant(last, rule.every) + every).max(instant(now - DRAWN_BACK, rule.every));
    let mut at = first;
    for _ in 0..TOGETHER {
        if at > last {
            return false;
        }
        let answer = match query {
            Some(query) if looked(samples, query, at) => Answer::Whole(samples.answer(query, at)),
            _ => Answer::Failed,
        };
        events.extend(watches.evaluate(rule, at, &answer));
        at += every;
    }
    at <= last
}

/// All samples kept of an entry, for drawing the past.
pub(super) struct History(Samples);

impl History {
    pub(super) async fn read(entry: &Entry) -> Option<Self> {
        let (mut samples, mut position) = (Samples::default(), 0);
        kept(entry, &mut samples, &mut position).await?;
        Some(Self(samples))
    }

    /// What a condition's query gives at `from` and every `step` seconds until `to`, by time.
    pub(super) fn values(&self, rule: &ConditionRule, from: Time, to: Time, step: i64) -> BTreeMap<Time, Values> {
        let Ok(query) = &rule.understood.of_samples else { return BTreeMap::new() };
        let instants = std::iter::successors(Some(from), |at| Some(*at + TimeDelta::seconds(step))).take_while(|at| *at <= to);
        instants.map(|at| (at, self.0.answer(query, at))).collect()
    }
}
