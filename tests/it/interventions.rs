//! Manual intervention: as reported by systems, noted by people, and recorded from the commands
//! that they run.

use serde_json::{Value, json};

use crate::harness::{PATIENCE, World, alert, until, webhook};

const RULES: &str = "criteria:
  - {name: by-hand, on: intervention, where: intervention.should_be_automatic, decision: suggest}
";

/// Running, with a source of each kind that tells what people do.
fn watched() -> World {
    let mut world = World::new();
    let settings = std::fs::read_to_string(world.path("afterword.yaml")).unwrap();
    let sources = "services:\n  - {name: checkout, owners: [ada, bo], stakeholders: [lin], automatic: [rollback, restart]}\n";
    let settings = settings.replace("services:\n  - {name: checkout, owners: [ada, bo], stakeholders: [lin]}\n", sources).replace(
        "sources:\n",
        "sources:\n  - {name: cluster, kind: kubernetes_audit, auth: none, services: {'shop/till': checkout}}\n  - {name: argo, kind: argocd, auth: none}\n  \
         - {name: hub, kind: github, auth: none}\n  - {name: lab, kind: gitlab, auth: none}\n",
    );
    let settings = settings.replace(
        "{id: ada, name: Ada L.,",
        "{id: ada, name: Ada L., aliases: ['kubernetes:ada@example.com'],",
    );
    world.write("afterword.yaml", &settings);
    world.write("rules/rules.yaml", RULES);
    world.start();
    world
}

/// An instant so many minutes ago.
fn ago(world: &World, minutes: i64) -> String {
    let date = world.run_program(
        "date",
        &[
            "-u",
            "-d",
            &format!("-{minutes} minutes"),
            "+%Y-%m-%dT%H:%M:%SZ",
        ],
    );
    date.said.trim().to_owned()
}

fn sync(revision: &str, user: Option<&str>, finished: &str) -> String {
    let by = user.map_or_else(
        || json!({"automated": true}),
        |user| json!({"username": user}),
    );
    let operation = json!({"operation": {"initiatedBy": by}, "phase": "Succeeded", "finishedAt": finished, "syncResult": {"revision": revision}});
    json!({"app": "checkout", "namespace": "argocd", "destination": {"namespace": "shop"}, "operationState": operation}).to_string()
}

