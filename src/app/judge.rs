//! The judge: feeds the log to the engine in order and stores what follows with the position it has reached.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::settings::Settings;
use super::{App, intend, lock};
use crate::engine::{Changes, State};
use crate::model::Time;
use crate::model::event::{Event, EventId, Fact, Settings as SettingsFact};
use crate::model::incident::{Incident, IncidentId, Phase};
use crate::store::Store;
use crate::store::apply::{self, Loaded};
use crate::store::ledger::LedgerEntry;
use crate::store::log::Record;

/// Records judged in one transaction at the most.
const BATCH: usize = 1000;
/// How far back stored incidents are taken up again; the engine forgets what no rule looks back at.
const TAKEN_UP: chrono::TimeDelta = chrono::TimeDelta::days(400);

/// The engine's state and how far it has come.
#[derive(Debug)]
pub(super) struct Judge {
    state: State,
    applied: u64,
    epoch: u64,
    /// The hash of the settings put in force last.
    settings: Option<String>,
    /// A record that made the engine panic: passed over, and told.
    poison: Option<(u64, String)>,
}

/// What a judge takes up: what stands, and how far the log was applied to it.
pub(super) fn load(store: &Store) -> anyhow::Result<Loaded> {
    let clock = store.head()?.clock;
    Ok(store.load(clock - TAKEN_UP)?)
}

/// What incidents know of alerts, in order of time within each.
pub(super) fn alerts(incidents: &[Incident]) -> impl Iterator<Item = &Event> {
    let events = incidents.iter().flat_map(|incident| &incident.members).map(|member| &*member.event);
    events.filter(|event| matches!(event.fact, Fact::Alert(_) | Fact::Lapsed(_)))
}

impl Judge {
    /// Takes up where the last judge stopped, at the time of the last record it judged: later records are judged at theirs, whenever that is
    /// done.
    pub(super) fn of(loaded: Loaded, epoch: u64, settings: &Settings) -> Self {
        let now = loaded.judged_until.unwrap_or(Time::UNIX_EPOCH);
        let in_force = loaded.loose.iter().filter_map(|event| match &event.fact {
            Fact::Settings(fact) => Some((event.occurred_at, fact.hash.clone())),
            _ => None,
        });
        let hash = in_force.max().map(|(_, hash)| hash);
        let applied = loaded.applied;
        let state = State::restore(loaded.incidents, loaded.loose, &settings.force, now);
        Self { state, applied, epoch, settings: hash, poison: None }
    }

    pub(super) fn incident_of(&self, event: &EventId) -> Option<IncidentId> {
        self.state.incident_of(event)
    }
}

