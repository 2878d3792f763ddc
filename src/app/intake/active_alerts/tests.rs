#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod ends;

use chrono::TimeDelta;

use super::row::{AlertRow, DEFAULT_LEASE, NEVER};
use super::{ActiveAlerts, MAX_LAPSES, UnsavedAlerts};
use crate::ingest::reading::AlertRef;
use crate::model::event::{Alert, AlertStatus, EndReason, Event, Fact, Severity};
use crate::model::id::Subject;
use crate::model::labels::Labels;
use crate::model::time::Time;
use crate::store::active_alerts::ActiveAlert;
use crate::store::testbed::stores;

const MINUTE: TimeDelta = TimeDelta::minutes(1);

fn at(seconds: i64) -> Time {
    Time::UNIX_EPOCH + TimeDelta::seconds(seconds)
}

fn alert(end: Option<i64>) -> Event {
    let fact = Fact::Alert(Alert {
        name: "A".to_owned().into(),
        status: if end.is_some() {
            AlertStatus::Resolved
        } else {
            AlertStatus::Firing
        },
        labels: Labels::from([("alertname".to_owned(), "A".to_owned())]).into(),
        annotations: Labels::new().into(),
        severity: Severity::Critical,
        starts_at: at(0),
        ends_at: end.map(at),
        pending_for: None,
        keep_firing_for: None,
        end_reason: EndReason::Recovered,
        seen_again: None,
        borrowed_end: false,
        recalled: false,
    });
    Event::new("test", at(end.unwrap_or(0)), fact)
}

/// Asserts that `event` at `now` is a renewal, new as it came, or firing again.
fn check(alerts: &mut ActiveAlerts, event: &Event, now: i64, expected: &str) {
    let got = match alerts.unless_repeated(event.clone(), None, at(now)) {
        None => "renewal",
        Some(new) if new == *event => "new",
        Some(new)
            if new.occurred_at == at(now) && new.subject == event.subject && new.id != event.id =>
        {
            "again"
        }
        Some(_) => "something else",
    };
    assert_eq!(got, expected, "{:?} at {now}", event.fact);
}

fn record_all(alerts: &mut ActiveAlerts, events: &[Event], now: Time) {
    events
        .iter()
        .for_each(|event| alerts.record(event, None, now));
}

fn adopted(alerts: &ActiveAlerts, mut event: Event) -> Option<Event> {
    alerts.adopt_start(&mut event).then_some(event)
}

fn active(subject: Subject, last_seen: Time, lease_end: Option<Time>) -> ActiveAlert {
    ActiveAlert {
        subject,
        last_seen,
        lease_end,
    }
}

fn firing(alerts: Vec<ActiveAlert>) -> Option<UnsavedAlerts> {
    Some(UnsavedAlerts {
        firing: alerts,
        ended: Vec::new(),
    })
}

fn renewed(alerts: &mut ActiveAlerts, starts_at: i64, until: Option<i64>, now: i64) -> bool {
    let labels = [("alertname".into(), "A".into())];
    alerts.renew(
        &AlertRef {
            labels: &labels,
            starts_at: at(starts_at),
            lease: until.map(at),
        },
        at(now),
    )
}

#[test]
fn renewal_moves_the_lease() {
    let mut alerts = ActiveAlerts::default();
    assert!(!renewed(&mut alerts, 0, Some(240), 0));
    alerts.record(&alert(None), Some(at(240)), at(0));
    assert!(renewed(&mut alerts, 0, Some(300), 60));
    assert!(!renewed(&mut alerts, 1, Some(300), 60), "another episode");
    assert_eq!(alerts.lapses(at(299)), []);
    assert_eq!(alerts.next_due(), Some(at(300)));
    assert_eq!(
        alerts
            .lapses(at(300))
            .first()
            .map(|event| event.occurred_at),
        Some(at(60))
    );
    alerts.record(&alert(Some(310)), None, at(310));
    assert!(renewed(&mut alerts, 0, Some(400), 320), "a straggler");
    assert!(!renewed(&mut alerts, 0, Some(800), 500), "repeated");
}

#[test]
fn lapse_is_returned_until_recorded_or_renewed() {
    let mut alerts = ActiveAlerts::default();
    alerts.record(&alert(None), Some(at(240)), at(0));
    assert_eq!(alerts.lapses(at(240)), alerts.lapses(at(241)));
    assert!(renewed(&mut alerts, 0, Some(300), 250));
    assert_eq!(
        alerts.lapses(at(260)),
        [],
        "seen again before the lapse was durable"
    );
    assert_eq!(alerts.next_due(), Some(at(300)));
}

