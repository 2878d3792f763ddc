//! A human stepping into what should be automatic: which of the steps that were told are such.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use super::criteria::{Case, Finding, outcome, times};
use super::sweep::STEPPED;
use super::{opener, scope, sentence, signals};
use crate::expr::Truth;
use crate::model::Time;
use crate::model::event::{ActorKind, Event, EventId, Fact, Intervention};
use crate::model::incident::SpanState;
use crate::rules::Criterion;

/// How long after the end a step still belongs to what was done about it.
const CLEARED_UP: TimeDelta = TimeDelta::minutes(15);

impl Case<'_> {
    pub(super) fn intervention(&self, criterion: &Criterion, at_least: u32) -> Finding {
        let (from, until) = self.acted_upon();
        let mut counted: Vec<(&EventId, &str, bool)> = Vec::new();
        let mut left_out: BTreeMap<&'static str, usize> = BTreeMap::new();
        let mut all = 0;
        for member in self.incident.members.told() {
            let Fact::Intervention(step) = &member.event.fact else { continue };
            all += 1;
            let event = &member.event;
            let outside = event.occurred_at < from || until.is_some_and(|until| event.occurred_at > until);
            let why_not = if outside { Some("outside of the incident's time") } else { self.is_no_step_in(event, step) };
            let truth = match why_not {
                Some(why) => Err(why),
                None => match self.holds(criterion, Some(&scope::intervention(event, step, self.force, &self.incident.identities))) {
                    Truth::False => Err("not asked for by this criterion"),
                    Truth::Unknown(_) => Ok(false),
                    // A person who tells us of a step took it; of one that was observed somebody must know who.
                    Truth::True => Ok(step.stated || self.acted(event) == Some(ActorKind::Human)),
                },
            };
            match truth {
                Ok(sure) => counted.push((&event.id, &step.action, sure)),
                Err(why) => *left_out.entry(why).or_default() += 1,
            }
        }
        let sure = counted.iter().filter(|(_, _, sure)| *sure).count();
        let measure = times(sure, counted.len(), at_least);
        let outcome = outcome(measure.lower >= measure.required, measure.upper >= measure.required);
        let evidence = counted.iter().map(|(event, ..)| *(*event)).collect();
        let mut actions: Vec<&str> = counted.iter().map(|(_, action, _)| *action).collect();
        actions.dedup();
        let words = sentence::intervention(outcome, &measure, &actions, all, &left_out);
        Finding::new(outcome, Some(measure), evidence, words)
    }

    /// From shortly before it began until shortly after it ended; no end while it lasts, or while nobody can say.
    fn acted_upon(&self) -> (Time, Option<Time>) {
        let opened = opener(self.incident).map_or(self.incident.phase_since, signals::onset);
        let began = self.incident.milestones.began.as_ref().map_or(opened, |began| began.at.min(opened));
        let spans = || self.incident.signals.iter().flat_map(|signal| &signal.spans).filter(|span| span.state != SpanState::Planned);
        let lasts = spans().any(|span| span.end.is_none());
        let ended = spans().filter_map(|span| span.end).max().filter(|_| !lasts);
        (began - STEPPED, ended.map(|ended| ended + CLEARED_UP))
    }

    fn acted(&self, event: &Event) -> Option<ActorKind> {
        self.force.who.acted(event, &self.incident.identities)
    }

    /// Why an action is no human stepping in, whatever the criterion asks.
    fn is_no_step_in(&self, event: &Event, step: &Intervention) -> Option<&'static str> {
        let at = event.occurred_at;
        let window = |window: &crate::model::settings::Maintenance| {
            (window.service.is_none() || window.service.as_deref() == event.service.as_deref()) && window.from <= at && at < window.to
        };
        // What a robot does by itself is what should be.
        if self.acted(event) == Some(ActorKind::Robot) {
            Some("taken by automation")
        } else if step.dry_run {
            Some("a dry run")
        } else if step.refused {
            Some("refused by the system")
        } else if step.planned || self.force.maintenance.iter().any(window) {
            Some("planned")
        } else {
            None
        }
    }
}
