//! Arbitrary bytes as a message to each kind of source, the first byte saying which, with the headers that readers look at: no panic, and
//! what is read is no more than was sent.
#![no_main]

use std::fmt::Write as _;
use std::sync::OnceLock;

use afterword::app::settings::Settings;
use afterword::ingest::message::{Headers, Message};
use afterword::ingest::dispatch::read;
use afterword::model::settings::LabelNames;
use afterword::model::source::KINDS;
use libfuzzer_sys::fuzz_target;

/// What may stand in the header by which a sender says what its body is.
const WORDS: &[&str] = &[
    "deployment_status", "workflow_run", "workflow_dispatch", "ping", "Deployment Hook", "Pipeline Hook", "issue", "metric_alert", "event_alert",
    "comment", "installation", "application/cloudevents+json", "application/cloudevents-batch+json", "application/x-www-form-urlencoded",
    "application/json", "Notification",
];

/// With a source of each kind, called as the kind is.
static SETTINGS: OnceLock<Settings> = OnceLock::new();

fn settings() -> Settings {
    let mut text = "sources:\n".to_owned();
    for (_, words) in KINDS {
        let more = match words[0] {
            "sns" => ", topics: ['arn:aws:sns:eu-west-1:123456789012:alarms']",
            "generic" => ", map: {each: body.alerts, name: item.title, status: '\"firing\"', occurred_at: seconds(item.at), labels: item.labels}",
            _ => "",
        };
        let name = words[0].replace('_', "-");
        let _ = writeln!(text, "- {{name: {name}, kind: {}, auth: none{more}}}", words[0]);
    }
    let file = std::env::temp_dir().join(format!("afterword-fuzz-{}.yaml", std::process::id()));
    std::fs::write(&file, text).expect("the settings can be written");
    let settings = Settings::load(Some(&file)).unwrap_or_else(|faults| panic!("{faults:?}"));
    let _ = std::fs::remove_file(&file);
    settings
}

fuzz_target!(|message: &[u8]| {
    let [kind, word, body @ ..] = message else { return };
    let (_, words) = KINDS[usize::from(*kind) % KINDS.len()];
    let readers = &SETTINGS.get_or_init(settings).readers;
    let reader = &readers[&words[0].replace('_', "-")];
    let word = WORDS[usize::from(*word) % WORDS.len()].as_bytes();
    let names =
        ["content-type", "x-github-event", "x-gitlab-event", "sentry-hook-resource", "x-amz-sns-message-type", "ce-type", "ce-id", "ce-source"];
    let headers: Headers<'_> = names.into_iter().map(|name| (name, word)).chain([("ce-specversion", b"1.0".as_slice())]).collect();
    let message = Message { source: "source", headers: &headers, body, names: &LabelNames::default(), now: chrono::DateTime::UNIX_EPOCH };
    if let Ok(reading) = read(reader, &message, &mut |_| false) {
        assert!(reading.reports.len() + reading.faults.len() <= 16 + body.len() / 2);
    }
});
