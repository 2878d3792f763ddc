//! Large incidents in parts: one more alert writes what it changes, not all that came before it.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::error::StoreError;
use super::sql::{self, At, Value, values};
use crate::model::incident::{Incident, Joined, Member, Signal};

const NOUN: &str = "part";
/// Up to so many members an incident is kept whole.
const WHOLE: usize = 256;
/// Members or signals a part.
const SIZE: usize = 128;

/// Incidents that `text` selects by `state, parts`, each put together again.
pub(super) fn found(at: &At<'_>, text: &str, values: &[Value<'_>]) -> Result<Vec<Incident>, StoreError> {
    let rows = sql::rows(at, "incident", text, values, |row| Ok((sql::read_json::<Incident>(row, 0)?, row.get::<i64>(1)?)))?;
    rows.into_iter().map(|(incident, parts)| if parts > 0 { whole(at, incident) } else { Ok(incident) }).collect()
}

fn whole(at: &At<'_>, shell: Incident) -> Result<Incident, StoreError> {
    let text = "select state from part where incident = $1 and kind = $2 order by number";
    let members = sql::rows(at, NOUN, text, values![&shell.id.0, "member"], |row| sql::read_json::<Vec<Member>>(row, 0))?;
    let signals = sql::rows(at, NOUN, text, values![&shell.id.0, "signal"], |row| sql::read_json::<Vec<Signal>>(row, 0))?;
    Ok(Incident { members: members.concat(), signals: signals.concat(), ..shell })
}

/// The incident without what its parts hold. Every field is named: copying all to drop most would cost what parts are to save.
pub(super) fn shell(incident: &Incident) -> Incident {
    Incident {
        id: incident.id.clone(),
        revision: incident.revision,
        title: incident.title.clone(),
        services: incident.services.clone(),
        unassigned: incident.unassigned.clone(),
        scope: incident.scope.clone(),
        severity: incident.severity,
        environment: incident.environment.clone(),
        milestones: incident.milestones.clone(),
        phase: incident.phase,
        phase_since: incident.phase_since,
        signals: Vec::new(),
        members: Vec::new(),
        verdicts: incident.verdicts.clone(),
        decision: incident.decision,
        announced: incident.announced.clone(),
        review: incident.review.clone(),
        standing: incident.standing,
        reason: incident.reason.clone(),
        bundle: incident.bundle.clone(),
    }
}

/// Writes the parts that differ from what is stored; gives their number, 0 for an incident that is kept whole.
pub(super) fn save(at: &At<'_>, incident: &Incident) -> Result<i64, StoreError> {
    let id = &incident.id.0;
    if incident.members.len() <= WHOLE {
        // It may have been larger before somebody took it apart.
        sql::execute(at, NOUN, "delete from part where incident = $1", values![id])?;
        return Ok(0);
    }
    let stored: HashMap<(String, i64), i64> =
        sql::rows(at, NOUN, "select kind, number, hash from part where incident = $1", values![id], |row| {
            Ok(((row.get(0)?, row.get(1)?), row.get(2)?))
        })?
        .into_iter()
        .collect();
    let write = |kind: &str, number: usize, hash: i64, state: &str| {
        let text = "insert into part (incident, kind, number, hash, state) values ($1, $2, $3, $4, $5) \
                    on conflict (incident, kind, number) do update set hash = excluded.hash, state = excluded.state";
        sql::execute(at, NOUN, text, values![id, kind, sql::integer(number), hash, state])
    };
    let is_stored = |kind: &str, number: usize, hash: i64| stored.get(&(kind.to_owned(), sql::integer(number))) == Some(&hash);
    for (number, members) in incident.members.chunks(SIZE).enumerate() {
        let hash = digest(members);
        if !is_stored("member", number, hash) {
            write("member", number, hash, &sql::json(NOUN, members)?)?;
        }
    }
    for (number, signals) in incident.signals.chunks(SIZE).enumerate() {
        let mut hasher = DefaultHasher::new();
        signals.hash(&mut hasher);
        let hash = hasher.finish().cast_signed();
        if !is_stored("signal", number, hash) {
            write("signal", number, hash, &sql::json(NOUN, signals)?)?;
        }
    }
    let count = |length: usize| sql::integer(length.div_ceil(SIZE));
    let (members, signals) = (count(incident.members.len()), count(incident.signals.len()));
    for (kind, count) in [("member", members), ("signal", signals)] {
        sql::execute(at, NOUN, "delete from part where incident = $1 and kind = $2 and number >= $3", values![id, kind, count])?;
    }
    Ok(members + signals)
}

/// What tells one run of members from another. An event's id stands for all that it states; only its service may be assigned later.
fn digest(members: &[Member]) -> i64 {
    let mut hasher = DefaultHasher::new();
    for member in members {
        member.event.id.hash(&mut hasher);
        member.event.service.hash(&mut hasher);
        std::mem::discriminant(&member.reason).hash(&mut hasher);
        match &member.reason {
            Joined::Labels { key } => key.hash(&mut hasher),
            Joined::Dependency { service } => service.hash(&mut hasher),
            Joined::Context | Joined::Opened | Joined::Key | Joined::Subject | Joined::Person => {}
        }
    }
    hasher.finish().cast_signed()
}
