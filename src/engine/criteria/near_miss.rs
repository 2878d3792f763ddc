//! Near misses: how much there is to learn from one, and which one a quiet time is used for.

use chrono::TimeDelta;

use super::expr_context;
use super::{EvaluationContext, Finding, OtherIncidents, sooner};
use crate::engine::Policy;
use crate::engine::announce::explanation;
use crate::engine::incident::index::{RecurrenceKey, began, scopes};
use crate::expr::facts::Facts;
use crate::expr::truth::Truth;
use crate::model::correction::Answer;
use crate::model::event::{ConditionState, Fact, Severity};
use crate::model::id::{EventId, IncidentId};
use crate::model::incident::Incident;
use crate::model::lifecycle::ReviewState;
use crate::model::signal::Signal;
use crate::model::spans::SpanState;
use crate::model::time::Time;
use crate::model::verdict::{CriterionKind, Factor, Measure, Outcome, Unit, Verdict};
use crate::rules::rule_set::{Comparison, Criterion, CriterionTest};

/// What was not seen for so long is new.
pub(crate) const NEW_AFTER: TimeDelta = TimeDelta::days(90);
/// What came three times within this comes often.
const OFTEN_WITHIN: TimeDelta = TimeDelta::days(30);
/// How close it came where nobody said and nothing measured it.
const UNSTATED_CLOSENESS: f64 = 0.5;

/// Something that nearly happened, with what its score is made of.
struct NearMissCandidate {
    event: EventId,
    what: String,
    at: Time,
    score: f64,
    factors: Vec<Factor>,
    /// Whether `where` lets it pass.
    truth: Truth,
}

/// A near miss of a scope, as it competes for a place.
struct Competitor {
    at: Time,
    score: f64,
    id: IncidentId,
    what: String,
}

/// The stretch in which an incident's near miss competes, and what came of that.
enum QuotaPeriod {
    /// It is too close to something that was held.
    NotQuiet {
        held: String,
        quiet_from: Time,
    },
    /// It ends at `tick`; until then a better one may come.
    Open {
        tick: Time,
        rivals: usize,
    },
    Won {
        rivals: usize,
    },
    Lost {
        to: String,
        score: f64,
    },
}

