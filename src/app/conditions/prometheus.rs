//! Evaluation of conditions by queries to a Prometheus server.
//!
//! Instants missed during an outage of the server or of this process are queried later (backfill).
//! Since a Prometheus server that was itself down returns values up to five minutes old, each query
//! is paired with one on `up`: without a scrape shortly before an instant, the result there is
//! unknown.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use futures_util::future::join_all;

use super::clock_skew::Skew;
use super::task::MetricsTask;
use super::timing::{last_instant, wait_until};
use crate::app::core::Core;
use crate::clients::error::ClientError;
use crate::clients::prometheus::PrometheusClient;
use crate::clients::query_response::QueryResponse;
use crate::config::metrics::PrometheusServer as Settings;
use crate::engine::conditions::evaluator::{ConditionEvaluator, QueryResult};
use crate::engine::conditions::promql_subset::sample_buffer::InstantVector;
use crate::model::event::Event;
use crate::model::labels::Labels;
use crate::model::time::Time;
use crate::rules::rule_set::ConditionRule;

/// Look-back of the first evaluation of a condition, so that an ongoing degradation gets its true
/// start.
const INITIAL_LOOKBACK: TimeDelta = TimeDelta::hours(6);
/// Maximum age of backfill; older instants stay unknown.
const MAX_BACKFILL_AGE: TimeDelta = TimeDelta::hours(24);
/// Interval between measurements of the server's scrape interval and clock skew.
const PREPARED_EVERY: TimeDelta = TimeDelta::minutes(10);
/// Ingestion delay from which evaluation is delayed, and from which the server counts as down
/// instead.
const MIN_LAG: TimeDelta = TimeDelta::seconds(1);
const MAX_LAG: TimeDelta = TimeDelta::minutes(2);

/// Query for the time of the newest scrape of any target.
const NEWEST_SCRAPE_QUERY: &str = "max(timestamp(up))";
/// Query for the most frequently scraped target.
pub(crate) const BUSIEST: &str = "topk(1, count_over_time(up[10m]))";
const BUSIEST_DAY: &str = "topk(1, count_over_time(up[24h]))";

/// Range of one backfill query, and the maximum number of queries per round, to limit the load on a
/// recovering server.
const BACKFILL_RANGE: TimeDelta = TimeDelta::minutes(15);
const BACKFILL_QUERIES: usize = 8;

/// Maximum backoff from a failing server, in evaluation intervals; missed instants are backfilled.
const MAX_BACKOFF_INTERVALS: i32 = 4;

pub(crate) async fn evaluate_loop(
    task: MetricsTask,
    settings: Settings,
    client: Arc<PrometheusClient>,
) {
    let Some(mut evaluators) = task.load_evaluators().await else {
        return;
    };
    if evaluators.by_condition.is_empty() {
        return;
    }
    let mut server = ConditionServer::new(client);
    let mut pause = Pause::default();
    loop {
        let Some((now, step)) = task.follow_clock(&mut evaluators).await else {
            return;
        };
        if step.is_some() {
            (server.prepared_at, pause) = (None, Pause::default());
        }
        let now = now - server.lag;
        let due: Vec<(&ConditionRule, Time)> = task
            .conditions()
            .map(|rule| (rule, last_instant(now, rule.every)))
            .filter(|(rule, at)| {
                evaluators
                    .by_condition
                    .get(&rule.name)
                    .and_then(ConditionEvaluator::last)
                    .is_none_or(|last| last < *at)
            })
            .collect();
        if !due.is_empty() {
            let events = if pause.lasts(now) {
                // Backoff: these instants are backfilled later.
                failed(&mut evaluators.by_condition, &due)
            } else {
                let (events, fault) =
                    round(&task, &mut server, &mut evaluators.by_condition, &due).await;
                if let Some(fault) = &fault
                    && let Some(Ok(client)) = task
                        .reread_credentials(fault)
                        .await
                        .map(|metrics_access| PrometheusClient::new(&settings, &metrics_access))
                {
                    server = ConditionServer::new(Arc::new(client));
                }
                let often = task.conditions().map(|rule| rule.every).min().unwrap_or(1);
                pause.note(
                    fault.as_ref(),
                    &task.name,
                    now,
                    TimeDelta::seconds(often) * MAX_BACKOFF_INTERVALS,
                );
                events
            };
            if !task.save_evaluators(&mut evaluators, events).await {
                return;
            }
        }
        let next = task
            .conditions()
            .map(|rule| {
                last_instant(task.now() - server.lag, rule.every) + TimeDelta::seconds(rule.every)
            })
            .min();
        wait_until(
            &task.monitor.core,
            next.unwrap_or(now + TimeDelta::seconds(1)) + server.lag,
        )
        .await;
    }
}

