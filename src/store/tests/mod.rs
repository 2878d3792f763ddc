//! The store on a real file: atomicity, order, and state after a restart.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod delivery;
mod file;
mod ledger;
mod lists;
mod log;
mod metrics;
mod neighbours;
mod quarantine;
mod shared;
mod upgrade;

use chrono::Duration;

use super::active_alerts::ActiveAlert;
use super::apply::Changes;
use super::error::StoreError;
use super::incident::IncidentFilter;
use super::log::{MessageContext, NewRecord};
use super::testbed::stores;
use crate::model::delivery::{Delivery, DeliveryAction};
use crate::model::event::{Alert, AlertStatus, EndReason, Event, Fact, Note, Severity};
use crate::model::id::{IncidentId, PostmortemId, Subject};
use crate::model::incident::Incident;
use crate::model::labels::Labels;
use crate::model::lifecycle::{Phase, ReviewState};
use crate::model::meeting::Meeting;
use crate::model::member::{JoinReason, Member};
use crate::model::milestone::Milestones;
use crate::model::postmortem::{Postmortem, PostmortemStatus};
use crate::model::time::Time;
use crate::model::verdict::Decision;
use crate::store::database::Store;

fn at(seconds: i64) -> Time {
    Time::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
}

fn note(text: &str) -> Event {
    Event::new(
        "cli",
        at(0),
        Fact::Note(Note {
            text: text.to_owned(),
        }),
    )
}

fn alert(name: &str) -> Event {
    let fact = Fact::Alert(Alert {
        seen_again: None,
        borrowed_end: false,
        recalled: false,
        name: name.to_owned().into(),
        status: AlertStatus::Firing,
        labels: Labels::from([("alertname".to_owned(), name.to_owned())]).into(),
        annotations: Labels::new().into(),
        severity: Severity::Critical,
        starts_at: at(0),
        ends_at: None,
        pending_for: None,
        keep_firing_for: None,
        end_reason: EndReason::Recovered,
    });
    Event::new("alertmanager", at(0), fact)
}

fn record(source: &str, events: &[Event]) -> NewRecord {
    NewRecord {
        source: source.to_owned(),
        body: b"body".to_vec(),
        events: events.to_vec(),
        fault: None,
        beside: MessageContext::default(),
    }
}

fn incident(id: &str, began: i64, phase: Phase) -> Incident {
    let mut event = note(id);
    event.occurred_at = at(began);
    Incident {
        id: IncidentId(id.to_owned()),
        revision: 1,
        title: format!("about {id}"),
        services: vec!["checkout".to_owned()],
        unassigned: None,
        scope: Vec::new(),
        severity: Severity::Critical,
        environment: None,
        milestones: Milestones::default(),
        phase,
        phase_since: at(began),
        signals: Vec::new(),
        members: vec![Member {
            event: event.into(),
            reason: JoinReason::Opened,
        }]
        .into(),
        rollbacks: Vec::new(),
        verdicts: Vec::new(),
        decision: Decision::None,
        form: None,
        announced: None,
        review: None,
        standing: ReviewState::None,
        reason: String::new(),
        bundle: None,
        identities: Default::default(),
    }
}

fn delivery(key: &str, destination: &str) -> Delivery {
    let action = DeliveryAction::WriteInvite {
        file: format!("{key}.ics"),
        text: "BEGIN:VCALENDAR".to_owned(),
    };
    Delivery {
        key: key.to_owned(),
        destination: destination.to_owned(),
        action,
    }
}

fn ids(incidents: &[Incident]) -> Vec<&str> {
    incidents
        .iter()
        .map(|incident| incident.id.0.as_str())
        .collect()
}

/// Writes changes without moving the applied position.
fn apply(store: &Store, changes: &Changes) {
    let head = store.head().unwrap();
    store
        .apply(head.epoch, head.applied, head.applied, changes)
        .unwrap();
}

fn due(store: &Store, now: i64) -> Vec<String> {
    let due = store.claim_deliveries(at(now), 10).unwrap();
    store.release_deliveries().unwrap();
    due.into_iter().map(|due| due.key).collect()
}

