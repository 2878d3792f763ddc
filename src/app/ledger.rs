//! The ledger with what came of each entry, and what it says of each criterion.

use std::path::PathBuf;

use super::App;
use super::settings::Settings;
use crate::meeting::slot::end_of_working_day;
use crate::model::id::IncidentId;
use crate::model::ledger::{Disposition, LedgerRecord};
use crate::model::time::Time;
use crate::model::verdict::Decision;
use crate::store::error::StoreError;
use crate::store::ledger::LedgerFilter;
use crate::trial::precision::PrecisionCounter;
use crate::trial::precision::report::PrecisionReport;

/// A suggestion that nobody has answered after so many working days has lapsed.
const LAPSES_AFTER: usize = 7;
/// Entries read at once.
const PAGE: usize = 200;

/// Which part of the ledger is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    /// Closed at or after this.
    pub since: Option<Time>,
    /// Closed before this.
    pub until: Option<Time>,
    /// That service is concerned.
    pub service: Option<String>,
    /// That was made known.
    pub decision: Option<Decision>,
    /// That criterion was met, or had a part in the decision.
    pub criterion: Option<String>,
    /// Only what comes after this entry in the list.
    pub after: Option<(Time, IncidentId)>,
}

/// An entry of the ledger as it is told.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// What is kept.
    pub ledgered: LedgerRecord,
    /// What came of it.
    pub became: Disposition,
    /// The file of its postmortem.
    pub path: Option<PathBuf>,
}

impl Row {
    /// Where it stands in the list.
    #[must_use]
    pub fn place(&self) -> (Time, IncidentId) {
        place(&self.ledgered)
    }
}

impl Asked {
    fn fits(&self, row: &LedgerRecord) -> bool {
        let latest = row.latest();
        self.service
            .as_ref()
            .is_none_or(|service| latest.services.contains(service))
            && self
                .decision
                .is_none_or(|decision| latest.decided() == decision)
            && self
                .criterion
                .as_ref()
                .is_none_or(|criterion| latest.rests_on(criterion))
    }
}

impl App {
    /// Entries of the ledger, closed last first, `limit` at the most. Blocks.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn ledger(&self, asked: &Asked, limit: usize) -> Result<Vec<Row>, StoreError> {
        let (settings, now) = (self.settings(), self.now());
        let directory = settings.path(&settings.config.postmortems_directory);
        let mut rows = Vec::new();
        self.each_page(asked, |page| {
            for ledgered in page
                .into_iter()
                .filter(|row| asked.fits(row))
                .take(limit - rows.len())
            {
                let became = ledgered.became(lapsed(&ledgered, &settings, now));
                let path = ledgered
                    .postmortem
                    .as_ref()
                    .map(|postmortem| directory.join(&postmortem.file));
                rows.push(Row {
                    ledgered,
                    became,
                    path,
                });
            }
            rows.len() < limit
        })?;
        Ok(rows)
    }

    /// How often each criterion was right on the incidents that closed from `since` until before `until`. Blocks.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn precision(&self, since: Time, until: Time) -> Result<PrecisionReport, StoreError> {
        let (settings, now) = (self.settings(), self.now());
        let mut tally = PrecisionCounter::default();
        let span = Asked {
            since: Some(since),
            until: Some(until),
            ..Asked::default()
        };
        self.each_page(&span, |page| {
            for row in &page {
                tally.take(row, row.became(lapsed(row, &settings, now)));
            }
            true
        })?;
        Ok(tally.end(&settings.policy.rules.criteria))
    }

    /// Reads what may be asked for, page after page, until `take` has enough.
    fn each_page(
        &self,
        asked: &Asked,
        mut take: impl FnMut(Vec<LedgerRecord>) -> bool,
    ) -> Result<(), StoreError> {
        let mut after = asked.after.clone();
        let all = LedgerFilter::default();
        loop {
            let page = self.store.ledger(LedgerFilter {
                since: asked.since.unwrap_or(all.since),
                until: asked.until.unwrap_or(all.until),
                after: after
                    .as_ref()
                    .map(|(at, incident)| (*at, incident.0.as_str())),
                announced: asked.decision.map(|decision| decision != Decision::None),
                limit: PAGE,
            })?;
            let last = page.last().filter(|_| page.len() == PAGE).map(place);
            if !take(page) || last.is_none() {
                return Ok(());
            }
            after = last;
        }
    }
}

/// The list is by what was entered first; that is never overwritten.
fn place(row: &LedgerRecord) -> (Time, IncidentId) {
    (row.entry.closed_at, row.entry.incident.clone())
}

/// Whether the time to answer what was suggested is over.
fn lapsed(row: &LedgerRecord, settings: &Settings, now: Time) -> bool {
    let over = |asked_at| {
        end_of_working_day(
            asked_at,
            LAPSES_AFTER,
            &settings.config.hours,
            settings.config.time_zone,
        )
    };
    row.asked_at()
        .and_then(over)
        .is_some_and(|over| over <= now)
}
