//! Whether anybody looked: samples that are pushed end as their sender does, and its silence is no answer.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use chrono::TimeDelta;

use super::{LE, LOOKBACK, PACED, SampleBuffer, UP, last};
use crate::engine::conditions::evaluator::QueryResult;
use crate::model::labels::Labels;
use crate::model::sample::is_stale;
use crate::model::time::Time;
use crate::rules::promql::PromqlQuery;

/// Whose series it is: of the target that `job` and `instance` name, or its own where it has not both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Target<'a> {
    Named(&'a str, &'a str),
    Alone(&'a str, &'a Labels),
}

/// How a series or a target stands, the surest first: of a target that counts which its surest series says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Liveness {
    /// Its newest sample is no older than half as much again as they are usually apart.
    GoesOn,
    /// Nothing came any more, and nobody said that it ended.
    Silent,
    /// It was marked as ended.
    Ended,
}

impl SampleBuffer {
    /// What a query on pushed samples gives at `at`, as far as somebody looked.
    ///
    /// A target that fell silent without an end leaves open what its series would say. Where the query has no series that goes on, whoever it may
    /// be about must go on: without anybody, or with one of them silent, there is no answer.
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
                .filter(|(labels, _)| selector.takes(labels))
            {
                let target = note(&mut targets, &selector.name, labels, samples, at);
                own.extend(target.map(|target| (target, labels)));
            }
        }
        let owners: BTreeSet<Target<'_>> = own.iter().map(|(target, _)| *target).collect();
        for (labels, samples) in self.metrics.get(UP).into_iter().flatten() {
            let asked = selectors
                .iter()
                .any(|selector| selector.may_be_about(labels));
            if asked || owners.contains(&target(UP, labels)) {
                note(&mut targets, UP, labels, samples, at);
            }
        }
        let stands = |with: Liveness| targets.iter().any(move |(_, standing)| *standing == with);
        let own_goes_on = owners
            .iter()
            .any(|owner| targets.get(owner) == Some(&Liveness::GoesOn));
        if !stands(Liveness::GoesOn) || !own_goes_on && stands(Liveness::Silent) {
            return QueryResult::Failed;
        }
        let silent = own
            .iter()
            .filter(|(target, _)| targets.get(target) == Some(&Liveness::Silent));
        let open: BTreeSet<Labels> = silent.map(|(_, labels)| told_as(query, labels)).collect();
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

/// Notes how the target of a series stands by it; nothing where the series began only later.
fn note<'a>(
    targets: &mut BTreeMap<Target<'a>, Liveness>,
    name: &'a str,
    labels: &'a Labels,
    samples: &VecDeque<(Time, f64)>,
    at: Time,
) -> Option<Target<'a>> {
    let (taken, value) = last(samples, at)?;
    let standing = if is_stale(value) {
        Liveness::Ended
    } else if at - taken <= within(samples) {
        Liveness::GoesOn
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

/// How long a sample of a series vouches for whoever took it. As long as a sample stands, where one cannot tell yet how often they come.
fn within(samples: &VecDeque<(Time, f64)>) -> TimeDelta {
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

/// The labels by which a query tells of a series with `labels`.
fn told_as(query: &PromqlQuery, labels: &Labels) -> Labels {
    match query {
        PromqlQuery::Newest(_) | PromqlQuery::Change { .. } => labels.clone(),
        PromqlQuery::Fold { of, groups, .. } => groups.of(&told_as(of, labels)),
        PromqlQuery::Ratio { of, agree, .. } => agree.of(&told_as(of, labels)),
        PromqlQuery::Scaled { of, .. } => told_as(of, labels),
        PromqlQuery::Quantile { of, .. } => {
            let mut labels = told_as(of, labels);
            labels.remove(LE);
            labels
        }
    }
}
