//! Parser for on-call shifts in iCalendar feeds (RFC 5545), as PagerDuty, Opsgenie, Grafana and
//! calendar servers publish them:
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
//! `ATTENDEE` names the person, else `SUMMARY`. Unparseable entries, and any time before the first
//! shift or after the last, give "unknown"; a gap is reported as unstaffed only between known
//! shifts.

use std::collections::BTreeMap;

use chrono::SecondsFormat;
use chrono_tz::Tz;

use super::content_line::{Component, Property, read_calendars};
use super::recurrence_rule::Budget;
use super::series::{CalendarEvent, EventSeries, Occurrence};
use super::time_zone::Zones;
use crate::model::directory::{Directory, Identities};
use crate::model::on_call::{OnCall, OnCallPerson};
use crate::model::settings::Person;
use crate::model::time::Time;

/// Maximum past shifts kept after a feed drops them.
const MAX_PAST: usize = 100_000;
/// Maximum people per shift.
const MAX_PEOPLE: usize = 20;
/// Maximum characters of a person's name or address.
const MAX_NAME: usize = 120;
/// Step budget for reading a feed and for one lookup: well under a second each.
const READING: u64 = 3_000_000;
const LOOKING: u64 = 1_000_000;

/// On-call feed. Some shifts are listed; most are expanded from recurrence rules on demand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OnCallFeed {
    series: Vec<EventSeries>,
    /// Shifts of an earlier version of the feed, from before this one begins.
    past: Vec<Occurrence>,
    /// People of each entry.
    entries: Vec<Entry>,
    /// Count of unparseable entries, and a short description of the first.
    pub left_out: usize,
    first_left_out: String,
}

/// People of one feed entry.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Entry {
    /// Address or name of each attendee.
    attendees: Vec<String>,
    summary: String,
}

/// Parses a feed. Floating times and whole days use the feed's own zone, else `zone`. An
/// unparseable entry affects no other.
///
/// # Errors
/// The reason why the text is no calendar or a truncated one.
pub fn read(text: &str, zone: Tz) -> Result<OnCallFeed, String> {
    let mut feed = OnCallFeed::default();
    let mut budget = Budget(READING);
    for calendar in read_calendars(text)? {
        let zones = Zones::of_calendar(&calendar, zone, &mut budget);
        let mut by_uid: BTreeMap<String, Vec<CalendarEvent>> = BTreeMap::new();
        for component in &calendar.children {
            if component.name != "VEVENT" {
                continue;
            }
            let uid = component.text("UID").unwrap_or_default();
            feed.entries.push(entry(component));
            match CalendarEvent::read(component, feed.entries.len() - 1, &zones, &mut budget) {
                Ok(event) => by_uid.entry(uid).or_default().push(event),
                Err(why) => feed.leave_out(&uid, &why),
            }
        }
        feed.series.extend(
            by_uid
                .into_values()
                .flat_map(|events| EventSeries::group(events, &mut budget)),
        );
    }
    Ok(feed)
}

impl OnCallFeed {
    fn leave_out(&mut self, uid: &str, why: &str) {
        if self.left_out == 0 {
            let uid = line(uid);
            self.first_left_out = if uid.is_empty() {
                line(why)
            } else {
                format!("{uid}: {}", line(why))
            };
        }
        self.left_out += 1;
    }

