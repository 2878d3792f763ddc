//! What nobody looks back at is dropped, so that what is remembered does not grow with the log.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::TimeDelta;

use super::{IncidentChanges, Policy, State, SweepKey};
use crate::model::correction::Correction;
use crate::model::event::{Event, Fact};
use crate::model::id::{EventId, IncidentId};
use crate::model::member::JoinReason;

/// How often it is looked for.
const TIDY: TimeDelta = TimeDelta::hours(1);
/// How often texts are, of which others may have kept the last copy.
const POOL: TimeDelta = TimeDelta::days(1);

impl State {
    /// Drops, once in a while, what nobody looks back at. All that has changed so far must have been taken note of: an incident may have been
    /// closed for long when the next event comes.
    pub fn tidy(&mut self, policy: &Policy) -> IncidentChanges {
        let mut changes = IncidentChanges::default();
        if self.now - self.tidied_at < TIDY {
            return changes;
        }
        self.tidied_at = self.now;
        self.forget(policy, &mut changes);
        if self.now - self.pooled_at >= POOL {
            self.pooled_at = self.now;
            self.pool.tidy();
        }
        changes
    }

    /// Drops closed incidents that no rule looks back at, and loose events too old to join anything.
    fn forget(&mut self, policy: &Policy, changes: &mut IncidentChanges) {
        let horizon = self.now - policy.remembers();
        let old = self.settled.range(..(horizon, IncidentId(String::new())));
        let gone: Vec<IncidentId> = old.map(|(_, id)| id.clone()).collect();
        // By place: the events of what is dropped there.
        let mut dropped: BTreeMap<String, BTreeMap<EventId, Arc<Event>>> = BTreeMap::new();
        for id in &gone {
            let Some(tracked) = self.leave(id) else {
                continue;
            };
            let turn = tracked.gist.first_at.map(|first_at| (first_at, id.clone()));
            if let (Some(leads), Some(turn)) = (&mut self.leads, turn) {
                leads.remove(&turn);
                self.spoken.remove(id);
            }
            let place = &*tracked.home;
            if let Some(residents) = self.residents.get_mut(place) {
                residents.remove(id);
            }
            let members = tracked
                .incident
                .members
                .iter()
                .filter(|member| member.reason != JoinReason::Context);
            dropped
                .entry(place.to_owned())
                .or_default()
                .extend(members.map(|member| (member.event.id, Arc::clone(&member.event))));
        }
        let mut forgotten: Vec<Arc<Event>> = Vec::new();
        for (place, hood) in &mut self.neighbourhoods {
            let mut events = dropped.remove(place).unwrap_or_default();
            if events.is_empty()
                && hood
                    .loose
                    .first_key_value()
                    .is_none_or(|((at, _), _)| *at >= horizon)
            {
                continue;
            }
            let summary = hood.history.summary();
            if !events.is_empty() {
                let ids: BTreeSet<EventId> = events.keys().copied().collect();
                for freed in hood.drop_opened_by(&ids, &summary) {
                    events.remove(&freed.id);
                    changes.loosened.insert(freed.id);
                }
            }
            // What was put in force, what a person assigned, and by what a rollback is recognised, holds on, and so does planned work that
            // lies ahead.
            let stands = |event: &Event| {
                self.windows
                    .get(&event.subject)
                    .is_some_and(|window| window.id == event.id)
            };
            let holds_on = |event: &Event| match &event.fact {
                Fact::Settings(_)
                | Fact::Edit(Correction::Assign { .. } | Correction::Identity { .. }) => true,
                Fact::Maintenance(window) => window.to > horizon && stands(event),
                _ => summary.contains(&event.id),
            };
            let too_old = hood
                .loose
                .range(..(horizon, EventId::FIRST))
                .filter(|(_, event)| !holds_on(event));
            let too_old: Vec<SweepKey> = too_old.map(|(moment, _)| *moment).collect();
            for moment in too_old {
                changes.placed.insert(moment.1);
                events.extend(hood.loose.remove(&moment).map(|event| (event.id, event)));
            }
            if !events.is_empty() {
                hood.history.forget(&events.keys().copied().collect());
                forgotten.extend(events.into_values());
            }
        }
        for event in &forgotten {
            if self
                .windows
                .get(&event.subject)
                .is_some_and(|window| window.id == event.id)
            {
                self.windows.remove(&event.subject);
            }
            self.places.forget(event);
        }
    }
}
