//! One condition over all series that its query gives: which of them are watched, and what happens to those that come, go, or cannot be asked.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::promql_subset::InstantVector;
use super::state_machine::{ConditionIdentity, Observation, SeriesStateMachine, StateChange};
use crate::model::event::{ConditionState, Event};
use crate::model::labels::Labels;
use crate::model::time::Time;
use crate::rules::rule_set::ConditionRule;

/// A series that gave nothing for so long is not expected back.
const GONE_AFTER: TimeDelta = TimeDelta::hours(1);
/// How long the past can still be asked once there is an answer again.
const FILLED_WITHIN: TimeDelta = TimeDelta::hours(24);

/// What one evaluation brought.
#[derive(Debug, Clone, PartialEq)]
pub enum QueryResult {
    /// These series, and no others.
    Whole(InstantVector),
    /// These series, each of which can be relied on; of others nobody knows.
    Partial(InstantVector),
    /// Nothing that can be relied on: nobody answered, or not all who know something, or what answered had not looked itself. A sum over what
    /// some of those who were asked know is a number like any other, and a wrong one.
    Failed,
}

/// What is remembered of a condition between evaluations.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct ConditionEvaluator {
    /// As it is known now.
    live: Timeline,
    /// What was not answered and may still be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    past: Option<UnansweredPeriod>,
    /// The condition as it was when last evaluated: what it asked, and by what its events are known.
    #[serde(default)]
    defined: String,
    #[serde(default)]
    called: Option<ConditionIdentity>,
}

/// All series of a condition, evaluated up to some instant.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
struct Timeline {
    /// The last evaluation.
    last: Option<Time>,
    #[serde(with = "pairs")]
    series: BTreeMap<Labels, Series>,
    /// How many series the last answer had beyond those that are watched.
    #[serde(default)]
    left_out: usize,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
struct Series {
    watch: SeriesStateMachine,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    absent_since: Option<Time>,
    /// Since when it is what it was last reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    since: Option<Time>,
}

/// The evaluations that nobody had answered, to be made up for: from how it was when the first of them was not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct UnansweredPeriod {
    /// The first evaluation that was not answered.
    first: Time,
    timeline: Timeline,
    /// The first evaluation that is still without an answer.
    next: Time,
    /// Series that have been called unknown meanwhile, and since when.
    #[serde(with = "pairs")]
    unknown: BTreeMap<Labels, Time>,
    /// Whether something was answered meanwhile, so that more than unknown was told.
    overtaken: bool,
    /// Nothing was measured before: that there was nothing then is not unknown.
    new: bool,
}

impl ConditionEvaluator {
    /// The last evaluation; `None`: there was none yet.
    #[must_use]
    pub(crate) fn last(&self) -> Option<Time> {
        self.live.last
    }

    /// The first evaluation to which nobody has answered, as long as its answer is still of use.
    #[must_use]
    pub(crate) fn unanswered(&self) -> Option<Time> {
        self.past.as_ref().map(|past| past.next)
    }

    /// How many series the last answer had beyond the condition's `max_series`.
    #[must_use]
    pub(crate) fn left_out(&self) -> usize {
        self.live.left_out
    }

    /// The series and the state that each was last reported in.
    pub(crate) fn states(&self) -> impl Iterator<Item = (&Labels, ConditionState)> {
        self.live.states()
    }

    /// Notes that the evaluations from `from` on can still be answered: they were missed, or are of the time before anything was measured.
    pub(crate) fn missed(&mut self, from: Time) {
        let (timeline, new) = (self.live.clone(), self.live.last.is_none());
        self.past.get_or_insert_with(|| UnansweredPeriod {
            first: from,
            timeline,
            next: from,
            unknown: BTreeMap::new(),
            overtaken: false,
            new,
        });
    }

