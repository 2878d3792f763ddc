//! Time zones of a calendar: UTC, IANA names, and its own `VTIMEZONE` definitions (RFC 5545
//! §3.6.5).

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{NaiveDate, NaiveDateTime, Offset, TimeDelta, TimeZone as _};
use chrono_tz::Tz;

use super::content_line::Component;
use super::date_time::DateTimeValue;
use super::recurrence_rule::{Budget, RecurrenceRule, Until};
use crate::model::time::Time;

/// Maximum transitions of one time zone.
const MAX_TRANSITIONS: usize = 2_000;
/// Years over which the transitions of a `VTIMEZONE` are expanded.
const YEARS: (i32, i32) = (1970, 2100);
/// Longest gap by which clocks were ever put forward: a whole day, in Samoa in 2011.
const LONGEST_GAP_MINUTES: i64 = 25 * 60;

/// Time zone of one calendar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Zone {
    /// UTC.
    Utc,
    /// Zone of the IANA database.
    Named(Tz),
    /// `VTIMEZONE` of the feed.
    Defined(Arc<DefinedZone>),
}

/// UTC offsets defined by a `VTIMEZONE`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct DefinedZone {
    /// Offset before the first transition, in seconds east of UTC.
    first: i64,
    /// Transitions in the order of time: the instant in UTC and the new offset in seconds east of
    /// UTC.
    transitions: Vec<(NaiveDateTime, i64)>,
}

/// Time zones of one calendar by `TZID`.
#[derive(Debug)]
pub(crate) struct Zones {
    defined: BTreeMap<String, Option<Zone>>,
    /// Zone of floating times and of whole days.
    pub(crate) floating: Zone,
}

impl Zones {
    /// Parses the `VTIMEZONE` components of a calendar. Without `X-WR-TIMEZONE`, which subscribed
    /// calendars carry, floating times use `default`.
    pub(crate) fn of_calendar(calendar: &Component, default: Tz, budget: &mut Budget) -> Self {
        let defined = calendar
            .children
            .iter()
            .filter(|component| component.name == "VTIMEZONE")
            .filter_map(|component| {
                let id = component.text("TZID")?.trim().to_owned();
                let zone = DefinedZone::read(component, budget).ok();
                Some((id, zone.map(|zone| Zone::Defined(Arc::new(zone)))))
            })
            .collect();
        let mut zones = Self {
            defined,
            floating: Zone::Named(default),
        };
        if let Some(zone) = calendar
            .text("X-WR-TIMEZONE")
            .and_then(|id| zones.named(&id))
        {
            zones.floating = zone;
        }
        zones
    }

    /// Zone of a `TZID`: the calendar's own definition, else the IANA zone of exactly that name.
    /// `None` for unknown names: a zone is never guessed.
    pub(crate) fn named(&self, id: &str) -> Option<Zone> {
        let id = id.trim();
        match self.defined.get(id) {
            Some(zone) => zone.clone(),
            None => id.parse().ok().map(Zone::Named),
        }
    }
}

impl Zone {
    /// Converts a local time to an instant. An ambiguous time is the first of its two instants; a
    /// skipped one uses the offset before the gap (RFC 5545 §3.3.5).
    pub(crate) fn instant(&self, clock: NaiveDateTime) -> Time {
        match self {
            Self::Utc => clock.and_utc(),
            Self::Named(zone) => named_instant(*zone, clock),
            Self::Defined(zone) => zone.instant(clock).and_utc(),
        }
    }

    /// Converts an instant to local time.
    pub(crate) fn clock(&self, instant: Time) -> NaiveDateTime {
        match self {
            Self::Utc => instant.naive_utc(),
            Self::Named(zone) => instant.with_timezone(zone).naive_local(),
            Self::Defined(zone) => {
                let utc = instant.naive_utc();
                let after = zone.transitions.partition_point(|(at, _)| *at <= utc);
                plus_seconds(utc, zone.offset_before(after))
            }
        }
    }
}

fn named_instant(zone: Tz, clock: NaiveDateTime) -> Time {
    if let Some(at) = zone.from_local_datetime(&clock).earliest() {
        return at.to_utc();
    }
    let before_gap = (1..=LONGEST_GAP_MINUTES / 15)
        .filter_map(|step| clock.checked_sub_signed(TimeDelta::minutes(15 * step)))
        .find_map(|earlier| zone.from_local_datetime(&earlier).latest());
    let offset = before_gap.map_or(0, |at| at.offset().fix().local_minus_utc());
    plus_seconds(clock, -i64::from(offset)).and_utc()
}

