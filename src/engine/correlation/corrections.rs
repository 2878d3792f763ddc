//! What people say of the sweep's result: incidents that are one, and parts that belong elsewhere.
//!
//! Their corrections are laid over what the sweep finds, in the order in which they were made, and change nothing in it: taking one back
//! gives what was there before, and a late event still finds its incident as if nobody had said a word.

use std::collections::{BTreeMap, BTreeSet};

use super::{EventGroup, opens};
use crate::engine::incident::id::{is_foreign, natural_name};
use crate::engine::{Policy, moment};
use crate::model::correction::Correction;
use crate::model::event::{Event, Fact};
use crate::model::id::{EventId, IncidentId, Subject};
use crate::model::member::{JoinReason, Member};

/// A member with the number of the group where the sweep put it.
type PlacedMember<'a> = (usize, &'a Member);

/// Whether an event corrects which incident events belong to.
pub(crate) fn corrects(event: &Event) -> bool {
    matches!(
        event.fact,
        Fact::Edit(Correction::Merge { .. } | Correction::Move { .. })
    )
}

/// The groups as people corrected them; `None`: nobody did.
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
        .filter(|event| corrects(event))
        .collect();
    if edits.is_empty() {
        return None;
    }
    edits.sort_by_key(|event| moment(event));
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
                part(&mut pieces, from, events, to.as_ref());
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

/// The piece with the event that the incident of that name is named after, or with what a source told under it.
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

/// Moves whole subjects. What would leave events without an incident is not done: none may be lost.
fn part<'a>(
    pieces: &mut Vec<Vec<PlacedMember<'a>>>,
    from: &IncidentId,
    events: &[EventId],
    to: Option<&IncidentId>,
) {
    let Some(from) = find(pieces, from) else {
        return;
    };
    // What comes back, as conditions do, may be of several groups under one subject.
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
    let stands = |piece: &[PlacedMember]| piece.iter().any(|(_, member)| opens(&member.event));
    if moving.is_empty() || !stands(&staying) {
        return;
    }
    match to {
        Some(to) => {
            let Some(to) = find(pieces, to).filter(|to| *to != from) else {
                return;
            };
            pieces[to].extend(moving);
        }
        None if stands(&moving) => pieces.push(moving),
        None => return,
    }
    pieces[from] = staying;
}

/// A piece as a group: its first opening event opens it, and what the sweep put elsewhere is here because a person said so.
fn group(
    mut piece: Vec<PlacedMember>,
    policy: &Policy,
    assigned: &BTreeMap<String, String>,
) -> EventGroup {
    piece.sort_by_key(|(_, member)| moment(&member.event));
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
    EventGroup::of(members.collect(), policy, assigned)
}
