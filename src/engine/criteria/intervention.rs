//! A human stepping into what should be automatic: which of the steps that were told are such.

use std::borrow::Cow;
use std::cell::LazyCell;
use std::collections::BTreeMap;

use chrono::TimeDelta;

use super::expr_context;
use super::{EvaluationContext, Finding, outcome, times};
use crate::engine::announce::explanation;
use crate::engine::correlation::context::STEPPED;
use crate::engine::incident::signals;
use crate::engine::opener;
use crate::engine::policy::environment;
use crate::expr::truth::Truth;
use crate::model::event::{ActorKind, Event, Fact, Intervention};
use crate::model::spans::SpanState;
use crate::model::time::Time;
use crate::rules::rule_set::Criterion;

/// What a step is called that brings an earlier revision back.
const ROLLBACK: &str = "rollback";
/// How long after the end a step still belongs to what was done about it.
const CLEARED_UP: TimeDelta = TimeDelta::minutes(15);

/// Two tellings of one act are at most so far apart: each system has its own clock, and one acts on what the other was told.
const ONE_ACT: TimeDelta = TimeDelta::minutes(2);

/// A step that counts, or may count.
struct ManualStep<'a> {
    event: &'a Event,
    action: Cow<'a, str>,
    stated: bool,
    /// Whether it is known that a human took it.
    sure: bool,
}

impl EvaluationContext<'_> {
    pub(crate) fn intervention(&self, criterion: &Criterion, at_least: u32) -> Finding {
        let time = LazyCell::new(|| self.acted_upon());
        let mut counted: Vec<ManualStep<'_>> = Vec::new();
        let mut left_out: BTreeMap<&'static str, usize> = BTreeMap::new();
        let mut all = 0;
        for &event in &self.rest {
            let Some(step) = self.step(event) else {
                continue;
            };
            all += 1;
            let (from, until) = *time;
            let outside =
                event.occurred_at < from || until.is_some_and(|until| event.occurred_at > until);
            let why_not = if outside {
                Some("outside of the incident's time")
            } else {
                self.is_no_step_in(event, &step)
            };
            let truth = match why_not {
                Some(why) => Err(why),
                None => match self.holds(
                    criterion,
                    Some(&expr_context::intervention(
                        event,
                        &step,
                        self.policy,
                        &self.incident.identities,
                    )),
                ) {
                    Truth::False => Err("not asked for by this criterion"),
                    Truth::Unknown(_) => Ok(false),
                    // A person who tells us of a step took it; of one that was observed somebody must know who.
                    Truth::True => Ok(step.stated || self.acted(event) == Some(ActorKind::Human)),
                },
            };
            match truth {
                Ok(sure) => {
                    let action = match step {
                        Cow::Borrowed(step) => Cow::Borrowed(step.action.as_str()),
                        Cow::Owned(step) => Cow::Owned(step.action),
                    };
                    counted.push(ManualStep {
                        event,
                        action,
                        stated: self.is_stated(event),
                        sure,
                    });
                }
                Err(why) => *left_out.entry(why).or_default() += 1,
            }
        }
        let acts = acts(&counted);
        let sure = acts
            .iter()
            .filter(|act| act.iter().any(|step| step.sure))
            .count();
        let again = counted.len() - acts.len();
        if again > 0 {
            left_out.insert("told of before", again);
        }
        let measure = times(sure, acts.len(), at_least);
        let outcome = outcome(
            measure.lower >= measure.required,
            measure.upper >= measure.required,
        );
        let evidence = counted.iter().map(|step| step.event.id).collect();
        let mut actions: Vec<&str> = acts
            .iter()
            .filter_map(|act| act.iter().min_by_key(|step| step.action != ROLLBACK))
            .map(|step| &*step.action)
            .collect();
        actions.dedup();
        let words = explanation::intervention(outcome, &measure, &actions, all, &left_out);
        Finding::new(outcome, Some(measure), evidence, words)
    }

    /// What an event says of a step, if it says so of one: a deploy that went back to an earlier revision is one too.
    fn step<'a>(&self, event: &'a Event) -> Option<Cow<'a, Intervention>> {
        match &event.fact {
            Fact::Intervention(step) => Some(Cow::Borrowed(step)),
            Fact::Change(change) if self.incident.rollbacks.contains(&event.id) => {
                Some(Cow::Owned(Intervention {
                    action: ROLLBACK.to_owned(),
                    why: change.title.clone(),
                    stated: false,
                    should_be_automatic: None,
                    dry_run: false,
                    refused: false,
                    planned: false,
                }))
            }
            _ => None,
        }
    }

    fn is_stated(&self, event: &Event) -> bool {
        matches!(&event.fact, Fact::Intervention(step) if step.stated)
    }

    /// From shortly before it began until shortly after it ended; no end while it lasts, or while nobody can say.
    fn acted_upon(&self) -> (Time, Option<Time>) {
        let opened = opener(self.incident).map_or(self.incident.phase_since, signals::onset);
        let began = self
            .incident
            .milestones
            .began
            .as_ref()
            .map_or(opened, |began| began.at.min(opened));
        let spans = || {
            self.incident
                .signals
                .iter()
                .flat_map(|signal| &signal.spans)
                .filter(|span| span.state != SpanState::Planned)
        };
        let lasts = spans().any(|span| span.end.is_none());
        let ended = spans().filter_map(|span| span.end).max().filter(|_| !lasts);
        (began - STEPPED, ended.map(|ended| ended + CLEARED_UP))
    }

    fn acted(&self, event: &Event) -> Option<ActorKind> {
        self.policy.who.acted(event, &self.incident.identities)
    }

    /// Why an action is no human stepping in, whatever the criterion asks.
    fn is_no_step_in(&self, event: &Event, step: &Intervention) -> Option<&'static str> {
        let at = event.occurred_at;
        let told = signals::windows(&self.incident.members);
        let window = |window: &crate::model::settings::Maintenance| {
            (window.service.is_none() || window.service.as_deref() == event.service.as_deref())
                && window.from <= at
                && at < window.to
        };
        // What a robot does by itself is what should be.
        if self.acted(event) == Some(ActorKind::Robot) {
            Some("taken by automation")
        } else if step.dry_run {
            Some("a dry run")
        } else if step.refused {
            Some("refused by the system")
        } else if step.planned || self.policy.maintenance.iter().chain(&told).any(window) {
            Some("planned")
        } else {
            None
        }
    }
}

