//! `/declare`: the form to declare an outage or its end.

use std::sync::Arc;

use askama::Template;
use axum::Json;
use axum::extract::{Form, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};

use crate::app::App;
use crate::http::api::recorded::record_event;
use crate::http::handler::service_names;
use crate::http::pages::error::PageError;
use crate::http::pages::layout::{Tab, render_template};
use crate::ingest::people;

use crate::http::pages::form::{FormFields, form_fault, json_body};

/// The labels of the fields.
const LABELS: [(&str, &str); 4] = [
    ("title", "What is wrong"),
    ("service", "Service"),
    ("at", "Time (UTC)"),
    ("severity", "Severity"),
];

/// Data of the form. Fields of `POST /declare`: `title`, `service`, `severity` (`critical`,
/// `warning`), `status` (`firing`, `resolved`), `when`.
#[derive(Debug, Clone, Default)]
pub(crate) struct DeclareView {
    /// Service names to choose from.
    pub(crate) services: Vec<String>,
    /// Severities to choose from, highest first.
    pub(crate) severities: Vec<String>,
    /// Previous input, when the form is shown again.
    pub(crate) entered: DeclareInput,
    /// Validation error.
    pub(crate) fault: Option<String>,
}

/// Input of the form.
#[derive(Debug, Clone, Default)]
pub(crate) struct DeclareInput {
    pub(crate) title: String,
    pub(crate) service: String,
    /// `YYYY-MM-DDTHH:MM` in UTC.
    pub(crate) when: String,
}

#[derive(Template)]
#[template(path = "http/pages/declare.html")]
struct DeclareTemplate<'a> {
    tab: Tab,
    view: &'a DeclareView,
}

/// Renders the page.
pub(crate) fn render(view: &DeclareView) -> String {
    render_template(&DeclareTemplate {
        tab: Tab::Elsewhere,
        view,
    })
}

pub(crate) async fn page(State(app): State<Arc<App>>) -> Html<String> {
    Html(render(&DeclareView {
        services: service_names(&app),
        severities: severities(&app),
        ..DeclareView::default()
    }))
}

pub(crate) async fn post(
    State(app): State<Arc<App>>,
    Form(posted): Form<FormFields>,
) -> Result<Response, PageError> {
    let field = |name: &str| posted.get(name).cloned().unwrap_or_default();
    let again = |fault: String| {
        let entered = DeclareInput {
            title: field("title"),
            service: field("service"),
            when: field("when"),
        };
        Html(render(&DeclareView {
            services: service_names(&app),
            severities: severities(&app),
            entered,
            fault: Some(fault),
        }))
    };
    let settings = app.core.settings();
    let names = &settings.config.labels;
    match people::declaration(&json_body(&posted), names, app.core.now()) {
        Ok(event) => {
            let (_, Json(said)) = record_event(&app, event).await?;
            match said.incident {
                Some(id) => Ok(Redirect::to(&format!("/incidents/{id}")).into_response()),
                // An end opens no incident.
                None if said.applied => {
                    let service = field("service");
                    let fault = format!("Recorded, but no declared outage of {service} is open.");
                    Ok(again(fault).into_response())
                }
                None => Ok(Redirect::to("/incidents").into_response()),
            }
        }
        Err(fault) => {
            let page = again(form_fault(&fault, &LABELS));
            Ok((StatusCode::BAD_REQUEST, page).into_response())
        }
    }
}

/// The severities of the settings' own scale, else the usual ones.
fn severities(app: &App) -> Vec<String> {
    let settings = app.core.settings();
    let own: Vec<String> = settings
        .config
        .labels
        .scale
        .names()
        .map(str::to_owned)
        .collect();
    if own.is_empty() {
        ["critical", "warning", "info"].map(str::to_owned).into()
    } else {
        own
    }
}

#[cfg(test)]
mod tests {
    use super::{DeclareView, render};

    #[test]
    fn form_values_are_those_of_the_model() {
        let html = render(&DeclareView {
            severities: vec!["critical".to_owned(), "warning".to_owned()],
            ..DeclareView::default()
        });
        for (field, values) in [
            ("severity", ["critical", "warning"]),
            ("status", ["firing", "resolved"]),
        ] {
            let options = html
                .split(&format!("name=\"{field}\""))
                .nth(1)
                .and_then(|rest| rest.split("</select>").next())
                .unwrap_or_default();
            for value in values {
                assert!(
                    options.contains(&format!("value=\"{value}\"")),
                    "{field} lacks {value}"
                );
            }
        }
    }
}