impl EvaluationContext<'_> {
    pub(crate) fn near_miss(
        &self,
        criterion: &Criterion,
        floor: f64,
        quiet_for: TimeDelta,
        at_most: (u32, TimeDelta),
        next: &mut Option<Time>,
    ) -> Finding {
        sooner(next, self.ahead);
        let Some(best) = self.best_near_miss(criterion) else {
            return Finding::new(
                Outcome::NotMet,
                None,
                Vec::new(),
                explanation::no_near_miss(),
            );
        };
        let measure = Measure::new(best.score, best.score, floor, Unit::Score);
        let what = &best.what;
        let score = explanation::score(best.score);
        let (outcome, words) = if self.incident.signals.iter().any(was_degraded) {
            let words = format!("{what}: more than a near miss, the incident was degraded.");
            (
                Outcome::NotMet,
                (words, "Nothing: other criteria judge it.".to_owned()),
            )
        } else if best.score < floor {
            let words = format!(
                "{what} scores {score} of the {} it takes.",
                explanation::score(floor)
            );
            (
                Outcome::NotMet,
                (
                    words,
                    format!("A score of at least {}.", explanation::score(floor)),
                ),
            )
        } else {
            self.compete(criterion, &best, floor, quiet_for, at_most, next)
        };
        Finding {
            factors: best.factors,
            ..Finding::new(outcome, Some(measure), vec![best.event], words)
        }
    }

    fn compete(
        &self,
        criterion: &Criterion,
        best: &NearMissCandidate,
        floor: f64,
        quiet_for: TimeDelta,
        at_most: (u32, TimeDelta),
        next: &mut Option<Time>,
    ) -> (Outcome, (String, String)) {
        let what = &best.what;
        match self.period(criterion, best, floor, quiet_for, at_most) {
            QuotaPeriod::NotQuiet { held, quiet_from } => {
                let words = format!(
                    "{what} was close, but the time was not quiet: a postmortem on {held} was held within {}.",
                    explanation::span(quiet_for)
                );
                (
                    Outcome::NotMet,
                    (
                        words,
                        format!(
                            "No postmortem held until {}.",
                            explanation::instant(quiet_from)
                        ),
                    ),
                )
            }
            QuotaPeriod::Open { tick, rivals } => {
                sooner(next, Some(tick));
                let when = explanation::instant(tick);
                let (of, best_of) = (
                    explanation::near_misses(rivals),
                    explanation::best_of(at_most.0),
                );
                let words = format!(
                    "{what} was close; {best_of} of the period is suggested on {when}, and there is {of} so far."
                );
                (
                    Outcome::NotMet,
                    (words, format!("No better one until {when}.")),
                )
            }
            QuotaPeriod::Won { rivals } => {
                let outcome = if best.truth == Truth::True {
                    Outcome::Met
                } else {
                    Outcome::Unknown
                };
                let words = format!(
                    "{what}: the best of {} in a quiet time, score {}; nothing was held for {}.",
                    explanation::near_misses(rivals),
                    explanation::score(best.score),
                    explanation::span(quiet_for)
                );
                (
                    outcome,
                    (
                        words,
                        "Degraded time, or a postmortem held meanwhile.".to_owned(),
                    ),
                )
            }
            QuotaPeriod::Lost { to, score } => {
                let score = explanation::score(score);
                let words = format!(
                    "{what} was close, but {to} was more so in the same period (score {score})."
                );
                (Outcome::NotMet, (words, format!("A score above {score}.")))
            }
        }
    }

    /// Once a scope is quiet, each period beginning with its first near miss ends with the suggestion of the best one.
    fn period(
        &self,
        criterion: &Criterion,
        best: &NearMissCandidate,
        floor: f64,
        quiet_for: TimeDelta,
        (most, length): (u32, TimeDelta),
    ) -> QuotaPeriod {
        let scope = self
            .others
            .index
            .of_scope(&self.incident.id, scopes(self.incident));
        let mut rivals: Vec<Competitor> = scope
            .iter()
            .filter_map(|id| self.others.get(id))
            // An answer takes it out, and so does another reason to look into it.
            .filter(|other| {
                other.review.is_none()
                    && !of_other_criteria(other, criterion)
                    && !other.signals.iter().any(was_degraded)
            })
            .filter_map(|other| {
                let near = EvaluationContext::new(other, self.others, self.policy, self.now)
                    .best_near_miss(criterion)?;
                (near.score >= floor).then(|| Competitor {
                    at: near.at,
                    score: near.score,
                    id: other.id.clone(),
                    what: near.what,
                })
            })
            .collect();
        let held: Vec<(Time, &str)> = scope
            .iter()
            .filter_map(|id| held_at(self.others.get(id)?))
            .collect();
        let ours = Competitor {
            at: best.at,
            score: best.score,
            id: self.incident.id.clone(),
            what: best.what.clone(),
        };
        let (at, id) = (ours.at, ours.id.clone());
        rivals.push(ours);
        rivals.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
        let mut tick = None;
        for rival in &rivals {
            if tick.is_some_and(|tick| rival.at <= tick) {
                continue;
            }
            // Whether it is quiet when the period would end; else what came now can begin none.
            let end = rival.at + length;
            let last = held.iter().filter(|(held, _)| *held < end).max();
            let quiet_from = last.map(|(held, _)| *held + quiet_for);
            if let (Some((_, held)), Some(quiet_from)) =
                (last, quiet_from.filter(|from| *from > end))
            {
                if rival.id == id {
                    return QuotaPeriod::NotQuiet {
                        held: (*held).to_owned(),
                        quiet_from,
                    };
                }
                continue;
            }
            tick = Some(end);
            if at <= end {
                break;
            }
        }
        let Some(tick) = tick else {
            return QuotaPeriod::Open {
                tick: at + length,
                rivals: 1,
            };
        };
        let mut contest: Vec<&Competitor> = rivals
            .iter()
            .filter(|rival| tick - length <= rival.at && rival.at <= tick)
            .collect();
        if self.now < tick {
            return QuotaPeriod::Open {
                tick,
                rivals: contest.len(),
            };
        }
        contest.sort_by(|a, b| {
            b.score
                .total_cmp(&a.score)
                .then(b.at.cmp(&a.at))
                .then(a.id.cmp(&b.id))
        });
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        match contest.iter().position(|rival| rival.id == id) {
            Some(place) if place >= most => QuotaPeriod::Lost {
                to: contest[0].what.clone(),
                score: contest[0].score,
            },
            _ => QuotaPeriod::Won {
                rivals: contest.len(),
            },
        }
    }

    /// The near miss of this incident from which there is most to learn.
    fn best_near_miss(&self, criterion: &Criterion) -> Option<NearMissCandidate> {
        let reported = self.rest.iter().filter_map(|event| match &event.fact {
            Fact::NearMiss(near) => {
                let thing = (
                    event.service.clone().unwrap_or_default(),
                    near.what.as_str().into(),
                );
                let closeness = near.closeness.map(|closeness| (closeness, "as reported"));
                let (score, factors) = self.score(
                    near.severity,
                    closeness,
                    near.by_luck,
                    near.barriers_left,
                    &thing,
                );
                let part = expr_context::near_miss(event, near, score);
                Some(self.near(
                    criterion,
                    event.id,
                    &near.what,
                    event.occurred_at,
                    (score, factors),
                    &part,
                ))
            }
            _ => None,
        });
        let seen = self.incident.signals.iter().filter_map(|signal| {
            let span = signal
                .spans
                .iter()
                .find(|span| span.state == SpanState::NearMiss && span.start <= self.now)?;
            let thing = (
                signal.service.clone().unwrap_or_default(),
                signal.name.clone(),
            );
            let closeness = self.measured_closeness(signal);
            let (score, factors) = self.score(signal.severity, closeness, false, None, &thing);
            let part = expr_context::near_miss_signal(
                signal,
                score,
                closeness.map(|(closeness, _)| closeness),
            );
            Some(self.near(
                criterion,
                signal.event,
                &signal.name,
                span.start,
                (score, factors),
                &part,
            ))
        });
        let passing = reported
            .chain(seen)
            .filter(|near| near.truth != Truth::False);
        passing.max_by(|a, b| a.score.total_cmp(&b.score).then(a.at.cmp(&b.at)))
    }

    fn near(
        &self,
        criterion: &Criterion,
        event: EventId,
        what: &str,
        at: Time,
        (score, factors): (f64, Vec<Factor>),
        part: &Facts,
    ) -> NearMissCandidate {
        let truth = self.holds(criterion, Some(part));
        NearMissCandidate {
            event,
            what: explanation::clip(what, 120),
            at,
            score,
            factors,
            truth,
        }
    }

    /// How bad it would have been, times what still stood between, times how close it came, more if it was luck or is new or comes often.
    fn score(
        &self,
        severity: Severity,
        closeness: Option<(f64, &str)>,
        by_luck: bool,
        barriers_left: Option<u32>,
        thing: &RecurrenceKey,
    ) -> (f64, Vec<Factor>) {
        let factor = |name: &str, value: f64, why: &str| Factor {
            name: name.to_owned(),
            value,
            why: why.to_owned(),
        };
        let mut factors = vec![match severity {
            Severity::None | Severity::Info => factor("severity", 1.0, "info"),
            Severity::Unknown => factor("severity", 3.0, "not stated"),
            Severity::Warning => factor("severity", 10.0, "warning"),
            Severity::Critical => factor("severity", 30.0, "critical"),
        }];
        factors.extend(barriers_left.map(|left| match left {
            0 => factor("barriers", 1.0, "none left"),
            1 => factor("barriers", 0.3, "one left"),
            2 => factor("barriers", 0.1, "two left"),
            _ => factor("barriers", 0.03, "three or more left"),
        }));
        factors.push(match closeness {
            Some((closeness, why)) => factor("closeness", closeness.clamp(0.0, 1.0), why),
            None => factor(
                "closeness",
                UNSTATED_CLOSENESS,
                "not stated, taken as half way",
            ),
        });
        if by_luck {
            factors.push(factor("luck", 2.0, "noticed by luck"));
        }
        let until = began(self.incident);
        let earlier = |within: TimeDelta| {
            let of_thing = self.others.index.of_thing(thing, until - within, until);
            of_thing.filter(|(_, id)| *id != self.incident.id).count()
        };
        if earlier(NEW_AFTER) == 0 {
            factors.push(factor("novelty", 1.5, "not seen in the 90 days before"));
        } else if earlier(OFTEN_WITHIN) >= 2 {
            factors.push(factor("novelty", 1.5, "three times or more within 30 days"));
        }
        (factors.iter().map(|factor| factor.value).product(), factors)
    }

    /// The worst value of a condition against the threshold that makes it degraded.
    fn measured_closeness(&self, signal: &Signal) -> Option<(f64, &'static str)> {
        let rule = self
            .policy
            .rules
            .conditions
            .iter()
            .find(|rule| *rule.name == *signal.name)?;
        let limit = rule.degraded.value;
        let values = self
            .incident
            .members
            .told()
            .filter_map(|member| match &member.event.fact {
                Fact::Condition(condition)
                    if member.event.subject == signal.subject
                        && condition.state == ConditionState::NearMiss =>
                {
                    condition.value
                }
                _ => None,
            });
        let shares = values.map(|value| match rule.degraded.comparison {
            Comparison::Below | Comparison::AtMost => limit / value,
            _ => value / limit,
        });
        shares
            .filter(|share| share.is_finite())
            .max_by(f64::total_cmp)
            .map(|share| (share, "the worst value against the threshold"))
    }
}

