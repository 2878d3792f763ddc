//! Ledger of closed incidents and its statistics per criterion, from a running service.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{PATIENCE, World, alert, stamp, until, webhook};

const RULES: &str = r#"criteria:
  - {name: declared, on: outage, decision: hold}
  - {name: long, on: degradation, where: signal.severity == "critical", longest: 30m, decision: suggest}
  - {name: asked, on: request, decision: hold}
correlation: {correlate_by: [service], settle: 1s, reopen_within: 1s}
"#;

const TRIED: &str = "shadow: true
criteria:
  - {name: shorter, on: degradation, longest: 10m, decision: suggest}
";

fn hours(ago: f64) -> String {
    stamp(Duration::from_secs_f64(ago * 3600.0))
}

/// A critical alert so many hours ago that lasted so many minutes; its incident once it has closed.
fn degraded(world: &World, name: &str, service: &str, ago: f64, minutes: f64) -> Value {
    let start = hours(ago);
    let mut fired = alert(name, service, &start);
    fired["labels"]["severity"] = json!("critical");
    assert_eq!(
        world
            .post("/ingest/alertmanager", &webhook(&[fired.clone()]))
            .status,
        200
    );
    fired["status"] = json!("resolved");
    fired["endsAt"] = json!(hours(ago - minutes / 60.0));
    assert_eq!(
        world
            .post("/ingest/alertmanager", &webhook(&[fired]))
            .status,
        200
    );
    closed(world, service)
}

fn closed(world: &World, service: &str) -> Value {
    until(
        &format!("the incident of {service} closes"),
        PATIENCE,
        || {
            let all = world.incidents();
            all.into_iter().find(|incident| {
                incident["services"][0] == service && incident["phase"] == "closed"
            })
        },
    )
}

fn answer(world: &World, incident: &Value, mut body: Value) {
    let id = incident["id"].as_str().unwrap();
    body["revision"] = world.incident(id)["revision"].clone();
    let told = world.post(&format!("/api/v1/incidents/{id}/review"), &body.to_string());
    assert_eq!(told.status, 201, "{}", told.body);
}

/// One of each: held, accepted, dismissed, asked for though not suggested, met by a shadow alone, waiting.
fn history(world: &mut World) {
    world.write("rules/rules.yaml", RULES);
    world.write("rules/tried.yaml", TRIED);
    world.start();
    let declared = |status: &str, at: f64| json!({"service": "held", "title": "Nobody can pay", "status": status, "at": hours(at)});
    for (status, at) in [("firing", 10.0), ("resolved", 9.7)] {
        assert_eq!(
            world
                .post("/api/v1/declarations", &declared(status, at).to_string())
                .status,
            201
        );
    }
    closed(world, "held");
    let accepted = degraded(world, "Errors", "checkout", 8.0, 40.0);
    answer(world, &accepted, json!({"answer": "accept", "by": "ada"}));
    let dismissed = degraded(world, "Errors", "dismissed", 7.0, 35.0);
    let why = json!({"answer": "dismiss", "reason": "too_small", "by": "bo", "comment": "=1+1, it was \"short\""});
    answer(world, &dismissed, why);
    let missed = degraded(world, "Errors", "missed", 6.0, 24.0);
    let asks =
        json!({"reason": "Forty calls about it", "requester": "lin", "incident": missed["id"]});
    assert_eq!(
        world.post("/api/v1/requests", &asks.to_string()).status,
        201
    );
    degraded(world, "=HYPERLINK(\"http://x\")", "shadowed", 5.0, 12.0);
    degraded(world, "Errors", "waiting", 4.0, 50.0);
    until("all is entered, with the answers", PATIENCE, || {
        let became: Vec<String> = rows(world, "")
            .values()
            .map(|row| row["became"].to_string())
            .collect();
        (became.len() == 6
            && !became.iter().any(|became| became == "\"reopened\"")
            && became
                .iter()
                .filter(|became| *became == "\"draft\"")
                .count()
                == 3)
            .then_some(())
    });
}

