//! Sender authentication and limits in the real program: signatures, tokens, repeated deliveries
//! and rate limits.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use afterword::app::App;
use afterword::app::clock::Clock;
use afterword::app::settings::Settings;
use afterword::ingest::auth::Authentication;
use afterword::ingest::auth::signature::SignatureVerifier;
use afterword::model::source::{SignatureFormat, SourceKind};
use afterword::model::time::Time;
use afterword::store::database::Store;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use flate2::Compression;
use flate2::write::GzEncoder;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tokio_util::sync::CancellationToken;

use crate::harness::{PATIENCE, World, alert, stamp, until, webhook};

const MINUTE: Duration = Duration::from_secs(60);

/// What was answered.
struct Answer {
    status: u16,
    text: String,
}

/// Sends exactly this: no header of ours but the two that must be there.
fn send(port: u16, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut head = format!("POST {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n");
    if !headers.iter().any(|(name, _)| *name == "content-length") {
        head.push_str(&format!("content-length: {}\r\n", body.len()));
    }
    headers
        .iter()
        .for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
    stream.write_all(format!("{head}\r\n").as_bytes()).unwrap();
    // Whoever is refused early may find the connection closed.
    let _ = stream.write_all(body);
    let mut text = String::new();
    let _ = stream.read_to_string(&mut text);
    Answer {
        status: text
            .get(9..12)
            .and_then(|status| status.parse().ok())
            .unwrap_or_else(|| panic!("no answer: {text:?}")),
        text,
    }
}

fn mac(secret: &[u8], signed: &[u8]) -> Vec<u8> {
    Hmac::<Sha256>::new_from_slice(secret)
        .unwrap()
        .chain_update(signed)
        .finalize()
        .into_bytes()
        .to_vec()
}

