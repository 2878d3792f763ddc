//! `GET /postmortems`: all postmortems, newest first.

use askama::Template;

use super::{Tab, show};
use crate::http::format;
use crate::model::meeting::Meeting;
use crate::model::postmortem::Postmortem;

/// What the page shows.
pub(crate) struct View<'a> {
    /// Each with its meeting, newest first.
    pub(crate) postmortems: Vec<(&'a Postmortem, Option<&'a Meeting>)>,
}

#[derive(Template)]
#[template(path = "http/pages/postmortems.html")]
struct Page<'a> {
    tab: Tab,
    view: &'a View<'a>,
}

/// The page.
pub(crate) fn render(view: &View<'_>) -> String {
    show(&Page {
        tab: Tab::Postmortems,
        view,
    })
}

#[cfg(test)]
mod tests {
    use super::{View, render};
    use crate::http::pages::sample;

    #[test]
    fn each_is_linked_with_its_status_and_meeting() {
        let (postmortem, meeting) = (sample::postmortem(), sample::meeting());
        let html = render(&View {
            postmortems: vec![(&postmortem, Some(&meeting)), (&postmortem, None)],
        });
        for wanted in [
            "href=\"/postmortems/pm-3f2a91c0de\"",
            ">draft<",
            "24 Nov 2026, 09:00 UTC",
            "none yet",
        ] {
            assert!(html.contains(wanted), "lacks {wanted}");
        }
    }
}
