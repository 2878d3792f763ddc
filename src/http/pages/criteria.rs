//! `/criteria`: precision of each criterion, by people's answers.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Html;

use crate::app::App;
use crate::http::api::criteria::{PeriodQueryResult, read_precision};
use crate::http::format::{terms, time};
use crate::http::pages::error::PageResult;
use crate::http::pages::layout::{Tab, render_template};
use crate::model::correction::DismissReason;
use crate::model::time::Time;
use crate::trial::precision::report::{CriterionRecord, PrecisionReport};
use std::collections::BTreeMap;

/// Data of the page.
pub(crate) struct CriteriaView<'a> {
    /// Start of the period, inclusive.
    pub(crate) since: Time,
    /// End of the period, exclusive.
    pub(crate) until: Time,
    /// Precision over the period.
    pub(crate) found: &'a PrecisionReport,
}

#[derive(Template)]
#[template(path = "http/pages/criteria.html")]
struct CriteriaTemplate<'a> {
    tab: Tab,
    view: &'a CriteriaView<'a>,
}

impl CriteriaTemplate<'_> {
    /// "too small 3, noise 1"
    fn reasons(&self, dismissed: &BTreeMap<DismissReason, usize>) -> String {
        let told = dismissed
            .iter()
            .map(|(reason, count)| format!("{} {count}", reason.label()));
        told.collect::<Vec<_>>().join(", ")
    }

    /// Counts of suggestions without an answer, and of met criteria without a suggestion.
    fn rest(&self, record: &CriterionRecord) -> Vec<String> {
        let suggested = &record.suggested;
        let counts = [
            (suggested.waiting, "waiting for an answer"),
            (
                suggested.lapsed,
                "lapsed: no answer within seven working days",
            ),
            (suggested.bundled, "bundled with another incident"),
            (
                record.outranked,
                "decided by another criterion with a stronger decision",
            ),
            (
                record.unasked,
                if record.shadow {
                    "more that it would have suggested; nobody was asked about them"
                } else {
                    "met without a suggestion being made"
                },
            ),
        ];
        counts
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect()
    }

    fn held(&self, record: &CriterionRecord) -> Vec<String> {
        let held = &record.held;
        let counts = [
            (held.completed, "completed"),
            (held.open, "open"),
            (held.declined, "declined"),
            (held.bundled, "bundled with another incident"),
        ];
        counts
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect()
    }

    fn missed(&self, record: &CriterionRecord) -> Vec<String> {
        let missed = &record.missed;
        let counts = [
            (missed.not_met, "not met"),
            (missed.unknown, "unknown"),
            (
                missed.caught,
                "met as a shadow: it would have suggested them",
            ),
        ];
        counts
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect()
    }
}

/// Renders the page.
pub(crate) fn render(view: &CriteriaView<'_>) -> String {
    render_template(&CriteriaTemplate {
        tab: Tab::Criteria,
        view,
    })
}

/// `GET /criteria`
pub(crate) async fn page(State(app): State<Arc<App>>, queried: PeriodQueryResult) -> PageResult {
    let (since, until, found) = read_precision(&app, queried).await?;
    Ok(Html(render(&CriteriaView {
        since,
        until,
        found: &found,
    })))
}

#[cfg(test)]
mod tests {
    use super::{CriteriaView, render};
    use crate::http::pages::sample;

    #[test]
    fn counts_are_said_with_their_interval() {
        let html = render(&CriteriaView {
            since: sample::model::at(0),
            until: sample::model::at(86_400),
            found: &sample::ledger::precision(),
        });
        for wanted in [
            "7 of 9 answered suggestions were accepted (45 % to 94 %)",
            "too few to tell",
            "too small 2",
            "no other criterion had suggested or opened 2 of them",
            "24m (threshold 30m)",
            "href=\"/incidents/i-7\"",
            ">shadow<",
            "no longer in the rules",
            "4 more that it would have suggested; nobody was asked about them",
            "href=\"/ledger?criterion=a%20%26%20b",
            "value=\"2026-11-23\"",
        ] {
            assert!(html.contains(wanted), "lacks {wanted}: {html}");
        }
    }
}
