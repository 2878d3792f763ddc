//! Summaries of the precision report in sentences.

use super::proportion::Proportion;
use super::report::{CriterionRecord, PrecisionReport};

impl CriterionRecord {
    /// Precision of the criterion in words.
    #[must_use]
    pub(crate) fn sentence(&self) -> String {
        let (share, all) = (self.precision(), self.of_all_answers());
        let what = if self.shadow {
            "matching incidents suggested by other criteria"
        } else {
            "answered suggestions"
        };
        let aside = all.of - share.of;
        let main = match (share.of, aside) {
            (0, 0) if self.shadow => {
                return "Nobody has answered a suggestion on its incidents yet.".to_owned();
            }
            (0, 0) if self.suggestions() == 0 => return "No suggestions.".to_owned(),
            (0, 0) => return "No answers yet.".to_owned(),
            (0, _) => "No answer counts for or against it".to_owned(),
            _ => format!(
                "{} of {} {what} {}",
                share.right,
                share.of,
                accepted(&share)
            ),
        };
        if aside == 0 {
            return format!("{main}.");
        }
        let dismissed = if aside == 1 {
            "1 was".to_owned()
        } else {
            format!("{aside} were")
        };
        let with_them = if share.of == 0 {
            String::new()
        } else {
            format!(
                "; with {}, {} of {} {}",
                them(aside),
                all.right,
                all.of,
                accepted(&all)
            )
        };
        format!(
            "{main}. {dismissed} dismissed as {}, which says nothing about the criterion{with_them}.",
            self.set_aside()
        )
    }

    /// The suggestions that its incidents were asked about.
    fn suggestions(&self) -> usize {
        let counts = &self.suggested;
        let dismissed: usize = counts.dismissed.values().sum();
        counts.accepted + dismissed + counts.lapsed + counts.waiting + counts.bundled
    }

    /// The dismissal reasons that are not counted.
    fn set_aside(&self) -> String {
        let given = self
            .suggested
            .dismissed
            .keys()
            .filter(|reason| !super::report::AGAINST.contains(reason));
        given
            .map(|reason| reason.label())
            .collect::<Vec<_>>()
            .join(", ")
    }
}

fn them(count: usize) -> &'static str {
    if count == 1 { "it" } else { "them" }
}

fn accepted(share: &Proportion) -> String {
    let were = if share.right == 1 { "was" } else { "were" };
    match share.told {
        Some(told) => format!(
            "{were} accepted ({:.0} % to {:.0} %)",
            told.low * 100.0,
            told.high * 100.0
        ),
        None => format!("{were} accepted: too few to tell"),
    }
}

impl PrecisionReport {
    /// Misses of all criteria in words.
    #[must_use]
    pub(crate) fn sentence(&self) -> String {
        match (self.requested, self.missed) {
            (0, _) => "No incident that closed in this period had a request for a postmortem.".to_owned(),
            (1, 0) => "People asked for a postmortem on 1 incident, which a criterion had also suggested or opened.".to_owned(),
            (1, _) => "People asked for a postmortem on 1 incident, which no other criterion had suggested or opened.".to_owned(),
            (asked, 0) => {
                format!("People asked for a postmortem on {asked} incidents; a criterion had also suggested or opened each of them.")
            }
            (asked, missed) => {
                format!("People asked for a postmortem on {asked} incidents; no other criterion had suggested or opened {missed} of them.")
            }
        }
    }
}
