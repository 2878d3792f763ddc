//! Invalid input and environment: bodies, rules, a database of another version, a full disk, a port
//! in use. Each error message says what to do.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use crate::harness::{PATIENCE, World, alert, stamp, until, webhook};

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn unreadable_body_is_quarantined_and_answered_200() {
    let world = World::started();
    let good = alert("Good", "checkout", &stamp(MINUTE));
    let cases = [
        ("no JSON", "{\"version\": \"4\", \"alerts\": [".to_owned()),
        ("not UTF-8's idea of JSON", "\u{feff}\u{0}<html>".to_owned()),
        (
            "another version",
            webhook(&[good]).replace(r#""version":"4""#, r#""version":"7""#),
        ),
        ("no alerts at all", r#"{"version": "4"}"#.to_owned()),
    ];
    for (place, (what, body)) in cases.iter().enumerate() {
        let answer = world.post("/ingest/alertmanager", body);
        assert_eq!(answer.status, 200, "{what}: {}", answer.body);
        until(what, PATIENCE, || {
            (quarantined(&world) > place).then_some(())
        });
    }
    assert_eq!(quarantined(&world), cases.len());
    assert_eq!(world.alerts_kept(), BTreeSet::new());
}

#[test]
fn bad_alert_of_a_group_costs_no_other() {
    let world = World::started();
    let mut bad = alert("Bad", "checkout", &stamp(MINUTE));
    bad.as_object_mut().unwrap().remove("startsAt");
    let body = webhook(&[
        alert("Before", "checkout", &stamp(MINUTE)),
        bad,
        alert("After", "checkout", &stamp(MINUTE)),
    ]);
    assert_eq!(world.post("/ingest/alertmanager", &body).status, 200);
    let kept = BTreeSet::from(["Before".to_owned(), "After".to_owned()]);
    until("the good members are kept", PATIENCE, || {
        (world.alerts_kept() == kept).then_some(())
    });
    assert_eq!(quarantined(&world), 1);
}

#[test]
fn unknown_source_gets_404_and_wrong_token_401() {
    let world = World::started();
    let body = webhook(&[alert("Guarded", "checkout", &stamp(MINUTE))]);
    let post = |path: &str, headers: &[(&str, &str)]| {
        world.http.try_post(path, &body, headers).unwrap().status
    };
    assert_eq!(post("/ingest/nobody", &[]), 404);
    assert_eq!(post("/ingest/guarded", &[]), 401);
    assert_eq!(
        post(
            "/ingest/guarded",
            &[("authorization", "Bearer open says me")]
        ),
        401
    );
    assert_eq!(
        post(
            "/ingest/guarded",
            &[("authorization", "Basic b3BlbiBzZXNhbWU=")]
        ),
        401
    );
    assert_eq!(world.alerts_kept(), BTreeSet::new());
    assert_eq!(
        post(
            "/ingest/guarded",
            &[("authorization", "Bearer open sesame")]
        ),
        200
    );
    until("the authentic one is kept", PATIENCE, || {
        world.alerts_kept().contains("Guarded").then_some(())
    });
}

#[test]
fn hundred_megabyte_body_gets_413() {
    let world = World::started();
    for path in ["/ingest/alertmanager", "/api/v2/alerts", "/api/v1/events"] {
        assert_eq!(
            post_hundred_megabytes(world.port, path, Length::Told),
            413,
            "{path}"
        );
        assert_eq!(
            post_hundred_megabytes(world.port, path, Length::Chunked),
            413,
            "{path}, chunked"
        );
    }
    assert_eq!(world.get("/-/healthy").status, 200);
}

#[test]
fn own_api_answers_400_with_the_position_of_the_fault() {
    let world = World::started();
    let cases = [
        (
            "cut short",
            "{\n  \"kind\": \"note\",\n",
            &["3", "column"][..],
        ),
        (
            "no such kind",
            r#"[{"kind": "nonsense", "service": "checkout"}]"#,
            &["nonsense"][..],
        ),
        ("not an event", "[7]", &["[0]", "object"][..]),
    ];
    for (what, body, expected) in cases {
        let answer = world.post("/api/v1/events", body);
        assert_eq!(answer.status, 400, "{what}: {}", answer.body);
        for part in expected {
            assert!(
                answer.body.contains(part),
                "{what}: no {part:?} in {}",
                answer.body
            );
        }
    }
    for (path, body) in [
        ("/api/v1/requests", "{}"),
        ("/api/v1/requests", r#"{"reson": "x"}"#),
    ] {
        let answer = world.post(path, body);
        assert_eq!(answer.status, 400, "{path} {body}: {}", answer.body);
        assert!(
            answer.body.contains("reason"),
            "{path} {body}: {}",
            answer.body
        );
    }
    let answer = world.post("/api/v2/alerts", "[{]");
    assert_eq!(answer.status, 400, "{}", answer.body);
}

/// `afterword check` on a directory with this one file of rules: exit 1, the fault's line and a column, and these words.
fn check_rules(text: &str, line: usize, expected: &[&str]) {
    let world = World::new();
    world.write("rules/rules.yaml", text);
    let ended = world.run(&["check", "rules"]);
    assert_eq!(ended.code, Some(1), "{text}\n{}", ended.said);
    let place = format!("rules/rules.yaml:{line}:");
    let column = ended
        .said
        .split(&place)
        .nth(1)
        .and_then(|rest| rest.split(':').next());
    assert!(
        column.is_some_and(|column| column.parse::<u32>().is_ok()),
        "{text}\nno {place}COLUMN: in {}",
        ended.said
    );
    for part in expected {
        assert!(
            ended.said.contains(part),
            "{text}\nno {part:?} in {}",
            ended.said
        );
    }
}

#[test]
fn misspelt_rule_key_names_the_nearest_one() {
    check_rules(
        "criteria:\n  - name: a\n    on: outage\n    decison: hold\n",
        4,
        &["decison", "decision"],
    );
    check_rules(
        "criteria:\n  - {name: a, on: outage, decision: hold}\ncorelation: {settle: 2s}\n",
        3,
        &["corelation", "correlation"],
    );
}

#[test]
fn misspelt_expression_name_names_the_nearest_one() {
    check_rules(
        "criteria:\n  - name: a\n    on: degradation\n    longest: 5m\n    where: signal.severty == \"critical\"\n    decision: hold\n",
        5,
        &["severty", "severity"],
    );
    check_rules(
        "criteria:\n  - name: a\n    on: outage\n    where: incidnt.severity == \"critical\"\n    decision: hold\n",
        4,
        &["incident"],
    );
}

#[test]
fn bad_duration_is_a_fault() {
    check_rules(
        "criteria:\n  - name: a\n    on: degradation\n    longest: 30x\n    decision: hold\n",
        4,
        &["30x"],
    );
    check_rules(
        "criteria:\n  - name: a\n    on: degradation\n    longest: -5m\n    decision: hold\n",
        4,
        &["-5m"],
    );
}

#[test]
fn duplicate_criterion_name_is_a_fault() {
    check_rules(
        "criteria:\n  - {name: twice, on: outage, decision: hold}\n  - {name: twice, on: request, decision: hold}\n",
        3,
        &["twice"],
    );
}

#[test]
fn correct_rules_pass_check() {
    let ended = World::new().run(&["check", "rules"]);
    assert_eq!(ended.code, Some(0), "{}", ended.said);
}

#[test]
fn misspelt_settings_key_prevents_start() {
    let world = World::new();
    world.write("afterword.yaml", "listen: 127.0.0.1:9099\nservces: []\n");
    let ended = world.run(&["serve", "--config", "afterword.yaml"]);
    assert_eq!(ended.code, Some(1), "{}", ended.said);
    for part in ["afterword.yaml:2:1:", "servces", "services"] {
        assert!(ended.said.contains(part), "no {part:?} in {}", ended.said);
    }
}

#[test]
fn newer_database_is_refused_untouched() {
    let mut world = World::started();
    world.kill();
    let database = rusqlite::Connection::open(world.path("data/afterword.db")).unwrap();
    database.execute("insert into migration (version, hash, applied_at) values (9999, 'of a later version', 0)", []).unwrap();
    drop(database);
    let ended = world.run(&["serve", "--config", "afterword.yaml"]);
    assert_eq!(ended.code, Some(1), "{}", ended.said);
    for part in ["9999", "newer", "afterword.db"] {
        assert!(ended.said.contains(part), "no {part:?} in {}", ended.said);
    }
}

#[test]
fn port_in_use_is_named_with_its_settings_key() {
    let world = World::new();
    let _taken = TcpListener::bind(("127.0.0.1", world.port)).unwrap();
    let ended = world.run(&["serve", "--config", "afterword.yaml"]);
    assert_eq!(ended.code, Some(1), "{}", ended.said);
    for part in [world.port.to_string().as_str(), "listen"] {
        assert!(ended.said.contains(part), "no {part:?} in {}", ended.said);
    }
}

#[test]
fn full_disk_gets_503_and_loses_nothing() {
    let mut world = World::new();
    // The tables are made with room to spare; then the room ends.
    world.start();
    world.kill();
    world.start_with_files_up_to(1024);
    let began = stamp(MINUTE);
    let mut acknowledged = BTreeSet::new();
    let refused = (0..2000)
        .find_map(|number| {
            let name = format!("Filler{number}");
            let mut filler = alert(&name, &format!("filler-{}", number % 3), &began);
            filler["annotations"]["description"] = "x".repeat(20_000).into();
            let answer = world.post("/ingest/alertmanager", &webhook(&[filler]));
            if answer.status == 200 {
                acknowledged.insert(name);
                return None;
            }
            Some(answer)
        })
        .expect("two thousand bodies of 20 kB fit where no file may exceed 1 MB");
    assert_eq!(refused.status, 503, "{}", refused.body);
    assert!(
        refused
            .retry_after
            .is_some_and(|after| after.parse::<u32>().is_ok()),
        "no Retry-After in seconds"
    );
    assert!(
        acknowledged.len() > 2,
        "the disk was full from the start: {acknowledged:?}"
    );
    assert!(world.is_alive(), "a full disk ended the process");
    assert_eq!(world.get("/-/healthy").status, 200);

    world.kill();
    world.start();
    until("what was acknowledged before is there", PATIENCE, || {
        acknowledged.is_subset(&world.alerts_kept()).then_some(())
    });
    assert_eq!(
        world
            .post(
                "/ingest/alertmanager",
                &webhook(&[alert("Later", "checkout", &began)])
            )
            .status,
        200
    );
    until("it takes new facts", PATIENCE, || {
        world.alerts_kept().contains("Later").then_some(())
    });
}

/// How many bodies or members were quarantined, as the service's own metrics count them.
fn quarantined(world: &World) -> usize {
    let metrics = world.get("/metrics");
    assert_eq!(metrics.status, 200);
    let samples = metrics
        .body
        .lines()
        .filter(|line| !line.starts_with('#') && line.contains("quarantined"));
    samples
        .map(|line| line.rsplit(' ').next().unwrap().parse::<usize>().unwrap())
        .sum()
}

#[derive(Clone, Copy)]
enum Length {
    Told,
    Chunked,
}

/// The status that a body of 100 MB gets. Reads while it writes, because an answer may come before the body has gone out.
fn post_hundred_megabytes(port: u16, path: &str, length: Length) -> u16 {
    const PIECE: usize = 1 << 20;
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut out = stream.try_clone().unwrap();
    let head = match length {
        Length::Told => format!("content-length: {}", 100 * PIECE),
        Length::Chunked => "transfer-encoding: chunked".to_owned(),
    };
    write!(out, "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n{head}\r\n\r\n").unwrap();
    let writer = std::thread::spawn(move || {
        let piece = match length {
            Length::Told => vec![b' '; PIECE],
            Length::Chunked => [
                format!("{PIECE:x}\r\n").as_bytes(),
                &vec![b' '; PIECE],
                b"\r\n",
            ]
            .concat(),
        };
        // A server that has answered may close; then there is nobody left to write to.
        let _ = (0..100).try_for_each(|_| out.write_all(&piece));
    });
    let mut status = [0; 12];
    stream.read_exact(&mut status).unwrap();
    // Ends the writer, should the server have left the connection open without reading on.
    let _ = stream.shutdown(std::net::Shutdown::Both);
    writer.join().unwrap();
    std::str::from_utf8(&status[9..]).unwrap().parse().unwrap()
}
