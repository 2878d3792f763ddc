//! Commands that a new user runs first, and manual input to a running service.

use crate::harness::{PATIENCE, World, until};

#[test]
fn init_files_pass_check_and_their_scenarios() {
    let world = World::new();
    assert_eq!(world.run(&["init", "mine"]).code, Some(0));
    let again = world.run(&["init", "mine"]);
    assert_eq!(
        again.code,
        Some(1),
        "what is there is never overwritten: {}",
        again.said
    );
    let checked = world.run(&["check", "mine/afterword.yaml", "mine/rules"]);
    assert_eq!(checked.code, Some(0), "{}", checked.said);
    let tested = world.run(&["test", "mine/rules/postmortems.test.yaml"]);
    assert_eq!(tested.code, Some(0), "{}", tested.said);
    assert!(tested.said.contains(" 0 failed"), "{}", tested.said);
}

#[test]
fn failing_scenario_shows_expected_and_got() {
    let world = World::new();
    world.write(
        "rules/r.yaml",
        "criteria: [{name: long, on: degradation, longest: 30m, decision: hold}]\n",
    );
    world.write(
        "rules/r.test.yaml",
        "rules: [r.yaml]\nscenarios:\n  - name: too short\n    events:\n      - {at: 0m, alert: A, status: firing, service: s, severity: critical}\n    \
         expect:\n      - {at: 29m, decision: hold}\n",
    );
    let ended = world.run(&["test", "rules/r.test.yaml"]);
    assert_eq!(ended.code, Some(1), "{}", ended.said);
    for part in [
        "too short",
        "- hold",
        "+ none",
        "0 scenarios passed, 1 failed",
    ] {
        assert!(ended.said.contains(part), "no {part:?} in {}", ended.said);
    }
}

#[test]
fn test_and_check_have_machine_readable_output() {
    let world = World::new();
    world.write(
        "r.yaml",
        "criteria: [{name: long, on: degradation, longest: 30m, decision: hold}]\n",
    );
    world.write(
        "r.test.yaml",
        "rules: [r.yaml]\nscenarios:\n- {name: a <b>, events: [], expect: [{at: 90s, decision: hold}, {at: 2m, incidents: 1}]}\n\
         - {name: fine, events: [], expect: [{at: 1m, decision: none}]}\n",
    );
    world.write("broken.test.yaml", "rules: [nowhere.yaml]\nscenarios: []\n");
    let both = ["test", "r.test.yaml", "broken.test.yaml", "--format"];
    let ended = world.run(&[&both[..], &["json"]].concat());
    assert_eq!(ended.code, Some(1), "{}", ended.said);
    let told: serde_json::Value = serde_json::from_str(&ended.said).unwrap();
    assert_eq!(
        (&told["passed"], &told["failed"]),
        (&1.into(), &1.into()),
        "{told:#}"
    );
    let expected = serde_json::json!([
        {"at": "1m30s", "line": 3, "what": "decision", "expected": "hold", "got": "none", "why": "no incident"},
        {"at": "2m", "line": 3, "what": "incidents", "expected": "1", "got": "0", "why": ""},
    ]);
    assert_eq!(
        told["files"][0]["scenarios"][0]["differences"], expected,
        "{told:#}"
    );
    assert_eq!(told["files"][0]["scenarios"][1]["passed"], true, "{told:#}");
    assert_eq!(
        (
            &told["files"][1]["faults"][0]["line"],
            &told["files"][1]["faults"][0]["column"]
        ),
        (&1.into(), &9.into()),
        "{told:#}"
    );

    let ended = world.run(&[&both[..], &["junit"]].concat());
    assert_eq!(ended.code, Some(1), "{}", ended.said);
    for part in [
        "<testsuites name=\"afterword\" tests=\"3\" failures=\"1\" errors=\"1\">",
        "a &lt;b&gt;",
        "<error message=\"cannot read the rules",
    ] {
        assert!(ended.said.contains(part), "no {part:?} in {}", ended.said);
    }
    // Python's own reader stands for those of CI systems.
    world.write("r.xml", &ended.said);
    let script = "import xml.etree.ElementTree as x; print([c.get('line') for c in x.parse('r.xml').iter('testcase')])";
    assert_eq!(
        world.run_program("python3", &["-c", script]).said,
        "['3', '4', '1']\n"
    );

    world.write(
        "r.yaml",
        "criteria: [{name: long, on: outage, decision: hold, shadw: true, longest: 3}]\n",
    );
    let ended = world.run(&["check", "r.test.yaml", "r.yaml", "--format", "json"]);
    assert_eq!(ended.code, Some(1), "{}", ended.said);
    let told: serde_json::Value = serde_json::from_str(&ended.said).unwrap();
    let columns: Vec<u64> = told["faults"]
        .as_array()
        .unwrap()
        .iter()
        .map(|fault| fault["column"].as_u64().unwrap())
        .collect();
    assert_eq!(
        (&told["files"], columns),
        (&2.into(), vec![53, 66, 75]),
        "{told:#}"
    );
    world.write(
        "r.yaml",
        "criteria: [{name: long, on: outage, decision: hold}]\n",
    );
    let fine = world
        .run(&["check", "r.test.yaml", "--format", "json"])
        .said;
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&fine).unwrap(),
        serde_json::json!({"files": 1, "faults": [], "warnings": []})
    );
}

