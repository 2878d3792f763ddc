//! The judge: feeds the log to the engine in order, and stores the resulting changes together with the
//! position reached.

mod clock_check;
pub(crate) mod effects;
mod expired_leases;
pub(crate) mod follower;
mod leader_lease;
pub(crate) mod term;
mod windows;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;

use super::background_tasks::run_step;
use super::core::Core;
use super::intake::Intake;
use super::people::on_call::OnCallCalendars;
use super::settings::Settings;
use super::sync::lock;
use super::worker_thread::Thread;
use crate::engine::changes::IncidentChanges;
use crate::engine::state::State;
use crate::model::event::{Event, Fact};
use crate::model::id::{EventId, IncidentId};
use crate::model::incident::Incident;
use crate::model::ledger::LedgerEntry;
use crate::model::lifecycle::Phase;
use crate::model::time::Time;
use crate::store::apply;
use crate::store::error::StoreError;
use crate::store::head::LEASE;
use crate::store::incident::IncidentFilter;

use clock_check::ClockCheck;
use leader_lease::LeaderLease;
use term::{JudgeTerm, Poison};

/// Pause after a fault of the store.
const AFTER_A_FAULT: Duration = Duration::from_secs(1);
/// Open incidents searched for an event by a replica that is not the judge.
const SEARCHED: usize = 1000;

/// Decides incidents while this process holds the leader lease.
#[derive(Debug)]
pub struct Judge {
    core: Arc<Core>,
    intake: Arc<Intake>,
    calendars: Arc<Mutex<OnCallCalendars>>,
    lease: LeaderLease,
    /// `None` before it has loaded, and on the other replicas.
    term: Mutex<Option<JudgeTerm>>,
    /// Findings of a term that ended with a panic, for the next one.
    panicked: Mutex<(Option<Poison>, bool)>,
    clock_check: ClockCheck,
}

/// Result of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Judged {
    /// Further records are waiting in the log.
    pub more: bool,
    /// End of the window of the newest records, which are judged once it is over.
    pub open_until: Option<Time>,
    /// Next time at which something changes without a new record.
    pub next: Option<Time>,
}

impl Judge {
    /// Creates the judge; with a `term`, this process holds the leader lease already.
    pub(crate) fn new(
        core: Arc<Core>,
        intake: Arc<Intake>,
        calendars: Arc<Mutex<OnCallCalendars>>,
        term: Option<JudgeTerm>,
    ) -> Self {
        Self {
            clock_check: ClockCheck::new(Arc::clone(&core), Arc::clone(&intake)),
            core,
            intake,
            calendars,
            lease: LeaderLease::new(term.as_ref().map(|term| term.epoch)),
            term: Mutex::new(term),
            panicked: Mutex::default(),
        }
    }

    /// The epoch in which this process is the judge; `None` while another is.
    #[must_use]
    pub fn epoch(&self) -> Option<u64> {
        self.lease.epoch()
    }

    /// Compares the clock with its reference, accepts and logs its steps. Blocks.
    ///
    /// # Errors
    /// When the store fails; a step is then noticed by the next check.
    pub(crate) fn check_clock(&self) -> anyhow::Result<()> {
        self.clock_check.check(self.epoch())
    }

    /// Renews the leader lease, or takes it when it is free. Blocks.
    ///
    /// # Errors
    /// When the store fails.
    pub fn renew_lease(&self) -> anyhow::Result<()> {
        if self.lease.renew(&self.core.store)? {
            self.core.progress.wake_judge();
        }
        if self.epoch().is_none() {
            // The lease was not free: another process holds it.
            self.core.judge_signs.note(Instant::now());
        }
        Ok(())
    }

    /// Gives up the lease of a shared database, so that another replica takes over at once. Blocks.
    ///
    /// # Errors
    /// When the store fails; the lease then expires.
    pub fn release_lease(&self) -> anyhow::Result<()> {
        if !self.core.store.is_shared() {
            return Ok(());
        }
        if let Some(epoch) = self.lease.give_up() {
            // Waits for a step in progress.
            *lock(&self.term) = None;
            self.core.store.release_leader_lease(epoch)?;
        }
        Ok(())
    }

    /// One step of the judge: applies what has been logged and what is due. Blocks.
    ///
    /// # Errors
    /// When the store fails; nothing is lost, the next step tries again.
    pub fn step(&self) -> anyhow::Result<Judged> {
        let settings = self.core.settings();
        let mut current = lock(&self.term);
        let Some(epoch) = self.epoch() else {
            *current = None;
            return Ok(Judged {
                more: false,
                open_until: None,
                next: None,
            });
        };
        let mut term = match current.take().filter(|term| term.epoch == epoch) {
            Some(term) => term,
            None => self.load_term(epoch, &settings)?,
        };
        let result = self.advance(&mut term, &settings);
        self.core.progress.set_applied(term.applied);
        match &result {
            Ok(_) => {
                self.core.judge_signs.note(Instant::now());
                *current = Some(term);
            }
            // After a fault the engine may be ahead of the store: the next step loads it again.
            Err(fault) => {
                *lock(&self.panicked) = (term.poison, term.one_by_one);
                if matches!(fault.downcast_ref(), Some(StoreError::Fenced)) {
                    self.renew_lease()?;
                }
            }
        }
        result
    }

