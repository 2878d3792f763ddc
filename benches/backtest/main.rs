//! Benchmark of `afterword backtest`: a year of a large organisation, judged again under fifty
//! criteria. The events are generated first, so that only judging is measured; then one rule set
//! runs on one thread, or two on two as in a comparison.
//! `cargo bench --bench backtest [-- one | two]`
//!
//! Every quarter prints progress and the memory used beside the events: if a later quarter takes
//! longer than the first, some step scans the whole history. The digest covers every decision, so
//! an optimisation must not change it.
//!
//! `cargo bench --bench backtest -- write DIRECTORY` measures nothing. It writes the year, its
//! rules and its settings, to measure the command as people call it, which also reads a gigabyte:
//! `afterword backtest --config DIRECTORY/afterword.yaml` with `--rules DIRECTORY/rules.yaml` and
//! `--events DIRECTORY/year.jsonl`. The last measurement was 16 s with one rule set and 18 s with
//! two, on two cores.

mod year;

#[path = "../engine/world.rs"]
#[expect(dead_code, reason = "only its rules are wanted here")]
mod world;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use afterword::engine::policy::Policy;
use afterword::model::event::Event;
use afterword::model::id::hex;
use afterword::model::settings::Service;
use afterword::model::time::Time;
use afterword::rules::parse;
use afterword::trial::backtest::{BacktestResult, Backtester};
use afterword::trial::comparison::DecisionCounts;
use mimalloc::MiMalloc;
use serde_json::{Value as Json, json};

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Bytes that the process holds.
#[expect(clippy::unwrap_used, reason = "a panic is how a benchmark fails")]
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

#[expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a benchmark measures, and tells its figures"
)]
fn judge(log: &[(Time, Vec<Event>)]) -> BacktestResult {
    let rules = parse::load(&[("rules.yaml".to_owned(), world::rules())]).unwrap();
    let policy = Arc::new(Policy::new(rules, &year::services(), &[]));
    let (mut backtest, before, begun) = (
        Backtester::under(policy, Time::UNIX_EPOCH),
        resident(),
        Instant::now(),
    );
    for (index, quarter) in log.chunks(log.len().div_ceil(4)).enumerate() {
        for (logged_at, events) in quarter {
            backtest.take(*logged_at, events.iter().cloned());
        }
        println!(
            "quarter {}: {:?}, {} MB",
            index + 1,
            begun.elapsed(),
            resident().saturating_sub(before) >> 20
        );
    }
    backtest.end(log.last().unwrap().0 + chrono::TimeDelta::days(1))
}

/// Writes the year as `afterword export` does, its rules and its settings into a directory.
#[expect(clippy::unwrap_used, reason = "a panic is how a benchmark fails")]
fn write(directory: &Path) {
    fs::create_dir_all(directory).unwrap();
    fs::write(directory.join("rules.yaml"), world::rules()).unwrap();
    let teams: BTreeSet<String> = year::services()
        .into_iter()
        .flat_map(|service| service.owners)
        .collect();
    let people: Vec<Json> = teams
        .iter()
        .map(|team| json!({"id": team, "email": format!("{team}@example.com")}))
        .collect();
    let service = |Service {
                       name,
                       owners,
                       depends_on,
                       automatic,
                       ..
                   }| json!({"name": name, "owners": owners, "depends_on": depends_on, "automatic": automatic});
    let services: Vec<Json> = year::services().into_iter().map(service).collect();
    // What is JSON is YAML.
    fs::write(
        directory.join("afterword.yaml"),
        json!({"people": people, "services": services}).to_string(),
    )
    .unwrap();
    let mut file = BufWriter::new(File::create(directory.join("year.jsonl")).unwrap());
    writeln!(file, "{}", json!({"afterword": 1})).unwrap();
    let mut rows = 0;
    for (logged_at, events) in year::Year::new() {
        rows += 1;
        let row = json!([
            rows,
            logged_at.timestamp_micros(),
            "alertmanager",
            serde_json::to_string(&events).unwrap()
        ]);
        writeln!(file, "{}", json!({"table": "log", "row": row})).unwrap();
    }
    writeln!(file, "{}", json!({"end": rows})).unwrap();
}

#[expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a benchmark measures, and tells its figures"
)]
fn main() {
    if let Some(path) = std::env::args()
        .skip_while(|argument| argument != "write")
        .nth(1)
    {
        return write(Path::new(&path));
    }
    let log: Vec<(Time, Vec<Event>)> = year::Year::new().collect();
    let events: usize = log.iter().map(|(_, events)| events.len()).sum();
    println!("{} records, {events} events", log.len());
    let two = std::env::args().any(|argument| argument == "two");
    let begun = Instant::now();
    let result = std::thread::scope(|scope| {
        let other = two.then(|| scope.spawn(|| judge(&log)));
        let result = judge(&log);
        other
            .into_iter()
            .for_each(|other| drop(other.join().unwrap()));
        result
    });
    let digest = hex(&serde_json::to_string(&result).unwrap(), 8);
    println!(
        "{} in {:?}: {:?}, digest {digest}",
        if two { "two rule sets" } else { "one rule set" },
        begun.elapsed(),
        DecisionCounts::of(&result)
    );
}
