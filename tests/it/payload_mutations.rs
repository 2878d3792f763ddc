//! Mutated payloads: no parser panics, runs long, or reads more out of a body than it holds.

use std::time::Duration;

use afterword::ingest::dispatch::{SourceParser, read};
use afterword::ingest::message::{Headers, Message};
use afterword::model::settings::LabelNames;
use afterword::model::time::Time;

use super::rng::Rng;
use super::source_payloads::{Payload, payloads};

/// Broken bodies for each payload, unless `AFTERWORD_MUTATIONS` says how many.
const EACH: usize = 60;
/// What one small body may take on a busy machine. A reader that hangs takes for ever.
const LONGEST: Duration = Duration::from_secs(5);

/// What is put into bodies: what readers compare with, and what breaks numbers, times and texts.
const PIECES: &[&str] = &[
    "null",
    "0",
    "-1",
    "1e400",
    "9223372036854775808",
    "\"\"",
    "[]",
    "{}",
    "[[[[[[[[]]]]]]]]",
    "true",
    "\"\\ud800\"",
    "\"\\u0000\"",
    ",",
    "}",
    "]",
    "\"0001-01-01T00:00:00Z\"",
    "\"9999-12-31T23:59:60Z\"",
    "\"2026-02-30T00:00:00Z\"",
    "\"firing\"",
    "\"resolved\"",
    "${X}",
    "%ZZ",
    "payload=",
    "\u{202e}",
];

#[test]
fn mutated_bodies_never_panic() {
    let mut dice = Rng::new();
    #[expect(clippy::disallowed_methods, reason = "for a long run now and then")]
    let each = std::env::var("AFTERWORD_MUTATIONS").map_or(EACH, |text| text.parse().unwrap());
    let all = payloads();
    for payload in &all {
        for _ in 0..each {
            let body = broken(&payload.body, &mut dice);
            // Nine times in ten its own reader, else any other.
            let others = dice.roll().is_multiple_of(10);
            let by = if others {
                &all[dice.below(all.len())]
            } else {
                payload
            };
            check(&by.settings.readers["source"], payload, &body);
        }
    }
}

#[test]
fn deep_and_long_bodies_never_panic() {
    let deep = [
        b"{\"a\":".repeat(100_000),
        b"[".repeat(100_000),
        b"{\"event\":{\"data\":".repeat(50_000),
    ];
    let long = format!(
        "{{\"version\":\"4\",\"alerts\":[{}1]}}",
        "1,".repeat(300_000)
    );
    for payload in payloads() {
        let reader = &payload.settings.readers["source"];
        for body in deep.iter().map(Vec::as_slice).chain([long.as_bytes()]) {
            check(reader, &payload, body);
        }
    }
}

fn check(reader: &SourceParser, payload: &Payload, body: &[u8]) {
    let headers: Headers<'_> = payload
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_bytes()))
        .collect();
    let now: Time = "2026-11-23T12:00:00Z".parse().unwrap();
    let message = Message {
        source: "source",
        headers: &headers,
        body,
        names: &LabelNames::default(),
        now,
    };
    let begun = super::harness::now();
    let told = read(reader, &message, &mut |_| false);
    let took = begun.elapsed();
    let shown = || String::from_utf8_lossy(&body[..body.len().min(2000)]).into_owned();
    assert!(
        took < LONGEST,
        "{}: {took:?} for {} bytes: {}",
        payload.name,
        body.len(),
        shown()
    );
    let Ok(reading) = told else { return };
    // An event takes more than two bytes to tell, and so does a fault; neither is larger than what it was read from by much.
    let members = reading.reports.len() + reading.faults.len();
    assert!(
        members <= 16 + body.len() / 2,
        "{}: {members} of {} bytes: {}",
        payload.name,
        body.len(),
        shown()
    );
    for event in reading.events() {
        assert!(
            event.occurred_at <= now + chrono::TimeDelta::minutes(2) || event.clamped,
            "{}: {event:?}",
            payload.name
        );
        assert!(
            serde_json::to_string(event).is_ok_and(|text| text.len() < 200_000 + 20 * body.len()),
            "{}: {}",
            payload.name,
            shown()
        );
    }
}

/// The body with up to three things done to it.
fn broken(body: &[u8], dice: &mut Rng) -> Vec<u8> {
    let mut body = body.to_vec();
    for _ in 0..=dice.below(3) {
        if body.is_empty() {
            break;
        }
        let at = dice.below(body.len());
        match dice.below(6) {
            0 => body.truncate(at),
            1 => body[at] ^= 1 << dice.below(8),
            2 => drop(body.drain(at..(at + dice.below(40)).min(body.len()))),
            3 => drop(body.splice(at..at, PIECES[dice.below(PIECES.len())].bytes())),
            4 => value(&mut body, at, PIECES[dice.below(PIECES.len())]),
            _ => {
                let piece = body[at..(at + dice.below(200)).min(body.len())].to_vec();
                let to = dice.below(body.len());
                drop(body.splice(to..to, piece));
            }
        }
    }
    body
}

/// Puts a piece in the place of the JSON value that follows the next colon.
fn value(body: &mut Vec<u8>, at: usize, piece: &str) {
    let Some(colon) = body[at..]
        .iter()
        .position(|byte| *byte == b':')
        .map(|place| at + place + 1)
    else {
        return;
    };
    let rest = &body[colon..];
    let quoted = rest.trim_ascii_start().first() == Some(&b'"');
    let end = if quoted {
        let open = rest.iter().position(|byte| *byte == b'"').unwrap_or(0);
        rest[open + 1..]
            .iter()
            .position(|byte| *byte == b'"')
            .map_or(rest.len(), |close| open + close + 2)
    } else {
        rest.iter()
            .position(|byte| b",}]".contains(byte))
            .unwrap_or(rest.len())
    };
    body.splice(colon..colon + end, piece.bytes());
}
