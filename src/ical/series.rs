//! Recurring events: one `VEVENT` with its rules, added and excluded dates, and its overridden
//! occurrences (RFC 5545 §3.8.4.4, §3.8.5).
//!
//! The recurrence set consists of local times in the zone of the first event; `EXDATE` and
//! `RECURRENCE-ID` refer to its members by their original times, even after a move.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{Days, NaiveDate, NaiveDateTime, TimeDelta};

use super::content_line::{Component, Property};
use super::date_time::{DateTimeValue, DurationValue};
use super::recurrence_rule::{Budget, RecurrenceRule, Until};
use super::time_zone::{Zone, Zones};
use crate::model::time::Time;

/// Step budget for reading one event. A rule with `COUNT` is expanded from its beginning.
const READING: u64 = 50_000;
/// Step budget for finding the occurrences of one event in a window.
const LOOKING: u64 = 20_000;
/// Years over which a rule with `COUNT` is expanded.
const COUNTED_YEARS: u64 = 100;
/// Maximum dates listed by one event.
const MAX_DATES: usize = 5_000;

/// Occurrence of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Occurrence {
    pub(crate) start: Time,
    /// End, exclusive.
    pub(crate) end: Time,
    /// Index of the feed entry that describes it.
    pub(crate) entry: usize,
}

/// Duration of an occurrence, by the property that gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Length {
    /// From `DTEND` in the zone of `DTSTART`: a difference of local times.
    Clock(TimeDelta),
    /// From `DTEND` in another zone: elapsed time.
    Exact(TimeDelta),
    /// From `DURATION`: days in local time, the rest as elapsed time.
    Nominal(DurationValue),
}

impl Length {
    fn at_most(self) -> TimeDelta {
        match self {
            Self::Clock(length) | Self::Exact(length) => length,
            Self::Nominal(duration) => TimeDelta::days(duration.days) + duration.exact,
        }
    }

    fn end(self, start: NaiveDateTime, zone: &Zone) -> Option<Time> {
        match self {
            Self::Clock(length) => Some(zone.instant(start.checked_add_signed(length)?)),
            Self::Exact(length) => zone.instant(start).checked_add_signed(length),
            Self::Nominal(DurationValue { days, exact }) => {
                let days = start.checked_add_days(Days::new(u64::try_from(days).ok()?))?;
                zone.instant(days).checked_add_signed(exact)
            }
        }
    }
}

/// Parsed `VEVENT`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CalendarEvent {
    start: NaiveDateTime,
    zone: Zone,
    length: Length,
    cancelled: bool,
    entry: usize,
    sequence: i64,
    stamp: String,
    /// `RECURRENCE-ID` of the occurrence that it overrides, and true when it covers all later ones.
    changes: Option<(DateTimeValue, Zone, bool)>,
    rules: Vec<Expansion>,
    added: BTreeMap<NaiveDateTime, Option<Length>>,
    removed: BTreeSet<NaiveDateTime>,
    removed_days: BTreeSet<NaiveDate>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Expansion {
    /// Expanded rule with `COUNT`, and the end of the expansion where that was cut short.
    Listed(Vec<NaiveDateTime>),
    /// Rule without `COUNT`, and its last local time.
    Endless(Box<RecurrenceRule>, Option<NaiveDateTime>),
}

