use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;

use super::series_window::{AlertingRule, SeriesWindow};
use super::{AlertSeriesState, SeriesReader};
use crate::model::event::{Event, Fact};
use crate::model::labels::Labels;
use crate::model::settings::LabelNames;
use crate::model::time::Time;

/// The instant `seconds` and 418 ms after a whole minute: evaluations have their own beat.
fn at(seconds: i64) -> Time {
    Time::from_timestamp_millis(1_763_881_380_418).unwrap_or_default() + TimeDelta::seconds(seconds)
}

fn labels(state: &str) -> Labels {
    let pairs = [
        ("__name__", "ALERTS"),
        ("alertname", "Down"),
        ("severity", "critical"),
        ("job", "shop"),
        ("alertstate", state),
    ];
    pairs
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

/// One letter each 15 s from `first` on: `p`ending, `f`iring, `.` nothing (and looked), `_` nothing and not looked either. An episode is marked
/// by when it began unless `marks` says otherwise.
fn memory(first: i64, letters: &str, mark: Option<i64>) -> SeriesWindow {
    let mut memory = SeriesWindow {
        from: at(first),
        looks: Some(Vec::new()),
        ..SeriesWindow::default()
    };
    let (mut pending, mut firing, mut active, mut began) =
        (Vec::new(), Vec::new(), Vec::new(), mark);
    let mut second = first;
    for letter in letters.chars() {
        if letter != '_' {
            memory
                .looks
                .as_mut()
                .expect("looks")
                .push(at(second) + TimeDelta::seconds(2));
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

fn read(recalled: &mut AlertSeriesState, memory: &SeriesWindow) -> Vec<Event> {
    read_by(recalled, memory, &[rule(60, 15, &[])])
}

fn rule(hold: i64, interval: i64, labels: &[(&str, &str)]) -> AlertingRule {
    let labels = labels
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    AlertingRule {
        labels,
        hold,
        keep: 0,
        interval: TimeDelta::seconds(interval),
    }
}

fn read_by(
    recalled: &mut AlertSeriesState,
    memory: &SeriesWindow,
    rules: &[AlertingRule],
) -> Vec<Event> {
    let rules = BTreeMap::from([("Down".to_owned(), rules.to_vec())]);
    let external = Labels::from([("cluster".to_owned(), "eu".to_owned())]);
    recalled.read(
        memory,
        &SeriesReader {
            source: "prom",
            names: &LabelNames::default(),
            rules: &rules,
            external: &external,
        },
    )
}

fn told(event: &Event) -> String {
    let second = |time: Time| (time - at(0)).num_seconds();
    match &event.fact {
        Fact::Alert(alert) => {
            assert!(
                alert.recalled
                    && alert.labels.get("cluster") == Some("eu")
                    && event.service.as_deref() == Some("shop")
            );
            let end = alert
                .ends_at
                .map(|end| format!("..{} {:?}", second(end), alert.end_reason))
                .unwrap_or_default();
            let again = alert
                .seen_again
                .map(|again| format!(" again {}", second(again)))
                .unwrap_or_default();
            format!(
                "fired {}-{}{end}{again}",
                second(alert.starts_at),
                alert.pending_for.unwrap_or_default()
            )
        }
        Fact::Lapsed(lapsed) => format!("lapsed {}", second(lapsed.last_seen)),
        Fact::NearMiss(near) => format!(
            "{} {:.2} @{}",
            near.what,
            near.closeness.unwrap_or_default(),
            second(event.occurred_at)
        ),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn check(letters: &str, expected: &[&str]) {
    let events = read(&mut AlertSeriesState::default(), &memory(0, letters, None));
    assert_eq!(
        events.iter().map(told).collect::<Vec<_>>(),
        expected,
        "{letters}"
    );
    // Two reads, cut at any place with a restart between, report the same; the overlap is reported
    // alike.
    for cut in 1..letters.len() {
        let mut recalled = AlertSeriesState::default();
        let mut split: Vec<String> = read(&mut recalled, &memory(0, &letters[..cut], None))
            .iter()
            .map(told)
            .collect();
        recalled = serde_json::from_str(&serde_json::to_string(&recalled).expect("text"))
            .expect("recalled");
        split.extend(
            read(&mut recalled, &memory(0, letters, None))
                .iter()
                .map(told),
        );
        let mut once = BTreeSet::new();
        split.retain(|told| once.insert(told.clone()));
        assert_eq!(split, expected, "{letters} cut at {cut}");
    }
}

#[test]
fn an_alert_is_told_with_its_true_beginning_and_end() {
    check(
        "..ppppff...",
        &["fired 90-60", "fired 90-60..120 Recovered"],
    );
    check("..ppppffff", &["fired 90-60"]);
}

#[test]
fn a_flap_is_two_episodes() {
    check(
        "ppppff.ppppff...",
        &[
            "fired 60-60",
            "fired 60-60..90 Recovered",
            "fired 165-60",
            "fired 165-60..195 Recovered",
        ],
    );
}

#[test]
fn what_was_pending_for_long_and_never_fired_is_a_near_miss() {
    check(
        ".ppp...",
        &["Down was pending for 45s of the 60s after which it fires 0.75 @60"],
    );
    check(".p...", &[]);
}

#[test]
fn end_during_downtime_of_prometheus_is_unknown() {
    check("ppppff____", &["fired 60-60", "fired 60-60..75 SourceLost"]);
    check("ppp____..", &[]);
}

#[test]
fn an_alert_that_fired_before_the_stretch_began_is_reckoned() {
    // Its mark is second 0 of the same beat; it has fired since second 60.
    let events = read(
        &mut AlertSeriesState::default(),
        &memory(600, "ffff...", Some(at(0).timestamp())),
    );
    assert_eq!(
        events.iter().map(told).collect::<Vec<_>>(),
        ["fired 60-60", "fired 60-60..660 Recovered"]
    );
}

/// The same as [`memory`] of one episode marked by second 0; `_` are evaluations that were not
/// written.
fn skipping(letters: &str) -> SeriesWindow {
    let mut memory = memory(0, letters, Some(at(0).timestamp()));
    let mark = (0..letters.len()).filter(|index| "pf".contains(&letters[*index..=*index]));
    memory.active[0].1 = mark
        .map(|index| (at(15 * index as i64), at(0).timestamp() as f64))
        .collect();
    memory.looks = Some(
        (0..letters.len())
            .map(|index| at(15 * index as i64 + 2))
            .collect(),
    );
    memory
}

#[track_caller]
fn check_by(rules: &[AlertingRule], memory: &SeriesWindow, expected: &[&str]) {
    let events = read_by(&mut AlertSeriesState::default(), memory, rules);
    assert_eq!(events.iter().map(told).collect::<Vec<_>>(), expected);
}

#[test]
fn an_outage_longer_than_the_stretch_is_no_recovery() {
    let mut recalled = AlertSeriesState::default();
    assert_eq!(read(&mut recalled, &memory(0, "ppppff", None)).len(), 1);
    let away = SeriesWindow {
        looks: Some(Vec::new()),
        from: at(600),
        until: at(900),
        ..SeriesWindow::default()
    };
    assert_eq!(
        read(&mut recalled, &away)
            .iter()
            .map(told)
            .collect::<Vec<_>>(),
        ["fired 60-60..75 SourceLost"]
    );
    assert_eq!(read(&mut recalled, &away), []);
    let mut believed = AlertSeriesState::default();
    read(&mut believed, &memory(0, "ppppff", None));
    let without_up = SeriesWindow {
        looks: None,
        ..away
    };
    assert_eq!(
        read(&mut believed, &without_up)
            .iter()
            .map(told)
            .collect::<Vec<_>>(),
        ["fired 60-60..90 Recovered"]
    );
}

#[test]
fn evaluations_that_are_missing_end_nothing_while_the_mark_is_the_same() {
    let rules = [rule(60, 15, &[])];
    check_by(
        &rules,
        &skipping("ppppff_ff..."),
        &["fired 60-60", "fired 60-60..135 Recovered"],
    );
    check_by(
        &rules,
        &skipping("ppppff__________ff..."),
        &["fired 60-60", "fired 60-60..270 Recovered"],
    );
    check_by(
        &rules,
        &skipping("pp__pff..."),
        &["fired 75-75", "fired 75-75..105 Recovered"],
    );
    let just_now = |mut memory: SeriesWindow| {
        (memory.until, memory.looks) = (at(105), Some(vec![at(2), at(62)]));
        memory
    };
    let flap = just_now(memory(0, "ppppff.p", None));
    check_by(&rules, &flap, &["fired 60-60", "fired 60-60..90 Recovered"]);
    // Another mark is another episode.
    check(
        "ppppff.ppppff...",
        &[
            "fired 60-60",
            "fired 60-60..90 Recovered",
            "fired 165-60",
            "fired 165-60..195 Recovered",
        ],
    );
}

#[test]
fn a_restart_that_restores_the_mark_is_another_episode() {
    let rules = [rule(600, 15, &[])];
    let fired = |pause: &str| skipping(&format!("{}ff{pause}ff...", "p".repeat(40)));
    check_by(
        &rules,
        &fired("_"),
        &["fired 600-600", "fired 600-600..675 Recovered"],
    );
    let again = [
        "fired 600-600",
        "fired 600-600..630 Recovered",
        "fired 660-0",
        "fired 660-0..690 Recovered",
    ];
    check_by(&rules, &fired("__"), &again);
    // Nothing that fires becomes pending again.
    check_by(
        &[rule(60, 15, &[])],
        &skipping("ppppfpf"),
        &["fired 60-60", "fired 60-60..75 Recovered", "fired 90-15"],
    );
}

#[test]
fn premature_end_is_corrected() {
    let mut recalled = AlertSeriesState::default();
    let mut said = Vec::new();
    for letters in [
        "ppppff__",
        "ppppff___",
        "ppppff____ff",
        "ppppff____ffff",
        "ppppff____ffff...",
    ] {
        said.extend(read(&mut recalled, &skipping(letters)).iter().map(told));
    }
    assert_eq!(
        said,
        [
            "fired 60-60",
            "fired 60-60..90 Recovered",
            "fired 60-60 again 150",
            "fired 60-60..210 Recovered"
        ]
    );
}

#[test]
fn rules_of_one_name_are_told_apart_by_their_labels() {
    let other = |severity| rule(3600, 60, &[("severity", severity)]);
    let ours = rule(60, 15, &[("severity", "critical")]);
    let near = ["Down was pending for 45s of the 60s after which it fires 0.75 @60"];
    for rules in [
        [ours.clone(), other("warning")],
        [other("warning"), ours.clone()],
    ] {
        check_by(&rules, &memory(0, ".ppp...", None), &near);
    }
    // Ambiguous between two rules: evaluations keep their interval, and the severity is unknown.
    let either = [ours, other("critical")];
    check_by(&either, &memory(0, ".ppp...", None), &[]);
    check_by(
        &either,
        &memory(0, "ppppffff...", None),
        &["fired 60-60", "fired 60-60..120 Recovered"],
    );
}

#[test]
fn unreadable_alert_is_unknown_until_seen_again() {
    let (names, rules, external) = (LabelNames::default(), BTreeMap::new(), Labels::new());
    let reader = SeriesReader {
        source: "prom",
        names: &names,
        rules: &rules,
        external: &external,
    };
    let mut recalled = AlertSeriesState::default();
    let alert = read(&mut recalled, &memory(0, "ppppff", None)).remove(0);
    recalled =
        serde_json::from_str(&serde_json::to_string(&recalled).expect("text")).expect("recalled");
    let lapse =
        |recalled: &mut AlertSeriesState, second| recalled.lapse(at(second), &reader, |_| false);
    assert_eq!(lapse(&mut recalled, 135), []);
    assert_eq!(
        recalled.lapse(at(136), &reader, |event| event.subject == alert.subject),
        [],
        "others have its lease"
    );
    let lapsed = lapse(&mut recalled, 136);
    assert_eq!(
        lapsed
            .iter()
            .map(|event| (told(event), event.subject))
            .collect::<Vec<_>>(),
        [("lapsed 75".to_owned(), alert.subject)]
    );
    assert_eq!(lapse(&mut recalled, 200), [], "told once");
    let events = read(&mut recalled, &memory(0, "ppppffffffffff", None));
    assert_eq!(
        events.iter().map(told).collect::<Vec<_>>(),
        ["fired 60-60 again 90"]
    );
    assert_eq!(lapse(&mut recalled, 400).len(), 1, "and once more");
    let events = read(&mut recalled, &memory(0, "ppppffffffffffff...", None));
    assert_eq!(
        events.iter().map(told).collect::<Vec<_>>(),
        ["fired 60-60 again 210", "fired 60-60..240 Recovered"]
    );
}

/// Events of consecutive reads, cut at these seconds.
fn read_on(letters: &str, cuts: &[usize], rules: &[AlertingRule]) -> Vec<String> {
    let whole = memory(0, letters, None);
    let within = |points: &[(Time, f64)], from: Time, until: Time| {
        points
            .iter()
            .filter(|(at, _)| from < *at && *at <= until)
            .copied()
            .collect::<Vec<_>>()
    };
    let mut recalled = AlertSeriesState::default();
    let mut from = whole.from - TimeDelta::seconds(1);
    let (mut events, mut complete_until) = (Vec::new(), from);
    for until in cuts
        .iter()
        .map(|second| at(i64::try_from(*second).expect("a second")))
        .chain([whole.until])
    {
        let cut = |all: &[(Labels, Vec<(Time, f64)>)]| {
            all.iter()
                .map(|(labels, points)| (labels.clone(), within(points, from, until)))
                .collect::<Vec<_>>()
        };
        let looks = whole.looks.clone();
        let memory = SeriesWindow {
            alerts: cut(&whole.alerts),
            active: cut(&whole.active),
            looks,
            from,
            until,
            read_on: until < whole.until,
        };
        let more = read_by(&mut recalled, &memory, rules);
        assert!(
            more.iter().all(|event| event.occurred_at >= complete_until),
            "{letters} cut at {cuts:?}: all was told before"
        );
        complete_until = recalled.complete_until().unwrap_or(until).min(until);
        events.extend(more);
        from = until;
    }
    events.sort_by_key(|event| (event.occurred_at, event.id));
    events.iter().map(told).collect()
}

proptest::proptest! {
    /// Reads of a long past report the same wherever it is cut, and nothing from before the first
    /// report.
    #[test]
    fn result_does_not_depend_on_where_reads_are_cut(
        letters in proptest::collection::vec(proptest::sample::select(vec!["p", "ppppf", "ffff", ".", "...", "_", "__________", "________________________"]), 1..20),
        cuts in proptest::collection::btree_set(0_usize..1500, 0..6),
        hold in proptest::sample::select(vec![60, 600]),
    ) {
        let letters = letters.concat();
        let end = (letters.len() - 1) * 15 + 5;
        let cuts: Vec<usize> = cuts.into_iter().filter(|cut| *cut < end).collect();
        let rules = [rule(hold, 15, &[])];
        proptest::prop_assert_eq!(read_on(&letters, &cuts, &rules), read_on(&letters, &[], &rules));
    }
}

#[test]
fn a_mark_from_before_an_outage_is_not_believed_where_all_was_read_since() {
    // It was restored after ten minutes without evaluations.
    let rules = [rule(600, 15, &[])];
    let mut restored = skipping(&format!("{}ff{}ff...", "p".repeat(40), "_".repeat(40)));
    restored.looks = Some(
        (0..restored_length())
            .filter(|index| !(42..82).contains(index))
            .map(|index| at(15 * index + 2))
            .collect(),
    );
    check_by(
        &rules,
        &restored,
        &[
            "fired 600-600",
            "fired 600-600..615 SourceLost",
            "fired 1230-0",
            "fired 1230-0..1260 Recovered",
        ],
    );
    // In two stretches that follow on each other it is no other.
    let later = SeriesWindow {
        from: at(900),
        alerts: after(&restored.alerts, 900),
        active: after(&restored.active, 900),
        ..restored.clone()
    };
    let before = SeriesWindow {
        until: at(900),
        read_on: true,
        ..skipping(&format!("{}ff", "p".repeat(40)))
    };
    let before = SeriesWindow {
        looks: restored.looks.clone(),
        ..before
    };
    let mut recalled = AlertSeriesState::default();
    let mut said: Vec<String> = read_by(&mut recalled, &before, &rules)
        .iter()
        .map(told)
        .collect();
    said.extend(read_by(&mut recalled, &later, &rules).iter().map(told));
    assert_eq!(
        said,
        [
            "fired 600-600",
            "fired 600-600..615 SourceLost",
            "fired 1230-0",
            "fired 1230-0..1260 Recovered"
        ]
    );
    // Where the time of the mark was not read, it is all that is known.
    let mut unread = AlertSeriesState::default();
    assert_eq!(
        told(&read_by(&mut unread, &later, &rules)[0]),
        "fired 1230-1230"
    );
}

fn restored_length() -> i64 {
    40 + 2 + 40 + 2 + 3
}

fn after(all: &[(Labels, Vec<(Time, f64)>)], second: i64) -> Vec<(Labels, Vec<(Time, f64)>)> {
    let later = |points: &[(Time, f64)]| {
        points
            .iter()
            .filter(|(time, _)| *time > at(second))
            .copied()
            .collect()
    };
    all.iter()
        .map(|(labels, points)| (labels.clone(), later(points)))
        .collect()
}

#[test]
fn rules_that_were_evaluated_more_seldom_then_are_read_as_they_were() {
    let today = BTreeMap::from([(
        "Down".to_owned(),
        vec![
            rule(60, 3, &[]),
            rule(60, 15, &[("severity", "critical")]),
            rule(60, 60, &[("severity", "page")]),
        ],
    )]);
    let past = memory(0, "ppppff....ppppff....", None);
    let paced: Vec<i64> = past.paced(&today)["Down"]
        .iter()
        .map(|rule| rule.interval.num_seconds())
        .collect();
    assert_eq!(
        paced,
        [15, 15, 60],
        "one of which nothing is seen is as it is today"
    );
    let few = memory(0, "ppp", None);
    assert_eq!(few.paced(&today)["Down"][0].interval, TimeDelta::seconds(3));
    assert_eq!(
        (past.first(), memory(0, "", None).first()),
        (Some(at(0)), None)
    );
}
