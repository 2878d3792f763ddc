//! Clocks that are set while the service runs, forward and back, and across restarts: conditions go on,
//! nothing new is old, and what the log says is decided again alike.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::crashes::{Load, assert_eq_to_a_replay, assert_nothing_lost_or_twice, prepare};
use super::degradation;
use super::harness::{PATIENCE, RULES, World, alert, pause, stamp, until, wall, webhook};
use super::metric_target::{Target, seconds};
use super::postgres::Postgres;
use super::rng::Rng;

/// What a busy machine may take between two looks.
const SLACK: TimeDelta = TimeDelta::minutes(2);

const HALF_AN_HOUR: &str = "criteria:
  - {name: declared, on: outage, decision: suggest}
  - {name: long, on: degradation, longest: 30m, decision: hold}
correlation: {correlate_by: [service]}
";

fn time(value: &Value) -> Option<DateTime<Utc>> {
    value.as_str()?.parse().ok()
}

fn is_near(found: DateTime<Utc>, expected: DateTime<Utc>) -> bool {
    (found - expected).abs() < SLACK
}

fn metric(world: &World, name: &str) -> f64 {
    let text = world.get("/metrics").body;
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value
        .unwrap_or_else(|| panic!("{name} is not in {text}"))
        .parse()
        .unwrap()
}

/// The verdict of a criterion on the incident of a service, once there is one.
fn verdict(world: &World, service: &str, criterion: &str) -> Value {
    until("the incident is judged", PATIENCE, || {
        let incidents = world.incidents();
        let of_service = |incident: &&Value| incident["services"][0] == service;
        let id = incidents.iter().find(of_service)?["id"]
            .as_str()?
            .to_owned();
        let incident = world.incident(&id);
        let verdicts = incident["verdicts"].as_array()?;
        verdicts
            .iter()
            .find(|verdict| verdict["criterion"] == criterion)
            .cloned()
    })
}

fn send_alert(world: &World, service: &str) {
    let body = webhook(&[alert("Down", service, &stamp(Duration::from_secs(2)))]);
    assert_eq!(world.post("/ingest/alertmanager", &body).status, 200);
    world.until_judged();
}

fn condition_goes_on_after(shift: &str, by: TimeDelta) {
    let mut target = Target::serve();
    let mut world = degradation::world(
        &format!(
            "{{name: web, kind: scrape, interval: 1s, targets: ['http://127.0.0.1:{}/metrics']}}",
            target.port
        ),
        &format!(
            "{RULES}conditions:\n  - {{name: errors, service: checkout, metrics: web, query: checkout_errors, degraded: '> 5', every: 1s}}\n"
        ),
    );
    world.start_with_clock("+0s");
    let evaluated_near = |expected: TimeDelta| {
        until("the condition is evaluated by the clock", PATIENCE, || {
            let shown = world.get("/api/v1/conditions").json();
            let at = time(&shown[0]["evaluated_at"])?;
            is_near(at, wall() + expected).then_some(shown)
        })
    };
    evaluated_near(TimeDelta::zero());
    world.set_clock(shift);
    let shown = evaluated_near(by);
    assert!(shown[0]["clock_set"]["to"].is_string(), "{shown}");
    // It is evaluated again and again, and finds what is so.
    seconds(2);
    target.degrade(true);
    let began = wall() + by;
    let incident = until("the degradation is noticed", PATIENCE, || {
        world.incidents().into_iter().next()
    });
    let start = time(&incident["signals"][0]["spans"][0]["start"]).unwrap();
    assert!(is_near(start, began), "{incident:#}");
    let last = time(&world.get("/api/v1/conditions").json()[0]["evaluated_at"]).unwrap();
    assert!(last <= wall() + by, "{last}");
    assert!(metric(&world, "afterword_clock_steps_total") >= 1.0);
    assert!(is_near(
        DateTime::UNIX_EPOCH
            + TimeDelta::seconds(metric(&world, "afterword_clock_last_step_seconds") as i64),
        DateTime::UNIX_EPOCH + by
    ));
    let page = world.get("/").body;
    assert!(page.contains("the clock: it was set"), "{page}");
}

#[test]
fn condition_goes_on_after_the_clock_was_set_back() {
    condition_goes_on_after("-40m", TimeDelta::minutes(-40));
}

#[test]
fn condition_goes_on_after_the_clock_was_set_forward() {
    condition_goes_on_after("+3h", TimeDelta::hours(3));
}

