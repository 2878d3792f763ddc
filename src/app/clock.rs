//! The one place that reads the time.

use std::sync::{Arc, Mutex};

use chrono::SubsecRound;

use super::sync::lock;
use crate::model::time::Time;

/// Source of the current time.
#[derive(Debug, Clone)]
pub enum Clock {
    /// System clock.
    System,
    /// Time set by tests, and by the demo while it replays; `None`: the system clock.
    Set(Arc<Mutex<Option<Time>>>),
}

impl Clock {
    /// True while the time is set by hand; it then advances only between steps.
    pub(crate) fn is_set(&self) -> bool {
        matches!(self, Self::Set(time) if lock(time).is_some())
    }

    /// The time, in microseconds: what the database keeps.
    #[must_use]
    pub fn now(&self) -> Time {
        let set = match self {
            Self::System => None,
            Self::Set(time) => *lock(time),
        };
        set.unwrap_or_else(system)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the time"
)]
fn system() -> Time {
    chrono::Utc::now().trunc_subsecs(6)
}
