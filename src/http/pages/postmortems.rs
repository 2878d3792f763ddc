//! `GET /postmortems`: all postmortems, newest first.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Html;

use crate::app::App;
use crate::http::format::{badge, time};
use crate::http::handler::{PAGE_ROWS, read_store};
use crate::http::pages::error::PageResult;
use crate::http::pages::layout::{Tab, render_template};
use crate::model::meeting::Meeting;
use crate::model::postmortem::Postmortem;

/// Data of the page.
pub(crate) struct PostmortemsView<'a> {
    /// Each with its meeting, newest first.
    pub(crate) postmortems: Vec<(&'a Postmortem, Option<&'a Meeting>)>,
}

#[derive(Template)]
#[template(path = "http/pages/postmortems.html")]
struct PostmortemsTemplate<'a> {
    tab: Tab,
    view: &'a PostmortemsView<'a>,
}

/// Renders the page.
pub(crate) fn render(view: &PostmortemsView<'_>) -> String {
    render_template(&PostmortemsTemplate {
        tab: Tab::Postmortems,
        view,
    })
}

pub(crate) async fn page(State(app): State<Arc<App>>) -> PageResult {
    let list = read_store(&app, |app| {
        let list = app.core.store.postmortems(PAGE_ROWS)?;
        list.into_iter()
            .map(|postmortem| Ok((app.core.store.meeting(&postmortem.id)?, postmortem)))
            .collect::<Result<Vec<_>, _>>()
    })
    .await?;
    let view = PostmortemsView {
        postmortems: list
            .iter()
            .map(|(meeting, postmortem)| (postmortem, meeting.as_ref()))
            .collect(),
    };
    Ok(Html(render(&view)))
}

#[cfg(test)]
mod tests {
    use super::{PostmortemsView, render};
    use crate::http::pages::sample;

    #[test]
    fn each_is_linked_with_its_status_and_meeting() {
        let (postmortem, meeting) = (sample::model::postmortem(), sample::model::meeting());
        let html = render(&PostmortemsView {
            postmortems: vec![(&postmortem, Some(&meeting)), (&postmortem, None)],
        });
        for wanted in [
            "href=\"/postmortems/pm-3f2a91c0de\"",
            ">draft<",
            "24 Nov 2026, 09:00 UTC",
            "not scheduled",
        ] {
            assert!(html.contains(wanted), "lacks {wanted}");
        }
    }
}
