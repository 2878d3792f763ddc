//! Promises on intervals: when a stretch is long enough, and what is not known to be degraded.

use chrono::TimeDelta;
use proptest::prelude::{Strategy, prop_assert_eq, proptest};

use super::{alert, at, only, pass, policy, policy_of, request};
use crate::engine::policy::Policy;
use crate::engine::state::State;
use crate::model::event::{
    AlertStatus, Declaration, Event, Fact, LeaseExpiry, MaintenanceWindow, Severity,
};
use crate::model::incident::Incident;
use crate::model::ledger::LedgerEntry;
use crate::model::lifecycle::{Phase, ReviewState};
use crate::model::severity_scale::{SeverityLevel, SeverityScale};
use crate::model::signal::SignalKind;
use crate::model::spans::SpanState;
use crate::model::time::Time;
use crate::model::verdict::{Decision, Outcome, Verdict};
use crate::rules::parse;

/// An alert of `checkout` that fires in each of these minutes, told as it happens; gives the time of
/// the announcement, if there is one by minute 200.
fn announced(rules: &str, fires: &[(i64, i64)]) -> Option<Time> {
    let (mut state, policy) = (State::default(), policy_of(rules));
    for &(start, end) in fires {
        for (told, end) in [(start, None), (end, Some(end))] {
            state.tick_until(&policy, at(told), &mut Default::default());
            state.apply(vec![alert("A", "checkout", start, end)], &policy, at(told));
        }
    }
    pass(&mut state, &policy, 200);
    let first = state
        .incidents()
        .filter_map(|incident| incident.announced.as_ref());
    first.map(|announced| announced.at).min()
}

const LONG: &str = "criteria: [{name: long, on: degradation, longest: 30m, decision: suggest}]";

#[test]
fn bridged_gap_does_not_delay_the_decision() {
    // Twenty minutes, a gap of one, ten more.
    assert_eq!(announced(LONG, &[(0, 20), (21, 60)]), Some(at(31)));
    assert_eq!(
        announced(LONG, &[(0, 10), (11, 20), (21, 60)]),
        Some(at(32))
    );
    // Two minutes are a gap: the stretch begins anew.
    assert_eq!(announced(LONG, &[(0, 20), (22, 60)]), Some(at(52)));
    // What is bridged is not degraded time.
    assert_eq!(announced(LONG, &[(0, 20), (21, 30)]), None);
}

/// The first minute at which the stretch that lasts is `required` long, counted minute by minute.
fn counted(fires: &[(i64, i64)], bridge: i64, required: i64) -> Option<i64> {
    let (mut length, mut gap) = (0, bridge);
    for minute in 0..200 {
        if length >= required {
            return Some(minute);
        }
        if fires
            .iter()
            .any(|(start, end)| (*start..*end).contains(&minute))
        {
            let broken = gap > 0 && gap >= bridge;
            length = if broken { 1 } else { length + 1 };
            gap = 0;
        } else {
            gap += 1;
        }
    }
    None
}

fn fires() -> impl Strategy<Value = Vec<(i64, i64)>> {
    proptest::collection::vec((1i64..5, 1i64..12), 1..8).prop_map(|steps| {
        let mut now = 0;
        steps
            .into_iter()
            .map(|(gap, length)| {
                let start = now + gap;
                now = start + length;
                (start, now)
            })
            .collect()
    })
}

proptest! {
    #[test]
    fn decision_falls_in_the_minute_that_counting_gives(fires in fires(), bridge in 0i64..4, required in 1i64..30) {
        let rules = format!(
            "criteria: [{{name: long, on: degradation, longest: {required}m, decision: suggest}}]\n\
             correlation: {{bridge: {bridge}m}}"
        );
        prop_assert_eq!(announced(&rules, &fires), counted(&fires, bridge, required).map(at));
    }
}

fn lapsed(alert: &Event, minutes: i64) -> Event {
    let last_seen = at(minutes);
    let lapsed = LeaseExpiry {
        of: alert.subject,
        last_seen,
    };
    Event::new("afterword", last_seen, Fact::Lapsed(lapsed))
}

