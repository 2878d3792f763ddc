//! HTTP client against servers that respond with garbage, slowly, without end, or with redirects.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use afterword::clients::calendar_feed::{CacheValidators, CalendarClient};
use afterword::clients::error::ClientError;
use afterword::clients::query_response::QueryResponse;
use afterword::clients::scrape::ScrapedPage;
use chrono::DateTime;

use crate::harness::{World, now, pause};
use crate::prometheus_client::{client, scraper, wait};

/// A server that answers every request as `answer` does, and what it was asked: the head of each request, in lower case.
struct Server {
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start(
        answer: impl Fn(&str, &mut TcpStream) -> std::io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (noted, answer) = (Arc::clone(&asked), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (noted, answer, mut stream) =
                    (Arc::clone(&noted), Arc::clone(&answer), stream.unwrap());
                std::thread::spawn(move || {
                    let head = request(&stream);
                    noted.lock().unwrap().push(head.clone());
                    // Whoever asked may have hung up: that is what some of these tests are about.
                    let _ = answer(&head, &mut stream);
                });
            }
        });
        Self { port, asked }
    }

    /// One that always answers this.
    fn always(answer: impl Into<Vec<u8>>) -> Self {
        let answer = answer.into();
        Self::start(move |_, stream| stream.write_all(&answer))
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// The head of a request; its body is read, too, so that closing does not reset the connection.
fn request(stream: &TcpStream) -> String {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while reader.read_line(&mut head).is_ok_and(|length| length > 2) {}
    let head = head.to_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .map_or(0, |length| length.trim().parse().unwrap());
    let _ = reader.read_exact(&mut vec![0; length]);
    head
}

fn http(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 {status}\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

fn gzip(length: usize) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let line = b"metric_of_a_page 1\n";
    let block = line.repeat(1000);
    for _ in 0..length / block.len() + 1 {
        packed.write_all(&block).unwrap();
    }
    packed.finish().unwrap()
}

const ONE: &str = r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"1"]}]}}"#;

fn ask(server: &Server) -> Result<QueryResponse, ClientError> {
    ask_for(server, "1m")
}

fn ask_for(server: &Server, timeout: &str) -> Result<QueryResponse, ClientError> {
    let entry = format!(
        "{{name: prom, kind: prometheus, url: http://127.0.0.1:{}, timeout: {timeout}}}",
        server.port
    );
    wait(client(&World::new(), &entry).query("up", DateTime::UNIX_EPOCH))
}

fn scrape_with(server: &Server, rest: &str) -> Result<ScrapedPage, ClientError> {
    let world = World::new();
    world.write("token", "s3cret");
    let url = format!("http://127.0.0.1:{}/metrics", server.port);
    wait(
        scraper(
            &world,
            &format!("{{name: web, kind: scrape, targets: ['{url}'], interval: 1m{rest}}}"),
        )
        .fetch(&url),
    )
}

fn scrape(server: &Server) -> Result<ScrapedPage, ClientError> {
    scrape_with(server, ", timeout: 1m")
}

/// Both clients give this kind of fault, and say this.
#[track_caller]
fn check(server: &Server, kind: fn(&ClientError) -> bool, expected: &str) {
    for fault in [ask(server).unwrap_err(), scrape(server).unwrap_err()] {
        assert!(
            kind(&fault) && fault.to_string().contains(expected),
            "expected {expected}\nfound {fault:?}"
        );
    }
}

const UNREACHABLE: fn(&ClientError) -> bool = |fault| matches!(fault, ClientError::Unreachable(_));
const UNREADABLE: fn(&ClientError) -> bool = |fault| matches!(fault, ClientError::Unreadable(_));

#[test]
fn garbage_and_truncated_answers_are_errors() {
    check(&Server::always("SSH-2.0-OpenSSH_9.2\r\n"), UNREACHABLE, "");
    check(&Server::always(""), UNREACHABLE, "");
    check(
        &Server::always("HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nhalf"),
        UNREACHABLE,
        "",
    );
    check(
        &Server::always("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n"),
        UNREACHABLE,
        "",
    );
    check(
        &Server::always(http("502 Bad Gateway", "", b"<html>\nsorry</html>")),
        UNREACHABLE,
        "the server failed (status 502)",
    );
    check(
        &Server::always(http("200 OK", "content-encoding: br\r\n", b"x")),
        UNREADABLE,
        "content encoding br",
    );
    check(
        &Server::always(http("200 OK", "content-encoding: gzip\r\n", b"not packed")),
        UNREADABLE,
        "cannot be decompressed",
    );
    let cut = &gzip(100_000)[..50];
    check(
        &Server::always(http("200 OK", "content-encoding: gzip\r\n", cut)),
        UNREADABLE,
        "cannot be decompressed",
    );
    let login = ask(&Server::always(http(
        "200 OK",
        "content-type: text/html\r\n",
        b"<!doctype html>\n<form>",
    )))
    .unwrap_err();
    assert!(
        UNREADABLE(&login) && login.to_string().contains("<!doctype html>"),
        "{login:?}"
    );
}

