//! The native format: events, and statements of people.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use super::{EVERY_KIND, alert, at, given, now, told};
use crate::ingest::error::IngestFault;
use crate::ingest::{events, people};
use crate::model::event::{Event, Fact, Severity};
use crate::model::settings::LabelNames;
use crate::model::severity_scale::{SeverityLevel, SeverityScale};
use crate::model::time::Time;

#[test]
fn every_kind_of_event_can_be_sent() {
    let reading = events::events(EVERY_KIND, &LabelNames::default(), now()).unwrap();
    assert_eq!(
        reading.reports[0].event.subject, reading.reports[1].event.subject,
        "an alert's end finds its beginning"
    );
    insta::assert_snapshot!(told(&reading), @r#"
{"id":"087ee83e2f348261124f99434e34fb2f","subject":"206a666758530291","occurred_at":"2026-11-23T07:00:00Z","source":"api","service":"checkout","links":[{"title":"Dashboard","url":"https://grafana.example/d/1"}],"fact":{"kind":"alert","name":"HighErrorRate","status":"firing","labels":{"alertname":"HighErrorRate","service":"checkout"},"severity":"critical","starts_at":"2026-11-23T07:00:00Z","end_reason":"recovered"}}
{"id":"b278b4b76d8baef7f322599cada51ac7","subject":"206a666758530291","occurred_at":"2026-11-23T07:05:00Z","source":"api","service":"checkout","fact":{"kind":"alert","name":"HighErrorRate","status":"resolved","labels":{"alertname":"HighErrorRate","service":"checkout"},"severity":"unknown","starts_at":"2026-11-23T07:00:00Z","ends_at":"2026-11-23T07:05:00Z","end_reason":"no_data"}}
{"id":"58be9413066726f24502a645ca1334e7","subject":"954b7e3e977a8358","occurred_at":"2026-11-23T07:01:00Z","source":"api","service":"checkout","fact":{"kind":"condition","name":"checkout-errors","state":"degraded","severity":"critical","value":0.031}}
{"id":"38bbd059af7b13c2abae69c19c4ca2fd","subject":"d27edd15baa6d8f9","occurred_at":"2026-11-23T07:02:00Z","source":"api","service":"checkout","fact":{"kind":"declaration","key":"status-17","title":"Nobody can pay","severity":"critical","status":"firing","planned":false}}
{"id":"ffaf108d1c403c2c17300be64ce8140b","subject":"ffaf108d1c403c2c","occurred_at":"2026-11-23T07:03:00Z","source":"api","service":"checkout","actor":{"id":"ada@example.com","kind":"human"},"fact":{"kind":"intervention","action":"restart","why":"","stated":false}}
{"id":"b2dc7a62b6e143bf860a1158d2dbf4a1","subject":"b2dc7a62b6e143bf","occurred_at":"2026-11-23T07:10:00Z","source":"api","fact":{"kind":"request","reason":"Orders were lost this morning","requester":"Lin"}}
{"id":"48dc5a1522beb34beefa6a3bfda4128b","subject":"48dc5a1522beb34b","occurred_at":"2026-11-23T07:10:00Z","source":"api","service":"checkout","fact":{"kind":"near_miss","what":"The disk had 40 MB left","severity":"unknown","closeness":0.9,"by_luck":true}}
{"id":"191292fd312aaca686ebda748f7b7338","subject":"191292fd312aaca6","occurred_at":"2026-11-23T07:10:00Z","source":"api","service":"checkout","environment":"production","fact":{"kind":"change","what":"deploy","title":"checkout 1.4.2","revision":"4ac0106"}}
{"id":"d5e02e65a06979943bd210afb59ba55d","subject":"0123456789abcdef","occurred_at":"2026-11-23T07:10:00Z","source":"api","actor":{"id":"ada","kind":"unknown"},"fact":{"kind":"acknowledgement","of":"0123456789abcdef"}}
{"id":"8248a913aacad809361179e9a3efa32c","subject":"8248a913aacad809","occurred_at":"2026-11-23T07:10:00Z","source":"api","incident":"i-0123456789","fact":{"kind":"note","text":"Called the bank."}}
{"id":"21e81909d935509db474508031fe3a6d","subject":"e00dd05af3aee3c8","occurred_at":"2026-11-23T07:10:00Z","source":"api","service":"checkout","fact":{"kind":"maintenance","from":"2026-11-25T22:00:00Z","to":"2026-11-26T02:00:00Z","why":"New disks"}}
"#);
}

#[test]
fn alerts_of_two_services_are_two() {
    let reading = given(
        r#"[{"kind":"alert","name":"A","status":"firing","service":"one","starts_at":"2026-11-23T07:00:00Z"},
            {"kind":"alert","name":"A","status":"firing","service":"two","starts_at":"2026-11-23T07:00:00Z"}]"#,
    );
    assert_ne!(
        reading.reports[0].event.subject,
        reading.reports[1].event.subject
    );
}

