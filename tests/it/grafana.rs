//! Grafana alert episodes split over several messages that carry no common id.

use serde_json::{Value, json};

use crate::harness::{PATIENCE, World, pause, until};
use std::time::Duration;

fn started(source: &str) -> World {
    let mut world = World::new();
    let settings = std::fs::read_to_string(world.path("afterword.yaml")).unwrap();
    world.write(
        "afterword.yaml",
        &settings.replacen("sources:\n", &format!("sources:\n  - {source}\n"), 1),
    );
    world.start();
    world
}

fn post(world: &World, body: &Value) {
    let answer = world.post("/ingest/grafana", &body.to_string());
    assert_eq!(answer.status, 200, "{}", answer.body);
}

/// Status and subject of the alerts of the one incident, once there are so many.
fn alerts(world: &World, count: usize) -> Vec<(String, String)> {
    until(&format!("{count} alerts of one incident"), PATIENCE, || {
        let listed = world.incidents();
        assert!(listed.len() < 2, "{listed:#?}");
        let incident = world.incident(listed.first()?["id"].as_str().unwrap());
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let members = incident["members"]
            .as_array()
            .unwrap()
            .iter()
            .map(|member| &member["event"]);
        let all: Vec<_> = members
            .map(|event| (text(&event["fact"]["status"]), text(&event["subject"])))
            .collect();
        (all.len() >= count).then_some(all)
    })
}

#[test]
fn grafana_legacy_alert_lasts_until_ok() {
    let world = started("{name: grafana, kind: grafana, auth: none}");
    let body = |state: &str| json!({"ruleId": 7, "ruleName": "CPU", "state": state, "tags": {"service": "checkout"}, "evalMatches": null});
    post(&world, &body("alerting"));
    alerts(&world, 1);
    pause(Duration::from_millis(300));
    post(&world, &body("alerting"));
    post(&world, &body("ok"));
    let found = alerts(&world, 2);
    let states: Vec<&str> = found.iter().map(|(state, _)| state.as_str()).collect();
    assert_eq!(
        (states, found[0].1 == found[1].1),
        (vec!["firing", "resolved"], true)
    );
}

#[test]
fn replicas_in_separate_messages_make_one_episode() {
    let world = started("{name: grafana, kind: grafana, auth: none, ignore_labels: [replica]}");
    let began = crate::harness::stamp(Duration::from_secs(2));
    let later = crate::harness::stamp(Duration::from_secs(1));
    let body = |replica: &str, starts_at: &str, end: Option<&str>| {
        let status = if end.is_some() { "resolved" } else { "firing" };
        let labels = json!({"alertname": "A", "service": "checkout", "replica": replica});
        json!({"version": "1", "alerts": [{"status": status, "labels": labels, "startsAt": starts_at, "endsAt": end.unwrap_or("0001-01-01T00:00:00Z")}]})
    };
    post(&world, &body("a", &began, None));
    alerts(&world, 1);
    post(&world, &body("b", &later, None));
    post(
        &world,
        &body("b", &later, Some(&crate::harness::stamp(Duration::ZERO))),
    );
    let found = alerts(&world, 2);
    let states: Vec<&str> = found.iter().map(|(state, _)| state.as_str()).collect();
    assert_eq!(
        (states, found[0].1 == found[1].1),
        (vec!["firing", "resolved"], true)
    );
}
