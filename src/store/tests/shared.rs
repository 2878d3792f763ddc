//! A database shared by replicas: one order, one leader, deliveries, incidents in parts; and moves
//! between databases.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use super::{alert, apply, at, delivery, due, incident, note, record};
use crate::model::id::{IncidentId, Subject};
use crate::model::incident::Incident;
use crate::model::ledger::LedgerEntry;
use crate::model::lifecycle::Phase;
use crate::model::member::{JoinReason, Member};
use crate::store::active_alerts::ActiveAlert;
use crate::store::apply::Changes;
use crate::store::database::Store;
use crate::store::error::StoreError;
use crate::store::log::{MessageContext, NewRecord};
use crate::store::source_stats::{HourlyCounts, SourceActivity};
use crate::store::sql::values;
use crate::store::testbed::stores;
use crate::store::{migration, sql};

#[test]
fn many_writers_and_a_reader_agree_on_one_order() {
    use proptest::prelude::*;
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 12,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let batches = proptest::collection::vec(proptest::collection::vec(1_usize..70, 1..6), 2..6);
    runner
        .run(&batches, |writers| {
            for (_home, store) in stores() {
                check_one_order(&store, &writers)?;
            }
            Ok(())
        })
        .unwrap();
}

/// Each writer appends batches of these sizes while a reader follows: it must see every position once, in order, and skip none.
fn check_one_order(
    store: &Store,
    writers: &[Vec<usize>],
) -> Result<(), proptest::test_runner::TestCaseError> {
    let all: usize = writers.iter().flatten().sum();
    let (mut seen, mut told) = (Vec::new(), Vec::new());
    std::thread::scope(|scope| {
        let threads: Vec<_> = writers
            .iter()
            .map(|sizes| {
                scope.spawn(|| {
                    sizes
                        .iter()
                        .flat_map(|size| {
                            store.append(&vec![record("a", &[]); *size], at(0)).unwrap()
                        })
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        while seen.len() < all {
            let after = seen.last().copied().unwrap_or(0);
            seen.extend(
                store
                    .log_after(after, 40)
                    .unwrap()
                    .into_iter()
                    .map(|record| record.position),
            );
        }
        told.extend(
            threads
                .into_iter()
                .flat_map(|thread| thread.join().unwrap()),
        );
    });
    proptest::prop_assert_eq!(&seen, &(1..=all as u64).collect::<Vec<_>>());
    told.sort_by_key(|logged| logged.position);
    proptest::prop_assert!(
        told.windows(2)
            .all(|pair| pair[0].logged_at < pair[1].logged_at)
    );
    proptest::prop_assert_eq!(
        told.iter()
            .map(|logged| logged.position)
            .collect::<Vec<_>>(),
        seen
    );
    Ok(())
}

#[test]
fn leader_lease_is_renewed_taken_over_and_fenced() {
    for (_home, store) in stores() {
        let first = store.acquire_leader_lease(None).unwrap().unwrap();
        assert_eq!(
            store.acquire_leader_lease(Some(first)).unwrap(),
            Some(first)
        );
        if store.is_shared() {
            assert_eq!(
                store.acquire_leader_lease(None).unwrap(),
                None,
                "another is in office"
            );
            store.release_leader_lease(first).unwrap();
        }
        let second = store.acquire_leader_lease(None).unwrap().unwrap();
        assert!(second > first);
        let own = [record("afterword", &[])];
        assert!(matches!(
            store.append_as(Some(first), &own, at(0)),
            Err(StoreError::Fenced)
        ));
        assert_eq!(
            store.append_as(Some(second), &own, at(0)).unwrap()[0].position,
            1
        );
        assert!(matches!(
            store.apply(first, 0, 1, &Changes::default()),
            Err(StoreError::Fenced)
        ));
    }
}

#[test]
fn a_large_incident_is_kept_in_parts_and_found_whole() {
    for (_home, store) in stores() {
        let mut large = incident("i-1", 0, Phase::Active);
        let grow = |incident: &mut Incident, to: usize| {
            for index in incident.members.len()..to {
                incident.members.push(Member {
                    event: note(&format!("n{index}")).into(),
                    reason: JoinReason::Subject,
                });
            }
        };
        for size in [1, 8, 9, 16, 17, 64, 200, 257, 1_000, 1_001, 300, 10, 8, 600] {
            let _ = large.members.split_off(size.min(large.members.len()));
            grow(&mut large, size);
            large.revision += 1;
            apply(
                &store,
                &Changes {
                    incidents: vec![large.clone().into()],
                    ..Changes::default()
                },
            );
            assert_eq!(store.incident("i-1").unwrap().unwrap(), large, "{size}");
            assert_eq!(store.load(at(0)).unwrap().incidents, [large.clone()]);
        }
        // Independent of the parts it was stored in.
        store
            .write("test", |at| {
                sql::execute(at, "test", "delete from part", &[])?;
                large.members.chunks(128).enumerate().try_for_each(|(number, members)| {
                    let text = "insert into part (incident, kind, number, hash, state) values ('i-1', 'member', $1, 1, $2)";
                    sql::execute(at, "test", text, values![sql::integer(number), sql::json("test", members)?]).map(drop)
                })
            })
            .unwrap();
        assert_eq!(store.incident("i-1").unwrap().unwrap(), large);
        grow(&mut large, 601);
        apply(
            &store,
            &Changes {
                incidents: vec![large.clone().into()],
                ..Changes::default()
            },
        );
        assert_eq!(store.incident("i-1").unwrap().unwrap(), large);
        apply(
            &store,
            &Changes {
                removed: vec![large.id.clone()],
                ..Changes::default()
            },
        );
        let parts = store.read("test", |at| {
            sql::row(at, "test", "select count(*) from part", &[], |row| {
                row.get::<i64>(0)
            })
        });
        assert_eq!(parts.unwrap(), Some(0));
    }
}

#[test]
fn claimed_delivery_is_not_given_to_another_process() {
    for (_home, store) in stores() {
        apply(
            &store,
            &Changes {
                deliveries: vec![delivery("a1", "a"), delivery("b1", "b")],
                now: at(0),
                ..Changes::default()
            },
        );
        let keys = |limit| {
            store
                .claim_deliveries(at(1), limit)
                .unwrap()
                .into_iter()
                .map(|due| due.key)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            (keys(1), keys(9), keys(9)),
            (vec!["a1".to_owned()], vec!["b1".to_owned()], Vec::new())
        );
        store.mark_refused("a1", "no such name", at(2)).unwrap();
        assert!(
            !store.retry_refused_delivery("b1", at(3)).unwrap(),
            "it is not refused"
        );
        assert!(store.retry_refused_delivery("a1", at(3)).unwrap());
        assert_eq!(due(&store, 3), ["a1"]);
    }
}

#[test]
fn export_and_import_move_a_database_without_loss() {
    let fill = |store: &Store| {
        let beside = MessageContext {
            headers: vec![("ce-type".to_owned(), "a.b".to_owned())],
            came_at: Some(at(1)),
        };
        let broken = NewRecord {
            source: "a".to_owned(),
            body: vec![0, 159],
            events: vec![alert("One")],
            fault: Some("no\u{0} JSON".to_owned()),
            beside,
        };
        store
            .append(&vec![record("a", &[note("1")]); 700], at(0))
            .unwrap();
        store.append(&[broken], at(1)).unwrap();
        let mut large = incident("i-1", 0, Phase::Closed);
        large.members = (0..400)
            .map(|index| Member {
                event: note(&format!("n{index}")).into(),
                reason: JoinReason::Subject,
            })
            .collect();
        let changes = Changes {
            ledger: vec![LedgerEntry::of(&large)],
            incidents: vec![large.into()],
            aliases: vec![("i-0".to_owned(), IncidentId("i-1".to_owned()))],
            loose: vec![note("loose")],
            deliveries: vec![delivery("a1", "a")],
            ..Changes::default()
        };
        let epoch = store.take_leadership().unwrap();
        store.apply(epoch, 0, 700, &changes).unwrap();
        let active = ActiveAlert {
            subject: Subject::from(0xaa),
            last_seen: at(5),
            lease_end: None,
        };
        store.save_active_alerts(&[active], &[]).unwrap();
        let hour = (
            at(0),
            HourlyCounts {
                messages: 3,
                first_message: Some(at(1)),
                ..HourlyCounts::default()
            },
        );
        store
            .add_source_counts(&[(
                (
                    "a".to_owned(),
                    SourceActivity {
                        last_message: Some(at(2)),
                        ..SourceActivity::default()
                    },
                    vec![hour],
                ),
                at(-9),
            )])
            .unwrap();
        store.mark_reprocessed(701, Some(3), at(3)).unwrap();
    };
    let text = |store: &Store| {
        let mut out = Vec::new();
        store.export(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    };
    for (_home, from) in stores() {
        fill(&from);
        let exported = text(&from).replace("\\u0000", "\u{fffd}");
        for (_home, to) in stores() {
            let whole = to.import(&mut exported.as_bytes(), at(0)).unwrap();
            assert_eq!(exported.lines().count() as u64, whole + 2);
            assert_eq!(text(&to), exported);
            assert!(
                to.import(&mut exported.as_bytes(), at(0))
                    .unwrap_err()
                    .to_string()
                    .contains("already holds data")
            );
            apply(
                &to,
                &Changes {
                    deliveries: vec![delivery("a2", "b")],
                    ..Changes::default()
                },
            );
            assert_eq!(due(&to, 9), ["a1", "a2"]);
        }
        for (_home, to) in stores() {
            let half: String = exported.split_inclusive('\n').take(50).collect();
            assert!(
                to.import(&mut half.as_bytes(), at(0))
                    .unwrap_err()
                    .to_string()
                    .contains("ends early, after 49 rows")
            );
            assert_eq!(to.head().unwrap().next, 1, "nothing of it was kept");
        }
    }
}

fn active(subject: u64, lease_end: i64) -> ActiveAlert {
    ActiveAlert {
        subject: Subject::from(subject),
        last_seen: at(5),
        lease_end: Some(at(lease_end)),
    }
}

#[test]
fn migration_removes_active_alerts_whose_lease_ran_out_long_ago() {
    for (_home, store) in stores() {
        let alerts = [active(1, 60), active(2, 3_700), active(3, 90_000)];
        store.save_active_alerts(&alerts, &[]).unwrap();
        store
            .append(&[record("a", &[note("newest")])], at(7_200))
            .unwrap();
        let undo =
            "alter table active_alert rename to sight; delete from migration where version = 5;";
        store
            .write("test", |at| sql::batch(at, "test", undo))
            .unwrap();
        store
            .write("test", |now| {
                migration::migrate(now, migration::STEPS, at(1))
            })
            .unwrap();
        assert_eq!(store.active_alerts().unwrap(), alerts[1..]);
    }
}
