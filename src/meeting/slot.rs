//! Meeting slot: the first half hour within a few business days that suits all required people.
//!
//! Working hours are local time. They are converted to UTC date by date before they are compared,
//! so that changes of the clocks are respected.

use chrono::{
    DateTime, Datelike, Days, LocalResult, NaiveDate, NaiveTime, TimeDelta, TimeZone, Utc,
};
use chrono_tz::Tz;

use crate::model::settings::{Hours, Person};
use crate::model::time::Time;

/// Grid of start times: half hours of UTC.
const GRID: TimeDelta = TimeDelta::minutes(30);
/// Minimum time from the end of the incident to the meeting, for reading the draft.
const PREPARE: TimeDelta = TimeDelta::hours(24);
/// Minimum notice before the meeting.
const LEAD: TimeDelta = TimeDelta::hours(1);
/// Maximum business days from the end of the incident to the meeting, before memory fades.
const BUSINESS_DAYS: usize = 5;
/// Limits for extended working hours in minutes of the day: 07:00 and 21:00.
const EARLY: u32 = 7 * 60;
const LATE: u32 = 21 * 60;
const DAY: u32 = 24 * 60;

/// Constraints on the slot.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SlotRequest<'a> {
    /// End of the incident.
    pub ended_at: Time,
    /// Required people.
    pub people: &'a [&'a Person],
    /// Default business hours: they count the business days, and apply when no person is known.
    pub default_hours: &'a Hours,
    /// Time zone of the default hours.
    pub default_zone: Tz,
    /// Duration of the meeting in minutes.
    pub minutes: i64,
    /// Current time.
    pub now: Time,
}

/// Start of the meeting, and the relaxation of working hours that it needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slot {
    /// Start of the meeting.
    pub starts_at: Time,
    /// Relaxation of working hours that was needed.
    pub relaxed: Relaxation,
}

/// Relaxations of working hours, in the order in which they are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Relaxation {
    /// None: all are within their own working hours.
    Nothing,
    /// One hour before or after a person's working hours, between 07:00 and 21:00 local time.
    OneHour,
    /// Two hours, likewise.
    TwoHours,
    /// The default business hours, for lack of a common time.
    DefaultHours,
}

/// Finds the first slot at least 24 hours after the end of the incident, never on the day of the
/// end, at most five business days later.
///
/// If that window has passed, the five business days after now are searched. `None` when even the
/// default hours have no room for so long a meeting.
#[must_use]
pub(crate) fn find_slot(ask: &SlotRequest) -> Option<Slot> {
    let earliest = ask
        .ended_at
        .checked_add_signed(PREPARE)?
        .max(ask.now.checked_add_signed(LEAD)?);
    let first = on_grid(earliest)?;
    let search = |last: Time| {
        let days = days(first, last)?;
        let steps = [
            (Relaxation::Nothing, 0),
            (Relaxation::OneHour, 60),
            (Relaxation::TwoHours, 120),
        ];
        let common = steps.into_iter().find_map(|(relaxed, by)| {
            let calendars: Vec<Calendar> = ask
                .people
                .iter()
                .map(|person| Calendar::new(&extended(&person.hours, by), person.time_zone, days))
                .collect();
            if calendars.is_empty() {
                None
            } else {
                first_free(ask, &calendars, first, last)
                    .map(|starts_at| Slot { starts_at, relaxed })
            }
        });
        common.or_else(|| {
            let relaxed = if ask.people.is_empty() {
                Relaxation::Nothing
            } else {
                Relaxation::DefaultHours
            };
            let house = [Calendar::new(ask.default_hours, ask.default_zone, days)];
            first_free(ask, &house, first, last).map(|starts_at| Slot { starts_at, relaxed })
        })
    };
    search(deadline(ask, ask.ended_at)?)
        .or_else(|| search(deadline(ask, ask.now.max(ask.ended_at))?))
}

/// Start of work on the first working day after the day of `after`; on the next day where `hours`
/// has no working day.
#[must_use]
pub(crate) fn next_working_day(after: Time, hours: &Hours, zone: Tz) -> Time {
    let today = after.with_timezone(&zone).date_naive();
    let working = (1..=7)
        .filter_map(|ahead| today.checked_add_days(Days::new(ahead)))
        .find(|date| works(hours, *date));
    let date = working.or_else(|| today.succ_opt()).unwrap_or(today);
    instant(date, hours.from, zone, Edge::Begins).unwrap_or(after)
}

