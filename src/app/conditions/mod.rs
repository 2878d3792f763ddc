//! Metrics pipeline of the leader: evaluates conditions, scrapes targets, polls Alertmanagers, and
//! reads the alert history of Prometheus servers. The resulting events are appended to the log like
//! any others.
//!
//! Evaluation instants are whole multiples of a condition's `every` since the Unix epoch, so that
//! every process evaluates the same instants and reports the same state changes, also after a
//! restart.

pub(crate) mod alert_history;
mod alertmanager_poll;
mod clock_skew;
pub(crate) mod monitor;
mod plot_merge;
mod plot_schedule;
pub(crate) mod plots;
mod prometheus;
mod pruning;
mod retention;
pub(crate) mod sample_filter;
mod samples;
mod scrape;
pub(crate) mod series_limits;
pub(crate) mod status;
pub(crate) mod target_check;
mod task;
mod thresholds;
mod timing;

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::settings::Settings;
use crate::clients::alertmanager::AlertmanagerClient;
use crate::clients::prometheus::PrometheusClient;
use crate::clients::scrape::Scraper;
use crate::config::metrics::{MetricsKind, MetricsSource};

use monitor::ConditionMonitor;
use plots::PlotHistory;
use samples::ArrivalTiming;
use task::MetricsTask;

/// Interval between checks for changed settings or lost leadership.
const CHECKED_EVERY: Duration = Duration::from_millis(500);
/// Delay before the pipeline is restarted after a panic.
const AFTER_A_FAULT: Duration = Duration::from_secs(1);

/// Runs the pipeline while this process is the leader; restarts it when the settings change.
pub(crate) async fn pipeline_loop(monitor: Arc<ConditionMonitor>) {
    let (core, judge) = (&monitor.core, &monitor.judge);
    loop {
        let Some(epoch) = judge.epoch() else {
            tokio::time::sleep(CHECKED_EVERY).await;
            continue;
        };
        let settings = core.settings();
        let mut pipeline = Pipeline {
            monitor: &monitor,
            settings: &settings,
            epoch,
            stop: CancellationToken::new(),
            tasks: JoinSet::new(),
        };
        pipeline.start();
        let mut whole = true;
        while whole && judge.epoch() == Some(epoch) && Arc::ptr_eq(&settings, &core.settings()) {
            tokio::select! {
                () = tokio::time::sleep(CHECKED_EVERY) => {}
                Some(ended) = pipeline.tasks.join_next() => if let Err(panic) = ended {
                    core.faults.report("the metrics pipeline panicked and is restarted", &anyhow::anyhow!(panic));
                    whole = false;
                },
            }
        }
        pipeline.stop.cancel();
        // Requests in flight are abandoned; a write is complete or absent, as after a crash.
        pipeline.tasks.shutdown().await;
        if !whole {
            tokio::time::sleep(AFTER_A_FAULT).await;
        }
    }
}

/// Tasks of one epoch under one version of the settings.
struct Pipeline<'a> {
    monitor: &'a Arc<ConditionMonitor>,
    settings: &'a Arc<Settings>,
    epoch: u64,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl Pipeline<'_> {
    fn start(&mut self) {
        let settings = Arc::clone(self.settings);
        self.monitor.recorded().reset(&settings);
        for metrics in &settings.config.metrics {
            if let Err(why) = self.start_metrics(metrics) {
                self.report(&format!("metrics `{}` cannot be read", metrics.name), why);
            }
        }
        for source in &settings.config.sources {
            let Some(api) = &source.api else { continue };
            let access = settings.api_access.get(&source.name).cloned();
            match AlertmanagerClient::new(api, &access.unwrap_or_default()) {
                Ok(client) => self.spawn(alertmanager_poll::poll_loop(
                    self.task(&source.name),
                    source.clone(),
                    api.clone(),
                    client,
                )),
                Err(why) => {
                    self.report(
                        &format!("the API of source `{}` cannot be polled", source.name),
                        why,
                    );
                }
            }
        }
        self.spawn(pruning::prune_loop(self.task("")));
    }

    /// Starts the tasks of an entry of `metrics:`.
    fn start_metrics(&mut self, metrics: &MetricsSource) -> Result<(), String> {
        let task = self.task(&metrics.name);
        let access = self.settings.metrics_access.get(&metrics.name).cloned();
        let access = access.unwrap_or_default();
        match &metrics.kind {
            MetricsKind::Prometheus(server) => {
                let client = Arc::new(PrometheusClient::new(server, &access)?);
                self.spawn(prometheus::evaluate_loop(
                    task.clone(),
                    server.clone(),
                    Arc::clone(&client),
                ));
                if server.alerts {
                    self.spawn(alert_history::read_loop(
                        task.clone(),
                        server.clone(),
                        Arc::clone(&client),
                    ));
                }
                self.spawn(plots::plot_loop(task, PlotHistory::server(server, client)));
            }
            MetricsKind::Scrape(scrape) => {
                let scraper = Arc::new(Scraper::new(scrape, &access)?);
                let live = scrape::Live::default();
                for target in &scrape.targets {
                    self.spawn(scrape::scrape_loop(
                        task.clone(),
                        Arc::clone(&scraper),
                        scrape.clone(),
                        target.clone(),
                        live.clone(),
                    ));
                }
                let timing = ArrivalTiming::scraped(scrape);
                self.spawn(samples::evaluate_loop(task.clone(), timing));
                self.spawn(plots::plot_loop(task, PlotHistory::Samples));
            }
            MetricsKind::RemoteWrite(_) => {
                let timing = ArrivalTiming::pushed();
                self.spawn(samples::evaluate_loop(task.clone(), timing));
                self.spawn(plots::plot_loop(task, PlotHistory::Samples));
            }
        }
        Ok(())
    }

    fn spawn(&mut self, work: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            stop.run_until_cancelled(work).await;
        });
    }

    fn task(&self, name: &str) -> MetricsTask {
        MetricsTask {
            monitor: Arc::clone(self.monitor),
            settings: Arc::clone(self.settings),
            epoch: self.epoch,
            name: name.to_owned(),
        }
    }

    fn report(&self, what: &str, why: String) {
        self.monitor.core.faults.report(what, &anyhow::anyhow!(why));
    }
}
