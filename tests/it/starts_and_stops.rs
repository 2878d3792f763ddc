//! Starts that say how far they are, and stops that answer every request which was sent whole.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::crashes::{assert_eq_incidents, exported, import_log, prepare};
use super::harness::{
    PATIENCE, World, alert, now, pause, send_signal, stamp, tell, until, webhook,
};
use super::postgres::Postgres;
use super::rng::Rng;

/// How often the service is stopped under load; `AFTERWORD_STOPS` says otherwise.
const STOPS: usize = 5;
/// Clients of the load.
const CLIENTS: usize = 6;

fn stops() -> usize {
    #[expect(clippy::disallowed_methods, reason = "for a longer run by hand")]
    let given = std::env::var("AFTERWORD_STOPS").ok();
    given.map_or(STOPS, |text| text.parse().unwrap())
}

/// A connection to the service.
struct Client(TcpStream);

impl Client {
    fn connect(port: u16) -> Option<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Some(Self(stream))
    }

    fn send(&mut self, text: &str) -> bool {
        self.0.write_all(text.as_bytes()).is_ok()
    }

    /// Status and body of an answer, and whether the connection stays open.
    fn answer(&mut self) -> Option<(u16, String, bool)> {
        let mut bytes = Vec::new();
        let head_end = loop {
            let mut some = [0; 4096];
            let read = self.0.read(&mut some).ok().filter(|read| *read > 0)?;
            bytes.extend(&some[..read]);
            if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
        };
        let head = String::from_utf8_lossy(&bytes[..head_end]).to_lowercase();
        let status = head.split(' ').nth(1)?.parse().ok()?;
        let length: usize = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .map_or(0, |length| length.trim().parse().unwrap());
        let mut body = bytes.split_off(head_end);
        while body.len() < length {
            let mut some = [0; 4096];
            let read = self.0.read(&mut some).ok().filter(|read| *read > 0)?;
            body.extend(&some[..read]);
        }
        let stays = !head.contains("connection: close");
        Some((status, String::from_utf8_lossy(&body).into_owned(), stays))
    }
}

fn request(body: &str) -> String {
    format!(
        "POST /ingest/alertmanager HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// A request that was sent whole, and its answer.
struct Sent {
    name: String,
    at: Instant,
    answer: Option<(u16, String)>,
}

/// Sends alerts until told to stop or nothing listens any more; every other client keeps its connection.
fn send_alerts(
    port: u16,
    client: usize,
    round: usize,
    stop: &AtomicBool,
    answered: &AtomicUsize,
) -> Vec<Sent> {
    let mut sent = Vec::new();
    let mut kept: Option<Client> = None;
    for number in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let Some(mut connection) = kept.take().or_else(|| Client::connect(port)) else {
            pause(Duration::from_millis(2));
            continue;
        };
        let name = format!("R{round}C{client}N{number}");
        let body = webhook(&[alert(&name, "checkout", &stamp(Duration::from_secs(1)))]);
        if !connection.send(&request(&body)) {
            continue;
        }
        let at = now();
        let answer = connection.answer();
        if answer.is_some() {
            answered.fetch_add(1, Ordering::Relaxed);
        }
        let stays = answer.as_ref().is_some_and(|(.., stays)| *stays);
        if client.is_multiple_of(2) && stays {
            kept = Some(connection);
        }
        let answer = answer.map(|(status, body, _)| (status, body));
        sent.push(Sent { name, at, answer });
    }
    sent
}

fn stop_under_load(world: &mut World) {
    let mut dice = Rng::new();
    let mut stored = Vec::new();
    for round in 0..stops() {
        world.start();
        let (stop, answered) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicUsize::new(0)),
        );
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let (stop, answered, port) = (Arc::clone(&stop), Arc::clone(&answered), world.port);
                std::thread::spawn(move || send_alerts(port, client, round, &stop, &answered))
            })
            .collect();
        until("alerts are answered", PATIENCE, || {
            (answered.load(Ordering::Relaxed) > 2 * CLIENTS).then_some(())
        });
        pause(Duration::from_millis(dice.roll() % 150));
        let signalled = now();
        world.signal("TERM");
        assert_eq!(world.wait_until_ended(), Some(0));
        stop.store(true, Ordering::Relaxed);
        for sent in clients
            .into_iter()
            .flat_map(|client| client.join().unwrap())
        {
            match sent.answer {
                Some((200, _)) => stored.push(sent.name),
                Some((status, body)) => {
                    assert_eq!(status, 503, "{}: {body}", sent.name);
                    assert!(!body.contains("too many"), "{body}");
                }
                None => assert!(sent.at > signalled, "{} was not answered", sent.name),
            }
        }
    }
    world.start();
    world.until_judged();
    let kept = world.alerts_kept();
    let lost: Vec<&String> = stored.iter().filter(|name| !kept.contains(*name)).collect();
    assert!(lost.is_empty(), "{lost:?}");
    tell(&format!("{} alerts acknowledged", stored.len()));
}

