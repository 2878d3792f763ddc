//! The criteria: what each asks of an incident, and its verdict with evidence, margin and sentence.

pub(crate) mod expr_context;
pub(crate) mod intervention;
pub(crate) mod near_miss;
pub(crate) mod signal_classes;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use chrono::TimeDelta;

use super::announce::explanation;
use super::incident::degraded_time::{DegradationMetric, DegradedTime, degraded};
use super::incident::index::{IncidentIndex, began, opening_thing};
use super::incident::intervals;
use super::{Policy, TrackedIncident, opener};
use crate::expr::Expr;
use crate::expr::facts::{Facts, Scope};
use crate::expr::truth::Truth;
use crate::model::event::{Event, Fact};
use crate::model::id::{EventId, IncidentId};
use crate::model::incident::Incident;
use crate::model::signal::{Signal, SignalKind};
use crate::model::spans::SpanState;
use crate::model::time::Time;
use crate::model::verdict::{Factor, Measure, Outcome, Unit, Verdict};
use crate::rules::rule_set::{Criterion, CriterionTest};
use signal_classes::SignalClasses;

/// The four weeks over which a service's objective allows bad time.
const BUDGET_WINDOW: f64 = 28.0 * 86_400.0;

/// All incidents, and which of them concern each other.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OtherIncidents<'a> {
    pub(crate) incidents: &'a BTreeMap<IncidentId, TrackedIncident>,
    pub(crate) index: &'a IncidentIndex,
}

impl<'a> OtherIncidents<'a> {
    pub(crate) fn get(&self, id: &IncidentId) -> Option<&'a Incident> {
        self.incidents.get(id).map(|tracked| &*tracked.incident)
    }
}

/// An incident before the court.
pub(crate) struct EvaluationContext<'a> {
    pub(crate) incident: &'a Incident,
    /// What `where` may ask of it, with everything unknown taken as healthy, and as degraded where that differs.
    facts: (Facts<'a>, Option<Facts<'a>>),
    signals: SignalClasses<'a>,
    /// Its members that tell of no alert and no condition, in order: of a storm these are few.
    pub(crate) rest: Vec<&'a Event>,
    /// Whether some signal declares an outage.
    declared: bool,
    /// When the next near miss begins that is still ahead, as a sender whose clock is ahead tells it.
    pub(crate) ahead: Option<Time>,
    /// The degraded time that each `where` asks for. Many criteria have one in common, and differ in how much is enough.
    asked: RefCell<Vec<(Option<&'a str>, Rc<DegradedTime>)>>,
    pub(crate) others: OtherIncidents<'a>,
    pub(crate) policy: &'a Policy,
    pub(crate) now: Time,
}

/// One verdict a criterion in the order of the rules, and when time alone could next change one.
pub(crate) fn verdicts(
    incident: &Incident,
    others: OtherIncidents,
    policy: &Policy,
    now: Time,
) -> (Vec<Verdict>, Option<Time>) {
    let case = EvaluationContext::new(incident, others, policy, now);
    let mut next = None;
    let verdicts = policy
        .rules
        .criteria
        .iter()
        .map(|criterion| case.verdict(criterion, &mut next))
        .collect();
    (verdicts, next)
}

/// What a test found; the verdict adds the criterion's own part.
#[derive(Debug)]
pub(crate) struct Finding {
    pub(crate) outcome: Outcome,
    pub(crate) measure: Option<Measure>,
    pub(crate) factors: Vec<Factor>,
    pub(crate) evidence: Vec<EventId>,
    pub(crate) sentence: String,
    pub(crate) would_change: String,
}

impl Finding {
    pub(crate) fn new(
        outcome: Outcome,
        measure: Option<Measure>,
        evidence: Vec<EventId>,
        words: (String, String),
    ) -> Self {
        Self {
            outcome,
            measure,
            factors: Vec::new(),
            evidence,
            sentence: words.0,
            would_change: words.1,
        }
    }
}

impl<'a> EvaluationContext<'a> {
    pub(crate) fn new(
        incident: &'a Incident,
        others: OtherIncidents<'a>,
        policy: &'a Policy,
        now: Time,
    ) -> Self {
        let every = incident.signals.iter().map(|signal| (signal, Truth::True));
        let all = degraded(every, incident.phase, incident.phase_since, now);
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
        let told = incident.members.told().map(|member| &*member.event);
        let rest = told
            .filter(|event| {
                !matches!(
                    event.fact,
                    Fact::Alert(_) | Fact::Condition(_) | Fact::Lapsed(_)
                )
            })
            .collect();
        let facts = (facts(lower), (upper > lower).then(|| facts(upper)));
        let declared = incident.signals.iter().any(declares);
        let spans = incident.signals.iter().flat_map(|signal| &signal.spans);
        let ahead = spans
            .filter(|span| span.state == SpanState::NearMiss && span.start > now)
            .map(|span| span.start)
            .min();
        Self {
            incident,
            signals: SignalClasses::of(incident),
            rest,
            declared,
            ahead,
            asked: RefCell::default(),
            facts,
            others,
            policy,
            now,
        }
    }