#[test]
fn lapsed_alert_is_unknown_beyond_the_closing_of_its_incident() {
    let (mut state, policy) = (State::default(), policy());
    let firing = alert("A", "checkout", 0, None);
    let lapse = lapsed(&firing, 10);
    state.apply(vec![firing], &policy, at(0));
    state.apply(vec![lapse], &policy, at(10));
    let outcomes = |state: &State| {
        let outcome = |name: &str| {
            let incident = only(state);
            let verdict = incident.verdicts.iter().find(|one| one.criterion == name);
            verdict.unwrap().outcome
        };
        (outcome("long"), outcome("very-long"))
    };
    pass(&mut state, &policy, 45);
    assert_eq!(only(&state).phase, Phase::Closed);
    assert_eq!(outcomes(&state), (Outcome::Unknown, Outcome::NotMet));
    // Nothing has come since, and an hour may have been degraded.
    pass(&mut state, &policy, 59);
    assert_eq!(outcomes(&state), (Outcome::Unknown, Outcome::NotMet));
    let mut restarted = State::restore(
        state.incidents().cloned().collect(),
        Vec::new(),
        &policy,
        at(59),
    );
    for state in [&mut state, &mut restarted] {
        pass(state, &policy, 600);
        assert_eq!(outcomes(state), (Outcome::Unknown, Outcome::Unknown));
        let announced = only(state).announced.unwrap();
        assert_eq!(
            (announced.decision, announced.at),
            (Decision::Suggest, at(30))
        );
        assert_eq!(state.next_due(), None);
    }
    let incidents = |state: &State| state.incidents().cloned().collect::<Vec<_>>();
    assert_eq!(incidents(&restarted), incidents(&state));
    // The end comes after all, and was early.
    let end = alert("A", "checkout", 0, Some(12));
    state.apply(vec![end], &policy, at(601));
    assert_eq!(outcomes(&state), (Outcome::NotMet, Outcome::NotMet));
}

#[test]
fn request_on_a_closed_incident_moves_no_milestone() {
    let (mut state, policy) = (State::default(), policy());
    for (end, told) in [(None, 0), (Some(10), 10)] {
        state.apply(vec![alert("A", "checkout", 0, end)], &policy, at(told));
    }
    pass(&mut state, &policy, 100);
    let before = only(&state);
    assert_eq!(before.phase, Phase::Closed);
    state.apply(vec![request(&before, 100)], &policy, at(100));
    for minutes in [100, 103, 200] {
        pass(&mut state, &policy, minutes);
        let after = only(&state);
        assert_eq!(after.milestones, before.milestones, "at {minutes}");
        assert_eq!(
            (after.phase, after.phase_since, after.standing),
            (Phase::Closed, before.phase_since, ReviewState::Held)
        );
    }
    let resolved = before.milestones.resolved.unwrap();
    assert_eq!(resolved.at - at(0), TimeDelta::minutes(10));
}

fn declared_work(minutes: i64, status: AlertStatus) -> Event {
    let fact = Fact::Declaration(Declaration {
        key: "migration".to_owned(),
        title: "Migration".to_owned(),
        severity: Severity::Critical,
        status,
        planned: true,
        data_loss: None,
        detected_by: None,
    });
    let mut event = Event::new("people", at(minutes), fact);
    event.service = Some("checkout".into());
    event.identify();
    event
}

const DAY: i64 = 24 * 60;

/// Tells an alert of two hours that begins at `start`; gives the outcome of `long` when it has closed.
fn two_hours(state: &mut State, policy: &Policy, start: i64) -> Outcome {
    for (end, told) in [(None, start), (Some(start + 120), start + 120)] {
        pass(state, policy, told);
        state.apply(vec![alert("A", "checkout", start, end)], policy, at(told));
    }
    pass(state, policy, start + 200);
    let started = |incident: &&Incident| {
        incident.signals.iter().any(|signal| {
            signal.kind == SignalKind::Alert
                && signal.spans.iter().any(|span| span.start == at(start))
        })
    };
    let incident = state.incidents().find(started).unwrap();
    let long = incident
        .verdicts
        .iter()
        .find(|verdict| verdict.criterion == "long");
    long.unwrap().outcome
}