#[test]
fn ended_episode_is_dropped_after_a_day() {
    let mut alerts = ActiveAlerts::default();
    alerts.record(&alert(Some(90)), None, at(91));
    let day = 24 * 3600;
    assert_eq!(
        (alerts.lapses(at(90 + day)).len(), alerts.table.size().0),
        (0, 1)
    );
    assert_eq!(
        (alerts.lapses(at(91 + day)).len(), alerts.table.size().0),
        (0, 0)
    );
    check(&mut alerts, &alert(None), 92 + day, "new");
    alerts.record(&alert(None), Some(NEVER), at(100 + day));
    assert_eq!(alerts.table.size().1, 1, "the row is used again");
    assert_eq!(alerts.lapses(at(100 + 2 * day)), []);
    assert!(renewed(&mut alerts, 0, None, 101 + 2 * day));
    assert_eq!(
        (alerts.lapses(at(100 + 30 * day)).len(), alerts.table.size()),
        (0, (0, 1)),
        "an ignored one never lapses"
    );
}

#[test]
fn firing_after_end_without_renewals_is_a_repeat() {
    let mut alerts = ActiveAlerts::default();
    alerts.record(&alert(None), Some(NEVER), at(0));
    alerts.record(&alert(Some(90)), None, at(91));
    assert_eq!(
        alerts.unless_repeated(alert(None), Some(NEVER), at(9000)),
        None
    );
    check(&mut alerts, &alert(None), 9000, "again");
}

#[test]
fn only_changed_rows_are_saved() {
    let mut alerts = ActiveAlerts::default();
    assert_eq!(alerts.take_unsaved(at(0), MINUTE), None);
    alerts.record(&alert(None), Some(at(240)), at(0));
    assert_eq!(alerts.take_unsaved(at(59), MINUTE), None);
    let saved = firing(vec![active(alert(None).subject, at(0), Some(at(240)))]);
    let first = alerts.take_unsaved(at(60), MINUTE);
    assert_eq!(first, saved);
    alerts.restore_unsaved(first.unwrap());
    assert_eq!(alerts.take_unsaved(at(120), MINUTE), saved);
    assert_eq!(alerts.take_unsaved(at(180), MINUTE), None);
    assert!(renewed(&mut alerts, 0, None, 200));
    assert_eq!(
        alerts
            .take_unsaved(at(240), MINUTE)
            .map(|saved| saved.firing.len()),
        Some(1)
    );
}

#[test]
fn records_of_another_replica_count_once() {
    let mut alerts = ActiveAlerts::default();
    alerts.follow(&[alert(None)], at(0));
    check(&mut alerts, &alert(None), 60, "renewal");
    alerts.follow(&[alert(Some(90))], at(91));
    alerts.follow(&[alert(None), alert(Some(90))], at(95));
    check(&mut alerts, &alert(Some(90)), 100, "renewal");
    check(&mut alerts, &alert(None), 120, "renewal");
    let mut again = alert(None);
    if let Fact::Alert(alert) = &mut again.fact {
        alert.seen_again = Some(at(400));
    }
    again.identify();
    alerts.follow(&[again], at(400));
    check(&mut alerts, &alert(None), 460, "renewal");
    let lapsed = alerts.lapses(at(1_000_000));
    assert_eq!(lapsed.len(), 1);
    alerts.follow(&lapsed, at(1_000_000));
    check(&mut alerts, &alert(None), 1_000_100, "again");
}

#[test]
fn recalled_alert_has_no_lease() {
    let mut alerts = ActiveAlerts::default();
    let mut read = alert(None);
    if let Fact::Alert(alert) = &mut read.fact {
        alert.recalled = true;
    }
    alerts.follow(&[read.clone()], at(0));
    assert!(!alerts.contains(&read.subject));
    assert_eq!(alerts.lapses(at(1_000_000)), []);
    alerts.record(&alert(None), Some(at(240)), at(0));
    assert!(alerts.contains(&read.subject), "it was received, too");
}

#[test]
fn lease_saved_by_another_replica_only_moves_forward() {
    let mut alerts = ActiveAlerts::default();
    alerts.record(&alert(None), Some(at(240)), at(100));
    let subject = alert(None).subject;
    alerts.merge_saved(&[
        active(subject, at(50), Some(at(120))),
        active(Subject::from(0), at(50), None),
    ]);
    assert_eq!(
        alerts.take_unsaved(at(101), MINUTE),
        firing(vec![active(subject, at(100), Some(at(240)))])
    );
    alerts.merge_saved(&[active(subject, at(200), Some(at(300)))]);
    assert_eq!(alerts.lapses(at(299)), []);
    assert_eq!(
        alerts
            .lapses(at(300))
            .first()
            .map(|event| event.occurred_at),
        Some(at(200))
    );
}

