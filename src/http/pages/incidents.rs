//! `GET /incidents`: all incidents, newest first.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Html;
use serde::Deserialize;

use crate::app::App;
use crate::http::format::{badge, terms, time};
use crate::http::handler::{IncidentSelection, list_incidents};
use crate::http::pages::error::PageResult;
use crate::http::pages::layout::{Tab, render_template};
use crate::http::paging;
use crate::model::incident::Incident;
use crate::model::time::Time;
use crate::store::incident::IncidentList;

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

/// Query of the page.
#[derive(Debug, Deserialize)]
pub(crate) struct IncidentsQuery {
    /// Leave out closed incidents.
    #[serde(default)]
    open: bool,
    after: Option<String>,
}

pub(crate) async fn page(
    State(app): State<Arc<App>>,
    Query(query): Query<IncidentsQuery>,
) -> PageResult {
    let selection = IncidentSelection {
        list: if query.open {
            IncidentList::Open
        } else {
            IncidentList::All
        },
        after: paging::after(query.after.as_deref())?,
    };
    let (list, next) = list_incidents(&app, selection).await?;
    let view = IncidentsView {
        now: app.core.now(),
        incidents: list.iter().collect(),
        older: next.map(|next| {
            let after = next.to_string();
            let open = query.open.then_some("true");
            paging::address(
                "/incidents",
                &[("open", open), ("after", Some(after.as_str()))],
            )
        }),
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
