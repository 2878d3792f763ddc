//! State shared by the tasks of the metrics pipeline and the pages that show it.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard};

use chrono::TimeDelta;

use super::retention::sample_retention;
use super::series_limits::SeriesLimiter;
use super::status::{ConditionView, MonitorStatus};
use super::thresholds::threshold_lines;
use crate::app::core::Core;
use crate::app::intake::Intake;
use crate::app::intake::active_alerts::promised_renewals::PromisedRenewal;
use crate::app::intake::commit::{Arrival, Unstored};
use crate::app::judge::Judge;
use crate::app::sync::lock;
use crate::ingest::alertmanager_api::{PollResult, TrackedAlert};
use crate::model::event::{AlertStatus, Fact};
use crate::model::id::{IncidentId, Subject};
use crate::model::lifecycle::Phase;
use crate::model::sample::Sample;
use crate::model::time::Time;
use crate::plot::{describe, table};
use crate::postmortem::file_name::plot_file_name;
use crate::rules::rule_set::ConditionRule;
use crate::store::condition_state::StateOwner;
use crate::store::error::StoreError;
use crate::store::plot::{PlotHeader, StoredPlot};

/// Number of recent postmortems searched for a plot by file name.
const SEARCHED_POSTMORTEMS: usize = 200;

/// Conditions of a running service: status, cardinality limits and plots.
#[derive(Debug)]
pub struct ConditionMonitor {
    pub(super) core: Arc<Core>,
    pub(super) intake: Arc<Intake>,
    pub(super) judge: Arc<Judge>,
    status: Mutex<MonitorStatus>,
    /// Limits of each entry of `metrics:`.
    limiters: Mutex<BTreeMap<String, SeriesLimiter>>,
}

/// Plot as shown on a page.
#[derive(Debug, Clone, PartialEq)]
pub struct PlotView {
    /// Name of the condition.
    pub condition: String,
    /// Text description of the plot.
    pub words: String,
    /// Column headings of the plot as a table.
    pub head: Vec<String>,
    /// Rows of the table.
    pub rows: Vec<Vec<String>>,
}

impl ConditionMonitor {
    pub(crate) fn new(core: Arc<Core>, intake: Arc<Intake>, judge: Arc<Judge>) -> Self {
        Self {
            core,
            intake,
            judge,
            status: Mutex::default(),
            limiters: Mutex::default(),
        }
    }

