//! What came before an incident and has to do with it, though it is none of its events.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::TimeDelta;

use super::{EventGroup, Partition};
use crate::engine::incident::signals;
use crate::engine::policy::environment;
use crate::engine::{RECONSIDER, SweepKey, moment};
use crate::model::event::{ConditionState, Event, Fact};
use crate::model::id::{EventId, Subject};

/// How long before an incident a change is still told with it.
const CHANGED: TimeDelta = TimeDelta::hours(1);
/// How long before an incident began a step may have been taken that answers it.
pub(crate) const STEPPED: TimeDelta = TimeDelta::minutes(5);
/// How long before an incident planned work may have begun that still goes on.
const PLANNED: TimeDelta = TimeDelta::days(2);

impl Partition {
    /// What came before a group opened and has to do with it: changes and steps shortly before, planned work, and conditions of it whose
    /// measurement had fallen silent.
    pub(crate) fn context<'a>(
        &'a self,
        group: &'a EventGroup,
    ) -> impl Iterator<Item = &'a Arc<Event>> {
        let opener = group.opener();
        let began = signals::onset(opener);
        let silent = self.silent(group);
        let from = silent
            .iter()
            .map(|(at, _)| *at)
            .min()
            .unwrap_or(began)
            .min(opener.occurred_at - PLANNED);
        let before = self
            .loose
            .range((from, EventId::FIRST)..moment(opener))
            .map(|(_, event)| event);
        before.filter(move |event| {
            let same_place = event.service.is_some()
                && event.service == opener.service
                && environment(event) == environment(opener);
            match &event.fact {
                Fact::Change(_) => same_place && event.occurred_at >= opener.occurred_at - CHANGED,
                Fact::Intervention(_) => same_place && event.occurred_at >= began - STEPPED,
                Fact::Declaration(declaration) => {
                    same_place
                        && declaration.planned
                        && event.occurred_at >= opener.occurred_at - PLANNED
                }
                Fact::Condition(_) => silent.contains(&moment(event)),
                _ => false,
            }
        })
    }

    /// The conditions of a group of which nobody could say anything just before they joined it.
    fn silent(&self, group: &EventGroup) -> BTreeSet<SweepKey> {
        let mut seen: BTreeSet<&Subject> = BTreeSet::new();
        let conditions = group
            .members
            .told()
            .map(|member| &*member.event)
            .filter(|event| matches!(event.fact, Fact::Condition(_)));
        let firsts = conditions.filter(|event| seen.insert(&event.subject));
        let before = |first: &Event| {
            let from = (first.occurred_at - RECONSIDER, EventId::FIRST);
            let mut earlier = self.loose.range(from..moment(first)).rev();
            let (at, last) = earlier.find(|(_, event)| event.subject == first.subject)?;
            let unknown = matches!(&last.fact, Fact::Condition(condition) if condition.state == ConditionState::Unknown);
            unknown.then_some(*at)
        };
        firsts.filter_map(before).collect()
    }
}
