//! Postmortems and their meetings.

use super::error::StoreError;
use super::list_cursor::ListCursor;
use super::sql;
use super::sql::{SqlConnection, values};
use crate::model::id::{IncidentId, PostmortemId};
use crate::model::meeting::Meeting;
use crate::model::postmortem::Postmortem;
use crate::store::database::Store;

const NOUN: &str = "postmortem";

impl Store {
    /// The newest postmortems, last opened first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn postmortems(&self, limit: usize) -> Result<Vec<Postmortem>, StoreError> {
        let text = "select state from postmortem order by opened_at desc, id limit $1";
        self.read(NOUN, |at| {
            sql::rows(at, NOUN, text, values![sql::integer(limit)], |row| {
                sql::read_json(row, 0)
            })
        })
    }

    /// Postmortems after a place in the list, last opened first, each with its own place.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(crate) fn list_postmortems(
        &self,
        after: &ListCursor,
        limit: usize,
    ) -> Result<Vec<(ListCursor, Postmortem)>, StoreError> {
        let text = "select state, opened_at, id from postmortem where opened_at <= $1 and (opened_at < $1 or id > $2) \
                    order by opened_at desc, id limit $3";
        self.read(NOUN, |at| {
            let limit = sql::integer(limit);
            sql::rows(
                at,
                NOUN,
                text,
                values![after.micros, after.id, limit],
                |row| {
                    let place = ListCursor {
                        micros: row.get(1)?,
                        id: row.get(2)?,
                    };
                    Ok((place, sql::read_json(row, 0)?))
                },
            )
        })
    }

    /// A postmortem by its id.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn postmortem(&self, id: &PostmortemId) -> Result<Option<Postmortem>, StoreError> {
        let text = "select state from postmortem where id = $1";
        self.read(NOUN, |at| {
            sql::row(at, NOUN, text, values![&id.0], |row| sql::read_json(row, 0))
        })
    }

    /// The postmortem of an incident.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn postmortem_of(&self, incident: &IncidentId) -> Result<Option<Postmortem>, StoreError> {
        let text = "select state from postmortem where incident = $1";
        self.read(NOUN, |at| {
            sql::row(at, NOUN, text, values![&incident.0], |row| {
                sql::read_json(row, 0)
            })
        })
    }

    /// A meeting by its id.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn meeting(&self, id: &PostmortemId) -> Result<Option<Meeting>, StoreError> {
        let text = "select state from meeting where id = $1";
        self.read("meeting", |at| {
            sql::row(at, "meeting", text, values![&id.0], |row| {
                sql::read_json(row, 0)
            })
        })
    }
}

/// Inserts or replaces a postmortem.
pub(crate) fn save(at: &SqlConnection<'_>, postmortem: &Postmortem) -> Result<(), StoreError> {
    let text = "insert into postmortem (id, incident, status, opened_at, state) values ($1, $2, $3, $4, $5) \
                on conflict (id) do update set incident = excluded.incident, status = excluded.status, \
                opened_at = excluded.opened_at, state = excluded.state";
    sql::execute(
        at,
        NOUN,
        text,
        values![
            postmortem.id.0,
            postmortem.incident.0,
            sql::word(NOUN, &postmortem.status)?,
            sql::micros(postmortem.opened_at),
            sql::json(NOUN, postmortem)?,
        ],
    )
    .map(drop)
}

/// Inserts or replaces a meeting.
pub(crate) fn save_meeting(at: &SqlConnection<'_>, meeting: &Meeting) -> Result<(), StoreError> {
    let text = "insert into meeting (id, sequence, starts_at, state) values ($1, $2, $3, $4) \
                on conflict (id) do update set sequence = excluded.sequence, starts_at = excluded.starts_at, state = excluded.state";
    sql::execute(
        at,
        "meeting",
        text,
        values![
            meeting.id.0,
            meeting.sequence,
            sql::micros(meeting.starts_at),
            sql::json("meeting", meeting)?
        ],
    )
    .map(drop)
}
