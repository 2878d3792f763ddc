//! The state machine of a metric condition over one series, with Prometheus's meaning of `for` and
//! `keep_firing_for`.
//!
//! It follows `rules/alerting.go`, and adds hysteresis, absence, near misses and gaps between
//! evaluations.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use crate::model::event::{Condition, ConditionState, Event, Fact, Severity};
use crate::model::labels::Labels;
use crate::model::time::Time;
use crate::rules::rule_set::ConditionRule;

/// The value of one series at an evaluation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Observation {
    /// The series had this value, in the unit of the query. Not-a-number, as of 0/0, is no data.
    Value(f64),
    /// The series was not in the answer.
    Absent,
    /// The query failed.
    Failed,
}

/// A change of the reported state.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StateChange {
    /// The state it entered.
    pub state: ConditionState,
    /// The evaluation at which it was noticed.
    pub at: Time,
    /// The start of the state, if that was before `at`.
    pub since: Option<Time>,
    /// The value found at `at`, if there was one.
    pub value: Option<f64>,
}

/// The state of an alert with this threshold in Prometheus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertPhase {
    /// It does not hold.
    #[default]
    Inactive,
    /// It holds, not yet for long enough.
    Pending {
        /// The first evaluation at which it held.
        active_at: Time,
    },
    /// It has held for long enough, or did and is kept.
    Firing {
        /// The first evaluation at which it held.
        active_at: Time,
    },
}

/// Prometheus's alert of one series.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
struct AlertStateMachine {
    phase: AlertPhase,
    /// The first evaluation at which a firing alert no longer held.
    kept_since: Option<Time>,
}

impl AlertStateMachine {
    fn firing(&self) -> Option<Time> {
        match self.phase {
            AlertPhase::Firing { active_at } => Some(active_at),
            AlertPhase::Inactive | AlertPhase::Pending { .. } => None,
        }
    }

    fn drop_pending(&mut self) {
        if matches!(self.phase, AlertPhase::Pending { .. }) {
            self.phase = AlertPhase::Inactive;
        }
    }

    fn shift(&mut self, by: TimeDelta) {
        if let AlertPhase::Pending { active_at } | AlertPhase::Firing { active_at } =
            &mut self.phase
        {
            *active_at += by;
        }
        self.kept_since.iter_mut().for_each(|at| *at += by);
    }

    /// Steps one evaluation. If it resolves a firing alert, gives since when that has not held.
    fn step(&mut self, rule: &ConditionRule, at: Time, holds: bool) -> Option<Time> {
        if holds {
            self.kept_since = None;
            if self.phase == AlertPhase::Inactive {
                self.phase = AlertPhase::Pending { active_at: at };
            }
            if let AlertPhase::Pending { active_at } = self.phase
                && at - active_at >= TimeDelta::seconds(rule.pending_for)
            {
                self.phase = AlertPhase::Firing { active_at };
            }
            return None;
        }
        self.drop_pending();
        self.firing()?;
        let since = *self.kept_since.get_or_insert(at);
        if at - since < TimeDelta::seconds(rule.keep_firing_for) {
            return None;
        }
        *self = Self::default();
        Some(since)
    }
}

/// The state of one series of one condition between evaluations. Starts as `SeriesStateMachine::default()`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SeriesStateMachine {
    last: Option<Time>,
    degraded: AlertStateMachine,
    near_miss: AlertStateMachine,
    /// True if it fired and `recovered` has not been met since.
    latched: bool,
    reported: Option<ConditionState>,
    /// The end of the last unknown time.
    known_from: Option<Time>,
    /// The first value since it was reported unknown, while the state waits for `for`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    returned_at: Option<Time>,
}

/// The thresholds that an observation meets.
#[derive(Clone, Copy)]
struct ThresholdsMet {
    degraded: bool,
    near_miss: bool,
}

impl SeriesStateMachine {
    /// The state that an alert on the `degraded` threshold has in Prometheus.
    #[must_use]
    pub fn alert(&self) -> AlertPhase {
        self.degraded.phase
    }

    /// A new state machine that goes on from the state that `other` reported.
    #[must_use]
    pub fn resumed(other: &Self) -> Self {
        Self {
            last: other.last,
            reported: other.reported,
            ..Self::default()
        }
    }

    /// Moves all times by a step of the clock.
    pub(super) fn shift(&mut self, by: TimeDelta) {
        self.degraded.shift(by);
        self.near_miss.shift(by);
        let known = self.last.iter_mut().chain(&mut self.known_from);
        known.for_each(|at| *at += by);
    }

    /// The last evaluation.
    #[must_use]
    pub fn last(&self) -> Option<Time> {
        self.last
    }

    /// The state as it was last reported; `None` before the first evaluation.
    #[must_use]
    pub fn reported(&self) -> Option<ConditionState> {
        self.reported
    }

