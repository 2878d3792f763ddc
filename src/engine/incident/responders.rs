//! By which names the events of an incident name people, and whose those are as far as people have stated that.

use crate::engine::correlation::partitions::PartitionIndex;
use crate::model::directory::{Identities, key};
use crate::model::event::{Event, Fact};
use crate::model::member::Members;

/// The names by which an event names people, as they came.
pub(crate) fn names(event: &Event) -> impl Iterator<Item = &str> {
    let asked = match &event.fact {
        Fact::Request(request) => request.requester.as_deref(),
        _ => None,
    };
    event
        .actor
        .as_ref()
        .map(|actor| actor.id.as_str())
        .into_iter()
        .chain(asked)
}

/// Whose they are.
pub(crate) fn identities(members: &Members, places: &PartitionIndex) -> Identities {
    if places.states_nobody() {
        return Identities::new();
    }
    let named = members.iter().flat_map(|member| names(&member.event));
    named
        .filter_map(|name| Some((key(name), places.identity(name)?.to_owned())))
        .collect()
}
