//! Alerts delivered through third-party services: they open and end an incident, and only
//! authenticated senders may deliver them.

use std::path::Path;
use std::time::Duration;

use afterword::ingest::dispatch::{SourceParser, read};
use afterword::ingest::error::IngestFault;
use afterword::ingest::message::{Headers, Message};
use afterword::ingest::reading::Reading;
use afterword::model::settings::LabelNames;
use afterword::model::source::{ServiceMapping, SourceKind};
use afterword::model::time::Time;
use serde_json::{Value, json};

use crate::harness::{PATIENCE, World, stamp, until, wall};

const TOPIC: &str = "arn:aws:sns:eu-west-1:123456789012:alarms";

/// With a source of each kind.
fn world() -> World {
    let mut world = World::new();
    let settings = std::fs::read_to_string(world.path("afterword.yaml")).unwrap();
    let sources = format!(
        "sources:
  - {{name: opsgenie, kind: opsgenie, auth: none}}
  - {{name: datadog, kind: datadog, auth: none}}
  - {{name: sentry, kind: sentry, auth: none}}
  - {{name: aws, kind: sns, topics: ['{TOPIC}']}}
  - {{name: aws-raw, kind: sns, topics: ['{TOPIC}'], auth: {{basic: {{username: sns, password_file: bearer}}}}}}
"
    );
    world.write("afterword.yaml", &settings.replace("sources:\n", &sources));
    world.start();
    world
}

fn post(world: &World, source: &str, body: &Value, headers: &[(&str, &str)]) {
    let answer = world
        .http
        .try_post(&format!("/ingest/{source}"), &body.to_string(), headers)
        .unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);
}

/// The one incident, once it is on or over, with the kinds of what was told of it.
fn told(world: &World, phase: &str) -> Vec<String> {
    until(phase, PATIENCE, || {
        let [incident] = &world.incidents()[..] else {
            return None;
        };
        let incident = world.incident(incident["id"].as_str().unwrap());
        if incident["phase"]
            .as_str()
            .is_none_or(|found| !phase.contains(found))
        {
            return None;
        }
        let members = incident["members"].as_array().unwrap();
        Some(
            members
                .iter()
                .map(|member| member["event"]["fact"]["kind"].as_str().unwrap().to_owned())
                .collect(),
        )
    })
}

fn millis(ago: Duration) -> i64 {
    (wall() - ago).timestamp_millis()
}

const OVER: &str = "resolved closed";

#[test]
fn opsgenie_alert_opens_and_ends_an_incident() {
    let world = world();
    let created = millis(Duration::from_secs(60));
    let action = |action: &str, more: &Value| {
        let mut alert = json!({"alertId": "a-1", "alias": "checkout-5xx", "message": "Checkout answers with 5xx", "tags": ["service:checkout"],
                               "createdAt": created, "updatedAt": created * 1_000_000, "username": "System", "priority": "P1"});
        alert
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        json!({"action": action, "alert": alert})
    };
    post(&world, "opsgenie", &action("Create", &json!({})), &[]);
    told(&world, "active");
    let later = |seconds: i64| (created + seconds * 1000) * 1_000_000;
    let kay = json!({"username": "kay@example.com", "userId": "u-1", "updatedAt": later(10)});
    post(&world, "opsgenie", &action("Acknowledge", &kay), &[]);
    post(
        &world,
        "opsgenie",
        &action(
            "AddNote",
            &json!({"note": "Rolled back", "updatedAt": later(20)}),
        ),
        &[],
    );
    post(
        &world,
        "opsgenie",
        &action("Close", &json!({"updatedAt": later(30)})),
        &[],
    );
    assert_eq!(
        told(&world, OVER),
        ["alert", "acknowledgement", "note", "alert"]
    );
}

#[test]
fn datadog_monitor_goes_from_warning_to_alert_and_back() {
    let world = world();
    let monitor = |transition: &str, ago: u64| {
        json!({"alert_id": "1", "alert_cycle_key": "77", "alert_transition": transition, "alert_priority": "$ALERT_PRIORITY",
               "title": format!("[{transition}] Checkout is slow"), "date": millis(Duration::from_secs(ago)).to_string(),
               "tags": "env:prod,service:checkout"})
    };
    post(&world, "datadog", &monitor("Warn", 60), &[]);
    assert_eq!(told(&world, "active"), ["alert"], "nothing was over");
    post(&world, "datadog", &monitor("Triggered", 50), &[]);
    post(&world, "datadog", &monitor("Renotify", 40), &[]);
    post(&world, "datadog", &monitor("Recovered", 30), &[]);
    assert_eq!(
        told(&world, OVER).len(),
        4,
        "a beginning and an end of two levels"
    );
}

