//! The events that come to a partition at once.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::model::event::Event;
use crate::model::id::EventId;
use crate::model::time::Time;

/// Events to be placed in a partition.
#[derive(Debug, Default)]
pub(crate) struct PartitionArrivals {
    pub(crate) events: Vec<Arc<Event>>,
    /// Events too old to be placed, which are context only.
    pub(crate) old: Vec<Arc<Event>>,
    /// Those of the events that were loose in the partition they come from.
    pub(crate) were_loose: BTreeSet<EventId>,
}

impl PartitionArrivals {
    /// Adds an event; one from before `horizon` is context only.
    pub(crate) fn push(&mut self, event: Arc<Event>, horizon: Time) {
        if event.occurred_at < horizon {
            self.old.push(event);
        } else {
            self.events.push(event);
        }
    }

    pub(crate) fn append(&mut self, more: Self) {
        self.events.extend(more.events);
        self.old.extend(more.old);
        self.were_loose.extend(more.were_loose);
    }
}
