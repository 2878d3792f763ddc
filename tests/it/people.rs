//! Identity: people under all their names, programs apart, services by the names of their sources,
//! and the on-call person.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use afterword::clients::calendar_feed::{CacheValidators, CalendarClient, LARGEST};
use serde_json::{Value, json};

use crate::harness::{PATIENCE, World, alert, free_port, stamp, until, wall, webhook};

const STEPPED_IN: &str = "criteria:
  - {name: fixed-by-hand, on: intervention, where: intervention.should_be_automatic, at_least: 1, decision: hold}
correlation: {correlate_by: [service], settle: 2h, reopen_within: 3h}
";

/// A running world whose checkout has people, programs, another name and a rota.
fn started(on_call: &str) -> World {
    let mut world = World::new();
    world.write("rules/rules.yaml", STEPPED_IN);
    let settings = std::fs::read_to_string(world.path("afterword.yaml")).unwrap();
    let settings = settings
        .replace(
            "owners: [ada, bo]",
            &format!("aliases: ['alertmanager:checkout-svc'], automatic: [restart], on_call: {on_call}, owners: [ada, bo]"),
        )
        .replace("email: ada@example.com,", "email: ada@example.com, aliases: ['github:ada'],");
    world.write(
        "afterword.yaml",
        &format!("{settings}robots: ['deploy:ci-*']\n"),
    );
    world.start();
    world
}

fn rota(who: &str) -> String {
    let day = |days: i64| (wall() + chrono::TimeDelta::days(days)).format("%Y%m%dT000000Z");
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTART:{}\r\nDTEND:{}\r\nSUMMARY:On Call - {who} - Checkout\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
        day(-2),
        day(2)
    )
}

/// An alert that calls the service as its source does; the incident's id.
fn fires(world: &World) -> String {
    let fired = world.post(
        "/ingest/alertmanager",
        &webhook(&[alert(
            "High",
            "checkout-svc",
            &stamp(Duration::from_secs(60)),
        )]),
    );
    assert_eq!(fired.status, 200);
    until("the incident is there", PATIENCE, || {
        world
            .incidents()
            .first()
            .map(|incident| incident["id"].as_str().unwrap().to_owned())
    })
}

fn steps(world: &World, actor: &str) {
    let body = json!({"kind": "intervention", "service": "checkout", "action": "restart", "why": "it hung", "actor": {"id": actor},
        "occurred_at": stamp(Duration::from_secs(1))});
    let told = world.post("/api/v1/events", &body.to_string());
    assert!(told.status < 300, "{}", told.body);
}

/// The verdict of the only criterion, once the incident has so many interventions.
fn verdict(world: &World, id: &str, interventions: usize) -> Value {
    until(
        &format!("{interventions} steps are judged"),
        PATIENCE,
        || {
            let incident = world.incident(id);
            let count = incident["members"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|member| member["event"]["fact"]["kind"] == "intervention")
                .count();
            (count == interventions).then(|| incident["verdicts"][0].clone())
        },
    )
}

fn page(world: &World, id: &str) -> String {
    world.get(&format!("/incidents/{id}")).body
}

/// The only draft, once it says so.
fn draft_says(world: &World, words: &str) -> String {
    until(&format!("the draft says {words:?}"), PATIENCE, || {
        let listed = world.get("/api/v1/postmortems").json();
        let id = listed
            .as_array()
            .or_else(|| listed["postmortems"].as_array())?
            .first()?["id"]
            .as_str()?
            .to_owned();
        let page = world.get(&format!("/postmortems/{id}")).body;
        page.contains(words).then_some(page)
    })
}

fn identify(world: &World, alias: &str, person: Option<&str>) -> u16 {
    world
        .post(
            "/api/v1/identities",
            &json!({"alias": alias, "person": person, "by": "lin"}).to_string(),
        )
        .status
}

/// What a page's form posts; the status of the page that it leads to.
fn posts_form(world: &World, path: &str, form: &str) -> u16 {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let client = afterword::clients::tls::client_builder()
            .no_proxy()
            .build()
            .unwrap();
        let request = client.post(format!("http://127.0.0.1:{}{path}", world.port));
        let request = request
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form.to_owned());
        request.send().await.unwrap().status().as_u16()
    })
}

