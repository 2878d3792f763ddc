//! Precision report: answers and outcomes per criterion, in the shape of its JSON.

use std::collections::BTreeMap;

use serde::Serialize;

use super::proportion::Proportion;
use crate::model::correction::{Answer, DismissReason};
use crate::model::id::IncidentId;
use crate::model::ledger::{Disposition, LedgerEntry};
use crate::model::lifecycle::Phase;
use crate::model::verdict::{CriterionKind, Decision, Measure, Outcome, Verdict};

/// Reasons of a dismissal that speak against the criterion: the signal was wrong, it was too small,
/// or no other reason was given. The other reasons concern the incident (planned, a test, a
/// duplicate) or an existing review, and are not counted.
pub(crate) const AGAINST: [DismissReason; 3] = [
    DismissReason::Noise,
    DismissReason::TooSmall,
    DismissReason::Other,
];

/// Totals of the ledger for all criteria.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct PrecisionReport {
    /// Number of incidents examined.
    pub incidents: usize,
    /// Those for which a person asked for a postmortem.
    pub requested: usize,
    /// Those of them that no other criterion had suggested or held.
    pub missed: usize,
    /// Criteria in force in the order of the rules, then former ones by name.
    pub criteria: Vec<CriterionRecord>,
}

/// Totals of the ledger for one criterion.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct CriterionRecord {
    /// Its name.
    pub criterion: String,
    /// True for a shadow. A criterion that was first a shadow has two records.
    pub shadow: bool,
    /// True when the rules contain it in this form.
    pub in_force: bool,
    /// Its kind.
    pub on: CriterionKind,
    /// The decision it leads to, or would lead to.
    pub decision: Decision,
    /// Incidents on which it was met.
    pub met: usize,
    /// Incidents on which it was unknown.
    pub unknown: usize,
    /// Results of its suggestions; for a shadow, of matching incidents that others suggested.
    pub suggested: SuggestionCounts,
    /// Results of postmortems it opened; for a shadow, of matching incidents that others held.
    pub held: HoldCounts,
    /// Incidents on which it was met but a stronger decision of another criterion applied.
    pub outranked: usize,
    /// Incidents for which it would have asked, without any suggestion made and so without an
    /// answer.
    pub unasked: usize,
    /// Its outcomes on missed incidents.
    pub missed: MissCounts,
}

/// Results of suggestions.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub(crate) struct SuggestionCounts {
    /// Accepted by a person.
    pub accepted: usize,
    /// Dismissed by a person, by reason.
    pub dismissed: BTreeMap<DismissReason, usize>,
    /// Not answered within seven working days.
    pub lapsed: usize,
    /// Not answered yet.
    pub waiting: usize,
    /// Bundled with another incident and not asked about separately.
    pub bundled: usize,
}

/// Results of postmortems opened by rule.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub(crate) struct HoldCounts {
    /// Completed.
    pub completed: usize,
    /// Declined.
    pub declined: usize,
    /// Still open.
    pub open: usize,
    /// Bundled with another incident, without a postmortem of their own.
    pub bundled: usize,
    /// Stated reasons for declining.
    pub dismissed: BTreeMap<DismissReason, usize>,
}

/// Outcomes of a criterion on incidents for which a person had to ask.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub(crate) struct MissCounts {
    /// Not met.
    pub not_met: usize,
    /// Unknown.
    pub unknown: usize,
    /// Met as a shadow, which would have suggested them.
    pub caught: usize,
    /// The incident on which it came closest to being met, where it is measured.
    pub closest: Option<ClosestMiss>,
}

/// A missed incident, with its distance.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct ClosestMiss {
    /// The incident.
    pub incident: IncidentId,
    /// Observed against required.
    pub measure: Measure,
}

impl CriterionRecord {
    pub(super) fn new(
        criterion: &str,
        shadow: bool,
        on: CriterionKind,
        decision: Decision,
    ) -> Self {
        Self {
            criterion: criterion.to_owned(),
            shadow,
            in_force: false,
            on,
            decision,
            met: 0,
            unknown: 0,
            suggested: SuggestionCounts::default(),
            held: HoldCounts::default(),
            outranked: 0,
            unasked: 0,
            missed: MissCounts::default(),
        }
    }

