//! Reader of a Prometheus server's `ALERTS` series: true start and end times of alerts whose
//! webhook was late or lost, and alerts that were pending without firing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;

use super::clock_skew::Skew;
use super::prometheus::{BUSIEST, selector};
use super::task::{MetricsTask, SAVED_EVERY};
use crate::clients::error::ClientError;
use crate::clients::exchange_times::ExchangeTimes;
use crate::clients::prometheus::PrometheusClient;
use crate::clients::prometheus_response::AlertRule;
use crate::clients::query_response::QueryResponse;
use crate::config::metrics::PrometheusServer as Settings;
use crate::ingest::prometheus_alert_series::series_window::{
    AlertingRule, SeriesWindow as Stretch,
};
use crate::ingest::prometheus_alert_series::{AlertSeriesState, SeriesReader};
use crate::model::event::Event;
use crate::model::labels::Labels;
use crate::model::settings::LabelNames;
use crate::model::time::Time;
use crate::store::condition_state::{SavedState, StateOwner};

/// Interval between reads.
const POLL_INTERVAL: Duration = Duration::from_secs(15);
/// Interval between checks for expired alerts while the server cannot be read.
const LAPSED_EVERY: Duration = Duration::from_secs(5);
/// Look-back of the first read.
const INITIAL_LOOKBACK: TimeDelta = TimeDelta::hours(6);
/// Maximum look-back. A server without `up` for this long is taken to have none.
const MAX_LOOKBACK: TimeDelta = TimeDelta::hours(24);
/// Query for the existence of `up` within [`MAX_LOOKBACK`].
const ANY_UP_QUERY: &str = "topk(1, count_over_time(up[24h]))";
/// Range of one query.
const QUERY_RANGE: TimeDelta = TimeDelta::hours(1);
/// Overlap of consecutive reads: evaluations may be written with a delay.
const OVERLAP: TimeDelta = TimeDelta::minutes(3);
/// Extra range of the query for scrapes, to know the scrape interval at its start.
const SCRAPE_MARGIN: TimeDelta = TimeDelta::minutes(5);
/// Cache lifetime of rules and external labels.
const RULES_EVERY: TimeDelta = TimeDelta::minutes(2);

/// Cached properties of a Prometheus server.
#[derive(Debug, Default)]
pub(crate) struct ServerMetadata {
    /// Alerting rules, by alert name.
    pub(crate) rules: BTreeMap<String, Vec<AlertingRule>>,
    /// External labels that it adds to outgoing alerts.
    pub(crate) external: Labels,
    read_at: Option<Time>,
    /// Clock skew; `None`: not measured yet.
    skew: Option<Skew>,
}

/// Reader state for one Prometheus server.
struct AlertHistoryReader {
    task: MetricsTask,
    client: Arc<PrometheusClient>,
    recalled: AlertSeriesState,
    names: LabelNames,
    known: ServerMetadata,
    saved_at: Time,
}

pub(crate) async fn read_loop(
    task: MetricsTask,
    settings: Settings,
    client: Arc<PrometheusClient>,
) {
    let Some(remembered) = task
        .run_blocking(
            "the saved state of the alert history could not be read",
            |monitor| monitor.core.store.saved_states(StateOwner::Alerts),
        )
        .await
    else {
        return;
    };
    let state = remembered
        .into_iter()
        .find(|one| one.name == task.name)
        .and_then(|one| one.state);
    let recalled: AlertSeriesState = state
        .and_then(|state| serde_json::from_str(&state).ok())
        .unwrap_or_default();
    let saved_at = task.now();
    let names = task.settings.config.recorded_alert_labels();
    let mut recall = AlertHistoryReader {
        task,
        client,
        recalled,
        names,
        known: ServerMetadata::default(),
        saved_at,
    };
    let mut attempts = 0;
    loop {
        match recall.read_new().await {
            Ok(true) => {
                attempts = 0;
                recall.task.record_request("alerts", Ok(()));
                tokio::time::sleep(POLL_INTERVAL).await;
            }
            Ok(false) => return,
            Err(fault) => {
                recall.task.record_request("alerts", Err(fault.to_string()));
                if let Some(Ok(anew)) = recall
                    .task
                    .reread_credentials(&fault)
                    .await
                    .map(|metrics_access| PrometheusClient::new(&settings, &metrics_access))
                {
                    recall.client = Arc::new(anew);
                }
                attempts += 1;
                let wait = fault
                    .retry_delay(attempts, &recall.task.name)
                    .to_std()
                    .unwrap_or(POLL_INTERVAL);
                if !recall.wait_and_report_lapses(wait).await {
                    return;
                }
            }
        }
    }
}

