//! The store on a real file: atomicity, order, and state after a restart.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod file;
mod metrics;
mod quarantine;
mod shared;

use std::collections::BTreeSet;

use chrono::Duration;

use super::active_alerts::ActiveAlert;
use super::apply::Changes;
use super::delivery::DeliveryState;
use super::error::StoreError;
use super::incident::IncidentFilter;
use super::ledger::LedgerFilter;
use super::log::{MessageContext, NewRecord};
use super::testbed::stores;
use crate::model::delivery::{Delivery, DeliveryAction};
use crate::model::event::{Alert, AlertStatus, EndReason, Event, Fact, Note, Severity};
use crate::model::id::{IncidentId, PostmortemId, Subject};
use crate::model::incident::Incident;
use crate::model::labels::Labels;
use crate::model::ledger::{Disposition, LedgerEntry};
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
fn positions_are_dense_and_times_rise_even_when_the_clock_does_not() {
    for (_home, store) in stores() {
        let records = [
            record("a", &[note("1")]),
            record("a", &[note("2")]),
            record("b", &[]),
        ];
        let mut logged = store.append(&records, at(10)).unwrap();
        logged.extend(store.append(&records, at(10)).unwrap());
        logged.extend(store.append(&records[..1], at(-500)).unwrap());
        logged.extend(store.append(&records[..1], at(20)).unwrap());
        assert_eq!(
            logged
                .iter()
                .map(|logged| logged.position)
                .collect::<Vec<_>>(),
            (1..=8).collect::<Vec<_>>()
        );
        let micros: Vec<_> = logged
            .iter()
            .map(|logged| (logged.logged_at - at(10)).num_microseconds().unwrap())
            .collect();
        assert_eq!(micros, [0, 1, 2, 3, 4, 5, 6, 10_000_000]);
        let head = store.head().unwrap();
        assert_eq!((head.next, head.clock, head.applied), (9, at(20), 0));
        assert_eq!(store.append(&[], at(30)).unwrap(), []);

        let read = store.log_after(2, 3).unwrap();
        assert_eq!(
            read.iter()
                .map(|record| (record.position, record.source.as_str()))
                .collect::<Vec<_>>(),
            [(3, "b"), (4, "a"), (5, "a")]
        );
        assert_eq!(read[1].events, [note("1")]);
        assert_eq!(read[1].logged_at, logged[3].logged_at);
    }
}

#[test]
fn records_appended_after_an_ended_window_are_logged_later() {
    for (_home, store) in stores() {
        let first = store.append(&[record("a", &[note("1")])], at(1)).unwrap()[0];
        assert_eq!(store.end_window(at(5)).unwrap(), first.position);
        // An append that read its clock before the window ended, and one that did so after.
        for (now, logged_at) in [(at(2), at(5)), (at(6), at(6))] {
            let next = store.append(&[record("a", &[note("2")])], now).unwrap()[0];
            assert_eq!(next.logged_at, logged_at);
        }
        assert_eq!(store.end_window(at(3)).unwrap(), first.position + 2);
    }
}

#[test]
fn threads_that_append_at_once_share_one_order() {
    for (_home, store) in stores() {
        let logged: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..6)
                .map(|thread| {
                    let store = &store;
                    scope.spawn(move || {
                        let append = |n: usize| {
                            let records =
                                vec![record(&format!("s{thread}"), &[note("x")]); 1 + n % 3];
                            let logged = store.append(&records, at(0)).unwrap();
                            // A reader beside the writers sees a prefix of the log without gaps.
                            let seen = store.log_after(0, usize::MAX).unwrap();
                            assert!(
                                seen.iter()
                                    .zip(1..)
                                    .all(|(record, position)| record.position == position)
                            );
                            assert!(seen.len() as u64 >= logged.last().unwrap().position);
                            logged
                        };
                        (0..9).flat_map(append).collect::<Vec<_>>()
                    })
                })
                .collect();
            threads
                .into_iter()
                .flat_map(|thread| thread.join().unwrap())
                .collect()
        });
        assert_eq!(logged.len(), 6 * 18);
        let positions: BTreeSet<u64> = logged.iter().map(|logged| logged.position).collect();
        assert_eq!(positions, (1..=108).collect());
        let read = store.log_after(0, usize::MAX).unwrap();
        assert!(
            read.windows(2)
                .all(|pair| pair[0].logged_at < pair[1].logged_at)
        );
        let stats = store.source_stats().unwrap();
        assert!(
            stats
                .iter()
                .all(|stat| (stat.records, stat.events, stat.faults) == (18, 18, 0)),
            "{stats:?}"
        );
    }
}

