//! `GET /incidents`: all incidents, newest first.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Html;

use crate::app::App;
use crate::http::format::{badge, terms, time};
use crate::http::handler::{PAGE_ROWS, list_incidents};
use crate::http::pages::error::PageResult;
use crate::http::pages::layout::{Tab, render_template};
use crate::model::incident::Incident;
use crate::model::time::Time;
use crate::store::incident::IncidentFilter;

/// Data of the page.
pub(crate) struct IncidentsView<'a> {
    /// Current time.
    pub(crate) now: Time,
    /// Newest first.
    pub(crate) incidents: Vec<&'a Incident>,
    /// Link to older ones, if there are more.
    pub(crate) older: Option<String>,
}

#[derive(Template)]
#[template(path = "http/pages/incidents.html")]
struct IncidentsTemplate<'a> {
    tab: Tab,
    view: &'a IncidentsView<'a>,
}

/// Renders the page.
pub(crate) fn render(view: &IncidentsView<'_>) -> String {
    render_template(&IncidentsTemplate {
        tab: Tab::Incidents,
        view,
    })
}

pub(crate) async fn page(State(app): State<Arc<App>>) -> PageResult {
    let filter = IncidentFilter {
        open_only: false,
        limit: PAGE_ROWS,
    };
    let list = list_incidents(&app, filter).await?;
    let view = IncidentsView {
        now: app.core.now(),
        incidents: list.iter().collect(),
        older: (list.len() == PAGE_ROWS).then(|| "/api/v1/incidents".to_owned()),
    };
    Ok(Html(render(&view)))
}

#[cfg(test)]
mod tests {
    use super::{IncidentsView, render};
    use crate::http::pages::sample;

    #[test]
    fn each_incident_is_linked_with_its_state() {
        let mut incident = sample::model::incident();
        incident.milestones.began = None;
        let html = render(&IncidentsView {
            now: sample::model::at(7200),
            incidents: vec![&incident],
            older: Some("/incidents?before=12".to_owned()),
        });
        for wanted in [
            "href=\"/incidents/i-3f2a91c0de\"",
            ">suggested<",
            ">resolved<",
            "unknown",
            "href=\"/incidents?before=12\"",
        ] {
            assert!(html.contains(wanted), "lacks {wanted}");
        }
    }
}