/// What others that compete with it, or wait for a quiet time, ask of an incident.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct NearMissState {
    scores: Vec<(String, Option<f64>, Vec<EventId>)>,
    announced: Option<(Time, Vec<String>)>,
    standing: ReviewState,
    answered: bool,
    degraded: bool,
    scopes: Vec<String>,
}

pub(crate) fn stance(incident: &Incident) -> NearMissState {
    let of_near_misses = incident
        .verdicts
        .iter()
        .filter(|verdict| verdict.on == CriterionKind::NearMiss);
    let score = |verdict: &Verdict| {
        (
            verdict.criterion.clone(),
            verdict.measure.map(|measure| measure.lower),
            verdict.evidence.clone(),
        )
    };
    NearMissState {
        scores: of_near_misses.map(score).collect(),
        announced: incident
            .announced
            .as_ref()
            .map(|announced| (announced.at, announced.criteria.clone())),
        standing: incident.standing,
        answered: incident.review.is_some(),
        degraded: incident.signals.iter().any(was_degraded),
        scopes: scopes(incident).to_vec(),
    }
}

/// Whether an incident was suggested for what is no near miss.
fn of_other_criteria(incident: &Incident, criterion: &Criterion) -> bool {
    incident
        .announced
        .as_ref()
        .is_some_and(|announced| !announced.criteria.contains(&criterion.name))
}

