//! `afterword backtest`, its page and its API, over the events of a running service.

use std::io::Read;
use std::net::TcpListener;
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{PATIENCE, World, alert, stamp, until, webhook};

const HELD: &str = "criteria:
  - {name: long, on: degradation, longest: 30m, decision: hold}
  - {name: asked, on: request, decision: hold}
correlation: {correlate_by: [service], settle: 1s, reopen_within: 1s}
";

const TRIED: &str = "criteria:
  - {name: shorter, on: degradation, longest: 20m, decision: hold}
  - {name: much-shorter, on: degradation, longest: 5m, decision: suggest}
  - {name: any, on: degradation, longest: 1s, decision: suggest, shadow: true}
correlation: {correlate_by: [service], settle: 1s, reopen_within: 1s}
";

fn minutes(ago: u64) -> String {
    stamp(Duration::from_secs(ago * 60))
}

/// A service that was told of three incidents, of 45, 25 and 10 minutes, and that somebody asked about a fourth.
fn history() -> World {
    let mut world = World::new();
    world.write("rules/rules.yaml", HELD);
    world.write("tried/rules.yaml", TRIED);
    world.start();
    for (service, length) in [("long", 45), ("middle", 25), ("short", 10)] {
        let mut fired = alert("Slow", service, &minutes(90));
        assert_eq!(
            world
                .post("/ingest/alertmanager", &webhook(&[fired.clone()]))
                .status,
            200
        );
        (fired["status"], fired["endsAt"]) = (json!("resolved"), json!(minutes(90 - length)));
        assert_eq!(
            world
                .post("/ingest/alertmanager", &webhook(&[fired]))
                .status,
            200
        );
    }
    let asked = json!({"service": "asked", "reason": "a customer called"});
    assert_eq!(
        world.post("/api/v1/requests", &asked.to_string()).status,
        201
    );
    until("all incidents are closed", PATIENCE, || {
        let all = world.incidents();
        (all.len() == 4 && all.iter().all(|incident| incident["phase"] == "closed")).then_some(())
    });
    world
}

fn backtest(world: &World, more: &[&str]) -> Value {
    let ended = world.run(
        &[
            &["backtest", "--config", "afterword.yaml", "--format", "json"],
            more,
        ]
        .concat(),
    );
    assert_eq!(ended.code, Some(0), "{ended:?}");
    serde_json::from_str(&ended.said).unwrap_or_else(|error| panic!("{error}: {ended:?}"))
}

/// What shifted, by service.
fn shifts(report: &Value) -> Vec<(String, String)> {
    let word = |value: &Value| value.as_str().unwrap().to_owned();
    let of = |compared: &Value| (word(&compared["services"][0]), word(&compared["shift"]));
    report["incidents"]
        .as_array()
        .unwrap()
        .iter()
        .map(of)
        .collect()
}

fn told(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected
        .iter()
        .map(|(service, shift)| ((*service).to_owned(), (*shift).to_owned()))
        .collect()
}