impl CalendarEvent {
    /// Parses a `VEVENT`.
    ///
    /// # Errors
    /// The part that is invalid or not supported.
    pub(crate) fn read(
        component: &Component,
        entry: usize,
        zones: &Zones,
        total: &mut Budget,
    ) -> Result<Self, String> {
        let start = component.property("DTSTART").ok_or("it has no DTSTART")?;
        let (start, zone) = read_time(start, zones)?;
        let clock = start.clock();
        let length = read_length(component, start, &zone, zones)?;
        let changes = component
            .property("RECURRENCE-ID")
            .map(|property| {
                let later = property.parameter("RANGE");
                let later = later.is_some_and(|range| range.eq_ignore_ascii_case("THISANDFUTURE"));
                read_time(property, zones).map(|(value, zone)| (value, zone, later))
            })
            .transpose()?;
        let mut event = Self {
            start: clock,
            length,
            cancelled: component
                .text("STATUS")
                .is_some_and(|status| status.trim().eq_ignore_ascii_case("CANCELLED")),
            entry,
            sequence: component
                .property("SEQUENCE")
                .and_then(|property| property.value.trim().parse().ok())
                .unwrap_or(-1),
            stamp: component.text("DTSTAMP").unwrap_or_default(),
            changes,
            rules: Vec::new(),
            added: BTreeMap::new(),
            removed: BTreeSet::new(),
            removed_days: BTreeSet::new(),
            zone,
        };
        event.read_dates(component, start, zones)?;
        event.read_rules(component, total)?;
        Ok(event)
    }

    fn read_dates(
        &mut self,
        component: &Component,
        start: DateTimeValue,
        zones: &Zones,
    ) -> Result<(), String> {
        for property in component.properties_named("RDATE") {
            let zone = zone_of(property, zones)?;
            for text in property.value.split(',') {
                let wrong = || format!("it has an RDATE that cannot be read: {text}");
                let (text, end) = match text.split_once('/') {
                    Some((start, end)) => (start, Some(end)),
                    None => (text, None),
                };
                let value = DateTimeValue::parse(text).ok_or_else(wrong)?;
                let length = end
                    .map(|end| period_length(value, end, &zone))
                    .transpose()?;
                let clock = match (value, start) {
                    // A day that is added to a series of times comes at the time of the series.
                    (
                        DateTimeValue::Date(date),
                        DateTimeValue::Local(_) | DateTimeValue::Utc(_),
                    ) => date.and_time(self.start.time()),
                    _ => self.clock_of(value, &zone),
                };
                self.added.insert(clock, length);
            }
        }
        if component.property("EXRULE").is_some() {
            return Err("it has an EXRULE, which is no longer part of iCalendar".to_owned());
        }
        for property in component.properties_named("EXDATE") {
            let zone = zone_of(property, zones)?;
            for text in property
                .value
                .split(',')
                .filter(|text| !text.trim().is_empty())
            {
                match DateTimeValue::parse(text) {
                    Some(DateTimeValue::Date(date)) if !matches!(start, DateTimeValue::Date(_)) => {
                        self.removed_days.insert(date);
                    }
                    Some(value) => {
                        self.removed.insert(self.clock_of(value, &zone));
                    }
                    None => return Err(format!("it has an EXDATE that cannot be read: {text}")),
                }
            }
        }
        if self.added.len() + self.removed.len() + self.removed_days.len() > MAX_DATES {
            return Err(format!("it lists more than {MAX_DATES} dates"));
        }
        Ok(())
    }

    fn read_rules(&mut self, component: &Component, total: &mut Budget) -> Result<(), String> {
        let mut last_until: Option<NaiveDateTime> = None;
        let mut bounded = true;
        for property in component.properties_named("RRULE") {
            let rule = RecurrenceRule::parse(&property.value)?;
            let until = rule.until.map(|until| match until {
                Until::Date(date) => date.and_hms_opt(23, 59, 59).unwrap_or_default(),
                Until::Utc(utc) => self.zone.clock(utc.and_utc()),
                Until::Local(clock) => clock,
            });
            bounded &= until.is_some();
            last_until = last_until.max(until);
            if rule.count.is_none() {
                self.rules.push(Expansion::Endless(Box::new(rule), until));
                continue;
            }
            let far = Days::new(COUNTED_YEARS * 366);
            let far = self.start.checked_add_days(far).unwrap_or(self.start);
            let to = until.map_or(far, |until| until.min(far));
            let share = total.share(READING);
            let mut left = share;
            let listed = rule.between(self.start, self.start, to, &mut left);
            total.take(share, left);
            let listed = listed.ok_or("its rule has too many occurrences to be counted")?;
            self.rules.push(Expansion::Listed(listed));
        }
        // The first event is a member of its series, unless the series ended before it.
        let over = bounded && last_until.is_some_and(|until| until < self.start);
        if !over {
            self.added.entry(self.start).or_insert(None);
        }
        Ok(())
    }

