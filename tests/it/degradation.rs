//! Measured degradation with a real Prometheus, scraped pages and pushed samples, under failures of
//! each. Results are within one scrape and one evaluation of the known truth, or unknown, and never
//! wrong.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::TimeDelta;

use crate::harness::{Http, PATIENCE, RULES, World, free_port, send_signal, until, wall};
use crate::metric_target::{Target, seconds, spans, state};

/// A scrape, an evaluation, and a machine that is busy with other tests.
pub(crate) const SLACK: TimeDelta = TimeDelta::milliseconds(3500);
pub(crate) const EXACT: TimeDelta = TimeDelta::zero();

const GAUGE: &str = "checkout_errors";
const RATIO: &str = "rate(failed_total[5s]) / rate(all_total[5s])";

/// Rules with one condition, `errors`.
fn rules(metrics: &str, query: &str, degraded: &str, more: &str) -> String {
    format!(
        "{RULES}conditions:\n  - {{name: errors, service: checkout, metrics: {metrics}, query: '{query}', degraded: '{degraded}', every: 1s, {more}}}\n"
    )
}

/// Afterword with these metrics and rules, not started yet.
pub(crate) fn world(metrics: &str, rules: &str) -> World {
    let world = World::new();
    let settings = std::fs::read_to_string(world.path("afterword.yaml")).unwrap();
    world.write(
        "afterword.yaml",
        &format!("{settings}metrics:\n  - {metrics}\n"),
    );
    world.write("rules/rules.yaml", rules);
    world
}

/// A Prometheus that looks at a target every second.
pub(crate) struct Prometheus {
    pub(crate) port: u16,
    pid: u32,
}

impl Prometheus {
    pub(crate) fn start(world: &mut World, port: u16, target: &Target, more: &str) -> Self {
        let settings = format!(
            "global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s, external_labels: {{cluster: eu}}}}\n\
             scrape_configs:\n  - {{job_name: checkout, static_configs: [{{targets: ['127.0.0.1:{}']}}]}}\n{more}",
            target.port
        );
        world.write("prometheus.yml", &settings);
        let mut command = Command::new("prometheus");
        command.args([
            "--config.file=prometheus.yml",
            "--storage.tsdb.path=prometheus",
            "--web.enable-remote-write-receiver",
        ]);
        command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
        let pid = world.start_beside(&mut command, "prometheus");
        let prometheus = Self { port, pid };
        prometheus.until_it_looks();
        prometheus
    }

    fn until_it_looks(&self) {
        let http = Http::new(self.port);
        // Ready is not enough: it learns some seconds later what there is to look at.
        until("prometheus has looked at its target", PATIENCE, || {
            http.try_get("/api/v1/query?query=up")
                .filter(|answer| answer.body.contains("\"value\""))
        });
    }

    pub(crate) fn signal(&self, name: &str) {
        send_signal(self.pid, name);
    }

    /// The entry of `metrics:` that asks it.
    pub(crate) fn entry(port: u16) -> String {
        format!("{{name: prom, kind: prometheus, url: 'http://127.0.0.1:{port}', timeout: 1s}}")
    }
}

/// Waits until the incident of a degradation is closed.
pub(crate) fn until_closed(world: &World) {
    until("the incident is held and closed", PATIENCE, || {
        world
            .incidents()
            .into_iter()
            .find(|incident| incident["decision"] == "hold" && incident["phase"] == "closed")
    });
}

/// Afterword and a Prometheus, both running, with a condition on the gauge.
fn watched(more: &str) -> (World, Target, Prometheus) {
    let (target, port) = (Target::serve(), free_port());
    let mut world = world(&Prometheus::entry(port), &rules("prom", GAUGE, "> 5", more));
    let prometheus = Prometheus::start(&mut world, port, &target, "");
    world.start();
    (world, target, prometheus)
}

#[test]
fn condition_values_from_prometheus_are_in_the_postmortem() {
    let (world, mut target, _prometheus) = watched("");
    seconds(3);
    target.degrade(true);
    seconds(9);
    target.degrade(false);
    until_closed(&world);
    let found = target.compare(&world, "errors", SLACK, EXACT);
    assert!(found.degraded > 6.0, "{found:?}");
    let draft = until(
        "the draft shows the picture",
        Duration::from_secs(90),
        || {
            let name = world.files("postmortems", ".md").into_iter().next()?;
            let text = std::fs::read_to_string(world.path("postmortems").join(name)).unwrap();
            text.contains("-errors.svg").then_some(text)
        },
    );
    let picture = world.files("postmortems", ".svg").remove(0);
    assert!(draft.contains(&format!("]({picture})")), "{draft}");
    let svg = std::fs::read_to_string(world.path("postmortems").join(&picture)).unwrap();
    assert!(
        svg.contains("degraded &gt; 5") || svg.contains("&gt; 5"),
        "{svg}"
    );
    let id = world.incidents()[0]["id"].as_str().unwrap().to_owned();
    let page = world.get(&format!("/incidents/{id}")).body;
    assert!(
        page.contains(&format!("/incidents/{id}/plots/errors.svg")),
        "{page}"
    );
    let served = world.get(&format!("/incidents/{id}/plots/errors.svg"));
    assert_eq!((served.status, served.body), (200, svg));
}

