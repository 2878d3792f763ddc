#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use super::{OnCallFeed, read};
use crate::model::directory::Directory;
use crate::model::on_call::OnCall;
use crate::model::settings::{Hours, Person};
use crate::model::time::Time;

fn who() -> Directory {
    let person = |id: &str, name: &str, alias: &str| Person {
        id: id.into(),
        name: name.into(),
        email: Some(format!("{id}@example.com")),
        time_zone: chrono_tz::UTC,
        hours: Hours {
            days: [true; 7],
            from: 540,
            to: 1020,
        },
        aliases: vec![alias.into()],
    };
    let people = [
        person("ada", "Ada Lovelace", "grafana:ada.l"),
        person("bo", "Bo M.", "opsgenie:bo"),
        person("lin", "Lin", "github:lin"),
    ];
    Directory::new(&people, &[])
}

fn calendar(events: &[&str]) -> String {
    let events: String = events
        .iter()
        .map(|lines| format!("BEGIN:VEVENT\n{}\nEND:VEVENT\n", lines.trim()))
        .collect();
    format!("BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//x//EN\n{events}END:VCALENDAR\n")
        .replace('\n', "\r\n")
}

fn feed(events: &[&str]) -> OnCallFeed {
    read(&calendar(events), chrono_tz::Europe::Berlin).unwrap()
}

fn at(time: &str) -> Time {
    time.parse().unwrap()
}

/// On-call names at `time`, joined; `-` for an unstaffed time, `?` for unknown.
fn on(feed: &OnCallFeed, time: &str) -> String {
    match feed.at(at(time), &who()) {
        OnCall::These(duties) => {
            let named = |duty: &crate::model::on_call::OnCallPerson| {
                duty.person
                    .clone()
                    .unwrap_or_else(|| format!("“{}”", duty.name))
            };
            duties.iter().map(named).collect::<Vec<_>>().join(" ")
        }
        OnCall::Nobody => "-".to_owned(),
        OnCall::Unknown(_) => "?".to_owned(),
    }
}

fn check(feed: &OnCallFeed, expected: &[(&str, &str)]) {
    for (time, who) in expected {
        assert_eq!(on(feed, time), *who, "{time}");
    }
}

const PAGERDUTY: &str = "UID:Q1\nDTSTAMP:20261101T000000Z\nDTSTART;VALUE=DATE-TIME:20261123T080000Z\nDTEND;VALUE=DATE-TIME:20261130T080000Z\n\
                         SUMMARY:On Call - Ada Lovelace - Checkout Primary\nURL:https://acme.pagerduty.com/schedules#P1\nATTENDEE:ada@example.com";
const OPSGENIE: &str = "UID:2\nDTSTART:20261130T080000Z\nDTEND:20261207T080000Z\nSUMMARY:bo@example.com - checkout_schedule\nSTATUS:CONFIRMED";
const GRAFANA: &str = "UID:3\nDTSTART:20261207T080000Z\nDTEND:20261214T080000Z\nSUMMARY:[L1] ada.l\nTRANSP:TRANSPARENT";

#[test]
fn the_feeds_of_each_vendor_are_read() {
    let feed = feed(&[PAGERDUTY, OPSGENIE, GRAFANA]);
    check(
        &feed,
        &[
            ("2026-11-23T07:59:59Z", "?"),
            ("2026-11-23T08:00:00Z", "ada"),
            ("2026-11-30T07:59:59Z", "ada"),
            ("2026-11-30T08:00:00Z", "bo"),
            ("2026-12-07T08:00:00Z", "ada"),
            ("2026-12-14T08:00:00Z", "?"),
        ],
    );
    assert_eq!(feed.left_out, 0);
}

#[test]
fn people_are_found_by_what_a_summary_says() {
    for (summary, expected) in [
        ("On call: Ada Lovelace", "ada"),
        ("Ada Lovelace - checkout primary", "ada"),
        ("Primary on-call is ada lovelace today", "ada"),
        ("[Primary] Bo M. on call", "bo"),
        ("Bo M. (secondary)", "bo"),
        ("ada\\, lin", "ada lin"),
        ("<ada@example.com>", "ada"),
        (
            "On Call - Zoe Q. - Checkout",
            "“On Call - Zoe Q. - Checkout”",
        ),
        // Not the Lin that the settings know.
        ("Lindsey", "“Lindsey”"),
    ] {
        let entry =
            format!("UID:1\nDTSTART:20261123T080000Z\nDTEND:20261130T080000Z\nSUMMARY:{summary}");
        assert_eq!(
            on(&feed(&[&entry]), "2026-11-24T00:00:00Z"),
            expected,
            "{summary}"
        );
    }
}

