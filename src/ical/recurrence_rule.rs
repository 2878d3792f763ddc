//! Recurrence rules (RFC 5545 §3.3.10), expanded lazily in local time.
//!
//! A rule is a sequence of periods (years, months, …, seconds), `INTERVAL` apart. Each period gives
//! its days and times, cut down by the `BY…` parts. Without `COUNT` a period's number follows from
//! its date, so that a window far from the start costs no more than one beside it.

use chrono::{Datelike, Days, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Timelike, Weekday};

/// Step budget for expanding rules: one step is about one day or time examined.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Budget(pub(crate) u64);

impl Budget {
    /// Share of the budget for one piece of work, with a guaranteed minimum, so that an expensive
    /// rule cannot starve the others.
    pub(crate) fn share(self, most: u64) -> Self {
        Self(self.0.clamp(LEAST_SHARE.min(most), most))
    }

    /// Subtracts the spent part of a share.
    pub(crate) fn take(&mut self, share: Self, left: Self) {
        self.0 = self.0.saturating_sub(share.0 - left.0);
    }

    fn spend(&mut self, steps: u64) -> Option<()> {
        self.0 = self.0.checked_sub(steps)?;
        Some(())
    }
}

/// Guaranteed minimum share in steps: enough for a weekly rule.
const LEAST_SHARE: u64 = 300;

/// `UNTIL` of a rule, as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Until {
    /// Last day, included.
    Date(NaiveDate),
    /// Instant, in UTC.
    Utc(NaiveDateTime),
    /// Local time of the event.
    Local(NaiveDateTime),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Frequency {
    Yearly,
    Monthly,
    Weekly,
    Daily,
    Hourly,
    Minutely,
    Secondly,
}

/// Recurrence rule: an `RRULE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RecurrenceRule {
    frequency: Frequency,
    interval: u32,
    pub(crate) count: Option<u32>,
    pub(crate) until: Option<Until>,
    seconds: Vec<u32>,
    minutes: Vec<u32>,
    hours: Vec<u32>,
    /// Weekdays with their ordinal within the month or year; 0: every one.
    weekdays: Vec<(i32, Weekday)>,
    month_days: Vec<i32>,
    year_days: Vec<i32>,
    weeks: Vec<i32>,
    months: Vec<u32>,
    positions: Vec<i32>,
    week_start: Weekday,
}

