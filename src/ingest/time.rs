//! Times in the formats of senders.

use chrono::{DateTime, Datelike, SecondsFormat, SubsecRound, TimeDelta, Utc};

use crate::model::event::Event;
use crate::model::time::Time;

/// Maximum lead of a source's clock that is accepted.
const AHEAD: TimeDelta = TimeDelta::minutes(2);

/// Parses RFC 3339 with any offset and any number of fractional digits; microseconds are kept.
pub(crate) fn parse(text: &str) -> Result<Time, String> {
    if let Some(time) = parse_utc(text.as_bytes()) {
        return Ok(time);
    }
    DateTime::parse_from_rfc3339(text.trim())
        // Senders differ in precision and identity must not: the log keeps microseconds, so nothing
        // finer may enter.
        .map(|time| time.with_timezone(&Utc).trunc_subsecs(6))
        .map_err(|_| "not a time. Write it as RFC 3339 with an offset, as in 2026-11-23T07:01:03Z or 2026-11-23T08:01:03+01:00".to_owned())
}

/// As [`parse`], for times that people write: the seconds may be left out, as in the settings.
pub(crate) fn parse_stated(text: &str) -> Result<Time, String> {
    let text = text.trim();
    parse(text).or_else(|fault| match text.split_at_checked(16) {
        Some((minute, zone)) if zone.starts_with(['Z', 'z', '+', '-']) => {
            parse(&format!("{minute}:00{zone}")).map_err(|_| fault)
        }
        _ => Err(fault),
    })
}

/// True if a time lies so far ahead that no clock's error explains it.
pub(crate) fn is_ahead(time: Time, now: Time) -> bool {
    time.signed_duration_since(now) > AHEAD
}

/// Parses the form that Go and most others write, `2026-11-23T07:01:03.61733Z`; an alert has two of
/// them. On `None`, [`parse`] decides.
fn parse_utc(text: &[u8]) -> Option<Time> {
    let number = |digits: &[u8]| {
        digits.iter().try_fold(0_i64, |number, digit| {
            digit
                .is_ascii_digit()
                .then(|| number * 10 + i64::from(digit - b'0'))
        })
    };
    let (&b'Z', text) = text.split_last()? else {
        return None;
    };
    let (whole, fraction) = text.split_at_checked(19)?;
    if [whole[4], whole[7], whole[10], whole[13], whole[16]] != *b"--T::" {
        return None;
    }
    let micros = match fraction.split_first() {
        None => 0,
        Some((b'.', digits @ [_, ..])) if digits.len() <= 9 => {
            number(digits)?;
            let kept = &digits[..digits.len().min(6)];
            number(kept)? * 10_i64.pow(u32::try_from(6 - kept.len()).ok()?)
        }
        Some(_) => return None,
    };
    let (year, month, day) = (
        number(&whole[..4])?,
        number(&whole[5..7])?,
        number(&whole[8..10])?,
    );
    let (hour, minute, second) = (
        number(&whole[11..13])?,
        number(&whole[14..16])?,
        number(&whole[17..])?,
    );
    // chrono handles leap seconds.
    if !(1..=12).contains(&month)
        || !(1..=days(year, month)).contains(&day)
        || hour > 23
        || minute > 59
        || second > 59
    {
        return None;
    }
    // Days since 1970-01-01 in the civil calendar, counted from the first of March, after which no leap day is ahead.
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let days =
        era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + (153 * month + 2) / 5 + day
            - 1
            - 719_468;
    DateTime::from_timestamp_micros(
        (((days * 24 + hour) * 60 + minute) * 60 + second) * 1_000_000 + micros,
    )
}

