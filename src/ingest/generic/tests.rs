#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use serde_json::{Value, json};

use super::compile::{MappingLine, compile};
use super::mapping::Mapping;
use super::run::MAX_FAULTS;
use super::webhook;
use crate::ingest::message::{Headers, Message};
use crate::ingest::reading::{Reading, Start};
use crate::model::event::Fact;
use crate::model::settings::LabelNames;

fn mapping(
    rules: &[&[(&'static str, &'static str)]],
) -> Result<Mapping, Vec<super::compile::MapFault>> {
    let rules: Vec<Vec<MappingLine<'_>>> = rules
        .iter()
        .map(|rule| {
            rule.iter()
                .map(|&(path, text)| MappingLine { path, text })
                .collect()
        })
        .collect();
    compile(&rules, false)
}

fn read(mapping: &Mapping, body: &Value) -> Reading {
    let (headers, names) = (Headers::default(), LabelNames::default());
    let body = body.to_string();
    let now = "2026-11-23T12:00:00Z".parse().unwrap();
    webhook(
        mapping,
        &Message {
            source: "legacy",
            headers: &headers,
            body: body.as_bytes(),
            names: &names,
            now,
        },
    )
    .unwrap()
}

fn check_fault(
    lines: &[(&'static str, &'static str)],
    place: Option<(usize, Option<usize>)>,
    wanted: &str,
) {
    let faults = mapping(&[lines]).map(|_| ()).unwrap_err();
    assert!(
        faults
            .iter()
            .any(|fault| fault.line == place && fault.message.contains(wanted)),
        "{lines:?}: {faults:?}"
    );
}

#[test]
fn mapping_faults_are_found_at_compile_time() {
    let status = ("status", "\"firing\"");
    check_fault(
        &[("nmae", "body.a"), status],
        Some((0, None)),
        "did you mean `name`?",
    );
    check_fault(
        &[("name", "bdy.a"), status],
        Some((0, Some(0))),
        "did you mean `body`?",
    );
    check_fault(
        &[("name", "event.type"), status],
        Some((0, Some(0))),
        "unknown name `event`",
    );
    check_fault(
        &[
            ("name", "body.a"),
            ("status", "body.b ? \"firing\" : \"reslved\""),
        ],
        Some((1, Some(20))),
        "did you mean \"resolved\"?",
    );
    check_fault(&[("name", "body.a")], None, "`status` is missing");
    check_fault(
        &[("name", "body.a"), status, ("action", "body.b")],
        Some((2, None)),
        "`action` is not a key of `alert`",
    );
    check_fault(
        &[("kind", "\"chnage\""), ("what", "body.a")],
        Some((0, Some(0))),
        "did you mean \"change\"?",
    );
    check_fault(
        &[
            ("kind", "body.x ? \"change\" : \"note\""),
            ("what", "body.a"),
        ],
        None,
        "`text` is missing",
    );
    check_fault(
        &[("name.x", "body.a"), status],
        Some((0, None)),
        "`name` has no keys below it",
    );
    check_fault(
        &[("source", "body.a"), ("name", "body.a"), status],
        Some((0, None)),
        "unknown key `source`",
    );
    assert!(mapping(&[&[("labels.alertname", "body.a"), status]]).is_ok());
    assert!(mapping(&[&[("kind", "body.kind"), ("what", "body.a")]]).is_ok());
}

#[test]
fn every_kind_can_be_made() {
    let mapping = mapping(&[&[
        ("each", "body"),
        ("kind", "item.kind"),
        ("service", "item.service"),
        ("name", "item.a"),
        ("state", "item.a"),
        ("status", "item.status"),
        ("title", "item.a"),
        ("action", "item.a"),
        ("reason", "item.a"),
        ("what", "item.a"),
        ("text", "item.a"),
        ("actor.id", "item.by"),
        ("actor.kind", "\"human\""),
        ("occurred_at", "item.at"),
        ("should_be_automatic", "item.auto"),
    ]])
    .unwrap();
    let kinds = [
        "alert",
        "condition",
        "declaration",
        "intervention",
        "request",
        "near_miss",
        "change",
        "acknowledgement",
        "note",
    ];
    let of = |kind: &&str| {
        let word = if *kind == "condition" {
            "degraded"
        } else {
            "a"
        };
        json!({"kind": kind, "service": "s", "a": word, "status": "firing", "by": 7, "at": "2026-11-23T11:00:00Z", "auto": true})
    };
    let reading = read(&mapping, &kinds.iter().map(of).collect());
    assert_eq!(reading.faults, [], "{reading:?}");
    let told: Vec<Value> = reading
        .events()
        .map(|event| serde_json::to_value(event).unwrap())
        .collect();
    assert_eq!(
        told.iter()
            .map(|event| event["fact"]["kind"].as_str().unwrap())
            .collect::<Vec<_>>(),
        kinds
    );
    assert!(
        told.iter()
            .all(|event| event["source"] == "legacy" && event["actor"]["id"] == "7"),
        "{told:?}"
    );
    assert_eq!(told[3]["fact"]["should_be_automatic"], true);
    let odd = read(
        &mapping,
        &json!([{"kind": "review"}, {"kind": null}, {"kind": 7}, {"a": 1}]),
    );
    assert_eq!((odd.reports.len(), odd.faults.len()), (0, 3), "{odd:?}");
}