#[test]
fn declined_attendees_and_rooms_are_not_on_call() {
    let entry = "UID:1\nDTSTART:20261123T080000Z\nDURATION:PT12H\nSUMMARY:Rota\nATTENDEE;CN=Ada;PARTSTAT=DECLINED:mailto:ada@example.com\n\
                 ATTENDEE;CUTYPE=ROOM:mailto:room@example.com\nATTENDEE;CN=Bo:MAILTO:BO@example.com\nATTENDEE;CN=Zoe Q.:invalid:nomail";
    let feed = feed(&[entry]);
    check(
        &feed,
        &[
            ("2026-11-23T08:00:00Z", "bo “Zoe Q.”"),
            ("2026-11-23T19:59:59Z", "bo “Zoe Q.”"),
            ("2026-11-23T20:00:00Z", "?"),
        ],
    );
}

#[test]
fn a_weekly_rota_keeps_its_hour_over_the_change_of_clocks() {
    let weekly = |uid: &str, day: u32, who: &str| {
        format!(
            "UID:{uid}\nDTSTART;TZID=Europe/Berlin:202610{day:02}T090000\nDTEND;TZID=Europe/Berlin:202610{:02}T090000\n\
             RRULE:FREQ=WEEKLY;INTERVAL=2\nSUMMARY:{who}",
            day + 7
        )
    };
    let feed = feed(&[&weekly("1", 5, "ada"), &weekly("2", 12, "bo")]);
    // The clocks go back on 25 October 2026 and forward on 28 March 2027.
    check(
        &feed,
        &[
            ("2026-10-19T06:59:59Z", "bo"),
            ("2026-10-19T07:00:00Z", "ada"),
            ("2026-10-26T07:59:59Z", "ada"),
            ("2026-10-26T08:00:00Z", "bo"),
            ("2027-03-29T06:59:59Z", "ada"),
            ("2027-03-29T07:00:00Z", "bo"),
            ("2040-01-02T12:00:00Z", "bo"),
        ],
    );
}

#[test]
fn utc_series_recurs_in_utc_and_hours_are_elapsed_time() {
    let utc =
        "UID:1\nDTSTART:20260601T080000Z\nDTEND:20260601T200000Z\nRRULE:FREQ=DAILY\nSUMMARY:ada";
    check(
        &feed(&[utc]),
        &[
            ("2026-12-01T07:59:59Z", "-"),
            ("2026-12-01T08:00:00Z", "ada"),
            ("2026-12-01T20:00:00Z", "-"),
        ],
    );
    let length = "UID:1\nDTSTART;TZID=Europe/Berlin:20261024T200000\nDURATION:PT12H\nRRULE:FREQ=DAILY\nSUMMARY:ada";
    check(
        &feed(&[length]),
        &[
            ("2026-10-25T05:59:59Z", "ada"),
            ("2026-10-25T06:00:00Z", "-"),
            ("2026-10-25T19:00:00Z", "ada"),
        ],
    );
}

#[test]
fn a_swap_and_a_cancelled_shift_replace_what_was_planned() {
    let series = "UID:1\nSEQUENCE:0\nDTSTART;TZID=Europe/Berlin:20261102T090000\nDTEND;TZID=Europe/Berlin:20261109T090000\nRRULE:FREQ=WEEKLY\nSUMMARY:ada\n\
                  EXDATE;TZID=Europe/Berlin:20261207T090000";
    let swapped = "UID:1\nSEQUENCE:3\nRECURRENCE-ID;TZID=Europe/Berlin:20261116T090000\nDTSTART;TZID=Europe/Berlin:20261116T090000\n\
                   DTEND;TZID=Europe/Berlin:20261123T090000\nSUMMARY:bo";
    let off = "UID:1\nSEQUENCE:1\nRECURRENCE-ID;TZID=Europe/Berlin:20261123T090000\nDTSTART;TZID=Europe/Berlin:20261123T090000\n\
               DTEND;TZID=Europe/Berlin:20261130T090000\nSTATUS:CANCELLED\nSUMMARY:ada";
    // Another series of the same times: exceptions are of their own.
    let other = "UID:2\nDTSTART;TZID=Europe/Berlin:20261102T090000\nDTEND;TZID=Europe/Berlin:20261109T090000\nRRULE:FREQ=WEEKLY;COUNT=3\nSUMMARY:lin";
    let feed = feed(&[series, swapped, off, other]);
    check(
        &feed,
        &[
            ("2026-11-10T12:00:00Z", "ada lin"),
            ("2026-11-17T12:00:00Z", "bo lin"),
            ("2026-11-24T12:00:00Z", "-"),
            ("2026-12-01T12:00:00Z", "ada"),
            ("2026-12-08T12:00:00Z", "-"),
            ("2026-12-15T12:00:00Z", "ada"),
        ],
    );
}