#[test]
fn check_reads_the_rules_that_scenarios_name() {
    let world = World::new();
    world.write(
        "r.yaml",
        "criteria: [{name: long, on: outage, decision: hold}]\n",
    );
    world.write("r.test.yaml", "rules: [r.yaml]\nscenarios: [{name: a, events: [], expect: [{at: 1m, criteria: {lang: met}}]}]\n");
    let ended = world.run(&["check", "r.test.yaml"]);
    assert_eq!(
        (ended.code, ended.said.trim()),
        (
            Some(1),
            "r.test.yaml:2:64: none of these rule files has a criterion `lang`; did you mean `long`?"
        )
    );
}

#[test]
fn schema_is_printed_for_each_file_kind() {
    let world = World::new();
    for (of, key) in [
        ("rules", "criteria"),
        ("config", "listen"),
        ("scenario", "scenarios"),
        ("event", "$defs"),
    ] {
        let ended = world.run(&["schema", of]);
        let schema: serde_json::Value = serde_json::from_str(&ended.said)
            .unwrap_or_else(|fault| panic!("{fault}: {}", ended.said));
        assert_eq!(
            schema["$schema"],
            "https://json-schema.org/draft/2020-12/schema"
        );
        assert!(
            !schema["properties"][key].is_null() || !schema[key].is_null(),
            "no {key} in {schema:#}"
        );
    }
    assert_eq!(world.run(&["schema", "nothing"]).code, Some(2));
}

#[test]
fn demo_writes_a_draft_and_an_invite() {
    let world = World::new();
    let ended = world.run(&[
        "demo",
        "--once",
        "--directory",
        "demo",
        "--listen",
        "127.0.0.1:0",
    ]);
    assert_eq!(ended.code, Some(0), "{}", ended.said);
    let drafts = world.files("demo/postmortems", ".md");
    assert_eq!(
        (drafts.len(), world.files("demo/invites", ".ics").len()),
        (1, 1),
        "{}",
        ended.said
    );
    let draft = std::fs::read_to_string(world.path("demo/postmortems").join(&drafts[0])).unwrap();
    for part in [
        "Checkout was degraded for 47m without a break (threshold 30m).",
        "deploy (9f2c1ab)",
        "Manual step by Sam O.: restart",
    ] {
        assert!(draft.contains(part), "no {part:?} in {draft}");
    }
    // It removes what an earlier demo left, and nothing else.
    assert_eq!(
        world
            .run(&[
                "demo",
                "--once",
                "--directory",
                "demo",
                "--listen",
                "127.0.0.1:0"
            ])
            .code,
        Some(0)
    );
    let refused = world.run(&[
        "demo",
        "--once",
        "--directory",
        "rules",
        "--listen",
        "127.0.0.1:0",
    ]);
    assert_eq!(refused.code, Some(1), "{}", refused.said);
    assert!(world.path("rules/rules.yaml").exists());
}

