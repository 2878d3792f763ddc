//! Lists page by page.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use super::{apply, at, incident, note};
use crate::model::delivery::{Delivery, DeliveryAction};
use crate::model::lifecycle::{Phase, ReviewState};
use crate::model::member::{JoinReason, Member};
use crate::store::apply::Changes;
use crate::store::database::Store;
use crate::store::incident::{IncidentList, ListStep};
use crate::store::list_cursor::ListCursor;
use crate::store::testbed::stores;

/// The ids of a list, read in pages of so many.
fn pages(store: &Store, list: IncidentList, size: usize) -> Vec<Vec<String>> {
    let (mut pages, mut after) = (Vec::new(), None);
    loop {
        let mut page = Vec::new();
        let take = |incident: crate::model::incident::Incident| {
            page.push(incident.id.0);
            Ok(if page.len() < size {
                ListStep::More
            } else {
                ListStep::Enough
            })
        };
        after = store.list_incidents(list, after, take).unwrap();
        pages.push(page);
        if after.is_none() {
            return pages;
        }
        // As a client sends it back.
        after = after.map(|after: ListCursor| after.to_string().parse().unwrap());
    }
}

#[test]
fn pages_of_incidents_hold_each_once_newest_first() {
    for (_home, store) in stores() {
        let mut all = Vec::new();
        for number in 0..250 {
            // Many began at the same moment.
            let phase = if number % 3 == 0 {
                Phase::Active
            } else {
                Phase::Closed
            };
            let mut incident = incident(&format!("i-{number:03}"), number / 20, phase);
            incident.standing = match number % 50 {
                1 => ReviewState::Suggested,
                2 => ReviewState::Snoozed,
                _ => ReviewState::None,
            };
            all.push(incident);
        }
        let changes = Changes {
            incidents: all.iter().cloned().map(Into::into).collect(),
            ..Changes::default()
        };
        apply(&store, &changes);
        all.sort_by_key(|incident| {
            let number: i64 = incident.id.0[2..].parse().unwrap();
            (-(number / 20), number)
        });
        let ids = |wanted: &dyn Fn(&crate::model::incident::Incident) -> bool| -> Vec<String> {
            let wanted = all.iter().filter(|incident| wanted(incident));
            wanted.map(|incident| incident.id.0.clone()).collect()
        };
        for size in [1, 7, 199, 200, 201, 250, 999] {
            let read = pages(&store, IncidentList::All, size);
            assert!(read.iter().rev().skip(1).all(|page| page.len() == size));
            assert!(read.iter().all(|page| !page.is_empty()), "{size}");
            assert_eq!(read.concat(), ids(&|_| true), "{size}");
        }
        assert_eq!(
            pages(&store, IncidentList::Open, 10).concat(),
            ids(&|incident| incident.phase == Phase::Active)
        );
        assert_eq!(
            pages(&store, IncidentList::Asked, 3).concat(),
            ids(&|incident| incident.standing != ReviewState::None)
        );
    }
}

#[test]
fn list_reads_only_the_first_members_of_a_large_closed_incident() {
    for (_home, store) in stores() {
        let large = |id: &str, phase| {
            let mut incident = incident(id, 0, phase);
            let member = |number: i64| {
                let mut event = note(&format!("{id} {number}"));
                event.occurred_at = at(number);
                Member {
                    event: event.into(),
                    reason: JoinReason::Subject,
                }
            };
            incident.members = (0..2000).map(member).collect::<Vec<_>>().into();
            incident
        };
        let changes = Changes {
            incidents: vec![
                large("i-1", Phase::Closed).into(),
                large("i-2", Phase::Active).into(),
            ],
            ..Changes::default()
        };
        apply(&store, &changes);
        let mut members = Vec::new();
        let take = |incident: crate::model::incident::Incident| {
            members.push(incident.members.len());
            Ok(ListStep::More)
        };
        store.list_incidents(IncidentList::All, None, take).unwrap();
        assert!((100..500).contains(&members[0]), "{members:?}");
        assert_eq!(members[1], 2000, "it is judged as of now by all of them");
    }
}

#[test]
fn deliveries_are_listed_by_number_without_their_content() {
    for (_home, store) in stores() {
        for number in 0..5 {
            let delivery = Delivery {
                key: format!("k{number}"),
                destination: format!("d{number}"),
                action: DeliveryAction::WriteInvite {
                    file: format!("{number}.ics"),
                    text: String::new(),
                },
            };
            store.add_delivery(&delivery, at(0)).unwrap();
        }
        let first = store.list_deliveries(u64::MAX, 3).unwrap();
        let rest = store.list_deliveries(first[2].sequence, 3).unwrap();
        let keys: Vec<&str> = first
            .iter()
            .chain(&rest)
            .map(|row| row.key.as_str())
            .collect();
        assert_eq!(keys, ["k4", "k3", "k2", "k1", "k0"]);
        assert_eq!(first[0].state, "pending");
    }
}
