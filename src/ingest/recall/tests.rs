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
    read_by(recalled, memory, &[rule(60, 15, &[])])
}

fn rule(hold: i64, interval: i64, labels: &[(&str, &str)]) -> Rule {
    let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Rule { labels, hold, keep: 0, interval: TimeDelta::seconds(interval) }
}

fn read_by(recalled: &mut Recalled, memory: &Memory, rules: &[Rule]) -> Vec<Event> {
    let rules = BTreeMap::from([("Down".to_owned(), rules.to_vec())]);
    let external = Labels::from([("cluster".to_owned(), "eu".to_owned())]);
    recalled.read(memory, &Reader { source: "prom", names: &LabelNames::default(), rules: &rules, external: &external })
}

fn told(event: &Event) -> String {
    let second = |time: Time| (time - at(0)).num_seconds();
    match &event.fact {
        Fact::Alert(alert) => {
            assert!(alert.recalled && alert.labels.get("cluster") == Some("eu") && event.service.as_deref() == Some("shop"));
            let end = alert.ends_at.map(|end| format!("..{} {:?}", second(end), alert.end_reason)).unwrap_or_default();
            let again = alert.seen_again.map(|again| format!(" again {}", second(again))).unwrap_or_default();
            format!("fired {}-{}{end}{again}", second(alert.starts_at), alert.pending_for.unwrap_or_default())
        }
        Fact::Lapsed(lapsed) => format!("lapsed {}", second(lapsed.last_seen)),
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

/// The same as [`memory`] of one episode that is marked by second 0, of which `_` were not written and were looked at all the same.
fn skipping(letters: &str) -> Memory {
    let mut memory = memory(0, letters, Some(at(0).timestamp()));
    let mark = (0..letters.len()).filter(|index| "pf".contains(&letters[*index..=*index]));
    memory.active[0].1 = mark.map(|index| (at(15 * index as i64), at(0).timestamp() as f64)).collect();
    memory.looks = Some((0..letters.len()).map(|index| at(15 * index as i64 + 2)).collect());
    memory
}

#[track_caller]
fn check_by(rules: &[Rule], memory: &Memory, expected: &[&str]) {
    let events = read_by(&mut Recalled::default(), memory, rules);
    assert_eq!(events.iter().map(told).collect::<Vec<_>>(), expected);
}

#[test]
fn an_outage_longer_than_the_stretch_is_no_recovery() {
    let mut recalled = Recalled::default();
    assert_eq!(read(&mut recalled, &memory(0, "ppppff", None)).len(), 1);
    let away = Memory { looks: Some(Vec::new()), from: at(600), until: at(900), ..Memory::default() };
    assert_eq!(read(&mut recalled, &away).iter().map(told).collect::<Vec<_>>(), ["fired 60-60..75 SourceLost"]);
    assert_eq!(read(&mut recalled, &away), []);
    let mut believed = Recalled::default();
    read(&mut believed, &memory(0, "ppppff", None));
    let without_up = Memory { looks: None, ..away };
    assert_eq!(read(&mut believed, &without_up).iter().map(told).collect::<Vec<_>>(), ["fired 60-60..90 Recovered"]);
}

#[test]
fn evaluations_that_are_missing_end_nothing_while_the_mark_is_the_same() {
    let rules = [rule(60, 15, &[])];
    check_by(&rules, &skipping("ppppff_ff..."), &["fired 60-60", "fired 60-60..135 Recovered"]);
    check_by(&rules, &skipping("ppppff__________ff..."), &["fired 60-60", "fired 60-60..270 Recovered"]);
    check_by(&rules, &skipping("pp__pff..."), &["fired 75-75", "fired 75-75..105 Recovered"]);
    let just_now = |mut memory: Memory| {
        (memory.until, memory.looks) = (at(105), Some(vec![at(2), at(62)]));
        memory
    };
    let flap = just_now(memory(0, "ppppff.p", None));
    check_by(&rules, &flap, &["fired 60-60", "fired 60-60..90 Recovered"]);
    // Another mark is another episode.
    check("ppppff.ppppff...", &["fired 60-60", "fired 60-60..90 Recovered", "fired 165-60", "fired 165-60..195 Recovered"]);
}

#[test]
fn a_restart_that_restores_the_mark_is_another_episode() {
    let rules = [rule(600, 15, &[])];
    let fired = |pause: &str| skipping(&format!("{}ff{pause}ff...", "p".repeat(40)));
    check_by(&rules, &fired("_"), &["fired 600-600", "fired 600-600..675 Recovered"]);
    let again = ["fired 600-600", "fired 600-600..630 Recovered", "fired 660-0", "fired 660-0..690 Recovered"];
    check_by(&rules, &fired("__"), &again);
    // Nothing that fires becomes pending again.
    check_by(&[rule(60, 15, &[])], &skipping("ppppfpf"), &["fired 60-60", "fired 60-60..75 Recovered", "fired 90-15"]);
}

#[test]
fn an_end_that_was_told_too_early_is_taken_back() {
    let mut recalled = Recalled::default();
    let mut said = Vec::new();
    for letters in ["ppppff__", "ppppff___", "ppppff____ff", "ppppff____ffff", "ppppff____ffff..."] {
        said.extend(read(&mut recalled, &skipping(letters)).iter().map(told));
    }
    assert_eq!(said, ["fired 60-60", "fired 60-60..90 Recovered", "fired 60-60 again 150", "fired 60-60..210 Recovered"]);
}

#[test]
fn rules_of_one_name_are_told_apart_by_their_labels() {
    let other = |severity| rule(3600, 60, &[("severity", severity)]);
    let ours = rule(60, 15, &[("severity", "critical")]);
    let near = ["Down was pending for 45s of the 60s after which it fires 0.75 @60"];
    for rules in [[ours.clone(), other("warning")], [other("warning"), ours.clone()]] {
        check_by(&rules, &memory(0, ".ppp...", None), &near);
    }
    // Of which of two it is nobody can say: evaluations are as far apart as they are, and of what it came near is unknown.
    let either = [ours, other("critical")];
    check_by(&either, &memory(0, ".ppp...", None), &[]);
    check_by(&either, &memory(0, "ppppffff...", None), &["fired 60-60", "fired 60-60..120 Recovered"]);
}

#[test]
fn what_can_be_read_no_more_is_unknown_until_it_is_seen_again() {
    let (names, rules, external) = (LabelNames::default(), BTreeMap::new(), Labels::new());
    let reader = Reader { source: "prom", names: &names, rules: &rules, external: &external };
    let mut recalled = Recalled::default();
    let alert = read(&mut recalled, &memory(0, "ppppff", None)).remove(0);
    recalled = serde_json::from_str(&serde_json::to_string(&recalled).expect("text")).expect("recalled");
    let lapse = |recalled: &mut Recalled, second| recalled.lapse(at(second), &reader, |_| false);
    assert_eq!(lapse(&mut recalled, 135), []);
    assert_eq!(recalled.lapse(at(136), &reader, |event| event.subject == alert.subject), [], "others have its lease");
    let lapsed = lapse(&mut recalled, 136);
    assert_eq!(lapsed.iter().map(|event| (told(event), event.subject)).collect::<Vec<_>>(), [("lapsed 75".to_owned(), alert.subject)]);
    assert_eq!(lapse(&mut recalled, 200), [], "told once");
    let events = read(&mut recalled, &memory(0, "ppppffffffffff", None));
    assert_eq!(events.iter().map(told).collect::<Vec<_>>(), ["fired 60-60 again 90"]);
    assert_eq!(lapse(&mut recalled, 400).len(), 1, "and once more");
    let events = read(&mut recalled, &memory(0, "ppppffffffffffff...", None));
    assert_eq!(events.iter().map(told).collect::<Vec<_>>(), ["fired 60-60 again 210", "fired 60-60..240 Recovered"]);
}
