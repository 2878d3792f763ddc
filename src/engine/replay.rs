//! Feeding a log to the engine: the same log under the same rules ends the same, whoever feeds it and when.

use std::sync::Arc;

use chrono::TimeDelta;

use super::{IncidentChanges, Policy, State};
use crate::model::event::Event;
use crate::model::time::Time;

/// Facts logged within the same quarter of a second are judged as one. A storm is then decided four times a second instead of with each
/// message, and a replay of the log decides at the same instants.
pub const WINDOW: TimeDelta = TimeDelta::milliseconds(250);

/// The number of the window that an instant is in.
#[must_use]
pub fn window_of(logged_at: Time) -> i64 {
    logged_at.timestamp_micros().div_euclid(250_000)
}

/// The first instant after that window.
#[must_use]
pub fn window_end(logged_at: Time) -> Time {
    Time::from_timestamp_micros((window_of(logged_at) + 1) * 250_000).unwrap_or(logged_at)
}

impl State {
    /// Runs the timers due by `until`, each at its own instant.
    pub fn tick_until(&mut self, policy: &Policy, until: Time, changes: &mut IncidentChanges) {
        while let Some(due) = self.next().filter(|due| *due <= until) {
            changes.merge(self.tick(policy, due));
        }
    }
}

impl IncidentChanges {
    /// Adds what has changed since.
    pub fn merge(&mut self, more: Self) {
        for id in &more.changed {
            self.removed.remove(id);
        }
        for id in more.removed.keys() {
            self.changed.remove(id);
        }
        // What fell together with one that falls in turn is where that is now.
        for heir in self.removed.values_mut() {
            if let Some(next) = heir.as_ref().and_then(|heir| more.removed.get(heir)) {
                heir.clone_from(next);
            }
        }
        self.changed.extend(more.changed);
        self.removed.extend(more.removed);
        self.loosened.extend(more.loosened);
        self.placed.extend(more.placed);
    }
}

/// A state that a log is fed to, record by record.
#[derive(Debug)]
pub struct Replay {
    state: State,
    policy: Arc<Policy>,
    /// What is in force once the open window is over.
    next: Option<Arc<Policy>>,
    /// The window that is open: its events, and when its first and last records were logged.
    window: Vec<Event>,
    logged: Option<(Time, Time)>,
}

impl Replay {
    /// Nothing yet, under these rules.
    #[must_use]
    pub fn under(policy: Arc<Policy>) -> Self {
        Self {
            state: State::default(),
            policy,
            next: None,
            window: Vec::new(),
            logged: None,
        }
    }

    /// What has been decided by the records of the windows that are over.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// What is in force.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Puts others in force: the record taken last says so.
    pub fn adopt(&mut self, policy: Arc<Policy>) {
        self.next = Some(policy);
    }

    /// Takes the next record of the log. Gives what the window before has changed, once this one is of another.
    pub fn take(
        &mut self,
        logged_at: Time,
        events: impl IntoIterator<Item = Event>,
    ) -> IncidentChanges {
        // Who asked has taken note of what the last windows changed.
        let mut changes = self.state.tidy(&self.policy);
        match &mut self.logged {
            Some((first, last)) if window_of(*first) == window_of(logged_at) => *last = logged_at,
            _ => {
                self.close(&mut changes);
                self.logged = Some((logged_at, logged_at));
            }
        }
        self.window.extend(events);
        changes
    }

    /// Ends the open window, and lets time pass until `until`.
    pub fn until(&mut self, until: Time) -> IncidentChanges {
        let mut changes = IncidentChanges::default();
        self.close(&mut changes);
        self.state.tick_until(&self.policy, until, &mut changes);
        changes
    }

    fn close(&mut self, changes: &mut IncidentChanges) {
        let Some((first, last)) = self.logged.take() else {
            return;
        };
        self.state.tick_until(&self.policy, first, changes);
        changes.merge(
            self.state
                .apply(std::mem::take(&mut self.window), &self.policy, last),
        );
        if let Some(next) = self.next.take() {
            self.policy = next;
            changes.merge(self.state.rejudge(&self.policy, last));
        }
    }
}
