//! A year of retention, beside the same service that keeps everything.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use chrono::TimeDelta;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::RetentionTask;
use crate::app::App;
use crate::app::clock::Clock;
use crate::app::intake::commit::Arrival;
use crate::app::settings::Settings;
use crate::engine::tests::{alert, at};
use crate::model::correction::Correction;
use crate::model::event::{AlertStatus, Declaration, Event, Fact, Severity};
use crate::model::time::Time;
use crate::store::database::Store;
use crate::store::testbed::{TestDatabase, stores};

const DAY: i64 = 24 * 60;
/// Days of the run.
const DAYS: i64 = 400;
/// Days for which events are kept.
const KEPT: i64 = 60;

const RULES: &str = "criteria:
  - {name: long, on: degradation, longest: 30m, decision: hold}
  - {name: again, on: recurrence, times: 3, within: 30d, decision: suggest}
  - {name: declared, on: outage, decision: suggest}
correlation: {correlate_by: [service], settle: 5m, reopen_within: 30m}
";

/// A service whose clock is set by hand.
struct Site {
    settings: PathBuf,
    home: TestDatabase,
    time: Arc<Mutex<Option<Time>>>,
    app: Option<Arc<App>>,
    retention: Option<RetentionTask>,
}

impl Site {
    fn new(home: TestDatabase, store: Store, settings: &Path) -> Self {
        let mut site = Self {
            settings: settings.to_owned(),
            home,
            time: Arc::new(Mutex::new(Some(at(0)))),
            app: None,
            retention: None,
        };
        site.start(store);
        site
    }

    fn start(&mut self, store: Store) {
        let settings = Settings::load(Some(&self.settings)).unwrap();
        let app = App::start(store, settings, Clock::Set(Arc::clone(&self.time))).unwrap();
        self.retention = Some(RetentionTask::new(
            Arc::clone(&app.core),
            Arc::clone(&app.judge),
        ));
        self.app = Some(app);
    }

    fn restart(&mut self) {
        self.app().judge.release_lease().unwrap();
        (self.app, self.retention) = (None, None);
        let store = Store::open_at(&self.home.place, self.time.lock().unwrap().unwrap()).unwrap();
        self.start(store);
    }

    fn app(&self) -> &App {
        self.app.as_deref().unwrap()
    }

    /// Receives and judges events at a minute of the run.
    fn receive(&self, minute: i64, events: &[Event]) {
        *self.time.lock().unwrap() = Some(at(minute));
        let arrival = Arrival {
            source: "test".to_owned(),
            body: b"a body".to_vec(),
            reports: events.iter().cloned().map(Into::into).collect(),
            ..Arrival::default()
        };
        self.app().intake.receive_now(arrival).unwrap();
        while self.app().judge.step().unwrap().more {}
    }

    fn remove_old(&self) {
        let retention = self.retention.as_ref().unwrap();
        while retention.step().unwrap() {}
    }

    /// The rows of the database, by table.
    fn rows(&self, wanted: &[&str]) -> Vec<String> {
        let mut out = Vec::new();
        self.app().core.store.export(&mut out).unwrap();
        let lines = String::from_utf8(out).unwrap();
        let lines = lines.lines().filter_map(|line| {
            let mut line: Value = serde_json::from_str(line).unwrap();
            if line["table"] == "head" {
                // The end of the leader lease is by the machine's clock.
                line["row"][5] = json!(0);
            }
            line["table"]
                .as_str()
                .is_some_and(|table| wanted.contains(&table))
                .then(|| line.to_string())
        });
        lines.collect()
    }

    fn backtest(&self, from: Option<Time>) -> crate::trial::comparison::BacktestReport {
        let settings = self.app().core.settings();
        let ask = crate::app::backtest::input::BacktestInput {
            config: settings.config.clone(),
            rules: settings.policy.rules.clone(),
            against: None,
            facts: crate::app::backtest::input::BacktestSource::Log,
            from,
            now: self.app().core.now(),
        };
        crate::app::backtest::runner::run(Some(&self.app().core.store), ask, &mut |_| {
            std::ops::ControlFlow::Continue(())
        })
        .unwrap()
    }
}

/// A settings file. It is part of the log: sites that are compared have the same.
fn settings(retention: &str) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("rules.yaml"), RULES).unwrap();
    let file = dir.path().join("afterword.yaml");
    let text =
        format!("rules: [rules.yaml]\nservices: [{{name: checkout}}]\nretention: {retention}\n");
    std::fs::write(&file, text).unwrap();
    (dir, file)
}

fn outage(service: &str, minute: i64) -> Event {
    let mut event = Event::new(
        "test",
        at(minute),
        Fact::Declaration(Declaration {
            key: String::new(),
            title: format!("{service} is down"),
            severity: Severity::Critical,
            status: AlertStatus::Firing,
            planned: false,
            data_loss: None,
            detected_by: None,
        }),
    );
    event.service = Some(service.into());
    event.identify();
    event
}

fn assignment() -> Event {
    let edit = Correction::Assign {
        key: "alertname=Orphan".to_owned(),
        service: "checkout".to_owned(),
    };
    Event::new("test", at(1), Fact::Edit(edit))
}

