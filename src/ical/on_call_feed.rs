//! Who is on call, by an iCalendar feed (RFC 5545) as PagerDuty, Opsgenie, Grafana and calendars of people offer it:
//!
//! ```text
//! BEGIN:VEVENT
//! UID:Q1@pagerduty.com
//! DTSTART:20261123T080000Z
//! DTEND:20261130T080000Z
//! SUMMARY:On Call - Ada Lovelace - Checkout Primary
//! ATTENDEE:mailto:ada@example.com
//! END:VEVENT
//! ```
//!
//! Who it is, is said by `ATTENDEE`, else by `SUMMARY`. What cannot be read, and any time of which the feed says nothing, is unknown: that
//! nobody is on call is said only where shifts before and after are known.

use std::collections::BTreeMap;

use calcard::common::timezone::Tz as Zone;
use calcard::icalendar::dates::TimeOrDelta;
use calcard::icalendar::{
    ICalendar, ICalendarComponent, ICalendarComponentType, ICalendarEntry, ICalendarParameterName,
    ICalendarParameterValue, ICalendarParticipationStatus, ICalendarProperty, ICalendarStatus,
    ICalendarUserTypes, ICalendarValue,
};
use calcard::{Entry, Parser};
use chrono::{DateTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;

use crate::model::directory::{Identities, Who};
use crate::model::on_call::{OnCall, OnDuty};
use crate::model::settings::Person;
use crate::model::time::Time;

/// Shifts of one entry that comes back at the most: weekly, that is for three hundred years.
const OF_ONE: usize = 20_000;
/// Shifts of a feed at the most.
const OF_ALL: usize = 100_000;
/// Entries that come back at the most.
const RECURRING: usize = 500;
/// People of one shift at the most.
const TOGETHER: usize = 20;
/// Characters of what a feed says of somebody.
const SAID: usize = 120;

/// The shifts of a feed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Rota {
    shifts: Vec<Shift>,
    /// What each entry says of who it is.
    said: Vec<Said>,
    /// How many entries could not be read.
    pub left_out: usize,
    /// Until when those are followed that come back without end.
    followed: Option<Time>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Shift {
    from: Time,
    to: Time,
    /// Which of `said`.
    said: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Said {
    /// Each with an address or a name.
    attendees: Vec<String>,
    summary: String,
}

/// Reads a feed. Times without a zone, and whole days, are those of the feed's own zone, else of `zone`.
///
/// # Errors
/// Why it is no calendar, or not a whole one.
pub(crate) fn read(text: &str, zone: Tz) -> Result<Rota, String> {
    let text = text.trim_start_matches('\u{feff}').trim();
    let begins = text
        .get(..15)
        .is_some_and(|head| head.eq_ignore_ascii_case("BEGIN:VCALENDAR"));
    if !begins {
        return Err("it is no calendar: it does not begin with BEGIN:VCALENDAR".to_owned());
    }
    if !text
        .lines()
        .next_back()
        .is_some_and(|last| last.trim().eq_ignore_ascii_case("END:VCALENDAR"))
    {
        return Err("it is not a whole calendar: it does not end with END:VCALENDAR".to_owned());
    }
    let mut rota = Rota::default();
    let mut parser = Parser::new(text);
    loop {
        match parser.entry() {
            Entry::ICalendar(calendar) => rota.add(calendar, zone),
            Entry::Eof => break,
            Entry::InvalidLine(_) => {}
            _ => {
                return Err("it is a calendar whose parts do not fit together".to_owned());
            }
        }
    }
    rota.shifts.sort_by_key(|shift| (shift.from, shift.said));
    Ok(rota)
}

impl Rota {
    /// With what was known before of the time before this one begins: feeds leave out what is past. At most [`OF_ALL`] shifts of it.
    #[must_use]
    pub(crate) fn after(mut self, before: &Self) -> Self {
        let Some(begins) = self.shifts.first().map(|shift| shift.from) else {
            return self;
        };
        let past: Vec<&Shift> = before
            .shifts
            .iter()
            .take_while(|shift| shift.from < begins)
            .collect();
        let mut kept: Vec<Shift> = Vec::new();
        for shift in &past[past.len().saturating_sub(OF_ALL)..] {
            let Some(said) = before.said.get(shift.said) else {
                continue;
            };
            let known = self.said.iter().position(|known| known == said);
            let said = known.unwrap_or_else(|| {
                self.said.push(said.clone());
                self.said.len() - 1
            });
            kept.push(Shift {
                from: shift.from,
                to: shift.to.min(begins),
                said,
            });
        }
        kept.append(&mut self.shifts);
        self.shifts = kept;
        self
    }

    /// Who is on call at an instant.
    #[must_use]
    pub(crate) fn at(&self, at: Time, who: &Who) -> OnCall {
        let mut found: Vec<OnDuty> = Vec::new();
        for shift in self
            .shifts
            .iter()
            .filter(|shift| shift.from <= at && at < shift.to)
        {
            for duty in self
                .said
                .get(shift.said)
                .map(|said| said.people(who))
                .unwrap_or_default()
            {
                if !found.contains(&duty) && found.len() < TOGETHER {
                    found.push(duty);
                }
            }
        }
        if !found.is_empty() {
            return OnCall::These(found);
        }
        let begins = self.shifts.first().map(|shift| shift.from);
        let ends = self.shifts.iter().map(|shift| shift.to).max();
        match (begins, ends) {
            _ if self.left_out > 0 => {
                OnCall::Unknown(format!("{} of its entries cannot be read", self.left_out))
            }
            _ if self.followed.is_some_and(|until| at >= until) => {
                OnCall::Unknown("an entry comes back too often to be followed".to_owned())
            }
            (Some(begins), Some(ends)) if begins <= at && at < ends => OnCall::Nobody,
            (Some(begins), _) if at < begins => {
                OnCall::Unknown("its calendar begins later".to_owned())
            }
            (Some(_), _) => OnCall::Unknown("its calendar ends before".to_owned()),
            (None, _) => OnCall::Unknown("its calendar is empty".to_owned()),
        }
    }

    fn add(&mut self, calendar: ICalendar, zone: Tz) {
        let zone = calendar
            .components
            .first()
            .and_then(own_zone)
            .unwrap_or(zone);
        let known = calendar.build_owned_tz_resolver();
        let (mut zones, mut once, mut series) = (
            Vec::new(),
            Vec::new(),
            BTreeMap::<String, Vec<ICalendarComponent>>::new(),
        );
        for component in calendar.components {
            match component.component_type {
                ICalendarComponentType::VTimezone => zones.push(component),
                // A time by a clock that we do not have is no time.
                ICalendarComponentType::VEvent
                    if clocks(&component).any(|id| known.resolve(id).is_none()) =>
                {
                    self.left_out += 1;
                }
                ICalendarComponentType::VEvent if component.is_recurrent_or_override() => {
                    series
                        .entry(component.uid().unwrap_or_default().to_owned())
                        .or_default()
                        .push(component);
                }
                ICalendarComponentType::VEvent => once.push(component),
                _ => {}
            }
        }
        self.expand(once, &zones, Zone::from(zone));
        for (index, entries) in series.into_values().enumerate() {
            if index >= RECURRING || self.shifts.len() >= OF_ALL {
                self.left_out += 1;
                continue;
            }
            // What is told in UTC comes back by UTC.
            let fixed = entries
                .iter()
                .filter(|entry| entry.is_recurrent())
                .filter_map(starts)
                .any(|starts| starts.1);
            self.expand(
                entries,
                &zones,
                if fixed { Zone::UTC } else { Zone::from(zone) },
            );
        }
    }

    /// Adds the shifts of these entries.
    fn expand(
        &mut self,
        mut entries: Vec<ICalendarComponent>,
        zones: &[ICalendarComponent],
        zone: Zone,
    ) {
        // An exception is one of its series, however often it was changed since.
        entries.iter_mut().for_each(|entry| {
            entry
                .entries
                .retain(|property| property.name != ICalendarProperty::Sequence);
        });
        let first = self.said.len();
        self.said.extend(entries.iter().map(said));
        let events = entries.len();
        let calendar = ICalendar {
            components: entries.into_iter().chain(zones.iter().cloned()).collect(),
        };
        let limit = OF_ONE.min(OF_ALL.saturating_sub(self.shifts.len()));
        let expanded = calendar.expand_dates(zone, limit);
        self.left_out += expanded.errors.len();
        let recurring = calendar
            .components
            .iter()
            .take(events)
            .any(ICalendarComponent::is_recurrent);
        let endless = recurring && expanded.events.len() >= limit;
        let before = self.shifts.len();
        for event in expanded.events.into_iter().take(OF_ALL) {
            let Some(entry) = usize::try_from(event.comp_id)
                .ok()
                .filter(|index| *index < events)
            else {
                continue;
            };
            let component = &calendar.components[entry];
            if component.status() == Some(&ICalendarStatus::Cancelled) {
                continue;
            }
            let start = settled(&event.start, zone);
            let end = match event.end {
                TimeOrDelta::Time(end) => settled(&end, zone),
                TimeOrDelta::Delta(length) => end_of(component, &event.start, length, zone),
            };
            if start < end {
                self.shifts.push(Shift {
                    from: start,
                    to: end,
                    said: first + entry,
                });
            }
        }
        if endless {
            let until = self
                .shifts
                .iter()
                .skip(before)
                .map(|shift| shift.to)
                .max()
                .unwrap_or(Time::MIN_UTC);
            self.followed = Some(self.followed.map_or(until, |followed| followed.min(until)));
        }
    }
}

/// An instant; of a wall clock that shows a time twice, the first.
fn settled(at: &DateTime<Zone>, zone: Zone) -> Time {
    if at.timezone().is_floating() {
        return zone
            .from_local_datetime(&at.naive_local())
            .earliest()
            .map_or_else(|| at.naive_local().and_utc(), |at| at.to_utc());
    }
    at.to_utc()
}

/// The end of something of that length: by the clock on the wall where its end or whole days are written, as calendars show it, else by
/// the time that passes.
fn end_of(
    entry: &ICalendarComponent,
    start: &DateTime<Zone>,
    length: TimeDelta,
    zone: Zone,
) -> Time {
    let whole_days = length.num_seconds() % 86_400 == 0;
    let zone = if start.timezone().is_floating() {
        zone
    } else {
        start.timezone()
    };
    if entry.has_property(&ICalendarProperty::Dtend) || whole_days {
        let wall = start.naive_local().checked_add_signed(length);
        if let Some(end) = wall.and_then(|wall| zone.from_local_datetime(&wall).earliest()) {
            return end.to_utc();
        }
    }
    settled(start, zone)
        .checked_add_signed(length)
        .unwrap_or(Time::MAX_UTC)
}

/// When it starts, and whether that is told in UTC or with an offset.
fn starts(entry: &ICalendarComponent) -> Option<(DateTime<Utc>, bool)> {
    let value = entry
        .property(&ICalendarProperty::Dtstart)?
        .values
        .first()?
        .as_partial_date_time()?
        .to_date_time()?;
    Some((value.date_time.and_utc(), value.offset.is_some()))
}

/// The zones that an entry names.
fn clocks(entry: &ICalendarComponent) -> impl Iterator<Item = &str> {
    let times = [
        ICalendarProperty::Dtstart,
        ICalendarProperty::Dtend,
        ICalendarProperty::RecurrenceId,
    ];
    entry
        .entries
        .iter()
        .filter(move |property| times.contains(&property.name))
        .filter_map(ICalendarEntry::tz_id)
}

/// `X-WR-TIMEZONE`, which calendars give that people subscribe to.
fn own_zone(calendar: &ICalendarComponent) -> Option<Tz> {
    let names = |entry: &&ICalendarEntry| matches!(&entry.name, ICalendarProperty::Other(name) if name.eq_ignore_ascii_case("X-WR-TIMEZONE"));
    calendar
        .entries
        .iter()
        .find(names)?
        .values
        .first()?
        .as_text()?
        .trim()
        .parse()
        .ok()
}

fn said(entry: &ICalendarComponent) -> Said {
    let attendees = entry
        .properties(&ICalendarProperty::Attendee)
        .filter_map(attendee)
        .take(TOGETHER)
        .collect();
    let summary = entry
        .property(&ICalendarProperty::Summary)
        .and_then(|entry| entry.values.first())
        .and_then(ICalendarValue::as_text);
    Said {
        attendees,
        summary: summary.map(line).unwrap_or_default(),
    }
}

/// Their address, else their name; `None`: they declined, or it is a room.
fn attendee(entry: &ICalendarEntry) -> Option<String> {
    let out = |value: &ICalendarParameterValue| match value {
        ICalendarParameterValue::Partstat(status) => {
            *status == ICalendarParticipationStatus::Declined
        }
        ICalendarParameterValue::Cutype(kind) => matches!(
            kind,
            ICalendarUserTypes::Room | ICalendarUserTypes::Resource
        ),
        _ => false,
    };
    if entry.params.iter().any(|parameter| out(&parameter.value)) {
        return None;
    }
    let address = entry
        .values
        .first()
        .and_then(ICalendarValue::as_text)
        .map(|text| strip(text, "mailto:"))
        .unwrap_or_default();
    let name = || {
        entry
            .parameters(&ICalendarParameterName::Cn)
            .find_map(ICalendarParameterValue::as_text)
            .map(line)
    };
    let address = Some(line(address)).filter(|address| address.contains('@'));
    address.or_else(name).filter(|text| !text.is_empty())
}

/// One line, and not too much of it.
fn line(text: &str) -> String {
    text.split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .chars()
        .filter(|c| !c.is_control())
        .take(SAID)
        .collect()
}

fn strip<'a>(text: &'a str, scheme: &str) -> &'a str {
    match text.get(..scheme.len()) {
        Some(head) if head.eq_ignore_ascii_case(scheme) => &text[scheme.len()..],
        _ => text,
    }
}