/// Records a failed query for each due evaluation.
fn failed(
    watches: &mut BTreeMap<String, ConditionEvaluator>,
    due: &[(&ConditionRule, Time)],
) -> Vec<Event> {
    let mut events = Vec::new();
    for (rule, at) in due {
        events.extend(watches.entry(rule.name.clone()).or_default().evaluate(
            rule,
            *at,
            &QueryResult::Failed,
        ));
    }
    events
}

/// Queries all due conditions, concurrently up to the client's limit.
async fn round(
    task: &MetricsTask,
    server: &mut ConditionServer,
    watches: &mut BTreeMap<String, ConditionEvaluator>,
    due: &[(&ConditionRule, Time)],
) -> (Vec<Event>, Option<ClientError>) {
    if let Err(fault) = server.prepare(&task.monitor.core).await {
        task.record_request("", Err(fault.to_string()));
        return (failed(watches, due), Some(fault));
    }
    let asked = due.iter().map(|(rule, at)| {
        server.read_results(
            &task.monitor.core,
            rule,
            first_asked(watches.get(&rule.name), rule, *at),
            *at,
        )
    });
    let answers = join_all(asked).await;
    let (mut events, mut heard, mut trouble) = (Vec::new(), Ok(()), None);
    for ((rule, at), answer) in due.iter().zip(answers) {
        let watches = watches.entry(rule.name.clone()).or_default();
        match answer {
            Ok(ConditionResults { skew, .. }) if skew.differs(server.skew) => {
                // A clock was adjusted, so the query was for the wrong time.
                server.prepared_at = None;
                events.extend(watches.evaluate(rule, *at, &QueryResult::Failed));
            }
            Ok(ConditionResults {
                from,
                present,
                past,
                ..
            }) => {
                if from < *at {
                    watches.missed(from);
                }
                if let Some(answer) = present {
                    events.extend(watches.evaluate(rule, *at, &answer));
                }
                events.extend(watches.fill(rule, &past));
            }
            Err(fault) => {
                heard = Err(format!("condition `{}`: {fault}", rule.name));
                // A rejected query says nothing about the others.
                trouble = Some(fault)
                    .filter(|fault| !matches!(fault, ClientError::Refused { .. }))
                    .or(trouble);
                events.extend(watches.evaluate(rule, *at, &QueryResult::Failed));
            }
        }
    }
    task.record_request("", heard);
    (events, trouble)
}

/// Backoff from a failing server.
#[derive(Default)]
struct Pause {
    attempts: u32,
    until: Option<Time>,
}

impl Pause {
    fn lasts(&self, now: Time) -> bool {
        self.until.is_some_and(|until| now < until)
    }

    /// Records the result of the last attempt; `most` is the maximum backoff.
    fn note(&mut self, fault: Option<&ClientError>, whom: &str, now: Time, most: TimeDelta) {
        self.attempts = if fault.is_some() {
            self.attempts + 1
        } else {
            0
        };
        self.until = fault.map(|fault| {
            let wait = fault.retry_delay(self.attempts, whom);
            // A `Retry-After` header may exceed the maximum.
            now + if matches!(
                fault,
                ClientError::Busy {
                    retry_after: Some(_),
                    ..
                }
            ) {
                wait
            } else {
                wait.min(most)
            }
        });
    }
}

/// First instant to query: the first unanswered one, else the one after the last evaluation, else
/// [`INITIAL_LOOKBACK`] ago.
fn first_asked(watches: Option<&ConditionEvaluator>, rule: &ConditionRule, at: Time) -> Time {
    let every = TimeDelta::seconds(rule.every);
    let first = match watches.and_then(|watches| {
        watches
            .unanswered()
            .or_else(|| Some(watches.last()? + every))
    }) {
        Some(first) => first.max(at - MAX_BACKFILL_AGE),
        None => at - INITIAL_LOOKBACK,
    };
    // A changed `every` has other instants.
    (last_instant(first - TimeDelta::microseconds(1), rule.every) + every).min(at)
}

/// Prometheus server with its measured properties.
pub(crate) struct ConditionServer {
    client: Arc<PrometheusClient>,
    skew: Skew,
    /// Scrape interval of the most frequently scraped target. `None`: unknown.
    pace: Option<TimeDelta>,
    /// Ingestion delay until scraped samples can be queried; zero if below [`MIN_LAG`].
    lag: TimeDelta,
    prepared_at: Option<Time>,
}

