//! Ledger entries, their order and what came of them.

use super::super::apply::Changes;
use super::super::ledger::LedgerFilter;
use super::super::testbed::stores;
use super::{apply, at, incident};
use crate::model::id::{IncidentId, PostmortemId};
use crate::model::ledger::{Disposition, LedgerEntry};
use crate::model::lifecycle::{Phase, ReviewState};
use crate::model::meeting::Meeting;
use crate::model::postmortem::{Postmortem, PostmortemStatus};
use crate::model::verdict::Decision;
use crate::store::database::Store;

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
