//! The evaluation of one condition over all series of its query: series that come and go, failed
//! queries, and late answers.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::promql_subset::sample_buffer::InstantVector;
use super::state_machine::{ConditionIdentity, Observation, SeriesStateMachine, StateChange};
use crate::model::event::{ConditionState, Event};
use crate::model::labels::Labels;
use crate::model::time::Time;
use crate::rules::rule_set::ConditionRule;

/// The time after which an absent series is dropped. One that was not healthy before stays: that it
/// is absent does not say that it recovered.
const GONE_AFTER: TimeDelta = TimeDelta::hours(1);
/// The longest time after which missed evaluations are still made up for.
const FILLED_WITHIN: TimeDelta = TimeDelta::hours(24);

/// The result of a query at one evaluation.
#[derive(Debug, Clone, PartialEq)]
pub enum QueryResult {
    /// All series.
    Whole(InstantVector),
    /// Some series; the state of others is unknown.
    Partial(InstantVector),
    /// No reliable result: no answer, an incomplete one, or one from a server that had not scraped
    /// itself. A sum over some of the series looks like any other number, and is wrong.
    Failed,
}

/// The state of a condition between evaluations.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct ConditionEvaluator {
    /// The series as known now.
    live: Timeline,
    /// Failed evaluations that may still be answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    past: Option<UnansweredPeriod>,
    /// The condition at the last evaluation, as text.
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
    /// The number of series in the last answer beyond the limit.
    #[serde(default)]
    left_out: usize,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
struct Series {
    watch: SeriesStateMachine,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    absent_since: Option<Time>,
    /// The start of the last reported state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    since: Option<Time>,
}

/// Failed evaluations to be made up for, with the series as they were before the first of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct UnansweredPeriod {
    /// The first failed evaluation.
    first: Time,
    timeline: Timeline,
    /// The first evaluation that is still without an answer.
    next: Time,
    /// Series that were reported unknown meanwhile, and since when.
    #[serde(with = "pairs")]
    unknown: BTreeMap<Labels, Time>,
    /// True if a later evaluation was answered, so that other states were reported too.
    overtaken: bool,
    /// True if there was no earlier evaluation: absence is then not unknown.
    new: bool,
}

impl ConditionEvaluator {
    /// The last evaluation; `None`: there was none yet.
    #[must_use]
    pub(crate) fn last(&self) -> Option<Time> {
        self.live.last
    }

    /// Time of the first unanswered evaluation, while its answer is still of use.
    #[must_use]
    pub(crate) fn unanswered(&self) -> Option<Time> {
        self.past.as_ref().map(|past| past.next)
    }

    /// Number of series in the last answer beyond the condition's `max_series`.
    #[must_use]
    pub(crate) fn left_out(&self) -> usize {
        self.live.left_out
    }

    /// The series and the state that each was last reported in.
    pub(crate) fn states(&self) -> impl Iterator<Item = (&Labels, ConditionState)> {
        self.live.states()
    }

    /// Moves all that is remembered by a step of the clock, so that evaluation goes on from the clock as
    /// it is, and what was pending has been so for as long as before.
    pub(crate) fn shift(&mut self, by: TimeDelta) {
        self.live.shift(by);
        // The server's answers of that time have other timestamps by now.
        self.past = None;
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

    /// Evaluates at `at`; gives events of changed states. One that is not later than the last is
    /// ignored.
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
        let called = ConditionIdentity::from_rule(rule);
        events.extend(
            turns
                .iter()
                .map(|(labels, turn)| called.event(labels, turn)),
        );
        events
    }

    /// Makes up for failed evaluations by late answers, from the first on and without a gap; gives
    /// events that correct what was reported unknown. Answers beyond the last evaluation are new
    /// evaluations.
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
        // Failures at the end may only be late.
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
            // Without any series there is nothing to correct.
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
                // Without any evaluation the series as known now stay.
                if past.timeline.last.is_some() {
                    self.live = past.timeline;
                }
            }
            _ => self.past = Some(past),
        }
        let called = ConditionIdentity::from_rule(rule);
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

    /// The events that end the condition: active states become unknown.
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

    /// Restarts evaluation from the reported states if the condition has changed. If its identity has
    /// changed, the former condition ends.
    fn redefine(&mut self, rule: &ConditionRule, at: Time) -> Vec<Event> {
        let mut events = Vec::new();
        let called = Some(ConditionIdentity::from_rule(rule));
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

/// Moves the changes of a series that was reported unknown at `unknown_at` after that: its state at
/// that instant is reported a microsecond later. `was` is its state before all changes.
fn correct(turns: &mut Vec<StateChange>, unknown_at: Time, was: ConditionState) {
    let (mut past, later): (Vec<StateChange>, Vec<StateChange>) =
        turns.iter().partition(|turn| turn.at <= unknown_at);
    let known = past.last().copied().unwrap_or(StateChange {
        state: was,
        at: unknown_at,
        since: None,
        value: None,
    });
    // Changes of the same instant are covered by the one that follows.
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
    fn shift(&mut self, by: TimeDelta) {
        self.last.iter_mut().for_each(|at| *at += by);
        for series in self.series.values_mut() {
            series.watch.shift(by);
            let known = series.absent_since.iter_mut().chain(&mut series.since);
            known.for_each(|at| *at += by);
        }
    }

    fn states(&self) -> impl Iterator<Item = (&Labels, ConditionState)> {
        self.series.iter().map(|(labels, series)| {
            (
                labels,
                series.watch.reported().unwrap_or(ConditionState::Healthy),
            )
        })
    }

    /// Adds a change for each series whose state after the late answers differs from the reported one.
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
            // A present series replaces the one absent longest.
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
            // No series at all is healthy, degraded or unknown, as `no_data` says.
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
        let is_healthy = |series: &Series| {
            let reported = series.watch.reported();
            reported.is_none_or(|state| state == ConditionState::Healthy)
        };
        let alone = self.series.len() == 1;
        // The stand-in without labels ends once there is a series.
        let over = |labels: &Labels, series: &Series| {
            if labels.is_empty() {
                !alone && series.absent_since.is_some()
            } else {
                absent(series) && is_healthy(series)
            }
        };
        gone.extend(
            self.series
                .extract_if(.., |labels, series| over(labels, series)),
        );
        let ends = gone.into_iter().filter(|(_, series)| !is_healthy(series));
        // A microsecond later, since another change may have happened at this instant.
        let end = |labels: &Labels| StateChange {
            // The stand-in is over once there is a series. One that makes room for others is unknown.
            state: if labels.is_empty() {
                ConditionState::Healthy
            } else {
                ConditionState::Unknown
            },
            at: at + TimeDelta::microseconds(1),
            since: labels.is_empty().then_some(at),
            value: None,
        };
        turns.extend(ends.filter_map(|(labels, series)| {
            let end = end(&labels);
            (series.watch.reported() != Some(end.state)).then_some((labels, end))
        }));
        if self.series.is_empty() {
            // The last series is gone: the stand-in without labels returns.
            let mut stand_in = Series::default();
            let found = stand_in.watch.step(rule, at, missing);
            stand_in.absent_since = Some(at);
            turns.extend(found.into_iter().map(|turn| (Labels::new(), turn)));
            self.series.insert(Labels::new(), stand_in);
        }
        turns
    }

    /// The series absent longest, if any is absent.
    fn longest_absent(&self) -> Option<Labels> {
        let absent = self
            .series
            .iter()
            .filter_map(|(labels, series)| Some((series.absent_since?, labels)));
        absent.min().map(|(_, labels)| labels.clone())
    }
}

/// Maps by label sets as lists of pairs, since JSON keys are strings.
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
