//! Reads what a Prometheus remembers of its alerts: true times of those whose webhooks came late or never, and those that nearly fired.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;

use super::clock_skew::Skew;
use super::prometheus::{BUSIEST, selector};
use super::{Entry, SAVED_EVERY};
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
use crate::model::time::Time;
use crate::store::condition_state::{SavedState, StateOwner};

/// Between two looks.
const EVERY: Duration = Duration::from_secs(15);
/// Between two looks for what nobody knows any more, while the memory cannot be read.
const LAPSED_EVERY: Duration = Duration::from_secs(5);
/// How far the first look goes back.
const FIRST_LOOK: TimeDelta = TimeDelta::hours(6);
/// What is longer ago is not asked for. A Prometheus that had no `up` for so long has none.
const FURTHEST: TimeDelta = TimeDelta::hours(24);
/// Whether it had an `up` for so long.
const ANY_LOOK: &str = "topk(1, count_over_time(up[24h]))";
/// How much is asked for at once.
const STRETCH: TimeDelta = TimeDelta::hours(1);
/// How much of what was read is read again: what was evaluated then may have been written later.
const AGAIN: TimeDelta = TimeDelta::minutes(3);
/// How much before a stretch it is asked when it looked, so that it is known how often it does.
const BEFORE: TimeDelta = TimeDelta::minutes(5);
/// How long rules and labels are believed.
const RULES_EVERY: TimeDelta = TimeDelta::minutes(2);

/// What is known of a Prometheus besides its samples.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// Its rules, by the names of their alerts.
    pub(crate) rules: BTreeMap<String, Vec<AlertingRule>>,
    /// Labels that it adds to what it sends.
    pub(crate) external: Labels,
    read_at: Option<Time>,
    /// How its clock is; `None`: to be found out.
    skew: Option<Skew>,
}

/// Where reading one Prometheus's memory stands.
struct Recall {
    entry: Entry,
    client: Arc<PrometheusClient>,
    recalled: AlertSeriesState,
    known: Known,
    saved_at: Time,
}

pub(crate) async fn recall_loop(entry: Entry, settings: Settings, client: Arc<PrometheusClient>) {
    let Some(remembered) = entry
        .stored("what was read of alerts could not be read", |app| {
            app.store.remembered(StateOwner::Alerts)
        })
        .await
    else {
        return;
    };
    let state = remembered
        .into_iter()
        .find(|one| one.name == entry.name)
        .and_then(|one| one.state);
    let recalled: AlertSeriesState = state
        .and_then(|state| serde_json::from_str(&state).ok())
        .unwrap_or_default();
    let saved_at = entry.app.now();
    let mut recall = Recall {
        entry,
        client,
        recalled,
        known: Known::default(),
        saved_at,
    };
    let mut attempts = 0;
    loop {
        match recall.look().await {
            Ok(true) => {
                attempts = 0;
                recall.entry.heard("alerts", Ok(()));
                tokio::time::sleep(EVERY).await;
            }
            Ok(false) => return,
            Err(fault) => {
                recall.entry.heard("alerts", Err(fault.to_string()));
                if let Some(Ok(anew)) = recall
                    .entry
                    .shown_anew(&fault)
                    .await
                    .map(|reach| PrometheusClient::new(&settings, &reach))
                {
                    recall.client = Arc::new(anew);
                }
                attempts += 1;
                let wait = fault
                    .retry_delay(attempts, &recall.entry.name)
                    .to_std()
                    .unwrap_or(EVERY);
                if !recall.wait_in_the_dark(wait).await {
                    return;
                }
            }
        }
    }
}

impl Recall {
    /// Reads up to now, stretch by stretch. `false`: another process is the judge by now.
    async fn look(&mut self) -> Result<bool, ClientError> {
        self.known
            .refresh(&self.client, self.entry.app.now())
            .await?;
        let skew = match self.known.skew {
            Some(skew) => skew,
            None => {
                let heard = self
                    .client
                    .query(BUSIEST, self.entry.app.now())
                    .await?
                    .heard;
                *self
                    .known
                    .skew
                    .insert(Skew::of(&heard, self.entry.app.now()))
            }
        };
        // By the server's clock, as are all times that it remembers: an alert is known by its beginning as it was sent.
        let now = skew.theirs(self.entry.app.now());
        loop {
            let from = self.recalled.until.map_or(now - FIRST_LOOK, |until| {
                (until.min(now) - AGAIN).max(now - FURTHEST)
            });
            let until = now.min(from + STRETCH);
            let (stretch, heard) = stretch(&self.client, &mut self.recalled, from, until).await?;
            if Skew::of(&heard, self.entry.app.now()).differs(skew) {
                // One of the clocks was set. What was asked for was another time than was meant.
                self.known.skew = None;
                return Ok(true);
            }
            let events = self
                .recalled
                .read(&stretch, &reader(&self.entry, &self.known));
            if !self.save(events).await {
                return Ok(false);
            }
            if until >= now {
                return Ok(true);
            }
        }
    }

    /// Waits until the next attempt; what nobody knows any more meanwhile is told. `false`: another process is the judge by now.
    async fn wait_in_the_dark(&mut self, wait: Duration) -> bool {
        let until = tokio::time::Instant::now() + wait;
        loop {
            let now = self
                .known
                .skew
                .unwrap_or_default()
                .theirs(self.entry.app.now());
            let (app, policy) = (&self.entry.app, &self.entry.settings.policy);
            // What is received as well has a lease of its own; what the engine ignores has no end that anybody would miss.
            let left = |alert: &Event| {
                policy.ignores(alert) || app.intake.active_alerts().contains(&alert.subject)
            };
            let lapsed = self
                .recalled
                .lapse(now, &reader(&self.entry, &self.known), left);
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

    /// Appends what became known with what is remembered, if it is time. `false`: another process is the judge by now.
    async fn save(&mut self, events: Vec<Event>) -> bool {
        let now = self.entry.app.now();
        if events.is_empty() && now - self.saved_at < SAVED_EVERY {
            return true;
        }
        let state = serde_json::to_string(&self.recalled).ok();
        self.saved_at = now;
        self.entry
            .append(
                StateOwner::Alerts,
                vec![SavedState {
                    name: self.entry.name.clone(),
                    state,
                }],
                events,
            )
            .await
    }
}

fn reader<'a>(entry: &'a Entry, known: &'a Known) -> SeriesReader<'a> {
    SeriesReader {
        source: &entry.name,
        names: &entry.settings.config.labels,
        rules: &known.rules,
        external: &known.external,
    }
}

impl Known {
    /// Asks for what is not known or was asked for a while ago.
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
        // Not every server that answers queries has rules, or tells of its settings.
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
    // A label without a value is none.
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

async fn stretch(
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
    let (looks, heard) = looks(client, recalled, from - BEFORE, until).await?;
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

/// When it looked at the target that it looked at most often. `None`: it has no `up`, so that nobody can say.
async fn looks(
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
        // It was away for the whole of the stretch, unless it never has any.
        let lately = recalled.up_at.is_some_and(|at| until - at < FURTHEST);
        let had = lately || !client.query(ANY_LOOK, until).await?.series.is_empty();
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