#[test]
fn late_firing_of_earlier_episode_is_lapsed_by_the_open_one() {
    let mut alerts = ActiveAlerts::default();
    let mut later = alert(None);
    if let Fact::Alert(alert) = &mut later.fact {
        alert.starts_at = at(500);
    }
    later.identify();
    alerts.record(&later, None, at(510));
    assert!(renewed(&mut alerts, 500, None, 520));
    alerts.record(&alert(None), None, at(530));
    assert!(!renewed(&mut alerts, 500, None, 540), "to be read in full");
    assert_eq!(
        alerts
            .lapses_of_earlier(&later)
            .next()
            .map(|lapsed| lapsed.subject),
        Some(alert(None).subject)
    );
}

#[test]
fn row_has_56_bytes() {
    assert_eq!(size_of::<AlertRow>(), 56);
}

#[test]
fn many_lapses_are_returned_in_parts() {
    let mut alerts = ActiveAlerts::default();
    let count = 2 * MAX_LAPSES + 1;
    for number in 0..count {
        let mut event = alert(None);
        if let Fact::Alert(alert) = &mut event.fact {
            alert.labels = [("number".to_owned(), number.to_string())].into();
        }
        event.identify();
        alerts.record(&event, Some(at(240)), at(0));
    }
    let mut told = 0;
    while alerts.next_due().is_some_and(|next| next <= at(240)) {
        let lapsed = alerts.lapses(at(240));
        assert!(lapsed.len() <= MAX_LAPSES);
        told += lapsed.len();
        record_all(&mut alerts, &lapsed, at(240));
    }
    assert_eq!(told, count);
}

#[test]
fn firing_alert_renews_until_its_end_which_is_new_once() {
    let mut alerts = ActiveAlerts::default();
    check(&mut alerts, &alert(None), 0, "new");
    alerts.record(&alert(None), None, at(0));
    check(&mut alerts, &alert(None), 60, "renewal");
    check(&mut alerts, &alert(Some(90)), 91, "new");
    alerts.record(&alert(Some(90)), None, at(91));
    check(&mut alerts, &alert(Some(90)), 100, "renewal");
    check(&mut alerts, &alert(Some(95)), 100, "new");
}

#[test]
fn firing_soon_after_end_is_a_straggler_and_later_fires_again() {
    let mut alerts = ActiveAlerts::default();
    alerts.record(&alert(None), None, at(0));
    alerts.record(&alert(Some(90)), None, at(91));
    check(&mut alerts, &alert(None), 120, "renewal");
    check(&mut alerts, &alert(None), 300, "again");
}

#[test]
fn start_received_after_its_end_is_new_and_stays_ended() {
    for late in [92, 300] {
        let mut alerts = ActiveAlerts::default();
        alerts.record(&alert(Some(90)), None, at(91));
        assert!(!renewed(&mut alerts, 0, None, late));
        check(&mut alerts, &alert(None), late, "new");
        alerts.record(&alert(None), None, at(late));
        assert_eq!(
            alerts
                .firing_and_last_seen(&alert(None).subject)
                .map(|(on, _)| on),
            Some(false)
        );
        check(&mut alerts, &alert(None), late + 1, "renewal");
    }
}

#[test]
fn end_without_start_waits_for_its_episode() {
    let mut alerts = ActiveAlerts::default();
    alerts.keep_early(alert(Some(90)), at(91));
    let mut later = alert(None);
    if let Fact::Alert(alert) = &mut later.fact {
        alert.starts_at = at(95);
    }
    assert_eq!(alerts.take_early(&later), None, "another episode");
    let end = alerts
        .take_early(&alert(None))
        .map(|end| (end.subject, end.occurred_at));
    assert_eq!(end, Some((alert(None).subject, at(90))));
    assert_eq!(alerts.take_early(&alert(None)), None);
}

#[test]
fn expired_lease_lapses_once_and_then_fires_again() {
    let mut alerts = ActiveAlerts::default();
    alerts.record(&alert(None), Some(at(240)), at(0));
    assert_eq!(alerts.lapses(at(239)), []);
    let lapsed = alerts.lapses(at(240));
    assert_eq!(lapsed.len(), 1);
    assert_eq!(
        (&lapsed[0].subject, lapsed[0].occurred_at),
        (&alert(None).subject, at(0))
    );
    record_all(&mut alerts, &lapsed, at(240));
    assert_eq!(alerts.lapses(at(500)), []);
    check(&mut alerts, &alert(None), 500, "again");
}

