//! The criteria: what each asks of an incident, and its verdict with evidence, margin and sentence.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use serde_json::Value;

use super::measure::{Count, Degraded, degraded};
use super::{InForce, Tracked, opener, scope, sentence};
use crate::expr::{Root, Scope, Truth};
use crate::model::Time;
use crate::model::event::{ActorKind, Event, EventId, Fact, Severity};
use crate::model::incident::{Incident, IncidentId, Measure, Outcome, Signal, SignalKind, SpanState, Standing, Unit, Verdict};
use crate::rules::{Criterion, Test};

/// An incident before the court.
struct Case<'a> {
    incident: &'a Incident,
    facts: Value,
    others: &'a BTreeMap<IncidentId, Tracked>,
    force: &'a InForce,
    now: Time,
}

/// One verdict a criterion in the order of the rules, and when time alone could next change one.
pub(super) fn verdicts(
    incident: &Incident,
    others: &BTreeMap<IncidentId, Tracked>,
    force: &InForce,
    now: Time,
) -> (Vec<Verdict>, Option<Time>) {
    let every = incident.signals.iter().map(|signal| (signal, Truth::True));
    let all = degraded(every, incident.phase, incident.phase_since, now);
    let seconds = super::intervals::total(&all.lower).num_seconds();
    #[expect(clippy::cast_precision_loss, reason = "seconds of an incident are far below 2^52")]
    let facts = scope::incident(incident, seconds as f64);
    let case = Case { incident, facts, others, force, now };
    let mut next = None;
    let verdicts = force.rules.criteria.iter().map(|criterion| case.verdict(criterion, &mut next)).collect();
    (verdicts, next)
}

/// What a test found; the verdict adds the criterion's own part.
struct Finding {
    outcome: Outcome,
    measure: Option<Measure>,
    evidence: Vec<EventId>,
    sentence: String,
    would_change: String,
}

