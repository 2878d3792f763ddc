//! The person behind a statement, as they name themselves.

use crate::model::event::{Actor, ActorKind};

/// Longest name kept, in characters.
const LONGEST: usize = 200;

/// The named person; `None` for a blank name.
pub(crate) fn person_named(by: Option<&str>) -> Option<Box<Actor>> {
    let by = by.map(str::trim).filter(|by| !by.is_empty())?;
    Some(Box::new(Actor {
        id: by.chars().take(LONGEST).collect(),
        kind: ActorKind::Human,
    }))
}
