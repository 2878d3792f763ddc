//! Durations and instants as text.

use std::fmt;

use askama::filters::HtmlSafe;

use crate::model::time::Time;

/// Duration in at most two units: `42s`, `2m 30s`, `42m`, `1h 5m`, `3d 4h`. Rounded down; seconds
/// are dropped from ten minutes on.
pub(crate) fn duration(seconds: i64) -> String {
    let sign = if seconds < 0 { "-" } else { "" };
    let all = seconds.unsigned_abs();
    let (days, hours, minutes, rest) = (all / 86_400, all / 3600 % 24, all / 60 % 60, all % 60);
    let two = |large: u64, unit: &str, small: u64, smaller: &str| match small {
        0 => format!("{sign}{large}{unit}"),
        _ => format!("{sign}{large}{unit} {small}{smaller}"),
    };
    match all {
        0..60 => format!("{sign}{rest}s"),
        60..600 => two(minutes, "m", rest, "s"),
        600..3600 => format!("{sign}{minutes}m"),
        3600..86_400 => two(hours, "h", minutes, "m"),
        _ => two(days, "d", hours, "h"),
    }
}

/// Age of `at` at `now`: `12m ago`.
pub(crate) fn ago(now: &Time, at: &Time) -> String {
    match (*now - *at).num_seconds() {
        seconds if seconds < 0 => format!("in {}", duration(-seconds)),
        0 => "now".to_owned(),
        seconds => format!("{} ago", duration(seconds)),
    }
}

/// Instant as a `<time>` element, whose attribute always has the full instant.
pub(crate) struct TimeElement {
    at: Time,
    shown: &'static str,
}

/// `23 Nov 2026, 10:02 UTC`
pub(crate) fn moment(at: &Time) -> TimeElement {
    TimeElement {
        at: *at,
        shown: "%-d %b %Y, %H:%M UTC",
    }
}

/// `10:02:14`, for lists that state the day elsewhere.
pub(crate) fn clock(at: &Time) -> TimeElement {
    TimeElement {
        at: *at,
        shown: "%H:%M:%S",
    }
}

/// `23 Nov, 10:02:14`
pub(crate) fn instant(at: &Time) -> TimeElement {
    TimeElement {
        at: *at,
        shown: "%-d %b, %H:%M:%S",
    }
}

impl fmt::Display for TimeElement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "<time datetime=\"{}\">{}</time>",
            self.at.format("%Y-%m-%dT%H:%M:%SZ"),
            self.at.format(self.shown)
        )
    }
}

// Consists of digits, month names and our own markup only.
impl HtmlSafe for TimeElement {}

#[cfg(test)]
mod tests {
    use super::duration;

    #[test]
    fn durations_have_two_units_at_most() {
        for (seconds, text) in [
            (0, "0s"),
            (59, "59s"),
            (60, "1m"),
            (150, "2m 30s"),
            (1799, "29m"),
            (2520, "42m"),
            (3600, "1h"),
            (3900, "1h 5m"),
            (97_200, "1d 3h"),
            (-90, "-1m 30s"),
        ] {
            assert_eq!(duration(seconds), text);
        }
        assert_eq!(duration(i64::MIN).split(' ').count(), 2);
    }
}
