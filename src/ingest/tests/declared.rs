//! Payloads of services in which people declare outages.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use serde_json::{Value, json};

use crate::ingest::dispatch::{SourceParser, read, stored_body};
use crate::ingest::error::IngestFault;
use crate::ingest::message::{Headers, Message};
use crate::ingest::reading::Reading;
use crate::ingest::slack;
use crate::model::event::{AlertStatus, Event, Fact};
use crate::model::settings::LabelNames;
use crate::model::source::{PagerDutyOutages, ServiceMapping, SourceKind};
use crate::model::time::Time;

fn told(reader: &SourceParser, body: &[u8], now: &str) -> Result<Reading, IngestFault> {
    let (headers, names) = (Headers::default(), LabelNames::default());
    let now: Time = now.parse().unwrap();
    read(
        reader,
        &Message {
            source: "s",
            headers: &headers,
            body,
            names: &names,
            now,
        },
        &mut |_| false,
    )
}

fn readers() -> [SourceParser; 4] {
    let desk = slack::SlackContext {
        services: vec!["checkout".to_owned()],
        address: "https://a.example".to_owned(),
    };
    let own = [SourceKind::Statuspage, SourceKind::IncidentIo]
        .map(|kind| SourceParser::Named(kind, ServiceMapping::default()));
    let [one, other] = own;
    [
        SourceParser::PagerDuty(PagerDutyOutages::default()),
        one,
        other,
        SourceParser::Slack(desk),
    ]
}

/// Every body of a kind that is kept for tests.
fn payloads(kind: &str) -> Vec<(String, Vec<u8>)> {
    let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/payloads")
        .join(kind);
    let mut all: Vec<(String, Vec<u8>)> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|ending| ending == "json" || ending == "form")
        })
        .map(|path| (path.display().to_string(), std::fs::read(path).unwrap()))
        .collect();
    all.sort();
    all
}

#[test]
fn repeated_message_gives_the_same_ids() {
    for (reader, kind) in readers()
        .iter()
        .zip(["pagerduty", "statuspage", "incident_io", "slack"])
    {
        for (file, body) in payloads(kind) {
            let ids = |now: &str| {
                told(reader, &body, now)
                    .map(|reading| reading.events().map(|event| event.id).collect::<Vec<_>>())
            };
            // A command states no time but that of its header, and is never sent again.
            if kind == "slack" && !file.contains("pressed") {
                continue;
            }
            assert_eq!(
                ids("2026-11-23T12:00:00Z"),
                ids("2026-11-25T12:00:00Z"),
                "{file}"
            );
        }
    }
}

#[test]
fn truncated_and_mutated_bodies_do_not_panic() {
    for (reader, kind) in readers()
        .iter()
        .zip(["pagerduty", "statuspage", "incident_io", "slack"])
    {
        for (_, body) in payloads(kind) {
            for end in (0..body.len()).step_by(7) {
                let _ = told(reader, &body[..end], "2026-11-23T12:00:00Z");
                let _ = stored_body(reader, &body[..end]);
            }
            let Ok(whole) = serde_json::from_slice::<Value>(&body) else {
                continue;
            };
            for strange in [
                json!(null),
                json!(7),
                json!("\u{0}\u{202e}x"),
                json!([[]]),
                json!({"a": []}),
                json!("2026-13-45T99:99:99Z"),
            ] {
                each_place(&whole, &mut |pointer| {
                    let mut changed = whole.clone();
                    *changed.pointer_mut(pointer).unwrap() = strange.clone();
                    let _ = told(
                        reader,
                        changed.to_string().as_bytes(),
                        "2026-11-23T12:00:00Z",
                    );
                });
            }
        }
    }
}

fn each_place(value: &Value, see: &mut dyn FnMut(&str)) {
    fn walk(value: &Value, path: &str, see: &mut dyn FnMut(&str)) {
        see(path);
        let below = |name: &str| format!("{path}/{}", name.replace('~', "~0").replace('/', "~1"));
        match value {
            Value::Object(map) => map
                .iter()
                .for_each(|(name, value)| walk(value, &below(name), see)),
            Value::Array(list) => list
                .iter()
                .enumerate()
                .for_each(|(index, value)| walk(value, &below(&index.to_string()), see)),
            _ => {}
        }
    }
    walk(value, "", see);
}

fn incident(priority: &Value, urgency: &str) -> String {
    json!({"event": {
        "event_type": "incident.triggered", "occurred_at": "2026-11-23T07:01:03Z", "agent": null,
        "data": {"type": "incident", "id": "P1", "title": "Down", "created_at": "2026-11-23T07:01:03Z", "urgency": urgency, "priority": priority},
    }})
    .to_string()
}

#[test]
fn what_is_declared_is_as_the_settings_say() {
    let words = |list: &[&str]| {
        list.iter()
            .map(|word| (*word).to_owned())
            .collect::<Vec<_>>()
    };
    let urgent = PagerDutyOutages {
        urgency: words(&["high"]),
        ..PagerDutyOutages::default()
    };
    let own = PagerDutyOutages {
        priority: words(&["SEV-1"]),
        ..urgent.clone()
    };
    for (declares, priority, urgency, declared) in [
        (PagerDutyOutages::default(), Some("P2"), "low", true),
        (PagerDutyOutages::default(), Some("p1"), "high", true),
        (PagerDutyOutages::default(), Some("P3"), "high", false),
        (PagerDutyOutages::default(), None, "high", false),
        (urgent.clone(), None, "high", true),
        (urgent.clone(), None, "low", false),
        (urgent, Some("P5"), "high", false),
        (own.clone(), Some("Sev-1"), "high", true),
        (own, Some("P1"), "high", false),
    ] {
        let priority = priority.map_or(Value::Null, |word| json!({"summary": word}));
        let reading = told(
            &SourceParser::PagerDuty(declares),
            incident(&priority, urgency).as_bytes(),
            "2026-11-23T12:00:00Z",
        )
        .unwrap();
        let begun = |event: &Event| matches!(&event.fact, Fact::Declaration(declared) if declared.status == AlertStatus::Firing);
        assert_eq!(
            (reading.reports.len(), begun(&reading.reports[0].event)),
            (1, declared),
            "{priority} {urgency}"
        );
    }
}

#[test]
fn secrets_of_senders_are_not_kept() {
    let [pagerduty, statuspage, _, slack] = readers();
    assert_eq!(stored_body(&pagerduty, b"{}"), None);
    let text = |reader: &SourceParser, body: &[u8]| {
        String::from_utf8(stored_body(reader, body).unwrap()).unwrap()
    };
    assert_eq!(
        text(
            &statuspage,
            br#"{"meta":{"unsubscribe":"https://s/?unsubscribe=x","generated_at":"t"}}"#
        ),
        r#"{"meta":{"generated_at":"t"}}"#
    );
    assert_eq!(
        text(
            &statuspage,
            br#"{"meta":{"unsubscribe":"https://s/?unsubscribe=x""#
        ),
        r#"{"meta":{"unsubscribe":"""#
    );
    assert_eq!(
        text(
            &slack,
            b"token=a&text=two+words&response_url=b&trigger_id=c"
        ),
        "text=two+words"
    );
    assert_eq!(
        text(&slack, b"payload=%7B%22token%22%3A1%2C%22a%22%3A2%7D"),
        "payload=%7B%22a%22%3A2%7D"
    );
    assert_eq!(
        text(&slack, br#"{"token":"x","type":"y"}"#),
        r#"{"type":"y"}"#
    );
}