fn days(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// As [`parse`]; Go's zero time (the year 1) means absent.
pub(crate) fn parse_go(text: &str) -> Result<Option<Time>, String> {
    parse(text).map(|time| Some(time).filter(|time| time.year() > 1))
}

/// Formats a time as our events have it: RFC 3339 in UTC, with as many digits as needed.
pub(crate) fn format_rfc3339(time: Time) -> String {
    time.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

/// Sets a time too far in the future to `now`, and marks the event. To be called after
/// [`Event::identify`]: the id depends on what was sent, so that a repeated statement is one event.
pub(crate) fn clamp(event: &mut Event, now: Time) {
    if is_ahead(event.occurred_at, now) {
        event.occurred_at = now;
        event.clamped = true;
    }
}

/// True if an end is so long before its start that one of them is wrong, and not only written in
/// whole seconds. The end is unknown then.
pub(crate) fn is_impossible_end(starts_at: Time, ends_at: Time) -> bool {
    starts_at - ends_at > TimeDelta::seconds(1)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use chrono::SubsecRound;

    use super::{parse, parse_go, parse_stated};

    #[test]
    fn any_number_of_fractional_digits_and_any_offset() {
        for (text, wanted) in [
            ("2026-11-23T07:01:03Z", "2026-11-23T07:01:03Z"),
            ("2026-11-23T07:01:03.4Z", "2026-11-23T07:01:03.400Z"),
            ("2026-11-23T07:01:03.61733Z", "2026-11-23T07:01:03.617330Z"),
            (
                "2026-11-23T07:01:03.123456789Z",
                "2026-11-23T07:01:03.123456Z",
            ),
            ("2016-08-01T13:27:08.008+03:00", "2016-08-01T10:27:08.008Z"),
            (
                "2018-07-04T20:27:12.60602144+02:00",
                "2018-07-04T18:27:12.606021Z",
            ),
        ] {
            assert_eq!(parse(text).unwrap(), parse(wanted).unwrap(), "{text}");
        }
    }

    #[test]
    fn fast_path_agrees_with_chrono() {
        let mut texts = vec![
            "2026-02-29T00:00:00Z",
            "2024-02-29T23:59:59.999999999Z",
            "2026-00-10T00:00:00Z",
            "2026-13-10T00:00:00Z",
        ];
        texts.extend([
            "2026-04-31T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:60:00Z",
            "2016-12-31T23:59:60Z",
            "0000-01-01T00:00:00Z",
        ]);
        texts.extend([
            "2026-01-01T00:00:00.Z",
            "2026-01-01T00:00:00.1234567890Z",
            "2026-01-01T00:00:00.12a4Z",
            "+026-01-01T00:00:00Z",
        ]);
        texts.extend([
            "9999-12-31T23:59:59.9Z",
            "2000-02-29T12:00:00Z",
            "1900-02-29T12:00:00Z",
            "0001-01-01T00:00:00Z",
            "Z",
            "2026-01-01T00:00:0éZ",
        ]);
        let every_day = (0..150_000).map(|day| {
            (chrono::DateTime::UNIX_EPOCH + chrono::TimeDelta::hours(day * 29 - 17_000_000))
                .to_rfc3339()
        });
        for text in every_day
            .map(|text| text.replace("+00:00", "Z"))
            .chain(texts.into_iter().map(str::to_owned))
        {
            let theirs = chrono::DateTime::parse_from_rfc3339(&text)
                .map(|time| time.with_timezone(&chrono::Utc).trunc_subsecs(6))
                .ok();
            assert_eq!(parse(&text).ok(), theirs, "{text}");
        }
    }

    #[test]
    fn year_1_means_absent() {
        assert_eq!(parse_go("0001-01-01T00:00:00Z").unwrap(), None);
        assert_eq!(parse_go("0001-01-01T00:00:00+03:00").unwrap(), None);
        assert!(parse_go("1970-01-01T00:00:00Z").unwrap().is_some());
    }

    #[test]
    fn people_may_leave_the_seconds_out() {
        for (text, wanted) in [
            ("2026-12-01T22:00Z", "2026-12-01T22:00:00Z"),
            (" 2026-12-01T22:00+01:00 ", "2026-12-01T21:00:00Z"),
            ("2026-12-01T22:00:05Z", "2026-12-01T22:00:05Z"),
        ] {
            assert_eq!(
                parse_stated(text).unwrap(),
                parse(wanted).unwrap(),
                "{text}"
            );
        }
        for text in [
            "2026-12-01T22:00",
            "2026-12-01T25:00Z",
            "2026-12-01",
            "Z",
            "",
        ] {
            assert!(
                parse_stated(text).unwrap_err().contains("RFC 3339"),
                "{text}"
            );
        }
    }

    #[test]
    fn time_without_offset_is_refused() {
        for text in [
            "2026-11-23T07:01:03",
            "2026-11-23",
            "yesterday",
            "1795417263",
            "",
        ] {
            assert!(parse(text).unwrap_err().contains("RFC 3339"), "{text}");
        }
    }
}