/// The rows of the ledger by service.
fn rows(world: &World, query: &str) -> BTreeMap<String, Value> {
    let answer = world.get(&format!("/api/v1/ledger{query}"));
    assert_eq!(answer.status, 200, "{}", answer.body);
    let rows = answer.json().as_array().unwrap().clone();
    rows.into_iter()
        .map(|row| {
            (
                row["entry"]["services"][0].as_str().unwrap().to_owned(),
                row,
            )
        })
        .collect()
}

fn services(world: &World, query: &str) -> Vec<String> {
    rows(world, query).into_keys().collect()
}

#[test]
fn ledger_lists_closed_incidents_with_outcomes() {
    let mut world = World::new();
    history(&mut world);
    let all = rows(&world, "");
    for (service, decision, became, answer, shadow) in [
        ("held", "hold", "draft", json!(null), "suggest"),
        ("checkout", "suggest", "draft", json!("accept"), "suggest"),
        (
            "dismissed",
            "suggest",
            "dismissed",
            json!("dismiss"),
            "suggest",
        ),
        ("missed", "hold", "draft", json!(null), "suggest"),
        ("shadowed", "none", "nothing", json!(null), "suggest"),
        ("waiting", "suggest", "waiting", json!(null), "suggest"),
    ] {
        let row = &all[service];
        assert_eq!(
            (&row["decision"], &row["became"]),
            (&json!(decision), &json!(became)),
            "{service}: {row}"
        );
        assert_eq!(
            row["answer"].get("answer").cloned().unwrap_or_default(),
            answer,
            "{service}: {row}"
        );
        assert_eq!(
            (
                &row["shadows"][0]["criterion"],
                &row["shadows"][0]["would_have"]
            ),
            (&json!("shorter"), &json!(shadow)),
            "{service}: {row}"
        );
        assert_eq!(
            row["entry"]["reasons"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|reason| **reason == row["shadows"][0]["sentence"])
                .count(),
            0
        );
    }
    let (accepted, dismissed) = (&all["checkout"], &all["dismissed"]);
    assert_eq!(accepted["postmortem"]["status"], "draft");
    let path = accepted["postmortem"]["path"].as_str().unwrap().to_owned();
    until("the draft is there", PATIENCE, || {
        std::fs::read_to_string(world.path(&path))
            .ok()
            .filter(|text| !text.contains("shorter"))
    });
    assert!(accepted["meeting"]["starts_at"].is_string(), "{accepted}");
    // What stood at closing still stands there.
    assert_eq!(
        (&dismissed["entry"]["standing"], &dismissed["standing"]),
        (&json!("suggested"), &json!("dismissed"))
    );
    assert_eq!(
        dismissed["amended"]["entry"]["review"]["reason"],
        "too_small"
    );

    for (query, expected) in [
        ("?service=held", &["held"][..]),
        ("?decision=hold", &["held", "missed"]),
        ("?decision=none", &["shadowed"]),
        (
            "?criterion=long&decision=suggest",
            &["checkout", "dismissed", "waiting"],
        ),
        ("?criterion=shorter&decision=none", &["shadowed"]),
        ("?criterion=nobody", &[]),
        ("?since=9h&until=6h", &["checkout", "dismissed"]),
        ("?since=1h", &[]),
        ("?since=1d&service=%20held%20&until=", &["held"]),
    ] {
        assert_eq!(services(&world, query), expected, "{query}");
    }
    for faulty in [
        "?servce=held",
        "?decision=maybe",
        "?since=soon",
        "?before=i-0",
        "?limit=0",
        "?format=xml",
    ] {
        let answer = world.get(&format!("/api/v1/ledger{faulty}"));
        assert_eq!(
            (answer.status, answer.json()["error"].is_string()),
            (400, true),
            "{faulty}: {}",
            answer.body
        );
    }

    // Page by page it is the same list.
    let mut paged = Vec::new();
    let mut next = Some("/api/v1/ledger?limit=4&since=1d".to_owned());
    while let Some(path) = next {
        let answer = world.get(&path);
        paged.extend(answer.json().as_array().unwrap().clone());
        next = answer.link.map(|link| {
            link.trim_start_matches('<')
                .split('>')
                .next()
                .unwrap()
                .to_owned()
        });
    }
    assert_eq!(Value::from(paged), world.get("/api/v1/ledger").json());
}

