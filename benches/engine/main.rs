//! Benchmark of the engine: time to decide, and memory per incident. `cargo bench --bench engine`
//!
//! - `memory`, the first line: bytes of state per open incident, its events and verdicts included.
//! - `rejudge`: judges everything again, as after a change of the rules: 50 criteria of all kinds
//!   over as many open incidents as the argument says. The target is one second for 10,000 on one
//!   core. Compare the two rows: if ten times the incidents take much more than ten times as long,
//!   some step scans all incidents for each one.
//! - `restore`: the part of `rejudge` that restores the incidents, as at a start.
//! - `tick`: time passes and nothing is due.
//! - `evaluate`: one `where` against one signal, by this engine and by the interpreter of the `cel`
//!   crate with the same facts: its context is built for each evaluation, since every signal has
//!   another. `facts` is the cost of preparing a signal's facts, once for all criteria.
//!
//! Each row is one thread. Compare `median`; `fastest` is the undisturbed machine. The events come
//! from a fixed seed. Divan is used because it has a third of criterion's dependencies.

use std::alloc::System;
use std::collections::HashMap;
use std::sync::Arc;

use afterword::engine::state::State;
use afterword::expr;
use afterword::expr::facts::{Facts, FieldValue, Scope};
use afterword::expr::root::Root;
use afterword::model::labels::LabelSet;
use cel::objects::{Key, Map};
use cel::{Context, Env, Program, Value};
use divan::{Bencher, black_box};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

mod world;

use world::World;

#[global_allocator]
static MEMORY: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const OPEN: usize = 10_000;

fn main() {
    memory();
    divan::main();
}

#[expect(clippy::print_stdout, reason = "a benchmark tells its figures")]
fn memory() {
    let region = Region::new(MEMORY);
    let World { state, policy, .. } = World::of(OPEN);
    drop(policy);
    let held = region.change();
    let incidents = state.incidents().count();
    let signals: usize = state
        .incidents()
        .map(|incident| incident.signals.len())
        .sum();
    let bytes = held.bytes_allocated - held.bytes_deallocated;
    println!(
        "memory: {} bytes per open incident ({incidents} incidents, {signals} signals)",
        bytes / incidents
    );
}

#[divan::bench(args = [OPEN / 10, OPEN], sample_count = 3, sample_size = 1)]
fn rejudge(bencher: Bencher<'_, '_>, open: usize) {
    let World {
        mut state,
        policy,
        now,
    } = World::of(open);
    bencher
        .counter(divan::counter::ItemsCount::new(open))
        .bench_local(|| state.reevaluate(&policy, now));
}

#[divan::bench(args = [OPEN / 10, OPEN], sample_count = 3, sample_size = 1)]
fn restore(bencher: Bencher<'_, '_>, open: usize) {
    let World { state, policy, now } = World::of(open);
    let incidents = || state.incidents().cloned().collect::<Vec<_>>();
    bencher
        .with_inputs(incidents)
        .bench_local_values(|incidents| State::restore(incidents, Vec::new(), &policy, now));
}

#[divan::bench(args = [OPEN], sample_count = 20)]
fn tick(bencher: Bencher<'_, '_>, open: usize) {
    let World {
        mut state,
        policy,
        now,
    }: World = World::of(open);
    bencher.bench_local(|| state.tick(&policy, now));
}

const WHERE: [&str; 4] = [
    "!(incident.environment in [\"dev\", \"test\", \"staging\", \"drill\"])",
    "signal.kind == \"alert\" && signal.severity == \"critical\" && signal.role != \"cause\" \
     && !(incident.environment in [\"dev\", \"test\", \"staging\", \"drill\"])",
    "incident.duration > 600.0 && incident.services.exists(s, s.startsWith(\"pay\"))",
    "signal.labels.team == \"shop\" || signal.labels.zone == \"b\"",
];

const ROOTS: [Root; 2] = [Root::Incident, Root::Signal];

/// Fields as they are told, for both contestants.
struct Told {
    services: Vec<String>,
    labels: LabelSet,
}

