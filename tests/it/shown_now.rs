//! Pages, API and commands as of the moment they are shown, while no event arrives.

use std::time::Duration;

use serde_json::Value;

use crate::harness::{PATIENCE, World, alert, pause, stamp, until, webhook};

const RULES: &str = r#"criteria:
  - name: long
    on: degradation
    where: signal.severity == "critical"
    longest: 30m
    decision: suggest
"#;

fn world() -> World {
    let mut world = World::new();
    world.write("rules/rules.yaml", RULES);
    world.start();
    world
}

/// Posts a critical alert that began so many minutes ago, and ended so many.
fn post(world: &World, began: u64, ended: Option<u64>) {
    let ago = |minutes: u64| stamp(Duration::from_secs(60 * minutes));
    let mut alert = alert("HighErrorRate", "checkout", &ago(began));
    alert["labels"]["severity"] = "critical".into();
    if let Some(ended) = ended {
        alert["status"] = "resolved".into();
        alert["endsAt"] = ago(ended).into();
    }
    let answer = world.post("/ingest/alertmanager", &webhook(&[alert]));
    assert_eq!(answer.status, 200, "{}", answer.body);
}

fn lower(incident: &Value) -> f64 {
    incident["verdicts"][0]["measure"]["lower"]
        .as_f64()
        .unwrap()
}

#[test]
fn margin_grows_on_pages_api_and_command_without_events() {
    let world = world();
    post(&world, 25, None);
    let first = until("an incident", PATIENCE, || world.incidents().pop());
    let path = format!("/api/v1/incidents/{}", first["id"].as_str().unwrap());
    pause(Duration::from_secs(3));
    let later = world.get(&path).json();
    assert!(
        lower(&later) >= lower(&first) + 2.0 && lower(&later) >= 1500.0,
        "{first} {later}"
    );
    let listed = world.get("/api/v1/incidents").json();
    assert!(lower(&listed[0]) >= lower(&later), "{listed}");
    let verdicts = world.get(&format!("{path}/verdicts")).json();
    assert!(verdicts[0]["measure"]["lower"].as_f64().unwrap() >= lower(&later));
    assert_eq!(first["title"], "Checkout: high error rate");
    let sentence = "Checkout has been degraded for 25m";
    let url = format!("http://127.0.0.1:{}", world.port);
    let explained = world
        .run(&["explain", first["id"].as_str().unwrap(), "--url", &url])
        .said;
    for (place, text) in [
        ("API", later["reason"].to_string()),
        ("overview", world.get("/").body),
        ("list", world.get("/incidents").body),
        ("page", world.get(&path.replace("/api/v1", "")).body),
        ("command", explained),
    ] {
        assert!(text.contains(sentence), "{place}: {text}");
    }
}

#[test]
fn suggestion_is_on_the_first_page_when_its_incident_is_closed() {
    let world = world();
    post(&world, 180, None);
    post(&world, 180, Some(120));
    until("the incident is closed", PATIENCE, || {
        let incident = world.incidents().pop()?;
        (incident["phase"] == "closed" && incident["standing"] == "suggested").then_some(())
    });
    let page = world.get("/").body;
    assert!(page.contains("Suggestions waiting for an answer"), "{page}");
    assert!(
        page.contains("Checkout was degraded for 1h without a break"),
        "{page}"
    );
    for path in ["/", "/ledger", "/sources"] {
        let page = world.get(path).body;
        assert!(
            page.contains("Suggestions <span class=\"badge ask\">1</span>"),
            "{path}: {page}"
        );
    }
    let incident = world.incidents().pop().unwrap();
    let answer = serde_json::json!({"revision": incident["revision"], "answer": "dismiss", "reason": "noise"});
    let path = format!(
        "/api/v1/incidents/{}/review",
        incident["id"].as_str().unwrap()
    );
    assert!(world.post(&path, &answer.to_string()).status < 300);
    let page = world.get("/").body;
    assert!(!page.contains("waiting for an answer"), "{page}");
}

#[test]
fn accept_is_taken_though_the_phase_moved_on() {
    let mut world = World::new();
    world.write(
        "rules/rules.yaml",
        &format!(
            "{RULES}  - {{name: by-hand, on: intervention, decision: suggest}}\ncorrelation: {{settle: 2s, reopen_within: 4s}}\n"
        ),
    );
    world.start();
    post(&world, 40, None);
    let seen = until("a suggestion", PATIENCE, || {
        world
            .incidents()
            .pop()
            .filter(|incident| incident["standing"] == "suggested")
    });
    let step =
        r#"{"service": "checkout", "action": "restart", "why": "workers hung", "actor": "ada"}"#;
    assert_eq!(world.post("/api/v1/interventions", step).status, 201);
    post(&world, 40, Some(0));
    until(
        "the incident is closed, with one more reason",
        PATIENCE,
        || {
            let incident = world.incidents().pop()?;
            (incident["phase"] == "closed" && incident["verdicts"][1]["outcome"] == "met")
                .then_some(())
        },
    );
    let path = format!("/api/v1/incidents/{}/review", seen["id"].as_str().unwrap());
    let answer = serde_json::json!({"revision": seen["revision"], "answer": "accept"});
    let answered = world.post(&path, &answer.to_string());
    assert!(answered.status < 300, "{}", answered.body);
}
