//! Evaluates samples of a scenario with the condition state machine that also runs live.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use crate::engine::conditions::promql_subset::sample_buffer::LOOKBACK;
use crate::engine::conditions::state_machine::{
    ConditionIdentity, Observation, SeriesStateMachine,
};
use crate::model::event::Event;
use crate::model::fault::nearest;
use crate::model::labels::Labels;
use crate::model::time::Time;
use crate::rules::rule_set::ConditionRule;
use crate::rules::scenario::event::{ScenarioSample, ScenarioSamples};
use crate::trial::difference::{Difference, duration};

/// State changes of all series, unordered. The last state of a series persists.
///
/// # Errors
/// A difference for each entry whose condition is missing in the rules.
pub(crate) fn events(
    samples: &[ScenarioSamples],
    conditions: &[ConditionRule],
    origin: Time,
) -> Result<Vec<Event>, Vec<Difference>> {
    let mut unknown = Vec::new();
    let mut series: BTreeMap<(&str, &Labels), Series<'_>> = BTreeMap::new();
    for entry in samples {
        let Some(rule) = conditions.iter().find(|rule| rule.name == entry.condition) else {
            unknown.push(no_condition(entry, conditions));
            continue;
        };
        let series = series
            .entry((&entry.condition, &entry.labels))
            .or_insert(Series {
                rule,
                samples: BTreeMap::new(),
            });
        let mut at = origin + TimeDelta::seconds(entry.at);
        for value in &entry.values {
            // For one evaluation the later entry wins; a gap has no sample that could.
            if *value == ScenarioSample::Gap {
                series.samples.entry(at).or_insert(*value);
            } else {
                series.samples.insert(at, *value);
            }
            at += TimeDelta::seconds(rule.every);
        }
    }
    if !unknown.is_empty() {
        return Err(unknown);
    }
    let turns = series
        .iter()
        .flat_map(|((_, labels), series)| series.turns(labels));
    Ok(turns.collect())
}

struct Series<'a> {
    rule: &'a ConditionRule,
    /// The sample of each evaluation.
    samples: BTreeMap<Time, ScenarioSample>,
}

impl Series<'_> {
    fn turns(&self, labels: &Labels) -> Vec<Event> {
        let mut watch = SeriesStateMachine::default();
        let turns = self
            .readings()
            .flat_map(|(at, reading)| watch.step(self.rule, at, reading));
        let called = ConditionIdentity::from_rule(self.rule);
        turns.map(|turn| called.event(labels, &turn)).collect()
    }

    /// The observation at each evaluation. As in Prometheus, a value counts through a gap for five
    /// minutes.
    fn readings(&self) -> impl Iterator<Item = (Time, Observation)> + '_ {
        let mut last: Option<(Time, f64)> = None;
        self.samples.iter().map(move |(at, sample)| {
            match sample {
                ScenarioSample::Value(value) => last = Some((*at, *value)),
                ScenarioSample::Stale => last = None,
                ScenarioSample::Gap => last = last.filter(|(taken, _)| *at - *taken < LOOKBACK),
            }
            let reading = last.map_or(Observation::Absent, |(_, value)| Observation::Value(value));
            (*at, reading)
        })
    }
}

fn no_condition(entry: &ScenarioSamples, conditions: &[ConditionRule]) -> Difference {
    let known = conditions.iter().map(|rule| rule.name.as_str());
    let meant = nearest(&entry.condition, known)
        .map(|name| format!("did you mean `{name}`?"))
        .unwrap_or_default();
    Difference {
        at: duration(entry.at),
        line: entry.line,
        what: "samples".to_owned(),
        expected: format!("a condition `{}`", entry.condition),
        got: "the rules have no condition with this name".to_owned(),
        why: meant,
    }
}