#[test]
fn stale_answer_gets_409_with_the_current_state() {
    let mut world = World::new();
    world.write(
        "rules/rules.yaml",
        "criteria: [{name: by-hand, on: intervention, decision: suggest}, {name: asked, on: request, decision: hold}]\n",
    );
    world.start();
    let url = format!("http://127.0.0.1:{}", world.port);
    let told = world.run(&[
        "intervene",
        "restart",
        "--service",
        "checkout",
        "--why",
        "workers hung",
        "--actor",
        "ada",
        "--url",
        &url,
    ]);
    assert_eq!(told.code, Some(0), "{}", told.said);
    let incident = &world.incidents()[0];
    let (id, revision) = (
        incident["id"].as_str().unwrap(),
        incident["revision"].as_u64().unwrap(),
    );
    assert_eq!(incident["standing"], "suggested");
    assert!(
        world
            .get("/suggestions")
            .body
            .contains("1 manual restart (threshold 1).")
    );
    assert!(
        world.files("postmortems", ".md").is_empty(),
        "a suggestion opens nothing by itself"
    );
    let path = format!("/api/v1/incidents/{id}/review");
    let stale = world.post(
        &path,
        &format!(r#"{{"revision": {}, "answer": "accept"}}"#, revision + 7),
    );
    assert_eq!(stale.status, 409, "{}", stale.body);
    assert!(
        stale.body.contains("manual restart"),
        "no news in {}",
        stale.body
    );
    let unreasoned = world.post(
        &path,
        &format!(r#"{{"revision": {revision}, "answer": "dismiss"}}"#),
    );
    assert_eq!(unreasoned.status, 400, "{}", unreasoned.body);
    let accepted = world.post(
        &path,
        &format!(r#"{{"revision": {revision}, "answer": "accept"}}"#),
    );
    assert_eq!(accepted.status, 201, "{}", accepted.body);
    until("the draft is written", PATIENCE, || {
        (world.files("postmortems", ".md").len() == 1).then_some(())
    });
    let explained = world.run(&["explain", id, "--url", &url]);
    assert!(
        explained.said.contains("by-hand: met"),
        "{}",
        explained.said
    );
}

#[test]
fn check_names_the_files_that_it_read() {
    let world = World::new();
    let checked = world.run(&["check"]);
    assert_eq!(checked.code, Some(0), "{}", checked.said);
    assert!(
        checked.said.contains("2 files checked, no faults: "),
        "{}",
        checked.said
    );
    assert!(checked.said.contains("rules.yaml"), "{}", checked.said);
}

#[test]
fn check_of_a_missing_file_says_so_without_a_position() {
    let world = World::new();
    let checked = world.run(&["check", "gone.yaml"]);
    assert_eq!(checked.code, Some(1), "{}", checked.said);
    assert_eq!(checked.said.trim(), "gone.yaml: this file does not exist");
}

#[test]
fn check_places_a_missing_secret_where_it_is_named() {
    let world = World::new();
    world.write(
        "secret.yaml",
        "listen: 127.0.0.1:9099\nsources:\n  - {name: am, kind: alertmanager, auth: {bearer_token_file: gone}}\n",
    );
    let checked = world.run(&["check", "secret.yaml"]);
    assert_eq!(checked.code, Some(1), "{}", checked.said);
    let fault = "secret.yaml:3:62: the secret file gone does not exist";
    assert!(checked.said.contains(fault), "{}", checked.said);
}

#[test]
fn check_refuses_the_storage_that_serve_refuses() {
    let world = World::new();
    world.write(
        "tls.yaml",
        "listen: 127.0.0.1:9099\nstorage: postgres://a@db/b?sslmode=require\n",
    );
    let checked = world.run(&["check", "tls.yaml"]);
    assert_eq!(checked.code, Some(1), "{}", checked.said);
    let fault = "tls.yaml:2:10: `sslmode=require` is not supported";
    assert!(checked.said.contains(fault), "{}", checked.said);
}

#[test]
fn report_without_a_service_names_the_option() {
    let world = World::new();
    for arguments in [
        &["declare", "Nobody can pay"][..],
        &["near-miss", "the disk was at 98 %"],
        &["intervene", "restart", "--why", "workers hung"],
    ] {
        let ended = world.run(arguments);
        assert_eq!(ended.code, Some(2), "{}", ended.said);
        assert!(
            ended.said.contains("--service is missing"),
            "{}",
            ended.said
        );
    }
}

#[test]
fn end_of_an_outage_that_nobody_declared_says_so() {
    let world = World::started();
    let url = format!("http://127.0.0.1:{}", world.port);
    let end = [
        "declare",
        "--resolved",
        "--service",
        "nosuch",
        "--url",
        &url,
    ];
    let ended = world.run(&end);
    assert_eq!(ended.code, Some(0), "{}", ended.said);
    assert!(
        ended.said.contains("no declared outage of nosuch is open"),
        "{}",
        ended.said
    );
    let declared = world.run(&[
        "declare",
        "Nobody can pay",
        "--service",
        "checkout",
        "--at",
        "1h",
        "--url",
        &url,
    ]);
    assert!(declared.said.contains("Status: "), "{}", declared.said);
    let end = [
        "declare",
        "--resolved",
        "--service",
        "checkout",
        "--url",
        &url,
    ];
    let ended = world.run(&end);
    assert!(ended.said.contains("Status: "), "{}", ended.said);
}

#[test]
fn wrong_method_and_query_are_told_in_json() {
    let world = World::started();
    let method = world.post("/api/v1/criteria", "{}");
    assert_eq!(method.status, 405, "{}", method.body);
    assert_eq!(method.json()["error"], "this address takes only GET");
    for (path, fault) in [
        (
            "/api/v1/ledger?decison=hold",
            "unknown parameter `decison`; did you mean `decision`?",
        ),
        (
            "/api/v1/quarantine?open=maybe",
            "`open` must be true or false",
        ),
    ] {
        let answer = world.get(path);
        assert_eq!(answer.status, 400, "{}", answer.body);
        assert_eq!(answer.json()["error"], fault);
    }
    let page = world.get("/incidents/nosuch").body;
    assert!(page.contains("<h1>Not found</h1>"), "{page}");
    assert!(!page.contains("/api/"), "{page}");
}

#[test]
fn unreachable_service_exits_with_3() {
    let world = World::new();
    let ended = world.run(&[
        "request",
        "we saw errors",
        "--url",
        &format!("http://127.0.0.1:{}", world.port),
    ]);
    assert_eq!(ended.code, Some(3), "{}", ended.said);
    assert!(ended.said.contains("afterword serve"), "{}", ended.said);
}

#[test]
fn prometheus_parses_our_metrics() {
    let world = World::started();
    world.post(
        "/api/v1/requests",
        r#"{"reason": "we saw errors", "service": "checkout"}"#,
    );
    let text = world.get("/metrics").body;
    let lines = text.lines().map(|line| Ok(line.to_owned()));
    let scraped = prometheus_parse::Scrape::parse(lines).unwrap();
    let value = |name: &str| {
        scraped
            .samples
            .iter()
            .find(|sample| sample.metric == name)
            .map(|sample| sample.value.clone())
    };
    for name in ["afterword_log_head", "afterword_log_applied"] {
        let Some(prometheus_parse::Value::Gauge(records)) = value(name) else {
            panic!("no gauge {name} in {text}")
        };
        // The settings in force are the first record.
        assert!(records >= 2.0, "{name} is {records}");
    }
}