/// Working time of one person as UTC intervals, `[start, end)`.
struct Calendar {
    zone: Tz,
    open: Vec<(Time, Time)>,
}

impl Calendar {
    /// Builds the intervals of the local dates from the first of `days` to the second.
    fn new(hours: &Hours, zone: Tz, days: (NaiveDate, NaiveDate)) -> Self {
        let mut open: Vec<(Time, Time)> = Vec::new();
        for date in days
            .0
            .iter_days()
            .take_while(|date| *date <= days.1)
            .filter(|date| works(hours, *date))
        {
            // Work that ends before it begins ends on the next day.
            let to = if hours.to > hours.from {
                hours.to
            } else {
                hours.to + DAY
            };
            let (Some(start), Some(end)) = (
                instant(date, hours.from, zone, Edge::Begins),
                instant(date, to, zone, Edge::Ends),
            ) else {
                continue;
            };
            match open.last_mut() {
                // Round-the-clock days join, so that a meeting may cross midnight.
                Some(last) if last.1 >= start => last.1 = last.1.max(end),
                _ if start < end => open.push((start, end)),
                _ => {}
            }
        }
        Self { zone, open }
    }

    fn holds(&self, start: Time, end: Time) -> bool {
        self.open
            .iter()
            .any(|open| open.0 <= start && end <= open.1)
    }
}

fn first_free(ask: &SlotRequest, calendars: &[Calendar], first: Time, last: Time) -> Option<Time> {
    let length = TimeDelta::try_minutes(ask.minutes.max(1))?;
    let later_day = |start: Time, zone: Tz| {
        start.with_timezone(&zone).date_naive() > ask.ended_at.with_timezone(&zone).date_naive()
    };
    let mut start = first;
    while start < last {
        let end = start.checked_add_signed(length)?;
        let fits = calendars
            .iter()
            .all(|calendar| calendar.holds(start, end) && later_day(start, calendar.zone));
        if fits && later_day(start, ask.default_zone) {
            return Some(start);
        }
        start = start.checked_add_signed(GRID)?;
    }
    None
}

/// End of the fifth business day after the day of `from`, in the default zone.
fn deadline(ask: &SlotRequest, from: Time) -> Option<Time> {
    end_of_working_day(from, BUSINESS_DAYS, ask.default_hours, ask.default_zone)
}

/// End of the `count`th working day after the day of `after`, at midnight; `None` where `hours` has
/// no working day.
#[must_use]
pub(crate) fn end_of_working_day(
    after: Time,
    count: usize,
    hours: &Hours,
    zone: Tz,
) -> Option<Time> {
    let today = after.with_timezone(&zone).date_naive();
    // A working day comes within a week, or never.
    let ahead = (1..=7 * count as u64).filter_map(|ahead| today.checked_add_days(Days::new(ahead)));
    let date = ahead
        .filter(|date| works(hours, *date))
        .nth(count.checked_sub(1)?)?;
    instant(date, DAY, zone, Edge::Ends)
}

/// Dates that `first` to `last` can have in any zone, with a day to spare for work that began the
/// day before.
fn days(first: Time, last: Time) -> Option<(NaiveDate, NaiveDate)> {
    Some((
        first.date_naive().checked_sub_days(Days::new(2))?,
        last.date_naive().checked_add_days(Days::new(2))?,
    ))
}

fn extended(hours: &Hours, by: u32) -> Hours {
    if hours.to <= hours.from {
        return hours.clone();
    }
    // People who work outside 07:00 to 21:00 anyway keep their hours on that side.
    let from = hours.from.min(hours.from.saturating_sub(by).max(EARLY));
    let to = hours.to.max((hours.to + by).min(LATE));
    Hours {
        from,
        to,
        ..hours.clone()
    }
}

fn works(hours: &Hours, date: NaiveDate) -> bool {
    hours
        .days
        .get(date.weekday().num_days_from_monday() as usize)
        .copied()
        .unwrap_or(false)
}

/// Boundary of working time: its start or its end.
#[derive(Clone, Copy)]
enum Edge {
    Begins,
    Ends,
}

