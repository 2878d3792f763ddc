//! Steps of the reference clock. What was logged before one is brought in line with the clock after it.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::TimeDelta;

use super::incident::signals::onset;
use super::sweep_key::sweep_key;
use crate::model::event::{AlertStatus, ClockStep, Event, Fact};
use crate::model::id::Subject;
use crate::model::incident::Incident;
use crate::model::lifecycle::Phase;
use crate::model::time::Time;

/// The step among the events of a record.
#[must_use]
pub(crate) fn find_clock_step(events: &[Event]) -> Option<ClockStep> {
    events.iter().find_map(|event| match event.fact {
        Fact::ClockStep(step) => Some(step),
        _ => None,
    })
}

/// Steps of the reference clock so far, in order.
#[derive(Debug, Clone, Default)]
pub(crate) struct ClockSteps(BTreeMap<u64, ClockStep>);

impl ClockSteps {
    /// Takes in an event; true if it is a step.
    pub(crate) fn record(&mut self, event: &Event) -> bool {
        let Fact::ClockStep(step) = event.fact else {
            return false;
        };
        self.0.insert(step.position, step);
        true
    }

    pub(crate) fn forget(&mut self, event: &Event) {
        if let Fact::ClockStep(step) = &event.fact {
            self.0.remove(&step.position);
        }
    }

    /// The times that the clock skipped, in terms of the clock as it is.
    pub(crate) fn gaps(&self) -> Vec<(Time, Time)> {
        let mut gaps: Vec<(Time, Time)> = Vec::new();
        for step in self.0.values() {
            if step.from < step.to {
                gaps.push((step.from, step.to));
                continue;
            }
            for (from, to) in &mut gaps {
                (*from, *to) = (set_back(*from, *step), set_back(*to, *step));
            }
            gaps.retain(|(from, to)| from < to);
        }
        gaps
    }

    /// Bounds the start of an alert that became known at `now`. If its sender's clock was not set with
    /// ours, and ours has been wrong since one of the steps, it began later by what followed.
    pub(crate) fn bound_start(&self, event: &mut Event, now: Time) {
        if self.0.is_empty() || !is_firing(event) {
            return;
        }
        let start = onset(event);
        let mut ahead = TimeDelta::zero();
        let starts = self.0.values().rev().map(|step| {
            ahead += step.to - step.from;
            start + ahead
        });
        let latest = starts.filter(|at| (start..=now).contains(at)).max();
        // A clamped start is by our clock, and an end may be by the sender's.
        if let Some(latest) = latest
            .filter(|latest| *latest > start)
            .or(event.clamped.then_some(start))
        {
            event.start_bounds = Some(Box::new((start, latest)));
        }
    }
}

/// A time by the clock before it was set back, by the clock after that.
fn set_back(at: Time, step: ClockStep) -> Time {
    if at > step.to {
        (at - (step.from - step.to)).min(step.to)
    } else {
        at
    }
}

fn is_firing(event: &Event) -> bool {
    matches!(&event.fact, Fact::Alert(alert) if alert.status == AlertStatus::Firing)
}

/// Translation of times by a clock that was set back into times by the clock as it is: those that lie
/// ahead by now were read before the step, and are earlier by its length.
///
/// Durations stay as they were, whichever of the two clocks was wrong.
pub(super) struct Retiming {
    step: ClockStep,
    /// The latest time of each subject that does not lie ahead: its order is kept.
    floors: BTreeMap<Subject, Time>,
}

impl Retiming {
    /// Made for all events known before `step`.
    pub(super) fn new<'a>(step: ClockStep, events: impl Iterator<Item = &'a Event>) -> Self {
        let mut floors: BTreeMap<Subject, Time> = BTreeMap::new();
        for event in events {
            let started = match &event.fact {
                Fact::Alert(alert) => Some(alert.starts_at),
                _ => None,
            };
            let known = started.into_iter().chain([event.occurred_at]);
            for at in known.filter(|at| *at <= step.to) {
                let floor = floors.entry(event.subject).or_insert(at);
                *floor = at.max(*floor);
            }
        }
        Self { step, floors }
    }

    fn time(&self, at: &mut Time, floor: Option<Time>) {
        if *at > self.step.to {
            let earlier = set_back(*at, self.step);
            let floor = floor.map_or(earlier, |floor| floor + TimeDelta::microseconds(1));
            *at = earlier.max(floor).min(self.step.to);
        }
    }

    /// Translates an event; true if that changed it. `open`: it may be of something that goes on.
    pub(super) fn event(&self, event: &mut Event, open: bool) -> bool {
        let floor = self.floors.get(&event.subject).copied();
        let (before, start) = (event.occurred_at, onset(event));
        self.time(&mut event.occurred_at, floor);
        let mut changed = event.occurred_at != before;
        let mut inner = |at: &mut Time| {
            let before = *at;
            self.time(at, floor);
            changed |= *at != before;
        };
        match &mut event.fact {
            Fact::Alert(alert) => {
                inner(&mut alert.starts_at);
                alert.ends_at.iter_mut().for_each(&mut inner);
                alert.seen_again.iter_mut().for_each(&mut inner);
            }
            Fact::Condition(condition) => condition.since.iter_mut().for_each(&mut inner),
            Fact::Lapsed(lapsed) => inner(&mut lapsed.last_seen),
            _ => {}
        }
        if let Some(bounds) = &mut event.start_bounds {
            inner(&mut bounds.1);
        }
        event.clamped |= changed;
        let (firing, moved) = (is_firing(event), onset(event) != start);
        if firing && moved && event.start_bounds.is_none() {
            event.start_bounds = Some(Box::new((onset(event), onset(event))));
        } else if firing && (open || moved) {
            // What lies behind has lasted longer if the clock was right before, and not if it is now.
            let bounds = event
                .start_bounds
                .get_or_insert_with(|| Box::new((start, start)));
            bounds.0 -= self.step.from - self.step.to;
            changed = true;
        }
        changed
    }

    /// Translates the times of an incident, whose interval and verdicts are derived anew; true if
    /// that changed it.
    pub(super) fn incident(&self, incident: &mut Incident) -> bool {
        let open = incident.phase != Phase::Closed;
        let mut members = std::mem::take(&mut incident.members).into_vec();
        let mut changed = false;
        for member in &mut members {
            let mut event = (*member.event).clone();
            if self.event(&mut event, open) {
                member.event = Arc::new(event);
                changed = true;
            }
        }
        if changed {
            members.sort_by_key(|member| sweep_key(&member.event));
        }
        incident.members = members.into();
        let mut inner = |at: &mut Time| {
            let before = *at;
            self.time(at, None);
            changed |= *at != before;
        };
        inner(&mut incident.phase_since);
        if let Some(announced) = &mut incident.announced {
            inner(&mut announced.at);
            inner(&mut announced.first_at);
        }
        if let Some(review) = &mut incident.review {
            inner(&mut review.at);
        }
        changed
    }
}
