//! Order and repetition of deliveries.

use super::super::apply::Changes;
use super::super::delivery::DeliveryState;
use super::super::testbed::stores;
use super::{apply, at, delivery, due};
use crate::model::delivery::Delivery;

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
            .reschedule_delivery("a1", at(30), "disk full")
            .unwrap();
        store.mark_delivered("b1", at(1)).unwrap();
        assert_eq!(due(&store, 1), ["b2"], "a2 waits for a1");
        store.mark_refused("b2", "no such name", at(2)).unwrap();
        assert_eq!(store.next_delivery_at().unwrap(), Some(at(30)));
        assert_eq!(due(&store, 30), ["a1"]);
        assert_eq!(store.claim_deliveries(at(30), 9).unwrap()[0].attempts, 1);
        store.mark_delivered("a1", at(31)).unwrap();
        // The last result wins, whichever process reports it.
        store.reschedule_delivery("a1", at(99), "late").unwrap();
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