impl Said {
    /// Whom it names; what names nobody of the settings stays as it is said.
    fn people(&self, who: &Who) -> Vec<OnDuty> {
        if !self.attendees.is_empty() {
            return self
                .attendees
                .iter()
                .map(|said| duty(said, by_name(said, who)))
                .collect();
        }
        let mut found: Vec<&Person> = parts(&self.summary)
            .into_iter()
            .filter_map(|part| by_name(part, who))
            .collect();
        if found.is_empty() {
            found.extend(in_text(&self.summary, who));
        }
        if found.is_empty() {
            let said = if self.summary.is_empty() {
                "somebody whom the calendar does not name"
            } else {
                &self.summary
            };
            return vec![duty(said, None)];
        }
        found
            .into_iter()
            .map(|person| duty(&person.name, Some(person)))
            .collect()
    }
}

fn duty(said: &str, person: Option<&Person>) -> OnDuty {
    OnDuty {
        name: person.map_or(said, |person| &person.name).to_owned(),
        person: person.map(|person| person.id.clone()),
    }
}

/// Whom a rota calls so: by address, id, name, or as one of the systems that offer rotas names them.
fn by_name<'a>(said: &str, who: &'a Who) -> Option<&'a Person> {
    let none = Identities::new();
    let systems = ["people", "pagerduty", "opsgenie", "grafana"].into_iter();
    systems
        .filter_map(|system| who.person(system, said, &none))
        .next()
}

