#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use chrono::TimeZone;

use super::Storage;
use super::{Access, Auth, Config, Feed, Names, Rate, Secret, Send, SilentAfter, SourceAuth, SourceLimits, parse, proof};
use crate::model::event::Severity;
use crate::model::settings::Hours;
use crate::model::source::SourceKind;

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
    parse("f", text).err().unwrap_or_default().iter().map(ToString::to_string).collect()
}

/// The text has exactly one fault, and it says this.
#[track_caller]
fn check(text: &str, expected: &str) {
    let found = faults(text);
    assert!(found.len() == 1 && found[0].contains(expected), "{text}\nexpected {expected}\nfound {found:#?}");
}

/// The entry of `sources:` has exactly one fault, and it says this.
#[track_caller]
fn check_auth(auth: &str, expected: &str) {
    check(&format!("sources: [{{name: a, kind: alertmanager, auth: {auth}}}]"), expected);
}

fn source_auth(text: &str) -> SourceAuth {
    config(&format!("sources: [{{name: a, kind: alertmanager, auth: {text}}}]")).sources.remove(0).auth
}

fn auth(text: &str) -> Auth {
    match source_auth(text) {
        SourceAuth::Shown(auth) => auth,
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn nothing_means_the_defaults() {
    for text in ["", "# only this\n", "people:\nsources:\nmeetings:\naccess:\n"] {
        assert_eq!(config(text), Config::default(), "{text:?}");
    }
}

#[test]
fn the_documented_example_is_read() {
    let config = config(EXAMPLE);
    assert_eq!(config.storage, Storage::Sqlite("data/afterword.db".to_owned()));
    assert_eq!(config.rules, ["rules/*.yaml"]);
    assert_eq!(config.sources[0].auth, SourceAuth::Shown(Auth::Bearer(Secret::File("/run/secrets/alertmanager".to_owned()))));
    assert_eq!(config.services[0].automatic, ["restart", "failover", "scale"]);
    let [ada, lin] = config.people.as_slice() else { panic!("{:?}", config.people) };
    assert_eq!((ada.time_zone, ada.email.as_deref()), (chrono_tz::Europe::Berlin, Some("ada@example.com")));
    assert_eq!(ada.hours, Config::default().hours);
    assert_eq!((lin.name.as_str(), lin.time_zone), ("lin", chrono_tz::Asia::Tokyo));
    assert_eq!(lin.hours, Hours { days: [true, true, true, true, false, false, true], from: 510, to: 960 });
    assert_eq!((config.names, config.meetings.send, config.meetings.minutes), (Names::Role, Send::AfterApproval, 60));
    assert_eq!(config.maintenance[0].from, chrono::Utc.with_ymd_and_hms(2026, 12, 1, 22, 0, 0).unwrap());
    assert_eq!(config.maintenance[0].to, chrono::Utc.with_ymd_and_hms(2026, 12, 2, 1, 0, 30).unwrap());
    assert_eq!(config.access, Some(Access { token: Secret::Env("AFTERWORD_TOKEN".to_owned()) }));
}

#[test]
fn keys_that_are_not_known_are_faults_at_their_place() {
    check("listne: 127.0.0.1:1", "f:1:1: unknown key `listne`; did you mean `listen`?");
    check("\n\nzzzzzzzzzzz: 1", "f:3:1: unknown key `zzzzzzzzzzz`; known: `listen`, ");
    check("people: [{id: a, emial: a@b.c}]", "f:1:18: unknown key `emial`; did you mean `email`?");
    check("meetings: {send: automatc}", "f:1:18: unknown value `automatc`; did you mean `automatic`?");
    check("postmortems: {names: roles}", "did you mean `role`?");
    check("labels: {severities: {P1: crtical}}", "did you mean `critical`?");
    check("- a", "the settings are a map of keys, found a list");
    check("people: ada", "`people` is a list, found the text \"ada\"");
    check("defaults: [UTC]", "f:1:11: expected a map, found a list");
}

#[test]
fn keys_of_later_versions_are_faults_and_nothing_else_is() {
    for key in ["smtp", "caldav", "notify", "retention"] {
        check(&format!("{key}: {{a: 1}}"), &format!("f:1:1: `{key}` is not supported by this version; remove it"));
    }
    check("access: {oidc: {}}", "f:1:10: `access.oidc` is not supported");
    check("access: {tokens: true}", "`access.tokens` is not supported");
    check("postmortems: {git: {}}", "`postmortems.git` is not supported");
    check("meetings: {second: propose}", "`meetings.second` is not supported");
    check("meetings: {smtp: {}}", "`meetings.smtp` is not supported");
    check("people: [{id: a, holidays: [de.ics]}]", "f:1:18: `people.holidays` is not supported");
    check("people: [{id: a, free_busy: x}]", "`people.free_busy` is not supported");
    check("sources: [{name: a, kind: prometheus, auth: none}]", "unknown kind \"prometheus\"; known: `alertmanager`");
}

#[test]
fn addresses_are_checked() {
    check("listen: 127.0.0.1", "the port is missing");
    check("listen: 9099", "the port is missing");
    check("listen: 127.0.0.1:70000", "the port is a number up to 65535");
    check("listen: 127.0.0.1:+1", "the port is a number up to 65535");
    check("listen: ':9099'", "the host is missing");
    check("listen: 300.1.1.1:9099", "neither an address nor a name");
    check("listen: '::1:9099'", "neither an address nor a name");
    check("listen: '[1]:9099'", "an IPv6 address");
    check("listen: 0.0.0.0:9099", "f:1:9: other machines can reach 0.0.0.0:9099, so `access` is needed; add:\naccess:\n  token_file: ");
    check("listen: '[::]:9099'", "`access` is needed");
    check("listen: afterword.internal:9099\naccess:", "`access` is needed");
    check("external_url: ftp://a", "is no web address");
    check("external_url: http://", "is no web address");
    check("external_url: https://me:pw@a", "no user");
    check("storage: data.db", "storage begins with sqlite://");
    check("storage: sqlite://", "the path is missing");
    check("storage: postgres://u:hunter2@h/d", "f:1:10: a password does not belong here");
    check("storage: {url: sqlite://a.db, password_file: x}", "a SQLite file has no password");
    check("storage: {password_file: x}", "`url` is missing");
    check("rules: ['']", "f:1:9: this is empty");

    assert_eq!(config("listen: localhost:80").external_url, "http://localhost:80");
    assert_eq!(config("listen: '[::1]:80'").external_url, "http://[::1]:80");
    let open = config("listen: 0.0.0.0:80\naccess: {token_file: /t}");
    assert_eq!((open.listen.as_str(), open.external_url.as_str()), ("0.0.0.0:80", "http://localhost:80"));
    assert_eq!(config("external_url: https://a.example/afterword/").external_url, "https://a.example/afterword");
}

#[test]
fn the_lines_printed_for_an_open_address_are_enough() {
    let text = "listen: 0.0.0.0:9099\n";
    let fault = faults(text).remove(0);
    let (_, lines) = fault.split_once("add:\n").unwrap();
    assert!(config(&format!("{text}{lines}")).access.is_some());
}

#[test]
fn secrets_are_named_and_never_repeated() {
    check_auth(
        "{bearer_token: hunter2}",
        "a secret does not stand in this file; write `bearer_token_file: PATH` or `bearer_token: \"${VARIABLE}\"`",
    );
    check_auth("{bearer_token: '${A B}'}", "a secret does not stand in this file");
    check_auth("{bearer_token: '${}'}", "a secret does not stand in this file");
    check_auth("{bearer_token_file: ''}", "`bearer_token_file` is the path of a file");
    check_auth("{bearer_token_file: a, bearer_token: '${A}'}", "`bearer_token` is given twice");
    check_auth("{bearer_token_file: a, basic: {username: u, password_file: b}}", "more than one proof");
    check_auth("{basic: {username: u}}", "`password` is missing; write `password_file: PATH`");
    check_auth("{basic: {password_file: a}}", "`username` is missing");
    check_auth("{header: {name: 'a b', value_file: x}}", "is no name of a header");
    check_auth("{header: {name: X-A, value: hunter2}}", "a secret does not stand in this file");
    check_auth("{}", "`auth` says nothing");
    check("sources: [{name: a, kind: alertmanager}]", "f:1:11: `auth` is missing; write `bearer_token_file`");
    check("access: {}", "`token` is missing");
    check("access: {token: hunter2}", "a secret does not stand in this file");
    for text in [
        "access: hunter2",
        "access: {token: hunter2}",
        "access: [hunter2]",
        "storage: postgres://u:hunter2@h/d",
        "storage: {url: postgres://u@h/d, password: hunter2}",
    ] {
        assert!(faults(text).len() == 1 && !faults(text)[0].contains("hunter2"), "{:?}", faults(text));
    }
    for text in [
        "hunter2",
        "{basic: hunter2}",
        "{header: hunter2}",
        "{query: hunter2}",
        "{query: {name: token, value: hunter2}}",
        "{bearer_token: hunter2}",
        "{bearer_token: [hunter2]}",
        "{hmac_secret: hunter2}",
    ] {
        let found = faults(&format!("sources: [{{name: a, kind: alertmanager, auth: {text}}}]"));
        assert!(found.len() == 1 && !found[0].contains("hunter2"), "{found:?}");
    }
    assert_eq!(auth("none"), Auth::None);
    assert_eq!(auth("{bearer_token: '${A_1}'}"), Auth::Bearer(Secret::Env("A_1".to_owned())));
    let password = Secret::File("p".to_owned());
    assert_eq!(auth("{basic: {username: u, password_file: p}}"), Auth::Basic { username: "u".to_owned(), password });
    let value = Secret::Env("V".to_owned());
    assert_eq!(auth("{header: {name: X-Token, value: '${V}'}}"), Auth::Header { name: "X-Token".to_owned(), value });
}

#[test]
fn a_source_signs_or_shows_a_token_in_its_address() {
    let secret = || Secret::File("s".to_owned());
    let signature = |header: Option<&str>, timestamp: Option<&str>| SourceAuth::Signature {
        secret: secret(),
        header: header.map(str::to_owned),
        timestamp: timestamp.map(str::to_owned),
    };
    assert_eq!(source_auth("{hmac_secret_file: s, signature_header: X-Sig}"), signature(Some("X-Sig"), None));
    assert_eq!(source_auth("{query: {name: token, value_file: s}}"), SourceAuth::Query { name: "token".to_owned(), value: secret() });
    check_auth("{hmac_secret_file: s}", "f:1:47: kind `alertmanager` has no signature of its own; add `signature_header`");
    check_auth("{hmac_secret_file: s, signature_header: a b}", "\"a b\" is no name of a header");
    check_auth("{hmac_secret: s, signature_header: X-A}", "write `hmac_secret_file: PATH` or `hmac_secret: \"${VARIABLE}\"`");
    check_auth("{bearer_token_file: s, signature_header: X-A}", "f:1:88: `signature_header` goes with `hmac_secret_file`");
    check_auth("{bearer_token_file: s, hmac_secret_file: s, signature_header: X-A}", "more than one proof");
    check_auth("{query: {name: a, value_file: b}, header: {name: a, value_file: b}}", "more than one proof");
    check_auth("{query: {name: a}}", "`value` is missing");
    check_auth("{query: {value_file: a}}", "`name` is missing");
    check_auth("{hmac_secret_fil: s}", "did you mean `hmac_secret_file`?");
    check_auth("{hmac_secret_file: s, signature_header: X-A, timestamp_header: X-T}", "only kind `grafana` has a header for the time");

    let fits = |kind: SourceKind, text: &str| {
        let node = crate::yaml::parse("f", text).unwrap();
        let mut reader = super::reader::Reader::new("f");
        let auth = proof::auth(&mut reader, &node);
        proof::fits(&mut reader, Some(&node), kind, "k", auth.as_ref());
        reader.faults.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    for kind in
        [SourceKind::GitHub, SourceKind::PagerDuty, SourceKind::Slack, SourceKind::Sentry, SourceKind::GitLab, SourceKind::IncidentIo]
    {
        assert!(fits(kind, "{hmac_secret_file: s}").is_empty(), "{kind:?}");
        let found = fits(kind, "{hmac_secret_file: s, signature_header: X-A}");
        assert!(found.len() == 1 && found[0].contains("f:1:23: where kind `k` puts its signature is known"), "{kind:?} {found:?}");
        assert_eq!(fits(kind, "{hmac_secret_file: s, timestamp_header: X-A}").len(), 1, "{kind:?}");
    }
    for text in ["{hmac_secret_file: s}", "{hmac_secret_file: s, signature_header: X-A, timestamp_header: X-T}", "{bearer_token_file: s}"] {
        assert!(fits(SourceKind::Grafana, text).is_empty(), "{text}");
    }
}

#[test]
fn a_source_has_limits() {
    let limits = |text: &str| config(&format!("sources: [{{name: a, kind: alertmanager, auth: none{text}}}]")).sources.remove(0).limits;
    assert_eq!(limits(""), SourceLimits { rate: None, size: 32 << 20 });
    assert_eq!(limits(", limits: "), SourceLimits::default());
    let rate = Some(Rate { count: 100, seconds: 1 });
    assert_eq!(limits(", limits: {rate: 100 per 1s, size: 10MiB}"), SourceLimits { rate, size: 10 << 20 });
    assert_eq!(limits(", limits: {size: 512 KiB}").size, 512 << 10);
    let check = |limits: &str, expected: &str| {
        check(&format!("sources: [{{name: a, kind: alertmanager, auth: none, limits: {limits}}}]"), expected);
    };
    check("{size: 10}", "\"10\" is no size; write for example 512KiB or 10MiB");
    check("{size: 10MB}", "is no size");
    check("{size: -1KiB}", "is no size");
    check("{size: 99999999999999999999MiB}", "is no size");
    check("{size: 33MiB}", "f:1:68: a body may have 1KiB to 32MiB");
    check("{size: 0KiB}", "a body may have 1KiB to 32MiB");
    check("{rate: 100}", "is no quota");
    check("{rate: 0 per 1s}", "is no quota");
    check("{rates: 1 per 1s}", "did you mean `rate`?");
}

#[test]
fn a_mapping_is_text_with_places() {
    let of =
        |rest: &str| config(&format!("sources:\n- name: a\n  kind: generic\n  auth: none\n  map:\n{rest}")).sources[0].map.clone().unwrap();
    let map = of("    name: body.title\n    labels: {host: 'item.host', n: 7}\n    labels.more: body.x\n");
    let paths: Vec<&str> = map.rules[0].lines.iter().map(|line| line.path.as_str()).collect();
    assert_eq!(paths, ["name", "labels.host", "labels.n", "labels.more"]);
    assert_eq!(map.rules[0].lines[1].text.place(5), crate::yaml::Position { line: 7, column: 26 });
    assert!(!map.list && of("    - {name: a}\n    - {name: b}\n").rules.len() == 2);
    check("sources: [{name: a, kind: generic, auth: none}]", "f:1:11: `map` is missing");
    check("sources: [{name: a, kind: alertmanager, auth: none, map: {name: x}}]", "f:1:53: `map` is for kinds");
    check("sources: [{name: a, kind: generic, auth: none, map: name}]", "found the text \"name\"");
    check("sources: [{name: a, kind: generic, auth: none, map: {name: {a: b}}}]", "f:1:60: `name` is an expression, found a map");
    check("sources: [{name: a, kind: generic, auth: none, map: {labels: {a: [b]}}}]", "`labels.a` is an expression, found a list");
}

#[test]
fn sources_have_names_for_a_path() {
    check("sources: [{name: A b, kind: alertmanager, auth: none}]", "use only a-z, 0-9 and -");
    check("sources: [{name: '', kind: alertmanager, auth: none}]", "this is empty");
    check("sources: [{name: a, kind: alertmangr, auth: none}]", "unknown kind \"alertmangr\"; known: `alertmanager`");
    let two = "sources:\n- {name: a, kind: alertmanager, auth: none}\n- {name: a, kind: alertmanager, auth: none}";
    check(two, "f:3:10: source `a` is given twice, first at 2:10");
    assert!(config("sources: []").sources.is_empty());
}

#[test]
fn sources_translate_names_of_their_own() {
    let text = "sources:\n- name: cluster\n  kind: kubernetes_audit\n  auth: none\n  environment: staging\n  \
                services: {'shop/checkout': till, 'shop/*': 7}";
    let naming = config(text).sources.remove(0).naming;
    let services = [("shop/checkout", "till"), ("shop/*", "7")].map(|(pattern, service)| (pattern.to_owned(), service.to_owned()));
    assert_eq!((naming.services.as_slice(), naming.environment.as_deref()), (services.as_slice(), Some("staging")));
    check("sources: [{name: a, kind: github, auth: none, services: [x]}]", "f:1:57: `services` is a map of names");
    check("sources: [{name: a, kind: github, auth: none, services: {a: ''}}]", "f:1:61: this is empty");
    check("sources: [{name: a, kind: github, auth: none, services: {'': a}}]", "f:1:58: this is empty");
    check("sources: [{name: a, kind: github, auth: none, servces: {a: b}}]", "did you mean `services`");
    check(
        "sources: [{name: a, kind: alertmanager, auth: none, services: {a: b}}]",
        "`services` is for sources of the kinds kubernetes_audit, argocd",
    );
    check("sources: [{name: a, kind: alertmanager, auth: none, environment: b}]", "`environment` is for sources of the kinds");
    check("sources: [{name: a, kind: pagerduty, auth: none, services: {b: c}}]", "name what this one calls them in `services[].aliases`");
    check(
        "sources: [{name: a, kind: slack, auth: none, labels: {service: [b]}}]",
        "`labels` is not for kind `slack`, which has none; remove it",
    );
    check("sources: [{name: a, kind: github, auth: none, labels: {service: [b]}}]", "say with `services` and `environment`");
}

#[test]
fn a_source_of_sns_names_its_topics_and_is_signed() {
    let topic = "arn:aws:sns:eu-west-1:123456789012:alarms";
    let sns = |more: &str| format!("sources: [{{name: a, kind: sns{more}}}]");
    let read = |more: &str| config(&sns(&format!(", topics: ['{topic}']{more}"))).sources.remove(0);
    assert_eq!((read("").auth, read("").topics), (SourceAuth::Certificate, vec![topic.to_owned()]));
    assert_eq!((read(", auth: signature").auth, read(", auth: none").auth), (SourceAuth::Certificate, SourceAuth::Shown(Auth::None)));
    assert!(matches!(read(", auth: {basic: {username: u, password_file: p}}").auth, SourceAuth::Shown(Auth::Basic { .. })));
    check(&sns(""), "f:1:11: a source of kind `sns` takes the messages of its `topics` only");
    check(&sns(", topics: []"), "f:1:32: a source of kind `sns` takes the messages of its `topics` only");
    check(&sns(", topics: [alarms]"), "f:1:41: \"alarms\" is no topic; write one as arn:aws:sns:");
    check(&sns(&format!(", topics: ['{topic}'], auth: signed")), "`auth` is `none`");
    check(&format!("sources: [{{name: a, kind: sentry, auth: none, topics: ['{topic}']}}]"), "only a source of kind `sns` has `topics`");
    check("sources: [{name: a, kind: sentry, auth: signature}]", "f:1:41: only a source of kind `sns` is signed like that");
}

#[test]
fn a_source_has_its_own_labels_over_the_common_ones() {
    let text = "labels: {service: team, severities: {P1: critical, Off: none}}\n\
                sources: [{name: a, kind: alertmanager, auth: none, labels: {severity: [prio]}}]";
    let config = config(text);
    assert_eq!(config.labels.service, ["team"]);
    assert_eq!(config.labels.severities["p1"], Severity::Critical);
    let own = config.sources[0].labels.as_ref().unwrap();
    assert_eq!((own.service.as_slice(), own.severity.as_slice()), (["team".to_owned()].as_slice(), ["prio".to_owned()].as_slice()));
    assert_eq!(own.severities["off"], Severity::None);
}

#[test]
fn people_and_services_are_checked() {
    check("people: [{id: ada}]\nservices: [{name: a, owners: [adda]}]", "f:2:31: unknown person `adda`; did you mean `ada`?");
    check("services: [{name: a, stakeholders: [zoe]}]", "unknown person `zoe`; add it to `people`");
    check("people: [{id: lin}]\nmeetings: {facilitators: [lni]}", "unknown person `lni`; did you mean `lin`?");
    check("people: [{id: a}, {id: a}]", "f:1:24: person `a` is given twice, first at 1:15");
    check("services: [{name: a}, {name: a}]", "service `a` is given twice");
    check("people: [{id: a, aliases: [ada]}]", "\"ada\" is no alias; write one as github:ada");
    check("people: [{id: a, aliases: ['github:x']}, {id: b, aliases: ['github:x']}]", "alias `github:x` is given twice");
    for email in ["ada", "a@b@c", "'@b'", "a@", "'a b@c'", r#""a@b\nc""#] {
        check(&format!("people: [{{id: a, email: {email}}}]\nservices: [{{name: s, owners: [a]}}]"), "is no e-mail address");
    }
    check("meetings: {organizer: me}", "is no e-mail address");
    check("meetings: {minutes: 0}", "a meeting takes 5 to 480 minutes, found 0");
    check("maintenance: [{from: 2026-12-01T22:00Z, to: 2026-12-01T22:00Z}]", "f:1:45: `to` is not after `from`");
    check("maintenance: [{from: tomorrow, to: 2026-12-01T22:00Z}]", "\"tomorrow\" is no instant");
    check("maintenance: [{from: 2026-12-01T22:00, to: 2026-12-02T22:00Z}]", "is no instant");
    check("maintenance: [{from: 2026-12-01T22:00Z}]", "`to` is missing");
}

#[test]
fn who_is_on_call_stands_in_a_calendar() {
    let feed = |text: &str| config(&format!("services: [{{name: a, on_call: {text}}}]")).on_call["a"].clone();
    assert_eq!(feed("rota.ics"), Feed::File("rota.ics".to_owned()));
    assert_eq!(feed("'https://h/x.ics?token=1'"), Feed::Url("https://h/x.ics?token=1".to_owned()));
    assert_eq!(feed("webcal://h/private/x"), Feed::Url("https://h/private/x".to_owned()));
    assert_eq!(feed("{url_file: rota.url}"), Feed::Secret(Secret::File("rota.url".to_owned())));
    assert_eq!(feed("{url: '${ROTA}'}"), Feed::Secret(Secret::Env("ROTA".to_owned())));
    assert!(!format!("{:?}", feed("https://h/secret")).contains("secret"));
    check("services: [{name: a, on_call: [x]}]", "f:1:31: `on_call` is a calendar's file or address; write rota.ics");
    check("services: [{name: a, on_call: ftp://h/x}]", "f:1:31: this is no address of a calendar: this is no address to ask");
    check("services: [{name: a, on_call: {url: 'https://h/x'}}]", "a secret does not stand in this file; write `url_file: PATH`");
    check("services: [{name: a, on_call: {url_fil: x}}]", "did you mean `url_file`?");
    let faults = faults("services: [{name: a, on_call: 'https://ada:hunter2@h/x'}]");
    assert!(!format!("{faults:?}").contains("hunter2"), "{faults:?}");
}

#[test]
fn services_have_other_names_and_programs_are_named() {
    let config = config("services: [{name: a, aliases: ['github:acme/a', a-svc]}]\nrobots: ['github:deploy-*']");
    assert_eq!(
        (config.services[0].aliases.as_slice(), config.robots.as_slice()),
        (["github:acme/a".to_owned(), "a-svc".to_owned()].as_slice(), ["github:deploy-*".to_owned()].as_slice())
    );
    check("services: [{name: a, aliases: [b]}, {name: b}]", "f:1:32: `b` is itself a service; an alias is another name for one");
    check("services: [{name: a, aliases: [x]}, {name: b, aliases: [x]}]", "f:1:57: alias `x` is given twice, first at 1:32");
    check("people: [{id: a, aliases: ['github:X']}, {id: b, aliases: ['GitHub:x']}]", "alias `github:x` is given twice");
    check("robot: [x]", "unknown key `robot`; did you mean `robots`?");
}

#[test]
fn hours_and_time_zones_are_checked() {
    check("defaults: {time_zone: Europe/Berln}", "f:1:23: unknown time zone \"Europe/Berln\"; did you mean `Europe/Berlin`?");
    check("defaults: {time_zone: Nowhereatallever}", "write one as Europe/Berlin or UTC");
    check("defaults: {hours: Mon-Fri}", "f:1:19: \"Mon-Fri\" are no weekly hours: days and times are needed");
    for (hours, why) in [
        ("Mon-Fry 09:00-17:00", "\"Fry\" is no day"),
        ("Mon, Tue 09:00-17:00", "\"\" is no day"),
        ("Mon-Fri 9-17", "\"9\" is no time of day"),
        ("Mon-Fri 09:60-17:00", "\"09:60\" is no time of day"),
        ("Mon-Fri 09:00-24:01", "\"24:01\" is no time of day"),
        ("Mon-Fri 09:00", "the end of the day is missing"),
        ("Mon-Fri 17:00-09:00", "the day ends before it begins"),
        ("Mon-Fri 0é:00-09:00", "is no time of day"),
    ] {
        check(&format!("people: [{{id: a, hours: '{hours}'}}]"), why);
    }
    let hours = config("defaults: {hours: 'mon,Wed,Fri 00:00-24:00'}").hours;
    assert_eq!(hours, Hours { days: [true, false, true, false, true, false, false], from: 0, to: 1440 });
}

#[test]
fn one_run_finds_every_fault_in_order() {
    let text =
        "smtp: {}\nlisten: x\npeople:\n- {id: a, email: a}\n- {id: b, hours: never}\nservices: [{name: s, owners: [a, c]}]\nrule: []\n";
    let lines: Vec<u64> = parse("f", text).unwrap_err().iter().map(|fault| fault.line).collect();
    assert_eq!(lines, [1, 2, 4, 5, 6, 7]);
}

#[test]
fn one_run_finds_every_fault_of_an_entry() {
    let text = "people:\n- {idd: a, email: x, hours: never, aliases: [ada, bo]}\nmeetings: {minuts: 3, minutes: 1, send: x, organizer: y}\n\
                sources:\n- {name: A, kind: x, auth: none, labels: {servce: [a], severities: {P1: x, P2: y}}}\nservices: [{owners: [zoe], automatic: ['']}]";
    let places: Vec<(u64, u64)> = parse("f", text).unwrap_err().iter().map(|fault| (fault.line, fault.column)).collect();
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

#[test]
fn a_source_of_kind_grafana_finds_services_in_folders_unless_told() {
    let service = |more: &str| {
        let source = config(&format!("sources: [{{name: g, kind: grafana, auth: none{more}}}]")).sources.remove(0);
        source.labels.map(|labels| (labels.service.join(" "), labels.ignored.join(" ")))
    };
    assert_eq!(service(""), Some(("service app job grafana_folder".to_owned(), String::new())));
    assert_eq!(service(", labels: {service: team}"), Some(("team".to_owned(), String::new())));
    assert_eq!(service(", ignore_labels: [replica, node]"), Some(("service app job grafana_folder".to_owned(), "replica node".to_owned())));
    let plain = |more: &str| config(&format!("sources: [{{name: a, kind: alertmanager, auth: none{more}}}]")).sources.remove(0).labels;
    assert_eq!(plain(""), None);
    assert_eq!(plain(", ignore_labels: replica").unwrap().ignored, ["replica"]);
}

#[test]
fn an_alertmanager_can_be_asked() {
    let api =
        |text: &str| config(&format!("sources: [{{name: a, kind: alertmanager, auth: none, api: {text}}}]")).sources.remove(0).api.unwrap();
    let asked = api("{url: 'http://am:9093/'}");
    assert_eq!((asked.url.as_str(), asked.every, asked.timeout), ("http://am:9093", 30, 10));
    let asked = api("{url: 'https://mimir/alertmanager', every: 5s, auth: {bearer_token_file: t}, headers: {X-Scope-OrgID: shop}}");
    assert_eq!((asked.url.as_str(), asked.every, asked.timeout), ("https://mimir/alertmanager", 5, 5));
    assert_eq!(asked.door.auth, Auth::Bearer(Secret::File("t".to_owned())));

    let check_api =
        |text: &str, expected: &str| check(&format!("sources: [{{name: a, kind: alertmanager, auth: none, api: {text}}}]"), expected);
    check_api("here", "f:1:58: `api` is a map with `url`");
    check_api("{every: 30s}", "f:1:58: `url` is missing: the address of the server, as http://localhost:9093");
    check_api("{url: 'http://am:9093/api/v2'}", "write only what stands before /api/v2");
    check_api("{url: 'http://am', every: 0}", "`every` is longer than 0");
    check_api("{url: 'http://am', timeout: 31s}", "`timeout` is longer than `every`, which is 30s");
    check_api("{url: 'http://am', evry: 30s}", "did you mean `every`?");
    check("sources: [{name: g, kind: grafana, auth: none, api: {url: 'http://g'}}]", "f:1:48: `api` is not for kind `grafana`; remove it");
}

#[test]
fn which_incidents_of_pagerduty_are_outages_is_up_to_the_settings() {
    let declares = |text: &str| config(&format!("sources: [{{name: a, kind: pagerduty, auth: none{text}}}]")).sources.remove(0).declares;
    assert_eq!(declares(""), None);
    let read = declares(", declares: {urgency: [high]}").unwrap();
    assert_eq!((read.priority, read.urgency, read.by_hand), (vec!["P1".to_owned(), "P2".to_owned()], vec!["high".to_owned()], true));
    let read = declares(", declares: {priority: SEV1, by_hand: false}").unwrap();
    assert_eq!((read.priority, read.urgency, read.by_hand), (vec!["SEV1".to_owned()], Vec::new(), false));
    let check_declares =
        |text: &str, expected: &str| check(&format!("sources: [{{name: a, kind: pagerduty, auth: none, {text}}}]"), expected);
    check_declares("declares: {urgency: [hihg]}", "f:1:71: unknown urgency `hihg`; did you mean `high`?");
    check_declares("declares: {urgncy: [high]}", "did you mean `urgency`?");
    check("sources: [{name: a, kind: slack, auth: none, declares: {}}]", "f:1:56: only a source of the kind `pagerduty` has `declares`");
}

#[test]
fn a_source_may_say_how_long_it_is_silent() {
    let entry = |silence: &str| format!("sources: [{{name: a, kind: alertmanager, auth: none{silence}}}]");
    let read = |silence: &str| config(&entry(silence)).sources.remove(0).silent_after;
    assert_eq!(read(""), SilentAfter::Learned);
    assert_eq!(read(", silent_after: never"), SilentAfter::Never);
    assert_eq!(read(", silent_after: 1h30m"), SilentAfter::After(chrono::TimeDelta::minutes(90)));
    check(&entry(", silent_after: 2 h"), "f:1:67: \"2 h\" is no duration");
    check(&entry(", silent_after: 0"), "or `never`");
    check(&entry(", silent_after: 0s"), "no source talks without a pause");
    check(&entry(", silent_aftr: 2h"), "did you mean `silent_after`?");
}