#[test]
fn recovery_while_prometheus_is_down_is_unknown_until_it_is_back() {
    let (mut world, mut target, prometheus) = watched("");
    seconds(3);
    target.degrade(true);
    seconds(6);
    prometheus.signal("KILL");
    seconds(4);
    target.degrade(false);
    seconds(4);
    let _prometheus = Prometheus::start(&mut world, prometheus.port, &target, "");
    seconds(8);
    let found = target.compare(&world, "errors", SLACK, EXACT);
    assert!(
        found.degraded > 4.0 && found.unknown > 4.0,
        "{found:?}: {:?}",
        spans(&world, "errors")
    );
}

#[test]
fn degradation_while_prometheus_is_suspended_is_found() {
    let (world, mut target, prometheus) = watched("");
    seconds(3);
    prometheus.signal("STOP");
    seconds(3);
    target.degrade(true);
    seconds(4);
    prometheus.signal("CONT");
    seconds(7);
    target.degrade(false);
    seconds(5);
    let found = target.compare(&world, "errors", SLACK, EXACT);
    assert!(
        found.degraded > 4.0,
        "{found:?}: {:?}",
        spans(&world, "errors")
    );
}

#[test]
fn degradation_during_our_downtime_is_found_after_restart() {
    let (mut world, mut target, _prometheus) = watched("");
    seconds(3);
    world.kill();
    target.degrade(true);
    seconds(7);
    target.degrade(false);
    seconds(4);
    world.start();
    seconds(4);
    let found = target.compare(&world, "errors", SLACK, EXACT);
    assert!(
        found.degraded > 4.0 && found.unknown < 1.0,
        "{found:?}: {:?}",
        spans(&world, "errors")
    );
}

#[test]
fn degradation_before_our_start_gets_its_true_start() {
    let (mut target, port) = (Target::serve(), free_port());
    let mut world = world(&Prometheus::entry(port), &rules("prom", GAUGE, "> 5", ""));
    let _prometheus = Prometheus::start(&mut world, port, &target, "");
    seconds(3);
    target.degrade(true);
    seconds(8);
    world.start();
    seconds(4);
    target.degrade(false);
    until_closed(&world);
    let found = target.compare(&world, "errors", SLACK, EXACT);
    assert!(found.degraded > 9.0, "{found:?}");
}

#[test]
fn vanished_target_and_counter_reset_behind_prometheus() {
    let (mut target, port) = (Target::serve(), free_port());
    let mut world = world(&Prometheus::entry(port), &rules("prom", RATIO, "> 0.2", ""));
    let _prometheus = Prometheus::start(&mut world, port, &target, "");
    world.start();
    vanish_and_reset(&world, &mut target, SLACK + TimeDelta::seconds(5));
}

/// Degraded for eight seconds, in whose middle the counters are reset; then it vanishes for five while it recovers.
#[track_caller]
fn vanish_and_reset(world: &World, target: &mut Target, slack: TimeDelta) {
    seconds(8);
    target.degrade(true);
    seconds(8);
    target.show(|shown| (shown.failed, shown.all) = (0.0, 0.0));
    seconds(8);
    target.show(|shown| shown.gone = true);
    let gone = wall();
    seconds(8);
    target.degrade(false);
    seconds(5);
    target.show(|shown| shown.gone = false);
    let back = wall();
    seconds(15);
    // A rate over five seconds is late by as many.
    let found = target.compare(world, "errors", slack, EXACT);
    let stretches = spans(world, "errors");
    // It begins late by the window at the most, and ends with the second sample.
    let longest = (back - gone).as_seconds_f64() + 3.0;
    assert!(
        found.degraded > 8.0 && found.unknown > 3.0 && found.unknown < longest,
        "{found:?}: {stretches:?}"
    );
    // While nothing of it is there nothing is claimed: neither that it is degraded nor that it is healthy.
    let mut at = gone + slack;
    while at < back {
        assert_eq!(
            state(&stretches, at),
            "unknown",
            "gone {gone} to {back}, at {at}: {stretches:?}"
        );
        at += TimeDelta::milliseconds(100);
    }
}

