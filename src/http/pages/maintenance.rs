//! `/maintenance`: maintenance windows and a form to add one.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Form, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};

use crate::app::App;
use crate::app::people::maintenance;
use crate::app::people::maintenance::PlannedWindow;
use crate::http::api::recorded::record_event;
use crate::http::format::time;
use crate::http::handler::{read_store, service_names};
use crate::http::pages::error::{PageError, PageResult};
use crate::http::pages::form::{FormFields, form_fault, json_body};
use crate::http::pages::layout::{Tab, render_template};
use crate::ingest::people;
use crate::model::time::Time;

/// The labels of the fields.
const LABELS: [(&str, &str); 4] = [
    ("service", "Service"),
    ("from", "From (UTC)"),
    ("to", "To (UTC)"),
    ("why", "Description"),
];

/// Data of the page. Fields of `POST /maintenance`: `service`, `from`, `to` (UTC), `why`.
#[derive(Debug, Clone)]
pub(crate) struct MaintenanceView {
    /// Current time.
    pub(crate) now: Time,
    /// Maintenance windows in order of time.
    pub(crate) planned: Vec<PlannedWindow>,
    /// Service names to choose from.
    pub(crate) services: Vec<String>,
    /// Previous input, when the form is shown again.
    pub(crate) entered: MaintenanceInput,
    /// Validation error.
    pub(crate) fault: Option<String>,
}

/// Input of the form.
#[derive(Debug, Clone, Default)]
pub(crate) struct MaintenanceInput {
    /// Description.
    pub(crate) why: String,
    pub(crate) service: String,
    /// `YYYY-MM-DDTHH:MM` in UTC.
    pub(crate) from: String,
    /// `YYYY-MM-DDTHH:MM` in UTC.
    pub(crate) to: String,
}

#[derive(Template)]
#[template(path = "http/pages/maintenance.html")]
struct MaintenanceTemplate<'a> {
    tab: Tab,
    view: &'a MaintenanceView,
}

impl MaintenanceTemplate<'_> {
    /// True if people can still end it: windows of the settings are changed there.
    fn can_end(&self, work: &PlannedWindow) -> bool {
        work.source == "people" && work.to > self.view.now
    }

    /// End of the window if ended now: a future one gets length zero, which cancels it.
    fn end(&self, work: &PlannedWindow) -> Time {
        self.view.now.max(work.from)
    }
}

/// Renders the page.
pub(crate) fn render(view: &MaintenanceView) -> String {
    render_template(&MaintenanceTemplate {
        tab: Tab::Elsewhere,
        view,
    })
}

pub(crate) async fn page(State(app): State<Arc<App>>) -> PageResult {
    maintenance_page(&app, MaintenanceInput::default(), None).await
}

async fn maintenance_page(
    app: &Arc<App>,
    entered: MaintenanceInput,
    fault: Option<String>,
) -> PageResult {
    let planned = read_store(app, |app| maintenance::windows(&app.core)).await?;
    let view = MaintenanceView {
        now: app.core.now(),
        planned,
        services: service_names(app),
        entered,
        fault,
    };
    Ok(Html(render(&view)))
}

pub(crate) async fn post(
    State(app): State<Arc<App>>,
    Form(posted): Form<FormFields>,
) -> Result<Response, PageError> {
    let field = |name: &str| posted.get(name).cloned().unwrap_or_default();
    match people::maintenance(&json_body(&posted), app.core.now()) {
        Ok(event) => {
            let _ = record_event(&app, event).await?;
            Ok(Redirect::to("/maintenance").into_response())
        }
        Err(fault) => {
            let entered = MaintenanceInput {
                why: field("why"),
                service: field("service"),
                from: field("from"),
                to: field("to"),
            };
            let page = maintenance_page(&app, entered, Some(form_fault(&fault, &LABELS))).await?;
            Ok((StatusCode::BAD_REQUEST, page).into_response())
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use super::{MaintenanceInput, MaintenanceView, PlannedWindow, Time, render};

    fn at(text: &str) -> Time {
        text.parse().unwrap()
    }

    fn planned(source: &str, from: &str, to: &str) -> PlannedWindow {
        PlannedWindow {
            service: Some("checkout".to_owned()),
            from: at(from),
            to: at(to),
            why: "<b>new disks".to_owned(),
            source: source.to_owned(),
        }
    }

    fn view(planned: Vec<PlannedWindow>) -> MaintenanceView {
        MaintenanceView {
            now: at("2026-11-23T12:00:00Z"),
            planned,
            services: Vec::new(),
            entered: MaintenanceInput::default(),
            fault: None,
        }
    }

    #[test]
    fn only_what_people_told_of_and_is_not_over_can_be_ended_here() {
        let ahead = planned("people", "2026-11-24T22:00:00Z", "2026-11-25T02:00:00Z");
        let html = render(&view(vec![ahead]));
        assert!(
            html.contains("name=\"to\" value=\"2026-11-24T22:00:00Z\"") && html.contains("Cancel"),
            "{html}"
        );
        assert!(!html.contains("<b>new"));
        let running = planned("people", "2026-11-23T11:00:00Z", "2026-11-23T13:00:00Z");
        let html = render(&view(vec![running]));
        assert!(
            html.contains("name=\"to\" value=\"2026-11-23T12:00:00Z\"") && html.contains("End now"),
            "{html}"
        );
        let over = planned("people", "2026-11-23T10:00:00Z", "2026-11-23T11:00:00Z");
        let elsewhere = planned("settings", "2026-11-24T22:00:00Z", "2026-11-25T02:00:00Z");
        assert!(!render(&view(vec![over, elsewhere])).contains("name=\"to\" value"));
    }
}
