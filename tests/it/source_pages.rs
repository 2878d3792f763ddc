//! Sources page: counters, silent sources, and unreadable messages that are parsed again.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Answer, PATIENCE, World, alert, stamp, until, webhook};

const MINUTE: Duration = Duration::from_secs(60);

fn source(world: &World, name: &str) -> Value {
    let all = world.get("/api/v1/sources").json();
    all.as_array()
        .unwrap()
        .iter()
        .find(|source| source["name"] == name)
        .unwrap_or_else(|| panic!("no {name} in {all}"))
        .clone()
}

/// The value of a metric of a source, if it has one.
fn metric(world: &World, name: &str, source: &str) -> Option<String> {
    let text = world.get("/metrics").body;
    let beginning = format!("{name}{{source=\"{source}\"}} ");
    text.lines()
        .find_map(|line| line.strip_prefix(&beginning).map(str::to_owned))
}

fn quarantined(world: &World) -> Vec<Value> {
    world
        .get("/api/v1/quarantine")
        .json()
        .as_array()
        .unwrap()
        .clone()
}

/// Stands in for a version of ours that reads what this one cannot: version 7 of the webhook becomes one that is known.
fn as_a_later_version_reads_it(world: &World) {
    let database = rusqlite::Connection::open(world.path("data/afterword.db")).unwrap();
    let text = r#"update raw set body = cast(replace(cast(body as text), '"version":"7"', '"version":"4"') as blob)"#;
    assert!(database.execute(text, []).unwrap() > 0);
}

fn expect(answer: &Answer, parts: &[&str]) {
    assert_eq!(answer.status, 200, "{}", answer.body);
    for part in parts {
        assert!(answer.body.contains(part), "no {part:?} in {}", answer.body);
    }
}