fn plus_seconds(at: NaiveDateTime, seconds: i64) -> NaiveDateTime {
    at.checked_add_signed(TimeDelta::seconds(seconds))
        .unwrap_or(at)
}

impl DefinedZone {
    /// Parses a `VTIMEZONE`.
    fn read(component: &Component, budget: &mut Budget) -> Result<Self, String> {
        let mut transitions = Vec::new();
        let mut earliest: Option<(NaiveDateTime, i64)> = None;
        for observance in &component.children {
            if !matches!(observance.name.as_str(), "STANDARD" | "DAYLIGHT") {
                continue;
            }
            let from = offset(observance, "TZOFFSETFROM")?;
            let to = offset(observance, "TZOFFSETTO")?;
            for onset in onsets(observance, from, budget)? {
                let at = plus_seconds(onset, -from);
                if earliest.is_none_or(|(first, _)| at < first) {
                    earliest = Some((at, from));
                }
                transitions.push((at, to));
                if transitions.len() > MAX_TRANSITIONS {
                    return Err("its time zone changes too often".to_owned());
                }
            }
        }
        let Some((_, first)) = earliest else {
            return Err("its time zone has no STANDARD or DAYLIGHT".to_owned());
        };
        transitions.sort_unstable();
        Ok(Self { first, transitions })
    }

    /// Offset in force before the transition of that index.
    fn offset_before(&self, index: usize) -> i64 {
        let before = index
            .checked_sub(1)
            .and_then(|last| self.transitions.get(last));
        before.map_or(self.first, |(_, offset)| *offset)
    }

    fn instant(&self, clock: NaiveDateTime) -> NaiveDateTime {
        let far = clock
            .checked_sub_signed(TimeDelta::hours(48))
            .unwrap_or(clock);
        let mut index = self.transitions.partition_point(|(at, _)| *at <= far);
        loop {
            let instant = plus_seconds(clock, -self.offset_before(index));
            match self.transitions.get(index) {
                // Too late for this stretch: in a gap, the next one reads it as too early.
                Some((until, next)) if instant >= *until => {
                    if plus_seconds(clock, -next) < *until {
                        return instant;
                    }
                    index += 1;
                }
                _ => return instant,
            }
        }
    }
}

/// Local times at which an observance comes into force, each by the offset before it.
fn onsets(
    observance: &Component,
    from: i64,
    budget: &mut Budget,
) -> Result<Vec<NaiveDateTime>, String> {
    let value = |text: &str| DateTimeValue::parse(text).map(DateTimeValue::clock);
    let start = observance
        .property("DTSTART")
        .and_then(|property| value(&property.value))
        .ok_or("its time zone has an observance without DTSTART")?;
    let mut found = vec![start];
    for property in observance.properties_named("RDATE") {
        for date in property.value.split(',') {
            found.push(value(date).ok_or("its time zone has an RDATE that is not a date")?);
        }
    }
    let [begin, end] = [YEARS.0, YEARS.1].map(|year| {
        NaiveDate::from_ymd_opt(year, 1, 1).map_or(NaiveDateTime::MIN, NaiveDateTime::from)
    });
    for property in observance.properties_named("RRULE") {
        let rule = RecurrenceRule::parse(&property.value)?;
        let until = rule.until.map(|until| match until {
            Until::Utc(utc) => plus_seconds(utc, from),
            Until::Date(date) => date.and_hms_opt(23, 59, 59).unwrap_or_default(),
            Until::Local(local) => local,
        });
        let last = until.map_or(end, |until| until.min(end));
        let expanded = rule.between(start, begin, last, budget);
        found.extend(expanded.ok_or("its time zone has a rule that cannot be expanded")?);
    }
    Ok(found)
}

fn offset(observance: &Component, name: &str) -> Result<i64, String> {
    let wrong = || format!("its time zone has no {name} that is an offset");
    let text = observance.property(name).ok_or_else(wrong)?.value.trim();
    let (sign, digits) = match text.split_at_checked(1) {
        Some(("+", digits)) => (1, digits),
        Some(("-", digits)) => (-1, digits),
        _ => return Err(wrong()),
    };
    let part = |at: usize| {
        digits
            .get(at..at + 2)
            .and_then(|part| part.parse::<i64>().ok())
    };
    let (Some(hours), Some(minutes), 4 | 6) = (part(0), part(2), digits.len()) else {
        return Err(wrong());
    };
    Ok(sign * (hours * 3600 + minutes * 60 + part(4).unwrap_or(0)))
}
