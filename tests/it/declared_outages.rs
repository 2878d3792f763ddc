//! Declared incidents, by people and by incident services: one incident each, whatever the number
//! of sources, and planned maintenance beside it.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{PATIENCE, World, alert, stamp, until, webhook};

const SOURCES: &str = "
  - {name: pagerduty, kind: pagerduty, auth: none}
  - {name: statuspage, kind: statuspage, auth: none}
  - {name: slack, kind: slack, auth: none}
services:";

fn world() -> World {
    let mut world = World::new();
    let settings = std::fs::read_to_string(world.path("afterword.yaml")).unwrap();
    world.write(
        "afterword.yaml",
        &settings.replacen("\nservices:", SOURCES, 1),
    );
    world.start();
    world
}

/// The first incident, once `test` holds of it.
fn once(world: &World, what: &str, test: impl Fn(&Value) -> bool) -> Value {
    until(what, PATIENCE, || {
        world.incidents().into_iter().next().filter(&test)
    })
}

fn ago(minutes: u64) -> String {
    stamp(Duration::from_secs(60 * minutes))
}

/// Sends a message of PagerDuty, and again, as it does when nobody answered in time.
fn page(world: &World, kind: &str, at: &str, data: &Value) {
    let agent = json!({"id": "PLH1HKV", "type": "user_reference", "summary": "Ada L."});
    let event =
        json!({"id": "01CH", "event_type": kind, "occurred_at": at, "agent": agent, "data": data});
    for _ in 0..2 {
        assert_eq!(
            world
                .post("/ingest/pagerduty", &json!({ "event": event }).to_string())
                .status,
            200
        );
    }
}

fn incident(status: &str, priority: &Value, began: &str) -> Value {
    json!({
        "type": "incident", "id": "PGR0VU2", "status": status, "title": "Nobody can pay", "created_at": began, "reopened_at": null,
        "service": {"summary": "checkout"}, "urgency": "high", "priority": priority, "assignees": [], "resolve_reason": null,
    })
}

#[test]
fn pagerduty_messages_of_one_incident_make_one_incident() {
    let world = world();
    let (began, p1) = (ago(50), json!({"summary": "P1"}));
    page(
        &world,
        "incident.acknowledged",
        &ago(48),
        &incident("acknowledged", &json!({"summary": "P4"}), &began),
    );
    let first = once(&world, "an alert", |_| true);
    assert_eq!(
        (&first["title"], &first["signals"][0]["kind"]),
        (&json!("Checkout: Nobody can pay"), &json!("alert")),
        "not urgent enough"
    );
    page(
        &world,
        "incident.priority_updated",
        &ago(40),
        &incident("acknowledged", &p1, &began),
    );
    let note = json!({"type": "incident_note", "incident": {"id": "PGR0VU2"}, "content": "The pool is empty."});
    page(&world, "incident.annotated", &ago(30), &note);
    page(
        &world,
        "incident.resolved",
        &ago(10),
        &incident("resolved", &p1, &began),
    );
    // What comes late, or again, after the end changes nothing in it.
    page(
        &world,
        "incident.acknowledged",
        &ago(48),
        &incident("acknowledged", &json!({"summary": "P4"}), &began),
    );

    page(
        &world,
        "incident.annotated",
        &ago(9),
        &json!({"type": "incident_note", "incident": {"id": "PGR0VU2"}, "content": "Last."}),
    );
    let said = |incident: &Value, words: &str| {
        incident["members"]
            .as_array()
            .unwrap()
            .iter()
            .any(|member| member["event"]["fact"]["text"] == words)
    };
    let whole = once(&world, "all of it is known", |incident| {
        said(&world.incident(incident["id"].as_str().unwrap()), "Last.")
    });
    let whole = world.incident(whole["id"].as_str().unwrap());
    assert_eq!(world.incidents().len(), 1);
    let signals = whole["signals"].as_array().unwrap();
    assert_eq!(signals.len(), 2, "an alert, and the outage that it became");
    assert!(
        signals.iter().all(|signal| signal["spans"]
            .as_array()
            .unwrap()
            .iter()
            .all(|span| span["end"].is_string())),
        "{whole:#}"
    );
    assert!(said(&whole, "The pool is empty."));
    assert_eq!(whole["milestones"]["acknowledged"]["certainty"], "stated");
    assert_eq!(whole["standing"], "held", "a declared outage is held");
}

#[test]
fn unsubscribe_address_is_not_stored() {
    let world = world();
    let body = json!({
        "meta": {"unsubscribe": "https://status.example.com/?unsubscribe=zjcdb6727vmj"}, "page": {"id": "p"},
        "incident": {"id": "z3lct0r596n4", "name": "Orders fail", "status": "investigating", "impact": "none", "created_at": ago(5),
            "components": [{"name": "checkout"}], "incident_updates": []},
    });
    assert_eq!(
        world.post("/ingest/statuspage", &body.to_string()).status,
        200
    );
    assert_eq!(
        world
            .post("/ingest/statuspage", &body.to_string().replace(":[]", ":]"))
            .status,
        200
    );
    once(&world, "the outage", |_| true);
    assert!(world.get("/quarantine").body.contains("statuspage"));
    let kept: Vec<Vec<u8>> = world
        .files("data", "")
        .iter()
        .map(|name| std::fs::read(world.path("data").join(name)).unwrap())
        .collect();
    let holds = |text: &str| {
        kept.iter().any(|bytes| {
            bytes
                .windows(text.len())
                .any(|window| window == text.as_bytes())
        })
    };
    assert!(holds("\"impact\":\"none\""), "the body is kept");
    assert!(!holds("zjcdb6727vmj"));
}

