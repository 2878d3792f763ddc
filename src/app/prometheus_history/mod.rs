//! Prometheus history as log records: months of alerts, and the results of evaluating conditions
//! over stored metrics, so that criteria can be tried before any source is connected.
//!
//! Alerts are read sample by sample, as in live operation (`ingest::prometheus_alert_series`), so
//! that their times are those of rule evaluation; conditions are evaluated at their instants by the
//! live evaluator. Both use the server's clock. During gaps in scraping the state is unknown. The
//! span is read day by day, and in smaller ranges where the server cannot answer that much, so that
//! memory stays constant.

mod alerts;
mod chunking;
mod conditions;
pub mod error;
pub mod record;
mod reorder_buffer;
mod retention_start;
mod scrape_coverage;
pub mod server;

use std::collections::BTreeSet;

use chrono::TimeDelta;
use futures_util::future::{join, try_join_all};

use super::conditions::alert_history::ServerMetadata;
use crate::model::settings::LabelNames;
use crate::model::time::Time;
use crate::rules::rule_set::RuleSet;

use alerts::Alerts;
use chunking::LONGEST_CHUNK;
use conditions::Watched;
use error::HistoryError;
use record::HistoryRecord;
use reorder_buffer::ReorderBuffer;
use retention_start::RetentionStart;
use scrape_coverage::ScrapeCoverage;
use server::HistoryServer;

/// Range and resolution of a read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistorySpan {
    /// Start of the range; truncated to seconds.
    pub from: Time,
    /// End of the range; truncated to seconds.
    pub until: Time,
    /// Resolution. `None`: every alert evaluation, and conditions at their own interval. Otherwise
    /// only the state at whole multiples of it, which is faster on a loaded server but less
    /// precise.
    pub step: Option<TimeDelta>,
}

/// Reader of alert and condition history, as log records ordered by time.
#[derive(Debug)]
pub struct PrometheusHistory {
    server: HistoryServer,
    names: LabelNames,
    span: HistorySpan,
    known: ServerMetadata,
    looks: ScrapeCoverage,
    alerts: Alerts,
    watched: Vec<Watched>,
    /// Names of conditions evaluated on other servers.
    others: BTreeSet<String>,
    order: ReorderBuffer,
    /// End of the range read so far; `None`: not started.
    at: Option<Time>,
    flushed: bool,
}

impl PrometheusHistory {
    /// Prepares a read, with the conditions of all of `rules` that are evaluated on this server;
    /// `names` maps alert labels to fields.
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
            known: ServerMetadata::default(),
            looks: ScrapeCoverage::new(step),
            alerts: Alerts::new(step),
            watched,
            order: ReorderBuffer::from(span.from),
            at: None,
            flushed: false,
            server,
            span,
        }
    }

    /// Reads the next range. Returns its records, ordered by time across calls; `None` at the end.
    /// May sleep between retries, so it needs a Tokio runtime with time enabled.
    ///
    /// # Errors
    /// When the server cannot answer even the minimum range. Records returned before remain valid;
    /// reading cannot continue.
    pub async fn next(&mut self) -> Result<Option<Vec<HistoryRecord>>, HistoryError> {
        let from = match self.at {
            Some(at) => at,
            None => self.begin().await?,
        };
        if from >= self.span.until {
            let rest = (!std::mem::replace(&mut self.flushed, true)).then(|| self.order.take(None));
            return Ok(rest);
        }
        let until = self.span.until.min(from + LONGEST_CHUNK);
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
            self.order.add(events, Some(watched.rule_sets()));
        }
        self.at = Some(until);
        let told = self
            .alerts
            .complete_until()
            .map_or(until, |told| told.min(until));
        self.looks.forget(told);
        Ok(Some(self.order.take(Some(told))))
    }

    /// Fraction of the span read so far, from 0 to 1.
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

    /// Time of the first data found in the span; `None`: none yet. Later than the start of the span
    /// if the server's retention is shorter, or it did not exist yet.
    #[must_use]
    pub fn remembered_from(&self) -> Option<Time> {
        let conditions = self.watched.iter().filter_map(Watched::first);
        conditions
            .chain(self.alerts.first())
            .chain(self.looks.first())
            .min()
    }

    /// Remarks on data quality for readers of the result, one sentence each.
    #[must_use]
    pub fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        if self.at.is_some() && self.known.rules.is_empty() {
            remarks.push("The server exposes no alerting rules, so alerts that nearly fired are not detected.".to_owned());
        }
        if self.at.is_some() && !self.looks.is_known() {
            remarks.push(
                "The server has no `up` series, so gaps in scraping are not detected: an alert that ended in one counts as recovered.".to_owned(),
            );
        }
        if !self.others.is_empty() {
            let names: Vec<String> = self.others.iter().map(|name| format!("`{name}`")).collect();
            remarks.push(format!(
                "Conditions on other entries of `metrics:` were left out: {}.",
                names.join(", ")
            ));
        }
        remarks.extend(self.watched.iter().filter_map(Watched::remark));
        remarks
    }

    /// Reads the server's rules and finds the start of its retention.
    async fn begin(&mut self) -> Result<Time, HistoryError> {
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
            RetentionStart::At { at, up } => {
                self.looks.expect(up);
                at
            }
            RetentionStart::Nowhere if self.watched.is_empty() => until,
            RetentionStart::Nowhere | RetentionStart::Unknown => from,
        };
        Ok(*self.at.insert(at))
    }
}

#[cfg(test)]
mod tests {
    use super::PrometheusHistory;

    /// Checks at compile time that the future can be spawned.
    fn _is_sent(past: &mut PrometheusHistory) -> impl Send {
        past.next()
    }
}
