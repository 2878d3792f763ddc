//! Ends and beginnings as senders of webhooks tell them: each message is parsed, deduplicated against
//! the active alerts and judged, as in the service.

use std::sync::Arc;

use chrono::TimeDelta;
use proptest::prelude::{Just, Strategy, any, prop_assert, prop_assert_eq, proptest};
use proptest::test_runner::Config;
use serde_json::{Value, json};

use super::super::ActiveAlerts;
use super::super::promised_renewals::PromisedRenewal;
use crate::engine::incident::intervals::{Interval, total, union};
use crate::engine::replay::Replay;
use crate::engine::tests::{alert, policy_of};
use crate::ingest;
use crate::ingest::alertmanager_api::ListedRenewal;
use crate::ingest::message::{Headers, Message};
use crate::ingest::reading::{Reported, Start};
use crate::model::event::{AlertStatus, EndReason, Event, Fact};
use crate::model::id::Subject;
use crate::model::incident::Incident;
use crate::model::settings::LabelNames;
use crate::model::spans::SpanState;
use crate::model::time::Time;

const RULES: &str = "criteria: [{name: long, on: degradation, longest: 30m, decision: suggest}]";

/// Minute `m` of the day, with seconds.
fn at(minutes: i64, seconds: i64) -> Time {
    Time::from_timestamp(1_795_824_000, 0).unwrap()
        + TimeDelta::minutes(minutes)
        + TimeDelta::seconds(seconds)
}

fn replica_labels() -> LabelNames {
    LabelNames {
        ignored: vec!["prometheus_replica".to_owned()],
        ..LabelNames::default()
    }
}

/// The alerts and incidents of one source, with a clock of their own.
struct Desk {
    alerts: ActiveAlerts,
    replay: Replay,
    names: LabelNames,
    grafana: bool,
    source: &'static str,
    now: Time,
    /// The events committed for the last message.
    committed: Vec<Event>,
}

impl Desk {
    fn new() -> Self {
        Self {
            alerts: ActiveAlerts::default(),
            replay: Replay::new(Arc::new(policy_of(RULES))),
            names: replica_labels(),
            grafana: false,
            source: "am",
            now: at(620, 0),
            committed: Vec::new(),
        }
    }

    /// Receives a message with one alert, a second after the one before.
    fn post(&mut self, alert: &Value) {
        self.now += TimeDelta::seconds(1);
        let version = if self.grafana { "1" } else { "4" };
        let body = json!({
            "version": version, "receiver": "r", "status": "firing", "groupKey": "g", "truncatedAlerts": 0, "groupLabels": {},
            "commonLabels": {}, "commonAnnotations": {}, "externalURL": "https://am/", "alerts": [alert],
        })
        .to_string();
        let message = Message {
            source: self.source,
            headers: &Headers::default(),
            body: body.as_bytes(),
            names: &self.names,
            now: self.now,
        };
        let (alerts, now) = (&mut self.alerts, self.now);
        let mut renew = |alert: &crate::ingest::reading::AlertRef<'_>| alerts.renew(alert, now);
        let reading = if self.grafana {
            ingest::grafana::news(&message, &mut renew)
        } else {
            ingest::alertmanager::news(&message, &mut renew)
        }
        .unwrap();
        assert_eq!(reading.faults, []);
        let new = self.alerts.new_events(reading.reports, None, now);
        for (event, lease) in &new {
            self.alerts.record(event, *lease, now);
        }
        self.committed = new.into_iter().map(|(event, _)| event).collect();
        let _ = self.replay.push(now, self.committed.clone());
    }

    /// The subject of the one alert.
    fn replay_subject(&mut self) -> Subject {
        let _ = self.replay.advance_to(self.now + TimeDelta::seconds(1));
        let incident = self.replay.state().incidents().next().unwrap();
        incident.signals[0].subject
    }

    /// The incidents two hours later.
    fn judged(&mut self) -> Vec<Incident> {
        let _ = self.replay.advance_to(self.now + TimeDelta::hours(2));
        self.replay.state().incidents().cloned().collect()
    }