/// Results of the queries for one condition, with the clock skew at that time.
struct ConditionResults {
    /// First instant without an earlier result.
    from: Time,
    /// Result at the due instant, unless included in `past`.
    present: Option<QueryResult>,
    /// Results from `from` on.
    past: Vec<(Time, QueryResult)>,
    skew: Skew,
}

impl ConditionServer {
    pub(crate) fn new(client: Arc<PrometheusClient>) -> Self {
        Self {
            client,
            skew: Skew::default(),
            pace: None,
            lag: TimeDelta::zero(),
            prepared_at: None,
        }
    }

    /// Measures scrape interval, ingestion delay and clock skew, at most every [`PREPARED_EVERY`].
    pub(crate) async fn prepare(&mut self, core: &Core) -> Result<(), ClientError> {
        let now = core.now();
        if self
            .prepared_at
            .is_some_and(|at| now - at < PREPARED_EVERY && now >= at)
        {
            return Ok(());
        }
        let mut answer = self.client.query(BUSIEST, now).await?;
        self.skew = Skew::of(&answer.heard, core.now());
        let theirs = self.skew.to_theirs(now);
        if !self.skew.is_none() {
            answer = self.client.query(BUSIEST, theirs).await?;
        }
        let mut window = "10m";
        if answer.series.is_empty() {
            // The server may have just restarted.
            window = "24h";
            answer = self.client.query(BUSIEST_DAY, theirs).await?;
        }
        if let Some(busiest) = answer.series.first() {
            let raw = self
                .client
                .raw_samples(
                    &format!("up{}[{window}]", selector(&busiest.labels)),
                    theirs,
                )
                .await?;
            let points = raw
                .series
                .first()
                .map(|series| series.points.as_slice())
                .unwrap_or_default();
            let mut apart: Vec<TimeDelta> = points
                .windows(2)
                .map(|pair| pair[1].0 - pair[0].0)
                .collect();
            apart.sort_unstable();
            // Median interval, so that gaps during downtime do not count.
            self.pace = apart.get(apart.len() / 2).copied().or(self.pace);
            if let (Some(pace), Some((newest, _))) = (self.pace, points.last()) {
                let behind = theirs - *newest - pace;
                // A longer delay means that the server was down.
                self.lag = if (MIN_LAG..MAX_LAG).contains(&behind) {
                    behind + MIN_LAG
                } else {
                    TimeDelta::zero()
                };
            }
        }
        // Without a result the server may have just started: measure again next time.
        self.prepared_at = self.pace.map(|_| now);
        Ok(())
    }

    /// Queries the instants from `from` until `to`, which is due now. A short range takes one
    /// query; a longer one is queried at `to` first, then backfilled up to the limit per round.
    async fn read_results(
        &self,
        core: &Core,
        rule: &ConditionRule,
        from: Time,
        to: Time,
    ) -> Result<ConditionResults, ClientError> {
        if to - from <= BACKFILL_RANGE {
            match self.query_instants(core, rule, from, to).await {
                Ok((past, skew)) => {
                    return Ok(ConditionResults {
                        from,
                        present: None,
                        past,
                        skew,
                    });
                }
                // The server may reject a single past instant.
                Err(ClientError::Refused { .. }) if from < to => {}
                Err(fault) => return Err(fault),
            }
        }
        let (present, skew) = self.query_instants(core, rule, to, to).await?;
        let (mut past, mut next, begun) = (Vec::new(), from, tokio::time::Instant::now());
        for _ in 0..BACKFILL_QUERIES {
            // Backfill must not delay the next evaluation.
            if next > to || begun.elapsed() > Duration::from_secs(rule.every.unsigned_abs()) / 2 {
                break;
            }
            let end = to.min(next + BACKFILL_RANGE);
            match self.read_chunk(core, rule, next, end).await {
                Ok(answers) => past.extend(answers),
                Err(_) => break,
            }
            next = past.last().map_or(end, |(at, _)| *at) + TimeDelta::seconds(rule.every);
        }
        Ok(ConditionResults {
            from,
            present: present.into_iter().next().map(|(_, answer)| answer),
            past,
            skew,
        })
    }