fn hex(secret: &str, signed: &[u8]) -> String {
    mac(secret.as_bytes(), signed)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A world whose sources are these lines, with the secrets `one` and `two` in the file `secrets`.
fn world(sources: &str) -> World {
    let world = World::new();
    let settings = std::fs::read_to_string(world.path("afterword.yaml")).unwrap();
    world.write(
        "afterword.yaml",
        &settings.replacen("sources:\n", &format!("sources:\n{sources}"), 1),
    );
    world.write("secrets", "one\ntwo\n");
    world
}

fn counted(world: &World, metric: &str) -> u64 {
    let page = world.get("/metrics").body;
    let line = page
        .lines()
        .find_map(|line| line.strip_prefix(metric))
        .unwrap_or_else(|| panic!("no {metric} in {page}"));
    line.trim().parse().unwrap()
}

const SIGNED: &str = "  - {name: signed, kind: alertmanager, auth: {hmac_secret_file: secrets, signature_header: X-My-Signature}}\n";

#[test]
fn unsigned_body_gets_401() {
    let mut world = world(SIGNED);
    world.start();
    let path = "/ingest/signed";
    let body = webhook(&[alert("Signed", "checkout", &stamp(MINUTE))]);
    let (one, two, other) = (
        hex("one", body.as_bytes()),
        hex("two", body.as_bytes()),
        hex("three", body.as_bytes()),
    );
    let check = |what: &str, headers: &[(&str, &str)], body: &[u8], expected: u16| {
        let answer = send(world.port, path, headers, body);
        assert_eq!(answer.status, expected, "{what}: {}", answer.text);
    };
    check("nothing beside it", &[], body.as_bytes(), 401);
    check(
        "by another secret",
        &[("x-my-signature", &other)],
        body.as_bytes(),
        401,
    );
    check(
        "over another body",
        &[("x-my-signature", &one)],
        &body.as_bytes()[1..],
        401,
    );
    check(
        "the secret itself",
        &[("x-my-signature", "one"), ("authorization", "Bearer one")],
        body.as_bytes(),
        401,
    );
    assert!(world.alerts_kept().is_empty());
    check(
        "the first secret",
        &[("x-my-signature", &format!("sha256={one}"))],
        body.as_bytes(),
        200,
    );
    check(
        "the second secret",
        &[("x-my-signature", &two)],
        body.as_bytes(),
        200,
    );
    until("it is kept", PATIENCE, || {
        world.alerts_kept().contains("Signed").then_some(())
    });

    // Compression is of the way, not of the message: the sender's program signed what comes out of it.
    let other = webhook(&[alert("Packed", "checkout", &stamp(MINUTE))]);
    let small = packed(other.as_bytes());
    let gzip = ("content-encoding", "gzip");
    check(
        "signed as it was packed",
        &[("x-my-signature", &hex("one", &small)), gzip],
        &small,
        401,
    );
    check(
        "signed, then packed",
        &[("x-my-signature", &hex("one", other.as_bytes())), gzip],
        &small,
        200,
    );
    until("it is kept", PATIENCE, || {
        world.alerts_kept().contains("Packed").then_some(())
    });

    assert_eq!(
        counted(
            &world,
            "afterword_refused_total{source=\"signed\",why=\"credentials\"}"
        ),
        5
    );
    assert_eq!(counted(&world, "afterword_refused_arrivals_total"), 5);
    // A secret that is gone from the file no longer opens.
    world.write("secrets", "two\n");
    assert_eq!(world.post("/-/reload", "").status, 200);
    check(
        "the secret that is gone",
        &[("x-my-signature", &one)],
        body.as_bytes(),
        401,
    );
    check(
        "the one that is left",
        &[("x-my-signature", &two)],
        body.as_bytes(),
        200,
    );
}

/// Where nothing in the signature tells one delivery from another, what it states does: a second time changes nothing.
#[test]
fn repeated_signed_body_is_one_event() {
    let mut world = world(SIGNED);
    world.start();
    let firing = alert("Replayed", "checkout", &stamp(MINUTE));
    let mut resolved = firing.clone();
    resolved["status"] = "resolved".into();
    resolved["endsAt"] = stamp(Duration::from_secs(10)).into();
    for alert in [&firing, &firing, &resolved, &resolved, &firing, &resolved] {
        let body = webhook(std::slice::from_ref(alert));
        assert_eq!(
            send(
                world.port,
                "/ingest/signed",
                &[("x-my-signature", &hex("one", body.as_bytes()))],
                body.as_bytes()
            )
            .status,
            200
        );
    }
    until("both are kept", PATIENCE, || {
        let incidents = world.incidents();
        let members = |id: &str| world.incident(id)["members"].as_array().unwrap().len();
        (incidents.len() == 1 && members(incidents[0]["id"].as_str().unwrap()) == 2).then_some(())
    });
    assert_eq!(world.alerts_kept().len(), 1);
}

#[test]
fn authentic_unreadable_body_is_quarantined() {
    let mut world = world(SIGNED);
    world.start();
    for (count, body) in [
        b"\xff\xfe\x00 no text".as_slice(),
        b"{\"version\": \"9\"}",
        b"not JSON",
    ]
    .iter()
    .enumerate()
    {
        assert_eq!(
            send(
                world.port,
                "/ingest/signed",
                &[("x-my-signature", &hex("one", body))],
                body
            )
            .status,
            200
        );
        assert_eq!(send(world.port, "/ingest/signed", &[], body).status, 401);
        until("it is in quarantine", PATIENCE, || {
            (counted(&world, "afterword_quarantined_records") == count as u64 + 1).then_some(())
        });
    }
}

#[test]
fn token_in_the_url_is_never_logged() {
    const TOKEN: &str = "correct-horse-battery";
    let mut world = world(
        "  - {name: cloud, kind: alertmanager, auth: {query: {name: auth_token, value_file: token}}}\n",
    );
    world.write("token", TOKEN);
    world.start_telling_all();
    let body = webhook(&[alert("Clouded", "checkout", &stamp(MINUTE))]);
    let check = |query: &str, expected: u16| {
        let answer = send(
            world.port,
            &format!("/ingest/cloud{query}"),
            &[],
            body.as_bytes(),
        );
        assert_eq!(answer.status, expected, "{query}: {}", answer.text);
        assert!(!answer.text.contains("horse"), "{}", answer.text);
    };
    check("", 401);
    check("?auth_token=", 401);
    check("?auth_token=wrong-horse", 401);
    check(&format!("?token={TOKEN}"), 401);
    check(&format!("?a=b&auth_token={TOKEN}"), 200);
    until("it is kept", PATIENCE, || {
        world.alerts_kept().contains("Clouded").then_some(())
    });
    let elsewhere = send(
        world.port,
        &format!("/ingest/nobody?auth_token={TOKEN}"),
        &[],
        b"",
    );
    assert!(
        elsewhere.status == 404 && !elsewhere.text.contains("horse"),
        "{}",
        elsewhere.text
    );
    let log = std::fs::read_to_string(world.path("afterword.log")).unwrap();
    assert!(log.contains("TRACE") && !log.contains("horse"), "{log}");
}

#[test]
fn source_over_its_rate_gets_429() {
    let mut world = world(
        "  - {name: paced, kind: alertmanager, auth: {hmac_secret_file: secrets, signature_header: X-S}, limits: {rate: 2 per 1h}}\n\
         \x20 - {name: open, kind: alertmanager, auth: none, limits: {rate: 1 per 1h, size: 2KiB}}\n",
    );
    world.start();
    let body = webhook(&[alert("Paced", "checkout", &stamp(MINUTE))]);
    let signed = hex("one", body.as_bytes());
    // Whoever does not sign takes nothing from those who do.
    for _ in 0..5 {
        assert_eq!(
            send(
                world.port,
                "/ingest/paced",
                &[("x-s", "00")],
                body.as_bytes()
            )
            .status,
            401
        );
    }
    let statuses: Vec<u16> = (0..4)
        .map(|_| {
            send(
                world.port,
                "/ingest/paced",
                &[("x-s", &signed)],
                body.as_bytes(),
            )
            .status
        })
        .collect();
    assert_eq!(statuses, [200, 200, 429, 429]);
    let refused = send(
        world.port,
        "/ingest/paced",
        &[("x-s", &signed)],
        body.as_bytes(),
    );
    let after: u64 = refused
        .text
        .lines()
        .find_map(|line| line.strip_prefix("retry-after: "))
        .unwrap()
        .parse()
        .unwrap();
    assert!((1..=1800).contains(&after), "{}", refused.text);
    assert_eq!(
        counted(
            &world,
            "afterword_refused_total{source=\"paced\",why=\"rate\"}"
        ),
        3
    );

    // Its length says enough: not a byte of it is sent, and the answer comes all the same.
    let told = send(
        world.port,
        "/ingest/open",
        &[("content-length", "2049")],
        b"",
    );
    assert_eq!(told.status, 413, "{}", told.text);
    assert!(
        told.text.contains("exceeds the limit of 2 KiB"),
        "{}",
        told.text
    );
    assert_eq!(
        send(world.port, "/ingest/open", &[], body.as_bytes()).status,
        429,
        "one too large has had its turn"
    );
    assert_eq!(
        world.post("/ingest/alertmanager", &body).status,
        200,
        "each source has its own"
    );
    assert_eq!(
        counted(
            &world,
            "afterword_refused_total{source=\"open\",why=\"size\"}"
        ),
        1
    );
}

/// Amazon SNS signs in the text itself: a stranger, who does not, leaves those who do their turn.
#[test]
fn unverified_sns_message_takes_no_rate() {
    let topic = "arn:aws:sns:eu-west-1:123456789012:alarms";
    let mut world = world(&format!(
        "  - {{name: aws, kind: sns, topics: ['{topic}'], limits: {{rate: 1 per 1h}}}}\n"
    ));
    world.start();
    for body in [
        "hello",
        "{\"AlarmName\": \"a\", \"NewStateValue\": \"ALARM\"}",
        "hello",
    ] {
        let told = send(
            world.port,
            "/ingest/aws",
            &[("x-amz-sns-topic-arn", topic)],
            body.as_bytes(),
        );
        assert_eq!(told.status, 401, "{}", told.text);
    }
}

/// Whatever settings have a map repeat, it is not what proves who sends; what else it reads is there when a message is read again.
#[test]
fn mapping_sees_no_credentials() {
    let mut world = world(
        "  - name: mapped\n    kind: generic\n    auth: {header: {name: X-Afterword-Thing, value_file: secrets}}\n    \
         map: {name: body.title, status: '\"firing\"', annotations: headers, environment: 'headers[\"x-stage\"]'}\n",
    );
    world.start();
    let headers = [
        ("x-afterword-thing", "one"),
        ("x-auth-key", "horse"),
        ("x-stage", "prod"),
        ("x-other", "battery"),
    ];
    assert_eq!(
        send(
            world.port,
            "/ingest/mapped",
            &headers,
            b"{\"title\": \"Mapped\"}"
        )
        .status,
        200
    );
    assert_eq!(
        send(world.port, "/ingest/mapped", &headers, b"no JSON").status,
        200
    );
    let kept = until("it is in quarantine", PATIENCE, || {
        let list = world.get("/api/v1/quarantine?source=mapped").json();
        let position = list[0]["position"]
            .as_u64()
            .or_else(|| list["messages"][0]["position"].as_u64())?;
        Some(world.get(&format!("/api/v1/quarantine/{position}")).body)
    });
    assert!(
        kept.contains("x-stage")
            && !kept.contains("x-other")
            && !kept.contains("x-afterword-thing"),
        "{kept}"
    );
    let told = until("it is told", PATIENCE, || {
        let incidents = world.incidents();
        let told = world
            .incident(incidents.first()?["id"].as_str()?)
            .to_string();
        told.contains("battery").then_some(told)
    });
    assert!(
        !told.contains("x-afterword-thing") && !told.contains("horse"),
        "{told}"
    );
}

#[test]
fn put_is_accepted_and_slack_may_get() {
    let mut world = world(
        "  - {name: slack, kind: slack, auth: none}\n  - {name: sns, kind: sns, auth: none, topics: ['arn:aws:sns:eu-west-1:123456789012:a']}\n",
    );
    world.start();
    assert!(send_get(world.port, "/ingest/slack?ssl_check=1").starts_with("HTTP/1.1 200"));
    assert!(send_get(world.port, "/ingest/slack").starts_with("HTTP/1.1 405"));
    assert!(send_get(world.port, "/ingest/alertmanager?ssl_check=1").starts_with("HTTP/1.1 405"));
    let put = |path: &str| {
        let mut stream = TcpStream::connect(("127.0.0.1", world.port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let text = format!(
            "PUT {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: 5\r\n\r\nhello"
        );
        stream.write_all(text.as_bytes()).unwrap();
        let mut text = String::new();
        let _ = stream.read_to_string(&mut text);
        text
    };
    let told = put("/ingest/sns");
    assert!(told.starts_with("HTTP/1.1 200"), "{told}");
    until("what cannot be read is kept", PATIENCE, || {
        (counted(&world, "afterword_quarantined_records") == 1).then_some(())
    });
}

#[test]
fn size_limit_covers_packed_and_unpacked_bodies() {
    let mut world =
        world("  - {name: small, kind: alertmanager, auth: none, limits: {size: 2KiB}}\n");
    world.start();
    let whole = format!(
        "{:2048}",
        webhook(&[alert("Small", "checkout", &stamp(MINUTE))])
    );
    assert_eq!(
        send(world.port, "/ingest/small", &[], whole.as_bytes()).status,
        200
    );
    assert_eq!(
        send(
            world.port,
            "/ingest/small",
            &[],
            format!("{whole} ").as_bytes()
        )
        .status,
        413
    );
    let gzip = ("content-encoding", "gzip");
    assert_eq!(
        send(
            world.port,
            "/ingest/small",
            &[gzip],
            &packed(whole.as_bytes())
        )
        .status,
        200
    );
    assert_eq!(
        send(
            world.port,
            "/ingest/small",
            &[gzip],
            &packed(format!("{whole} ").as_bytes())
        )
        .status,
        413
    );
    let chunked = format!("{:x}\r\n{whole} \r\n0\r\n\r\n", whole.len() + 1);
    let mut stream = TcpStream::connect(("127.0.0.1", world.port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let head = "POST /ingest/small HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n";
    let _ = stream.write_all(format!("{head}{chunked}").as_bytes());
    let mut text = String::new();
    let _ = stream.read_to_string(&mut text);
    assert!(text.starts_with("HTTP/1.1 413"), "{text}");
    assert_eq!(
        send(
            world.port,
            "/ingest/alertmanager",
            &[],
            format!("{whole} ").as_bytes()
        )
        .status,
        200,
        "each source has its own"
    );
}

/// The program in this process, with a clock set by hand and a source `hook` that proves itself in a way of the test's choice.
struct Inside {
    app: Arc<App>,
    time: Arc<Mutex<Option<Time>>>,
    port: u16,
    stop: CancellationToken,
    _runtime: tokio::runtime::Runtime,
    dir: tempfile::TempDir,
}

impl Inside {
    fn start(kind: SourceKind, signing: SignatureFormat, secret: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("afterword.yaml");
        std::fs::write(
            &file,
            "sources: [{name: hook, kind: alertmanager, auth: none}]\n",
        )
        .unwrap();
        let mut settings = Settings::load(Some(&file)).unwrap();
        settings.config.sources[0].kind = kind;
        let signature =
            SignatureVerifier::new(signing, None, None, &[secret.as_bytes().to_vec()]).unwrap();
        settings
            .proofs
            .insert("hook".to_owned(), Authentication::Signature(signature));
        let time = Arc::new(Mutex::new(Some("2026-11-23T12:00:00Z".parse().unwrap())));
        let clock = Clock::Set(Arc::clone(&time));
        let store = Store::open(&dir.path().join("afterword.db"), clock.now()).unwrap();
        let app = App::start(store, settings, clock).unwrap();
        let stop = CancellationToken::new();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let listener = runtime
            .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
            .unwrap();
        let port = listener.local_addr().unwrap().port();
        let (ours, until) = (Arc::clone(&app), stop.clone());
        runtime.spawn(async move {
            let _loops = ours.start_background_tasks(&until);
            afterword::http::serve(Arc::clone(&ours), listener, until).await;
        });
        Self {
            app,
            time,
            port,
            stop,
            _runtime: runtime,
            dir,
        }
    }

    fn now(&self) -> Time {
        self.time.lock().unwrap().unwrap()
    }

    fn wait(&self, seconds: i64) {
        let later = self.now() + chrono::TimeDelta::seconds(seconds);
        *self.time.lock().unwrap() = Some(later);
    }

    /// Records in the log. A body that cannot be read makes one each time it is taken.
    fn records(&self) -> u64 {
        self.app.core.store.counts().unwrap().records
    }

    fn send(&self, headers: &[(&str, &str)], body: &str) -> u16 {
        send(self.port, "/ingest/hook", headers, body.as_bytes()).status
    }

    /// As Standard Webhooks: this id, so many seconds from now.
    fn standard(&self, id: &str, off: i64, body: &str) -> u16 {
        let time = (self.now().timestamp() + off).to_string();
        let signed = mac(&[7; 24], format!("{id}.{time}.{body}").as_bytes());
        let shown = format!("v1,{}", BASE64.encode(signed));
        self.send(
            &[
                ("webhook-id", id),
                ("webhook-timestamp", &time),
                ("webhook-signature", &shown),
            ],
            body,
        )
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

#[test]
fn replayed_delivery_is_taken_once() {
    let inside = Inside::start(
        SourceKind::Alertmanager,
        SignatureFormat::StandardWebhooks,
        &format!("whsec_{}", BASE64.encode([7; 24])),
    );
    let before = inside.records();
    let taken = || inside.records() - before;
    assert_eq!(inside.standard("a", 0, "odd"), 200);
    assert_eq!(taken(), 1);
    assert_eq!(inside.standard("a", 0, "odd"), 200);
    inside.wait(60);
    assert_eq!(
        inside.standard("a", 0, "odd"),
        200,
        "tried again by its sender, signed anew"
    );
    assert_eq!(taken(), 1);
    assert_eq!(inside.standard("b", 0, "odd"), 200);
    assert_eq!(taken(), 2);
    assert_eq!(inside.standard("c", -301, "odd"), 401);
    assert_eq!(inside.standard("c", 301, "odd"), 401);
    assert_eq!(inside.standard("c", -300, "odd"), 200);
    assert_eq!(taken(), 3);
    // As long as its signature may hold it is remembered, and not for ever.
    inside.wait(601);
    assert_eq!(inside.standard("a", 0, "odd"), 200);
    assert_eq!(taken(), 4);
    let page = send_get(inside.port, "/metrics");
    assert!(
        page.contains("afterword_repeated_total{source=\"hook\"} 2"),
        "{page}"
    );
    assert!(
        page.contains("afterword_refused_total{source=\"hook\",why=\"stale\"} 2"),
        "{page}"
    );
}

#[test]
fn unstored_delivery_is_accepted_on_retry() {
    let inside = Inside::start(
        SourceKind::Alertmanager,
        SignatureFormat::StandardWebhooks,
        &format!("whsec_{}", BASE64.encode([7; 24])),
    );
    let before = inside.records();
    let database = rusqlite::Connection::open(inside.dir.path().join("afterword.db")).unwrap();
    database.busy_timeout(PATIENCE).unwrap();
    let act = |sql: &str| database.execute_batch(sql).unwrap();
    act("create trigger no before insert on log begin select raise(abort, 'no'); end");
    assert_eq!(inside.standard("a", 0, "odd"), 503);
    assert_eq!(
        inside.standard("a", 0, "odd"),
        503,
        "nobody says that it was taken"
    );
    act("drop trigger no");
    assert_eq!(inside.standard("a", 0, "odd"), 200);
    assert_eq!(inside.standard("a", 0, "odd"), 200);
    assert_eq!(inside.records() - before, 1);
}

#[test]
fn slack_signature_and_certificate_check_are_answered() {
    let inside = Inside::start(SourceKind::Slack, SignatureFormat::Slack, "s");
    let before = inside.records();
    let slash = |body: &str, off: i64| {
        let time = (inside.now().timestamp() + off).to_string();
        let shown = format!("v0={}", hex("s", format!("v0:{time}:{body}").as_bytes()));
        inside.send(
            &[
                ("x-slack-request-timestamp", &time),
                ("x-slack-signature", &shown),
            ],
            body,
        )
    };
    assert_eq!(inside.send(&[], "token=x&ssl_check=1"), 200);
    assert_eq!(inside.send(&[], "command=%2Fpostmortem"), 401);
    assert_eq!(inside.records(), before);
    assert_eq!(slash("command=%2Fpostmortem", 0), 200);
    assert_eq!(slash("command=%2Fpostmortem", 0), 200);
    assert_eq!(
        inside.records() - before,
        1,
        "the same signature is the same delivery"
    );
    assert_eq!(slash("command=%2Fpostmortem", -1), 200);
    assert_eq!(inside.records() - before, 2, "said again, it is another");
    assert_eq!(slash("command=%2Fpostmortem", -301), 401);
}

fn send_get(port: u16, path: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
        .write_all(
            format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
                .as_bytes(),
        )
        .unwrap();
    let mut text = String::new();
    let _ = stream.read_to_string(&mut text);
    text
}
