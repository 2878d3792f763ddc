//! Findings: the result of evaluating one criterion, and the helpers that criteria share.

use chrono::TimeDelta;

use crate::expr::truth::Truth;
use crate::model::id::EventId;
use crate::model::time::Time;
use crate::model::verdict::{Exclusion, Factor, Measure, Outcome, Unit};

/// A verdict without the criterion's own part.
#[derive(Debug)]
pub(crate) struct Finding {
    pub(crate) outcome: Outcome,
    pub(crate) measure: Option<Measure>,
    pub(crate) factors: Vec<Factor>,
    pub(crate) excluded: Vec<Exclusion>,
    pub(crate) evidence: Vec<EventId>,
    pub(crate) sentence: String,
    pub(crate) would_change: String,
}

impl Finding {
    /// A finding with its sentence, and the sentence of what would have changed it.
    pub(crate) fn new(
        outcome: Outcome,
        measure: Option<Measure>,
        evidence: Vec<EventId>,
        (sentence, would_change): (String, String),
    ) -> Self {
        Self {
            outcome,
            measure,
            factors: Vec::new(),
            excluded: Vec::new(),
            evidence,
            sentence,
            would_change,
        }
    }

    /// A finding of something that the incident does not have at all.
    pub(crate) fn absent(sentence: &str, would_change: &str) -> Self {
        Self::new(
            Outcome::NotMet,
            None,
            Vec::new(),
            (sentence.to_owned(), would_change.to_owned()),
        )
    }
}

/// The earliest instant at which time alone could change a verdict.
#[derive(Debug, Default)]
pub(crate) struct NextChange(Option<Time>);

impl NextChange {
    /// Adds an instant, if there is one.
    pub(crate) fn add(&mut self, at: Option<Time>) {
        self.0 = self.0.into_iter().chain(at).min();
    }

    pub(crate) fn at(&self) -> Option<Time> {
        self.0
    }
}

/// Something that a criterion may count, described, with the result of its `where`.
pub(crate) struct Candidate {
    pub(crate) event: EventId,
    pub(crate) words: String,
    pub(crate) passes: Truth,
}

/// The outcome over candidates; a single one suffices.
#[derive(Default)]
pub(crate) struct AnyOf {
    pub(crate) evidence: Vec<EventId>,
    /// The words of the first candidate that decides the outcome, else of the first.
    pub(crate) words: Option<String>,
    /// Reason why the outcome is unknown.
    pub(crate) unknown: Option<String>,
}

/// Met if any candidate passes, unknown if any may.
pub(crate) fn any_of(candidates: impl Iterator<Item = Candidate>) -> (Outcome, AnyOf) {
    let candidates: Vec<Candidate> = candidates.collect();
    let passing = || {
        candidates
            .iter()
            .filter(|candidate| candidate.passes == Truth::True)
    };
    if let Some(first) = passing().next() {
        let met = AnyOf {
            evidence: passing().map(|candidate| candidate.event).collect(),
            words: Some(first.words.clone()),
            unknown: None,
        };
        return (Outcome::Met, met);
    }
    for candidate in &candidates {
        if let Truth::Unknown(why) = &candidate.passes {
            let unknown = AnyOf {
                evidence: vec![candidate.event],
                words: Some(candidate.words.clone()),
                unknown: Some(why.clone()),
            };
            return (Outcome::Unknown, unknown);
        }
    }
    let none = AnyOf {
        words: candidates.first().map(|candidate| candidate.words.clone()),
        ..AnyOf::default()
    };
    (Outcome::NotMet, none)
}

/// The outcome of a measure with a lower and an upper bound.
pub(crate) fn outcome(lower_suffices: bool, upper_suffices: bool) -> Outcome {
    match (lower_suffices, upper_suffices) {
        (true, _) => Outcome::Met,
        (false, true) => Outcome::Unknown,
        (false, false) => Outcome::NotMet,
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "durations of an incident are far below 2^52 milliseconds"
)]
pub(crate) fn seconds(time: TimeDelta) -> f64 {
    time.num_milliseconds() as f64 / 1000.0
}

/// A measure of how many times something occurred.
#[expect(
    clippy::cast_precision_loss,
    reason = "counts of an incident are far below 2^52"
)]
pub(crate) fn times(lower: usize, upper: usize, required: u32) -> Measure {
    Measure::new(lower as f64, upper as f64, f64::from(required), Unit::Times)
}
