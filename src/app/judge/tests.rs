//! Equality, to the byte, of live decisions and a replay of the log.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex};

use chrono::TimeDelta;
use proptest::prelude::{
    Just, ProptestConfig, Strategy, any, prop_assert_eq, prop_oneof, proptest,
};
use tempfile::TempDir;

use crate::app::App;
use crate::app::clock::Clock;
use crate::app::intake::commit::{Arrival, CommitQueue};
use crate::app::settings::{Settings, as_logged, put_in_force};
use crate::engine::replay::Replay;
use crate::engine::tests::properties::{
    NEAR_MISSES, RULES, corrected, corrections, difference, history, references, referring,
    settled_parts, shuffled,
};
use crate::engine::tests::{alert, at};
use crate::model::event::{AlertStatus, Event, Fact};
use crate::model::id::Subject;
use crate::model::incident::Incident;
use crate::model::labels::LabelSet;
use crate::model::time::Time;
use crate::store::database::{DatabaseLocation, Store};
use crate::store::error::StoreError;
use crate::store::incident::IncidentFilter;

/// As many cases as `PROPTEST_CASES` says.
fn cases(otherwise: u32) -> ProptestConfig {
    match std::env::var_os("PROPTEST_CASES") {
        Some(_) => ProptestConfig::default(),
        None => ProptestConfig::with_cases(otherwise),
    }
}

/// Step between two messages.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Step {
    /// The judge decides.
    Judge,
    /// The process ends and another one begins.
    Restart,
    /// These rules are put in force.
    Rules(usize),
    /// The clock is set by so many minutes.
    Clock(i64),
    /// Nothing: the next message is judged together with this one, or as soon as it comes.
    Wait,
}

/// Rules and services that ask for other things. Where services came to belong together otherwise, what is over stays where it was for a
/// process that lives on, and is found anew by one that begins.
const IN_FORCE: [(&str, &str); 2] = [
    (
        RULES,
        "services: [{name: checkout, depends_on: [payments]}, {name: payments}, {name: search}]",
    ),
    (
        NEAR_MISSES,
        "services: [{name: checkout, depends_on: [payments]}, {name: payments}, {name: search}]",
    ),
];

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Judge),
        4 => Just(Step::Wait),
        1 => Just(Step::Restart),
        1 => (0..IN_FORCE.len()).prop_map(Step::Rules),
    ]
}

fn step_or_clock() -> impl Strategy<Value = Step> {
    prop_oneof![
        9 => step(),
        1 => (-200..200_i64).prop_map(Step::Clock),
    ]
}

/// A service in a directory of its own, whose clock is set by hand.
struct Live {
    dir: TempDir,
    time: Arc<Mutex<Option<Time>>>,
    /// `None` during a restart.
    running: Option<Arc<App>>,
}

impl Live {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), 0, "");
        let time = Arc::new(Mutex::new(Some(at(0))));
        let running = Some(start(dir.path(), &time));
        Self { dir, time, running }
    }

    fn app(&self) -> &Arc<App> {
        self.running.as_ref().unwrap()
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Wait => return,
            Step::Judge => {}
            Step::Restart => {
                // The database is for one process at a time.
                drop(self.running.take());
                self.running = Some(start(self.dir.path(), &self.time));
            }
            Step::Rules(number) => {
                write(self.dir.path(), number, "");
                self.app().config_watcher.reload().unwrap();
            }
            Step::Clock(by) => {
                let from = self.app().core.now();
                let to = from + TimeDelta::minutes(by);
                let epoch = self.app().judge.epoch().unwrap();
                self.app()
                    .core
                    .store
                    .log_clock_step(epoch, from, to)
                    .unwrap();
                *self.time.lock().unwrap() = Some(to);
            }
        }
        while self.app().judge.step().unwrap().more {}
        // What was put in force has been judged: its window is over.
        let now = self.app().core.now();
        *self.time.lock().unwrap() = Some(now + TimeDelta::milliseconds(250));
    }
}

/// `note` makes them others than any before.
fn write(dir: &Path, number: usize, note: &str) {
    let (rules, services) = IN_FORCE[number];
    std::fs::write(dir.join("rules.yaml"), rules).unwrap();
    std::fs::write(
        dir.join("afterword.yaml"),
        format!("# {note}\nrules: [rules.yaml]\n{services}\n"),
    )
    .unwrap();
}

fn start(dir: &Path, time: &Arc<Mutex<Option<Time>>>) -> Arc<App> {
    let now = time.lock().unwrap().unwrap();
    let place = DatabaseLocation::Sqlite(dir.join("afterword.db"));
    // The thread of the last commit may hold the database of the former service for a moment.
    let store = loop {
        match Store::open_at(&place, now) {
            Err(StoreError::InUse { .. }) => std::thread::yield_now(),
            opened => break opened.unwrap(),
        }
    };
    App::start(
        store,
        Settings::load(Some(&dir.join("afterword.yaml"))).unwrap(),
        Clock::Set(Arc::clone(time)),
    )
    .unwrap()
}

