//! Metrics: while this process is the judge, conditions are evaluated at their instants, targets scraped, and what a Prometheus remembers of its
//! alerts is read. What that makes known is appended to the log like anything else.
//!
//! Instants are whole multiples of a condition's `every` since 1970, so that every process, before and after a restart, evaluates the same ones
//! and tells of the same turns.

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

/// How often it is looked at whether other settings hold or another process is the judge.
const BETWEEN_LOOKS: Duration = Duration::from_millis(500);
/// How long after a fault of the store.
const AFTER_A_FAULT: Duration = Duration::from_secs(1);
/// How much of what was evaluated may be evaluated once more after a crash.
const SAVED_EVERY: TimeDelta = TimeDelta::minutes(1);

/// Measures while this process is the judge, anew with every change of settings.
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
        // What is being asked is given up; what was being stored is stored or not, as after a crash.
        tasks.shutdown().await;
        if !whole {
            tokio::time::sleep(AFTER_A_FAULT).await;
        }
    }
}

impl App {
    /// Keeps samples that were pushed, of `seen` in all. Gives how many were not kept for times that cannot be. Blocks.
    ///
    /// # Errors
    /// When they could not be made durable: the sender should try again.
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

    /// Leaves out samples that are not kept; gives how many of them were of times that cannot be.
    fn keep(&self, name: &str, samples: &mut Vec<Sample>, now: Time, back: TimeDelta) -> usize {
        let mut all = lock(&self.kept);
        let kept = all.entry(name.to_owned()).or_default();
        let out_of_bounds = kept.keep(samples, now, back);
        lock(&self.measured).took(name, samples.len(), kept.left_out());
        out_of_bounds
    }

    /// What is known of conditions and of where their samples are from. Blocks.
    ///
    /// # Errors
    /// When the store cannot be read, which is asked where another process is the judge.
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

    /// The conditions in force, as they are. Blocks.
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

/// What the tasks of one entry of `metrics:`, or of a source that is asked, work with.
pub(crate) struct Entry {
    app: Arc<App>,
    settings: Arc<Settings>,
    epoch: u64,
    /// Its name.
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
    /// The conditions that ask it.
    fn conditions(&self) -> impl Iterator<Item = &ConditionRule> {
        self.settings
            .policy
            .rules
            .conditions
            .iter()
            .filter(|rule| rule.metrics == self.name)
    }

    /// Runs a blocking step, again and again until the store takes it. `None`: another process is the judge by now.
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

    /// Loads what is remembered of its conditions.
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

    /// Appends what evaluations made known, with what is remembered of them. `false`: another process is the judge by now.
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

    /// Appends events with what is remembered, both or neither. `false`: another process is the judge by now.
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

    /// What is to be shown from now on, where a server no longer accepts who we are and the files of our credentials have changed.
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

    /// Notes that its source answered, or why not.
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

/// What is remembered of the conditions of one entry.
struct Book {
    watches: BTreeMap<String, ConditionEvaluator>,
    saved_at: Time,
}

/// The last instant, by `every` seconds, that is not after `now`.
fn instant(now: Time, every: i64) -> Time {
    Time::from_timestamp(now.timestamp().div_euclid(every) * every, 0).unwrap_or(now)
}

/// Waits until `then` by the service's clock, a minute at most.
async fn wait_until(app: &App, then: Time) {
    let wait = (then - app.now()).to_std().unwrap_or_default();
    tokio::time::sleep(
        wait.min(Duration::from_secs(60))
            .max(Duration::from_millis(5)),
    )
    .await;
}

/// How far back the conditions on samples of an entry look; what is older is of use to nobody but plots.
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

/// How long samples are kept beyond what conditions look back at, so that an incident of some hours can be drawn.
const DRAWN_BACK: TimeDelta = TimeDelta::hours(6);

/// How long samples of an entry are of use to anybody.
fn kept_back(settings: &Settings, metrics: &str) -> TimeDelta {
    looks_back(settings, metrics) + DRAWN_BACK
}

/// Drops samples that nobody looks back at any more, and what is remembered of conditions that nobody has any more.
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

/// A condition that is no longer in the rules, or of another service by now, ends as unknown: nobody looks any more.
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

/// All samples kept of an entry.
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
