//! Holidays from an iCalendar file: the time of its entries, whatever they are called.

use std::collections::BTreeMap;
use std::ops::Range;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use super::content_line::read_calendars;
use super::recurrence_rule::Budget;
use super::series::{CalendarEvent, EventSeries};
use super::time_zone::{Zone, Zones};
use crate::model::time::Time;

/// Step budget for a file.
const READING: u64 = 20_000_000;
/// Recurring holidays are followed from 2000 to 2100, some years at a time, which bounds the steps.
const FROM: Time = instant(946_684_800);
const TO: Time = instant(4_102_444_800);
const YEARS: TimeDelta = TimeDelta::days(20 * 365);

const fn instant(seconds: i64) -> Time {
    match DateTime::<Utc>::from_timestamp(seconds, 0) {
        Some(at) => at,
        None => Time::UNIX_EPOCH,
    }
}

/// The times of all entries, in order. Whole days are days of `zone`: calendars of holidays name
/// any zone or none.
///
/// # Errors
/// The reason why the text is no calendar, or why an entry cannot be read.
pub(crate) fn read(text: &str, zone: Tz) -> Result<Vec<Range<Time>>, String> {
    let mut budget = Budget(READING);
    let mut found: Vec<Range<Time>> = Vec::new();
    for calendar in read_calendars(text)? {
        let mut zones = Zones::of_calendar(&calendar, zone, &mut budget);
        zones.floating = Zone::Named(zone);
        let mut by_uid: BTreeMap<String, Vec<CalendarEvent>> = BTreeMap::new();
        for component in &calendar.children {
            if component.name != "VEVENT" {
                continue;
            }
            let event = CalendarEvent::read(component, 0, &zones, &mut budget);
            let event = event.map_err(|why| {
                let summary = component.text("SUMMARY").unwrap_or_default();
                format!("its entry {summary:?} cannot be read: {why}")
            })?;
            let uid = component.text("UID").unwrap_or_default();
            by_uid.entry(uid).or_default().push(event);
        }
        for events in by_uid.into_values() {
            for series in EventSeries::group(events, &mut budget) {
                let mut from = FROM;
                while from < TO {
                    let occurrences = series.between(from, from + YEARS, &mut budget);
                    let occurrences =
                        occurrences.ok_or("an entry recurs too often to be expanded")?;
                    found.extend(occurrences.into_iter().map(|day| day.start..day.end));
                    from += YEARS;
                }
            }
        }
    }
    found.sort_by_key(|day| (day.start, day.end));
    found.dedup();
    Ok(found)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use chrono_tz::Europe::Berlin;

    const CALENDAR: &str = "BEGIN:VCALENDAR\r\nX-WR-TIMEZONE:UTC\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTART;VALUE=DATE:20201225\r\nDTEND;VALUE=DATE:20201227\r\nRRULE:FREQ=YEARLY\r\nSUMMARY:Christmas\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\nUID:2\r\nDTSTART;VALUE=DATE:20260406\r\nSUMMARY:Easter Monday\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\nUID:3\r\nDTSTART:20261231T120000\r\nDTEND:20261231T180000\r\nSUMMARY:Half a day\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";

    #[test]
    fn whole_days_are_days_of_the_zone_asked_for() {
        let found = super::read(CALENDAR, Berlin).unwrap();
        let of_2026: Vec<String> = found
            .iter()
            .filter(|day| day.start.to_string().starts_with("2026"))
            .map(|day| {
                format!(
                    "{} {}",
                    day.start.format("%m-%dT%H"),
                    day.end.format("%m-%dT%H")
                )
            })
            .collect();
        assert_eq!(
            of_2026,
            [
                "04-05T22 04-06T22",
                "12-24T23 12-26T23",
                "12-31T11 12-31T17"
            ]
        );
        let of_2099 = found
            .iter()
            .filter(|day| day.start.to_string().starts_with("2099-12-24"));
        assert_eq!(of_2099.count(), 1);
    }

    #[test]
    fn an_entry_that_cannot_be_read_is_named() {
        let broken = CALENDAR.replace("RRULE:FREQ=YEARLY", "RRULE:FREQ=SOMETIMES");
        let fault = super::read(&broken, Berlin).unwrap_err();
        assert!(fault.contains("\"Christmas\" cannot be read"), "{fault}");
        assert!(super::read("not a calendar", Berlin).is_err());
    }
}
