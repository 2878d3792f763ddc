//! Conditions over random series, compared with promtool's results for the same series, alerts and
//! expressions.

use std::fmt::Write as _;

use afterword::engine::conditions::state_machine::{
    AlertPhase, ConditionIdentity, Observation, SeriesStateMachine,
};
use afterword::engine::policy::Policy;
use afterword::engine::state::State;
use afterword::model::labels::Labels;
use afterword::model::time::Time;
use afterword::rules::rule_set::{ConditionRule, RuleSet};
use afterword::rules::scenario::event::ScenarioSample;
use afterword::rules::{parse, scenario};

use crate::harness::World;

/// Random numbers that are the same for the same seed.
struct Rng(u64);

impl Rng {
    /// A number below `sides`.
    fn roll(&mut self, sides: usize) -> usize {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % sides as u64) as usize
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "whoever runs the tests chooses the seed"
)]
fn seed() -> u64 {
    std::env::var("AFTERWORD_SEED").map_or(20_260_105, |seed| seed.parse().unwrap())
}

/// What stands in a series at a minute.
#[derive(Clone, Copy, PartialEq)]
enum Sample {
    Value(bool),
    Gap,
    Stale,
}

/// Adds random samples until there are `minutes`; stretches without data last at most `blind`. Never is a value five minutes old, of which
/// versions of Prometheus think differently.
fn fill(dice: &mut Rng, series: &mut Vec<Sample>, minutes: usize, blind: usize) {
    while series.len() < minutes {
        match dice.roll(8) {
            0 => {
                series.push(Sample::Stale);
                series.extend(std::iter::repeat_n(Sample::Gap, dice.roll(blind)));
                series.push(Sample::Value(dice.roll(2) == 1));
            }
            1 => {
                series.push(Sample::Value(dice.roll(2) == 1));
                series.extend(std::iter::repeat_n(Sample::Gap, 1 + dice.roll(4)));
                // A longer gap would end what is bridged.
                series.push(Sample::Value(dice.roll(2) == 1));
            }
            _ => series.extend(std::iter::repeat_n(
                Sample::Value(dice.roll(2) == 1),
                1 + dice.roll(7),
            )),
        }
    }
    series.truncate(minutes);
}

/// What an evaluation each minute finds.
fn readings(series: &[Sample]) -> Vec<Observation> {
    let mut last = Observation::Absent;
    let readings = series.iter().map(|sample| {
        match sample {
            Sample::Value(value) => last = Observation::Value(f64::from(u8::from(*value))),
            Sample::Stale => last = Observation::Absent,
            Sample::Gap => {}
        }
        last
    });
    readings.collect()
}

fn values(series: &[Sample]) -> String {
    let words = series.iter().map(|sample| match sample {
        Sample::Value(true) => "1",
        Sample::Value(false) => "0",
        Sample::Gap => "_",
        Sample::Stale => "stale",
    });
    words.collect::<Vec<_>>().join(" ")
}

fn rules(text: &str) -> RuleSet {
    parse::load(&[("rules.yaml".to_owned(), text.to_owned())])
        .unwrap_or_else(|faults| panic!("{text}: {faults:?}"))
}

fn minute(minutes: usize) -> Time {
    Time::from_timestamp(60 * minutes as i64, 0).unwrap()
}

/// One expression at one minute, and every sample it must give: labels and value.
struct Expected {
    expression: String,
    minute: usize,
    samples: Vec<(String, String)>,
}

/// What promtool says of these expectations; nothing when it agrees.
fn judge(rules: &str, series: &[(String, String)], expected: &[Expected]) -> Result<(), String> {
    let mut test = "rule_files: [rules.yml]\nevaluation_interval: 1m\ntests:\n- interval: 1m\n  input_series:\n".to_owned();
    for (name, values) in series {
        writeln!(test, "  - {{series: '{name}', values: '{values}'}}").unwrap();
    }
    test.push_str("  promql_expr_test:\n");
    for Expected {
        expression,
        minute,
        samples,
    } in expected
    {
        writeln!(
            test,
            "  - expr: '{expression}'\n    eval_time: {minute}m\n    exp_samples:"
        )
        .unwrap();
        for (labels, value) in samples {
            writeln!(test, "    - {{labels: '{labels}', value: {value}}}").unwrap();
        }
    }
    let world = World::new();
    world.write("rules.yml", rules);
    world.write("test.yml", &test);
    let ended = world.run_program("promtool", &["test", "rules", "test.yml"]);
    match ended.code {
        Some(0) => Ok(()),
        Some(1) => Err(ended.said),
        code => panic!("promtool ended with {code:?}: {}", ended.said),
    }
}