    /// The evaluation at `at`: what it makes known. What is not later than the last one changes nothing.
    pub(crate) fn evaluate(
        &mut self,
        rule: &ConditionRule,
        at: Time,
        answer: &QueryResult,
    ) -> Vec<Event> {
        if self.live.last.is_some_and(|last| at <= last) {
            return Vec::new();
        }
        let mut events = self.redefine(rule, at);
        if *answer == QueryResult::Failed {
            self.missed(at);
        }
        let turns = self.live.step(rule, at, answer);
        if let Some(past) = &mut self.past {
            past.overtaken |= *answer != QueryResult::Failed;
            for (labels, turn) in turns
                .iter()
                .filter(|(_, turn)| turn.state == ConditionState::Unknown)
            {
                past.unknown.entry(labels.clone()).or_insert(turn.at);
            }
        }
        self.past.take_if(|past| at - past.next > FILLED_WITHIN);
        let called = ConditionIdentity::by(rule);
        events.extend(
            turns
                .iter()
                .map(|(labels, turn)| called.event(labels, turn)),
        );
        events
    }

    /// Answers to the first evaluations that were not answered, in order of time and without a gap: what they make known corrects what was
    /// called unknown meanwhile. They may go on beyond the last evaluation, and are evaluations themselves there.
    pub(crate) fn fill(
        &mut self,
        rule: &ConditionRule,
        answers: &[(Time, QueryResult)],
    ) -> Vec<Event> {
        let Some((first, _)) = answers.first() else {
            return Vec::new();
        };
        let mut events = self.redefine(rule, *first);
        let Some(mut past) = self.past.take() else {
            events.extend(
                answers
                    .iter()
                    .flat_map(|(at, answer)| self.evaluate(rule, *at, answer)),
            );
            return events;
        };
        let reaches = |at: Time| self.live.last.is_none_or(|last| at >= last);
        // What is missing at the very end may only be late.
        let late = answers
            .iter()
            .rev()
            .take_while(|(at, answer)| reaches(*at) && *answer == QueryResult::Failed)
            .count();
        let (known, late) = answers.split_at(answers.len() - late);
        let before: BTreeMap<Labels, ConditionState> = past
            .timeline
            .states()
            .map(|(labels, state)| (labels.clone(), state))
            .collect();
        let mut turns: BTreeMap<Labels, Vec<StateChange>> = BTreeMap::new();
        for (at, answer) in known {
            past.next = *at + TimeDelta::seconds(rule.every);
            if past.new && past.timeline.series.is_empty() && !answer.has_values() {
                continue;
            }
            for (labels, turn) in past.timeline.step(rule, *at, answer) {
                turns.entry(labels).or_default().push(turn);
            }
        }
        for (labels, unknown_at) in past
            .unknown
            .extract_if(.., |_, unknown_at| *unknown_at < past.next)
        {
            // Where there was nothing yet, nothing is known better.
            if !past.timeline.series.is_empty() {
                let was = before
                    .get(&labels)
                    .copied()
                    .unwrap_or(ConditionState::Healthy);
                correct(turns.entry(labels).or_default(), unknown_at, was);
            }
        }
        match known.last() {
            Some((at, _)) if reaches(*at) => {
                if past.overtaken {
                    self.live.reconcile(&past, *at, &mut turns);
                }
                // Where there never was anything, nothing is known better than it is now.
                if past.timeline.last.is_some() {
                    self.live = past.timeline;
                }
            }
            _ => self.past = Some(past),
        }
        let called = ConditionIdentity::by(rule);
        events.extend(
            turns
                .iter()
                .flat_map(|(labels, turns)| turns.iter().map(|turn| called.event(labels, turn))),
        );
        events.extend(
            late.iter()
                .flat_map(|(at, answer)| self.evaluate(rule, *at, answer)),
        );
        events
    }

