//! Large incidents stored in parts, so that another alert writes only what it changes.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};

use super::error::StoreError;
use super::sql;
use super::sql::{SqlConnection, SqlValue, values};
use crate::model::event::{Event, Fact};
use crate::model::id::EventId;
use crate::model::incident::Incident;
use crate::model::member::{JoinReason, Member, Members};
use crate::model::signal::Signal;
use crate::model::verdict::Verdict;

const NOUN: &str = "part";
/// Maximum number of members of an incident stored whole.
const WHOLE: usize = 8;
/// Minimum and maximum number of members or signals per part.
const SIZES: (usize, usize) = (8, 128);
/// Parts of members, and of signals, that a list reads of a closed incident: at least 100 of each.
const LISTED_PARTS: i64 = 12;
/// Maximum number of evidence items of a verdict stored whole.
const SHORT: usize = 64;
/// Evidence items per part.
const EVIDENCE: usize = 1024;
/// Range of part numbers per verdict.
const OF_A_VERDICT: i64 = 1_000_000;

/// The incidents whose `state, parts` are selected by `text`, reassembled.
pub(crate) fn load_parts(
    at: &SqlConnection<'_>,
    text: &str,
    values: &[SqlValue<'_>],
) -> Result<Vec<Incident>, StoreError> {
    load_sharing(at, text, values, &mut |_| {})
}

/// The same; `share` is given some members after the other, to let them hold in common what is equal
/// before more are read.
pub(crate) fn load_sharing(
    at: &SqlConnection<'_>,
    text: &str,
    values: &[SqlValue<'_>],
    share: &mut dyn FnMut(&mut [Member]),
) -> Result<Vec<Incident>, StoreError> {
    let rows = sql::rows(at, "incident", text, values, |row| {
        let (mut incident, parts): (Incident, i64) = (sql::read_json(row, 0)?, row.get(1)?);
        let mut members = std::mem::take(&mut incident.members).into_vec();
        share(&mut members);
        incident.members = members.into();
        Ok((incident, parts))
    })?;
    rows.into_iter()
        .map(|(incident, parts)| {
            if parts > 0 {
                whole(at, incident, share)
            } else {
                Ok(incident)
            }
        })
        .collect()
}

/// The incident of that id as a list shows it: of a `closed` one with many members, only those of
/// its first parts.
pub(crate) fn load_listed(
    at: &SqlConnection<'_>,
    id: &str,
    closed: bool,
) -> Result<Option<Incident>, StoreError> {
    let text = "select state, parts from incident where id = $1";
    let found = sql::row(at, "incident", text, values![id], |row| {
        Ok((sql::read_json::<Incident>(row, 0)?, row.get::<i64>(1)?))
    })?;
    let Some((shell, parts)) = found else {
        return Ok(None);
    };
    Ok(Some(match (parts > 0, closed) {
        (true, true) => first_parts(at, shell)?,
        (true, false) => whole(at, shell, &mut |_| {})?,
        (false, _) => shell,
    }))
}

fn first_parts(at: &SqlConnection<'_>, shell: Incident) -> Result<Incident, StoreError> {
    let text =
        "select state from part where incident = $1 and kind = $2 and number < $3 order by number";
    let id = &shell.id.0;
    let members = sql::rows(at, NOUN, text, values![id, "member", LISTED_PARTS], |row| {
        sql::read_json::<Vec<Member>>(row, 0)
    })?;
    let signals = sql::rows(at, NOUN, text, values![id, "signal", LISTED_PARTS], |row| {
        sql::read_json::<Vec<Signal>>(row, 0)
    })?;
    Ok(Incident {
        members: members.concat().into(),
        signals: signals.concat(),
        ..shell
    })
}

fn whole(
    at: &SqlConnection<'_>,
    shell: Incident,
    share: &mut dyn FnMut(&mut [Member]),
) -> Result<Incident, StoreError> {
    let text = "select state from part where incident = $1 and kind = $2 order by number";
    let mut members: Vec<Member> = Vec::new();
    sql::rows(at, NOUN, text, values![&shell.id.0, "member"], |row| {
        let mut part: Vec<Member> = sql::read_json(row, 0)?;
        share(&mut part);
        members.append(&mut part);
        Ok(())
    })?;
    members.shrink_to_fit();
    let signals = sql::rows(at, NOUN, text, values![&shell.id.0, "signal"], |row| {
        sql::read_json::<Vec<Signal>>(row, 0)
    })?;
    let numbered =
        "select number, state from part where incident = $1 and kind = $2 order by number";
    let evidence = sql::rows(
        at,
        NOUN,
        numbered,
        values![&shell.id.0, "evidence"],
        |row| Ok((row.get::<i64>(0)?, sql::read_json::<Vec<EventId>>(row, 1)?)),
    )?;
    let mut verdicts = shell.verdicts;
    for (number, part) in evidence {
        let verdict = usize::try_from(number / OF_A_VERDICT)
            .ok()
            .and_then(|index| verdicts.get_mut(index));
        verdict
            .into_iter()
            .for_each(|verdict| verdict.evidence.extend(&part));
    }
    Ok(Incident {
        members: members.into(),
        signals: signals.concat(),
        verdicts,
        ..shell
    })
}

/// The incident without the content of its parts. Every field is named, since copying everything to
/// drop most of it would be slow.
pub(crate) fn without_parts(incident: &Incident) -> Incident {
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
        members: Members::default(),
        rollbacks: incident.rollbacks.clone(),
        verdicts: incident.verdicts.iter().map(short).collect(),
        decision: incident.decision,
        form: incident.form,
        announced: incident.announced.clone(),
        review: incident.review.clone(),
        standing: incident.standing,
        reason: incident.reason.clone(),
        bundle: incident.bundle.clone(),
        identities: incident.identities.clone(),
    }
}

/// A verdict without evidence that is stored in parts.
fn short(verdict: &Verdict) -> Verdict {
    if !is_long(verdict) {
        return verdict.clone();
    }
    Verdict {
        criterion: verdict.criterion.clone(),
        on: verdict.on,
        outcome: verdict.outcome,
        decision: verdict.decision,
        form: verdict.form,
        shadow: verdict.shadow,
        measure: verdict.measure,
        factors: verdict.factors.clone(),
        excluded: verdict.excluded.clone(),
        evidence: Vec::new(),
        sentence: verdict.sentence.clone(),
        would_change: verdict.would_change.clone(),
    }
}

/// Writes the parts that differ from the stored ones; returns their number, 0 for an incident
/// stored whole.
pub(crate) fn save(at: &SqlConnection<'_>, incident: &Incident) -> Result<i64, StoreError> {
    let id = &incident.id.0;
    if incident.members.len() <= WHOLE {
        // It may have been larger before events were moved out of it.
        sql::execute(
            at,
            NOUN,
            "delete from part where incident = $1",
            values![id],
        )?;
        return Ok(0);
    }
    let text = "select kind, number, hash from part where incident = $1";
    let mut stored: HashMap<(String, i64), i64> = HashMap::new();
    stored.extend(sql::rows(at, NOUN, text, values![id], |row| {
        Ok(((row.get(0)?, row.get(1)?), row.get(2)?))
    })?);
    let mut count = 0;
    let mut write = |kind: &str,
                     number: i64,
                     hash: i64,
                     state: &dyn Fn() -> Result<String, StoreError>| {
        count += 1;
        if stored.remove(&(kind.to_owned(), number)) == Some(hash) {
            return Ok(());
        }
        let text = "insert into part (incident, kind, number, hash, state) values ($1, $2, $3, $4, $5) \
                    on conflict (incident, kind, number) do update set hash = excluded.hash, state = excluded.state";
        sql::execute(at, NOUN, text, values![id, kind, number, hash, &state()?]).map(drop)
    };
    for (number, members) in runs(&incident.members).enumerate() {
        write("member", sql::integer(number), digest(members), &|| {
            sql::json(NOUN, members)
        })?;
    }
    for (number, signals) in runs(&incident.signals).enumerate() {
        write("signal", sql::integer(number), hash(signals), &|| {
            sql::json(NOUN, signals)
        })?;
    }
    for (index, verdict) in incident
        .verdicts
        .iter()
        .enumerate()
        .filter(|(_, verdict)| is_long(verdict))
    {
        for (number, evidence) in verdict.evidence.chunks(EVIDENCE).enumerate() {
            write(
                "evidence",
                sql::integer(index) * OF_A_VERDICT + sql::integer(number),
                hash(evidence),
                &|| sql::json(NOUN, evidence),
            )?;
        }
    }
    for (kind, number) in stored.into_keys() {
        sql::execute(
            at,
            NOUN,
            "delete from part where incident = $1 and kind = $2 and number = $3",
            values![id, &kind, number],
        )?;
    }
    Ok(count)
}

/// True when a verdict's evidence is stored in parts.
fn is_long(verdict: &Verdict) -> bool {
    verdict.evidence.len() > SHORT
}

/// Splits a list so that its last run, which usually grows, stays small.
fn runs<T>(mut rest: &[T]) -> impl Iterator<Item = &[T]> {
    let mut before = 0;
    std::iter::from_fn(move || {
        let (run, after) = rest.split_at((before / 8).clamp(SIZES.0, SIZES.1).min(rest.len()));
        (before, rest) = (before + run.len(), after);
        (!run.is_empty()).then_some(run)
    })
}

/// Fingerprint of a run of members. An event's id covers its content; only its service may be
/// assigned later, and its times moved by a step of the clock.
fn digest(members: &[Member]) -> i64 {
    let mut hasher = Quick::default();
    for member in members {
        member.event.id.hash(&mut hasher);
        member.event.service.hash(&mut hasher);
        if member.event.clamped {
            hash_times(&member.event, &mut hasher);
        }
        member.event.start_bounds.hash(&mut hasher);
        std::mem::discriminant(&member.reason).hash(&mut hasher);
        match &member.reason {
            JoinReason::Labels { key } => key.hash(&mut hasher),
            JoinReason::Dependency { service } => service.hash(&mut hasher),
            JoinReason::Context
            | JoinReason::Opened
            | JoinReason::Key
            | JoinReason::Subject
            | JoinReason::Person => {}
        }
    }
    hasher.finish().cast_signed()
}

/// The times of an event that a step of the clock moves.
fn hash_times(event: &Event, hasher: &mut Quick) {
    event.occurred_at.hash(hasher);
    match &event.fact {
        Fact::Alert(alert) => (alert.starts_at, alert.ends_at, alert.seen_again).hash(hasher),
        Fact::Condition(condition) => condition.since.hash(hasher),
        Fact::Lapsed(lapsed) => lapsed.last_seen.hash(hasher),
        _ => {}
    }
}

fn hash<T: Hash + ?Sized>(what: &T) -> i64 {
    let mut hasher = Quick::default();
    what.hash(&mut hasher);
    hasher.finish().cast_signed()
}

/// A fast hasher for change detection. All of a large incident passes through it on every save;
/// collision resistance against attackers is not needed, since nearly all its input is hashes.
#[derive(Default)]
struct Quick(u64);

impl Hasher for Quick {
    fn write(&mut self, bytes: &[u8]) {
        for part in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..part.len()].copy_from_slice(part);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u64(&mut self, word: u64) {
        let mixed = u128::from(self.0 ^ word ^ 0x9e37_79b9_7f4a_7c15) * 0xd6e8_feb8_6659_fd93;
        self.0 = self
            .0
            .rotate_left(23)
            .wrapping_add((mixed >> 64) as u64 ^ mixed as u64);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