#[test]
fn a_whole_day_is_one_where_the_rota_is_kept() {
    let day = "UID:1\nDTSTART;VALUE=DATE:20261123\nDTEND;VALUE=DATE:20261125\nSUMMARY:ada";
    check(
        &feed(&[day]),
        &[
            ("2026-11-22T22:59:59Z", "?"),
            ("2026-11-22T23:00:00Z", "ada"),
            ("2026-11-24T22:59:59Z", "ada"),
            ("2026-11-24T23:00:00Z", "?"),
        ],
    );
    let tokyo = calendar(&[day]).replace("PRODID", "X-WR-TIMEZONE:Asia/Tokyo\r\nPRODID");
    let feed = read(&tokyo, chrono_tz::Europe::Berlin).unwrap();
    check(
        &feed,
        &[
            ("2026-11-22T15:00:00Z", "ada"),
            ("2026-11-24T15:00:00Z", "?"),
        ],
    );
}

#[test]
fn past_shifts_dropped_by_the_feed_are_kept() {
    let first = feed(&[PAGERDUTY, OPSGENIE]);
    // It lists what is now, and what comes.
    let later = "UID:2\nDTSTART:20261202T000000Z\nDTEND:20261207T080000Z\nSUMMARY:lin";
    let second = feed(&[later, GRAFANA]).with_past_of(&first);
    check(
        &second,
        &[
            ("2026-11-24T00:00:00Z", "ada"),
            ("2026-12-01T00:00:00Z", "bo"),
            ("2026-12-01T23:59:59Z", "bo"),
            ("2026-12-02T00:00:00Z", "lin"),
            ("2026-12-08T00:00:00Z", "ada"),
        ],
    );
    assert_eq!(
        feed(&[later, GRAFANA]).with_past_of(&second),
        second,
        "the same again is nothing new"
    );
    assert_eq!(feed(&[]).with_past_of(&first), feed(&[]));
}

#[test]
fn unknown_time_zone_makes_the_answer_unknown() {
    let known =
        "UID:1\nDTSTART:20261101T080000Z\nDTEND:20261102T080000Z\nRRULE:FREQ=MONTHLY\nSUMMARY:ada";
    let unknown = "UID:2\nDTSTART;TZID=Customized Time Zone:20261110T080000\nDTEND;TZID=Customized Time Zone:20261120T080000\nSUMMARY:bo";
    let feed = feed(&[known, unknown]);
    check(
        &feed,
        &[
            ("2026-12-01T12:00:00Z", "ada"),
            ("2026-11-15T12:00:00Z", "?"),
        ],
    );
    assert_eq!(feed.left_out, 1);
}

#[test]
fn a_zone_name_that_nothing_defines_is_not_guessed() {
    let entry = "UID:2\nDTSTART;TZID=W. Europe Standard Time:20261110T080000\nDTEND;TZID=W. Europe Standard Time:20261110T090000\nSUMMARY:bo";
    check(&feed(&[entry]), &[("2026-11-10T07:30:00Z", "?")]);
}

#[test]
fn what_is_no_calendar_is_a_fault() {
    let whole = calendar(&[PAGERDUTY]);
    for text in [
        "",
        "<!DOCTYPE html><title>Log in</title>",
        &whole[..whole.len() / 2],
        "BEGIN:VCARD\r\nEND:VCARD",
    ] {
        assert!(read(text, chrono_tz::UTC).is_err(), "{text}");
    }
    check(&feed(&[]), &[("2026-11-10T07:30:00Z", "?")]);
}

