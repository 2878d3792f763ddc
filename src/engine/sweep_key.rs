//! The order in which the sweep places events.

use super::correlation::activity::activity;
use crate::model::event::Event;
use crate::model::id::EventId;
use crate::model::time::Time;

/// Time of occurrence, then beginnings before all else, then id: the total order of events,
/// whatever order they arrive in. What ends at the instant of its beginning must come after it.
pub(crate) type SweepKey = (Time, bool, EventId);

/// The sweep key of an event.
pub(crate) fn sweep_key(event: &Event) -> SweepKey {
    let begins = activity(event) == Some(true);
    (event.occurred_at, !begins, event.id)
}

/// The smallest sweep key at an instant.
pub(crate) fn first_key(at: Time) -> SweepKey {
    (at, false, EventId::FIRST)
}
