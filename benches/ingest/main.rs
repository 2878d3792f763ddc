//! Benchmark of alert ingestion, beside Debian's Alertmanager. `cargo bench --bench ingest`
//!
//! Both are real servers on this machine and receive the same bodies of 64 alerts over persistent
//! connections at `POST /api/v2/alerts`: first every alert as new, then the same again, as
//! Prometheus repeats firing alerts. An alert has ten labels and two annotations, 460 bytes.
//!
//! - `a CPU second`: alerts ingested per second of the server's processor time, user and system,
//!   from `/proc/<pid>/stat`. For Afterword the `judge` threads are excluded and reported apart
//!   (from `/proc/<pid>/task/*/stat`): they decide about incidents, which Alertmanager does not.
//!   The figure covers everything from the socket to the response, for new alerts including an
//!   fsync before the response. Alertmanager keeps alerts in memory only. Processor time used in
//!   the three seconds after the last response, to group and notify, is counted for neither.
//! - `an alert`: growth of the resident memory per alert. Afterword's includes the judge's state.
//! - `p50`, `p99`: latency from the scheduled time of a body to its response, at 20,000 repeated
//!   alerts a second. A server that cannot keep up shows it here.
//!
//! The generator shares the machine with the server, so wall-clock rates would mean little and are
//! not reported.
//!
//! # Profile
//!
//! From `perf record` on two cores in 2026. A repeated alert costs 1.1 µs: a third goes into moving
//! bytes (the body arrives in pieces, the borrowed pairs are moved once), a quarter into JSON, a
//! tenth into the lookup of its active alert under the keyed hash, a tenth into the kernel's
//! network stack. A new alert costs 11 µs, half on the reading threads and half in `commit`: a
//! quarter in the allocator (labels and annotations as strings, in the event and in its JSON), a
//! sixth in the id and the subject (SHA-256, and even more their hexadecimal text), a fifth in
//! writing the event as JSON, the rest in SQLite and the kernel's file system.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

#[path = "../server/mod.rs"]
mod server;

use server::{
    Server, Used, afterword, connect, free_port, instant, load, now, pause, send, start, tell,
};

/// Alerts in a body: what Prometheus sends at once.
const TOGETHER: usize = 64;
/// Alerts of the first part.
const NEW: usize = 64_000;
/// How often each is told again in the second part.
const AGAIN: usize = 20;
/// Connections at a time; each waits for its answer.
const CONNECTIONS: usize = 8;
/// The rate at which latency is measured, in alerts a second, and for how long.
const RATE: usize = 20_000;
const FOR: Duration = Duration::from_secs(5);
fn main() {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("bench-ingest");
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).expect("a directory for the servers");
    let ports = [free_port(), free_port()];
    let only = std::env::args()
        .skip(1)
        .find(|argument| !argument.starts_with('-'));
    tell(&format!(
        "{NEW} alerts, {TOGETHER} a body; load of the machine: {}",
        load()
    ));
    for (name, start) in [
        ("alertmanager", alertmanager as fn(&Path, u16) -> Server),
        ("afterword", afterword),
    ] {
        if only.as_ref().is_none_or(|only| only == name) {
            let port = ports[usize::from(name == "afterword")];
            measure(name, &start(&directory, port));
        }
    }
    tell(&format!("load of the machine at the end: {}", load()));
}

fn measure(name: &str, server: &Server) {
    let now = now();
    let bodies: Vec<String> = (0..NEW / TOGETHER)
        .map(|number| body(number, now))
        .collect();
    let (before, _) = server.memory();
    let used = server.used();
    post(server.port, &bodies);
    report(&format!("{name}, new"), NEW, used, server.used());
    pause(Duration::from_secs(if name == "afterword" {
        15
    } else {
        3
    }));
    let judged = server.used();
    tell(&format!(
        "{name}: {:.0} bytes an alert; judging took {:.2} s in all",
        server.memory().0.saturating_sub(before) as f64 / NEW as f64,
        judged.judge
    ));
    let again: Vec<String> = bodies
        .iter()
        .cycle()
        .take(bodies.len() * AGAIN)
        .cloned()
        .collect();
    let used = server.used();
    post(server.port, &again);
    report(&format!("{name}, again"), NEW * AGAIN, used, server.used());
    let mut took = paced(server.port, &bodies);
    took.sort_unstable();
    let at = |share: f64| took[((took.len() - 1) as f64 * share) as usize];
    tell(&format!(
        "{name}, again at {RATE} a second: p50 {:?}, p99 {:?}, worst {:?}",
        at(0.5),
        at(0.99),
        at(1.0)
    ));
}