#[test]
fn endless_rules_are_followed_as_far_as_they_can_be() {
    for (rule, expected) in [
        ("FREQ=SECONDLY", "?"),
        ("FREQ=HOURLY", "-"),
        ("FREQ=DAILY;BYHOUR=0;BYMINUTE=30;BYSECOND=0", "ada"),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "-"),
        ("FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30", "-"),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30;COUNT=3", "?"),
        ("FREQ=SECONDLY;COUNT=4000000000", "?"),
    ] {
        let entry = format!(
            "UID:1\nDTSTART:20200101T000000Z\nDTEND:20200101T000001Z\nRRULE:{rule}\nSUMMARY:ada"
        );
        assert_eq!(
            on(&feed(&[&entry]), "2029-01-01T00:30:00Z"),
            expected,
            "{rule}"
        );
    }
}

#[test]
fn a_megabyte_of_hostile_rules_costs_other_entries_nothing() {
    let rules = [
        "FREQ=SECONDLY;COUNT=4000000000",
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30;COUNT=2000000000",
        "FREQ=SECONDLY;INTERVAL=7",
        "FREQ=MINUTELY;BYSECOND=0,1,2,3,4,5;BYSETPOS=-1;UNTIL=29991231T000000Z",
        "FREQ=YEARLY;BYHOUR=0,1,2,3,4,5,6,7;BYMINUTE=0,1,2,3,4,5,6,7;BYSECOND=0,1,2,3,4,5,6,7;BYYEARDAY=-1",
    ];
    let entry = |number: usize, rule: &str| {
        format!("UID:{number}\nDTSTART:19700101T000000Z\nDTEND:19700101T000001Z\nRRULE:{rule}")
    };
    let mut entries: Vec<String> = (0..10_000)
        .map(|number| entry(number, rules[number % rules.len()]))
        .collect();
    entries.push("UID:x\nDTSTART:20261110T070000Z\nDTEND:20261110T080000Z\nSUMMARY:ada".to_owned());
    entries.push(
        "UID:y\nDTSTART:20201110T070000Z\nDTEND:20201110T080000Z\nRRULE:FREQ=WEEKLY;BYDAY=TU\nSUMMARY:bo"
            .to_owned(),
    );
    let entries: Vec<&str> = entries.iter().map(String::as_str).collect();
    assert!(entries.iter().map(|entry| entry.len()).sum::<usize>() > 1_000_000);
    let feed = feed(&entries);
    check(
        &feed,
        &[
            ("2026-11-10T07:30:00Z", "ada bo"),
            ("2026-11-10T09:30:00Z", "?"),
        ],
    );
}

/// Feed with shifts long before and long after, so that a gap between them is known.
fn between_years(events: &[&str]) -> OnCallFeed {
    let far = [
        "UID:far1\nDTSTART:20250101T000000Z\nDTEND:20250101T010000Z\nSUMMARY:lin",
        "UID:far2\nDTSTART:20280101T000000Z\nDTEND:20280101T010000Z\nSUMMARY:lin",
    ];
    feed(&[&far[..], events].concat())
}

#[test]
fn a_shift_in_the_hour_that_comes_twice_or_never_begins_once() {
    check(
        &between_years(&[
            "UID:s\nDTSTART;TZID=America/New_York:20261025T013000\nDTEND;TZID=America/New_York:20261025T093000\nRRULE:FREQ=DAILY\nSUMMARY:ada",
        ]),
        &[
            ("2026-10-31T06:00:00Z", "ada"),
            ("2026-11-01T01:00:00Z", "-"),
            ("2026-11-01T05:45:00Z", "ada"),
            ("2026-11-01T10:00:00Z", "ada"),
            ("2026-11-02T07:00:00Z", "ada"),
        ],
    );
    check(
        &between_years(&[
            "UID:s\nDTSTART;TZID=Europe/Berlin:20261025T020000\nDTEND;TZID=Europe/Berlin:20261025T100000\nSUMMARY:ada",
        ]),
        &[
            ("2026-10-25T00:30:00Z", "ada"),
            ("2026-10-25T05:00:00Z", "ada"),
            ("2026-10-25T12:00:00Z", "-"),
        ],
    );
    check(
        &between_years(&[
            "UID:s\nDTSTART;TZID=Europe/Berlin:20260325T023000\nDTEND;TZID=Europe/Berlin:20260325T103000\nRRULE:FREQ=DAILY\nSUMMARY:ada",
        ]),
        &[
            ("2026-03-28T02:00:00Z", "ada"),
            ("2026-03-29T02:00:00Z", "ada"),
            ("2026-03-29T05:00:00Z", "ada"),
        ],
    );
}