impl RecurrenceRule {
    /// Parses `FREQ=WEEKLY;BYDAY=MO,TU;UNTIL=20261231T000000Z`.
    ///
    /// # Errors
    /// The part that is invalid or not supported.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut rule = Self {
            frequency: Frequency::Daily,
            interval: 1,
            count: None,
            until: None,
            seconds: Vec::new(),
            minutes: Vec::new(),
            hours: Vec::new(),
            weekdays: Vec::new(),
            month_days: Vec::new(),
            year_days: Vec::new(),
            weeks: Vec::new(),
            months: Vec::new(),
            positions: Vec::new(),
            week_start: Weekday::Mon,
        };
        let mut has_frequency = false;
        let upper = text.trim().to_ascii_uppercase();
        for part in upper.split(';').filter(|part| !part.is_empty()) {
            let wrong = || format!("its rule has a part that cannot be read: {part}");
            let (name, value) = part.split_once('=').ok_or_else(wrong)?;
            let understood = match name {
                "FREQ" => frequency(value).map(|frequency| {
                    rule.frequency = frequency;
                    has_frequency = true;
                }),
                "INTERVAL" => positive(value).map(|interval| rule.interval = interval),
                "COUNT" => positive(value).map(|count| rule.count = Some(count)),
                "UNTIL" => until(value).map(|until| rule.until = Some(until)),
                "WKST" => weekday(value).map(|start| rule.week_start = start),
                "BYSECOND" => numbers(value, 0, 59).map(|list| rule.seconds = list),
                "BYMINUTE" => numbers(value, 0, 59).map(|list| rule.minutes = list),
                "BYHOUR" => numbers(value, 0, 23).map(|list| rule.hours = list),
                "BYMONTH" => numbers(value, 1, 12).map(|list| rule.months = list),
                "BYDAY" => weekdays(value).map(|list| rule.weekdays = list),
                "BYMONTHDAY" => signed(value, 31).map(|list| rule.month_days = list),
                "BYYEARDAY" => signed(value, 366).map(|list| rule.year_days = list),
                "BYWEEKNO" => signed(value, 53).map(|list| rule.weeks = list),
                "BYSETPOS" => signed(value, 366).map(|list| rule.positions = list),
                "RSCALE" => (value == "GREGORIAN").then_some(()),
                "SKIP" => (value == "OMIT").then_some(()),
                _ => name.starts_with("X-").then_some(()),
            };
            understood.ok_or_else(wrong)?;
        }
        if has_frequency {
            Ok(rule)
        } else {
            Err("its rule has no FREQ".to_owned())
        }
    }

    /// Expands the rule to local times in `[from, to]`, in order, for an event that starts at
    /// `start`. The caller applies `UNTIL`, which needs the time zone. `None`: the budget is spent.
    pub(crate) fn between(
        &self,
        start: NaiveDateTime,
        from: NaiveDateTime,
        to: NaiveDateTime,
        budget: &mut Budget,
    ) -> Option<Vec<NaiveDateTime>> {
        let filled = self.filled(start);
        let mut found = Vec::new();
        let mut left = self.count;
        let mut number = match self.count {
            Some(_) => 0,
            None => filled.period_before(start, from.max(start)),
        };
        if to < start {
            return Some(found);
        }
        loop {
            budget.spend(1)?;
            let Some(begin) = filled.period_begin(start, number) else {
                return Some(found);
            };
            if begin > to || left == Some(0) {
                return Some(found);
            }
            if filled.frequency >= Frequency::Hourly && !filled.takes_day(begin.date()) {
                // No time of this day is one of the rule: on to the next day.
                let Some(next) = begin.date().succ_opt() else {
                    return Some(found);
                };
                let next = filled.period_before(start, next.and_time(NaiveTime::MIN));
                number = next.max(number + 1);
                continue;
            }
            for at in filled.times_of_period(begin, budget)? {
                if at < start {
                    continue;
                }
                if at > to || left == Some(0) {
                    return Some(found);
                }
                if let Some(left) = &mut left {
                    *left -= 1;
                }
                if at >= from {
                    found.push(at);
                }
            }
            number += 1;
        }
    }

    /// Completes the rule from its start: the day and time that no `BY…` part gives.
    fn filled(&self, start: NaiveDateTime) -> Self {
        let mut rule = self.clone();
        let no_day = rule.weeks.is_empty()
            && rule.year_days.is_empty()
            && rule.month_days.is_empty()
            && rule.weekdays.is_empty();
        if no_day {
            match rule.frequency {
                Frequency::Yearly => {
                    if rule.months.is_empty() {
                        rule.months.push(start.month());
                    }
                    rule.month_days
                        .push(i32::try_from(start.day()).unwrap_or(1));
                }
                Frequency::Monthly => {
                    rule.month_days
                        .push(i32::try_from(start.day()).unwrap_or(1));
                }
                Frequency::Weekly => rule.weekdays.push((0, start.weekday())),
                _ => {}
            }
        }
        if rule.frequency < Frequency::Hourly && rule.hours.is_empty() {
            rule.hours.push(start.hour());
        }
        if rule.frequency < Frequency::Minutely && rule.minutes.is_empty() {
            rule.minutes.push(start.minute());
        }
        if rule.frequency < Frequency::Secondly && rule.seconds.is_empty() {
            rule.seconds.push(start.second());
        }
        rule
    }

    /// Number of a period that begins at or before `at`; at most one later period does too.
    fn period_before(&self, start: NaiveDateTime, at: NaiveDateTime) -> i64 {
        let interval = i64::from(self.interval);
        let apart = match self.frequency {
            Frequency::Yearly => i64::from(at.year() - start.year()),
            Frequency::Monthly => months_since_0(at.date()) - months_since_0(start.date()),
            Frequency::Weekly => (at.date() - start.date()).num_days() / 7,
            Frequency::Daily => (at.date() - start.date()).num_days(),
            Frequency::Hourly => (at - start).num_hours(),
            Frequency::Minutely => (at - start).num_minutes(),
            Frequency::Secondly => (at - start).num_seconds(),
        };
        (apart / interval - 1).max(0)
    }

    /// Beginning of a period; `None`: beyond the calendar.
    fn period_begin(&self, start: NaiveDateTime, number: i64) -> Option<NaiveDateTime> {
        let apart = number.checked_mul(i64::from(self.interval))?;
        let midnight = |date: NaiveDate| date.and_time(NaiveTime::MIN);
        match self.frequency {
            Frequency::Yearly => {
                let year = i64::from(start.year()).checked_add(apart)?;
                NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, 1, 1).map(midnight)
            }
            Frequency::Monthly => {
                let months = months_since_0(start.date()).checked_add(apart)?;
                let month = u32::try_from(months.rem_euclid(12)).ok()? + 1;
                let year = i32::try_from(months.div_euclid(12)).ok()?;
                NaiveDate::from_ymd_opt(year, month, 1).map(midnight)
            }
            Frequency::Weekly => {
                let first = start.date().week(self.week_start).checked_first_day()?;
                let days = u64::try_from(apart.checked_mul(7)?).ok()?;
                first.checked_add_days(Days::new(days)).map(midnight)
            }
            Frequency::Daily => {
                let days = Days::new(u64::try_from(apart).ok()?);
                start.date().checked_add_days(days).map(midnight)
            }
            Frequency::Hourly => {
                let hour = start.with_minute(0)?.with_second(0)?;
                hour.checked_add_signed(TimeDelta::try_hours(apart)?)
            }
            Frequency::Minutely => {
                let minute = start.with_second(0)?;
                minute.checked_add_signed(TimeDelta::try_minutes(apart)?)
            }
            Frequency::Secondly => start.checked_add_signed(TimeDelta::try_seconds(apart)?),
        }
    }

    /// All times of the period that begins at `begin`, in order.
    fn times_of_period(
        &self,
        begin: NaiveDateTime,
        budget: &mut Budget,
    ) -> Option<Vec<NaiveDateTime>> {
        let date = begin.date();
        let days = match self.frequency {
            Frequency::Yearly => {
                if date.leap_year() {
                    366
                } else {
                    365
                }
            }
            Frequency::Monthly => u64::from(days_in_month(date)),
            Frequency::Weekly => 7,
            _ => 1,
        };
        budget.spend(days)?;
        let mut times = None;
        let mut found = Vec::new();
        for day in date.iter_days().take(usize::try_from(days).unwrap_or(1)) {
            if self.takes_day(day) {
                let times = times.get_or_insert_with(|| self.clock_times(begin));
                budget.spend(1 + times.len() as u64)?;
                found.extend(times.iter().map(|time| day.and_time(*time)));
            }
        }
        if self.positions.is_empty() {
            return Some(found);
        }
        let mut chosen: Vec<NaiveDateTime> = self
            .positions
            .iter()
            .filter_map(|position| nth(found.len(), *position))
            .map(|index| found[index])
            .collect();
        chosen.sort_unstable();
        chosen.dedup();
        Some(chosen)
    }

    /// Times of day of a period, in order.
    fn clock_times(&self, begin: NaiveDateTime) -> Vec<NaiveTime> {
        let fixed = |from: Frequency, value: u32, list: &[u32]| -> Vec<u32> {
            if self.frequency < from {
                let mut list = list.to_vec();
                list.sort_unstable();
                list.dedup();
                return list;
            }
            let taken = list.is_empty() || list.contains(&value);
            if taken { vec![value] } else { Vec::new() }
        };
        let hours = fixed(Frequency::Hourly, begin.hour(), &self.hours);
        let minutes = fixed(Frequency::Minutely, begin.minute(), &self.minutes);
        let seconds = fixed(Frequency::Secondly, begin.second(), &self.seconds);
        let mut times = Vec::new();
        for hour in &hours {
            for minute in &minutes {
                let of_minute = seconds.iter();
                times.extend(
                    of_minute.filter_map(|second| NaiveTime::from_hms_opt(*hour, *minute, *second)),
                );
            }
        }
        times
    }

    fn takes_day(&self, day: NaiveDate) -> bool {
        let listed = |list: &[i32], number: u32, length: u32| {
            list.is_empty() || {
                let (number, length) = (i64::from(number), i64::from(length));
                list.iter().any(|entry| {
                    let entry = i64::from(*entry);
                    entry == number || (entry < 0 && length + 1 + entry == number)
                })
            }
        };
        let length_of_year = if day.leap_year() { 366 } else { 365 };
        (self.months.is_empty() || self.months.contains(&day.month()))
            && listed(&self.month_days, day.day(), days_in_month(day))
            && listed(&self.year_days, day.ordinal(), length_of_year)
            && (self.weeks.is_empty() || self.takes_week(day))
            && (self.weekdays.is_empty() || self.takes_weekday(day, length_of_year))
    }

    /// Matches `BYWEEKNO` by ISO 8601 week numbers, with weeks that begin at `WKST`.
    fn takes_week(&self, day: NaiveDate) -> bool {
        let Some(first) = day.week(self.week_start).checked_first_day() else {
            return false;
        };
        // A week belongs to the year that has four of its days, so to the year of its fourth.
        let fourth = first + Days::new(3);
        let number = fourth.ordinal0() / 7 + 1;
        let last_fourth = NaiveDate::from_ymd_opt(fourth.year(), 12, 31)
            .and_then(|last| last.week(self.week_start).checked_first_day())
            .map_or(fourth, |first| first + Days::new(3));
        let weeks = if last_fourth.year() == fourth.year() {
            last_fourth.ordinal0() / 7 + 1
        } else {
            (last_fourth - Days::new(7)).ordinal0() / 7 + 1
        };
        let (number, weeks) = (i64::from(number), i64::from(weeks));
        self.weeks.iter().any(|week| {
            let week = i64::from(*week);
            week == number || (week < 0 && weeks + 1 + week == number)
        })
    }

    fn takes_weekday(&self, day: NaiveDate, length_of_year: u32) -> bool {
        let in_month = self.frequency == Frequency::Monthly
            || (self.frequency == Frequency::Yearly && !self.months.is_empty());
        let (index, length) = if in_month {
            (day.day0(), days_in_month(day))
        } else {
            (day.ordinal0(), length_of_year)
        };
        let (from_begin, from_end) = (index / 7 + 1, (length - 1 - index) / 7 + 1);
        self.weekdays.iter().any(|(nth, weekday)| {
            // An ordinal means something within months and years only.
            let every = *nth == 0 || self.frequency > Frequency::Monthly;
            *weekday == day.weekday()
                && (every
                    || i64::from(*nth) == i64::from(from_begin)
                    || -i64::from(*nth) == i64::from(from_end))
        })
    }
}