    /// Queries one range of backfill. On rejection the range is split, so that only the rejected
    /// instants have no result.
    async fn read_chunk(
        &self,
        core: &Core,
        rule: &ConditionRule,
        from: Time,
        to: Time,
    ) -> Result<Vec<(Time, QueryResult)>, ClientError> {
        let every = TimeDelta::seconds(rule.every);
        let (mut answers, mut ranges) = (Vec::new(), vec![(from, to)]);
        while let Some((from, to)) = ranges.pop() {
            match self.query_instants(core, rule, from, to).await {
                Ok((found, _)) => answers.extend(found),
                Err(ClientError::Refused { .. }) if to - from < every => {
                    answers.push((from, QueryResult::Failed));
                }
                Err(ClientError::Refused { .. }) => {
                    let half = from
                        + every
                            * i32::try_from((to - from).num_seconds() / rule.every / 2)
                                .unwrap_or(0);
                    ranges.push((half + every, to));
                    ranges.push((from, half));
                }
                Err(fault) => return Err(fault),
            }
        }
        Ok(answers)
    }

    /// Queries the results at `from` and every `every` seconds until `to`.
    async fn query_instants(
        &self,
        core: &Core,
        rule: &ConditionRule,
        from: Time,
        to: Time,
    ) -> Result<(Vec<(Time, QueryResult)>, Skew), ClientError> {
        // A partial response is a fault: an aggregation over it looks valid but is wrong.
        let asked = self.range(&rule.query, from, to, rule.every).await?;
        // For `up` a partial response is enough: a reported scrape has happened.
        let (_, looks) =
            unless_partial(self.range(NEWEST_SCRAPE_QUERY, from, to, rule.every).await)?;
        let skew = Skew::of(&asked.heard, core.now());
        let looks: BTreeMap<Time, f64> = looks
            .series
            .into_iter()
            .flat_map(|series| series.points)
            .collect();
        let mut values = self.by_time(asked);
        let mut answers = Vec::new();
        let mut at = from;
        while at <= to {
            let values = values.remove(&at).unwrap_or_default();
            let looked = self
                .was_scraped_before(looks.get(&self.skew.to_theirs(at)), self.skew.to_theirs(at));
            answers.push((
                at,
                if looked {
                    QueryResult::Whole(values)
                } else {
                    QueryResult::Failed
                },
            ));
            at += TimeDelta::seconds(rule.every);
        }
        Ok((answers, skew))
    }

    /// Queries a condition at `from` and every `step` seconds until `to`; results by time, partial
    /// responses included.
    pub(crate) async fn values(
        &self,
        rule: &ConditionRule,
        from: Time,
        to: Time,
        step: i64,
    ) -> Result<BTreeMap<Time, InstantVector>, ClientError> {
        let (_, asked) = unless_partial(self.range(&rule.query, from, to, step).await)?;
        Ok(self.by_time(asked))
    }

    fn by_time(&self, answer: QueryResponse) -> BTreeMap<Time, InstantVector> {
        let mut values: BTreeMap<Time, InstantVector> = BTreeMap::new();
        for mut series in answer.series {
            series.labels.remove("__name__");
            for (at, value) in series.points {
                values
                    .entry(self.skew.to_ours(at))
                    .or_default()
                    .push((series.labels.clone(), value));
            }
        }
        values
    }

    /// Queries a range given in our time.
    async fn range(
        &self,
        query: &str,
        from: Time,
        to: Time,
        step: i64,
    ) -> Result<QueryResponse, ClientError> {
        let (from, to) = (self.skew.to_theirs(from), self.skew.to_theirs(to));
        if from < to {
            self.client
                .query_range(query, from, to, Duration::from_secs(step.unsigned_abs()))
                .await
        } else {
            self.client.query(query, to).await
        }
    }

    /// Returns whether any target was scraped shortly before `at`. Without `up` series this is
    /// unknown and assumed.
    fn was_scraped_before(&self, newest: Option<&f64>, at: Time) -> bool {
        let Some(pace) = self.pace else { return true };
        newest.is_some_and(|seconds| {
            let ago = at.timestamp_micros() as f64 / 1e6 - seconds;
            // A scrape that takes longer than half the interval is not ingested yet; backfill finds
            // it.
            ago <= 1.5 * pace.as_seconds_f64()
        })
    }
}

/// Accepts partial responses. Returns also whether the response is complete.
fn unless_partial(
    answer: Result<QueryResponse, ClientError>,
) -> Result<(bool, QueryResponse), ClientError> {
    match answer {
        Ok(answer) => Ok((true, answer)),
        Err(ClientError::Partial {
            rest: Some(rest), ..
        }) => Ok((false, *rest)),
        Err(fault) => Err(fault),
    }
}

/// Formats labels as a PromQL selector.
pub(crate) fn selector(labels: &Labels) -> String {
    let named = labels.iter().filter(|(name, _)| *name != "__name__");
    let parts: Vec<String> = named
        .map(|(name, value)| format!("{name}={value:?}"))
        .collect();
    format!("{{{}}}", parts.join(","))
}