/// The log of a store under the rules that held when each record was logged.
fn backtested(store: &Store, until: Time) -> Vec<Incident> {
    let log = store.log_after(0, usize::MAX >> 1).unwrap();
    let read = |fact: &_| Arc::new(as_logged(fact).unwrap());
    // What a service starts with is in force before it is logged.
    let first = log
        .iter()
        .find_map(|record| put_in_force(&record.events))
        .map(read)
        .unwrap();
    let mut replay = Replay::new(first);
    for record in log {
        let next = put_in_force(&record.events).map(read);
        let _ = replay.push(record.clock_at, record.events);
        if let Some(policy) = next {
            replay.set_policy(policy);
        }
    }
    let _ = replay.advance_to(until);
    replay.state().incidents().cloned().collect()
}

/// Incidents decided live from these events, and those a backtest derives from the log.
fn both(events: Vec<Event>, steps: &[(Step, i64, bool)]) -> (Vec<Incident>, Vec<Incident>) {
    let mut live = Live::new();
    // Each comes some minutes late; some at the very same moment as the one before.
    let late = |(event, (_, late, _)): (Event, &(Step, i64, bool))| {
        (
            event.occurred_at.max(at(0)) + TimeDelta::minutes(late * late * 7),
            event,
        )
    };
    let mut coming: Vec<(Time, Event)> = events
        .into_iter()
        .zip(steps.iter().cycle())
        .map(late)
        .collect();
    coming.sort_by_key(|(comes, _)| *comes);
    for ((comes, event), (step, _, apart)) in coming.into_iter().zip(steps.iter().cycle()) {
        if *apart {
            // What comes while a window is open is judged with it.
            let now = live.app().core.now();
            *live.time.lock().unwrap() = Some(comes.max(now) + TimeDelta::milliseconds(250));
            live.take(*step);
        }
        live.app()
            .intake
            .receive_now(Arrival {
                source: "test".to_owned(),
                reports: vec![event.into()],
                ..Arrival::default()
            })
            .unwrap();
    }
    *live.time.lock().unwrap() = Some(live.app().core.now().max(at(500)) + TimeDelta::days(1));
    live.take(Step::Judge);
    // What lasts is measured up to when it was looked at last: now, once for all.
    write(live.dir.path(), 0, "the last");
    live.app().config_watcher.reload().unwrap();
    live.take(Step::Judge);
    let mut stored = live
        .app()
        .core
        .store
        .incidents(IncidentFilter {
            open_only: false,
            limit: 10_000,
        })
        .unwrap();
    stored.sort_by(|one, other| one.id.cmp(&other.id));
    let mut again = backtested(&live.app().core.store, live.app().core.now());
    // A process that begins looks at everything once more, and a revision counts the looks that found something else.
    stored
        .iter_mut()
        .chain(&mut again)
        .for_each(|incident| incident.revision = 0);
    (stored, again)
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn live_and_backtest_decide_the_same_to_the_byte(
        events in history(), steps in proptest::collection::vec((step_or_clock(), 0i64..4, any::<bool>()), 40),
    ) {
        let (live, again) = both(events, &steps);
        prop_assert_eq!(difference(&live, &again), "");
        prop_assert_eq!(serde_json::to_string(&live).unwrap(), serde_json::to_string(&again).unwrap());
    }

    #[test]
    fn live_and_backtest_agree_with_corrections(
        events in history(), edits in corrections(), steps in proptest::collection::vec((step(), 0i64..4, any::<bool>()), 40),
    ) {
        let (live, again) = both(corrected(&events, &edits), &steps);
        prop_assert_eq!(difference(&live, &again), "");
        prop_assert_eq!(serde_json::to_string(&live).unwrap(), serde_json::to_string(&again).unwrap());
    }
}

/// The commit queue of a running service, which takes one message at a time.
struct Intake {
    runtime: tokio::runtime::Runtime,
    app: Arc<App>,
}

impl Intake {
    fn new(app: Arc<App>) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.spawn(CommitQueue::run(Arc::clone(&app.intake.commits)));
        Self { runtime, app }
    }

    fn receive(&self, events: &[Event]) {
        let arrival = Arrival {
            source: "test".to_owned(),
            reports: events.iter().cloned().map(Into::into).collect(),
            ..Arrival::default()
        };
        let received = self.app.intake.receive(arrival);
        self.runtime.block_on(received).unwrap();
    }
}

