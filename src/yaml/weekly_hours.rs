//! Hours of the week and time zones, as people write them.

use std::fmt;

use chrono_tz::{TZ_VARIANTS, Tz};
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};

use super::scalar::text_or_texts;
use crate::model::fault::nearest;

const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const DAY: u32 = 24 * 60;

/// A name of the time zone database.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub(crate) struct TimeZone(pub(crate) Tz);

/// Hours of the week in local time: `Mon-Fri 09:00-18:00`, `Mon-Thu 08:00-12:00,13:00-17:00, Fri
/// 08:00-12:00`, `22:00-06:00`, `Sat-Sun`, or a list of such texts.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema)]
#[schemars(with = "Vec<String>", transform = text_or_texts)]
pub(crate) struct WeeklyHours {
    /// In the order of the text.
    pub(crate) ranges: Vec<WeeklyRange>,
    /// As they are written, on one line.
    pub(crate) text: String,
}

/// A range of the clock on some days of the week.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WeeklyRange {
    /// The days on which it begins, Monday first.
    pub(crate) days: [bool; 7],
    /// Start, in minutes of the day.
    pub(crate) from: u32,
    /// End, in minutes of that day, exclusive: beyond 24 hours it lies on the next day.
    pub(crate) to: u32,
}

impl WeeklyHours {
    fn read(texts: &[String]) -> Result<Self, String> {
        let text = texts.join(", ");
        let bad = |why: String| {
            format!(
                "{text:?} is not a weekly schedule: {why}; write for example Mon-Fri 09:00-18:00, Sat 10:00-14:00"
            )
        };
        let mut ranges = Vec::new();
        let mut days: Option<[bool; 7]> = None;
        // True once the days have a time, so that further days begin anew.
        let mut timed = false;
        let joined = text.replace(" - ", "-");
        let words = joined.split(|c: char| c.is_whitespace() || matches!(c, ',' | ';'));
        for word in words.filter(|word| !word.is_empty()) {
            if word.contains(':') {
                let (from, to) = read_range(word).map_err(bad)?;
                timed = true;
                let days = days.unwrap_or([true; 7]);
                ranges.push(WeeklyRange { days, from, to });
                continue;
            }
            let more = read_days(word).map_err(bad)?;
            let known = days.filter(|_| !timed).unwrap_or_default();
            days = Some(std::array::from_fn(|day| known[day] || more[day]));
            timed = false;
        }
        match days.filter(|_| !timed) {
            Some(days) => ranges.push(WeeklyRange {
                days,
                from: 0,
                to: DAY,
            }),
            None if ranges.is_empty() => return Err(bad("there are none".to_owned())),
            None => {}
        }
        Ok(Self { ranges, text })
    }
}

/// `09:00-18:00`, and `22:00-06:00`, which ends on the next day.
fn read_range(text: &str) -> Result<(u32, u32), String> {
    let (from, to) = text
        .split_once('-')
        .ok_or_else(|| format!("{text:?} has no end"))?;
    let minute = |clock: &str| {
        read_clock(clock).ok_or_else(|| format!("{clock:?} is not a time of day such as 09:00"))
    };
    let (from, to) = (minute(from)?, minute(to)?);
    if from == to {
        return Err(format!("{text:?} is empty; a whole day is 00:00-24:00"));
    }
    Ok((from, if to > from { to } else { to + DAY }))
}

impl<'de> Deserialize<'de> for WeeklyHours {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct HoursVisitor;
        impl<'de> Visitor<'de> for HoursVisitor {
            type Value = WeeklyHours;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("hours such as Mon-Fri 09:00-18:00, or a list of them")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<WeeklyHours, E> {
                WeeklyHours::read(&[text.trim().to_owned()]).map_err(E::custom)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<WeeklyHours, A::Error> {
                let mut texts: Vec<String> = Vec::new();
                while let Some(text) = entries.next_element::<String>()? {
                    texts.push(text.trim().to_owned());
                }
                WeeklyHours::read(&texts).map_err(serde::de::Error::custom)
            }
        }
        deserializer.deserialize_any(HoursVisitor)
    }
}

