//! Recent faults of background tasks, for the log and the pages.

use std::collections::VecDeque;
use std::sync::Mutex;

use chrono::TimeDelta;

use super::clock::Clock;
use super::sync::lock;
use crate::model::time::Time;

/// Time within which a repeated fault is not logged again: while a database is away, every arrival
/// fails the same way.
const REPEATED_WITHIN: TimeDelta = TimeDelta::seconds(10);
/// Faults kept for the pages.
const KEPT: usize = 20;

/// The last faults, oldest first.
#[derive(Debug)]
pub struct FaultLog {
    clock: Clock,
    recent: Mutex<VecDeque<(Time, String)>>,
}

impl FaultLog {
    pub(crate) fn new(clock: Clock) -> Self {
        Self {
            clock,
            recent: Mutex::default(),
        }
    }

    /// Logs and keeps a fault, unless it just repeats one.
    pub(crate) fn report(&self, context: &str, fault: &anyhow::Error) {
        let (now, message) = (self.clock.now(), format!("{context}: {fault:#}"));
        let mut recent = lock(&self.recent);
        if recent
            .iter()
            .any(|(at, before)| *before == message && now - *at < REPEATED_WITHIN)
        {
            return;
        }
        tracing::error!("{message}");
        recent.push_back((now, message));
        if recent.len() > KEPT {
            recent.pop_front();
        }
    }

    /// The last faults, newest first.
    #[must_use]
    pub fn recent(&self) -> Vec<(Time, String)> {
        lock(&self.recent).iter().rev().cloned().collect()
    }
}
