//! Benchmark of an alert storm: decision lag, and memory per open alert.
//! `cargo bench --bench storm`
//!
//! The server is the real one, on SQLite, with its default rules. It receives alerts that all fire
//! and stay open, each new, 64 a body, at `POST /api/v2/alerts`. An alert has ten labels, two
//! annotations and a generator URL, 460 bytes; two of its labels and its summary are unique. Alerts
//! of one second share `startsAt`, as the alerts of one evaluation of a rule group do.
//!
//! - `lag`: alerts at 5,000 a second, spread evenly over the services. An event's lag is the time
//!   from the response to its body until the metric `afterword_log_applied` has reached it, polled
//!   every 50 ms. The target is one second.
//! - `memory`: alerts as fast as they are accepted; then, once the judge has caught up, the growth
//!   of the resident memory of the whole process (`VmRSS`), and its peak (`VmHWM`). The target is 1
//!   GiB for a million.
//!
//! `cargo bench --bench storm -- lag 100 30` is one row: services, seconds;
//! `-- memory 10000 1000000`: services, alerts. The generator shares the machine with the server.

use std::fmt::Write;
use std::fs;
use std::io::{Read, Write as _};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

#[path = "../server/mod.rs"]
mod server;

use server::{Server, afterword, connect, free_port, instant, load, now, pause, send, tell};

/// Alerts in a body.
const TOGETHER: usize = 64;
/// Alerts a second.
const RATE: usize = 5_000;
/// Connections at a time; each waits for its answer.
const CONNECTIONS: usize = 4;
/// Between two looks at how far the judge is.
const LOOK: Duration = Duration::from_millis(50);

fn main() {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    let number = |place: usize, otherwise: usize| {
        arguments
            .get(place)
            .map_or(otherwise, |text| text.parse().expect("a number"))
    };
    tell(&format!("load of the machine: {}", load()));
    match arguments.first().map(String::as_str) {
        Some("lag") => lag(number(1, 100), number(2, 20)),
        Some("memory") => memory(number(1, 100), number(2, 1_000_000)),
        _ => {
            lag(100, 20);
            lag(5_000, 20);
            memory(100, 1_000_000);
            memory(10_000, 1_000_000);
        }
    }
    tell(&format!("load of the machine at the end: {}", load()));
}

fn fresh() -> Server {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("bench-storm");
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).expect("a directory for the server");
    afterword(&directory, free_port())
}

fn lag(services: usize, seconds: usize) {
    let server = fresh();
    let bodies = RATE * seconds / TOGETHER;
    let every = Duration::from_secs_f64(TOGETHER as f64 / RATE as f64);
    let before = applied(server.port);
    let (began, started) = (instant() + Duration::from_millis(100), now());
    let (due, running) = (AtomicUsize::new(0), AtomicBool::new(true));
    let (answers, looks) = std::thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let mut looks: Vec<(Instant, usize)> = Vec::new();
            while running.load(Ordering::Relaxed)
                || looks.last().is_none_or(|(_, seen)| *seen < bodies)
            {
                pause(LOOK);
                looks.push((instant(), applied(server.port) - before));
            }
            looks
        });
        let threads: Vec<_> = (0..CONNECTIONS)
            .map(|_| {
                scope.spawn(|| {
                    let (mut stream, mut answers) = (connect(server.port), Vec::new());
                    loop {
                        let number = due.fetch_add(1, Ordering::Relaxed);
                        if number >= bodies {
                            return answers;
                        }
                        let due = every * u32::try_from(number).expect("few");
                        let text = body(
                            number,
                            services,
                            started + TimeDelta::from_std(due).expect("short"),
                        );
                        pause((began + due).saturating_duration_since(instant()));
                        send(&mut stream, &text);
                        answers.push((instant(), (began + due).elapsed()));
                    }
                })
            })
            .collect();
        let answers: Vec<_> = threads
            .into_iter()
            .flat_map(|thread| thread.join().expect("a connection"))
            .collect();
        running.store(false, Ordering::Relaxed);
        (answers, watch.join().expect("a watcher"))
    });
    let (mut answered, mut late): (Vec<Instant>, Vec<Duration>) = answers.into_iter().unzip();
    answered.sort_unstable();
    late.sort_unstable();
    // Positions are given out in the order of the answers, but for those that share a commit.
    let lags: Vec<Duration> = answered
        .iter()
        .enumerate()
        .map(|(place, at)| {
            let seen = looks
                .iter()
                .find(|(_, seen)| *seen > place)
                .expect("all were applied");
            seen.0.saturating_duration_since(*at)
        })
        .collect();
    let quarters = lags.chunks(lags.len().div_ceil(4)).map(|part| {
        let mut part = part.to_vec();
        part.sort_unstable();
        format!(
            "{:.2}/{:.2}",
            part[part.len() / 2].as_secs_f64(),
            part[part.len() - 1].as_secs_f64()
        )
    });
    let quarters: Vec<String> = quarters.collect();
    let used = server.used();
    tell(&format!(
        "lag, {services} services, {} alerts in {seconds} s: by quarters of the time {} s (median/worst); answers late by {:.3} s (p99); \
         CPU {:.1} s, of it judge {:.1} s; {:.0} MiB",
        bodies * TOGETHER,
        quarters.join(", "),
        late[late.len() * 99 / 100].as_secs_f64(),
        used.all,
        used.judge,
        server.memory().0 as f64 / f64::from(1 << 20)
    ));
}

