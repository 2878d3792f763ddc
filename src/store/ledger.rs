//! The ledger: every closed incident, what was decided and why, and what people answered.

use serde::{Deserialize, Serialize};

use super::Store;
use super::error::StoreError;
use super::sql::{self, At, values};
use crate::model::Time;
use crate::model::incident::{Announced, Decision, Incident, IncidentId, Milestones, Outcome, Reviewed, Standing, Verdict};

const NOUN: &str = "ledger";

/// A closed incident in short, with all that its decision rests on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LedgerEntry {
    /// The incident.
    pub incident: IncidentId,
    /// When it was closed.
    pub closed_at: Time,
    /// What it was about.
    pub title: String,
    /// The services concerned.
    pub services: Vec<String>,
    /// Their owners.
    pub scope: Vec<String>,
    /// When each turn of it was.
    pub milestones: Milestones,
    /// What its verdicts came to.
    pub decision: Decision,
    /// Why: the sentence of each verdict that is met.
    pub reasons: Vec<String>,
    /// All verdicts.
    pub verdicts: Vec<Verdict>,
    /// What was made known.
    pub announced: Option<Announced>,
    /// What a person answered.
    pub review: Option<Reviewed>,
    /// What stands after both.
    pub standing: Standing,
    /// Why it stands so, in one sentence.
    pub reason: String,
}

impl LedgerEntry {
    /// The entry of an incident as it stands. `closed_at` is when its phase last changed.
    #[must_use]
    pub fn of(incident: &Incident) -> Self {
        let met = incident.verdicts.iter().filter(|verdict| verdict.outcome == Outcome::Met);
        Self {
            incident: incident.id.clone(),
            closed_at: incident.phase_since,
            title: incident.title.clone(),
            services: incident.services.clone(),
            scope: incident.scope.clone(),
            milestones: incident.milestones.clone(),
            decision: incident.decision,
            reasons: met.map(|verdict| verdict.sentence.clone()).collect(),
            verdicts: incident.verdicts.clone(),
            announced: incident.announced.clone(),
            review: incident.review.clone(),
            standing: incident.standing,
            reason: incident.reason.clone(),
        }
    }
}

/// An entry with what became of it later.
#[derive(Debug, Clone, PartialEq)]
pub struct Ledgered {
    /// As it stood at closing.
    pub entry: LedgerEntry,
    /// As it stands since late facts or a late answer, and when that was; `None` while nothing differs.
    pub amended: Option<(Time, LedgerEntry)>,
}

impl Store {
    /// The newest entries, closed last first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn ledger(&self, limit: usize) -> Result<Vec<Ledgered>, StoreError> {
        let text = "select entry, amended_at, amended from ledger order by closed_at desc, incident limit $1";
        self.read(NOUN, |at| {
            sql::rows(at, NOUN, text, values![sql::integer(limit)], |row| {
                let amended = match sql::read_time_if_any(row, 1)? {
                    Some(at) => Some((at, sql::read_json(row, 2)?)),
                    None => None,
                };
                Ok(Ledgered { entry: sql::read_json(row, 0)?, amended })
            })
        })
    }
}

/// Enters a closed incident; what was entered before is never overwritten, only amended beside.
pub(super) fn save(at: &At<'_>, entry: &LedgerEntry, now: Time) -> Result<(), StoreError> {
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