fn months_since_0(date: NaiveDate) -> i64 {
    i64::from(date.year()) * 12 + i64::from(date.month0())
}

fn days_in_month(date: NaiveDate) -> u32 {
    u32::from(date.num_days_in_month())
}

/// Index of the `position`th of `length` items, counted from 1, or from -1 backwards.
fn nth(length: usize, position: i32) -> Option<usize> {
    let away = usize::try_from(position.unsigned_abs()).ok()?;
    if position > 0 {
        (away <= length).then(|| away - 1)
    } else {
        length.checked_sub(away)
    }
}

fn frequency(text: &str) -> Option<Frequency> {
    Some(match text {
        "YEARLY" => Frequency::Yearly,
        "MONTHLY" => Frequency::Monthly,
        "WEEKLY" => Frequency::Weekly,
        "DAILY" => Frequency::Daily,
        "HOURLY" => Frequency::Hourly,
        "MINUTELY" => Frequency::Minutely,
        "SECONDLY" => Frequency::Secondly,
        _ => return None,
    })
}

fn positive(text: &str) -> Option<u32> {
    text.parse().ok().filter(|number| *number > 0)
}

fn until(text: &str) -> Option<Until> {
    use super::date_time::DateTimeValue;
    Some(match DateTimeValue::parse(text)? {
        DateTimeValue::Date(date) => Until::Date(date),
        DateTimeValue::Utc(utc) => Until::Utc(utc),
        DateTimeValue::Local(local) => Until::Local(local),
    })
}

