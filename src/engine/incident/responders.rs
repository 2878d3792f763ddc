//! The people who responded to an incident: the aliases in its events, and the persons they belong
//! to as far as people have stated that.

use crate::engine::correlation::partition_index::PartitionIndex;
use crate::model::directory::{Identities, key};
use crate::model::event::{Event, Fact};
use crate::model::member::Members;

/// The aliases under which an event names people.
pub(crate) fn aliases(event: &Event) -> impl Iterator<Item = &str> {
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

/// The persons that aliases in the members belong to, by [`key`] of the alias.
pub(crate) fn identities(members: &Members, index: &PartitionIndex) -> Identities {
    if index.has_no_identities() {
        return Identities::new();
    }
    let aliases = members.iter().flat_map(|member| aliases(&member.event));
    aliases
        .filter_map(|alias| Some((key(alias), index.person(alias)?.to_owned())))
        .collect()
}
