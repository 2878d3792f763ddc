//! Crash safety: no event lost or duplicated when the service is killed at random under load, on a
//! file and on PostgreSQL, or the database server is.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Value, json};

use super::harness::{Http, PATIENCE, World, alert, pause, stamp, tell, until, webhook};
use super::postgres::Postgres;
use super::rng::Rng;

/// How often each process is killed; `AFTERWORD_KILLS` says otherwise.
const KILLS: usize = 200;

/// Every declared outage is held at once, and each has its own draft.
pub(crate) const RULES: &str = "criteria: [{name: declared, on: outage, decision: hold}]
correlation: {correlate_by: [service], settle: 1s, reopen_within: 2s, bridge: 1s}
";
pub(crate) const LIMITS: &str =
    "limits: {holds: 100000 per 1h, suggestions: 100000 per 1h, bundle_within: 0s}\n";

fn kills() -> usize {
    #[expect(
        clippy::disallowed_methods,
        reason = "for a longer or a shorter run by hand"
    )]
    let given = std::env::var("AFTERWORD_KILLS").ok();
    given.map_or(KILLS, |text| text.parse().unwrap())
}

/// What was acknowledged.
#[derive(Default)]
pub(crate) struct Acknowledged {
    pub(crate) alerts: BTreeSet<String>,
    pub(crate) outages: BTreeSet<String>,
}

/// Posts alerts, and now and then an outage that begins and ends, to one server after another until told to stop.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    acknowledged: Arc<AtomicUsize>,
    thread: JoinHandle<Acknowledged>,
}

