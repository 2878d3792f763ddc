//! Sender quirks that implementations often get wrong, one test each, named after the quirk.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use afterword::engine::changes::IncidentChanges;
use afterword::engine::policy::Policy;
use afterword::engine::replay::Replay;
use afterword::ingest::auth::signature::{SignatureFault, SignatureVerifier};
use afterword::ingest::dispatch::read;
use afterword::ingest::message::{Headers, Message};
use afterword::ingest::reading::Reading;
use afterword::model::event::{Alert, AlertStatus, EndReason, Event, Fact, Severity};
use afterword::model::source::{SourceKind, signing};
use afterword::model::time::Time;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;
use sha2::Sha256;

use super::harness::{World, until};
use super::source_payloads::{Payload, payload, payloads, settings_of, world_with_sources};

const NOW: &str = "2026-11-23T12:00:00Z";

fn now() -> Time {
    NOW.parse().unwrap()
}

/// What a source of the kind reads in a body.
fn told(kind: &str, headers: &[(&str, &str)], body: &str) -> Reading {
    let settings = settings_of(kind);
    let headers: Headers<'_> = headers
        .iter()
        .map(|(name, value)| (*name, value.as_bytes()))
        .collect();
    let names = settings.config.sources[0]
        .labels
        .as_ref()
        .unwrap_or(&settings.config.labels);
    let message = Message {
        source: "source",
        headers: &headers,
        body: body.as_bytes(),
        names,
        now: now(),
    };
    read(&settings.readers["source"], &message, &mut |_| false).unwrap()
}

/// What a payload of the project says.
fn of(name: &str) -> Reading {
    let payload = payload(name);
    let headers: Vec<(&str, &str)> = payload
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    told(
        name.split('/').next().unwrap(),
        &headers,
        std::str::from_utf8(&payload.body).unwrap(),
    )
}

fn alerts(reading: &Reading) -> Vec<&Alert> {
    let alert = |event| match event {
        &Event {
            fact: Fact::Alert(ref alert),
            ..
        } => Some(alert),
        _ => None,
    };
    reading.events().filter_map(alert).collect()
}

fn states(reading: &Reading) -> Vec<(AlertStatus, EndReason)> {
    alerts(reading)
        .iter()
        .map(|alert| (alert.status, alert.end_reason))
        .collect()
}

/// One alert of Alertmanager's, beside what the group says of itself.
fn group(group: &str, alerts: &[serde_json::Value]) -> String {
    format!(
        r#"{{"version": "4", {group}, "alerts": {}}}"#,
        json!(alerts)
    )
}

fn firing(name: &str, since: &str) -> serde_json::Value {
    json!({"status": "firing", "labels": {"alertname": name, "service": "checkout"}, "startsAt": since, "endsAt": "0001-01-01T00:00:00Z"})
}

/// An engine that was told these events, each at its time.
fn judged(events: Vec<Event>) -> Replay {
    let mut replay = Replay::new(Arc::new(Policy::default()));
    let mut events = events;
    events.sort_by_key(|event| event.occurred_at);
    for event in events {
        let at = event.occurred_at;
        let _: IncidentChanges = replay.push(at, [event]);
    }
    let _ = replay.advance_to(now());
    replay
}

#[test]
fn q01_a_truncated_group_says_resolved_while_an_alert_fires() {
    let body = group(
        r#""status": "resolved", "truncatedAlerts": 1, "commonLabels": {"alertname": "A"}"#,
        &[
            json!({"status": "firing", "labels": {"alertname": "B"}, "startsAt": "2026-11-23T11:00:00Z", "endsAt": "0001-01-01T00:00:00Z"}),
        ],
    );
    let reading = told("alertmanager", &[], &body);
    assert_eq!(
        (reading.truncated, states(&reading)),
        (1, vec![(AlertStatus::Firing, EndReason::Recovered)])
    );
    assert!(of("grafana/unified_truncated_says_resolved").truncated > 0);
}

#[test]
fn q02_silenced_alert_sends_no_resolved() {
    // That its end is asked for is in tests/it/alertmanager.rs; here: that a repeat is known for one, to the byte.
    let body = group(
        r#""status": "firing""#,
        &[firing("A", "2026-11-23T11:00:00Z")],
    );
    let settings = settings_of("alertmanager");
    let headers = Headers::default();
    let message = Message {
        source: "source",
        headers: &headers,
        body: body.as_bytes(),
        names: &settings.config.labels,
        now: now(),
    };
    let first = read(&settings.readers["source"], &message, &mut |_| false).unwrap();
    let again = read(&settings.readers["source"], &message, &mut |alert| {
        alert.starts_at < now()
    })
    .unwrap();
    assert_eq!(
        (
            first.reports.len(),
            first.renewed,
            again.reports.len(),
            again.renewed
        ),
        (1, 0, 0, 1)
    );
}

