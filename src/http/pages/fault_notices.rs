//! Faults of the service on every page, and the number of suggestions that wait.
//!
//! The template leaves a place for each; they are filled in after the page is rendered, so that error
//! pages have them as well.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;

use crate::app::App;
use crate::app::fault_log::OpenFault;
use crate::http::api::suggestions::waiting_count;

/// The place of the number of suggestions. No foreign text can contain it: `<` is escaped.
const COUNT: &str = "<!--count-->";
/// The place of the faults.
const FAULTS: &str = "<!--faults-->";
/// Largest page, in bytes.
const LARGEST: usize = 256 << 20;

/// Fills in the notices of a page; other answers pass unchanged.
pub(crate) async fn fill(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    let is_page = response
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .is_some_and(|kind| kind.starts_with("text/html"));
    if !is_page {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let Ok(bytes) = axum::body::to_bytes(body, LARGEST).await else {
        return Response::from_parts(parts, Body::empty());
    };
    let page = String::from_utf8_lossy(&bytes);
    let waiting = waiting_count(&app).await;
    let page = with_notices(&page, waiting.as_deref(), &shown(&app));
    parts
        .headers
        .insert(header::CONTENT_LENGTH, HeaderValue::from(page.len()));
    Response::from_parts(parts, Body::from(page))
}

/// The faults to show: while the database is away, the others follow from that.
fn shown(app: &App) -> Vec<OpenFault> {
    match app.core.database_fault() {
        Some(away) => vec![away],
        None => app.core.faults.open(),
    }
}

/// The page with its notices. `waiting`: the number of suggestions, if there are any.
fn with_notices(page: &str, waiting: Option<&str>, faults: &[OpenFault]) -> String {
    let count = match waiting {
        Some(count) => format!(" <span class=\"badge ask\">{count}</span>"),
        None => String::new(),
    };
    let mut notices = String::new();
    for fault in faults {
        // Writing to a string does not fail.
        let _ = write!(
            notices,
            "<p class=\"notice warning\" role=\"status\">Since {}: {}</p>",
            fault.since.format("%-d %b %Y, %H:%M:%S UTC"),
            escaped(&fault.message)
        );
    }
    page.replacen(COUNT, &count, 1)
        .replacen(FAULTS, &notices, 1)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::with_notices;
    use crate::app::clock::Clock;
    use crate::app::fault_log::FaultLog;
    use crate::http::pages::sample;

    #[test]
    fn every_page_has_a_place_for_each_notice() {
        for (name, html) in sample::all::all() {
            for place in [super::COUNT, super::FAULTS] {
                assert_eq!(html.matches(place).count(), 1, "{place} in {name}");
            }
        }
    }

    #[test]
    fn fault_is_shown_as_text_and_suggestions_are_counted() {
        let faults = FaultLog::new(Clock::System);
        faults.report("rules", &anyhow::anyhow!("<b>"));
        let page = with_notices(
            "<a>Suggestions<!--count--></a><main><!--faults--></main>",
            Some("2"),
            &faults.open(),
        );
        assert!(page.contains("Suggestions <span class=\"badge ask\">2</span>"));
        assert!(page.contains(": rules: &lt;b&gt;</p>"), "{page}");
        assert_eq!(
            with_notices("<a>Suggestions<!--count--></a><!--faults-->", None, &[]),
            "<a>Suggestions</a>"
        );
    }
}
