//! `GET /quarantine`: messages that were kept though they could not be read.

use askama::Template;

use super::{Tab, show};
use crate::model::Time;

/// What the page shows.
pub(crate) struct View {
    /// The time at which it is looked at.
    pub(crate) now: Time,
    /// Newest first.
    pub(crate) messages: Vec<Message>,
}

/// A message that could not be read, or could in part.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    /// The source it came to.
    pub(crate) source: String,
    /// When.
    pub(crate) at: Time,
    /// What is wrong in it, and where.
    pub(crate) fault: String,
}

#[derive(Template)]
#[template(path = "http/pages/quarantine.html")]
struct Page<'a> {
    tab: Tab,
    view: &'a View,
}

/// The page.
pub(crate) fn render(view: &View) -> String {
    show(&Page { tab: Tab::Elsewhere, view })
}

#[cfg(test)]
mod tests {
    use super::{Message, View, render};
    use crate::http::pages::sample;

    #[test]
    fn a_fault_is_shown_as_text() {
        let message = Message { source: "alertmanager".to_owned(), at: sample::at(0), fault: "alerts[2]: expected <map>".to_owned() };
        let html = render(&View { now: sample::at(90), messages: vec![message] });
        assert!(html.contains("alertmanager") && html.contains("1m 30s ago") && !html.contains("<map>"), "{html}");
    }
}