/// Converts a minute of the day to an instant, 24:00 and later on the next day. An ambiguous local
/// time resolves to the shorter working time, a skipped one to the instant of the change.
fn instant(date: NaiveDate, minute: u32, zone: Tz, edge: Edge) -> Option<Time> {
    let midnight = date
        .checked_add_days(Days::new(u64::from(minute / DAY)))?
        .and_time(NaiveTime::MIN);
    let mut wall = midnight.checked_add_signed(TimeDelta::minutes(i64::from(minute % DAY)))?;
    // The longest gap known is the day that Samoa skipped.
    for skipped in 0..=2 * DAY {
        match zone.from_local_datetime(&wall) {
            LocalResult::Single(at) => return Some(at.to_utc()),
            LocalResult::Ambiguous(first, second) if skipped == 0 => {
                return Some(if matches!(edge, Edge::Begins) {
                    second.to_utc()
                } else {
                    first.to_utc()
                });
            }
            LocalResult::Ambiguous(first, _) => return Some(first.to_utc()),
            LocalResult::None => wall = wall.checked_add_signed(TimeDelta::minutes(1))?,
        }
    }
    None
}

/// First point of the grid at or after `at`.
fn on_grid(at: Time) -> Option<Time> {
    let step = GRID.num_seconds();
    let seconds = at.timestamp() + i64::from(at.timestamp_subsec_nanos() > 0);
    let up = seconds.checked_add((step - seconds.rem_euclid(step)).rem_euclid(step))?;
    DateTime::<Utc>::from_timestamp(up, 0)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use super::{Relaxation, Slot, SlotRequest, end_of_working_day, find_slot, next_working_day};
    use crate::model::settings::{Hours, Person};
    use crate::model::time::Time;
    use chrono::{Datelike, TimeDelta, Timelike};
    use chrono_tz::Tz;
    use proptest::prelude::{
        Just, ProptestConfig, Strategy, prop, prop_assert, prop_oneof, proptest,
    };

    #[test]
    fn working_days_are_counted_from_the_next_and_end_at_midnight() {
        let end = |after: &str, count, zone: &str| {
            end_of_working_day(at(after), count, &hours(9, 17), zone.parse().unwrap())
        };
        // A Thursday; the seventh working day after it is the Monday of the week after next.
        assert_eq!(
            end("2026-11-19T10:00:00Z", 7, "UTC"),
            Some(at("2026-12-01T00:00:00Z"))
        );
        assert_eq!(
            end("2026-11-19T23:30:00Z", 1, "Europe/Berlin"),
            Some(at("2026-11-23T23:00:00Z")),
            "there it is Friday already"
        );
        assert_eq!(
            end("2026-11-21T10:00:00Z", 1, "UTC"),
            Some(at("2026-11-24T00:00:00Z"))
        );
        assert_eq!(
            end_of_working_day(
                at("2026-11-19T10:00:00Z"),
                7,
                &Hours {
                    days: [false; 7],
                    ..hours(9, 17)
                },
                Tz::UTC
            ),
            None
        );
    }

    const WEEK: [bool; 7] = [true, true, true, true, true, false, false];

    fn hours(from: u32, to: u32) -> Hours {
        Hours {
            days: WEEK,
            from: from * 60,
            to: to * 60,
        }
    }

    fn person(zone: &str, hours: Hours) -> Person {
        Person {
            id: zone.into(),
            name: zone.into(),
            email: None,
            time_zone: zone.parse().unwrap(),
            hours,
            aliases: vec![],
        }
    }

    fn at(text: &str) -> Time {
        text.parse().unwrap()
    }

    /// Slot requested at the end of the incident, for people who work nine to five in these zones;
    /// the default zone is UTC.
    fn nine_to_five(ended_at: &str, zones: &[&str]) -> Option<Slot> {
        let people: Vec<_> = zones
            .iter()
            .map(|zone| person(zone, hours(9, 17)))
            .collect();
        ask(ended_at, ended_at, &people, 60)
    }

    fn ask(ended_at: &str, now: &str, people: &[Person], minutes: i64) -> Option<Slot> {
        let people: Vec<&Person> = people.iter().collect();
        find_slot(&SlotRequest {
            ended_at: at(ended_at),
            people: &people,
            default_hours: &hours(9, 17),
            default_zone: Tz::UTC,
            minutes,
            now: at(now),
        })
    }

    fn is(starts_at: &str, relaxed: Relaxation) -> Option<Slot> {
        Some(Slot {
            starts_at: at(starts_at),
            relaxed,
        })
    }

    #[test]
    fn a_day_later_on_the_half_hour() {
        // Monday 2026-11-23.
        assert_eq!(
            nine_to_five("2026-11-23T10:10:00Z", &["UTC"]),
            is("2026-11-24T10:30:00Z", Relaxation::Nothing)
        );
        assert_eq!(
            nine_to_five("2026-11-23T10:00:00Z", &["UTC"]),
            is("2026-11-24T10:00:00Z", Relaxation::Nothing)
        );
        assert_eq!(
            nine_to_five("2026-11-23T10:00:00.000001Z", &["UTC"]),
            is("2026-11-24T10:30:00Z", Relaxation::Nothing)
        );
        // A meeting ends within working hours, too.
        assert_eq!(
            nine_to_five("2026-11-23T16:30:00Z", &["UTC"]),
            is("2026-11-25T09:00:00Z", Relaxation::Nothing)
        );
        assert_eq!(
            nine_to_five("2026-11-23T10:00:00Z", &[]),
            is("2026-11-24T10:00:00Z", Relaxation::Nothing)
        );
    }

    #[test]
    fn friday_evening_and_weekend_wait_for_monday() {
        assert_eq!(
            nine_to_five("2026-11-27T18:00:00Z", &["Europe/Berlin"]),
            is("2026-11-30T08:00:00Z", Relaxation::Nothing)
        );
        assert_eq!(
            nine_to_five("2026-11-28T12:00:00Z", &["UTC"]),
            is("2026-11-30T09:00:00Z", Relaxation::Nothing)
        );
        // Sunday noon plus a day is Monday noon.
        assert_eq!(
            nine_to_five("2026-11-29T12:00:00Z", &["UTC"]),
            is("2026-11-30T12:00:00Z", Relaxation::Nothing)
        );
    }

    #[test]
    fn across_the_date_line_the_wall_clocks_agree() {
        // Auckland is UTC+13 in November, Pago Pago UTC-11: the same wall clock, a day apart. Monday there is Tuesday here.
        assert_eq!(
            nine_to_five(
                "2026-11-23T10:00:00Z",
                &["Pacific/Auckland", "Pacific/Pago_Pago"]
            ),
            is("2026-11-24T20:00:00Z", Relaxation::Nothing)
        );
        // Ended on Thursday 20:00 UTC: Auckland's Saturday is out, and so is Pago Pago's Sunday.
        assert_eq!(
            nine_to_five(
                "2026-11-26T20:00:00Z",
                &["Pacific/Auckland", "Pacific/Pago_Pago"]
            ),
            is("2026-11-30T20:00:00Z", Relaxation::Nothing)
        );
        assert_eq!(
            nine_to_five("2026-11-23T10:00:00Z", &["Asia/Kathmandu", "UTC"]),
            is("2026-11-24T10:00:00Z", Relaxation::Nothing)
        );
    }

    #[test]
    fn working_hours_are_relaxed_step_by_step() {
        // Berlin 08:00 to 16:00 UTC, New York 14:00 to 22:00, Los Angeles 17:00 to 01:00.
        assert_eq!(
            nine_to_five(
                "2026-11-23T10:00:00Z",
                &["Europe/Berlin", "America/New_York"]
            ),
            is("2026-11-24T14:00:00Z", Relaxation::Nothing)
        );
        assert_eq!(
            nine_to_five(
                "2026-11-23T10:00:00Z",
                &["Europe/Berlin", "America/Los_Angeles"]
            ),
            is("2026-11-24T16:00:00Z", Relaxation::OneHour)
        );
        // Moscow 06:00 to 14:00: two hours on either side just meet.
        assert_eq!(
            nine_to_five(
                "2026-11-23T10:00:00Z",
                &["Europe/Moscow", "America/Los_Angeles"]
            ),
            is("2026-11-24T15:00:00Z", Relaxation::TwoHours)
        );
        // Sydney and London never meet within the bounds; Los Angeles makes it hopeless.
        let got = nine_to_five(
            "2026-11-23T10:00:00Z",
            &["Asia/Tokyo", "Europe/London", "America/Los_Angeles"],
        );
        assert_eq!(got, is("2026-11-24T10:00:00Z", Relaxation::DefaultHours));
    }

    #[test]
    fn never_before_seven_nor_after_nine_unless_that_is_when_they_work() {
        let early = [
            person("UTC", hours(8, 10)),
            person("Etc/GMT-1", hours(5, 7)),
        ];
        // 08:00 to 10:00 against 04:00 to 06:00 UTC: extended to 07:00..12:00 and to 04:00..08:00.
        assert_eq!(
            ask("2026-11-23T00:00:00Z", "2026-11-23T00:00:00Z", &early, 60),
            is("2026-11-24T07:00:00Z", Relaxation::TwoHours)
        );
        let night = [person("UTC", hours(22, 6))];
        assert_eq!(
            ask("2026-11-23T03:00:00Z", "2026-11-23T03:00:00Z", &night, 60),
            is("2026-11-24T03:00:00Z", Relaxation::Nothing)
        );
    }

    #[test]
    fn the_night_the_clocks_change_moves_the_slot() {
        // Berlin: summer time ends on Sunday 2026-10-25. Nine o'clock is 07:00 UTC on Friday, 08:00 on Monday.
        assert_eq!(
            nine_to_five("2026-10-22T05:00:00Z", &["Europe/Berlin"]),
            is("2026-10-23T07:00:00Z", Relaxation::Nothing)
        );
        assert_eq!(
            nine_to_five("2026-10-24T05:00:00Z", &["Europe/Berlin"]),
            is("2026-10-26T08:00:00Z", Relaxation::Nothing)
        );
        // New York and Berlin are five hours apart for one week.
        assert_eq!(
            nine_to_five(
                "2026-10-26T00:00:00Z",
                &["Europe/Berlin", "America/New_York"]
            ),
            is("2026-10-27T13:00:00Z", Relaxation::Nothing)
        );
    }

    #[test]
    fn wall_times_that_are_skipped_or_come_twice() {
        let nights = |from: u32, to: u32| Person {
            hours: Hours {
                days: [true; 7],
                from,
                to,
            },
            ..person("Europe/Berlin", hours(0, 1))
        };
        // 02:30 does not exist on 2026-03-29: work begins when the clocks have jumped, at 03:00 = 01:00 UTC.
        assert_eq!(
            ask(
                "2026-03-27T23:30:00Z",
                "2026-03-27T23:30:00Z",
                &[nights(150, 360)],
                60
            ),
            is("2026-03-29T01:00:00Z", Relaxation::Nothing)
        );
        // 02:30 comes twice on 2026-10-25, at 00:30 and 01:30 UTC: only after the second is it certainly working time.
        assert_eq!(
            ask(
                "2026-10-23T23:30:00Z",
                "2026-10-23T23:30:00Z",
                &[nights(150, 360)],
                60
            ),
            is("2026-10-25T01:30:00Z", Relaxation::Nothing)
        );
        // A 25 hour day: 24 hours after 00:30 it is still the day of the incident.
        let house = Person {
            hours: Hours {
                days: [true; 7],
                from: 0,
                to: 1440,
            },
            ..person("Europe/Berlin", hours(0, 1))
        };
        assert_eq!(
            ask("2026-10-24T22:30:00Z", "2026-10-24T22:30:00Z", &[house], 60),
            is("2026-10-25T23:00:00Z", Relaxation::Nothing)
        );
    }

    #[test]
    fn asked_late_it_looks_ahead_from_now() {
        let people = [person("UTC", hours(9, 17))];
        // Within the window, but not in the next hour.
        assert_eq!(
            ask("2026-11-23T10:00:00Z", "2026-11-25T10:10:00Z", &people, 60),
            is("2026-11-25T11:30:00Z", Relaxation::Nothing)
        );
        // The window of 2026-11-02 closed on the 9th.
        assert_eq!(
            ask("2026-11-02T10:00:00Z", "2026-11-23T20:00:00Z", &people, 60),
            is("2026-11-24T09:00:00Z", Relaxation::Nothing)
        );
        // Its last day has no hour left.
        assert_eq!(
            ask("2026-11-16T10:00:00Z", "2026-11-23T18:30:00Z", &people, 60),
            is("2026-11-24T09:00:00Z", Relaxation::Nothing)
        );
    }

    #[test]
    fn at_most_five_business_days_after() {
        // Works only on Mondays, but ended on a Monday: the fifth business day is the next one.
        let monday = Person {
            hours: Hours {
                days: [true, false, false, false, false, false, false],
                from: 540,
                to: 1020,
            },
            ..person("UTC", hours(9, 17))
        };
        let got = ask(
            "2026-11-23T10:00:00Z",
            "2026-11-23T10:00:00Z",
            std::slice::from_ref(&monday),
            60,
        );
        assert_eq!(got, is("2026-11-30T09:00:00Z", Relaxation::Nothing));
        // Only on Sundays and ended on a Sunday: its next Sunday is too late.
        let sunday = Person {
            hours: Hours {
                days: [false, false, false, false, false, false, true],
                ..monday.hours
            },
            ..monday
        };
        let got = ask(
            "2026-11-22T10:00:00Z",
            "2026-11-22T10:00:00Z",
            &[sunday],
            60,
        );
        assert_eq!(got, is("2026-11-23T10:00:00Z", Relaxation::DefaultHours));
    }

    #[test]
    fn no_slot_gives_none() {
        assert_eq!(
            ask("2026-11-23T10:00:00Z", "2026-11-23T10:00:00Z", &[], 9 * 60),
            None
        );
        let never = Hours {
            days: [false; 7],
            from: 540,
            to: 1020,
        };
        let asked = SlotRequest {
            ended_at: at("2026-11-23T10:00:00Z"),
            people: &[],
            default_hours: &never,
            default_zone: Tz::UTC,
            minutes: 60,
            now: at("2026-11-23T10:00:00Z"),
        };
        assert_eq!(find_slot(&asked), None);
        assert_eq!(
            find_slot(&SlotRequest {
                ended_at: Time::MAX_UTC,
                ..asked
            }),
            None
        );
        assert_eq!(
            find_slot(&SlotRequest {
                minutes: i64::MAX,
                default_hours: &hours(9, 17),
                ..asked
            }),
            None
        );
    }

    #[test]
    fn work_begins_again() {
        let berlin: Tz = "Europe/Berlin".parse().unwrap();
        assert_eq!(
            next_working_day(at("2026-11-23T03:00:00Z"), &hours(9, 17), berlin),
            at("2026-11-24T08:00:00Z")
        );
        assert_eq!(
            next_working_day(at("2026-11-27T18:00:00Z"), &hours(9, 17), berlin),
            at("2026-11-30T08:00:00Z")
        );
        // 23:30 UTC on Thursday is Friday in Berlin.
        assert_eq!(
            next_working_day(at("2026-11-26T23:30:00Z"), &hours(9, 17), berlin),
            at("2026-11-30T08:00:00Z")
        );
        assert_eq!(
            next_working_day(at("2026-10-23T12:00:00Z"), &hours(9, 17), berlin),
            at("2026-10-26T08:00:00Z")
        );
        let never = Hours {
            days: [false; 7],
            ..hours(9, 17)
        };
        assert_eq!(
            next_working_day(at("2026-11-23T03:00:00Z"), &never, Tz::UTC),
            at("2026-11-24T09:00:00Z")
        );
    }

    fn zone() -> impl Strategy<Value = &'static str> {
        prop_oneof![
            Just("UTC"),
            Just("Europe/Berlin"),
            Just("America/New_York"),
            Just("Asia/Kolkata"),
            Just("Pacific/Apia"),
            Just("Pacific/Pago_Pago"),
            Just("Australia/Lord_Howe"),
            Just("Asia/Tokyo"),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn random_slots_meet_all_constraints(zones in prop::collection::vec(zone(), 0..5), minute in 0i64..525_600, late in 0i64..20_000) {
            let ended_at = at("2026-01-01T00:00:00Z") + TimeDelta::minutes(minute);
            let now = ended_at + TimeDelta::minutes(late);
            let people: Vec<_> = zones.iter().map(|zone| person(zone, hours(9, 17))).collect();
            let people: Vec<&Person> = people.iter().collect();
            let got = find_slot(&SlotRequest { ended_at, people: &people, default_hours: &hours(9, 17), default_zone: Tz::UTC, minutes: 60, now }).unwrap();
            prop_assert!(got.starts_at >= ended_at + TimeDelta::hours(24) && got.starts_at > now);
            prop_assert!(got.starts_at - now <= TimeDelta::days(9));
            prop_assert!(got.starts_at.minute().is_multiple_of(30) && got.starts_at.second() == 0);
            let give = match got.relaxed { Relaxation::Nothing => 0, Relaxation::OneHour => 1, Relaxation::TwoHours => 2, Relaxation::DefaultHours => return Ok(()) };
            for person in people {
                let (start, end) = (got.starts_at.with_timezone(&person.time_zone), (got.starts_at + TimeDelta::minutes(60)).with_timezone(&person.time_zone));
                prop_assert!(start.weekday().num_days_from_monday() < 5);
                prop_assert!(start.hour() >= 9 - give && (end.hour(), end.minute()) <= (17 + give, 0), "{start} {end}");
            }
        }
    }
}