impl AlertHistoryReader {
    /// Reads up to now, one [`QUERY_RANGE`] at a time. `false`: this process has lost leadership.
    async fn read_new(&mut self) -> Result<bool, ClientError> {
        self.known.refresh(&self.client, self.task.now()).await?;
        let skew = match self.known.skew {
            Some(skew) => skew,
            None => {
                let heard = self.client.query(BUSIEST, self.task.now()).await?.heard;
                *self.known.skew.insert(Skew::of(&heard, self.task.now()))
            }
        };
        // By the server's clock, as are all stored times: an alert is identified by the start time
        // that was sent.
        let now = skew.to_theirs(self.task.now());
        loop {
            let from = self.recalled.until.map_or(now - INITIAL_LOOKBACK, |until| {
                (until.min(now) - OVERLAP).max(now - MAX_LOOKBACK)
            });
            let until = now.min(from + QUERY_RANGE);
            let (stretch, heard) =
                read_window(&self.client, &mut self.recalled, from, until).await?;
            if Skew::of(&heard, self.task.now()).differs(skew) {
                // A clock was adjusted, so the query was for the wrong time.
                self.known.skew = None;
                return Ok(true);
            }
            let events = self
                .recalled
                .read(&stretch, &reader(&self.task, &self.names, &self.known));
            if !self.save(events).await {
                return Ok(false);
            }
            if until >= now {
                return Ok(true);
            }
        }
    }

    /// Waits until the next attempt; alerts that expire in the meantime are reported as lapsed.
    /// `false`: this process has lost leadership.
    async fn wait_and_report_lapses(&mut self, wait: Duration) -> bool {
        let until = tokio::time::Instant::now() + wait;
        loop {
            let now = self
                .known
                .skew
                .unwrap_or_default()
                .to_theirs(self.task.now());
            let (monitor, policy) = (&self.task.monitor, &self.task.settings.policy);
            // Alerts also received by webhook have a lease of their own; ignored alerts need no
            // end.
            let left = |alert: &Event| {
                policy.ignores(alert) || monitor.intake.active_alerts().contains(&alert.subject)
            };
            let lapsed =
                self.recalled
                    .lapse(now, &reader(&self.task, &self.names, &self.known), left);
            if !lapsed.is_empty() && !self.save(lapsed).await {
                return false;
            }
            let rest = until.saturating_duration_since(tokio::time::Instant::now());
            if rest.is_zero() {
                return true;
            }
            tokio::time::sleep(rest.min(LAPSED_EVERY)).await;
        }
    }

    /// Appends events and saves state, at most every [`SAVED_EVERY`] unless there are events.
    /// `false`: this process has lost leadership.
    async fn save(&mut self, events: Vec<Event>) -> bool {
        let now = self.task.now();
        if events.is_empty() && (now - self.saved_at).abs() < SAVED_EVERY {
            return true;
        }
        let state = serde_json::to_string(&self.recalled).ok();
        self.saved_at = now;
        self.task
            .append(
                StateOwner::Alerts,
                vec![SavedState {
                    name: self.task.name.clone(),
                    state,
                }],
                events,
            )
            .await
    }
}

fn reader<'a>(
    task: &'a MetricsTask,
    names: &'a LabelNames,
    known: &'a ServerMetadata,
) -> SeriesReader<'a> {
    SeriesReader {
        source: &task.name,
        names,
        rules: &known.rules,
        external: &known.external,
    }
}

