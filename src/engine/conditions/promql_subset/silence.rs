//! Silence of pushed samples: a target that stops sending without an end marker gives no answer.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use chrono::TimeDelta;

use super::sample_buffer::{LE, LOOKBACK, PACED, SampleBuffer, UP, last};
use crate::engine::conditions::evaluator::QueryResult;
use crate::model::labels::Labels;
use crate::model::sample::is_stale;
use crate::model::time::Time;
use crate::rules::promql::PromqlQuery;

/// The target of a series: `job` and `instance`, or the series itself without both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Target<'a> {
    Named(&'a str, &'a str),
    Alone(&'a str, &'a Labels),
}

/// The liveness of a series; that of a target is the first of its series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Liveness {
    /// The newest sample is at most one and a half intervals old.
    Live,
    /// No samples came any more, without an end marker.
    Silent,
    /// Marked as ended.
    Ended,
}

impl SampleBuffer {
    /// The result of a query on pushed samples at `at`, without what silent targets would have sent.
    ///
    /// The series of a silent target are left out. If no series of the query is live, all targets it
    /// may be about must be: with none, or a silent one, there is no answer.
    #[must_use]
    pub fn answer_of_pushed(&self, query: &PromqlQuery, at: Time) -> QueryResult {
        let (mut targets, mut own) = (BTreeMap::new(), Vec::new());
        let selectors = query.selectors();
        for selector in &selectors {
            for (labels, samples) in self
                .metrics
                .get(&selector.name)
                .into_iter()
                .flatten()
                .filter(|(labels, _)| selector.selects(labels))
            {
                let target = record(&mut targets, &selector.name, labels, samples, at);
                own.extend(target.map(|target| (target, labels)));
            }
        }
        let owners: BTreeSet<Target<'_>> = own.iter().map(|(target, _)| *target).collect();
        for (labels, samples) in self.metrics.get(UP).into_iter().flatten() {
            let asked = selectors
                .iter()
                .any(|selector| selector.may_be_about(labels));
            if asked || owners.contains(&target(UP, labels)) {
                record(&mut targets, UP, labels, samples, at);
            }
        }
        let stands = |with: Liveness| targets.iter().any(move |(_, standing)| *standing == with);
        let own_goes_on = owners
            .iter()
            .any(|owner| targets.get(owner) == Some(&Liveness::Live));
        if !stands(Liveness::Live) || !own_goes_on && stands(Liveness::Silent) {
            return QueryResult::Failed;
        }
        let silent = own
            .iter()
            .filter(|(target, _)| targets.get(target) == Some(&Liveness::Silent));
        let open: BTreeSet<Labels> = silent
            .map(|(_, labels)| result_labels(query, labels))
            .collect();
        let values = self.answer(query, at);
        if open.is_empty() {
            return QueryResult::Whole(values);
        }
        QueryResult::Partial(
            values
                .into_iter()
                .filter(|(labels, _)| !open.contains(labels))
                .collect(),
        )
    }
}

fn target<'a>(name: &'a str, labels: &'a Labels) -> Target<'a> {
    match (labels.get("job"), labels.get("instance")) {
        (Some(job), Some(instance)) => Target::Named(job, instance),
        _ => Target::Alone(name, labels),
    }
}

/// Records the liveness of a series for its target; `None` if the series began later.
fn record<'a>(
    targets: &mut BTreeMap<Target<'a>, Liveness>,
    name: &'a str,
    labels: &'a Labels,
    samples: &VecDeque<(Time, f64)>,
    at: Time,
) -> Option<Target<'a>> {
    let (taken, value) = last(samples, at)?;
    let standing = if is_stale(value) {
        Liveness::Ended
    } else if at - taken <= liveness_window(samples) {
        Liveness::Live
    } else {
        Liveness::Silent
    };
    let target = target(name, labels);
    targets
        .entry(target)
        .and_modify(|known| *known = standing.min(*known))
        .or_insert(standing);
    Some(target)
}

/// The age up to which a sample shows a live sender; the lookback while the interval is unknown.
fn liveness_window(samples: &VecDeque<(Time, f64)>) -> TimeDelta {
    let mut times = samples.iter().rev().take(PACED).map(|(at, _)| *at);
    let mut later = times.next();
    let mut apart: Vec<TimeDelta> = times
        .filter_map(|at| Some(later.replace(at)? - at))
        .collect();
    apart.sort_unstable();
    apart
        .get(apart.len() / 2)
        .map_or(LOOKBACK, |pace| (*pace + *pace / 2).min(LOOKBACK))
}

/// The labels in a query's result of a series with `labels`.
fn result_labels(query: &PromqlQuery, labels: &Labels) -> Labels {
    match query {
        PromqlQuery::Newest(_) | PromqlQuery::Change { .. } => labels.clone(),
        PromqlQuery::Fold { of, groups, .. } => groups.grouping_labels(&result_labels(of, labels)),
        PromqlQuery::Ratio { of, agree, .. } => agree.grouping_labels(&result_labels(of, labels)),
        PromqlQuery::Scaled { of, .. } => result_labels(of, labels),
        PromqlQuery::Quantile { of, .. } => {
            let mut labels = result_labels(of, labels);
            labels.remove(LE);
            labels
        }
    }
}
