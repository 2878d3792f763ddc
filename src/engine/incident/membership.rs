//! The members of an incident: those of its group, with their context.

use std::sync::Arc;

use super::fingerprint::MemberFingerprint;
use crate::engine::correlation::group::EventGroup;
use crate::engine::correlation::partition::Partition;
use crate::engine::sweep_key::sweep_key;
use crate::model::event::Event;
use crate::model::member::Members;
use crate::model::member::{JoinReason, Member};

/// A group's members with what came before it and the work that was planned for its time, and
/// their fingerprint.
pub(crate) fn members(
    partition: &Partition,
    group: &EventGroup,
    planned: &[Arc<Event>],
) -> (Members, MemberFingerprint) {
    let mut context: Vec<Arc<Event>> = partition.context(group).cloned().collect();
    let before = context.len();
    let planned = planned.iter().filter(|event| group.overlaps_planned(event));
    context.extend(planned.cloned());
    context.extend(partition.declared_work(group));
    // Planned work may be announced while the incident lasts, or after it.
    let is_planned = context.len() > before;
    if is_planned {
        context.sort_by_key(|event| sweep_key(event));
    }
    let rollbacks = context
        .iter()
        .chain(group.members.non_alerts().map(|member| &member.event))
        .filter(|event| partition.deploys.is_rollback(event))
        .map(|event| event.id)
        .collect();
    let fingerprint = MemberFingerprint {
        sum: group.members.sum(),
        context: context.iter().map(|event| event.id).collect(),
        rollbacks,
    };
    if context.is_empty() {
        return (group.members.clone(), fingerprint);
    }
    let context = context.into_iter().map(|event| Member {
        event,
        reason: JoinReason::Context,
    });
    let mut members: Vec<Member> = context.chain(group.members.iter().cloned()).collect();
    if is_planned {
        members.sort_by_key(|member| sweep_key(&member.event));
    }
    (members.into(), fingerprint)
}