#[test]
fn sentry_metric_alert_opens_and_ends_an_incident() {
    let world = world();
    let alert = |action: &str| {
        json!({"action": action, "actor": {"type": "application", "name": "Sentry"}, "data": {"metric_alert": {
            "id": "12", "alert_rule": {"id": "7", "name": "Failed checkouts"}, "date_started": stamp(Duration::from_secs(60)),
            "projects": ["checkout"]}}})
    };
    let post = |action: &str, ago: u64| {
        let at = (millis(Duration::from_secs(ago)) / 1000).to_string();
        post(
            &world,
            "sentry",
            &alert(action),
            &[
                ("sentry-hook-resource", "metric_alert"),
                ("sentry-hook-timestamp", &at),
            ],
        );
    };
    post("critical", 50);
    assert_eq!(told(&world, "active"), ["alert"]);
    post("resolved", 20);
    assert_eq!(told(&world, OVER).len(), 2);
}

#[test]
fn cloudwatch_alarm_edges_make_one_episode() {
    let world = world();
    let alarm = |new: &str, old: &str, ago: u64| {
        let at = (wall() - Duration::from_secs(ago))
            .format("%Y-%m-%dT%H:%M:%S%.3f+0000")
            .to_string();
        json!({"AlarmName": "checkout-5xx-critical", "AWSAccountId": "123456789012", "NewStateValue": new, "OldStateValue": old,
               "StateChangeTime": at, "Trigger": {"Dimensions": [{"name": "ServiceName", "value": "checkout"}]}})
    };
    // As SNS shows it once it was asked for it: `sns:open sesame`.
    let headers = [
        ("authorization", "Basic c25zOm9wZW4gc2VzYW1l"),
        ("x-amz-sns-topic-arn", TOPIC),
    ];
    post(&world, "aws-raw", &alarm("ALARM", "OK", 60), &headers);
    assert_eq!(told(&world, "active"), ["alert"]);
    post(&world, "aws-raw", &alarm("OK", "ALARM", 30), &headers);
    assert_eq!(told(&world, OVER), ["alert", "alert"]);
}

#[test]
fn unsigned_or_foreign_sns_topic_is_refused() {
    let world = world();
    let refused = |source: &str, body: &Value, headers: &[(&str, &str)]| {
        let answer = world
            .http
            .try_post(&format!("/ingest/{source}"), &body.to_string(), headers)
            .unwrap();
        assert_eq!(answer.status, 401, "{body}: {}", answer.body);
        answer.challenge
    };
    let envelope = |topic: &str, certificate: &str| {
        json!({"Type": "Notification", "MessageId": "1", "TopicArn": topic, "Message": "{}", "Timestamp": stamp(Duration::ZERO),
               "SignatureVersion": "2", "Signature": "AAAA", "SigningCertURL": certificate})
    };
    refused("aws", &envelope(TOPIC, "https://127.0.0.1/a.pem"), &[]);
    refused(
        "aws",
        &envelope(
            TOPIC,
            "https://sns.eu-west-1.amazonaws.com.example.org/a.pem",
        ),
        &[],
    );
    refused(
        "aws",
        &envelope(
            "arn:aws:sns:eu-west-1:999999999999:mine",
            "https://sns.eu-west-1.amazonaws.com/a.pem",
        ),
        &[],
    );
    refused(
        "aws",
        &json!({"AlarmName": "a", "NewStateValue": "ALARM"}),
        &[("x-amz-sns-topic-arn", TOPIC)],
    );
    let challenge = refused(
        "aws-raw",
        &json!({"AlarmName": "a", "NewStateValue": "ALARM"}),
        &[("x-amz-sns-topic-arn", TOPIC)],
    );
    // SNS shows its password to whoever asks in these words, and to nobody else.
    assert_eq!(challenge.as_deref(), Some("Basic realm=\"afterword\""));
    assert_eq!(world.incidents(), Vec::<Value>::new());
}

