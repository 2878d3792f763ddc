//! Members from before the incident or subject that they name: a clock that is behind, or a step
//! that was taken before the alert fired.

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::incident::id::{natural_number, number_of};
use crate::engine::sweep_key::{SweepKey, sweep_key};
use crate::model::event::Event;
use crate::model::id::Subject;
use crate::model::member::{JoinReason, Member};

/// Members, in order, that joined by an incident name or subject that a later member introduced,
/// each with the key of that member.
pub(crate) fn early_members(members: &[Member], opener: usize) -> BTreeMap<SweepKey, SweepKey> {
    let mut subjects: BTreeSet<Subject> = BTreeSet::new();
    let mut names: BTreeSet<&str> = BTreeSet::new();
    let mut early: Vec<usize> = Vec::new();
    let (mut subjects_used, mut names_used) = (false, false);
    for member in members {
        subjects_used |= member.reason == JoinReason::Subject;
        names_used |= member.reason == JoinReason::Key;
    }
    for (index, Member { event, reason }) in members.iter().enumerate() {
        let known = match reason {
            JoinReason::Subject => subjects.contains(&event.subject),
            JoinReason::Key => event.incident.as_deref().is_none_or(|name| {
                names.contains(name)
                    || (opener < index && gives(&members[opener].event, name))
                    || members[..index]
                        .iter()
                        .any(|earlier| gives(&earlier.event, name))
            }),
            _ => true,
        };
        if !known {
            early.push(index);
            continue;
        }
        if subjects_used {
            subjects.insert(event.subject);
        }
        if names_used {
            names.extend(event.incident.as_deref());
        }
    }
    // One may have been brought by another that was early itself.
    let mut placed: BTreeMap<usize, SweepKey> = BTreeMap::new();
    loop {
        let found = early.iter().find_map(|&index| {
            let unplaced = !placed.contains_key(&index);
            unplaced.then(|| Some((index, brought_at(members, &early, &placed, index)?)))?
        });
        let Some((index, key)) = found else {
            break;
        };
        placed.insert(index, key);
    }
    placed
        .into_iter()
        .map(|(index, key)| (sweep_key(&members[index].event), key))
        .collect()
}

/// The first time at which another member brings the name or subject that an early one joined by.
fn brought_at(
    members: &[Member],
    early: &[usize],
    placed: &BTreeMap<usize, SweepKey>,
    index: usize,
) -> Option<SweepKey> {
    let Member { event, reason } = &members[index];
    let brings = |other: &Event| match reason {
        JoinReason::Subject => other.subject == event.subject,
        _ => event
            .incident
            .as_deref()
            .is_some_and(|name| other.incident.as_deref() == Some(name) || gives(other, name)),
    };
    let others = members
        .iter()
        .enumerate()
        .filter(|(other, member)| *other != index && brings(&member.event));
    let placed_at = |(other, member): (usize, &Member)| match early.binary_search(&other) {
        Ok(_) => placed.get(&other).copied(),
        Err(_) => Some(sweep_key(&member.event)),
    };
    others.filter_map(placed_at).min()
}

/// True if an incident that the event opens has that name.
pub(crate) fn gives(event: &Event, name: &str) -> bool {
    number_of(name).is_some_and(|number| natural_number(event) == number)
}