#[test]
fn the_last_alert_is_found_among_other_records() {
    for (_home, store) in stores() {
        store.append(&[record("a", &[note("1")])], at(0)).unwrap();
        assert_eq!(store.last_alert().unwrap(), None);
        store
            .append(
                &[
                    record("a", &[alert("One"), alert("Two"), note("2")]),
                    record("a", &[note("3")]),
                ],
                at(1),
            )
            .unwrap();
        store.append(&[record("a", &[note("4")])], at(2)).unwrap();
        let (found, event) = store.last_alert().unwrap().unwrap();
        assert_eq!((found.position, event), (2, alert("Two")));
    }
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
        assert_eq!(ids(&store.suggestions().unwrap()), ["i-2"]);
        assert_eq!(
            ids(&store
                .incidents_in_review_state(ReviewState::Snoozed, 5)
                .unwrap()),
            ["i-3"]
        );
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

#[test]
fn the_ledger_keeps_what_was_and_shows_what_changed() {
    for (_home, store) in stores() {
        let mut closed = incident("i-1", 0, Phase::Closed);
        let first = LedgerEntry::of(&closed);
        apply(
            &store,
            &Changes {
                ledger: vec![first.clone()],
                now: at(1),
                ..Changes::default()
            },
        );
        apply(
            &store,
            &Changes {
                ledger: vec![first.clone()],
                now: at(2),
                ..Changes::default()
            },
        );
        let only = |store: &Store| {
            store
                .ledger(LedgerFilter::default())
                .unwrap()
                .pop()
                .unwrap()
        };
        assert_eq!(
            (only(&store).entry, only(&store).amended),
            (first.clone(), None)
        );
        closed.decision = Decision::Hold;
        let second = LedgerEntry::of(&closed);
        apply(
            &store,
            &Changes {
                ledger: vec![second.clone()],
                now: at(3),
                ..Changes::default()
            },
        );
        apply(
            &store,
            &Changes {
                ledger: vec![second.clone()],
                now: at(4),
                ..Changes::default()
            },
        );
        assert_eq!(
            (only(&store).entry, only(&store).amended),
            (first.clone(), Some((at(3), second)))
        );
        // A return to the original state is a change, too.
        apply(
            &store,
            &Changes {
                ledger: vec![first.clone()],
                now: at(5),
                ..Changes::default()
            },
        );
        assert_eq!(only(&store).amended, Some((at(5), first)));
    }
}

#[test]
fn the_ledger_is_read_in_order_page_by_page_with_what_came_of_each() {
    for (_home, store) in stores() {
        let entry = |id: &str, closed: i64, standing: ReviewState| {
            let mut closed = incident(id, closed, Phase::Closed);
            closed.standing = standing;
            LedgerEntry::of(&closed)
        };
        let ledger = vec![
            entry("i-3", 20, ReviewState::None),
            entry("i-1", 10, ReviewState::Held),
            entry("i-2", 10, ReviewState::None),
            entry("i-0", 10, ReviewState::Suggested),
            entry("i-4", 5, ReviewState::Dismissed),
        ];
        let postmortem = Postmortem {
            id: PostmortemId("pm-1".to_owned()),
            incident: IncidentId("i-1".to_owned()),
            title: "a title".to_owned(),
            status: PostmortemStatus::InDiscussion,
            file: "a.md".to_owned(),
            generated: "long".to_owned(),
            opened_at: at(11),
        };
        let meeting = Meeting {
            id: postmortem.id.clone(),
            uid: String::new(),
            sequence: 1,
            stamp: at(11),
            starts_at: at(99),
            ends_at: at(100),
            cancelled: true,
            summary: String::new(),
            description: String::new(),
            url: String::new(),
            organizer: String::new(),
            attendees: Vec::new(),
        };
        let (postmortems, meetings) = (vec![postmortem], vec![meeting]);
        let incidents = vec![
            incident("i-2", 10, Phase::Closed).into(),
            incident("i-3", 20, Phase::Resolved).into(),
        ];
        let aliases = vec![("i-4".to_owned(), IncidentId("i-3".to_owned()))];
        apply(
            &store,
            &Changes {
                ledger,
                postmortems,
                meetings,
                incidents,
                aliases,
                now: at(30),
                ..Changes::default()
            },
        );
        let read = |filter: LedgerFilter<'_>| -> Vec<String> {
            store
                .ledger(filter)
                .unwrap()
                .into_iter()
                .map(|row| row.entry.incident.0)
                .collect()
        };
        let all = LedgerFilter::default();
        assert_eq!(read(all), ["i-3", "i-0", "i-1", "i-2", "i-4"]);
        assert_eq!(read(LedgerFilter { limit: 2, ..all }), ["i-3", "i-0"]);
        assert_eq!(
            read(LedgerFilter {
                after: Some((at(10), "i-0")),
                limit: 2,
                ..all
            }),
            ["i-1", "i-2"]
        );
        assert_eq!(
            read(LedgerFilter {
                after: Some((at(10), "i-2")),
                ..all
            }),
            ["i-4"]
        );
        assert_eq!(
            read(LedgerFilter {
                since: at(10),
                until: at(20),
                ..all
            }),
            ["i-0", "i-1", "i-2"]
        );
        assert_eq!(
            read(LedgerFilter {
                announced: Some(false),
                ..all
            }),
            ["i-3", "i-2"]
        );
        assert_eq!(
            read(LedgerFilter {
                announced: Some(true),
                since: at(6),
                ..all
            }),
            ["i-0", "i-1"]
        );
        assert_eq!(
            (
                store.closed_at("i-1").unwrap(),
                store.closed_at("i-9").unwrap()
            ),
            (Some(at(10)), None)
        );

        let rows = store.ledger(all).unwrap();
        let filed = rows[2].postmortem.as_ref().unwrap();
        assert_eq!(
            (filed.id.0.as_str(), filed.status, filed.file.as_str()),
            ("pm-1", PostmortemStatus::InDiscussion, "a.md")
        );
        assert_eq!(
            rows[2]
                .meeting
                .map(|meeting| (meeting.starts_at, meeting.cancelled)),
            Some((at(99), true))
        );
        assert_eq!(
            (&rows[0].postmortem, &rows[0].meeting, &rows[0].merged_into),
            (&None, &None, &None)
        );
        assert_eq!(rows[4].merged_into, Some(IncidentId("i-3".to_owned())));
        assert_eq!(
            rows.iter().map(|row| row.became(false)).collect::<Vec<_>>(),
            [
                Disposition::Reopened,
                Disposition::Waiting,
                Disposition::InDiscussion,
                Disposition::Nothing,
                Disposition::Merged
            ]
        );
    }
}