#[test]
fn new_episode_lapses_the_earlier_one_at_its_last_renewal() {
    let mut alerts = ActiveAlerts::default();
    let mut later = alert(None);
    if let Fact::Alert(alert) = &mut later.fact {
        alert.starts_at = at(500);
    }
    later.identify();
    assert_eq!(alerts.lapses_of_earlier(&later).next(), None);
    alerts.record(&alert(None), None, at(0));
    check(&mut alerts, &alert(None), 240, "renewal");
    assert_eq!(alerts.lapses_of_earlier(&alert(None)).next(), None);
    let lapsed: Vec<Event> = alerts.lapses_of_earlier(&later).collect();
    let told = lapsed
        .first()
        .map(|lapsed| (lapsed.subject, lapsed.occurred_at));
    assert_eq!(told, Some((alert(None).subject, at(240))));
    record_all(&mut alerts, &lapsed, at(500));
    alerts.record(&later, None, at(500));
    assert_eq!(alerts.lapses_of_earlier(&later).next(), None);
}

#[test]
fn default_lease_is_25_hours() {
    let mut alerts = ActiveAlerts::default();
    alerts.record(&alert(None), None, at(0));
    assert_eq!(alerts.next_due(), Some(at(0) + DEFAULT_LEASE));
}

#[test]
fn end_belongs_to_the_episode_open_at_its_time() {
    let mut alerts = ActiveAlerts::default();
    let end = |seconds: i64| {
        let mut end = alert(Some(seconds));
        if let Fact::Alert(alert) = &mut end.fact {
            alert.starts_at = at(seconds);
        }
        end.identify();
        end
    };
    assert!(!alerts.is_firing_at(&end(500)));
    let mut open = alert(None);
    if let Fact::Alert(alert) = &mut open.fact {
        alert.starts_at = at(400);
    }
    open.identify();
    alerts.record(&open, None, at(400));
    assert_eq!(
        (
            alerts.is_firing_at(&end(500)),
            alerts.is_firing_at(&end(399))
        ),
        (true, false)
    );
    assert_eq!(
        adopted(&alerts, end(500)).map(|end| end.subject),
        Some(open.subject)
    );
    assert_eq!(
        adopted(&alerts, end(399)).map(|end| end.subject),
        Some(open.subject),
        "clocks may differ"
    );
    assert_eq!(adopted(&alerts, end(200)), None, "of the episode before");
}

#[test]
fn guessed_start_adopts_the_open_episode() {
    let mut alerts = ActiveAlerts::default();
    let mut later = alert(None);
    if let Fact::Alert(alert) = &mut later.fact {
        alert.starts_at = at(50);
    }
    later.identify();
    assert_eq!(
        adopted(&alerts, later.clone()).map(|event| event.subject),
        Some(later.subject)
    );
    alerts.record(&alert(None), None, at(0));
    assert_eq!(
        adopted(&alerts, later).map(|event| event.id),
        Some(alert(None).id)
    );
}

#[test]
fn guessed_end_without_open_episode_is_dropped() {
    let mut alerts = ActiveAlerts::default();
    let end = |seconds: i64| {
        let mut event = alert(Some(seconds));
        if let Fact::Alert(alert) = &mut event.fact {
            alert.starts_at = at(seconds);
        }
        event.identify();
        event
    };
    assert_eq!(adopted(&alerts, end(60)), None);
    alerts.record(&alert(None), None, at(0));
    assert_eq!(adopted(&alerts, end(-120)), None);
    assert_eq!(
        adopted(&alerts, end(60)).map(|event| event.id),
        Some(alert(Some(60)).id)
    );
    alerts.record(&alert(Some(60)), None, at(61));
    assert_eq!(adopted(&alerts, end(60)), None, "repeated");
}

/// An episode of its own, without the cost of hashing an event.
fn numbered(number: u32, end: Option<Time>) -> Event {
    let mut event = alert(None);
    event.subject = Subject::from(u64::from(number));
    if let Fact::Alert(alert) = &mut event.fact {
        alert.starts_at = at(i64::from(number));
        if let Some(end) = end {
            (alert.status, alert.ends_at) = (AlertStatus::Resolved, Some(end));
        }
    }
    event
}