fn memory(services: usize, alerts: usize) {
    let server = fresh();
    let (before, base) = (applied(server.port), server.memory().0);
    let (bodies, next, started, began) = (alerts / TOGETHER, AtomicUsize::new(0), now(), instant());
    std::thread::scope(|scope| {
        for _ in 0..CONNECTIONS {
            scope.spawn(|| {
                let mut stream = connect(server.port);
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= bodies {
                        return;
                    }
                    // The judge keeps up, so that what is measured is what it keeps and not what waits for it.
                    while number % 64 == 0 && number > applied(server.port) - before + 1_000 {
                        pause(LOOK);
                    }
                    send(&mut stream, &body(number, services, started));
                }
            });
        }
    });
    while applied(server.port) - before < bodies {
        pause(LOOK);
    }
    let took = began.elapsed().as_secs_f64();
    pause(Duration::from_secs(8));
    let (count, (after, peak)) = (bodies * TOGETHER, server.memory());
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    tell(&format!(
        "memory, {services} services, {count} open alerts: {:.0} MiB resident, peak {:.0} MiB; {:.0} bytes an alert; taken in and judged in \
         {took:.0} s, CPU {:.1} s, of it judge {:.1} s",
        mib(after),
        mib(peak),
        after.saturating_sub(base) as f64 / count as f64,
        server.used().all,
        server.used().judge
    ));
}

/// The position that the judge has come to.
fn applied(port: u16) -> usize {
    let request = "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let text = get(port, request);
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("afterword_log_applied "))
        .expect("the gauge");
    line.trim().parse().expect("a position")
}

/// One request that asks to close, and all of its answer.
fn get(port: u16, request: &str) -> String {
    let (mut stream, mut answer) = (connect(port), String::new());
    stream
        .write_all(request.as_bytes())
        .expect("the server reads");
    stream
        .read_to_string(&mut answer)
        .expect("the server answers");
    answer
}

/// The request with body `number`, its headers included.
fn body(number: usize, services: usize, now: DateTime<Utc>) -> String {
    let stamp = |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Secs, true);
    let (starts_at, ends_at) = (
        stamp(now - TimeDelta::minutes(2)),
        stamp(now + TimeDelta::minutes(60)),
    );
    let mut list = String::from("[");
    for place in 0..TOGETHER {
        let alert = number * TOGETHER + place;
        let (service, node) = (alert % services, alert / services);
        let comma = if place == 0 { "" } else { "," };
        write!(
            list,
            r#"{comma}{{"labels":{{"alertname":"HighLatency","cluster":"eu-{0}","env":"production","instance":"10.{0}.{1}.{2}:9100","job":"api","namespace":"shop","pod":"checkout-{service}-{node}","service":"svc-{service}","severity":"critical","team":"payments"}},"annotations":{{"summary":"p99 latency of checkout-{service}-{node} is high","runbook_url":"https://wiki.example/runbooks/latency"}},"startsAt":"{starts_at}","endsAt":"{ends_at}","generatorURL":"http://prometheus.example:9090/graph?g0.expr=up"}}"#,
            service % 4,
            node / 250 % 250,
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