#[test]
fn a_judge_that_was_replaced_is_refused_and_leaves_no_trace() {
    for (_home, store) in stores() {
        store
            .append(&[record("a", &[]), record("a", &[])], at(0))
            .unwrap();
        let old = store.take_leadership().unwrap();
        let changes = |id: &str| Changes {
            incidents: vec![incident(id, 0, Phase::Active).into()],
            deliveries: vec![delivery(id, "x")],
            now: at(1),
            ..Changes::default()
        };
        store.apply(old, 0, 1, &changes("i-1")).unwrap();
        let new = store.take_leadership().unwrap();
        assert_eq!(new, old + 1);
        for (epoch, from, to) in [(old, 1, 2), (new, 0, 2), (new, 2, 2), (old, 1, 1)] {
            assert!(
                matches!(
                    store.apply(epoch, from, to, &changes("i-2")),
                    Err(StoreError::Fenced)
                ),
                "{epoch} {from} {to}"
            );
        }
        assert_eq!(store.head().unwrap().applied, 1);
        assert_eq!(ids(&store.load(at(0)).unwrap().incidents), ["i-1"]);
        assert_eq!(due(&store, 1), ["i-1"]);
        store.apply(new, 1, 2, &changes("i-2")).unwrap();
        store.apply(new, 2, 2, &changes("i-3")).unwrap();
        assert_eq!(store.head().unwrap().applied, 2);
        assert_eq!(due(&store, 1), ["i-1"], "one destination, one at a time");
    }
}

#[test]
fn changes_are_applied_whole_or_not_at_all() {
    for (_home, store) in stores() {
        store.append(&[record("a", &[])], at(0)).unwrap();
        let epoch = store.take_leadership().unwrap();
        let postmortem = |id: &str| Postmortem {
            id: PostmortemId(id.to_owned()),
            incident: IncidentId("i-1".to_owned()),
            title: "t".to_owned(),
            status: PostmortemStatus::Draft,
            file: "f.md".to_owned(),
            generated: String::new(),
            opened_at: at(0),
        };
        // One incident has one postmortem, so the second fails after much has been written.
        let mut changes = Changes {
            incidents: vec![incident("i-1", 0, Phase::Active).into()],
            aliases: vec![("i-0".to_owned(), IncidentId("i-1".to_owned()))],
            loose: vec![note("loose")],
            postmortems: vec![postmortem("pm-1"), postmortem("pm-2")],
            ..Changes::default()
        };
        assert!(matches!(
            store.apply(epoch, 0, 1, &changes),
            Err(StoreError::Other(_))
        ));
        let loaded = store.load(at(0)).unwrap();
        assert_eq!(
            (
                loaded.applied,
                loaded.incidents.len(),
                loaded.loose.len(),
                loaded.aliases.len()
            ),
            (0, 0, 0, 0)
        );
        changes.postmortems.pop();
        store.apply(epoch, 0, 1, &changes).unwrap();
        let loaded = store.load(at(0)).unwrap();
        assert_eq!(
            (
                loaded.applied,
                loaded.incidents.len(),
                loaded.loose,
                loaded.aliases.len()
            ),
            (1, 1, vec![note("loose")], 1)
        );
    }
}

#[test]
fn a_restart_finds_everything() {
    for (home, store) in stores() {
        store
            .append(&[record("a", &[alert("One")])], at(5))
            .unwrap();
        let epoch = store.take_leadership().unwrap();
        let meeting = Meeting {
            id: PostmortemId("pm-1".to_owned()),
            uid: "u".to_owned(),
            sequence: 3,
            stamp: at(0),
            starts_at: at(90),
            ends_at: at(99),
            cancelled: false,
            summary: String::new(),
            description: String::new(),
            url: String::new(),
            organizer: String::new(),
            attendees: Vec::new(),
        };
        let mut precise = incident("i-1", 0, Phase::Active);
        precise.phase_since = at(0) + Duration::nanoseconds(123_456_789);
        let changes = Changes {
            incidents: vec![precise.clone().into()],
            meetings: vec![meeting.clone()],
            now: at(6),
            ..Changes::default()
        };
        store.apply(epoch, 0, 1, &changes).unwrap();
        let active = |subject: u64, seconds, lease_end| ActiveAlert {
            subject: Subject::from(subject),
            last_seen: at(seconds),
            lease_end,
        };
        let alerts = [active(1, 5, None), active(2, 6, Some(at(60)))];
        store.save_active_alerts(&alerts, &[]).unwrap();
        drop(store);

        let store = Store::open_at(&home.place, at(100)).unwrap();
        let head = store.head().unwrap();
        assert_eq!(
            (head.next, head.clock, head.applied, head.epoch),
            (2, at(5), 1, epoch)
        );
        assert_eq!(store.load(at(0)).unwrap().incidents, [precise]);
        assert_eq!(store.log_after(0, 9).unwrap()[0].events, [alert("One")]);
        assert_eq!(store.meeting(&meeting.id).unwrap(), Some(meeting));
        assert_eq!(store.active_alerts().unwrap(), alerts);
        let later = [active(2, 7, None)];
        store
            .save_active_alerts(&later, &[Subject::from(1)])
            .unwrap();
        assert_eq!(store.active_alerts().unwrap(), later);
        store.save_active_alerts(&[], &[Subject::from(2)]).unwrap();
        assert_eq!(store.active_alerts().unwrap(), []);
    }
}

