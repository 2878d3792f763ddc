//! `GET /ledger`: every closed incident, what was decided, what people answered and what came of it.

use askama::Template;

use super::{Tab, show};
use crate::app::ledger::Row;
use crate::http::format;
use crate::http::format::Names;
use crate::model::directory::{Identities, Who};
use crate::model::ledger::LedgerEntry;
use crate::model::verdict::{Decision, Verdict};

/// What the page shows.
pub(crate) struct View<'a> {
    /// Closed last first.
    pub(crate) rows: &'a [Row],
    /// Who is who.
    pub(crate) who: &'a Who,
    /// The services that are known.
    pub(crate) services: Vec<String>,
    /// The criteria in force.
    pub(crate) criteria: Vec<String>,
    /// What is asked for.
    pub(crate) asked: Entered,
    /// The same as CSV.
    pub(crate) csv: String,
    /// Where older entries are found, when there are more.
    pub(crate) older: Option<String>,
}

/// What is asked for, as it was entered.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Entered {
    /// Closed at or after this.
    pub(crate) since: String,
    /// Closed before this, or on this day.
    pub(crate) until: String,
    /// A service.
    pub(crate) service: String,
    /// `hold`, `suggest` or `none`.
    pub(crate) decision: String,
    /// A criterion.
    pub(crate) criterion: String,
}

#[derive(Template)]
#[template(path = "http/pages/ledger.html")]
struct Page<'a> {
    tab: Tab,
    view: &'a View<'a>,
    stated: Identities,
}

impl Page<'_> {
    fn called<'n>(&'n self, id: &'n str) -> &'n str {
        Names {
            who: self.view.who,
            stated: &self.stated,
        }
        .called("", id)
    }

    fn decided(&self, entry: &LedgerEntry) -> &'static str {
        format::decision(&entry.decided())
    }

    /// Whether all of it is shown.
    fn is_all(&self) -> bool {
        self.view.asked == Entered::default()
    }

    /// Those shadows that would have asked for something, with what.
    fn shadows<'e>(&self, entry: &'e LedgerEntry) -> Vec<(&'e Verdict, &'static str)> {
        let asked = entry
            .shadows()
            .filter(|(_, would_have)| *would_have != Decision::None);
        asked
            .map(|(verdict, would_have)| (verdict, format::would_have(would_have)))
            .collect()
    }
}

/// The page.
pub(crate) fn render(view: &View<'_>) -> String {
    show(&Page {
        tab: Tab::Ledger,
        view,
        stated: Identities::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::render;
    use crate::http::pages::sample;

    #[test]
    fn each_entry_has_what_was_decided_and_what_came_of_it() {
        let (who, rows) = (sample::who(), sample::proof::rows());
        let html = render(&sample::proof::ledger(&who, &rows));
        for wanted in [
            "href=\"/incidents/i-3f2a91c0de\"",
            "href=\"/postmortems/pm-3f2a91c0de\"",
            "href=\"/api/v1/ledger?service=check%20out&#38;format=csv\"",
            "href=\"/ledger?before=i-3f2a91c0de\"",
            "Dismissed: not worth a meeting by Ada L., ",
            "“a &#60;b&#62; word”",
            "tried would have suggested a postmortem",
            "Amended 23 Nov 2026",
            "Waits with <a href=\"/incidents/i-0\">i-0</a>",
            "Is part of <a href=\"/incidents/i-9\">i-9</a>",
            ">completed<",
            "<option value=\"suggest\" selected>",
        ] {
            let plain = html
                .replace("<time datetime=\"2026-11-23T12:02:00Z\">", "")
                .replace("<span class=\"badge quiet\">shadow</span> ", "");
            assert!(plain.contains(wanted), "lacks {wanted}: {html}");
        }
    }
}