fn report(what: &str, alerts: usize, before: Used, after: Used) {
    let judge = after.judge - before.judge;
    let rest = after.all - before.all - judge;
    let each = rest / alerts as f64 * 1e6;
    tell(&format!(
        "{what}: {:.0} alerts a CPU second ({each:.2} µs each, {rest:.2} s; judging beside it {judge:.2} s)",
        alerts as f64 / rest
    ));
}

fn alertmanager(directory: &Path, port: u16) -> Server {
    let settings =
        "route: {receiver: nobody, group_by: [alertname]}\nreceivers: [{name: nobody}]\n";
    fs::write(directory.join("alertmanager.yml"), settings).expect("settings");
    let mut command = Command::new("prometheus-alertmanager");
    command.args([
        "--config.file=alertmanager.yml",
        "--storage.path=alertmanager",
        "--cluster.listen-address=",
    ]);
    start(
        command.arg(format!("--web.listen-address=127.0.0.1:{port}")),
        directory,
        "alertmanager",
        port,
    )
}

/// The request with body `number`, its headers included.
fn body(number: usize, now: DateTime<Utc>) -> String {
    let stamp = |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Millis, true);
    let (starts_at, ends_at) = (
        stamp(now - TimeDelta::minutes(2)),
        stamp(now + TimeDelta::minutes(30)),
    );
    let mut list = String::from("[");
    for place in 0..TOGETHER {
        let alert = number * TOGETHER + place;
        let (service, node) = (alert % 500, alert / 500);
        let comma = if place == 0 { "" } else { "," };
        write!(
            list,
            r#"{comma}{{"labels":{{"alertname":"HighLatency","cluster":"eu-{0}","env":"production","instance":"10.{0}.{1}.7:9100","job":"api","namespace":"shop","pod":"checkout-{service}-{node}","service":"svc-{service}","severity":"critical","team":"payments"}},"annotations":{{"summary":"p99 latency of svc-{service} is high","runbook_url":"https://wiki.example/runbooks/latency"}},"startsAt":"{starts_at}","endsAt":"{ends_at}","generatorURL":"http://prometheus.example:9090/graph?g0.expr=up"}}"#,
            service % 4,
            node % 250
        )
        .expect("text");
    }
    list.push(']');
    format!(
        "POST /api/v2/alerts HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{list}",
        list.len()
    )
}

/// Posts all, over a few connections that each wait for their answers.
fn post(port: u16, requests: &[String]) {
    std::thread::scope(|scope| {
        for connection in 0..CONNECTIONS {
            scope.spawn(move || {
                let mut stream = connect(port);
                for request in requests.iter().skip(connection).step_by(CONNECTIONS) {
                    send(&mut stream, request);
                }
            });
        }
    });
}

/// Posts at a steady rate, and tells how long each took from the moment at which it was due.
fn paced(port: u16, requests: &[String]) -> Vec<Duration> {
    let every = Duration::from_secs_f64(TOGETHER as f64 / RATE as f64);
    let count = usize::try_from(FOR.as_nanos() / every.as_nanos()).expect("few");
    let began = instant() + Duration::from_millis(100);
    let all: Vec<&String> = requests.iter().cycle().take(count).collect();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..CONNECTIONS)
            .map(|connection| {
                let all = &all;
                scope.spawn(move || {
                    let mut stream = connect(port);
                    let mine = all.iter().enumerate().skip(connection).step_by(CONNECTIONS);
                    mine.map(|(number, request)| {
                        let due = began + every * u32::try_from(number).expect("few");
                        pause(due.saturating_duration_since(instant()));
                        send(&mut stream, request);
                        due.elapsed()
                    })
                    .collect::<Vec<_>>()
                })
            })
            .collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().expect("a connection"))
            .collect()
    })
}