#[test]
fn declared_work_holds_until_it_is_ended() {
    let policy = policy();
    for begun in [60, DAY, 3 * DAY, 20 * DAY] {
        let mut state = State::default();
        let begins = declared_work(0, AlertStatus::Firing);
        state.apply(vec![begins], &policy, at(0));
        assert_eq!(
            two_hours(&mut state, &policy, begun),
            Outcome::NotMet,
            "at {begun}"
        );
        // It is ended, and counts no more.
        let over = declared_work(begun + 300, AlertStatus::Resolved);
        state.apply(vec![over], &policy, at(begun + 300));
        assert_eq!(
            two_hours(&mut state, &policy, begun + 600),
            Outcome::Met,
            "at {begun}"
        );
    }
}

#[test]
fn declared_work_that_joined_an_incident_holds_for_the_next_one() {
    let (mut state, policy) = (State::default(), policy());
    state.apply(vec![alert("B", "checkout", 0, None)], &policy, at(0));
    state.apply(vec![declared_work(5, AlertStatus::Firing)], &policy, at(5));
    state.apply(vec![alert("B", "checkout", 0, Some(10))], &policy, at(10));
    assert_eq!(two_hours(&mut state, &policy, 600), Outcome::NotMet);
}

#[test]
fn open_declared_work_outlasts_retention_and_restarts() {
    let policy = policy();
    for opens_first in [false, true] {
        let mut state = State::default();
        if opens_first {
            // The work is told into an incident, which is dropped in time.
            state.apply(vec![alert("B", "checkout", 0, None)], &policy, at(0));
            state.apply(vec![alert("B", "checkout", 0, Some(2))], &policy, at(2));
        }
        state.apply(vec![declared_work(3, AlertStatus::Firing)], &policy, at(3));
        let mut stored: Vec<Event> = Vec::new();
        for day in 1..40 {
            pass(&mut state, &policy, day * DAY);
            let changes = state.tidy(&policy);
            let loosened = changes
                .loosened
                .iter()
                .filter_map(|id| state.loose_event(id));
            stored.extend(loosened.cloned());
        }
        let loose: Vec<Event> = super::loose(&state).cloned().collect();
        assert_eq!((state.incidents().count(), loose.len()), (0, 1));
        assert!(!opens_first || stored == loose);
        let mut restarted = State::restore(Vec::new(), loose, &policy, at(40 * DAY));
        for state in [&mut state, &mut restarted] {
            assert_eq!(two_hours(state, &policy, 41 * DAY), Outcome::NotMet);
            let over = declared_work(42 * DAY, AlertStatus::Resolved);
            state.apply(vec![over], &policy, at(42 * DAY));
            assert_eq!(two_hours(state, &policy, 43 * DAY), Outcome::Met);
            pass(state, &policy, 80 * DAY);
            state.tidy(&policy);
            assert_eq!(super::loose(state).count(), 0);
        }
    }
}

/// An alert by a clock that is ten minutes ahead, told at minute `told`.
fn ahead(start: i64, end: Option<i64>, told: i64) -> Event {
    let mut event = alert("A", "checkout", start + 10, end.map(|end| end + 10));
    event.occurred_at = at(told);
    event.clamped = true;
    event
}

#[test]
fn start_ahead_of_our_clock_counts_from_its_report() {
    let (mut state, policy) = (State::default(), policy());
    state.apply(vec![ahead(0, None, 0)], &policy, at(0));
    // Retold, it is the same fact.
    state.apply(vec![ahead(0, None, 7)], &policy, at(7));
    pass(&mut state, &policy, 35);
    let incident = only(&state);
    let announced = incident.announced.unwrap();
    assert_eq!(
        (announced.decision, announced.at),
        (Decision::Suggest, at(30))
    );
    assert_eq!(incident.milestones.detected.unwrap().at, at(0));
    state.apply(vec![ahead(0, Some(40), 40)], &policy, at(40));
    pass(&mut state, &policy, 100);
    let incident = only(&state);
    let spans = &incident.signals[0].spans;
    assert_eq!((spans[0].start, spans[0].end), (at(0), Some(at(40))));
    assert_eq!(incident.milestones.mitigated.unwrap().at, at(40));
    assert_eq!(incident.milestones.resolved.unwrap().at, at(40));
    // Its clock was set right meanwhile: the end seems to be before the start, and is not.
    let (mut state, right) = (State::default(), alert("A", "checkout", 10, Some(5)));
    state.apply(vec![ahead(0, None, 0), right], &policy, at(5));
    let spans = &only(&state).signals[0].spans;
    assert_eq!((spans[0].start, spans[0].end), (at(0), Some(at(5))));
}

