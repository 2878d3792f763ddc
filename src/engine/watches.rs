//! One condition over all series that its query gives: which of them are watched, and what happens to those that come, go, or cannot be asked.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::condition::{Called, Reading, Turn, Watch};
use super::samples::Values;
use crate::model::Time;
use crate::model::event::{ConditionState, Event, Labels};
use crate::rules::ConditionRule;

/// A series that gave nothing for so long is not expected back.
const GONE_AFTER: TimeDelta = TimeDelta::hours(1);
/// How long the past can still be asked once there is an answer again.
const FILLED_WITHIN: TimeDelta = TimeDelta::hours(24);

/// What one evaluation brought.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// These series, and no others.
    Whole(Values),
    /// These series; of others nobody knows, since not all who were asked answered.
    Partial(Values),
    /// Nothing: nobody answered, or what answered had not looked itself.
    Failed,
}

/// What is remembered of a condition between evaluations.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Watches {
    /// The last evaluation.
    last: Option<Time>,
    #[serde(with = "pairs")]
    series: BTreeMap<Labels, Series>,
    /// How it was before nobody answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    before: Option<Before>,
    /// How many series the last answer had beyond those that are watched.
    #[serde(default)]
    left_out: usize,
    /// The condition as it was when last evaluated: what it asked, and by what its events are known.
    #[serde(default)]
    defined: String,
    #[serde(default)]
    called: Option<Called>,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
struct Series {
    watch: Watch,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    absent_since: Option<Time>,
    /// Since when it has been called unknown, while it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unknown_at: Option<Time>,
}

/// The turns of a series that had been called unknown from `unknown_at` on, made such that they come after that: what it was at that very
/// instant is told a moment later, and holds from then. `was`: what it was before all of them.
fn correct(turns: &mut Vec<Turn>, unknown_at: Time, was: Turn) {
    let (mut past, later): (Vec<Turn>, Vec<Turn>) = turns.iter().partition(|turn| turn.at <= unknown_at);
    let known = past.last().copied().unwrap_or(was);
    // Those of the same instant are told by the one that follows.
    past.retain(|turn| turn.at < unknown_at);
    if known.state != ConditionState::Unknown {
        let since = if known.at == unknown_at { known.since.unwrap_or(unknown_at) } else { unknown_at };
        past.push(Turn { at: unknown_at + TimeDelta::microseconds(1), since: Some(since), ..known });
    }
    past.extend(later);
    *turns = past;
}

/// How it was when for the first time nobody answered, so that the past can be evaluated once somebody does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Before {
    /// The first evaluation without an answer.
    from: Time,
    #[serde(with = "pairs")]
    series: BTreeMap<Labels, Series>,
}

impl Watches {
    /// The last evaluation; `None`: there was none yet.
    #[must_use]
    pub fn last(&self) -> Option<Time> {
        self.last
    }

    /// The first evaluation to which nobody has answered, as long as its answer is still of use.
    #[must_use]
    pub fn unanswered(&self) -> Option<Time> {
        self.before.as_ref().map(|before| before.from)
    }

    /// How many series the last answer had beyond the condition's `max_series`.
    #[must_use]
    pub fn left_out(&self) -> usize {
        self.left_out
    }

    /// The series and the state that each was last reported in.
    pub fn states(&self) -> impl Iterator<Item = (&Labels, ConditionState)> {
        self.series.iter().map(|(labels, series)| (labels, series.watch.reported().unwrap_or(ConditionState::Healthy)))
    }

    /// The evaluation at `at`: what it makes known. What is not later than the last one changes nothing.
    pub fn evaluate(&mut self, rule: &ConditionRule, at: Time, answer: &Answer) -> Vec<Event> {
        if self.last.is_some_and(|last| at <= last) {
            return Vec::new();
        }
        let mut events = self.redefine(rule, at);
        self.last = Some(at);
        self.keep_before(at, answer);
        let called = Called::by(rule);
        events.extend(self.step(rule, at, answer).iter().map(|(labels, turn)| called.event(labels, turn)));
        events
    }

    /// Evaluations that nobody had answered and that somebody answers now: what they make known corrects what was called unknown meanwhile.
    /// The answers are in order of time; the last of them is the evaluation that is due now.
    pub fn fill(&mut self, rule: &ConditionRule, answers: &[(Time, Answer)]) -> Vec<Event> {
        let mut events = answers.first().map(|(at, _)| self.redefine(rule, *at)).unwrap_or_default();
        let Some(Before { from, series }) = self.before.take() else {
            events.extend(answers.iter().flat_map(|(at, answer)| self.evaluate(rule, *at, answer)));
            return events;
        };
        let meanwhile: BTreeMap<Labels, Series> = std::mem::replace(&mut self.series, series);
        let before: BTreeMap<Labels, ConditionState> = self.states().map(|(labels, state)| (labels.clone(), state)).collect();
        let mut turns: BTreeMap<Labels, Vec<Turn>> = BTreeMap::new();
        for (at, answer) in answers {
            self.last = Some(*at);
            self.keep_before(*at, answer);
            for (labels, turn) in self.step(rule, *at, answer) {
                turns.entry(labels).or_default().push(turn);
            }
        }
        let called = Called::by(rule);
        for (labels, series) in &meanwhile {
            let (Some(unknown_at), turns) = (series.unknown_at, turns.entry(labels.clone()).or_default()) else { continue };
            let was = before.get(labels).copied().unwrap_or(ConditionState::Healthy);
            correct(turns, unknown_at, Turn { state: was, at: from, since: None, value: None });
        }
        events.extend(turns.iter().flat_map(|(labels, turns)| turns.iter().map(|turn| called.event(labels, turn))));
        events
    }

