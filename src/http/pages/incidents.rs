//! `GET /incidents`: all incidents, newest first.

use askama::Template;

use super::{Tab, show};
use crate::http::format;
use crate::model::incident::Incident;

/// What the page shows.
pub(crate) struct View<'a> {
    /// Newest first.
    pub(crate) incidents: Vec<&'a Incident>,
    /// Where older ones are found, when there are more.
    pub(crate) older: Option<String>,
}

#[derive(Template)]
#[template(path = "http/pages/incidents.html")]
struct Page<'a> {
    tab: Tab,
    view: &'a View<'a>,
}

/// The page.
pub(crate) fn render(view: &View<'_>) -> String {
    show(&Page {
        tab: Tab::Incidents,
        view,
    })
}

#[cfg(test)]
mod tests {
    use super::{View, render};
    use crate::http::pages::sample;

    #[test]
    fn each_incident_is_linked_with_its_state() {
        let mut incident = sample::incident();
        incident.milestones.began = None;
        let html = render(&View {
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