/// The beginning is enough to see what differs.
fn agrees(verdict: Result<(), String>, seed: u64) {
    if let Err(said) = verdict {
        panic!(
            "AFTERWORD_SEED={seed}\n{}",
            said.chars().take(4000).collect::<String>()
        );
    }
}

const MINUTES: usize = 41;

/// Random alerts with their series, and what our machine says that Prometheus makes of them.
struct Batch {
    rules: String,
    series: Vec<(String, String)>,
    expected: Vec<Expected>,
}

fn batch(dice: &mut Rng, cases: usize) -> Batch {
    let (mut alerts, mut series) = (
        "groups:\n- name: conditions\n  rules:\n".to_owned(),
        Vec::new(),
    );
    let mut states: Vec<Vec<(String, String)>> = vec![Vec::new(); MINUTES];
    let mut begins = states.clone();
    for case in 0..cases {
        let [wait, keep] = [(); 2].map(|()| [0, 0, 1, 2, 3, 5, 8][dice.roll(7)]);
        let rule = boolean(&format!(
            "for: {wait}m, keep_firing_for: {keep}m, no_data: healthy"
        ));
        writeln!(alerts, "  - {{alert: c{case}, expr: 'm{{case=\"c{case}\"}} == 1', for: {wait}m, keep_firing_for: {keep}m}}").unwrap();
        let mut samples = vec![Sample::Gap; dice.roll(3)];
        fill(dice, &mut samples, MINUTES, 9);
        series.push((format!("m{{case=\"c{case}\"}}"), values(&samples)));
        let mut watch = SeriesStateMachine::default();
        for (at, reading) in readings(&samples).into_iter().enumerate() {
            watch.step(&rule, minute(at), reading);
            let (state, active_at) = match watch.alert() {
                AlertPhase::Inactive => continue,
                AlertPhase::Pending { active_at } => ("pending", active_at),
                AlertPhase::Firing { active_at } => ("firing", active_at),
            };
            let labels =
                format!("ALERTS{{alertname=\"c{case}\",alertstate=\"{state}\",case=\"c{case}\"}}");
            states[at].push((labels, "1".to_owned()));
            let labels = format!("ALERTS_FOR_STATE{{alertname=\"c{case}\",case=\"c{case}\"}}");
            begins[at].push((labels, active_at.timestamp().to_string()));
        }
    }
    let expected = |expression: &str, all: Vec<Vec<(String, String)>>| {
        let expression = expression.to_owned();
        let each = all.into_iter().enumerate();
        each.map(move |(minute, samples)| Expected {
            expression: expression.clone(),
            minute,
            samples,
        })
        .collect::<Vec<_>>()
    };
    let mut all = expected("ALERTS", states);
    all.extend(expected("ALERTS_FOR_STATE", begins));
    Batch {
        rules: alerts,
        series,
        expected: all,
    }
}

/// A condition that is degraded at 1.
fn boolean(more: &str) -> ConditionRule {
    let text = format!(
        "conditions: [{{name: c, service: shop, metrics: prom, query: m, degraded: '== 1', every: 1m, {more}}}]"
    );
    rules(&text).conditions.remove(0)
}

#[test]
fn condition_states_match_promtool() {
    std::thread::scope(|scope| {
        for thread in 0..2 {
            scope.spawn(move || {
                for round in 0..2 {
                    let seed = seed() + 2 * thread + round;
                    let Batch {
                        rules,
                        series,
                        expected,
                    } = batch(&mut Rng(seed), 250);
                    agrees(judge(&rules, &series, &expected), seed);
                }
            });
        }
    });
}

/// A judge that never objects would prove nothing.
#[test]
fn promtool_rejects_a_wrong_prediction() {
    let objects = |change: &dyn Fn(&mut Vec<Expected>)| {
        let Batch {
            rules,
            series,
            mut expected,
        } = batch(&mut Rng(seed()), 25);
        assert!(
            expected.iter().all(|expected| expected.samples.len() < 25),
            "no case is ever inactive"
        );
        change(&mut expected);
        judge(&rules, &series, &expected).is_err()
    };
    assert!(!objects(&|_| {}));
    assert!(objects(&|all| {
        let (labels, _) = &mut all[20].samples[0];
        let other = if labels.contains("firing") {
            labels.replace("firing", "pending")
        } else {
            labels.replace("pending", "firing")
        };
        *labels = other;
    }));
    assert!(objects(&|all| {
        let (_, began) = &mut all[MINUTES + 20].samples[0];
        *began = (began.parse::<i64>().unwrap() - 60).to_string();
    }));
    assert!(objects(&|all| {
        all[20].samples.remove(0);
    }));
}

