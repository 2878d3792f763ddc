//! Equality, to the byte, of live decisions and a replay of the log.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::path::Path;
use std::sync::{Arc, Mutex};

use chrono::TimeDelta;
use proptest::prelude::{Just, Strategy, any, prop_assert_eq, prop_oneof, proptest};
use tempfile::TempDir;

use crate::app::App;
use crate::app::clock::Clock;
use crate::app::intake::commit::Arrival;
use crate::app::settings::{Settings, as_logged, put_in_force};
use crate::engine::replay::Replay;
use crate::engine::tests::at;
use crate::engine::tests::properties::{
    NEAR_MISSES, RULES, corrected, corrections, difference, history,
};
use crate::model::event::Event;
use crate::model::incident::Incident;
use crate::model::time::Time;
use crate::store::database::{DatabaseLocation, Store};
use crate::store::incident::IncidentFilter;

const CASES: u32 = 64;

/// Step between two messages.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Step {
    /// The judge decides.
    Judge,
    /// The process ends and another one begins.
    Restart,
    /// These rules are put in force.
    Rules(usize),
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

/// A service in a directory of its own, whose clock is set by hand.
struct Live {
    dir: TempDir,
    time: Arc<Mutex<Option<Time>>>,
    app: Arc<App>,
}

impl Live {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), 0, "");
        let time = Arc::new(Mutex::new(Some(at(0))));
        let app = start(dir.path(), &time);
        Self { dir, time, app }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Wait => return,
            Step::Judge => {}
            Step::Restart => self.app = start(self.dir.path(), &self.time),
            Step::Rules(number) => {
                write(self.dir.path(), number, "");
                self.app.config_watcher.reload().unwrap();
            }
        }
        while self.app.judge.step().unwrap().more {}
        // What was put in force has been judged: its window is over.
        let now = self.app.now();
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
    let store = Store::open_at(&DatabaseLocation::Sqlite(dir.join("afterword.db")), now).unwrap();
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
        let _ = replay.push(record.logged_at, record.events);
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
            let now = live.app.now();
            *live.time.lock().unwrap() = Some(comes.max(now) + TimeDelta::milliseconds(250));
            live.take(*step);
        }
        live.app
            .intake
            .receive_now(Arrival {
                source: "test".to_owned(),
                reports: vec![event.into()],
                ..Arrival::default()
            })
            .unwrap();
    }
    *live.time.lock().unwrap() = Some(live.app.now().max(at(500)) + TimeDelta::days(1));
    live.take(Step::Judge);
    // What lasts is measured up to when it was looked at last: now, once for all.
    write(live.dir.path(), 0, "the last");
    live.app.config_watcher.reload().unwrap();
    live.take(Step::Judge);
    let mut stored = live
        .app
        .store
        .incidents(IncidentFilter {
            open_only: false,
            limit: 10_000,
        })
        .unwrap();
    stored.sort_by(|one, other| one.id.cmp(&other.id));
    let mut again = backtested(&live.app.store, live.app.now());
    // A process that begins looks at everything once more, and a revision counts the looks that found something else.
    stored
        .iter_mut()
        .chain(&mut again)
        .for_each(|incident| incident.revision = 0);
    (stored, again)
}

proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(CASES))]

    #[test]
    fn live_and_backtest_decide_the_same_to_the_byte(
        events in history(), steps in proptest::collection::vec((step(), 0i64..4, any::<bool>()), 40),
    ) {
        let (live, again) = both(events, &steps);
        prop_assert_eq!(difference(&live, &again), "");
        prop_assert_eq!(serde_json::to_string(&live).unwrap(), serde_json::to_string(&again).unwrap());
    }

    #[test]
    fn so_they_do_with_what_people_correct(
        events in history(), edits in corrections(), steps in proptest::collection::vec((step(), 0i64..4, any::<bool>()), 40),
    ) {
        let (live, again) = both(corrected(&events, &edits), &steps);
        prop_assert_eq!(difference(&live, &again), "");
        prop_assert_eq!(serde_json::to_string(&live).unwrap(), serde_json::to_string(&again).unwrap());
    }
}
