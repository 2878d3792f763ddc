//! The evaluation context: what the criteria ask of one incident, computed once for all of them.

use std::cell::RefCell;
use std::rc::Rc;

use super::expr_context;
use super::finding::seconds;
use super::signal_classes::SignalClasses;
use crate::engine::environment::PRODUCTION;
use crate::engine::incident::degraded_time::{DegradedTime, degraded};
use crate::engine::incident::intervals;
use crate::engine::incident::tracked::TrackedIncidents;
use crate::engine::policy::Policy;
use crate::expr::Expr;
use crate::expr::facts::{Facts, Scope};
use crate::expr::truth::Truth;
use crate::model::event::{Event, Fact};
use crate::model::incident::Incident;
use crate::model::lifecycle::Phase;
use crate::model::signal::Signal;
use crate::model::spans::SpanState;
use crate::model::time::Time;
use crate::rules::rule_set::Criterion;

/// The four weeks over which a service's objective allows bad time.
const BUDGET_WINDOW: f64 = 28.0 * 86_400.0;

/// An incident under evaluation.
pub(crate) struct EvaluationContext<'a> {
    pub(crate) incident: &'a Incident,
    /// The fields of `incident` for `where`, with unknown time taken as healthy, and taken as
    /// degraded where that differs.
    facts: (Facts<'a>, Option<Facts<'a>>),
    signals: SignalClasses<'a>,
    /// Its members that are no alert, condition or lapse, in order: of a storm these are few.
    pub(crate) rest: Vec<&'a Event>,
    /// The next start of a near miss that is still ahead, from a sender whose clock is fast.
    pub(crate) near_miss_ahead: Option<Time>,
    /// The degraded time under each `where`, which many criteria have in common.
    degraded: RefCell<Vec<(Option<&'a str>, Rc<DegradedTime>)>>,
    pub(crate) others: &'a TrackedIncidents,
    pub(crate) policy: &'a Policy,
    pub(crate) now: Time,
    /// True if nothing is known after `now`, because a past log ended then.
    pub(crate) log_ended: bool,
}

impl<'a> EvaluationContext<'a> {
    pub(crate) fn new(
        incident: &'a Incident,
        others: &'a TrackedIncidents,
        policy: &'a Policy,
        now: Time,
    ) -> Self {
        let every = incident.signals.iter().map(|signal| (signal, Truth::True));
        let all = degraded(every, closed_at(incident).unwrap_or(now));
        let (lower, upper) = (
            seconds(intervals::total(&all.lower)),
            seconds(intervals::total(&all.upper)),
        );
        let objective = incident
            .services
            .first()
            .and_then(|name| policy.service(name)?.objective);
        let budget = objective
            .map(|percent| BUDGET_WINDOW * (100.0 - percent) / 100.0)
            .filter(|budget| *budget > 0.0);
        let facts = |seconds: f64| {
            expr_context::incident(incident, seconds, budget.map(|budget| seconds / budget))
        };
        let rest = incident
            .members
            .non_alerts()
            .map(|member| &*member.event)
            .filter(|event| {
                !matches!(
                    event.fact,
                    Fact::Alert(_) | Fact::Condition(_) | Fact::Lapsed(_)
                )
            })
            .collect();
        let spans = incident.signals.iter().flat_map(|signal| &signal.spans);
        Self {
            incident,
            facts: (facts(lower), (upper > lower).then(|| facts(upper))),
            signals: SignalClasses::from_incident(incident),
            rest,
            near_miss_ahead: spans
                .filter(|span| span.state == SpanState::NearMiss && span.start > now)
                .map(|span| span.start)
                .min(),
            degraded: RefCell::default(),
            others,
            policy,
            now,
            log_ended: false,
        }
    }

    /// The time at which the incident was closed, if it is.
    pub(crate) fn closed_at(&self) -> Option<Time> {
        closed_at(self.incident)
    }

    /// The value of a criterion's `where` for a part of the incident; unknown if it depends on how
    /// long the incident was degraded, and that is unknown.
    pub(crate) fn passes(&self, criterion: &Criterion, part: Option<&Facts>) -> Truth {
        let Some(filter) = &criterion.filter else {
            return Truth::True;
        };
        let evaluate = |facts: &Facts| {
            let scope = Scope::new().with(facts);
            filter.evaluate(&part.map_or(scope, |part| scope.with(part)))
        };
        let lower = evaluate(&self.facts.0);
        match &self.facts.1 {
            Some(upper) if evaluate(upper) != lower => {
                Truth::Unknown("the length of the degradation is not known".to_owned())
            }
            _ => lower,
        }
    }

    /// True if a signal with these fields would pass the criterion's `where`, if the incident was
    /// in production or where it is.
    pub(crate) fn would_pass(
        &self,
        criterion: &Criterion,
        in_production: bool,
        signal: &Facts,
    ) -> bool {
        let mut incident = self.facts.0.clone();
        if in_production {
            incident.set("environment", PRODUCTION);
        }
        criterion.filter.as_ref().is_none_or(|filter| {
            filter.evaluate(&Scope::new().with(&incident).with(signal)) == Truth::True
        })
    }

    /// Each signal with the value of the criterion's `where`.
    pub(crate) fn signals<'s>(
        &'s self,
        criterion: &'s Criterion,
    ) -> impl Iterator<Item = (&'a Signal, Truth)> + 's {
        self.signals
            .evaluate(move |facts| self.passes(criterion, Some(facts)))
    }

    /// The degraded time of the signals that pass the criterion's `where`.
    pub(crate) fn degraded(&self, criterion: &'a Criterion) -> Rc<DegradedTime> {
        let filter = criterion.filter.as_ref().map(Expr::source);
        let known = self
            .degraded
            .borrow()
            .iter()
            .find(|(known, _)| *known == filter)
            .map(|(_, found)| Rc::clone(found));
        known.unwrap_or_else(|| {
            let found = Rc::new(degraded(self.signals(criterion), self.now));
            self.degraded.borrow_mut().push((filter, Rc::clone(&found)));
            found
        })
    }
}

fn closed_at(incident: &Incident) -> Option<Time> {
    (incident.phase == Phase::Closed).then_some(incident.phase_since)
}
