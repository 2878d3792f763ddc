//! Values of iCalendar properties: DATE, DATE-TIME, DURATION and PERIOD (RFC 5545 §3.3).

use chrono::{NaiveDate, NaiveDateTime, TimeDelta};

/// DATE or DATE-TIME as written, before its time zone is resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DateTimeValue {
    /// Whole day.
    Date(NaiveDate),
    /// Local time of the zone in `TZID`, or floating.
    Local(NaiveDateTime),
    /// UTC time, written with a `Z`.
    Utc(NaiveDateTime),
}

impl DateTimeValue {
    /// Parses `20261123`, `20261123T090000` or `20261123T090000Z`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.len() == 8 {
            return parse_date(text).map(Self::Date);
        }
        let (date, time) = text.split_once(['T', 't'])?;
        let (time, utc) = match time.strip_suffix(['Z', 'z']) {
            Some(time) => (time, true),
            None => (time, false),
        };
        if time.len() != 6 {
            return None;
        }
        // A leap second is the second before it: calendars have no use for more.
        let (hour, minute) = (digits(time, 0..2)?, digits(time, 2..4)?);
        let second = digits(time, 4..6)?.min(59);
        let local = parse_date(date)?.and_hms_opt(hour, minute, second)?;
        Some(if utc {
            Self::Utc(local)
        } else {
            Self::Local(local)
        })
    }

    /// Local time; midnight for a whole day.
    pub(crate) fn clock(self) -> NaiveDateTime {
        match self {
            Self::Date(date) => date.into(),
            Self::Local(local) | Self::Utc(local) => local,
        }
    }
}

fn parse_date(text: &str) -> Option<NaiveDate> {
    let year = i32::try_from(digits(text, 0..4)?).ok()?;
    let rest = text.len() == 8;
    let date = NaiveDate::from_ymd_opt(year, digits(text, 4..6)?, digits(text, 6..8)?);
    date.filter(|_| rest)
}

fn digits(text: &str, range: std::ops::Range<usize>) -> Option<u32> {
    let part = text.get(range)?;
    let all = part.bytes().all(|byte| byte.is_ascii_digit());
    all.then(|| part.parse().ok())?
}

/// DURATION: days and weeks are calendar days, the rest is exact (RFC 5545 §3.3.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DurationValue {
    pub(crate) days: i64,
    pub(crate) exact: TimeDelta,
}

impl DurationValue {
    /// Parses `P1D`, `PT24H`, `P1W`, `P1DT2H30M`. Negative durations are refused.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_ascii_uppercase();
        let text = text.strip_prefix('+').unwrap_or(&text).strip_prefix('P')?;
        let (mut days, mut seconds, mut in_time, mut number, mut any) =
            (0_i64, 0_i64, false, None::<i64>, false);
        for c in text.chars() {
            if let Some(digit) = c.to_digit(10) {
                let sum = number
                    .unwrap_or(0)
                    .checked_mul(10)?
                    .checked_add(digit.into())?;
                number = Some(sum);
                continue;
            }
            if c == 'T' {
                in_time = true;
                continue;
            }
            let amount = number.take()?;
            any = true;
            match (in_time, c) {
                (false, 'W') => days = days.checked_add(amount.checked_mul(7)?)?,
                (false, 'D') => days = days.checked_add(amount)?,
                (true, 'H') => seconds = seconds.checked_add(amount.checked_mul(3600)?)?,
                (true, 'M') => seconds = seconds.checked_add(amount.checked_mul(60)?)?,
                (true, 'S') => seconds = seconds.checked_add(amount)?,
                _ => return None,
            }
        }
        let exact = TimeDelta::try_seconds(seconds)?;
        let bounded = days < 36_525 && exact < TimeDelta::days(36_525);
        (any && number.is_none() && bounded).then_some(Self { days, exact })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use super::*;

    #[test]
    fn durations_keep_days_apart_from_hours() {
        let check = |text: &str, days: i64, seconds: i64| {
            let read = DurationValue::parse(text).unwrap();
            assert_eq!(
                (read.days, read.exact.num_seconds()),
                (days, seconds),
                "{text}"
            );
        };
        check("P1D", 1, 0);
        check("PT24H", 0, 86_400);
        check("P1W", 7, 0);
        check("+P1DT2H30M5S", 1, 9005);
        for wrong in [
            "",
            "P",
            "1D",
            "-P1D",
            "PT",
            "P1H",
            "PT1D",
            "P99999999999999999999D",
            "P9999999D",
        ] {
            assert_eq!(DurationValue::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn dates_and_times_are_read_as_written() {
        let check = |text: &str, expected: &str| {
            let read = DateTimeValue::parse(text).map(|value| format!("{value:?}"));
            assert_eq!(read.unwrap_or_default(), expected, "{text}");
        };
        check("20261123", "Date(2026-11-23)");
        check("20261123T090000", "Local(2026-11-23T09:00:00)");
        check("20261123T090000Z", "Utc(2026-11-23T09:00:00)");
        for wrong in [
            "",
            "2026112",
            "20261323",
            "20261123T09",
            "20261123T250000",
            "2026é123",
        ] {
            check(wrong, "");
        }
    }
}
