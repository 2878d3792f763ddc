//! Faults of background tasks, for the log and the pages: each since its beginning, until it is over.

use std::collections::BTreeMap;
use std::sync::Mutex;

use chrono::TimeDelta;

use super::clock::Clock;
use super::sync::lock;
use crate::model::time::Time;

/// Time within which a repeated fault is not logged again: while a database is away, every arrival
/// fails the same way.
const REPEATED_WITHIN: TimeDelta = TimeDelta::seconds(10);
/// Time for which a momentary fault is shown after its last report.
const SHOWN_FOR: TimeDelta = TimeDelta::minutes(10);

/// A fault that is not over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenFault {
    /// Time of its first report.
    pub since: Time,
    /// The fault with its context.
    pub message: String,
    last: Time,
    shown: Shown,
}

/// Duration for which a fault is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    /// For [`SHOWN_FOR`].
    Briefly,
    /// Until its task succeeds.
    UntilResolved,
    /// Until its finder says so, whatever else is mended.
    UntilCleared,
}

/// The faults that are not over, by their context.
#[derive(Debug)]
pub struct FaultLog {
    clock: Clock,
    open: Mutex<BTreeMap<String, OpenFault>>,
}

impl FaultLog {
    pub(crate) fn new(clock: Clock) -> Self {
        Self {
            clock,
            open: Mutex::default(),
        }
    }

    /// Logs a momentary fault, unless it repeats one of the last [`REPEATED_WITHIN`], and shows it for
    /// [`SHOWN_FOR`].
    pub(crate) fn report(&self, context: &str, fault: &anyhow::Error) {
        self.note(context, fault, Shown::Briefly);
    }

    /// Logs a fault and shows it until [`Self::over`] is called with its context.
    pub(crate) fn report_lasting(&self, context: &str, fault: &anyhow::Error) {
        self.note(context, fault, Shown::UntilResolved);
    }

    /// Records the result of something tried again and again: a lasting fault, or its end.
    pub(crate) fn record(&self, context: &str, result: Result<(), String>) {
        match result {
            Ok(()) => self.over(context),
            Err(why) => self.report_lasting(context, &anyhow::anyhow!(why)),
        }
    }

    /// Keeps a fault that its finder logs, until [`Self::over`] is told of its context.
    pub(crate) fn keep(&self, context: &str, fault: &str) {
        let now = self.clock.now();
        let mut open = lock(&self.open);
        let since = open.get(context).map_or(now, |known| known.since);
        let fault = OpenFault {
            since,
            message: format!("{context}: {fault}"),
            last: now,
            shown: Shown::UntilCleared,
        };
        open.insert(context.to_owned(), fault);
    }

    fn note(&self, context: &str, fault: &anyhow::Error, shown: Shown) {
        let (now, message) = (self.clock.now(), format!("{context}: {fault:#}"));
        let mut open = lock(&self.open);
        let known = open.get(context);
        let repeats = known.is_some_and(|known| {
            known.message == message && (now - known.last).abs() < REPEATED_WITHIN
        });
        if repeats {
            return;
        }
        tracing::error!("{message}");
        let since = known.map_or(now, |known| known.since);
        let fault = OpenFault {
            since,
            message,
            last: now,
            shown,
        };
        open.insert(context.to_owned(), fault);
    }

    /// Takes note that the fault of a context is over, if there was one.
    pub(crate) fn over(&self, context: &str) {
        if lock(&self.open).remove(context).is_some() {
            tracing::info!("resolved: {context}");
        }
    }

    /// Clears the faults that may have followed from one that is over; those that persist are
    /// reported again.
    pub(crate) fn all_over(&self) {
        lock(&self.open).retain(|_, fault| fault.shown == Shown::UntilCleared);
    }

    /// The fault of a context, while it is not over.
    #[must_use]
    pub fn of(&self, context: &str) -> Option<OpenFault> {
        lock(&self.open).get(context).cloned()
    }

    /// The faults that are not over, oldest first.
    #[must_use]
    pub fn open(&self) -> Vec<OpenFault> {
        let now = self.clock.now();
        let mut open = lock(&self.open);
        open.retain(|_, fault| {
            fault.shown != Shown::Briefly || (now - fault.last).abs() < SHOWN_FOR
        });
        let mut faults: Vec<OpenFault> = open.values().cloned().collect();
        faults.sort_by_key(|fault| fault.since);
        faults
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::{FaultLog, lock};
    use crate::app::clock::Clock;
    use crate::model::time::Time;

    fn at(second: i64) -> Time {
        Time::from_timestamp(1_800_000_000 + second, 0).unwrap_or_default()
    }

    /// Faults, and the hands of their clock.
    fn faults() -> (FaultLog, impl Fn(i64)) {
        let hands = Arc::new(Mutex::new(Some(at(0))));
        let clock = Clock::Set(Arc::clone(&hands));
        (FaultLog::new(clock), move |second| {
            *lock(&hands) = Some(at(second));
        })
    }

    fn fault() -> anyhow::Error {
        anyhow::anyhow!("it is away")
    }

    #[test]
    fn lasting_fault_is_shown_from_its_beginning_until_it_is_over() {
        let (faults, set) = faults();
        faults.report_lasting("the database", &fault());
        set(3600);
        faults.report_lasting("the database", &fault());
        let open = faults.open();
        assert_eq!((open.len(), open[0].since), (1, at(0)));
        assert_eq!(open[0].message, "the database: it is away");
        faults.over("the database");
        assert_eq!(faults.open(), []);
    }

    #[test]
    fn fault_of_a_moment_is_shown_for_ten_minutes() {
        let (faults, set) = faults();
        faults.report("a delivery", &fault());
        set(599);
        assert_eq!(faults.open().len(), 1);
        set(600);
        assert_eq!(faults.open(), []);
    }
}
