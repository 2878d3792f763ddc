//! Parses times as people write them: an instant, a date, or a duration ago.

use chrono::{DateTime, Datelike, NaiveDate, NaiveTime, TimeDelta, Utc};

use crate::model::time::Time;

/// The accepted forms, for messages.
pub(crate) const FORMS: &str =
    "an instant (2026-11-23T07:01Z), a date (2026-11-23), or how long ago (90d, 12h)";

/// Parses `text` relative to `now`; a date means `date_is` after its start. `None` when it is not a
/// time, or out of the range of incidents.
#[must_use]
pub(crate) fn read(text: &str, now: Time, date_is: TimeDelta) -> Option<Time> {
    let text = text.trim();
    // Form encoding may have turned the offset's plus sign into a blank.
    let zoned = text.replace(' ', "+");
    // The seconds may be left out.
    let whole = match zoned.split_at_checked(16) {
        Some((minute, zone)) if zone.starts_with(['Z', 'z', '+', '-']) => {
            format!("{minute}:00{zone}")
        }
        _ => zoned,
    };
    let instant = DateTime::parse_from_rfc3339(&whole)
        .ok()
        .map(|at| at.with_timezone(&Utc));
    let date = || {
        text.parse::<NaiveDate>()
            .ok()?
            .and_time(NaiveTime::MIN)
            .and_utc()
            .checked_add_signed(date_is)
    };
    let ago = || {
        let unit = text.chars().next_back()?;
        let count: i64 = text
            .strip_suffix(unit)?
            .parse()
            .ok()
            .filter(|count| *count >= 0)?;
        let length = match unit {
            'w' => TimeDelta::try_weeks(count),
            'd' => TimeDelta::try_days(count),
            'h' => TimeDelta::try_hours(count),
            'm' => TimeDelta::try_minutes(count),
            _ => None,
        };
        now.checked_sub_signed(length?)
    };
    instant
        .or_else(date)
        .or_else(ago)
        .filter(|at| (1970..=9999).contains(&at.year()))
}