#[test]
fn slow_server_times_out() {
    let late = Server::start(|_, _| {
        pause(Duration::from_secs(60));
        Ok(())
    });
    let drop_by_drop = Server::start(|_, stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")?;
        for _ in 0..300 {
            stream.write_all(b"a")?;
            pause(Duration::from_millis(200));
        }
        Ok(())
    });
    for server in [late, drop_by_drop] {
        let begun = now();
        for fault in [
            ask_for(&server, "2s").unwrap_err(),
            scrape_with(&server, ", timeout: 2s").unwrap_err(),
        ] {
            assert!(
                UNREACHABLE(&fault) && fault.to_string().contains("no complete response within 2s"),
                "{fault:?}"
            );
        }
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "{:?}",
            begun.elapsed()
        );
    }
}

#[test]
fn endless_answer_is_cut_off() {
    let endless = Server::start(|_, stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n")?;
        let block = vec![b'a'; 1 << 20];
        loop {
            stream.write_all(&block)?;
        }
    });
    check(&endless, UNREADABLE, "the response is larger than");
    // 300 MB in a megabyte.
    check(
        &Server::always(http(
            "200 OK",
            "content-encoding: gzip\r\n",
            &gzip(300_000_000),
        )),
        UNREADABLE,
        "the response is larger than",
    );
}

#[test]
fn gzip_page_near_the_size_limit_is_read() {
    let page = scrape(&Server::always(http(
        "200 OK",
        "content-encoding: gzip\r\ncontent-type: text/plain\r\n",
        &gzip(9_900_000),
    )))
    .unwrap();
    assert!(
        (9_900_000..=10_000_000).contains(&page.bytes.len())
            && page.bytes.starts_with(b"metric_of_a_page 1\n")
    );
    assert_eq!(page.content_type.as_deref(), Some("text/plain"));
    let larger = scrape(&Server::always(http(
        "200 OK",
        "content-encoding: gzip\r\n",
        &gzip(10_000_000),
    )))
    .unwrap_err();
    assert!(UNREADABLE(&larger), "{larger:?}");
}

#[test]
fn retry_after_of_a_busy_server_is_honoured() {
    for status in ["503 Service Unavailable", "429 Too Many Requests"] {
        let busy = Server::always(http(status, "retry-after: 7\r\n", b"later, please"));
        for fault in [ask(&busy).unwrap_err(), scrape(&busy).unwrap_err()] {
            assert!(
                matches!(&fault, ClientError::Busy { retry_after: Some(after), why } if after.as_secs() == 7 && why.contains("later, please"))
            );
            assert_eq!(fault.retry_delay(1, "prom").num_seconds(), 7);
        }
    }
    let silent = scrape(&Server::always(http("503 Service Unavailable", "", b""))).unwrap_err();
    assert!(
        matches!(
            silent,
            ClientError::Busy {
                retry_after: None,
                ..
            }
        ) && silent.retry_delay(1, "prom").num_milliseconds() <= 1000
    );
    assert!((45..=60).contains(&silent.retry_delay(99, "prom").num_seconds()));
    assert!(matches!(
        scrape(&Server::always(http("404 Not Found", "", b"no"))),
        Err(ClientError::Refused { status: 404, .. })
    ));
    assert!(matches!(
        scrape(&Server::always(http("204 No Content", "", b""))),
        Err(ClientError::Refused { status: 204, .. })
    ));
    assert!(matches!(
        scrape(&Server::always(http("401 Unauthorized", "", b""))),
        Err(ClientError::Unauthorized(_))
    ));
}

