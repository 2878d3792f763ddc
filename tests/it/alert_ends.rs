//! Ends and beginnings of alerts as senders tell them, through the webhooks: one episode each, of the
//! true length.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{PATIENCE, World, pause, stamp, until};

fn world(sources: &str) -> World {
    let world = World::new();
    let settings = std::fs::read_to_string(world.path("afterword.yaml")).unwrap();
    world.write(
        "afterword.yaml",
        &settings.replacen("sources:\n", &format!("sources:\n{sources}"), 1),
    );
    world.write(
        "rules/rules.yaml",
        "criteria: [{name: long, on: degradation, longest: 30m, decision: suggest}]\n",
    );
    world
}

fn post(world: &World, source: &str, body: &Value) {
    let answer = world.post(&format!("/ingest/{source}"), &body.to_string());
    assert_eq!(answer.status, 200, "{}", answer.body);
}

fn ago(minutes: u64) -> String {
    stamp(Duration::from_secs(60 * minutes))
}

/// A message with one alert, as both Alertmanager and Grafana send it.
fn message(version: &str, labels: &Value, start: &str, end: Option<&str>) -> Value {
    let status = if end.is_some() { "resolved" } else { "firing" };
    let alert = json!({
        "status": status, "labels": labels, "annotations": {}, "startsAt": start, "endsAt": end.unwrap_or("0001-01-01T00:00:00Z"),
        "generatorURL": "http://p/graph", "values": null, "fingerprint": "c4edaaf9f9f839b0",
    });
    json!({
        "version": version, "orgId": 1, "receiver": "r", "status": status, "groupKey": "g", "truncatedAlerts": 0, "groupLabels": {},
        "commonLabels": {}, "commonAnnotations": {}, "externalURL": "https://g/", "alerts": [alert],
    })
}

fn checkout() -> Value {
    json!({"alertname": "CheckoutDown", "grafana_folder": "Shop", "service": "checkout", "severity": "critical"})
}

/// The one incident, once its one signal has ended, with the seconds that this was degraded.
fn ended(world: &World) -> (Value, i64) {
    until("one episode that ended", PATIENCE, || {
        let listed = world.incidents();
        assert!(listed.len() < 2, "{listed:#?}");
        let incident = world.incident(listed.first()?["id"].as_str().unwrap());
        let signals = incident["signals"].as_array().unwrap();
        assert_eq!(signals.len(), 1, "{signals:#?}");
        let spans = signals[0]["spans"].as_array().unwrap().clone();
        let time = |value: &Value| chrono::DateTime::parse_from_rfc3339(value.as_str()?).ok();
        let end = time(&spans.last()?["end"])?;
        assert!(
            spans.iter().all(|span| span["state"] == "degraded"),
            "{spans:#?}"
        );
        let length = (end - time(&spans[0]["start"])?).num_seconds();
        Some((incident, length))
    })
}

#[test]
fn grafana_resolved_start_is_end_closes_the_open_episode() {
    let mut world = world("  - {name: grafana, kind: grafana, auth: none}\n");
    world.start();
    let (start, end) = (ago(50), ago(6));
    post(&world, "grafana", &message("1", &checkout(), &start, None));
    post(
        &world,
        "grafana",
        &message("1", &checkout(), &end, Some(&end)),
    );
    let (incident, length) = ended(&world);
    assert!((2639..=2641).contains(&length), "{length}");
    assert_eq!(incident["standing"], "suggested", "{incident:#}");
    assert!(
        incident["reason"].as_str().unwrap().contains("44m"),
        "{incident:#}"
    );
}

#[test]
fn alertmanager_and_grafana_resolved_alone_is_an_episode() {
    for (source, version) in [("alertmanager", "4"), ("grafana", "1")] {
        let mut world = world("  - {name: grafana, kind: grafana, auth: none}\n");
        world.start();
        let alone = message(version, &checkout(), &ago(51), Some(&ago(6)));
        for _ in 0..2 {
            post(&world, source, &alone);
        }
        let (incident, length) = ended(&world);
        assert!((2699..=2701).contains(&length), "{length}");
        assert_eq!(incident["standing"], "suggested", "{incident:#}");
    }
}