    /// Converts to local time in the zone of this event.
    fn clock_of(&self, value: DateTimeValue, zone: &Zone) -> NaiveDateTime {
        match value {
            DateTimeValue::Date(date) => date.into(),
            DateTimeValue::Utc(utc) => self.zone.clock(utc.and_utc()),
            DateTimeValue::Local(clock) if *zone == self.zone => clock,
            DateTimeValue::Local(clock) => self.zone.clock(zone.instant(clock)),
        }
    }
}

/// Events of one `UID`: the recurring one and its overridden occurrences.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EventSeries {
    base: CalendarEvent,
    /// Overridden occurrences by their original local time.
    changed: BTreeMap<NaiveDateTime, CalendarEvent>,
    /// Days of overridden occurrences, where `RECURRENCE-ID` is a date.
    changed_days: BTreeSet<NaiveDate>,
    /// Overrides of an occurrence and all later ones, by original local time, with their shift.
    moved: BTreeMap<NaiveDateTime, (TimeDelta, CalendarEvent)>,
    first: Option<Time>,
    /// End of the last occurrence; `None`: the series is infinite.
    last: Option<Time>,
}

impl EventSeries {
    /// Groups the events of one `UID`; the latest of several versions wins.
    pub(crate) fn group(mut events: Vec<CalendarEvent>, total: &mut Budget) -> Vec<Self> {
        // The later version wins, and of equal ones the one that is written later.
        events.sort_by(|a, b| (a.sequence, &a.stamp).cmp(&(b.sequence, &b.stamp)));
        let (changes, bases): (Vec<CalendarEvent>, Vec<CalendarEvent>) = events
            .into_iter()
            .partition(|event| event.changes.is_some());
        let newest = bases.iter().map(|event| event.sequence).max();
        let mut series: Vec<Self> = bases
            .into_iter()
            .filter(|event| Some(event.sequence) == newest)
            .map(Self::of_event)
            .collect();
        let mut alone = Vec::new();
        let index = series
            .iter()
            .position(|series| !series.base.rules.is_empty() || series.base.added.len() > 1);
        match series.get_mut(index.unwrap_or(0)) {
            Some(base) => changes.into_iter().for_each(|event| base.add_change(event)),
            // Feeds that leave out what is past may show a change without its series.
            None => alone = changes,
        }
        series.extend(alone.into_iter().map(Self::of_event));
        for series in &mut series {
            series.find_bounds(total);
        }
        series
    }

    fn of_event(base: CalendarEvent) -> Self {
        Self {
            base,
            changed: BTreeMap::new(),
            changed_days: BTreeSet::new(),
            moved: BTreeMap::new(),
            first: None,
            last: None,
        }
    }

    fn add_change(&mut self, event: CalendarEvent) {
        let Some((value, zone, later)) = event.changes.clone() else {
            return;
        };
        let original = self.base.clock_of(value, &zone);
        if let DateTimeValue::Date(date) = value {
            self.changed_days.insert(date);
        }
        if later {
            let start = self.base.zone.clock(event.zone.instant(event.start));
            self.moved
                .insert(original, (start - original, event.clone()));
        }
        self.changed.insert(original, event);
    }

    /// Start of the first occurrence, as far as it is known without a full expansion.
    pub(crate) fn first(&self) -> Option<Time> {
        self.first
    }

    /// End of the last occurrence; `None`: the series is infinite.
    pub(crate) fn last(&self) -> Option<Time> {
        self.last
    }

