//! Polling a real Alertmanager: the end of an alert hidden by a silence, the author of the silence,
//! and no conclusions while it is down.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Http, PATIENCE, World, free_port, pause, send_signal, stamp, until};

/// Afterword that asks an Alertmanager every second, and that Alertmanager.
struct Asked {
    world: World,
    alertmanager: Http,
    port: u16,
    pid: u32,
}

impl Asked {
    fn start() -> Self {
        let (mut world, port) = (World::new(), free_port());
        world.write_alertmanager_settings("1h");
        let settings = std::fs::read_to_string(world.path("afterword.yaml")).unwrap();
        let api = format!("auth: none, api: {{url: 'http://127.0.0.1:{port}', every: 1s}}}}");
        world.write("afterword.yaml", &settings.replacen("auth: none}", &api, 1));
        world.start();
        let pid = world.start_alertmanager_on(port);
        Self {
            world,
            alertmanager: Http::new(port),
            port,
            pid,
        }
    }

    /// Posts an alert that began a second ago and lasts until `ends_at`.
    fn post(&self, name: &str, starts_at: &str, ends_at: &str) {
        let alert = json!([{"labels": {"alertname": name, "service": "checkout", "severity": "warning"}, "startsAt": starts_at, "endsAt": ends_at}]);
        let answer = self
            .alertmanager
            .try_post("/api/v2/alerts", &alert.to_string(), &[])
            .unwrap();
        assert_eq!(answer.status, 200, "{}", answer.body);
    }

    /// What the members of the one incident state, once it is so that `found` finds something in it.
    fn wait<T>(&self, what: &str, found: impl Fn(&[Value]) -> Option<T>) -> T {
        until(what, PATIENCE, || found(&self.facts()))
    }

    fn facts(&self) -> Vec<Value> {
        let incidents = self.world.incidents();
        assert!(
            incidents.len() < 2,
            "more than one incident: {incidents:#?}"
        );
        let Some(listed) = incidents.first() else {
            return Vec::new();
        };
        let incident = self.world.incident(listed["id"].as_str().unwrap());
        incident["members"]
            .as_array()
            .unwrap()
            .iter()
            .map(|member| member["event"].clone())
            .collect()
    }
}

fn of_kind<'a>(events: &'a [Value], kind: &'a str) -> impl Iterator<Item = &'a Value> {
    events
        .iter()
        .filter(move |event| event["fact"]["kind"] == kind)
}

fn resolved(events: &[Value]) -> Option<Value> {
    of_kind(events, "alert")
        .find(|event| event["fact"]["status"] == "resolved")
        .cloned()
}

#[test]
fn silenced_alert_ends_and_names_who_silenced_it() {
    let asked = Asked::start();
    let (began, ahead) = (
        stamp(Duration::from_secs(1)),
        (crate::harness::wall() + Duration::from_secs(3600)).to_rfc3339(),
    );
    asked.post("CheckoutSlow", &began, &ahead);
    asked.wait("the webhook comes", |events| {
        of_kind(events, "alert").next().map(drop)
    });

    let url = format!("http://127.0.0.1:{}", asked.port);
    let silenced = asked.world.run_program(
        "amtool",
        &[
            "--alertmanager.url",
            &url,
            "silence",
            "add",
            "alertname=CheckoutSlow",
            "-a",
            "ada",
            "-c",
            "on it",
        ],
    );
    assert_eq!(silenced.code, Some(0), "{}", silenced.said);
    let actor = asked.wait("the silence is an acknowledgement", |events| {
        of_kind(events, "acknowledgement")
            .next()
            .map(|event| event["actor"]["id"].clone())
    });
    assert_eq!(actor, "alertmanager:ada");
    let note = asked.wait("the silence is noted", |events| {
        of_kind(events, "note")
            .next()
            .map(|event| event["fact"]["text"].clone())
    });
    let note = note.as_str().unwrap();
    assert!(
        note.starts_with("CheckoutSlow is silenced in Alertmanager until ")
            && note.ends_with(": on it"),
        "{note}"
    );
    assert_eq!(resolved(&asked.facts()), None, "a silence hides nothing");

    asked.post("CheckoutSlow", &began, &stamp(Duration::ZERO));
    let end = asked.wait("the end is known", resolved);
    assert_eq!(
        (&end["fact"]["end_reason"], &end["source"]),
        (&json!("recovered"), &json!("alertmanager"))
    );
    assert_eq!(
        of_kind(&asked.facts(), "acknowledgement").count(),
        1,
        "it is told once"
    );
}

#[test]
fn alert_missing_from_a_restarted_alertmanager_stays_open() {
    let mut asked = Asked::start();
    let (began, ahead) = (
        stamp(Duration::from_secs(1)),
        (crate::harness::wall() + Duration::from_secs(3600)).to_rfc3339(),
    );
    asked.post("CheckoutSlow", &began, &ahead);
    asked.wait("the webhook comes", |events| {
        of_kind(events, "alert").next().map(drop)
    });
    until("it was asked", PATIENCE, || {
        asked
            .world
            .get("/conditions")
            .body
            .contains("alertmanager api")
            .then_some(())
    });
    // It has been listed by then.
    pause(Duration::from_secs(2));

    send_signal(asked.pid, "KILL");
    until("it is told that nobody answers", PATIENCE, || {
        let log = std::fs::read_to_string(asked.world.path("afterword.log")).unwrap();
        log.contains("the API of source `alertmanager`")
            .then_some(())
    });
    pause(Duration::from_secs(3));
    assert_eq!(asked.facts().len(), 1, "nothing is made up");

    // It comes back, and knows of no alert.
    asked.pid = asked.world.start_alertmanager_on(asked.port);
    pause(Duration::from_secs(5));
    assert_eq!(asked.facts().len(), 1, "nothing is made up");
}

#[test]
fn alert_that_its_sender_stopped_renewing_did_not_recover() {
    let asked = Asked::start();
    let ahead = crate::harness::wall() + Duration::from_secs(8);
    asked.post(
        "CheckoutSlow",
        &stamp(Duration::from_secs(1)),
        &ahead.to_rfc3339(),
    );
    // Alertmanager says "resolved" at the end of the promise, as it does for a Prometheus that died.
    let end = asked.wait("the end is known", resolved);
    assert_eq!(end["fact"]["end_reason"], json!("source_lost"), "{end}");
}
