//! Error page.

use askama::Template;
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};

use crate::http::error::Error;
use crate::http::format::terms::with_full_stop;
use crate::http::pages::layout::{Tab, render_template};
use axum::extract::{OriginalUri, Request};

/// Data of the page.
#[derive(Debug, Clone)]
pub(crate) struct ErrorView<'a> {
    /// HTTP status.
    pub(crate) status: u16,
    /// Heading.
    pub(crate) what: &'a str,
    /// Message.
    pub(crate) what_to_do: &'a str,
}

#[derive(Template)]
#[template(path = "http/pages/error.html")]
struct ErrorTemplate<'a> {
    tab: Tab,
    view: &'a ErrorView<'a>,
}

/// Renders the page.
pub(crate) fn render(view: &ErrorView<'_>) -> String {
    render_template(&ErrorTemplate {
        tab: Tab::Elsewhere,
        view,
    })
}

/// Answers unknown paths with 404: JSON under `/api/` and `/ingest/`, else a page.
pub(crate) async fn not_found(OriginalUri(uri): OriginalUri) -> Response {
    let fault = Error::NotFound(format!("{} does not exist", uri.path()));
    for_path(uri.path(), fault)
}

/// The fault as a page, or as JSON for programs.
fn for_path(path: &str, fault: Error) -> Response {
    let for_programs = ["/api/", "/ingest/", "/-/", "/metrics"];
    if for_programs.iter().any(|start| path.starts_with(start)) {
        fault.into_response()
    } else {
        PageError(fault).into_response()
    }
}

/// Says which methods an address takes where the answer is 405, which has no body of itself.
pub(crate) async fn explain_method(request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let response = next.run(request).await;
    if response.status() != StatusCode::METHOD_NOT_ALLOWED {
        return response;
    }
    let allowed = response.headers().get(header::ALLOW).cloned();
    let Some(allowed) = allowed else {
        return response;
    };
    let methods: Vec<&str> = allowed
        .to_str()
        .unwrap_or_default()
        .split(',')
        .filter(|method| *method != "HEAD")
        .collect();
    let mut explained = for_path(&path, Error::Method(methods.join(" and ")));
    explained.headers_mut().insert(header::ALLOW, allowed);
    explained
}

/// Error rendered as a page.
pub(crate) struct PageError(Error);

impl<E: Into<Error>> From<E> for PageError {
    fn from(fault: E) -> Self {
        Self(fault.into())
    }
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        let status = self.0.status();
        let told = sentence(&self.0.to_string());
        let what = match &self.0 {
            Error::NotFound(_) => "Not found",
            Error::Conflict(_) => "Something changed in the meantime",
            Error::Unavailable(_) | Error::Internal(_) => "Afterword cannot do this now",
            _ => "That did not work",
        };
        let view = ErrorView {
            status: status.as_u16(),
            what,
            what_to_do: &told,
        };
        let mut response = (status, Html(render(&view))).into_response();
        self.0.mark(response.headers_mut());
        response
    }
}

/// A message as a sentence for a page; addresses of the API are for programs.
fn sentence(message: &str) -> String {
    let message = message
        .strip_suffix("; see /api/v1/incidents")
        .unwrap_or(message);
    let mut letters = message.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    let sentence: String = first.chain(letters).collect();
    with_full_stop(&sentence)
}

pub(crate) type PageResult = Result<Html<String>, PageError>;

#[cfg(test)]
mod tests {
    use super::{ErrorView, render, sentence};

    #[test]
    fn message_of_the_api_becomes_a_sentence_without_its_addresses() {
        for (message, shown) in [
            ("the note is empty", "The note is empty."),
            (
                "incident `x` does not exist; see /api/v1/incidents",
                "Incident `x` does not exist.",
            ),
            ("Enter a time.", "Enter a time."),
        ] {
            assert_eq!(sentence(message), shown);
        }
    }

    #[test]
    fn error_is_shown_escaped() {
        let html = render(&ErrorView {
            status: 404,
            what: "No incident <i>x</i>",
            what_to_do: "Look at the list.",
        });
        assert!(
            html.contains("404") && html.contains("Look at the list.") && !html.contains("<i>"),
            "{html}"
        );
    }
}
