//! The hours in which a criterion counts: `during:` some hours of the week, or `outside:` of them.

use std::ops::Range;

use chrono::{Datelike, Days, NaiveDateTime, NaiveTime, Offset, TimeDelta, TimeZone as _};
use chrono_tz::Tz;

use crate::model::time::Time;
use crate::yaml::weekly_hours::WeeklyHours;

/// The time by which a search for the next counted instant advances, and how often it does: hours
/// of the week come back within weeks, unless holidays never end.
const SEARCH_STEP: TimeDelta = TimeDelta::days(7);
const SEARCH_STEPS: usize = 520;

/// The hours that count for a criterion.
#[derive(Debug, Clone, PartialEq)]
pub struct CountedHours {
    pub(super) during: Option<Schedule>,
    pub(super) outside: Option<Schedule>,
}

/// Hours of the week in a time zone, without holidays.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Schedule {
    pub(super) hours: WeeklyHours,
    pub(super) zone: Tz,
    /// In order, without overlap.
    pub(super) holidays: Vec<Range<Time>>,
}

impl CountedHours {
    /// The parts of `span` that count, in order.
    pub(crate) fn within(&self, span: &Range<Time>) -> Vec<Range<Time>> {
        let counted = match &self.during {
            Some(during) => during.within(span),
            None => vec![span.clone()],
        };
        match &self.outside {
            Some(outside) => without(counted, &outside.within(span)),
            None => counted,
        }
    }

    /// True if an instant counts.
    pub(crate) fn contains(&self, at: Time) -> bool {
        !self
            .within(&(at..at + TimeDelta::microseconds(1)))
            .is_empty()
    }

    /// The first instant from `at` on that counts; `None` if there is none in years.
    pub(crate) fn next(&self, at: Time) -> Option<Time> {
        self.weeks_from(at).next().map(|counted| counted.start)
    }

    /// The instant at which `length` of counted time has passed since `at`.
    pub(crate) fn after(&self, at: Time, length: TimeDelta) -> Option<Time> {
        let mut left = length;
        for counted in self.weeks_from(at) {
            let here = counted.end - counted.start;
            if here >= left {
                return Some(counted.start + left);
            }
            left -= here;
        }
        None
    }

    fn weeks_from(&self, at: Time) -> impl Iterator<Item = Range<Time>> + '_ {
        std::iter::successors(Some(at), |at| at.checked_add_signed(SEARCH_STEP))
            .take(SEARCH_STEPS)
            .flat_map(|week| self.within(&(week..week + SEARCH_STEP)))
    }

    /// The hours in a sentence: `during Mon-Fri 09:00-18:00 (Europe/Berlin)`.
    pub(crate) fn words(&self) -> String {
        let words = |schedule: &Option<Schedule>, word: &str| {
            let schedule = schedule.as_ref()?;
            Some(format!(
                "{word} {} ({})",
                schedule.hours.text,
                schedule.zone.name()
            ))
        };
        let both = [
            words(&self.during, "during"),
            words(&self.outside, "outside"),
        ];
        both.into_iter().flatten().collect::<Vec<_>>().join(" and ")
    }
}

impl Schedule {
    /// The parts of `span` in which a clock of the zone shows these hours, without holidays.
    fn within(&self, span: &Range<Time>) -> Vec<Range<Time>> {
        let mut found = Vec::new();
        for (part, offset) in offsets(self.zone, span) {
            let clock = |at: Time| at.naive_utc() + offset;
            let (first, last) = (clock(part.start), clock(part.end));
            // A range of the evening before may reach into the first day.
            let evening_before = first.date().checked_sub_days(Days::new(1));
            let days = evening_before.unwrap_or(first.date()).iter_days();
            for day in days.take_while(|day| *day <= last.date()) {
                let midnight = day.and_time(NaiveTime::MIN);
                let weekday = day.weekday().num_days_from_monday() as usize;
                for range in self.hours.ranges.iter().filter(|range| range.days[weekday]) {
                    let minute = |minute: u32| midnight + TimeDelta::minutes(minute.into());
                    let instant = |clock: NaiveDateTime| (clock - offset).and_utc();
                    let start = minute(range.from).max(first);
                    let end = minute(range.to).min(last);
                    if start < end {
                        found.push(instant(start)..instant(end));
                    }
                }
            }
        }
        without(united(found), &self.holidays)
    }
}

