//! Bodies mapped by expressions, in a running service and from the command line.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::harness::World;

const SOURCES: &str = "sources:\n- {name: kuma, kind: uptime_kuma, auth: none}\n- {name: bus, kind: cloudevents, auth: none}\n";

/// A running service with these sources beside those of every world.
fn started() -> World {
    let mut world = World::new();
    let settings = std::fs::read_to_string(world.path("afterword.yaml")).unwrap();
    world.write(
        "afterword.yaml",
        &settings.replace("sources:\n", &SOURCES.replace("- {", "  - {")),
    );
    world.start();
    world
}

fn heartbeat(status: u8, time: &str) -> String {
    format!(
        r#"{{"heartbeat": {{"monitorID": 7, "status": {status}, "time": "{time}", "msg": "m"}}, "monitor": {{"id": 7, "name": "Checkout"}}, "msg": "m"}}"#
    )
}

#[test]
fn check_sample_prints_the_events_of_a_body() {
    let world = World::new();
    world.write("afterword.yaml", SOURCES);
    world.write("down.json", &heartbeat(0, "2026-11-23 10:58:24.371"));
    let ended = world.run(&["check", "--sample", "down.json", "--source", "kuma"]);
    assert_eq!(ended.code, Some(0), "{}", ended.said);
    for part in [
        "1 event",
        "occurred_at: 2026-11-23T10:58:24.371Z",
        "kind: alert",
        "labels.monitor: 7",
        "service: Checkout",
        "no start time",
    ] {
        assert!(ended.said.contains(part), "no {part:?} in {}", ended.said);
    }
    let told = world
        .run(&[
            "check",
            "--sample",
            "down.json",
            "--source",
            "kuma",
            "--format",
            "json",
        ])
        .said;
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!(
        (&told["events"][0]["fact"]["name"], &told["unstarted"][0]),
        (&"Checkout".into(), &0.into()),
        "{told:#}"
    );

    let ended = world.run(&["check", "--sample", "down.json"]);
    assert!(
        ended.code == Some(2)
            && ended
                .said
                .contains("--source; sources in the settings: kuma, bus"),
        "{}",
        ended.said
    );
    let ended = world.run(&["check", "--sample", "down.json", "--source", "bus"]);
    assert!(
        ended.code == Some(1) && ended.said.contains("down.json: specversion: missing"),
        "{}",
        ended.said
    );
    world.write("note.txt", "hello");
    let beside = [
        "ce-specversion: 1.0",
        "ce-id: 1",
        "CE-Source: /a",
        "ce-type: com.example.note",
        "content-type: text/plain",
    ];
    let mut asked = vec!["check", "--sample", "note.txt", "--source", "bus"];
    asked.extend(beside.iter().flat_map(|header| ["--header", header]));
    let ended = world.run(&asked);
    assert!(
        ended.code == Some(0) && ended.said.contains("text: com.example.note"),
        "{}",
        ended.said
    );
    world.write(
        "afterword.yaml",
        "sources: [{name: a, kind: generic, auth: none, map: {name: bdy.x, status: '\"firing\"'}}]",
    );
    let ended = world.run(&["check", "--sample", "down.json"]);
    assert!(
        ended.code == Some(1)
            && ended
                .said
                .contains("afterword.yaml:1:60: unknown name `bdy`"),
        "{}",
        ended.said
    );
}

#[test]
fn cloudevents_are_accepted_by_source_and_api() {
    let world = started();
    let structured = [("Content-Type", "application/cloudevents+json")];
    let event = r#"{"specversion": "1.0", "id": "1", "source": "/a", "type": "com.afterword.near_miss", "subject": "checkout", "data": {"what": "the disk was nearly full"}}"#;
    let answer = world
        .http
        .try_post("/ingest/bus", event, &structured)
        .unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);
    let answer = world
        .http
        .try_post("/api/v1/events", event, &structured)
        .unwrap();
    assert_eq!(answer.status, 201, "{}", answer.body);
    let beside = [
        ("Content-Type", "application/json"),
        ("ce-specversion", "1.0"),
        ("ce-id", "2"),
        ("ce-source", "/a"),
        ("ce-type", "afterword.note"),
        ("ce-subject", "checkout"),
    ];
    let answer = world
        .http
        .try_post("/api/v1/events", r#"{"text": "seen"}"#, &beside)
        .unwrap();
    assert_eq!(answer.status, 201, "{}", answer.body);
    let answer = world
        .http
        .try_post(
            "/api/v1/events",
            r#"[{"specversion": "1.0"}]"#,
            &[("Content-Type", "application/cloudevents-batch+json")],
        )
        .unwrap();
    assert!(
        answer.status == 400 && answer.body.contains("[0].id: missing"),
        "{}",
        answer.body
    );
    assert_eq!(world.incidents().len(), 1);
}

#[test]
fn repeated_down_and_up_is_one_episode() {
    let world = started();
    let time = |ago: u64| {
        crate::harness::stamp(std::time::Duration::from_secs(ago))
            .replace('T', " ")
            .replace('Z', "")
    };
    for body in [
        heartbeat(0, &time(600)),
        heartbeat(0, &time(300)),
        heartbeat(1, &time(60)),
        heartbeat(1, &time(60)),
    ] {
        assert_eq!(world.post("/ingest/kuma", &body).status, 200);
    }
    let incidents = crate::harness::until("the incident is seen", crate::harness::PATIENCE, || {
        Some(world.incidents()).filter(|incidents| !incidents.is_empty())
    });
    assert_eq!(incidents.len(), 1, "{incidents:#?}");
    let whole = world.incident(incidents[0]["id"].as_str().unwrap());
    let signals = whole["signals"].as_array().cloned().unwrap_or_default();
    assert_eq!(signals.len(), 1, "{whole:#}");
}

#[test]
fn cloudevents_validation_handshake_is_answered() {
    let world = started();
    let asked = |source: &str, origin: &str| {
        let mut stream = TcpStream::connect(("127.0.0.1", world.port)).unwrap();
        let request = format!(
            "OPTIONS /ingest/{source} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n{origin}Connection: close\r\n\r\n",
            world.port
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.to_ascii_lowercase()
    };
    let granted = asked(
        "bus",
        "WebHook-Request-Origin: eventemitter.example.com\r\nWebHook-Request-Rate: 120\r\n",
    );
    for part in [
        "http/1.1 200",
        "webhook-allowed-origin: eventemitter.example.com",
        "webhook-allowed-rate: *",
        "allow: post, put, options",
    ] {
        assert!(granted.contains(part), "no {part:?} in {granted}");
    }
    for other in [
        asked("bus", ""),
        asked("kuma", "WebHook-Request-Origin: a.example\r\n"),
        asked("nobody", "WebHook-Request-Origin: a.example\r\n"),
    ] {
        assert!(!other.contains("webhook-allowed"), "{other}");
    }
}