#[test]
fn an_exdate_that_names_a_day_removes_the_shift_of_that_day() {
    check(
        &between_years(&[
            "UID:s\nDTSTART;TZID=Europe/Berlin:20261102T090000\nDTEND;TZID=Europe/Berlin:20261102T170000\nRRULE:FREQ=WEEKLY\nEXDATE;VALUE=DATE:20261116\nSUMMARY:ada",
            "UID:t\nDTSTART;TZID=Europe/Berlin:20261116T090000\nDTEND;TZID=Europe/Berlin:20261116T170000\nSUMMARY:bo",
        ]),
        &[
            ("2026-11-09T10:00:00Z", "ada"),
            ("2026-11-16T10:00:00Z", "bo"),
            ("2026-11-23T10:00:00Z", "ada"),
        ],
    );
}

#[test]
fn pt24h_is_exact_and_p1d_follows_the_clock() {
    check(
        &between_years(&[
            "UID:s\nDTSTART;TZID=Europe/Berlin:20261024T200000\nDURATION:PT24H\nSUMMARY:ada",
            "UID:t\nDTSTART;TZID=Europe/Berlin:20261026T200000\nDURATION:P1D\nSUMMARY:bo",
        ]),
        &[
            ("2026-10-25T17:30:00Z", "ada"),
            ("2026-10-25T18:30:00Z", "-"),
            ("2026-10-27T18:30:00Z", "bo"),
        ],
    );
}

#[test]
fn an_added_date_can_be_swapped_and_removed() {
    check(
        &between_years(&[
            "UID:s\nDTSTART;TZID=Europe/Berlin:20261102T090000\nDTEND;TZID=Europe/Berlin:20261102T170000\nRDATE;TZID=Europe/Berlin:20261109T090000,20261116T090000,20261123T090000\nEXDATE;TZID=Europe/Berlin:20261123T090000\nSUMMARY:ada",
            "UID:s\nRECURRENCE-ID;TZID=Europe/Berlin:20261116T090000\nDTSTART;TZID=Europe/Berlin:20261116T090000\nDTEND;TZID=Europe/Berlin:20261116T170000\nSUMMARY:bo",
        ]),
        &[
            ("2026-11-02T10:00:00Z", "ada"),
            ("2026-11-09T10:00:00Z", "ada"),
            ("2026-11-16T10:00:00Z", "bo"),
            ("2026-11-23T10:00:00Z", "-"),
        ],
    );
    check(
        &between_years(&[
            "UID:s\nDTSTART;TZID=Europe/Berlin:20261102T090000\nDTEND;TZID=Europe/Berlin:20261102T170000\nRRULE:FREQ=WEEKLY;COUNT=3\nRDATE;TZID=Europe/Berlin:20261118T090000\nSUMMARY:ada",
            "UID:s\nRECURRENCE-ID;TZID=Europe/Berlin:20261118T090000\nDTSTART;TZID=Europe/Berlin:20261118T090000\nDTEND;TZID=Europe/Berlin:20261118T170000\nSUMMARY:bo",
        ]),
        &[
            ("2026-11-16T10:00:00Z", "ada"),
            ("2026-11-18T10:00:00Z", "bo"),
        ],
    );
    check(
        &between_years(&[
            "UID:s\nDTSTART;VALUE=DATE:20261109\nDTEND;VALUE=DATE:20261110\nRRULE:FREQ=DAILY;COUNT=5\nSUMMARY:ada",
            "UID:s\nRECURRENCE-ID;VALUE=DATE:20261111\nDTSTART;VALUE=DATE:20261111\nDTEND;VALUE=DATE:20261112\nSUMMARY:bo",
        ]),
        &[
            ("2026-11-10T10:00:00Z", "ada"),
            ("2026-11-11T10:00:00Z", "bo"),
            ("2026-11-12T10:00:00Z", "ada"),
        ],
    );
}