#[test]
fn deliveries_go_out_in_order_per_destination() {
    for (_home, store) in stores() {
        let deliveries = vec![
            delivery("a1", "a"),
            delivery("a2", "a"),
            delivery("b1", "b"),
            delivery("b2", "b"),
        ];
        apply(
            &store,
            &Changes {
                deliveries,
                now: at(0),
                ..Changes::default()
            },
        );
        assert_eq!(store.next_delivery_at().unwrap(), Some(at(0)));
        assert_eq!(due(&store, -1), [""; 0]);
        assert_eq!(due(&store, 0), ["a1", "b1"]);

        store
            .retry_refused_delivery("a1", at(30), "disk full")
            .unwrap();
        store.mark_delivered("b1", at(1)).unwrap();
        assert_eq!(due(&store, 1), ["b2"], "a2 waits for a1");
        store.mark_refused("b2", "no such name", at(2)).unwrap();
        assert_eq!(store.next_delivery_at().unwrap(), Some(at(30)));
        assert_eq!(due(&store, 30), ["a1"]);
        assert_eq!(store.claim_deliveries(at(30), 9).unwrap()[0].attempts, 1);
        store.mark_delivered("a1", at(31)).unwrap();
        // The last result wins, whichever process reports it.
        store.retry_refused_delivery("a1", at(99), "late").unwrap();
        store.mark_refused("a1", "late", at(99)).unwrap();
        assert_eq!(due(&store, 31), ["a2"]);
        store.mark_delivered("a2", at(32)).unwrap();
        assert_eq!(store.next_delivery_at().unwrap(), None);

        let rows = store.deliveries(10).unwrap();
        let told: Vec<_> = rows
            .iter()
            .map(|row| {
                (
                    row.delivery.key.as_str(),
                    row.state,
                    row.attempts,
                    row.error.as_deref(),
                    row.done_at,
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                (
                    "b2",
                    DeliveryState::Refused,
                    1,
                    Some("no such name"),
                    Some(at(2))
                ),
                ("b1", DeliveryState::Delivered, 0, None, Some(at(1))),
                ("a2", DeliveryState::Delivered, 0, None, Some(at(32))),
                ("a1", DeliveryState::Delivered, 1, None, Some(at(31))),
            ]
        );
        assert_eq!(rows[0].delivery, delivery("b2", "b"));
    }
}

#[test]
fn a_delivery_that_is_decided_on_again_is_not_performed_again() {
    for (_home, store) in stores() {
        apply(
            &store,
            &Changes {
                deliveries: vec![delivery("a1", "a")],
                now: at(0),
                ..Changes::default()
            },
        );
        store.mark_delivered("a1", at(1)).unwrap();
        apply(
            &store,
            &Changes {
                deliveries: vec![delivery("a1", "a"), delivery("a2", "a")],
                now: at(2),
                ..Changes::default()
            },
        );
        assert_eq!(due(&store, 2), ["a2"]);
        assert_eq!(store.counts().unwrap().deliveries["delivered"], 1);
    }
}

#[test]
fn a_delivery_that_waits_gives_way_to_one_that_does_the_same() {
    for (_home, store) in stores() {
        let same = |key: &str| Delivery {
            key: key.to_owned(),
            ..delivery("picture", "a")
        };
        let decide = |deliveries: Vec<Delivery>| {
            apply(
                &store,
                &Changes {
                    deliveries,
                    now: at(0),
                    ..Changes::default()
                },
            );
        };
        decide(vec![
            same("1"),
            delivery("between", "a"),
            same("1"),
            same("2"),
        ]);
        assert_eq!(store.deliveries(9).unwrap().len(), 2);
        assert_eq!(due(&store, 0), ["between"]);
        store.mark_delivered("between", at(0)).unwrap();
        // A claimed delivery may write the state before it.
        assert_eq!(store.claim_deliveries(at(0), 9).unwrap()[0].key, "2");
        decide(vec![
            same("3"),
            Delivery {
                destination: "b".to_owned(),
                ..same("4")
            },
        ]);
        store.mark_delivered("2", at(1)).unwrap();
        assert_eq!(due(&store, 1), ["3", "4"]);
        store.mark_delivered("3", at(1)).unwrap();
        decide(vec![same("3"), same("2")]);
        assert_eq!(due(&store, 1), ["4"]);
    }
}