impl Case<'_> {
    fn verdict(&self, criterion: &Criterion, next: &mut Option<Time>) -> Verdict {
        let finding = match &criterion.test {
            Test::Outage => self.outage(criterion),
            Test::Degradation { longest, total } => self.degradation(criterion, *longest, *total, next),
            Test::Intervention { at_least } => self.intervention(criterion, *at_least),
            Test::Request => self.request(criterion),
            Test::NearMiss { score_at_least, quiet_for, at_most } => {
                self.near_miss(criterion, *score_at_least, TimeDelta::seconds(*quiet_for), *at_most, next)
            }
            Test::Recurrence { times, within } => self.recurrence(criterion, *times, TimeDelta::seconds(*within)),
        };
        Verdict {
            criterion: criterion.name.clone(),
            on: criterion.test.kind(),
            outcome: finding.outcome,
            decision: criterion.decision,
            shadow: criterion.shadow,
            measure: finding.measure,
            factors: Vec::new(),
            evidence: finding.evidence,
            sentence: finding.sentence,
            would_change: finding.would_change,
        }
    }

    fn holds(&self, criterion: &Criterion, part: Option<(Root, Value)>) -> Truth {
        let Some(filter) = &criterion.filter else { return Truth::True };
        let mut scope = Scope::from([(Root::Incident, self.facts.clone())]);
        scope.extend(part);
        filter.evaluate(&scope)
    }

    fn outage(&self, criterion: &Criterion) -> Finding {
        let declared =
            self.incident.signals.iter().filter(|signal| {
                signal.kind == SignalKind::Declaration && signal.spans.iter().any(|span| span.state == SpanState::Degraded)
            });
        let judged = declared.map(|signal| {
            let part = scope::signal(self.incident, signal);
            (signal.event.clone(), signal.name.clone(), self.holds(criterion, Some((Root::Signal, part))))
        });
        let (outcome, evidence, named, why) = any(judged);
        let (sentence, would_change) = sentence::outage(self.incident, outcome, named.as_deref(), why.as_deref());
        Finding { outcome, measure: None, evidence, sentence, would_change }
    }

    fn request(&self, criterion: &Criterion) -> Finding {
        let judged = self.incident.members.iter().filter_map(|member| match &member.event.fact {
            Fact::Request(request) => {
                let part = scope::request(&member.event, request);
                let who = request.requester.clone().unwrap_or_else(|| "A stakeholder".to_owned());
                let words = format!("{who} asked for a postmortem: {}", sentence::clip(&request.reason, 200));
                Some((member.event.id.clone(), words, self.holds(criterion, Some((Root::Request, part)))))
            }
            _ => None,
        });
        let (outcome, evidence, words, why) = any(judged);
        let (sentence, would_change) = sentence::request(outcome, words.as_deref(), why.as_deref());
        Finding { outcome, measure: None, evidence, sentence, would_change }
    }

    fn intervention(&self, criterion: &Criterion, at_least: u32) -> Finding {
        let mut steps: Vec<(&Event, &str, Truth)> = Vec::new();
        for member in &self.incident.members {
            let Fact::Intervention(step) = &member.event.fact else { continue };
            // What a robot does by itself is what should be.
            if member.event.actor.as_ref().is_some_and(|actor| actor.kind == ActorKind::Robot) {
                continue;
            }
            let part = scope::intervention(&member.event, step, self.force);
            steps.push((&member.event, &step.action, self.holds(criterion, Some((Root::Intervention, part)))));
        }
        let counted = |sure: bool| steps.iter().filter(move |(_, _, truth)| *truth == Truth::True || (!sure && *truth != Truth::False));
        let (lower, upper) = (counted(true).count(), counted(false).count());
        let measure = times(lower, upper, at_least);
        let outcome = outcome(measure.lower >= measure.required, measure.upper >= measure.required);
        let evidence = counted(false).map(|(event, ..)| event.id.clone()).collect();
        let mut actions: Vec<&str> = counted(false).map(|(_, action, _)| *action).collect();
        actions.dedup();
        let (sentence, would_change) = sentence::intervention(outcome, &measure, &actions, steps.len());
        Finding { outcome, measure: Some(measure), evidence, sentence, would_change }
    }

    fn degradation(&self, criterion: &Criterion, longest: Option<i64>, total: Option<(i64, i64)>, next: &mut Option<Time>) -> Finding {
        let signals = self.incident.signals.iter().map(|signal| {
            let part = scope::signal(self.incident, signal);
            (signal, self.holds(criterion, Some((Root::Signal, part))))
        });
        let found = degraded(signals, self.incident.phase, self.incident.phase_since, self.now);
        let bridge = TimeDelta::seconds(self.force.rules.correlation.bridge);
        let counts = longest.map(|required| (Count::Longest { bridge }, required));
        let counts = counts.into_iter().chain(total.map(|(required, within)| (Count::Within(TimeDelta::seconds(within)), required)));
        // Either way of counting suffices; the one that is closest speaks.
        let taken = counts.map(|(count, required)| self.count(&found, count, required, next));
        let best = taken.max_by(|(a, _), (b, _)| {
            let share = |measure: &Measure| (measure.lower / measure.required, measure.upper / measure.required);
            share(a).partial_cmp(&share(b)).unwrap_or(std::cmp::Ordering::Equal)
        });
        let Some((measure, count)) = best else {
            return Finding {
                outcome: Outcome::NotMet,
                measure: None,
                evidence: Vec::new(),
                sentence: String::new(),
                would_change: String::new(),
            };
        };
        let outcome = outcome(measure.lower >= measure.required, measure.upper >= measure.required);
        let ongoing = found.lasting && self.incident.milestones.mitigated.is_none();
        let subject = sentence::subject(self.incident, found.service.as_deref());
        let (sentence, would_change) = sentence::degradation(&subject, outcome, &measure, count, ongoing);
        Finding { outcome, measure: Some(measure), evidence: found.evidence, sentence, would_change }
    }

    fn count(&self, found: &Degraded, count: Count, required: i64, next: &mut Option<Time>) -> (Measure, Count) {
        let needed = TimeDelta::seconds(required);
        if found.lasting && count.of(&found.lower) < needed {
            sooner(next, count.reached(&found.lower, needed, self.now));
        }
        if (found.lasting || found.maybe_lasting) && count.of(&found.upper) < needed {
            sooner(next, count.reached(&found.upper, needed, self.now));
        }
        let (lower, upper) = (seconds(count.of(&found.lower)), seconds(count.of(&found.upper)));
        let measure = Measure::new(lower, upper, seconds(needed), Unit::Seconds);
        (measure, count)
    }

    fn near_miss(&self, criterion: &Criterion, floor: f64, quiet_for: TimeDelta, at_most: (u32, i64), next: &mut Option<Time>) -> Finding {
        let score = |severity: Severity, closeness: Option<f64>, by_luck: bool| near_miss_score(severity, closeness, by_luck);
        let reported = self.incident.members.iter().filter_map(|member| match &member.event.fact {
            Fact::NearMiss(near) => {
                let score = score(near.severity, near.closeness, near.by_luck);
                let part = scope::near_miss(&member.event, near, score);
                Some((member.event.id.clone(), near.what.clone(), score, self.holds(criterion, Some((Root::NearMiss, part)))))
            }
            _ => None,
        });
        let seen = self.incident.signals.iter().filter(|signal| scope::is_near_miss(signal, self.now)).map(|signal: &Signal| {
            let score = score(signal.severity, None, false);
            let part = scope::near_miss_signal(signal, score);
            (signal.event.clone(), signal.name.clone(), score, self.holds(criterion, Some((Root::NearMiss, part))))
        });
        let passing = reported.chain(seen).filter(|(.., truth)| *truth != Truth::False);
        let best = passing.max_by(|a, b| a.2.total_cmp(&b.2));
        let Some((evidence, what, score, truth)) = best else {
            let (sentence, would_change) = sentence::no_near_miss();
            return Finding { outcome: Outcome::NotMet, measure: None, evidence: Vec::new(), sentence, would_change };
        };
        let measure = Measure::new(score, score, floor, Unit::Score);
        let (outcome, sentence, would_change) = if self.incident.signals.iter().any(was_degraded) {
            (
                Outcome::NotMet,
                format!("{what}: more than a near miss, the incident was degraded."),
                "Nothing: other criteria judge it.".to_owned(),
            )
        } else if score < floor {
            let words = format!("{what} scores {score:.0} of the {floor:.0} it takes.");
            (Outcome::NotMet, words, format!("A score of at least {floor:.0}."))
        } else if let Some((held, at)) = self.last_held(quiet_for) {
            let quiet_from = at + quiet_for;
            sooner(next, Some(quiet_from));
            let words = format!(
                "{what} was close, but the time is not quiet: a postmortem on {held} was held within {}.",
                sentence::span(quiet_for)
            );
            (Outcome::NotMet, words, format!("No postmortem held until {}.", sentence::instant(quiet_from)))
        } else if let Some(free_from) = self.quota_free_from(criterion, at_most) {
            sooner(next, Some(free_from));
            let words = format!("{what} was close, but {} near misses were suggested already.", at_most.0);
            (Outcome::NotMet, words, format!("The quota is free again at {}.", sentence::instant(free_from)))
        } else {
            let words =
                format!("{what}: a near miss in a quiet time, score {score:.0}; nothing was held for {}.", sentence::span(quiet_for));
            let outcome = if truth == Truth::True { Outcome::Met } else { Outcome::Unknown };
            (outcome, words, "Degraded time, or a postmortem held meanwhile.".to_owned())
        };
        Finding { outcome, measure: Some(measure), evidence: vec![evidence], sentence, would_change }
    }

    /// The others of this incident's scope. Without owners the services themselves are the scope.
    fn scope(&self) -> impl Iterator<Item = &Incident> {
        let ours = self.incident;
        self.others.values().map(|tracked| &tracked.incident).filter(move |other| {
            let shared = |a: &[String], b: &[String]| a.iter().any(|name| b.contains(name));
            other.id != ours.id
                && if ours.scope.is_empty() { shared(&ours.services, &other.services) } else { shared(&ours.scope, &other.scope) }
        })
    }

    fn last_held(&self, quiet_for: TimeDelta) -> Option<(String, Time)> {
        let held = self.scope().filter(|other| other.standing == Standing::Held);
        let at = held.filter_map(|other| {
            let announced = other.announced.as_ref()?.at;
            let at = other.review.as_ref().map_or(announced, |review| review.at.max(announced));
            Some((other.title.clone(), at))
        });
        at.filter(|(_, at)| self.now - *at < quiet_for).max_by_key(|(_, at)| *at)
    }

    /// When the quota allows another suggestion; `None`: now, or this incident has its place already.
    fn quota_free_from(&self, criterion: &Criterion, (count, per): (u32, i64)) -> Option<Time> {
        let suggested = |incident: &Incident| incident.announced.as_ref().is_some_and(|a| a.criteria.contains(&criterion.name));
        if suggested(self.incident) {
            return None;
        }
        let per = TimeDelta::seconds(per);
        let mut taken: Vec<Time> =
            self.scope().filter(|other| suggested(other)).filter_map(|other| other.announced.as_ref()).map(|a| a.at).collect();
        taken.retain(|at| self.now - *at < per);
        taken.sort_unstable();
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        (taken.len() >= count).then(|| taken[taken.len() - count] + per)
    }

    fn recurrence(&self, criterion: &Criterion, required: u32, within: TimeDelta) -> Finding {
        let Some(thing) = opening_thing(self.incident) else {
            let (sentence, would_change) = sentence::nothing_to_recur();
            return Finding { outcome: Outcome::NotMet, measure: None, evidence: Vec::new(), sentence, would_change };
        };
        let began = |incident: &Incident| opener(incident).map_or(incident.phase_since, |event| event.occurred_at);
        let ours = began(self.incident);
        let earlier = self.others.values().map(|tracked| &tracked.incident).filter(|other| {
            other.id != self.incident.id && opening_thing(other) == Some(thing) && began(other) <= ours && ours - began(other) < within
        });
        let mut evidence: Vec<EventId> = earlier.filter_map(opener).map(|event| event.id.clone()).collect();
        evidence.extend(opener(self.incident).map(|event| event.id.clone()));
        let measure = times(evidence.len(), evidence.len(), required);
        let truth = self.holds(criterion, None);
        let enough = measure.lower >= measure.required;
        let outcome = match truth {
            Truth::True => outcome(enough, enough),
            Truth::False => Outcome::NotMet,
            Truth::Unknown(_) => outcome(false, enough),
        };
        let (sentence, would_change) = sentence::recurrence(self.incident, outcome, &measure, within, thing.1, truth == Truth::False);
        Finding { outcome, measure: Some(measure), evidence, sentence, would_change }
    }
}