#[test]
fn clock_skew_of_three_minutes_is_corrected() {
    let (mut target, port) = (Target::serve(), free_port());
    let mut world = world(&Prometheus::entry(port), &rules("prom", GAUGE, "> 5", ""));
    let _prometheus = Prometheus::start(&mut world, port, &target, "");
    world.start_at("+180s");
    seconds(4);
    target.degrade(true);
    seconds(8);
    target.degrade(false);
    seconds(6);
    let found = target.compare(&world, "errors", SLACK, TimeDelta::seconds(180));
    assert!(
        found.degraded > 4.0,
        "{found:?}: {:?}",
        spans(&world, "errors")
    );
}

/// Afterword that scrapes the target itself.
fn scraping(query: &str, degraded: &str) -> (World, Target) {
    let target = Target::serve();
    let entry = format!(
        "{{name: web, kind: scrape, targets: ['http://127.0.0.1:{}/metrics'], interval: 1s, timeout: 1s}}",
        target.port
    );
    let mut world = world(&entry, &rules("web", query, degraded, ""));
    world.start();
    (world, target)
}

#[test]
fn scraped_target_degrades_and_recovers() {
    let (world, mut target) = scraping(GAUGE, "> 5");
    seconds(3);
    target.degrade(true);
    seconds(9);
    target.degrade(false);
    until_closed(&world);
    let found = target.compare(&world, "errors", SLACK, EXACT);
    assert!(
        found.degraded > 6.0 && found.unknown < 2.0,
        "{found:?}: {:?}",
        spans(&world, "errors")
    );
}

#[test]
fn vanished_scraped_target_is_unknown() {
    let (world, mut target) = scraping(RATIO, "> 0.2");
    vanish_and_reset(&world, &mut target, SLACK + TimeDelta::seconds(5));
}

#[test]
fn time_without_scrapes_is_unknown() {
    let (mut world, mut target) = scraping(GAUGE, "> 5");
    seconds(3);
    target.degrade(true);
    seconds(6);
    world.kill();
    seconds(3);
    target.degrade(false);
    seconds(4);
    target.degrade(true);
    seconds(1);
    world.start();
    seconds(5);
    let found = target.compare(&world, "errors", SLACK, EXACT);
    // Of six seconds and five, one each may go to the scrape and the last stretch to the slack at the end.
    assert!(
        found.degraded > 4.0 && found.unknown > 4.0,
        "{found:?}: {:?}",
        spans(&world, "errors")
    );
}

#[test]
fn sample_times_of_a_skewed_target_are_corrected() {
    let (world, mut target) = scraping(GAUGE, "> 5");
    target.show(|shown| shown.clock = Some(TimeDelta::minutes(-4)));
    seconds(4);
    target.degrade(true);
    seconds(8);
    target.degrade(false);
    seconds(6);
    let found = target.compare(&world, "errors", SLACK, EXACT);
    assert!(
        found.degraded > 4.0,
        "{found:?}: {:?}",
        spans(&world, "errors")
    );
}

#[test]
fn remote_write_degrades_and_recovers() {
    let mut target = Target::serve();
    let entry = "{name: pushed, kind: remote_write, auth: {bearer_token_file: bearer}}";
    let mut world = world(entry, &rules("pushed", GAUGE, "> 5", "no_data: healthy"));
    world.start();
    let push = format!(
        "remote_write:\n  - {{url: 'http://127.0.0.1:{}/api/v1/write', authorization: {{credentials: open sesame}}, queue_config: {{batch_send_deadline: 1s}}}}\n",
        world.port
    );
    let prometheus = Prometheus::start(&mut world, free_port(), &target, &push);
    seconds(13);
    target.degrade(true);
    seconds(13);
    target.degrade(false);
    seconds(13);
    target.degrade(true);
    seconds(13);
    // Samples come ten seconds late, but what they say is of when they were taken.
    prometheus.signal("KILL");
    let killed = wall();
    target.degrade(false);
    seconds(24);
    // A Prometheus that is gone says nothing about what happens then, whatever is said of series without data.
    let found = target.compare(&world, "errors", SLACK, EXACT);
    let stretches = spans(&world, "errors");
    assert!(
        found.degraded > 20.0 && found.degraded < 32.0,
        "{found:?}: {stretches:?}"
    );
    let (since, until, state) = stretches.last().unwrap();
    assert!(
        state == "unknown" && until.is_none() && (*since - killed).abs() <= SLACK,
        "killed at {killed}: {stretches:?}"
    );
    let answer = world
        .http
        .try_post(
            "/api/v1/write",
            "x",
            &[("authorization", "Bearer open sesame")],
        )
        .unwrap();
    assert_eq!(answer.status, 415, "{}", answer.body);
    assert_eq!(world.post("/api/v1/write", "x").status, 401);
}

