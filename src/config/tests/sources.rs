//! Entries of `sources:`.

use super::{check, config, faults};
use crate::config::credentials::{Auth, SecretRef};
use crate::config::silence::SilentAfter;
use crate::config::source_auth;
use crate::config::source_auth::{RateLimit, SourceAuth, SourceLimits};
use crate::model::event::Severity;
use crate::model::source::SourceKind;

/// The entry of `sources:` has exactly one fault, and it says this.
#[track_caller]
fn check_auth(auth: &str, expected: &str) {
    check(
        &format!("sources: [{{name: a, kind: alertmanager, auth: {auth}}}]"),
        expected,
    );
}

fn source_auth(text: &str) -> SourceAuth {
    config(&format!(
        "sources: [{{name: a, kind: alertmanager, auth: {text}}}]"
    ))
    .sources
    .remove(0)
    .auth
}

fn auth(text: &str) -> Auth {
    match source_auth(text) {
        SourceAuth::Shown(auth) => auth,
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn secrets_are_named_and_never_repeated() {
    check_auth(
        "{bearer_token: hunter2}",
        "secrets must not be written in this file; write `bearer_token_file: PATH` or `bearer_token: \"${VARIABLE}\"`",
    );
    check_auth(
        "{bearer_token: '${A B}'}",
        "secrets must not be written in this file",
    );
    check_auth(
        "{bearer_token: '${}'}",
        "secrets must not be written in this file",
    );
    check_auth(
        "{bearer_token_file: ''}",
        "`bearer_token_file` must be the path of a file",
    );
    check_auth(
        "{bearer_token_file: a, bearer_token: '${A}'}",
        "`bearer_token` is given twice",
    );
    check_auth(
        "{bearer_token_file: a, basic: {username: u, password_file: b}}",
        "more than one method",
    );
    check_auth(
        "{basic: {username: u}}",
        "`password` is missing; write `password_file: PATH`",
    );
    check_auth("{basic: {password_file: a}}", "`username` is missing");
    check_auth(
        "{header: {name: 'a b', value_file: x}}",
        "is not a valid header name",
    );
    check_auth(
        "{header: {name: X-A, value: hunter2}}",
        "secrets must not be written in this file",
    );
    check_auth("{}", "`auth` is empty");
    check(
        "sources: [{name: a, kind: alertmanager}]",
        "f:1:11: `auth` is missing; write `bearer_token_file`",
    );
    check("access: {}", "`token` is missing");
    check(
        "access: {token: hunter2}",
        "secrets must not be written in this file",
    );
    for text in [
        "access: hunter2",
        "access: {token: hunter2}",
        "access: [hunter2]",
        "storage: postgres://u:hunter2@h/d",
        "storage: {url: postgres://u@h/d, password: hunter2}",
    ] {
        assert!(
            faults(text).len() == 1 && !faults(text)[0].contains("hunter2"),
            "{:?}",
            faults(text)
        );
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
        let found = faults(&format!(
            "sources: [{{name: a, kind: alertmanager, auth: {text}}}]"
        ));
        assert!(
            found.len() == 1 && !found[0].contains("hunter2"),
            "{found:?}"
        );
    }
    assert_eq!(auth("none"), Auth::None);
    assert_eq!(
        auth("{bearer_token: '${A_1}'}"),
        Auth::Bearer(SecretRef::Env("A_1".to_owned()))
    );
    let password = SecretRef::File("p".to_owned());
    assert_eq!(
        auth("{basic: {username: u, password_file: p}}"),
        Auth::Basic {
            username: "u".to_owned(),
            password
        }
    );
    let value = SecretRef::Env("V".to_owned());
    assert_eq!(
        auth("{header: {name: X-Token, value: '${V}'}}"),
        Auth::Header {
            name: "X-Token".to_owned(),
            value
        }
    );
}

#[test]
fn a_source_signs_or_shows_a_token_in_its_address() {
    let secret = || SecretRef::File("s".to_owned());
    let signature = |header: Option<&str>, timestamp: Option<&str>| SourceAuth::Signature {
        secret: secret(),
        header: header.map(str::to_owned),
        timestamp: timestamp.map(str::to_owned),
    };
    assert_eq!(
        source_auth("{hmac_secret_file: s, signature_header: X-Sig}"),
        signature(Some("X-Sig"), None)
    );
    assert_eq!(
        source_auth("{query: {name: token, value_file: s}}"),
        SourceAuth::Query {
            name: "token".to_owned(),
            value: secret()
        }
    );
    check_auth(
        "{hmac_secret_file: s}",
        "f:1:47: kind `alertmanager` has no signature of its own; add `signature_header`",
    );
    check_auth(
        "{hmac_secret_file: s, signature_header: a b}",
        "\"a b\" is not a valid header name",
    );
    check_auth(
        "{hmac_secret: s, signature_header: X-A}",
        "write `hmac_secret_file: PATH` or `hmac_secret: \"${VARIABLE}\"`",
    );
    check_auth(
        "{bearer_token_file: s, signature_header: X-A}",
        "f:1:88: `signature_header` requires `hmac_secret_file`",
    );
    check_auth(
        "{bearer_token_file: s, hmac_secret_file: s, signature_header: X-A}",
        "more than one method",
    );
    check_auth(
        "{query: {name: a, value_file: b}, header: {name: a, value_file: b}}",
        "more than one method",
    );
    check_auth("{query: {name: a}}", "`value` is missing");
    check_auth("{query: {value_file: a}}", "`name` is missing");
    check_auth("{hmac_secret_fil: s}", "did you mean `hmac_secret_file`?");
    check_auth(
        "{hmac_secret_file: s, signature_header: X-A, timestamp_header: X-T}",
        "`timestamp_header` is only for kind `grafana`",
    );

    let fits = |kind: SourceKind, text: &str| {
        let node = crate::yaml::tree::parse("f", text).unwrap();
        let mut reader = crate::yaml::reader::Reader::new("f");
        let auth = source_auth::auth(&mut reader, &node);
        source_auth::fits(&mut reader, Some(&node), kind, "k", auth.as_ref());
        reader
            .faults
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
    };
    for kind in [
        SourceKind::GitHub,
        SourceKind::PagerDuty,
        SourceKind::Slack,
        SourceKind::Sentry,
        SourceKind::GitLab,
        SourceKind::IncidentIo,
    ] {
        assert!(fits(kind, "{hmac_secret_file: s}").is_empty(), "{kind:?}");
        let found = fits(kind, "{hmac_secret_file: s, signature_header: X-A}");
        assert!(
            found.len() == 1
                && found[0].contains("f:1:23: the signature header of kind `k` is fixed"),
            "{kind:?} {found:?}"
        );
        assert_eq!(
            fits(kind, "{hmac_secret_file: s, timestamp_header: X-A}").len(),
            1,
            "{kind:?}"
        );
    }
    for text in [
        "{hmac_secret_file: s}",
        "{hmac_secret_file: s, signature_header: X-A, timestamp_header: X-T}",
        "{bearer_token_file: s}",
    ] {
        assert!(fits(SourceKind::Grafana, text).is_empty(), "{text}");
    }
}

#[test]
fn a_source_has_limits() {
    let limits = |text: &str| {
        config(&format!(
            "sources: [{{name: a, kind: alertmanager, auth: none{text}}}]"
        ))
        .sources
        .remove(0)
        .limits
    };
    assert_eq!(
        limits(""),
        SourceLimits {
            rate: None,
            size: 32 << 20
        }
    );
    assert_eq!(limits(", limits: "), SourceLimits::default());
    let rate = Some(RateLimit {
        count: 100,
        seconds: 1,
    });
    assert_eq!(
        limits(", limits: {rate: 100 per 1s, size: 10MiB}"),
        SourceLimits {
            rate,
            size: 10 << 20
        }
    );
    assert_eq!(limits(", limits: {size: 512 KiB}").size, 512 << 10);
    let check = |limits: &str, expected: &str| {
        check(
            &format!("sources: [{{name: a, kind: alertmanager, auth: none, limits: {limits}}}]"),
            expected,
        );
    };
    check(
        "{size: 10}",
        "\"10\" is not a size: the units are KiB and MiB; write for example 512KiB or 10MiB",
    );
    check("{size: 10MB}", "is not a size");
    check("{size: -1KiB}", "is not a size");
    check("{size: 99999999999999999999MiB}", "is not a size");
    check("{size: 33MiB}", "f:1:68: `size` must be from 1KiB to 32MiB");
    check("{size: 0KiB}", "`size` must be from 1KiB to 32MiB");
    check("{rate: 100}", "is not a rate");
    check("{rate: 0 per 1s}", "is not a rate");
    check("{rates: 1 per 1s}", "did you mean `rate`?");
}

#[test]
fn a_mapping_is_text_with_places() {
    let of = |rest: &str| {
        config(&format!(
            "sources:\n- name: a\n  kind: generic\n  auth: none\n  map:\n{rest}"
        ))
        .sources[0]
            .map
            .clone()
            .unwrap()
    };
    let map = of(
        "    name: body.title\n    labels: {host: 'item.host', n: 7}\n    labels.more: body.x\n",
    );
    let paths: Vec<&str> = map.rules[0]
        .lines
        .iter()
        .map(|line| line.path.as_str())
        .collect();
    assert_eq!(paths, ["name", "labels.host", "labels.n", "labels.more"]);
    assert_eq!(
        map.rules[0].lines[1].text.place(5),
        crate::yaml::node::Position {
            line: 7,
            column: 26
        }
    );
    assert!(!map.list && of("    - {name: a}\n    - {name: b}\n").rules.len() == 2);
    check(
        "sources: [{name: a, kind: generic, auth: none}]",
        "f:1:11: `map` is missing",
    );
    check(
        "sources: [{name: a, kind: alertmanager, auth: none, map: {name: x}}]",
        "f:1:53: `map` is for kinds",
    );
    check(
        "sources: [{name: a, kind: generic, auth: none, map: name}]",
        "found the text \"name\"",
    );
    check(
        "sources: [{name: a, kind: generic, auth: none, map: {name: {a: b}}}]",
        "f:1:60: `name` must be an expression, found a map",
    );
    check(
        "sources: [{name: a, kind: generic, auth: none, map: {labels: {a: [b]}}}]",
        "`labels.a` must be an expression, found a list",
    );
}

#[test]
fn sources_have_names_for_a_path() {
    check(
        "sources: [{name: A b, kind: alertmanager, auth: none}]",
        "use only a-z, 0-9 and -",
    );
    check(
        "sources: [{name: '', kind: alertmanager, auth: none}]",
        "this is empty",
    );
    check(
        "sources: [{name: a, kind: alertmangr, auth: none}]",
        "unknown kind \"alertmangr\"; did you mean `alertmanager`?",
    );
    let two = "sources:\n- {name: a, kind: alertmanager, auth: none}\n- {name: a, kind: alertmanager, auth: none}";
    check(two, "f:3:10: source `a` is given twice, first at 2:10");
    assert!(config("sources: []").sources.is_empty());
}

#[test]
fn sources_translate_names_of_their_own() {
    let text = "sources:\n- name: cluster\n  kind: kubernetes_audit\n  auth: none\n  environment: staging\n  \
                services: {'shop/checkout': till, 'shop/*': 7}";
    let naming = config(text).sources.remove(0).naming;
    let services = [("shop/checkout", "till"), ("shop/*", "7")]
        .map(|(pattern, service)| (pattern.to_owned(), service.to_owned()));
    assert_eq!(
        (naming.services.as_slice(), naming.environment.as_deref()),
        (services.as_slice(), Some("staging"))
    );
    check(
        "sources: [{name: a, kind: github, auth: none, services: [x]}]",
        "f:1:57: `services` is a map of names",
    );
    check(
        "sources: [{name: a, kind: github, auth: none, services: {a: ''}}]",
        "f:1:61: this is empty",
    );
    check(
        "sources: [{name: a, kind: github, auth: none, services: {'': a}}]",
        "f:1:58: this is empty",
    );
    check(
        "sources: [{name: a, kind: github, auth: none, servces: {a: b}}]",
        "did you mean `services`",
    );
    check(
        "sources: [{name: a, kind: alertmanager, auth: none, services: {a: b}}]",
        "`services` is for sources of the kinds kubernetes_audit, argocd",
    );
    check(
        "sources: [{name: a, kind: alertmanager, auth: none, environment: b}]",
        "`environment` is for sources of the kinds",
    );
    check(
        "sources: [{name: a, kind: pagerduty, auth: none, services: {b: c}}]",
        "name what this one calls them in `services[].aliases`",
    );
    check(
        "sources: [{name: a, kind: slack, auth: none, labels: {service: [b]}}]",
        "`labels` is not for kind `slack`, which has none; remove it",
    );
    check(
        "sources: [{name: a, kind: github, auth: none, labels: {service: [b]}}]",
        "use `services` and `environment`",
    );
}

#[test]
fn a_source_of_sns_names_its_topics_and_is_signed() {
    let topic = "arn:aws:sns:eu-west-1:123456789012:alarms";
    let sns = |more: &str| format!("sources: [{{name: a, kind: sns{more}}}]");
    let read = |more: &str| {
        config(&sns(&format!(", topics: ['{topic}']{more}")))
            .sources
            .remove(0)
    };
    assert_eq!(
        (read("").auth, read("").topics),
        (SourceAuth::Certificate, vec![topic.to_owned()])
    );
    assert_eq!(
        (read(", auth: signature").auth, read(", auth: none").auth),
        (SourceAuth::Certificate, SourceAuth::Shown(Auth::None))
    );
    assert!(matches!(
        read(", auth: {basic: {username: u, password_file: p}}").auth,
        SourceAuth::Shown(Auth::Basic { .. })
    ));
    check(&sns(""), "f:1:11: a source of kind `sns` needs `topics`");
    check(
        &sns(", topics: []"),
        "f:1:32: a source of kind `sns` needs `topics`",
    );
    check(
        &sns(", topics: [alarms]"),
        "f:1:41: \"alarms\" is not a topic; write for example arn:aws:sns:",
    );
    check(
        &sns(&format!(", topics: ['{topic}'], auth: signed")),
        "`auth` must be `none`",
    );
    check(
        &format!("sources: [{{name: a, kind: sentry, auth: none, topics: ['{topic}']}}]"),
        "`topics` is only for sources of kind `sns`",
    );
    check(
        "sources: [{name: a, kind: sentry, auth: signature}]",
        "f:1:41: `auth: signature` is only for sources of kind `sns`",
    );
}

#[test]
fn a_source_has_its_own_labels_over_the_common_ones() {
    let text = "labels: {service: team, severities: {P1: critical, Off: none}}\n\
                sources: [{name: a, kind: alertmanager, auth: none, labels: {severity: [prio]}}]";
    let config = config(text);
    assert_eq!(config.labels.service, ["team"]);
    assert_eq!(config.labels.severities["p1"], Severity::Critical);
    let own = config.sources[0].labels.as_ref().unwrap();
    assert_eq!(
        (own.service.as_slice(), own.severity.as_slice()),
        (
            ["team".to_owned()].as_slice(),
            ["prio".to_owned()].as_slice()
        )
    );
    assert_eq!(own.severities["off"], Severity::None);
}

#[test]
fn a_source_of_kind_grafana_finds_services_in_folders_unless_told() {
    let service = |more: &str| {
        let source = config(&format!(
            "sources: [{{name: g, kind: grafana, auth: none{more}}}]"
        ))
        .sources
        .remove(0);
        source
            .labels
            .map(|labels| (labels.service.join(" "), labels.ignored.join(" ")))
    };
    let replicas = "prometheus_replica thanos_ruler_replica __replica__".to_owned();
    assert_eq!(
        service(""),
        Some((
            "service app job grafana_folder".to_owned(),
            replicas.clone()
        ))
    );
    assert_eq!(
        service(", labels: {service: team}"),
        Some(("team".to_owned(), replicas))
    );
    assert_eq!(
        service(", ignore_labels: [replica, node]"),
        Some((
            "service app job grafana_folder".to_owned(),
            "replica node".to_owned()
        ))
    );
    let plain = |more: &str| {
        config(&format!(
            "sources: [{{name: a, kind: alertmanager, auth: none{more}}}]"
        ))
        .sources
        .remove(0)
        .labels
    };
    assert_eq!(plain(""), None);
    assert_eq!(
        plain(", ignore_labels: replica").unwrap().ignored,
        ["replica"]
    );
}

#[test]
fn an_alertmanager_can_be_asked() {
    let api = |text: &str| {
        config(&format!(
            "sources: [{{name: a, kind: alertmanager, auth: none, api: {text}}}]"
        ))
        .sources
        .remove(0)
        .api
        .unwrap()
    };
    let asked = api("{url: 'http://am:9093/'}");
    assert_eq!(
        (asked.url.as_str(), asked.every, asked.timeout),
        ("http://am:9093", 30, 10)
    );
    let asked = api(
        "{url: 'https://mimir/alertmanager', every: 5s, auth: {bearer_token_file: t}, headers: {X-Scope-OrgID: shop}}",
    );
    assert_eq!(
        (asked.url.as_str(), asked.every, asked.timeout),
        ("https://mimir/alertmanager", 5, 5)
    );
    assert_eq!(
        asked.http_client.auth,
        Auth::Bearer(SecretRef::File("t".to_owned()))
    );

    let check_api = |text: &str, expected: &str| {
        check(
            &format!("sources: [{{name: a, kind: alertmanager, auth: none, api: {text}}}]"),
            expected,
        );
    };
    check_api("here", "f:1:58: `api` must be a map with `url`");
    check_api(
        "{every: 30s}",
        "f:1:58: `url` is missing: the address of the server, as http://localhost:9093",
    );
    check_api(
        "{url: 'http://am:9093/api/v2'}",
        "write only the part before /api/v2",
    );
    check_api(
        "{url: 'http://am', every: 0}",
        "`every` must be longer than 0",
    );
    check_api(
        "{url: 'http://am', timeout: 31s}",
        "`timeout` is longer than `every`, which is 30s",
    );
    check_api("{url: 'http://am', evry: 30s}", "did you mean `every`?");
    check(
        "sources: [{name: g, kind: grafana, auth: none, api: {url: 'http://g'}}]",
        "f:1:48: `api` is not for kind `grafana`; remove it",
    );
}

#[test]
fn which_incidents_of_pagerduty_are_outages_is_up_to_the_settings() {
    let declares = |text: &str| {
        config(&format!(
            "sources: [{{name: a, kind: pagerduty, auth: none{text}}}]"
        ))
        .sources
        .remove(0)
        .declares
    };
    assert_eq!(declares(""), None);
    let read = declares(", declares: {urgency: [high]}").unwrap();
    assert_eq!(
        (read.priority, read.urgency, read.by_hand),
        (
            vec!["P1".to_owned(), "P2".to_owned()],
            vec!["high".to_owned()],
            true
        )
    );
    let read = declares(", declares: {priority: SEV1, by_hand: false}").unwrap();
    assert_eq!(
        (read.priority, read.urgency, read.by_hand),
        (vec!["SEV1".to_owned()], Vec::new(), false)
    );
    let check_declares = |text: &str, expected: &str| {
        check(
            &format!("sources: [{{name: a, kind: pagerduty, auth: none, {text}}}]"),
            expected,
        );
    };
    check_declares(
        "declares: {urgency: [hihg]}",
        "f:1:71: unknown urgency `hihg`; did you mean `high`?",
    );
    check_declares("declares: {urgncy: [high]}", "did you mean `urgency`?");
    check(
        "sources: [{name: a, kind: slack, auth: none, declares: {}}]",
        "f:1:56: `declares` is only for sources of kind `pagerduty`",
    );
}

#[test]
fn a_source_may_say_how_long_it_is_silent() {
    let entry =
        |silence: &str| format!("sources: [{{name: a, kind: alertmanager, auth: none{silence}}}]");
    let read = |silence: &str| config(&entry(silence)).sources.remove(0).silent_after;
    assert_eq!(read(""), SilentAfter::Learned);
    assert_eq!(read(", silent_after: never"), SilentAfter::Never);
    assert_eq!(
        read(", silent_after: 1h30m"),
        SilentAfter::After(chrono::TimeDelta::minutes(90))
    );
    check(
        &entry(", silent_after: 2 h"),
        "f:1:67: \"2 h\" is not a duration",
    );
    check(&entry(", silent_after: 0"), "or `never`");
    check(
        &entry(", silent_after: 0s"),
        "the duration must be longer than 0",
    );
    check(&entry(", silent_aftr: 2h"), "did you mean `silent_after`?");
}
