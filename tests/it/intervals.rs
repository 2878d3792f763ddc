//! Intervals as the running service tells them: times that cannot be right, and time that does not
//! count.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{PATIENCE, World, alert, stamp, until, wall, webhook};

fn ago(minutes: u64) -> String {
    stamp(Duration::from_secs(60 * minutes))
}

/// Posts one alert of `checkout`, as changed.
fn post(world: &World, starts_at: &str, changes: &Value) {
    let mut sent = alert("HighErrorRate", "checkout", starts_at);
    sent["labels"]["severity"] = json!("critical");
    for (key, value) in changes.as_object().unwrap() {
        sent[key] = value.clone();
    }
    let answer = world.post("/ingest/alertmanager", &webhook(&[sent]));
    assert_eq!(answer.status, 200, "{}", answer.body);
}

/// The only incident, once `test` holds of it.
fn once(world: &World, what: &str, test: impl Fn(&Value) -> bool) -> Value {
    until(what, PATIENCE, || {
        let incidents = world.incidents();
        assert!(incidents.len() < 2, "{incidents:?}");
        incidents.into_iter().next().filter(&test)
    })
}

fn time(value: &Value) -> chrono::DateTime<chrono::Utc> {
    value.as_str().unwrap().parse().unwrap()
}

#[test]
fn end_before_the_start_is_no_fault_and_no_recovery() {
    let world = World::started();
    let began = ago(40);
    post(&world, &began, &json!({}));
    once(&world, "it fires", |_| true);
    for _ in 0..2 {
        let ended = json!({"status": "resolved", "endsAt": ago(50)});
        post(&world, &began, &ended);
    }
    let incident = once(&world, "its end is unknown", |incident| {
        incident["signals"][0]["spans"][0]["state"] == "unknown"
    });
    let spans = incident["signals"][0]["spans"].as_array().unwrap();
    assert_eq!((spans.len(), &spans[0]["end"]), (1, &Value::Null));
    let quarantine = world.get("/api/v1/quarantine").json();
    assert_eq!(quarantine.as_array().map(Vec::len), Some(0), "{quarantine}");
}

#[test]
fn start_ahead_of_our_clock_is_the_time_of_its_first_report() {
    let world = World::started();
    let ahead = (wall() + chrono::TimeDelta::minutes(10)).to_rfc3339();
    post(&world, &ahead, &json!({}));
    let first = once(&world, "it fires", |_| true);
    let began = time(&first["signals"][0]["spans"][0]["start"]);
    assert!(began <= wall(), "{began}");
    assert_eq!(time(&first["milestones"]["detected"]["at"]), began);
    crate::harness::pause(Duration::from_secs(2));
    post(&world, &ahead, &json!({}));
    world.until_judged();
    let again = once(&world, "it fires", |_| true);
    assert_eq!(again["signals"], first["signals"]);
    assert_eq!(again["milestones"], first["milestones"]);
}

#[test]
fn planned_time_is_told_in_sentence_ledger_and_csv() {
    let world = World::started();
    let window =
        json!({"service": "checkout", "from": ago(170), "to": ago(150), "why": "New disks"});
    let answer = world.post("/api/v1/maintenance", &window.to_string());
    assert_eq!(answer.status, 201, "{}", answer.body);
    let began = ago(180);
    post(&world, &began, &json!({}));
    post(
        &world,
        &began,
        &json!({"status": "resolved", "endsAt": ago(120)}),
    );
    let closed = once(&world, "it is closed", |incident| {
        incident["phase"] == "closed"
    });
    let excluded = |verdicts: &Value| -> Vec<Value> {
        let verdicts = verdicts.as_array().unwrap();
        let all = verdicts.iter().flat_map(|verdict| {
            let sentence = verdict["sentence"].as_str().unwrap();
            let excluded = verdict["excluded"].as_array().cloned().unwrap_or_default();
            let told = sentence.ends_with("Not counted: 20m of planned work.");
            assert!(told || excluded.is_empty(), "{sentence}");
            excluded
        });
        all.collect()
    };
    let told = excluded(&closed["verdicts"]);
    assert!(!told.is_empty());
    assert!(told.iter().all(|one| one["why"] == "of planned work"));
    let entries = world.get("/api/v1/ledger").json();
    assert_eq!(excluded(&entries[0]["entry"]["verdicts"]), told);
    let table = world.get("/api/v1/ledger?format=csv").body;
    assert!(table.contains(": 1200s of planned work"), "{table}");
}