    /// Keeps the shifts of an earlier version from before this one begins, since feeds drop past
    /// shifts.
    #[must_use]
    pub(crate) fn with_past_of(mut self, before: &Self) -> Self {
        let Some(begins) = self.begins() else {
            return self;
        };
        let mut past: Vec<Occurrence> = before.past.clone();
        let mut budget = Budget(READING);
        let since = before.series.iter().filter_map(EventSeries::first).min();
        if let Some(since) = since.filter(|since| *since < begins) {
            for series in &before.series {
                let shifts = series.between(since, begins, &mut budget);
                past.extend(shifts.unwrap_or_default());
            }
        }
        past.retain(|shift| shift.start < begins);
        past.sort_by_key(|shift| (shift.start, shift.entry));
        past.dedup();
        let surplus = past.len().saturating_sub(MAX_PAST);
        let mut renumbered: BTreeMap<usize, usize> = BTreeMap::new();
        for shift in &mut past[surplus..] {
            let Some(entry) = before.entries.get(shift.entry) else {
                continue;
            };
            shift.entry = *renumbered.entry(shift.entry).or_insert_with(|| {
                let known = self.entries.iter().position(|known| known == entry);
                known.unwrap_or_else(|| {
                    self.entries.push(entry.clone());
                    self.entries.len() - 1
                })
            });
            shift.end = shift.end.min(begins);
        }
        self.past = past.split_off(surplus);
        self
    }

    /// Start of the first shift.
    fn begins(&self) -> Option<Time> {
        let past = self.past.first().map(|shift| shift.start);
        let series = self.series.iter().filter_map(EventSeries::first).min();
        past.into_iter().chain(series).min()
    }

    /// True when a shift ends, or may end, after an instant.
    fn goes_on_after(&self, at: Time) -> bool {
        let series = self.series.iter().filter(|series| series.first().is_some());
        series
            .map(EventSeries::last)
            .any(|last| last.is_none_or(|last| at < last))
    }

    /// Shifts that cover an instant, in order of their start; false: there may be more.
    fn shifts_at(&self, at: Time) -> (Vec<Occurrence>, bool) {
        let mut budget = Budget(LOOKING);
        let mut complete = true;
        let past = self
            .past
            .iter()
            .filter(|shift| shift.start <= at && at < shift.end);
        let mut shifts: Vec<Occurrence> = past.copied().collect();
        for series in &self.series {
            match series.between(at, at, &mut budget) {
                Some(found) => shifts.extend(found),
                None => complete = false,
            }
        }
        shifts.sort_by_key(|shift| (shift.start, shift.entry));
        (shifts, complete)
    }

    /// Reasons for the answer at an instant: the shifts that cover it, else what is missing.
    #[must_use]
    pub fn reasons_at(&self, at: Time, who: &Directory) -> Vec<String> {
        let mut reasons: Vec<String> = Vec::new();
        for shift in self.shifts_at(at).0 {
            let people = self.entries.get(shift.entry).map(|entry| entry.people(who));
            let names: Vec<String> = people
                .into_iter()
                .flatten()
                .map(|person| person.name)
                .collect();
            let time = |at: Time| at.to_rfc3339_opts(SecondsFormat::Secs, true);
            reasons.push(format!(
                "{}: shift from {} to {}",
                names.join(", "),
                time(shift.start),
                time(shift.end)
            ));
        }
        match self.at(at, who) {
            OnCall::Unknown(why) => reasons.push(why),
            OnCall::Nobody => reasons.push("no shift covers this time".to_owned()),
            OnCall::These(_) => reasons.extend(self.unreadable_entries()),
        }
        reasons
    }

    /// Entries that cannot be read, in a few words; `None` if all can.
    fn unreadable_entries(&self) -> Option<String> {
        let count = match self.left_out {
            0 => return None,
            1 => "1 of its entries".to_owned(),
            count => format!("{count} of its entries"),
        };
        Some(format!("{count} cannot be read ({})", self.first_left_out))
    }