    /// Loads the stored state, in a new epoch or after a fault.
    fn load_term(&self, epoch: u64, settings: &Settings) -> anyhow::Result<JudgeTerm> {
        let loaded = term::load(&self.core.store, settings, &self.core.start)?;
        let mut term = JudgeTerm::restore(loaded, epoch, settings);
        (term.poison, term.one_by_one) = std::mem::take(&mut *lock(&self.panicked));
        self.log_settings(&mut term, settings)?;
        Ok(term)
    }

    fn advance(&self, term: &mut JudgeTerm, settings: &Settings) -> anyhow::Result<Judged> {
        let mut now = self.core.now();
        expired_leases::log_expired(&self.core, &self.intake, term.epoch, now)?;
        let mut windows = windows::next(&self.core, term, now)?;
        if windows.is_ahead {
            // Records to come must not be logged by the clock that was ahead.
            self.check_clock()?;
            now = self.core.now();
            windows = windows::next(&self.core, term, now)?;
        }
        let mut more = windows.more;
        // The changes of the last step are stored by now.
        let mut changes = term.state.tidy(&term.policy);
        let mut stored = apply::Changes::default();
        let from = term.applied;
        let (mut to, mut events) = (from, 0);
        let mut judged_until = now;
        for (times, mut window) in windows.complete {
            events += window
                .iter()
                .map(|record| record.events.len())
                .sum::<usize>();
            let Some(last) = window.last() else {
                continue;
            };
            term.state
                .tick_until(&term.policy, times.due_until, &mut changes);
            (to, judged_until) = (last.position, times.judged_at);
            if let Some((position, why)) = term
                .poison
                .take_if(|(position, _)| window.iter().any(|record| record.position == *position))
            {
                stored.quarantined.push((position, why));
                window.retain(|record| record.position != position);
            }
            term.apply_window(window, judged_until, &mut changes)?;
        }
        let due = term.state.next_due().is_some_and(|due| due <= now);
        if !more && windows.open_until.is_none() && due {
            more = windows::continues(&self.core, to, now)?;
            if !more {
                term.state.tick_until(&term.policy, now, &mut changes);
            }
        }
        if to > from || changes != IncidentChanges::default() {
            let at = if more { judged_until } else { now };
            self.gather(&term.state, &changes, settings, at, &mut stored)?;
            self.core.store.apply(term.epoch, from, to, &stored)?;
            term.applied = to;
            self.core.start.note_judged(events);
        }
        term.one_by_one = false;
        Ok(Judged {
            more,
            open_until: windows.open_until,
            next: term.state.next_due(),
        })
    }

    /// Collects what is to be stored of the changes, with their effects.
    fn gather(
        &self,
        state: &State,
        changes: &IncidentChanges,
        settings: &Settings,
        now: Time,
        stored: &mut apply::Changes,
    ) -> anyhow::Result<()> {
        stored.now = now;
        stored.judged_until = state.now();
        let calendars = lock(&self.calendars).clone();
        let known = effects::EffectInputs {
            settings,
            calendars: &calendars,
        };
        for (id, heir) in &changes.removed {
            effects::effects_of_merge(&self.core.store, id, heir.as_ref(), known, now, stored)?;
            stored.removed.push(id.clone());
            stored
                .aliases
                .extend(heir.as_ref().map(|heir| (id.0.clone(), heir.clone())));
        }
        for id in &changes.changed {
            let Some(incident) = state.shared_incident(id) else {
                continue;
            };
            let bundled: Vec<&Incident> = state.bundle_of(id).collect();
            effects::effects(&self.core.store, &incident, &bundled, known, now, stored)?;
            if incident.phase == Phase::Closed {
                stored.ledger.push(LedgerEntry::of(&incident));
            }
            stored.incidents.push(incident);
        }
        stored.loose.extend(
            changes
                .loosened
                .iter()
                .filter_map(|id| state.loose_event(id))
                .cloned(),
        );
        stored.loose_removed.extend(
            changes
                .placed
                .iter()
                .filter(|id| state.loose_event(id).is_none())
                .copied(),
        );
        Ok(())
    }

    /// Logs the settings in force unless they are those logged last, so that a replay sees which rules
    /// held when.
    pub(crate) fn record_settings(&self) -> anyhow::Result<()> {
        lock(&self.term).as_mut().map_or(Ok(()), |term| {
            self.log_settings(term, &self.core.settings())
        })
    }

