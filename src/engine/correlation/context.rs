//! The context of a group: earlier events that have to do with it, though they are not its own.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::TimeDelta;

use super::group::EventGroup;
use super::partition::Partition;
use crate::engine::environment::environment;
use crate::engine::horizons::RECONSIDER;
use crate::engine::incident::signals;
use crate::engine::sweep_key::{SweepKey, first_key, sweep_key};
use crate::model::event::{ConditionState, Event, Fact};
use crate::model::id::Subject;

/// The time before an incident in which a change is part of its context.
const CHANGED_WITHIN: TimeDelta = TimeDelta::hours(1);
/// The time before an incident began in which a manual step may already be a response to it.
pub(crate) const STEP_WITHIN: TimeDelta = TimeDelta::minutes(5);

impl Partition {
    /// Changes and steps shortly before the group opened, and its conditions that were unknown
    /// before they joined.
    pub(crate) fn context<'a>(
        &'a self,
        group: &'a EventGroup,
    ) -> impl Iterator<Item = &'a Arc<Event>> {
        let opener = group.opener();
        let began = signals::onset(opener);
        let unknown = self.unknown_conditions(group);
        let from = unknown
            .iter()
            .map(|(at, ..)| *at)
            .min()
            .unwrap_or(began)
            .min(began - STEP_WITHIN)
            .min(opener.occurred_at - CHANGED_WITHIN);
        let before = self
            .loose
            .range(first_key(from)..sweep_key(opener))
            .map(|(_, event)| event);
        before.filter(move |event| {
            let same_place = event.service.is_some()
                && event.service == opener.service
                && environment(event) == environment(opener);
            match &event.fact {
                Fact::Change(_) => {
                    same_place && event.occurred_at >= opener.occurred_at - CHANGED_WITHIN
                }
                Fact::Intervention(_) => same_place && event.occurred_at >= began - STEP_WITHIN,
                Fact::Condition(_) => unknown.contains(&sweep_key(event)),
                _ => false,
            }
        })
    }

    /// The planned work declared for the time of the group, in no order.
    pub(crate) fn declared_work(&self, group: &EventGroup) -> Vec<Arc<Event>> {
        self.declared.concerning(group)
    }

    /// The last events of conditions that were unknown just before they joined the group.
    fn unknown_conditions(&self, group: &EventGroup) -> BTreeSet<SweepKey> {
        let mut seen: BTreeSet<&Subject> = BTreeSet::new();
        let conditions = group
            .members
            .non_alerts()
            .map(|member| &*member.event)
            .filter(|event| matches!(event.fact, Fact::Condition(_)));
        let firsts = conditions.filter(|event| seen.insert(&event.subject));
        let before = |first: &Event| {
            let from = first_key(first.occurred_at - RECONSIDER);
            let mut earlier = self.loose.range(from..sweep_key(first)).rev();
            let (at, last) = earlier.find(|(_, event)| event.subject == first.subject)?;
            let unknown = matches!(&last.fact, Fact::Condition(condition) if condition.state == ConditionState::Unknown);
            unknown.then_some(*at)
        };
        firsts.filter_map(before).collect()
    }
}
