//! The keys `during:` and `outside:` of a criterion.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::ical::holidays;
use crate::rules::counted_hours::{CountedHours, Schedule, united};
use crate::yaml::node::{Node, Value};
use crate::yaml::reader::Reader;
use crate::yaml::scalar::Spanned;
use crate::yaml::weekly_hours::{TimeZone, WeeklyHours};

/// The value of `during:` or `outside:`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HoursEntry {
    /// Hours of the week, such as `Mon-Fri 09:00-18:00`; `22:00-06:00` ends on the next day,
    /// `Sat-Sun` are whole days. Several are separated by commas, or a list.
    #[schemars(required)]
    hours: Option<WeeklyHours>,
    /// Time zone of the hours, such as `Europe/Berlin`.
    #[schemars(extend("default" = "UTC"))]
    time_zone: Option<TimeZone>,
    /// iCalendar files beside this file; the time of their entries is not within the hours.
    #[schemars(extend("default" = []))]
    holidays: Option<Vec<Spanned<String>>>,
}

/// Calendars by path: the texts of the `.ics` files that rules may name.
pub(crate) type Calendars<'a> = BTreeMap<&'a str, &'a str>;

/// Reads both keys of a criterion; `None` when it has neither.
pub(crate) fn read(
    reader: &mut Reader<'_>,
    node: &Node,
    entries: [Option<HoursEntry>; 2],
    calendars: &Calendars<'_>,
) -> Option<CountedHours> {
    let [during, outside] = entries;
    let mut schedule = |key: &str, entry: Option<HoursEntry>| {
        let here = node.get(key)?.position();
        let hours = node.get(key).is_some_and(|node| node.mentions("hours"));
        if !hours {
            let message = "`hours` is missing; write for example `hours: Mon-Fri 09:00-18:00`";
            reader.fault(here, message);
        }
        let entry = entry?;
        let zone = entry.time_zone.map_or(chrono_tz::UTC, |zone| zone.0);
        let mut days = Vec::new();
        for named in entry.holidays.unwrap_or_default() {
            let path = beside(reader.file, &named.value);
            let read = match calendars.get(path.as_str()) {
                Some(text) => holidays::read(text, zone),
                None => Err(format!(
                    "there is no calendar {path}; name an .ics file beside this file"
                )),
            };
            match read {
                Ok(found) => days.extend(found),
                Err(why) => reader.fault(named.position, why),
            }
        }
        Some(Schedule {
            hours: entry.hours?,
            zone,
            holidays: united(days),
        })
    };
    let (during, outside) = (schedule("during", during), schedule("outside", outside));
    (during.is_some() || outside.is_some()).then_some(CountedHours { during, outside })
}

/// The paths of the calendars that a criterion names.
pub(crate) fn named_calendars(file: &str, criterion: &Node) -> Vec<String> {
    let both = ["during", "outside"].into_iter();
    let lists = both.filter_map(|key| match &criterion.get(key)?.get("holidays")?.value {
        Value::List(names) => Some(names),
        _ => None,
    });
    lists
        .flatten()
        .filter_map(|name| match &name.value {
            Value::String(name) => Some(beside(file, name)),
            _ => None,
        })
        .collect()
}

/// A path that starts at the directory of a file.
fn beside(file: &str, path: &str) -> String {
    match file.rsplit_once('/') {
        Some((directory, _)) if !path.starts_with('/') => format!("{directory}/{path}"),
        _ => path.to_owned(),
    }
}