#[test]
fn alert_is_new_after_a_process_whose_clock_was_ahead() {
    let mut world = World::new();
    world.write("rules/rules.yaml", HALF_AN_HOUR);
    world.start_with_clock("+2h");
    let declared = json!({"service": "search", "title": "search is down", "status": "firing"});
    let answer = world.post("/api/v1/declarations", &declared.to_string());
    assert!((200..300).contains(&answer.status), "{}", answer.body);
    world.until_judged();
    world.kill();
    world.start();
    send_alert(&world, "checkout");
    let found = verdict(&world, "checkout", "long");
    assert_eq!(found["outcome"], "not_met", "{found:#}");
    assert!(
        found["measure"]["upper"].as_f64().unwrap() < 120.0,
        "{found:#}"
    );
    // What was declared by the clock that was ahead can be ended.
    let ended = json!({"service": "search", "title": "search is down", "status": "resolved"});
    let answer = world.post("/api/v1/declarations", &ended.to_string());
    assert!((200..300).contains(&answer.status), "{}", answer.body);
    until("the declared outage has ended", PATIENCE, || {
        let incidents = world.incidents();
        let mut of_search = incidents
            .iter()
            .filter(|incident| incident["services"][0] == "search");
        let spans = of_search.next()?["signals"][0]["spans"].clone();
        let end = time(&spans[0]["end"])?;
        is_near(end, wall()).then_some(())
    });
    assert!(world.get("/").body.contains("set back by"));
}

#[test]
fn no_verdict_is_met_by_a_step_forward() {
    let mut world = World::new();
    world.write("rules/rules.yaml", HALF_AN_HOUR);
    world.start_with_clock("+0s");
    send_alert(&world, "checkout");
    world.set_clock("+40m");
    until("the step is noticed", PATIENCE, || {
        (metric(&world, "afterword_clock_steps_total") >= 1.0).then_some(())
    });
    // Its sender's clock was not set.
    send_alert(&world, "search");
    pause(Duration::from_secs(2));
    for service in ["checkout", "search"] {
        let found = verdict(&world, service, "long");
        assert_eq!(found["outcome"], "unknown", "{service}: {found:#}");
    }
    world.set_clock("+0s");
    until("the second step is noticed", PATIENCE, || {
        (metric(&world, "afterword_clock_steps_total") >= 2.0).then_some(())
    });
    // The program that fakes the clock goes to and fro for a moment.
    pause(Duration::from_secs(3));
    send_alert(&world, "payments");
    let found = verdict(&world, "payments", "long");
    assert_eq!(found["outcome"], "not_met", "{found:#}");
}

#[test]
fn replicas_go_by_the_clock_of_the_database() {
    let (server, files) = (Postgres::start(), TempDir::new().unwrap());
    let mut replicas: Vec<World> = (0..2)
        .map(|_| World::on(&Postgres::url(server.port), files.path()))
        .collect();
    for (replica, shift) in replicas.iter_mut().zip(["+40m", "-2h"]) {
        replica.write("rules/rules.yaml", HALF_AN_HOUR);
        replica.start_with_clock(shift);
    }
    for (service, replica) in ["checkout", "search"].iter().zip(&replicas) {
        send_alert(replica, service);
    }
    replicas[0].set_clock("-3h");
    replicas[1].set_clock("+5h");
    pause(Duration::from_secs(2));
    send_alert(&replicas[0], "payments");
    for replica in &replicas {
        replica.until_judged();
        for service in ["checkout", "search", "payments"] {
            let found = verdict(replica, service, "long");
            assert_eq!(found["outcome"], "not_met", "{service}: {found:#}");
        }
        until("it says that its clock differs", PATIENCE, || {
            let lead = metric(replica, "afterword_clock_lead_seconds").abs();
            let said = replica
                .get("/")
                .body
                .contains("the clock of this machine: it is");
            (lead > 7_200.0 && said).then_some(())
        });
        // The clock that everything goes by was not set.
        assert!(metric(replica, "afterword_clock_steps_total") < 1.0);
    }
    replicas[0].set_clock("+0s");
    until("the clock is right", PATIENCE, || {
        let said = replicas[0]
            .get("/")
            .body
            .contains("the clock of this machine");
        (!said).then_some(())
    });
}

#[test]
fn decisions_between_steps_of_the_clock_equal_those_of_a_replay() {
    let mut world = World::new();
    prepare(&world);
    world.start_with_clock("+0s");
    let (mut rng, load) = (Rng::new(), Load::on(vec![world.http.clone()]));
    for turn in 0..12 {
        let before = load.count();
        let minutes = i64::try_from(rng.roll() % 400).unwrap() - 200;
        world.set_clock(&format!("{minutes:+}m"));
        if turn % 4 == 3 {
            world.kill();
            world.start_with_clock(&format!("{:+}m", -minutes));
        }
        until("alerts are acknowledged", PATIENCE, || {
            (load.count() > before + 50).then_some(())
        });
    }
    world.set_clock("+0s");
    let told = load.stop();
    pause(Duration::from_secs(2));
    let files = world.path("");
    assert_nothing_lost_or_twice(&world, &told, &files);
    assert_eq_to_a_replay(&world);
}
