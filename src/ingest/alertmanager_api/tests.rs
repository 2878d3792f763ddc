//! Looks one after another.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::fmt::Write;
use std::sync::Arc;

use serde_json::json;

use super::{AlertmanagerState, PollResponses, PollResult, PollTime, TrackedAlert};
use crate::ingest::{alertmanager, time};
use crate::model::event::{Event, Fact};
use crate::model::id::IncidentId;
use crate::model::settings::LabelNames;
use crate::model::time::Time;

fn at(text: &str) -> Time {
    time::parse(&format!("2026-11-23T{text}Z")).unwrap()
}

/// Tracked state of an alert of that name that began at 11:00 and some microseconds.
fn held(name: &str) -> TrackedAlert {
    let body = json!({"version": "4", "alerts": [{"status": "firing", "startsAt": "2026-11-23T11:00:00.123456Z",
        "labels": {"alertname": name, "service": "checkout", "replica": "a"}}]});
    let names = LabelNames {
        ignored: vec!["replica".to_owned()],
        ..LabelNames::default()
    };
    let reading =
        alertmanager::webhook(body.to_string().as_bytes(), "am", &names, at("11:00:01")).unwrap();
    let event = Arc::new(reading.into_events().into_iter().next().unwrap());
    TrackedAlert {
        incident: IncidentId("i-0000000001".into()),
        event,
        on: true,
        last_seen: at("11:00:01"),
    }
}

/// It as it is listed: spoken of at 11:09, promised until 11:13.
fn listed(name: &str, silenced_by: &[&str], inhibited_by: &[&str]) -> serde_json::Value {
    let state = if silenced_by.is_empty() && inhibited_by.is_empty() {
        "active"
    } else {
        "suppressed"
    };
    json!({"labels": {"alertname": name, "service": "checkout", "replica": "b"}, "annotations": {}, "fingerprint": format!("of-{name}"),
        "startsAt": "2026-11-23T11:00:00.123Z", "updatedAt": "2026-11-23T11:09:00.000Z", "endsAt": "2026-11-23T11:13:00.000Z",
        "status": {"state": state, "silencedBy": silenced_by, "inhibitedBy": inhibited_by}})
}

fn silence(id: &str, began: &str) -> serde_json::Value {
    json!({"id": id, "status": {"state": "active"}, "createdBy": "ada", "comment": "on\nit", "matchers": [],
        "startsAt": format!("2026-11-23T{began}Z"), "endsAt": "2026-11-23T13:00:00Z", "updatedAt": format!("2026-11-23T{began}Z")})
}

fn answers(
    alerts: &[serde_json::Value],
    silences: &[serde_json::Value],
    up_since: &str,
) -> PollResponses {
    let text = |value: serde_json::Value| value.to_string().into_bytes();
    let status = text(json!({"uptime": format!("2026-11-23T{up_since}Z")}));
    PollResponses {
        before: status.clone(),
        alerts: text(json!(alerts)),
        silences: text(json!(silences)),
        after: status,
    }
}

fn look(
    listing: &mut AlertmanagerState,
    answers: &PollResponses,
    held: &[TrackedAlert],
    now: &str,
) -> PollResult {
    let moment = PollTime {
        ours: at(now),
        theirs: at(now),
    };
    listing
        .read(answers, held, "am", &["replica".to_owned()], moment)
        .unwrap()
}

/// Events of a poll, one per line.
fn told(looked: &PollResult) -> String {
    let mut text = String::new();
    let mut say = |event: &Event, what: String| {
        writeln!(text, "{} {what}", event.occurred_at.format("%H:%M:%S")).unwrap();
    };
    for event in &looked.events {
        let actor = event
            .actor
            .as_ref()
            .map(|actor| actor.id.as_str())
            .unwrap_or_default();
        match &event.fact {
            Fact::Alert(alert) => say(
                event,
                format!("{} {:?} {:?}", alert.name, alert.status, alert.end_reason),
            ),
            Fact::Acknowledgement(ack) => say(
                event,
                format!(
                    "acknowledged by {actor}: {}",
                    ack.of == Some(held("A").event.subject)
                ),
            ),
            Fact::Note(note) => say(
                event,
                format!(
                    "note by {actor:?} in {}: {}",
                    event.incident.as_deref().unwrap(),
                    note.text
                ),
            ),
            fact => panic!("{fact:?}"),
        }
    }
    text
}

/// An alert is listed once, then no more: what is said at each of the later looks.
#[track_caller]
fn check_end(first: serde_json::Value, looks: &[(&str, &str, &str)]) {
    let (mut listing, all) = (AlertmanagerState::default(), [held("A")]);
    let silences = [silence("s1", "10:00:00")];
    assert_eq!(
        look(
            &mut listing,
            &answers(&[first], &silences, "08:00:00"),
            &all,
            "11:10:00"
        )
        .renewed,
        [all[0].event.subject]
    );
    for (now, up_since, expected) in looks {
        let looked = look(&mut listing, &answers(&[], &silences, up_since), &all, now);
        let told = told(&looked);
        assert_eq!(
            (told.trim(), looked.renewed.len()),
            (*expected, 0),
            "at {now}"
        );
    }
}

#[test]
fn silenced_alert_gone_before_its_promise_recovered() {
    check_end(
        listed("A", &["s1"], &[]),
        &[("11:10:30", "08:00:00", "11:10:30 A Resolved Recovered")],
    );
}