/// The parts of `span` in which the zone has one offset from UTC, with that offset.
fn offsets(zone: Tz, span: &Range<Time>) -> Vec<(Range<Time>, TimeDelta)> {
    let offset = |at: Time| {
        let offset = zone.offset_from_utc_datetime(&at.naive_utc()).fix();
        TimeDelta::seconds(offset.local_minus_utc().into())
    };
    let mut found = Vec::new();
    let mut start = span.start;
    while start < span.end {
        let here = offset(start);
        let mut end = start;
        while end < span.end {
            // No zone changes its clocks twice a day.
            let next = (end + TimeDelta::days(1)).min(span.end);
            if offset(next) != here {
                end = change(end, next, |at| offset(at) == here);
                break;
            }
            end = next;
        }
        found.push((start..end, here));
        start = end;
    }
    found
}

/// The second at which `before` turns false; it holds at the first instant and not at the second.
fn change(mut first: Time, mut second: Time, before: impl Fn(Time) -> bool) -> Time {
    while second - first > TimeDelta::seconds(1) {
        let middle = first + (second - first) / 2;
        if before(middle) {
            first = middle;
        } else {
            second = middle;
        }
    }
    // Clocks change at whole seconds.
    Time::from_timestamp(second.timestamp(), 0)
        .filter(|whole| *whole > first)
        .unwrap_or(second)
}

pub(super) fn united(mut ranges: Vec<Range<Time>>) -> Vec<Range<Time>> {
    ranges.sort_by_key(|range| range.start);
    let mut united: Vec<Range<Time>> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match united.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => united.push(range),
        }
    }
    united
}

