//! Alert history of a Prometheus server, read in ranges of adaptive length.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use futures_util::future::try_join;

use super::chunking::ChunkSize;
use super::error::HistoryError;
use super::scrape_coverage::{ScrapeCoverage, after, at_or_before};
use super::server::HistoryServer;
use crate::app::conditions::alert_history::ServerMetadata;
use crate::clients::error::ClientError;
use crate::clients::prometheus::PrometheusClient;
use crate::clients::query_response::QueryResponse;
use crate::ingest::prometheus_alert_series::series_window::{AlertingRule, SeriesWindow};
use crate::ingest::prometheus_alert_series::{AlertSeriesState, SeriesReader};
use crate::model::event::Event;
use crate::model::labels::Labels;
use crate::model::settings::LabelNames;
use crate::model::time::Time;

/// Samples of each series, with its labels.
type Samples = Vec<(Labels, Vec<(Time, f64)>)>;

/// Reader of `ALERTS` and `ALERTS_FOR_STATE`.
#[derive(Debug, Default)]
pub(crate) struct Alerts {
    recalled: AlertSeriesState,
    /// Time of the first sample.
    first: Option<Time>,
    step: Option<TimeDelta>,
    piece: ChunkSize,
}

impl Alerts {
    pub(crate) fn new(step: Option<TimeDelta>) -> Self {
        Self {
            step,
            ..Self::default()
        }
    }

    pub(crate) fn first(&self) -> Option<Time> {
        self.first
    }

    /// Time up to which all events have been returned; `None`: all that was read.
    pub(crate) fn complete_until(&self) -> Option<Time> {
        self.recalled.complete_until()
    }

    /// Reads the range that follows the last one; `read_on`: another range follows.
    pub(crate) async fn read(
        &mut self,
        server: &HistoryServer,
        known: &ServerMetadata,
        names: &LabelNames,
        looks: &ScrapeCoverage,
        (from, until, read_on): (Time, Time, bool),
    ) -> Result<Vec<Event>, HistoryError> {
        let rules = self.rules(known);
        let (mut events, mut at) = (Vec::new(), from);
        while at < until {
            let to = self.piece.end(at, until);
            match self.ask(server.client(), at, to).await {
                Ok((alerts, active)) => {
                    self.piece.answered();
                    let read_on = read_on || to < until;
                    let mut memory = SeriesWindow {
                        alerts,
                        active,
                        looks: looks.times(),
                        from: at,
                        until: to,
                        read_on,
                    };
                    if self.first.is_none() {
                        // The state before the first sample is unknown: an alert may have been
                        // firing already.
                        self.first = memory.first().filter(|first| *first <= to);
                        memory.from = self.first.unwrap_or(to);
                    }
                    if self.first.is_some() {
                        let rules = memory.paced(&rules);
                        let reader = SeriesReader {
                            source: server.name(),
                            names,
                            rules: &rules,
                            external: &known.external,
                        };
                        events.extend(self.recalled.read(&memory, &reader));
                    }
                    at = to;
                }
                Err(fault) => {
                    let failed = self.piece.failed(to - at, fault, server.name()).await;
                    failed.map_err(|said| {
                        server.fault("`ALERTS` and `ALERTS_FOR_STATE`", (at, to), said)
                    })?;
                }
            }
        }
        Ok(events)
    }

    /// Alerting rules with an evaluation interval of at least `step`.
    fn rules(&self, known: &ServerMetadata) -> BTreeMap<String, Vec<AlertingRule>> {
        let mut rules = known.rules.clone();
        for rule in rules.values_mut().flatten() {
            rule.interval = rule.interval.max(self.step.unwrap_or_default());
        }
        rules
    }

    async fn ask(
        &self,
        client: &PrometheusClient,
        from: Time,
        to: Time,
    ) -> Result<(Samples, Samples), ClientError> {
        let ask = async |name: &str| match self.step {
            None => client
                .raw_samples(
                    &format!("{name}[{}s]", (to - from).num_seconds().max(1)),
                    to,
                )
                .await
                .map(samples),
            Some(step) => {
                let (first, last) = (after(from, step), at_or_before(to, step));
                if first > last {
                    return Ok(Vec::new());
                }
                client
                    .query_range(name, first, last, step.to_std().unwrap_or_default())
                    .await
                    .map(samples)
            }
        };
        try_join(ask("ALERTS"), ask("ALERTS_FOR_STATE")).await
    }
}

fn samples(answer: QueryResponse) -> Samples {
    answer
        .series
        .into_iter()
        .map(|series| (series.labels, series.points))
        .collect()
}