#[test]
fn of_several_rules_the_first_that_fits_is_the_one() {
    let mapping = mapping(&[
        &[
            ("when", "body.type == \"deploy\""),
            ("kind", "\"change\""),
            ("what", "\"deploy\""),
        ],
        &[
            ("each", "body.notes"),
            ("kind", "\"note\""),
            ("text", "item"),
        ],
        &[
            ("kind", "body.quiet ? null : \"note\""),
            ("text", "\"something\""),
        ],
    ])
    .unwrap();
    let said = |body: Value| -> Vec<String> {
        let reading = read(&mapping, &body);
        let text = |fact: &Fact| match fact {
            Fact::Change(change) => change.what.clone(),
            Fact::Note(note) => note.text.clone(),
            other => format!("{other:?}"),
        };
        let faults = reading.faults.iter().map(ToString::to_string);
        reading
            .events()
            .map(|event| text(&event.fact))
            .chain(faults)
            .collect()
    };
    assert_eq!(said(json!({"type": "deploy", "notes": ["a"]})), ["deploy"]);
    assert_eq!(said(json!({"notes": ["a", "b"]})), ["a", "b"]);
    assert_eq!(said(json!({"notes": [], "quiet": false})), ["something"]);
    assert_eq!(said(json!({"quiet": true})), [""; 0]);
}

#[test]
fn a_repeated_body_gives_the_same_events() {
    let mapping = mapping(&[&[
        ("name", "body.a"),
        ("status", "body.s"),
        ("occurred_at", "body.at"),
    ]])
    .unwrap();
    for status in ["firing", "resolved"] {
        let body = json!({"a": "x", "s": status, "at": "2026-11-23T11:00:00Z"});
        let (first, second) = (read(&mapping, &body), read(&mapping, &body));
        assert_eq!(first, second);
        assert_eq!(
            (first.reports.len(), first.reports[0].start),
            (1, Start::Guessed)
        );
    }
}

#[test]
fn hostile_bodies_cost_little() {
    let mapping = mapping(&[&[
        ("each", "body.list"),
        ("when", "body.list.all(a, body.list.exists(b, a == b))"),
        ("name", "item.title"),
        ("status", "\"firing\""),
        ("labels", "item"),
    ]])
    .unwrap();
    let numbers: Vec<u32> = (0..20_000).collect();
    let reading = read(&mapping, &json!({"list": numbers}));
    assert!(
        reading.reports.is_empty() && reading.faults.len() <= 3,
        "{:?}",
        reading.faults.len()
    );

    let plain = self::mapping(&[&[
        ("each", "body"),
        ("name", "item.title"),
        ("status", "\"firing\""),
        ("labels", "item"),
    ]])
    .unwrap();
    let reading = read(&plain, &vec![Value::Null; 30_000].into());
    assert_eq!(reading.faults.len(), MAX_FAULTS);
    assert!(
        reading
            .faults
            .last()
            .unwrap()
            .message
            .contains("29901 more"),
        "{:?}",
        reading.faults.last()
    );

    let mut deep = json!({"title": "x"});
    for _ in 0..100 {
        deep = json!({"title": "x", "deep": deep, "list": [deep]});
        if deep.to_string().len() > 1 << 16 {
            break;
        }
    }
    assert_eq!(read(&plain, &json!([deep])).reports.len(), 1);
}

#[test]
fn end_in_an_hour_that_comes_twice_is_not_before_its_start() {
    let mapping = mapping(&[&[
        ("name", "body.name"),
        ("status", "\"resolved\""),
        ("starts_at", "local(body.from, \"Europe/Berlin\")"),
        ("ends_at", "local(body.to, \"Europe/Berlin\")"),
    ]])
    .unwrap();
    for (from, to, minutes) in [
        ("2026-10-25 02:50:00", "2026-10-25 02:10:00", 20),
        ("2026-10-25 02:10:00", "2026-10-25 02:50:00", 40),
        ("2026-10-25 01:50:00", "2026-10-25 02:10:00", 20),
        ("2026-10-25 02:50:00", "2026-10-25 03:10:00", 80),
        ("2026-11-20 02:50:00", "2026-11-20 02:10:00", 0),
    ] {
        let reading = read(&mapping, &json!({"name": "A", "from": from, "to": to}));
        let Fact::Alert(alert) = &reading.reports[0].event.fact else {
            panic!("{reading:?}")
        };
        let length = alert.ends_at.unwrap() - alert.starts_at;
        assert_eq!(length.num_minutes(), minutes, "{from} to {to}");
    }
}

#[test]
fn end_without_start_in_an_hour_that_comes_twice_is_the_one_just_now() {
    let mapping = mapping(&[&[
        ("name", "body.name"),
        ("status", "\"resolved\""),
        ("occurred_at", "local(body.at, \"Europe/Berlin\")"),
    ]])
    .unwrap();
    let (headers, names) = (Headers::default(), LabelNames::default());
    for (now, hour) in [
        ("00:10:05Z", "00:10"),
        ("01:10:05Z", "01:10"),
        ("09:00:00Z", "00:10"),
    ] {
        let message = Message {
            source: "legacy",
            headers: &headers,
            body: br#"{"name": "A", "at": "2026-10-25 02:10:00"}"#,
            names: &names,
            now: format!("2026-10-25T{now}").parse().unwrap(),
        };
        let reading = webhook(&mapping, &message).unwrap();
        let at = reading.reports[0].event.occurred_at;
        assert_eq!(at.format("%H:%M").to_string(), hour, "at {now}");
    }
}
