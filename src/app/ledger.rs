//! Queries of the ledger: closed incidents with their outcome, and the precision of each criterion.

use std::path::PathBuf;

use super::core::Core;
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

/// Working days after which an unanswered suggestion has lapsed.
const LAPSES_AFTER: usize = 7;
/// Entries read at once.
const PAGE: usize = 200;

/// Filter of ledger entries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct LedgerSelection {
    /// Closed at or after this.
    pub since: Option<Time>,
    /// Closed before this.
    pub until: Option<Time>,
    /// Service concerned.
    pub service: Option<String>,
    /// Decision announced.
    pub decision: Option<Decision>,
    /// Criterion that was met, or had a part in the decision.
    pub criterion: Option<String>,
    /// Position in the list after which to start.
    pub after: Option<(Time, IncidentId)>,
}

/// An entry of the ledger with its outcome.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LedgerRow {
    /// Stored entry.
    pub ledgered: LedgerRecord,
    /// Outcome.
    pub became: Disposition,
    /// File of its postmortem.
    pub path: Option<PathBuf>,
}

impl LedgerRow {
    /// Position in the list.
    #[must_use]
    pub(crate) fn place(&self) -> (Time, IncidentId) {
        place(&self.ledgered)
    }
}

impl LedgerSelection {
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

/// Entries of the ledger, last closed first, at most `limit`. Blocks.
///
/// # Errors
/// When the database cannot be read.
pub(crate) fn list(
    core: &Core,
    asked: &LedgerSelection,
    limit: usize,
) -> Result<Vec<LedgerRow>, StoreError> {
    let (settings, now) = (core.settings(), core.now());
    let directory = settings.path(&settings.config.postmortems_directory);
    let mut rows = Vec::new();
    each_page(core, asked, |page| {
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
            rows.push(LedgerRow {
                ledgered,
                became,
                path,
            });
        }
        rows.len() < limit
    })?;
    Ok(rows)
}

/// Precision of each criterion over the incidents closed from `since` until before `until`. Blocks.
///
/// # Errors
/// When the database cannot be read.
pub(crate) fn precision(
    core: &Core,
    since: Time,
    until: Time,
) -> Result<PrecisionReport, StoreError> {
    let (settings, now) = (core.settings(), core.now());
    let mut tally = PrecisionCounter::default();
    let span = LedgerSelection {
        since: Some(since),
        until: Some(until),
        ..LedgerSelection::default()
    };
    each_page(core, &span, |page| {
        for row in &page {
            tally.take(row, row.became(lapsed(row, &settings, now)));
        }
        true
    })?;
    Ok(tally.end(&settings.policy.rules.criteria))
}

/// Reads page after page until `take` has enough.
fn each_page(
    core: &Core,
    asked: &LedgerSelection,
    mut take: impl FnMut(Vec<LedgerRecord>) -> bool,
) -> Result<(), StoreError> {
    let mut after = asked.after.clone();
    let all = LedgerFilter::default();
    loop {
        let page = core.store.ledger(LedgerFilter {
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

/// Position in the list: by the first entry, which is never overwritten.
fn place(row: &LedgerRecord) -> (Time, IncidentId) {
    (row.entry.closed_at, row.entry.incident.clone())
}

/// The time to answer a suggestion is over.
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