#[test]
fn q03_resolved_without_recovery() {
    let reasons: BTreeSet<String> = alerts(&of("grafana/unified_resolved_without_recovery"))
        .iter()
        .map(|alert| {
            assert_eq!(alert.status, AlertStatus::Resolved);
            format!("{:?}", alert.end_reason)
        })
        .collect();
    assert!(!reasons.contains("Recovered"), "{reasons:?}");
    assert_eq!(
        states(&of("sns/alarm_to_insufficient_data")),
        [(AlertStatus::Resolved, EndReason::NoData)]
    );
    for alert in alerts(&of("sentry/issue_resolved_by_age")) {
        assert_eq!(
            (alert.status, alert.end_reason),
            (AlertStatus::Resolved, EndReason::Unknown)
        );
    }
    // A merge at PagerDuty ends no outage by itself.
    let merged = of("pagerduty/resolved_by_a_merge");
    let ends: Vec<EndReason> = states(&merged)
        .into_iter()
        .filter(|(status, _)| *status == AlertStatus::Resolved)
        .map(|(_, why)| why)
        .collect();
    assert_eq!(ends, [EndReason::Superseded]);
}

#[test]
fn q04_a_flap_within_the_group_interval_is_two_episodes() {
    let body = |since: &str| group(r#""status": "firing""#, &[firing("A", since)]);
    let (first, second) = ("2026-11-23T11:00:00Z", "2026-11-23T11:03:00Z");
    let mut events = told("alertmanager", &[], &body(first)).into_events();
    events.extend(told("alertmanager", &[], &body(second)).into_events());
    assert_ne!(events[0].subject, events[1].subject);
    let replay = judged(events);
    let incident = replay.state().incidents().next().unwrap();
    let ended: Vec<bool> = incident
        .signals
        .iter()
        .map(|signal| signal.spans.iter().all(|span| span.end.is_some()))
        .collect();
    assert_eq!(ended, [true, false], "{:?}", incident.signals);
}

#[test]
fn q05_sender_drops_the_incident_after_4xx_or_5xx() {
    let world = World::started();
    for poison in [
        "{",
        r#"{"version": "4", "alerts": [1]}"#,
        "[]",
        r#"{"version": "9"}"#,
    ] {
        assert_eq!(
            world.post("/ingest/alertmanager", poison).status,
            200,
            "{poison}"
        );
    }
    // The good beside the bad counts.
    let mixed = group(
        r#""status": "firing""#,
        &[json!(1), firing("Good", "2026-11-23T11:00:00Z")],
    );
    assert_eq!(world.post("/ingest/alertmanager", &mixed).status, 200);
    until("the good alert", Duration::from_secs(10), || {
        world.alerts_kept().contains("Good").then_some(())
    });
}

#[test]
fn q06_every_sender_is_answered_with_exactly_200() {
    // Rules of retrying contradict each other, and Icinga takes nothing but 200.
    let mut all = payloads();
    all.retain(|payload| payload.kind() != "sns" && std::str::from_utf8(&payload.body).is_ok());
    let kinds: BTreeSet<&str> = all.iter().map(Payload::kind).collect();
    let world = world_with_sources(kinds);
    all.iter().for_each(|payload| payload.post(&world));
}

#[test]
fn q07_sns_wraps_json_in_text_with_times_of_its_own() {
    let body = json!({
        "Type": "Notification", "MessageId": "m-1", "TopicArn": "arn:aws:sns:eu-west-1:123456789012:alarms", "Timestamp": "2026-11-23T11:50:01.000Z",
        "SignatureVersion": "1", "Signature": "", "SigningCertURL": "https://sns.eu-west-1.amazonaws.com/x.pem",
        "Message": json!({
            "AlarmName": "errors", "NewStateValue": "ALARM", "OldStateValue": "OK", "StateChangeTime": "2026-11-23T11:50:00.093+0000",
            "AlarmArn": "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:errors", "Region": "EU (Ireland)", "AWSAccountId": "123456789012",
        }).to_string(),
    });
    let reading = told(
        "sns",
        &[
            ("content-type", "text/plain; charset=UTF-8"),
            ("x-amz-sns-message-type", "Notification"),
        ],
        &body.to_string(),
    );
    let alert = alerts(&reading)[0];
    assert_eq!(
        (alert.status, alert.starts_at.to_rfc3339()),
        (
            AlertStatus::Firing,
            "2026-11-23T11:50:00.093+00:00".to_owned()
        )
    );
}

#[test]
fn q08_signatures_are_written_and_keyed_differently() {
    let mac = |key: &[u8], signed: &[u8]| {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
        mac.update(signed);
        mac.finalize().into_bytes().to_vec()
    };
    let hex = |bytes: Vec<u8>| {
        bytes
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    };
    let verify = |kind: SourceKind,
                  timestamp: Option<&str>,
                  secret: &str,
                  shown: &[(&str, &str)],
                  body: &[u8]| {
        let signature = SignatureVerifier::new(
            signing(kind),
            None,
            timestamp,
            &[secret.as_bytes().to_vec()],
        )
        .unwrap();
        let headers = shown
            .iter()
            .map(|(name, value)| (*name, value.as_bytes()))
            .collect();
        signature.verify(&headers, body, now()).map(|_| ())
    };
    let time = now().timestamp().to_string();
    let base64_looking = "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0";
    let decoded = STANDARD.decode(base64_looking).unwrap();
    let body = b"payload=%7B%7D";
    // PagerDuty's secret looks like base64 and is taken as it stands; Standard Webhooks' is decoded.
    let raw = format!("v1={}", hex(mac(base64_looking.as_bytes(), body)));
    assert_eq!(
        verify(
            SourceKind::PagerDuty,
            None,
            base64_looking,
            &[("x-pagerduty-signature", &raw)],
            body
        ),
        Ok(())
    );
    let wrong = format!("v1={}", hex(mac(&decoded, body)));
    assert_eq!(
        verify(
            SourceKind::PagerDuty,
            None,
            base64_looking,
            &[("x-pagerduty-signature", &wrong)],
            body
        ),
        Err(SignatureFault::Wrong)
    );
    let signed = [b"msg_1.", time.as_bytes(), b".", body].concat();
    let shown = format!("v1,{}", STANDARD.encode(mac(&decoded, &signed)));
    let ids = [
        ("webhook-id", "msg_1"),
        ("webhook-timestamp", &*time),
        ("webhook-signature", &*shown),
    ];
    assert_eq!(
        verify(
            SourceKind::IncidentIo,
            None,
            &format!("whsec_{base64_looking}"),
            &ids,
            body
        ),
        Ok(())
    );
    // Grafana's has no prefix, and with a header for the time the body alone is a way down.
    let plain = hex(mac(b"s3cret", body));
    let grafana = "x-grafana-alerting-signature";
    assert_eq!(
        verify(
            SourceKind::Grafana,
            None,
            "s3cret",
            &[(grafana, &plain)],
            body
        ),
        Ok(())
    );
    assert!(
        verify(
            SourceKind::Grafana,
            Some("x-ts"),
            "s3cret",
            &[(grafana, &plain), ("x-ts", &time)],
            body
        )
        .is_err()
    );
    // `TIME:BODY` can be cut elsewhere: a time is digits alone.
    let timed = hex(mac(b"s3cret", &[time.as_bytes(), b":", body].concat()));
    assert_eq!(
        verify(
            SourceKind::Grafana,
            Some("x-ts"),
            "s3cret",
            &[(grafana, &timed), ("x-ts", &time)],
            body
        ),
        Ok(())
    );
    let moved = hex(mac(b"s3cret", format!("{time}:a:b").as_bytes()));
    assert!(
        verify(
            SourceKind::Grafana,
            Some("x-ts"),
            "s3cret",
            &[(grafana, &moved), ("x-ts", &format!("{time}:a"))],
            b"b"
        )
        .is_err()
    );
    // Sentry's time is not signed, so that it proves nothing and is not looked at.
    let sentry = [
        ("sentry-hook-signature", &*plain),
        ("sentry-hook-timestamp", "1"),
    ];
    assert_eq!(
        verify(SourceKind::Sentry, None, "s3cret", &sentry, body),
        Ok(())
    );
    // Slack and GitHub sign the form as it was sent.
    let slack = format!(
        "v0={}",
        hex(mac(
            b"s3cret",
            &[b"v0:", time.as_bytes(), b":", body].concat()
        ))
    );
    let slack = [
        ("x-slack-signature", &*slack),
        ("x-slack-request-timestamp", &*time),
    ];
    assert_eq!(
        verify(SourceKind::Slack, None, "s3cret", &slack, body),
        Ok(())
    );
    assert_eq!(
        verify(SourceKind::Slack, None, "s3cret", &slack, b"payload={}"),
        Err(SignatureFault::Wrong)
    );
    let github = format!("sha256={plain}");
    assert_eq!(
        verify(
            SourceKind::GitHub,
            None,
            "s3cret",
            &[("x-hub-signature-256", &github)],
            body
        ),
        Ok(())
    );
}

fn steps(reading: &Reading) -> Vec<(String, bool, bool)> {
    let step = |event: &Event| match &event.fact {
        Fact::Intervention(step) => Some((step.action.clone(), step.dry_run, step.refused)),
        _ => None,
    };
    reading.events().filter_map(step).collect()
}

#[test]
fn q09_kubectl_exec_is_a_get_in_two_stages_and_an_undo_is_a_list() {
    assert_eq!(
        steps(&of("kubernetes_audit/exec_two_stages")),
        [("exec".to_owned(), false, false)]
    );
    assert!(
        steps(&of("kubernetes_audit/rollout_undo"))
            .iter()
            .all(|(action, ..)| action == "rollback")
    );
    // At level Metadata nothing tells an undo from a restart.
    let vague = steps(&of("kubernetes_audit/level_metadata"));
    assert!(
        !vague.is_empty()
            && vague
                .iter()
                .all(|(action, ..)| action != "rollback" && action != "restart"),
        "{vague:?}"
    );
}

#[test]
fn q10_people_and_robots_and_what_changed_nothing() {
    let audit = |user: &str, code: u16, uri: &str| {
        let item = json!({
            "level": "Metadata", "auditID": format!("{user} {code} {uri}"), "stage": "ResponseComplete", "verb": "delete", "requestURI": uri,
            "user": {"username": user}, "objectRef": {"resource": "pods", "namespace": "shop", "name": "checkout-7998647bdf-phvq7", "apiVersion": "v1"},
            "responseStatus": {"code": code}, "requestReceivedTimestamp": "2026-11-23T11:40:02.104512Z", "stageTimestamp": "2026-11-23T11:40:02.2Z",
        });
        let list = json!({"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "items": [item]});
        steps(&told("kubernetes_audit", &[], &list.to_string()))
    };
    let uri = "/api/v1/namespaces/shop/pods/checkout-7998647bdf-phvq7";
    for person in ["system:admin", "kubernetes-admin", "ada@example.com"] {
        assert_eq!(
            audit(person, 200, uri),
            [("delete".to_owned(), false, false)],
            "{person}"
        );
    }
    for robot in [
        "system:serviceaccount:kube-system:job-controller",
        "system:node:n1",
        "system:kube-scheduler",
    ] {
        assert_eq!(audit(robot, 200, uri), [], "{robot}");
    }
    for refused in [403, 409, 429] {
        assert!(
            audit("ada@example.com", refused, uri)
                .iter()
                .all(|(_, _, refused)| *refused),
            "{refused}"
        );
    }
    assert!(
        audit("ada@example.com", 200, &format!("{uri}?dryRun=All"))
            .iter()
            .all(|(_, dry_run, _)| *dry_run)
    );
    let reversed = of("kubernetes_audit/impersonated");
    assert!(
        !reversed.reports.is_empty()
            && reversed
                .events()
                .all(|event| !event.actor.as_ref().unwrap().id.contains("system:"))
    );
}

#[test]
fn q11_nothing_flags_a_rollback() {
    let deploy = |minute: u32, revision: &str| {
        let body = json!({
            "deployment": {"id": 100 + minute, "sha": revision, "ref": "main", "task": "deploy", "environment": "production",
                           "creator": {"login": "ada", "type": "User"}, "created_at": format!("2026-11-23T11:{minute:02}:00Z")},
            "deployment_status": {"id": 200 + minute, "state": "success", "environment": "production", "created_at": format!("2026-11-23T11:{minute:02}:30Z"),
                                  "creator": {"login": "ada", "type": "User"}},
            "repository": {"full_name": "shop/checkout"}, "sender": {"login": "ada", "type": "User"}, "action": "created",
        });
        told(
            "github",
            &[
                ("x-github-event", "deployment_status"),
                ("x-github-delivery", revision),
            ],
            &body.to_string(),
        )
        .into_events()
    };
    let mut events: Vec<Event> = [(1, "aaaaaaa"), (20, "bbbbbbb"), (40, "aaaaaaa")]
        .into_iter()
        .flat_map(|(at, of)| deploy(at, of))
        .collect();
    let back = events.last().unwrap().id;
    let service = events[0].service.clone().unwrap();
    let mut alert = firing("HighErrorRate", "2026-11-23T11:30:00Z");
    alert["labels"]["service"] = json!(&*service);
    events.extend(
        told(
            "alertmanager",
            &[],
            &group(r#""status": "firing""#, &[alert]),
        )
        .into_events(),
    );
    let replay = judged(events);
    let incident = replay.state().incidents().next().unwrap();
    assert_eq!(incident.rollbacks, [back]);
}

#[test]
fn q12_times_in_every_unit_and_zone() {
    let began = |name: &str| alerts(&of(name))[0].starts_at.to_rfc3339();
    // Milliseconds of a creation beside nanoseconds of an update, which no f64 holds.
    let created = began("opsgenie/create");
    assert!(created.starts_with("2026-"), "{created}");
    let closed = of("opsgenie/close");
    assert!(
        alerts(&closed)[0]
            .ends_at
            .is_some_and(|end| end.to_rfc3339().starts_with("2026-")),
        "{closed:?}"
    );
    for name in [
        "gitlab/deployment_success_offset",
        "gitlab/deployment_success_utc_by_api",
        "gitlab/deployment_failed_rfc3339",
    ] {
        let reading = of(name);
        assert!(
            reading.faults.is_empty() && reading.reports[0].event.occurred_at < now(),
            "{name}: {reading:?}"
        );
    }
    for name in [
        "azure_monitor/metric_fired",
        "datadog/triggered",
        "google_cloud_monitoring/open",
        "uptime_kuma/down",
    ] {
        let began = began(name);
        assert!(
            began.starts_with("2026-11-23T") && began.ends_with("+00:00"),
            "{name}: {began}"
        );
    }
    // `ended_at` of nothing is not 1970.
    assert_eq!(alerts(&of("google_cloud_monitoring/open"))[0].ends_at, None);
}

#[test]
fn q13_types_change_from_one_message_to_the_next() {
    let severity = |name: &str| alerts(&of(name))[0].severity;
    assert_eq!(
        (
            severity("opsgenie/create_number_priority_entity"),
            severity("opsgenie/create")
        ),
        (Severity::Warning, Severity::Critical)
    );
    for name in [
        "azure_monitor/nulls_and_numbers",
        "google_cloud_monitoring/version_1_1_documentation_is_text",
        "grafana/unified_no_data_and_error",
    ] {
        let reading = of(name);
        assert!(
            reading.faults.is_empty() && !reading.reports.is_empty(),
            "{name}: {reading:?}"
        );
    }
    assert_eq!(of("google_cloud_monitoring/test").into_events(), []);
    // A template's variable that was not there stays as it was written, and means nothing.
    let literal =
        serde_json::to_string(&of("datadog/triggered_without_cycle_key").into_events()).unwrap();
    assert!(!literal.contains("$ALERT"), "{literal}");
}

#[test]
fn q14_context_is_missing() {
    // Notes and responders of PagerDuty name no service, and meet their incident all the same.
    let mut events = of("pagerduty/triggered_p1").into_events();
    let opened = events.len();
    events.extend(of("pagerduty/annotated").into_events());
    events.extend(of("pagerduty/responder_added").into_events());
    assert!(
        events[opened..]
            .iter()
            .all(|event| event.service.is_none() && event.incident.is_some()),
        "{events:?}"
    );
    // Opsgenie's escalation has only the id of the alert.
    assert!(of("opsgenie/escalate").faults.is_empty());
    // Datadog's own template has no state: it opens nothing.
    assert!(alerts(&of("datadog/default_template")).is_empty());
    // A private incident of incident.io tells its id alone: nothing is made up about it.
    let private = told(
        "incident_io",
        &[],
        r#"{"event_type": "private_incident.incident_created_v2", "private_incident.incident_created_v2": {"id": "01X"}}"#,
    );
    assert!(
        private.faults.is_empty()
            && private
                .events()
                .all(|event| !matches!(event.fact, Fact::Declaration(_))),
        "{private:?}"
    );
}

#[test]
fn q15_identity_ignores_annotations_and_values() {
    let told_by = |receiver: &str, key: &str, print: &str| {
        let mut alert = firing("A", "2026-11-23T11:00:00Z");
        alert["fingerprint"] = json!(print);
        told(
            "alertmanager",
            &[],
            &group(
                &format!(r#""status": "firing", "receiver": "{receiver}", "groupKey": "{key}""#),
                &[alert],
            ),
        )
    };
    let one = told_by(
        r"all\\.hooks \\(v1\\)",
        "{}:{alertname=1}",
        "5ced2a5cf5e97111",
    );
    let other = told_by("all", "{}/{team=2}:{alertname=1}", "09f1eea487f03c6e");
    assert_eq!(one.receiver.as_deref(), Some("all.hooks (v1)"));
    assert_eq!(one.reports[0].event.id, other.reports[0].event.id);
    // Stale markers by their bits, zeroes that are left out, and a 2.0 message that reads as an empty 1.0 one: src/ingest/remote_write.
}