#[test]
fn stop_under_load_answers_with_the_truth_on_sqlite() {
    stop_under_load(&mut World::new());
}

#[test]
fn stop_under_load_answers_with_the_truth_on_postgresql() {
    let server = Postgres::start();
    let mut world = World::new();
    world.store_in(&Postgres::url(server.port));
    stop_under_load(&mut world);
}

#[test]
fn half_sent_requests_end_with_the_service_and_whole_ones_are_answered() {
    let mut world = World::started();
    let body = webhook(&[alert("Half", "checkout", &stamp(Duration::ZERO))]);
    let whole = request(&body);
    let mut halves: Vec<Client> = [10, whole.len() - 20]
        .into_iter()
        .map(|length| {
            let mut client = Client::connect(world.port).unwrap();
            assert!(client.send(&whole[..length]));
            client
        })
        .collect();
    let mut idle = Client::connect(world.port).unwrap();
    assert!(idle.send("GET /-/healthy HTTP/1.1\r\nhost: x\r\n\r\n"));
    assert_eq!(idle.answer().unwrap().0, 200);
    world.signal("TERM");
    // The connection was idle at the signal, and the request is on its way.
    assert!(idle.send(&request(&body.replace("Half", "Whole"))));
    let (status, body, stays) = idle.answer().unwrap();
    assert_eq!((status, stays), (200, false), "{body}");
    assert_eq!(world.wait_until_ended(), Some(0));
    for half in &mut halves {
        assert!(half.answer().is_none());
    }
    world.start();
    world.until_judged();
    let kept = world.alerts_kept();
    assert!(kept.contains("Whole") && !kept.contains("Half"), "{kept:?}");
}

/// A session at the database that holds a lock until it is dropped.
struct Locker(std::process::Child);

