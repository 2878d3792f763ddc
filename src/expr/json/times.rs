//! Converts senders' timestamps to RFC 3339.

use chrono::{DateTime, FixedOffset, LocalResult, NaiveDateTime, SecondsFormat, TimeZone, Utc};
use chrono_tz::Tz;
use serde_json::Value as Json;

use crate::expr::json::failure::Failure;

/// The zone of a timestamp that states none.
#[derive(Debug, Clone, Copy)]
pub(crate) enum SenderZone {
    Named(Tz),
    Fixed(FixedOffset),
}

const NAIVE: [&str; 8] = [
    "%Y-%m-%dT%H:%M:%S%.f",
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%dT%H:%M",
    "%Y.%m.%d %H:%M:%S",
    "%Y/%m/%d %H:%M:%S",
    "%m/%d/%Y %I:%M:%S %p",
    "%m/%d/%Y %H:%M:%S",
];
const WITH_OFFSET: [&str; 3] = [
    "%Y-%m-%dT%H:%M:%S%.f%z",
    "%Y-%m-%d %H:%M:%S%.f%z",
    "%Y-%m-%d %H:%M:%S%.f %z",
];

/// Parses a zone name or an offset: `Europe/Berlin`, `UTC`, `+01:00`.
pub(crate) fn zone(text: &str) -> Option<SenderZone> {
    let text = text.trim();
    text.parse()
        .map(SenderZone::Named)
        .or_else(|_| text.parse().map(SenderZone::Fixed))
        .ok()
}

/// Reads a timestamp in `zone`. One with an offset of its own keeps it; of an hour that comes twice
/// the first is meant, or with `later` the second.
pub(crate) fn local(text: &str, zone: SenderZone, later: bool) -> Result<String, Failure> {
    let text = text.trim();
    let stated = DateTime::parse_from_rfc3339(text).ok();
    let stated = stated.or_else(|| {
        WITH_OFFSET
            .iter()
            .find_map(|form| DateTime::parse_from_str(text, form).ok())
    });
    if let Some(time) = stated {
        return Ok(written(time.with_timezone(&Utc)));
    }
    let Some(naive) = NAIVE
        .iter()
        .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())
    else {
        return Err(Failure::Wrong(format!(
            "`{}` is not a date with a time",
            shown(text)
        )));
    };
    let found = match zone {
        SenderZone::Named(zone) => instant(zone.from_local_datetime(&naive), later),
        SenderZone::Fixed(zone) => instant(zone.from_local_datetime(&naive), later),
    };
    found.map(written).ok_or_else(|| {
        Failure::Wrong(format!(
            "{} does not exist in this time zone: the clocks are put forward then",
            shown(text)
        ))
    })
}

/// Picks one of two ambiguous instants: the first, so that a beginning is never too late, or the
/// `later`.
fn instant<Z: TimeZone>(found: LocalResult<DateTime<Z>>, later: bool) -> Option<DateTime<Utc>> {
    let time = if later {
        found.latest()
    } else {
        found.earliest()
    };
    time.map(|time| time.with_timezone(&Utc))
}

/// A count of `per` per second since 1970. Zero and negative values are rejected: senders write 0
/// for "no time".
pub(crate) fn since_1970(value: &Json, per: f64) -> Result<String, Failure> {
    let number = match value {
        Json::Number(number) => number.as_f64(),
        Json::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    let Some(number) = number.filter(|number| number.is_finite()) else {
        return Err(Failure::Wrong(format!("{} is not a number", what(value))));
    };
    if number <= 0.0 {
        return Err(Failure::Absent("a time".to_owned()));
    }
    // Whole numbers below 2^53 are exact; chrono rejects out-of-range years.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "what is too large becomes the largest, which is no time"
    )]
    let micros = (number * (1_000_000.0 / per)).round() as i64;
    match DateTime::from_timestamp_micros(micros).filter(|time| time.timestamp() < 253_402_300_800)
    {
        Some(time) => Ok(written(time)),
        None => Err(Failure::Wrong(format!(
            "{number} is beyond the year 9999; `seconds` and `millis` differ by a thousand"
        ))),
    }
}

fn written(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

/// Describes a value in words.
pub(crate) fn what(value: &Json) -> String {
    match value {
        Json::Null => "null".to_owned(),
        Json::Bool(value) => value.to_string(),
        Json::Number(number) => format!("the number {number}"),
        Json::String(text) => format!("the text `{}`", shown(text)),
        Json::Array(_) => "a list".to_owned(),
        Json::Object(_) => "a map".to_owned(),
    }
}

/// A sender's text, shortened for a message.
fn shown(text: &str) -> String {
    let text: String = text.chars().take(60).collect();
    text.escape_debug().to_string()
}