/// Some proxies let no POST through.
#[test]
fn server_without_post_is_queried_by_get() {
    let server = Server::start(|head, stream| {
        let refused = head.starts_with("post");
        stream.write_all(&if refused {
            http("405 Method Not Allowed", "", b"")
        } else {
            http("200 OK", "", ONE.as_bytes())
        })
    });
    let prom = client(
        &World::new(),
        &format!(
            "{{name: prom, kind: prometheus, url: http://127.0.0.1:{}/a/b/}}",
            server.port
        ),
    );
    for _ in 0..2 {
        assert_eq!(
            wait(prom.query("a + b{c=\"ü&\"}", DateTime::UNIX_EPOCH))
                .unwrap()
                .series
                .len(),
            1
        );
    }
    let asked: Vec<String> = server
        .asked()
        .iter()
        .map(|head| head.lines().next().unwrap().to_owned())
        .collect();
    let get = "get /a/b/api/v1/query?query=a+%2b+b%7bc%3d%22%c3%bc%26%22%7d&time=0.000&timeout=10000ms&latency_offset=1ms&nocache=1 http/1.1";
    assert_eq!(asked, ["post /a/b/api/v1/query http/1.1", get, get]);
    let neither = ask(&Server::always(http("405 Method Not Allowed", "", b""))).unwrap_err();
    assert!(
        matches!(neither, ClientError::Refused { status: 405, .. }),
        "{neither:?}"
    );
}

#[test]
fn concurrent_queries_are_limited() {
    let (active, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (now_active, seen) = (Arc::clone(&active), Arc::clone(&most));
    let server = Server::start(move |_, stream| {
        seen.fetch_max(
            now_active.fetch_add(1, Ordering::SeqCst) + 1,
            Ordering::SeqCst,
        );
        pause(Duration::from_millis(100));
        now_active.fetch_sub(1, Ordering::SeqCst);
        stream.write_all(&http("200 OK", "", ONE.as_bytes()))
    });
    let prom = Arc::new(client(
        &World::new(),
        &format!(
            "{{name: prom, kind: prometheus, url: http://127.0.0.1:{}, concurrency: 2}}",
            server.port
        ),
    ));
    wait(async {
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let prom = Arc::clone(&prom);
            tasks.spawn(async move { prom.query("up", DateTime::UNIX_EPOCH).await.map(drop) });
        }
        while let Some(done) = tasks.join_next().await {
            done.unwrap().unwrap();
        }
    });
    assert_eq!(most.load(Ordering::SeqCst), 2);
}

#[test]
fn scraper_sends_its_headers() {
    let server = Server::always(http("200 OK", "", b"up 1\n"));
    let page = scrape_with(
        &server,
        ", auth: {bearer_token_file: token}, headers: {X-Scope-OrgID: team}",
    )
    .unwrap();
    assert_eq!(page.bytes, b"up 1\n");
    let head = server.asked().remove(0);
    for line in [
        "get /metrics http/1.1",
        "authorization: bearer s3cret",
        "x-scope-orgid: team",
        "x-prometheus-scrape-timeout-seconds: 10",
        &format!(
            "accept: {}",
            afterword::ingest::exposition::format::ACCEPT.to_lowercase()
        ),
        "accept-encoding: gzip",
        &format!("user-agent: afterword/{}", env!("CARGO_PKG_VERSION")),
    ] {
        assert!(
            head.lines().any(|given| given == line),
            "no {line} in\n{head}"
        );
    }
}

#[test]
fn credentials_are_not_sent_to_another_origin() {
    let other = Arc::new(Server::always(http("200 OK", "", b"up 1\n")));
    let moved = format!("location: http://127.0.0.1:{}/metrics\r\n", other.port);
    let server = Server::always(http("302 Found", &moved, b""));
    for rest in [
        ", auth: {bearer_token_file: token}",
        ", headers: {X-Scope-OrgID: team}",
        ", auth: {header: {name: X-T, value_file: token}}",
    ] {
        let fault = scrape_with(&server, rest).unwrap_err();
        assert!(
            matches!(&fault, ClientError::Refused { status: 302, .. })
                && fault.to_string().contains(&other.port.to_string()),
            "{fault:?}"
        );
    }
    assert_eq!(other.asked(), [""; 0]);

    let fault = ask(&server).unwrap_err();
    assert!(
        matches!(&fault, ClientError::Refused { status: 302, message, .. } if message.contains("redirects to")),
        "{fault:?}"
    );
    assert_eq!(other.asked(), [""; 0]);

    let within = Server::start(|head, stream| {
        let first = head.starts_with("get /metrics ");
        stream.write_all(&if first {
            http("307 Moved", "location: /there\r\n", b"")
        } else {
            http("200 OK", "", b"up 1\n")
        })
    });
    assert_eq!(
        scrape_with(&within, ", auth: {bearer_token_file: token}")
            .unwrap()
            .bytes,
        b"up 1\n"
    );
    assert!(within.asked()[1].contains("authorization: bearer s3cret"));
    assert!(!within.asked()[1].contains("referer:"));
    let round = Server::always(http("302 Found", "location: /metrics\r\n", b""));
    assert!(UNREACHABLE(&scrape(&round).unwrap_err()));
}

