//! Replay of a log: the same log under the same policy ends the same, live or later.

use std::sync::Arc;

use chrono::TimeDelta;

use super::changes::IncidentChanges;
use super::policy::Policy;
use super::state::State;
use crate::model::event::Event;
use crate::model::time::Time;

/// The time over which logged events are applied at once, so that a storm is decided four times a
/// second instead of with each message, and a replay decides at the same instants.
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

/// A state with the log records that are to be applied to it.
#[derive(Debug)]
pub struct Replay {
    state: State,
    policy: Arc<Policy>,
    /// The policy once the open window is over.
    next: Option<Arc<Policy>>,
    /// The events of the open window.
    window: Vec<Event>,
    /// Times of logging of the first and last records of the open window.
    logged: Option<(Time, Time)>,
}

impl Replay {
    /// An empty state under a policy.
    #[must_use]
    pub fn new(policy: Arc<Policy>) -> Self {
        Self {
            state: State::default(),
            policy,
            next: None,
            window: Vec::new(),
            logged: None,
        }
    }

    /// The state after all windows that are over.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The policy of the open window.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Changes the policy once the open window is over.
    pub fn set_policy(&mut self, policy: Arc<Policy>) {
        self.next = Some(policy);
    }

    /// Adds the next record of the log; if it begins a new window, gives the changes by the former.
    pub fn push(
        &mut self,
        logged_at: Time,
        events: impl IntoIterator<Item = Event>,
    ) -> IncidentChanges {
        // The caller has stored the changes by earlier windows.
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

    /// Applies the open window, and lets time pass until `until`.
    pub fn advance_to(&mut self, until: Time) -> IncidentChanges {
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
            changes.merge(self.state.reevaluate(&self.policy, last));
        }
    }
}