    fn log_settings(&self, term: &mut JudgeTerm, settings: &Settings) -> anyhow::Result<()> {
        let logged = &settings.logged;
        if term.settings_hash.as_ref() == Some(&logged.hash) {
            return Ok(());
        }
        self.intake.commits.append_own(
            term.epoch,
            vec![Event::new(
                "afterword",
                self.core.now(),
                Fact::Settings(logged.clone()),
            )],
        )?;
        term.settings_hash = Some(logged.hash.clone());
        Ok(())
    }

    /// Renders the draft of an incident again, after its plots or on-call data changed. Blocks.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn redraft(&self, incident: &IncidentId) -> anyhow::Result<()> {
        let settings = self.core.settings();
        let current = lock(&self.term);
        let Some(term) = current.as_ref() else {
            return Ok(());
        };
        let Some(known) = term.state.incident(incident) else {
            return Ok(());
        };
        let now = self.core.now();
        let mut stored = apply::Changes {
            now,
            judged_until: term.state.now(),
            ..apply::Changes::default()
        };
        let bundled: Vec<&Incident> = term.state.bundle_of(incident).collect();
        let calendars = lock(&self.calendars).clone();
        let at_hand = effects::EffectInputs {
            settings: &settings,
            calendars: &calendars,
        };
        effects::effects(&self.core.store, known, &bundled, at_hand, now, &mut stored)?;
        self.core
            .store
            .apply(term.epoch, term.applied, term.applied, &stored)?;
        self.core.progress.wake_delivery();
        Ok(())
    }

    /// Gives `read` the incidents in memory; nothing while another process is the judge.
    pub(crate) fn with_incidents<T: Default>(
        &self,
        read: impl FnOnce(&mut dyn Iterator<Item = &Incident>) -> T,
    ) -> T {
        lock(&self.term)
            .as_ref()
            .map(|term| read(&mut term.state.incidents()))
            .unwrap_or_default()
    }

    /// The incident that an applied event belongs to. Blocks.
    #[must_use]
    pub fn incident_of(&self, event: &EventId) -> Option<IncidentId> {
        self.find_incident_of(event).unwrap_or_else(|fault| {
            self.core
                .faults
                .report("the incident of an event could not be searched", &fault);
            None
        })
    }

    fn find_incident_of(&self, event: &EventId) -> anyhow::Result<Option<IncidentId>> {
        if let Some(term) = lock(&self.term).as_ref() {
            return Ok(term.state.incident_of(event));
        }
        let open = self.core.store.incidents(IncidentFilter {
            open_only: true,
            limit: SEARCHED,
        })?;
        let found = open.into_iter().find(|incident| {
            incident
                .members
                .iter()
                .any(|member| member.event.id == *event)
        });
        Ok(found.map(|incident| incident.id))
    }
}

/// Alert events of incidents, in order of time within each.
pub(crate) fn alert_events(incidents: &[Incident]) -> impl Iterator<Item = &Event> {
    let events = incidents
        .iter()
        .flat_map(|incident| &incident.members)
        .map(|member| &*member.event);
    events.filter(|event| matches!(event.fact, Fact::Alert(_) | Fact::Lapsed(_)))
}

/// Judges for as long as the service runs: when records arrive, and when something is due.
pub(crate) async fn judge_loop(judge: Arc<Judge>) {
    let thread = Thread::named("judge");
    let core = &judge.core;
    let mut head = core.progress.head_changes();
    loop {
        head.mark_unchanged();
        let ours = Arc::clone(&judge);
        let judged = thread.run(move || ours.step()).await.flatten();
        let context = "the log could not be judged";
        match &judged {
            Ok(_) => core.faults.over(context),
            Err(fault) => core.faults.report_lasting(context, fault),
        }
        let pause = match judged {
            Ok(judged) if judged.more => continue,
            Ok(Judged {
                open_until: Some(end),
                ..
            }) => {
                // More records may join this window; reading it before its end would read it twice.
                tokio::time::sleep(core.wait_until(Some(end))).await;
                continue;
            }
            Ok(judged) => {
                let lease = judge.intake.active_alerts().next_due();
                core.wait_until(judged.next.into_iter().chain(lease).min())
            }
            Err(_) => AFTER_A_FAULT,
        };
        // The sender lives as long as the service: this ends by a change or by time.
        let _ = tokio::time::timeout(pause, head.changed()).await;
    }
}

/// Compares the clock with its reference for as long as the service runs.
pub(crate) async fn clock_loop(judge: Arc<Judge>) {
    loop {
        let faults = &judge.core.faults;
        let context = "the clock could not be compared";
        run_step(faults, context, &judge, Judge::check_clock).await;
        tokio::time::sleep(clock_check::INTERVAL).await;
    }
}

/// Renews the leader lease for as long as the service runs.
pub(crate) async fn lease_loop(judge: Arc<Judge>) {
    loop {
        tokio::time::sleep(LEASE / 4).await;
        let faults = &judge.core.faults;
        run_step(
            faults,
            "the leader lease could not be renewed",
            &judge,
            Judge::renew_lease,
        )
        .await;
    }
}

#[cfg(test)]
mod tests;