    /// Looks up the people on call at an instant.
    #[must_use]
    pub fn at(&self, at: Time, who: &Directory) -> OnCall {
        let mut found: Vec<OnCallPerson> = Vec::new();
        let (shifts, complete) = self.shifts_at(at);
        for shift in shifts {
            let people = self.entries.get(shift.entry).map(|entry| entry.people(who));
            for duty in people.unwrap_or_default() {
                if !found.contains(&duty) && found.len() < MAX_PEOPLE {
                    found.push(duty);
                }
            }
        }
        if !found.is_empty() {
            return OnCall::These(found);
        }
        if let Some(why) = self.unreadable_entries() {
            return OnCall::Unknown(why);
        }
        if !complete {
            return OnCall::Unknown("an entry recurs too often to be expanded".to_owned());
        }
        match self.begins() {
            None => OnCall::Unknown("its calendar is empty".to_owned()),
            Some(begins) if at < begins => OnCall::Unknown("its calendar begins later".to_owned()),
            Some(_) if self.goes_on_after(at) => OnCall::Nobody,
            Some(_) => OnCall::Unknown("its calendar ends before".to_owned()),
        }
    }
}

fn entry(component: &Component) -> Entry {
    let attendees = component.properties_named("ATTENDEE").filter_map(attendee);
    Entry {
        attendees: attendees.take(MAX_PEOPLE).collect(),
        summary: component
            .text("SUMMARY")
            .map(|text| line(&text))
            .unwrap_or_default(),
    }
}

/// Address of an attendee, else the name. `None`: the person declined, or it is a room.
fn attendee(property: &Property) -> Option<String> {
    let is = |name: &str, values: &[&str]| {
        let value = property.parameter(name);
        value.is_some_and(|value| values.iter().any(|out| value.eq_ignore_ascii_case(out)))
    };
    if is("PARTSTAT", &["DECLINED"]) || is("CUTYPE", &["ROOM", "RESOURCE"]) {
        return None;
    }
    let address = line(strip(property.value.trim(), "mailto:"));
    let name = || property.parameter("CN").map(line);
    let address = Some(address).filter(|address| address.contains('@'));
    address.or_else(name).filter(|text| !text.is_empty())
}

/// Cleans text to one line of bounded length.
fn line(text: &str) -> String {
    text.split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .chars()
        .filter(|c| !c.is_control())
        .take(MAX_NAME)
        .collect()
}

fn strip<'a>(text: &'a str, scheme: &str) -> &'a str {
    match text.get(..scheme.len()) {
        Some(head) if head.eq_ignore_ascii_case(scheme) => &text[scheme.len()..],
        _ => text,
    }
}

impl Entry {
    /// Resolves the people of an entry. A name unknown to the settings is kept as written.
    fn people(&self, who: &Directory) -> Vec<OnCallPerson> {
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
                "a person whom the calendar does not name"
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

fn duty(said: &str, person: Option<&Person>) -> OnCallPerson {
    OnCallPerson {
        name: person.map_or(said, |person| &person.name).to_owned(),
        person: person.map(|person| person.id.clone()),
    }
}

/// Finds a person by address, id, name, or user name in a system that offers on-call feeds.
fn by_name<'a>(said: &str, who: &'a Directory) -> Option<&'a Person> {
    let none = Identities::new();
    let systems = ["people", "pagerduty", "opsgenie", "grafana"].into_iter();
    systems
        .filter_map(|system| who.person(system, said, &none))
        .next()
}

/// Candidate names in a summary such as "On Call - Ada Lovelace - Checkout Primary" or "[L1] ada,
/// bo (checkout)".
fn parts(summary: &str) -> Vec<&str> {
    let pieces = summary
        .split([
            ':', '(', ')', '[', ']', ',', ';', '|', '/', '<', '>', '–', '—',
        ])
        .flat_map(|piece| piece.split(" - "));
    let pieces = pieces.map(|piece| piece.trim().trim_matches('-').trim());
    let mut found: Vec<&str> = pieces.clone().filter(|piece| !piece.is_empty()).collect();
    // An address is recognizable among other words.
    found.extend(
        pieces
            .flat_map(str::split_whitespace)
            .filter(|word| word.contains('@')),
    );
    found
}

/// Finds the only person whose full name, of two words or more, occurs in the text.
fn in_text<'a>(text: &str, who: &'a Directory) -> Option<&'a Person> {
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