/// The ranges without what is in `taken`; both in order and without overlap.
fn without(ranges: Vec<Range<Time>>, taken: &[Range<Time>]) -> Vec<Range<Time>> {
    let mut left = Vec::with_capacity(ranges.len());
    for range in ranges {
        let mut start = range.start;
        let first = taken.partition_point(|other| other.end <= range.start);
        for other in taken[first..]
            .iter()
            .take_while(|other| other.start < range.end)
        {
            if start < other.start {
                left.push(start..other.start);
            }
            start = start.max(other.end);
        }
        if start < range.end {
            left.push(start..range.end);
        }
    }
    left
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use chrono::{DateTime, TimeDelta, Timelike, Utc};
    use chrono_tz::Tz;
    use proptest::prelude::{prop_assert_eq, proptest};

    use crate::model::time::Time;
    use crate::rules::parse::load;
    use crate::rules::rule_set::Criterion;

    fn at(text: &str) -> Time {
        DateTime::parse_from_rfc3339(text)
            .unwrap()
            .with_timezone(&Utc)
    }

    fn criterion(hours: &str) -> Criterion {
        let rules = format!("criteria: [{{name: c, on: outage, decision: none, {hours}}}]");
        let holidays = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nDTSTART;VALUE=DATE:20261225\nEND:VEVENT\nEND:VCALENDAR\n";
        let files = [("rules/r.yaml", rules.as_str()), ("rules/de.ics", holidays)];
        let files = files.map(|(name, text)| (name.to_owned(), text.to_owned()));
        load(&files).unwrap().criteria.remove(0)
    }

    #[track_caller]
    fn check(hours: &str, from: &str, to: &str, expected: &[&str]) {
        let hours = criterion(hours).hours.unwrap();
        let found: Vec<String> = hours
            .within(&(at(from)..at(to)))
            .iter()
            .map(|part| {
                format!(
                    "{}/{}",
                    part.start.format("%dT%H:%M"),
                    part.end.format("%dT%H:%M")
                )
            })
            .collect();
        assert_eq!(found, expected);
    }

    const OFFICE: &str =
        "during: {hours: 'Mon-Fri 09:00-18:00', time_zone: Europe/Berlin, holidays: [de.ics]}";

    #[test]
    fn only_the_hours_of_the_zone_count_and_no_holiday() {
        let week = ("2026-12-23T00:00:00Z", "2026-12-28T12:00:00Z");
        check(
            OFFICE,
            week.0,
            week.1,
            &[
                "23T08:00/23T17:00",
                "24T08:00/24T17:00",
                "28T08:00/28T12:00",
            ],
        );
        let outside = OFFICE.replace("during", "outside");
        check(
            &outside,
            week.0,
            week.1,
            &[
                "23T00:00/23T08:00",
                "23T17:00/24T08:00",
                "24T17:00/28T08:00",
            ],
        );
        // Summer time.
        check(
            OFFICE,
            "2026-07-06T00:00:00Z",
            "2026-07-07T00:00:00Z",
            &["06T07:00/06T16:00"],
        );
    }

    #[test]
    fn a_night_belongs_to_the_day_on_which_it_begins() {
        let night = "during: {hours: 'Fri 22:00-06:00'}";
        check(
            night,
            "2026-11-27T00:00:00Z",
            "2026-11-30T00:00:00Z",
            &["27T22:00/28T06:00"],
        );
        check(
            night,
            "2026-11-28T03:00:00Z",
            "2026-11-28T04:00:00Z",
            &["28T03:00/28T04:00"],
        );
    }

    #[test]
    fn an_hour_that_comes_twice_counts_twice_and_a_skipped_one_never() {
        let two = "during: {hours: '02:00-03:00', time_zone: Europe/Berlin}";
        check(
            two,
            "2026-10-24T22:00:00Z",
            "2026-10-25T23:00:00Z",
            &["25T00:00/25T02:00"],
        );
        check(two, "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z", &[]);
    }

    #[test]
    fn counted_time_is_reached_over_nights_and_weekends() {
        let hours = criterion(OFFICE).hours.unwrap();
        let friday = at("2026-11-27T16:50:00Z");
        assert_eq!(
            hours.after(friday, TimeDelta::minutes(15)),
            Some(at("2026-11-30T08:05:00Z"))
        );
        assert_eq!(
            hours.next(at("2026-11-27T17:00:00Z")),
            Some(at("2026-11-30T08:00:00Z"))
        );
        let never = criterion("during: {hours: '00:00-24:00'}, outside: {hours: '00:00-24:00'}");
        assert_eq!(never.hours.unwrap().next(friday), None);
    }

    proptest! {
        /// The clock of the zone decides, minute by minute, also where it is changed.
        #[test]
        fn every_minute_counts_by_the_clock_of_its_zone(start in 1_767_225_600_i64..1_798_761_600, zone in 0_usize..5, from in 0_u32..1440, length in 1_u32..1440) {
            let zone: Tz = ["Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Africa/Casablanca", "UTC"][zone].parse().unwrap();
            let to = (from + length) % 1440;
            let clock = |minute: u32| format!("{:02}:{:02}", minute / 60, minute % 60);
            let hours = format!("during: {{hours: '{}-{}', time_zone: {}}}", clock(from), clock(to), zone.name());
            let hours = criterion(&hours).hours.unwrap();
            let start = Time::from_timestamp(start / 60 * 60, 0).unwrap();
            let found = hours.within(&(start..start + TimeDelta::hours(30)));
            for minute in 0..30 * 60 {
                let at = start + TimeDelta::minutes(minute);
                let local = at.with_timezone(&zone);
                let minute = local.hour() * 60 + local.minute();
                let inside = if from < to { (from..to).contains(&minute) } else { minute >= from || minute < to };
                prop_assert_eq!(found.iter().any(|part| part.contains(&at)), inside, "{} {}", at, local);
            }
        }
    }
}
