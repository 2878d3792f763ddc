//! Behaviour that a single body does not show.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use super::news;
use crate::ingest::error::IngestFault;
use crate::ingest::message::{Headers, Message};
use crate::ingest::reading::{Reading, Start};
use crate::ingest::time;
use crate::model::event::{Alert, AlertStatus, EndReason, Event, Fact};
use crate::model::settings::LabelNames;

fn read(body: &str, names: &LabelNames) -> Result<Reading, IngestFault> {
    let now = time::parse("2026-11-23T12:00:00Z").unwrap();
    news(
        &Message {
            source: "grafana",
            headers: &Headers::default(),
            body: body.as_bytes(),
            names,
            now,
        },
        &mut |_| false,
    )
}

fn plain(body: &str) -> Reading {
    read(body, &LabelNames::default()).unwrap()
}

fn alert(event: &Event) -> &Alert {
    let Fact::Alert(alert) = &event.fact else {
        unreachable!("{event:?}")
    };
    alert
}

/// A body with one alert that has `fields` beside its labels and its start.
fn one(fields: &str) -> String {
    format!(
        r#"{{"version":"1","alerts":[{{"labels":{{"alertname":"A"}},"startsAt":"2026-11-23T11:00:00Z",{fields}}}]}}"#
    )
}

#[test]
fn a_reason_other_than_normal_is_no_recovery() {
    for (reason, wanted) in [
        ("MissingSeries", EndReason::NoData),
        ("NoData", EndReason::NoData),
        ("NoData, KeepLast", EndReason::NoData),
        ("Paused", EndReason::Muted),
        ("RuleDeleted", EndReason::Deleted),
        ("Updated", EndReason::Unknown),
        ("Error", EndReason::Unknown),
        ("SomethingNew", EndReason::Unknown),
        ("Normal", EndReason::Recovered),
    ] {
        let body = one(&format!(
            r#""status":"resolved","endsAt":"2026-11-23T11:01:00Z","annotations":{{"grafana_state_reason":"{reason}"}}"#
        ));
        assert_eq!(
            alert(&plain(&body).reports[0].event).end_reason,
            wanted,
            "{reason}"
        );
    }
}

#[test]
fn an_episode_is_one_whatever_else_changes() {
    let first = plain(&one(
        r#""status":"firing","values":{"B":1},"fingerprint":"0a","annotations":{"summary":"a"}"#,
    ));
    let again = plain(&one(
        r#""status":"firing","values":null,"fingerprint":"0b","annotations":{"summary":"b"}"#,
    ));
    let ended = plain(&one(
        r#""status":"resolved","endsAt":"2026-11-23T11:01:00Z""#,
    ));
    assert_eq!(
        first.reports[0].event.id, again.reports[0].event.id,
        "a repeat is the same event"
    );
    assert_eq!(
        first.reports[0].event.subject,
        ended.reports[0].event.subject
    );
}

