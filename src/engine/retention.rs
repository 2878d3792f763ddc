//! Schedule for dropping data that no rule looks back at, so that the state does not grow with the log.

use chrono::TimeDelta;

use crate::model::time::Time;

/// The interval at which incidents and events are dropped.
const INTERVAL: TimeDelta = TimeDelta::hours(1);
/// The interval at which unused interned texts are dropped.
const INTERNER_INTERVAL: TimeDelta = TimeDelta::days(1);

/// Times of the last drops of incidents and of interned texts.
#[derive(Debug, Clone, Default)]
pub(crate) struct RetentionSchedule {
    last: Time,
    interner_last: Time,
}

impl RetentionSchedule {
    pub(crate) fn starting_at(now: Time) -> Self {
        Self {
            last: now,
            interner_last: now,
        }
    }

    /// True once every [`INTERVAL`].
    pub(crate) fn is_due(&mut self, now: Time) -> bool {
        passed(&mut self.last, INTERVAL, now)
    }

    /// True once every [`INTERNER_INTERVAL`].
    pub(crate) fn is_interner_due(&mut self, now: Time) -> bool {
        passed(&mut self.interner_last, INTERNER_INTERVAL, now)
    }
}

fn passed(last: &mut Time, interval: TimeDelta, now: Time) -> bool {
    let due = now - *last >= interval;
    if due {
        *last = now;
    }
    due
}
