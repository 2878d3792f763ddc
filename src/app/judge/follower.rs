//! Follower of a shared database: takes note of what other replicas logged and applied.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::app::background_tasks::run_step;
use crate::app::core::Core;
use crate::app::intake::Intake;
use crate::app::sync::lock;

/// Longest wait for a notification before the database is read anyway.
const LONGEST_WAIT: Duration = Duration::from_secs(2);
/// Pause after a fault of the store.
const AFTER_A_FAULT: Duration = Duration::from_secs(1);
/// Records read at once.
const BATCH: usize = 1000;

/// Position in the log up to which the active alerts are known.
#[derive(Debug)]
pub(crate) struct Follower {
    core: Arc<Core>,
    intake: Arc<Intake>,
    position: Mutex<u64>,
}

impl Follower {
    pub(crate) fn new(core: Arc<Core>, intake: Arc<Intake>, position: u64) -> Self {
        Self {
            core,
            intake,
            position: Mutex::new(position),
        }
    }

    /// Waits for a change of the database, then updates the log positions and the active alerts.
    /// Blocks.
    ///
    /// # Errors
    /// When the store fails.
    fn follow(&self) -> anyhow::Result<()> {
        self.core.store.wait_for_news(LONGEST_WAIT)?;
        let mut position = lock(&self.position);
        loop {
            let records = self.core.store.log_after(*position, BATCH)?;
            let now = self.core.now();
            records
                .iter()
                .for_each(|record| self.intake.active_alerts().follow(&record.events, now));
            if let Some(last) = records.last() {
                *position = last.position;
            }
            if records.len() < BATCH {
                break;
            }
        }
        let head = self.core.store.head()?;
        self.core.progress.follow_head(head.next - 1);
        self.core.progress.follow_applied(head.applied);
        Ok(())
    }
}

/// Follows for as long as the service runs.
pub(crate) async fn follow_loop(follower: Arc<Follower>) {
    loop {
        let faults = &follower.core.faults;
        let step = run_step(
            faults,
            "the log could not be followed",
            &follower,
            Follower::follow,
        );
        if step.await.is_none() {
            tokio::time::sleep(AFTER_A_FAULT).await;
        }
    }
}