    /// What is to be told when nobody watches any more.
    #[must_use]
    pub(crate) fn end(&self, at: Time) -> Vec<Event> {
        let on = |state| matches!(state, ConditionState::Degraded | ConditionState::NearMiss);
        let turn = StateChange {
            state: ConditionState::Unknown,
            at,
            since: None,
            value: None,
        };
        let on = self.states().filter(|(_, state)| on(*state));
        on.filter_map(|(labels, _)| Some(self.called.as_ref()?.event(labels, &turn)))
            .collect()
    }

    /// A condition that asks something else begins anew, but goes on from the state that was reported; of another service it ends there.
    fn redefine(&mut self, rule: &ConditionRule, at: Time) -> Vec<Event> {
        let mut events = Vec::new();
        let called = Some(ConditionIdentity::by(rule));
        if self.called != called {
            if self.called.is_some() {
                events = self.end(at);
                self.live.series.clear();
                self.past = None;
            }
            self.called = called;
        }
        let ConditionRule {
            query,
            degraded,
            near_miss,
            recovered,
            pending_for,
            keep_firing_for,
            no_data,
            every,
            ..
        } = rule;
        let defined = format!(
            "{query} {degraded:?} {near_miss:?} {recovered:?} {pending_for} {keep_firing_for} {no_data:?} {every}"
        );
        if self.defined != defined {
            if !self.defined.is_empty() {
                self.past = None;
            }
            self.defined = defined;
            for series in self.live.series.values_mut() {
                *series = Series {
                    watch: SeriesStateMachine::resumed(&series.watch),
                    absent_since: None,
                    since: series.since,
                };
            }
        }
        events
    }
}

impl QueryResult {
    fn has_values(&self) -> bool {
        matches!(self, Self::Whole(values) | Self::Partial(values) if !values.is_empty())
    }
}

/// The turns of a series that had been called unknown from `unknown_at` on, made such that they come after that: what it was at that very
/// instant is told a moment later, and holds from then. `was`: what it was before all of them.
fn correct(turns: &mut Vec<StateChange>, unknown_at: Time, was: ConditionState) {
    let (mut past, later): (Vec<StateChange>, Vec<StateChange>) =
        turns.iter().partition(|turn| turn.at <= unknown_at);
    let known = past.last().copied().unwrap_or(StateChange {
        state: was,
        at: unknown_at,
        since: None,
        value: None,
    });
    // Those of the same instant are told by the one that follows.
    past.retain(|turn| turn.at < unknown_at);
    if known.state != ConditionState::Unknown {
        let since = if known.at == unknown_at {
            known.since.unwrap_or(unknown_at)
        } else {
            unknown_at
        };
        past.push(StateChange {
            at: unknown_at + TimeDelta::microseconds(1),
            since: Some(since),
            ..known
        });
    }
    past.extend(later);
    *turns = past;
}

impl Timeline {
    fn states(&self) -> impl Iterator<Item = (&Labels, ConditionState)> {
        self.series.iter().map(|(labels, series)| {
            (
                labels,
                series.watch.reported().unwrap_or(ConditionState::Healthy),
            )
        })
    }

    /// Adds turns to what `known` is for series that were told otherwise here, since less was known.
    fn reconcile(
        &self,
        past: &UnansweredPeriod,
        at: Time,
        turns: &mut BTreeMap<Labels, Vec<StateChange>>,
    ) {
        let at = at + TimeDelta::microseconds(1);
        let told: BTreeMap<&Labels, ConditionState> = self.states().collect();
        for (labels, series) in &past.timeline.series {
            let state = series.watch.reported().unwrap_or(ConditionState::Healthy);
            if told.get(labels).copied().unwrap_or(ConditionState::Healthy) != state {
                turns.entry(labels.clone()).or_default().push(StateChange {
                    state,
                    at,
                    since: series.since.or(Some(past.first)),
                    value: None,
                });
            }
        }
    }

