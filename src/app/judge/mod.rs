//! The judge: feeds the log to the engine in order and stores what follows with the position it has reached.

pub(crate) mod effects;
pub(crate) mod leader_lease;

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::App;
use super::settings::{Settings, as_logged, put_in_force};
use super::sync::lock;
use crate::engine::changes::IncidentChanges;
use crate::engine::policy::Policy;
use crate::engine::replay::{WINDOW, window_end, window_of};
use crate::engine::state::State;
use crate::model::event::{AppliedSettings, Event, Fact};
use crate::model::id::{EventId, IncidentId};
use crate::model::incident::Incident;
use crate::model::ledger::LedgerEntry;
use crate::model::lifecycle::Phase;
use crate::model::time::Time;
use crate::store::apply;
use crate::store::apply::StoredState;
use crate::store::database::Store;
use crate::store::log::LogRecord;

/// Records judged in one transaction at the most.
const BATCH: usize = 1000;

/// The engine's state and how far it has come.
#[derive(Debug)]
pub(crate) struct Judge {
    state: State,
    applied: u64,
    epoch: u64,
    /// What is in force by the log, as far as it is applied: a replay of the log finds the same.
    policy: Policy,
    /// The hash of the settings logged last.
    settings: Option<String>,
    /// A record that made the engine panic: passed over, and told.
    poison: Option<(u64, String)>,
    /// After a panic: each record by itself, until one is found that does it.
    careful: bool,
}

/// Records that are judged together.
struct Windows {
    complete: Vec<Vec<LogRecord>>,
    /// When the window of the newest ones ends, if it has not.
    open_until: Option<Time>,
}

/// What a judge takes up: what stands and what the engine remembers of what is closed, and how far the log was applied to it.
pub(crate) fn load(store: &Store, settings: &Settings) -> anyhow::Result<StoredState> {
    let clock = store.head()?.clock;
    Ok(store.load(clock - settings.policy.retention())?)
}

/// What incidents know of alerts, in order of time within each.
pub(crate) fn alerts(incidents: &[Incident]) -> impl Iterator<Item = &Event> {
    let events = incidents
        .iter()
        .flat_map(|incident| &incident.members)
        .map(|member| &*member.event);
    events.filter(|event| matches!(event.fact, Fact::Alert(_) | Fact::Lapsed(_)))
}

impl Judge {
    /// Takes up where the last judge stopped, at the time it had come to: later records are judged at theirs, whenever that is
    /// done.
    pub(crate) fn of(loaded: StoredState, epoch: u64, settings: &Settings) -> Self {
        let now = loaded.judged_until;
        let in_force = loaded.loose.iter().filter_map(|event| match &event.fact {
            Fact::Settings(fact) => Some((event.occurred_at, fact)),
            _ => None,
        });
        let last = in_force.max_by_key(|(at, _)| *at).map(|(_, fact)| fact);
        // What this version cannot read of what an earlier one logged is logged again.
        let read = last.and_then(|fact| Some((fact.hash.clone(), as_logged(fact).ok()?)));
        let (hash, policy) = read.map_or_else(
            || (None, settings.policy.clone()),
            |(hash, policy)| (Some(hash), policy),
        );
        let applied = loaded.applied;
        let state = State::restore(loaded.incidents, loaded.loose, &policy, now);
        Self {
            state,
            applied,
            epoch,
            policy,
            settings: hash,
            poison: None,
            careful: false,
        }
    }

    /// Decides everything again under what the log puts in force.
    fn adopt(&mut self, fact: &AppliedSettings, at: Time, changes: &mut IncidentChanges) {
        match as_logged(fact) {
            Ok(policy) => self.policy = policy,
            Err(faults) => {
                let told: Vec<String> = faults.iter().map(ToString::to_string).collect();
                tracing::error!(
                    "what is in force stays so, as what the log puts in its place cannot be read: {}",
                    told.join("; ")
                );
            }
        }
        changes.merge(self.state.reevaluate(&self.policy, at));
    }

    pub(crate) fn incidents(&self) -> impl Iterator<Item = &Incident> {
        self.state.incidents()
    }