#[test]
fn end_before_the_start_leaves_the_end_unknown() {
    for order in [[0, 1], [1, 0]] {
        let (mut state, policy) = (State::default(), policy());
        let mut ended = alert("A", "checkout", 0, Some(-10));
        ended.occurred_at = at(10);
        let told = [alert("A", "checkout", 0, None), ended];
        for which in order {
            state.apply(vec![told[which].clone()], &policy, at(10));
        }
        assert_eq!(
            only(&state).verdicts[1].sentence,
            "Checkout was degraded for at most 10m without a break (threshold 30m); \
             its state in that time is unknown."
        );
        pass(&mut state, &policy, 45);
        let incident = only(&state);
        let spans = &incident.signals[0].spans;
        assert_eq!(spans.len(), 1);
        assert_eq!(
            (spans[0].start, spans[0].end, spans[0].state),
            (at(0), None, SpanState::Unknown)
        );
        assert_eq!(incident.milestones.resolved, None);
        let verdict = &incident.verdicts[1];
        assert_eq!(verdict.outcome, Outcome::Unknown);
        assert_eq!(
            verdict.sentence,
            "Checkout was degraded for at most 40m without a break (threshold 30m); \
             its state in that time is unknown."
        );
    }
}

const ONLY_CRITICAL: &str = "
criteria:
  - name: long
    on: degradation
    where: signal.severity == 'critical' && incident.environment != 'staging'
    longest: 30m
    decision: suggest
";

fn maintenance(from: i64, to: i64) -> Event {
    let window = MaintenanceWindow {
        key: String::new(),
        from: at(from),
        to: at(to),
        why: "new disks".to_owned(),
    };
    let mut event = Event::new("people", at(0), Fact::Maintenance(window));
    event.service = Some("checkout".into());
    event.identify();
    event
}

/// The verdict on an hour of alerts under `ONLY_CRITICAL`, as changed and joined by `more`.
fn told_of_an_hour(change: &dyn Fn(&mut Event), more: Vec<Event>) -> Verdict {
    let (mut state, policy) = (State::default(), policy_of(ONLY_CRITICAL));
    let mut events = vec![
        alert("A", "checkout", 0, None),
        alert("A", "checkout", 0, Some(60)),
    ];
    events.iter_mut().for_each(|event| {
        change(event);
        event.identify();
    });
    events.extend(more);
    state.apply(events, &policy, at(60));
    pass(&mut state, &policy, 120);
    let incident = only(&state);
    let entry = LedgerEntry::of(&incident);
    assert_eq!(entry.verdicts, incident.verdicts);
    assert!(
        entry.reason.contains("Not counted") || incident.verdicts[0].excluded.is_empty(),
        "{}",
        entry.reason
    );
    incident.verdicts[0].clone()
}

