//! How long a year of a large organisation takes to judge again under fifty criteria, on one thread. `cargo bench --bench backtest`
//!
//! Every 20,000 records it says how far it has come: where later ones take longer than the first, something looks at all that is remembered.

mod year;

#[path = "../engine/world.rs"]
#[expect(dead_code, reason = "only its rules are wanted here")]
mod world;

use std::sync::Arc;
use std::time::{Duration, Instant};

use afterword::engine::InForce;
use afterword::rules::parse;
use afterword::trial::backtest::Backtest;
use afterword::trial::report::Tally;

#[expect(clippy::print_stdout, clippy::unwrap_used, clippy::disallowed_methods, reason = "a benchmark measures, and tells its figures")]
fn main() {
    let rules = parse::load(&[("rules.yaml".to_owned(), world::rules())]).unwrap();
    let force = Arc::new(InForce::new(rules, &year::services(), &[]));
    let mut backtest = Backtest::under(force, afterword::model::Time::UNIX_EPOCH);
    let (mut records, mut events, mut last) = (0_usize, 0_usize, None);
    let mut spent = Duration::ZERO;
    for (logged_at, told) in year::Year::new() {
        records += 1;
        events += told.len();
        last = Some(logged_at);
        let begun = Instant::now();
        backtest.take(logged_at, told);
        spent += begun.elapsed();
        if records % 20_000 == 0 {
            println!("{records} records, {events} events, {spent:?}");
        }
    }
    let result = backtest.end(last.unwrap() + chrono::TimeDelta::days(1));
    println!("{records} records, {events} events in {spent:?}: {:?}", Tally::of(&result));
}
