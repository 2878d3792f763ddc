//! Incidents, their aliases, and loose events that may still join one.

use std::collections::BTreeSet;

use super::error::StoreError;
use super::incident_parts;
use super::list_cursor::ListCursor;
use super::sql;
use super::sql::{SqlConnection, values};
use crate::model::event::{Event, Fact};
use crate::model::id::{EventId, IncidentId};
use crate::model::incident::Incident;
use crate::model::member::Member;
use crate::model::signal::SignalKind;
use crate::model::time::Time;
use crate::store::database::Store;

const NOUN: &str = "incident";
/// Keys of a list read at once.
const KEYS: usize = 200;

/// The lists of incidents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IncidentList {
    /// All.
    All,
    /// Without closed ones.
    Open,
    /// Those with a suggestion that is unanswered or snoozed.
    Asked,
}

/// Answer of a reader of a list to one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ListStep {
    /// It goes on.
    More,
    /// The page is full.
    Enough,
}

/// Filter for listing incidents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IncidentFilter {
    /// Omit closed ones.
    pub open_only: bool,
    /// Maximum number.
    pub limit: usize,
}

impl Store {
    /// Incidents, newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn incidents(&self, filter: IncidentFilter) -> Result<Vec<Incident>, StoreError> {
        let text = if filter.open_only {
            "select state, parts from incident where phase in ('active', 'resolved') order by opened_at desc, id limit $1"
        } else {
            "select state, parts from incident order by opened_at desc, id limit $1"
        };
        self.read(NOUN, |at| {
            incident_parts::load_parts(at, text, values![sql::integer(filter.limit)])
        })
    }

    /// An incident by its id or an alias.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn incident(&self, name: &str) -> Result<Option<Incident>, StoreError> {
        let by_id = "select state, parts from incident where id = $1";
        let by_alias = "select i.state, i.parts from incident i join alias a on a.incident = i.id where a.alias = $1";
        self.read(NOUN, |at| {
            match incident_parts::load_parts(at, by_id, values![name])?.pop() {
                Some(incident) => Ok(Some(incident)),
                None => Ok(incident_parts::load_parts(at, by_alias, values![name])?.pop()),
            }
        })
    }

    /// Incidents with a condition among their signals, by id, with the time of their last change: open
    /// ones and those last changed after `since`.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn incidents_with_conditions(
        &self,
        since: Time,
    ) -> Result<Vec<(IncidentId, Time)>, StoreError> {
        let text = "select id, updated_at from incident where measured = 1 and (phase in ('active', 'resolved') or updated_at > $1) order by id";
        self.read(NOUN, |at| {
            sql::rows(at, NOUN, text, values![sql::micros(since)], |row| {
                Ok((IncidentId(row.get(0)?), sql::read_time(row, 1)?))
            })
        })
    }

    /// Hands the incidents of a list to `take`, newest first, one at a time, until it has enough.
    /// Returns the place of the last one taken if there are more. Of a closed incident with many
    /// members, only the first ones are read.
    ///
    /// # Errors
    /// When the database cannot be read, or `take` fails.
    pub(crate) fn list_incidents(
        &self,
        list: IncidentList,
        after: Option<ListCursor>,
        mut take: impl FnMut(Incident) -> Result<ListStep, StoreError>,
    ) -> Result<Option<ListCursor>, StoreError> {
        let which = match list {
            IncidentList::All => "",
            IncidentList::Open => "phase in ('active', 'resolved') and",
            IncidentList::Asked => "standing in ('suggested', 'snoozed') and",
        };
        let text = format!(
            "select id, opened_at, phase from incident where {which} opened_at <= $1 and (opened_at < $1 or id > $2) \
             order by opened_at desc, id limit $3"
        );
        let mut after = after.unwrap_or_else(ListCursor::start);
        self.read(NOUN, |at| {
            loop {
                let limit = sql::integer(KEYS);
                let values: &[_] = values![after.micros, after.id, limit];
                let keys = sql::rows(at, NOUN, &text, values, |row| {
                    let place = ListCursor {
                        micros: row.get(1)?,
                        id: row.get(0)?,
                    };
                    Ok((place, row.get::<String>(2)? == "closed"))
                })?;
                let more = keys.len() == KEYS;
                let mut last = None;
                for (place, closed) in keys {
                    // More is known to follow only once the next one is there.
                    if let Some(enough) = last.take() {
                        return Ok(Some(enough));
                    }
                    after = place.clone();
                    let Some(incident) = incident_parts::load_listed(at, &place.id, closed)? else {
                        continue;
                    };
                    if take(incident)? == ListStep::Enough {
                        last = Some(place);
                    }
                }
                if !more {
                    return Ok(None);
                }
                if let Some(enough) = last {
                    return Ok(Some(enough));
                }
            }
        })
    }
}

/// Incidents not closed, or closed after `since`, oldest first.
pub(crate) fn unfinished(
    at: &SqlConnection<'_>,
    since: Time,
    share: &mut dyn FnMut(&mut [Member]),
) -> Result<Vec<Incident>, StoreError> {
    let text = "select state, parts from incident where phase in ('active', 'resolved') or (phase = 'closed' and phase_since > $1) \
                order by opened_at, id";
    incident_parts::load_sharing(at, text, values![sql::micros(since)], share)
}

/// As [`unfinished`], but only incidents with something from before `before`.
pub(crate) fn unfinished_from_before(
    at: &SqlConnection<'_>,
    since: Time,
    before: Time,
) -> Result<Vec<Incident>, StoreError> {
    let text = "select state, parts from incident where opened_at < $2 \
                and (phase in ('active', 'resolved') or (phase = 'closed' and phase_since > $1)) order by id";
    incident_parts::load_parts(at, text, values![sql::micros(since), sql::micros(before)])
}

