//! Reports of each body, from captured and made payloads.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod declared;
mod stated;

use std::fmt::Write;

use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};

use super::error::IngestFault;
use super::reading::{Reading, Start};
use super::{alertmanager, events, people, prometheus, time};
use crate::model::event::{Alert, AlertStatus, EndReason, Event, Fact, Severity};
use crate::model::settings::LabelNames;
use crate::model::time::Time;

const GROUP: &[u8] =
    include_bytes!("../../../tests/payloads/alertmanager/lab_group_two_firing.json");
const CUT: &[u8] =
    include_bytes!("../../../tests/payloads/alertmanager/lab_max1_truncated_firing.json");
const MIXED: &[u8] =
    include_bytes!("../../../tests/payloads/alertmanager/lab_mixed_firing_resolved.json");
const RESOLVED: &[u8] = include_bytes!(
    "../../../tests/payloads/alertmanager/lab_poison_resolved_only_seen_by_healthy_receiver.json"
);
const PROM: &[u8] = include_bytes!("../../../tests/payloads/alertmanager/lab_prom_firing.json");
const V3: &[u8] = include_bytes!("../../../tests/payloads/alertmanager/v3_firing.json");
const BAD: &[u8] = include_bytes!("../../../tests/payloads/alertmanager/v4_bad_members.json");
const POSTED: &[u8] = include_bytes!("../../../tests/it/payloads/prometheus/alerts_v2.json");
const EVERY_KIND: &[u8] = include_bytes!("../../../tests/it/payloads/events/every_kind.json");

/// Ten past seven, some minutes after the payloads.
fn now() -> Time {
    time::parse("2026-11-23T07:10:00Z").unwrap()
}

fn at(text: &str) -> Time {
    time::parse(text).unwrap()
}

fn webhook(body: &[u8]) -> Reading {
    alertmanager::webhook(body, "am", &LabelNames::default(), now()).unwrap()
}

fn refused(body: &str) -> String {
    alertmanager::webhook(body.as_bytes(), "am", &LabelNames::default(), now())
        .unwrap_err()
        .to_string()
}

fn posted(body: &[u8]) -> Reading {
    prometheus::alerts_v2(body, "prometheus", &LabelNames::default(), now()).unwrap()
}

fn given(body: &str) -> Reading {
    events::events(body.as_bytes(), &LabelNames::default(), now()).unwrap()
}

fn alert(event: &Event) -> &Alert {
    let Fact::Alert(alert) = &event.fact else {
        unreachable!("{event:?}")
    };
    alert
}

