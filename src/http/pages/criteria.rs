//! `GET /criteria`: how often each criterion was right, by what people answered.

use std::collections::BTreeMap;

use askama::Template;

use super::{Tab, show};
use crate::http::format;
use crate::model::correction::DismissReason;
use crate::model::time::Time;
use crate::trial::precision::{Precision, Record};

/// What the page shows.
pub(crate) struct View<'a> {
    /// The first instant of the stretch.
    pub(crate) since: Time,
    /// The first instant after it.
    pub(crate) until: Time,
    /// What the ledger says.
    pub(crate) found: &'a Precision,
}

#[derive(Template)]
#[template(path = "http/pages/criteria.html")]
struct Page<'a> {
    tab: Tab,
    view: &'a View<'a>,
}

impl Page<'_> {
    /// "too small 3, noise 1"
    fn reasons(&self, dismissed: &BTreeMap<DismissReason, usize>) -> String {
        let told = dismissed
            .iter()
            .map(|(reason, count)| format!("{} {count}", reason.word()));
        told.collect::<Vec<_>>().join(", ")
    }

    /// What became of those that nobody answered, and of what was never asked.
    fn rest(&self, record: &Record) -> Vec<String> {
        let suggested = &record.suggested;
        let counts = [
            (suggested.waiting, "waiting for an answer"),
            (
                suggested.lapsed,
                "lapsed: nobody answered in seven working days",
            ),
            (suggested.bundled, "waiting in the bundle of another"),
            (record.outranked, "decided by something stronger"),
            (
                record.unasked,
                if record.shadow {
                    "on which it would have asked and nobody did"
                } else {
                    "on which nobody was asked"
                },
            ),
        ];
        counts
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect()
    }

    fn held(&self, record: &Record) -> Vec<String> {
        let held = &record.held;
        let counts = [
            (held.completed, "completed"),
            (held.open, "open"),
            (held.declined, "declined"),
            (held.bundled, "in the bundle of another"),
        ];
        counts
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect()
    }

    fn missed(&self, record: &Record) -> Vec<String> {
        let missed = &record.missed;
        let counts = [
            (missed.not_met, "not met"),
            (missed.unknown, "unknown"),
            (
                missed.caught,
                "met: as a shadow, it would have suggested them",
            ),
        ];
        counts
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect()
    }
}

/// The page.
pub(crate) fn render(view: &View<'_>) -> String {
    show(&Page {
        tab: Tab::Criteria,
        view,
    })
}

#[cfg(test)]
mod tests {
    use super::{View, render};
    use crate::http::pages::sample;

    #[test]
    fn counts_are_said_with_their_interval() {
        let html = render(&View {
            since: sample::at(0),
            until: sample::at(86_400),
            found: &sample::proof::precision(),
        });
        for wanted in [
            "7 of 9 answered suggestions were accepted (45 % to 94 %)",
            "too few to tell",
            "too small 2",
            "2 of them no other criterion had suggested or held",
            "24m of 30m",
            "href=\"/incidents/i-7\"",
            ">shadow<",
            "no longer in the rules",
            "4 on which it would have asked and nobody did",
            "href=\"/ledger?criterion=a%20%26%20b",
            "value=\"2026-11-23\"",
        ] {
            assert!(html.contains(wanted), "lacks {wanted}: {html}");
        }
    }
}