#[test]
fn silenced_alert_gone_after_its_promise_is_unknown_since_the_last_report() {
    check_end(
        listed("A", &["s1"], &[]),
        &[("11:13:10", "08:00:00", "11:09:00 A Resolved SourceLost")],
    );
}

#[test]
fn the_webhook_gets_time_to_tell_an_end_that_it_should() {
    let looks = [
        ("11:10:30", "08:00:00", ""),
        ("11:16:29", "08:00:00", ""),
        ("11:16:30", "08:00:00", "11:10:30 A Resolved Recovered"),
        ("11:17:00", "08:00:00", ""),
    ];
    check_end(listed("A", &[], &[]), &looks);
}

#[test]
fn an_alertmanager_that_was_started_anew_says_nothing_of_what_is_absent() {
    let looks = [
        ("11:11:00", "11:10:50", ""),
        ("11:15:49", "11:10:50", ""),
        ("11:15:50", "11:10:50", "11:09:00 A Resolved Unknown"),
    ];
    check_end(listed("A", &["s1"], &[]), &looks);
}

#[test]
fn nothing_is_concluded_of_an_answer_that_is_not_whole() {
    let (mut listing, all) = (AlertmanagerState::default(), [held("A")]);
    let whole = answers(
        &[listed("A", &["s1"], &[])],
        &[silence("s1", "10:00:00")],
        "08:00:00",
    );
    look(&mut listing, &whole, &all, "11:10:00");
    let empty = answers(&[], &[], "08:00:00");
    let moment = PollTime {
        ours: at("11:10:30"),
        theirs: at("11:10:30"),
    };
    for broken in [
        PollResponses {
            alerts: b"<html>".to_vec(),
            ..empty.clone()
        },
        PollResponses {
            alerts: br#"[{"labels": {"alertname": "B"}}]"#.to_vec(),
            ..empty.clone()
        },
        PollResponses {
            alerts: br#"{"alerts": []}"#.to_vec(),
            ..empty.clone()
        },
        PollResponses {
            silences: b"null".to_vec(),
            ..empty.clone()
        },
        PollResponses {
            after: Vec::new(),
            ..empty.clone()
        },
    ] {
        listing.read(&broken, &all, "am", &[], moment).unwrap_err();
    }
    let started_between = PollResponses {
        after: answers(&[], &[], "11:10:29").after,
        ..empty.clone()
    };
    assert_eq!(
        look(&mut listing, &started_between, &all, "11:10:30"),
        PollResult::default()
    );
    assert_eq!(
        told(&look(&mut listing, &empty, &all, "11:11:00")),
        "11:11:00 A Resolved Recovered\n"
    );
}

#[test]
fn what_was_never_listed_ends_as_unknown_when_it_was_last_seen() {
    let (mut listing, all) = (AlertmanagerState::default(), [held("A")]);
    for now in ["11:10:00", "11:15:59"] {
        assert_eq!(
            look(&mut listing, &answers(&[], &[], "08:00:00"), &all, now),
            PollResult::default()
        );
    }
    assert_eq!(
        told(&look(
            &mut listing,
            &answers(&[], &[], "08:00:00"),
            &all,
            "11:16:00"
        )),
        "11:00:01 A Resolved Unknown\n"
    );
}

#[test]
fn lapsed_alert_that_is_listed_fires_again() {
    let (mut listing, all) = (
        AlertmanagerState::default(),
        [TrackedAlert {
            on: false,
            ..held("A")
        }],
    );
    let looked = look(
        &mut listing,
        &answers(&[listed("A", &[], &[])], &[], "08:00:00"),
        &all,
        "11:10:00",
    );
    assert_eq!(
        (looked.events, looked.renewed.len()),
        (vec![Event::clone(&all[0].event)], 0)
    );
}

#[test]
fn a_silence_after_the_onset_is_an_acknowledgement_and_one_before_is_not() {
    let (mut listing, all) = (AlertmanagerState::default(), [held("A"), held("B")]);
    let alerts = [
        listed("A", &["before", "after"], &[]),
        listed("B", &["after", "nowhere"], &["of-A"]),
    ];
    let now = answers(
        &alerts,
        &[silence("before", "10:00:00"), silence("after", "11:05:00")],
        "08:00:00",
    );
    insta::assert_snapshot!(told(&look(&mut listing, &now, &all, "11:10:00")), @r#"
11:00:00 note by "alertmanager:ada" in i-0000000001: A is silenced in Alertmanager until 2026-11-23 13:00 UTC: on it
11:05:00 acknowledged by alertmanager:ada: true
11:05:00 note by "alertmanager:ada" in i-0000000001: A is silenced in Alertmanager until 2026-11-23 13:00 UTC: on it
11:00:00 note by "" in i-0000000001: B is inhibited in Alertmanager by A
"#);
    assert_eq!(
        told(&look(&mut listing, &now, &all, "11:10:30")),
        "",
        "each is told once"
    );
    let again = look(&mut AlertmanagerState::default(), &now, &all, "11:20:00");
    let before = look(&mut AlertmanagerState::default(), &now, &all, "11:10:00");
    assert_eq!(
        again.events, before.events,
        "and is the same event after a restart"
    );
}