    fn verdict(&self, criterion: &'a Criterion, next: &mut Option<Time>) -> Verdict {
        let finding = match &criterion.test {
            CriterionTest::Outage => self.outage(criterion),
            CriterionTest::Degradation { longest, total } => {
                self.degradation(criterion, *longest, *total, next)
            }
            CriterionTest::Intervention { at_least } => self.intervention(criterion, *at_least),
            CriterionTest::Request => self.request(criterion),
            CriterionTest::NearMiss {
                score_at_least,
                quiet_for,
                at_most,
            } => self.near_miss(
                criterion,
                *score_at_least,
                TimeDelta::seconds(*quiet_for),
                (at_most.0, TimeDelta::seconds(at_most.1)),
                next,
            ),
            CriterionTest::Recurrence { times, within } => {
                self.recurrence(criterion, *times, TimeDelta::seconds(*within))
            }
        };
        Verdict {
            criterion: criterion.name.clone(),
            on: criterion.test.kind(),
            outcome: finding.outcome,
            decision: criterion.decision,
            shadow: criterion.shadow,
            measure: finding.measure,
            factors: finding.factors,
            evidence: finding.evidence,
            sentence: finding.sentence,
            would_change: finding.would_change,
        }
    }

    /// Whether `where` lets it pass. What hangs on time of which nobody can say is unknown.
    pub(crate) fn holds(&self, criterion: &Criterion, part: Option<&Facts>) -> Truth {
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
                Truth::Unknown("how long it was degraded is not known".to_owned())
            }
            _ => lower,
        }
    }

    /// Each signal with whether `where` lets it pass.
    fn signals<'s>(
        &'s self,
        criterion: &'s Criterion,
    ) -> impl Iterator<Item = (&'a Signal, Truth)> + 's {
        self.signals
            .asked(move |facts| self.holds(criterion, Some(facts)))
    }

    fn outage(&self, criterion: &Criterion) -> Finding {
        let declared = self.declared.then(|| {
            self.signals(criterion)
                .filter(|(signal, _)| declares(signal))
        });
        let judged = declared
            .into_iter()
            .flatten()
            .map(|(signal, truth)| (signal.event, signal.name.to_string(), truth));
        let (outcome, evidence, named, why) = any(judged);
        Finding::new(
            outcome,
            None,
            evidence,
            explanation::outage(self.incident, outcome, named.as_deref(), why.as_deref()),
        )
    }

    fn request(&self, criterion: &Criterion) -> Finding {
        let judged = self.rest.iter().filter_map(|event| match &event.fact {
            Fact::Request(request) => {
                let part = expr_context::request(event, request);
                let who = request
                    .requester
                    .clone()
                    .unwrap_or_else(|| "A stakeholder".to_owned());
                let words = format!(
                    "{who} asked for a postmortem: {}",
                    explanation::clip(&request.reason, 200)
                );
                Some((event.id, words, self.holds(criterion, Some(&part))))
            }
            _ => None,
        });
        let (outcome, evidence, words, why) = any(judged);
        Finding::new(
            outcome,
            None,
            evidence,
            explanation::request(outcome, words.as_deref(), why.as_deref()),
        )
    }

    /// The degraded time that the criterion asks for.
    fn degraded(&self, criterion: &'a Criterion) -> Rc<DegradedTime> {
        let filter = criterion.filter.as_ref().map(Expr::source);
        let known = self
            .asked
            .borrow()
            .iter()
            .find(|(asked, _)| *asked == filter)
            .map(|(_, found)| Rc::clone(found));
        known.unwrap_or_else(|| {
            let found = Rc::new(degraded(
                self.signals(criterion),
                self.incident.phase,
                self.incident.phase_since,
                self.now,
            ));
            self.asked.borrow_mut().push((filter, Rc::clone(&found)));
            found
        })
    }

    fn degradation(
        &self,
        criterion: &'a Criterion,
        longest: Option<i64>,
        total: Option<(i64, i64)>,
        next: &mut Option<Time>,
    ) -> Finding {
        let found = self.degraded(criterion);
        sooner(next, found.ahead);
        let bridge = TimeDelta::seconds(self.policy.rules.correlation.bridge);
        let counts = longest.map(|required| (DegradationMetric::Longest { bridge }, required));
        let counts = counts.into_iter().chain(total.map(|(required, within)| {
            (
                DegradationMetric::Within(TimeDelta::seconds(within)),
                required,
            )
        }));
        // Either way of counting suffices; the one that is closest speaks.
        let taken = counts.map(|(count, required)| self.count(&found, count, required, next));
        let best = taken.max_by(|(a, _), (b, _)| {
            let share = |measure: &Measure| {
                (
                    measure.lower / measure.required,
                    measure.upper / measure.required,
                )
            };
            share(a)
                .partial_cmp(&share(b))
                .unwrap_or(std::cmp::Ordering::Equal)
        });
        let Some((measure, count)) = best else {
            return Finding::new(Outcome::NotMet, None, Vec::new(), Default::default());
        };
        let outcome = outcome(
            measure.lower >= measure.required,
            measure.upper >= measure.required,
        );
        let subject = explanation::subject(self.incident, found.service.as_deref());
        let words = explanation::degradation(&subject, outcome, &measure, count, found.lasting);
        Finding::new(outcome, Some(measure), found.evidence.clone(), words)
    }

    fn count(
        &self,
        found: &DegradedTime,
        count: DegradationMetric,
        required: i64,
        next: &mut Option<Time>,
    ) -> (Measure, DegradationMetric) {
        let needed = TimeDelta::seconds(required);
        if found.lasting && count.of(&found.lower) < needed {
            sooner(next, count.reached(&found.lower, needed, self.now));
        }
        if (found.lasting || found.maybe_lasting) && count.of(&found.upper) < needed {
            sooner(next, count.reached(&found.upper, needed, self.now));
        }
        let (lower, upper) = (
            seconds(count.of(&found.lower)),
            seconds(count.of(&found.upper)),
        );
        let measure = Measure::new(lower, upper, seconds(needed), Unit::Seconds);
        (measure, count)
    }

    fn recurrence(&self, criterion: &Criterion, required: u32, within: TimeDelta) -> Finding {
        let Some(thing) = opening_thing(self.incident) else {
            return Finding::new(
                Outcome::NotMet,
                None,
                Vec::new(),
                explanation::nothing_to_recur(),
            );
        };
        let ours = began(self.incident);
        let of_thing = self.others.index.of_thing(&thing, ours - within, ours);
        let earlier = of_thing
            .filter(|(_, id)| *id != self.incident.id)
            .filter_map(|(_, id)| self.others.get(id));
        let same = earlier.filter(|other| opening_thing(other).as_ref() == Some(&thing));
        let mut evidence: Vec<EventId> = same.filter_map(opener).map(|event| event.id).collect();
        evidence.extend(opener(self.incident).map(|event| event.id));
        let measure = times(evidence.len(), evidence.len(), required);
        let truth = self.holds(criterion, None);
        let enough = measure.lower >= measure.required;
        let outcome = match truth {
            Truth::True => outcome(enough, enough),
            Truth::False => Outcome::NotMet,
            Truth::Unknown(_) => outcome(false, enough),
        };
        let words = explanation::recurrence(
            self.incident,
            outcome,
            &measure,
            within,
            &thing.1,
            truth == Truth::False,
        );
        Finding::new(outcome, Some(measure), evidence, words)
    }
}