    /// Precision: accepted suggestions among those whose answer speaks for or against the
    /// criterion.
    #[must_use]
    pub(crate) fn precision(&self) -> Proportion {
        let against = AGAINST
            .iter()
            .filter_map(|reason| self.suggested.dismissed.get(reason))
            .sum::<usize>();
        Proportion::of(self.suggested.accepted, self.suggested.accepted + against)
    }

    /// Accepted suggestions among all answered ones.
    #[must_use]
    pub(crate) fn of_all_answers(&self) -> Proportion {
        Proportion::of(
            self.suggested.accepted,
            self.suggested.accepted + self.suggested.dismissed.values().sum::<usize>(),
        )
    }

    pub(super) fn count(&mut self, verdict: &Verdict, entry: &LedgerEntry, became: Disposition) {
        let named = |criteria: &[String]| !verdict.shadow && criteria.contains(&verdict.criterion);
        let asks = verdict.leads_to(Phase::Closed);
        let Some(announced) = &entry.announced else {
            self.unasked += usize::from(asks != Decision::None);
            return;
        };
        if asks == Decision::None && !named(&announced.criteria) {
            return;
        }
        // An answer to a suggestion remains one when a hold follows.
        let review = entry
            .review
            .as_ref()
            .filter(|review| matches!(review.answer, Answer::Accept | Answer::Dismiss { .. }));
        let to_suggestion = review.filter(|review| {
            announced.decision == Decision::Suggest || review.decision == Decision::Suggest
        });
        let holds = named(&announced.criteria) && announced.decision == Decision::Hold;
        let suggests = verdict.shadow
            || named(&announced.criteria)
            || (to_suggestion.is_some() && verdict.decision == Decision::Suggest);
        match to_suggestion.map(|review| review.answer) {
            _ if holds => self.held.count(review.map(|review| review.answer), became),
            _ if !suggests => self.outranked += 1,
            Some(Answer::Accept) => self.suggested.accepted += 1,
            Some(Answer::Dismiss { reason }) => {
                *self.suggested.dismissed.entry(reason).or_default() += 1;
            }
            _ if announced.decision == Decision::Hold => {
                self.held.count(review.map(|review| review.answer), became);
            }
            _ => match became {
                Disposition::Lapsed => self.suggested.lapsed += 1,
                Disposition::Bundled => self.suggested.bundled += 1,
                _ => self.suggested.waiting += 1,
            },
        }
    }
}

impl HoldCounts {
    pub(super) fn count(&mut self, answer: Option<Answer>, became: Disposition) {
        match (became, answer) {
            (Disposition::Completed, _) => self.completed += 1,
            (Disposition::Bundled, _) => self.bundled += 1,
            (Disposition::Declined | Disposition::Dismissed, answer) => {
                self.declined += 1;
                if let Some(Answer::Dismiss { reason }) = answer {
                    *self.dismissed.entry(reason).or_default() += 1;
                }
            }
            _ => self.open += 1,
        }
    }
}

impl MissCounts {
    pub(super) fn count(&mut self, verdict: &Verdict, entry: &LedgerEntry) {
        match verdict.outcome {
            Outcome::Met => self.caught += 1,
            Outcome::NotMet => self.not_met += 1,
            Outcome::Unknown => self.unknown += 1,
        }
        let share = |measure: &Measure| measure.margin / measure.required.max(f64::MIN_POSITIVE);
        let Some(measure) = verdict.measure.filter(|_| verdict.outcome != Outcome::Met) else {
            return;
        };
        if self
            .closest
            .as_ref()
            .is_none_or(|closest| share(&measure) > share(&closest.measure))
        {
            self.closest = Some(ClosestMiss {
                incident: entry.incident.clone(),
                measure,
            });
        }
    }
}
