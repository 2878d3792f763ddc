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
mod plot_merge;
mod plot_schedule;
pub(crate) mod plots;
mod prometheus;
pub(crate) mod sample_filter;
mod samples;
mod scrape;
pub(crate) mod series_limits;
pub(crate) mod status;
pub(crate) mod target_check;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use chrono::TimeDelta;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::App;
use super::intake::commit::Unstored;
use super::settings::Settings;
use super::sync::{blocking, lock};
use crate::clients::alertmanager;
use crate::clients::credentials::ServerAccess;
use crate::clients::error::ClientError;
use crate::clients::prometheus::PrometheusClient;
use crate::clients::scrape::Scraper;
use crate::config::metrics::MetricsKind;
use crate::engine::conditions::evaluator::ConditionEvaluator;
use crate::engine::conditions::promql_subset::sample_buffer::SampleBuffer;
use crate::model::event::Event;
use crate::model::sample::Sample;
use crate::model::time::Time;
use crate::rules::rule_set::ConditionRule;
use crate::store::condition_state::{SavedState, StateOwner};
use crate::store::error::StoreError;
use crate::store::log::{MessageContext, NewRecord};

use status::{Measured, Shown};

/// Interval between checks for changed settings or lost leadership.
const BETWEEN_LOOKS: Duration = Duration::from_millis(500);
/// Delay before a store operation is retried.
const AFTER_A_FAULT: Duration = Duration::from_secs(1);
/// Interval between saves of evaluator state; up to this much is evaluated again after a crash.
const SAVED_EVERY: TimeDelta = TimeDelta::minutes(1);

/// Runs the pipeline while this process is the leader; restarts it when the settings change.
pub(crate) async fn measure_loop(app: Arc<App>) {
    loop {
        let Some(epoch) = app.judge.epoch() else {
            tokio::time::sleep(BETWEEN_LOOKS).await;
            continue;
        };
        let settings = app.settings();
        let stop = CancellationToken::new();
        let mut tasks = start(&app, &settings, epoch, &stop);
        let mut whole = true;
        while whole && app.judge.epoch() == Some(epoch) && Arc::ptr_eq(&settings, &app.settings()) {
            tokio::select! {
                () = tokio::time::sleep(BETWEEN_LOOKS) => {}
                Some(ended) = tasks.join_next() => match ended {
                    Ok(()) => {}
                    Err(panic) => {
                        app.faults.report("measuring broke off and begins again", &anyhow::anyhow!(panic));
                        whole = false;
                    }
                },
            }
        }
        stop.cancel();
        // Requests in flight are abandoned; a write is complete or absent, as after a crash.
        tasks.shutdown().await;
        if !whole {
            tokio::time::sleep(AFTER_A_FAULT).await;
        }
    }
}

impl App {
    /// Stores pushed samples; `seen` is their number before filtering. Returns the number dropped
    /// for out-of-bounds timestamps. Blocks.
    ///
    /// # Errors
    /// When the samples cannot be made durable: the sender should retry.
    pub fn pushed(
        &self,
        name: &str,
        mut samples: Vec<Sample>,
        seen: u64,
    ) -> Result<usize, Unstored> {
        self.counters.pushed.fetch_add(seen, Ordering::Relaxed);
        let (now, back) = (self.now(), kept_back(&self.settings(), name));
        let out_of_bounds = self.keep(name, &mut samples, now, back);
        self.store
            .add_samples(name, &samples, now)
            .map_err(|fault| {
                self.faults
                    .report("samples could not be stored", &anyhow::Error::new(fault));
                Unstored::Store("the samples could not be stored; try again".to_owned())
            })?;
        let _ = lock(&self.measured).heard(name, "", now, Ok(()));
        Ok(out_of_bounds)
    }

    /// Applies the limits on timestamps and cardinality. Returns the number dropped for
    /// out-of-bounds timestamps.
    fn keep(&self, name: &str, samples: &mut Vec<Sample>, now: Time, back: TimeDelta) -> usize {
        let mut all = lock(&self.kept);
        let kept = all.entry(name.to_owned()).or_default();
        let out_of_bounds = kept.keep(samples, now, back);
        lock(&self.measured).took(name, samples.len(), kept.left_out());
        out_of_bounds
    }

