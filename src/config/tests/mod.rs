#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod sources;

use chrono::TimeZone;

use crate::config::credentials::{Access, Auth, SecretRef};
use crate::config::parse::parse;
use crate::config::people::OnCallCalendar;
use crate::config::settings::{Config, InviteSending, NameStyle};
use crate::config::source_auth::SourceAuth;
use crate::config::storage::Storage;
use crate::model::settings::Hours;

const EXAMPLE: &str = r#"
listen: 127.0.0.1:9099
external_url: http://127.0.0.1:9099
storage: sqlite://data/afterword.db
rules: [rules/*.yaml]
labels: {service: [service, app, job], severity: [severity], environment: [environment, env, stage]}
sources:
  - name: alertmanager
    kind: alertmanager
    auth: {bearer_token_file: /run/secrets/alertmanager}
services:
  - {name: checkout, owners: [ada], stakeholders: [lin], depends_on: [payments], automatic: [restart, failover, scale]}
people:
  - {id: ada, name: Ada L., email: ada@example.com, time_zone: Europe/Berlin, hours: Mon-Fri 09:00-17:00,
     aliases: [pagerduty:PABC123, kubernetes:ada@example.com, github:ada]}
  - {id: lin}
defaults: {time_zone: Asia/Tokyo, hours: "Sun-Thu 08:30-16:00"}
postmortems: {directory: data/postmortems, names: role}
meetings:
  directory: data/invites
  organizer: postmortems@example.com
  facilitators: [lin]
  send: after_approval
maintenance: [{service: checkout, from: 2026-12-01T22:00Z, to: 2026-12-02T02:00:30+01:00, why: new disks}]
access: {token: "${AFTERWORD_TOKEN}"}
"#;

fn config(text: &str) -> Config {
    parse("f.yaml", text).unwrap_or_else(|faults| panic!("{text}\n{faults:#?}"))
}

fn faults(text: &str) -> Vec<String> {
    parse("f", text)
        .err()
        .unwrap_or_default()
        .iter()
        .map(ToString::to_string)
        .collect()
}

/// The text has exactly one fault, and it says this.
#[track_caller]
fn check(text: &str, expected: &str) {
    let found = faults(text);
    assert!(
        found.len() == 1 && found[0].contains(expected),
        "{text}\nexpected {expected}\nfound {found:#?}"
    );
}

#[test]
fn empty_file_gives_the_defaults() {
    for text in [
        "",
        "# only this\n",
        "people:\nsources:\nmeetings:\naccess:\n",
    ] {
        assert_eq!(config(text), Config::default(), "{text:?}");
    }
}

#[test]
fn the_documented_example_is_read() {
    let config = config(EXAMPLE);
    assert_eq!(
        config.storage,
        Storage::Sqlite("data/afterword.db".to_owned())
    );
    assert_eq!(config.rules, ["rules/*.yaml"]);
    assert_eq!(
        config.sources[0].auth,
        SourceAuth::Shown(Auth::Bearer(SecretRef::File(
            "/run/secrets/alertmanager".to_owned()
        )))
    );
    assert_eq!(
        config.services[0].automatic,
        ["restart", "failover", "scale"]
    );
    let [ada, lin] = config.people.as_slice() else {
        panic!("{:?}", config.people)
    };
    assert_eq!(
        (ada.time_zone, ada.email.as_deref()),
        (chrono_tz::Europe::Berlin, Some("ada@example.com"))
    );
    assert_eq!(ada.hours, Config::default().hours);
    assert_eq!(
        (lin.name.as_str(), lin.time_zone),
        ("lin", chrono_tz::Asia::Tokyo)
    );
    assert_eq!(
        lin.hours,
        Hours {
            days: [true, true, true, true, false, false, true],
            from: 510,
            to: 960
        }
    );
    assert_eq!(
        (config.names, config.meetings.send, config.meetings.minutes),
        (NameStyle::Role, InviteSending::AfterApproval, 60)
    );
    assert_eq!(
        config.maintenance[0].from,
        chrono::Utc.with_ymd_and_hms(2026, 12, 1, 22, 0, 0).unwrap()
    );
    assert_eq!(
        config.maintenance[0].to,
        chrono::Utc.with_ymd_and_hms(2026, 12, 2, 1, 0, 30).unwrap()
    );
    assert_eq!(
        config.access,
        Some(Access {
            token: SecretRef::Env("AFTERWORD_TOKEN".to_owned())
        })
    );
}

#[test]
fn severities_of_a_team_are_a_scale() {
    let config = config(
        "severities: [{name: SEV1, from: [critical, P1]}, SEV2, SEV3]\nlabels: {severity: [urgency]}",
    );
    let scale = &config.labels.scale;
    assert_eq!(scale.names().collect::<Vec<_>>(), ["SEV1", "SEV2", "SEV3"]);
    assert_eq!(
        scale.find("p1").map(|found| found.word().to_owned()),
        Some("SEV1".to_owned())
    );
    check("severities: [SEV1, {name: SEV2, from: [sev1]}]", "sev1");
    check("severities: [{from: [P1]}]", "`name` is missing");
    check("severities: [unknown]", "use another name");
    check(
        "severities: [a severity with a very long name]",
        "at most 22 letters",
    );
}

#[test]
fn keys_that_are_not_known_are_faults_at_their_place() {
    check(
        "listne: 127.0.0.1:1",
        "f:1:1: unknown key `listne`; did you mean `listen`?",
    );
    check(
        "\n\nzzzzzzzzzzz: 1",
        "f:3:1: unknown key `zzzzzzzzzzz`; known: `listen`, ",
    );
    check(
        "people: [{id: a, emial: a@b.c}]",
        "f:1:18: unknown key `emial`; did you mean `email`?",
    );
    check(
        "meetings: {send: automatc}",
        "f:1:18: unknown value `automatc`; did you mean `automatic`?",
    );
    check("postmortems: {names: roles}", "did you mean `role`?");
    check(
        "labels: {severities: {P1: crtical}}",
        "did you mean `critical`?",
    );
    check("- a", "the settings must be a map, found a list");
    check(
        "people: ada",
        "`people` must be a list, found the text \"ada\"",
    );
    check("defaults: [UTC]", "f:1:11: expected a map, found a list");
}

#[test]
fn retention_has_defaults_and_bounds() {
    let retention = |text: &str| {
        let found = config(text).retention;
        (found.events / 3600, found.raw / 3600)
    };
    assert_eq!(retention(""), (400 * 24, 30 * 24));
    assert_eq!(
        retention("retention: {events: 90d, raw: 12h}"),
        (90 * 24, 12)
    );
    assert_eq!(
        retention("retention: {events: 7d}"),
        (7 * 24, 7 * 24),
        "bodies go with their events"
    );
    assert_eq!(retention("retention: {raw: 0}"), (400 * 24, 0));
    check(
        "retention: {events: 1h}",
        "f:1:21: events are kept for at least 1d",
    );
    check(
        "retention: {events: 2d, raw: 3d}",
        "f:1:30: bodies cannot be kept for longer than their events",
    );
    check("retention: {event: 2d}", "did you mean `events`?");
}

#[test]
fn keys_of_later_versions_are_faults_and_nothing_else_is() {
    for key in ["smtp", "caldav", "notify"] {
        check(
            &format!("{key}: {{a: 1}}"),
            &format!("f:1:1: `{key}` is not supported by this version; remove it"),
        );
    }
    check(
        "access: {oidc: {}}",
        "f:1:10: `access.oidc` is not supported",
    );
    check("access: {tokens: true}", "`access.tokens` is not supported");
    check(
        "postmortems: {git: {}}",
        "`postmortems.git` is not supported",
    );
    check(
        "meetings: {second: propose}",
        "`meetings.second` is not supported",
    );
    check("meetings: {smtp: {}}", "`meetings.smtp` is not supported");
    check(
        "people: [{id: a, holidays: [de.ics]}]",
        "f:1:18: `people.holidays` is not supported",
    );
    check(
        "people: [{id: a, free_busy: x}]",
        "`people.free_busy` is not supported",
    );
    check(
        "sources: [{name: a, kind: prometheus, auth: none}]",
        "unknown kind \"prometheus\"; known: `alertmanager`",
    );
}

#[test]
fn addresses_are_checked() {
    check("listen: 127.0.0.1", "the port is missing");
    check("listen: 9099", "the port is missing");
    check(
        "listen: 127.0.0.1:70000",
        "the port must be a number up to 65535",
    );
    check(
        "listen: 127.0.0.1:+1",
        "the port must be a number up to 65535",
    );
    check("listen: ':9099'", "the host is missing");
    check("listen: 300.1.1.1:9099", "neither an address nor a name");
    check("listen: '::1:9099'", "neither an address nor a name");
    check("listen: '[1]:9099'", "an IPv6 address");
    check(
        "listen: 0.0.0.0:9099",
        "f:1:9: other machines can reach 0.0.0.0:9099, so `access` is needed; add:\naccess:\n  token_file: ",
    );
    check("listen: '[::]:9099'", "`access` is needed");
    check(
        "listen: afterword.internal:9099\naccess:",
        "`access` is needed",
    );
    check("external_url: ftp://a", "is not a web address");
    check("external_url: http://", "is not a web address");
    check("external_url: https://me:pw@a", "no user");
    check("storage: data.db", "`storage` must begin with sqlite://");
    check("storage: sqlite://", "the path is missing");
    check(
        "storage: postgres://u:hunter2@h/d",
        "f:1:10: a password does not belong here",
    );
    check(
        "storage: {url: sqlite://a.db, password_file: x}",
        "a SQLite file has no password",
    );
    check("storage: {password_file: x}", "`url` is missing");
    check("rules: ['']", "f:1:9: this is empty");

    assert_eq!(
        config("listen: localhost:80").external_url,
        "http://localhost:80"
    );
    assert_eq!(config("listen: '[::1]:80'").external_url, "http://[::1]:80");
    let open = config("listen: 0.0.0.0:80\naccess: {token_file: /t}");
    assert_eq!(
        (open.listen.as_str(), open.external_url.as_str()),
        ("0.0.0.0:80", "http://localhost:80")
    );
    assert_eq!(
        config("external_url: https://a.example/afterword/").external_url,
        "https://a.example/afterword"
    );
}

#[test]
fn the_lines_printed_for_an_open_address_are_enough() {
    let text = "listen: 0.0.0.0:9099\n";
    let fault = faults(text).remove(0);
    let (_, lines) = fault.split_once("add:\n").unwrap();
    assert!(config(&format!("{text}{lines}")).access.is_some());
}

#[test]
fn people_and_services_are_checked() {
    check(
        "people: [{id: ada}]\nservices: [{name: a, owners: [adda]}]",
        "f:2:31: unknown person `adda`; did you mean `ada`?",
    );
    check(
        "services: [{name: a, stakeholders: [zoe]}]",
        "unknown person `zoe`; add it to `people`",
    );
    check(
        "people: [{id: lin}]\nmeetings: {facilitators: [lni]}",
        "unknown person `lni`; did you mean `lin`?",
    );
    check(
        "people: [{id: a}, {id: a}]",
        "f:1:24: person `a` is given twice, first at 1:15",
    );
    check(
        "services: [{name: a}, {name: a}]",
        "service `a` is given twice",
    );
    check(
        "people: [{id: a, aliases: [ada]}]",
        "\"ada\" is not a valid alias; write for example github:ada",
    );
    check(
        "people: [{id: a, aliases: ['github:x']}, {id: b, aliases: ['github:x']}]",
        "alias `github:x` is given twice",
    );
    for email in ["ada", "a@b@c", "'@b'", "a@", "'a b@c'", r#""a@b\nc""#] {
        check(
            &format!("people: [{{id: a, email: {email}}}]\nservices: [{{name: s, owners: [a]}}]"),
            "is not an email address",
        );
    }
    check("meetings: {organizer: me}", "is not an email address");
    check(
        "meetings: {minutes: 0}",
        "a meeting takes 5 to 480 minutes, found 0",
    );
    check(
        "maintenance: [{from: 2026-12-01T22:00Z, to: 2026-12-01T22:00Z}]",
        "f:1:45: `to` must be after `from`",
    );
    check(
        "maintenance: [{from: tomorrow, to: 2026-12-01T22:00Z}]",
        "\"tomorrow\" is not a time",
    );
    check(
        "maintenance: [{from: 2026-12-01T22:00, to: 2026-12-02T22:00Z}]",
        "is not a time",
    );
    check(
        "maintenance: [{from: 2026-12-01T22:00Z}]",
        "`to` is missing",
    );
}

#[test]
fn on_call_calendar_is_a_file_url_or_secret() {
    let feed = |text: &str| {
        config(&format!("services: [{{name: a, on_call: {text}}}]")).on_call["a"].clone()
    };
    assert_eq!(
        feed("rota.ics"),
        OnCallCalendar::File("rota.ics".to_owned())
    );
    assert_eq!(
        feed("'https://h/x.ics?token=1'"),
        OnCallCalendar::Url("https://h/x.ics?token=1".to_owned())
    );
    assert_eq!(
        feed("webcal://h/private/x"),
        OnCallCalendar::Url("https://h/private/x".to_owned())
    );
    assert_eq!(
        feed("{url_file: rota.url}"),
        OnCallCalendar::Secret(SecretRef::File("rota.url".to_owned()))
    );
    assert_eq!(
        feed("{url: '${ROTA}'}"),
        OnCallCalendar::Secret(SecretRef::Env("ROTA".to_owned()))
    );
    assert!(!format!("{:?}", feed("https://h/secret")).contains("secret"));
    check(
        "services: [{name: a, on_call: [x]}]",
        "f:1:31: `on_call` must be a calendar file or address; write rota.ics",
    );
    check(
        "services: [{name: a, on_call: ftp://h/x}]",
        "f:1:31: this is not a calendar address: this is not a URL of a server",
    );
    check(
        "services: [{name: a, on_call: {url: 'https://h/x'}}]",
        "secrets must not be written in this file; write `url_file: PATH`",
    );
    check(
        "services: [{name: a, on_call: {url_fil: x}}]",
        "did you mean `url_file`?",
    );
    let faults = faults("services: [{name: a, on_call: 'https://ada:hunter2@h/x'}]");
    assert!(!format!("{faults:?}").contains("hunter2"), "{faults:?}");
}

#[test]
fn services_have_other_names_and_programs_are_named() {
    let config = config(
        "services: [{name: a, aliases: ['github:acme/a', a-svc]}]\nrobots: ['github:deploy-*']",
    );
    assert_eq!(
        (
            config.services[0].aliases.as_slice(),
            config.robots.as_slice()
        ),
        (
            ["github:acme/a".to_owned(), "a-svc".to_owned()].as_slice(),
            ["github:deploy-*".to_owned()].as_slice()
        )
    );
    check(
        "services: [{name: a, aliases: [b]}, {name: b}]",
        "f:1:32: `b` is itself a service; an alias must be another name for one",
    );
    check(
        "services: [{name: a, aliases: [x]}, {name: b, aliases: [x]}]",
        "f:1:57: alias `x` is given twice, first at 1:32",
    );
    check(
        "people: [{id: a, aliases: ['github:X']}, {id: b, aliases: ['GitHub:x']}]",
        "alias `github:x` is given twice",
    );
    check("robot: [x]", "unknown key `robot`; did you mean `robots`?");
}

#[test]
fn hours_and_time_zones_are_checked() {
    check(
        "defaults: {time_zone: Europe/Berln}",
        "f:1:23: unknown time zone \"Europe/Berln\"; did you mean `Europe/Berlin`?",
    );
    check(
        "defaults: {time_zone: Nowhereatallever}",
        "write one as Europe/Berlin or UTC",
    );
    check(
        "defaults: {hours: Mon-Fri}",
        "f:1:19: \"Mon-Fri\" is not a weekly schedule: days and times are required",
    );
    for (hours, why) in [
        ("Mon-Fry 09:00-17:00", "\"Fry\" is not a day of the week"),
        ("Mon, Tue 09:00-17:00", "\"\" is not a day of the week"),
        ("Mon-Fri 9-17", "\"9\" is not a time of day"),
        ("Mon-Fri 09:60-17:00", "\"09:60\" is not a time of day"),
        ("Mon-Fri 09:00-24:01", "\"24:01\" is not a time of day"),
        ("Mon-Fri 09:00", "the end of the day is missing"),
        ("Mon-Fri 17:00-09:00", "the day ends before it begins"),
        ("Mon-Fri 0é:00-09:00", "is not a time of day"),
    ] {
        check(&format!("people: [{{id: a, hours: '{hours}'}}]"), why);
    }
    let hours = config("defaults: {hours: 'mon,Wed,Fri 00:00-24:00'}").hours;
    assert_eq!(
        hours,
        Hours {
            days: [true, false, true, false, true, false, false],
            from: 0,
            to: 1440
        }
    );
}

#[test]
fn one_run_finds_every_fault_in_order() {
    let text = "smtp: {}\nlisten: x\npeople:\n- {id: a, email: a}\n- {id: b, hours: never}\nservices: [{name: s, owners: [a, c]}]\nrule: []\n";
    let lines: Vec<u64> = parse("f", text)
        .unwrap_err()
        .iter()
        .map(|fault| fault.line)
        .collect();
    assert_eq!(lines, [1, 2, 4, 5, 6, 7]);
}

#[test]
fn one_run_finds_every_fault_of_an_entry() {
    let text = "people:\n- {idd: a, email: x, hours: never, aliases: [ada, bo]}\nmeetings: {minuts: 3, minutes: 1, send: x, organizer: y}\n\
                sources:\n- {name: A, kind: x, auth: none, labels: {servce: [a], severities: {P1: x, P2: y}}}\nservices: [{owners: [zoe], automatic: ['']}]";
    let places: Vec<(u64, u64)> = parse("f", text)
        .unwrap_err()
        .iter()
        .map(|fault| (fault.line, fault.column))
        .collect();
    let expected = [
        [(2, 4), (2, 19), (2, 29), (2, 46), (2, 51)].as_slice(),
        &[(3, 12), (3, 32), (3, 41), (3, 55)],
        &[(5, 10), (5, 19), (5, 43), (5, 73), (5, 80)],
        &[(6, 12), (6, 22), (6, 40)],
    ];
    assert_eq!(places, expected.concat(), "{:#?}", faults(text));
}

proptest::proptest! {
    #[test]
    fn no_value_makes_it_panic(value in "\\PC{0,40}", key in proptest::sample::select(vec![
        "listen", "external_url", "storage", "rules", "labels", "sources", "metrics", "people", "defaults", "access",
    ])) {
        let quoted = serde_json::to_string(&value).unwrap();
        for text in [
            format!("{key}: {value}"),
            format!("{key}: {quoted}"),
            format!("people: [{{id: a, hours: {quoted}, email: {quoted}, time_zone: {quoted}}}]"),
            format!("people: [{{id: a, hours: {quoted}}}]"),
            format!("maintenance: [{{from: {quoted}, to: {quoted}}}]"),
            format!("metrics: [{{name: a, kind: scrape, targets: [{quoted}], labels: {{{quoted}: {quoted}}}, headers: {{{quoted}: {quoted}}}}}]"),
            format!("metrics: [{{name: a, kind: prometheus, url: {quoted}, tls: {{server_name: {quoted}}}}}]"),
        ] {
            let _ = parse("f", &text);
        }
    }
}
