//! Check of the clock: notices steps of the reference clock, logs them, and says when the machine's own
//! clock differs.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::TimeDelta;

use crate::app::clock::{ClockReading, STEP};
use crate::app::core::Core;
use crate::app::intake::Intake;
use crate::app::sync::lock;
use crate::model::time::Time;
use crate::store::error::StoreError;
use crate::wording::duration;

/// Interval between checks: a step has no effect until it is noticed.
pub(super) const INTERVAL: Duration = Duration::from_millis(500);
/// Difference between the machine's clock and the database's from which people are told.
const NOTED_LEAD: TimeDelta = TimeDelta::seconds(3);
/// Time for which a step is shown among the problems.
const SHOWN_FOR: TimeDelta = TimeDelta::hours(1);

/// Contexts of the faults.
const STEPPED: &str = "the clock";
const DIFFERS: &str = "the clock of this machine";

/// Compares the clock of a service with its reference.
#[derive(Debug)]
pub(super) struct ClockCheck {
    core: Arc<Core>,
    intake: Arc<Intake>,
    /// Held during a check.
    turn: Mutex<()>,
}

impl ClockCheck {
    pub(super) fn new(core: Arc<Core>, intake: Arc<Intake>) -> Self {
        Self {
            core,
            intake,
            turn: Mutex::default(),
        }
    }

    /// Compares the clock with its reference and accepts its steps; logs them in the epoch of a judge. Blocks.
    ///
    /// # Errors
    /// When the store fails; a step is then noticed by the next check.
    pub(super) fn check(&self, epoch: Option<u64>) -> anyhow::Result<()> {
        let core = &self.core;
        if core.clock.is_set() {
            return Ok(());
        }
        let _turn = lock(&self.turn);
        let reading = core.clock.compare(|| core.store.database_time())?;
        if let Some(reading) = reading {
            self.follow(reading, epoch)?;
            self.compare_machine(reading);
        }
        // An earlier process or another replica may have logged by a clock that was ahead.
        if epoch.is_some() {
            let (reached, now) = (core.store.head()?.clock_at, core.now());
            if reached - now > STEP {
                self.log_step(epoch, reached, now)?;
                self.say(reached, now);
            }
        }
        self.forget_step();
        Ok(())
    }

    fn follow(&self, reading: ClockReading, epoch: Option<u64>) -> anyhow::Result<()> {
        let ClockReading {
            expected, found, ..
        } = reading;
        let by = found - expected;
        if by.abs() <= STEP {
            self.core.clock.set_to(reading);
            return Ok(());
        }
        // Leases are moved while the clock is behind them, so that none runs out by the step. What is
        // logged while a step back is not is still decided by the clock before it.
        if by > TimeDelta::zero() {
            self.log_step(epoch, expected, found)?;
            self.intake.active_alerts().shift(by);
            self.core.clock.set_to(reading);
        } else {
            self.core.clock.set_to(reading);
            self.intake.active_alerts().shift(by);
            self.log_step(epoch, expected, found)?;
        }
        self.say(expected, found);
        Ok(())
    }

    /// Logs a step while this process is the judge.
    fn log_step(&self, epoch: Option<u64>, from: Time, to: Time) -> anyhow::Result<()> {
        let Some(epoch) = epoch else {
            return Ok(());
        };
        match self.core.store.log_clock_step(epoch, from, to) {
            Ok(logged) => self.core.progress.advance_head(Some(logged.position)),
            // The judge in office logs it.
            Err(StoreError::Fenced) => {}
            Err(fault) => return Err(fault.into()),
        }
        Ok(())
    }

    fn say(&self, from: Time, to: Time) {
        let by = to - from;
        let (way, unknown) = if by > TimeDelta::zero() {
            ("forward", "the time between is unknown")
        } else {
            ("back", "times ahead of it are taken as earlier by as much")
        };
        let text = format!(
            "it was set {way} by {}, from {} to {} UTC: {unknown}, and decisions and conditions go by the clock as it is",
            duration::exact(by.abs()),
            from.format("%F %T"),
            to.format("%F %T"),
        );
        tracing::warn!("{STEPPED}: {text}");
        self.core.faults.keep(STEPPED, &text);
        self.core.note_clock_step(from, to);
    }

    /// Ends the notice of a step after a while.
    fn forget_step(&self) {
        let shown = self.core.faults.of(STEPPED);
        let last = self.core.clock_state().last_step;
        let age = last.map_or(TimeDelta::zero(), |(_, to)| self.core.now() - to);
        if shown.is_some() && !(TimeDelta::zero() - STEP..SHOWN_FOR).contains(&age) {
            self.core.faults.over(STEPPED);
        }
    }

    /// Says so while the machine's clock differs from that of the database.
    fn compare_machine(&self, reading: ClockReading) {
        let lead = if self.core.store.is_shared() {
            reading.machine - reading.found
        } else {
            TimeDelta::zero()
        };
        self.core.note_machine_lead(lead);
        if lead.abs() < NOTED_LEAD {
            self.core.faults.over(DIFFERS);
            return;
        }
        let way = if lead > TimeDelta::zero() {
            "ahead of"
        } else {
            "behind"
        };
        let text = format!(
            "it is {} {way} that of the database, by which everything here goes; set it, best by NTP",
            duration::exact(lead.abs())
        );
        if self.core.faults.of(DIFFERS).is_none() {
            tracing::warn!("{DIFFERS}: {text}");
        }
        self.core.faults.keep(DIFFERS, &text);
    }
}