    /// Keeps how it was before an answer that leaves something open, until one comes that does not.
    fn keep_before(&mut self, at: Time, answer: &Answer) {
        let unsure = match answer {
            Answer::Whole(_) => false,
            Answer::Partial(values) => self.series.keys().any(|labels| values.iter().all(|(found, _)| found != labels)),
            Answer::Failed => true,
        };
        if !unsure {
            self.before = None;
        } else if self.before.is_none() {
            self.before = Some(Before { from: at, series: self.series.clone() });
        }
        self.before.take_if(|before| at - before.from > FILLED_WITHIN);
    }

    /// What is to be told when nobody watches any more.
    #[must_use]
    pub fn end(&self, at: Time) -> Vec<Event> {
        let on = |state| matches!(state, ConditionState::Degraded | ConditionState::NearMiss);
        let turn = Turn { state: ConditionState::Unknown, at, since: None, value: None };
        let on = self.states().filter(|(_, state)| on(*state));
        on.filter_map(|(labels, _)| Some(self.called.as_ref()?.event(labels, &turn))).collect()
    }

    /// A condition that asks something else begins anew, but goes on from the state that was reported; of another service it ends there.
    fn redefine(&mut self, rule: &ConditionRule, at: Time) -> Vec<Event> {
        let mut events = Vec::new();
        let called = Some(Called::by(rule));
        if self.called != called {
            if self.called.is_some() {
                events = self.end(at);
                self.series.clear();
                self.before = None;
            }
            self.called = called;
        }
        let ConditionRule { query, degraded, near_miss, recovered, pending_for, keep_firing_for, no_data, every, .. } = rule;
        let defined = format!("{query} {degraded:?} {near_miss:?} {recovered:?} {pending_for} {keep_firing_for} {no_data:?} {every}");
        if std::mem::replace(&mut self.defined, defined.clone()) != defined {
            self.before = None;
            for series in self.series.values_mut() {
                *series = Series { watch: Watch::resumed(&series.watch), absent_since: None, unknown_at: series.unknown_at };
            }
        }
        events
    }

    fn step(&mut self, rule: &ConditionRule, at: Time, answer: &Answer) -> Vec<(Labels, Turn)> {
        let missing = if matches!(answer, Answer::Whole(_)) { Reading::Absent } else { Reading::Failed };
        let mut found: BTreeMap<&Labels, f64> = BTreeMap::new();
        if let Answer::Whole(values) | Answer::Partial(values) = answer {
            found.extend(values.iter().map(|(labels, value)| (labels, *value)));
        }
        let mut turns = Vec::new();
        let mut report = |labels: &Labels, series: &mut Series, reading| {
            series.absent_since = if reading == Reading::Absent { series.absent_since.or(Some(at)) } else { None };
            for turn in series.watch.step(rule, at, reading) {
                series.unknown_at = (turn.state == ConditionState::Unknown).then_some(turn.at);
                turns.push((labels.clone(), turn));
            }
        };
        for (labels, series) in &mut self.series {
            report(labels, series, found.remove(labels).map_or(missing, Reading::Value));
        }
        self.left_out = 0;
        for (labels, value) in found {
            if self.series.len() >= rule.max_series {
                self.left_out += 1;
                continue;
            }
            report(labels, self.series.entry(labels.clone()).or_default(), Reading::Value(value));
        }
        if self.series.is_empty() {
            // Nothing was ever there: that too can be healthy, degraded or unknown, as the condition says.
            report(&Labels::new(), self.series.entry(Labels::new()).or_default(), missing);
        } else if self.series.len() > 1
            && let Some(stand_in) = self.series.remove(&Labels::new()).filter(|series| series.absent_since.is_some())
        {
            // What spoke for the condition while there was nothing has no more to say.
            if stand_in.watch.reported() != Some(ConditionState::Healthy) {
                turns.push((Labels::new(), Turn { state: ConditionState::Healthy, at, since: None, value: None }));
            }
        }
        // What speaks for the condition stays.
        let one = self.series.len() == 1;
        self.series.retain(|labels, series| one && labels.is_empty() || series.absent_since.is_none_or(|since| at - since < GONE_AFTER));
        turns
    }
}

/// Label sets are no keys of JSON: maps by them are lists of pairs there.
mod pairs {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::model::event::Labels;

    pub(super) fn serialize<T: Serialize, S: Serializer>(map: &BTreeMap<Labels, T>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(map)
    }

    pub(super) fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<Labels, T>, D::Error> {
        Ok(Vec::<(Labels, T)>::deserialize(deserializer)?.into_iter().collect())
    }
}

#[cfg(test)]
mod tests;