    /// The reason of the one incident.
    fn reason(&mut self) -> String {
        let incidents = self.judged();
        assert_eq!(incidents.len(), 1, "{incidents:#?}");
        assert_eq!(incidents[0].signals.len(), 1, "{:#?}", incidents[0].signals);
        incidents[0].reason.clone()
    }
}

fn stamp(at: Time) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

/// One alert of a message, of a replica where that is given.
fn told(replica: Option<&str>, start: Time, end: Option<Time>) -> Value {
    let mut labels =
        json!({"alertname": "CheckoutDown", "service": "checkout", "severity": "critical"});
    if let Some(replica) = replica {
        labels["prometheus_replica"] = json!(replica);
    }
    json!({
        "status": if end.is_some() { "resolved" } else { "firing" }, "labels": labels, "annotations": {}, "generatorURL": "",
        "startsAt": stamp(start), "endsAt": end.map_or("0001-01-01T00:00:00Z".to_owned(), stamp),
    })
}

const SUGGESTED: &str = "44m";

#[test]
fn grafana_resolved_whose_start_is_its_end_closes_the_episode() {
    let (start, end) = (at(570, 0), at(614, 0));
    // In turn, turned round, and repeated a minute later.
    for order in [[0, 1, 1], [1, 0, 1], [1, 1, 0]] {
        let mut desk = Desk {
            grafana: true,
            ..Desk::new()
        };
        let messages = [told(None, start, None), told(None, end, Some(end))];
        for index in order {
            desk.post(&messages[index]);
        }
        let reason = desk.reason();
        assert!(reason.contains(SUGGESTED), "{order:?}: {reason}");
    }
}

#[test]
fn end_with_a_later_or_earlier_start_closes_the_episode() {
    let (start, end) = (at(570, 0), at(614, 0));
    for other in [at(569, 50), at(570, 10), at(600, 0), at(613, 50)] {
        for turned in [false, true] {
            let mut desk = Desk::new();
            let mut messages = [told(None, start, None), told(None, other, Some(end))];
            if turned {
                messages.reverse();
            }
            messages.iter().for_each(|message| desk.post(message));
            let reason = desk.reason();
            assert!(reason.contains(SUGGESTED), "{other} {turned}: {reason}");
        }
    }
}

#[test]
fn end_of_another_source_closes_nothing() {
    let mut desk = Desk::new();
    desk.post(&told(None, at(570, 0), None));
    desk.source = "other";
    desk.post(&told(None, at(614, 0), Some(at(614, 0))));
    let incidents = desk.judged();
    let open = incidents[0]
        .signals
        .iter()
        .any(|signal| signal.spans.iter().any(|span| span.end.is_none()));
    assert!(open, "{incidents:#?}");
}

#[test]
fn alertmanager_resolved_alone_is_an_episode() {
    let mut desk = Desk::new();
    let alone = told(None, at(570, 0), Some(at(614, 0)));
    desk.post(&alone);
    desk.post(&alone);
    let reason = desk.reason();
    assert!(reason.contains(SUGGESTED), "{reason}");
    let incident = desk.judged().remove(0);
    assert_eq!(
        incident
            .milestones
            .detected
            .as_ref()
            .map(|detected| detected.at),
        Some(at(570, 0))
    );
    // The start that comes late after all changes nothing.
    desk.now += TimeDelta::minutes(5);
    desk.post(&told(None, at(570, 0), None));
    assert_eq!(desk.judged(), [incident]);
}

#[test]
fn late_resolved_of_a_known_episode_makes_no_second_one() {
    let mut desk = Desk::new();
    let (start, end) = (at(570, 0), at(614, 0));
    desk.post(&told(None, start, None));
    desk.post(&told(None, start, Some(end)));
    for repeat in [
        told(None, start, Some(end)),
        told(None, end, Some(end)),
        told(None, at(600, 0), Some(end)),
    ] {
        desk.now += TimeDelta::minutes(3);
        desk.post(&repeat);
    }
    let reason = desk.reason();
    assert!(reason.contains(SUGGESTED), "{reason}");
}