#[test]
fn million_ended_episodes_leave_a_day_of_rows() {
    const STEP: u32 = 10_000;
    let (template, mut alerts) = (alert(None), ActiveAlerts::default());
    let mut saved = std::collections::BTreeSet::new();
    for first in (0..1_000_000).step_by(STEP as usize) {
        let now = at(i64::from(first + STEP));
        for (number, end) in
            (first..first + STEP).flat_map(|number| [(number, false), (number, true)])
        {
            let mut event = template.clone();
            event.subject = Subject::from(u64::from(number));
            if let Fact::Alert(alert) = &mut event.fact {
                alert.starts_at = at(i64::from(number));
                if end {
                    alert.status = AlertStatus::Resolved;
                }
            }
            alerts.record(&event, Some(now), at(i64::from(number)));
            if !end && number % 100 == 0 {
                let unsaved = alerts.take_unsaved(now, TimeDelta::zero()).unwrap();
                saved.extend(unsaved.firing.iter().map(|alert| alert.subject));
                unsaved
                    .ended
                    .iter()
                    .for_each(|subject| assert!(saved.remove(subject)));
            }
        }
        assert!(saved.len() <= 1 && alerts.table.size().0 <= 100_000);
    }
    assert!(alerts.table.size().1 <= 100_000, "rows are used again");
}

#[test]
fn ended_episodes_are_removed_from_the_database() {
    const COUNT: u32 = 20_000;
    for (_home, store) in stores() {
        let mut alerts = ActiveAlerts::default();
        let save = |alerts: &mut ActiveAlerts, now: Time| {
            while let Some(unsaved) = alerts.take_unsaved(now, MINUTE) {
                store
                    .save_active_alerts(&unsaved.firing, &unsaved.ended)
                    .unwrap();
            }
            store.active_alerts().unwrap().len()
        };
        (0..COUNT).for_each(|number| alerts.record(&numbered(number, None), None, at(30_000)));
        assert_eq!(save(&mut alerts, at(30_000)), COUNT as usize);
        for number in 0..COUNT - 1 {
            alerts.record(&numbered(number, Some(at(30_010))), None, at(30_010));
        }
        assert_eq!(save(&mut alerts, at(30_060)), 1);
        let saved = store.active_alerts().unwrap();

        // A restart: rows that no incident needs any more are removed, an open one stays.
        let gone = active(Subject::from(u64::MAX), at(0), Some(NEVER));
        store.save_active_alerts(&[gone], &[]).unwrap();
        let open = numbered(COUNT - 1, None);
        let events = [numbered(0, None), numbered(0, Some(at(30_010))), open];
        let day = at(30_060) + TimeDelta::days(1);
        let mut alerts = ActiveAlerts::load(&store.active_alerts().unwrap(), events.iter(), day);
        save(&mut alerts, day);
        assert_eq!(store.active_alerts().unwrap().len(), saved.len());
        check(&mut alerts, &numbered(COUNT - 1, None), 200_000, "renewal");
    }
}

#[test]
fn alert_that_fires_again_before_its_removal_keeps_its_row() {
    let mut alerts = ActiveAlerts::default();
    alerts.record(&alert(None), None, at(0));
    assert!(alerts.take_unsaved(at(0), MINUTE).is_some());
    alerts.record(&alert(Some(10)), None, at(10));
    let mut again = alert(None);
    if let Fact::Alert(alert) = &mut again.fact {
        alert.seen_again = Some(at(80));
    }
    alerts.record(&again, None, at(80));
    let unsaved = alerts.take_unsaved(at(90), MINUTE).unwrap();
    assert_eq!((unsaved.firing.len(), unsaved.ended.len()), (1, 0));
    alerts.record(&alert(Some(100)), None, at(100));
    let unsaved = alerts.take_unsaved(at(150), MINUTE).unwrap();
    assert_eq!((unsaved.firing.len(), unsaved.ended.len()), (0, 1));
}

#[test]
fn alert_that_ended_before_a_restart_fires_again_at_once() {
    let events = [alert(None), alert(Some(90))];
    let mut alerts = ActiveAlerts::load(&[], events.iter(), at(3600));
    check(&mut alerts, &alert(None), 3601, "again");
}

#[test]
fn expired_lease_outlives_pruning_on_a_replica_that_is_not_the_judge() {
    let mut alerts = ActiveAlerts::default();
    alerts.record(&alert(None), Some(at(240)), at(0));
    assert!(alerts.take_unsaved(at(1000), MINUTE).is_some());
    assert_eq!(alerts.lapses(at(1000)).len(), 1);
}
