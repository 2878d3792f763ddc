//! `/conditions`: metric conditions, their state, and problems of their sources.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Html;

use crate::app::App;
use crate::app::conditions::status::{ConditionView, SourceStatus};
use crate::http::format::badge::Badge;
use crate::http::format::{badge, time};
use crate::http::handler::read_store;
use crate::http::pages::error::PageResult;
use crate::http::pages::layout::{Tab, render_template};
use crate::model::event::ConditionState;
use crate::model::time::Time;

/// Data of the page.
pub(crate) struct ConditionsView {
    /// Current time.
    pub(crate) now: Time,
    /// In the order of the rules.
    pub(crate) conditions: Vec<ConditionView>,
    /// Entries of `metrics:` and their targets.
    pub(crate) sources: Vec<MetricsSourceView>,
}

/// Metrics source or one of its targets.
pub(crate) struct MetricsSourceView {
    pub(crate) name: String,
    /// Last successful answer.
    pub(crate) answered: Option<Time>,
    /// Reason of the last failure.
    pub(crate) fault: Option<String>,
    /// Number of series beyond the limit.
    pub(crate) left_out: usize,
}

#[derive(Template)]
#[template(path = "http/pages/conditions.html")]
struct ConditionsTemplate<'a> {
    tab: Tab,
    view: &'a ConditionsView,
}

impl ConditionsTemplate<'_> {
    fn state(&self, state: &ConditionState) -> Badge {
        badge::condition(*state)
    }
}

/// Renders the page.
pub(crate) fn render(view: &ConditionsView) -> String {
    render_template(&ConditionsTemplate {
        tab: Tab::Overview,
        view,
    })
}

pub(crate) async fn page(State(app): State<Arc<App>>) -> PageResult {
    let (conditions, measured) = read_store(&app, |app| {
        Ok((app.conditions.list()?, app.conditions.status()?))
    })
    .await?;
    let source = |(name, status): (&String, &SourceStatus)| MetricsSourceView {
        name: name.clone(),
        answered: status.answered,
        fault: status.fault.clone(),
        left_out: status.left_out,
    };
    // An entry with targets is shown by its targets, unless series were left out, which it counts
    // itself.
    let has_targets = |name: &str| {
        measured.sources().keys().any(|other| {
            other
                .strip_prefix(name)
                .is_some_and(|rest| rest.starts_with(' '))
        })
    };
    let sources = measured
        .sources()
        .iter()
        .filter(|(name, status)| status.left_out > 0 || !has_targets(name))
        .map(source)
        .collect();
    let view = ConditionsView {
        now: app.core.now(),
        conditions,
        sources,
    };
    Ok(Html(render(&view)))
}

#[cfg(test)]
mod tests {
    use super::{ConditionState, ConditionView, ConditionsView, MetricsSourceView, render};
    use crate::app::conditions::status::ConditionStatus;
    use crate::http::pages::sample;
    use crate::model::labels::Labels;

    #[test]
    fn left_out_series_and_faults_are_shown() {
        let series = |state, count| std::iter::repeat_n((Labels::new(), state), count);
        let watched = ConditionView {
            name: "errors".to_owned(),
            service: "shop".to_owned(),
            query: "rate(errors<script>[5m])".to_owned(),
            metrics: "prom".to_owned(),
            bounds: vec![("degraded".to_owned(), "> 0.02".to_owned())],
            max_series: 100,
            status: ConditionStatus {
                last: Some(sample::model::at(80)),
                series: series(ConditionState::Healthy, 98)
                    .chain(series(ConditionState::Degraded, 2))
                    .collect(),
                left_out: 17,
                fault: Some("the target does not offer `erors`".to_owned()),
                ..ConditionStatus::default()
            },
        };
        let source = MetricsSourceView {
            name: "prom".to_owned(),
            answered: None,
            fault: Some("connection refused".to_owned()),
            left_out: 23,
        };
        let html = render(&ConditionsView {
            now: sample::model::at(90),
            conditions: vec![watched],
            sources: vec![source],
        });
        for expected in [
            "17 more are left out",
            "23 series are left out",
            "2 degraded",
            "98 healthy",
            "10s ago",
            "does not offer",
            "connection refused",
            "never",
        ] {
            assert!(html.contains(expected), "{expected}: {html}");
        }
        assert!(!html.contains("<script>"), "{html}");
    }
}