#[test]
fn backtest_compares_with_the_rules_in_force_at_the_time() {
    let mut world = history();
    let report = backtest(&world, &["--rules", "tried"]);
    let expected = told(&[
        ("middle", "newly_held"),
        ("asked", "no_longer_held"),
        ("short", "newly_suggested"),
        ("long", "unchanged"),
    ]);
    assert_eq!(shifts(&report), expected, "{report:#}");
    assert_eq!(
        report["incidents"][0]["sentence"],
        "Middle was degraded for 25m without a break (threshold 20m)."
    );
    assert_eq!(
        (&report["before"]["held"], &report["after"]["held"]),
        (&json!(2), &json!(2))
    );
    let shadow = report["criteria"]
        .as_array()
        .unwrap()
        .iter()
        .find(|counted| counted["criterion"] == "any")
        .unwrap();
    assert_eq!(
        (&shadow["shadow"], &shadow["met"], &shadow["decided"]),
        (&json!(true), &json!(3), &json!(0))
    );

    // The rules are changed while the service runs: what held before is still what it is compared with.
    world.write("rules/rules.yaml", TRIED);
    assert_eq!(world.post("/-/reload", "").status, 200);
    world.until_judged();
    assert_eq!(shifts(&backtest(&world, &[])), expected);

    // An export says the same, and other rules can be named instead of those that held.
    let ended = world.run(&["export", "--config", "afterword.yaml", "out.jsonl"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(
        shifts(&backtest(
            &world,
            &["--events", "out.jsonl", "--rules", "tried"]
        )),
        expected
    );
    let same = backtest(
        &world,
        &[
            "--events",
            "out.jsonl",
            "--rules",
            "tried",
            "--against",
            "tried/rules.yaml",
        ],
    );
    assert_eq!(same["shifts"], json!({"unchanged": 3}), "{same:#}");
    world.kill();
    assert_eq!(
        shifts(&backtest(&world, &["--since", "2h"])),
        expected,
        "it needs no running service"
    );
    let recent = backtest(&world, &["--since", "1h"]);
    assert_eq!(
        shifts(&recent),
        told(&[("asked", "no_longer_held")]),
        "{recent:#}"
    );
    let csv = world
        .run(&[
            "backtest",
            "--config",
            "afterword.yaml",
            "--rules",
            "tried",
            "--format",
            "csv",
        ])
        .said;
    assert!(
        csv.starts_with("change,incident,began,") && csv.lines().count() == 5,
        "{csv}"
    );
}

#[test]
fn unreadable_event_line_is_skipped_and_rule_fault_has_its_position() {
    let world = World::new();
    let event = |kind: &str, at: &str| {
        format!(
            "{{\"kind\":\"{kind}\",\"reason\":\"r\",\"service\":\"pay\",\"occurred_at\":\"{at}\"}}"
        )
    };
    let good = event("request", "2026-10-01T07:00:00Z");
    world.write(
        "events.jsonl",
        &format!(
            "{good}\nnonsense\n{{\"kind\":\"request\",\"reason\":\"when?\"}}\n{}\n",
            event("wish", "2026-10-01T07:00:00Z")
        ),
    );
    let report = backtest(&world, &["--events", "events.jsonl"]);
    assert_eq!(
        (&report["events"], report["notes"].as_array().unwrap().len()),
        (&json!(1), 3),
        "{report:#}"
    );
    for (note, place) in report["notes"].as_array().unwrap().iter().zip([
        "events.jsonl:2:1:",
        "events.jsonl:3:1:",
        "events.jsonl:4:1:",
    ]) {
        assert!(note.as_str().unwrap().starts_with(place), "{note}");
    }
    let config = ["backtest", "--config", "afterword.yaml"];
    world.write(
        "bad/rules.yaml",
        "criteria:\n  - {name: long, on: degradation, lngest: 30m, decision: hold}\n",
    );
    for (arguments, code, said) in [
        (
            &["--events", "events.jsonl", "--rules", "bad"][..],
            1,
            "bad/rules.yaml:2:35: unknown key `lngest`; did you mean `longest`?",
        ),
        (
            &["--events", "nowhere.jsonl"],
            1,
            "nowhere.jsonl cannot be read",
        ),
        (
            &["--events", "events.jsonl", "--rules", "nowhere"],
            1,
            "nowhere: this file does not exist",
        ),
        (
            &["--events", "events.jsonl", "--since", "soon"],
            2,
            "--since is not a time",
        ),
        (
            &[
                "--events",
                "events.jsonl",
                "--prometheus",
                "http://localhost",
            ],
            2,
            "cannot be used with",
        ),
        (&["--prometheus", "ftp://localhost"], 2, "--prometheus: "),
    ] {
        let ended = world.run(&[&config[..], arguments].concat());
        assert!(
            ended.code == Some(code) && ended.said.contains(said),
            "{arguments:?}: {ended:?}"
        );
    }
}

#[test]
fn page_and_api_run_the_same_backtest() {
    let world = history();
    let begun = world.post(
        "/api/v1/backtests",
        &json!({"rules": TRIED, "since": "2h"}).to_string(),
    );
    assert_eq!(
        (begun.status, begun.json()["id"].clone()),
        (202, json!(1)),
        "{}",
        begun.body
    );
    let done = until("the backtest is over", PATIENCE, || {
        Some(world.get("/api/v1/backtests/1").json()).filter(|job| job["state"] == "done")
    });
    let expected = told(&[
        ("middle", "newly_held"),
        ("asked", "no_longer_held"),
        ("short", "newly_suggested"),
        ("long", "unchanged"),
    ]);
    assert_eq!(shifts(&done["report"]), expected, "{done:#}");
    assert_eq!(
        world
            .get("/api/v1/backtests/1?format=csv")
            .body
            .lines()
            .count(),
        5
    );
    let page = world.get("/backtests/1").body;
    assert!(
        page.contains("newly opened")
            && page.contains("Middle was degraded for 25m without a break (threshold 20m)."),
        "{page}"
    );
    assert!(
        !page.contains("http-equiv"),
        "what is over is not looked at again"
    );

    let form = |text: &str| {
        let pairs = [
            ("name", "mine.yaml"),
            ("text", text),
            ("since", ""),
            ("prometheus", ""),
        ];
        form_urlencoded::Serializer::new(String::new())
            .extend_pairs(pairs)
            .finish()
    };
    let refused = world
        .http
        .try_form("/backtests", &form("criteria: [{nme: x}]"), &[])
        .unwrap();
    assert!(
        refused.status == 400 && refused.body.contains("mine.yaml:1:13: unknown key `nme`"),
        "{}",
        refused.body
    );
    assert!(
        refused.body.contains("criteria: [{nme: x}]"),
        "what was written is not lost"
    );
    assert_eq!(
        world
            .http
            .try_form("/backtests", &form(TRIED), &[])
            .unwrap()
            .status,
        200,
        "after the redirect"
    );
    until("the second is over", PATIENCE, || {
        (world.get("/api/v1/backtests").json()[0]["state"] == "done").then_some(())
    });
    assert_eq!(world.get("/api/v1/backtests/77").status, 404);
    assert_eq!(
        world
            .post(
                "/api/v1/backtests",
                "{\"prometheus\": \"http://169.254.169.254\"}"
            )
            .status,
        400
    );
}

#[test]
fn backtests_queue_and_can_be_cancelled() {
    // A Prometheus that never answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let mut held = Vec::new();
        for connection in silent.incoming() {
            let mut connection = connection.unwrap();
            let _ = connection.read(&mut [0; 1024]);
            held.push(connection);
        }
    });
    let mut world = World::new();
    let settings = std::fs::read_to_string(world.path("afterword.yaml")).unwrap();
    let slow = format!(
        "metrics: [{{name: slow, kind: prometheus, url: 'http://127.0.0.1:{port}', alerts: false}}]\n"
    );
    world.write("afterword.yaml", &format!("{settings}{slow}"));
    world.start();
    let begin = || {
        world
            .post("/api/v1/backtests", "{\"prometheus\": \"slow\"}")
            .status
    };
    assert_eq!(begin(), 202);
    let state = |number: u64| {
        world.get(&format!("/api/v1/backtests/{number}")).json()["state"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    until("the first runs", PATIENCE, || {
        (state(1) == "running").then_some(())
    });
    assert!(
        world
            .get("/backtests/1")
            .body
            .contains("http-equiv=\"refresh\"")
    );
    assert_eq!(
        [begin(), begin(), begin(), begin(), begin(), begin()],
        [202, 202, 202, 202, 202, 409]
    );
    assert_eq!(
        world
            .http
            .try_form("/backtests/3/cancel", "", &[])
            .unwrap()
            .status,
        200
    );
    assert_eq!(state(3), "cancelled");
    assert_eq!(
        world
            .http
            .try_form("/backtests/1/cancel", "", &[])
            .unwrap()
            .status,
        200
    );
    until(
        "the first is broken off and the second runs",
        PATIENCE,
        || (state(1) == "cancelled" && state(2) == "running").then_some(()),
    );
}
