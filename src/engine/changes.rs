//! The changes that applying events, or the passing of time, makes to incidents.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::id::EventId;
use crate::model::id::IncidentId;

/// Changes that the caller must store after an application or a tick.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IncidentChanges {
    /// Incidents to be stored again.
    pub changed: BTreeSet<IncidentId>,
    /// Incidents that ceased to exist, each with the incident that now holds its opening event.
    pub removed: BTreeMap<IncidentId, Option<IncidentId>>,
    /// Events that newly belong to no incident.
    pub loosened: BTreeSet<EventId>,
    /// Formerly loose events that now belong to an incident, or are of no use any more.
    pub placed: BTreeSet<EventId>,
}

impl IncidentChanges {
    /// Adds later changes to these.
    pub fn merge(&mut self, later: Self) {
        for id in &later.changed {
            self.removed.remove(id);
        }
        for id in later.removed.keys() {
            self.changed.remove(id);
        }
        // The heir of a removed incident may itself have been removed since.
        for heir in self.removed.values_mut() {
            if let Some(next) = heir.as_ref().and_then(|heir| later.removed.get(heir)) {
                heir.clone_from(next);
            }
        }
        self.changed.extend(later.changed);
        self.removed.extend(later.removed);
        self.loosened.extend(later.loosened);
        self.placed.extend(later.placed);
    }
}