/// Everything that decisions and pages go by.
const DECIDED: [&str; 9] = [
    "head",
    "incident",
    "part",
    "alias",
    "loose",
    "ledger",
    "postmortem",
    "meeting",
    "active_alert",
];

#[track_caller]
fn assert_same(one: &[String], other: &[String]) {
    for (one, other) in one.iter().zip(other) {
        let differ = one.bytes().zip(other.bytes()).position(|(a, b)| a != b);
        let from = differ.unwrap_or_default().saturating_sub(200);
        let shown = |line: &str| line.chars().skip(from).take(300).collect::<String>();
        assert!(one == other, "{}\n{}", shown(one), shown(other));
    }
    assert_eq!(one.len(), other.len());
}

#[test]
fn year_of_retention_leaves_decisions_equal_and_the_log_bounded() {
    let (_dir, settings) = settings("{events: 60d, raw: 7d}");
    let sites = stores().into_iter().zip(stores());
    for ((home, store), (other_home, other_store)) in sites {
        let mut kept = Site::new(home, store, &settings);
        let mut pruned = Site::new(other_home, other_store, &settings);
        for day in 0..DAYS {
            let (start, end) = (day * DAY + 600, day * DAY + 645);
            let mut facts = vec![(start + 1, vec![alert("Slow", "checkout", start, None)])];
            if day % 3 != 0 {
                facts.push((end, vec![alert("Slow", "checkout", start, Some(end))]));
            }
            if day == 0 {
                facts.push((end + 1, vec![assignment(), outage("ledger", end)]));
            }
            for site in [&mut kept, &mut pruned] {
                for (minute, events) in &facts {
                    site.receive(*minute, events);
                }
                if day % 90 == 89 {
                    site.restart();
                }
            }
            pruned.remove_old();
        }
        for site in [&mut kept, &mut pruned] {
            site.restart();
            site.receive(DAYS * DAY, &[alert("Last", "checkout", DAYS * DAY, None)]);
        }
        assert_same(&kept.rows(&DECIDED), &pruned.rows(&DECIDED));
        let log = pruned.rows(&["log"]);
        let whole = kept.rows(&["log"]).len();
        let bound = usize::try_from(3 * KEPT + 20).unwrap();
        assert!(log.len() < bound && whole > 700, "{} of {whole}", log.len());
        // The settings, the assignment and the outage that goes on are still needed.
        for needed in ["\\\"settings\\\"", "alertname=Orphan", "ledger is down"] {
            assert!(log.iter().any(|line| line.contains(needed)), "{needed}");
        }
        assert!(pruned.rows(&["raw"]).len() < 30);
        assert!(pruned.rows(&["delivery"]).len() <= kept.rows(&["delivery"]).len());

        let from = at((DAYS - KEPT + 1) * DAY);
        let (all, rest) = (kept.backtest(Some(from)), pruned.backtest(Some(from)));
        assert_eq!(all.notes, Vec::<String>::new());
        assert_eq!(rest.after, all.after, "decided the same by what is left");
        assert_eq!(
            rest.notes,
            [format!(
                "Events before {} were removed (`retention.events`): criteria that look back further count only incidents since then.",
                at((DAYS - KEPT - 2) * DAY + 600).format("%F")
            )]
        );
        let rest = pruned.backtest(None);
        assert!(rest.notes[0].contains("earlier incidents are missing here"));
        assert!(rest.from > at((DAYS - KEPT - 2) * DAY), "{}", rest.from);
    }
}

#[test]
fn body_waiting_in_quarantine_is_kept_until_its_record_is_removed() {
    let (_dir, settings) = settings("{events: 60d, raw: 7d}");
    for (home, store) in stores() {
        let site = Site::new(home, store, &settings);
        let arrival = Arrival {
            source: "test".to_owned(),
            body: b"{".to_vec(),
            fault: Some("no JSON".to_owned()),
            ..Arrival::default()
        };
        site.app().intake.receive_now(arrival).unwrap();
        site.receive(0, &[alert("A", "checkout", 0, Some(1))]);
        let left = |day| {
            *site.time.lock().unwrap() = Some(at(day * DAY));
            while site.app().judge.step().unwrap().more {}
            site.remove_old();
            (site.rows(&["raw"]).len(), site.rows(&["quarantine"]).len())
        };
        assert_eq!(left(6), (2, 1));
        assert_eq!(left(8), (1, 1));
        assert_eq!(left(61), (0, 0));
        assert_eq!(site.app().core.now() - at(0), TimeDelta::days(61));
    }
}

#[test]
fn last_alert_is_kept_whatever_its_age() {
    let (_dir, settings) = settings("{events: 1d, raw: 0}");
    for (home, store) in stores() {
        let site = Site::new(home, store, &settings);
        site.receive(0, &[alert("A", "checkout", 0, Some(1))]);
        *site.time.lock().unwrap() = Some(at(90 * DAY));
        site.remove_old();
        let (_, last) = site.app().core.store.last_alert().unwrap().unwrap();
        assert_eq!(last, alert("A", "checkout", 0, Some(1)));
        assert_eq!(site.rows(&["raw"]).len(), 0);
    }
}
