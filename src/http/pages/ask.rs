//! `/ask`: the form by which anyone requests a postmortem.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Form, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};

use crate::app::App;
use crate::http::api::recorded::record_event;
use crate::http::handler::service_names;
use crate::http::pages::error::PageError;
use crate::http::pages::layout::{Tab, render_template};
use crate::ingest::people;

use crate::http::pages::form::{FormFields, form_fault, json_body};

/// The labels of the fields.
const LABELS: [(&str, &str); 4] = [
    ("reason", "What happened"),
    ("service", "Service"),
    ("at", "Approximate time"),
    ("requester", "Your name or email"),
];

/// Data of the form. Fields: `reason`, `service`, `when`, `requester`; on an incident's page also
/// `incident`.
#[derive(Debug, Clone, Default)]
pub(crate) struct AskView {
    /// Service names to choose from.
    pub(crate) services: Vec<String>,
    /// Previous input, when the form is shown again.
    pub(crate) entered: AskInput,
    /// Validation error.
    pub(crate) fault: Option<String>,
}

/// Input of the form.
#[derive(Debug, Clone, Default)]
pub(crate) struct AskInput {
    pub(crate) reason: String,
    /// Service, possibly unknown to the settings.
    pub(crate) service: String,
    /// `YYYY-MM-DDTHH:MM` in UTC.
    pub(crate) when: String,
    pub(crate) requester: String,
}

#[derive(Template)]
#[template(path = "http/pages/ask.html")]
struct AskTemplate<'a> {
    tab: Tab,
    view: &'a AskView,
}

/// Renders the form.
pub(crate) fn render(view: &AskView) -> String {
    render_template(&AskTemplate {
        tab: Tab::Ask,
        view,
    })
}

#[derive(Template)]
#[template(path = "http/pages/asked.html")]
struct AskedTemplate<'a> {
    tab: Tab,
    status_url: &'a str,
}

/// Renders the confirmation. `status_url` must be generated here, never user input.
pub(crate) fn render_asked(status_url: &str) -> String {
    render_template(&AskedTemplate {
        tab: Tab::Ask,
        status_url,
    })
}

pub(crate) async fn page(State(app): State<Arc<App>>) -> Html<String> {
    Html(render(&AskView {
        services: service_names(&app),
        ..AskView::default()
    }))
}

pub(crate) async fn post(
    State(app): State<Arc<App>>,
    Form(posted): Form<FormFields>,
) -> Result<Response, PageError> {
    let field = |name: &str| posted.get(name).cloned().unwrap_or_default();
    match people::request(&json_body(&posted), app.core.now()) {
        Ok(event) => {
            let (_, said) = record_event(&app, event).await?;
            let status = said
                .0
                .incident
                .map_or_else(|| "/incidents".to_owned(), |id| format!("/incidents/{id}"));
            Ok(Html(render_asked(&status)).into_response())
        }
        Err(fault) => {
            let entered = AskInput {
                reason: field("reason"),
                service: field("service"),
                when: field("when"),
                requester: field("requester"),
            };
            let view = AskView {
                services: service_names(&app),
                entered,
                fault: Some(form_fault(&fault, &LABELS)),
            };
            Ok((StatusCode::BAD_REQUEST, Html(render(&view))).into_response())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{AskInput, AskView, render, render_asked};

    #[test]
    fn only_the_reason_is_required() {
        let html = render(&AskView::default());
        assert_eq!(html.matches(" required").count(), 1);
        let reason = html
            .split("name=\"reason\"")
            .nth(1)
            .and_then(|rest| rest.split('>').next());
        assert!(reason.is_some_and(|attributes| attributes.contains("required")));
    }

    #[test]
    fn input_is_shown_again_escaped() {
        let entered = AskInput {
            reason: "</textarea><script>x</script>".to_owned(),
            service: "\" autofocus".to_owned(),
            ..AskInput::default()
        };
        let fault = Some("The time is not one.".to_owned());
        let html = render(&AskView {
            services: vec!["checkout".to_owned()],
            entered,
            fault,
        });
        assert!(
            !html.contains("<script>") && !html.contains("value=\"\" autofocus"),
            "{html}"
        );
        assert!(
            html.contains("The time is not one.") && html.contains("<option value=\"checkout\">")
        );
    }

    #[test]
    fn confirmation_links_to_the_request() {
        assert!(render_asked("/incidents/i-1").contains("href=\"/incidents/i-1\""));
    }
}
