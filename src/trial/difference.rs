//! Differences between what a scenario expects and what the engine decides.

use std::fmt;

use serde::Serialize;

/// One expectation that was not met.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Time from the beginning of the scenario: `30m`.
    pub at: String,
    /// The line of the expectation.
    pub line: u64,
    /// `decision`, `incidents`, or the name of a criterion.
    pub what: String,
    /// The expected value.
    pub expected: String,
    /// The actual value.
    pub got: String,
    /// The reason, if known.
    pub why: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            at,
            what,
            expected,
            got,
            why,
            ..
        } = self;
        writeln!(
            f,
            "  at {at}: {what}\n    - {expected} (expected)\n    + {got} (got)"
        )?;
        if why.is_empty() {
            Ok(())
        } else {
            writeln!(f, "      {why}")
        }
    }
}

/// Seconds as minutes and seconds: `30m`, `1m30s`.
pub(super) fn duration(seconds: i64) -> String {
    match (seconds / 60, seconds % 60) {
        (minutes, 0) => format!("{minutes}m"),
        (minutes, rest) => format!("{minutes}m{rest}s"),
    }
}