#[test]
fn labels_of_an_event_give_service_environment_and_severity() {
    let reading = given(
        r#"{"kind":"alert","status":"firing","labels":{"alertname":"A","app":"shop","env":"prod","severity":"page"}}"#,
    );
    let event = &reading.reports[0].event;
    assert_eq!(
        (event.service.as_deref(), event.environment.as_deref()),
        (Some("shop"), Some("production"))
    );
    assert_eq!(
        (alert(event).severity, alert(event).starts_at),
        (Severity::Critical, now())
    );
}

#[test]
fn faults_of_events_name_the_place_and_the_nearest_key() {
    let reading = given(
        r#"[{"kind":"note","text":"fine"},
            {"kind":"alert","name":"A","status":"fireing"},
            {"kind":"alert","name":"A","status":"firing","start_at":"2026-11-23T07:00:00Z"},
            {"kind":"alert","name":"A","status":"firing","starts_at":"7:00"},
            {"kind":"alert","name":"A","status":"resolved"},
            {"kind":"alert","name":"A","status":"resolved","starts_at":"2026-11-23T07:00:00Z","ends_at":"2026-11-23T06:00:00Z"},
            {"kind":"alert","name":"A","status":"firing","severity":"purple"},
            {"kind":"alert","name":"A","status":"firing","labels":{"shard":3}},
            {"kind":"review"},
            {"kind":"settings"},
            {"kind":"alarm"},
            {"name":"A"},
            {"kind":"note","text":" "},
            {"kind":"note","text":"x","occurred_at":1795417263},
            {"kind":"note","text":"x","links":[{"url":"https://a.example"},{"url":"javascript:alert(1)"}]},
            {"kind":"note","text":"x","actor":{"id":"ada","kind":"person"}},
            {"kind":"near_miss","what":"x","closeness":2},
            {"kind":"acknowledgement"},
            {"kind":"acknowledgement","of":"x"},
            3]"#,
    );
    assert_eq!(reading.reports.len(), 2);
    insta::assert_snapshot!(reading.faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"), @r"
[1].status: `fireing` is not a valid value; did you mean `firing`?
[2].start_at: unknown key; did you mean `starts_at`?
[3].starts_at: not a time. Write it as RFC 3339 with an offset, as in 2026-11-23T07:01:03Z or 2026-11-23T08:01:03+01:00
[4].starts_at: missing. A resolved alert is matched by the `starts_at` it fired with: send the same one
[6].severity: unknown severity. Write critical, warning, info, none or unknown, or add the word to `labels.severities`
[7].labels.shard: expected a string, found a number
[8].kind: `review` is not accepted here: send an answer to POST /api/v1/incidents/{id}/review
[9].kind: `settings` is not accepted here: only Afterword itself writes this kind
[10].kind: `alarm` is not a valid value; did you mean `alert`?
[11].kind: missing. State the kind: alert, condition, declaration, intervention, request, near_miss, change, acknowledgement, note or maintenance
[12].text: blank. Write what was noted
[13].occurred_at: expected a string, found a number
[14].links[1].url: not an address that begins with https:// or http:// and has no spaces
[15].actor.kind: `person` is not a valid value; expected one of human, robot, unknown
[16].closeness: expected a number from 0 (far off) to 1 (it almost happened)
[17].incident: missing. An acknowledgement is `of` a subject, or of the incident or the service named here
[18].of: expected a subject: 16 hex digits in lower case
[19]: expected an object, found a number
");
    assert_eq!(
        given(r#"{"kind":"note"}"#).faults[0].path,
        "text",
        "a body that is no list has no positions"
    );
}

#[test]
fn end_before_the_start_is_told_now_and_not_refused() {
    let reading = given(
        r#"{"kind":"alert","name":"A","status":"resolved","starts_at":"2026-11-23T07:00:00Z","ends_at":"2026-11-23T06:00:00Z"}"#,
    );
    let event = &reading.reports[0].event;
    let Fact::Alert(alert) = &event.fact else {
        panic!("{event:?}")
    };
    assert!(reading.faults.is_empty());
    assert!(alert.ends_at < Some(alert.starts_at) && event.occurred_at >= alert.starts_at);
}

#[test]
fn an_event_ahead_of_time_keeps_its_id() {
    let body = r#"{"kind":"note","text":"x","occurred_at":"2026-11-23T09:00:00Z"}"#;
    let reading = given(body);
    assert_eq!(
        (
            reading.reports[0].event.occurred_at,
            reading.reports[0].event.clamped
        ),
        (now(), true)
    );
    let again = events::events(
        body.as_bytes(),
        &LabelNames::default(),
        at("2026-11-23T07:20:00Z"),
    )
    .unwrap();
    assert_eq!(again.reports[0].event.id, reading.reports[0].event.id);
}

/// A function of `people`.
type Stating = fn(&[u8], Time) -> Result<Event, IngestFault>;

fn stated(read: Stating, body: &str) -> String {
    match read(body.as_bytes(), now()) {
        Ok(event) => serde_json::to_string(&event).unwrap(),
        Err(fault) => format!("fault {fault}"),
    }
}

#[test]
fn future_time_of_a_person_is_refused() {
    for (key, time) in [
        ("at", "2030-01-01T00:00Z"),
        ("occurred_at", "2026-11-23T07:13:00Z"),
    ] {
        let body = format!(r#"{{"service":"checkout","reason":"x","{key}":"{time}"}}"#);
        let fault = people::request(body.as_bytes(), now())
            .unwrap_err()
            .to_string();
        assert_eq!(
            fault,
            format!("{key}: this is in the future; state when it happened")
        );
    }
    let ahead = r#"{"reason":"x","at":"2026-11-23T07:11:00Z"}"#;
    assert!(
        people::request(ahead.as_bytes(), now()).is_ok(),
        "a minute is the error of a clock"
    );
}

#[test]
fn person_states_a_time_without_seconds() {
    let body = r#"{"reason":"x","at":"2026-11-23T07:00Z"}"#;
    let event = people::request(body.as_bytes(), now()).unwrap();
    assert_eq!(event.occurred_at.to_rfc3339(), "2026-11-23T07:00:00+00:00");
    let work = r#"{"from":"2026-12-01T22:00Z","to":"2026-12-02T02:00+01:00","why":"disks"}"#;
    assert!(people::maintenance(work.as_bytes(), now()).is_ok());
}

#[test]
fn person_speaks_the_severities_of_the_settings() {
    let levels = ["SEV1", "SEV2"].map(|name| SeverityLevel {
        name: name.to_owned(),
        from: vec![],
    });
    let names = LabelNames {
        scale: SeverityScale::new(levels.into()),
        ..LabelNames::default()
    };
    let body = br#"{"service":"checkout","title":"x","severity":"SEV2"}"#;
    let event = people::declaration(body, &names, now()).unwrap();
    let Fact::Declaration(declared) = &event.fact else {
        panic!("a declaration is one");
    };
    assert_eq!(Some(declared.severity), names.scale.find("SEV2"));
}

#[test]
fn a_request_needs_only_a_reason() {
    insta::assert_snapshot!(
        [
            stated(people::request, r#"{"reason":" Orders were lost\r\nthis morning "}"#),
            stated(people::request, r#"{"service":"checkout","reason":"x","requester":"Lin","occurred_at":"2026-11-23T06:00:00+01:00"}"#),
            stated(people::request, r#"{"service":"","reason":"x","requester":"","occurred_at":""}"#),
            stated(people::request, r#"{"reason":"  "}"#),
            stated(people::request, "{}"),
            stated(people::request, r#"{"reson":"x"}"#),
            stated(people::request, r#"{"reason":"x","service":"a\nb"}"#),
            stated(people::request, r#"{"reason":"x","at":"2026-11-23T06:00:00Z","occurred_at":"2026-11-23T06:00:00Z"}"#),
            stated(people::request, "reason=x"),
            stated(people::request, "[]"),
        ]
        .join("\n"),
        @r#"
{"id":"dd99a3045fb7415a89a022c10f6a75af","subject":"dd99a3045fb7415a","occurred_at":"2026-11-23T07:10:00Z","source":"people","fact":{"kind":"request","reason":"Orders were lost\nthis morning"}}
{"id":"a1fda7b5fc62f519236a946461c2ed49","subject":"a1fda7b5fc62f519","occurred_at":"2026-11-23T05:00:00Z","source":"people","service":"checkout","actor":{"id":"Lin","kind":"human"},"fact":{"kind":"request","reason":"x","requester":"Lin"}}
{"id":"765e8cbe004c38eae5cbe310054cffd1","subject":"765e8cbe004c38ea","occurred_at":"2026-11-23T07:10:00Z","source":"people","fact":{"kind":"request","reason":"x"}}
fault reason: blank. Say in a sentence what happened and when; nothing else is needed
fault reason: missing. Say in a sentence what happened and when; nothing else is needed
fault reson: unknown key; did you mean `reason`?
fault service: expected one line of text without control characters
fault at: has the same meaning as `occurred_at`; leave one of them out
fault line 1, column 1: invalid JSON: a value is missing or misspelled. Send one complete JSON document in UTF-8.
fault expected an object, found a list
"#
    );
}

#[test]
fn too_long_text_is_refused() {
    let body = |length: usize| format!(r#"{{"reason":"{}"}}"#, "ö".repeat(length));
    assert!(people::request(body(4000).as_bytes(), now()).is_ok());
    let fault = people::request(body(4001).as_bytes(), now()).unwrap_err();
    assert_eq!(
        fault.to_string(),
        "reason: 4001 characters; at most 4000 are accepted. Link to the rest"
    );
}

#[test]
fn declarations() {
    insta::assert_snapshot!(
        [
            stated(|body: &[u8], now| people::declaration(body, &LabelNames::default(), now), r#"{"service":"checkout","title":"Nobody can pay","at":"2026-11-23T07:00:00Z"}"#),
            stated(|body: &[u8], now| people::declaration(body, &LabelNames::default(), now), r#"{"service":"checkout","status":"resolved"}"#),
            stated(|body: &[u8], now| people::declaration(body, &LabelNames::default(), now), r#"{"service":"checkout","title":"x","severity":"sev3","key":"k","drill":true}"#),
            stated(|body: &[u8], now| people::declaration(body, &LabelNames::default(), now), r#"{"service":"checkout"}"#),
            stated(|body: &[u8], now| people::declaration(body, &LabelNames::default(), now), r#"{"title":"x"}"#),
            stated(|body: &[u8], now| people::declaration(body, &LabelNames::default(), now), r#"{"service":"checkout","title":"x","drill":true,"environment":"prod"}"#),
        ]
        .join("\n"),
        @r#"
{"id":"ff0ae70e37c5b96bc6a5c9f36194c3a7","subject":"543661b3ee147cf5","occurred_at":"2026-11-23T07:00:00Z","source":"people","service":"checkout","fact":{"kind":"declaration","key":"","title":"Nobody can pay","severity":"critical","status":"firing","planned":false}}
{"id":"bb2fbd5c076c351f70e2b38cca9d47fc","subject":"543661b3ee147cf5","occurred_at":"2026-11-23T07:10:00Z","source":"people","service":"checkout","fact":{"kind":"declaration","key":"","title":"","severity":"critical","status":"resolved","planned":false}}
{"id":"c4b99df5cb2b9ab71c916d3ede6c454d","subject":"fdd112e7f64215ea","occurred_at":"2026-11-23T07:10:00Z","source":"people","service":"checkout","environment":"drill","fact":{"kind":"declaration","key":"k","title":"x","severity":"warning","status":"firing","planned":false}}
fault title: missing. Say in a few words what users cannot do
fault service: missing. Name the affected service, or the `incident`
fault drill: a drill has the environment `drill`; leave `environment` out
"#
    );
    let subject = |body: &str| {
        people::declaration(body.as_bytes(), &LabelNames::default(), now())
            .unwrap()
            .subject
    };
    assert_eq!(
        subject(r#"{"service":"a","title":"x"}"#),
        subject(r#"{"service":"a","status":"resolved"}"#),
        "the end finds its beginning"
    );
}

#[test]
fn interventions_and_near_misses() {
    insta::assert_snapshot!(
        [
            stated(people::intervention, r#"{"service":"checkout","action":"restart","why":"It hung","should_be_automatic":true,"actor":"Ada"}"#),
            stated(people::intervention, r#"{"service":"checkout","action":"restart"}"#),
            stated(people::intervention, r#"{"service":"checkout","action":"restart","why":"x","should_be_automatic":"yes"}"#),
            stated(|body: &[u8], now| people::near_miss(body, &LabelNames::default(), now), r#"{"service":"checkout","what":"40 MB were left","severity":"critical","closeness":1,"by_luck":true}"#),
            stated(|body: &[u8], now| people::near_miss(body, &LabelNames::default(), now), r#"{"service":"checkout","what":"x","closeness":-0.1}"#),
        ]
        .join("\n"),
        @r#"
{"id":"fe6bd5143d4b0c611fc63893b0036c02","subject":"fe6bd5143d4b0c61","occurred_at":"2026-11-23T07:10:00Z","source":"people","service":"checkout","actor":{"id":"Ada","kind":"human"},"fact":{"kind":"intervention","action":"restart","why":"It hung","stated":true,"should_be_automatic":true}}
fault why: missing. Say in a sentence what made the step necessary
fault should_be_automatic: expected true or false, found a string
{"id":"5e76ba1004193d7242ccd894dc159783","subject":"5e76ba1004193d72","occurred_at":"2026-11-23T07:10:00Z","source":"people","service":"checkout","fact":{"kind":"near_miss","what":"40 MB were left","severity":"critical","closeness":1.0,"by_luck":true}}
fault closeness: expected a number from 0 (far off) to 1 (it almost happened)
"#
    );
}

#[test]
fn planned_work_has_two_ends_and_a_reason() {
    for (body, expected) in [
        (
            r#"{"from":"2026-11-23T07:00:00Z","to":"2026-11-23T08:00:00Z"}"#,
            "why: missing",
        ),
        (
            r#"{"from":"2026-11-23T07:00:00Z","why":"x"}"#,
            "to: missing",
        ),
        (
            r#"{"from":"2026-11-23T07:00:00Z","to":"2026-11-23T06:59:00Z","why":"x"}"#,
            "to: must not be before `from`",
        ),
        (
            r#"{"form":"2026-11-23T07:00:00Z","to":"2026-11-23T06:59:00Z","why":"x"}"#,
            "form: unknown key; did you mean `from`?",
        ),
    ] {
        let fault = people::maintenance(body.as_bytes(), now())
            .unwrap_err()
            .to_string();
        assert!(fault.starts_with(expected), "{fault}");
    }
    let told = |to: &str| {
        let body = format!(
            r#"{{"service":"checkout","from":"2026-12-23T07:00:00Z","to":"{to}","why":"x"}}"#
        );
        people::maintenance(body.as_bytes(), now()).unwrap()
    };
    let (one, other) = (told("2026-12-23T08:00:00Z"), told("2026-12-23T07:00:00Z"));
    assert!(
        one.subject == other.subject && one.id != other.id,
        "it is told anew"
    );
}