    fn find_bounds(&mut self, total: &mut Budget) {
        let every = self.events().any(|event| !event.cancelled);
        let starts = self
            .base
            .added
            .keys()
            .map(|clock| self.base.zone.instant(*clock));
        let changed = self
            .changed
            .values()
            .map(|event| event.zone.instant(event.start));
        self.first = starts.chain(changed).min().filter(|_| every);
        self.last = self.find_last(total);
    }

    fn find_last(&self, total: &mut Budget) -> Option<Time> {
        let mut last = self
            .base
            .added
            .keys()
            .next_back()
            .copied()
            .unwrap_or(self.base.start);
        for rule in &self.base.rules {
            let at = match rule {
                Expansion::Listed(listed) => listed.last().copied(),
                Expansion::Endless(_, None) => return None,
                Expansion::Endless(_, Some(until)) => Some(*until),
            };
            last = last.max(at.unwrap_or(last));
        }
        // The last occurrence may end before its rule does, so it is searched for backwards.
        let zone = &self.base.zone;
        let end = zone.instant(last).checked_add_signed(self.reach())?;
        let found = [400, 4_000, 40_000].into_iter().find_map(|days| {
            let from = end.checked_sub_days(Days::new(days))?;
            let found = self.between(from, end, total)?;
            found.into_iter().map(|occurrence| occurrence.end).max()
        });
        let changed = self.changed.values().filter(|event| !event.cancelled);
        let changed = changed
            .filter_map(|event| event.length.end(event.start, &event.zone))
            .max();
        Some(found.max(changed).unwrap_or(end))
    }

    fn events(&self) -> impl Iterator<Item = &CalendarEvent> {
        std::iter::once(&self.base).chain(self.changed.values())
    }

    /// Maximum distance of an occurrence from its original time, its duration included.
    fn reach(&self) -> TimeDelta {
        let lengths = self.events().map(|event| event.length.at_most());
        let added = self
            .base
            .added
            .values()
            .flatten()
            .map(|length| length.at_most());
        let longest = lengths.chain(added).max().unwrap_or_default();
        let moved = self
            .moved
            .values()
            .map(|(by, _)| by.abs())
            .max()
            .unwrap_or_default();
        // A day more, since clocks are put forward and back.
        longest + moved + TimeDelta::days(1)
    }

    /// All occurrences that touch `[from, to]`, in no order. `None`: the budget is spent.
    pub(crate) fn between(
        &self,
        from: Time,
        to: Time,
        total: &mut Budget,
    ) -> Option<Vec<Occurrence>> {
        let share = total.share(LOOKING);
        let mut left = share;
        let found = self.look(from, to, &mut left);
        total.take(share, left);
        found
    }

    fn look(&self, from: Time, to: Time, budget: &mut Budget) -> Option<Vec<Occurrence>> {
        let outside = self.first.is_some_and(|first| to < first)
            || self.last.is_some_and(|last| last <= from);
        let mut found = Vec::new();
        if outside {
            return Some(found);
        }
        let reach = self.reach();
        let base = &self.base;
        let clock = |at: Option<Time>, or| at.map_or(or, |at| base.zone.clock(at));
        let begin = clock(from.checked_sub_signed(reach), NaiveDateTime::MIN);
        let end = clock(to.checked_add_signed(reach), NaiveDateTime::MAX);
        let mut originals: BTreeSet<NaiveDateTime> = base
            .added
            .range(begin..=end)
            .map(|(clock, _)| *clock)
            .collect();
        for rule in &base.rules {
            match rule {
                Expansion::Listed(listed) => {
                    let first = listed.partition_point(|clock| *clock < begin);
                    let rest = listed[first..].iter();
                    originals.extend(rest.take_while(|clock| **clock <= end));
                }
                Expansion::Endless(rule, until) => {
                    let end = until.map_or(end, |until| until.min(end));
                    originals.extend(rule.between(base.start, begin, end, budget)?);
                }
            }
        }
        let mut add = |event: &CalendarEvent, start: Time, end: Option<Time>| {
            let Some(end) = end.filter(|end| start < *end && start <= to && from < *end) else {
                return;
            };
            if !event.cancelled {
                found.push(Occurrence {
                    start,
                    end,
                    entry: event.entry,
                });
            }
        };
        for original in originals {
            if self.is_removed(original) || self.is_changed(original) {
                continue;
            }
            let period = base.added.get(&original).copied().flatten();
            let (by, event) = match self.moved.range(..original).next_back() {
                Some((_, (by, event))) => (*by, event),
                None => (TimeDelta::zero(), base),
            };
            let Some(start) = original.checked_add_signed(by) else {
                continue;
            };
            let end = period.unwrap_or(event.length).end(start, &base.zone);
            add(event, base.zone.instant(start), end);
        }
        for (original, event) in &self.changed {
            // A removed day says less than a change of the very occurrence.
            if !base.removed.contains(original) {
                let end = event.length.end(event.start, &event.zone);
                add(event, event.zone.instant(event.start), end);
            }
        }
        Some(found)
    }