    /// Status of conditions and of the sources of their samples. Blocks.
    ///
    /// # Errors
    /// When the store cannot be read; only a process that is not the leader reads it.
    pub fn measured(&self) -> Result<Measured, StoreError> {
        if self.judge.epoch().is_some() {
            return Ok(lock(&self.measured).clone());
        }
        let mut measured = Measured::default();
        measured.begin(&self.settings());
        for one in self.store.remembered(StateOwner::Conditions)? {
            if let Some(watches) = one
                .state
                .and_then(|state| serde_json::from_str(&state).ok())
            {
                measured.evaluated(&one.name, &watches);
            }
        }
        Ok(measured)
    }

    /// Conditions in force, with their status. Blocks.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn conditions(&self) -> Result<Vec<Shown>, StoreError> {
        let measured = self.measured()?;
        let shown = |rule: &ConditionRule| Shown {
            name: rule.name.clone(),
            service: rule.service.clone(),
            metrics: rule.metrics.clone(),
            query: rule.query.clone(),
            bounds: plots::bounds(rule)
                .into_iter()
                .map(|bound| (bound.name, bound.text))
                .collect(),
            max_series: rule.max_series,
            status: measured
                .conditions()
                .get(&rule.name)
                .cloned()
                .unwrap_or_default(),
        };
        Ok(self
            .settings()
            .policy
            .rules
            .conditions
            .iter()
            .map(shown)
            .collect())
    }
}

/// Context of the tasks of one entry of `metrics:` or of one polled source.
pub(crate) struct Entry {
    app: Arc<App>,
    settings: Arc<Settings>,
    epoch: u64,
    /// Name of the entry or source.
    name: String,
}

fn start(
    app: &Arc<App>,
    settings: &Arc<Settings>,
    epoch: u64,
    stop: &CancellationToken,
) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    let mut spawn = |work: std::pin::Pin<Box<dyn Future<Output = ()> + Send>>| {
        let stop = stop.clone();
        tasks.spawn(async move {
            stop.run_until_cancelled(work).await;
        });
    };
    lock(&app.measured).begin(settings);
    for metrics in &settings.config.metrics {
        let entry = || Entry {
            app: Arc::clone(app),
            settings: Arc::clone(settings),
            epoch,
            name: metrics.name.clone(),
        };
        let reach = settings
            .reach
            .get(&metrics.name)
            .cloned()
            .unwrap_or_default();
        match &metrics.kind {
            MetricsKind::Prometheus(server) => {
                match PrometheusClient::new(server, &reach).map(Arc::new) {
                    Ok(client) => {
                        spawn(Box::pin(prometheus::evaluate_loop(
                            entry(),
                            server.clone(),
                            Arc::clone(&client),
                        )));
                        if server.alerts {
                            spawn(Box::pin(alert_history::recall_loop(
                                entry(),
                                server.clone(),
                                Arc::clone(&client),
                            )));
                        }
                        spawn(Box::pin(plots::draw_loop(
                            entry(),
                            plots::PlotHistory::server(server, client),
                        )));
                    }
                    Err(why) => app.faults.report(
                        &format!("metrics `{}` cannot be asked", metrics.name),
                        &anyhow::anyhow!(why),
                    ),
                }
            }
            MetricsKind::Scrape(scrape) => match Scraper::new(scrape, &reach).map(Arc::new) {
                Ok(scraper) => {
                    let live = scrape::Live::default();
                    for target in &scrape.targets {
                        spawn(Box::pin(scrape::scrape_loop(
                            entry(),
                            Arc::clone(&scraper),
                            scrape.clone(),
                            target.clone(),
                            live.clone(),
                        )));
                    }
                    spawn(Box::pin(samples::evaluate_loop(
                        entry(),
                        samples::Pace::scraped(scrape),
                    )));
                    spawn(Box::pin(plots::draw_loop(
                        entry(),
                        plots::PlotHistory::Samples,
                    )));
                }
                Err(why) => app.faults.report(
                    &format!("metrics `{}` cannot be scraped", metrics.name),
                    &anyhow::anyhow!(why),
                ),
            },
            MetricsKind::RemoteWrite(_) => {
                spawn(Box::pin(samples::evaluate_loop(
                    entry(),
                    samples::Pace::pushed(),
                )));
                spawn(Box::pin(plots::draw_loop(
                    entry(),
                    plots::PlotHistory::Samples,
                )));
            }
        }
    }
    for source in &settings.config.sources {
        let Some(api) = &source.api else { continue };
        let reach = settings
            .api_reach
            .get(&source.name)
            .cloned()
            .unwrap_or_default();
        let entry = Entry {
            app: Arc::clone(app),
            settings: Arc::clone(settings),
            epoch,
            name: source.name.clone(),
        };
        match alertmanager::AlertmanagerClient::new(api, &reach) {
            Ok(client) => spawn(Box::pin(alertmanager_poll::list_loop(
                entry,
                source.clone(),
                api.clone(),
                client,
            ))),
            Err(why) => app.faults.report(
                &format!("the api of source `{}` cannot be asked", source.name),
                &anyhow::anyhow!(why),
            ),
        }
    }
    spawn(Box::pin(forget_loop(Entry {
        app: Arc::clone(app),
        settings: Arc::clone(settings),
        epoch,
        name: String::new(),
    })));
    tasks
}

