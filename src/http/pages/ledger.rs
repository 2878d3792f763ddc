//! `/ledger`: every closed incident with its decision, answer and outcome.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Html;

use crate::app::App;
use crate::app::ledger::LedgerRow;
use crate::http::api::ledger_query::{LedgerQuery, LedgerQueryResult, read_rows};
use crate::http::format::event::DisplayNames;
use crate::http::format::{badge, terms, time};
use crate::http::handler::service_names;
use crate::http::pages::error::PageResult;
use crate::http::pages::layout::{Tab, render_template};
use crate::model::directory::{Directory, Identities};
use crate::model::ledger::LedgerEntry;
use crate::model::verdict::{Decision, Verdict};

/// Data of the page.
pub(crate) struct LedgerView<'a> {
    /// Most recently closed first.
    pub(crate) rows: &'a [LedgerRow],
    /// Directory of the settings.
    pub(crate) who: &'a Directory,
    /// Service names to choose from.
    pub(crate) services: Vec<String>,
    /// Criterion names to choose from.
    pub(crate) criteria: Vec<String>,
    /// Filter.
    pub(crate) asked: LedgerInput,
    /// Link to the same entries as CSV.
    pub(crate) csv: String,
    /// Link to older entries, if there are more.
    pub(crate) older: Option<String>,
}

/// Filter as entered.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct LedgerInput {
    /// Closed at or after this.
    pub(crate) since: String,
    /// Closed before this, or on this day.
    pub(crate) until: String,
    pub(crate) service: String,
    /// `hold`, `suggest` or `none`.
    pub(crate) decision: String,
    pub(crate) criterion: String,
}

#[derive(Template)]
#[template(path = "http/pages/ledger.html")]
struct LedgerTemplate<'a> {
    tab: Tab,
    view: &'a LedgerView<'a>,
    stated: Identities,
}

impl LedgerTemplate<'_> {
    fn display_name<'n>(&'n self, id: &'n str) -> &'n str {
        DisplayNames {
            who: self.view.who,
            stated: &self.stated,
        }
        .display_name("", id)
    }

    fn decided(&self, entry: &LedgerEntry) -> &'static str {
        terms::decision(&entry.decided())
    }

    /// The label of a value of the decision filter.
    fn decision_label(&self, value: &str) -> &'static str {
        terms::decision(match value {
            "hold" => &Decision::Hold,
            "suggest" => &Decision::Suggest,
            _ => &Decision::None,
        })
    }

    /// True without a filter.
    fn is_all(&self) -> bool {
        self.view.asked == LedgerInput::default()
    }

    /// Shadow verdicts that would have had an effect.
    fn shadows<'e>(&self, entry: &'e LedgerEntry) -> Vec<(&'e Verdict, &'static str)> {
        let asked = entry
            .shadows()
            .filter(|(_, would_have)| *would_have != Decision::None);
        asked
            .map(|(verdict, would_have)| {
                (verdict, terms::shadow_effect(would_have, verdict.decision))
            })
            .collect()
    }
}

/// Renders the page.
pub(crate) fn render(view: &LedgerView<'_>) -> String {
    render_template(&LedgerTemplate {
        tab: Tab::Ledger,
        view,
        stated: Identities::new(),
    })
}

/// Maximum rows of the page.
const LEDGER_ROWS: usize = 100;

/// `GET /ledger`
pub(crate) async fn page(State(app): State<Arc<App>>, queried: LedgerQueryResult) -> PageResult {
    let query = LedgerQuery::parse(queried)?;
    let asked = query.selection(&app).await?;
    let (rows, next) = read_rows(&app, &asked, LEDGER_ROWS).await?;
    let settings = app.core.settings();
    let criteria = settings
        .policy
        .rules
        .criteria
        .iter()
        .map(|criterion| criterion.name.clone());
    let view = LedgerView {
        rows: &rows,
        who: &settings.policy.who,
        services: service_names(&app),
        criteria: criteria.collect(),
        csv: query.address("/api/v1/ledger", None, Some("csv")),
        older: next.map(|next| query.address("/ledger", Some(next.0), None)),
        asked: LedgerInput {
            since: query.since.unwrap_or_default(),
            until: query.until.unwrap_or_default(),
            service: query.service.unwrap_or_default(),
            decision: query.decision.unwrap_or_default(),
            criterion: query.criterion.unwrap_or_default(),
        },
    };
    Ok(Html(render(&view)))
}

#[cfg(test)]
mod tests {
    use super::render;
    use crate::http::pages::sample;

    #[test]
    fn each_entry_has_what_was_decided_and_what_came_of_it() {
        let (who, rows) = (sample::model::who(), sample::ledger::rows());
        let html = render(&sample::ledger::ledger(&who, &rows));
        for wanted in [
            "href=\"/incidents/i-3f2a91c0de\"",
            "href=\"/postmortems/pm-3f2a91c0de\"",
            "href=\"/api/v1/ledger?service=check%20out&#38;format=csv\"",
            "href=\"/ledger?before=i-3f2a91c0de\"",
            "Dismissed: too small for a postmortem (Ada L., ",
            "“a &#60;b&#62; word”",
            "tried would have suggested a postmortem",
            "Amended 23 Nov 2026",
            "Bundled with <a href=\"/incidents/i-0\">i-0</a>",
            "Merged into <a href=\"/incidents/i-9\">i-9</a>",
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