/// Met if any part passes, unknown if any may. Gives the evidence, the words of the first, and why it is unknown.
fn any(judged: impl Iterator<Item = (EventId, String, Truth)>) -> (Outcome, Vec<EventId>, Option<String>, Option<String>) {
    let parts: Vec<(EventId, String, Truth)> = judged.collect();
    let sure: Vec<&(EventId, String, Truth)> = parts.iter().filter(|part| part.2 == Truth::True).collect();
    if let Some(first) = sure.first() {
        return (Outcome::Met, sure.iter().map(|part| part.0.clone()).collect(), Some(first.1.clone()), None);
    }
    for (event, words, truth) in &parts {
        if let Truth::Unknown(why) = truth {
            return (Outcome::Unknown, vec![event.clone()], Some(words.clone()), Some(why.clone()));
        }
    }
    (Outcome::NotMet, Vec::new(), parts.first().map(|part| part.1.clone()), None)
}

fn outcome(lower_suffices: bool, upper_suffices: bool) -> Outcome {
    match (lower_suffices, upper_suffices) {
        (true, _) => Outcome::Met,
        (false, true) => Outcome::Unknown,
        (false, false) => Outcome::NotMet,
    }
}

fn sooner(next: &mut Option<Time>, other: Option<Time>) {
    *next = next.iter().copied().chain(other).min();
}