#[test]
fn source_page_shows_volume_refusals_and_connection_test() {
    let world = World::started();
    let page = world.get("/sources");
    let trial = format!(
        "curl &#39;http://127.0.0.1:{}/ingest/guarded&#39; -H &#34;authorization: Bearer $TOKEN&#34;",
        world.port
    );
    expect(
        &page,
        &[
            "No messages yet",
            "bearer token",
            "localhost only",
            &trial,
            "/api/v2/alerts",
            "/api/v1/events",
        ],
    );
    assert!(!page.body.contains("open sesame"));

    let began = stamp(MINUTE);
    let body = webhook(&[
        alert("One", "checkout", &began),
        alert("Two", "checkout", &began),
    ]);
    assert_eq!(world.post("/ingest/alertmanager", &body).status, 200);
    assert_eq!(
        world.post("/ingest/alertmanager", &body).status,
        200,
        "a mere repetition"
    );
    assert_eq!(world.post("/ingest/guarded", &body).status, 401);
    assert_eq!(world.post("/ingest/alertmanager", "{").status, 200);
    assert_eq!(
        world
            .post("/api/v1/events", r#"{"kind": "note", "text": "hello"}"#)
            .status,
        201
    );

    let told = source(&world, "alertmanager");
    assert_eq!(
        (
            &told["last_24h"]["messages"],
            &told["last_24h"]["events"],
            &told["quarantined"]
        ),
        (&json!(3), &json!(2), &json!(1)),
        "{told}"
    );
    assert_eq!(told["silent"], false);
    assert!(
        told["last_fault"]["fault"]
            .as_str()
            .unwrap()
            .contains("line 1, column 1"),
        "{told}"
    );
    assert!(
        told["last_message_at"].as_str() > told["last_event_at"].as_str(),
        "{told}"
    );
    let told = source(&world, "guarded");
    assert_eq!(
        (
            &told["last_24h"]["refused"],
            &told["last_message_at"],
            &told["auth"]
        ),
        (&json!(1), &json!(null), &json!("bearer"))
    );
    assert_eq!(source(&world, "api")["last_24h"]["events"], 1);
    expect(
        &world.get("/sources"),
        &[
            "1 message waiting",
            "<dt>Refused</dt><dd>1 in the last 24 hours",
            "line 1, column 1",
        ],
    );
    expect(
        &world.get("/"),
        &["/sources#alertmanager", "/quarantine?source=alertmanager"],
    );

    for (name, source, expected) in [
        ("afterword_source_messages_total", "alertmanager", "3"),
        ("afterword_source_events_total", "alertmanager", "2"),
        ("afterword_source_unread_messages", "alertmanager", "1"),
        ("afterword_source_silent", "alertmanager", "0"),
    ] {
        assert_eq!(
            metric(&world, name, source).as_deref(),
            Some(expected),
            "{name} of {source}"
        );
    }
    assert!(
        world
            .get("/metrics")
            .body
            .contains("afterword_refused_total{source=\"guarded\",why=\"credentials\"} 1")
    );
    assert!(
        metric(
            &world,
            "afterword_source_last_message_timestamp_seconds",
            "alertmanager"
        )
        .is_some_and(|at| at.parse::<i64>().unwrap() > 1_700_000_000)
    );
    assert_eq!(
        metric(
            &world,
            "afterword_source_last_message_timestamp_seconds",
            "guarded"
        ),
        None,
        "what is not known is no 0"
    );
    world.write("page.prom", &world.get("/metrics").body);
    let ended = world.run_program("bash", &["-c", "promtool check metrics < page.prom"]);
    assert_eq!((ended.code, ended.said.as_str()), (Some(0), ""));
}

#[test]
fn source_counts_survive_a_restart() {
    let mut world = World::started();
    let body = webhook(&[alert("One", "checkout", &stamp(MINUTE))]);
    assert_eq!(world.post("/ingest/alertmanager", &body).status, 200);
    assert_eq!(world.post("/ingest/guarded", &body).status, 401);
    let (before, guarded) = (source(&world, "alertmanager"), source(&world, "guarded"));
    world.signal("TERM");
    until("it ends", PATIENCE, || (!world.is_alive()).then_some(()));
    world.kill();
    world.start();
    assert_eq!(
        (source(&world, "alertmanager"), source(&world, "guarded")),
        (before, guarded)
    );
    assert_eq!(
        metric(&world, "afterword_source_messages_total", "alertmanager").as_deref(),
        Some("0"),
        "a counter begins anew"
    );
}

#[test]
fn quarantined_message_is_reprocessed_after_a_fix() {
    let mut world = World::started();
    let began = stamp(MINUTE);
    let body = webhook(&[alert("Later", "checkout", &began)])
        .replace(r#""version":"4""#, r#""version":"7""#)
        .replace(
            "\"summary\":\"Later\"",
            "\"summary\":\"<script>alert(1)</script>\"",
        );
    let headers = [
        ("user-agent", "Alertmanager/9"),
        ("authorization", "Bearer open sesame"),
        ("cookie", "a=b"),
    ];
    assert_eq!(
        world
            .http
            .try_post("/ingest/guarded", &body, &headers)
            .unwrap()
            .status,
        200
    );
    let listed = quarantined(&world);
    assert_eq!(
        (listed.len(), &listed[0]["source"], &listed[0]["state"]),
        (1, &json!("guarded"), &json!("open")),
        "{listed:?}"
    );
    let position = listed[0]["position"].as_u64().unwrap();

    let page = world.get(&format!("/quarantine/{position}"));
    expect(
        &page,
        &[
            "of Alertmanager&#39;s webhook is not supported",
            "&#60;script&#62;alert(1)",
            "Alertmanager/9",
            "application/json",
            ">Retry<",
        ],
    );
    for absent in ["<script", "open sesame", "authorization", "a=b"] {
        assert!(!page.body.contains(absent), "{absent} in {}", page.body);
    }
    assert_eq!(
        world.get(&format!("/quarantine/{position}/body")).body,
        body
    );
    assert_eq!(
        world.get(&format!("/api/v1/quarantine/{position}")).json()["body"]["text"],
        body.as_str()
    );
    let raw = std::fs::read(world.path("data/afterword.db")).unwrap();
    assert!(
        !raw.windows(11).any(|part| part == b"open sesame"),
        "a credential is in the database"
    );

    let retry = format!("/api/v1/quarantine/{position}/retry");
    let told = world.post(&retry, "");
    let came = listed[0]["logged_at"].clone();
    assert_eq!(
        (told.status, &told.json()["state"], &told.json()["record"]),
        (200, &json!("open"), &json!(null)),
        "{}",
        told.body
    );
    assert!(
        world
            .get(&format!("/quarantine/{position}"))
            .body
            .contains("Last retried")
    );

    world.kill();
    as_a_later_version_reads_it(&world);
    world.start();
    let told = world.post(&retry, "");
    assert_eq!(
        (told.status, &told.json()["state"], &told.json()["events"]),
        (200, &json!("mended"), &json!(1)),
        "{}",
        told.body
    );
    until("the alert is there", PATIENCE, || {
        world.alerts_kept().contains("Later").then_some(())
    });
    expect(
        &world.get(&format!("/quarantine/{position}")),
        &["processed", "This message was processed later"],
    );
    assert_eq!(world.post(&retry, "").status, 409, "once");
    let told = source(&world, "guarded");
    assert_eq!(
        (&told["quarantined"], &told["last_event_at"]),
        (&json!(0), &json!(null)),
        "{told}"
    );
    assert_eq!(
        told["last_message_at"], came,
        "what was read again is no sign of life"
    );
    assert_eq!(world.post("/api/v1/quarantine/999/retry", "").status, 404);
}

#[test]
fn reprocessing_a_source_repeats_no_known_fact() {
    let mut world = World::started();
    let began = stamp(MINUTE);
    let unknown = |body: String| body.replace(r#""version":"4""#, r#""version":"7""#);
    for name in ["One", "Two", "One"] {
        assert_eq!(
            world
                .post(
                    "/ingest/alertmanager",
                    &unknown(webhook(&[alert(name, "checkout", &began)]))
                )
                .status,
            200
        );
    }
    assert_eq!(world.post("/ingest/alertmanager", "{").status, 200);
    // Half of this one was read at once.
    let mut bad = alert("Bad", "checkout", &began);
    bad.as_object_mut().unwrap().remove("startsAt");
    assert_eq!(
        world
            .post(
                "/ingest/alertmanager",
                &webhook(&[alert("Good", "checkout", &began), bad])
            )
            .status,
        200
    );
    assert_eq!(quarantined(&world).len(), 5);
    world.kill();
    as_a_later_version_reads_it(&world);
    world.start();
    let from = |site| {
        world
            .http
            .try_form(
                "/quarantine/retry",
                "source=alertmanager",
                &[("sec-fetch-site", site)],
            )
            .unwrap()
    };
    assert_eq!(from("cross-site").status, 403, "from a foreign site");
    let page = from("same-origin");
    expect(&page, &["3 of 5 messages from alertmanager processed"]);
    let kept = BTreeSet::from(["One", "Two", "Good"].map(str::to_owned));
    until("the alerts are there", PATIENCE, || {
        (world.alerts_kept() == kept).then_some(())
    });
    let told: Vec<(Value, bool)> = quarantined(&world)
        .into_iter()
        .rev()
        .map(|row| (row["state"].clone(), row["record"].is_u64()))
        .collect();
    let mended = json!("mended");
    let expected = [
        (&mended, true),
        (&mended, true),
        (&mended, false),
        (&json!("open"), false),
        (&json!("open"), false),
    ];
    assert_eq!(
        told.iter()
            .map(|(state, new)| (state, *new))
            .collect::<Vec<_>>(),
        expected
    );

    let open = quarantined(&world)[0]["position"].clone();
    assert_eq!(
        world
            .post(&format!("/api/v1/quarantine/{open}/dismiss"), "")
            .status,
        200
    );
    assert_eq!(source(&world, "alertmanager")["quarantined"], 1);
    assert_eq!(
        world
            .get("/api/v1/quarantine?open=true&source=alertmanager")
            .json()
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[test]
fn skipped_record_is_applied_once_when_reprocessed() {
    let mut world = World::started();
    assert_eq!(
        world
            .post(
                "/ingest/alertmanager",
                &webhook(&[alert("One", "checkout", &stamp(MINUTE))])
            )
            .status,
        200
    );
    until("it is there", PATIENCE, || {
        world.alerts_kept().contains("One").then_some(())
    });
    world.kill();
    let database = rusqlite::Connection::open(world.path("data/afterword.db")).unwrap();
    let text = "insert into quarantine (position, logged_at, source, fault, passed) \
                select position, logged_at, source, 'it was passed over', 1 from log where source = 'alertmanager'";
    assert_eq!(database.execute(text, []).unwrap(), 1);
    drop(database);
    world.start();
    let told = world
        .post(
            &format!(
                "/api/v1/quarantine/{}/retry",
                quarantined(&world)[0]["position"]
            ),
            "",
        )
        .json();
    assert_eq!(
        (&told["state"], &told["events"]),
        (&json!("mended"), &json!(1)),
        "{told}"
    );
    let record = told["record"].as_u64().unwrap();
    let applied = format!("afterword_log_applied {record}");
    until("it is judged", PATIENCE, || {
        world.get("/metrics").body.contains(&applied).then_some(())
    });
    assert_eq!(
        world.alerts_kept(),
        BTreeSet::from(["One".to_owned()]),
        "an event that is known changes nothing"
    );
}

#[test]
fn removed_source_is_named_and_reprocessed_when_back() {
    let mut world = World::started();
    let body = webhook(&[alert("Back", "checkout", &stamp(MINUTE))])
        .replace(r#""version":"4""#, r#""version":"7""#);
    assert_eq!(world.post("/ingest/alertmanager", &body).status, 200);
    world.kill();
    as_a_later_version_reads_it(&world);
    let settings = std::fs::read_to_string(world.path("afterword.yaml")).unwrap();
    world.write(
        "afterword.yaml",
        &settings.replace("name: alertmanager,", "name: renamed,"),
    );
    world.start();
    let retry = format!(
        "/api/v1/quarantine/{}/retry",
        quarantined(&world)[0]["position"]
    );
    let answer = world.post(&retry, "");
    assert_eq!(answer.status, 409);
    assert!(
        answer.body.contains("no source is named `alertmanager`"),
        "{}",
        answer.body
    );
    world.write("afterword.yaml", &settings);
    assert_eq!(world.post("/-/reload", "").status, 200);
    assert_eq!(world.post(&retry, "").json()["state"], "mended");
    until("the alert is there", PATIENCE, || {
        world.alerts_kept().contains("Back").then_some(())
    });
}

#[test]
fn silent_source_is_reported() {
    let mut world = World::new();
    let settings = std::fs::read_to_string(world.path("afterword.yaml")).unwrap();
    world.write(
        "afterword.yaml",
        &settings.replace(
            "kind: alertmanager, auth: none",
            "kind: alertmanager, silent_after: 1s, auth: none",
        ),
    );
    world.start();
    assert_eq!(
        metric(&world, "afterword_source_silent", "alertmanager").as_deref(),
        Some("0"),
        "nothing came yet"
    );
    assert_eq!(
        world
            .post(
                "/ingest/alertmanager",
                &webhook(&[alert("One", "checkout", &stamp(MINUTE))])
            )
            .status,
        200
    );
    until("it is told", PATIENCE, || {
        (metric(&world, "afterword_source_silent", "alertmanager").as_deref() == Some("1"))
            .then_some(())
    });
    let sentence = "its silent_after is 1s";
    expect(
        &world.get("/sources"),
        &["No messages from alertmanager for", sentence],
    );
    expect(&world.get("/"), &[sentence, "/sources#alertmanager"]);
    world.write(
        "afterword.yaml",
        &settings.replace(
            "kind: alertmanager, auth: none",
            "kind: alertmanager, silent_after: never, auth: none",
        ),
    );
    assert_eq!(world.post("/-/reload", "").status, 200);
    assert_eq!(source(&world, "alertmanager")["silent"], false);
}