impl Locker {
    fn hold(server: &Postgres, lock: &str) -> Self {
        let url = format!("postgres://postgres@127.0.0.1:{}/afterword", server.port);
        let mut psql = Command::new("psql");
        psql.args([&url, "-q"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut psql = psql.spawn().unwrap();
        let text = format!("begin;\n{lock};\n\\echo held\n");
        psql.stdin
            .as_mut()
            .unwrap()
            .write_all(text.as_bytes())
            .unwrap();
        let mut said = [0; 4];
        psql.stdout.as_mut().unwrap().read_exact(&mut said).unwrap();
        Self(psql)
    }
}

impl Drop for Locker {
    fn drop(&mut self) {
        // The end of its input ends the session.
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

#[test]
fn second_signal_ends_a_stop_that_waits() {
    let server = Postgres::start();
    let mut world = World::new();
    world.store_in(&Postgres::url(server.port));
    world.start();
    let lock = Locker::hold(&server, "lock table log in exclusive mode");
    let mut client = Client::connect(world.port).unwrap();
    let body = webhook(&[alert("Waits", "checkout", &stamp(Duration::ZERO))]);
    assert!(client.send(&request(&body)));
    pause(Duration::from_millis(300));
    world.signal("TERM");
    pause(Duration::from_millis(300));
    assert!(world.is_alive(), "the request is not answered");
    world.signal("TERM");
    assert_eq!(world.wait_until_ended(), Some(128 + 15));
    drop(lock);
}

#[test]
fn starting_service_is_healthy_says_what_it_waits_for_and_can_be_stopped() {
    let server = Postgres::start();
    let mut world = World::new();
    world.store_in(&Postgres::url(server.port));
    // The lock under which a database is migrated.
    let lock = Locker::hold(&server, "select pg_advisory_xact_lock(20861)");
    world.launch(&[]);
    until("it is healthy", PATIENCE, || {
        world
            .http
            .try_get("/-/healthy")
            .filter(|answer| answer.status == 200)
    });
    let ready = world.get("/-/ready");
    assert_eq!(ready.status, 503);
    assert_eq!(ready.body, "Not ready: the database is being opened.\n");
    let body = webhook(&[alert("Early", "checkout", &stamp(Duration::ZERO))]);
    let early = world.post("/ingest/alertmanager", &body);
    assert_eq!((early.status, early.retry_after.is_some()), (503, true));
    assert!(
        early.body.contains("Afterword is starting"),
        "{}",
        early.body
    );
    world.signal("TERM");
    assert_eq!(world.wait_until_ended(), Some(0));
    world.launch(&[]);
    drop(lock);
    world.wait_until_ready();
    assert_eq!(world.post("/ingest/alertmanager", &body).status, 200);
}

#[test]
fn replay_says_how_many_events_are_judged_until_it_is_ready() {
    const RECORDS: usize = 60;
    const EACH: usize = 100;
    let world = World::new();
    prepare(&world);
    let mut world = world;
    world.start();
    let began = stamp(Duration::from_secs(1));
    for record in 0..RECORDS {
        let alerts: Vec<Value> = (0..EACH)
            .map(|number| {
                let name = format!("A{record}N{number}");
                alert(&name, &format!("service-{}", record % 10), &began)
            })
            .collect();
        assert_eq!(
            world.post("/ingest/alertmanager", &webhook(&alerts)).status,
            200
        );
    }
    world.until_judged();
    // Longer than the judge may be behind once it is ready, and than any incident stays open.
    pause(Duration::from_secs(6));
    let log = exported(&world, "all.jsonl");
    world.kill();
    let mut replay = World::new();
    prepare(&replay);
    import_log(&replay, &log);
    replay.launch(&[]);
    let said = until("it says how far it is", PATIENCE, || {
        let answer = replay.http.try_get("/-/ready")?;
        assert_eq!(answer.status, 503, "{}", answer.body);
        answer
            .body
            .contains("events of the log")
            .then_some(answer.body)
    });
    // The settings and what the service notes itself are events, too.
    let words: Vec<&str> = said.split_whitespace().collect();
    let place = words.iter().position(|word| *word == "events");
    let of_all = place.and_then(|place| words[place - 1].parse::<usize>().ok());
    assert!(
        of_all.is_some_and(|all| all > RECORDS * EACH) || said.contains("records wait"),
        "{said}"
    );
    replay.wait_until_ready();
    replay.until_judged();
    assert_eq_incidents(&replay, &log);
}

#[test]
fn service_manager_is_told_of_the_start_and_the_stop() {
    let mut world = World::new();
    let path = world.path("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    let told = |wanted: &str| loop {
        let mut bytes = [0; 4096];
        let length = manager.recv(&mut bytes).unwrap();
        let text = String::from_utf8_lossy(&bytes[..length]).into_owned();
        if text.lines().any(|line| line == wanted) {
            return;
        }
        let early = ["READY=1", "STOPPING=1"];
        assert!(!text.lines().any(|line| early.contains(&line)), "{text}");
    };
    world.launch(&[("NOTIFY_SOCKET", path.to_str().unwrap())]);
    told("READY=1");
    assert_eq!(world.get("/-/ready").status, 200);
    send_signal(world.pid(), "TERM");
    told("STOPPING=1");
    assert_eq!(world.wait_until_ended(), Some(0));
}
