use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;

use super::{Memory, Reader, Recalled, Rule};
use crate::model::Time;
use crate::model::event::{Event, Fact, Labels};
use crate::model::settings::LabelNames;

/// The instant `seconds` and 418 ms after a whole minute: evaluations have their own beat.
fn at(seconds: i64) -> Time {
    Time::from_timestamp_millis(1_763_881_380_418).unwrap_or_default() + TimeDelta::seconds(seconds)
}

fn labels(state: &str) -> Labels {
    let pairs = [("__name__", "ALERTS"), ("alertname", "Down"), ("severity", "critical"), ("job", "shop"), ("alertstate", state)];
    pairs.iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// One letter each 15 s from `first` on: `p`ending, `f`iring, `.` nothing (and looked), `_` nothing and not looked either. An episode is marked
/// by when it began unless `marks` says otherwise.
fn memory(first: i64, letters: &str, mark: Option<i64>) -> Memory {
    let mut memory = Memory { from: at(first), looks: Some(Vec::new()), ..Memory::default() };
    let (mut pending, mut firing, mut active, mut began) = (Vec::new(), Vec::new(), Vec::new(), mark);
    let mut second = first;
    for letter in letters.chars() {
        if letter != '_' {
            memory.looks.as_mut().expect("looks").push(at(second) + TimeDelta::seconds(2));
        }
        match letter {
            'p' => pending.push((at(second), 1.0)),
            'f' => firing.push((at(second), 1.0)),
            _ => began = None,
        }
        if "pf".contains(letter) {
            let began = *began.get_or_insert(at(second).timestamp());
            active.push((at(second), began as f64));
        }
        second += 15;
    }
    memory.until = at(second - 15) + TimeDelta::seconds(5);
    memory.alerts = vec![(labels("pending"), pending), (labels("firing"), firing)];
    let mut state = labels("");
    state.insert("__name__".to_owned(), "ALERTS_FOR_STATE".to_owned());
    memory.active = vec![(state, active)];
    memory
}

fn read(recalled: &mut Recalled, memory: &Memory) -> Vec<Event> {
    let rules = BTreeMap::from([("Down".to_owned(), Rule { hold: 60, keep: 0, interval: TimeDelta::seconds(15) })]);
    let external = Labels::from([("cluster".to_owned(), "eu".to_owned())]);
    recalled.read(memory, &Reader { source: "prom", names: &LabelNames::default(), rules: &rules, external: &external })
}

fn told(event: &Event) -> String {
    let second = |time: Time| (time - at(0)).num_seconds();
    match &event.fact {
        Fact::Alert(alert) => {
            assert!(alert.recalled && alert.labels.get("cluster") == Some("eu") && event.service.as_deref() == Some("shop"));
            let end = alert.ends_at.map(|end| format!("..{} {:?}", second(end), alert.end_reason)).unwrap_or_default();
            format!("fired {}-{}{end}", second(alert.starts_at), alert.pending_for.unwrap_or_default())
        }
        Fact::NearMiss(near) => format!("{} {:.2} @{}", near.what, near.closeness.unwrap_or_default(), second(event.occurred_at)),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn check(letters: &str, expected: &[&str]) {
    let events = read(&mut Recalled::default(), &memory(0, letters, None));
    assert_eq!(events.iter().map(told).collect::<Vec<_>>(), expected, "{letters}");
    // In two looks at any place, with a restart between, the same is told; what both saw is told alike.
    for cut in 1..letters.len() {
        let mut recalled = Recalled::default();
        let mut split: Vec<String> = read(&mut recalled, &memory(0, &letters[..cut], None)).iter().map(told).collect();
        recalled = serde_json::from_str(&serde_json::to_string(&recalled).expect("text")).expect("recalled");
        split.extend(read(&mut recalled, &memory(0, letters, None)).iter().map(told));
        let mut once = BTreeSet::new();
        split.retain(|told| once.insert(told.clone()));
        assert_eq!(split, expected, "{letters} cut at {cut}");
    }
}

#[test]
fn an_alert_is_told_with_its_true_beginning_and_end() {
    check("..ppppff...", &["fired 90-60", "fired 90-60..120 Recovered"]);
    check("..ppppffff", &["fired 90-60"]);
}

#[test]
fn a_flap_is_two_episodes() {
    check("ppppff.ppppff...", &["fired 60-60", "fired 60-60..90 Recovered", "fired 165-60", "fired 165-60..195 Recovered"]);
}

#[test]
fn what_was_pending_for_long_and_never_fired_is_a_near_miss() {
    check(".ppp...", &["Down was pending for 45s of the 60s after which it fires 0.75 @60"]);
    check(".p...", &[]);
}

#[test]
fn when_the_prometheus_was_away_nobody_knows_the_end() {
    check("ppppff____", &["fired 60-60", "fired 60-60..75 SourceLost"]);
    check("ppp____..", &[]);
}

#[test]
fn an_alert_that_fired_before_the_stretch_began_is_reckoned() {
    // Its mark is second 0 of the same beat; it has fired since second 60.
    let events = read(&mut Recalled::default(), &memory(600, "ffff...", Some(at(0).timestamp())));
    assert_eq!(events.iter().map(told).collect::<Vec<_>>(), ["fired 60-60", "fired 60-60..660 Recovered"]);
}
