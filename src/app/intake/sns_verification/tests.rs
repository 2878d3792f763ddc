#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::Unverified;
use crate::app::App;
use crate::app::clock::Clock;
use crate::app::settings::Settings;
use crate::config::sources::Source;
use crate::ingest::message::{Headers, Message};
use crate::model::settings::LabelNames;
use crate::model::time::Time;
use crate::store::database::Store;

const SIGNED: &str = include_str!("../../../ingest/sns/tests/signed.json");
const CERTIFICATE: &[u8] = include_bytes!("../../../ingest/sns/tests/certificate.pem");
const TOPIC: &str = "arn:aws:sns:eu-west-1:123456789012:alarms";

struct World {
    app: Arc<App>,
    _dir: tempfile::TempDir,
}

fn now() -> Time {
    "2026-12-01T12:00:00Z".parse().unwrap()
}

fn signed(name: &str) -> Value {
    serde_json::from_str::<Value>(SIGNED).unwrap()[name].take()
}

/// With a source of that `auth`, and the certificate that the signed messages name.
fn world(auth: &str) -> World {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("afterword.yaml");
    std::fs::write(dir.path().join("secret"), "open sesame").unwrap();
    std::fs::write(
        &file,
        format!("sources: [{{name: aws, kind: sns, topics: [\"{TOPIC}\"], auth: {auth}}}]\n"),
    )
    .unwrap();
    let settings = Settings::load(Some(&file)).unwrap();
    let store = Store::open(&dir.path().join("afterword.db"), now()).unwrap();
    let app = App::start(
        store,
        settings,
        Clock::Set(Arc::new(Mutex::new(Some(now())))),
    )
    .unwrap();
    app.intake.sns.client.cache(
        signed("version_2")["SigningCertURL"].as_str().unwrap(),
        &Arc::from(CERTIFICATE),
    );
    World { app, _dir: dir }
}

fn source(app: &App) -> Source {
    app.core.settings().config.sources[0].clone()
}

async fn vouched(world: &World, body: &str, headers: &[(&str, &str)]) -> Result<(), Unverified> {
    let headers: Headers<'_> = headers
        .iter()
        .map(|&(name, value)| (name, value.as_bytes()))
        .collect();
    let names = LabelNames::default();
    let message = Message {
        source: "aws",
        headers: &headers,
        body: body.as_bytes(),
        names: &names,
        now: now(),
    };
    world
        .app
        .intake
        .sns
        .verify(&source(&world.app), &message)
        .await
}

fn why(vouched: Result<(), Unverified>) -> String {
    match vouched {
        Err(Unverified::Refused(why)) => why,
        other => format!("{other:?}"),
    }
}

#[tokio::test]
async fn signed_message_of_a_listed_topic_is_accepted() {
    let world = world("signature");
    for name in ["version_1", "version_2", "without_subject", "confirmation"] {
        assert_eq!(
            vouched(&world, &signed(name).to_string(), &[]).await,
            Ok(()),
            "{name}"
        );
    }
}

#[tokio::test]
async fn unsigned_changed_or_foreign_message_is_rejected() {
    let world = world("signature");
    let changed = async |field: &str, value: Value| {
        let mut body = signed("version_2");
        body[field] = value;
        why(vouched(&world, &body.to_string(), &[]).await)
    };
    assert!(
        changed("Message", json!("mine"))
            .await
            .contains("does not match")
    );
    assert!(
        changed("TopicArn", json!("arn:aws:sns:eu-west-1:999999999999:mine"))
            .await
            .contains("not among the source's `topics`")
    );
    assert!(
        changed("TopicArn", Value::Null)
            .await
            .contains("names no topic")
    );
    assert!(
        changed("SigningCertURL", json!("https://example.org/a.pem"))
            .await
            .contains("not an address of Amazon SNS")
    );
    assert!(
        changed("Timestamp", json!("2026-12-01T10:00:00.000Z"))
            .await
            .contains("more than an hour old or in the future")
    );
    assert!(
        changed("SignatureVersion", json!("0"))
            .await
            .contains("neither 1 nor 2")
    );
    assert!(why(vouched(&world, "hello", &[]).await).contains("names no topic"));
    assert!(
        why(vouched(&world, "hello", &[("x-amz-sns-topic-arn", TOPIC)]).await)
            .contains("raw message delivery")
    );
    let bare = r#"{"AlarmName": "a", "NewStateValue": "ALARM"}"#;
    assert!(
        why(vouched(&world, bare, &[("x-amz-sns-topic-arn", TOPIC)]).await)
            .contains("raw message delivery")
    );
    // One good message does not vouch for another.
    let mut other = signed("version_2");
    other["Message"] = json!("mine");
    let both = json!({"Records": [{"Sns": signed("version_2")}, {"Sns": other}]});
    assert!(why(vouched(&world, &both.to_string(), &[]).await).contains("does not match"));
    assert!(
        world
            .app
            .core
            .faults
            .open()
            .iter()
            .any(|fault| { fault.message.contains("a message to `aws` was rejected") })
    );
}

#[tokio::test]
async fn beside_a_password_a_bare_alarm_is_taken_and_an_envelope_is_still_checked() {
    let world = world("{basic: {username: sns, password_file: secret}}");
    let bare = r#"{"AlarmName": "a", "NewStateValue": "ALARM"}"#;
    assert_eq!(
        vouched(&world, bare, &[("x-amz-sns-topic-arn", TOPIC)]).await,
        Ok(())
    );
    assert_eq!(
        vouched(&world, "hello", &[("x-amz-sns-topic-arn", TOPIC)]).await,
        Ok(())
    );
    assert!(why(vouched(&world, bare, &[]).await).contains("names no topic"));
    assert_eq!(
        vouched(&world, "hello", &[]).await,
        Ok(()),
        "nothing is read of it, and it is kept"
    );
    assert!(
        why(vouched(
            &world,
            bare,
            &[("x-amz-sns-topic-arn", "arn:aws:sns:eu-west-1:1:b")]
        )
        .await)
        .contains("`topics`")
    );
    assert_eq!(
        vouched(&world, &signed("version_1").to_string(), &[]).await,
        Ok(())
    );
    let mut body = signed("version_1");
    body["Message"] = json!("mine");
    assert!(why(vouched(&world, &body.to_string(), &[]).await).contains("does not match"));
}

#[tokio::test]
async fn subscription_is_confirmed_once_and_only_if_verified() {
    let url = signed("confirmation")["SubscribeURL"]
        .as_str()
        .unwrap()
        .to_owned();
    let closed = world("none");
    closed
        .app
        .intake
        .sns
        .confirm(&source(&closed.app), url.clone())
        .await
        .unwrap();
    assert_eq!(closed.app.core.store.deliveries(10).unwrap(), []);
    let world = world("signature");
    for _ in 0..2 {
        world
            .app
            .intake
            .sns
            .confirm(&source(&world.app), url.clone())
            .await
            .unwrap();
    }
    let ordered = world.app.core.store.deliveries(10).unwrap();
    assert_eq!(ordered.len(), 1);
    assert_eq!(
        ordered[0].delivery.destination,
        format!("subscription to {TOPIC}")
    );
}
