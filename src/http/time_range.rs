//! Time ranges of queries and forms.

use chrono::TimeDelta;

use super::error::Error;
use crate::model::time::Time;
use crate::model::time_parse;

/// Parses `since`: an instant (RFC 3339), a date, or a duration before now (`90d`, `12h`).
pub(crate) fn since(text: Option<&str>, now: Time) -> Result<Option<Time>, Error> {
    bound("since", text, now, TimeDelta::zero())
}

/// Parses `until`, in the forms of `since`. The result is exclusive; a date is included whole.
pub(crate) fn until(text: Option<&str>, now: Time) -> Result<Option<Time>, Error> {
    bound("until", text, now, TimeDelta::days(1))
}

/// Parses `at`, an instant in the forms of `since`; a duration is before now.
pub(crate) fn instant(text: Option<&str>, now: Time) -> Result<Time, Error> {
    Ok(bound("at", text, now, TimeDelta::zero())?.unwrap_or(now))
}

/// Parses a bound; `date_is` is added to a date. Blank text is no bound, because forms send empty
/// fields.
fn bound(
    name: &str,
    text: Option<&str>,
    now: Time,
    date_is: TimeDelta,
) -> Result<Option<Time>, Error> {
    let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let fault = || {
        Error::BadRequest(format!(
            "`{name}` is not a valid time: {:?}; use {}",
            text.chars().take(60).collect::<String>(),
            time_parse::FORMS
        ))
    };
    time_parse::read(text, now, date_is)
        .map(Some)
        .ok_or_else(fault)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use super::{since, until};
    use crate::model::time::Time;

    fn at(text: &str) -> Time {
        text.parse().unwrap()
    }

    #[test]
    fn times_are_read_as_people_write_them() {
        let now = at("2026-11-23T10:00:00Z");
        for (text, from, to) in [
            ("2026-11-01", "2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z"),
            (
                "2026-11-01T08:30:00Z",
                "2026-11-01T08:30:00Z",
                "2026-11-01T08:30:00Z",
            ),
            (
                "2026-11-01T08:30:00+01:00",
                "2026-11-01T07:30:00Z",
                "2026-11-01T07:30:00Z",
            ),
            (
                "2026-11-01T08:30:00 01:00",
                "2026-11-01T07:30:00Z",
                "2026-11-01T07:30:00Z",
            ),
            ("2d", "2026-11-21T10:00:00Z", "2026-11-21T10:00:00Z"),
            ("3h", "2026-11-23T07:00:00Z", "2026-11-23T07:00:00Z"),
            (" 1w ", "2026-11-16T10:00:00Z", "2026-11-16T10:00:00Z"),
        ] {
            assert_eq!(
                (
                    since(Some(text), now).unwrap(),
                    until(Some(text), now).unwrap()
                ),
                (Some(at(from)), Some(at(to))),
                "{text}"
            );
        }
        assert_eq!(
            (since(None, now).unwrap(), since(Some(" "), now).unwrap()),
            (None, None)
        );
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "yesterday",
            "9",
            "-3d",
            "d",
            "3y",
            "99999999999999d",
            "9223372036854775807m",
            "1900-01-01",
            "2026-13-01",
            "é",
            "+262142-12-31",
        ] {
            assert!(
                since(Some(text), at("2026-11-23T10:00:00Z")).is_err(),
                "{text}"
            );
        }
    }
}