fn weekday(text: &str) -> Option<Weekday> {
    Some(match text {
        "MO" => Weekday::Mon,
        "TU" => Weekday::Tue,
        "WE" => Weekday::Wed,
        "TH" => Weekday::Thu,
        "FR" => Weekday::Fri,
        "SA" => Weekday::Sat,
        "SU" => Weekday::Sun,
        _ => return None,
    })
}

fn weekdays(text: &str) -> Option<Vec<(i32, Weekday)>> {
    text.split(',')
        .map(|entry| {
            let at = entry.len().checked_sub(2)?;
            let (ordinal, day) = entry.split_at_checked(at)?;
            let ordinal: i32 = match ordinal {
                "" => 0,
                written => written
                    .parse()
                    .ok()
                    .filter(|n: &i32| *n != 0 && n.abs() <= 53)?,
            };
            Some((ordinal, weekday(day)?))
        })
        .collect()
}

fn numbers(text: &str, least: u32, most: u32) -> Option<Vec<u32>> {
    text.split(',')
        .map(|entry| entry.parse().ok().filter(|n| (least..=most).contains(n)))
        .collect()
}

/// Parses numbers from 1 to `most`, or from -1 to -`most`.
fn signed(text: &str, most: i32) -> Option<Vec<i32>> {
    text.split(',')
        .map(|entry| {
            entry
                .parse()
                .ok()
                .filter(|n: &i32| *n != 0 && n.checked_abs().is_some_and(|n| n <= most))
        })
        .collect()
}
