//! Wording that titles and sentences share: clipped text, lengths of time, instants, counts.

use std::fmt::Write;

use chrono::TimeDelta;

use crate::model::incident::Incident;
use crate::model::time::Time;

/// At most `limit` characters of the first line.
pub(crate) fn clip(text: &str, limit: usize) -> String {
    let line = text.trim().lines().next().unwrap_or_default().trim();
    if line.chars().count() <= limit {
        return line.to_owned();
    }
    let cut: String = line.chars().take(limit.saturating_sub(1)).collect();
    format!("{}…", cut.trim_end())
}

/// A length of time: `42m`, `1h 5m`, `7d`, `36s`.
pub(crate) fn duration(time: TimeDelta) -> String {
    let seconds = time.num_seconds().max(0);
    let units = [(86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")];
    let mut rest = seconds;
    let mut words = String::new();
    for (size, name) in units {
        if rest >= size {
            let between = if words.is_empty() { "" } else { " " };
            // Writing to a string does not fail.
            let _ = write!(words, "{between}{}{name}", rest / size);
            rest %= size;
        }
    }
    if words.is_empty() {
        "0s".to_owned()
    } else {
        words
    }
}

/// A length of time as a period: `7 days` where it is whole days.
pub(crate) fn period(time: TimeDelta) -> String {
    match time.num_days() {
        1 if time == TimeDelta::days(1) => "1 day".to_owned(),
        days if days > 1 && time == TimeDelta::days(days) => format!("{days} days"),
        _ => duration(time),
    }
}

/// An instant in UTC.
pub(crate) fn instant(at: Time) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// The subject of a sentence about an incident, capitalised: the service, else the title.
pub(crate) fn subject(incident: &Incident, service: Option<&str>) -> String {
    let name = service
        .or_else(|| incident.services.first().map(String::as_str))
        .unwrap_or(&incident.title);
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

/// A number with its noun: `1 manual step`, `3 manual steps`.
pub(crate) fn count(number: f64, one: &str, many: &str) -> String {
    if (number - 1.0).abs() < 0.5 {
        format!("1 {one}")
    } else {
        format!("{number:.0} {many}")
    }
}
