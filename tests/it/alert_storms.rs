//! Alert storms and people's corrections to them, through a running service.

use std::time::Duration;

use serde_json::{Value, json};

use super::harness::{World, until};

const PATIENCE: Duration = Duration::from_secs(10);

fn of_service(world: &World, service: &str) -> Value {
    world
        .incidents()
        .into_iter()
        .find(|incident| incident["services"][0] == service)
        .unwrap()
}

fn id(incident: &Value) -> &str {
    incident["id"].as_str().unwrap()
}

fn say(world: &World, incident: &Value, what: &str, body: &Value) -> u16 {
    world
        .post(
            &format!("/api/v1/incidents/{}/{what}", id(incident)),
            &body.to_string(),
        )
        .status
}

#[test]
fn storm_is_one_draft_across_a_restart() {
    let mut world = World::new();
    world.write(
        "rules/rules.yaml",
        "criteria: [{name: declared, on: outage, decision: hold}]\n",
    );
    // Outages of one team's services are one bundle.
    let settings = std::fs::read_to_string(world.path("afterword.yaml")).unwrap();
    let owned = ["login", "search", "payments"]
        .map(|service| format!("  - {{name: {service}, owners: [ada]}}\n"))
        .concat();
    let settings = settings.replace("services:\n", &format!("services:\n{owned}"));
    world.write("afterword.yaml", &settings);
    world.start();
    for service in ["login", "search", "payments"] {
        world.post(
            "/api/v1/declarations",
            &json!({"service": service, "title": format!("{service} is down")}).to_string(),
        );
    }
    let lead = of_service(&world, "login");
    assert!(lead["bundle"].is_null());
    assert_eq!(
        (
            &of_service(&world, "search")["bundle"],
            &of_service(&world, "payments")["bundle"]
        ),
        (&lead["id"], &lead["id"])
    );
    until("the first one's draft is there", PATIENCE, || {
        (world.files("postmortems", ".md").len() == 1).then_some(())
    });

    // Who accepts one of them gets a postmortem for it alone.
    let search = of_service(&world, "search");
    assert_eq!(
        say(
            &world,
            &search,
            "review",
            &json!({"revision": search["revision"], "answer": "accept"})
        ),
        201
    );
    until("the accepted one has its own draft", PATIENCE, || {
        (world.files("postmortems", ".md").len() == 2).then_some(())
    });

    // Two are one, and then one part is something else again.
    let payments = of_service(&world, "payments");
    assert_eq!(
        say(
            &world,
            &lead,
            "merge",
            &json!({"from": [id(&payments)], "by": "ada"})
        ),
        201
    );
    assert_eq!(
        world.incident(id(&payments))["id"],
        lead["id"],
        "its old name leads there"
    );
    let merged = world.incident(id(&lead));
    assert_eq!(merged["services"], json!(["login", "payments"]));
    let moving = merged["members"]
        .as_array()
        .unwrap()
        .iter()
        .find(|member| member["event"]["service"] == "payments")
        .unwrap();
    assert_eq!(moving["reason"]["joined"], "person");
    assert_eq!(
        say(
            &world,
            &lead,
            "move",
            &json!({"events": [moving["event"]["id"]]})
        ),
        201
    );
    assert_eq!(world.incident(id(&payments))["id"], payments["id"]);

    assert_eq!(
        say(
            &world,
            &lead,
            "milestones",
            &json!({"milestone": "began", "at": "2026-01-05T09:00:00Z", "by": "ada"})
        ),
        201
    );
    assert_eq!(
        world.incident(id(&lead))["milestones"]["began"],
        json!({"at": "2026-01-05T09:00:00Z", "certainty": "stated", "source": world.incident(id(&lead))["milestones"]["began"]["source"]})
    );
    let before = world.incidents();
    world.kill();
    world.start();
    assert_eq!(world.incidents(), before);
    assert_eq!(world.files("postmortems", ".md").len(), 2);
}

#[test]
fn empty_correction_is_refused() {
    let world = World::started();
    world.post(
        "/api/v1/declarations",
        r#"{"service": "login", "title": "Nobody can log in"}"#,
    );
    let incident = of_service(&world, "login");
    for (what, body, status) in [
        ("merge", json!({"from": [id(&incident)]}), 400),
        ("merge", json!({"from": []}), 400),
        ("merge", json!({"from": ["i-0000000000"]}), 404),
        ("move", json!({"events": []}), 400),
        ("move", json!({"events": ["nowhere"]}), 400),
        (
            "move",
            json!({"events": [incident["members"][0]["event"]["id"]]}),
            400,
        ),
        (
            "milestones",
            json!({"milestone": "began", "at": "2999-01-01T00:00:00Z"}),
            400,
        ),
        (
            "milestones",
            json!({"milestone": "begun", "at": "2026-01-05T09:00:00Z"}),
            400,
        ),
        ("data-loss", json!({"lost": "maybe"}), 400),
    ] {
        assert_eq!(say(&world, &incident, what, &body), status, "{what} {body}");
    }
}