impl Told {
    fn new() -> Self {
        let labels = [
            "alertname",
            "service",
            "severity",
            "team",
            "cluster",
            "namespace",
            "job",
            "instance",
        ];
        Self {
            services: vec!["checkout".to_owned(), "payments".to_owned()],
            labels: labels
                .map(|name| {
                    (
                        name.to_owned(),
                        if name == "team" {
                            "search"
                        } else {
                            "some-value"
                        }
                        .to_owned(),
                    )
                })
                .into(),
        }
    }

    fn incident(&self) -> [(&'static str, FieldValue<'_>); 5] {
        [
            ("title", "HighErrorRate on checkout".into()),
            ("services", (&self.services).into()),
            ("severity", "critical".into()),
            ("environment", "production".into()),
            ("duration", 1800.0.into()),
        ]
    }

    fn signal(&self) -> [(&'static str, FieldValue<'_>); 7] {
        [
            ("kind", "alert".into()),
            ("name", "HighErrorRate".into()),
            ("severity", "critical".into()),
            ("service", "checkout".into()),
            ("environment", "production".into()),
            ("role", "".into()),
            ("labels", (&self.labels).into()),
        ]
    }
}

fn facts<'a>(root: Root, fields: &[(&'static str, FieldValue<'a>)]) -> Facts<'a> {
    let mut facts = Facts::new(root);
    for (name, value) in fields {
        facts.set(name, *value);
    }
    facts
}

#[divan::bench]
fn evaluate_facts(bencher: Bencher<'_, '_>) {
    let told = Told::new();
    bencher.bench_local(|| {
        facts(Root::Signal, black_box(&told.signal()))
            .unknown()
            .count()
    });
}

#[divan::bench(args = [0, 1, 2, 3])]
#[expect(clippy::unwrap_used, reason = "a panic is how a benchmark fails")]
fn evaluate_ours(bencher: Bencher<'_, '_>, index: usize) {
    let told = Told::new();
    let (incident, signal) = (
        facts(Root::Incident, &told.incident()),
        facts(Root::Signal, &told.signal()),
    );
    let expression = expr::compile(WHERE[index], &ROOTS).unwrap();
    bencher.bench_local(|| {
        expression.evaluate(
            &Scope::new()
                .with(black_box(&incident))
                .with(black_box(&signal)),
        )
    });
}

#[divan::bench(args = [0, 1, 2, 3])]
#[expect(clippy::unwrap_used, reason = "a panic is how a benchmark fails")]
fn evaluate_cel(bencher: Bencher<'_, '_>, index: usize) {
    let told = Told::new();
    let program = Program::compile(WHERE[index]).unwrap();
    let functions = Arc::new(Env::stdlib());
    bencher.bench_local(|| {
        let mut context = Context::with_env(Arc::clone(&functions));
        // Only what the expression reads is handed to it.
        let source = WHERE[index];
        for (root, fields) in [
            ("incident", &told.incident()[..]),
            ("signal", &told.signal()[..]),
        ] {
            let read = fields
                .iter()
                .filter(|(name, _)| source.contains(&format!("{root}.{name}")));
            let map = Map {
                map: Arc::new(
                    read.filter_map(|(name, field)| Some((Key::from(*name), value(*field)?)))
                        .collect::<HashMap<_, _>>(),
                ),
            };
            context.add_variable_from_value(root, Value::Map(map));
        }
        program.execute(&context)
    });
}

fn value(field: FieldValue<'_>) -> Option<Value> {
    let text = |text: &str| Value::String(Arc::new(text.to_owned()));
    Some(match field {
        FieldValue::Unknown => return None,
        FieldValue::Text(value) => text(value),
        FieldValue::Number(value) => Value::Float(value),
        FieldValue::Bool(value) => Value::Bool(value),
        FieldValue::Texts(list) => {
            Value::List(Arc::new(list.iter().map(|value| text(value)).collect()))
        }
        FieldValue::Labels(labels) => {
            let labels = labels.map(|(name, value)| (Key::from(name), text(value)));
            Value::Map(Map {
                map: Arc::new(labels.collect()),
            })
        }
    })
}