#[test]
fn two_alertmanagers_with_starts_of_their_own_tell_one_episode() {
    let mut desk = Desk::new();
    desk.post(&told(None, at(570, 0), None));
    desk.post(&told(None, at(570, 15), None));
    // Only one of them tells the end.
    desk.post(&told(None, at(570, 15), Some(at(614, 0))));
    let reason = desk.reason();
    assert!(reason.contains(SUGGESTED), "{reason}");
}

#[test]
fn end_at_the_instant_of_a_promised_renewal_is_unknown() {
    for (end, known) in [(at(614, 0), false), (at(613, 30), true)] {
        let mut desk = Desk::new();
        desk.post(&told(None, at(570, 0), None));
        let subject = desk.replay_subject();
        let promise = PromisedRenewal {
            until: at(614, 0),
            reported_at: at(610, 0),
        };
        desk.alerts
            .note_promises(vec![(subject, promise)], &[], desk.now);
        desk.post(&told(None, at(570, 0), Some(end)));
        desk.post(&told(None, at(570, 0), Some(end)));
        let incident = desk.judged().remove(0);
        let last = *incident.signals[0].spans.last().unwrap();
        let expected = if known {
            (SpanState::Degraded, at(570, 0), Some(end))
        } else {
            (SpanState::Unknown, at(610, 0), None)
        };
        assert_eq!((last.state, last.start, last.end), expected);
    }
}

#[test]
fn end_with_a_guessed_start_closes_the_episode_that_its_message_begins() {
    // PagerDuty reports each change once.
    let guessed = |event: Event| Reported {
        event,
        lease: Some(Time::MAX_UTC),
        start: Start::Guessed,
        only_if_firing: false,
    };
    let (begun, ended) = (
        alert("A", "checkout", 0, None),
        alert("A", "checkout", 0, Some(40)),
    );
    let mut alerts = ActiveAlerts::default();
    let message = || vec![guessed(begun.clone()), guessed(ended.clone())];
    let new = alerts.new_events(message(), None, at(0, 0));
    let events: Vec<Event> = new.iter().map(|(event, _)| event.clone()).collect();
    assert_eq!(events, [begun.clone(), ended.clone()]);
    for (event, lease) in new {
        alerts.record(&event, lease, at(0, 0));
    }
    let again = alerts.new_events(message(), None, at(5, 0));
    assert!(again.is_empty(), "{again:?}");
}