/// What stands between us and a Prometheus.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Between {
    Nothing,
    /// It answers that something failed.
    Errors,
    /// It answers with what some know, which is wrong, and says that something is missing.
    Partial,
}

/// Stands before a Prometheus; gives its port.
fn proxy(prometheus: u16, between: &Arc<Mutex<Between>>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (port, between, behind) = (
        listener.local_addr().unwrap().port(),
        Arc::clone(between),
        Http::new(prometheus),
    );
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let (between, behind) = (Arc::clone(&between), behind.clone());
            std::thread::spawn(move || {
                let Some((path, form)) = request(&mut stream) else {
                    return;
                };
                let now = *between.lock().unwrap();
                let (status, body) = match now {
                    Between::Errors => (
                        503,
                        r#"{"status":"error","errorType":"internal","error":"a store is away"}"#
                            .to_owned(),
                    ),
                    Between::Partial if path.contains("/query") => {
                        let answer = behind.try_get(&format!("{path}?{form}")).unwrap();
                        let wrong = answer.body.replace("\"9\"", "\"0\"");
                        (
                            200,
                            wrong.replacen(
                                "\"status\":\"success\"",
                                r#""status":"success","warnings":["a store is away"]"#,
                                1,
                            ),
                        )
                    }
                    Between::Nothing | Between::Partial => {
                        let asked = if form.is_empty() {
                            path
                        } else {
                            format!("{path}?{form}")
                        };
                        behind
                            .try_get(&asked)
                            .map_or((502, String::new()), |answer| (answer.status, answer.body))
                    }
                };
                let head = format!(
                    "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}",
                    body.len()
                );
                let _ = write!(stream, "{head}\r\nconnection: close\r\n\r\n{body}");
            });
        }
    });
    port
}

/// The path of a request and its form.
fn request(stream: &mut TcpStream) -> Option<(String, String)> {
    let _ = stream.set_read_timeout(Some(Duration::from_secs(1)));
    let mut text = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let read = stream.read(&mut piece).ok().filter(|read| *read > 0)?;
        text.extend_from_slice(&piece[..read]);
        let whole = String::from_utf8_lossy(&text).into_owned();
        let Some((head, form)) = whole.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head.lines().find_map(|line| {
            line.to_ascii_lowercase()
                .strip_prefix("content-length: ")?
                .parse()
                .ok()
        });
        if form.len() >= length.unwrap_or(0) {
            return Some((head.split(' ').nth(1)?.to_owned(), form.to_owned()));
        }
    }
}

#[test]
fn partial_prometheus_answers_are_unknown() {
    let (mut target, port, between) = (
        Target::serve(),
        free_port(),
        Arc::new(Mutex::new(Between::Nothing)),
    );
    let before = proxy(port, &between);
    let mut world = world(
        &Prometheus::entry(before),
        &rules("prom", GAUGE, "> 5", "no_data: healthy"),
    );
    let _prometheus = Prometheus::start(&mut world, port, &target, "");
    world.start();
    seconds(4);
    target.degrade(true);
    seconds(4);
    *between.lock().unwrap() = Between::Errors;
    seconds(5);
    *between.lock().unwrap() = Between::Nothing;
    seconds(6);
    // What was not answered is known by now, although there is `no_data: healthy`.
    let found = target.compare(&world, "errors", SLACK, EXACT);
    assert!(
        found.degraded > 8.0 && found.unknown < 4.0,
        "{found:?}: {:?}",
        spans(&world, "errors")
    );
    *between.lock().unwrap() = Between::Partial;
    seconds(6);
    target.degrade(false);
    seconds(4);
    let during = target.compare(&world, "errors", SLACK, EXACT);
    assert!(
        during.unknown > 3.0,
        "{during:?}: {:?}",
        spans(&world, "errors")
    );
    *between.lock().unwrap() = Between::Nothing;
    seconds(8);
    let after = target.compare(&world, "errors", SLACK, EXACT);
    assert!(
        after.degraded > 14.0 && after.unknown < 4.0,
        "{after:?}: {:?}",
        spans(&world, "errors")
    );
}