/// A body of `tests/payloads`, with what came beside it.
struct Payload {
    kind: SourceKind,
    name: String,
    body: Vec<u8>,
    headers: Vec<(String, String)>,
}

impl Payload {
    fn read(&self, body: &[u8], now: &str) -> Result<Reading, IngestFault> {
        let headers: Headers<'_> = self
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_bytes()))
            .collect();
        let (names, now): (LabelNames, Time) = (LabelNames::default(), now.parse().unwrap());
        let message = Message {
            source: "source",
            headers: &headers,
            body,
            names: &names,
            now,
        };
        read(
            &SourceParser::Named(self.kind, ServiceMapping::default()),
            &message,
            &mut |_| false,
        )
    }
}

fn payloads() -> Vec<Payload> {
    let kinds = [
        ("opsgenie", SourceKind::Opsgenie),
        ("datadog", SourceKind::Datadog),
        ("sns", SourceKind::Sns),
        ("sentry", SourceKind::Sentry),
    ];
    let mut all = Vec::new();
    for (directory, kind) in kinds {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/payloads")
            .join(directory);
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path
                .extension()
                .is_none_or(|ending| !matches!(ending.to_str(), Some("json" | "form" | "txt")))
            {
                continue;
            }
            let beside =
                std::fs::read_to_string(path.with_extension("headers")).unwrap_or_default();
            let headers = beside.lines().filter_map(|line| line.split_once(": "));
            all.push(Payload {
                kind,
                name: path.display().to_string(),
                body: std::fs::read(&path).unwrap(),
                headers: headers
                    .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
                    .collect(),
            });
        }
    }
    assert!(all.len() > 50, "only {}", all.len());
    all
}

#[test]
fn repeated_message_gives_the_same_events() {
    for payload in payloads() {
        // These hold no time that can be read.
        if ["escalate.json", "odd_time.json", "raw_text.txt"]
            .iter()
            .any(|name| payload.name.ends_with(name))
        {
            continue;
        }
        let (first, again) = (
            payload.read(&payload.body, "2026-11-23T12:00:00Z"),
            payload.read(&payload.body, "2026-11-23T13:30:00Z"),
        );
        assert_eq!(
            first.map(Reading::into_events),
            again.map(Reading::into_events),
            "{}",
            payload.name
        );
    }
}

/// Whatever stands in one place instead of what should, nothing panics and nothing grows.
#[test]
fn odd_body_is_read_as_far_as_possible() {
    let odd = [
        json!(null),
        json!(true),
        json!(0),
        json!(-1),
        json!(i64::MAX),
        json!(u64::MAX),
        json!(1e300),
        json!(""),
        json!(" \u{0}\n\u{202e}"),
        json!("+0000"),
        json!("9999-12-31T23:59:59.999999999Z"),
        json!("0001-01-01T00:00:00+14:00"),
        json!("9223372036854775807"),
        json!("ü+0000"),
        json!("[".repeat(1000)),
        json!("a".repeat(100_000)),
        json!([]),
        json!([null, 1, "a", {}]),
        json!({}),
        json!({"name": "a", "value": 1}),
    ];
    for payload in payloads() {
        let Ok(whole) = serde_json::from_slice::<Value>(&payload.body) else {
            continue;
        };
        let mut places = Vec::new();
        walk(&whole, String::new(), &mut places);
        for place in places {
            for value in &odd {
                let mut body = whole.clone();
                *body.pointer_mut(&place).unwrap() = value.clone();
                if let Ok(reading) =
                    payload.read(body.to_string().as_bytes(), "2026-11-23T12:00:00Z")
                {
                    let length = serde_json::to_string(&reading.into_events()).unwrap().len();
                    assert!(
                        length < 30_000,
                        "{} with {place}: {length} bytes",
                        payload.name
                    );
                }
            }
        }
    }
}

fn walk(value: &Value, path: String, places: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                walk(
                    value,
                    format!("{path}/{}", key.replace('~', "~0").replace('/', "~1")),
                    places,
                );
            }
        }
        Value::Array(list) => {
            for (index, value) in list.iter().enumerate() {
                walk(value, format!("{path}/{index}"), places);
            }
        }
        _ => {}
    }
    if !path.is_empty() {
        places.push(path);
    }
}