impl TryFrom<String> for TimeZone {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse().map(Self).map_err(|_| {
            let meant = nearest(&text, TZ_VARIANTS.iter().map(|zone| zone.name()));
            let hint = meant.map_or_else(
                || "write one as Europe/Berlin or UTC".to_owned(),
                |name| format!("did you mean `{name}`?"),
            );
            format!("unknown time zone {text:?}; {hint}")
        })
    }
}

/// `Mon-Fri`, `Mon,Wed,Fri`, `Sun-Thu`: a range may go over the end of the week.
pub(crate) fn read_days(text: &str) -> Result<[bool; 7], String> {
    let index = |name: &str| {
        DAYS.iter()
            .position(|day| day.eq_ignore_ascii_case(name))
            .ok_or_else(|| format!("{name:?} is not a day of the week: {}", DAYS.join(", ")))
    };
    let mut days = [false; 7];
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (index(first)?, index(last)?);
        let length = (last + 7 - first) % 7;
        for step in 0..=length {
            days[(first + step) % 7] = true;
        }
    }
    Ok(days)
}

/// Minute of the day of `HH:MM`; `24:00` is its end.
pub(crate) fn read_clock(text: &str) -> Option<u32> {
    let (hour, minute) = text.split_once(':')?;
    let number = |digits: &str| {
        (digits.len() == 2 && digits.bytes().all(|b| b.is_ascii_digit()))
            .then(|| digits.parse::<u32>().ok())?
    };
    let (hour, minute) = (number(hour)?, number(minute)?);
    (minute < 60 && hour * 60 + minute <= 24 * 60).then_some(hour * 60 + minute)
}

#[cfg(test)]
mod tests {
    use super::WeeklyHours;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let read = WeeklyHours::read(&[text.to_owned()]);
        let found = match read {
            Err(fault) => fault,
            Ok(hours) => {
                let range = |range: &super::WeeklyRange| {
                    let days: String = (0..7)
                        .map(|day| {
                            if range.days[day] {
                                "MTWTFSS".as_bytes()[day]
                            } else {
                                b'-'
                            }
                        })
                        .map(char::from)
                        .collect();
                    format!("{days} {}-{}", range.from, range.to)
                };
                hours
                    .ranges
                    .iter()
                    .map(range)
                    .collect::<Vec<_>>()
                    .join(", ")
            }
        };
        assert!(found.contains(expected), "{text}: {found}");
    }

    #[test]
    fn hours_are_read_in_every_form() {
        check("Mon-Fri 09:00-18:00", "MTWTF-- 540-1080");
        check("mon,wed,fri 09:00-12:00", "M-W-F-- 540-720");
        check(
            "Mon-Thu 08:00-12:00,13:00-17:00, Fri 08:00-12:00",
            "MTWT--- 480-720, MTWT--- 780-1020, ----F-- 480-720",
        );
        check("22:00-06:00", "MTWTFSS 1320-1800");
        check(
            "Fri 22:00 - 06:00; Sat-Sun",
            "----F-- 1320-1800, -----SS 0-1440",
        );
        check("Sun-Tue 00:00-24:00", "MT----S 0-1440");
    }

    #[test]
    fn what_are_no_hours_is_refused_with_an_example() {
        for (text, why) in [
            ("", "there are none"),
            ("Mon-Fri 9:00-18:00", "is not a time of day"),
            ("Mon-Fri 9-18", "is not a day of the week"),
            ("Moon 09:00-18:00", "is not a day of the week"),
            ("Mon 09:00", "has no end"),
            ("Mon 09:00-09:00", "is empty"),
            ("Mon 09:00-25:00", "is not a time of day"),
        ] {
            check(text, why);
            check(text, "write for example Mon-Fri 09:00-18:00");
        }
    }
}
