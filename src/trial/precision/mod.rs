//! Precision of criteria: counts of people's answers over closed incidents, with confidence
//! intervals.

pub(crate) mod proportion;
pub(crate) mod report;
pub(crate) mod summary;

use std::collections::BTreeMap;

use crate::model::ledger::{Disposition, LedgerEntry, LedgerRecord};
use crate::model::verdict::{CriterionKind, Outcome, Verdict};
use crate::rules::rule_set::Criterion;
use report::{CriterionRecord, PrecisionReport};

/// Counts while the ledger is read; its size depends on the number of criteria, not of entries.
#[derive(Debug, Default)]
pub(crate) struct PrecisionCounter {
    criteria: BTreeMap<(String, bool), CriterionRecord>,
    incidents: usize,
    requested: usize,
    missed: usize,
}

impl PrecisionCounter {
    /// Counts an entry of the ledger in its latest state.
    pub(crate) fn take(&mut self, row: &LedgerRecord, became: Disposition) {
        // Merged incidents are counted with the other one, reopened ones once they close again.
        if matches!(became, Disposition::Merged | Disposition::Reopened) {
            return;
        }
        let entry = row.latest();
        self.incidents += 1;
        let asked = entry
            .verdicts
            .iter()
            .any(|verdict| verdict.on == CriterionKind::Request && verdict.outcome == Outcome::Met);
        let requested = entry.requested_at.is_some() || asked;
        let missed = requested && !was_seen(entry);
        self.requested += usize::from(requested);
        self.missed += usize::from(missed);
        for verdict in &entry.verdicts {
            let record = self.record(verdict);
            record.decision = verdict.decision;
            record.met += usize::from(verdict.outcome == Outcome::Met);
            record.unknown += usize::from(verdict.outcome == Outcome::Unknown);
            record.count(verdict, entry, became);
            if missed && verdict.on != CriterionKind::Request {
                record.missed.count(verdict, entry);
            }
        }
    }

    fn record(&mut self, verdict: &Verdict) -> &mut CriterionRecord {
        let key = (verdict.criterion.clone(), verdict.shadow);
        self.criteria.entry(key).or_insert_with(|| {
            CriterionRecord::new(
                &verdict.criterion,
                verdict.shadow,
                verdict.on,
                verdict.decision,
            )
        })
    }

    /// The counts, for the criteria in force and earlier ones.
    #[must_use]
    pub(crate) fn end(mut self, rules: &[Criterion]) -> PrecisionReport {
        let mut criteria: Vec<CriterionRecord> = Vec::new();
        for criterion in rules {
            let (name, shadow, on) = (&criterion.name, criterion.shadow, criterion.test.kind());
            let known = self.criteria.remove(&(name.clone(), shadow));
            let record =
                known.unwrap_or_else(|| CriterionRecord::new(name, shadow, on, criterion.decision));
            criteria.push(CriterionRecord {
                in_force: true,
                on,
                decision: criterion.decision,
                ..record
            });
        }
        criteria.extend(self.criteria.into_values());
        PrecisionReport {
            incidents: self.incidents,
            requested: self.requested,
            missed: self.missed,
            criteria,
        }
    }
}

/// True when anything but a request led to a decision, or would have by itself.
fn was_seen(entry: &LedgerEntry) -> bool {
    let announced = entry.announced.as_ref();
    let decided = |verdict: &Verdict| {
        let named =
            announced.is_some_and(|announced| announced.criteria.contains(&verdict.criterion));
        !verdict.shadow
            && verdict.on != CriterionKind::Request
            && (named || verdict.outcome == Outcome::Met)
    };
    // An announcement before the first request had other reasons, which a stronger decision may
    // have replaced since.
    let before = announced
        .zip(entry.requested_at)
        .is_some_and(|(announced, asked)| announced.first_at < asked);
    before || entry.verdicts.iter().any(decided)
}

#[cfg(test)]
mod tests;