fn undo(at: &str, user: &str) -> String {
    let item = json!({
        "auditID": format!("{at}{user}"), "stage": "ResponseComplete", "verb": "patch", "requestURI": "/apis/apps/v1/namespaces/shop/deployments/till",
        "user": {"username": user}, "objectRef": {"resource": "deployments", "namespace": "shop", "name": "till"}, "responseStatus": {"code": 200},
        "requestObject": [{"op": "replace", "path": "/spec/template", "value": {}}], "requestReceivedTimestamp": at,
    });
    json!({"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "items": [item]}).to_string()
}

#[test]
fn rollback_reported_twice_counts_once_in_the_draft() {
    let world = watched();
    let minutes = |minutes| ago(&world, minutes);
    for (revision, user, at) in [
        ("1111111", None, minutes(300)),
        ("2222222", None, minutes(30)),
    ] {
        assert_eq!(
            world
                .post("/ingest/argo", &sync(revision, user, &at))
                .status,
            200
        );
    }
    assert!(world.incidents().is_empty(), "changes open nothing");
    world.post(
        "/ingest/alertmanager",
        &webhook(&[alert("Errors", "checkout", &minutes(20))]),
    );
    world.post(
        "/ingest/cluster",
        &undo(
            &minutes(10),
            "system:serviceaccount:kube-system:deployment-controller",
        ),
    );
    world.post("/ingest/cluster", &undo(&minutes(10), "ada@example.com"));
    world.post("/ingest/argo", &sync("1111111", Some("admin"), &minutes(9)));
    let incident = until("the rollback is judged", PATIENCE, || {
        world.incidents().into_iter().find(|incident| {
            incident["standing"] == "suggested" && incident["rollbacks"].as_array().is_some()
        })
    });
    let verdict = &incident["verdicts"][0];
    assert_eq!(
        verdict["sentence"], "1 manual rollback (threshold 1).",
        "{incident:#}"
    );
    let page = world
        .get(&format!("/incidents/{}", incident["id"].as_str().unwrap()))
        .body;
    for part in [
        "Rollback to an earlier revision (1111111)",
        "rollout undo of deployments/till, namespace shop",
        "Change: deploy",
    ] {
        assert!(page.contains(part), "no {part:?} in {page}");
    }
    assert!(!page.contains("deployment-controller"));
    let review = format!(
        "/api/v1/incidents/{}/review",
        incident["id"].as_str().unwrap()
    );
    let accepted = world.post(
        &review,
        &json!({"revision": incident["revision"], "answer": "accept"}).to_string(),
    );
    assert_eq!(accepted.status, 201, "{}", accepted.body);
    let drafts = until("the draft is written", PATIENCE, || {
        Some(world.files("postmortems", ".md")).filter(|drafts| !drafts.is_empty())
    });
    let draft = std::fs::read_to_string(world.path("postmortems").join(&drafts[0])).unwrap();
    for part in [
        "Rollback by argocd:admin to an earlier revision (1111111)",
        "Manual step by Ada L.: rollback",
    ] {
        assert!(draft.contains(part), "no {part:?} in {draft}");
    }
}

#[test]
fn messages_without_a_manual_step_open_nothing() {
    let world = watched();
    let github = |event: &str, body: &Value| {
        let answer = world
            .http
            .try_post(
                "/ingest/hub",
                &body.to_string(),
                &[("X-GitHub-Event", event)],
            )
            .unwrap();
        assert_eq!(answer.status, 200, "{}", answer.body);
    };
    github("ping", &json!({"zen": "x", "hook_id": 1}));
    github("push", &json!({"ref": "refs/heads/main"}));
    world.post("/ingest/lab", r#"{"object_kind": "push"}"#);
    world.post("/ingest/cluster", r#"{"kind": "EventList", "items": []}"#);
    // Authentic, and odd.
    for (source, body) in [
        ("cluster", r#"{"kind": 0}"#),
        ("argo", r#"{"text": "x"}"#),
        ("lab", "{}"),
        ("hub", "[]"),
    ] {
        assert_eq!(
            world.post(&format!("/ingest/{source}"), body).status,
            200,
            "{source}"
        );
    }
    assert!(world.incidents().is_empty());
}

/// The arguments of `afterword run` for a command.
fn run<'a>(url: &'a str, options: &[&'a str], command: &[&'a str]) -> Vec<&'a str> {
    [
        &[
            "run",
            "--service",
            "checkout",
            "--why",
            "workers hung",
            "--url",
            url,
        ],
        options,
        &["--"],
        command,
    ]
    .concat()
}

#[test]
fn run_records_the_command_unchanged() {
    let world = watched();
    let url = format!("http://127.0.0.1:{}", world.port);
    let ended = world.run(&run(
        &url,
        &["--action", "restart", "--actor", "ada"],
        &["sh", "-c", "echo secret; echo more >&2; exit 7"],
    ));
    assert_eq!(
        (ended.code, ended.said.as_str()),
        (Some(7), "secret\nmore\n")
    );
    let incident = world.incidents().remove(0);
    assert_eq!(incident["verdicts"][0]["outcome"], "met", "{incident:#}");
    let page = world
        .get(&format!("/incidents/{}", incident["id"].as_str().unwrap()))
        .body;
    for part in [
        "Manual step: restart",
        "workers hung (sh with 2 arguments, exit code 7 after",
        "Ada L.",
    ] {
        assert!(page.contains(part), "no {part:?} in {page}");
    }
    assert!(
        !page.contains("secret"),
        "arguments are told only where that is allowed"
    );

    let shown = world.run(&run(
        &url,
        &["--show-arguments", "--should-be-automatic"],
        &["sh", "-c", "exit 0"],
    ));
    assert_eq!((shown.code, shown.said.as_str()), (Some(0), ""));
    let page = world
        .get(&format!("/incidents/{}", incident["id"].as_str().unwrap()))
        .body;
    assert!(
        page.contains("sh -c &#39;exit 0&#39;, exit code 0")
            || page.contains("sh -c &#x27;exit 0&#x27;"),
        "{page}"
    );
    // Input passes through too.
    let line = format!(
        "echo in | '{}' run --service checkout --why x --url {url} -- cat",
        env!("CARGO_BIN_EXE_afterword")
    );
    assert_eq!(world.run_program("bash", &["-c", &line]).said, "in\n");
}

#[test]
fn run_keeps_the_exit_code_when_the_service_is_away() {
    let world = World::new();
    let url = format!("http://127.0.0.1:{}", world.port);
    let ended = world.run(&run(
        &url,
        &["--action", "fail over", "--actor", "ada"],
        &["sh", "-c", "echo done; exit 3"],
    ));
    assert_eq!(ended.code, Some(3), "{}", ended.said);
    let again = "to record it later: afterword intervene 'fail over' --service checkout --why 'workers hung (sh with 2 arguments";
    for part in [
        "done\n",
        "the step was not recorded",
        again,
        "--actor ada",
        &url,
    ] {
        assert!(ended.said.contains(part), "no {part:?} in {}", ended.said);
    }
    for (command, code) in [
        (&["/no/such/command"][..], 127),
        (&["no-such-command"], 127),
        (&["/etc/passwd"], 126),
        (&["sh", "-c", "kill -TERM $$"], 143),
        (&["sh", "-c", "kill -KILL $$"], 137),
        // A signal for us is one for the command; what a terminal sends reaches it anyway, and does not end us before it.
        (&["sh", "-c", "kill -TERM $PPID; exec sleep 60"], 143),
        (
            &["sh", "-c", "kill -INT $PPID; kill -QUIT $PPID; exit 5"],
            5,
        ),
    ] {
        let ended = world.run(&run(&url, &[], command));
        assert_eq!(ended.code, Some(code), "{command:?}: {}", ended.said);
    }
    assert_eq!(
        world
            .run(&["run", "--service", "checkout", "--why", "x"])
            .code,
        Some(2),
        "no command"
    );
}

#[test]
fn printed_line_records_the_step_later() {
    let mut world = World::new();
    world.write("rules/rules.yaml", RULES);
    let url = format!("http://127.0.0.1:{}", world.port);
    let ended = world.run(&run(&url, &["--should-be-automatic"], &["true"]));
    let line = ended
        .said
        .lines()
        .find_map(|line| line.split_once("to record it later: "))
        .unwrap()
        .1
        .to_owned();
    world.start();
    let script = format!(
        "afterword() {{ '{}' \"$@\"; }}; {line}",
        env!("CARGO_BIN_EXE_afterword")
    );
    let repeated = world.run_program("bash", &["-c", &script]);
    assert_eq!(repeated.code, Some(0), "{}", repeated.said);
    assert_eq!(world.incidents()[0]["verdicts"][0]["outcome"], "met");
}
