//! Lookback limits of the engine, independent of the rules.

use chrono::TimeDelta;

/// Events older than this are context only.
pub(crate) const RECONSIDER: TimeDelta = TimeDelta::days(14);

/// A near miss that has not occurred for this long counts as new.
pub(crate) const NOVEL_AFTER: TimeDelta = TimeDelta::days(90);