#[test]
fn incidents_are_listed_newest_first_and_found_by_any_name() {
    for (_home, store) in stores() {
        let mut suggested = incident("i-2", 20, Phase::Resolved);
        suggested.standing = ReviewState::Suggested;
        let mut snoozed = incident("i-3", 30, Phase::Active);
        snoozed.standing = ReviewState::Snoozed;
        let closed = incident("i-1", 10, Phase::Closed);
        let changes = Changes {
            incidents: vec![closed.into(), suggested.clone().into(), snoozed.into()],
            ..Changes::default()
        };
        apply(&store, &changes);
        let list = |open_only, limit| {
            store
                .incidents(IncidentFilter { open_only, limit })
                .unwrap()
        };
        assert_eq!(ids(&list(false, 10)), ["i-3", "i-2", "i-1"]);
        assert_eq!(ids(&list(true, 10)), ["i-3", "i-2"]);
        assert_eq!(ids(&list(false, 1)), ["i-3"]);
        assert_eq!(
            ids(&store.load(at(9)).unwrap().incidents),
            ["i-1", "i-2", "i-3"]
        );
        assert_eq!(ids(&store.load(at(10)).unwrap().incidents), ["i-2", "i-3"]);

        // i-3 merges into i-2, then i-2 into i-1: both names resolve to i-1.
        let id = |id: &str| IncidentId(id.to_owned());
        apply(
            &store,
            &Changes {
                removed: vec![id("i-3")],
                aliases: vec![("i-3".to_owned(), id("i-2"))],
                ..Changes::default()
            },
        );
        assert_eq!(store.incident("i-3").unwrap().unwrap(), suggested);
        apply(
            &store,
            &Changes {
                removed: vec![id("i-2")],
                aliases: vec![("i-2".to_owned(), id("i-1"))],
                ..Changes::default()
            },
        );
        for name in ["i-1", "i-2", "i-3"] {
            assert_eq!(store.incident(name).unwrap().unwrap().id.0, "i-1");
        }
        assert_eq!(store.incident("i-4").unwrap(), None);
        assert_eq!(
            store.load(at(0)).unwrap().aliases,
            [("i-2".to_owned(), id("i-1")), ("i-3".to_owned(), id("i-1"))]
        );

        // It is split off again: the name is its own.
        apply(
            &store,
            &Changes {
                incidents: vec![suggested.into()],
                ..Changes::default()
            },
        );
        assert_eq!(store.incident("i-2").unwrap().unwrap().id.0, "i-2");
        assert_eq!(
            store.load(at(0)).unwrap().aliases,
            [("i-3".to_owned(), id("i-1"))]
        );
        let counts = store.counts().unwrap();
        assert_eq!(
            (counts.incidents["closed"], counts.standings["suggested"]),
            (1, 1)
        );
    }
}

#[test]
fn loose_events_come_and_go() {
    for (_home, store) in stores() {
        let mut early = note("early");
        early.occurred_at = at(-9);
        apply(
            &store,
            &Changes {
                loose: vec![note("late"), early.clone(), early.clone()],
                ..Changes::default()
            },
        );
        assert_eq!(
            store.load(at(0)).unwrap().loose,
            [early.clone(), note("late")]
        );
        apply(
            &store,
            &Changes {
                loose_removed: vec![early.id],
                ..Changes::default()
            },
        );
        assert_eq!(store.load(at(0)).unwrap().loose, [note("late")]);
    }
}
