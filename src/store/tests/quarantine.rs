//! Quarantine and source statistics on both databases.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use super::{at, note, record};
use crate::store::apply::Changes;
use crate::store::database::Store;
use crate::store::log::{MessageContext, NewRecord, RawMessage};
use crate::store::quarantine::{QuarantineFilter, QuarantineState};
use crate::store::source_stats::{HourlyCounts, SourceActivity, SourceStatsDelta};
use crate::store::testbed::stores;

fn broken(source: &str) -> NewRecord {
    let beside = MessageContext {
        headers: vec![("content-type".to_owned(), "text/plain".to_owned())],
        came_at: Some(at(-1)),
    };
    NewRecord {
        source: source.to_owned(),
        body: vec![0, 159],
        events: vec![note("good part")],
        fault: Some("no JSON".to_owned()),
        beside,
    }
}

fn positions(store: &Store, filter: QuarantineFilter<'_>) -> Vec<u64> {
    store
        .quarantined(QuarantineFilter { limit: 9, ..filter })
        .unwrap()
        .iter()
        .map(|found| found.position)
        .collect()
}

#[test]
fn a_record_with_a_fault_is_kept_and_listed() {
    for (_home, store) in stores() {
        store.append(&[broken("a")], at(0)).unwrap();
        assert_eq!(
            store.raw(1).unwrap(),
            Some(RawMessage {
                body: vec![0, 159],
                beside: broken("a").beside
            })
        );
        assert_eq!(store.raw(2).unwrap(), None);
        assert!(!store.quarantined_at(1).unwrap().unwrap().passed);
        let changes = Changes {
            quarantined: vec![(1, "the engine cannot take it".to_owned())],
            ..Changes::default()
        };
        store.apply(0, 0, 1, &changes).unwrap();
        let listed = store
            .quarantined(QuarantineFilter {
                limit: 10,
                ..QuarantineFilter::default()
            })
            .unwrap();
        assert_eq!(listed.len(), 1);
        assert_eq!(
            (
                listed[0].position,
                listed[0].logged_at,
                listed[0].source.as_str()
            ),
            (1, at(0), "a")
        );
        assert_eq!(
            (listed[0].fault.as_str(), listed[0].passed),
            ("no JSON; the engine cannot take it", true)
        );
        assert_eq!(
            store.log_after(0, 9).unwrap()[0].events,
            [note("good part")]
        );
        assert_eq!(store.counts().unwrap().quarantined, 1);
    }
}

#[test]
fn processed_and_dismissed_records_stay_listed_but_not_open() {
    for (_home, store) in stores() {
        let empty = NewRecord {
            body: Vec::new(),
            ..broken("b")
        };
        store
            .append(
                &[
                    broken("a"),
                    record("a", &[]),
                    empty,
                    broken("a"),
                    broken("a"),
                ],
                at(0),
            )
            .unwrap();
        assert_eq!(
            store.raw(3).unwrap().unwrap().body,
            b"",
            "nothing at all came, and is kept"
        );
        store.still_faulty(1, "line 7", at(5)).unwrap();
        assert!(store.mark_reprocessed(4, Some(9), at(6)).unwrap());
        assert!(!store.mark_reprocessed(4, Some(10), at(7)).unwrap(), "once");
        assert!(store.dismiss_quarantined(5, at(8)).unwrap());
        assert!(!store.dismiss_quarantined(4, at(8)).unwrap());
        store.still_faulty(4, "late", at(9)).unwrap();
        let told = |position| {
            let found = store.quarantined_at(position).unwrap().unwrap();
            (found.state, found.tried_at, found.mended_by, found.fault)
        };
        assert_eq!(
            told(1),
            (
                QuarantineState::Open,
                Some(at(5)),
                None,
                "line 7".to_owned()
            )
        );
        assert_eq!(
            told(4),
            (
                QuarantineState::Mended,
                Some(at(6)),
                Some(9),
                "no JSON".to_owned()
            )
        );
        assert_eq!(
            told(5),
            (
                QuarantineState::Dismissed,
                Some(at(8)),
                None,
                "no JSON".to_owned()
            )
        );
        assert!(
            store.mark_reprocessed(5, None, at(9)).unwrap(),
            "who dismissed it may think again"
        );
        assert_eq!(positions(&store, QuarantineFilter::default()), [5, 4, 3, 1]);
        assert_eq!(
            positions(
                &store,
                QuarantineFilter {
                    source: Some("a"),
                    oldest_first: true,
                    ..QuarantineFilter::default()
                }
            ),
            [1, 4, 5]
        );
        assert_eq!(
            positions(
                &store,
                QuarantineFilter {
                    open_only: true,
                    ..QuarantineFilter::default()
                }
            ),
            [3, 1]
        );
        assert_eq!(store.counts().unwrap().quarantined, 2);
        let waiting = store.quarantine_by_source().unwrap();
        let told: Vec<_> = waiting
            .iter()
            .map(|(name, waits)| (name.as_str(), waits.count, waits.last_fault.as_str()))
            .collect();
        assert_eq!(told, [("a", 1, "line 7"), ("b", 1, "no JSON")]);
    }
}

#[test]
fn counts_of_several_processes_add_up_and_the_later_instant_stands() {
    for (_home, store) in stores() {
        let hour = |messages, first, longest| HourlyCounts {
            messages,
            events: 2,
            first_message: first,
            longest,
            ..HourlyCounts::default()
        };
        let add = |seen: SourceActivity, hours: Vec<(i64, HourlyCounts)>, forget: i64| {
            let hours = hours
                .into_iter()
                .map(|(hour, counted)| (at(hour), counted))
                .collect();
            store
                .add_source_counts(&[(("a".to_owned(), seen, hours), at(forget))])
                .unwrap();
        };
        let seen = |message: i64, refused: Option<i64>| SourceActivity {
            last_message: Some(at(message)),
            last_refused: refused.map(at),
            ..SourceActivity::default()
        };
        add(
            seen(50, Some(3)),
            vec![(0, hour(1, Some(at(9)), 7)), (3600, hour(1, None, 0))],
            0,
        );
        add(seen(40, None), vec![(0, hour(4, Some(at(5)), 2))], 0);
        let expected: SourceStatsDelta = ("a".to_owned(), seen(50, Some(3)), Vec::new());
        let first = HourlyCounts {
            messages: 5,
            events: 4,
            first_message: Some(at(5)),
            longest: 7,
            ..HourlyCounts::default()
        };
        assert_eq!(
            store.source_counts().unwrap(),
            [(
                expected.0.clone(),
                expected.1,
                vec![(at(0), first), (at(3600), hour(1, None, 0))]
            )]
        );
        add(SourceActivity::default(), Vec::new(), 3600);
        assert_eq!(
            store.source_counts().unwrap(),
            [(expected.0, expected.1, vec![(at(3600), hour(1, None, 0))])],
            "what is old is gone"
        );
    }
}