    /// The status as recorded by this process.
    pub(super) fn recorded(&self) -> MutexGuard<'_, MonitorStatus> {
        lock(&self.status)
    }

    /// Stores pushed samples; `seen` is their number before filtering. Returns the number dropped
    /// for out-of-bounds timestamps. Blocks.
    ///
    /// # Errors
    /// When the samples cannot be made durable: the sender should retry.
    pub fn push(&self, name: &str, mut samples: Vec<Sample>, seen: u64) -> Result<usize, Unstored> {
        self.core.counters.pushed.fetch_add(seen, Ordering::Relaxed);
        let (now, back) = (
            self.core.now(),
            sample_retention(&self.core.settings(), name),
        );
        let out_of_bounds = self.keep(name, &mut samples, now, back);
        self.core
            .store
            .add_samples(name, &samples, now)
            .map_err(|fault| {
                self.core
                    .faults
                    .report("samples could not be stored", &anyhow::Error::new(fault));
                Unstored::Store("the samples could not be stored; try again".to_owned())
            })?;
        let _ = self.recorded().record_request(name, "", now, Ok(()));
        Ok(out_of_bounds)
    }

    /// Applies the limits on timestamps and cardinality. Returns the number dropped for
    /// out-of-bounds timestamps.
    pub(super) fn keep(
        &self,
        name: &str,
        samples: &mut Vec<Sample>,
        now: Time,
        back: TimeDelta,
    ) -> usize {
        let mut all = lock(&self.limiters);
        let kept = all.entry(name.to_owned()).or_default();
        let out_of_bounds = kept.keep(samples, now, back);
        self.recorded()
            .record_samples(name, samples.len(), kept.left_out());
        out_of_bounds
    }

    /// Status of conditions and of the sources of their samples. Blocks.
    ///
    /// # Errors
    /// When the store cannot be read; only a process that is not the leader reads it.
    pub fn status(&self) -> Result<MonitorStatus, StoreError> {
        if self.judge.epoch().is_some() {
            return Ok(self.recorded().clone());
        }
        let mut measured = MonitorStatus::default();
        measured.reset(&self.core.settings());
        for one in self.core.store.saved_states(StateOwner::Conditions)? {
            if let Some(watches) = one
                .state
                .and_then(|state| serde_json::from_str(&state).ok())
            {
                measured.record_evaluation(&one.name, &watches);
            }
        }
        Ok(measured)
    }

    /// Conditions in force, with their status. Blocks.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn list(&self) -> Result<Vec<ConditionView>, StoreError> {
        let measured = self.status()?;
        let now = self.core.now();
        let shown = |rule: &ConditionRule| ConditionView {
            name: rule.name.clone(),
            service: rule.service.clone(),
            metrics: rule.metrics.clone(),
            query: rule.query.clone(),
            bounds: threshold_lines(rule)
                .into_iter()
                .map(|bound| (bound.name, bound.text))
                .collect(),
            max_series: rule.max_series,
            status: measured
                .conditions()
                .get(&rule.name)
                .cloned()
                .unwrap_or_default()
                .known_at(now),
        };
        Ok(self
            .core
            .settings()
            .policy
            .rules
            .conditions
            .iter()
            .map(shown)
            .collect())
    }

    /// Plots of an incident, for its page. Blocks.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn plots(&self, incident: &IncidentId) -> Result<Vec<PlotView>, StoreError> {
        let view = |PlotHeader { plot, .. }: PlotHeader| {
            let table = table(&plot);
            PlotView {
                words: describe(&plot),
                head: table.head,
                rows: table.rows,
                condition: plot.condition,
            }
        };
        Ok(self
            .core
            .store
            .plot_headers(incident)?
            .into_iter()
            .map(view)
            .collect())
    }

    /// Finds the SVG of a plot by its file name beside a draft. Blocks.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn plot_svg(&self, file: &str) -> Result<Option<String>, StoreError> {
        for postmortem in self.core.store.postmortems(SEARCHED_POSTMORTEMS)? {
            if !file.starts_with(postmortem.file.trim_end_matches(".md")) {
                continue;
            }
            let mut drawn = self.core.store.drawn_at(&postmortem.incident)?.into_keys();
            if let Some(condition) =
                drawn.find(|condition| plot_file_name(&postmortem.file, condition) == file)
            {
                return Ok(self
                    .core
                    .store
                    .plot(&postmortem.incident, &condition)?
                    .map(|drawn| drawn.svg));
            }
        }
        Ok(None)
    }

    /// Stores a plot and updates the draft that shows it. Blocks.
    pub(super) fn save_plot(
        &self,
        incident: &IncidentId,
        drawn: &StoredPlot,
    ) -> Result<(), StoreError> {
        self.core
            .store
            .save_plots(incident, std::slice::from_ref(drawn))?;
        if let Err(fault) = self.judge.redraft(incident) {
            self.core
                .faults
                .report("a draft could not be updated", &fault);
        }
        Ok(())
    }

    /// Alerts of a source in incidents that are not closed. Blocks.
    pub(super) fn open_alerts(&self, source: &str) -> Vec<TrackedAlert> {
        let found = self.judge.with_incidents(|incidents| {
            let active_alerts = self.intake.active_alerts();
            let mut found: HashMap<Subject, TrackedAlert> = HashMap::new();
            for incident in incidents.filter(|incident| incident.phase != Phase::Closed) {
                for member in &incident.members {
                    let event = &member.event;
                    let Fact::Alert(alert) = &event.fact else {
                        continue;
                    };
                    if alert.status != AlertStatus::Firing
                        || alert.recalled
                        || &*event.source != source
                        || found.contains_key(&event.subject)
                    {
                        continue;
                    }
                    if let Some((on, last_seen)) =
                        active_alerts.firing_and_last_seen(&event.subject)
                    {
                        found.insert(
                            event.subject,
                            TrackedAlert {
                                incident: incident.id.clone(),
                                event: std::sync::Arc::clone(event),
                                on,
                                last_seen,
                            },
                        );
                    }
                }
            }
            found
        });
        let mut held: Vec<TrackedAlert> = found.into_values().collect();
        // Events reported once per incident refer to its earliest alert.
        held.sort_by_key(|held| (held.event.occurred_at, held.event.id));
        held
    }

    /// Applies the result of a poll: renews alerts and ingests new events.
    pub(super) async fn apply_poll(&self, source: &str, looked: PollResult, now: Time) {
        let PollResult {
            renewed,
            promised,
            listed,
            mut events,
        } = looked;
        {
            let mut alerts = self.intake.active_alerts();
            alerts.renew_all(&renewed, now);
            let promise = |(subject, until, reported_at)| {
                let promise = PromisedRenewal { until, reported_at };
                (subject, promise)
            };
            let promised = promised.into_iter().map(promise).collect();
            alerts.note_promises(promised, &listed, now);
            // The webhook may have reported the end in the meantime, with a more precise time.
            let on = |subject: &Subject| {
                alerts
                    .firing_and_last_seen(subject)
                    .is_some_and(|(on, _)| on)
            };
            events.retain(|event| {
                !matches!(&event.fact, Fact::Alert(alert) if alert.status == AlertStatus::Resolved)
                    || on(&event.subject)
            });
        }
        if events.is_empty() {
            return;
        }
        let arrival = Arrival {
            source: source.to_owned(),
            reports: events.into_iter().map(Into::into).collect(),
            ..Arrival::default()
        };
        if let Err(fault) = self.intake.receive(arrival).await {
            self.core.faults.report(
                "alerts polled from an Alertmanager could not be stored",
                &anyhow::Error::new(fault),
            );
        }
    }
}