    /// Steps the evaluation at `at`; gives changes of the reported state in order. One that is not
    /// later than the last is ignored.
    pub fn step(
        &mut self,
        rule: &ConditionRule,
        at: Time,
        reading: Observation,
    ) -> Vec<StateChange> {
        let reading = match reading {
            Observation::Value(value) if value.is_nan() => Observation::Absent,
            other => other,
        };
        let mut turns = Vec::new();
        if let Some(last) = self.last {
            if at <= last {
                return turns;
            }
            if at - last > max_gap(rule) {
                // Values before and after a gap prove nothing about the time between.
                self.degraded.drop_pending();
                self.near_miss.drop_pending();
                turns.extend(self.report(StateChange {
                    state: ConditionState::Unknown,
                    at: last + TimeDelta::seconds(rule.every),
                    since: None,
                    value: None,
                }));
            }
        }
        self.last = Some(at);
        let value = match reading {
            Observation::Value(value) => Some(value),
            Observation::Absent | Observation::Failed => None,
        };
        let unknown = StateChange {
            state: ConditionState::Unknown,
            at,
            since: None,
            value: None,
        };
        let turn = match self.thresholds(rule, reading) {
            // As in Prometheus, a failed evaluation leaves everything as it was.
            None if reading == Observation::Failed => unknown,
            None => {
                self.advance(
                    rule,
                    at,
                    ThresholdsMet {
                        degraded: false,
                        near_miss: false,
                    },
                    value,
                );
                unknown
            }
            Some(found) => {
                if self.reported == Some(ConditionState::Unknown) {
                    let known_from = self.returned_at.unwrap_or(at);
                    (self.returned_at, self.known_from) = (Some(known_from), Some(known_from));
                }
                let ended = self.advance(rule, at, found, value);
                let (state, since) = self.state(at, ended);
                let since = since.max(self.known_from.unwrap_or(since));
                // It may have been so for as long as `for` asks: a value beyond a threshold is no sign
                // of health after a time that is unknown.
                if self.reported == Some(ConditionState::Unknown)
                    && state == ConditionState::Healthy
                    && self.is_pending()
                {
                    unknown
                } else {
                    StateChange {
                        state,
                        at,
                        since: Some(since).filter(|since| *since < at),
                        value,
                    }
                }
            }
        };
        if value.is_none() || turn.state != ConditionState::Unknown {
            self.returned_at = None;
        }
        turns.extend(self.report(turn));
        turns
    }

    /// True while a threshold is met, not yet for long enough.
    fn is_pending(&self) -> bool {
        [&self.degraded, &self.near_miss]
            .iter()
            .any(|alert| matches!(alert.phase, AlertPhase::Pending { .. }))
    }

    /// The thresholds that an observation meets; `None` if unknown.
    fn thresholds(&self, rule: &ConditionRule, reading: Observation) -> Option<ThresholdsMet> {
        match reading {
            Observation::Value(value) => {
                let held = self.latched
                    && rule
                        .recovered
                        .is_some_and(|recovered| !recovered.is_met_by(value));
                let beyond = rule.degraded.is_met_by(value);
                let near = rule
                    .near_miss
                    .is_some_and(|near_miss| beyond || near_miss.is_met_by(value));
                Some(ThresholdsMet {
                    degraded: beyond || held,
                    near_miss: near,
                })
            }
            Observation::Absent => match rule.no_data {
                ConditionState::Healthy => Some(ThresholdsMet {
                    degraded: false,
                    near_miss: false,
                }),
                ConditionState::Degraded => Some(ThresholdsMet {
                    degraded: true,
                    near_miss: rule.near_miss.is_some(),
                }),
                ConditionState::Unknown | ConditionState::NearMiss => None,
            },
            Observation::Failed => None,
        }
    }

    /// Steps both alerts; gives the later time since which a resolved one has not held.
    fn advance(
        &mut self,
        rule: &ConditionRule,
        at: Time,
        found: ThresholdsMet,
        value: Option<f64>,
    ) -> Option<Time> {
        let degraded = self.degraded.step(rule, at, found.degraded);
        // An absent series has not recovered.
        self.latched =
            self.degraded.firing().is_some() && (found.degraded || self.latched && value.is_none());
        let near_miss = self.near_miss.step(rule, at, found.near_miss);
        degraded.max(near_miss)
    }

    /// The state to report, and its start.
    fn state(&self, at: Time, ended: Option<Time>) -> (ConditionState, Time) {
        match (self.degraded.firing(), self.near_miss.firing()) {
            (Some(active_at), _) => (ConditionState::Degraded, active_at),
            // It was more than a near miss until that ended.
            (None, Some(active_at)) => (
                ConditionState::NearMiss,
                ended.map_or(active_at, |ended| ended.max(active_at)),
            ),
            (None, None) => (ConditionState::Healthy, ended.unwrap_or(at)),
        }
    }

    /// The change, unless the state was reported already.
    fn report(&mut self, turn: StateChange) -> Option<StateChange> {
        let before = self.reported.replace(turn.state);
        // A series that is healthy at first has not changed.
        let news = before.unwrap_or(ConditionState::Healthy) != turn.state;
        news.then_some(turn)
    }
}

/// The longest time between evaluations that is not a gap: a few may come late or be missed.
fn max_gap(rule: &ConditionRule) -> TimeDelta {
    TimeDelta::seconds(4 * rule.every)
}

/// The parts of a condition rule that identify its events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConditionIdentity {
    name: String,
    service: String,
    severity: Severity,
    metrics: String,
}

impl ConditionIdentity {
    /// The identity of a rule.
    #[must_use]
    pub fn from_rule(rule: &ConditionRule) -> Self {
        let ConditionRule {
            name,
            service,
            severity,
            metrics,
            ..
        } = rule;
        Self {
            name: name.clone(),
            service: service.clone(),
            severity: *severity,
            metrics: metrics.clone(),
        }
    }

    /// The event of a state change of the series with these labels.
    #[must_use]
    pub fn event(&self, labels: &Labels, turn: &StateChange) -> Event {
        let StateChange {
            state,
            at,
            since,
            value,
        } = *turn;
        let condition = Condition {
            name: self.name.clone(),
            state,
            severity: self.severity,
            labels: labels.into(),
            value,
            since,
        };
        let mut event = Event::new(&self.metrics, at, Fact::Condition(condition));
        event.service = Some(self.service.as_str().into());
        event.identify();
        event
    }
}

#[cfg(test)]
mod tests;