/// What a step found to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Judged {
    /// Whether more records wait.
    pub more: bool,
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
            return Ok(Judged { more: false, next: None });
        };
        let mut judging = match judge.take().filter(|judge| judge.epoch == epoch) {
            Some(judging) => judging,
            None => self.take_up(epoch, &settings)?,
        };
        let result = self.step(&mut judging, &settings);
        self.applied.send_if_modified(|applied| std::mem::replace(applied, judging.applied) != judging.applied);
        // After a fault what the engine has in memory may be ahead of the store: the next step begins again from there.
        if result.is_ok() {
            *judge = Some(judging);
        } else if let Some(poison) = judging.poison {
            *lock(&self.poison) = Some(poison);
        }
        result
    }

    /// Loads what stands, as a judge new in office or after a fault.
    fn take_up(&self, epoch: u64, settings: &Settings) -> anyhow::Result<Judge> {
        let mut judge = Judge::of(load(&self.store)?, epoch, settings);
        judge.poison = lock(&self.poison).take();
        self.note_settings(&mut judge, settings)?;
        Ok(judge)
    }

    fn step(&self, judge: &mut Judge, settings: &Settings) -> anyhow::Result<Judged> {
        let now = self.now();
        self.tell_lapsed(judge.epoch, now)?;
        let limit = if judge.poison.is_some() { 1 } else { BATCH };
        let records = self.store.log_after(judge.applied, limit)?;
        let more = records.len() == limit;
        let mut changes = Changes::default();
        let mut stored = apply::Changes::default();
        let from = judge.applied;
        let mut to = from;
        for record in &records {
            tick_until(&mut judge.state, settings, record.logged_at, &mut changes);
            to = record.position;
            if let Some((_, why)) = judge.poison.take_if(|(position, _)| *position == record.position) {
                stored.quarantined.push((record.position, why));
                continue;
            }
            self.apply_record(judge, record, settings, &mut changes)?;
        }
        if !more {
            tick_until(&mut judge.state, settings, now, &mut changes);
        }
        if to > from || changes != Changes::default() {
            let at = if more { records.last().map_or(now, |record| record.logged_at) } else { now };
            self.gather(&judge.state, &changes, settings, at, &mut stored)?;
            self.store.apply(judge.epoch, from, to, &stored)?;
            judge.applied = to;
        }
        Ok(Judged { more, next: judge.state.next() })
    }

    fn apply_record(&self, judge: &mut Judge, record: &Record, settings: &Settings, changes: &mut Changes) -> anyhow::Result<()> {
        let events = record.events.clone();
        let judged = catch_unwind(AssertUnwindSafe(|| judge.state.apply(events, &settings.force, record.logged_at)));
        match judged {
            Ok(more) => {
                merge(changes, more);
                Ok(())
            }
            Err(_) => {
                judge.poison = Some((record.position, "judging this record failed; it was passed over".to_owned()));
                anyhow::bail!("record {} of source {} made the engine panic; it is quarantined", record.position, record.source)
            }
        }
    }

    /// Everything that is to be stored of what has changed.
    fn gather(&self, state: &State, changes: &Changes, settings: &Settings, now: Time, stored: &mut apply::Changes) -> anyhow::Result<()> {
        stored.now = now;
        for (id, heir) in &changes.removed {
            intend::fallen_together(&self.store, id, heir.as_ref(), settings, now, stored)?;
            stored.removed.push(id.clone());
            stored.aliases.extend(heir.as_ref().map(|heir| (id.0.clone(), heir.clone())));
        }
        for id in &changes.changed {
            let Some(incident) = state.incident(id) else { continue };
            let bundled: Vec<&Incident> = state.bundle_of(id).collect();
            intend::effects(&self.store, incident, &bundled, settings, now, stored)?;
            if incident.phase == Phase::Closed {
                stored.ledger.push(LedgerEntry::of(incident));
            }
            stored.incidents.push(incident.clone());
        }
        stored.loose.extend(changes.loosened.iter().filter_map(|id| state.loose(id)).cloned());
        stored.loose_removed.extend(changes.placed.iter().filter(|id| state.loose(id).is_none()).cloned());
        Ok(())
    }

    /// Logs the settings in force if they are not those of the last time: replay must see which rules held when.
    pub(super) fn record_settings(&self) -> anyhow::Result<()> {
        let settings = self.settings();
        lock(&self.judge).as_mut().map_or(Ok(()), |judge| self.note_settings(judge, &settings))
    }

    fn note_settings(&self, judge: &mut Judge, settings: &Settings) -> anyhow::Result<()> {
        if judge.settings.as_ref() == Some(&settings.hash) {
            return Ok(());
        }
        let fact = SettingsFact { hash: settings.hash.clone(), text: settings.text.clone() };
        self.append_own(judge.epoch, vec![Event::new("afterword", self.now(), Fact::Settings(fact))])?;
        judge.settings = Some(settings.hash.clone());
        Ok(())
    }

    /// Decides everything again under the settings now in force. Blocks.
    ///
    /// # Errors
    /// When the store fails.
    pub(super) fn rejudge(&self) -> anyhow::Result<()> {
        let settings = self.settings();
        let mut held = lock(&self.judge);
        let Some(judge) = held.as_mut() else { return Ok(()) };
        let now = self.now();
        let changes = judge.state.rejudge(&settings.force, now);
        let mut stored = apply::Changes::default();
        let applied = judge.applied;
        let result = self
            .gather(&judge.state, &changes, &settings, now, &mut stored)
            .and_then(|()| self.store.apply(judge.epoch, applied, applied, &stored).map_err(anyhow::Error::from));
        if result.is_err() {
            *held = None;
        }
        result
    }
}

/// Runs the timers due by `until`, each at its own instant.
fn tick_until(state: &mut State, settings: &Settings, until: Time, changes: &mut Changes) {
    while let Some(due) = state.next().filter(|due| *due <= until) {
        merge(changes, state.tick(&settings.force, due));
    }
}

fn merge(changes: &mut Changes, more: Changes) {
    for id in &more.changed {
        changes.removed.remove(id);
    }
    for id in more.removed.keys() {
        changes.changed.remove(id);
    }
    // What fell together with one that falls in turn is where that is now.
    for heir in changes.removed.values_mut() {
        if let Some(next) = heir.as_ref().and_then(|heir| more.removed.get(heir)) {
            heir.clone_from(next);
        }
    }
    changes.changed.extend(more.changed);
    changes.removed.extend(more.removed);
    changes.loosened.extend(more.loosened);
    changes.placed.extend(more.placed);
}
