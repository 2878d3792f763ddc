//! Arbitrary bytes as a message to each kind of source, the first byte saying which, with the headers that readers look at: no panic, and
//! what is read is no more than was sent.
#![no_main]

use afterword::ingest::message::{Headers, Message};
use afterword::ingest::sources::{Reader, read};
use afterword::model::settings::LabelNames;
use afterword::model::source::KINDS;
use libfuzzer_sys::fuzz_target;

/// What may stand in the header by which a sender says what its body is.
const WORDS: &[&str] = &[
    "deployment_status", "workflow_run", "workflow_dispatch", "ping", "Deployment Hook", "Pipeline Hook", "issue", "metric_alert", "event_alert",
    "comment", "installation", "application/cloudevents+json", "application/cloudevents-batch+json", "application/x-www-form-urlencoded",
    "application/json", "Notification",
];

fuzz_target!(|message: &[u8]| {
    let [kind, word, body @ ..] = message else { return };
    let (kind, _) = KINDS[usize::from(*kind) % KINDS.len()];
    let word = WORDS[usize::from(*word) % WORDS.len()].as_bytes();
    let names =
        ["content-type", "x-github-event", "x-gitlab-event", "sentry-hook-resource", "x-amz-sns-message-type", "ce-type", "ce-id", "ce-source"];
    let headers: Headers<'_> = names.into_iter().map(|name| (name, word)).chain([("ce-specversion", b"1.0".as_slice())]).collect();
    let message = Message { source: "source", headers: &headers, body, names: &LabelNames::default(), now: chrono::DateTime::UNIX_EPOCH };
    if let Ok(reading) = read(&Reader::Own(kind), &message, &mut |_| false) {
        assert!(reading.events.len() + reading.faults.len() <= 16 + body.len() / 2);
    }
});