#[test]
fn slash_command_makes_a_request_and_is_answered() {
    let world = world();
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let body = "token=SECRETTOKEN&command=%2Fpostmortem&user_id=U2CERLKJA&text=checkout%20nobody%20could%20pay";
    let answer = world.http.try_post("/ingest/slack", body, &form).unwrap();
    assert_eq!(
        (answer.status, &answer.json()["response_type"]),
        (200, &json!("ephemeral"))
    );
    let told = answer.json()["text"].as_str().unwrap().to_owned();
    assert!(
        told.contains("about checkout")
            && told.contains(&format!("http://127.0.0.1:{}/incidents", world.port)),
        "{told}"
    );
    let asked = once(&world, "a request", |_| true);
    assert_eq!(
        asked["title"],
        "Postmortem requested (checkout nobody could pay)"
    );
    assert_eq!(asked["services"], json!(["checkout"]));
    let check = world
        .http
        .try_post("/ingest/slack", "ssl_check=1&token=SECRETTOKEN", &form)
        .unwrap();
    assert_eq!((check.status, check.body.as_str()), (200, ""));
    let hello = world.post(
        "/ingest/slack",
        r#"{"type": "url_verification", "challenge": "3eZbrw1a"}"#,
    );
    assert_eq!(hello.json(), json!({"challenge": "3eZbrw1a"}));
}

#[test]
fn planned_work_is_announced_by_api_command_and_page() {
    let mut world = world();
    let ahead = (chrono::DateTime::parse_from_rfc3339(&ago(0)).unwrap()
        + chrono::TimeDelta::hours(3))
    .to_rfc3339();
    let url = format!("http://127.0.0.1:{}", world.port);
    let told = world.run(&[
        "declare",
        "New disks",
        "--planned",
        "--service",
        "checkout",
        "--from",
        &ago(60),
        "--to",
        &ahead,
        "--url",
        &url,
    ]);
    assert_eq!(told.code, Some(0), "{}", told.said);
    assert_eq!(
        world
            .run(&["declare", "New disks", "--planned", "--url", &url])
            .code,
        Some(2)
    );
    assert_eq!(
        world
            .post(
                "/api/v1/maintenance",
                &json!({"from": ago(1), "to": ago(5), "why": "x"}).to_string()
            )
            .status,
        400
    );
    assert_eq!(
        world
            .post(
                "/api/v1/maintenance",
                &json!({"from": ahead, "to": ahead, "why": "called off"}).to_string()
            )
            .status,
        201
    );
    world.post(
        "/ingest/alertmanager",
        &webhook(&[
            alert("HighErrorRate", "checkout", &ago(30)),
            alert("Slow", "search", &ago(30)),
        ]),
    );
    let planned = |world: &World| -> Vec<(String, String)> {
        let mut all: Vec<(String, String)> = world
            .incidents()
            .iter()
            .map(|incident| {
                let signal = &incident["signals"][0];
                (
                    signal["service"].as_str().unwrap().to_owned(),
                    signal["spans"][0]["state"].as_str().unwrap().to_owned(),
                )
            })
            .collect();
        all.sort();
        all
    };
    let expected = [("checkout", "planned"), ("search", "degraded")]
        .map(|(service, state)| (service.to_owned(), state.to_owned()));
    until("both are known", PATIENCE, || {
        (planned(&world) == expected).then_some(())
    });
    world.kill();
    world.start();
    assert_eq!(planned(&world), expected);
    let listed = world.get("/api/v1/maintenance").json();
    assert_eq!(
        (
            listed.as_array().unwrap().len(),
            &listed[0]["why"],
            &listed[0]["source"]
        ),
        (1, &json!("New disks"), &json!("people"))
    );
    let page = world.get("/maintenance");
    assert!(
        page.status == 200 && page.body.contains("New disks") && page.body.contains("End now"),
        "{}",
        page.body
    );
    // Over as soon as it began: it was no planned work after all.
    let from = listed[0]["from"].as_str().unwrap();
    let form = format!("service=checkout&from={from}&to={from}&why=New+disks");
    let ended = world
        .http
        .try_post(
            "/maintenance",
            &form,
            &[("content-type", "application/x-www-form-urlencoded")],
        )
        .unwrap();
    assert!(ended.status < 400, "{}", ended.body);
    until("it counts", PATIENCE, || {
        (planned(&world)[0].1 == "degraded").then_some(())
    });
}