impl Entry {
    /// Conditions evaluated on this entry.
    fn conditions(&self) -> impl Iterator<Item = &ConditionRule> {
        self.settings
            .policy
            .rules
            .conditions
            .iter()
            .filter(|rule| rule.metrics == self.name)
    }

    /// Runs a blocking store operation, retrying until it succeeds. `None`: this process has lost
    /// leadership.
    async fn stored<T: Send + 'static>(
        &self,
        what: &'static str,
        work: impl Fn(&App) -> Result<T, StoreError> + Send + Sync + 'static,
    ) -> Option<T> {
        let work = Arc::new(work);
        loop {
            let (app, ours) = (Arc::clone(&self.app), Arc::clone(&work));
            match blocking(move || ours(&app)).await {
                Ok(Ok(done)) => return Some(done),
                Ok(Err(StoreError::Fenced)) => return None,
                Ok(Err(fault)) => self.app.faults.report(what, &anyhow::Error::new(fault)),
                Err(panic) => self.app.faults.report(what, &panic),
            }
            tokio::time::sleep(AFTER_A_FAULT).await;
        }
    }

    /// Loads the saved evaluator state of its conditions. `None`: this process has lost leadership.
    async fn load(&self) -> Option<Book> {
        let remembered = self
            .stored("what conditions remember could not be read", |app| {
                app.store.remembered(StateOwner::Conditions)
            })
            .await?;
        let states: BTreeMap<String, ConditionEvaluator> = remembered
            .into_iter()
            .filter_map(|one| Some((one.name, serde_json::from_str(&one.state?).ok()?)))
            .collect();
        let watches = self.conditions().map(|rule| {
            (
                rule.name.clone(),
                states.get(&rule.name).cloned().unwrap_or_default(),
            )
        });
        Some(Book {
            watches: watches.collect(),
            saved_at: self.app.now(),
        })
    }

    /// Appends events of evaluations and saves evaluator state, at most every [`SAVED_EVERY`]
    /// unless there are events. `false`: this process has lost leadership.
    async fn save(&self, book: &mut Book, events: Vec<Event>) -> bool {
        let now = self.app.now();
        self.show(book);
        if events.is_empty() && now - book.saved_at < SAVED_EVERY {
            return true;
        }
        book.saved_at = now;
        let remembered: Vec<SavedState> = book
            .watches
            .iter()
            .map(|(name, watches)| SavedState {
                name: name.clone(),
                state: serde_json::to_string(watches).ok(),
            })
            .collect();
        self.append(StateOwner::Conditions, remembered, events)
            .await
    }

    /// Appends events and saves state in one transaction. `false`: this process has lost
    /// leadership.
    async fn append(
        &self,
        memory: StateOwner,
        remembered: Vec<SavedState>,
        events: Vec<Event>,
    ) -> bool {
        let (epoch, source) = (self.epoch, self.name.clone());
        let records: Vec<NewRecord> = (!events.is_empty())
            .then_some(NewRecord {
                source,
                body: Vec::new(),
                events,
                fault: None,
                beside: MessageContext::default(),
            })
            .into_iter()
            .collect();
        let work = move |app: &App| {
            let logged = app
                .store
                .remember(epoch, memory, &remembered, &records, app.now())?;
            app.progress
                .advance_head(logged.last().map(|last| last.position));
            Ok(())
        };
        self.stored("what was measured could not be stored", work)
            .await
            .is_some()
    }

    fn show(&self, book: &Book) {
        let mut measured = lock(&self.app.measured);
        for (name, watches) in &book.watches {
            measured.evaluated(name, watches);
        }
    }

    /// Reads the credential files again after the server rejected the credentials. `None`: it was
    /// another fault, or they cannot be read.
    async fn shown_anew(&self, fault: &ClientError) -> Option<ServerAccess> {
        if !matches!(fault, ClientError::Unauthorized(_)) {
            return None;
        }
        let (settings, name) = (Arc::clone(&self.settings), self.name.clone());
        blocking(move || settings.reach_again(&name))
            .await
            .ok()?
            .ok()?
    }

    /// Records the result of a request to the source, or to one part of it.
    fn heard(&self, whom: &str, heard: Result<(), String>) {
        let now = self.app.now();
        if lock(&self.app.measured).heard(&self.name, whom, now, heard.clone())
            && let Err(why) = heard
        {
            self.app
                .faults
                .report(&format!("metrics `{}`", self.name), &anyhow::anyhow!(why));
        }
    }
}

