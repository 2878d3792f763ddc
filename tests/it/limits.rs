//! Resource limits against senders that are slow, silent, huge, or many at once. Each is bounded,
//! and none blocks the others.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::harness::{PATIENCE, RULES, World, alert, now, stamp, until, wall, webhook};

const MINUTE: Duration = Duration::from_secs(60);
const MEBIBYTE: usize = 1 << 20;

#[test]
fn oversized_headers_are_refused() {
    let world = World::started();
    for (what, extra) in [
        ("one huge", format!("x: {}\r\n", "y".repeat(200_000))),
        ("many", "x: y\r\n".repeat(5_000)),
    ] {
        let mut stream = begin(
            &world,
            "/api/v2/alerts",
            &format!("{extra}content-length: 2\r\n"),
        );
        let _ = stream.write_all(b"[]");
        assert_eq!(status(&mut stream), 431, "{what}");
    }
    assert_eq!(world.get("/-/healthy").status, 200);
}

#[test]
fn gzip_bodies_are_bounded_by_unpacked_size() {
    let world = World::started();
    let good = webhook(&[alert("Packed", "checkout", &stamp(MINUTE))]);
    let check = |what: &str, encoding: &str, body: &[u8], expected: u16| {
        for path in ["/ingest/alertmanager", "/api/v1/events"] {
            let mut stream = begin(
                &world,
                path,
                &format!(
                    "content-encoding: {encoding}\r\ncontent-length: {}\r\n",
                    body.len()
                ),
            );
            let _ = stream.write_all(body);
            let got = status(&mut stream);
            let expected = if path == "/api/v1/events" && expected == 200 {
                400
            } else {
                expected
            };
            assert_eq!(got, expected, "{what} to {path}");
        }
    };
    let bomb = packed(&vec![b' '; 100 * MEBIBYTE]);
    check("a packed webhook", "gzip", &packed(good.as_bytes()), 200);
    check(
        "one in two members",
        "GZIP",
        &[packed(&good.as_bytes()[..9]), packed(&good.as_bytes()[9..])].concat(),
        200,
    );
    check("a bomb", "gzip", &bomb, 413);
    check("a bomb cut short", "gzip", &bomb[..bomb.len() / 2], 413);
    check("no gzip", "gzip", good.as_bytes(), 400);
    check(
        "gzip cut short",
        "gzip",
        &packed(good.as_bytes())[..40],
        400,
    );
    check("another encoding", "br", good.as_bytes(), 415);
    until("what was packed is kept", PATIENCE, || {
        world.alerts_kept().contains("Packed").then_some(())
    });
    assert!(
        peak(&world) < 300 * MEBIBYTE,
        "{} bytes at the most",
        peak(&world)
    );
}

#[test]
fn endless_body_times_out_and_blocks_no_other() {
    let world = World::started();
    let begun = now();
    let mut slow: Vec<TcpStream> = (0..100)
        .map(|_| {
            let mut stream = begin(&world, "/ingest/alertmanager", "content-length: 1000\r\n");
            stream.write_all(b"{\"version\":").unwrap();
            stream
        })
        .collect();
    assert_eq!(
        world
            .post(
                "/ingest/alertmanager",
                &webhook(&[alert("Beside", "checkout", &stamp(MINUTE))])
            )
            .status,
        200
    );
    assert_eq!(status(&mut slow[0]), 408);
    assert!(
        begun.elapsed() > Duration::from_secs(10),
        "a slow network needs some time"
    );
}

#[test]
fn excess_connections_block_no_other() {
    let world = World::started();
    // A third say nothing, a third half a header, a third half a body. By another process: they are more files than this one may open.
    let script = r#"ulimit -n 4096 && for i in $(seq 1200); do
        exec {fd}<>/dev/tcp/127.0.0.1/$0 || exit 1
        case $((i % 3)) in
        1) printf 'POST /api/v2/alerts HTTP/1.1\r\nhost: local' >&$fd;;
        2) printf 'POST /api/v2/alerts HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n\r\n[' >&$fd;;
        esac; done 2>/dev/null; echo all; exec sleep 60"#;
    let mut crowd = Command::new("bash")
        .args(["-c", script, &world.port.to_string()])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut said = [0; 3];
    let told = crowd.stdout.take().unwrap().read_exact(&mut said);
    let answered = (0..20)
        .map(|_| world.http.try_get("/-/healthy").map(|answer| answer.status))
        .collect::<Vec<_>>();
    let taken = world.http.try_post(
        "/ingest/alertmanager",
        &webhook(&[alert("Through", "checkout", &stamp(MINUTE))]),
        &[],
    );
    let held = std::fs::read_dir(format!("/proc/{}/fd", world.pid()))
        .unwrap()
        .count();
    crowd.kill().unwrap();
    crowd.wait().unwrap();
    told.unwrap();
    assert_eq!(answered, [Some(200); 20]);
    assert_eq!(taken.map(|answer| answer.status), Some(200));
    assert!((500..850).contains(&held), "{held} files are open");
}