#[test]
fn a_repeat_is_left_out() {
    let body = one(r#""status":"firing""#);
    let (names, now) = (
        LabelNames::default(),
        time::parse("2026-11-23T12:00:00Z").unwrap(),
    );
    let message = Message {
        source: "grafana",
        headers: &Headers::default(),
        body: body.as_bytes(),
        names: &names,
        now,
    };
    let reading = news(&message, &mut |alert| alert.lease.is_none()).unwrap();
    assert_eq!((reading.renewed, reading.reports.len()), (1, 0));
}

#[test]
fn another_version_is_read_and_told() {
    let reading = plain(
        r#"{"version":"2","alerts":[{"labels":{"alertname":"A"},"startsAt":"2026-11-23T11:00:00Z","status":"firing"}]}"#,
    );
    assert_eq!(reading.reports.len(), 1);
    assert_eq!(
        reading.faults[0].to_string(),
        r#"version: "2" of Grafana's webhook is not supported, only "1" is; parsed as version 1"#
    );
}

#[test]
fn a_rule_that_is_called_like_the_test_is_none() {
    let fields =
        r#""status":"firing","generatorURL":"https://g.example/alerting/grafana/a1/view?orgId=1""#;
    let body = one(fields).replace(r#""alertname":"A""#, r#""alertname":"TestAlert""#);
    assert_eq!(plain(&body).reports.len(), 1);
    let body = body.replace("https://g.example/alerting/grafana/a1/view", "");
    assert_eq!(plain(&body), Reading::default());
}

#[test]
fn customised_body_is_refused_with_advice() {
    let refused = |body: &str| read(body, &LabelNames::default()).unwrap_err().to_string();
    insta::assert_snapshot!(
        [
            refused("[]"),
            refused("{"),
            refused(r#"{"text": "hello", "channel": "x"}"#),
            refused(r#"{"alerts": 7}"#),
            refused(r#"{"ruleId": 7, "state": "ok"}"#),
            refused(r#"{"ruleName": "A", "ruleId": 7}"#),
            refused(r#"{"ruleName": "A", "ruleId": 7, "state": "on fire"}"#),
        ]
        .join("\n"),
        @r#"
line 1, column 1: found a list. Expected the default body of Grafana's contact point.
line 1, column 1: invalid JSON: the document ends inside an object. Send one complete JSON document in UTF-8.
alerts: missing. This is not the default body of Grafana's contact point: clear `Custom Payload` under its optional webhook settings, or give it a source of kind `generic`.
alerts: expected a list, found a number
ruleName: missing. Grafana's legacy alerting always names its rule: check what changes the body in transit.
state: missing. It is one of alerting, ok, no_data, paused, pending.
state: "on fire" is not one of alerting, ok, no_data, paused, pending
"#
    );
}

#[test]
fn replicas_are_one_alert() {
    let names = LabelNames {
        ignored: vec!["replica".to_owned()],
        ..LabelNames::default()
    };
    let told = |replica: &str, starts_at: &str, more: &str| {
        format!(
            r#"{{"labels":{{"alertname":"A","replica":"{replica}"}},"startsAt":"2026-11-23T11:00:{starts_at}Z",{more}}}"#
        )
    };
    let body =
        |members: &[String]| format!(r#"{{"version":"1","alerts":[{}]}}"#, members.join(","));
    let (firing, ended) = (r#""status":"firing""#, |at: &str| {
        format!(r#""status":"resolved","endsAt":"2026-11-23T11:{at}Z""#)
    });

    let both = read(
        &body(&[told("a", "03", firing), told("b", "01", firing)]),
        &names,
    )
    .unwrap();
    assert_eq!(
        (both.reports.len(), both.reports[0].start, both.renewed),
        (1, Start::Stated, 1)
    );
    assert_eq!(
        alert(&both.reports[0].event)
            .labels
            .iter()
            .collect::<Vec<_>>(),
        [("alertname", "A")]
    );
    assert_eq!(
        alert(&both.reports[0].event).starts_at,
        time::parse("2026-11-23T11:00:01Z").unwrap()
    );

    let one_gone = read(
        &body(&[told("a", "03", &ended("05:00")), told("b", "01", firing)]),
        &names,
    )
    .unwrap();
    assert_eq!(
        one_gone.reports, both.reports,
        "one replica less says nothing of the alert"
    );

    let over = read(
        &body(&[
            told("a", "03", &ended("05:00")),
            told("b", "01", &ended("05:07")),
        ]),
        &names,
    )
    .unwrap();
    assert_eq!(
        (over.reports.len(), alert(&over.reports[0].event).status),
        (1, AlertStatus::Resolved)
    );
    assert_eq!(
        alert(&over.reports[0].event).ends_at,
        Some(time::parse("2026-11-23T11:05:07Z").unwrap())
    );
    assert_eq!(
        alert(&over.reports[0].event).starts_at,
        time::parse("2026-11-23T11:00:01Z").unwrap()
    );

    let without = read(
        &body(&[told("a", "03", firing), told("b", "01", firing)]),
        &LabelNames::default(),
    )
    .unwrap();
    assert_eq!(without.reports.len(), 2);
    assert!(
        without
            .reports
            .iter()
            .all(|report| report.start == Start::Stated)
    );
}