/// Evaluators of the conditions of one entry.
struct Book {
    watches: BTreeMap<String, ConditionEvaluator>,
    saved_at: Time,
}

/// Last multiple of `every`, in seconds, that is not after `now`.
fn instant(now: Time, every: i64) -> Time {
    Time::from_timestamp(now.timestamp().div_euclid(every) * every, 0).unwrap_or(now)
}

/// Waits until `then` by the service's clock, for one minute at most.
async fn wait_until(app: &App, then: Time) {
    let wait = (then - app.now()).to_std().unwrap_or_default();
    tokio::time::sleep(
        wait.min(Duration::from_secs(60))
            .max(Duration::from_millis(5)),
    )
    .await;
}

/// Longest look-back of the conditions on samples of an entry; older samples serve only plots.
fn looks_back(settings: &Settings, metrics: &str) -> TimeDelta {
    let asked = settings
        .policy
        .rules
        .conditions
        .iter()
        .filter(|rule| rule.metrics == metrics);
    let longest = asked
        .filter_map(|rule| Some(rule.understood.of_samples.as_ref().ok()?.looks_back()))
        .max()
        .unwrap_or(0);
    TimeDelta::seconds(longest)
}

/// Retention of samples beyond the look-back, so that incidents of several hours can be plotted.
const DRAWN_BACK: TimeDelta = TimeDelta::hours(6);

/// Retention of the samples of an entry.
fn kept_back(settings: &Settings, metrics: &str) -> TimeDelta {
    looks_back(settings, metrics) + DRAWN_BACK
}

/// Deletes expired samples, and the saved state of conditions that were removed.
async fn forget_loop(entry: Entry) {
    let names: Vec<String> = entry
        .settings
        .policy
        .rules
        .conditions
        .iter()
        .map(|rule| rule.name.clone())
        .collect();
    if !end_forgotten(&entry, &names).await {
        return;
    }
    let longest = entry
        .settings
        .config
        .metrics
        .iter()
        .map(|metrics| looks_back(&entry.settings, &metrics.name))
        .max()
        .unwrap_or_default();
    loop {
        let before = entry.app.now() - longest - DRAWN_BACK;
        if entry
            .stored("old samples could not be dropped", move |app| {
                app.store.forget_samples(before)
            })
            .await
            .is_none()
        {
            return;
        }
        tokio::time::sleep(Duration::from_secs(60)).await;
    }
}

/// Ends removed conditions as unknown, as they are no longer evaluated, and deletes their state.
/// `false`: this process has lost leadership.
async fn end_forgotten(entry: &Entry, names: &[String]) -> bool {
    let Some(remembered) = entry
        .stored("what conditions remember could not be read", |app| {
            app.store.remembered(StateOwner::Conditions)
        })
        .await
    else {
        return false;
    };
    let now = entry.app.now();
    let gone = remembered
        .into_iter()
        .filter(|one| !names.contains(&one.name));
    let (mut forgotten, mut events) = (Vec::new(), Vec::new());
    for one in gone {
        let watches: Option<ConditionEvaluator> = one
            .state
            .as_deref()
            .and_then(|state| serde_json::from_str(state).ok());
        events.extend(watches.iter().flat_map(|watches| watches.end(now)));
        forgotten.push(SavedState { state: None, ..one });
    }
    forgotten.is_empty()
        || entry
            .append(StateOwner::Conditions, forgotten, events)
            .await
}

/// Reads the stored samples of an entry that follow `position`. `None`: this process has lost
/// leadership.
async fn kept(entry: &Entry, samples: &mut SampleBuffer, position: &mut u64) -> Option<()> {
    const BATCH: usize = 1000;
    loop {
        let (name, after) = (entry.name.clone(), *position);
        let batches = entry
            .stored("samples could not be read", move |app| {
                app.store.samples_after(&name, after, BATCH)
            })
            .await?;
        let more = batches.len() == BATCH;
        for batch in batches {
            *position = batch.position;
            batch
                .samples
                .into_iter()
                .for_each(|sample| samples.take(sample));
        }
        if !more {
            return Some(());
        }
    }
}
