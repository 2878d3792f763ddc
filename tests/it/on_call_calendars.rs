//! On-call calendars compared with python's recurring-ical-events over the same feeds: recurrence
//! rules, time zones, clock changes, added, removed and changed shifts.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use afterword::ical::on_call_feed::{OnCallFeed, read};
use afterword::model::directory::Directory;
use afterword::model::on_call::OnCall;
use chrono::{DateTime, Days, NaiveDate, NaiveDateTime, TimeDelta, Utc};

use crate::rng::Rng;

/// Feeds that are compared; `AFTERWORD_CALENDARS` says how many.
const FEEDS: usize = 2_000;
/// Instants of which each is asked.
const INSTANTS: usize = 40;
/// What most feeds of the trade name; one of them shifts its clocks by half an hour.
const ZONES: &[&str] = &[
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "Own/Zone",
    "UTC",
];
/// A zone that no database knows: the feed defines it, with the rules of central Europe.
const OWN_ZONE: &str = "BEGIN:VTIMEZONE\r\nTZID:Own/Zone\r\n\
    BEGIN:DAYLIGHT\r\nDTSTART:19810329T020000\r\nTZOFFSETFROM:+0100\r\nTZOFFSETTO:+0200\r\n\
    RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU\r\nEND:DAYLIGHT\r\n\
    BEGIN:STANDARD\r\nDTSTART:19961027T030000\r\nTZOFFSETFROM:+0200\r\nTZOFFSETTO:+0100\r\n\
    RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n";

#[test]
fn generated_calendars_answer_as_recurring_ical_events_does() {
    #[expect(clippy::disallowed_methods, reason = "more calendars by hand")]
    let asked = std::env::var("AFTERWORD_CALENDARS").ok();
    let count = asked.map_or(FEEDS, |text| text.parse().unwrap());
    let directory = tempfile::tempdir().unwrap();
    let (feeds, answers) = (
        directory.path().join("feeds"),
        directory.path().join("answers"),
    );
    let cases: Vec<Case> = (0..count).map(|seed| Case::generate(seed as u64)).collect();
    let lines: Vec<String> = cases.iter().map(Case::line).collect();
    std::fs::write(&feeds, lines.join("\n")).unwrap();
    let python = std::process::Command::new("target/python/bin/python")
        .args([
            "tests/it/recurring.py".as_ref(),
            feeds.as_os_str(),
            answers.as_os_str(),
        ])
        .output()
        .expect("target/python/bin/python, which tests/run.sh installs");
    assert!(
        python.status.success(),
        "{}",
        String::from_utf8_lossy(&python.stderr)
    );
    let answers = std::fs::read_to_string(&answers).unwrap();
    let mut differences = String::new();
    let (mut wrong, mut on_call) = (0, 0);
    for (case, line) in cases.iter().zip(answers.lines()) {
        let expected: Vec<BTreeSet<String>> = serde_json::from_str(line).unwrap();
        let feed = read(&case.ics, chrono_tz::Europe::Berlin).unwrap();
        for (at, expected) in case.instants.iter().zip(expected) {
            let found = names(&feed, *at);
            on_call += usize::from(!expected.is_empty());
            if found.as_ref() != Some(&expected) {
                wrong += 1;
                if wrong < 6 {
                    writeln!(
                        differences,
                        "{at}: {found:?} but {expected:?}\n{}",
                        case.ics
                    )
                    .unwrap();
                }
            }
        }
    }
    assert_eq!(wrong, 0, "of {} answers:\n{differences}", count * INSTANTS);
    assert!(
        on_call * 4 > count * INSTANTS,
        "only {on_call} answers name somebody"
    );
}

/// The names on call; `None`: the feed was not understood.
fn names(feed: &OnCallFeed, at: DateTime<Utc>) -> Option<BTreeSet<String>> {
    match feed.at(at, &Directory::default()) {
        OnCall::These(people) => Some(people.into_iter().map(|duty| duty.name).collect()),
        OnCall::Nobody => Some(BTreeSet::new()),
        OnCall::Unknown(why) => why.contains("its calendar").then(BTreeSet::new),
    }
}

struct Case {
    ics: String,
    instants: Vec<DateTime<Utc>>,
}

impl Case {
    fn line(&self) -> String {
        let instants: Vec<String> = self.instants.iter().map(DateTime::to_rfc3339).collect();
        serde_json::json!({"ics": self.ics, "instants": instants}).to_string()
    }

    fn generate(seed: u64) -> Self {
        let mut dice = Rng::seeded(seed);
        // The weeks around a change of the clocks, in autumn or spring of the north.
        let (year, month) = [(2026, 10), (2026, 3)][dice.below(2)];
        let window = NaiveDate::from_ymd_opt(year, month, 10).unwrap();
        let mut ics = format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//EN\r\n{OWN_ZONE}");
        for number in 0..=dice.below(3) {
            ics += &event(&mut dice, number, window);
        }
        ics += "END:VCALENDAR\r\n";
        let first = window.and_hms_opt(0, 0, 0).unwrap().and_utc();
        let instants = (0..INSTANTS)
            .map(|_| first + TimeDelta::minutes(15 * dice.below(60 * 96) as i64))
            .collect();
        Self { ics, instants }
    }
}