impl Load {
    pub(crate) fn on(servers: Vec<Http>) -> Self {
        let (stop, count) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicUsize::new(0)),
        );
        let (stopped, counted) = (Arc::clone(&stop), Arc::clone(&count));
        let thread = std::thread::spawn(move || {
            let (mut told, began) = (Acknowledged::default(), stamp(Duration::from_secs(1)));
            for number in 0.. {
                if stopped.load(Ordering::Relaxed) {
                    break;
                }
                let server = &servers[number % servers.len()];
                let post = |path: &str, body: &Value| {
                    server
                        .try_post(path, &body.to_string(), &[])
                        .is_some_and(|answer| (200..300).contains(&answer.status))
                };
                let name = format!("Side{number}");
                let alert: Value = serde_json::from_str(&webhook(&[alert(
                    &name,
                    &format!("side-{}", number % 7),
                    &began,
                )]))
                .unwrap();
                // No answer: it is dead or being started; whether that alert was kept is nobody's promise.
                if post("/ingest/alertmanager", &alert) {
                    counted.fetch_add(1, Ordering::Relaxed);
                    told.alerts.insert(name);
                }
                if number % 100 == 0 {
                    let service = format!("down-{number}");
                    let outage = |status: &str| json!({"service": service, "title": format!("{service} is down"), "status": status});
                    if post("/api/v1/declarations", &outage("firing")) {
                        told.outages.insert(service.clone());
                        // Told until it is heard: an outage left open would only be one that goes on.
                        post("/api/v1/declarations", &outage("resolved"));
                    }
                }
                pause(Duration::from_millis(4));
            }
            told
        });
        Self {
            stop,
            acknowledged: count,
            thread,
        }
    }

    /// Alerts acknowledged so far.
    pub(crate) fn count(&self) -> usize {
        self.acknowledged.load(Ordering::Relaxed)
    }

    pub(crate) fn stop(self) -> Acknowledged {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

/// Every acknowledged fact is there once, and every postmortem, file and delivery of it once.
pub(crate) fn assert_nothing_lost_or_twice(world: &World, told: &Acknowledged, files: &Path) {
    until("all is applied and delivered", PATIENCE, || {
        let pending = world.get("/api/v1/deliveries").json();
        let pending = pending
            .as_array()
            .unwrap()
            .iter()
            .any(|delivery| delivery["state"] != "delivered");
        (!pending).then_some(())
    });
    let kept = until("every acknowledged alert is there", PATIENCE, || {
        let kept = world.alerts_kept();
        told.alerts.is_subset(&kept).then_some(kept)
    });
    assert!(kept.len() >= told.alerts.len());
    let postmortems = world.get("/api/v1/postmortems").json();
    let postmortems = postmortems.as_array().unwrap();
    let incidents: BTreeSet<&str> = postmortems
        .iter()
        .map(|postmortem| postmortem["incident"].as_str().unwrap())
        .collect();
    assert_eq!(
        incidents.len(),
        postmortems.len(),
        "one postmortem an incident"
    );
    let services: BTreeSet<String> = incidents
        .iter()
        .map(|id| {
            world.incident(id)["services"][0]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    assert!(
        told.outages.is_subset(&services),
        "{:?} have no postmortem",
        told.outages.difference(&services).collect::<Vec<_>>()
    );
    assert_eq!(services.len(), postmortems.len(), "one incident an outage");
    let names: BTreeSet<String> = postmortems
        .iter()
        .map(|postmortem| {
            postmortem["path"]
                .as_str()
                .unwrap()
                .rsplit('/')
                .next()
                .unwrap()
                .to_owned()
        })
        .collect();
    let found: BTreeSet<String> = std::fs::read_dir(files.join("postmortems"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(
        found, names,
        "each draft is one file, and nothing else is there"
    );
    tell(&format!(
        "{} alerts and {} outages acknowledged, {} drafts",
        told.alerts.len(),
        told.outages.len(),
        found.len()
    ));
}

fn kill_at_random_moments(world: &mut World) {
    let (mut dice, files) = (Rng::new(), world.path(""));
    let load = Load::on(vec![world.http.clone()]);
    for _ in 0..kills() {
        let before = load.count();
        // Each time something got through, so that each kill is one under load.
        until("an alert is acknowledged", PATIENCE, || {
            (load.count() > before).then_some(())
        });
        pause(Duration::from_millis(dice.roll() % 120));
        world.kill();
        world.start();
    }
    let told = load.stop();
    assert_nothing_lost_or_twice(world, &told, &files);
    assert_eq_to_a_replay(world);
}

/// A fresh process that is given the same log comes to the same incidents, byte for byte.
pub(crate) fn assert_eq_to_a_replay(world: &World) {
    // Longer than any incident of these rules stays open, so that time alone changes nothing any more.
    pause(Duration::from_secs(4));
    let exported = exported(world, "all.jsonl");
    let mut replay = World::new();
    prepare(&replay);
    import_log(&replay, &exported);
    replay.start();
    assert_eq_incidents(&replay, &exported);
}

/// Imports the log of an export into an empty database: nothing of it is judged.
pub(crate) fn import_log(replay: &World, exported: &[Value]) {
    let log: Vec<Value> = exported
        .iter()
        .filter(|line| {
            ["log", "raw", "source_stat"].contains(&line["table"].as_str().unwrap_or_default())
        })
        .cloned()
        .collect();
    let mut head = exported
        .iter()
        .find(|line| line["table"] == "head")
        .unwrap()
        .clone();
    // applied, epoch, lease_until, judged_at
    for column in [3, 4, 5, 7] {
        head["row"][column] = json!(0);
    }
    let mut lines = vec![exported[0].clone(), head];
    let rows = log.len() + 1;
    lines.extend(log);
    lines.push(json!({"end": rows}));
    let text: Vec<String> = lines.iter().map(Value::to_string).collect();
    replay.write("log.jsonl", &format!("{}\n", text.join("\n")));
    let done = replay.run(&["import", "--config", "afterword.yaml", "log.jsonl"]);
    assert_eq!(done.code, Some(0), "{}", done.said);
}

/// A service comes to the incidents of an export.
pub(crate) fn assert_eq_incidents(replay: &World, exported: &[Value]) {
    let incidents = |exported: &[Value]| -> Vec<String> {
        let rows = exported
            .iter()
            .filter(|line| line["table"] == "incident" || line["table"] == "part");
        // All but the column of when it was written.
        rows.map(|line| {
            let mut line = line.clone();
            if line["table"] == "incident" {
                line["row"][6] = Value::Null;
            }
            line.to_string()
        })
        .collect()
    };
    let ours = incidents(exported);
    let mut number = 0;
    until("the replay comes to the same", PATIENCE, || {
        number += 1;
        pause(Duration::from_millis(500));
        let theirs = incidents(&self::exported(replay, &format!("replay{number}.jsonl")));
        (theirs == ours).then_some(()).or_else(|| {
            if number == 20 {
                let differ = ours
                    .iter()
                    .zip(&theirs)
                    .filter(|(ours, theirs)| ours != theirs)
                    .map(|(ours, theirs)| difference(ours, theirs));
                panic!(
                    "{} and {} rows differ: {:#?}",
                    ours.len(),
                    theirs.len(),
                    differ.take(3).collect::<Vec<_>>()
                );
            }
            None
        })
    });
}

/// From where on two lines differ.
fn difference(ours: &str, theirs: &str) -> (String, String) {
    let same = ours
        .bytes()
        .zip(theirs.bytes())
        .take_while(|(ours, theirs)| ours == theirs)
        .count()
        .saturating_sub(40);
    let shown = |line: &str| line.chars().skip(same).take(200).collect();
    (shown(ours), shown(theirs))
}

pub(crate) fn exported(world: &World, name: &str) -> Vec<Value> {
    let done = world.run(&["export", "--config", "afterword.yaml", name]);
    assert_eq!(done.code, Some(0), "{}", done.said);
    std::fs::read_to_string(world.path(name))
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Settings for these tests.
pub(crate) fn prepare(world: &World) {
    world.write("rules/rules.yaml", RULES);
    let settings = std::fs::read_to_string(world.path("afterword.yaml")).unwrap();
    world.write("afterword.yaml", &format!("{settings}{LIMITS}"));
}

#[test]
fn kills_at_random_moments_lose_nothing_on_sqlite() {
    let mut world = World::new();
    prepare(&world);
    world.start();
    kill_at_random_moments(&mut world);
}

#[test]
fn kills_at_random_moments_lose_nothing_on_postgresql() {
    let server = Postgres::start();
    let mut world = World::new();
    world.store_in(&Postgres::url(server.port));
    prepare(&world);
    world.start();
    kill_at_random_moments(&mut world);
}

#[test]
fn killed_database_server_costs_nothing_acknowledged() {
    let mut server = Postgres::start();
    let mut world = World::new();
    world.store_in(&Postgres::url(server.port));
    prepare(&world);
    world.start();
    let (mut dice, files) = (Rng::new(), world.path(""));
    let load = Load::on(vec![world.http.clone()]);
    for round in 0..kills() / 10 {
        let before = load.count();
        until("an alert is acknowledged", PATIENCE, || {
            (load.count() > before).then_some(())
        });
        pause(Duration::from_millis(dice.roll() % 200));
        server.kill();
        if round == 0 {
            let answer = world.post(
                "/ingest/alertmanager",
                &webhook(&[alert("Gone", "checkout", &stamp(Duration::from_secs(1)))]),
            );
            assert_eq!(
                (answer.status, answer.retry_after.is_some()),
                (503, true),
                "{}",
                answer.body
            );
            assert_eq!(world.get("/-/healthy").status, 200);
            pause(Duration::from_secs(10));
        }
        server.go_on();
    }
    let told = load.stop();
    assert!(world.is_alive());
    assert_nothing_lost_or_twice(&world, &told, &files);
    assert_eq_to_a_replay(&world);
}

#[test]
fn failing_destination_gets_the_draft_once() {
    let mut world = World::new();
    prepare(&world);
    // A file where the directory should be, then a name that leads to itself.
    world.write("postmortems", "in the way");
    world.start();
    world.post(
        "/api/v1/declarations",
        &json!({"service": "checkout", "title": "down"}).to_string(),
    );
    let failing = |world: &World| {
        let all = world.get("/api/v1/deliveries").json();
        all.as_array()
            .unwrap()
            .iter()
            .find(|delivery| delivery["attempts"].as_u64() > Some(0))
            .map(|delivery| delivery["error"].to_string())
    };
    let error = until("the draft cannot be written", PATIENCE, || failing(&world));
    assert!(error.contains("postmortems"), "{error}");
    std::fs::remove_file(world.path("postmortems")).unwrap();
    std::os::unix::fs::symlink(world.path("postmortems"), world.path("postmortems")).unwrap();
    pause(Duration::from_secs(2));
    std::fs::remove_file(world.path("postmortems")).unwrap();
    until("the draft is written", PATIENCE, || {
        (world.files("postmortems", ".md").len() == 1).then_some(())
    });
    let all = world.get("/api/v1/deliveries").json();
    assert!(
        all.as_array()
            .unwrap()
            .iter()
            .all(|delivery| delivery["state"] == "delivered"),
        "{all}"
    );
}