    fn step(
        &mut self,
        rule: &ConditionRule,
        at: Time,
        answer: &QueryResult,
    ) -> Vec<(Labels, StateChange)> {
        self.last = Some(at);
        let mut found: BTreeMap<&Labels, f64> = BTreeMap::new();
        let missing = match answer {
            QueryResult::Whole(values) => {
                found.extend(values.iter().map(|(labels, value)| (labels, *value)));
                Observation::Absent
            }
            QueryResult::Partial(values) => {
                found.extend(values.iter().map(|(labels, value)| (labels, *value)));
                Observation::Failed
            }
            QueryResult::Failed => Observation::Failed,
        };
        let mut turns = Vec::new();
        let mut report = |labels: &Labels, series: &mut Series, reading| {
            series.absent_since = if reading == Observation::Absent {
                series.absent_since.or(Some(at))
            } else {
                None
            };
            for turn in series.watch.step(rule, at, reading) {
                series.since = Some(turn.since.unwrap_or(turn.at));
                turns.push((labels.clone(), turn));
            }
        };
        for (labels, series) in &mut self.series {
            report(
                labels,
                series,
                found.remove(labels).map_or(missing, Observation::Value),
            );
        }
        self.left_out = 0;
        let mut gone = Vec::new();
        for (labels, value) in found {
            // Who is there takes the place of who is not.
            if self.series.len() >= rule.max_series {
                gone.extend(
                    self.longest_absent()
                        .and_then(|absent| self.series.remove_entry(&absent)),
                );
            }
            if self.series.len() >= rule.max_series {
                self.left_out += 1;
                continue;
            }
            report(
                labels,
                self.series.entry(labels.clone()).or_default(),
                Observation::Value(value),
            );
        }
        if self.series.is_empty() {
            // Nothing was ever there: that too can be healthy, degraded or unknown, as the condition says.
            report(
                &Labels::new(),
                self.series.entry(Labels::new()).or_default(),
                missing,
            );
        }
        let absent = |series: &Series| {
            series
                .absent_since
                .is_some_and(|since| at - since >= GONE_AFTER)
        };
        let alone = self.series.len() == 1;
        // What spoke for the condition while there was nothing has no more to say once there is something.
        let over = |labels: &Labels, series: &Series| {
            if labels.is_empty() {
                !alone && series.absent_since.is_some()
            } else {
                absent(series)
            }
        };
        gone.extend(
            self.series
                .extract_if(.., |labels, series| over(labels, series)),
        );
        let ends = gone.into_iter().filter(|(_, series)| {
            series
                .watch
                .reported()
                .is_some_and(|state| state != ConditionState::Healthy)
        });
        // A moment later: what another turned to at this instant may be what it is remembered with.
        let end = StateChange {
            state: ConditionState::Healthy,
            at: at + TimeDelta::microseconds(1),
            since: Some(at),
            value: None,
        };
        turns.extend(ends.map(|(labels, _)| (labels, end)));
        if self.series.is_empty() {
            // The last one is gone for good: the condition speaks for itself again.
            let mut stand_in = Series::default();
            let found = stand_in.watch.step(rule, at, missing);
            stand_in.absent_since = Some(at);
            turns.extend(found.into_iter().map(|turn| (Labels::new(), turn)));
            self.series.insert(Labels::new(), stand_in);
        }
        turns
    }

    /// The series that has been absent longest, if any is.
    fn longest_absent(&self) -> Option<Labels> {
        let absent = self
            .series
            .iter()
            .filter_map(|(labels, series)| Some((series.absent_since?, labels)));
        absent.min().map(|(_, labels)| labels.clone())
    }
}

/// Label sets are no keys of JSON: maps by them are lists of pairs there.
mod pairs {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::model::labels::Labels;

    pub(crate) fn serialize<T: Serialize, S: Serializer>(
        map: &BTreeMap<Labels, T>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(map)
    }

    pub(crate) fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<Labels, T>, D::Error> {
        Ok(Vec::<(Labels, T)>::deserialize(deserializer)?
            .into_iter()
            .collect())
    }
}

#[cfg(test)]
mod tests;