#[test]
fn exclusions_are_told_with_their_length() {
    let severity = |severity: Severity| {
        move |event: &mut Event| {
            if let Fact::Alert(alert) = &mut event.fact {
                alert.severity = severity;
            }
        }
    };
    let (warning, unchanged) = (severity(Severity::Warning), |_: &mut Event| {});
    let staging = |event: &mut Event| event.environment = Some("staging".into());
    let both = |event: &mut Event| {
        warning(event);
        staging(event);
    };
    let none = "Checkout had no degraded time that counts (threshold 30m without a break).";
    type Case<'a> = (&'a dyn Fn(&mut Event), Vec<Event>, String);
    let cases: [Case<'_>; 6] = [
        (
            &unchanged,
            vec![maintenance(10, 30)],
            "Checkout was degraded for 30m without a break (threshold 30m). Not counted: 20m of planned work.".to_owned(),
        ),
        (&unchanged, vec![maintenance(-5, 90)], format!("{none} Not counted: 1h of planned work.")),
        (
            &unchanged,
            vec![declared_work(-1, AlertStatus::Firing), declared_work(40, AlertStatus::Resolved)],
            "Checkout was degraded for 20m without a break (threshold 30m). Not counted: 40m of planned work.".to_owned(),
        ),
        (&warning, vec![], format!("{none} Not counted: 1h from alerts with severity warning.")),
        (&staging, vec![], format!("{none} Not counted: 1h in the environment staging.")),
        (&both, vec![], format!("{none} Not counted: 1h from alerts with severity warning in the environment staging.")),
    ];
    for (change, more, sentence) in cases {
        assert_eq!(told_of_an_hour(change, more).sentence, sentence);
    }
    // On a team's own scale, too.
    let levels = ["SEV1", "SEV3"].map(|name| SeverityLevel {
        name: name.to_owned(),
        from: vec![],
    });
    let scale = SeverityScale::new(levels.into());
    let sev3 = scale.find("SEV3").unwrap();
    let rules = "criteria: [{name: long, on: degradation, where: 'signal.severity == \"SEV1\"', longest: 30m, decision: hold}]";
    let rules = parse::load_for(&[("rules.yaml".to_owned(), rules.to_owned())], &scale).unwrap();
    let policy = Policy::new(rules, &[], &[]).with_severities(scale);
    let mut state = State::default();
    let mut event = alert("A", "checkout", 0, None);
    severity(sev3)(&mut event);
    state.apply(vec![event], &policy, at(60));
    assert_eq!(
        only(&state).verdicts[0].sentence,
        format!("{none} Not counted: 1h from alerts with severity SEV3.")
    );
    // What counts besides is not left out.
    let critical = [
        alert("B", "checkout", 15, None),
        alert("B", "checkout", 15, Some(60)),
    ];
    let verdict = told_of_an_hour(&warning, critical.into());
    assert_eq!(verdict.excluded.len(), 1);
    assert_eq!(verdict.excluded[0].why, "from alerts with severity warning");
    assert!((verdict.excluded[0].seconds - 900.0).abs() < 0.1);
    assert_eq!(verdict.outcome, Outcome::Met);
}

#[test]
fn time_outside_the_counted_hours_is_an_exclusion() {
    let rules = "criteria: [{name: long, on: degradation, longest: 30m, during: {hours: '09:00-09:20', time_zone: UTC}, decision: suggest}]";
    let (mut state, policy) = (State::default(), policy_of(rules));
    let events = vec![
        alert("A", "checkout", 0, None),
        alert("A", "checkout", 0, Some(60)),
    ];
    state.apply(events, &policy, at(60));
    pass(&mut state, &policy, 120);
    let verdict = only(&state).verdicts.remove(0);
    let excluded = &verdict.excluded[0];
    assert_eq!(
        (excluded.seconds.round(), &*excluded.why),
        (2400.0, "outside the counted hours")
    );
    assert!(
        verdict
            .sentence
            .ends_with("(threshold 30m). Not counted: 40m outside the counted hours."),
        "{}",
        verdict.sentence
    );
}

#[test]
fn met_degradation_with_unknown_time_says_at_least() {
    let rules = "
criteria:
  - {name: long, on: degradation, longest: 30m, decision: suggest}
  - {name: exact, on: degradation, longest: 35m, decision: suggest}
  - {name: total, on: degradation, total: 30m, within: 2h, decision: suggest}
";
    let (mut state, policy) = (State::default(), policy_of(rules));
    let firing = alert("A", "checkout", 0, None);
    let lapse = lapsed(&firing, 35);
    state.apply(vec![firing], &policy, at(0));
    pass(&mut state, &policy, 35);
    state.apply(vec![lapse], &policy, at(40));
    pass(&mut state, &policy, 90);
    let incident = only(&state);
    let found: Vec<(&str, &str)> = incident
        .verdicts
        .iter()
        .map(|verdict| (verdict.sentence.as_str(), verdict.would_change.as_str()))
        .collect();
    assert_eq!(
        found,
        [
            (
                "Checkout was degraded for at least 35m without a break (threshold 30m).",
                "If the known degraded time had been over 5m shorter, it would be unknown."
            ),
            (
                "Checkout was degraded for at least 35m without a break (threshold 35m).",
                "If the known degraded time had been any shorter, it would be unknown."
            ),
            (
                "Checkout was degraded for at least 35m in total within 2h (threshold 30m).",
                "If the known degraded time had been over 5m shorter, it would be unknown."
            ),
        ]
    );
    assert!(
        incident.reason.starts_with(found[0].0),
        "{}",
        incident.reason
    );
}