/// What may be a name in "On Call - Ada Lovelace - Checkout Primary" or "[L1] ada, bo (checkout)".
fn parts(summary: &str) -> Vec<&str> {
    let pieces = summary
        .split([
            ':', '(', ')', '[', ']', ',', ';', '|', '/', '<', '>', '–', '—',
        ])
        .flat_map(|piece| piece.split(" - "));
    let pieces = pieces.map(|piece| piece.trim().trim_matches('-').trim());
    let mut found: Vec<&str> = pieces.clone().filter(|piece| !piece.is_empty()).collect();
    // An address stands out among other words.
    found.extend(
        pieces
            .flat_map(str::split_whitespace)
            .filter(|word| word.contains('@')),
    );
    found
}

/// The only person whose full name, of two words or more, stands in the text.
fn in_text<'a>(text: &str, who: &'a Who) -> Option<&'a Person> {
    let text = text.to_lowercase();
    let stands = |name: &str| {
        let name = name.trim().to_lowercase();
        let outside = |c: Option<char>| !c.is_some_and(char::is_alphanumeric);
        name.contains(' ')
            && text.match_indices(&name).any(|(at, found)| {
                outside(text[..at].chars().next_back())
                    && outside(text[at + found.len()..].chars().next())
            })
    };
    let mut found = who.people().iter().filter(|person| stands(&person.name));
    let first = found.next()?;
    found.next().is_none().then_some(first)
}

#[cfg(test)]
mod tests;
