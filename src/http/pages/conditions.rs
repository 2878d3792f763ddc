//! `GET /conditions`: what is measured, how it is now, and what is in the way of measuring it.

use askama::Template;

use super::{Tab, show};
use crate::app::conditions::status::Shown;
use crate::http::format;
use crate::http::format::Badge;
use crate::model::event::ConditionState;
use crate::model::time::Time;

/// What the page shows.
pub(crate) struct View {
    /// The time at which it is looked at.
    pub(crate) now: Time,
    /// In the order of the rules.
    pub(crate) conditions: Vec<Shown>,
    /// Entries of `metrics:` and their targets.
    pub(crate) sources: Vec<Source>,
}

/// Where samples are from.
pub(crate) struct Source {
    /// Its name.
    pub(crate) name: String,
    /// When it last answered.
    pub(crate) answered: Option<Time>,
    /// Why it does not.
    pub(crate) fault: Option<String>,
    /// How many series were left out because there are more than are kept.
    pub(crate) left_out: usize,
}

#[derive(Template)]
#[template(path = "http/pages/conditions.html")]
struct Page<'a> {
    tab: Tab,
    view: &'a View,
}

impl Page<'_> {
    fn state(&self, state: &ConditionState) -> Badge {
        format::condition(*state)
    }
}

/// The page.
pub(crate) fn render(view: &View) -> String {
    show(&Page {
        tab: Tab::Watched,
        view,
    })
}

#[cfg(test)]
mod tests {
    use super::{ConditionState, Shown, Source, View, render};
    use crate::app::conditions::status::ConditionStatus;
    use crate::http::pages::sample;
    use crate::model::labels::Labels;

    #[test]
    fn what_is_left_out_and_what_is_in_the_way_is_seen() {
        let series = |state, count| std::iter::repeat_n((Labels::new(), state), count);
        let watched = Shown {
            name: "errors".to_owned(),
            service: "shop".to_owned(),
            query: "rate(errors<script>[5m])".to_owned(),
            metrics: "prom".to_owned(),
            bounds: vec![("degraded".to_owned(), "> 0.02".to_owned())],
            max_series: 100,
            status: ConditionStatus {
                last: Some(sample::at(80)),
                series: series(ConditionState::Healthy, 98)
                    .chain(series(ConditionState::Degraded, 2))
                    .collect(),
                left_out: 17,
                fault: Some("the target does not offer `erors`".to_owned()),
                ..ConditionStatus::default()
            },
        };
        let source = Source {
            name: "prom".to_owned(),
            answered: None,
            fault: Some("connection refused".to_owned()),
            left_out: 23,
        };
        let html = render(&View {
            now: sample::at(90),
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
