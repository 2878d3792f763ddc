//! Positions and times of the log.

use std::collections::BTreeSet;

use super::super::testbed::stores;
use super::{alert, at, note, record};
use crate::model::event::Fact;

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
fn clock_set_back_decides_earlier_and_keeps_the_order_of_the_log() {
    for (_home, store) in stores() {
        let epoch = store.take_leadership().unwrap();
        let one = [record("a", &[note("1")])];
        store.append(&one, at(100)).unwrap();
        assert!(store.log_clock_step(epoch + 1, at(100), at(5)).is_err());
        store.log_clock_step(epoch, at(90), at(5)).unwrap();
        store.append(&one, at(6)).unwrap();
        // One that read the clock before it was set forward.
        store.log_clock_step(epoch, at(7), at(200)).unwrap();
        store.append(&one, at(7)).unwrap();
        let log = store.log_after(0, 10).unwrap();
        let clocks: Vec<i64> = log
            .iter()
            .map(|record| (record.clock_at - at(0)).num_seconds())
            .collect();
        assert_eq!(clocks, [100, 5, 6, 200, 200]);
        assert!(
            log.windows(2)
                .all(|pair| pair[0].logged_at < pair[1].logged_at)
        );
        // It went from what the log had reached.
        let Fact::ClockStep(step) = log[1].events[0].fact else {
            panic!("{:?}", log[1])
        };
        assert_eq!((step.from, step.to), (at(100), at(5)));
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
