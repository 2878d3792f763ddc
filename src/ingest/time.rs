//! Instants as senders write them.

use chrono::{DateTime, Datelike, SubsecRound, TimeDelta, Utc};

use crate::model::Time;
use crate::model::event::Event;

/// How far a source's clock may be ahead of ours before we stop believing it.
const AHEAD: TimeDelta = TimeDelta::minutes(2);

/// Reads RFC 3339 with any offset and any number of fractional digits; microseconds are kept.
pub(super) fn parse(text: &str) -> Result<Time, String> {
    DateTime::parse_from_rfc3339(text.trim())
        // Senders differ in precision, and identity must not: the log keeps microseconds, so nothing finer may enter.
        .map(|time| time.with_timezone(&Utc).trunc_subsecs(6))
        .map_err(|_| "not a time. Write it as RFC 3339 with an offset, as in 2026-11-23T07:01:03Z or 2026-11-23T08:01:03+01:00".to_owned())
}

/// As [`parse`], where Go's zero time (the year 1) means that there is none.
pub(super) fn parse_go(text: &str) -> Result<Option<Time>, String> {
    parse(text).map(|time| Some(time).filter(|time| time.year() > 1))
}

/// Takes a time too far ahead back to `now`, and marks it. Comes after [`Event::identify`]: the id rests on what was sent,
/// so that the same statement sent twice is one event.
pub(super) fn clamp(event: &mut Event, now: Time) {
    if event.occurred_at.signed_duration_since(now) > AHEAD {
        event.occurred_at = now;
        event.clamped = true;
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use super::{parse, parse_go};

    #[test]
    fn any_number_of_fractional_digits_and_any_offset() {
        for (text, wanted) in [
            ("2026-11-23T07:01:03Z", "2026-11-23T07:01:03Z"),
            ("2026-11-23T07:01:03.4Z", "2026-11-23T07:01:03.400Z"),
            ("2026-11-23T07:01:03.61733Z", "2026-11-23T07:01:03.617330Z"),
            ("2026-11-23T07:01:03.123456789Z", "2026-11-23T07:01:03.123456Z"),
            ("2016-08-01T13:27:08.008+03:00", "2016-08-01T10:27:08.008Z"),
            ("2018-07-04T20:27:12.60602144+02:00", "2018-07-04T18:27:12.606021Z"),
        ] {
            assert_eq!(parse(text).unwrap(), parse(wanted).unwrap(), "{text}");
        }
    }

    #[test]
    fn the_year_1_is_no_time() {
        assert_eq!(parse_go("0001-01-01T00:00:00Z").unwrap(), None);
        assert_eq!(parse_go("0001-01-01T00:00:00+03:00").unwrap(), None);
        assert!(parse_go("1970-01-01T00:00:00Z").unwrap().is_some());
    }

    #[test]
    fn a_time_without_an_offset_is_refused() {
        for text in ["2026-11-23T07:01:03", "2026-11-23", "yesterday", "1795417263", ""] {
            assert!(parse(text).unwrap_err().contains("RFC 3339"), "{text}");
        }
    }
}