/// The ids of all loose events.
pub(crate) fn loose_ids(at: &SqlConnection<'_>) -> Result<BTreeSet<EventId>, StoreError> {
    let ids = sql::rows(at, "loose", "select event_id from loose", &[], |row| {
        let id: String = row.get(0)?;
        id.parse().map_err(|fault| sql::unreadable(0, &fault))
    })?;
    Ok(ids.into_iter().collect())
}

/// The aliases of these incidents.
pub(crate) fn aliases(
    at: &SqlConnection<'_>,
    since: Time,
) -> Result<Vec<(String, IncidentId)>, StoreError> {
    let text = "select a.alias, a.incident from alias a join incident i on i.id = a.incident \
                where i.phase in ('active', 'resolved') or (i.phase = 'closed' and i.phase_since > $1) order by a.alias";
    sql::rows(at, "alias", text, values![sql::micros(since)], |row| {
        Ok((row.get(0)?, IncidentId(row.get(1)?)))
    })
}

/// All loose events, oldest first.
pub(crate) fn loose_events(at: &SqlConnection<'_>) -> Result<Vec<Event>, StoreError> {
    sql::rows(
        at,
        "loose",
        "select event from loose order by occurred_at, event_id",
        &[],
        |row| sql::read_json(row, 0),
    )
}

/// Inserts or replaces an incident.
pub(crate) fn save(
    at: &SqlConnection<'_>,
    incident: &Incident,
    now: Time,
) -> Result<(), StoreError> {
    let parts = incident_parts::save(at, incident)?;
    let shell = (parts > 0).then(|| incident_parts::without_parts(incident));
    let measured = i64::from(
        incident
            .signals
            .iter()
            .any(|signal| signal.kind == SignalKind::Condition),
    );
    let text = "insert into incident (id, revision, phase, phase_since, standing, opened_at, updated_at, state, parts, measured) \
                values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) on conflict (id) do update set revision = excluded.revision, \
                phase = excluded.phase, phase_since = excluded.phase_since, standing = excluded.standing, \
                opened_at = excluded.opened_at, updated_at = excluded.updated_at, state = excluded.state, \
                parts = excluded.parts, measured = excluded.measured";
    sql::execute(
        at,
        NOUN,
        text,
        values![
            incident.id.0,
            sql::integer(incident.revision),
            sql::word(NOUN, &incident.phase)?,
            sql::micros(incident.phase_since),
            sql::word(NOUN, &incident.standing)?,
            sql::micros(opened_at(incident)),
            sql::micros(now),
            sql::json(NOUN, shell.as_ref().unwrap_or(incident))?,
            parts,
            measured,
        ],
    )?;
    // An incident that reappears under its own id is no longer an alias of another.
    sql::execute(
        at,
        "alias",
        "delete from alias where alias = $1",
        values![&incident.id.0],
    )
    .map(drop)
}

/// Removes an incident that was merged into another.
pub(crate) fn remove(at: &SqlConnection<'_>, id: &IncidentId) -> Result<(), StoreError> {
    sql::execute(
        at,
        NOUN,
        "delete from part where incident = $1",
        values![&id.0],
    )?;
    sql::execute(
        at,
        NOUN,
        "delete from incident where id = $1",
        values![&id.0],
    )
    .map(drop)
}

/// Makes `alias`, and every alias of it, name `incident`.
pub(crate) fn save_alias(
    at: &SqlConnection<'_>,
    alias: &str,
    incident: &IncidentId,
) -> Result<(), StoreError> {
    sql::execute(
        at,
        "alias",
        "update alias set incident = $2 where incident = $1",
        values![alias, incident.0],
    )?;
    let text = "insert into alias (alias, incident) values ($1, $2) on conflict (alias) do update set incident = excluded.incident";
    sql::execute(at, "alias", text, values![alias, incident.0]).map(drop)
}

impl Store {
    /// Planned work that has not ended long ago, in order of announcement.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn planned(&self) -> Result<Vec<Event>, StoreError> {
        // Planned work belongs to no incident, so all of it is loose.
        let text = "select event from loose where event like '%\"kind\":\"maintenance\"%' order by occurred_at, event_id";
        self.read("loose", |at| {
            let mut found: Vec<Event> =
                sql::rows(at, "loose", text, &[], |row| sql::read_json(row, 0))?;
            found.retain(|event| matches!(event.fact, Fact::Maintenance(_)));
            Ok(found)
        })
    }
}

/// Saves a loose event.
pub(crate) fn save_loose(at: &SqlConnection<'_>, event: &Event) -> Result<(), StoreError> {
    let text = "insert into loose (event_id, occurred_at, event) values ($1, $2, $3) \
                on conflict (event_id) do update set occurred_at = excluded.occurred_at, event = excluded.event";
    sql::execute(
        at,
        "loose",
        text,
        values![
            event.id.to_string(),
            sql::micros(event.occurred_at),
            sql::json("loose", event)?
        ],
    )
    .map(drop)
}

/// Removes a loose event that joined an incident or expired.
pub(crate) fn remove_loose(at: &SqlConnection<'_>, id: EventId) -> Result<(), StoreError> {
    sql::execute(
        at,
        "loose",
        "delete from loose where event_id = $1",
        values![id.to_string()],
    )
    .map(drop)
}

/// Earliest known time of an incident, for sorting; its beginning may be unknown.
fn opened_at(incident: &Incident) -> Time {
    let milestones = &incident.milestones;
    let turns = [&milestones.began, &milestones.detected]
        .into_iter()
        .flatten()
        .map(|milestone| milestone.at);
    // Sorted by time.
    let events = incident
        .members
        .first()
        .map(|member| member.event.occurred_at);
    turns.chain(events).min().unwrap_or(incident.phase_since)
}