/// One webhook alert with `fields` beside its labels.
fn one(fields: &str) -> Vec<u8> {
    format!(r#"{{"version":"4","alerts":[{{"labels":{{"alertname":"A"}},{fields}}}]}}"#)
        .into_bytes()
}

/// A reading as a person would tell it.
fn told(reading: &Reading) -> String {
    let mut text = String::new();
    for event in reading.events() {
        let json = serde_json::to_string(event).unwrap();
        writeln!(text, "{json}").unwrap();
    }
    for fault in &reading.faults {
        writeln!(text, "fault {fault}").unwrap();
    }
    text
}

#[test]
fn a_captured_group_gives_an_event_an_alert() {
    let reading = webhook(MIXED);
    assert_eq!(
        reading.receiver.as_deref(),
        Some("all.hooks (v1)"),
        "the receiver arrives quoted for a regular expression"
    );
    insta::assert_snapshot!(told(&reading), @r#"
{"id":"f5ab645e130b2da7e2c962620f7f35a0","subject":"48159638812f0b84","occurred_at":"2026-11-23T07:01:09.623414Z","source":"am","links":[{"title":"Query","url":"http://prom:9090/graph?g0.expr=up"},{"title":"Alertmanager","url":"http://vm:9893"}],"fact":{"kind":"alert","name":"GroupTwo","status":"resolved","labels":{"alertname":"GroupTwo","instance":"a","severity":"critical"},"annotations":{"summary":"GroupTwo {'instance': 'a', 'severity': 'critical'}"},"severity":"critical","starts_at":"2026-11-23T07:01:03.617330Z","ends_at":"2026-11-23T07:01:09.623414Z","end_reason":"recovered"}}
{"id":"4befa553a65a26f64922b049f4699795","subject":"e0c0f52835c605bc","occurred_at":"2026-11-23T07:01:03.617330Z","source":"am","links":[{"title":"Query","url":"http://prom:9090/graph?g0.expr=up"},{"title":"Alertmanager","url":"http://vm:9893"}],"fact":{"kind":"alert","name":"GroupTwo","status":"firing","labels":{"alertname":"GroupTwo","instance":"b","severity":"critical"},"annotations":{"summary":"GroupTwo {'instance': 'b', 'severity': 'critical'}"},"severity":"critical","starts_at":"2026-11-23T07:01:03.617330Z","end_reason":"recovered"}}
"#);
}

#[test]
fn a_group_cut_by_max_alerts_says_so() {
    let cut = webhook(CUT);
    assert_eq!((cut.truncated, cut.reports.len()), (1, 1));
    let whole = webhook(GROUP);
    assert_eq!((whole.truncated, whole.reports.len()), (0, 2));
    assert_eq!(
        cut.reports[0].event, whole.reports[0].event,
        "what was kept is the same fact in both"
    );
}

#[test]
fn the_status_of_the_group_does_not_count() {
    let body = String::from_utf8(CUT.to_vec()).unwrap().replacen(
        r#""status":"firing""#,
        r#""status":"resolved""#,
        1,
    );
    assert_eq!(webhook(body.as_bytes()), webhook(CUT));
}

#[test]
fn firing_and_resolved_share_their_subject_and_not_their_id() {
    let (fired, mixed) = (webhook(GROUP), webhook(MIXED));
    let (fired, ended) = (&fired.reports[0].event, &mixed.reports[0].event);
    assert_eq!(fired.subject, ended.subject);
    assert_ne!(fired.id, ended.id);
    assert_eq!(
        (fired.occurred_at, ended.occurred_at),
        (
            at("2026-11-23T07:01:03.61733Z"),
            at("2026-11-23T07:01:09.623414Z")
        )
    );
    assert_eq!(
        webhook(GROUP).reports[1].event.id,
        mixed.reports[1].event.id,
        "a repeat is the same event"
    );
}

#[test]
fn a_flap_is_two_subjects() {
    let first = webhook(&one(
        r#""status":"firing","startsAt":"2026-11-23T07:00:00Z""#,
    ));
    let second = webhook(&one(
        r#""status":"firing","startsAt":"2026-11-23T07:00:09Z""#,
    ));
    assert_ne!(
        first.reports[0].event.subject,
        second.reports[0].event.subject
    );
}

#[test]
fn a_resolved_group_alone_is_read() {
    let reading = webhook(RESOLVED);
    let alert = alert(&reading.reports[0].event);
    assert_eq!(
        (alert.status, alert.end_reason),
        (AlertStatus::Resolved, EndReason::Recovered)
    );
    assert_eq!(alert.severity, Severity::Unknown);
    assert_eq!(reading.reports[0].event.service, None);
}

#[test]
fn prometheus_by_way_of_alertmanager() {
    insta::assert_snapshot!(told(&webhook(PROM)), @r#"
{"id":"3c4c3dff415513ee8a3b1e696e4744a4","subject":"73c4aff0f9c92b1f","occurred_at":"2026-11-23T07:03:04.418Z","source":"am","service":"checkout","links":[{"title":"Query","url":"http://vm:9890/graph?g0.expr=lab_up+%3D%3D+0&g0.tab=1"},{"title":"Runbook","url":"https://example.com/rb"},{"title":"Alertmanager","url":"http://vm:9893"}],"fact":{"kind":"alert","name":"CheckoutDown","status":"firing","labels":{"alertname":"CheckoutDown","cluster":"lab","instance":"127.0.0.1:5902","job":"lab","replica":"a","service":"checkout","severity":"page","svc":"checkout"},"annotations":{"runbook_url":"https://example.com/rb","summary":"checkout down, value 0"},"severity":"critical","starts_at":"2026-11-23T07:03:04.418Z","end_reason":"recovered"}}
"#);
}

#[test]
fn version_3_is_read() {
    insta::assert_snapshot!(told(&webhook(V3)), @r#"
{"id":"910f1a923c6ff99e0618052866291451","subject":"9938fcae28110b42","occurred_at":"2026-11-23T07:03:04.008Z","source":"am","service":"orders","environment":"production","links":[{"title":"Query","url":"http://prometheus.example:9090/graph"},{"title":"Alertmanager","url":"http://alertmanager.example:9093"}],"fact":{"kind":"alert","name":"ConnectFailed","status":"firing","labels":{"__name__":"probe_success","alertname":"ConnectFailed","environment":"Production","instance":"db-2","job":"blackbox","service":"orders","severity":"critical"},"annotations":{"summary":"db-2 cannot be reached"},"severity":"critical","starts_at":"2026-11-23T07:03:04.008Z","end_reason":"recovered"}}
"#);
}

#[test]
fn a_bad_member_does_not_cost_the_good_ones() {
    let reading = webhook(BAD);
    assert_eq!(reading.truncated, 2);
    assert_eq!(
        reading
            .faults
            .iter()
            .map(|fault| fault.index.unwrap())
            .collect::<Vec<_>>(),
        [1, 2, 3, 4, 5, 7, 8, 9]
    );
    insta::assert_snapshot!(told(&reading), @r#"
{"id":"86602e512e09a9dacda096e13a303467","subject":"510c7f8e3e15395a","occurred_at":"2026-11-23T07:00:00Z","source":"am","service":"checkout","fact":{"kind":"alert","name":"Good","status":"firing","labels":{"alertname":"Good","service":"checkout"},"severity":"unknown","starts_at":"2026-11-23T07:00:00Z","end_reason":"recovered"}}
{"id":"573761a042ce5b5de3beae340524682d","subject":"dd8d99d59a2227b2","occurred_at":"2026-11-23T07:10:00Z","source":"am","fact":{"kind":"alert","name":"Backwards","status":"resolved","labels":{"alertname":"Backwards"},"severity":"unknown","starts_at":"2026-11-23T07:00:00Z","ends_at":"2026-11-23T06:59:59Z","end_reason":"recovered"}}
{"id":"4baff463b919b8d6421de32022b816b6","subject":"4520ed6713d922b0","occurred_at":"2026-11-23T07:10:00Z","source":"am","fact":{"kind":"alert","name":"NoEnd","status":"resolved","labels":{"alertname":"NoEnd"},"severity":"unknown","starts_at":"2026-11-23T07:00:00Z","ends_at":"2026-11-23T07:10:00Z","end_reason":"unknown"}}
fault alerts[1].startsAt: missing; it identifies the episode of the alert
fault alerts[2].startsAt: missing; it identifies the episode of the alert
fault alerts[3].startsAt: not a time. Write it as RFC 3339 with an offset, as in 2026-11-23T07:01:03Z or 2026-11-23T08:01:03+01:00
fault alerts[4].labels.shard: expected a string, found a number
fault alerts[5].labels: an alert needs a label that is not empty, such as `alertname`
fault alerts[7].status: expected `firing` or `resolved`
fault alerts[8].status: missing; expected `firing` or `resolved`
fault alerts[9]: expected an alert with `labels` and `startsAt`, found a string
"#);
}

#[test]
fn a_resolved_alert_without_an_end_has_ended_by_now() {
    let reading = webhook(&one(
        r#""status":"resolved","startsAt":"2026-11-23T07:00:00Z""#,
    ));
    assert_eq!(
        (
            alert(&reading.reports[0].event).ends_at,
            alert(&reading.reports[0].event).end_reason
        ),
        (Some(now()), EndReason::Unknown)
    );
}

#[test]
fn an_alert_may_end_as_it_begins() {
    let reading = webhook(&one(
        r#""status":"resolved","startsAt":"2026-11-23T07:00:00Z","endsAt":"2026-11-23T07:00:00Z""#,
    ));
    assert_eq!(
        alert(&reading.reports[0].event).ends_at,
        Some(at("2026-11-23T07:00:00Z"))
    );
}

#[test]
fn grafana_says_when_it_did_not_recover() {
    for (reason, wanted) in [
        ("MissingSeries", EndReason::NoData),
        ("Paused", EndReason::Muted),
        ("RuleDeleted", EndReason::Deleted),
        ("Updated", EndReason::Unknown),
        ("", EndReason::Recovered),
    ] {
        let annotations = format!(r#""annotations":{{"grafana_state_reason":"{reason}"}}"#);
        let body = one(&format!(
            r#""status":"resolved","startsAt":"2026-11-23T07:00:00Z","endsAt":"2026-11-23T07:01:00Z",{annotations}"#
        ));
        assert_eq!(
            alert(&webhook(&body).reports[0].event).end_reason,
            wanted,
            "{reason}"
        );
    }
}

#[test]
fn a_clock_ahead_is_believed_for_two_minutes_and_then_clamped() {
    let near = webhook(&one(
        r#""status":"firing","startsAt":"2026-11-23T07:12:00Z""#,
    ));
    assert_eq!(
        (
            near.reports[0].event.occurred_at,
            near.reports[0].event.clamped
        ),
        (at("2026-11-23T07:12:00Z"), false)
    );

    let body = one(r#""status":"firing","startsAt":"2026-11-23T07:12:00.000001Z""#);
    let far = webhook(&body);
    assert_eq!(
        (
            far.reports[0].event.occurred_at,
            far.reports[0].event.clamped
        ),
        (now(), true)
    );
    assert_eq!(
        alert(&far.reports[0].event).starts_at,
        at("2026-11-23T07:12:00.000001Z")
    );
    let later = alertmanager::webhook(
        &body,
        "am",
        &LabelNames::default(),
        at("2026-11-23T07:30:00Z"),
    )
    .unwrap();
    assert_eq!(
        later.reports[0].event.id, far.reports[0].event.id,
        "the repeat is the same event, whenever it comes"
    );
}

#[test]
fn only_web_addresses_become_links() {
    for (url, wanted) in [
        ("https://a.example/x?y=1", 1),
        ("HTTP://a.example", 1),
        ("javascript:alert(1)", 0),
        ("javascript://a.example/%0aalert(1)", 0),
        ("data:text/html,x", 0),
        ("/graph", 0),
        ("https://", 0),
        ("https://a b", 0),
        ("", 0),
    ] {
        let body = one(&format!(
            r#""status":"firing","startsAt":"2026-11-23T07:00:00Z","generatorURL":"{url}""#
        ));
        assert_eq!(webhook(&body).reports[0].event.links.len(), wanted, "{url}");
    }
}

#[test]
fn a_watchdog_is_an_event_like_others() {
    let body = br#"{"version":"4","alerts":[{"status":"firing","startsAt":"2026-11-23T07:00:00Z","labels":{"alertname":"Watchdog","severity":"none"}}]}"#;
    assert_eq!(
        alert(&webhook(body).reports[0].event).severity,
        Severity::None
    );
}

#[test]
fn an_alert_without_a_name_is_called_by_its_labels() {
    let body = br#"{"version":"4","alerts":[{"status":"firing","startsAt":"2026-11-23T07:00:00Z","labels":{"app":"shop","zone":"b"}}]}"#;
    assert_eq!(
        alert(&webhook(body).reports[0].event).name,
        r#"{app="shop", zone="b"}"#.into()
    );
}

#[test]
fn another_body_says_what_is_wrong_and_what_to_do() {
    insta::assert_snapshot!(
        [
            refused(""),
            refused("{\"version\": \"4\",\n \"alerts\": [}"),
            refused(r#"{"text": "hello"}"#),
            refused(r#"{"version": "5", "alerts": []}"#),
            refused(r#"{"version": "4", "alerts": [], "alerts": []}"#),
            refused(r#"{"version": "4"}"#),
            refused(r#"{"version": "4", "alerts": {}}"#),
            refused("[]"),
        ]
        .join("\n"),
        @r#"
line 1, column 1: invalid JSON: the document ends where a value should follow. Send one complete JSON document in UTF-8.
line 2, column 13: invalid JSON: a value is missing or misspelled. Send one complete JSON document in UTF-8.
version: missing. This is not the default body of Alertmanager's webhook: remove `payload` from the receiver's `webhook_configs`.
version: "5" of Alertmanager's webhook is not supported; supported are "3" and "4". Update Afterword, or send one of these.
line 1, column 39: `alerts` appears twice. Expected the default body of Alertmanager's webhook.
alerts: missing. Alertmanager's webhook always has this list: check what changes the body in transit.
alerts: expected a list, found an object
line 1, column 1: found a list. Expected the default body of Alertmanager's webhook.
"#
    );
    // A version that became a number on the way is still that version.
    assert_eq!(
        alertmanager::webhook(
            br#"{"version": 4, "alerts": []}"#,
            "am",
            &LabelNames::default(),
            now()
        ),
        Ok(Reading::default())
    );
    let fault = alertmanager::webhook(
        b"{\"version\": \"4\",\n \"alerts\": [}",
        "am",
        &LabelNames::default(),
        now(),
    )
    .unwrap_err();
    assert!(
        matches!(fault, IngestFault::NotJson { line: 2, .. }),
        "{fault:?}"
    );
}

#[test]
fn five_thousand_alerts_are_five_thousand_events() {
    let alerts: Vec<String> = (0..5000)
        .map(|number| {
            format!(
                r#"{{"status":"firing","labels":{{"alertname":"A","instance":"{number}","service":"s","severity":"page"}},"annotations":{{"summary":"a \"quoted\" text"}},"startsAt":"2026-11-23T07:00:00Z","endsAt":"0001-01-01T00:00:00Z"}}"#
            )
        })
        .collect();
    let reading =
        webhook(format!(r#"{{"version":"4","alerts":[{}]}}"#, alerts.join(",")).as_bytes());
    assert!(reading.faults.is_empty());
    let subjects: std::collections::BTreeSet<_> =
        reading.events().map(|event| &event.subject).collect();
    assert_eq!(subjects.len(), 5000);
}

#[test]
fn posted_alerts_fire_while_their_end_is_ahead() {
    let reading = posted(POSTED);
    let leases: Vec<_> = reading.reports.iter().map(|report| report.lease).collect();
    assert_eq!(
        leases,
        [
            Some(at("2026-11-23T07:14:04.418Z")),
            None,
            Some(at("2026-11-23T07:15:00Z"))
        ],
        "an alert without endsAt fires for five minutes"
    );
    let starts: Vec<_> = reading.reports.iter().map(|report| report.start).collect();
    assert_eq!(starts, [Start::Stated, Start::Stated, Start::Guessed]);
    insta::assert_snapshot!(told(&reading), @r#"
{"id":"484a4fd88525c46396899806564e5dcd","subject":"0b9c758d1d9e94ce","occurred_at":"2026-11-23T07:03:04.418Z","source":"prometheus","service":"checkout","links":[{"title":"Query","url":"http://prometheus.example:9090/graph?g0.expr=up"},{"title":"Runbook","url":"https://wiki.example/checkout"}],"fact":{"kind":"alert","name":"CheckoutDown","status":"firing","labels":{"alertname":"CheckoutDown","instance":"127.0.0.1:5902","job":"lab","service":"checkout","severity":"page"},"annotations":{"runbook_url":"https://wiki.example/checkout","summary":"checkout down, value 0"},"severity":"critical","starts_at":"2026-11-23T07:03:04.418Z","end_reason":"recovered"}}
{"id":"b1c5ce50256a1f2f28f883e9a9528971","subject":"e702bbe16f4219fc","occurred_at":"2026-11-23T07:10:00Z","source":"prometheus","service":"worker","fact":{"kind":"alert","name":"QueueLong","status":"resolved","labels":{"alertname":"QueueLong","job":"worker","severity":"warning"},"severity":"warning","starts_at":"2026-11-23T07:01:00Z","ends_at":"2026-11-23T07:10:00Z","end_reason":"recovered"}}
{"id":"0a069f1692e2ebc813ca3624f8fc2337","subject":"4e20f40c2763ac5d","occurred_at":"2026-11-23T07:10:00Z","source":"prometheus","fact":{"kind":"alert","name":"Handmade","status":"firing","labels":{"alertname":"Handmade"},"severity":"unknown","starts_at":"2026-11-23T07:10:00Z","end_reason":"recovered"}}
"#);
}

#[test]
fn an_end_at_this_moment_is_an_end() {
    let status = |ends_at: &str| {
        let body = format!(
            r#"[{{"labels":{{"alertname":"A"}},"startsAt":"2026-11-23T07:00:00Z","endsAt":"{ends_at}"}}]"#
        );
        alert(&posted(body.as_bytes()).reports[0].event).status
    };
    assert_eq!(status("2026-11-23T07:10:00Z"), AlertStatus::Resolved);
    assert_eq!(status("2026-11-23T07:10:00.000001Z"), AlertStatus::Firing);
}

#[test]
fn a_missing_start_is_now_or_an_earlier_end() {
    let starts_at = |ends_at: &str| {
        let body = format!(r#"[{{"labels":{{"alertname":"A"}},"endsAt":"{ends_at}"}}]"#);
        alert(&posted(body.as_bytes()).reports[0].event).starts_at
    };
    assert_eq!(
        starts_at("2026-11-23T07:05:00Z"),
        at("2026-11-23T07:05:00Z")
    );
    assert_eq!(starts_at("2026-11-23T07:15:00Z"), now());
    assert_eq!(starts_at("0001-01-01T00:00:00Z"), now());
}

#[test]
fn posted_and_by_way_of_alertmanager_is_the_same_fact() {
    let body = br#"[{"labels":{"alertname":"CheckoutDown","cluster":"lab","instance":"127.0.0.1:5902","job":"lab","replica":"a","service":"checkout","severity":"page","svc":"checkout"},
        "startsAt":"2026-11-23T07:03:04.418Z","endsAt":"2026-11-23T07:12:00Z"}]"#;
    assert_eq!(
        posted(body).reports[0].event.id,
        webhook(PROM).reports[0].event.id
    );
}

#[test]
fn faults_of_posted_alerts_have_their_place() {
    let reading = posted(
        br#"[{"labels":{"alertname":"A"}},{"startsAt":"x"},{"labels":{"alertname":"B"},"startsAt":1},{"labels":{"alertname":"C","n":null}},
            {"labels":{"alertname":"D"},"startsAt":"2026-11-23T07:00:00Z","endsAt":"2026-11-23T06:00:00Z"},7,["firing",{"alertname":"E"}]]"#,
    );
    assert_eq!(reading.reports.len(), 2);
    insta::assert_snapshot!(reading.faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"), @r"
[1].labels: an alert needs a label that is not empty, such as `alertname`
[2].startsAt: expected a string, found a number
[3].labels.n: expected a string, found null
[5]: expected an alert with `labels` and `startsAt`, found a number
[6]: expected an alert with `labels` and `startsAt`, found a list
");
    let fault =
        prometheus::alerts_v2(br#"{"alerts":[]}"#, "p", &LabelNames::default(), now()).unwrap_err();
    insta::assert_snapshot!(fault, @"line 1, column 1: found an object. Expected a list of alerts, as for Alertmanager's POST /api/v2/alerts.");
}

/// Reads `body` in every way there is.
fn read_every_way(body: &[u8]) {
    let names = LabelNames::default();
    let _ = alertmanager::webhook(body, "am", &names, now()).map(|reading| told(&reading));
    let _ = prometheus::alerts_v2(body, "prometheus", &names, now()).map(|reading| told(&reading));
    let _ = events::events(body, &names, now()).map(|reading| told(&reading));
    for read in [
        people::request as fn(&[u8], Time) -> Result<Event, IngestFault>,
        |body: &[u8], now| people::declaration(body, &LabelNames::default(), now),
        people::intervention,
        |body: &[u8], now| people::near_miss(body, &LabelNames::default(), now),
    ] {
        let _ = read(body, now()).map_err(|fault| fault.to_string());
    }
}

fn payload() -> impl Strategy<Value = &'static [u8]> {
    prop_oneof![
        Just(MIXED),
        Just(PROM),
        Just(V3),
        Just(BAD),
        Just(POSTED),
        Just(EVERY_KIND)
    ]
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(body: Vec<u8>) {
        read_every_way(&body);
    }

    #[test]
    fn no_changed_payload_makes_it_panic(
        payload in payload(),
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<Option<proptest::sample::Index>>(),
    ) {
        let mut body = payload.to_vec();
        for (place, byte) in changes {
            let place = place.index(body.len());
            body[place] = byte;
        }
        if let Some(cut) = cut {
            body.truncate(cut.index(body.len()));
        }
        read_every_way(&body);
    }

    #[test]
    fn no_time_makes_it_panic(starts_at in r"[+-]?[0-9]{1,6}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9](\.[0-9]{0,12})?(Z|[+-][0-2][0-9]:[0-5][0-9])") {
        read_every_way(&one(&format!(r#""status":"resolved","startsAt":"{starts_at}","endsAt":"9999-12-31T23:59:59-23:59""#)));
        read_every_way(format!(r#"[{{"labels":{{"alertname":"A"}},"startsAt":"{starts_at}"}}]"#).as_bytes());
        read_every_way(format!(r#"{{"kind":"note","text":"x","occurred_at":"{starts_at}"}}"#).as_bytes());
    }
}

#[test]
fn renewed_alerts_are_left_out_and_the_rest_is_unchanged() {
    for body in [
        POSTED.to_vec(),
        [b"[7,".as_slice(), &POSTED.trim_ascii()[1..]].concat(),
    ] {
        let all = posted(&body);
        assert!(all.reports.len() > 1 && all.renewed == 0);
        let mut alerts = Vec::new();
        let none = prometheus::news_v2(
            &body,
            "prometheus",
            &LabelNames::default(),
            now(),
            &mut |alert_ref| {
                alerts.push((alert_ref.labels.len(), alert_ref.starts_at, alert_ref.lease));
                true
            },
        );
        let none = none.unwrap();
        let firing = all.reports.iter().filter(|report| {
            report.start == Start::Stated && alert(&report.event).status == AlertStatus::Firing
        });
        let expected: Vec<_> = firing
            .map(|report| alert(&report.event))
            .map(|alert| (alert.labels.iter().count(), alert.starts_at))
            .collect();
        assert_eq!(
            alerts
                .iter()
                .map(|(labels, starts_at, _)| (*labels, *starts_at))
                .collect::<Vec<_>>(),
            expected
        );
        assert!(alerts.iter().all(|(_, _, until)| until.is_some()));
        assert_eq!(
            (none.renewed, none.reports.len()),
            (expected.len(), all.reports.len() - expected.len())
        );
        assert_eq!(none.faults, all.faults);
    }
}

#[test]
fn of_a_label_sent_twice_the_last_counts_in_any_order() {
    let body = br#"{"version":"4","alerts":[{"status":"firing","startsAt":"2026-11-23T07:00:00Z",
        "labels":{"b":"1","alertname":"A","b":"2","a":"","c\u0041":"x"}}]}"#;
    let labels: Vec<_> = alert(&webhook(body).reports[0].event)
        .labels
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    assert_eq!(labels, ["alertname=A", "b=2", "cA=x"]);
}

#[test]
fn a_body_of_nothing_but_commas_is_no_hundred_thousand_faults() {
    let list = |count: usize| format!("[1{}]", ",1".repeat(count - 1));
    let fault = prometheus::alerts_v2(
        list(100_001).as_bytes(),
        "prometheus",
        &LabelNames::default(),
        now(),
    )
    .unwrap_err()
    .to_string();
    assert!(fault.contains("send fewer"), "{fault}");
    assert_eq!(posted(list(100_000).as_bytes()).faults.len(), 100_000);
    let fault = refused(&format!(r#"{{"version":"4","alerts":{}}}"#, list(100_001)));
    assert!(fault.contains("send fewer"), "{fault}");
}