#[test]
fn concurrent_bodies_share_bounded_memory() {
    let world = World::started();
    let whole = 32 * MEBIBYTE;
    // Two that have sent all but their last byte.
    let mut almost: Vec<TcpStream> = (0..2)
        .map(|_| {
            let mut stream = begin(
                &world,
                "/api/v2/alerts",
                &format!("content-length: {whole}\r\n"),
            );
            stream.write_all(&vec![b' '; whole - 1]).unwrap();
            stream
        })
        .collect();
    let body = " ".repeat(8 * MEBIBYTE);
    let refused = until("there is no room", PATIENCE, || {
        // One that is refused before its body is read may find the connection closed while it still writes.
        world
            .http
            .try_post("/api/v2/alerts", &body, &[])
            .filter(|answer| answer.status == 503)
    });
    assert!(
        refused
            .retry_after
            .is_some_and(|after| after.parse::<u32>().is_ok()),
        "no Retry-After in seconds"
    );
    assert_eq!(
        world.get("/-/healthy").status,
        200,
        "what needs no room goes on"
    );
    for stream in &mut almost {
        stream.write_all(b"]").unwrap();
        assert_eq!(status(stream), 400);
    }
    assert_eq!(
        world.post("/api/v2/alerts", &body).status,
        400,
        "there is room again"
    );

    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let senders: Vec<_> = (0..24)
            .map(|_| {
                scope.spawn(|| {
                    let mut stream = begin(
                        &world,
                        "/api/v2/alerts",
                        &format!("content-length: {whole}\r\n"),
                    );
                    // Whoever is refused early may find the connection closed.
                    let _ = stream.write_all(&vec![b'['; whole]);
                    try_status(&mut stream)
                })
            })
            .collect();
        senders
            .into_iter()
            .filter_map(|sender| sender.join().unwrap())
            .collect()
    });
    assert!(
        statuses.iter().all(|status| [400, 503].contains(status)),
        "{statuses:?}"
    );
    // The room of all bodies, and what reading these takes: each byte opens a list in another.
    assert!(
        peak(&world) < 350 * MEBIBYTE,
        "{} bytes at the most",
        peak(&world)
    );
    assert_eq!(world.get("/-/healthy").status, 200);
}

/// A connection with the headers of a POST sent.
#[test]
fn pushed_samples_are_bounded_in_time_and_series() {
    let mut world = World::new();
    let settings = std::fs::read_to_string(world.path("afterword.yaml")).unwrap();
    let entry = "{name: pushed, kind: remote_write, auth: {bearer_token_file: bearer}}";
    world.write(
        "afterword.yaml",
        &format!("{settings}metrics:\n  - {entry}\n"),
    );
    let condition = "{name: errors, service: checkout, metrics: pushed, query: sum(errors), degraded: '> 5', every: 1s}";
    world.write(
        "rules/rules.yaml",
        &format!("{RULES}conditions:\n  - {condition}\n"),
    );
    world.start();
    let check = |what: &str, series: std::ops::Range<usize>, at: i64, expected: u16| {
        let body = pushed(series, at);
        let kind = "content-type: application/x-protobuf\r\ncontent-encoding: snappy\r\nauthorization: Bearer open sesame";
        let mut stream = TcpStream::connect(("127.0.0.1", world.port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let head = format!(
            "POST /api/v1/write HTTP/1.1\r\nhost: localhost\r\n{kind}\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        let _ = stream.write_all(&body);
        assert_eq!(status(&mut stream), expected, "{what}");
    };
    let now = wall().timestamp_millis();
    check("now", 0..1, now, 204);
    check("the year 9999", 0..1, 253_402_300_799_000, 400);
    check("the last time there is", 0..1, 8_210_266_876_799_999, 400);
    check("the year 1970", 0..1, 1, 400);
    check("a quarter of an hour ahead", 0..1, now + 900_000, 400);
    check("a flood of series", 0..12_000, now + 1000, 204);
    let told = world.get("/metrics").body;
    assert!(
        told.contains("afterword_metrics_series_left_out{metrics=\"pushed\"} 2000"),
        "{told}"
    );
    let page = world.get("/conditions").body;
    assert!(page.contains("2000 series are left out"), "{page}");
}

/// A message of remote write with a sample at `at`, in milliseconds since 1970, for each series `errors{id=…}`.
fn pushed(series: std::ops::Range<usize>, at: i64) -> Vec<u8> {
    let field = |number: u8, content: &[u8]| {
        [
            &[number << 3 | 2, u8::try_from(content.len()).unwrap()],
            content,
        ]
        .concat()
    };
    let label = |name: &str, value: &str| {
        field(
            1,
            &[field(1, name.as_bytes()), field(2, value.as_bytes())].concat(),
        )
    };
    let mut time = vec![2 << 3];
    let mut rest = at;
    while rest >= 0x80 {
        time.push((rest % 0x80) as u8 | 0x80);
        rest /= 0x80;
    }
    time.push(rest as u8);
    let one = |id: usize| {
        field(
            1,
            &[
                label("__name__", "errors"),
                label("id", &id.to_string()),
                field(2, &time),
            ]
            .concat(),
        )
    };
    snap::raw::Encoder::new()
        .compress_vec(&series.flat_map(one).collect::<Vec<u8>>())
        .unwrap()
}

fn begin(world: &World, path: &str, headers: &str) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", world.port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // A server that refuses at once may close before all is written.
    let _ = write!(
        stream,
        "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n{headers}\r\n"
    );
    stream
}

fn status(stream: &mut TcpStream) -> u16 {
    try_status(stream).expect("an answer")
}

/// The status of the answer; `None` when the connection was closed without one that could be read.
fn try_status(stream: &mut TcpStream) -> Option<u16> {
    let mut line = [0; 12];
    stream.read_exact(&mut line).ok()?;
    std::str::from_utf8(&line[9..]).unwrap().parse().ok()
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The most memory that was ever resident, in bytes.
fn peak(world: &World) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", world.pid())).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    line.trim()
        .trim_end_matches(" kB")
        .parse::<usize>()
        .unwrap()
        * 1024
}