#[test]
fn csv_equals_json_and_holds_no_formula() {
    let mut world = World::new();
    history(&mut world);
    let answer = world.get("/api/v1/ledger?format=csv");
    assert_eq!(
        (answer.status, answer.kind.as_deref()),
        (200, Some("text/csv; charset=utf-8"))
    );
    assert_eq!(
        world
            .http
            .try_get_as("/api/v1/ledger", "text/csv, */*;q=0.5")
            .unwrap()
            .body,
        answer.body
    );
    assert_eq!(
        world
            .http
            .try_get_as("/api/v1/ledger", "application/json")
            .unwrap()
            .kind
            .as_deref(),
        Some("application/json")
    );
    assert_eq!(
        world
            .get("/api/v1/ledger?format=csv&limit=2")
            .body
            .lines()
            .count(),
        3
    );

    let mut reader = csv::Reader::from_reader(answer.body.as_bytes());
    let table: Vec<BTreeMap<String, String>> = reader.deserialize().map(Result::unwrap).collect();
    let of = |service: &str| table.iter().find(|row| row["services"] == service).unwrap();
    assert_eq!(table.len(), 6);
    let told = world.get("/api/v1/ledger").json();
    let ids: Vec<&str> = told
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["incident"].as_str().unwrap())
        .collect();
    assert_eq!(
        table
            .iter()
            .map(|row| row["incident"].as_str())
            .collect::<Vec<_>>(),
        ids
    );
    assert!(
        table
            .iter()
            .flat_map(BTreeMap::values)
            .all(|cell| !cell.starts_with(['=', '+', '-', '@', '\t', '\r'])),
        "{table:?}"
    );
    assert!(
        of("shadowed")["title"].starts_with("Shadowed: =HYPERLINK("),
        "{:?}",
        of("shadowed")
    );
    let dismissed = of("dismissed");
    assert_eq!(
        (
            dismissed["answer_reason"].as_str(),
            dismissed["answer_comment"].as_str()
        ),
        ("too_small", "'=1+1, it was \"short\"")
    );
    assert_eq!(
        (
            dismissed["resolve_seconds"].as_str(),
            dismissed["answered_by"].as_str()
        ),
        ("2100", "bo")
    );
    assert!(
        dismissed["closed_at"]
            .parse::<chrono::DateTime<chrono::Utc>>()
            .is_ok()
    );
    assert_eq!(
        (
            of("checkout")["became"].as_str(),
            of("checkout")["shadows"].as_str()
        ),
        ("draft", "shorter: suggest")
    );
}

#[test]
fn criteria_list_their_answers() {
    let mut world = World::new();
    history(&mut world);
    let record = |world: &World, name: &str| -> Value {
        let all = world.get("/api/v1/criteria").json();
        all.as_array()
            .unwrap()
            .iter()
            .find(|row| row["name"] == name)
            .unwrap()["record"]
            .clone()
    };
    let long = record(&world, "long");
    assert_eq!((&long["incidents"], &long["met"]), (&json!(6), &json!(3)));
    assert_eq!(
        long["suggested"],
        json!({"accepted": 1, "dismissed": {"too_small": 1}, "lapsed": 0, "waiting": 1, "bundled": 0})
    );
    assert_eq!(
        long["precision"],
        json!({"accepted": 1, "answered": 2, "too_few": true, "share": null, "low": null, "high": null})
    );
    assert_eq!(
        long["sentence"],
        "1 of 2 answered suggestions was accepted: too few to tell."
    );
    let missed = &long["missed"];
    assert_eq!(
        (&missed["requested"], &missed["all"], &missed["not_met"]),
        (&json!(1), &json!(1), &json!(1)),
        "{missed}"
    );
    let margin = missed["closest"]["measure"]["margin"].as_f64().unwrap();
    assert!((margin + 360.0).abs() < 1.0, "{missed}");
    let shorter = record(&world, "shorter");
    assert_eq!(
        (
            &shorter["met"],
            &shorter["unasked"],
            &shorter["missed"]["caught"]
        ),
        (&json!(6), &json!(1), &json!(1)),
        "{shorter}"
    );
    assert_eq!(
        (
            &shorter["precision"]["accepted"],
            &shorter["precision"]["answered"]
        ),
        (&json!(1), &json!(2))
    );
    assert_eq!(record(&world, "declared")["held"]["open"], 1);
    let (none, faulty) = (
        world.get("/api/v1/criteria?until=1d"),
        world.get("/api/v1/criteria?since=1h&until=2h"),
    );
    assert_eq!(
        (
            none.json()[0]["record"]["incidents"].as_i64(),
            faulty.status
        ),
        (Some(0), 400)
    );

    // What nobody answered in seven working days has lapsed: neither right nor wrong.
    world.kill();
    world.start_at("+20d");
    let long = record(&world, "long");
    assert_eq!(
        (
            &long["suggested"]["lapsed"],
            &long["suggested"]["waiting"],
            &long["precision"]["answered"]
        ),
        (&json!(1), &json!(0), &json!(2))
    );
    assert_eq!(rows(&world, "")["waiting"]["became"], "lapsed");
}

