//! `/declare`: the form to declare an outage or its end.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Form, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};

use crate::app::App;
use crate::http::api::recorded::record_event;
use crate::http::handler::service_names;
use crate::http::pages::error::PageError;
use crate::http::pages::layout::{Tab, render_template};
use crate::ingest::people;

use crate::http::pages::form::{FormFields, json_body};

/// Data of the form. Fields of `POST /declare`: `title`, `service`, `severity` (`critical`,
/// `warning`), `status` (`firing`, `resolved`), `when`.
#[derive(Debug, Clone, Default)]
pub(crate) struct DeclareView {
    /// Service names to choose from.
    pub(crate) services: Vec<String>,
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
        ..DeclareView::default()
    }))
}

pub(crate) async fn post(
    State(app): State<Arc<App>>,
    Form(posted): Form<FormFields>,
) -> Result<Response, PageError> {
    let field = |name: &str| posted.get(name).cloned().unwrap_or_default();
    match people::declaration(&json_body(&posted), app.core.now()) {
        Ok(event) => {
            let (_, said) = record_event(&app, event).await?;
            let to = said
                .0
                .incident
                .map_or_else(|| "/incidents".to_owned(), |id| format!("/incidents/{id}"));
            Ok(Redirect::to(&to).into_response())
        }
        Err(fault) => {
            let entered = DeclareInput {
                title: field("title"),
                service: field("service"),
                when: field("when"),
            };
            let view = DeclareView {
                services: service_names(&app),
                entered,
                fault: Some(fault.to_string()),
            };
            Ok((StatusCode::BAD_REQUEST, Html(render(&view))).into_response())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{DeclareView, render};

    #[test]
    fn form_values_are_those_of_the_model() {
        let html = render(&DeclareView::default());
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