/// One event, and what was changed of its series.
fn event(dice: &mut Rng, number: usize, window: NaiveDate) -> String {
    let zone = ZONES[dice.below(ZONES.len())];
    let whole_days = dice.below(6) == 0;
    let back = [0, 3, 20, 200, 400][dice.below(5)];
    let date = window + Days::new(dice.below(25) as u64) - Days::new(back);
    let hour = [0, 1, 2, 3, 8, 9, 17, 23][dice.below(8)];
    let start = date
        .and_hms_opt(hour, [0, 0, 30][dice.below(3)], 0)
        .unwrap();
    let value = |name: &str, at: NaiveDateTime| match (whole_days, zone) {
        (true, _) => format!("{name};VALUE=DATE:{}", at.format("%Y%m%d")),
        (_, "UTC") => format!("{name}:{}Z", at.format("%Y%m%dT%H%M%S")),
        _ => format!("{name};TZID={zone}:{}", at.format("%Y%m%dT%H%M%S")),
    };
    let length = match whole_days {
        true => TimeDelta::days(1 + dice.below(7) as i64),
        false => TimeDelta::hours([1, 4, 8, 12, 24, 48, 168][dice.below(7)]),
    };
    let fixed = matches!(zone, "UTC" | "Asia/Kolkata");
    let end = match dice.below(4) {
        0 if length.num_days() > 0 && length.num_hours() % 24 == 0 => {
            format!("DURATION:P{}D", length.num_days())
        }
        1 if fixed && !whole_days => format!("DURATION:PT{}H", length.num_hours()),
        _ => value("DTEND", start + length),
    };
    let step = [1, 7, 14][dice.below(3)];
    let member = |dice: &mut Rng| start + TimeDelta::days(step * dice.below(30) as i64);
    let mut lines = vec![value("DTSTART", start), end];
    let recurs = dice.below(5) > 0;
    if recurs {
        lines.push(rule(dice, step, start, whole_days));
    }
    for _ in 0..[0, 0, 1, 3][dice.below(4)] {
        lines.push(value(
            "RDATE",
            member(dice) + TimeDelta::hours(if whole_days { 0 } else { 5 }),
        ));
    }
    for _ in 0..[0, 0, 1, 3][dice.below(4)] {
        let removed = member(dice);
        let by_day = !whole_days && dice.below(4) == 0;
        lines.push(match by_day {
            true => format!("EXDATE;VALUE=DATE:{}", removed.format("%Y%m%d")),
            false => value("EXDATE", removed),
        });
    }
    let mut text = vevent(number, &format!("P{number}"), &lines);
    let mut changed = BTreeSet::new();
    for version in 0..[0, 0, 1, 2][dice.below(4)] {
        let original = member(dice);
        if !recurs || !changed.insert(original) {
            continue;
        }
        let by = match whole_days {
            true => TimeDelta::days(dice.below(3) as i64 - 1),
            false => TimeDelta::hours(dice.below(7) as i64 - 3),
        };
        let mut id = value("RECURRENCE-ID", original);
        if dice.below(3) == 0 {
            id = id.replacen("RECURRENCE-ID", "RECURRENCE-ID;RANGE=THISANDFUTURE", 1);
        }
        let lines = [
            id,
            value("DTSTART", original + by),
            value("DTEND", original + by + length),
        ];
        text += &vevent(number, &format!("C{number}{version}"), &lines);
    }
    text
}

fn vevent(number: usize, name: &str, lines: &[String]) -> String {
    let lines = lines.join("\r\n");
    format!(
        "BEGIN:VEVENT\r\nUID:{number}\r\nDTSTAMP:20260101T000000Z\r\nSUMMARY:{name}\r\n{lines}\r\nEND:VEVENT\r\n"
    )
}

fn rule(dice: &mut Rng, step: i64, start: NaiveDateTime, whole_days: bool) -> String {
    let mut rule = match dice.below(8) {
        0..3 => match step {
            1 => "FREQ=DAILY".to_owned(),
            days => format!("FREQ=WEEKLY;INTERVAL={}", days / 7),
        },
        3 => format!("FREQ=DAILY;INTERVAL={}", 1 + dice.below(9)),
        4 => [
            "FREQ=WEEKLY;BYDAY=MO,TU,WE",
            "FREQ=WEEKLY;INTERVAL=2;BYDAY=SU,TU;WKST=SU",
        ][dice.below(2)]
        .to_owned(),
        5 => [
            "FREQ=MONTHLY",
            "FREQ=MONTHLY;BYMONTHDAY=-1",
            "FREQ=MONTHLY;BYDAY=2MO,-1FR",
            "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
        ][dice.below(4)]
        .to_owned(),
        6 => [
            "FREQ=YEARLY;BYMONTH=3,10;BYDAY=-1SU",
            "FREQ=YEARLY;BYWEEKNO=12,13,43,44;BYDAY=MO",
            "FREQ=YEARLY;BYYEARDAY=80,90,300,-60",
            "FREQ=YEARLY",
        ][dice.below(4)]
        .to_owned(),
        _ if whole_days => "FREQ=DAILY".to_owned(),
        _ => ["FREQ=HOURLY;INTERVAL=36", "FREQ=DAILY;BYHOUR=6,18"][dice.below(2)].to_owned(),
    };
    match dice.below(4) {
        0 => write!(rule, ";COUNT={}", 1 + dice.below(60)).unwrap(),
        1 => {
            let until = start.date() + Days::new(dice.below(500) as u64);
            match whole_days {
                true => write!(rule, ";UNTIL={}", until.format("%Y%m%d")).unwrap(),
                false => write!(rule, ";UNTIL={}T120000Z", until.format("%Y%m%d")).unwrap(),
            }
        }
        _ => {}
    }
    format!("RRULE:{rule}")
}