    pub(crate) fn incident_of(&self, event: &EventId) -> Option<IncidentId> {
        self.state.incident_of(event)
    }
}

/// What a step found to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Judged {
    /// Whether more records wait.
    pub more: bool,
    /// Until when the window of the newest records is open: nothing is judged before.
    pub open_until: Option<Time>,
    /// When time alone next changes something.
    pub next: Option<Time>,
}

impl App {
    /// One step of the judge: applies what has been logged and what is due. Blocks.
    ///
    /// # Errors
    /// When the store fails; nothing is lost, the next step tries again.
    pub fn judge_step(&self) -> anyhow::Result<Judged> {
        let settings = self.settings();
        let mut judge = lock(&self.judge);
        let Some(epoch) = self.epoch() else {
            *judge = None;
            return Ok(Judged {
                more: false,
                open_until: None,
                next: None,
            });
        };
        let mut judging = match judge.take().filter(|judge| judge.epoch == epoch) {
            Some(judging) => judging,
            None => self.take_up(epoch, &settings)?,
        };
        let result = self.step(&mut judging, &settings);
        self.progress.set_applied(judging.applied);
        // After a fault what the engine has in memory may be ahead of the store: the next step begins again from there.
        if result.is_ok() {
            *judge = Some(judging);
        } else {
            *lock(&self.suspect) = (judging.poison, judging.careful);
        }
        result
    }

    /// Loads what stands, as a judge new in office or after a fault.
    fn take_up(&self, epoch: u64, settings: &Settings) -> anyhow::Result<Judge> {
        let mut judge = Judge::of(load(&self.store, settings)?, epoch, settings);
        (judge.poison, judge.careful) = std::mem::take(&mut *lock(&self.suspect));
        self.note_settings(&mut judge, settings)?;
        Ok(judge)
    }

    fn step(&self, judge: &mut Judge, settings: &Settings) -> anyhow::Result<Judged> {
        let now = self.now();
        self.tell_lapsed(judge.epoch, now)?;
        let (windows, more) = self.windows(judge, now)?;
        // What the last step changed is stored.
        let mut changes = judge.state.tidy(&judge.policy);
        let mut stored = apply::Changes::default();
        let from = judge.applied;
        let mut to = from;
        let mut judged_until = now;
        for mut window in windows.complete {
            let (Some(first), Some(last)) =
                (window.first().map(|record| record.logged_at), window.last())
            else {
                continue;
            };
            judge.state.tick_until(&judge.policy, first, &mut changes);
            (to, judged_until) = (last.position, last.logged_at);
            if let Some((position, why)) = judge
                .poison
                .take_if(|(position, _)| window.iter().any(|record| record.position == *position))
            {
                stored.quarantined.push((position, why));
                window.retain(|record| record.position != position);
            }
            self.apply_window(judge, window, judged_until, &mut changes)?;
        }
        if !more && windows.open_until.is_none() {
            judge.state.tick_until(&judge.policy, now, &mut changes);
        }
        if to > from || changes != IncidentChanges::default() {
            let at = if more { judged_until } else { now };
            self.gather(&judge.state, &changes, settings, at, &mut stored)?;
            self.store.apply(judge.epoch, from, to, &stored)?;
            judge.applied = to;
        }
        judge.careful = false;
        Ok(Judged {
            more,
            open_until: windows.open_until,
            next: judge.state.next_due(),
        })
    }

    /// What waits in the log, in windows.
    fn windows(&self, judge: &Judge, now: Time) -> anyhow::Result<(Windows, bool)> {
        let mut limit = BATCH;
        loop {
            let records = self.store.log_after(judge.applied, limit)?;
            let more = records.len() == limit;
            let mut complete: Vec<Vec<LogRecord>> = Vec::new();
            for record in records {
                match complete.last_mut().filter(|window| {
                    !judge.careful && window_of(window[0].logged_at) == window_of(record.logged_at)
                }) {
                    Some(window) => window.push(record),
                    None => complete.push(vec![record]),
                }
            }
            if more && complete.len() == 1 && !judge.careful {
                limit *= 2;
                continue;
            }
            // The last window may go on: in records not read yet, or not logged yet.
            let end = complete
                .last()
                .map(|window| window_end(window[0].logged_at));
            let open = end.filter(|end| {
                now < *end && *end - now <= WINDOW && !self.clock.is_set() && !judge.careful
            });
            if more || open.is_some() {
                complete.pop();
            }
            return Ok((
                Windows {
                    complete,
                    open_until: open.filter(|_| !more),
                },
                more,
            ));
        }
    }