#[test]
fn a_change_of_all_later_shifts_keeps_their_original_times() {
    check(
        &between_years(&[
            "UID:s\nDTSTART;TZID=Europe/Berlin:20261026T090000\nDTEND;TZID=Europe/Berlin:20261026T170000\nRRULE:FREQ=WEEKLY\nSUMMARY:ada",
            "UID:s\nRECURRENCE-ID;RANGE=THISANDFUTURE;TZID=Europe/Berlin:20261102T090000\nDTSTART;TZID=Europe/Berlin:20261102T100000\nDTEND;TZID=Europe/Berlin:20261102T200000\nSUMMARY:bo",
            "UID:s\nRECURRENCE-ID;TZID=Europe/Berlin:20261116T090000\nDTSTART;TZID=Europe/Berlin:20261116T100000\nDTEND;TZID=Europe/Berlin:20261116T200000\nSUMMARY:lin",
        ]),
        &[
            ("2026-10-26T10:00:00Z", "ada"),
            ("2026-11-02T12:00:00Z", "bo"),
            ("2026-11-09T12:00:00Z", "bo"),
            ("2026-11-09T18:30:00Z", "bo"),
            ("2026-11-16T12:00:00Z", "lin"),
            ("2026-11-23T12:00:00Z", "bo"),
        ],
    );
    check(
        &between_years(&[
            "UID:s\nDTSTART;TZID=Europe/Berlin:20261026T090000\nDTEND;TZID=Europe/Berlin:20261026T170000\nRRULE:FREQ=WEEKLY\nEXDATE;TZID=Europe/Berlin:20261116T090000\nSUMMARY:ada",
            "UID:s\nRECURRENCE-ID;RANGE=THISANDFUTURE;TZID=Europe/Berlin:20261102T090000\nDTSTART;TZID=Europe/Berlin:20261102T100000\nDTEND;TZID=Europe/Berlin:20261102T180000\nSUMMARY:bo",
        ]),
        &[
            ("2026-11-09T10:00:00Z", "bo"),
            ("2026-11-16T10:00:00Z", "-"),
            ("2026-11-23T10:00:00Z", "bo"),
        ],
    );
}

#[test]
fn start_and_end_may_be_in_different_zones() {
    check(
        &between_years(&[
            "UID:s\nDTSTART;TZID=Europe/Berlin:20261102T090000\nDTEND;TZID=America/New_York:20261102T090000\nRRULE:FREQ=WEEKLY\nSUMMARY:ada",
        ]),
        &[
            ("2026-11-09T12:00:00Z", "ada"),
            ("2026-11-09T14:30:00Z", "-"),
        ],
    );
    check(
        &between_years(&[
            "UID:s\nDTSTART;TZID=America/New_York:20261102T090000\nDTEND:20261102T220000Z\nRRULE:FREQ=WEEKLY\nSUMMARY:ada",
        ]),
        &[
            ("2026-11-09T21:00:00Z", "ada"),
            ("2026-11-09T23:00:00Z", "-"),
        ],
    );
    check(
        &between_years(&[
            "UID:h\nDTSTART;TZID=Europe/Berlin:20261102T090000\nDTEND;TZID=Europe/Berlin:20261102T090000\nRRULE:FREQ=WEEKLY\nSUMMARY:Handover",
            "UID:s\nDTSTART;TZID=Europe/Berlin:20261102T090000\nDTEND;TZID=Europe/Berlin:20261102T170000\nRRULE:FREQ=WEEKLY;COUNT=5\nSUMMARY:ada",
        ]),
        &[
            ("2026-11-09T10:00:00Z", "ada"),
            ("2026-11-10T10:00:00Z", "-"),
        ],
    );
}

#[test]
fn until_as_a_date_includes_that_day() {
    check(
        &between_years(&[
            "UID:s\nDTSTART;TZID=Europe/Berlin:20261102T090000\nDTEND;TZID=Europe/Berlin:20261102T170000\nRRULE:FREQ=WEEKLY;UNTIL=20261123\nSUMMARY:ada",
        ]),
        &[
            ("2026-11-16T10:00:00Z", "ada"),
            ("2026-11-23T10:00:00Z", "ada"),
        ],
    );
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_panic(lines in proptest::collection::vec("(DTSTART|DTEND|DURATION|RRULE|UID|SUMMARY|ATTENDEE|RECURRENCE-ID|EXDATE|RDATE)(;TZID=Europe/Berlin|;VALUE=DATE)?:(20261123(T0[0-9]30[0-9]0Z?)?|P1D|PT[0-9]H|FREQ=(DAILY|WEEKLY);COUNT=[0-9]|\\PC{0,12})", 0..12)) {
        let _ = read(&calendar(&[&lines.join("\n")]), chrono_tz::Europe::Berlin);
    }
}
