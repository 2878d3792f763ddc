//! Counts of answers and outcomes per criterion, as JSON has them.

use std::collections::BTreeMap;

use serde::Serialize;

use super::proportion::Proportion;
use crate::model::correction::{Answer, DismissReason};
use crate::model::id::IncidentId;
use crate::model::ledger::{Disposition, LedgerEntry};
use crate::model::lifecycle::Phase;
use crate::model::verdict::{CriterionKind, Decision, Measure, Outcome, Verdict};

/// Reasons of a dismissal that say that the criterion should not have asked: the signal was wrong, it was not worth it, or no other reason
/// was given. The others are about the incident (planned, a test, a duplicate) or say that it is looked into already, and count neither way.
pub(crate) const AGAINST: [DismissReason; 3] = [
    DismissReason::Noise,
    DismissReason::TooSmall,
    DismissReason::Other,
];

/// What the ledger says of all criteria.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PrecisionReport {
    /// Incidents that were looked at.
    pub incidents: usize,
    /// Those for which a person asked.
    pub requested: usize,
    /// Those of them that no other criterion had suggested or held.
    pub missed: usize,
    /// Those in force in the order of the rules, then those that no longer are, by name.
    pub criteria: Vec<CriterionRecord>,
}

/// What the ledger says of one criterion.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CriterionRecord {
    /// Its name.
    pub criterion: String,
    /// Whether it only watched. One that was first a shadow has a record as each.
    pub shadow: bool,
    /// Whether the rules have it so now.
    pub in_force: bool,
    /// Its kind.
    pub on: CriterionKind,
    /// What it leads to, or would.
    pub decision: Decision,
    /// Incidents on which it was met.
    pub met: usize,
    /// Incidents on which nobody can say.
    pub unknown: usize,
    /// What came of what it suggested; of a shadow: of what it would have asked for and others suggested.
    pub suggested: SuggestionCounts,
    /// What came of what it held; of a shadow: of what it would have asked for and others held.
    pub held: HoldCounts,
    /// Incidents on which it was met when something stronger had decided, so that nobody was asked for its sake.
    pub outranked: usize,
    /// Incidents on which it would have asked, and nobody was: nobody knows what they would have answered.
    pub unasked: usize,
    /// How it stood on what was missed.
    pub missed: MissCounts,
}

/// What came of suggestions.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct SuggestionCounts {
    /// A person wanted the postmortem.
    pub accepted: usize,
    /// A person did not, by the reason they gave.
    pub dismissed: BTreeMap<DismissReason, usize>,
    /// Nobody answered in seven working days.
    pub lapsed: usize,
    /// Not answered yet.
    pub waiting: usize,
    /// They waited in the bundle of another incident, and nobody was asked about them.
    pub bundled: usize,
}

/// What came of postmortems that were opened by rule.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct HoldCounts {
    /// Done.
    pub completed: usize,
    /// Not held after all.
    pub declined: usize,
    /// Neither yet.
    pub open: usize,
    /// They wait in the bundle of another incident, and have none of their own.
    pub bundled: usize,
    /// The reasons of those declined for which a person gave one.
    pub dismissed: BTreeMap<DismissReason, usize>,
}

/// How a criterion stood on incidents for which a person had to ask.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct MissCounts {
    /// Not met.
    pub not_met: usize,
    /// Unknown.
    pub unknown: usize,
    /// Met as a shadow: it would have suggested them.
    pub caught: usize,
    /// The one that came closest to being met, where that is counted.
    pub closest: Option<ClosestMiss>,
}

/// A miss with how close it was.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClosestMiss {
    /// The incident.
    pub incident: IncidentId,
    /// What was observed against what it takes.
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

    /// Of the suggestions whose answer speaks for or against the criterion: how many were accepted.
    #[must_use]
    pub fn precision(&self) -> Proportion {
        let against = AGAINST
            .iter()
            .filter_map(|reason| self.suggested.dismissed.get(reason))
            .sum::<usize>();
        Proportion::of(self.suggested.accepted, self.suggested.accepted + against)
    }

    /// Of all suggestions that were answered: how many were accepted.
    #[must_use]
    pub fn of_all_answers(&self) -> Proportion {
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
        // An answer to a suggestion stays one when a hold comes later.
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