#[test]
fn person_is_matched_by_every_alias_and_robots_are_not_people() {
    let mut world = started("rota.ics");
    world.write("rota.ics", &rota("Ada L."));
    let id = fires(&world);
    assert_eq!(
        world.incident(&id)["services"],
        json!(["checkout"]),
        "the source's word for it is another name"
    );

    steps(&world, "deploy:ci-7");
    let seen = verdict(&world, &id, 1);
    assert_eq!(seen["outcome"], "not_met", "{seen}");
    assert!(page(&world, &id).contains("deploy:ci-7 (automatic)"));

    steps(&world, "github:zoe");
    assert_eq!(verdict(&world, &id, 2)["outcome"], "unknown");
    let shown = page(&world, &id);
    assert!(
        shown.contains("github:zoe ·") && shown.contains("name=\"alias\" value=\"github:zoe\""),
        "{shown}"
    );
    assert!(
        !shown.contains("value=\"deploy:ci-7\""),
        "nobody asks who a program is"
    );

    // Nobody of the settings, no name: said, and nothing happens.
    assert_eq!(identify(&world, "github:zoe", Some("zoe")), 400);
    assert_eq!(identify(&world, " ", Some("bo")), 400);
    assert_eq!(identify(&world, "GitHub:Zoe", Some("bo")), 201);
    until("it counts", PATIENCE, || {
        (verdict(&world, &id, 2)["outcome"] == "met").then_some(())
    });
    assert!(page(&world, &id).contains("Bo M. ·"));
    draft_says(&world, "Manual step by Bo M.");
    // The rota came after the service had begun: the draft says so once it is read.
    let draft = draft_says(&world, "On call for checkout at detection: Ada L.");
    assert!(
        draft.contains("Manual step by deploy:ci-7") && draft.contains("Manual step by Bo M."),
        "{draft}"
    );

    steps(&world, "github:ada");
    verdict(&world, &id, 3);
    draft_says(&world, "Manual step by Ada L.");
    assert!(page(&world, &id).contains("Ada L. ·"));

    world.kill();
    world.start();
    assert!(
        page(&world, &id).contains("Bo M. ·"),
        "it is still known who that is"
    );
    assert_eq!(
        posts_form(
            &world,
            &format!("/incidents/{id}/identities"),
            "alias=github%3Azoe&person="
        ),
        200
    );
    until("it is taken back", PATIENCE, || {
        page(&world, &id).contains("github:zoe ·").then_some(())
    });
    draft_says(&world, "Manual step by github:zoe");
    assert!(draft_says(&world, "Manual step by Ada L.").contains("Ada L."));
}

#[test]
fn changed_on_call_file_is_reread_and_unreadable_one_is_unknown() {
    let world = started("rota.ics");
    let id = fires(&world);
    // There is no such file yet.
    until("it is unknown", PATIENCE, || {
        page(&world, &id)
            .contains("On call for checkout at detection: unknown:")
            .then_some(())
    });
    assert!(
        world
            .get("/metrics")
            .body
            .contains("afterword_on_call_up{service=\"checkout\"} 0")
    );
    for (who, shown) in [
        ("Ada L.", "Ada L."),
        ("Bo M.", "Bo M."),
        ("Zoe Q.", "On Call - Zoe Q. - Checkout"),
    ] {
        world.write("rota.ics", &rota(who));
        let words = format!("On call for checkout at detection: {shown}</p>");
        until(&words, PATIENCE, || {
            page(&world, &id).contains(&words).then_some(())
        });
    }
    assert!(
        world
            .get("/metrics")
            .body
            .contains("afterword_on_call_up{service=\"checkout\"} 1")
    );
    assert!(world.get("/").body.contains("On Call - Zoe Q. - Checkout"));
    // What was read stays true of the past, and the fault is told.
    world.write("rota.ics", "<html>moved</html>");
    until("the fault is shown", PATIENCE, || {
        world.get("/").body.contains("not a calendar").then_some(())
    });
    assert!(page(&world, &id).contains("On Call - Zoe Q. - Checkout"));
    world.write("rota.ics", &"x".repeat(LARGEST + 1));
    until("it is bounded", PATIENCE, || {
        world
            .get("/")
            .body
            .contains("it is larger than 4 MB")
            .then_some(())
    });
}

#[test]
fn unreachable_on_call_server_is_unknown() {
    let world = started(&format!(
        "http://127.0.0.1:{}/private/token.ics",
        free_port()
    ));
    let id = fires(&world);
    until("it is unknown", PATIENCE, || {
        page(&world, &id)
            .contains("its calendar cannot be read: its server cannot be reached")
            .then_some(())
    });
    let log = std::fs::read_to_string(world.path("afterword.log")).unwrap();
    assert!(
        !log.contains("token.ics") && !world.get("/").body.contains("token.ics"),
        "the address may be a secret: {log}"
    );
}