/// The degraded minutes of the worst half hour: those that are certain, and those together with what nobody can say.
#[test]
fn degraded_time_matches_count_over_time() {
    const END: usize = 120;
    let mut dice = Rng(seed());
    let condition = "conditions: [{name: c, service: shop, metrics: prom, query: m, degraded: '== 1', every: 1m}]";
    let text = format!(
        "criteria: [{{name: total, on: degradation, total: 10m, within: 30m, decision: hold}}]\ncorrelation: {{reopen_within: 6h}}\n{condition}"
    );
    let policy = Policy::new(rules(&text), &[], &[]);
    // Closed on both sides, 29 minutes hold 30 evaluations. Windows that begin before the series do are left out.
    let windows = END - 29;
    let (mut series, mut expected, mut unknown) = (Vec::new(), Vec::new(), 0);
    for case in 0..150 {
        let mut samples = vec![Sample::Value(false); 35 + dice.roll(5)];
        samples.push(Sample::Value(true));
        // Less than half an hour, so that every window holds at least one sample.
        fill(&mut dice, &mut samples, END, 20);
        samples.push(Sample::Value(false));
        let (mut watch, mut state) = (SeriesStateMachine::default(), State::default());
        let rule = &policy.rules.conditions[0];
        for (at, reading) in readings(&samples).into_iter().enumerate() {
            let turns = watch.step(rule, minute(at), reading);
            let events = turns
                .iter()
                .map(|turn| ConditionIdentity::from_rule(rule).event(&Labels::new(), turn))
                .collect();
            state.apply(events, &policy, minute(at));
        }
        let incidents: Vec<_> = state.incidents().collect();
        assert_eq!(incidents.len(), 1, "{}", values(&samples));
        let measure = incidents[0].verdicts[0].measure.unwrap();
        // One at a time: promtool bounds the samples that an expression may touch.
        let labels = format!("{{case=\"c{case}\"}}");
        series.push((format!("m{labels}"), values(&samples)));
        let certain =
            format!("max_over_time(count_over_time((m{labels} == 1)[29m:1m])[{windows}m:1m]) * 60");
        let healthy =
            format!("min_over_time(sum_over_time((m{labels} == bool 0)[29m:1m])[{windows}m:1m])");
        for (expression, seconds) in [
            (certain, measure.lower),
            (format!("(30 - {healthy}) * 60"), measure.upper),
        ] {
            expected.push(Expected {
                expression,
                minute: END,
                samples: vec![(labels.clone(), seconds.to_string())],
            });
        }
        unknown += usize::from(measure.lower < measure.upper);
    }
    assert!(
        unknown > 20,
        "something is unknown in only {unknown} series"
    );
    agrees(judge("groups: []\n", &series, &expected), seed());
    for place in [14, 15] {
        let right = std::mem::replace(&mut expected[place].samples[0].1, "60".to_owned());
        assert!(
            judge("groups: []\n", &series, &expected).is_err(),
            "{place}: one minute is accepted for {right} seconds as well"
        );
        expected[place].samples[0].1 = right;
    }
}

#[test]
fn sample_notation_matches_promtool() {
    let notations = [
        "-2+4x3",
        "1-2x4",
        "1x4",
        "1 _x3 stale",
        "0x3 0.03x40 _x2 stale 0",
        "0.1+0.1x20",
        "1e-1x3 1e1+1e-1x3",
        "1x0 _x0 _ 5",
        ".5 5.",
        "+Inf -Inf",
    ];
    let mut at: Vec<Vec<(String, String)>> = vec![Vec::new(); 50];
    let mut series = Vec::new();
    for (case, notation) in notations.iter().enumerate() {
        let text = format!(
            "rules: []\nscenarios: [{{name: s, expect: [], events: [{{at: 0m, samples: c, labels: {{case: n{case}}}, values: '{notation}'}}]}}]"
        );
        let file = scenario::parse("s.test.yaml", &text).unwrap();
        for (minute, value) in file.scenarios[0].samples[0].values.iter().enumerate() {
            let shown = match value {
                ScenarioSample::Value(value) if value.is_finite() => Some(value.to_string()),
                ScenarioSample::Value(value) => {
                    Some(format!("{}.inf", if *value < 0.0 { "-" } else { "" }))
                }
                ScenarioSample::Gap | ScenarioSample::Stale => None,
            };
            at[minute].extend(shown.map(|value| (format!("m{{case=\"n{case}\"}}"), value)));
        }
        series.push((format!("m{{case=\"n{case}\"}}"), (*notation).to_owned()));
    }
    let expression = "m and (timestamp(m) == time())".to_owned();
    let each = at.into_iter().enumerate();
    let expected: Vec<Expected> = each
        .map(|(minute, samples)| Expected {
            expression: expression.clone(),
            minute,
            samples,
        })
        .collect();
    agrees(judge("groups: []\n", &series, &expected), 0);
}