impl ServerMetadata {
    /// Refreshes rules and external labels if they are older than [`RULES_EVERY`].
    pub(crate) async fn refresh(
        &mut self,
        client: &PrometheusClient,
        now: Time,
    ) -> Result<(), ClientError> {
        if self
            .read_at
            .is_some_and(|at| now - at < RULES_EVERY && now >= at)
        {
            return Ok(());
        }
        // Some servers that answer queries expose neither rules nor configuration.
        let rules = match client.rules().await {
            Ok(rules) => rules,
            Err(ClientError::Refused { .. } | ClientError::Unreadable(_)) => Vec::new(),
            Err(fault) => return Err(fault),
        };
        self.rules.clear();
        for found in rules {
            self.rules
                .entry(found.name.clone())
                .or_default()
                .push(rule(found));
        }
        self.external = match client.external_labels().await {
            Ok(labels) => labels,
            Err(ClientError::Refused { .. } | ClientError::Unreadable(_)) => Labels::new(),
            Err(fault) => return Err(fault),
        };
        self.read_at = Some(now);
        Ok(())
    }
}

fn rule(found: AlertRule) -> AlertingRule {
    // An empty label is the same as an absent one.
    let fixed = found
        .labels
        .into_iter()
        .filter(|(_, value)| !value.is_empty() && !value.contains("{{"));
    AlertingRule {
        labels: fixed.collect(),
        hold: i64::try_from(found.hold.as_secs()).unwrap_or(i64::MAX),
        keep: i64::try_from(found.keep_firing.as_secs()).unwrap_or(i64::MAX),
        interval: TimeDelta::from_std(found.interval).unwrap_or(TimeDelta::minutes(1)),
    }
}

async fn read_window(
    client: &PrometheusClient,
    recalled: &mut AlertSeriesState,
    from: Time,
    until: Time,
) -> Result<(Stretch, ExchangeTimes), ClientError> {
    let window = window(from, until);
    let alerts = client
        .raw_samples(&format!("ALERTS{window}"), until)
        .await?;
    let active = client
        .raw_samples(&format!("ALERTS_FOR_STATE{window}"), until)
        .await?;
    let (looks, heard) = scrape_times(client, recalled, from - SCRAPE_MARGIN, until).await?;
    let series = |answer: QueryResponse| {
        answer
            .series
            .into_iter()
            .map(|series| (series.labels, series.points))
            .collect()
    };
    Ok((
        Stretch {
            alerts: series(alerts),
            active: series(active),
            looks,
            from,
            until,
            read_on: false,
        },
        heard,
    ))
}

/// Scrape times of the most frequently scraped target. `None`: the server has no `up`, so they are
/// unknown.
async fn scrape_times(
    client: &PrometheusClient,
    recalled: &mut AlertSeriesState,
    from: Time,
    until: Time,
) -> Result<(Option<Vec<Time>>, ExchangeTimes), ClientError> {
    let window = window(from, until);
    let busiest = client
        .query(&format!("topk(1, count_over_time(up{window}))"), until)
        .await?;
    let Some(series) = busiest.series.first() else {
        // Down for the whole range, unless it never has `up`.
        let lately = recalled.up_at.is_some_and(|at| until - at < MAX_LOOKBACK);
        let had = lately || !client.query(ANY_UP_QUERY, until).await?.series.is_empty();
        return Ok((had.then(Vec::new), busiest.heard));
    };
    recalled.up_at = recalled.up_at.max(Some(until));
    let up = client
        .raw_samples(&format!("up{}{window}", selector(&series.labels)), until)
        .await?;
    let looks = up
        .series
        .into_iter()
        .flat_map(|series| series.points)
        .map(|(at, _)| at)
        .collect();
    Ok((Some(looks), up.heard))
}

fn window(from: Time, until: Time) -> String {
    format!("[{}s]", (until - from).num_seconds().max(1))
}
