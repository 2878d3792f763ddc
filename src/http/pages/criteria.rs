//! `GET /criteria`: how often each criterion was right, by what people answered.

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

/// What the page shows.
pub(crate) struct CriteriaView<'a> {
    /// The first instant of the stretch.
    pub(crate) since: Time,
    /// The first instant after it.
    pub(crate) until: Time,
    /// What the ledger says.
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
            .map(|(reason, count)| format!("{} {count}", reason.word()));
        told.collect::<Vec<_>>().join(", ")
    }

    /// What became of those that nobody answered, and of what was never asked.
    fn rest(&self, record: &CriterionRecord) -> Vec<String> {
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

    fn held(&self, record: &CriterionRecord) -> Vec<String> {
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

    fn missed(&self, record: &CriterionRecord) -> Vec<String> {
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