#[test]
fn redirect_to_another_origin_needs_a_configured_one() {
    let other = Server::always(http("200 OK", "", b"up 1\n"));
    let there = format!("http://127.0.0.1:{}/metrics", other.port);
    let moved = format!("location: {there}?token=s3cret\r\n");
    let server = Server::always(http("302 Found", &moved, b""));
    let fault = scrape(&server).unwrap_err();
    assert!(
        matches!(&fault, ClientError::Refused { status: 302, message, .. }
            if message.contains(&there) && !message.contains("s3cret")),
        "{fault:?}"
    );
    assert_eq!(other.asked(), [""; 0]);

    let here = format!("http://127.0.0.1:{}/metrics", server.port);
    let both = scraper(
        &World::new(),
        &format!("{{name: web, kind: scrape, targets: ['{here}', '{there}']}}"),
    );
    assert_eq!(wait(both.fetch(&here)).unwrap().bytes, b"up 1\n");
    assert!(!other.asked()[0].contains("referer:"));
}

#[test]
fn errors_repeat_no_credentials() {
    // A proxy that puts everything it was sent into its error page.
    let echo = Server::start(|head, stream| {
        let line = head.replace("\r\n", " ");
        stream.write_all(&http("400 Bad Request", "", line.as_bytes()))
    });
    let world = World::new();
    world.write("token", "s3cret");
    let entry = format!(
        "{{name: web, kind: scrape, targets: ['http://127.0.0.1:{}/'], auth: {{header: {{name: X-T, value_file: token}}}}, headers: {{X-Key: k3ykey}}}}",
        echo.port
    );
    let url = format!(
        "http://ada:hunter2@127.0.0.1:{}/metrics?token=t0ken",
        echo.port
    );
    let fault = wait(scraper(&world, &entry).fetch(&url)).unwrap_err();
    let sent = echo.asked().remove(0);
    assert!(
        sent.contains("?token=t0ken") && sent.contains("s3cret"),
        "{sent}"
    );
    for text in [fault.to_string(), format!("{fault:?}")] {
        assert!(text.contains("/metrics?token=…"), "{text}");
        for secret in ["hunter2", "t0ken", "s3cret", "k3ykey"] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
    let nowhere = wait(scraper(&world, &entry).fetch("http://ada:hunter2@127.0.0.1:1/?a=t0ken"));
    let text = format!("{:?}", nowhere.unwrap_err());
    assert!(
        !text.contains("hunter2") && !text.contains("t0ken"),
        "{text}"
    );
}

#[test]
fn localhost_is_reached_by_its_name() {
    let server = Server::always(http("200 OK", "", b"up 1\n"));
    let url = format!("http://localhost:{}/metrics", server.port);
    let named = scraper(
        &World::new(),
        &format!("{{name: web, kind: scrape, targets: ['{url}']}}"),
    );
    assert_eq!(wait(named.fetch(&url)).unwrap().bytes, b"up 1\n");
}

/// The message of a calendar that cannot be fetched.
fn calendar_fault(server: &Server) -> String {
    let url = format!("http://127.0.0.1:{}/private-path.ics?k=s3cret", server.port);
    let calendars = CalendarClient::new().unwrap();
    let fault = wait(calendars.fetch(&url, &CacheValidators::default())).unwrap_err();
    assert!(
        !fault.contains("private-path") && !fault.contains("s3cret"),
        "{fault}"
    );
    fault
}

#[test]
fn calendars_are_fetched_under_the_same_rules() {
    let other = Server::always(http("200 OK", "", b"BEGIN:VCALENDAR"));
    let moved = format!(
        "location: http://127.0.0.1:{}/private-path.ics\r\n",
        other.port
    );
    let fault = calendar_fault(&Server::always(http("302 Found", &moved, b"")));
    assert!(
        fault.contains(&format!("redirects to http://127.0.0.1:{};", other.port)),
        "{fault}"
    );
    assert_eq!(other.asked(), [""; 0]);
    let packed = http("200 OK", "content-encoding: gzip\r\n", &gzip(5_000_000));
    assert!(calendar_fault(&Server::always(packed)).contains("larger than 4 MB"));
    let failed = http("500 Internal Server Error", "", b"");
    assert!(calendar_fault(&Server::always(failed)).contains("status 500"));
    assert!(calendar_fault(&Server::always("")).contains("its server cannot be reached"));
}
