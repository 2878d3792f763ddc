//! Replay of a log: the same log under the same policy ends the same, live or later.

use std::sync::Arc;

use chrono::TimeDelta;

use super::changes::IncidentChanges;
use super::clock_step::find_clock_step;
use super::policy::Policy;
use super::state::State;
use crate::model::event::Event;
use crate::model::time::Time;

/// The time over which logged events are applied at once, so that a storm is decided four times a
/// second instead of with each message, and a replay decides at the same instants.
const WINDOW: TimeDelta = TimeDelta::milliseconds(250);

/// The number of the window that a reading of the clock is in.
fn window_of(clock_at: Time) -> i64 {
    let length = WINDOW.num_milliseconds() * 1000;
    clock_at.timestamp_micros().div_euclid(length)
}

/// The first instant after that window.
#[must_use]
pub fn window_end(clock_at: Time) -> Time {
    let length = WINDOW.num_milliseconds() * 1000;
    Time::from_timestamp_micros((window_of(clock_at) + 1) * length).unwrap_or(clock_at)
}

/// Readings of the clock at the records of one window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowTimes {
    /// At the first record; before a step of the clock, the reading that it went from.
    pub due_until: Time,
    /// At the last record: its window is judged then.
    pub judged_at: Time,
    /// A step of the clock is a window by itself.
    is_step: bool,
}

impl WindowTimes {
    /// The window of a record, as far as it is known by it.
    #[must_use]
    pub fn new(clock_at: Time, events: &[Event]) -> Self {
        let step = find_clock_step(events);
        Self {
            due_until: step.map_or(clock_at, |step| step.from),
            judged_at: clock_at,
            is_step: step.is_some(),
        }
    }

    /// Takes in the window of the next record, if it is the same one.
    pub fn join(&mut self, next: Self) -> bool {
        let joins = !self.is_step
            && !next.is_step
            && window_of(self.judged_at) == window_of(next.judged_at);
        if joins {
            self.judged_at = next.judged_at;
        }
        joins
    }
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
    /// The times of the open window.
    open: Option<WindowTimes>,
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
            open: None,
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
        clock_at: Time,
        events: impl IntoIterator<Item = Event>,
    ) -> IncidentChanges {
        let events: Vec<Event> = events.into_iter().collect();
        // The caller has stored the changes by earlier windows.
        let mut changes = self.state.tidy(&self.policy);
        let times = WindowTimes::new(clock_at, &events);
        if !self.open.as_mut().is_some_and(|open| open.join(times)) {
            self.close(&mut changes);
            self.open = Some(times);
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
        let Some(times) = self.open.take() else {
            return;
        };
        let window = std::mem::take(&mut self.window);
        self.state
            .tick_until(&self.policy, times.due_until, changes);
        changes.merge(self.state.apply(window, &self.policy, times.judged_at));
        if let Some(next) = self.next.take() {
            self.policy = next;
            changes.merge(self.state.reevaluate(&self.policy, times.judged_at));
        }
    }
}
