//! What a Prometheus remembers, as records of a log: its alerts of months, and what conditions would have found of its metrics, so that criteria
//! can be tried before anything is connected.
//!
//! Alerts are read as they are while this runs (`ingest::recall`), sample by sample, so that their times are those of the evaluations; conditions
//! are evaluated at their instants by the machine that watches live. Both go by the server's own clock. When it did not look itself, nobody knows.
//! The span is read day by day, and less at once where a server finds that too much, so that memory stays flat however long it is.

mod alerts;
mod chunking;
mod conditions;
pub mod error;
mod reorder_buffer;
mod retention_start;
mod scrape_coverage;
pub mod server;

use std::collections::BTreeSet;

use chrono::TimeDelta;
use futures_util::future::{join, try_join_all};

use super::conditions::alert_history::Known;
use crate::model::settings::LabelNames;
use crate::model::time::Time;
use crate::rules::rule_set::RuleSet;

use alerts::Alerts;
use conditions::Watched;
use error::PastFault;
use reorder_buffer::Order;
use retention_start::Beginning;
use scrape_coverage::Looks;
use server::HistoryServer;

/// How much is read between two answers to who asks.
const STRETCH: TimeDelta = TimeDelta::days(1);

/// What is read of the past.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistorySpan {
    /// From then on; cut to seconds.
    pub from: Time,
    /// Until then; cut to seconds.
    pub until: Time,
    /// `None`: each evaluation of alerts as it was, and conditions as often as they say. Else only what was so at whole multiples of it: a server
    /// that has much to do answers sooner, and nothing is known more precisely than that.
    pub step: Option<TimeDelta>,
}

/// What became known at one instant.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// When.
    pub logged_at: Time,
    /// What.
    pub events: Vec<crate::model::event::Event>,
    /// The rule sets that have the condition it tells of; `None`: it is of no condition.
    of: Option<BTreeSet<usize>>,
}

impl Record {
    /// Whether it is in the log of the rule set at this place among those that were given. A condition that only one of them has, or that they
    /// define differently, tells nothing to the others.
    #[must_use]
    pub fn is_for(&self, rules: usize) -> bool {
        self.of.as_ref().is_none_or(|of| of.contains(&rules))
    }
}

/// What a Prometheus remembers of alerts, and of the conditions of some rules, as records of a log in order of time.
#[derive(Debug)]
pub struct PrometheusHistory {
    server: HistoryServer,
    names: LabelNames,
    span: HistorySpan,
    known: Known,
    looks: Looks,
    alerts: Alerts,
    watched: Vec<Watched>,
    /// Conditions that ask somebody else.
    others: BTreeSet<String>,
    order: Order,
    /// Up to when it was read; `None`: not begun.
    at: Option<Time>,
    flushed: bool,
}

impl PrometheusHistory {
    /// Begins to read. Conditions are those of all of `rules` that ask this server; `names`: which labels of alerts give what.
    #[must_use]
    pub fn of(
        server: HistoryServer,
        rules: &[&RuleSet],
        names: &LabelNames,
        span: HistorySpan,
    ) -> Self {
        let whole = |time: Time| Time::from_timestamp(time.timestamp(), 0).unwrap_or(time);
        let step = span
            .step
            .map(|step| TimeDelta::seconds(step.num_seconds().max(1)));
        let span = HistorySpan {
            from: whole(span.from),
            until: whole(span.until),
            step,
        };
        let all = || {
            rules
                .iter()
                .enumerate()
                .flat_map(|(set, rules)| rules.conditions.iter().map(move |rule| (set, rule)))
        };
        let others = all()
            .filter(|(_, rule)| !server.is_asked(&rule.metrics))
            .map(|(_, rule)| rule.name.clone());
        let mut watched: Vec<Watched> = Vec::new();
        for (set, rule) in all().filter(|(_, rule)| server.is_asked(&rule.metrics)) {
            match watched.iter_mut().find(|watched| watched.is(rule)) {
                Some(watched) => watched.add(set),
                None => watched.push(Watched::new(rule, set)),
            }
        }
        Self {
            others: others.collect(),
            names: names.clone(),
            known: Known::default(),
            looks: Looks::new(step),
            alerts: Alerts::new(step),
            watched,
            order: Order::from(span.from),
            at: None,
            flushed: false,
            server,
            span,
        }
    }