#[test]
fn ledger_and_criteria_pages_show_the_same() {
    let mut world = World::new();
    history(&mut world);
    let all = rows(&world, "");
    let page = world.get("/ledger").body;
    for wanted in [
        &format!(
            "href=\"/incidents/{}\"",
            all["shadowed"]["incident"].as_str().unwrap()
        ),
        &format!(
            "href=\"/postmortems/{}\"",
            all["held"]["postmortem"]["id"].as_str().unwrap()
        ),
        "Dismissed: too small for a postmortem (Bo M.",
        "href=\"/api/v1/ledger?format=csv\"",
        "shorter would have suggested a postmortem",
        "href=\"/ledger\" aria-current=\"page\"",
    ] {
        assert!(
            page.replace("<span class=\"badge quiet\">shadow</span> ", "")
                .contains(wanted),
            "no {wanted} in {page}"
        );
    }
    let narrowed = world
        .get("/ledger?since=&until=&service=held&decision=&criterion=")
        .body;
    assert!(
        narrowed.contains("Nobody can pay") && !narrowed.contains("HYPERLINK"),
        "{narrowed}"
    );
    assert!(
        narrowed.contains("href=\"/api/v1/ledger?format=csv&#38;service=held\""),
        "{narrowed}"
    );
    assert_eq!(world.get("/ledger?decision=maybe").status, 400);

    let page = world.get("/criteria").body;
    for wanted in [
        "People asked for a postmortem on 1 incident, which no other criterion had suggested or opened.",
        "1 of 2 answered suggestions was accepted: too few to tell.",
        "Dismissed: too small 1.",
        "24m (threshold 30m)",
        "1 met as a shadow: it would have suggested them",
    ] {
        assert!(page.contains(wanted), "no {wanted} in {page}");
    }

    // With the incident, by the API and by the command, the shadow is told as one.
    let id = all["shadowed"]["incident"].as_str().unwrap();
    assert!(
        world
            .get(&format!("/incidents/{id}"))
            .body
            .contains("would have suggested a postmortem")
    );
    let verdict = |path: &str, pointer: &str| {
        world
            .get(path)
            .json()
            .pointer(pointer)
            .cloned()
            .unwrap_or_default()
    };
    let at = format!("/api/v1/incidents/{id}");
    for (path, pointer) in [
        (at.clone(), "/verdicts/3"),
        (format!("{at}/verdicts"), "/3"),
    ] {
        let verdict = verdict(&path, pointer);
        assert_eq!(
            (&verdict["shadow"], &verdict["would_have"]),
            (&json!(true), &json!("suggest")),
            "{verdict}"
        );
    }
    let explained = world.run(&[
        "explain",
        id,
        "--url",
        &format!("http://127.0.0.1:{}", world.port),
    ]);
    assert!(
        explained
            .said
            .contains("shorter: met, a shadow that would have suggested a postmortem"),
        "{}",
        explained.said
    );
}
