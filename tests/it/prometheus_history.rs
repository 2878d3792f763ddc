//! Backfill from a real Prometheus with known history: the events found match it to the
//! millisecond.

use std::fmt::Write as _;
use std::ops::Range;
use std::process::Command;
use std::sync::Arc;

use afterword::app::prometheus_history::error::HistoryError;
use afterword::app::prometheus_history::record::HistoryRecord;
use afterword::app::prometheus_history::server::HistoryServer;
use afterword::app::prometheus_history::{HistorySpan, PrometheusHistory};
use afterword::engine::policy::Policy;
use afterword::model::event::{Event, Fact};
use afterword::model::settings::LabelNames;
use afterword::model::time::Time;
use afterword::model::verdict::Decision;
use afterword::rules::parse;
use afterword::rules::rule_set::RuleSet;
use afterword::trial::backtest::Backtester;
use chrono::TimeDelta;

use crate::harness::{Http, PATIENCE, World, free_port, until, wall};

const DAY: i64 = 24 * 60;
/// Prometheus was away then.
const DOWN: Range<i64> = 2 * DAY + 100..2 * DAY + 145;

const RULES: &str = "criteria:
  - {name: alerts, on: degradation, where: signal.kind == \"alert\" && signal.severity == \"critical\", longest: 20m, decision: suggest}
  - {name: measured, on: degradation, where: signal.kind == \"condition\", longest: 20m, decision: hold}
conditions:
  - {name: errors, service: checkout, metrics: prom, query: checkout_errors, degraded: '> 0.02', recovered: '< 0.005', for: 2m, every: 1m}
correlation: {correlate_by: [service], settle: 5m, reopen_within: 10m, bridge: 2m}
";

/// The rules of the Prometheus as it is now; `Old` is gone from them.
const ALERTS: &str = "groups:
  - name: shop
    interval: 1m
    rules:
      - {alert: Down, expr: absent_errors > 1, for: 5m, labels: {severity: critical, service: checkout}}
      - {alert: Full, expr: absent_errors > 1, for: 5m, labels: {severity: critical, service: search}}
      - {alert: Stuck, expr: absent_errors > 1, for: 15m, labels: {severity: critical, service: queue}}
      - {alert: Flap, expr: absent_errors > 1, labels: {severity: warning, service: search}}
";

/// Some days of history that end yesterday at ten. Rules were evaluated 7.25 s after each minute.
struct History {
    start: Time,
    minutes: i64,
}

/// An alert that was active at these minutes, and fired after the first `pending` of them; its mark is of minute `marked`.
struct Active {
    name: &'static str,
    labels: &'static str,
    minutes: Range<i64>,
    pending: i64,
    marked: i64,
}

impl History {
    fn of(days: i64) -> Self {
        let end = (wall().timestamp().div_euclid(86_400) - 1) * 86_400 + 10 * 3600;
        let start = Time::from_timestamp_millis((end - days * DAY * 60) * 1000 + 7250).unwrap();
        Self {
            start,
            minutes: days * DAY,
        }
    }

    fn at(&self, minute: i64) -> Time {
        self.start + TimeDelta::minutes(minute)
    }

    fn until(&self) -> Time {
        self.at(self.minutes - 1) + TimeDelta::seconds(20)
    }

    /// How many minutes from the beginning the first midnight is.
    fn midnight(&self) -> i64 {
        DAY - (self.start.timestamp() / 60).rem_euclid(DAY)
    }

    fn alerts(&self) -> Vec<Active> {
        let alert = |name, labels, minutes: Range<i64>, pending| Active {
            name,
            labels,
            pending,
            marked: minutes.start,
            minutes,
        };
        let checkout = "service=\"checkout\",severity=\"critical\"";
        let queue = "service=\"queue\",severity=\"critical\"";
        let after = DOWN.end + 2;
        vec![
            alert("Down", checkout, 200..230, 5),
            // It never fired.
            alert("Down", checkout, 300..304, 60),
            // Over a midnight, and days after it; and one that ends at one.
            alert(
                "Full",
                "service=\"search\",severity=\"critical\"",
                self.midnight() - 30..self.midnight() + DAY + 60,
                5,
            ),
            alert(
                "Old",
                "service=\"cart\",severity=\"critical\"",
                self.midnight() - 2..self.midnight(),
                0,
            ),
            // Prometheus restores its mark after a restart, and it fires at once.
            alert("Stuck", queue, DOWN.start - 100..DOWN.start, 15),
            Active {
                marked: DOWN.start - 100,
                ..alert("Stuck", queue, after..after + 30, 0)
            },
            alert(
                "Flap",
                "service=\"search\",severity=\"warning\"",
                500..510,
                0,
            ),
            alert(
                "Flap",
                "service=\"search\",severity=\"warning\"",
                520..530,
                0,
            ),
            alert("Down", checkout, self.minutes - 60..self.minutes, 5),
        ]
    }

    fn looked(minute: i64) -> bool {
        !DOWN.contains(&minute)
    }

    /// Whether the metric of the condition is beyond its threshold.
    fn is_bad(minute: i64) -> bool {
        (700..740).contains(&minute) || (DOWN.start - 10..DOWN.end + 15).contains(&minute)
    }

    fn openmetrics(&self) -> String {
        let stamp = |minute: i64, more: i64| {
            let millis = self.at(minute).timestamp_millis() + more;
            format!("{}.{:03}", millis / 1000, millis % 1000)
        };
        let mut text = String::new();
        for Active {
            name,
            labels,
            minutes,
            pending,
            ..
        } in self.alerts()
        {
            for minute in minutes.clone() {
                let state = if minute - minutes.start < pending {
                    "pending"
                } else {
                    "firing"
                };
                writeln!(
                    text,
                    "ALERTS{{alertname=\"{name}\",alertstate=\"{state}\",{labels}}} 1 {}",
                    stamp(minute, 0)
                )
                .unwrap();
            }
        }
        for Active {
            name,
            labels,
            minutes,
            marked,
            ..
        } in self.alerts()
        {
            let mark = self.at(marked).timestamp();
            for minute in minutes {
                writeln!(
                    text,
                    "ALERTS_FOR_STATE{{alertname=\"{name}\",{labels}}} {mark} {}",
                    stamp(minute, 0)
                )
                .unwrap();
            }
        }
        for half in (0..self.minutes * 2).filter(|half| Self::looked(half / 2)) {
            writeln!(
                text,
                "up{{job=\"shop\"}} 1 {}",
                stamp(half / 2, half % 2 * 30_000 + 5000)
            )
            .unwrap();
        }
        for half in (0..self.minutes * 2).filter(|half| Self::looked(half / 2)) {
            let value = if Self::is_bad(half / 2) {
                "0.05"
            } else {
                "0.001"
            };
            writeln!(
                text,
                "checkout_errors {value} {}",
                stamp(half / 2, half % 2 * 30_000 + 5000)
            )
            .unwrap();
        }
        text + "# EOF\n"
    }
}

/// A Prometheus that holds some days of history.
struct Remembering {
    world: World,
    history: History,
}

impl Remembering {
    fn of(days: i64) -> Self {
        let (world, history) = (World::new(), History::of(days));
        world.write("history.txt", &history.openmetrics());
        world.write("alerts.yml", ALERTS);
        world.write("web.yml", "basic_auth_users: {ada: $2b$12$hNf2lSsxfm0.i4a.1kVpSOVyBCfIB51VRjgBUyv6kdnyTlgWj81Ay}\n");
        world.write(
            "prometheus.yml",
            "global: {external_labels: {cluster: eu}}\nrule_files: [alerts.yml]\n",
        );
        let arguments = [
            "tsdb",
            "create-blocks-from",
            "openmetrics",
            "--max-block-duration=384h",
            "history.txt",
            "prometheus",
        ];
        let filled = world.run_program("promtool", &arguments);
        assert_eq!(filled.code, Some(0), "{}", filled.said);
        Self { world, history }
    }

    /// Its port.
    fn start(&mut self, more: &[&str]) -> u16 {
        let port = free_port();
        let mut command = Command::new("prometheus");
        command
            .args([
                "--config.file=prometheus.yml",
                "--storage.tsdb.path=prometheus",
                "--storage.tsdb.retention.time=100y",
            ])
            .args(more);
        command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
        self.world.start_beside(&mut command, "prometheus");
        let http = Http::new(port);
        let answers = |status| status == 200 || status == 401;
        until("prometheus is ready", PATIENCE, || {
            http.try_get("/-/ready")
                .filter(|answer| answers(answer.status))
        });
        port
    }
}

fn rules(text: &str) -> RuleSet {
    parse::load(&[("rules.yaml".to_owned(), text.to_owned())]).unwrap()
}

fn read(past: &mut PrometheusHistory) -> Result<Vec<HistoryRecord>, HistoryError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let mut records: Vec<HistoryRecord> = Vec::new();
    runtime.block_on(async {
        while let Some(more) = past.next().await? {
            records.extend(more);
        }
        Ok(())
    })?;
    Ok(records)
}

/// An event in one line, its times in minutes from the beginning.
fn told(event: &Event, history: &History) -> String {
    let minute = |time: Time| {
        let millis = (time - history.at(0)).num_milliseconds();
        if millis % 60_000 == 0 {
            format!("{}", millis / 60_000)
        } else {
            format!("{:.2}", millis as f64 / 60_000.0)
        }
    };
    let service = event.service.as_deref().unwrap_or("?");
    match &event.fact {
        Fact::Alert(alert) => {
            assert_eq!(
                alert.labels.get("cluster"),
                Some("eu"),
                "what it adds to what it sends"
            );
            let pending = alert.pending_for.unwrap_or_default() / 60;
            let end = alert
                .ends_at
                .map(|end| format!(" to {} {:?}", minute(end), alert.end_reason))
                .unwrap_or_default();
            format!(
                "{} {service} {}-{pending}{end}",
                alert.name,
                minute(alert.starts_at)
            )
        }
        Fact::NearMiss(near) => format!(
            "{service} nearly {:.2} at {}",
            near.closeness.unwrap_or_default(),
            minute(event.occurred_at)
        ),
        // Conditions are evaluated at whole minutes, 7.25 s before the rules.
        Fact::Condition(condition) => {
            let whole = |time: Time| minute(time + TimeDelta::milliseconds(7250));
            let since = condition
                .since
                .map(|since| format!(" since {}", whole(since)))
                .unwrap_or_default();
            format!(
                "{} {service} {:?} at {}{since}",
                condition.name,
                condition.state,
                whole(event.occurred_at)
            )
        }
        other => panic!("{other:?}"),
    }
}

/// Every event that the history makes known, in order.
fn expected(history: &History) -> Vec<String> {
    let (midnight, down) = (history.midnight(), DOWN);
    let after = down.end + 2;
    let last = history.minutes - 55;
    let mut expected = vec![
        (205, "Down checkout 205-5".to_owned()),
        (230, "Down checkout 205-5 to 230 Recovered".to_owned()),
        (304, "checkout nearly 0.80 at 304".to_owned()),
        (500, "Flap search 500-0".to_owned()),
        (510, "Flap search 500-0 to 510 Recovered".to_owned()),
        (520, "Flap search 520-0".to_owned()),
        (530, "Flap search 520-0 to 530 Recovered".to_owned()),
        (703, "errors checkout Degraded at 703 since 701".to_owned()),
        (741, "errors checkout Healthy at 741".to_owned()),
        (midnight - 25, format!("Full search {}-5", midnight - 25)),
        (
            midnight + DAY + 60,
            format!(
                "Full search {}-5 to {} Recovered",
                midnight - 25,
                midnight + DAY + 60
            ),
        ),
        (midnight - 2, format!("Old cart {}-0", midnight - 2)),
        (
            midnight,
            format!("Old cart {}-0 to {midnight} Recovered", midnight - 2),
        ),
        (
            down.start - 85,
            format!("Stuck queue {}-15", down.start - 85),
        ),
        (
            down.start - 7,
            format!(
                "errors checkout Degraded at {} since {}",
                down.start - 7,
                down.start - 9
            ),
        ),
        (
            down.start - 1,
            format!(
                "Stuck queue {}-15 to {} SourceLost",
                down.start - 85,
                down.start - 1
            ),
        ),
        (
            down.start + 1,
            format!("errors checkout Unknown at {}", down.start + 1),
        ),
        (
            down.end + 1,
            format!("errors checkout Degraded at {}", down.end + 1),
        ),
        (after, format!("Stuck queue {after}-0")),
        (
            down.end + 16,
            format!("errors checkout Healthy at {}", down.end + 16),
        ),
        (
            after + 30,
            format!("Stuck queue {after}-0 to {} Recovered", after + 30),
        ),
        (last, format!("Down checkout {last}-5")),
    ];
    expected.sort();
    expected.into_iter().map(|(_, told)| told).collect()
}

#[track_caller]
fn assert_told(records: &[HistoryRecord], history: &History) {
    assert!(
        records.is_sorted_by_key(|record| record.logged_at),
        "in order of time"
    );
    let mut found: Vec<String> = records
        .iter()
        .flat_map(|record| &record.events)
        .map(|event| told(event, history))
        .collect();
    let mut expected = expected(history);
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
}

fn whole(history: &History) -> HistorySpan {
    HistorySpan {
        from: history.start - TimeDelta::days(325),
        until: history.until(),
        step: None,
    }
}

#[test]
fn forty_days_of_alerts_are_read_exactly() {
    let mut remembering = Remembering::of(40);
    let port = remembering.start(&[]);
    let (history, rules) = (&remembering.history, rules(RULES));
    let server =
        HistoryServer::at_address(&format!("http://ada:unneeded@127.0.0.1:{port}/")).unwrap();
    let mut past = PrometheusHistory::of(server, &[&rules], &LabelNames::default(), whole(history));
    assert_eq!((past.progress(), past.remembered_from()), (0.0, None));
    let records = read(&mut past).unwrap();
    assert_told(&records, history);
    assert_eq!(past.progress(), 1.0);
    let first = past.remembered_from().unwrap() - history.start;
    assert!(
        first < TimeDelta::minutes(1),
        "of a year that was asked for it remembers forty days, and says so: {first}"
    );
    assert_eq!(past.remarks(), [""; 0]);

    let mut backtest = Backtester::under(Arc::new(Policy::new(rules, &[], &[])), Time::UNIX_EPOCH);
    for record in records {
        backtest.take(record.logged_at, record.events);
    }
    let result = backtest.end(history.until());
    let decided = |service: &str, decision: Decision| {
        result
            .cases
            .values()
            .filter(|case| case.services == [service] && case.decision == decision)
            .count()
    };
    assert_eq!(
        decided("checkout", Decision::Hold),
        1,
        "the condition's forty minutes: {:#?}",
        result.cases
    );
    // The queue was stuck before and after the server was down, and nobody knows how it was meanwhile.
    assert_eq!(
        (
            decided("search", Decision::Suggest),
            decided("queue", Decision::Suggest)
        ),
        (1, 2),
        "{:#?}",
        result.cases
    );
}

#[test]
fn backtest_command_reads_a_prometheus() {
    let mut remembering = Remembering::of(4);
    let port = remembering.start(&[]);
    let world = World::new();
    world.write("held/rules.yaml", RULES);
    world.write(
        "other/rules.yaml",
        &RULES.replace(
            "longest: 20m, decision: suggest",
            "longest: 10h, decision: suggest",
        ),
    );
    let prometheus = format!("http://127.0.0.1:{port}");
    let asked = [
        "backtest",
        "--config",
        "afterword.yaml",
        "--prometheus",
        &prometheus,
        "--rules",
        "other",
        "--against",
        "held",
    ];
    let ended = world.run(&[&asked[..], &["--format", "json"]].concat());
    let report: serde_json::Value =
        serde_json::from_str(&ended.said).unwrap_or_else(|error| panic!("{error}: {ended:?}"));
    // Two more would be suggested no longer, but end while the server was away: how long they went
    // on is unknown, and may be more than the threshold.
    assert_eq!(
        report["shifts"],
        serde_json::json!({"no_longer_suggested": 2, "unchanged": 5}),
        "{report:#}"
    );
    assert_eq!(
        (&report["before"]["held"], &report["after"]["held"]),
        (&1.into(), &1.into()),
        "{report:#}"
    );
    let ended = world.run(&[&asked[..], &["--since", "2y"]].concat());
    assert!(
        ended.code == Some(2) && ended.said.contains("--since is not a time"),
        "{ended:?}"
    );
    let ended = world.run(&[&asked[..], &["--since", "300d", "--step", "5m"]].concat());
    let first = remembering.history.start.format("%F");
    assert!(
        ended.code == Some(0)
            && ended
                .said
                .contains(&format!("the data of the server begins on {first}")),
        "{ended:?}"
    );
}

#[test]
fn small_query_limits_give_the_same_history() {
    let mut remembering = Remembering::of(4);
    let port = remembering.start(&["--query.max-samples=700"]);
    let (history, rules) = (&remembering.history, rules(RULES));
    let server = HistoryServer::at_address(&format!("127.0.0.1:{port}")).unwrap();
    let span = HistorySpan {
        from: history.start - TimeDelta::hours(1),
        ..whole(history)
    };
    let records = read(&mut PrometheusHistory::of(
        server,
        &[&rules],
        &LabelNames::default(),
        span,
    ))
    .unwrap();
    assert_told(&records, history);
}

#[test]
fn each_rule_set_uses_its_own_conditions() {
    let mut remembering = Remembering::of(4);
    let port = remembering.start(&[]);
    let history = &remembering.history;
    let sets = [
        rules(RULES),
        rules(&RULES.replace("> 0.02", "> 0.06")),
        rules(RULES.split("conditions:").next().unwrap()),
    ];
    let server = HistoryServer::at_address(&format!("127.0.0.1:{port}")).unwrap();
    let names = LabelNames::default();
    let records = read(&mut PrometheusHistory::of(
        server,
        &sets.each_ref(),
        &names,
        whole(history),
    ))
    .unwrap();
    let turns = |set: usize| {
        let own = records
            .iter()
            .filter(|record| record.is_for(set))
            .flat_map(|record| &record.events);
        own.filter(|event| matches!(event.fact, Fact::Condition(_)))
            .map(|event| told(event, history))
            .collect::<Vec<_>>()
    };
    assert_eq!(turns(0).len(), 6);
    // Never degraded; that nobody looked holds for it as well.
    let (lost, back) = (DOWN.start + 1, DOWN.end + 1);
    assert_eq!(
        turns(1),
        [
            format!("errors checkout Unknown at {lost}"),
            format!("errors checkout Healthy at {back}")
        ]
    );
    assert_eq!(turns(2), [""; 0]);
    let alerts = |set: usize| {
        records
            .iter()
            .filter(|record| record.is_for(set))
            .flat_map(|record| &record.events)
            .count()
            - turns(set).len()
    };
    assert_eq!((alerts(0), alerts(1), alerts(2)), (16, 16, 16));
}

#[test]
fn longer_step_is_exact_within_a_step() {
    let mut remembering = Remembering::of(4);
    let port = remembering.start(&[]);
    let (history, rules) = (&remembering.history, rules(RULES));
    let names = LabelNames::default();
    let past = |step| {
        let server = HistoryServer::at_address(&format!("127.0.0.1:{port}")).unwrap();
        read(&mut PrometheusHistory::of(
            server,
            &[&rules],
            &names,
            HistorySpan {
                step,
                ..whole(history)
            },
        ))
        .unwrap()
    };
    let alerts = |records: &[HistoryRecord]| {
        let events = records.iter().flat_map(|record| record.events.clone());
        let mut alerts: Vec<(String, bool, Time)> = events
            .filter_map(|event| match event.fact {
                // What lasts for less than two steps may not be seen, and a pause of one.
                Fact::Alert(alert) if !["Flap", "Old"].contains(&&*alert.name) => Some((
                    alert.name.to_string(),
                    alert.ends_at.is_some(),
                    event.occurred_at,
                )),
                _ => None,
            })
            .collect();
        alerts.sort();
        alerts
    };
    let (exact, coarse) = (
        alerts(&past(None)),
        alerts(&past(Some(TimeDelta::minutes(5)))),
    );
    assert_eq!(exact.len(), coarse.len(), "{coarse:#?}");
    for (one, other) in exact.iter().zip(&coarse) {
        // There are no stale markers in these blocks, so that each sample is seen for five minutes.
        assert!(
            one.0 == other.0
                && one.1 == other.1
                && (one.2 - other.2).abs() <= TimeDelta::minutes(10),
            "{one:?} {other:?}"
        );
    }
}

#[test]
fn unauthorized_history_error_has_advice_and_no_secret() {
    let mut remembering = Remembering::of(3);
    let port = remembering.start(&["--web.config.file=web.yml"]);
    let (history, rules) = (&remembering.history, rules(RULES));
    let names = LabelNames::default();
    let read_as = |user: &str, rules: &RuleSet| {
        let server = HistoryServer::at_address(&format!("http://{user}127.0.0.1:{port}")).unwrap();
        read(&mut PrometheusHistory::of(
            server,
            &[rules],
            &names,
            HistorySpan {
                from: history.start,
                ..whole(history)
            },
        ))
    };
    assert!(!read_as("ada:test@", &rules).unwrap().is_empty());
    for user in ["", "ada:s3cret@"] {
        let said = read_as(user, &rules).unwrap_err().to_string();
        assert!(
            said.contains("rejects the credentials") && said.contains("user:password@"),
            "{said}"
        );
        assert!(
            said.contains(&format!("http://127.0.0.1:{port} did not return"))
                && !said.contains("s3cret"),
            "{said}"
        );
    }
    let wrong = self::rules(&RULES.replace(
        "query: checkout_errors",
        "query: 'sum by checkout_errors)('",
    ));
    let said = read_as("ada:test@", &wrong).unwrap_err().to_string();
    assert!(
        said.contains("condition `errors` (`sum by checkout_errors)(`)")
            && said.contains("parse error"),
        "{said}"
    );
}

#[test]
fn unreachable_server_fails_at_once() {
    let rules = rules(RULES);
    let (server, now) = (
        HistoryServer::at_address(&format!("127.0.0.1:{}", free_port())).unwrap(),
        wall(),
    );
    let span = HistorySpan {
        from: now - TimeDelta::days(365),
        until: now,
        step: None,
    };
    let said = read(&mut PrometheusHistory::of(
        server,
        &[&rules],
        &LabelNames::default(),
        span,
    ))
    .unwrap_err()
    .to_string();
    assert!(
        said.contains("its rules and settings") && said.contains("Check that it runs"),
        "{said}"
    );
}