    fn apply_window(
        &self,
        judge: &mut Judge,
        window: Vec<LogRecord>,
        at: Time,
        changes: &mut IncidentChanges,
    ) -> anyhow::Result<()> {
        let named = window
            .first()
            .map(|record| (record.position, record.source.clone()));
        let alone = window.len() == 1;
        let events: Vec<Event> = window
            .into_iter()
            .flat_map(|record| record.events)
            .collect();
        let put_in_force = put_in_force(&events).cloned();
        let judged = catch_unwind(AssertUnwindSafe(|| {
            judge.state.apply(events, &judge.policy, at)
        }));
        let (Err(_), Some((position, source))) = (&judged, named) else {
            if let Ok(more) = judged {
                changes.merge(more);
            }
            if let Some(fact) = put_in_force {
                judge.adopt(&fact, at, changes);
            }
            return Ok(());
        };
        if alone {
            judge.poison = Some((
                position,
                "judging this record failed; it was passed over".to_owned(),
            ));
            anyhow::bail!(
                "record {position} of source {source} made the engine panic; it is quarantined"
            )
        }
        // One of them did it: they are judged one by one to find out which.
        judge.careful = true;
        anyhow::bail!(
            "a record from {position} on made the engine panic; they are judged one by one"
        )
    }

    /// Everything that is to be stored of what has changed.
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
        let rotas = self.rotas();
        let known = effects::Known {
            settings,
            rotas: &rotas,
        };
        for (id, heir) in &changes.removed {
            effects::fallen_together(&self.store, id, heir.as_ref(), known, now, stored)?;
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
            effects::effects(&self.store, &incident, &bundled, known, now, stored)?;
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

    /// Logs the settings in force if they are not those of the last time: replay must see which rules held when.
    pub(crate) fn record_settings(&self) -> anyhow::Result<()> {
        lock(&self.judge)
            .as_mut()
            .map_or(Ok(()), |judge| self.note_settings(judge, &self.settings()))
    }

    fn note_settings(&self, judge: &mut Judge, settings: &Settings) -> anyhow::Result<()> {
        let logged = &settings.logged;
        if judge.settings.as_ref() == Some(&logged.hash) {
            return Ok(());
        }
        self.intake.commits.append_own(
            judge.epoch,
            vec![Event::new(
                "afterword",
                self.now(),
                Fact::Settings(logged.clone()),
            )],
        )?;
        judge.settings = Some(logged.hash.clone());
        Ok(())
    }

    /// Brings the draft of an incident up to date with what is drawn of it. Blocks.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn redraft(&self, incident: &IncidentId) -> anyhow::Result<()> {
        let settings = self.settings();
        let mut held = lock(&self.judge);
        let Some(judge) = held.as_mut() else {
            return Ok(());
        };
        let Some(known) = judge.state.incident(incident) else {
            return Ok(());
        };
        let now = self.now();
        let mut stored = apply::Changes {
            now,
            judged_until: judge.state.now(),
            ..apply::Changes::default()
        };
        let bundled: Vec<&Incident> = judge.state.bundle_of(incident).collect();
        let rotas = self.rotas();
        let at_hand = effects::Known {
            settings: &settings,
            rotas: &rotas,
        };
        effects::effects(&self.store, known, &bundled, at_hand, now, &mut stored)?;
        self.store
            .apply(judge.epoch, judge.applied, judge.applied, &stored)?;
        self.progress.wake_delivery();
        Ok(())
    }
}

#[cfg(test)]
mod tests;