    /// Reads on, and gives what became known in the next stretch, in order of time over all stretches; `None` at the end. Waits where the server
    /// asks for it, so it needs a runtime with time.
    ///
    /// # Errors
    /// When the server does not answer even for a short while. What was read up to then stays true; reading on is not possible.
    pub async fn next(&mut self) -> Result<Option<Vec<Record>>, PastFault> {
        let from = match self.at {
            Some(at) => at,
            None => self.begin().await?,
        };
        if from >= self.span.until {
            let rest = (!std::mem::replace(&mut self.flushed, true)).then(|| self.order.take(None));
            return Ok(rest);
        }
        let until = self.span.until.min(from + STRETCH);
        let Self {
            server,
            names,
            span,
            known,
            looks,
            alerts,
            watched,
            ..
        } = self;
        looks.read(server, from, until).await?;
        let read_on = until < span.until;
        let read = alerts.read(server, known, names, looks, (from, until, read_on));
        let evaluated = try_join_all(
            watched
                .iter_mut()
                .map(|watched| watched.read(server, span.step, looks, from, until)),
        );
        let (read, evaluated) = join(read, evaluated).await;
        self.order.add(read?, None);
        for (events, watched) in evaluated?.into_iter().zip(&self.watched) {
            self.order.add(events, Some(watched.of()));
        }
        self.at = Some(until);
        let told = self
            .alerts
            .told_until()
            .map_or(until, |told| told.min(until));
        self.looks.forget(told);
        Ok(Some(self.order.take(Some(told))))
    }

    /// How much of the span has been read, from 0 to 1.
    #[must_use]
    pub fn progress(&self) -> f64 {
        let whole = (self.span.until - self.span.from).as_seconds_f64();
        let read = self
            .at
            .map_or(0.0, |at| (at - self.span.from).as_seconds_f64());
        if whole > 0.0 {
            (read / whole).clamp(0.0, 1.0)
        } else {
            1.0
        }
    }

    /// The first that it remembers of the span; `None`: nothing has been found yet. Where that is later than was asked for, it keeps no more, or
    /// was not there yet.
    #[must_use]
    pub fn remembered_from(&self) -> Option<Time> {
        let conditions = self.watched.iter().filter_map(Watched::first);
        conditions
            .chain(self.alerts.first())
            .chain(self.looks.first())
            .min()
    }

    /// What who reads the result should know of how it came about, a sentence each.
    #[must_use]
    pub fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        if self.at.is_some() && self.known.rules.is_empty() {
            remarks.push("The server shows no alerting rules, so that nobody knows which alerts nearly fired.".to_owned());
        }
        if self.at.is_some() && !self.looks.is_known() {
            remarks.push(
                "The server has no `up`, so that nobody knows when it did not look: what ended then is taken for recovered.".to_owned(),
            );
        }
        if !self.others.is_empty() {
            let names: Vec<String> = self.others.iter().map(|name| format!("`{name}`")).collect();
            remarks.push(format!(
                "Conditions that ask other metrics were left out: {}.",
                names.join(", ")
            ));
        }
        remarks.extend(self.watched.iter().filter_map(Watched::remark));
        remarks
    }

    /// Finds out what the server is and where what it remembers begins.
    async fn begin(&mut self) -> Result<Time, PastFault> {
        let HistorySpan { from, until, .. } = self.span;
        if from >= until {
            return Ok(*self.at.insert(until));
        }
        let client = self.server.client();
        let told = self.known.refresh(client, until).await;
        told.map_err(|said| {
            self.server
                .fault("its rules and settings", (from, until), said)
        })?;
        let beginning = retention_start::find(client, from, until).await;
        let at = match beginning.map_err(|said| {
            self.server
                .fault("the names of its series", (from, until), said)
        })? {
            Beginning::At { at, up } => {
                self.looks.expect(up);
                at
            }
            Beginning::Nowhere if self.watched.is_empty() => until,
            Beginning::Nowhere | Beginning::Unknown => from,
        };
        Ok(*self.at.insert(at))
    }
}

#[cfg(test)]
mod tests {
    use super::PrometheusHistory;

    /// Whoever reads may do so in a task of its own.
    fn _is_sent(past: &mut PrometheusHistory) -> impl Send {
        past.next()
    }
}