/// The steps, those together that tell of one act: kubectl's undo of a Deployment, the audit log's word of it and the deploy that follows
/// are one rollback, and the twenty evictions of a drained node one eviction.
///
/// They are of one service and at most [`ONE_ACT`] after the one before. And they are rollbacks both, or of one action by the same actor, or
/// of one action of which a person told and a system saw it; or they are what one message tells of one actor at one instant. What two people
/// say in their own words are two acts.
fn acts<'s, 'a>(steps: &'s [ManualStep<'a>]) -> Vec<Vec<&'s ManualStep<'a>>> {
    let mut acts: Vec<Vec<&ManualStep<'a>>> = Vec::new();
    // Members are in the order of time.
    for step in steps {
        let near = |act: &&mut Vec<&ManualStep<'a>>| {
            let last = act
                .last()
                .is_some_and(|last| step.event.occurred_at - last.event.occurred_at <= ONE_ACT);
            last && act.iter().any(|other| is_same(other, step))
                && !(step.stated && act.iter().any(|other| other.stated))
        };
        match acts.iter_mut().find(near) {
            Some(act) => act.push(step),
            None => acts.push(vec![step]),
        }
    }
    acts
}

fn is_same(one: &ManualStep<'_>, other: &ManualStep<'_>) -> bool {
    let (a, b) = (one.event, other.event);
    if a.service != b.service || environment(a) != environment(b) {
        return false;
    }
    let same_actor = a.actor.is_some() && a.actor == b.actor;
    if same_actor
        && a.occurred_at == b.occurred_at
        && (one.action == ROLLBACK || other.action == ROLLBACK)
    {
        return true;
    }
    one.action.eq_ignore_ascii_case(&other.action)
        && (one.action.eq_ignore_ascii_case(ROLLBACK) || same_actor || one.stated != other.stated)
}
