//! People's corrections of the sweep: incidents merged, and parts moved elsewhere.
//!
//! Corrections are applied to the groups of the sweep in the order in which they were made, and
//! leave the sweep itself unchanged: a late event still finds its incident as without them.

use std::collections::{BTreeMap, BTreeSet};

use super::activity::opens;
use super::group::EventGroup;
use crate::engine::incident::id::{is_foreign, natural_name};
use crate::engine::policy::Policy;
use crate::engine::sweep_key::sweep_key;
use crate::model::correction::Correction;
use crate::model::event::{Event, Fact};
use crate::model::id::IncidentId;
use crate::model::id::{EventId, Subject};
use crate::model::member::{JoinReason, Member};

/// A member with the number of the group where the sweep put it.
type PlacedMember<'a> = (usize, &'a Member);

/// True if an event corrects which incident events belong to.
pub(crate) fn is_correction(event: &Event) -> bool {
    matches!(
        event.fact,
        Fact::Edit(Correction::Merge { .. } | Correction::Move { .. })
    )
}

/// The groups as people corrected them; `None` without corrections.
pub(crate) fn corrected<'a>(
    groups: &'a [EventGroup],
    loose: impl Iterator<Item = &'a Event>,
    policy: &Policy,
    assigned: &BTreeMap<String, String>,
) -> Option<Vec<EventGroup>> {
    let members = groups
        .iter()
        .flat_map(|group| &group.members)
        .map(|member| &*member.event);
    let mut edits: Vec<&Event> = members
        .chain(loose)
        .filter(|event| is_correction(event))
        .collect();
    if edits.is_empty() {
        return None;
    }
    edits.sort_by_key(|event| sweep_key(event));
    let numbered = groups.iter().enumerate();
    let mut pieces: Vec<Vec<PlacedMember>> = numbered
        .map(|(number, group)| {
            group
                .members
                .iter()
                .map(|member| (number, member))
                .collect()
        })
        .collect();
    for edit in edits {
        match &edit.fact {
            Fact::Edit(Correction::Merge { into, from }) => merge(&mut pieces, into, from),
            Fact::Edit(Correction::Move { from, events, to }) => {
                split(&mut pieces, from, events, to.as_ref());
            }
            _ => {}
        }
    }
    pieces.retain(|piece| !piece.is_empty());
    Some(
        pieces
            .into_iter()
            .map(|piece| group(piece, policy, assigned))
            .collect(),
    )
}

/// The piece with the event that gives the incident its name, or with events a source sent under it.
fn find(pieces: &[Vec<PlacedMember>], name: &IncidentId) -> Option<usize> {
    let foreign = is_foreign(&name.0);
    let has = |(_, member): &PlacedMember| {
        if foreign {
            member.event.incident.as_deref() == Some(&*name.0)
        } else {
            opens(&member.event) && natural_name(&member.event) == name.0
        }
    };
    pieces.iter().position(|piece| piece.iter().any(has))
}

fn merge(pieces: &mut [Vec<PlacedMember>], into: &IncidentId, from: &IncidentId) {
    if let (Some(into), Some(from)) = (find(pieces, into), find(pieces, from))
        && into != from
    {
        let joining = std::mem::take(&mut pieces[from]);
        pieces[into].extend(joining);
    }
}

/// Moves whole subjects; not if that would leave events without an incident.
fn split<'a>(
    pieces: &mut Vec<Vec<PlacedMember<'a>>>,
    from: &IncidentId,
    events: &[EventId],
    to: Option<&IncidentId>,
) {
    let Some(from) = find(pieces, from) else {
        return;
    };
    // The subject of a condition recurs, and may be in several groups.
    let named = pieces[from]
        .iter()
        .filter(|(_, member)| events.contains(&member.event.id));
    let subjects: BTreeSet<(usize, &Subject)> = named
        .map(|(number, member)| (*number, &member.event.subject))
        .collect();
    let moves =
        |(number, member): &PlacedMember| subjects.contains(&(*number, &member.event.subject));
    let (moving, staying): (Vec<PlacedMember>, Vec<PlacedMember>) =
        pieces[from].iter().partition(|placed| moves(placed));
    let can_open = |piece: &[PlacedMember]| piece.iter().any(|(_, member)| opens(&member.event));
    if moving.is_empty() || !can_open(&staying) {
        return;
    }
    match to {
        Some(to) => {
            let Some(to) = find(pieces, to).filter(|to| *to != from) else {
                return;
            };
            pieces[to].extend(moving);
        }
        None if can_open(&moving) => pieces.push(moving),
        None => return,
    }
    pieces[from] = staying;
}

/// A piece as a group: its first opening event opens it, and members that the sweep had placed in
/// other groups belong to it by a person's correction.
fn group(
    mut piece: Vec<PlacedMember>,
    policy: &Policy,
    assigned: &BTreeMap<String, String>,
) -> EventGroup {
    piece.sort_by_key(|(_, member)| sweep_key(&member.event));
    let opener = piece
        .iter()
        .position(|(_, member)| opens(&member.event))
        .unwrap_or(0);
    let home = piece[opener].0;
    let members = piece.iter().enumerate().map(|(index, (number, member))| {
        let reason = match &member.reason {
            _ if index == opener => JoinReason::Opened,
            reason if *number == home && *reason != JoinReason::Opened => reason.clone(),
            _ => JoinReason::Person,
        };
        Member {
            event: member.event.clone(),
            reason,
        }
    });
    EventGroup::from_members(members.collect(), policy, assigned)
}