/// Whether a signal tells of an outage: an alert that people labelled so declares what it tells of.
fn declares(signal: &Signal) -> bool {
    (signal.kind == SignalKind::Declaration || signal.role.as_deref() == Some("outage"))
        && signal
            .spans
            .iter()
            .any(|span| span.state == SpanState::Degraded)
}

/// Met if any part passes, unknown if any may. Gives the evidence, the words of the first, and why it is unknown.
fn any(
    judged: impl Iterator<Item = (EventId, String, Truth)>,
) -> (Outcome, Vec<EventId>, Option<String>, Option<String>) {
    let parts: Vec<(EventId, String, Truth)> = judged.collect();
    let sure: Vec<&(EventId, String, Truth)> =
        parts.iter().filter(|part| part.2 == Truth::True).collect();
    if let Some(first) = sure.first() {
        return (
            Outcome::Met,
            sure.iter().map(|part| part.0).collect(),
            Some(first.1.clone()),
            None,
        );
    }
    for (event, words, truth) in &parts {
        if let Truth::Unknown(why) = truth {
            return (
                Outcome::Unknown,
                vec![*event],
                Some(words.clone()),
                Some(why.clone()),
            );
        }
    }
    (
        Outcome::NotMet,
        Vec::new(),
        parts.first().map(|part| part.1.clone()),
        None,
    )
}

pub(crate) fn outcome(lower_suffices: bool, upper_suffices: bool) -> Outcome {
    match (lower_suffices, upper_suffices) {
        (true, _) => Outcome::Met,
        (false, true) => Outcome::Unknown,
        (false, false) => Outcome::NotMet,
    }
}

pub(crate) fn sooner(next: &mut Option<Time>, other: Option<Time>) {
    *next = next.iter().copied().chain(other).min();
}

#[expect(
    clippy::cast_precision_loss,
    reason = "durations and counts of an incident are far below 2^52"
)]
pub(crate) fn seconds(time: TimeDelta) -> f64 {
    time.num_milliseconds() as f64 / 1000.0
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of an incident are far below 2^52"
)]
pub(crate) fn times(lower: usize, upper: usize, required: u32) -> Measure {
    Measure::new(lower as f64, upper as f64, f64::from(required), Unit::Times)
}
