//! Backtest of a condition over Prometheus history, with the evaluator used live.

use std::collections::BTreeSet;
use std::iter::Peekable;
use std::vec;

use chrono::TimeDelta;

use super::chunking::ChunkSize;
use super::error::HistoryError;
use super::scrape_coverage::{ScrapeCoverage, after, at_or_before};
use super::server::HistoryServer;
use crate::clients::error::ClientError;
use crate::clients::query_response::Series;
use crate::engine::conditions::evaluator::{ConditionEvaluator, QueryResult};
use crate::engine::conditions::promql_subset::sample_buffer::InstantVector;
use crate::model::event::Event;
use crate::model::labels::Labels;
use crate::model::time::Time;
use crate::rules::rule_set::ConditionRule;

/// Maximum number of rejected queries of minimal range before the query counts as invalid.
const MOST_REFUSED: usize = 200;
/// Maximum length of a query in messages, in characters.
const SHOWN: usize = 200;

/// Condition with the rule sets that contain it.
#[derive(Debug)]
pub(crate) struct Watched {
    rule: ConditionRule,
    of: BTreeSet<usize>,
    watches: ConditionEvaluator,
    piece: ChunkSize,
    /// Time of the first value.
    first: Option<Time>,
    /// Number of failed queries, and the message of the last.
    refused: usize,
    said: String,
    /// Maximum number of series beyond `max_series`.
    left_out: usize,
}

impl Watched {
    pub(crate) fn new(rule: &ConditionRule, set: usize) -> Self {
        Self {
            rule: rule.clone(),
            of: BTreeSet::from([set]),
            watches: ConditionEvaluator::default(),
            piece: ChunkSize::default(),
            first: None,
            refused: 0,
            said: String::new(),
            left_out: 0,
        }
    }

    /// Returns whether both are the same condition, regardless of place in the file.
    pub(crate) fn is(&self, rule: &ConditionRule) -> bool {
        ConditionRule {
            places: self.rule.places.clone(),
            ..rule.clone()
        } == self.rule
    }

    /// Adds a rule set that contains it.
    pub(crate) fn add(&mut self, set: usize) {
        self.of.insert(set);
    }

    pub(crate) fn rule_sets(&self) -> &BTreeSet<usize> {
        &self.of
    }

    pub(crate) fn first(&self) -> Option<Time> {
        self.first
    }

    pub(crate) fn remark(&self) -> Option<String> {
        let name = &self.rule.name;
        match (self.refused, self.left_out) {
            (0, 0) => None,
            (0, left_out) => Some(format!(
                "Condition `{name}`: {left_out} series beyond its `max_series` were left out."
            )),
            (refused, _) => Some(format!(
                "Condition `{name}` could not be evaluated in {refused} ranges and is unknown there: {}",
                self.said
            )),
        }
    }

    /// Evaluates the condition at its instants after `from` up to `until`.
    pub(crate) async fn read(
        &mut self,
        server: &HistoryServer,
        step: Option<TimeDelta>,
        looks: &ScrapeCoverage,
        from: Time,
        until: Time,
    ) -> Result<Vec<Event>, HistoryError> {
        let every = TimeDelta::seconds(self.rule.every).max(step.unwrap_or_default());
        let rule = ConditionRule {
            every: every.num_seconds(),
            ..self.rule.clone()
        };
        let mut events = Vec::new();
        let mut next = after(from, every);
        while next <= until {
            let last = at_or_before(self.piece.end(next, until), every).max(next);
            let answer = server
                .client()
                .query_range(&rule.query, next, last, every.to_std().unwrap_or_default())
                .await;
            let series = match answer {
                Ok(answer) => Some(answer.series),
                // A partial response counts as none.
                Err(ClientError::Partial { why, .. }) => self.refuse(why),
                // A single instant may be rejected, for example for duplicate series.
                Err(ClientError::Refused {
                    error_type,
                    message,
                    ..
                }) if error_type == "execution"
                    && !ChunkSize::can_shrink(last - next)
                    && self.refused < MOST_REFUSED =>
                {
                    self.refuse(message)
                }
                Err(fault) => {
                    let failed = self.piece.failed(last - next, fault, server.name()).await;
                    failed.map_err(|said| server.fault(&rule_text(&rule), (next, last), said))?;
                    continue;
                }
            };
            if series.is_some() {
                self.piece.answered();
            }
            self.evaluate(&rule, looks, (next, last), series, &mut events);
            next = last + every;
        }
        Ok(events)
    }

    /// Counts a failed query; returns no series.
    fn refuse<T>(&mut self, said: String) -> Option<T> {
        self.refused += 1;
        self.said = said;
        None
    }

    /// Evaluates the results of a query, instant by instant.
    fn evaluate(
        &mut self,
        rule: &ConditionRule,
        looks: &ScrapeCoverage,
        (from, until): (Time, Time),
        series: Option<Vec<Series>>,
        events: &mut Vec<Event>,
    ) {
        let every = TimeDelta::seconds(rule.every);
        let mut cursors =
            series.map(|series| series.into_iter().map(Cursor::new).collect::<Vec<_>>());
        let mut at = from;
        while at <= until {
            let values = cursors.as_mut().map(|cursors| {
                cursors
                    .iter_mut()
                    .filter_map(|cursor| cursor.value(at))
                    .collect::<InstantVector>()
            });
            let some = values.as_ref().is_some_and(|values| !values.is_empty());
            if some {
                self.first.get_or_insert(at);
            }
            // No data before the first value is not unknown.
            if some || self.first.is_some() {
                let answer = values
                    .filter(|_| looks.was_scraped_before(at))
                    .map_or(QueryResult::Failed, QueryResult::Whole);
                events.extend(self.watches.evaluate(rule, at, &answer));
                self.left_out = self.left_out.max(self.watches.left_out());
            }
            at += every;
        }
    }
}

/// Forward cursor over the points of a series.
struct Cursor {
    labels: Labels,
    points: Peekable<vec::IntoIter<(Time, f64)>>,
}

impl Cursor {
    fn new(Series { mut labels, points }: Series) -> Self {
        labels.remove("__name__");
        Self {
            labels,
            points: points.into_iter().peekable(),
        }
    }

    /// Value at an instant. Instants must ascend.
    fn value(&mut self, at: Time) -> Option<(Labels, f64)> {
        while self.points.next_if(|(time, _)| *time < at).is_some() {}
        self.points
            .next_if(|(time, _)| *time == at)
            .map(|(_, value)| (self.labels.clone(), value))
    }
}

fn rule_text(rule: &ConditionRule) -> String {
    let line = rule.query.split_whitespace().collect::<Vec<_>>().join(" ");
    let cut: String = line.chars().take(SHOWN).collect();
    format!(
        "condition `{}` (`{cut}{}`)",
        rule.name,
        if cut == line { "" } else { "…" }
    )
}
