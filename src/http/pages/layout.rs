//! The frame of every page: navigation, notices and the style sheet.

use askama::Template;
use axum::http::header;
use axum::response::IntoResponse;

/// A picture is a document of its own, and its style is its own; nothing else is.
pub(crate) const SVG_HEADERS: [(header::HeaderName, &str); 2] = [
    (header::CONTENT_TYPE, "image/svg+xml"),
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'unsafe-inline'",
    ),
];

/// The style sheet, `text/css; charset=utf-8`.
pub(crate) const STYLE: &str = include_str!("../style.css");

/// A template's text. Writing to a string fails only when a `Display` in it does; none of ours does.
pub(crate) fn render_template(page: &impl Template) -> String {
    page.render()
        .unwrap_or_else(|fault| format!("This page could not be written: {fault}"))
}

/// The entries of the navigation.
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
    /// A page that no entry leads to.
    Elsewhere,
}

/// One link of the navigation.
pub(crate) struct NavLink {
    pub(crate) href: &'static str,
    pub(crate) text: &'static str,
    pub(crate) current: bool,
}

impl Tab {
    /// All links, the one to this page marked.
    pub(crate) fn links(self) -> Vec<NavLink> {
        [
            (Self::Overview, "/", "Overview"),
            (Self::Suggestions, "/suggestions", "Suggestions"),
            (Self::Incidents, "/incidents", "Incidents"),
            (Self::Postmortems, "/postmortems", "Postmortems"),
            (Self::Ledger, "/ledger", "Ledger"),
            (Self::Criteria, "/criteria", "Criteria"),
            (Self::Sources, "/sources", "Sources"),
            (Self::Ask, "/ask", "Ask for a postmortem"),
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

/// A word to the person at the top of a page: "this changed since you looked".
#[derive(Debug, Clone)]
pub(crate) struct Notice {
    /// True when what they sent was not taken as they meant it.
    pub(crate) warning: bool,
    /// What to know.
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