    fn is_removed(&self, original: NaiveDateTime) -> bool {
        self.base.removed.contains(&original) || self.base.removed_days.contains(&original.date())
    }

    fn is_changed(&self, original: NaiveDateTime) -> bool {
        self.changed.contains_key(&original) || self.changed_days.contains(&original.date())
    }
}

fn zone_of(property: &Property, zones: &Zones) -> Result<Zone, String> {
    match property.parameter("TZID") {
        Some(id) => zones
            .named(id)
            .ok_or_else(|| format!("its time zone {id} is not defined in the calendar")),
        None => Ok(zones.floating.clone()),
    }
}

/// Parses a date or time with its time zone.
fn read_time(property: &Property, zones: &Zones) -> Result<(DateTimeValue, Zone), String> {
    let value = DateTimeValue::parse(&property.value).ok_or_else(|| {
        format!(
            "it has a {} that cannot be read: {}",
            property.name, property.value
        )
    })?;
    let zone = match value {
        DateTimeValue::Utc(_) => Zone::Utc,
        DateTimeValue::Date(_) => zones.floating.clone(),
        DateTimeValue::Local(_) => zone_of(property, zones)?,
    };
    Ok((value, zone))
}

fn read_length(
    component: &Component,
    start: DateTimeValue,
    zone: &Zone,
    zones: &Zones,
) -> Result<Length, String> {
    if let Some(property) = component.property("DTEND") {
        let (end, end_zone) = read_time(property, zones)?;
        let length = if end_zone == *zone || matches!(end, DateTimeValue::Date(_)) {
            Length::Clock(end.clock() - start.clock())
        } else {
            Length::Exact(end_zone.instant(end.clock()) - zone.instant(start.clock()))
        };
        if length.at_most() < TimeDelta::zero() {
            return Err("it ends before it starts".to_owned());
        }
        return Ok(length);
    }
    if let Some(property) = component.property("DURATION") {
        let duration = DurationValue::parse(&property.value);
        return duration
            .map(Length::Nominal)
            .ok_or_else(|| format!("it has a DURATION that cannot be read: {}", property.value));
    }
    Ok(Length::Clock(match start {
        DateTimeValue::Date(_) => TimeDelta::days(1),
        DateTimeValue::Local(_) | DateTimeValue::Utc(_) => TimeDelta::zero(),
    }))
}

fn period_length(start: DateTimeValue, end: &str, zone: &Zone) -> Result<Length, String> {
    if let Some(duration) = DurationValue::parse(end) {
        return Ok(Length::Nominal(duration));
    }
    let end = DateTimeValue::parse(end).ok_or("it has an RDATE whose period cannot be read")?;
    let instant = |value: DateTimeValue| match value {
        DateTimeValue::Utc(utc) => utc.and_utc(),
        other => zone.instant(other.clock()),
    };
    let length = instant(end) - instant(start);
    if length < TimeDelta::zero() {
        return Err("it has an RDATE whose period ends before it starts".to_owned());
    }
    Ok(Length::Exact(length))
}