/// The incidents of a service that receives these events long after they happened, in this order
/// and in messages of so many, within a minute.
fn received_late(events: &[Event], size: usize, steps: &[Step]) -> Vec<Incident> {
    let mut live = Live::new();
    *live.time.lock().unwrap() = Some(at(600));
    let intake = Intake::new(Arc::clone(live.app()));
    for (message, step) in events.chunks(size).zip(steps.iter().cycle()) {
        intake.receive(message);
        if *step != Step::Restart {
            live.take(*step);
        }
    }
    drop(intake);
    // Among the messages it would make a second sight of a late beginning.
    if steps.contains(&Step::Restart) {
        live.take(Step::Restart);
    }
    // An open alert is taken to fire for a day without a renewal.
    for (later, note) in [(60, "then"), (720, "the last")] {
        *live.time.lock().unwrap() = Some(at(600 + later));
        live.take(Step::Judge);
        write(live.dir.path(), 0, note);
        live.app().config_watcher.reload().unwrap();
        *live.time.lock().unwrap() = Some(at(600 + later + 1));
        live.take(Step::Judge);
    }
    let all = IncidentFilter {
        open_only: false,
        limit: 10_000,
    };
    settled_parts(live.app().core.store.incidents(all).unwrap().iter())
}

/// The events without alerts that no sender could send: each episode is reported firing, ends well
/// before the next one of its labels begins, and only the last may still fire.
fn possible(mut events: Vec<Event>) -> Vec<Event> {
    let mut episodes: HashMap<LabelSet, BTreeMap<Time, Option<Time>>> = HashMap::new();
    for event in &events {
        if let Fact::Alert(alert) = &event.fact {
            let starts = episodes.entry(alert.labels.clone()).or_default();
            let end = starts.entry(alert.starts_at).or_default();
            *end = end.or(alert.ends_at);
        }
    }
    for starts in episodes.values_mut() {
        let mut free = Some(Time::MIN_UTC);
        starts.retain(|start, end| {
            let fits = free.is_some_and(|free| free + TimeDelta::minutes(5) < *start);
            free = if fits { *end } else { free };
            fits
        });
    }
    for event in &mut events {
        // A webhook does not know it.
        if let Fact::Alert(alert) = &mut event.fact {
            alert.pending_for = None;
            event.identify();
        }
    }
    let begins = |event: &&Event| matches!(&event.fact, Fact::Alert(alert) if alert.status == AlertStatus::Firing);
    let begun: BTreeSet<Subject> = events
        .iter()
        .filter(begins)
        .map(|event| event.subject)
        .collect();
    let mut seen = BTreeSet::new();
    let fits = |event: &Event| match &event.fact {
        Fact::Alert(alert) => {
            let end = episodes[&alert.labels].get(&alert.starts_at);
            let firing = alert.status == AlertStatus::Firing;
            (firing || begun.contains(&event.subject))
                && end.is_some_and(|end| firing || *end == alert.ends_at)
                && seen.insert((event.subject, firing))
        }
        _ => true,
    };
    events.into_iter().filter(fits).collect()
}

proptest! {
    #![proptest_config(cases(32))]

    #[test]
    fn late_messages_end_the_same_in_any_order(
        events in history(), named in references(), edits in corrections(), seed: u64, repeats in 0usize..5,
        size in 1usize..4, steps in proptest::collection::vec(step(), 7),
    ) {
        // Lapses and second sights are found by the service itself.
        let sent = |event: &Event| match &event.fact {
            Fact::Alert(alert) => alert.seen_again.is_none(),
            Fact::Lapsed(_) => false,
            _ => true,
        };
        let mut events = possible(events);
        events.retain(sent);
        let events = corrected(&referring(&events, &named), &edits);
        let plain = received_late(&events, events.len().max(1), &[Step::Judge]);
        let steps: Vec<Step> = steps.into_iter().filter(|step| !matches!(step, Step::Rules(_))).chain([Step::Judge]).collect();
        let other = received_late(&shuffled(&events, repeats, seed), size, &steps);
        prop_assert_eq!(difference(&plain, &other), "");
    }
}

#[test]
fn reused_labels_posted_late_are_two_incidents_in_every_order() {
    let report = |start: i64, end: Option<i64>| alert("A", "checkout", start, end);
    let facts = [
        report(0, None),
        report(0, Some(9)),
        report(420, None),
        report(420, Some(433)),
    ];
    let mut orders: Vec<Vec<Event>> = vec![Vec::new()];
    for fact in facts {
        let insert = |order: &Vec<Event>, place: usize| {
            let mut order = order.clone();
            order.insert(place, fact.clone());
            order
        };
        let longer = orders
            .iter()
            .flat_map(|order| (0..=order.len()).map(|place| insert(order, place)));
        orders = longer.collect();
    }
    assert_eq!(orders.len(), 24);
    for order in orders {
        let ended = received_late(&order, 1, &[Step::Judge]);
        let lengths = ended.iter().map(|incident| {
            assert_eq!(incident.signals.len(), 1, "{order:#?}");
            let span = incident.signals[0].spans[0];
            (span.end.unwrap() - span.start).num_minutes()
        });
        let lengths: BTreeSet<i64> = lengths.collect();
        assert_eq!(lengths, [9, 13].into(), "{order:#?}");
    }
}