#[test]
fn watchdog_that_was_not_renewed_did_not_recover() {
    for (end, reason) in [
        (at(614, 0), EndReason::SourceLost),
        (at(613, 30), EndReason::Recovered),
    ] {
        let watchdog = |end: Option<Time>| {
            let mut alert = told(None, at(570, 0), end);
            alert["labels"] = json!({"alertname": "Watchdog", "severity": "none"});
            alert
        };
        let mut desk = Desk::new();
        desk.post(&watchdog(None));
        let listed = ListedRenewal {
            labels: [("alertname", "Watchdog"), ("severity", "none")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into_iter()
                .collect(),
            starts_at: at(570, 0),
            until: at(614, 0),
            reported_at: at(610, 0),
        };
        desk.alerts.note_promises(Vec::new(), &[listed], desk.now);
        desk.post(&watchdog(Some(end)));
        let [event] = &desk.committed[..] else {
            panic!("{:?}", desk.committed)
        };
        let Fact::Alert(alert) = &event.fact else {
            panic!("{event:?}")
        };
        assert_eq!(
            (alert.status, alert.end_reason),
            (AlertStatus::Resolved, reason)
        );
    }
}

#[test]
fn alert_of_a_webhook_and_of_the_memory_of_its_prometheus_is_one_row() {
    let mut desk = Desk::new();
    desk.post(&told(None, at(570, 0), None));
    desk.post(&told(None, at(570, 0), Some(at(614, 0))));
    let incident = desk.judged().remove(0);
    // The other Prometheus of the pair fired ten seconds later, and was active a minute before.
    let recorded = |event: &Event| {
        let mut event = event.clone();
        if let Fact::Alert(alert) = &mut event.fact {
            alert.starts_at += TimeDelta::seconds(10);
            alert.ends_at = alert.ends_at.map(|end| end + TimeDelta::seconds(5));
            alert.pending_for = Some(60);
            alert.recalled = true;
            event.occurred_at = alert.ends_at.unwrap_or(alert.starts_at);
        }
        event.source = "prom".into();
        event.identify();
        event
    };
    let recorded: Vec<Event> = incident
        .members
        .iter()
        .map(|member| recorded(&member.event))
        .collect();
    desk.now += TimeDelta::hours(3);
    let _ = desk.replay.push(desk.now, recorded);
    let reason = desk.reason();
    assert!(reason.contains("44m 55s"), "{reason}");
    let incident = desk.judged().remove(0);
    assert_eq!(
        (
            incident.members.len(),
            incident.members.repeated_reports().len()
        ),
        (4, 2)
    );
}

/// An outage as two replicas see it, in seconds: `a` begins first.
#[derive(Debug, Clone)]
struct Outage {
    start: i64,
    length: i64,
    start_b: i64,
    end_b: i64,
    labelled: bool,
}

/// Outages of one alert, hours apart at most, and the order in which the messages about them come.
fn stories() -> impl Strategy<Value = (Vec<Outage>, Vec<usize>)> {
    let outage = (
        0..40_i64,
        180..3000_i64,
        0..100_i64,
        -90..90_i64,
        any::<bool>(),
    )
        .prop_map(|(start, length, start_b, end_b, labelled)| Outage {
            start,
            length,
            start_b,
            end_b,
            labelled,
        });
    proptest::collection::vec(outage, 1..3).prop_flat_map(|outages| {
        let count = outages.len() * 4;
        let messages: Vec<usize> = (0..count).collect();
        let more = proptest::collection::vec(0..count, 0..6);
        let order =
            more.prop_flat_map(move |more| Just([messages.clone(), more].concat()).prop_shuffle());
        (Just(outages), order)
    })
}

fn cases() -> u32 {
    #[expect(clippy::disallowed_methods, reason = "a longer run by hand")]
    std::env::var("AFTERWORD_REPLICA_CASES").map_or(128, |text| text.parse().unwrap())
}

proptest! {
    #![proptest_config(Config { cases: cases(), ..Config::default() })]

    #[test]
    fn messages_of_two_replicas_in_any_order_give_the_true_degraded_time((outages, order) in stories()) {
        let (mut messages, mut truth) = (Vec::new(), Vec::new());
        for (number, outage) in outages.iter().enumerate() {
            let start = at(400, 0) + TimeDelta::minutes(100 * i64::try_from(number).unwrap() + outage.start);
            let end = start + TimeDelta::seconds(outage.length);
            let start_b = start + TimeDelta::seconds(outage.start_b);
            let end_b = (end + TimeDelta::seconds(outage.end_b)).max(start_b + TimeDelta::seconds(1));
            let name = |name| outage.labelled.then_some(name);
            messages.extend([
                told(name("a"), start, None),
                told(name("b"), start_b, None),
                told(name("a"), start, Some(end)),
                told(name("b"), start_b, Some(end_b)),
            ]);
            truth.extend([Interval { start, end }, Interval { start: start_b, end: end_b }]);
        }
        let truth = union(truth);
        let mut desk = Desk::new();
        for index in &order {
            desk.post(&messages[*index]);
        }
        let incidents = desk.judged();
        let mut degraded = Vec::new();
        for signal in incidents.iter().flat_map(|incident| &incident.signals) {
            for span in &*signal.spans {
                prop_assert_eq!(span.state, SpanState::Degraded, "{:?}", signal);
                prop_assert!(span.end.is_some(), "{:?}", signal);
                degraded.push(Interval { start: span.start, end: span.end.unwrap() });
            }
        }
        prop_assert_eq!(&union(degraded.clone()), &truth);
        prop_assert_eq!(total(&union(degraded)), total(&truth));
    }
}