#[test]
fn unchanged_calendar_is_not_fetched_again() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/rota.ics", listener.local_addr().unwrap());
    let version = Arc::new(AtomicUsize::new(1));
    let shown = Arc::clone(&version);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let mut asked = [0; 4096];
            let length = stream.read(&mut asked).unwrap_or(0);
            let asked = String::from_utf8_lossy(&asked[..length]).to_lowercase();
            let version = shown.load(Ordering::Relaxed);
            let answer = match version {
                _ if asked.contains(&format!("if-none-match: \"v{version}\"")) => {
                    "304 Not Modified\r\n".to_owned()
                }
                3 => format!("200 OK\r\ncontent-length: {}\r\n", LARGEST + 1),
                4 => "503 Service Unavailable\r\ncontent-length: 0\r\n".to_owned(),
                _ => format!("200 OK\r\netag: \"v{version}\"\r\ncontent-length: 4\r\n"),
            };
            let body = match version {
                3 => "x".repeat(LARGEST + 1),
                4 => String::new(),
                _ => format!("cal{version}"),
            };
            let body = if answer.starts_with("304") { "" } else { &body };
            let _ = write!(stream, "HTTP/1.1 {answer}connection: close\r\n\r\n{body}");
        }
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let client = CalendarClient::new().unwrap();
    let ask = |seen: &CacheValidators| runtime.block_on(client.fetch(&address, seen));
    let (text, seen) = ask(&CacheValidators::default()).unwrap().unwrap();
    assert_eq!(text, "cal1");
    assert_eq!(ask(&seen), Ok(None));
    version.store(2, Ordering::Relaxed);
    assert_eq!(ask(&seen).unwrap().unwrap().0, "cal2");
    version.store(3, Ordering::Relaxed);
    assert_eq!(
        ask(&seen),
        Err("the response is larger than 4 MB".to_owned())
    );
    version.store(4, Ordering::Relaxed);
    assert_eq!(
        ask(&seen),
        Err("its server responds with status 503".to_owned())
    );
}

#[test]
fn on_call_is_answered_for_any_time_by_api_and_command() {
    let world = started("rota.ics");
    // Two people in turn, a week each, from Monday 1 January 2024 on, for ever; Bo's begin at 09:00.
    let shift = |who: &str, from: &str| {
        format!(
            "BEGIN:VEVENT\r\nUID:{who}\r\nDTSTART:{from}T090000Z\r\nDURATION:P7D\r\nSUMMARY:{who}\r\nRRULE:FREQ=WEEKLY;INTERVAL=2\r\nEND:VEVENT\r\n"
        )
    };
    world.write(
        "rota.ics",
        &format!(
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{}{}END:VCALENDAR\r\n",
            shift("Ada L.", "20240101"),
            shift("Bo M.", "20240108")
        ),
    );
    let ask = |query: &str| world.get(&format!("/api/v1/on-call?{query}"));
    until("the calendar is read", PATIENCE, || {
        let answer = ask("service=checkout").json();
        (answer["known"] == true).then_some(())
    });
    for (at, person, from) in [
        ("2025-12-01T08:59:59Z", "bo", "2025-11-24"),
        ("2025-12-01T09:00:00Z", "ada", "2025-12-01"),
        ("2027-11-22T12:00:00%2B01:00", "bo", "2027-11-22"),
    ] {
        let answer = ask(&format!("service=checkout&at={at}"));
        assert_eq!(answer.status, 200, "{}", answer.body);
        let answer = answer.json();
        assert_eq!(
            (&answer["service"], &answer["known"], &answer["people"]),
            (&json!("checkout"), &json!(true), &json!([person])),
            "{answer}"
        );
        assert!(
            answer["why"][0]
                .as_str()
                .unwrap()
                .contains(&format!("shift from {from}T09:00:00Z")),
            "{answer}"
        );
    }
    let before = ask("service=checkout&at=2023-12-31").json();
    assert_eq!(
        (&before["known"], &before["people"], &before["why"]),
        (
            &json!(false),
            &json!([]),
            &json!(["its calendar begins later"])
        )
    );
    assert_eq!(ask("service=search").json()["known"], false);
    assert_eq!(ask("at=2026-12-01").status, 400);
    assert_eq!(ask("service=checkout&at=soon").status, 400);

    let url = format!("http://127.0.0.1:{}", world.port);
    let command = |more: &[&str]| {
        let mut arguments = vec!["on-call", "checkout", "--url", &url];
        arguments.extend(more);
        world.run(&arguments)
    };
    let said = command(&["--at", "2025-12-01T09:00:00Z"]);
    assert_eq!(said.code, Some(0), "{}", said.said);
    assert!(
        said.said
            .contains("On call for checkout at 2025-12-01T09:00:00Z: ada\n  Ada L.: shift from 2025-12-01T09:00:00Z to 2025-12-08T09:00:00Z"),
        "{}",
        said.said
    );
    assert_eq!(command(&["--at", "soon"]).code, Some(1));
}
