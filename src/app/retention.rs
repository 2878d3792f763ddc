//! Enforcement of `retention:`: removes old events, bodies and deliveries, in small steps.
//!
//! Records whose events are still in use stay, however old they are, so that a replay of the log
//! finds what decisions rest on.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::TimeDelta;

use super::background_tasks::run_step;
use super::core::Core;
use super::judge::Judge;
use super::sync::lock;
use crate::model::id::EventId;
use crate::model::time::Time;

/// Pause between two steps, which leaves the database to others.
const BETWEEN_STEPS: Duration = Duration::from_millis(50);
/// Pause when nothing more is to be removed.
const INTERVAL: Duration = Duration::from_secs(300);
/// Time after which records that stayed are looked at again.
const LOOKED_AT_AGAIN: TimeDelta = TimeDelta::days(1);

/// Removes what is older than the retention.
#[derive(Debug)]
pub(crate) struct RetentionTask {
    core: Arc<Core>,
    judge: Arc<Judge>,
    pass: Mutex<RetentionPass>,
}

/// One pass over what is old.
#[derive(Debug, Default)]
struct RetentionPass {
    began: Time,
    /// Position up to which records were looked at.
    records: u64,
    /// Position up to which bodies were looked at.
    bodies: u64,
    /// Events that are still in use, once read.
    in_use: Option<BTreeSet<EventId>>,
}

impl RetentionTask {
    pub(crate) fn new(core: Arc<Core>, judge: Arc<Judge>) -> Self {
        Self {
            core,
            judge,
            pass: Mutex::default(),
        }
    }

    /// One step; true if more is to be removed. Only the judge removes. Blocks.
    ///
    /// # Errors
    /// When the store fails; the next step goes on from there.
    pub(crate) fn step(&self) -> anyhow::Result<bool> {
        if self.judge.epoch().is_none() {
            return Ok(false);
        }
        let (now, settings) = (self.core.now(), self.core.settings());
        let (store, retention) = (&self.core.store, settings.config.retention);
        let mut pass = lock(&self.pass);
        // A clock that was set back begins a new pass as well.
        if (now - pass.began).abs() >= LOOKED_AT_AGAIN {
            *pass = RetentionPass {
                began: now,
                ..RetentionPass::default()
            };
        }
        let raw_before = now - TimeDelta::seconds(retention.raw);
        if let Some(reached) = store.remove_bodies(pass.bodies, raw_before)? {
            pass.bodies = reached;
            return Ok(true);
        }
        let before = now - TimeDelta::seconds(retention.events);
        let expired = store.expired_records(pass.records, before)?;
        if let Some(last) = expired.last() {
            let reached = last.position;
            let in_use = match pass.in_use.take() {
                Some(in_use) => in_use,
                None => {
                    let closed_since = store.head()?.clock - settings.policy.retention();
                    store.events_in_use(before, closed_since)?
                }
            };
            let mut unused = expired;
            unused.retain(|record| record.events.iter().all(|event| !in_use.contains(event)));
            store.remove_records(&unused)?;
            pass.records = reached;
            pass.in_use = Some(in_use);
            return Ok(true);
        }
        pass.in_use = None;
        Ok(store.remove_ended_deliveries(before)? > 0)
    }
}

/// Enforces the retention for as long as the service runs.
pub(crate) async fn retention_loop(task: Arc<RetentionTask>) {
    loop {
        let step = run_step(
            &task.core.faults,
            "old data could not be removed",
            &task,
            RetentionTask::step,
        );
        let pause = match step.await {
            Some(true) => BETWEEN_STEPS,
            Some(false) | None => INTERVAL,
        };
        tokio::time::sleep(pause).await;
    }
}

#[cfg(test)]
mod tests;
