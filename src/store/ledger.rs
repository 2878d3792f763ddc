//! Ledger entries with their later developments.

use super::error::StoreError;
use super::sql;
use super::sql::{SqlConnection, values};
use crate::model::id::IncidentId;
use crate::model::ledger::{LedgerEntry, LedgerRecord};
use crate::model::lifecycle::{Phase, ReviewState};
use crate::model::time::Time;
use crate::store::database::Store;

const NOUN: &str = "ledger";

/// Filter for ledger entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LedgerFilter<'a> {
    /// Closed at or after this time.
    pub since: Time,
    /// Closed before this time.
    pub until: Time,
    /// Cursor: only entries after this one, given by closing time and incident.
    pub after: Option<(Time, &'a str)>,
    /// Only announced, or only unannounced entries.
    pub announced: Option<bool>,
    /// Maximum number.
    pub limit: usize,
}

impl Default for LedgerFilter<'_> {
    fn default() -> Self {
        Self {
            since: Time::UNIX_EPOCH,
            until: Time::MAX_UTC,
            after: None,
            announced: None,
            limit: usize::MAX,
        }
    }
}

impl Store {
    /// Entries, last closed first, then by incident.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn ledger(&self, filter: LedgerFilter<'_>) -> Result<Vec<LedgerRecord>, StoreError> {
        // An announced incident has a review state; an unannounced one has none.
        let standing = match filter.announced {
            None => "",
            Some(true) => "and l.standing <> $6",
            Some(false) => "and l.standing = $6",
        };
        let text = format!(
            "select l.entry, l.amended_at, l.amended, p.state, m.state, a.incident, i.phase from ledger l \
             left join postmortem p on p.incident = l.incident left join meeting m on m.id = p.id left join alias a on a.alias = l.incident \
             left join incident i on i.id = l.incident \
             where l.closed_at >= $1 and l.closed_at < $2 and l.closed_at <= $3 and (l.closed_at < $3 or l.incident > $4) {standing} \
             order by l.closed_at desc, l.incident limit $5"
        );
        let (after, incident) = filter.after.unwrap_or((Time::MAX_UTC, ""));
        let (since, until, after) = (
            sql::micros(filter.since),
            sql::micros(filter.until),
            sql::micros(after),
        );
        let closed = sql::word(NOUN, &Phase::Closed)?;
        let (limit, none) = (
            sql::integer(filter.limit),
            sql::word(NOUN, &ReviewState::None)?,
        );
        let values: &[_] = values![since, until, after, incident, limit, none];
        let values = if filter.announced.is_some() {
            values
        } else {
            &values[..5]
        };
        self.read(NOUN, |at| {
            sql::rows(at, NOUN, &text, values, |row| {
                let amended = match sql::read_time_if_any(row, 1)? {
                    Some(at) => Some((at, sql::read_json(row, 2)?)),
                    None => None,
                };
                Ok(LedgerRecord {
                    entry: sql::read_json(row, 0)?,
                    amended,
                    postmortem: sql::read_json_if_any(row, 3)?,
                    meeting: sql::read_json_if_any(row, 4)?,
                    merged_into: row.get::<Option<String>>(5)?.map(IncidentId),
                    reopened: row
                        .get::<Option<String>>(6)?
                        .is_some_and(|phase| phase != closed),
                })
            })
        })
    }

    /// The closing time of an incident, its cursor in the list. `None` when it has no entry.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn closed_at(&self, incident: &str) -> Result<Option<Time>, StoreError> {
        let text = "select closed_at from ledger where incident = $1";
        self.read(NOUN, |at| {
            sql::row(at, NOUN, text, values![incident], |row| {
                sql::read_time(row, 0)
            })
        })
    }
}

/// Adds a closed incident. An existing entry is never overwritten, only amended.
pub(crate) fn save(
    at: &SqlConnection<'_>,
    entry: &LedgerEntry,
    now: Time,
) -> Result<(), StoreError> {
    let text = "insert into ledger (incident, closed_at, decision, standing, entry) values ($1, $2, $3, $4, $5) \
                on conflict (incident) do update set decision = excluded.decision, standing = excluded.standing, \
                amended_at = $6, amended = excluded.entry where coalesce(ledger.amended, ledger.entry) <> excluded.entry";
    sql::execute(
        at,
        NOUN,
        text,
        values![
            entry.incident.0,
            sql::micros(entry.closed_at),
            sql::word(NOUN, &entry.decision)?,
            sql::word(NOUN, &entry.standing)?,
            sql::json(NOUN, entry)?,
            sql::micros(now),
        ],
    )
    .map(drop)
}
