//! Error page.

use askama::Template;
use axum::response::{Html, IntoResponse, Response};

use crate::http::error::Error;
use crate::http::pages::layout::{Tab, render_template};
use axum::extract::OriginalUri;

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
    if uri.path().starts_with("/api/") || uri.path().starts_with("/ingest/") {
        fault.into_response()
    } else {
        PageError(fault).into_response()
    }
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
        let told = self.0.to_string();
        let view = ErrorView {
            status: status.as_u16(),
            what: status.canonical_reason().unwrap_or("Error"),
            what_to_do: &told,
        };
        let mut response = (status, Html(render(&view))).into_response();
        self.0.mark(response.headers_mut());
        response
    }
}

pub(crate) type PageResult = Result<Html<String>, PageError>;

#[cfg(test)]
mod tests {
    use super::{ErrorView, render};

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
