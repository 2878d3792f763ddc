//! What a person sees instead of a page: what is the matter and what to do.

use askama::Template;

use super::{Tab, show};

/// What the page shows.
#[derive(Debug, Clone)]
pub(crate) struct View<'a> {
    /// The HTTP status.
    pub(crate) status: u16,
    /// What is the matter, as a short heading.
    pub(crate) what: &'a str,
    /// What to do.
    pub(crate) what_to_do: &'a str,
}

#[derive(Template)]
#[template(path = "http/pages/error.html")]
struct Page<'a> {
    tab: Tab,
    view: &'a View<'a>,
}

/// The page.
pub(crate) fn render(view: &View<'_>) -> String {
    show(&Page {
        tab: Tab::Elsewhere,
        view,
    })
}

#[cfg(test)]
mod tests {
    use super::{View, render};

    #[test]
    fn it_says_what_is_the_matter_as_text() {
        let html = render(&View {
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
