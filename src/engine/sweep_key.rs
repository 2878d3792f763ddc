//! The order in which the sweep places events.

use crate::model::event::Event;
use crate::model::id::EventId;
use crate::model::time::Time;

/// Time of occurrence, then id: the total order of events, whatever order they arrive in.
pub(crate) type SweepKey = (Time, EventId);

/// The sweep key of an event.
pub(crate) fn sweep_key(event: &Event) -> SweepKey {
    (event.occurred_at, event.id)
}