#[test]
fn replicas_with_starts_of_their_own_make_one_episode_and_one_row() {
    let mut world = world(
        "  - {name: pair, kind: alertmanager, auth: none, ignore_labels: [prometheus_replica]}\n",
    );
    world.start();
    let of = |replica: &str| {
        let mut labels = checkout();
        labels["prometheus_replica"] = json!(replica);
        labels
    };
    let late = |seconds: u64| stamp(Duration::from_secs(seconds));
    let (a, b) = ((late(3000), late(400)), (late(2985), late(370)));
    // The second replica's end comes first of all.
    for body in [
        message("4", &of("b"), &b.0, Some(&b.1)),
        message("4", &of("a"), &a.0, None),
        message("4", &of("a"), &a.0, Some(&a.1)),
        message("4", &of("b"), &b.0, None),
    ] {
        post(&world, "pair", &body);
        pause(Duration::from_millis(300));
    }
    let (incident, _) = ended(&world);
    let length = until("both ends are judged", PATIENCE, || {
        let (_, length) = ended(&world);
        (length > 2620).then_some(length)
    });
    assert!((2629..=2631).contains(&length), "{length}");
    let page = world
        .get(&format!("/incidents/{}", incident["id"].as_str().unwrap()))
        .body;
    let timeline = &page[page.find("id=\"e-").unwrap()..];
    assert_eq!(timeline.matches("id=\"e-").count(), 2, "{timeline}");
}

#[test]
fn zabbix_problem_in_the_hour_that_comes_twice_has_its_true_length() {
    let mut world = world("  - {name: zabbix, kind: zabbix, auth: none}\n");
    world.start_at("@2026-10-25 01:11:00");
    let body = |value: &str, status: &str, recovery: [&str; 2]| {
        json!({
            "event_source": "0", "event_id": "501", "event_value": value, "event_update_status": "0", "status": status,
            "name": "Queue is long", "severity": "High", "host": "q-1", "date": "2026.10.25", "time": "02:50:00",
            "time_zone": "Europe/Berlin", "recovery_date": recovery[0], "recovery_time": recovery[1],
            "timestamp": "{EVENT.TIMESTAMP}", "recovery_timestamp": "{EVENT.RECOVERY.TIMESTAMP}",
            "tags": [{"tag": "service", "value": "queue"}],
        })
    };
    let unknown = ["{EVENT.RECOVERY.DATE}", "{EVENT.RECOVERY.TIME}"];
    post(&world, "zabbix", &body("1", "PROBLEM", unknown));
    post(
        &world,
        "zabbix",
        &body("0", "RESOLVED", ["2026.10.25", "02:10:00"]),
    );
    let (_, length) = ended(&world);
    assert_eq!(length, 20 * 60);
}

#[test]
fn break_glass_account_of_a_person_counts_as_a_manual_step() {
    let mut world = world(
        "  - {name: cluster, kind: kubernetes_audit, auth: none, services: {'shop/*': checkout}}\n",
    );
    let settings = std::fs::read_to_string(world.path("afterword.yaml")).unwrap();
    let account = "system:serviceaccount:ops:break-glass";
    let settings = settings.replace(
        "{id: ada, name: Ada L.,",
        &format!("{{id: ada, name: Ada L., aliases: ['kubernetes:{account}'],"),
    );
    world.write("afterword.yaml", &settings);
    world.write(
        "rules/rules.yaml",
        "criteria: [{name: by-hand, on: intervention, decision: suggest}]\n",
    );
    world.start();
    post(
        &world,
        "alertmanager",
        &message("4", &checkout(), &ago(20), None),
    );
    let item = json!({
        "auditID": "a-1", "stage": "ResponseComplete", "verb": "delete", "requestURI": "/api/v1/namespaces/shop/pods/checkout-1",
        "user": {"username": account, "groups": ["system:serviceaccounts"]}, "responseStatus": {"code": 200},
        "objectRef": {"resource": "pods", "namespace": "shop", "name": "checkout-1", "apiVersion": "v1"},
        "requestReceivedTimestamp": ago(10),
    });
    let list = json!({"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "metadata": {}, "items": [item]});
    post(&world, "cluster", &list);
    let met = until("the step is judged", PATIENCE, || {
        let incident = world.incidents().into_iter().next()?;
        (incident["standing"] == "suggested").then_some(incident)
    });
    let sentence = met["verdicts"][0]["sentence"].as_str().unwrap();
    assert!(sentence.starts_with("1 manual "), "{sentence}");
}
