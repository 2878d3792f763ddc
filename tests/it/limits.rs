//! What senders may cost: slow ones, silent ones, huge ones, and many at once. Each has its bound, and none stops the others.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::world::{PATIENCE, World, alert, now, stamp, until, webhook};

const MINUTE: Duration = Duration::from_secs(60);
const MEBIBYTE: usize = 1 << 20;

#[test]
fn headers_are_bounded() {
    let world = World::started();
    for (what, extra) in [("one huge", format!("x: {}\r\n", "y".repeat(200_000))), ("many", "x: y\r\n".repeat(5_000))] {
        let mut stream = begin(&world, "/api/v2/alerts", &format!("{extra}content-length: 2\r\n"));
        let _ = stream.write_all(b"[]");
        assert_eq!(status(&mut stream), 431, "{what}");
    }
    assert_eq!(world.get("/-/healthy").status, 200);
}

#[test]
fn packed_bodies_are_read_and_bounded_by_what_they_unpack_to() {
    let world = World::started();
    let good = webhook(&[alert("Packed", "checkout", &stamp(MINUTE))]);
    let check = |what: &str, encoding: &str, body: &[u8], expected: u16| {
        for path in ["/ingest/alertmanager", "/api/v1/events"] {
            let mut stream = begin(&world, path, &format!("content-encoding: {encoding}\r\ncontent-length: {}\r\n", body.len()));
            let _ = stream.write_all(body);
            let got = status(&mut stream);
            let expected = if path == "/api/v1/events" && expected == 200 { 400 } else { expected };
            assert_eq!(got, expected, "{what} to {path}");
        }
    };
    let bomb = packed(&vec![b' '; 100 * MEBIBYTE]);
    check("a packed webhook", "gzip", &packed(good.as_bytes()), 200);
    check("one in two members", "GZIP", &[packed(&good.as_bytes()[..9]), packed(&good.as_bytes()[9..])].concat(), 200);
    check("a bomb", "gzip", &bomb, 413);
    check("a bomb cut short", "gzip", &bomb[..bomb.len() / 2], 413);
    check("no gzip", "gzip", good.as_bytes(), 400);
    check("gzip cut short", "gzip", &packed(good.as_bytes())[..40], 400);
    check("another encoding", "br", good.as_bytes(), 415);
    until("what was packed is kept", PATIENCE, || world.alerts_kept().contains("Packed").then_some(()));
    assert!(peak(&world) < 300 * MEBIBYTE, "{} bytes at the most", peak(&world));
}

#[test]
fn a_body_that_does_not_end_is_given_up_and_stops_nobody() {
    let world = World::started();
    let begun = now();
    let mut slow: Vec<TcpStream> = (0..100)
        .map(|_| {
            let mut stream = begin(&world, "/ingest/alertmanager", "content-length: 1000\r\n");
            stream.write_all(b"{\"version\":").unwrap();
            stream
        })
        .collect();
    assert_eq!(world.post("/ingest/alertmanager", &webhook(&[alert("Beside", "checkout", &stamp(MINUTE))])).status, 200);
    assert_eq!(status(&mut slow[0]), 408);
    assert!(begun.elapsed() > Duration::from_secs(10), "a slow network needs some time");
}

#[test]
fn more_connections_than_are_held_stop_nobody() {
    let world = World::started();
    // A third say nothing, a third half a header, a third half a body. By another process: they are more files than this one may open.
    let script = r#"ulimit -n 4096 && for i in $(seq 1200); do
        exec {fd}<>/dev/tcp/127.0.0.1/$0 || exit 1
        case $((i % 3)) in
        1) printf 'POST /api/v2/alerts HTTP/1.1\r\nhost: local' >&$fd;;
        2) printf 'POST /api/v2/alerts HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n\r\n[' >&$fd;;
        esac; done 2>/dev/null; echo all; exec sleep 60"#;
    let mut crowd =
        Command::new("bash").args(["-c", script, &world.port.to_string()]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut said = [0; 3];
    let told = crowd.stdout.take().unwrap().read_exact(&mut said);
    let answered = (0..20).map(|_| world.http.try_get("/-/healthy").map(|answer| answer.status)).collect::<Vec<_>>();
    let taken = world.http.try_post("/ingest/alertmanager", &webhook(&[alert("Through", "checkout", &stamp(MINUTE))]), &[]);
    let held = std::fs::read_dir(format!("/proc/{}/fd", world.pid())).unwrap().count();
    crowd.kill().unwrap();
    crowd.wait().unwrap();
    told.unwrap();
    assert_eq!(answered, [Some(200); 20]);
    assert_eq!(taken.map(|answer| answer.status), Some(200));
    assert!((500..850).contains(&held), "{held} files are open");
}

#[test]
fn bodies_have_bounded_room_together() {
    let world = World::started();
    let whole = 32 * MEBIBYTE;
    // Two that have sent all but their last byte.
    let mut almost: Vec<TcpStream> = (0..2)
        .map(|_| {
            let mut stream = begin(&world, "/api/v2/alerts", &format!("content-length: {whole}\r\n"));
            stream.write_all(&vec![b' '; whole - 1]).unwrap();
            stream
        })
        .collect();
    let body = " ".repeat(8 * MEBIBYTE);
    let refused = until("there is no room", PATIENCE, || {
        // One that is refused before its body is read may find the connection closed while it still writes.
        world.http.try_post("/api/v2/alerts", &body, &[]).filter(|answer| answer.status == 503)
    });
    assert!(refused.retry_after.is_some_and(|after| after.parse::<u32>().is_ok()), "no Retry-After in seconds");
    assert_eq!(world.get("/-/healthy").status, 200, "what needs no room goes on");
    for stream in &mut almost {
        stream.write_all(b"]").unwrap();
        assert_eq!(status(stream), 400);
    }
    assert_eq!(world.post("/api/v2/alerts", &body).status, 400, "there is room again");

    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let senders: Vec<_> = (0..24)
            .map(|_| {
                scope.spawn(|| {
                    let mut stream = begin(&world, "/api/v2/alerts", &format!("content-length: {whole}\r\n"));
                    // Whoever is refused early may find the connection closed.
                    let _ = stream.write_all(&vec![b'['; whole]);
                    try_status(&mut stream)
                })
            })
            .collect();
        senders.into_iter().filter_map(|sender| sender.join().unwrap()).collect()
    });
    assert!(statuses.iter().all(|status| [400, 503].contains(status)), "{statuses:?}");
    assert!(peak(&world) < 300 * MEBIBYTE, "{} bytes at the most", peak(&world));
    assert_eq!(world.get("/-/healthy").status, 200);
}

/// A connection with the headers of a POST sent.
fn begin(world: &World, path: &str, headers: &str) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", world.port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // A server that refuses at once may close before all is written.
    let _ = write!(stream, "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n{headers}\r\n");
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
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}
