//! Durations in words.

use chrono::TimeDelta;

use crate::model::time::Time;

/// Time between two instants as they are shown, cut to seconds.
pub(crate) fn between(from: Time, to: Time) -> TimeDelta {
    TimeDelta::seconds(to.timestamp() - from.timestamp())
}

/// Formats a duration in all of its units, cut to seconds: `42m`, `1h 5m`, `36s`.
pub(crate) fn exact(duration: TimeDelta) -> String {
    let mut rest = duration.num_seconds().max(0);
    let mut parts = Vec::new();
    for (size, unit) in [(86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")] {
        if rest >= size {
            parts.push(format!("{}{unit}", rest / size));
            rest %= size;
        }
    }
    if parts.is_empty() {
        "0s".to_owned()
    } else {
        parts.join(" ")
    }
}