#[expect(clippy::cast_precision_loss, reason = "durations and counts of an incident are far below 2^52")]
fn seconds(time: TimeDelta) -> f64 {
    time.num_milliseconds() as f64 / 1000.0
}

#[expect(clippy::cast_precision_loss, reason = "counts of an incident are far below 2^52")]
fn times(lower: usize, upper: usize, required: u32) -> Measure {
    Measure::new(lower as f64, upper as f64, f64::from(required), Unit::Times)
}

fn was_degraded(signal: &Signal) -> bool {
    signal.role.as_deref() != Some("cause") && signal.spans.iter().any(|span| span.state == SpanState::Degraded)
}

/// What came back is the same when service and opening alert or condition are.
fn opening_thing(incident: &Incident) -> Option<(&str, &str)> {
    let opener = opener(incident)?;
    let service = opener.service.as_deref().or(incident.unassigned.as_deref())?;
    match &opener.fact {
        Fact::Alert(alert) => Some((service, &alert.name)),
        Fact::Condition(condition) => Some((service, &condition.name)),
        _ => None,
    }
}

/// How much there is to learn: what it could have come to, times how close it came, twice if luck alone showed it.
fn near_miss_score(severity: Severity, closeness: Option<f64>, by_luck: bool) -> f64 {
    let could_have_been = match severity {
        Severity::None | Severity::Info => 1.0,
        Severity::Unknown => 3.0,
        Severity::Warning => 10.0,
        Severity::Critical => 30.0,
    };
    let luck = if by_luck { 2.0 } else { 1.0 };
    could_have_been * closeness.unwrap_or(0.5).clamp(0.0, 1.0) * luck
}
