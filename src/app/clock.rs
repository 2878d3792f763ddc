//! The one place that reads the time.
//!
//! A service goes by its reference clock: that of a shared database, else that of its machine. A step
//! of it, by an administrator, NTP or a restored machine, has no effect until [`Clock::set_to`] accepts
//! it: until then the time goes on evenly, so that no decision mixes readings before and after.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chrono::{SubsecRound, TimeDelta};

use super::sync::lock;
use crate::model::time::Time;

/// Smallest deviation from even time that is a step, and not the drift of a clock or its correction.
pub(crate) const STEP: TimeDelta = TimeDelta::seconds(2);
/// Longest time that reading two clocks may take to tell their difference.
const PRECISE: Duration = Duration::from_secs(1);

/// Source of the current time.
#[derive(Debug, Clone)]
pub enum Clock {
    /// System clock.
    System,
    /// Reference clock of a service.
    Steady(Arc<SteadyClock>),
    /// Time set by tests, and by the demo while it replays; `None`: the system clock.
    Set(Arc<Mutex<Option<Time>>>),
}

/// A clock that goes on evenly until a step is accepted.
#[derive(Debug)]
pub struct SteadyClock {
    started: Instant,
    /// True if the machine's clock is the reference.
    is_machine: bool,
    setting: Mutex<Setting>,
}

/// The setting of a steady clock.
#[derive(Debug, Clone, Copy)]
struct Setting {
    /// The time at its start, by the reference as last read.
    origin: Time,
    /// Sum of the accepted steps.
    stepped: TimeDelta,
}

/// A reading of the reference clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ClockReading {
    /// The time by the clock as it goes on evenly.
    pub(crate) expected: Time,
    /// The reference.
    pub(crate) found: Time,
    /// The machine's own clock.
    pub(crate) machine: Time,
}

impl Clock {
    /// A clock that follows `reference`, as just read, or else the machine's.
    pub(crate) fn steady(reference: Option<Time>) -> Self {
        Self::Steady(Arc::new(SteadyClock {
            started: monotonic(),
            is_machine: reference.is_none(),
            setting: Mutex::new(Setting {
                origin: reference.unwrap_or_else(system),
                stepped: TimeDelta::zero(),
            }),
        }))
    }

    /// True while the time is set by hand; it then advances only between steps.
    pub(crate) fn is_set(&self) -> bool {
        matches!(self, Self::Set(time) if lock(time).is_some())
    }

    /// The time, in microseconds: what the database keeps.
    #[must_use]
    pub fn now(&self) -> Time {
        self.now_and_stepped().0
    }

    /// The time, and the sum of the steps accepted so far: what is remembered of an earlier time is to
    /// be moved by as much as it grew.
    pub(crate) fn now_and_stepped(&self) -> (Time, TimeDelta) {
        match self {
            Self::System => (system(), TimeDelta::zero()),
            Self::Steady(clock) => {
                let setting = lock(&clock.setting);
                (clock.now(*setting), setting.stepped)
            }
            Self::Set(time) => (lock(time).unwrap_or_else(system), TimeDelta::zero()),
        }
    }

    /// Sum of the accepted steps.
    pub(crate) fn stepped(&self) -> TimeDelta {
        self.now_and_stepped().1
    }

    /// Compares the clock with its reference, which `read` gives where that is not the machine's.
    /// `None` for a clock without one, or when the reading took too long to be of use.
    pub(crate) fn compare<E>(
        &self,
        read: impl FnOnce() -> Result<Option<Time>, E>,
    ) -> Result<Option<ClockReading>, E> {
        let Self::Steady(clock) = self else {
            return Ok(None);
        };
        let before = monotonic();
        let reference = read()?;
        let machine = system();
        let took = before.elapsed();
        if took > PRECISE {
            return Ok(None);
        }
        let half = TimeDelta::from_std(took / 2).unwrap_or_default();
        Ok(Some(ClockReading {
            expected: clock.even(*lock(&clock.setting)),
            found: reference.map_or(machine, |reference| reference + half),
            machine,
        }))
    }

    /// Follows the reference: accepts a reading of it, be it a step or the drift since the last.
    pub(crate) fn set_to(&self, reading: ClockReading) {
        if let Self::Steady(clock) = self {
            let mut setting = lock(&clock.setting);
            let by = reading.found - reading.expected;
            setting.origin += by;
            if by.abs() > STEP {
                setting.stepped += by;
            }
        }
    }
}

impl SteadyClock {
    /// The time if nothing but time had passed since the reference was last read.
    fn even(&self, setting: Setting) -> Time {
        let passed = TimeDelta::from_std(self.started.elapsed()).unwrap_or_default();
        (setting.origin + passed).trunc_subsecs(6)
    }

    fn now(&self, setting: Setting) -> Time {
        let even = self.even(setting);
        if !self.is_machine {
            return even;
        }
        let machine = system();
        if (machine - even).abs() > STEP {
            even
        } else {
            machine
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "steps of the clock are found by comparing it with one that never steps"
)]
fn monotonic() -> Instant {
    Instant::now()
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the time"
)]
fn system() -> Time {
    chrono::Utc::now().trunc_subsecs(6)
}
