//! The layout of every page: navigation, footer and the style sheet.

use askama::Template;
use axum::http::header;
use axum::response::IntoResponse;

/// Headers of SVG plots, which are documents with inline styles.
pub(crate) const SVG_HEADERS: [(header::HeaderName, &str); 2] = [
    (header::CONTENT_TYPE, "image/svg+xml"),
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'unsafe-inline'",
    ),
];

/// Style sheet.
pub(crate) const STYLE: &str = include_str!("../style.css");

/// Renders a template. This fails only if a `Display` implementation does, and none of ours does.
pub(crate) fn render_template(page: &impl Template) -> String {
    page.render()
        .unwrap_or_else(|fault| format!("This page could not be rendered: {fault}"))
}

/// Entry of the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tab {
    Overview,
    Suggestions,
    Incidents,
    Postmortems,
    Ledger,
    Criteria,
    Sources,
    Ask,
    /// Page without an entry.
    Elsewhere,
}

/// Link of the navigation.
pub(crate) struct NavLink {
    pub(crate) href: &'static str,
    pub(crate) text: &'static str,
    pub(crate) current: bool,
}

impl NavLink {
    /// True for the link that carries the number of waiting suggestions.
    pub(crate) fn is_counted(&self) -> bool {
        self.href == "/suggestions"
    }
}

impl Tab {
    /// All links, with the current one marked.
    pub(crate) fn links(self) -> Vec<NavLink> {
        [
            (Self::Overview, "/", "Overview"),
            (Self::Suggestions, "/suggestions", "Suggestions"),
            (Self::Incidents, "/incidents", "Incidents"),
            (Self::Postmortems, "/postmortems", "Postmortems"),
            (Self::Criteria, "/criteria", "Criteria"),
            (Self::Ledger, "/ledger", "Ledger"),
            (Self::Sources, "/sources", "Sources"),
            (Self::Ask, "/ask", "Request a postmortem"),
        ]
        .into_iter()
        .map(|(tab, href, text)| NavLink {
            href,
            text,
            current: tab == self,
        })
        .collect()
    }
}

/// Message at the top of a page.
#[derive(Debug, Clone)]
pub(crate) struct Notice {
    /// True if the request was not carried out as intended.
    pub(crate) warning: bool,
    /// Message.
    pub(crate) text: String,
}

/// `GET /style.css`
pub(crate) async fn style() -> impl IntoResponse {
    (
        [
            (header::CONTENT_TYPE, "text/css; charset=utf-8"),
            (header::CACHE_CONTROL, "max-age=300"),
        ],
        STYLE,
    )
}