/// Since when an incident's postmortem counts as held, and of what it is.
fn held_at(incident: &Incident) -> Option<(Time, &str)> {
    let announced = incident
        .announced
        .as_ref()
        .filter(|_| incident.standing == ReviewState::Held)?;
    let accepted = incident
        .review
        .as_ref()
        .filter(|review| review.answer == Answer::Accept)
        .map(|review| review.at);
    Some((
        accepted.unwrap_or(announced.at).max(announced.at),
        &incident.title,
    ))
}

fn was_degraded(signal: &Signal) -> bool {
    signal.role.as_deref() != Some("cause")
        && signal
            .spans
            .iter()
            .any(|span| span.state == SpanState::Degraded)
}

/// Whether a near miss alone asks for a suggestion, and others have had the place: late news may show a better one when that is past.
pub(crate) fn quota_is_used(
    incident: &Incident,
    others: &OtherIncidents,
    policy: &Policy,
    now: Time,
) -> bool {
    let asking = incident
        .verdicts
        .iter()
        .filter(|verdict| !verdict.shadow && verdict.outcome != Outcome::NotMet);
    let mut names = asking
        .filter(|verdict| verdict.decision >= incident.decision)
        .map(|verdict| verdict.criterion.as_str());
    let quota = |name: &str| {
        policy
            .rules
            .criteria
            .iter()
            .find(|criterion| criterion.name == name)
            .and_then(|criterion| match criterion.test {
                CriterionTest::NearMiss { at_most, .. } => Some(at_most),
                _ => None,
            })
    };
    names.all(|name| {
        let Some((most, length)) = quota(name) else {
            return false;
        };
        let announced = others
            .index
            .of_scope(&incident.id, scopes(incident))
            .into_iter()
            .filter_map(|id| others.get(id)?.announced.as_ref());
        let taken = announced.filter(|announced| {
            announced.criteria.iter().any(|criterion| criterion == name)
                && now - announced.first_at <= TimeDelta::seconds(length)
        });
        taken.count() >= usize::try_from(most).unwrap_or(usize::MAX)
    })
}
